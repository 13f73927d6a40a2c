//! The truth: what usage events say of when what was used, by an interpreter of its own.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use cloudstack_usage::Period;
use serde_json::Value;

use super::recording::{Recording, internal_id};

/// A stretch of use of one resource, with its level where it has one.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub(crate) usage_type: u32,
    /// As usage records identify it.
    pub(crate) resource: String,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    /// VMs: vCPUs and MiB; volumes: bytes and 0.
    pub(crate) level: (u64, u64),
}

/// Every use that the events of a recording tell.
pub(crate) struct Events {
    pub(crate) uses: Vec<Use>,
}

impl Events {
    /// Reads `cloud.usage_event` with what joins it to ids.
    pub(crate) fn of(recording: &Recording) -> Self {
        let mut reader = Reader::new(recording);
        for event in recording.table("cloud.usage_event") {
            reader.read(&event);
        }
        reader.end();
        Self { uses: reader.uses }
    }

    /// The milliseconds that each resource was used in `period`, by usage type.
    pub(crate) fn used(&self, period: Period) -> BTreeMap<(u32, String), i128> {
        self.sum(period, |_| 1)
    }

    /// vCPU milliseconds of running VMs, or byte milliseconds of volumes.
    pub(crate) fn weighed(&self, period: Period) -> BTreeMap<(u32, String), i128> {
        self.sum(period, |used| i128::from(used.level.0))
    }

    /// MiB milliseconds of VMs.
    pub(crate) fn memory(&self, period: Period) -> BTreeMap<(u32, String), i128> {
        self.sum(period, |used| i128::from(used.level.1))
    }

    /// The milliseconds that one resource was used in `period`.
    pub(crate) fn used_by(&self, usage_type: u32, resource: &str, period: Period) -> i128 {
        let used = self.used(period);
        used.get(&(usage_type, resource.to_owned()))
            .copied()
            .unwrap_or(0)
    }

    fn sum(&self, period: Period, weight: impl Fn(&Use) -> i128) -> BTreeMap<(u32, String), i128> {
        let mut sums = BTreeMap::new();
        for used in &self.uses {
            let Ok(time) = Period::new(used.start, used.end) else {
                continue;
            };
            if let Some(time) = time.intersect(&period) {
                *sums
                    .entry((used.usage_type, used.resource.clone()))
                    .or_insert(0) += i128::from(time.millis()) * weight(used);
            }
        }
        sums
    }
}

/// What an event does to a kind of use.
enum Action {
    Begin,
    End,
    /// Goes on with another level.
    Change,
}

/// Since when something is used, and its level.
type Began = (DateTime<Utc>, (u64, u64));

struct Reader<'a> {
    recording: &'a Recording,
    ids: BTreeMap<(&'static str, u64), String>,
    offerings: BTreeMap<u64, (u64, u64)>,
    details: BTreeMap<(u64, String), u64>,
    vm_levels: BTreeMap<String, (u64, u64)>,
    open: BTreeMap<(u32, String), Began>,
    uses: Vec<Use>,
}

const TABLES: &[&str] = &[
    "cloud.vm_instance",
    "cloud.volumes",
    "cloud.user_ip_address",
    "cloud.snapshots",
];

impl<'a> Reader<'a> {
    fn new(recording: &'a Recording) -> Self {
        let mut ids = BTreeMap::new();
        for table in TABLES {
            for row in recording.table(table) {
                let uuid = row["uuid"].as_str().unwrap_or_default().to_owned();
                ids.insert((*table, row["id"].as_u64().unwrap()), uuid);
            }
        }
        let mut offerings = BTreeMap::new();
        for row in recording.table("cloud.service_offering") {
            let size = |name: &str| row[name].as_u64().unwrap_or(0);
            offerings.insert(size("id"), (size("cpu"), size("ram_size")));
        }
        let mut details = BTreeMap::new();
        for row in recording.table("cloud.usage_event_details") {
            let number = row["value"].as_str().unwrap().parse().unwrap_or(0);
            let name = row["name"].as_str().unwrap().to_owned();
            details.insert((row["usage_event_id"].as_u64().unwrap(), name), number);
        }
        Self {
            recording,
            ids,
            offerings,
            details,
            vm_levels: BTreeMap::new(),
            open: BTreeMap::new(),
            uses: Vec::new(),
        }
    }

    fn id(&self, table: &'static str, event: &Value) -> String {
        let id = event["resource_id"].as_u64().unwrap();
        self.ids[&(table, id)].clone()
    }

