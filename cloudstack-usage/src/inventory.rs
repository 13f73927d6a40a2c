//! Histories of all resources: what was true when.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::history::{History, Moment};
use crate::id::{
    AccountId, DomainId, NetworkId, OfferingId, OsCategoryId, OsTypeId, ProjectId, ResourceId,
    TemplateId, VmId, VolumeId, ZoneId,
};
use crate::metadata::{Offering, OsCategory, OsType, Template, Zone};
use crate::period::Period;
use crate::record::{Holder, Owner};

/// How the beginning or end of a life is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LifetimeSource {
    /// The resource's own created time.
    Created,
    /// The removal time that the API gave.
    Removed,
    /// First or last usage of the resource (type 2 of a VM, 6 of a volume, 3 of an address).
    Usage,
    /// The first or last sync that saw it.
    Seen,
}

/// When a resource lived, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// From its creation.
    pub start: DateTime<Utc>,
    /// How the beginning is known.
    pub start_source: LifetimeSource,
    /// Until its removal; none while it is there.
    pub end: Option<DateTime<Utc>>,
    /// How the end is known; for a resource that is still there, the last sync that saw it.
    pub end_source: LifetimeSource,
    /// The last sync that listed it, if one did.
    pub last_seen: Option<DateTime<Utc>>,
}

impl Lifetime {
    /// The life as a period, open while the resource is there.
    pub fn period(&self) -> Period {
        self.end
            .and_then(|end| Period::new(self.start, end).ok())
            .unwrap_or_else(|| Period::from(self.start))
    }
}

/// The tags of one resource over time, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagHistory {
    by_key: BTreeMap<String, History<String>>,
}

impl TagHistory {
    /// From `began` the tag `key` has this value.
    pub fn set(&mut self, key: &str, began: Moment, value: &str) {
        self.by_key
            .entry(key.to_owned())
            .or_default()
            .set(began, value.to_owned());
    }

    /// From `ended` there is no tag `key`.
    pub fn clear(&mut self, key: &str, ended: Moment) {
        if let Some(history) = self.by_key.get_mut(key) {
            history.clear(ended);
        }
    }

    /// Replaces what is known of `key`.
    pub fn insert(&mut self, key: String, history: History<String>) {
        self.by_key.insert(key, history);
    }

    /// Every key with its history, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &History<String>)> {
        self.by_key
            .iter()
            .map(|(key, history)| (key.as_str(), history))
    }

    /// The history of `key`.
    pub fn get(&self, key: &str) -> Option<&History<String>> {
        self.by_key.get(key)
    }

    /// The tags in force at `instant`, in the order of the keys.
    pub fn at(&self, instant: DateTime<Utc>) -> impl Iterator<Item = (&str, &str)> {
        self.by_key
            .iter()
            .filter_map(move |(key, history)| Some((key.as_str(), history.at(instant)?.as_str())))
    }

    /// Whether no tag was ever seen.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }
}

/// What is known of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEntry {
    /// Its id.
    pub id: DomainId,
    /// Its name over time.
    pub name: History<String>,
    /// Its path over time.
    pub path: History<String>,
    /// The domain above (domains do not move).
    pub parent: Option<DomainId>,
    /// Its tags.
    pub tags: TagHistory,
}

/// What is known of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectEntry {
    /// Its id.
    pub id: ProjectId,
    /// Its name over time.
    pub name: History<String>,
    /// Its domain over time.
    pub domain: History<DomainId>,
    /// Its tags.
    pub tags: TagHistory,
}

/// What is known of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// Its id.
    pub id: AccountId,
    /// Its name over time.
    pub name: History<String>,
    /// Its domain over time (accounts can be moved).
    pub domain: History<DomainId>,
    /// Its tags.
    pub tags: TagHistory,
}

/// Whether a VM ran, as the usage events say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PowerState {
    /// It ran, as what its usage was recorded for.
    Running(RunningAs),
    /// It did not run, or was not there.
    Stopped,
}

/// What the running time of a VM is recorded for. What is not known fits any record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningAs {
    /// Whose it was.
    pub holder: Holder,
    /// Its service offering.
    pub offering: Option<OfferingId>,
    /// Its number of vCPUs.
    pub cpu_count: Option<u32>,
    /// Its memory in MiB.
    pub memory_mib: Option<u32>,
}

/// What is known of a VM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VmEntry {
    /// Its id.
    pub id: VmId,
    /// When it lived.
    pub lifetime: Lifetime,
    /// Its host name over time.
    pub name: History<String>,
    /// Its display name over time.
    pub display_name: History<String>,
    /// Its owner over time.
    pub owner: History<Owner>,
    /// Its service offering over time.
    pub offering: History<OfferingId>,
    /// Its number of vCPUs over time, where the lists said so.
    pub cpu_count: History<u32>,
    /// Its memory in MiB over time, where the lists said so.
    pub memory_mib: History<u32>,
    /// Its template over time.
    pub template: History<TemplateId>,
    /// Its guest OS type over time.
    pub os_type: History<OsTypeId>,
    /// Its zone.
    pub zone: Option<ZoneId>,
    /// The hypervisor's name.
    pub hypervisor: Option<String>,
    /// When it ran, by the usage events of CloudStack's databases; in gaps nothing is known,
    /// and where the API alone is read there is nothing else.
    #[serde(default, skip_serializing_if = "History::is_empty")]
    pub power: History<PowerState>,
    /// Its tags.
    pub tags: TagHistory,
}

