//! The state of a small cloud over time.

use chrono::{DateTime, SecondsFormat, TimeDelta, Timelike, Utc};
use cloudstack_usage::{
    Account, Domain, Holder, IpAddress, Offering, OsCategory, OsType, Owner, Period, Project,
    ResourceTag, Snapshot, Tag, TagAction, TagEvent, Template, Vm, Volume, Zone,
};
use rating_engine::{Bill, PriceBook};
use serde_json::{Map, Value, json};

use super::{at, rate_json};

type Instant = DateTime<Utc>;
pub(crate) const GIB: u64 = 1 << 30;

/// A value that changes: each from its instant on, the first from the beginning.
pub(crate) type Over<T> = Vec<(Instant, T)>;

/// The state of everything, over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cloud {
    pub(crate) domains: Vec<Domain>,
    pub(crate) projects: Vec<(String, Over<String>)>,
    pub(crate) accounts: Vec<(String, Over<String>)>,
    pub(crate) vms: Vec<Machine>,
    pub(crate) volumes: Vec<Disk>,
    pub(crate) ips: Vec<Address>,
    pub(crate) counters: Vec<Counter>,
    pub(crate) tags: Vec<Tagging>,
    pub(crate) os_types: Vec<OsType>,
    pub(crate) os_categories: Vec<OsCategory>,
    pub(crate) templates: Vec<Template>,
    pub(crate) zones: Vec<Zone>,
    pub(crate) service_offerings: Vec<Offering>,
    pub(crate) disk_offerings: Vec<Offering>,
    /// Whether records carry sizes; without, only the lists know them.
    pub(crate) sizes_only_in_lists: bool,
}

/// Who owns something: `project:web` or `account:ops`.
pub(crate) type OwnerName = String;

#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) id: String,
    pub(crate) owner: Over<OwnerName>,
    pub(crate) size: Over<(u32, u32)>,
    pub(crate) life: Period,
    /// Times in its life in which it was stopped.
    pub(crate) stopped: Vec<Period>,
    pub(crate) offering: Option<String>,
    pub(crate) template: Option<String>,
    pub(crate) os_type: Option<String>,
    pub(crate) zone: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Disk {
    pub(crate) id: String,
    pub(crate) owner: Over<OwnerName>,
    pub(crate) size: Over<u64>,
    pub(crate) life: Period,
    pub(crate) vm: Option<String>,
    pub(crate) offering: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) id: String,
    pub(crate) owner: Over<OwnerName>,
    pub(crate) life: Period,
}

/// Something counted: a usage type and how much in each window.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    pub(crate) usage_type: u32,
    pub(crate) id: String,
    pub(crate) owner: OwnerName,
    pub(crate) amounts: Vec<(Period, u64)>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tagging {
    pub(crate) resource_type: &'static str,
    pub(crate) resource: String,
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) life: Period,
}

/// The value that holds at `instant`.
pub(crate) fn value_at<T>(values: &[(Instant, T)], instant: Instant) -> &T {
    let index = values
        .iter()
        .rposition(|(from, _)| *from <= instant)
        .unwrap_or(0);
    &values[index].1
}

/// A value that never changes.
pub(crate) fn fixed<T>(value: T) -> Over<T> {
    vec![(Period::always().start(), value)]
}

impl Cloud {
    /// A domain `acme` below ROOT, with the account `ops` and the project `web`.
    pub(crate) fn new() -> Self {
        let mut cloud = Self::default();
        cloud.domains.push(domain("ROOT", "ROOT", None));
        cloud
            .domains
            .push(domain("acme", "ROOT/acme", Some("ROOT")));
        cloud
            .accounts
            .push(("ops".to_owned(), fixed("acme".to_owned())));
        cloud
            .projects
            .push(("web".to_owned(), fixed("acme".to_owned())));
        cloud
    }

    pub(crate) fn domain(mut self, id: &str, path: &str, parent: &str) -> Self {
        self.domains.push(domain(id, path, Some(parent)));
        self
    }

    pub(crate) fn project(mut self, id: &str, domain: &str) -> Self {
        self.projects
            .push((id.to_owned(), fixed(domain.to_owned())));
        self
    }

