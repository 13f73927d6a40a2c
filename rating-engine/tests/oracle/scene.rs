//! VMs, volumes and what else there is, as syncs and usage records see it.

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Domain, DomainId, Holder, Kind, OfferingId, Owner, Project, ProjectId, Snapshot, Tag, Vm, VmId,
    Volume, VolumeId,
};
use serde_json::{Value, json};

use crate::draws::{DAY, Draws, at, id};

pub(crate) const GIB: u64 = 1 << 30;
/// Domain of projects 0 to 2; of accounts by number.
const PROJECT_DOMAINS: [u32; 3] = [1, 2, 3];

#[derive(Debug, Clone, Copy)]
pub(crate) struct Holding {
    domain: u32,
    project: Option<u32>,
}

impl Holding {
    pub(crate) fn new(draws: &mut Draws) -> Self {
        let project = draws.chance(60).then(|| draws.below(3));
        let domain = project.map_or_else(|| 1 + draws.below(3), |p| PROJECT_DOMAINS[p as usize]);
        Self { domain, project }
    }

    fn owner(self) -> Owner {
        let holder = match self.project {
            Some(project) => Holder::Project(ProjectId::new(&id(1, project))),
            None => Holder::Account(id(2, self.domain).as_str().into()),
        };
        Owner {
            domain: DomainId::new(&id(0, self.domain)),
            holder,
        }
    }
}

/// Within the days of usage, or long before.
fn created(draws: &mut Draws, from: i64) -> DateTime<Utc> {
    let second = if draws.chance(50) {
        i64::from(draws.below(500_000))
    } else {
        -30 * DAY
    };
    at(from * DAY + second)
}

#[derive(Debug)]
pub(crate) struct VmOf {
    number: u32,
    holding: Holding,
    created: DateTime<Utc>,
}

impl VmOf {
    pub(crate) fn new(draws: &mut Draws, number: u32, from: i64) -> Self {
        Self {
            number,
            holding: Holding::new(draws),
            created: created(draws, from),
        }
    }
}

#[derive(Debug)]
pub(crate) struct VolumeOf {
    number: u32,
    holding: Holding,
    vm: Option<u32>,
    size: u64,
    created: DateTime<Utc>,
}

impl VolumeOf {
    pub(crate) fn new(draws: &mut Draws, number: u32, vms: &[VmOf], from: i64) -> Self {
        let vm = draws.below(u32::try_from(vms.len()).unwrap());
        let size = draws.of(&[GIB, 20 * GIB, 7 * GIB + 512, 8192 * GIB]);
        Self {
            number,
            holding: vms[vm as usize].holding,
            vm: draws.chance(70).then_some(vm),
            size,
            created: created(draws, from),
        }
    }
}

fn tags(draws: &mut Draws) -> Vec<Tag> {
    let mut tags = Vec::new();
    if draws.chance(25) {
        tags.push(Tag::new(
            "Billing",
            draws.of(&["noCPU", "noRAM,noDisk", "noDisk", "noCPU, noRAM", "other"]),
        ));
    }
    if draws.chance(10) {
        tags.push(Tag::new("Billing:noDisk", "x"));
    }
    if draws.chance(40) {
        tags.push(Tag::new(
            "Service",
            draws.of(&[
                "Backup",
                "Care",
                "Managed",
                "Backup,Managed",
                "Care, Backup",
            ]),
        ));
    }
    if draws.chance(40) {
        tags.push(Tag::new(
            "Package",
            draws.of(&["Gold", "Silver", "Gold,Silver"]),
        ));
    }
    if draws.chance(30) {
        tags.push(Tag::new("CostCenter", draws.of(&["4711", "47|12"])));
    }
    tags
}

