//! Streams: the records of one resource, owner and size, whatever their window.

#[expect(
    clippy::disallowed_types,
    reason = "looked up for every record, never walked: its order decides nothing"
)]
use std::collections::HashMap;

use cloudstack_usage::{
    DomainId, Holder, NetworkId, OfferingId, OsTypeId, ResourceId, TemplateId, Unit, UsageRecord,
    UsageType, VmId, VolumeId, VpcId, ZoneId,
};
use rust_decimal::Decimal;

/// What the records of a stream have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// One record of a stream: its window in milliseconds since 1970, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Milliseconds, bytes or a count.
    pub(crate) amount: i128,
    /// `rawusage`, which tells twins from copies.
    pub(crate) raw: Decimal,
}

/// What is only shown: from the record with the latest window, ties by content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    window_start: i64,
    pub(crate) name: Option<String>,
    pub(crate) description: String,
    pub(crate) holder_name: Option<String>,
    pub(crate) domain_name: Option<String>,
    pub(crate) domain_path: Option<String>,
    pub(crate) hypervisor: Option<String>,
    pub(crate) os_type: Option<OsTypeId>,
    pub(crate) os_category_name: Option<String>,
    pub(crate) is_system: bool,
}

impl Shown {
    fn of(record: &UsageRecord) -> Self {
        Self {
            window_start: record.window.start().timestamp_millis(),
            name: record.name.clone(),
            description: record.description.clone(),
            holder_name: record.holder_name.clone(),
            domain_name: record.domain_name.clone(),
            domain_path: record.domain_path.clone(),
            hypervisor: record.kind.clone(),
            os_type: record.os_type.clone(),
            os_category_name: record.os_category_name.clone(),
            is_system: record.is_system == Some(true),
        }
    }

    /// Whether a record could change what is shown, without building it first.
    fn older_than(&self, record: &UsageRecord) -> bool {
        self.window_start <= record.window.start().timestamp_millis()
    }
}

/// The records of one resource, owner and size.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) shown: Shown,
    pub(crate) entries: Vec<Entry>,
    /// Whether the amounts of a type that lasts are bytes at a moment (buckets, backups of
    /// 4.14), rather than time.
    pub(crate) holds_bytes: bool,
}

impl Stream {
    /// A stream as the usage of a resource would have been.
    pub(crate) fn imagined(key: StreamKey, name: &str) -> Self {
        let shown = Shown {
            window_start: 0,
            name: Some(name.to_owned()),
            description: String::new(),
            holder_name: None,
            domain_name: None,
            domain_path: None,
            hypervisor: None,
            os_type: None,
            os_category_name: None,
            is_system: false,
        };
        Self {
            key,
            shown,
            entries: Vec::new(),
            holds_bytes: false,
        }
    }
}

/// All streams, found by their key.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    #[expect(clippy::disallowed_types, reason = "looked up, never walked")]
    by_key: HashMap<(StreamKey, bool), usize>,
    streams: Vec<Stream>,
}

impl Streams {
    /// Adds a record to its stream.
    pub(crate) fn push(&mut self, record: &UsageRecord) {
        let entry = Entry {
            start: record.window.start().timestamp_millis(),
            end: record.window.end().timestamp_millis(),
            amount: record.quantity.amount(),
            raw: record.raw_usage,
        };
        // one backup may be counted in bytes and, after an upgrade, in hours: two streams
        let holds_bytes = record.quantity.unit() == Unit::Bytes && !record.usage_type.is_counter();
        let key = (StreamKey::of(record), holds_bytes);
        let known = self
            .by_key
            .get(&key)
            .and_then(|&index| self.streams.get_mut(index));
        if let Some(stream) = known {
            stream.entries.push(entry);
            if stream.shown.older_than(record) {
                let shown = Shown::of(record);
                if shown > stream.shown {
                    stream.shown = shown;
                }
            }
            return;
        }
        self.by_key.insert(key.clone(), self.streams.len());
        let shown = Shown::of(record);
        self.streams.push(Stream {
            key: key.0,
            shown,
            entries: vec![entry],
            holds_bytes,
        });
    }

    /// The streams in the order of their keys, each with its entries in order of time.
    pub(crate) fn into_sorted(self) -> Vec<Stream> {
        let mut streams = self.streams;
        for stream in &mut streams {
            stream.entries.sort_unstable();
        }
        streams.sort_by(|left, right| {
            (&left.key, left.holds_bytes).cmp(&(&right.key, right.holds_bytes))
        });
        streams
    }
}
