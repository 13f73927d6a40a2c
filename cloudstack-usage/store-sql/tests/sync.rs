//! Laws of syncing a source into a store.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::Rejection;
use cloudstack_usage::store::{DEFAULT_CLOUD, MemoryStore, UsageStore};
use cloudstack_usage_store::{
    SqliteStore, SyncErrorKind, SyncOptions, SyncProgress, SyncReport, sync,
};
use proptest::prelude::*;
use support::{FakeCloud, all_rejections, all_snapshots, all_usage, daily, day, days};

fn options(now: DateTime<Utc>) -> SyncOptions {
    SyncOptions::new(now).first_from(day(0))
}

fn sync_at(cloud: &mut FakeCloud, store: &mut dyn UsageStore, now: DateTime<Utc>) -> SyncReport {
    sync(cloud, store, &options(now), &mut |_| {}).unwrap()
}

#[test]
fn a_second_sync_of_the_same_cloud_changes_nothing_and_says_so() {
    let mut cloud = FakeCloud::new(days(0..10));
    let mut store = SqliteStore::in_memory().unwrap();
    let first = sync_at(&mut cloud, &mut store, day(10));
    assert!(first.changed && first.usage_complete);
    assert_eq!(first.usage.new, 20);
    assert_eq!(first.watermark, Some(day(10)));

    let before = (all_usage(&mut store), all_snapshots(&mut store));
    let same_moment = sync_at(&mut cloud, &mut store, day(10));
    assert!(!same_moment.changed);
    assert_eq!((all_usage(&mut store), all_snapshots(&mut store)), before);

    let later = sync_at(&mut cloud, &mut store, day(11));
    assert!(!later.changed);
    // the days from 2 on, eight days before the watermark
    assert_eq!(later.usage.unchanged, 16);
    assert_eq!(all_usage(&mut store), before.0);
}

#[test]
fn a_window_that_has_not_ended_waits_for_its_sync() {
    let mut cloud = FakeCloud::new(days(0..10));
    let mut store = SqliteStore::in_memory().unwrap();
    let now = day(5) + TimeDelta::hours(2);
    let report = sync_at(&mut cloud, &mut store, now);
    assert_eq!((report.usage.new, report.not_ended), (10, 2));
    assert_eq!(report.watermark, Some(day(5)));
    assert_eq!(cloud.asked[0].end(), now);
    let report = sync_at(&mut cloud, &mut store, day(6));
    assert_eq!((report.usage.new, report.not_ended), (2, 0));
}

/// A source that lists what happened reaches as far back at a sync of metadata alone, so that
/// entries do not come and go between the two.
#[test]
fn a_source_is_told_from_when_on_usage_is_of_interest_also_where_none_is_fetched() {
    let mut cloud = FakeCloud::new(days(0..10));
    let mut store = SqliteStore::in_memory().unwrap();
    sync_at(&mut cloud, &mut store, day(10));
    assert_eq!(cloud.begins, [cloud.asked[0].start()]);
    let metadata = options(day(11)).without_usage();
    sync(&mut cloud, &mut store, &metadata, &mut |_| {}).unwrap();
    sync_at(&mut cloud, &mut store, day(11));
    assert_eq!(cloud.asked.len(), 2);
    assert_eq!(cloud.begins[1..], [cloud.asked[1].start(); 2]);
}

#[test]
fn late_and_changed_records_within_the_lookback_are_found() {
    let mut cloud = FakeCloud::new(days(0..20));
    let mut store = SqliteStore::in_memory().unwrap();
    sync_at(&mut cloud, &mut store, day(20));
    cloud.records[2 * 14] = daily("a", 14, "12");
    cloud.records.push(daily("late", 15, "3"));
    cloud.records.push(daily("too late", 2, "3"));
    let report = sync_at(&mut cloud, &mut store, day(21));
    assert_eq!((report.usage.revised, report.usage.new), (1, 1));
    // asked to look again from the beginning, it finds the rest
    let deep = options(day(21)).since(day(0));
    let report = sync(&mut cloud, &mut store, &deep, &mut |_| {}).unwrap();
    assert_eq!((report.usage.new, report.usage.revised), (1, 0));
    assert_eq!(all_usage(&mut store).len(), cloud.records.len());
}

#[test]
fn a_failed_fetch_stores_nothing_and_the_next_one_makes_up_for_it() {
    let mut cloud = FakeCloud::new(days(0..10));
    let mut store = SqliteStore::in_memory().unwrap();
    sync_at(&mut cloud, &mut store, day(3));
    let before = (all_usage(&mut store), all_snapshots(&mut store));

    cloud.fails_at_page = Some(2);
    let error = sync(&mut cloud, &mut store, &options(day(10)), &mut |_| {}).unwrap_err();
    assert_eq!(
        (error.kind(), error.slug()),
        (SyncErrorKind::Source, "transport")
    );
    assert!(error.is_retryable());
    assert_eq!((all_usage(&mut store), all_snapshots(&mut store)), before);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(day(3)));

    cloud.fails_at_page = None;
    sync_at(&mut cloud, &mut store, day(10));
    let mut clean = SqliteStore::in_memory().unwrap();
    sync_at(&mut cloud, &mut clean, day(10));
    assert_eq!(all_usage(&mut store), all_usage(&mut clean));
}

