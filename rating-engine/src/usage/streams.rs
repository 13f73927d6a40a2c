//! All streams: each record is found the one that it belongs to.

use std::hash::{Hash, Hasher};

use cloudstack_usage::{Unit, UsageRecord};
use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::run::{Entry, Run};
use super::shown::{Shown, shown_hash};
use super::stream::{Stream, StreamKey};
use crate::order::sort_by_places;

/// The place of a stream, with the hash it is found by.
#[derive(Debug, Clone, Copy)]
struct Place {
    hash: u64,
    index: usize,
}

/// What the next record of a stream is compared with, apart from its key. It lies beside the
/// stream, so that a record is added without a look at runs and names: that these are
/// somewhere else in memory would cost more than everything that is done with the record.
#[derive(Debug)]
struct Latest {
    /// The run that the record may extend.
    run: Run,
    /// The window start of the record that is shown, and a number for what it shows.
    shown: (i64, u64),
}

/// All streams, found by what their records have in common.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    // looked up only, never walked: the order of a hash table decides nothing
    places: HashTable<Place>,
    all: Vec<Stream>,
    latest: Vec<Latest>,
    /// After a record of a stream, which stream the next record belonged to. Usage comes
    /// in nearly the same order in every window, so this is right most of the time.
    followers: Vec<usize>,
    last: usize,
    luck: Luck,
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
            if let (Some(stream), Some(latest)) = (self.all.get(index), self.latest.get(index)) {
                read ^= stream.key.sample() ^ u64::from(stream.holds_bytes);
                read ^= u64::from(latest.run.windows) ^ latest.shown.1;
            }
        }
        // the number means nothing, but must be thought to
        std::hint::black_box(read);
    }

    /// Adds a record to its stream.
    pub(crate) fn push(&mut self, record: &UsageRecord) {
        self.push_hashed(record, None);
    }

    fn push_hashed(&mut self, record: &UsageRecord, hash: Option<u64>) {
        let entry = Entry {
            start: record.window.start().timestamp_millis(),
            end: record.window.end().timestamp_millis(),
            amount: record.quantity.amount(),
            raw: record.raw_usage,
        };
        let index = self.find(record, hash);
        let (Some(stream), Some(latest)) = (self.all.get_mut(index), self.latest.get_mut(index))
        else {
            return;
        };
        if !latest.run.extend(&entry) {
            let before = std::mem::replace(&mut latest.run, Run::of(entry));
            stream.runs.extend(before.filled());
        }
        let (start, known) = latest.shown;
        if entry.start < start {
            return;
        }
        let shown = shown_hash(record);
        if shown == known || stream.shown.update(record, start) {
            latest.shown = (entry.start, shown);
        }
    }

    /// The place of the record's stream, which is made where there is none.
    fn find(&mut self, record: &UsageRecord, hash: Option<u64>) -> usize {
        // one backup may be counted in bytes and, after an upgrade, in hours: two streams
        let holds_bytes = holds_bytes(record);
        let is_of = |index: usize| {
            let stream = self.all.get(index);
            stream
                .is_some_and(|stream| stream.holds_bytes == holds_bytes && stream.key.is_of(record))
        };
        let expected = if self.luck.is_worth_a_guess() {
            let expected = self.followers.get(self.last).copied();
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
        let start = record.window.start().timestamp_millis();
        self.latest.push(Latest {
            run: Run::default(),
            shown: (start, shown_hash(record)),
        });
        self.all.push(Stream {
            key: StreamKey::of(record),
            shown: Box::new(Shown::of(record)),
            runs: Vec::new(),
            holds_bytes: holds_bytes(record),
        });
        index
    }

    /// The streams in the order of their keys, each with its runs in order of time.
    pub(crate) fn into_sorted(self) -> Vec<Stream> {
        let mut streams = self.all;
        for (stream, latest) in streams.iter_mut().zip(self.latest) {
            if let Some(run) = latest.run.filled() {
                // as a rule the only one
                stream.runs.reserve_exact(1);
                stream.runs.push(run);
            }
            stream.sort();
        }
        sort_by_places(&mut streams, |left, right| {
            (&left.key, left.holds_bytes).cmp(&(&right.key, right.holds_bytes))
        });
        streams
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