    /// A VM of the account `ops`.
    pub(crate) fn vm(self, id: &str, cpus: u32, ram_gib: u32, start: &str, end: &str) -> Self {
        self.vm_of(id, "account:ops", cpus, ram_gib, start, end)
    }

    pub(crate) fn vm_of(
        mut self,
        id: &str,
        owner: &str,
        cpus: u32,
        ram_gib: u32,
        start: &str,
        end: &str,
    ) -> Self {
        self.vms.push(Machine {
            id: id.to_owned(),
            owner: fixed(owner.to_owned()),
            size: fixed((cpus, ram_gib * 1024)),
            life: super::between(start, end),
            stopped: Vec::new(),
            offering: None,
            template: None,
            os_type: None,
            zone: None,
        });
        self
    }

    /// Changes the VM that was added last.
    pub(crate) fn with_vm(mut self, change: impl FnOnce(&mut Machine)) -> Self {
        change(self.vms.last_mut().unwrap());
        self
    }

    pub(crate) fn volume(
        self,
        id: &str,
        bytes: u64,
        vm: Option<&str>,
        start: &str,
        end: &str,
    ) -> Self {
        self.volume_of(id, "account:ops", bytes, vm, start, end)
    }

    pub(crate) fn volume_of(
        mut self,
        id: &str,
        owner: &str,
        bytes: u64,
        vm: Option<&str>,
        start: &str,
        end: &str,
    ) -> Self {
        self.volumes.push(Disk {
            id: id.to_owned(),
            owner: fixed(owner.to_owned()),
            size: fixed(bytes),
            life: super::between(start, end),
            vm: vm.map(str::to_owned),
            offering: None,
        });
        self
    }

    pub(crate) fn with_volume(mut self, change: impl FnOnce(&mut Disk)) -> Self {
        change(self.volumes.last_mut().unwrap());
        self
    }

    pub(crate) fn ip(mut self, id: &str, start: &str, end: &str) -> Self {
        self.ips.push(Address {
            id: id.to_owned(),
            owner: fixed("account:ops".to_owned()),
            life: super::between(start, end),
        });
        self
    }

    /// Something counted on the days that begin at the given instants.
    pub(crate) fn counted(mut self, usage_type: u32, id: &str, amounts: &[(&str, u64)]) -> Self {
        let day = |text: &str| Period::new(at(text), at(text) + TimeDelta::days(1)).unwrap();
        self.counters.push(Counter {
            usage_type,
            id: id.to_owned(),
            owner: "account:ops".to_owned(),
            amounts: amounts
                .iter()
                .map(|(text, amount)| (day(text), *amount))
                .collect(),
        });
        self
    }

    /// A tag from one instant to another; of a VM unless `resource` says `Volume:x`.
    pub(crate) fn tag(
        mut self,
        resource: &str,
        key: &str,
        value: &str,
        start: &str,
        end: &str,
    ) -> Self {
        let (resource_type, resource) = match resource.split_once(':') {
            Some(("Volume", id)) => ("Volume", id),
            Some(("Project", id)) => ("Project", id),
            _ => ("UserVm", resource),
        };
        self.tags.push(Tagging {
            resource_type,
            resource: resource.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            life: super::between(start, end),
        });
        self
    }

    fn owner(&self, name: &str, instant: Instant) -> Owner {
        let (kind, id) = name.split_once(':').unwrap();
        let (holders, holder) = match kind {
            "project" => (&self.projects, Holder::Project(id.into())),
            _ => (&self.accounts, Holder::Account(id.into())),
        };
        let (_, domains) = holders.iter().find(|(known, _)| known == id).unwrap();
        Owner {
            domain: value_at(domains, instant).as_str().into(),
            holder,
        }
    }

    /// The common fields of a record.
    fn record(
        &self,
        usage_type: u32,
        id: &str,
        owner: &str,
        window: Period,
        raw: &str,
        unit: &str,
    ) -> Map<String, Value> {
        let owner = self.owner(owner, window.end() - TimeDelta::seconds(1));
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("usagetype", json!(usage_type));
        set("usageid", json!(id));
        set("domainid", json!(owner.domain.to_string()));
        set("domain", json!(owner.domain.to_string()));
        match &owner.holder {
            Holder::Project(id) => {
                set("projectid", json!(id.to_string()));
                set("project", json!(id.to_string()));
            }
            Holder::Account(id) => {
                set("accountid", json!(id.to_string()));
                set("account", json!(id.to_string()));
            }
            Holder::Unknown => {}
        }
        set("usage", json!(format!("{raw} {unit}")));
        set("rawusage", json!(raw));
        set("startdate", json!(date(window.start())));
        set("enddate", json!(end_date(window.end())));
        set("description", json!(format!("usage of {id}")));
        fields
    }

