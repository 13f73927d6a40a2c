//! A snapshot taken apart into entries and put together again, so that a store keeps an
//! entry once for as long as it stays the same.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::error::{StoreError, StoreErrorKind};
use crate::metadata::{Kind, Snapshot};
use crate::tag::Tag;

/// One entry of a snapshot: a VM, a tag, a tag event, …
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entity {
    /// What it is.
    pub kind: Kind,
    /// Its id; for a tag that of the resource that carries it.
    pub resource: String,
    /// Its name; the key of a tag, the action of a tag event.
    pub name: String,
    /// The entry as JSON of this library's model; tags within it in order.
    pub json: String,
}

impl Entity {
    fn new(
        kind: Kind,
        (resource, name): (String, String),
        entry: &impl Serialize,
    ) -> Result<Self, StoreError> {
        let json = serde_json::to_string(entry).map_err(|error| {
            let message = format!("{} {resource} cannot be written as JSON", kind_name(kind));
            StoreError::new(StoreErrorKind::Invalid, message).with_source(error)
        })?;
        Ok(Self {
            kind,
            resource,
            name,
            json,
        })
    }

    /// 16 bytes of a SHA-256 over kind and content: the same for the same entry.
    pub fn fingerprint(&self) -> [u8; 16] {
        let mut hasher = Sha256::new();
        hasher.update(kind_name(self.kind));
        hasher.update(b"\n");
        hasher.update(&self.json);
        let mut short = [0; 16];
        short.copy_from_slice(&hasher.finalize()[..16]);
        short
    }
}

/// A copy of the entry whose own tags are in order: lists give them in any order.
trait Canonical: Clone {
    fn own_tags(&mut self) -> Option<&mut Vec<Tag>> {
        None
    }

    fn canonical(&self) -> Self {
        let mut entry = self.clone();
        if let Some(tags) = entry.own_tags() {
            tags.sort_unstable();
        }
        entry
    }
}

macro_rules! canonical {
    (tagged: $($tagged:ident),+; plain: $($plain:ident),+) => {
        $(impl Canonical for crate::metadata::$tagged {
            fn own_tags(&mut self) -> Option<&mut Vec<Tag>> {
                Some(&mut self.tags)
            }
        })+
        $(impl Canonical for crate::metadata::$plain {})+
    };
}

canonical!(
    tagged: Project, Vm, Volume;
    plain: Domain, Account, IpAddress, Network, Vpc, VolumeSnapshot, Offering, Template,
        OsType, OsCategory, Zone, TagEvent, VmEvent
);

impl Canonical for crate::tag::ResourceTag {}

/// The lists of a snapshot: kind, its stable name, the field, and id and name of an entry.
macro_rules! lists {
    ($($kind:ident $text:literal $field:ident |$entry:ident| $labels:expr;)+) => {
        /// The stable name of a kind, as stores write it.
        pub fn kind_name(kind: Kind) -> &'static str {
            match kind {
                $(Kind::$kind => $text,)+
            }
        }

        /// The entries of a snapshot, in order.
        ///
        /// # Errors
        /// When an entry cannot be written as JSON.
        pub fn entities(snapshot: &Snapshot) -> Result<Vec<Entity>, StoreError> {
            let mut entities = Vec::new();
            $(for entry in &snapshot.$field {
                let $entry = entry.canonical();
                entities.push(Entity::new(Kind::$kind, $labels, &$entry)?);
            })+
            entities.sort_unstable();
            Ok(entities)
        }

        fn push(snapshot: &mut Snapshot, kind: Kind, json: &str) -> Result<(), StoreError> {
            match kind {
                $(Kind::$kind => snapshot.$field.push(parse(kind, json)?),)+
            }
            Ok(())
        }

        fn take_out(snapshot: &mut Snapshot, kind: Kind, position: usize) {
            match kind {
                $(Kind::$kind => { snapshot.$field.remove(position); })+
            }
        }
    };
}

