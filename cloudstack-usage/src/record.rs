//! Usage records as the library understands them.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{
    AccountId, DomainId, NetworkId, OfferingId, OsCategoryId, OsTypeId, ProjectId, ResourceId,
    TemplateId, VmId, VpcId, ZoneId,
};
use crate::period::Period;
use crate::quantity::Quantity;
use crate::tag::Tag;
use crate::usage_type::UsageType;

/// Who holds a resource within a domain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// An account.
    Account(AccountId),
    /// A project.
    Project(ProjectId),
    /// The record names neither.
    Unknown,
}

/// The owner of a resource: a domain and the account or project within it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Owner {
    /// The domain.
    pub domain: DomainId,
    /// The account or project.
    pub holder: Holder,
}

impl Owner {
    /// The project, where a project is the holder.
    pub fn project(&self) -> Option<&ProjectId> {
        match &self.holder {
            Holder::Project(id) => Some(id),
            _ => None,
        }
    }

    /// The account, where an account is the holder.
    pub fn account(&self) -> Option<&AccountId> {
        match &self.holder {
            Holder::Account(id) => Some(id),
            _ => None,
        }
    }
}

/// One measured consumption of one resource in one window, with every field that
/// CloudStack 4.11 to 4.23 gives for its type (see [`UsageType`] for the meaning).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageRecord {
    /// What was measured.
    pub usage_type: UsageType,
    /// The aggregation window, or the thing's own time in it
    /// ([`UsageType::has_own_times`]), half-open.
    pub window: Period,
    /// How much.
    pub quantity: Quantity,
    /// `rawusage` as sent, exactly.
    pub raw_usage: Decimal,
    /// Whose it is, as the record says.
    pub owner: Owner,
    /// The account's or project's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder_name: Option<String>,
    /// The domain's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_name: Option<String>,
    /// The domain's path (`ROOT/customer`), since 4.19.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_path: Option<String>,
    /// The zone; absent once it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<ZoneId>,
    /// `usageid`: the resource measured, where the type has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceId>,
    /// The VM that the resource belongs to or is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<VmId>,
    /// Service, disk or network offering, by type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offering: Option<OfferingId>,
    /// Template or ISO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateId>,
    /// The VM's guest OS type at the time of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_type: Option<OsTypeId>,
    /// The category of that OS type at the time of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_category: Option<OsCategoryId>,
    /// The name of that category at the time of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_category_name: Option<String>,
    /// `type`: hypervisor, router kind, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Virtual size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_size_bytes: Option<u64>,
    /// Number of vCPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_count: Option<u32>,
    /// Speed of a vCPU in MHz.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_mhz: Option<u32>,
    /// Memory in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_mib: Option<u32>,
    /// The guest network of traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
    /// The VPC of public traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<VpcId>,
    /// Type 13: the VM's default NIC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_default: Option<bool>,
    /// Type 3: a source NAT address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_source_nat: Option<bool>,
    /// Type 3: an address of the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_system: Option<bool>,
    /// The resource's name, where the record gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// CloudStack's description; the only identity of types 26, 30 and 31.
    pub description: String,
    /// Tags at the moment of the query, **not** of the usage: for display, never for rating.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags_at_query: Vec<Tag>,
}

impl UsageRecord {
    /// The resource measured, or, where CloudStack names none, the description.
    pub fn identity(&self) -> ResourceId {
        match (&self.resource, self.usage_type) {
            (Some(resource), _) => resource.clone(),
            (None, UsageType::NetworkOffering) => {
                // a NIC: the VM and the offering identify it
                self.vm
                    .as_ref()
                    .map_or_else(|| ResourceId::new(&self.description), VmId::as_resource)
            }
            (None, _) => ResourceId::new(&self.description),
        }
    }

    /// Whether this is one of the rows of 4.22.1 and later that say to which VM a volume
    /// was attached. They repeat time that the volume's plain row holds already.
    pub fn is_attach_row(&self) -> bool {
        self.usage_type == UsageType::Volume && self.vm.is_some()
    }

    /// The natural identity of the record: two records of one key in one fetch are twins
    /// or duplicates, in two fetches the same record or a revision of it.
    pub fn key(&self) -> RecordKey {
        RecordKey::of(self)
    }
}

/// Natural identity of a usage record, which has no id of its own over the API: type,
/// resource (or description), owner, zone, VM, offering, template, sizes, network and
/// window. Not part of it: `rawusage`, names, domain, tags, OS (they change between reads).
///
/// 16 bytes of a SHA-256 over the canonical text of those fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordKey([u8; 16]);

/// The canonical text that a record key is the hash of.
struct KeyText {
    text: String,
    /// The value at hand: its length is written before it.
    value: String,
}

impl KeyText {
    /// The length makes the text unambiguous whatever the values hold.
    fn field(&mut self, name: &str, value: &dyn fmt::Display) {
        use fmt::Write as _;
        self.value.clear();
        let _ = write!(self.value, "{value}");
        self.text.push_str(name);
        self.text.push('=');
        let _ = write!(self.text, "{}:", self.value.len());
        self.text.push_str(&self.value);
        self.text.push(';');
    }
}

impl RecordKey {
    fn of(record: &UsageRecord) -> Self {
        let mut text = KeyText {
            text: String::with_capacity(512),
            value: String::with_capacity(64),
        };
        let mut field = |name: &str, value: Option<&dyn fmt::Display>| {
            if let Some(value) = value {
                text.field(name, value);
            }
        };
        let identity = record.identity();
        field("type", Some(&record.usage_type.id()));
        field("resource", Some(&identity));
        match &record.owner.holder {
            Holder::Account(id) => field("account", Some(id)),
            Holder::Project(id) => field("project", Some(id)),
            Holder::Unknown => {}
        }
        macro_rules! optional {
            ($($name:literal $value:expr),+ $(,)?) => {
                $(field($name, $value.as_ref().map(|value| value as &dyn fmt::Display));)+
            };
        }
        optional!(
            "zone" record.zone,
            "vm" record.vm,
            "offering" record.offering,
            "template" record.template,
            "size" record.size_bytes,
            "virtualsize" record.virtual_size_bytes,
            "cpus" record.cpu_count,
            "mhz" record.cpu_mhz,
            "memory" record.memory_mib,
            "network" record.network,
            "vpc" record.vpc,
            "default" record.is_default,
            "sourcenat" record.is_source_nat,
        );
        field("start", Some(&record.window.start().timestamp()));
        field("end", Some(&record.window.end().timestamp()));
        let digest = Sha256::digest(text.text.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The key with these bytes, as a store kept them.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for RecordKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::hex::bytes_of(text)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no record key of 32 hexadecimal digits"))
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::parse_usage_record;

    const SENT: &str = r#"{"accountid":"a","domainid":"d","usagetype":6,"usageid":"v",
        "rawusage":"24","usage":"24 Hrs","description":"","size":5,
        "startdate":"2026-10-01T00:00:00+0000","enddate":"2026-10-01T23:59:59+0000"}"#;

    #[test]
    fn what_a_record_does_not_say_takes_no_room_and_reads_back() {
        let record = parse_usage_record(SENT).unwrap();
        let json = serde_json::to_string(&record).unwrap();
        assert!(!json.contains("null") && !json.contains("[]"), "{json}");
        assert_eq!(serde_json::from_str::<UsageRecord>(&json).unwrap(), record);
        // as they were written with every field
        let whole = json.replacen('{', r#"{"vm":null,"tags_at_query":[],"#, 1);
        assert_eq!(serde_json::from_str::<UsageRecord>(&whole).unwrap(), record);
    }
}