    /// The records of these windows, as JSON objects.
    pub(crate) fn records(&self, windows: &[Period]) -> Vec<String> {
        let mut records = Vec::new();
        for window in windows {
            for vm in &self.vms {
                let cuts = cuts(&[&times(&vm.owner), &times(&vm.size)]);
                for (millis, owner, (cpus, ram)) in shares(*window, vm.life, &[], &cuts, |at| {
                    (value_at(&vm.owner, at), *value_at(&vm.size, at))
                }) {
                    records.push(self.vm_record(2, vm, owner, (cpus, ram), *window, millis));
                }
                for (millis, owner, (cpus, ram)) in
                    shares(*window, vm.life, &vm.stopped, &cuts, |at| {
                        (value_at(&vm.owner, at), *value_at(&vm.size, at))
                    })
                {
                    records.push(self.vm_record(1, vm, owner, (cpus, ram), *window, millis));
                }
            }
            for disk in &self.volumes {
                let cuts = cuts(&[&times(&disk.owner), &times(&disk.size)]);
                for (millis, owner, size) in shares(*window, disk.life, &[], &cuts, |at| {
                    (value_at(&disk.owner, at), *value_at(&disk.size, at))
                }) {
                    let mut record =
                        self.record(6, &disk.id, owner, *window, &hours(millis), "Hrs");
                    record.insert("size".to_owned(), json!(size));
                    if let Some(offering) = &disk.offering {
                        record.insert("offeringid".to_owned(), json!(offering));
                    }
                    records.push(Value::from(record).to_string());
                }
            }
            for ip in &self.ips {
                for (millis, owner, ()) in shares(*window, ip.life, &[], &times(&ip.owner), |at| {
                    (value_at(&ip.owner, at), ())
                }) {
                    let mut record = self.record(3, &ip.id, owner, *window, &hours(millis), "Hrs");
                    record.insert("issystem".to_owned(), json!(false));
                    records.push(Value::from(record).to_string());
                }
            }
        }
        for counter in &self.counters {
            for (window, amount) in &counter.amounts {
                let record = self.record(
                    counter.usage_type,
                    &counter.id,
                    &counter.owner,
                    *window,
                    &amount.to_string(),
                    "units",
                );
                records.push(Value::from(record).to_string());
            }
        }
        records
    }

    fn vm_record(
        &self,
        usage_type: u32,
        vm: &Machine,
        owner: &str,
        size: (u32, u32),
        window: Period,
        millis: i64,
    ) -> String {
        let mut record = self.record(usage_type, &vm.id, owner, window, &hours(millis), "Hrs");
        record.insert("virtualmachineid".to_owned(), json!(vm.id));
        record.insert("name".to_owned(), json!(vm.id));
        if !self.sizes_only_in_lists {
            record.insert("cpunumber".to_owned(), json!(size.0));
            record.insert("memory".to_owned(), json!(size.1));
        }
        for (name, value) in [
            ("offeringid", &vm.offering),
            ("templateid", &vm.template),
            ("zoneid", &vm.zone),
        ] {
            if let Some(value) = value {
                record.insert(name.to_owned(), json!(value));
            }
        }
        Value::from(record).to_string()
    }

    /// Syncs at the beginning, a minute after every change of a tag, owner or size, and at
    /// the end; each change of a tag is an event of its own time.
    pub(crate) fn snapshots(&self, span: Period) -> Vec<Snapshot> {
        let mut changes: Vec<Instant> = Vec::new();
        for tag in &self.tags {
            changes.extend([tag.life.start(), tag.life.end()]);
        }
        for (_, domains) in self.projects.iter().chain(&self.accounts) {
            changes.extend(times(domains));
        }
        for vm in &self.vms {
            changes.extend([vm.life.start(), vm.life.end()]);
            changes.extend(times(&vm.owner));
            changes.extend(times(&vm.size));
        }
        for disk in &self.volumes {
            changes.extend([disk.life.start(), disk.life.end()]);
            changes.extend(times(&disk.size));
        }
        let mut syncs: Vec<Instant> = changes
            .into_iter()
            .filter(|change| span.contains(*change))
            .flat_map(|change| {
                [
                    change - TimeDelta::seconds(1),
                    change + TimeDelta::minutes(1),
                ]
            })
            .collect();
        syncs.extend([span.start(), span.end()]);
        syncs.sort_unstable();
        syncs.dedup();
        syncs.into_iter().map(|sync| self.snapshot(sync)).collect()
    }

