//! Streams: the records of one resource, owner and size, whatever their window.

use std::hash::{Hash, Hasher};

use cloudstack_usage::{
    DomainId, Holder, NetworkId, OfferingId, OsTypeId, ResourceId, TemplateId, Unit, UsageRecord,
    UsageType, VmId, VolumeId, VpcId, ZoneId,
};
use hashbrown::HashTable;
use rust_decimal::Decimal;
use rustc_hash::FxHasher;

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

    /// Whether it is the key of `record`: `*self == Self::of(record)`, without making that.
    fn is_of(&self, record: &UsageRecord) -> bool {
        self.usage_type == record.usage_type
            && self.identifies(record)
            && self.domain == record.owner.domain
            && self.holder == record.owner.holder
            && self.zone == record.zone
            && self.vm == record.vm
            && self.offering == record.offering
            && self.template == record.template
            && self.size_bytes == record.size_bytes
            && self.virtual_size_bytes == record.virtual_size_bytes
            && self.cpu_count == record.cpu_count
            && self.cpu_mhz == record.cpu_mhz
            && self.memory_mib == record.memory_mib
            && self.network == record.network
            && self.vpc == record.vpc
            && self.is_default == record.is_default
            && self.is_source_nat == record.is_source_nat
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

impl Entry {
    /// Whether it is equal: most numbers were also written alike, which is told sooner.
    fn is(&self, other: &Self) -> bool {
        let alike = self.raw.scale() == other.raw.scale();
        (self.start, self.end, self.amount) == (other.start, other.end, other.amount)
            && if alike {
                self.raw.mantissa() == other.raw.mantissa()
            } else {
                self.raw == other.raw
            }
    }
}

/// Records of adjacent windows of one length with one amount: as a rule the whole time of
/// a resource that did not change, so that memory goes with streams, not with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: Entry,
    /// How many windows, the first included.
    pub(crate) windows: u32,
}

impl Run {
    /// The entry of a window of the run, the first at 0.
    fn entry(&self, window: u32) -> Entry {
        let shift = (self.first.end - self.first.start) * i64::from(window);
        Entry {
            start: self.first.start + shift,
            end: self.first.end + shift,
            ..self.first
        }
    }

    /// Its entries, in order of time.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.windows).map(|window| self.entry(window))
    }

    /// Where its last window ends.
    pub(crate) fn end(&self) -> i64 {
        self.last().end
    }

    fn last(&self) -> Entry {
        self.entry(self.windows.saturating_sub(1))
    }

    /// Takes the entry, if it is that of the run's next window.
    fn extend(&mut self, entry: &Entry) -> bool {
        let next = self.windows < u32::MAX && self.entry(self.windows).is(entry);
        self.windows += u32::from(next);
        next
    }
}

/// Joins entries, in the order given, into runs.
fn append(runs: &mut Vec<Run>, entry: Entry) {
    let joined = runs.last_mut().is_some_and(|last| last.extend(&entry));
    if !joined {
        runs.push(Run {
            first: entry,
            windows: 1,
        });
    }
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

    /// Shows what `record` says, if its window is later (of one window: if it is greater).
    fn update(&mut self, record: &UsageRecord, start: i64) {
        if start < self.window_start {
            return;
        }
        if self.shows(record) {
            self.window_start = start;
            return;
        }
        let other = Self::of(record);
        if other > *self {
            *self = other;
        }
    }

    /// Whether `record` says the same, whatever its window.
    fn shows(&self, record: &UsageRecord) -> bool {
        self.name == record.name
            && self.description == record.description
            && self.holder_name == record.holder_name
            && self.domain_name == record.domain_name
            && self.domain_path == record.domain_path
            && self.hypervisor == record.kind
            && self.os_type == record.os_type
            && self.os_category_name == record.os_category_name
            && self.is_system == (record.is_system == Some(true))
    }
}

