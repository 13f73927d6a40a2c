//! Months that are put away and taken back lose nothing, and syncs leave them alone.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use cloudstack_usage::Period;
use cloudstack_usage::archive::{ExportOptions, export, prune, restore};
use cloudstack_usage::store::{DEFAULT_CLOUD, MemoryStore, UsageStore, UtcMonth};
use cloudstack_usage_store::{SqliteStore, SyncOptions, sync};
use proptest::prelude::*;
use support::retention::{histories, loses_nothing};
use support::{FakeCloud, day, days};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn memory_loses_nothing(steps in histories()) {
        let root = tempfile::tempdir().unwrap();
        loses_nothing(&mut MemoryStore::new(), root.path(), &steps)?;
    }

    #[test]
    fn sqlite_loses_nothing(steps in histories()) {
        let root = tempfile::tempdir().unwrap();
        loses_nothing(&mut SqliteStore::in_memory().unwrap(), root.path(), &steps)?;
    }
}

#[test]
fn a_sync_does_not_fetch_again_what_was_put_away() {
    let december = UtcMonth::new(2023, 12).unwrap();
    let mut store = SqliteStore::in_memory().unwrap();
    let mut cloud = FakeCloud::new(days(0..70));
    let options = SyncOptions::new(day(70)).first_from(day(0));
    sync(&mut cloud, &mut store, &options, &mut |_| {}).unwrap();
    let root = tempfile::tempdir().unwrap();
    let options = ExportOptions::new(DEFAULT_CLOUD, december, day(70));
    let archive = export(&mut store, root.path(), &options).unwrap().archive;
    prune(&mut store, &archive, day(70)).unwrap();

    // an ordinary sync does not reach back that far, and says nothing
    let report = sync(
        &mut cloud,
        &mut store,
        &SyncOptions::new(day(71)),
        &mut |_| {},
    )
    .unwrap();
    assert!(report.notices.is_empty() && !report.changed, "{report:?}");
    // one that is to look at everything again begins after the month
    let since = SyncOptions::new(day(72)).since(day(0));
    let report = sync(&mut cloud, &mut store, &since, &mut |_| {}).unwrap();
    assert_eq!(report.notices[0].slug, "usage_archived");
    assert_eq!(report.usage.new, 0);
    let beginning = december.period().end() - chrono::TimeDelta::days(3);
    assert_eq!(
        cloud.asked.last(),
        Some(&Period::new(beginning, day(72)).unwrap())
    );
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(day(70)));

    restore(&mut store, &archive, DEFAULT_CLOUD).unwrap();
    let since = SyncOptions::new(day(73)).since(day(0));
    let report = sync(&mut cloud, &mut store, &since, &mut |_| {}).unwrap();
    assert_eq!((report.usage.new, report.usage.unchanged), (0, 140));
    assert!(report.notices.is_empty());
}

#[test]
fn no_sync_begins_while_a_month_goes_or_comes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    let mut other = SqliteStore::open(&path).unwrap();
    let mut cloud = FakeCloud::new(days(0..2));
    let retention = store.begin_retention(DEFAULT_CLOUD).unwrap();
    let refused = sync(
        &mut cloud,
        &mut other,
        &SyncOptions::new(day(3)),
        &mut |_| {},
    );
    assert_eq!(refused.unwrap_err().slug(), "sync_running");
    assert_eq!(
        other.begin_retention(DEFAULT_CLOUD).err().unwrap().slug(),
        "sync_running"
    );
    drop(retention);
    sync(
        &mut cloud,
        &mut other,
        &SyncOptions::new(day(3)),
        &mut |_| {},
    )
    .unwrap();
}
