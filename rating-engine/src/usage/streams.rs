//! All streams: each record is found the one that it belongs to.

use std::hash::{Hash, Hasher};

use cloudstack_usage::{Period, UsageRecord};
use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::common::Common;
use super::run::{Entry, Run};
use super::shown::{Shown, shown_hash};
use super::slot::Slot;
use super::stream::Stream;
use crate::order::sort_by_places;

/// The place of a stream, with the hash it is found by.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    index: usize,
}

/// What is kept of a stream and rarely looked at.
#[derive(Debug)]
struct Kept {
    shown: Box<Shown>,
    /// Its runs but the latest.
    runs: Vec<Run>,
}

/// All streams, found by what their records have in common.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    // looked up only, never walked: the order of a hash table decides nothing
    places: HashTable<Place>,
    /// One for each stream.
    slots: Vec<Slot>,
    /// One for each stream.
    kept: Vec<Kept>,
    commons: Commons,
    /// The window of the record before, which is as a rule the next one's, and its beginning
    /// and end in milliseconds since 1970.
    window: Option<(Period, (i64, i64))>,
    last: usize,
    luck: Luck,
}

/// What streams have in common, each once.
#[derive(Debug, Default)]
struct Commons {
    places: HashTable<Place>,
    all: Vec<Common>,
}

impl Commons {
    /// The place of what `record` has in common with others.
    fn place_of(&mut self, record: &UsageRecord) -> usize {
        let hash = Common::hash_of(record);
        let is_of = |index: usize| self.all.get(index).is_some_and(|own| own.is_of(record));
        let known = self
            .places
            .find(hash, |place| place.hash == hash && is_of(place.index));
        if let Some(place) = known {
            return place.index;
        }
        let index = self.all.len();
        self.places
            .insert_unique(hash, Place { hash, index }, |place| place.hash);
        self.all.push(Common::of(record));
        index
    }
}

/// Whether guesses of the next stream were right of late.
#[derive(Debug, Default)]
struct Luck {
    /// Of the last guesses, one bit each.
    right: u32,
    records: u32,
}

impl Luck {
    /// Whether a guess is worth its look into memory: of records in a mixed order none is,
    /// so only one in a while is tried.
    fn is_worth_a_guess(&mut self) -> bool {
        self.records = self.records.wrapping_add(1);
        self.lasts() || self.records.is_multiple_of(64)
    }

    /// Whether guesses go on being tried.
    fn lasts(&self) -> bool {
        self.right != 0
    }

    fn note(&mut self, right: bool) {
        self.right = (self.right << 1) | u32::from(right);
    }
}

/// How many records are looked up together: enough for memory to answer them side by side.
const TOGETHER: usize = 32;

impl Streams {
    /// Adds records to their streams.
    pub(crate) fn push_all(&mut self, records: &[UsageRecord]) {
        for records in records.chunks(TOGETHER) {
            if self.luck.lasts() {
                for record in records {
                    self.push(record);
                }
                continue;
            }
            let mut hashes = [0; TOGETHER];
            for (place, record) in hashes.iter_mut().zip(records) {
                *place = hash(record);
            }
            self.fetch(hashes.get(..records.len()).unwrap_or_default());
            for (record, hash) in records.iter().zip(hashes) {
                self.push_hashed(record, Some(hash));
            }
        }
    }

    /// Reads a little of what records with these hashes will be compared with, so that it is
    /// near when they are. Where streams lie is as random as the order of the records: one
    /// record after the other would wait for memory twice, all together they wait once.
    fn fetch(&self, hashes: &[u64]) {
        let mut found = [usize::MAX; TOGETHER];
        for (index, hash) in found.iter_mut().zip(hashes) {
            let place = self.places.find(*hash, |place| place.hash == *hash);
            *index = place.map_or(usize::MAX, |place| place.index);
        }
        let mut read = 0_u64;
        for index in found {
            read ^= self.slots.get(index).map_or(0, Slot::sample);
        }
        // the number means nothing, but must be thought to
        std::hint::black_box(read);
    }

    /// Adds a record to its stream.
    pub(crate) fn push(&mut self, record: &UsageRecord) {
        self.push_hashed(record, None);
    }

    fn push_hashed(&mut self, record: &UsageRecord, hash: Option<u64>) {
        let (start, end) = self.window_of(record);
        let entry = Entry {
            start,
            end,
            amount: record.quantity.amount(),
            raw: record.raw_usage,
        };
        let index = self.find(record, hash);
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if !slot.run.extend(&entry) {
            let before = std::mem::replace(&mut slot.run, Run::of(entry));
            if let Some(kept) = self.kept.get_mut(index) {
                kept.runs.extend(before.filled());
            }
        }
        let (start, known) = slot.shown;
        if entry.start < start {
            return;
        }
        let shown = shown_hash(record);
        let mut update = || {
            let kept = self.kept.get_mut(index);
            kept.is_some_and(|kept| kept.shown.update(record, start))
        };
        if shown == known || update() {
            slot.shown = (entry.start, shown);
        }
    }