/// The records of one resource, owner and size.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) key: StreamKey,
    pub(crate) shown: Shown,
    /// Its records; in order of time once the streams are [sorted](Streams::into_sorted).
    pub(crate) runs: Vec<Run>,
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
            runs: Vec::new(),
            holds_bytes: false,
        }
    }

    /// Its entries, in order of time.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.runs.iter().flat_map(Run::entries).collect()
    }

    /// Brings the runs into order of time, the same for any order of the records.
    fn sort(&mut self) {
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

/// The place of a stream, with the hash it is found by.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    index: usize,
}

/// All streams, found by what their records have in common.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    // looked up only, never walked: the order of a hash table decides nothing
    places: HashTable<Place>,
    all: Vec<Stream>,
    /// After a record of a stream, which stream the next record belonged to. Usage comes
    /// in nearly the same order in every window, so this is right most of the time.
    followers: Vec<usize>,
    last: usize,
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
        let index = self.find(record);
        if let Some(stream) = self.all.get_mut(index) {
            append(&mut stream.runs, entry);
            stream.shown.update(record, entry.start);
        }
    }

    /// The place of the record's stream, which is made where there is none.
    fn find(&mut self, record: &UsageRecord) -> usize {
        // one backup may be counted in bytes and, after an upgrade, in hours: two streams
        let holds_bytes = holds_bytes(record);
        let is_of = |index: usize| {
            let stream = self.all.get(index);
            stream
                .is_some_and(|stream| stream.holds_bytes == holds_bytes && stream.key.is_of(record))
        };
        let expected = self.followers.get(self.last).copied();
        let expected = expected.filter(|&index| is_of(index));
        let index = if let Some(index) = expected {
            index
        } else {
            let hash = hash(record);
            let known = self.places.find(hash, |place| is_of(place.index));
            let known = known.map(|place| place.index);
            known.unwrap_or_else(|| self.add(hash, record))
        };
        if let Some(follower) = self.followers.get_mut(self.last) {
            *follower = index;
        }
        self.last = index;
        index
    }

    fn add(&mut self, hash: u64, record: &UsageRecord) -> usize {
        let index = self.all.len();
        self.places
            .insert_unique(hash, Place { hash, index }, |place| place.hash);
        self.followers.push(index + 1);
        self.all.push(Stream {
            key: StreamKey::of(record),
            shown: Shown::of(record),
            runs: Vec::new(),
            holds_bytes: holds_bytes(record),
        });
        index
    }

    /// The streams in the order of their keys, each with its runs in order of time.
    pub(crate) fn into_sorted(self) -> Vec<Stream> {
        let mut order: Vec<usize> = (0..self.all.len()).collect();
        // streams are large: their places are sorted, and each is moved once
        order.sort_unstable_by_key(|&index| {
            let stream = self.all.get(index);
            stream.map(|stream| (&stream.key, stream.holds_bytes))
        });
        let mut unsorted: Vec<Option<Stream>> = self.all.into_iter().map(Some).collect();
        let sorted = order
            .into_iter()
            .filter_map(|index| unsorted.get_mut(index)?.take());
        sorted
            .map(|mut stream| {
                stream.sort();
                stream
            })
            .collect()
    }
}

/// Whether the amount of a type that lasts is bytes at a moment.
fn holds_bytes(record: &UsageRecord) -> bool {
    record.quantity.unit() == Unit::Bytes && !record.usage_type.is_counter()
}

/// A hash of the fields that tell most streams apart; the key decides. Without a random
/// seed: it is the same in every run.
fn hash(record: &UsageRecord) -> u64 {
    let mut hasher = FxHasher::default();
    record.usage_type.hash(&mut hasher);
    match &record.resource {
        Some(resource) => resource.hash(&mut hasher),
        None => record.description.hash(&mut hasher),
    }
    record.vm.hash(&mut hasher);
    record.offering.hash(&mut hasher);
    record.size_bytes.hash(&mut hasher);
    hasher.finish()
}
