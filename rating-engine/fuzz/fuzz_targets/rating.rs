//! Any records with any book give a bill that adds up.
#![no_main]

use std::fmt::Write as _;

use arbitrary::{Arbitrary, Unstructured};
use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Domain, InventoryBuilder, Owner, Period, Project, Quantity, ResourceTag, Snapshot, Tag,
    TagAction, TagEvent, UsageLifetimes, UsageRecord, UsageType, Vm, Volume, parse_usage_record,
};
use libfuzzer_sys::fuzz_target;
use rating_engine::{Bill, Exact, Money, PriceBook, Rating};
use rust_decimal::Decimal;

const IDS: [&str; 4] = ["a", "b", "c", ""];
const METERS: [&str; 10] = [
    "cpu",
    "ram",
    "vm",
    "disk",
    "ip",
    "nic",
    "traffic_sent",
    "disk_read_ops",
    "vm_snapshot",
    "backup",
];
const TAGS: [(&str, &str); 7] = [
    ("Billing", "noCPU"),
    ("Billing:noDisk", ""),
    ("Package", "Gold"),
    ("Service", "Backup"),
    ("CostCenter", "1"),
    ("CostCenter", "2"),
    ("Service", "unknown"),
];

#[derive(Debug, Arbitrary)]
struct Input {
    settings: u8,
    policies: u8,
    prices: Vec<Price>,
    discounts: Vec<Discount>,
    limit: Option<(u32, bool)>,
    credit: Option<(u32, bool)>,
    tax: Option<u16>,
    records: Vec<Record>,
    vms: Vec<Machine>,
    tags: Vec<Tagged>,
    syncs: [u16; 3],
}

#[derive(Debug, Arbitrary)]
struct Price {
    meter: u8,
    amount: u32,
    scale: u8,
    per: u8,
    kind: u8,
    level: u8,
    scope: u8,
    change: Option<u16>,
}

#[derive(Debug, Arbitrary)]
struct Discount {
    amount: u16,
    is_percent: bool,
    scope: u8,
    bounds: Option<(u16, u16)>,
}

#[derive(Debug, Arbitrary)]
struct Record {
    usage_type: u8,
    id: u8,
    vm: Option<u8>,
    project: bool,
    offering: Option<u8>,
    window: Window,
    amount: Amount,
    cpus: Option<u32>,
    memory: Option<u32>,
    size: Option<u64>,
    copies: u8,
}

#[derive(Debug, Arbitrary)]
enum Window {
    Day(u8),
    Hours(u16, u8),
    Anywhere(i64, i64),
}

#[derive(Debug, Arbitrary)]
enum Amount {
    Whole,
    Seconds(u32),
    Any(u64),
}

#[derive(Debug, Arbitrary)]
struct Machine {
    id: u8,
    created: u16,
    cpus: u8,
    later: Option<(u16, u8)>,
}

#[derive(Debug, Arbitrary)]
struct Tagged {
    tag: u8,
    resource: u8,
    of_volume: bool,
    start: u16,
    length: u16,
    has_events: bool,
}

fn month() -> Period {
    let at = |text: &str| text.parse().expect("an instant");
    Period::new(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")).expect("a month")
}

/// A minute around the month: some days before it to some after it.
fn minute(number: u16) -> DateTime<Utc> {
    month().start() + TimeDelta::minutes(i64::from(number) - 8_000)
}

fn id(number: u8) -> &'static str {
    IDS[usize::from(number) % IDS.len()]
}

