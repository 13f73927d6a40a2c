//! Random histories of a store whose months come and go, beside one whose months stay.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::archive::{Archive, ArchiveErrorKind, ExportOptions, export, prune, restore};
use cloudstack_usage::store::conformance::stored_rows;
use cloudstack_usage::store::{
    DEFAULT_CLOUD, MemoryStore, StoreErrorKind, StoredRow, SyncOutcome, SyncRun, UsageQuery,
    UsageStore, UtcMonth, archived_time,
};
use cloudstack_usage::{Period, UsageRecord, UsageType};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::{daily, day, page};

/// What happens to a store.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A sync of records: resource, day, usage.
    Sync(Vec<(u8, i64, u8)>),
    /// The month of this number goes.
    Prune(u32),
    /// It comes back.
    Restore(u32),
}

/// Windows begin at 22:00, so that some lie across the bounds of months: the fourteenth of
/// November is day 0, the first of December begins within day 16.
const DAYS: &[i64] = &[
    10, 12, 13, 14, 16, 17, 18, 19, 20, 30, 42, 43, 44, 46, 47, 48, 49, 50, 51, 60, 73, 75, 77, 78,
    80,
];

pub(crate) fn histories() -> impl Strategy<Value = Vec<Step>> {
    let record = (0_u8..3, prop::sample::select(DAYS), 0_u8..3);
    let sync = || prop::collection::vec(record.clone(), 0..10).prop_map(Step::Sync);
    let step = prop_oneof![
        3 => sync(),
        3 => (0_u32..3).prop_map(Step::Prune),
        2 => (0_u32..3).prop_map(Step::Restore),
    ];
    let first = prop::collection::vec((0_u8..3, prop::sample::select(DAYS), 0_u8..3), 10..40);
    (first, prop::collection::vec(step, 1..14)).prop_map(|(first, steps)| {
        let mut all = vec![Step::Sync(first)];
        all.extend(steps);
        all
    })
}

/// November, December and January, in the calendar of the suite's records.
fn month(number: u32) -> UtcMonth {
    match number {
        0 => UtcMonth::new(2023, 11).unwrap(),
        1 => UtcMonth::new(2023, 12).unwrap(),
        _ => UtcMonth::new(2024, 1).unwrap(),
    }
}

/// A store whose months come and go answers, wherever it answers at all, as one whose months
/// stay; and once all have come back it holds the same rows.
pub(crate) fn loses_nothing(
    store: &mut dyn UsageStore,
    root: &Path,
    steps: &[Step],
) -> Result<(), TestCaseError> {
    let mut stays = MemoryStore::new();
    for (at, step) in (1000..).zip(steps) {
        match step {
            Step::Sync(records) => {
                sync(store, day(at), records);
                sync(&mut stays, day(at), records);
            }
            Step::Prune(number) => put_away(store, root, month(*number), day(at)),
            Step::Restore(number) => take_back(store, root, month(*number)),
        }
        answers_where_it_can(store, &mut stays)?;
    }
    for number in [1, 0, 2] {
        take_back(store, root, month(number));
    }
    prop_assert_eq!(
        stored_rows(store, Period::always()),
        stored_rows(&mut stays, Period::always())
    );
    answers_where_it_can(store, &mut stays)
}

fn sync(store: &mut dyn UsageStore, at: DateTime<Utc>, records: &[(u8, i64, u8)]) {
    let records = records.iter().map(|(resource, day, raw)| {
        let mut entry = daily(&resource.to_string(), *day, &raw.to_string());
        if *resource == 2 {
            entry.record.usage_type = UsageType::IpAddress;
        }
        entry
    });
    let run = SyncRun::new(DEFAULT_CLOUD, at).with_range(Period::always());
    let mut transaction = store.begin_sync(&run).unwrap();
    transaction.put_usage(&page(records.collect())).unwrap();
    transaction.commit(&SyncOutcome::complete()).unwrap();
}

fn put_away(store: &mut dyn UsageStore, root: &Path, month: UtcMonth, now: DateTime<Utc>) {
    let options = ExportOptions::new(DEFAULT_CLOUD, month, now)
        .settled(-TimeDelta::days(400))
        .replacing(true);
    match export(store, root, &options) {
        Ok(exported) => drop(prune(store, &exported.archive, now).unwrap()),
        Err(error) => assert!(
            [ArchiveErrorKind::Empty, ArchiveErrorKind::Pruned].contains(&error.kind()),
            "{error}"
        ),
    }
}

fn take_back(store: &mut dyn UsageStore, root: &Path, month: UtcMonth) {
    let place = root.join(DEFAULT_CLOUD).join(month.to_string());
    if place.exists() {
        let archive = Archive::open(place).unwrap();
        let archived = store.archived_months(DEFAULT_CLOUD).unwrap();
        let is_away = archived.iter().any(|known| known.month == month);
        let report = restore(store, &archive, DEFAULT_CLOUD).unwrap();
        assert_eq!(report.was_away, is_away);
    }
}

/// Usage of every fortnight, and the lifetimes.
fn answers_where_it_can(
    store: &mut dyn UsageStore,
    stays: &mut MemoryStore,
) -> Result<(), TestCaseError> {
    let months = store.archived_months(DEFAULT_CLOUD).unwrap();
    let time = archived_time(months.iter().map(|known| known.month));
    for start in (0..84).step_by(3) {
        let period = Period::new(day(start), day(start + 3)).unwrap();
        let is_away = time.iter().any(|time| time.overlaps(&period));
        match usage(store, period) {
            Ok(records) => {
                prop_assert!(!is_away);
                prop_assert_eq!(records, usage(stays, period).unwrap());
            }
            Err(kind) => prop_assert!(is_away && kind == StoreErrorKind::Archived),
        }
    }
    match store.lifetimes(DEFAULT_CLOUD, None) {
        Ok(lifetimes) => {
            prop_assert_eq!(lifetimes, stays.lifetimes(DEFAULT_CLOUD, None).unwrap());
        }
        // what came late says that a first or last use was none: the archive knows the next
        Err(error) => {
            prop_assert_eq!(error.kind(), StoreErrorKind::Archived);
            prop_assert!(came_late_without_use(store, &time));
        }
    }
    Ok(())
}

fn came_late_without_use(store: &mut dyn UsageStore, time: &[Period]) -> bool {
    time.iter().any(|time| {
        let rows = stored_rows(store, *time);
        rows.iter().any(|row| match row {
            StoredRow::Usage(row) => row.stored.record.raw_usage.is_zero(),
            StoredRow::Rejection(_) => false,
        })
    })
}

fn usage(store: &mut dyn UsageStore, period: Period) -> Result<Vec<UsageRecord>, StoreErrorKind> {
    let mut records = Vec::new();
    let query = UsageQuery::new(DEFAULT_CLOUD, period);
    let read = store.usage(&query, &mut |record| {
        records.push(record);
        Ok(())
    });
    read.map(|()| records).map_err(|error| error.kind())
}
