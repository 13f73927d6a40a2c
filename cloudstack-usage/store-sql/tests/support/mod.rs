//! A cloud made of records and snapshots, for tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

#[cfg(feature = "mariadb")]
pub(crate) mod mariadb;
pub(crate) mod retention;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::Tag;
use cloudstack_usage::store::conformance::{full_snapshot, usage_record};
use cloudstack_usage::store::{
    DEFAULT_CLOUD, Document, DocumentKind, MemoryStore, StoreErrorKind, StoredRejection,
    SyncOutcome, SyncRun, UsageQuery, UsageStore,
};
use cloudstack_usage::{
    Error, ErrorKind, Kind, ParsedRecord, Period, Rejection, Snapshot, SnapshotFetch, Source,
    UsageFetch, UsagePage, UsageRecord,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

/// A source that answers from memory, in small pages.
#[derive(Clone)]
pub(crate) struct FakeCloud {
    pub(crate) records: Vec<ParsedRecord>,
    pub(crate) rejections: Vec<Rejection>,
    pub(crate) snapshot: Snapshot,
    pub(crate) page_size: usize,
    /// Fails before this page of usage.
    pub(crate) fails_at_page: Option<usize>,
    pub(crate) complete: bool,
    /// The ranges of usage that were asked for.
    pub(crate) asked: Vec<Period>,
    /// From when on it was told that usage is of interest.
    pub(crate) begins: Vec<DateTime<Utc>>,
}

impl FakeCloud {
    pub(crate) fn new(records: Vec<ParsedRecord>) -> Self {
        Self {
            records,
            rejections: Vec::new(),
            snapshot: full_snapshot(0),
            page_size: 3,
            fails_at_page: None,
            complete: true,
            asked: Vec::new(),
            begins: Vec::new(),
        }
    }
}

impl Source for FakeCloud {
    fn usage(
        &mut self,
        range: Period,
        sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
    ) -> Result<UsageFetch, Error> {
        self.asked.push(range);
        let touching: Vec<ParsedRecord> = self
            .records
            .iter()
            .filter(|entry| entry.record.window.overlaps(&range))
            .cloned()
            .collect();
        for (number, records) in touching.chunks(self.page_size).enumerate() {
            if self.fails_at_page == Some(number) {
                return Err(Error::new(ErrorKind::Transport, "the connection broke"));
            }
            sink(UsagePage {
                records: records.to_vec(),
                rejections: Vec::new(),
            })?;
        }
        sink(UsagePage {
            records: Vec::new(),
            rejections: self.rejections.clone(),
        })?;
        Ok(UsageFetch {
            notices: Vec::new(),
            complete: self.complete,
        })
    }

    fn usage_begins(&mut self, from: DateTime<Utc>) {
        self.begins.push(from);
    }

    fn snapshot(&mut self, at: DateTime<Utc>, _kinds: &[Kind]) -> Result<SnapshotFetch, Error> {
        let mut snapshot = self.snapshot.clone();
        snapshot.at = at;
        Ok(SnapshotFetch {
            snapshot,
            rejections: Vec::new(),
            notices: Vec::new(),
        })
    }
}

/// The end of the day of this number, in the calendar of the suite's records.
pub(crate) fn day(number: i64) -> DateTime<Utc> {
    usage_record("a", (0, 1), "1").record.window.start() + TimeDelta::days(number)
}

/// One full day of a resource.
pub(crate) fn daily(resource: &str, number: i64, raw_usage: &str) -> ParsedRecord {
    usage_record(resource, (number * 24, number * 24 + 24), raw_usage)
}

/// Whole days of two resources.
pub(crate) fn days(numbers: std::ops::Range<i64>) -> Vec<ParsedRecord> {
    numbers
        .flat_map(|number| [daily("a", number, "24"), daily("b", number, "1.25")])
        .collect()
}

pub(crate) fn all_usage(store: &mut dyn UsageStore) -> Vec<UsageRecord> {
    let mut records = Vec::new();
    let query = UsageQuery::new(DEFAULT_CLOUD, Period::always());
    store
        .usage(&query, &mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    records
}

pub(crate) fn all_snapshots(store: &mut dyn UsageStore) -> Vec<Snapshot> {
    let mut snapshots = Vec::new();
    store
        .snapshots(DEFAULT_CLOUD, None, &mut |snapshot| {
            snapshots.push(snapshot.clone());
            Ok(())
        })
        .unwrap();
    snapshots
}

pub(crate) fn all_rejections(store: &mut dyn UsageStore) -> Vec<StoredRejection> {
    store.rejections(DEFAULT_CLOUD, Period::always()).unwrap()
}

pub(crate) fn page(records: Vec<cloudstack_usage::ParsedRecord>) -> UsagePage {
    UsagePage {
        records,
        rejections: Vec::new(),
    }
}

/// Puts two days of usage and a snapshot, as one sync.
pub(crate) fn put(store: &mut dyn UsageStore, at: i64, page: &UsagePage, snapshot: &Snapshot) {
    let run = SyncRun::new(DEFAULT_CLOUD, day(at)).with_range(Period::always());
    let mut transaction = store.begin_sync(&run).unwrap();
    transaction.put_usage(page).unwrap();
    transaction.put_snapshot(&fetched(snapshot)).unwrap();
    transaction.commit(&SyncOutcome::complete()).unwrap();
}

pub(crate) fn fetched(snapshot: &Snapshot) -> SnapshotFetch {
    SnapshotFetch {
        snapshot: snapshot.clone(),
        rejections: Vec::new(),
        notices: Vec::new(),
    }
}

pub(crate) fn snapshot() -> Snapshot {
    cloudstack_usage::store::conformance::full_snapshot(0)
}

/// A step of a random history: records (resource, day, usage), and the snapshot's tags and
/// whether it has its volume.
pub(crate) type Step = (Vec<(u8, i64, u8)>, Vec<u8>, bool, bool);

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let record = (0_u8..2, 0_i64..3, 0_u8..3);
    let step = (
        prop::collection::vec(record, 0..8),
        prop::collection::vec(0_u8..3, 0..4),
        any::<bool>(),
        prop::bool::weighted(0.7),
    );
    prop::collection::vec(step, 1..8)
}

/// Whatever is put, this store answers as the one in memory does.
pub(crate) fn answers_as_memory_does(
    store: &mut dyn UsageStore,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut memory = MemoryStore::new();
    let mut keys = std::collections::BTreeSet::new();
    for (number, (records, tags, has_volume, complete)) in (4..).zip(steps) {
        let records: Vec<_> = records
            .iter()
            .map(|(resource, day, raw)| daily(&resource.to_string(), *day, &raw.to_string()))
            .collect();
        keys.extend(records.iter().map(|entry| entry.record.key()));
        let mut snapshot = snapshot();
        snapshot.vms[0].tags = tags
            .iter()
            .map(|tag| Tag::new("key", tag.to_string()))
            .collect();
        if !has_volume {
            snapshot.volumes.clear();
        }
        let outcome = if *complete {
            SyncOutcome::complete()
        } else {
            SyncOutcome::incomplete()
        };
        // two steps fall on one moment now and then
        let run = SyncRun::new(DEFAULT_CLOUD, day(number / 2)).with_range(Period::always());
        let mut entries = Vec::new();
        for store in [&mut *store, &mut memory as &mut dyn UsageStore] {
            let mut transaction = store.begin_sync(&run).unwrap();
            transaction.put_usage(&page(records.clone())).unwrap();
            transaction.put_snapshot(&fetched(&snapshot)).unwrap();
            entries.push(transaction.commit(&outcome).unwrap());
        }
        prop_assert_eq!(&entries[0], &entries[1]);
    }
    prop_assert_eq!(all_usage(&mut *store), all_usage(&mut memory));
    prop_assert_eq!(all_rejections(&mut *store), all_rejections(&mut memory));
    for known_on in [None, Some(day(3)), Some(day(4))] {
        prop_assert_eq!(
            store.lifetimes(DEFAULT_CLOUD, known_on).unwrap(),
            memory.lifetimes(DEFAULT_CLOUD, known_on).unwrap()
        );
    }
    for key in &keys {
        prop_assert_eq!(
            store.versions(DEFAULT_CLOUD, key).unwrap(),
            memory.versions(DEFAULT_CLOUD, key).unwrap()
        );
    }
    let (of_store, of_memory) = (all_snapshots(&mut *store), all_snapshots(&mut memory));
    prop_assert_eq!(of_store.len(), of_memory.len());
    for (mut left, mut right) in of_store.into_iter().zip(of_memory) {
        for side in [&mut left, &mut right] {
            side.vms[0].tags.sort();
            side.projects[0].tags.sort();
        }
        prop_assert_eq!(left, right);
    }
    Ok(())
}

/// Of several programs that issue the same statement at once, one does.
pub(crate) fn one_of_many_issues(open: impl Fn() -> Box<dyn UsageStore> + Sync) {
    let document =
        |text: String| Document::new(DocumentKind::Statement, "2026-10", text, "ada", day(3));
    let kept: Vec<bool> = std::thread::scope(|scope| {
        let issuing: Vec<_> = (0..6)
            .map(|number| {
                let (open, document) = (&open, &document);
                scope.spawn(move || {
                    let issued = document(format!("bill {number}"));
                    match open().record_document(DEFAULT_CLOUD, &issued) {
                        Ok(added) => added,
                        Err(error) => {
                            assert_eq!(error.kind(), StoreErrorKind::Final, "{error:?}");
                            false
                        }
                    }
                })
            })
            .collect();
        issuing.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(kept.iter().filter(|kept| **kept).count(), 1, "{kept:?}");
    let number = kept.iter().position(|kept| *kept).unwrap();
    let kept = open().documents(DEFAULT_CLOUD, None).unwrap();
    assert_eq!(kept, [document(format!("bill {number}")).entry()]);
}
