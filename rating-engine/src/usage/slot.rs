//! What is looked at for each record that comes: small, so that many fit into the
//! processor's cache.

use cloudstack_usage::{ResourceId, Unit, UsageRecord, UsageType, VmId};

use super::common::Common;
use super::run::Run;
use super::shown::shown_hash;
use super::stream::StreamKey;

/// A stream while its records come: what tells its resource from others, and what the next
/// record is compared with. Runs and names are somewhere else in memory, where looking for
/// them would cost more than everything that is done with a record.
#[derive(Debug)]
pub(super) struct Slot {
    usage_type: UsageType,
    identity: ResourceId,
    vm: Option<VmId>,
    size_bytes: Option<u64>,
    /// Where what it has in common with other streams is.
    pub(super) common: usize,
    /// The stream that the next record belonged to, after a record of this one. Usage comes
    /// in nearly the same order in every window, so this is right most of the time.
    pub(super) follower: usize,
    /// Whether the amounts of a type that lasts are bytes at a moment.
    pub(super) holds_bytes: bool,
    /// The run that the next record may extend.
    pub(super) run: Run,
    /// The window start of the record that is shown, in milliseconds since 1970, and a number
    /// for what it shows.
    pub(super) shown: (i64, u64),
}

impl Slot {
    /// A slot for the stream of `record`, which is shown, but not yet in a run.
    pub(super) fn of(record: &UsageRecord, common: usize, follower: usize) -> Self {
        Self {
            usage_type: record.usage_type,
            identity: record.identity(),
            vm: record.vm.clone(),
            size_bytes: record.size_bytes,
            common,
            follower,
            holds_bytes: holds_bytes(record),
            run: Run::default(),
            shown: (record.window.start().timestamp_millis(), shown_hash(record)),
        }
    }

    /// Whether the stream is that of `record`, as far as this tells: what is in common has to
    /// be compared as well.
    pub(super) fn may_be_of(&self, record: &UsageRecord) -> bool {
        self.usage_type == record.usage_type
            && self.identifies(record)
            && self.vm == record.vm
            && self.size_bytes == record.size_bytes
            && self.holds_bytes == holds_bytes(record)
    }

    /// Whether it has the identity of `record`.
    fn identifies(&self, record: &UsageRecord) -> bool {
        match (&record.resource, &record.vm) {
            (Some(resource), _) => self.identity == *resource,
            (None, Some(vm)) if record.usage_type == UsageType::NetworkOffering => {
                self.identity == vm.as_resource()
            }
            (None, _) => self.identity == *record.description.as_str(),
        }
    }

    /// A number from all over the slot, that means nothing: who reads it has read the slot
    /// into the processor's cache.
    pub(super) fn sample(&self) -> u64 {
        u64::from(self.vm.is_some() ^ self.holds_bytes)
            ^ self.size_bytes.unwrap_or(0)
            ^ u64::from(self.run.windows)
            ^ self.shown.1
    }

    /// The key of the stream, which has `common` in common with others.
    pub(super) fn into_key(self, common: &Common) -> StreamKey {
        StreamKey {
            usage_type: self.usage_type,
            identity: self.identity,
            domain: common.domain.clone(),
            holder: common.holder.clone(),
            zone: common.zone.clone(),
            vm: self.vm,
            offering: common.offering.clone(),
            template: common.template.clone(),
            size_bytes: self.size_bytes,
            virtual_size_bytes: common.virtual_size_bytes,
            cpu_count: common.cpu_count,
            cpu_mhz: common.cpu_mhz,
            memory_mib: common.memory_mib,
            network: common.network.clone(),
            vpc: common.vpc.clone(),
            is_default: common.is_default,
            is_source_nat: common.is_source_nat,
        }
    }
}

/// Whether the amount of a type that lasts is bytes at a moment. One backup may be counted in
/// bytes and, after an upgrade, in hours: two streams.
fn holds_bytes(record: &UsageRecord) -> bool {
    record.quantity.unit() == Unit::Bytes && !record.usage_type.is_counter()
}
