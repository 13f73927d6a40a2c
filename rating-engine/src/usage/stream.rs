//! Streams: the records of one resource, owner and size, whatever their window.

use cloudstack_usage::{
    DomainId, Holder, NetworkId, OfferingId, ResourceId, TemplateId, UsageRecord, UsageType, VmId,
    VolumeId, VpcId, ZoneId,
};

use super::run::{Entry, Run, append};
use super::shown::Shown;

/// What the records of a stream have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StreamKey {
    pub(crate) usage_type: UsageType,
    pub(crate) identity: ResourceId,
    pub(crate) domain: DomainId,
    pub(crate) holder: Holder,
    pub(crate) zone: Option<ZoneId>,
    pub(crate) vm: Option<VmId>,
    pub(crate) offering: Option<OfferingId>,
    pub(crate) template: Option<TemplateId>,
    pub(crate) size_bytes: Option<u64>,
    pub(crate) virtual_size_bytes: Option<u64>,
    pub(crate) cpu_count: Option<u32>,
    pub(crate) cpu_mhz: Option<u32>,
    pub(crate) memory_mib: Option<u32>,
    pub(crate) network: Option<NetworkId>,
    pub(crate) vpc: Option<VpcId>,
    pub(crate) is_default: Option<bool>,
    pub(crate) is_source_nat: Option<bool>,
}

impl StreamKey {
    pub(crate) fn of(record: &UsageRecord) -> Self {
        Self {
            usage_type: record.usage_type,
            identity: record.identity(),
            domain: record.owner.domain.clone(),
            holder: record.owner.holder.clone(),
            zone: record.zone.clone(),
            vm: record.vm.clone(),
            offering: record.offering.clone(),
            template: record.template.clone(),
            size_bytes: record.size_bytes,
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

    /// Whether its records say to which VM a volume was attached.
    pub(crate) fn is_attach_row(&self) -> bool {
        self.usage_type == UsageType::Volume && self.vm.is_some()
    }

    /// The volume that is measured, where one is.
    pub(crate) fn volume(&self) -> Option<VolumeId> {
        let of_a_volume = matches!(
            self.usage_type,
            UsageType::Volume
                | UsageType::DiskReadOps
                | UsageType::DiskWriteOps
                | UsageType::DiskReadBytes
                | UsageType::DiskWriteBytes
        );
        of_a_volume.then(|| VolumeId::from(self.identity.clone()))
    }
}

/// The records of one resource, owner and size.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) shown: Box<Shown>,
    /// Its records; in order of time once the streams are sorted.
    pub(crate) runs: Vec<Run>,
    /// Whether the amounts of a type that lasts are bytes at a moment (buckets, backups of
    /// 4.14), rather than time.
    pub(crate) holds_bytes: bool,
}

impl Stream {
    /// A stream as the usage of a resource would have been.
    pub(crate) fn imagined(key: StreamKey, name: &str) -> Self {
        Self {
            key,
            shown: Box::new(Shown::imagined(name)),
            runs: Vec::new(),
            holds_bytes: false,
        }
    }

    /// Its entries, in order of time.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.runs.iter().flat_map(Run::entries).collect()
    }

    /// Brings the runs into order of time, the same for any order of the records.
    pub(crate) fn sort(&mut self) {
        let in_order = |pair: &[Run]| match pair {
            [left, right] => left.last() <= right.first,
            _ => true,
        };
        if self.runs.windows(2).all(in_order) {
            return;
        }
        let mut entries = self.entries();
        entries.sort_unstable();
        self.runs.clear();
        for entry in entries {
            append(&mut self.runs, entry);
        }
    }
}