/// What is known of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeEntry {
    /// Its id.
    pub id: VolumeId,
    /// When it lived.
    pub lifetime: Lifetime,
    /// Its name over time.
    pub name: History<String>,
    /// Its owner over time.
    pub owner: History<Owner>,
    /// `ROOT` or `DATADISK`.
    pub volume_type: Option<String>,
    /// Its size in bytes over time.
    pub size_bytes: History<u64>,
    /// Its disk offering over time.
    pub offering: History<OfferingId>,
    /// The VM it was attached to over time.
    pub vm: History<VmId>,
    /// Its zone.
    pub zone: Option<ZoneId>,
    /// Its tags.
    pub tags: TagHistory,
}

/// What is known of a public address, network, snapshot or any other resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceEntry {
    /// Its id.
    pub id: ResourceId,
    /// CloudStack's name of its type (`PublicIpAddress`, `Network`, `Snapshot`, `Vpc`).
    pub resource_type: String,
    /// When it lived.
    pub lifetime: Lifetime,
    /// Its name (the address of an address) over time.
    pub name: History<String>,
    /// Its owner over time.
    pub owner: History<Owner>,
    /// Whether it is one of the system's own.
    pub is_system: bool,
    /// Its zone.
    pub zone: Option<ZoneId>,
    /// Its tags.
    pub tags: TagHistory,
}

/// The histories of all resources, domains, accounts and projects, with the catalogues
/// of offerings, templates and OS types.
///
/// Built by [`InventoryBuilder`](crate::InventoryBuilder) from successive snapshots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The moments of the syncs it was built from, in order.
    pub syncs: Vec<DateTime<Utc>>,
    /// Domains.
    pub domains: BTreeMap<DomainId, DomainEntry>,
    /// Projects.
    pub projects: BTreeMap<ProjectId, ProjectEntry>,
    /// Accounts.
    pub accounts: BTreeMap<AccountId, AccountEntry>,
    /// Virtual machines.
    pub vms: BTreeMap<VmId, VmEntry>,
    /// Volumes.
    pub volumes: BTreeMap<VolumeId, VolumeEntry>,
    /// Public addresses, networks, VPCs, snapshots.
    pub resources: BTreeMap<ResourceId, ResourceEntry>,
    /// Service offerings.
    pub service_offerings: BTreeMap<OfferingId, Offering>,
    /// Disk offerings.
    pub disk_offerings: BTreeMap<OfferingId, Offering>,
    /// Network offerings.
    pub network_offerings: BTreeMap<OfferingId, Offering>,
    /// Templates.
    pub templates: BTreeMap<TemplateId, Template>,
    /// Guest OS types.
    pub os_types: BTreeMap<OsTypeId, OsType>,
    /// Categories of guest OS types.
    pub os_categories: BTreeMap<OsCategoryId, OsCategory>,
    /// Zones.
    pub zones: BTreeMap<ZoneId, Zone>,
}

impl Inventory {
    /// `domain` and the domains above it, nearest first, as far as they are known.
    pub fn ancestry(&self, domain: &DomainId) -> Vec<DomainId> {
        let mut path = vec![domain.clone()];
        let mut current = domain;
        while let Some(parent) = self
            .domains
            .get(current)
            .and_then(|entry| entry.parent.as_ref())
        {
            // a cycle cannot come from CloudStack, but must not hang us either
            if path.contains(parent) {
                break;
            }
            path.push(parent.clone());
            current = parent;
        }
        path
    }

    /// The tags of a resource of any kind.
    pub fn tags(&self, resource: &ResourceId) -> Option<&TagHistory> {
        let vm = VmId::from(resource.clone());
        let volume = VolumeId::from(resource.clone());
        self.vms
            .get(&vm)
            .map(|entry| &entry.tags)
            .or_else(|| self.volumes.get(&volume).map(|entry| &entry.tags))
            .or_else(|| self.resources.get(resource).map(|entry| &entry.tags))
            .or_else(|| {
                self.projects
                    .get(&ProjectId::from(resource.clone()))
                    .map(|e| &e.tags)
            })
            .or_else(|| {
                self.domains
                    .get(&DomainId::from(resource.clone()))
                    .map(|e| &e.tags)
            })
            .or_else(|| {
                self.accounts
                    .get(&AccountId::from(resource.clone()))
                    .map(|e| &e.tags)
            })
    }

    /// The category of a guest OS type, by name.
    pub fn os_category_name(&self, os_type: &OsTypeId) -> Option<&str> {
        let category = self.os_types.get(os_type)?.category.as_ref()?;
        self.os_categories
            .get(category)
            .map(|category| category.name.as_str())
    }

    /// A network by its id.
    pub fn network(&self, id: &NetworkId) -> Option<&ResourceEntry> {
        self.resources.get(&id.as_resource())
    }
}