impl Input {
    fn book(&self) -> String {
        let pick = |names: &[&str], shift: u32| {
            names[usize::from(self.settings >> shift) % names.len()].to_owned()
        };
        let policy = |names: &[&str], shift: u32| {
            names[usize::from(self.policies >> shift) % names.len()].to_owned()
        };
        let mut text = format!(
            "schema = 1\nname = \"Fuzz\"\ncurrency = \"{}\"\nzone = \"{}\"\ncompute = \"{}\"\nmonth = \"{}\"\nrounding_point = \"{}\"\ndiscount_stacking = \"{}\"\n",
            pick(&["EUR", "JPY", "BHD"], 0),
            pick(&["UTC", "Europe/Berlin", "Pacific/Apia"], 1),
            pick(&["allocated", "running"], 2),
            pick(&["calendar", "h730", "d30", "cap672"], 3),
            pick(&["total", "line-first"], 5),
            pick(&["nearest", "best-of", "multiply", "add-capped"], 6),
        );
        let (clip, hold) = (&["clip", "hold", "flag"], &["flag", "hold"]);
        let _ = write!(
            text,
            "[findings]\nduplicate = \"{}\"\noverlap = \"{}\"\nover_window = \"{}\"\noutside_lifetime = \"{}\"\nno_history = \"{}\"\nuncertain_moment = \"{}\"\n",
            policy(&["bill-once", "flag"], 0),
            policy(clip, 1),
            policy(clip, 2),
            policy(clip, 4),
            policy(hold, 6),
            policy(hold, 7),
        );
        text += "[[service]]\nid = \"Backup\"\namount = \"7.77\"\nper = \"month\"\nunit = \"GiB disk\"\n[[package]]\nid = \"Gold\"\nservices = [\"Backup\"]\namount = 9\nper = \"month\"\ncovers = [\"cpu\"]\n";
        for (index, price) in self.prices.iter().take(8).enumerate() {
            price.write(index, &mut text);
        }
        for (index, discount) in self.discounts.iter().take(4).enumerate() {
            let what = if discount.is_percent {
                "percent"
            } else {
                "amount"
            };
            let amount = if discount.is_percent {
                discount.amount % 101
            } else {
                discount.amount
            };
            let _ = writeln!(
                text,
                "[[discount]]\nid = \"d{index}\"\n{what} = {amount}{}",
                scope(discount.scope)
            );
            if let Some((from, length)) = discount.bounds {
                let until = minute(from) + TimeDelta::minutes(i64::from(length) + 1);
                let _ = writeln!(
                    text,
                    "from = \"{}\"\nuntil = \"{}\"",
                    minute(from).to_rfc3339(),
                    until.to_rfc3339()
                );
            }
        }
        if let Some((amount, is_minimum)) = self.limit {
            let section = if is_minimum { "minimum" } else { "maximum" };
            let _ = writeln!(
                text,
                "[[{section}]]\nid = \"limit\"\namount = {amount}\nper = \"account\""
            );
        }
        if let Some((amount, after_tax)) = self.credit {
            let _ = writeln!(
                text,
                "[[credit]]\nid = \"credit\"\namount = {amount}\nafter_tax = {after_tax}\nscope = {{ domain = \"ROOT/x\" }}"
            );
        }
        if let Some(percent) = self.tax {
            let _ = writeln!(text, "[[tax]]\nid = \"vat\"\npercent = {percent}");
        }
        text
    }

    fn snapshots(&self) -> Vec<Snapshot> {
        let mut times: Vec<_> = self.syncs.iter().map(|sync| minute(*sync)).collect();
        times.sort_unstable();
        times.dedup();
        times.into_iter().map(|time| self.snapshot(time)).collect()
    }