    /// What a sync at `sync` sees.
    pub(crate) fn snapshot(&self, sync: Instant) -> Snapshot {
        let mut snapshot = Snapshot::new(sync).all_complete();
        snapshot.domains.clone_from(&self.domains);
        snapshot.os_types.clone_from(&self.os_types);
        snapshot.os_categories.clone_from(&self.os_categories);
        snapshot.templates.clone_from(&self.templates);
        snapshot.zones.clone_from(&self.zones);
        snapshot
            .service_offerings
            .clone_from(&self.service_offerings);
        snapshot.disk_offerings.clone_from(&self.disk_offerings);
        for (id, domain) in &self.projects {
            snapshot.projects.push(Project {
                id: id.as_str().into(),
                name: id.clone(),
                display_text: None,
                domain: value_at(domain, sync).as_str().into(),
                state: None,
                tags: Vec::new(),
            });
        }
        for (id, domain) in &self.accounts {
            snapshot.accounts.push(Account {
                id: id.as_str().into(),
                name: id.clone(),
                domain: value_at(domain, sync).as_str().into(),
                state: None,
            });
        }
        for vm in self.vms.iter().filter(|vm| vm.life.contains(sync)) {
            let (cpus, ram) = *value_at(&vm.size, sync);
            snapshot.vms.push(Vm {
                id: vm.id.as_str().into(),
                name: vm.id.clone(),
                display_name: None,
                owner: self.owner(value_at::<String>(&vm.owner, sync), sync),
                created: Some(vm.life.start()),
                last_updated: None,
                state: Some("Running".to_owned()),
                offering: vm.offering.as_deref().map(Into::into),
                template: vm.template.as_deref().map(Into::into),
                os_type: vm.os_type.as_deref().map(Into::into),
                cpu_count: Some(cpus),
                memory_mib: Some(ram),
                zone: vm.zone.as_deref().map(Into::into),
                hypervisor: None,
                tags: Vec::new(),
            });
        }
        for disk in self.volumes.iter().filter(|disk| disk.life.contains(sync)) {
            snapshot.volumes.push(Volume {
                id: disk.id.as_str().into(),
                name: disk.id.clone(),
                volume_type: None,
                owner: self.owner(value_at::<String>(&disk.owner, sync), sync),
                created: Some(disk.life.start()),
                state: Some("Ready".to_owned()),
                size_bytes: Some(*value_at(&disk.size, sync)),
                vm: disk.vm.as_deref().map(Into::into),
                attached: None,
                offering: disk.offering.as_deref().map(Into::into),
                zone: None,
                tags: Vec::new(),
            });
        }
        for ip in self.ips.iter().filter(|ip| ip.life.contains(sync)) {
            snapshot.ip_addresses.push(IpAddress {
                id: ip.id.as_str().into(),
                address: ip.id.clone(),
                owner: self.owner(value_at::<String>(&ip.owner, sync), sync),
                allocated: Some(ip.life.start()),
                state: Some("Allocated".to_owned()),
                is_system: false,
                is_source_nat: false,
                zone: None,
            });
        }
        for tag in &self.tags {
            if tag.life.contains(sync) {
                snapshot.tags.push(ResourceTag {
                    resource_type: tag.resource_type.to_owned(),
                    resource: tag.resource.as_str().into(),
                    tag: Tag::new(tag.key.as_str(), tag.value.as_str()),
                });
            }
            for (at, action) in [
                (tag.life.start(), TagAction::Create),
                (tag.life.end(), TagAction::Delete),
            ] {
                if at <= sync {
                    snapshot.tag_events.push(TagEvent {
                        at,
                        action,
                        id: format!("{}/{}/{}/{at}/{action:?}", tag.resource, tag.key, tag.value),
                        username: None,
                    });
                }
            }
        }
        snapshot
    }