pub(crate) fn snapshot(
    draws: &mut Draws,
    vms: &[VmOf],
    volumes: &[VolumeOf],
    time: DateTime<Utc>,
) -> Snapshot {
    let mut snapshot = Snapshot::new(time);
    snapshot.complete = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| *kind != Kind::Tag)
        .collect();
    let domains = [
        ("ROOT", None),
        ("ROOT/a", Some(0)),
        ("ROOT/a/sub", Some(1)),
        ("ROOT/b", Some(0)),
    ];
    for (number, (path, parent)) in (0..).zip(domains) {
        snapshot.domains.push(Domain {
            id: DomainId::new(&id(0, number)),
            name: path.rsplit('/').next().unwrap().to_owned(),
            path: path.to_owned(),
            parent: parent.map(|parent| DomainId::new(&id(0, parent))),
        });
    }
    for (number, domain) in (0..).zip(PROJECT_DOMAINS) {
        snapshot.projects.push(Project {
            id: ProjectId::new(&id(1, number)),
            name: format!("p{number}"),
            display_text: None,
            domain: DomainId::new(&id(0, domain)),
            state: None,
            tags: if number == 0 {
                vec![Tag::new("CostCenter", "P0")]
            } else {
                Vec::new()
            },
        });
    }
    for vm in vms.iter().filter(|vm| vm.created <= time) {
        snapshot.vms.push(Vm {
            id: VmId::new(&id(3, vm.number)),
            name: format!("vm{}", vm.number),
            display_name: None,
            owner: vm.holding.owner(),
            created: Some(vm.created),
            last_updated: None,
            state: Some("Running".to_owned()),
            offering: None,
            template: None,
            os_type: None,
            cpu_count: None,
            memory_mib: None,
            zone: None,
            hypervisor: None,
            tags: tags(draws),
        });
    }
    for volume in volumes.iter().filter(|volume| volume.created <= time) {
        snapshot.volumes.push(Volume {
            id: VolumeId::new(&id(4, volume.number)),
            name: format!("volume{}", volume.number),
            volume_type: None,
            owner: volume.holding.owner(),
            created: Some(volume.created),
            state: Some("Ready".to_owned()),
            size_bytes: Some(volume.size),
            vm: volume.vm.map(|vm| VmId::new(&id(3, vm))),
            attached: None,
            offering: Some(OfferingId::new(&id(6, 0))),
            zone: None,
            tags: tags(draws),
        });
    }
    snapshot
}

/// Daily windows in which a resource is there all the time, for a part, or not at all.
pub(crate) fn usage(
    draws: &mut Draws,
    vms: &[VmOf],
    volumes: &[VolumeOf],
    days: std::ops::Range<i64>,
) -> Vec<Value> {
    let from = days.start;
    let mut records = Vec::new();
    // some are there all the time
    let always: Vec<bool> = (0..8).map(|_| draws.chance(40)).collect();
    for day in days {
        for vm in vms {
            let steady = always[vm.number as usize];
            let (used, allocated) = (seconds(draws, steady), seconds(draws, steady));
            let os = if vm.number % 2 == 0 {
                "Windows"
            } else {
                "Linux"
            };
            for (usage_type, used) in [(1, used), (2, allocated)] {
                let mut fields = json!({
                    "usageid": id(3, vm.number), "virtualmachineid": id(3, vm.number),
                    "cpunumber": if vm.number == 1 && day > from + 4 { 8 } else { 3 },
                    "memory": 2048 + 1024 * vm.number, "offeringid": id(5, vm.number % 2),
                    "templateid": id(9, vm.number % 2), "oscategoryname": os,
                    "zoneid": id(10, vm.number / 2),
                });
                record(&mut records, &mut fields, usage_type, vm.holding, day, used);
            }
        }
        for volume in volumes {
            let mut fields = json!({ "usageid": id(4, volume.number), "size": volume.size, "offeringid": id(6, volume.number % 2), "zoneid": id(10, volume.number / 2) });
            record(
                &mut records,
                &mut fields,
                6,
                volume.holding,
                day,
                seconds(draws, always[4 + volume.number as usize]),
            );
        }
        let holding = Holding {
            domain: 3,
            project: None,
        };
        record(
            &mut records,
            &mut json!({ "usageid": id(7, 0) }),
            3,
            holding,
            day,
            seconds(draws, always[0]),
        );
        for usage_type in [4, 5] {
            let bytes = draws
                .chance(70)
                .then(|| u64::from(draws.below(u32::MAX)) * 97);
            record(
                &mut records,
                &mut json!({ "usageid": id(8, 0) }),
                usage_type,
                holding,
                day,
                bytes,
            );
        }
    }
    // some come twice
    let copies = records.iter().filter(|_| draws.chance(5));
    let copies: Vec<Value> = copies.cloned().collect();
    let others = others(draws, &records);
    records.extend(copies);
    records.extend(others);
    records
}

