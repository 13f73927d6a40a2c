//! A cloud made of records and snapshots, for tests.
#![allow(dead_code, reason = "each test file uses a part of it")]

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::store::conformance::{full_snapshot, usage_record};
use cloudstack_usage::store::{DEFAULT_CLOUD, StoredRejection, UsageQuery, UsageStore};
use cloudstack_usage::{
    Error, ErrorKind, Kind, ParsedRecord, Period, Rejection, Snapshot, SnapshotFetch, Source,
    UsageFetch, UsagePage, UsageRecord,
};

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