#[test]
fn an_incomplete_fetch_leaves_the_watermark() {
    let mut cloud = FakeCloud::new(days(0..10));
    let mut store = SqliteStore::in_memory().unwrap();
    cloud.complete = false;
    let report = sync_at(&mut cloud, &mut store, day(10));
    assert!(report.changed && !report.usage_complete);
    assert_eq!((report.usage.new, report.watermark), (20, None));
    cloud.complete = true;
    let report = sync_at(&mut cloud, &mut store, day(10));
    assert!(!report.changed);
    assert_eq!(report.watermark, Some(day(10)));
}

#[test]
fn what_cannot_be_read_is_reported_and_kept() {
    let mut cloud = FakeCloud::new(days(0..2));
    cloud.rejections = (1..=30)
        .map(|position| Rejection {
            page: "page 1".to_owned(),
            position,
            field: None,
            slug: "quantity_empty".to_owned(),
            message: "rawusage is empty".to_owned(),
            json: format!("{{\"number\":{position}}}").into(),
        })
        .collect();
    let mut store = SqliteStore::in_memory().unwrap();
    let report = sync_at(&mut cloud, &mut store, day(2));
    assert_eq!((report.usage.rejected, report.new_rejections), (30, 30));
    assert_eq!(report.rejections.len(), 20);
    assert_eq!(all_rejections(&mut store).len(), 30);
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<SyncReport>(&json).unwrap(), report);
}

#[test]
fn metadata_alone_leaves_usage_and_watermark() {
    let mut cloud = FakeCloud::new(days(0..2));
    let mut store = SqliteStore::in_memory().unwrap();
    let alone = options(day(2)).without_usage();
    let report = sync(&mut cloud, &mut store, &alone, &mut |_| {}).unwrap();
    assert_eq!((report.range, report.watermark), (None, None));
    assert!(report.snapshot.is_some() && cloud.asked.is_empty());
    let usage_alone = options(day(2)).kinds([]);
    let report = sync(&mut cloud, &mut store, &usage_alone, &mut |_| {}).unwrap();
    assert!(report.snapshot.is_none());
    assert_eq!(all_snapshots(&mut store).len(), 1);
}

#[test]
fn an_observer_sees_every_page() {
    let mut cloud = FakeCloud::new(days(0..2));
    let mut store = MemoryStore::new();
    let mut seen = Vec::new();
    sync(&mut cloud, &mut store, &options(day(2)), &mut |progress| {
        seen.push(progress);
    })
    .unwrap();
    let page = |records| SyncProgress::Page {
        records,
        rejected: 0,
    };
    let range = cloud.asked[0];
    assert_eq!(
        seen,
        [
            SyncProgress::Metadata,
            SyncProgress::Usage { range },
            page(3),
            page(4),
            page(4),
            SyncProgress::Storing,
        ]
    );
}

#[test]
fn two_syncs_of_one_cloud_at_once_are_refused() {
    use cloudstack_usage::store::SyncRun;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut one = SqliteStore::open(&path).unwrap();
    let mut two = SqliteStore::open(&path).unwrap();
    let running = one
        .begin_sync(&SyncRun::new(DEFAULT_CLOUD, day(1)))
        .unwrap();
    let mut cloud = FakeCloud::new(days(0..2));
    let error = sync(&mut cloud, &mut two, &options(day(2)), &mut |_| {}).unwrap_err();
    assert_eq!(
        (error.kind(), error.slug()),
        (SyncErrorKind::Store, "sync_running")
    );
    assert!(error.is_retryable() && cloud.asked.is_empty());
    // another cloud is free, and so is this one when the first has ended
    let other = options(day(2)).cloud("other");
    sync(&mut cloud, &mut two, &other, &mut |_| {}).unwrap();
    drop(running);
    sync(&mut cloud, &mut two, &options(day(2)), &mut |_| {}).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However often it was synced on the way, failures included, the store ends with the
    /// usage that one sync at the end gives.
    #[test]
    fn many_syncs_end_where_one_does(
        steps in prop::collection::vec((1_i64..6, prop::option::weighted(0.3, 0_usize..4)), 1..8),
        raw in prop::collection::vec(1_u8..3, 40),
    ) {
        let records: Vec<_> = (0..).zip(&raw).map(|(number, raw)| daily("a", number, &raw.to_string())).collect();
        let mut cloud = FakeCloud::new(records);
        let mut store = SqliteStore::in_memory().unwrap();
        let mut now = 0;
        for (pause, failure) in steps {
            now += pause;
            cloud.fails_at_page = failure;
            let _ = sync(&mut cloud, &mut store, &options(day(now)), &mut |_| {});
        }
        cloud.fails_at_page = None;
        sync_at(&mut cloud, &mut store, day(now));
        let mut clean = MemoryStore::new();
        sync_at(&mut cloud, &mut clean, day(now));
        prop_assert_eq!(all_usage(&mut store), all_usage(&mut clean));
        prop_assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), clean.watermark(DEFAULT_CLOUD).unwrap());
    }
}