/// Records of other windows that overlap those that there are, and others of the same.
fn others(draws: &mut Draws, records: &[Value]) -> Vec<Value> {
    let (hour, dirty) = (3_600, draws.chance(50));
    let mut others = Vec::new();
    for record in records {
        if !dirty || !draws.chance(4) {
            continue;
        }
        let start = record["startdate"].as_str().unwrap();
        let start = DateTime::parse_from_str(start, "%Y-%m-%dT%H:%M:%S%z").unwrap();
        let (from, hours) = draws.of(&[(0, 24), (6, 12), (12, 24), (-18, 24), (20, 1)]);
        let used = match draws.below(3) {
            0 => hours * hour,
            1 => 1 + i64::from(draws.below(600)),
            _ => i64::from(draws.below(86_400)).min(hours * hour),
        };
        let mut other = record.clone();
        let begin = start + TimeDelta::hours(from);
        let end = begin + TimeDelta::hours(hours) - TimeDelta::seconds(1);
        other["startdate"] = json!(begin.format("%Y-%m-%dT%H:%M:%S%z").to_string());
        other["enddate"] = json!(end.format("%Y-%m-%dT%H:%M:%S%z").to_string());
        let (raw, unit) = raw(
            record["usagetype"] == 4 || record["usagetype"] == 5,
            used.unsigned_abs(),
        );
        other["usage"] = json!(format!("{raw} {unit}"));
        other["rawusage"] = json!(raw);
        others.push(other);
    }
    others
}

/// An amount as CloudStack writes it, and its unit.
fn raw(is_bytes: bool, used: u64) -> (String, &'static str) {
    if is_bytes {
        return (used.to_string(), "bytes");
    }
    let micros = (used * 1_000_000 + 1_800) / 3_600;
    (
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000),
        "Hrs",
    )
}

fn seconds(draws: &mut Draws, always: bool) -> Option<u64> {
    let percent = if always { 0 } else { draws.below(100) };
    match percent {
        0..70 => Some(86_400),
        70..90 => Some(1 + u64::from(draws.below(86_399))),
        _ => None,
    }
}

fn record(
    records: &mut Vec<Value>,
    fields: &mut Value,
    usage_type: u32,
    holding: Holding,
    day: i64,
    used: Option<u64>,
) {
    let Some(used) = used else { return };
    let (raw, unit) = raw(usage_type == 4 || usage_type == 5, used);
    let date = at(day * DAY).format("%Y-%m-%d");
    fields["usagetype"] = json!(usage_type);
    fields["usage"] = json!(format!("{raw} {unit}"));
    fields["rawusage"] = json!(raw);
    fields["description"] = json!("usage");
    fields["domainid"] = json!(id(0, holding.domain));
    match holding.project {
        Some(project) => fields["projectid"] = json!(id(1, project)),
        None => fields["accountid"] = json!(id(2, holding.domain)),
    }
    fields["startdate"] = json!(format!("{date}T00:00:00+0000"));
    fields["enddate"] = json!(format!("{date}T23:59:59+0000"));
    fields["tags"] = json!([]);
    records.push(fields.clone());
}