lists! {
    Domain "domain" domains |e| (e.id.to_string(), e.name.clone());
    Project "project" projects |e| (e.id.to_string(), e.name.clone());
    Account "account" accounts |e| (e.id.to_string(), e.name.clone());
    Vm "vm" vms |e| (e.id.to_string(), e.name.clone());
    Volume "volume" volumes |e| (e.id.to_string(), e.name.clone());
    IpAddress "ip_address" ip_addresses |e| (e.id.to_string(), e.address.clone());
    Network "network" networks |e| (e.id.to_string(), e.name.clone());
    Vpc "vpc" vpcs |e| (e.id.to_string(), e.name.clone());
    Snapshot "snapshot" snapshots |e| (e.id.to_string(), e.name.clone());
    ServiceOffering "service_offering" service_offerings |e| (e.id.to_string(), e.name.clone());
    DiskOffering "disk_offering" disk_offerings |e| (e.id.to_string(), e.name.clone());
    NetworkOffering "network_offering" network_offerings |e| (e.id.to_string(), e.name.clone());
    Template "template" templates |e| (e.id.to_string(), e.name.clone());
    OsType "os_type" os_types |e| (e.id.to_string(), e.name.clone());
    OsCategory "os_category" os_categories |e| (e.id.to_string(), e.name.clone());
    Zone "zone" zones |e| (e.id.to_string(), e.name.clone());
    Tag "tag" tags |e| (e.resource.to_string(), e.tag.key.clone());
    TagEvent "tag_event" tag_events |e| (e.id.clone(), format!("{:?}", e.action).to_lowercase());
    VmEvent "vm_event" vm_events |e| (e.vm.to_string(), format!("{:?}", e.action).to_lowercase());
}

fn parse<T: DeserializeOwned>(kind: Kind, json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| {
        let message = format!(
            "a stored {} cannot be read back; the store was written by another version or is damaged",
            kind_name(kind)
        );
        StoreError::new(StoreErrorKind::Corrupt, message).with_source(error)
    })
}

/// The kind with this stable name.
pub fn kind_from_name(name: &str) -> Option<Kind> {
    let mut kinds = Kind::ALL.iter().copied();
    kinds.find(|kind| kind_name(*kind) == name)
}

/// Puts snapshots together one after the other, from what appeared and vanished between
/// them, so that entries which stay are read once.
#[derive(Debug)]
pub struct SnapshotAssembler {
    snapshot: Snapshot,
    numbers: BTreeMap<Kind, Vec<i64>>,
}

impl Default for SnapshotAssembler {
    fn default() -> Self {
        Self::new()
    }
}

impl SnapshotAssembler {
    /// Begins with an empty snapshot.
    pub fn new() -> Self {
        Self {
            snapshot: Snapshot::new(DateTime::<Utc>::UNIX_EPOCH),
            numbers: BTreeMap::new(),
        }
    }

    /// An entry appeared; `number` names it for [`remove`](Self::remove).
    ///
    /// # Errors
    /// When the JSON is not that of such an entry.
    pub fn insert(&mut self, kind: Kind, number: i64, json: &str) -> Result<(), StoreError> {
        push(&mut self.snapshot, kind, json)?;
        self.numbers.entry(kind).or_default().push(number);
        Ok(())
    }

    /// The entry of this number vanished; an unknown number changes nothing.
    pub fn remove(&mut self, kind: Kind, number: i64) {
        let Some(numbers) = self.numbers.get_mut(&kind) else {
            return;
        };
        if let Some(position) = numbers.iter().position(|known| *known == number) {
            numbers.remove(position);
            take_out(&mut self.snapshot, kind, position);
        }
    }

    /// The snapshot that there is now, as that of the moment `at`, with the kinds that it
    /// listed completely and [since when](Snapshot::vm_events_from) it lists VMs' usage events.
    pub fn at(
        &mut self,
        at: DateTime<Utc>,
        complete: impl IntoIterator<Item = Kind>,
        vm_events_from: Option<DateTime<Utc>>,
    ) -> &Snapshot {
        self.snapshot.at = at;
        self.snapshot.complete = complete.into_iter().collect();
        self.snapshot.vm_events_from = vm_events_from;
        &self.snapshot
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_from_its_name() {
        for kind in Kind::ALL {
            assert_eq!(kind_from_name(kind_name(*kind)), Some(*kind));
            let serde_name = serde_json::to_string(kind).unwrap();
            assert_eq!(serde_name, format!("{:?}", kind_name(*kind)));
        }
        assert_eq!(kind_from_name("host"), None);
    }
}