    /// Rates a period with daily windows, read one day beyond both its ends.
    pub(crate) fn rate(&self, book: &PriceBook, period: Period) -> Bill {
        self.rate_windows(book, period, &days(period))
    }

    /// Rates a period with these windows.
    pub(crate) fn rate_windows(
        &self,
        book: &PriceBook,
        period: Period,
        windows: &[Period],
    ) -> Bill {
        rate_json(
            book,
            &self.records(windows),
            &self.snapshots(span_of(windows)),
            period,
        )
    }
}

/// From the first to the last instant of some windows.
pub(crate) fn span_of(windows: &[Period]) -> Period {
    windows
        .iter()
        .copied()
        .reduce(|hull, window| hull.hull(&window))
        .unwrap()
}

/// The windows of whole UTC days that touch a period, and one more on each side.
pub(crate) fn days(period: Period) -> Vec<Period> {
    windows(period, TimeDelta::days(1), TimeDelta::zero())
}

/// Windows of this length, moved by `offset` from UTC midnight.
pub(crate) fn windows(period: Period, length: TimeDelta, offset: TimeDelta) -> Vec<Period> {
    let midnight = (period.start() - TimeDelta::days(1)).with_hour(0).unwrap();
    let midnight = midnight
        .with_minute(0)
        .unwrap()
        .with_second(0)
        .unwrap()
        .with_nanosecond(0)
        .unwrap();
    let mut start = midnight - TimeDelta::days(1) + offset;
    let mut windows = Vec::new();
    while start < period.end() + TimeDelta::days(1) {
        windows.push(Period::new(start, start + length).unwrap());
        start += length;
    }
    windows
}

fn times<T>(values: &[(Instant, T)]) -> Vec<Instant> {
    values.iter().skip(1).map(|(at, _)| *at).collect()
}

fn cuts(all: &[&Vec<Instant>]) -> Vec<Instant> {
    all.iter().flat_map(|times| times.iter().copied()).collect()
}

/// How long each state lasted in a window: one share for each distinct owner and size.
fn shares<'o, S: PartialEq>(
    window: Period,
    life: Period,
    without: &[Period],
    cuts: &[Instant],
    state: impl Fn(Instant) -> (&'o OwnerName, S),
) -> Vec<(i64, &'o OwnerName, S)> {
    let Some(lived) = window.intersect(&life) else {
        return Vec::new();
    };
    let mut bounds: Vec<Instant> = cuts
        .iter()
        .copied()
        .filter(|cut| lived.contains(*cut))
        .collect();
    bounds.extend([lived.start(), lived.end()]);
    for gap in without {
        bounds.extend(
            [gap.start(), gap.end()]
                .into_iter()
                .filter(|at| lived.contains(*at)),
        );
    }
    bounds.sort_unstable();
    bounds.dedup();
    let mut shares: Vec<(i64, &OwnerName, S)> = Vec::new();
    for pair in bounds.windows(2) {
        if without.iter().any(|gap| gap.contains(pair[0])) {
            continue;
        }
        let millis = (pair[1] - pair[0]).num_milliseconds();
        let (owner, size) = state(pair[0]);
        match shares
            .iter_mut()
            .find(|(_, other, known)| *other == owner && *known == size)
        {
            Some((sum, ..)) => *sum += millis,
            None => shares.push((millis, owner, size)),
        }
    }
    shares
}

fn domain(id: &str, path: &str, parent: Option<&str>) -> Domain {
    Domain {
        id: id.into(),
        name: id.to_owned(),
        path: path.to_owned(),
        parent: parent.map(Into::into),
    }
}

/// Milliseconds as the hours that CloudStack prints: six decimals.
pub(crate) fn hours(millis: i64) -> String {
    let micros = (i128::from(millis) * 1_000_000 + 1_800_000) / 3_600_000;
    format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

fn date(instant: Instant) -> String {
    instant
        .to_rfc3339_opts(SecondsFormat::Secs, true)
        .replace('Z', "+0000")
}

/// A window's end as CloudStack prints it: its last second.
fn end_date(end: Instant) -> String {
    if end.second() == 0 {
        date(end - TimeDelta::seconds(1))
    } else {
        date(end)
    }
}
