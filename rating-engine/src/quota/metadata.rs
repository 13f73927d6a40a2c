//! What Quota knows of a record's resource and owner: their state when it calculates, not
//! that of the time of use.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudstack_usage::{
    Holder, Inventory, Kind, OfferingId, Owner, Snapshot, TagHistory, UsageRecord, UsageType,
    VmEntry, VolumeId,
};

use super::double::Double;
use super::rule::Value;

/// Which state of a resource a rule sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// As the newest metadata show it: what Quota sees.
    Today,
    /// As the record itself shows it, else as it was at the record's start.
    Then,
}

/// vCPUs and memory of a VM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) cpus: Option<u32>,
    pub(super) memory_mib: Option<u32>,
}

/// The metadata that Quota would have read: the inventory, and the newest sync, which says
/// who is still there.
#[derive(Debug, Clone, Copy)]
pub struct Metadata<'a> {
    inventory: &'a Inventory,
    newest: Option<&'a Snapshot>,
}

impl<'a> Metadata<'a> {
    /// From the inventory and the newest of the syncs it was built of. Without a sync, every
    /// owner counts as present.
    pub fn new(inventory: &'a Inventory, newest: Option<&'a Snapshot>) -> Self {
        Self { inventory, newest }
    }

    /// The inventory.
    pub fn inventory(&self) -> &'a Inventory {
        self.inventory
    }

    /// Whether the newest sync lists the owner no more; Quota calculates for accounts and
    /// projects that are there.
    pub fn is_removed(&self, owner: &Owner) -> bool {
        let Some(newest) = self.newest else {
            return false;
        };
        match &owner.holder {
            Holder::Project(id) => {
                newest.complete.contains(&Kind::Project)
                    && !newest.projects.iter().any(|project| project.id == *id)
            }
            Holder::Account(id) => {
                newest.complete.contains(&Kind::Account)
                    && !newest.accounts.iter().any(|account| account.id == *id)
            }
            Holder::Unknown => false,
        }
    }

    fn vm(&self, record: &UsageRecord) -> Option<&'a VmEntry> {
        self.inventory.vms.get(record.vm.as_ref()?)
    }

    /// The VM's size. Today: of its offering of today, else its own; where no sync saw the
    /// VM, of the record.
    pub(super) fn size(&self, record: &UsageRecord, when: When) -> Size {
        let then = self.size_then(record);
        let Some(vm) = self.vm(record).filter(|_| when == When::Today) else {
            return then;
        };
        let offering = self.offering_size(vm.offering.last());
        Size {
            cpus: offering.cpus.or(vm.cpu_count.last().copied()).or(then.cpus),
            memory_mib: offering
                .memory_mib
                .or(vm.memory_mib.last().copied())
                .or(then.memory_mib),
        }
    }

    fn size_then(&self, record: &UsageRecord) -> Size {
        let offering = self.offering_size(record.offering.as_ref());
        let (vm, start) = (self.vm(record), record.window.start());
        let of_vm = |history: fn(&VmEntry) -> &cloudstack_usage::History<u32>| {
            vm.and_then(|vm| history(vm).nearest(start)).copied()
        };
        Size {
            cpus: record
                .cpu_count
                .or(offering.cpus)
                .or(of_vm(|vm| &vm.cpu_count)),
            memory_mib: record
                .memory_mib
                .or(offering.memory_mib)
                .or(of_vm(|vm| &vm.memory_mib)),
        }
    }

    fn offering_size(&self, offering: Option<&OfferingId>) -> Size {
        let offering = offering.and_then(|id| self.inventory.service_offerings.get(id));
        Size {
            cpus: offering.and_then(|offering| offering.cpu_count),
            memory_mib: offering.and_then(|offering| offering.memory_mib),
        }
    }

    /// The preset variables of a record, with `lastTariffs` still to be set.
    ///
    /// Source: `PresetVariableHelper` of the Quota plugin.
    pub(super) fn variables(&self, record: &UsageRecord, when: When) -> BTreeMap<String, Value> {
        let mut variables = BTreeMap::new();
        let mut set = |name: &str, value: Value| variables.insert(name.to_owned(), value);
        set("account", self.account(record));
        set("configuration", Value::partial("configuration", []));
        set("domain", self.domain(record));
        if let Holder::Project(id) = &record.owner.holder {
            let entry = self.inventory.projects.get(id);
            let name = entry.and_then(|entry| entry.name.last()).cloned();
            let name = name.or_else(|| record.holder_name.clone());
            set(
                "project",
                Value::partial(
                    "project",
                    [
                        ("id", Some(Value::text(id.to_string()))),
                        ("name", name.map(Value::Text)),
                    ],
                ),
            );
        }
        let zone = record.zone.as_ref();
        let zone_name = zone.and_then(|id| self.inventory.zones.get(id));
        set(
            "zone",
            Value::partial(
                "zone",
                [
                    ("id", zone.map(|id| Value::text(id.to_string()))),
                    ("name", zone_name.map(|zone| Value::text(&*zone.name))),
                ],
            ),
        );
        if let Some(name) = record.usage_type.name() {
            set("resourceType", Value::text(name));
        }
        set("value", self.value(record, when));
        variables
    }

    /// The owning account; a project's own account is not in the lists.
    fn account(&self, record: &UsageRecord) -> Value {
        let Holder::Account(id) = &record.owner.holder else {
            return Value::partial("account", []);
        };
        let entry = self.inventory.accounts.get(id);
        let name = entry.and_then(|entry| entry.name.last()).cloned();
        Value::partial(
            "account",
            [
                ("id", Some(Value::text(id.to_string()))),
                (
                    "name",
                    name.or_else(|| record.holder_name.clone()).map(Value::Text),
                ),
            ],
        )
    }

    fn domain(&self, record: &UsageRecord) -> Value {
        let id = &record.owner.domain;
        let entry = self.inventory.domains.get(id);
        let name = entry.and_then(|entry| entry.name.last()).cloned();
        let path = entry.and_then(|entry| entry.path.last()).cloned();
        let path = path.or_else(|| record.domain_path.clone());
        Value::partial(
            "domain",
            [
                ("id", Some(Value::text(id.to_string()))),
                (
                    "name",
                    name.or_else(|| record.domain_name.clone()).map(Value::Text),
                ),
                ("path", path.map(|path| Value::Text(stored_path(&path)))),
            ],
        )
    }

    fn value(&self, record: &UsageRecord, when: When) -> Value {
        match record.usage_type {
            UsageType::RunningVm | UsageType::AllocatedVm => self.vm_value(record, when),
            UsageType::Volume => self.volume_value(record, when),
            _ => {
                let id = record.resource.as_ref().map(ToString::to_string);
                let tags = record
                    .resource
                    .as_ref()
                    .and_then(|id| self.inventory.tags(id));
                Value::partial(
                    "value",
                    [
                        ("id", id.map(Value::Text)),
                        ("tags", tags.map(|tags| self.tags(tags, record, when))),
                    ],
                )
            }
        }
    }

    fn vm_value(&self, record: &UsageRecord, when: When) -> Value {
        let vm = self.vm(record);
        let offering = vm.and_then(|vm| match when {
            When::Today => vm.offering.last(),
            When::Then => record.offering.as_ref(),
        });
        let offering = offering.or(record.offering.as_ref());
        let offering_name = offering.and_then(|id| self.inventory.service_offerings.get(id));
        let template = record.template.as_ref();
        let template_name = template.and_then(|id| self.inventory.templates.get(id));
        let os_type = vm
            .and_then(|vm| vm.os_type.last())
            .or(record.os_type.as_ref());
        let os_name = os_type.and_then(|id| self.inventory.os_types.get(id));
        let size = self.size(record, when);
        let running = record.usage_type == UsageType::RunningVm;
        let number = |number: Option<u32>| number.map(|n| Value::Number(Double::from_u32(n)));
        let resources = Value::partial(
            "value.computingResources",
            [
                ("cpuNumber", number(size.cpus)),
                ("memory", number(size.memory_mib)),
            ],
        );
        let name = vm.and_then(|vm| vm.name.last()).or(record.name.as_ref());
        Value::partial(
            "value",
            [
                (
                    "id",
                    record.vm.as_ref().map(|id| Value::text(id.to_string())),
                ),
                ("name", name.map(|name| Value::text(name.as_str()))),
                ("osName", os_name.map(|os| Value::text(&*os.name))),
                (
                    "computeOffering",
                    named(
                        "value.computeOffering",
                        offering,
                        offering_name.map(|o| &o.name),
                    ),
                ),
                (
                    "template",
                    named("value.template", template, template_name.map(|t| &t.name)),
                ),
                ("tags", vm.map(|vm| self.tags(&vm.tags, record, when))),
                (
                    "hypervisorType",
                    record.kind.as_ref().map(|kind| Value::text(kind.as_str())),
                ),
                ("computingResources", running.then_some(resources)),
            ],
        )
    }

    fn volume_value(&self, record: &UsageRecord, when: When) -> Value {
        let entry = record
            .resource
            .as_ref()
            .and_then(|id| self.inventory.volumes.get(&VolumeId::from(id.clone())));
        let today = entry.and_then(|entry| entry.size_bytes.last()).copied();
        let bytes = match when {
            When::Today => today.or(record.size_bytes),
            When::Then => record.size_bytes.or(today),
        };
        let mib = bytes.and_then(|bytes| Double::parse(&(bytes >> 20).to_string()));
        let offering = entry
            .and_then(|entry| entry.offering.last())
            .or(record.offering.as_ref());
        let offering_name = offering.and_then(|id| self.inventory.disk_offerings.get(id));
        let text = |text: Option<&String>| text.map(|text| Value::text(text.as_str()));
        Value::partial(
            "value",
            [
                (
                    "id",
                    record
                        .resource
                        .as_ref()
                        .map(|id| Value::text(id.to_string())),
                ),
                ("name", text(entry.and_then(|entry| entry.name.last()))),
                ("size", mib.map(Value::Number)),
                (
                    "volumeType",
                    text(entry.and_then(|entry| entry.volume_type.as_ref())),
                ),
                (
                    "diskOffering",
                    named(
                        "value.diskOffering",
                        offering,
                        offering_name.map(|o| &o.name),
                    ),
                ),
                (
                    "tags",
                    entry.map(|entry| self.tags(&entry.tags, record, when)),
                ),
            ],
        )
    }

    fn tags(&self, tags: &TagHistory, record: &UsageRecord, when: When) -> Value {
        let today = self.inventory.syncs.last().copied();
        let at: DateTime<Utc> = match when {
            When::Today => today.unwrap_or_else(|| record.window.start()),
            When::Then => record.window.start(),
        };
        let in_force = tags.at(at);
        Value::Object(
            in_force
                .map(|(key, value)| (key.to_owned(), Value::text(value)))
                .collect(),
        )
    }
}

/// An object with an id and a name.
fn named(path: &str, id: Option<&impl ToString>, name: Option<&String>) -> Option<Value> {
    let id = id?;
    Some(Value::partial(
        path,
        [
            ("id", Some(Value::text(id.to_string()))),
            ("name", name.map(|name| Value::text(name.as_str()))),
        ],
    ))
}

/// A domain's path as the database holds it: `/customer/` for the API's `ROOT/customer`.
fn stored_path(path: &str) -> String {
    let below = path.strip_prefix("ROOT").unwrap_or(path).trim_matches('/');
    if below.is_empty() {
        "/".to_owned()
    } else {
        format!("/{below}/")
    }
}
