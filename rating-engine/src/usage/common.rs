//! What the records of many streams have in common.

use std::hash::{Hash as _, Hasher as _};

use cloudstack_usage::{
    DomainId, Holder, NetworkId, OfferingId, TemplateId, UsageRecord, VpcId, ZoneId,
};
use rustc_hash::FxHasher;

/// Owner, zone and sizes: everything of a stream's key but what tells one resource from
/// another. There are far fewer of these than streams, so that they stay in the processor's
/// cache however many streams there are.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) domain: DomainId,
    pub(super) holder: Holder,
    pub(super) zone: Option<ZoneId>,
    pub(super) offering: Option<OfferingId>,
    pub(super) template: Option<TemplateId>,
    pub(super) virtual_size_bytes: Option<u64>,
    pub(super) cpu_count: Option<u32>,
    pub(super) cpu_mhz: Option<u32>,
    pub(super) memory_mib: Option<u32>,
    pub(super) network: Option<NetworkId>,
    pub(super) vpc: Option<VpcId>,
    pub(super) is_default: Option<bool>,
    pub(super) is_source_nat: Option<bool>,
}

impl Common {
    pub(super) fn of(record: &UsageRecord) -> Self {
        Self {
            domain: record.owner.domain.clone(),
            holder: record.owner.holder.clone(),
            zone: record.zone.clone(),
            offering: record.offering.clone(),
            template: record.template.clone(),
            virtual_size_bytes: record.virtual_size_bytes,
            cpu_count: record.cpu_count,
            cpu_mhz: record.cpu_mhz,
            memory_mib: record.memory_mib,
            network: record.network.clone(),
            vpc: record.vpc.clone(),
            is_default: record.is_default,
            is_source_nat: record.is_source_nat,
        }
    }

    /// `*self == Self::of(record)`, without making that.
    pub(super) fn is_of(&self, record: &UsageRecord) -> bool {
        self.domain == record.owner.domain
            && self.holder == record.owner.holder
            && self.zone == record.zone
            && self.offering == record.offering
            && self.template == record.template
            && self.virtual_size_bytes == record.virtual_size_bytes
            && self.cpu_count == record.cpu_count
            && self.cpu_mhz == record.cpu_mhz
            && self.memory_mib == record.memory_mib
            && self.network == record.network
            && self.vpc == record.vpc
            && self.is_default == record.is_default
            && self.is_source_nat == record.is_source_nat
    }

    /// A hash of the fields that tell most of these apart. Without a random seed: it is the
    /// same in every run.
    pub(super) fn hash_of(record: &UsageRecord) -> u64 {
        let mut hasher = FxHasher::default();
        record.owner.holder.hash(&mut hasher);
        record.owner.domain.hash(&mut hasher);
        record.offering.hash(&mut hasher);
        record.template.hash(&mut hasher);
        record.cpu_count.hash(&mut hasher);
        record.memory_mib.hash(&mut hasher);
        record.virtual_size_bytes.hash(&mut hasher);
        record.network.hash(&mut hasher);
        hasher.finish()
    }
}
