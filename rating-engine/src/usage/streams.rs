//! All streams: each record is found the one that it belongs to.

use std::hash::{Hash, Hasher};

use cloudstack_usage::{Unit, UsageRecord};
use hashbrown::HashTable;
use rustc_hash::FxHasher;

use super::run::{Entry, Run};
use super::shown::{Shown, shown_hash};
use super::stream::{Stream, StreamKey};

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
        let start = record.window.start().timestamp_millis();
        self.latest.push(Latest {
            run: Run::default(),
            shown: (start, shown_hash(record)),
        });
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
        let latest = self.latest.into_iter().map(|latest| latest.run.filled());
        let mut unsorted: Vec<Option<Stream>> = self.all.into_iter().map(Some).collect();
        for (stream, run) in unsorted.iter_mut().flatten().zip(latest) {
            stream.runs.extend(run);
        }
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