    fn vm_level(&self, event: &Value) -> (u64, u64) {
        let event_id = event["id"].as_u64().unwrap();
        let (cpus, memory) = self.offerings[&event["offering_id"].as_u64().unwrap()];
        let detail = |name: &str| self.details.get(&(event_id, name.to_owned())).copied();
        (
            detail("cpuNumber").unwrap_or(cpus),
            detail("memory").unwrap_or(memory),
        )
    }

    fn read(&mut self, event: &Value) {
        use Action::{Begin, Change, End};
        let text = event["created"].as_str().unwrap();
        let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        let at = at.and_utc();
        let size = (event["size"].as_u64().unwrap_or(0), 0);
        let kind = event["type"].as_str().unwrap();
        let internal = internal_id(self.recording, event["resource_id"].as_u64().unwrap());
        match kind {
            "VM.CREATE" | "VM.UPGRADE" | "VM.DESTROY" | "VM.START" | "VM.STOP" => {
                let vm = self.id("cloud.vm_instance", event);
                if kind == "VM.CREATE" || kind == "VM.UPGRADE" || kind == "VM.START" {
                    self.vm_levels.insert(vm.clone(), self.vm_level(event));
                }
                let level = self.vm_levels[&vm];
                match kind {
                    "VM.CREATE" => self.note(2, vm, at, level, &Begin),
                    "VM.UPGRADE" => self.note(2, vm, at, level, &Change),
                    "VM.START" => self.note(1, vm, at, level, &Begin),
                    "VM.STOP" => self.note(1, vm, at, level, &End),
                    _ => {
                        self.note(1, vm.clone(), at, level, &End);
                        self.note(2, vm, at, level, &End);
                    }
                }
            }
            "VOLUME.CREATE" => self.note(6, self.id("cloud.volumes", event), at, size, &Begin),
            "VOLUME.RESIZE" => self.note(6, self.id("cloud.volumes", event), at, size, &Change),
            "VOLUME.DELETE" => self.note(6, self.id("cloud.volumes", event), at, size, &End),
            "NET.IPASSIGN" => {
                self.note(3, self.id("cloud.user_ip_address", event), at, size, &Begin);
            }
            "NET.IPRELEASE" => {
                self.note(3, self.id("cloud.user_ip_address", event), at, size, &End);
            }
            "SNAPSHOT.CREATE" => self.note(9, self.id("cloud.snapshots", event), at, size, &Begin),
            "SNAPSHOT.DELETE" => self.note(9, self.id("cloud.snapshots", event), at, size, &End),
            "NETWORK.OFFERING.ASSIGN" => {
                self.note(13, self.id("cloud.vm_instance", event), at, size, &Begin);
            }
            "NETWORK.OFFERING.REMOVE" => {
                self.note(13, self.id("cloud.vm_instance", event), at, size, &End);
            }
            // of these the recording has one each, and no table that gives an id
            "LB.CREATE" => self.note(11, String::new(), at, size, &Begin),
            "LB.DELETE" => self.note(11, String::new(), at, size, &End),
            "NET.RULEADD" => self.note(12, String::new(), at, size, &Begin),
            "NET.RULEDELETE" => self.note(12, String::new(), at, size, &End),
            "VPN.USER.ADD" => self.note(14, String::new(), at, size, &Begin),
            "NETWORK.CREATE" => self.note(30, network(&internal), at, size, &Begin),
            "NETWORK.DELETE" => self.note(30, network(&internal), at, size, &End),
            "VPC.CREATE" => self.note(31, vpc(&internal), at, size, &Begin),
            "VPC.DELETE" => self.note(31, vpc(&internal), at, size, &End),
            _ => {}
        }
    }

    fn note(
        &mut self,
        usage_type: u32,
        resource: String,
        at: DateTime<Utc>,
        level: (u64, u64),
        action: &Action,
    ) {
        let key = (usage_type, resource);
        if !matches!(action, Action::Begin)
            && let Some((start, level)) = self.open.remove(&key)
        {
            self.uses.push(Use {
                usage_type,
                resource: key.1.clone(),
                start,
                end: at,
                level,
            });
        }
        if !matches!(action, Action::End) {
            let earlier = self.open.insert(key, (at, level));
            assert!(earlier.is_none(), "a use began twice");
        }
    }

    fn end(&mut self) {
        for ((usage_type, resource), (start, level)) in std::mem::take(&mut self.open) {
            let end = Period::always().end();
            self.uses.push(Use {
                usage_type,
                resource,
                start,
                end,
                level,
            });
        }
    }
}

/// How records of type 30 begin.
pub(crate) fn network(internal: &str) -> String {
    format!("Network usage for network ID: {internal}")
}

fn vpc(internal: &str) -> String {
    format!("VPC usage for VPC ID: {internal}")
}