    fn window_of(&mut self, record: &UsageRecord) -> (i64, i64) {
        match self.window {
            Some((window, millis)) if window == record.window => millis,
            _ => {
                let (start, end) = (record.window.start(), record.window.end());
                let millis = (start.timestamp_millis(), end.timestamp_millis());
                self.window = Some((record.window, millis));
                millis
            }
        }
    }

    /// The place of the record's stream, which is made where there is none.
    fn find(&mut self, record: &UsageRecord, hash: Option<u64>) -> usize {
        let (slots, commons) = (&self.slots, &self.commons.all);
        let is_of = |index: usize| {
            slots.get(index).is_some_and(|slot| {
                let common = commons.get(slot.common);
                slot.may_be_of(record) && common.is_some_and(|common| common.is_of(record))
            })
        };
        let expected = if self.luck.is_worth_a_guess() {
            let expected = slots.get(self.last).map(|last| last.follower);
            let expected = expected.filter(|&index| is_of(index));
            self.luck.note(expected.is_some());
            expected
        } else {
            None
        };
        let index = if let Some(index) = expected {
            index
        } else {
            let hash = hash.unwrap_or_else(|| self::hash(record));
            let known = self
                .places
                .find(hash, |place| place.hash == hash && is_of(place.index));
            let known = known.map(|place| place.index);
            known.unwrap_or_else(|| self.add(hash, record))
        };
        if let Some(last) = self.slots.get_mut(self.last) {
            last.follower = index;
        }
        self.last = index;
        index
    }

    fn add(&mut self, hash: u64, record: &UsageRecord) -> usize {
        let index = self.slots.len();
        self.places
            .insert_unique(hash, Place { hash, index }, |place| place.hash);
        let common = self.commons.place_of(record);
        self.slots.push(Slot::of(record, common, index + 1));
        self.kept.push(Kept {
            shown: Box::new(Shown::of(record)),
            runs: Vec::new(),
        });
        index
    }

    /// The streams in the order of their keys, each with its runs in order of time.
    pub(crate) fn into_sorted(self) -> Vec<Stream> {
        let commons = &self.commons.all;
        let streams = self.slots.into_iter().zip(self.kept);
        let mut streams: Vec<Stream> = streams
            .filter_map(|(slot, kept)| Some(stream(commons.get(slot.common)?, slot, kept)))
            .collect();
        sort_by_places(&mut streams, |left, right| {
            (&left.key, left.holds_bytes).cmp(&(&right.key, right.holds_bytes))
        });
        streams
    }
}

/// A stream once all its records came.
fn stream(common: &Common, slot: Slot, kept: Kept) -> Stream {
    let mut runs = kept.runs;
    if let Some(run) = slot.run.filled() {
        // as a rule the only one
        runs.reserve_exact(1);
        runs.push(run);
    }
    let holds_bytes = slot.holds_bytes;
    let mut stream = Stream {
        key: slot.into_key(common),
        shown: kept.shown,
        runs,
        holds_bytes,
    };
    stream.sort();
    stream
}