    fn snapshot(&self, time: DateTime<Utc>) -> Snapshot {
        let mut sync = Snapshot::new(time).all_complete();
        sync.domains.push(Domain {
            id: "root".into(),
            name: "ROOT".to_owned(),
            path: "ROOT".to_owned(),
            parent: None,
        });
        sync.domains.push(Domain {
            id: "x".into(),
            name: "x".to_owned(),
            path: "ROOT/x".to_owned(),
            parent: Some("root".into()),
        });
        sync.projects.push(Project {
            id: "p".into(),
            name: "p".to_owned(),
            display_text: None,
            domain: "x".into(),
            state: None,
            tags: Vec::new(),
        });
        let owner = || -> Owner {
            Owner {
                domain: "x".into(),
                holder: cloudstack_usage::Holder::Project("p".into()),
            }
        };
        for machine in self
            .vms
            .iter()
            .take(4)
            .filter(|machine| minute(machine.created) <= time)
        {
            let later = machine.later.filter(|(at, _)| minute(*at) <= time);
            sync.vms.push(Vm {
                id: id(machine.id).into(),
                name: id(machine.id).to_owned(),
                display_name: None,
                owner: owner(),
                created: Some(minute(machine.created)),
                last_updated: None,
                state: None,
                offering: None,
                template: None,
                os_type: None,
                cpu_count: Some(u32::from(later.map_or(machine.cpus, |(_, cpus)| cpus))),
                memory_mib: Some(512),
                zone: None,
                hypervisor: None,
                tags: Vec::new(),
            });
            sync.volumes.push(Volume {
                id: format!("v{}", id(machine.id)).as_str().into(),
                name: "v".to_owned(),
                volume_type: None,
                owner: owner(),
                created: Some(minute(machine.created)),
                state: None,
                size_bytes: Some(u64::from(machine.cpus) << 30),
                vm: Some(id(machine.id).into()),
                attached: None,
                offering: None,
                zone: None,
                tags: Vec::new(),
            });
        }
        for tagged in self.tags.iter().take(8) {
            let (key, value) = TAGS[usize::from(tagged.tag) % TAGS.len()];
            let start = minute(tagged.start);
            let end = start + TimeDelta::minutes(i64::from(tagged.length));
            let (resource_type, resource) = if tagged.of_volume {
                ("Volume", format!("v{}", id(tagged.resource)))
            } else {
                ("UserVm", id(tagged.resource).to_owned())
            };
            if start <= time && time < end {
                let resource = resource.as_str().into();
                sync.tags.push(ResourceTag {
                    resource_type: resource_type.to_owned(),
                    resource,
                    tag: Tag::new(key, value),
                });
            }
            for (at, action) in [(start, TagAction::Create), (end, TagAction::Delete)] {
                if tagged.has_events && at <= time {
                    let id = format!("{resource}/{key}/{at}/{action:?}");
                    sync.tag_events.push(TagEvent {
                        at,
                        action,
                        id,
                        username: None,
                    });
                }
            }
        }
        sync
    }
}

fn scope(number: u8) -> &'static str {
    [
        "",
        "\nscope = { domain = \"ROOT/x\" }",
        "\nscope = { project = \"p\" }",
        "\nscope = { vm = \"a\" }",
        "\nscope = { volume = \"va\" }",
    ][usize::from(number) % 5]
}

impl Price {
    fn write(&self, index: usize, text: &mut String) {
        let amount = Decimal::new(i64::from(self.amount), u32::from(self.scale % 29));
        let per = ["hour", "day", "month", "once"][usize::from(self.per) % 4];
        let level = ["resource", "project", "domain", "account"][usize::from(self.level) % 4];
        let kind = match self.kind % 6 {
            0 => format!("amount = \"{amount}\"\nfree = \"2.5\"\naccumulate = \"{level}\""),
            1 => format!("amount = \"{amount}\"\nblock = \"0.3\"\naccumulate = \"{level}\""),
            2 => format!(
                "tiers = [{{ up_to = 3, amount = \"{amount}\", flat = 1 }}, {{ amount = 2 }}]\naccumulate = \"{level}\""
            ),
            3 => format!(
                "tier_mode = \"volume\"\ntiers = [{{ up_to = 3, amount = \"{amount}\" }}, {{ amount = 2 }}]\naccumulate = \"{level}\""
            ),
            4 => format!("amount = \"{amount}\"\nproration = \"started-hour\""),
            _ => format!("amount = \"{amount}\""),
        };
        let meter = METERS[usize::from(self.meter) % METERS.len()];
        let per = match meter {
            "traffic_sent" | "disk_read_ops" => String::new(),
            _ => format!("per = \"{per}\"\n"),
        };
        let scope = scope(self.scope);
        let row = |name: &str, bound: String| {
            format!(
                "[[price]]\nid = \"{name}{index}\"\nmeter = \"{meter}\"\n{per}{kind}{scope}\n{bound}"
            )
        };
        match self.change {
            None => *text += &row("p", String::new()),
            Some(at) => {
                let at = minute(at).to_rfc3339();
                *text += &row("p", format!("until = \"{at}\"\n"));
                *text += &row("q", format!("from = \"{at}\"\n"));
            }
        }
    }
}

impl Record {
    fn read(&self) -> Option<UsageRecord> {
        let start = month().start();
        let window = match self.window {
            Window::Day(day) => {
                let day = start + TimeDelta::days(i64::from(day % 35) - 2);
                Period::new(day, day + TimeDelta::days(1))
            }
            Window::Hours(from, length) => {
                let from = minute(from);
                Period::new(from, from + TimeDelta::hours(i64::from(length) + 1))
            }
            Window::Anywhere(from, until) => Period::new(
                DateTime::from_timestamp_millis(from)?,
                DateTime::from_timestamp_millis(until)?,
            ),
        };
        let window = window.ok()?;
        let usage_type = UsageType::from_id(u32::from(self.usage_type % 40));
        let (quantity, raw_usage) = match self.amount {
            Amount::Whole => (
                Quantity::time(window.millis()),
                Decimal::from(window.millis()),
            ),
            Amount::Seconds(seconds) => (
                Quantity::time(i64::from(seconds) * 1000),
                Decimal::from(seconds),
            ),
            Amount::Any(amount) if amount % 2 == 0 => {
                (Quantity::bytes(amount), Decimal::from(amount))
            }
            Amount::Any(amount) => (Quantity::count(amount), Decimal::from(amount)),
        };
        // the fields that nothing here sets come from a record of the API
        let plain = parse_usage_record(
            r#"{"usagetype":1,"usageid":"a","accountid":"acc","account":"acc","domainid":"x","domain":"x","rawusage":"1","usage":"1 Hrs","description":"d","startdate":"2026-10-01T00:00:00+0000","enddate":"2026-10-01T23:59:59+0000"}"#,
        )
        .expect("a record");
        let is_volume = usage_type == UsageType::Volume;
        let name = if is_volume {
            format!("v{}", id(self.id))
        } else {
            id(self.id).to_owned()
        };
        let mut record = UsageRecord {
            usage_type,
            window,
            quantity,
            raw_usage,
            resource: (!name.is_empty()).then(|| name.as_str().into()),
            vm: self.vm.map(|vm| id(vm).into()),
            offering: self.offering.map(|offering| id(offering).into()),
            cpu_count: self.cpus,
            memory_mib: self.memory,
            size_bytes: self.size,
            ..plain
        };
        if self.project {
            record.owner.holder = cloudstack_usage::Holder::Project("p".into());
        }
        Some(record)
    }
}

fn rate<'r>(
    book: &PriceBook,
    snapshots: &[Snapshot],
    records: impl Iterator<Item = &'r UsageRecord> + Clone,
) -> Option<Bill> {
    let mut lifetimes = UsageLifetimes::default();
    let mut builder = InventoryBuilder::new();
    for record in records.clone() {
        lifetimes.observe(record);
    }
    for snapshot in snapshots {
        builder.observe(snapshot);
    }
    builder.usage(lifetimes);
    let inventory = builder.build();
    let mut rating = Rating::new(book, &inventory, month()).ok()?;
    for record in records {
        rating.push(record);
    }
    Some(rating.finish())
}

fn check(bill: &Bill, records: usize) {
    let counts = &bill.counts;
    assert_eq!(
        counts.charged + counts.exempt + counts.reference + counts.held,
        counts.records
    );
    assert_eq!(counts.records + counts.neighbours, records as u64);
    for statement in &bill.statements {
        let printed = Money::sum(
            statement.lines.iter().map(|line| &line.amount),
            bill.currency,
        );
        assert_eq!(printed.expect("one currency"), statement.total);
        assert_eq!(
            statement.lines.iter().map(|line| &line.net).sum::<Exact>(),
            statement.exact
        );
        for line in &statement.lines {
            line.explain();
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(bytes)) else {
        return;
    };
    let Ok(book) = PriceBook::from_toml(&input.book()) else {
        return;
    };
    let records: Vec<UsageRecord> = input
        .records
        .iter()
        .take(40)
        .filter_map(|record| Some(vec![record.read()?; 1 + usize::from(record.copies % 3)]))
        .flatten()
        .collect();
    let snapshots = input.snapshots();
    let Some(bill) = rate(&book, &snapshots, records.iter()) else {
        return;
    };
    check(&bill, records.len());
    let json = bill.to_json().to_string();
    let backwards = rate(&book, &snapshots, records.iter().rev()).expect("it was rated before");
    assert_eq!(
        backwards.to_json().to_string(),
        json,
        "the order of the records counts"
    );
});