/// A hash of the fields that tell most streams apart; the key decides. Without a random
/// seed: it is the same in every run.
fn hash(record: &UsageRecord) -> u64 {
    let mut hasher = FxHasher::default();
    record.usage_type.hash(&mut hasher);
    match &record.resource {
        Some(resource) => resource.hash(&mut hasher),
        None => record.identity().hash(&mut hasher),
    }
    record.vm.hash(&mut hasher);
    record.offering.hash(&mut hasher);
    record.size_bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta};
    use cloudstack_usage::{Holder, Owner, Quantity, UsageType};
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;
    use crate::usage::StreamKey;

    /// A record of a day; each bit of `fields` sets a field of the key, or changes one.
    fn record(fields: u32, day: i64) -> UsageRecord {
        let bit = |place: u32| fields & (1 << place) != 0;
        let id = |place: u32| bit(place).then_some("x");
        let number = |place: u32| bit(place).then_some(1);
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(day);
        UsageRecord {
            usage_type: if bit(0) {
                UsageType::NetworkOffering
            } else {
                UsageType::Backup
            },
            window: Period::new(start, start + TimeDelta::days(1)).unwrap(),
            quantity: if bit(1) {
                Quantity::bytes(5)
            } else {
                Quantity::time(5)
            },
            raw_usage: Decimal::from(5),
            owner: Owner {
                domain: if bit(2) { "x" } else { "y" }.into(),
                holder: if bit(3) {
                    Holder::Project("x".into())
                } else {
                    Holder::Unknown
                },
            },
            holder_name: None,
            domain_name: None,
            domain_path: None,
            zone: id(4).map(Into::into),
            resource: id(5).map(Into::into),
            vm: id(6).map(Into::into),
            offering: id(7).map(Into::into),
            template: id(8).map(Into::into),
            os_type: None,
            os_category: None,
            os_category_name: None,
            kind: None,
            size_bytes: number(9).map(u64::from),
            virtual_size_bytes: number(10).map(u64::from),
            cpu_count: number(11),
            cpu_mhz: number(12),
            memory_mib: number(13),
            network: id(14).map(Into::into),
            vpc: id(15).map(Into::into),
            is_default: bit(16).then_some(false),
            is_source_nat: bit(17).then_some(false),
            is_system: None,
            name: None,
            description: if bit(18) { "x" } else { "y" }.to_owned(),
            tags_at_query: Vec::new(),
        }
    }

    /// Neither has an id: a NIC is known by its VM, whatever its description.
    #[test]
    fn a_nic_without_an_id_is_known_by_its_vm() {
        let nic = |vm: &str, day: i64| UsageRecord {
            usage_type: UsageType::NetworkOffering,
            vm: Some(vm.into()),
            description: format!("day {day} of {vm}"),
            ..record(0, day)
        };
        let mut streams = Streams::default();
        streams.push_all(&[nic("x", 0), nic("y", 0), nic("x", 1), nic("y", 1)]);
        let entries: Vec<usize> = streams
            .into_sorted()
            .iter()
            .map(|stream| stream.entries().len())
            .collect();
        assert_eq!(entries, [2, 2]);
    }

    /// The name shown after records of these days and names came in this order.
    fn name_shown(records: &[(i64, &str)]) -> Option<String> {
        let records: Vec<UsageRecord> = records
            .iter()
            .map(|(day, name)| UsageRecord {
                name: Some((*name).to_owned()),
                ..record(0, *day)
            })
            .collect();
        let mut streams = Streams::default();
        streams.push_all(&records);
        let streams = streams.into_sorted();
        streams.first().and_then(|stream| stream.shown.name.clone())
    }

    #[test]
    fn the_latest_name_is_shown_in_whatever_order_records_come() {
        // of one window, the last in the alphabet
        for records in [[(0, "a"), (0, "b")], [(0, "b"), (0, "a")]] {
            assert_eq!(name_shown(&records).as_deref(), Some("b"));
        }
        // day 2 is the latest, though its name is that of day 0 too
        for records in [
            [(2, "a"), (0, "a"), (1, "b")],
            [(2, "a"), (1, "b"), (0, "a")],
            [(0, "a"), (2, "a"), (1, "b")],
            [(0, "a"), (1, "b"), (2, "a")],
            [(1, "b"), (0, "a"), (2, "a")],
            [(1, "b"), (2, "a"), (0, "a")],
        ] {
            assert_eq!(name_shown(&records).as_deref(), Some("a"), "{records:?}");
        }
    }

    proptest! {
        /// Few bits are set, so that many records have one key, and the others all but one.
        #[test]
        fn records_of_one_key_are_one_stream(
            records in prop::collection::vec((prop::sample::subsequence((0..19_u32).collect::<Vec<_>>(), 0..3), 0..9_i64), 0..80),
            page in 1..40_usize,
        ) {
            let records: Vec<UsageRecord> = records
                .iter()
                .map(|(bits, day)| record(bits.iter().map(|bit| 1 << bit).sum(), *day))
                .collect();
            let mut expected: BTreeMap<_, Vec<i64>> = BTreeMap::new();
            for record in &records {
                let holds_bytes = record.quantity.unit() == cloudstack_usage::Unit::Bytes;
                let starts = expected.entry((StreamKey::of(record), holds_bytes)).or_default();
                starts.push(record.window.start().timestamp_millis());
                starts.sort_unstable();
            }
            let mut streams = Streams::default();
            records.chunks(page).for_each(|page| streams.push_all(page));
            let found: Vec<_> = streams
                .into_sorted()
                .iter()
                .map(|stream| {
                    let starts = stream.entries().iter().map(|entry| entry.start).collect();
                    ((stream.key.clone(), stream.holds_bytes), starts)
                })
                .collect();
            prop_assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
