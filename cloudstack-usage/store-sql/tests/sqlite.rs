//! What only the store in SQLite has: files, migrations, crashes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use cloudstack_usage::store::{DEFAULT_CLOUD, StoreErrorKind, SyncOutcome, SyncRun, UsageStore};
use cloudstack_usage::{Period, Snapshot, Tag};
use cloudstack_usage_store::SqliteStore;
use proptest::prelude::*;
use rusqlite::Connection;
use support::{
    all_snapshots, all_usage, answers_as_memory_does, daily, day, days, fetched,
    one_of_many_issues, page, put, snapshot, steps,
};

#[test]
fn a_file_keeps_everything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = (all_usage(&mut store), all_snapshots(&mut store));
    assert_eq!(before.0.len(), 4);
    drop(store);
    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!((all_usage(&mut store), all_snapshots(&mut store)), before);
    let mut reader = SqliteStore::open_read_only(&path).unwrap();
    assert_eq!((all_usage(&mut reader), all_snapshots(&mut reader)), before);
    let refused = reader.begin_sync(&SyncRun::new(DEFAULT_CLOUD, day(3)));
    let refused = refused.and_then(|transaction| transaction.commit(&SyncOutcome::complete()));
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Unavailable);
}

#[test]
fn a_sync_that_fails_at_its_very_end_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = (all_usage(&mut store), all_snapshots(&mut store));

    // the last table that a sync writes refuses, when all others are written
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON csb_sync BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    let run = SyncRun::new(DEFAULT_CLOUD, day(4)).with_range(Period::always());
    let mut transaction = store.begin_sync(&run).unwrap();
    let mut records = days(0..4);
    records[0] = daily("a", 0, "5");
    transaction.put_usage(&page(records)).unwrap();
    let mut changed = snapshot();
    changed.vms.clear();
    transaction.put_snapshot(&fetched(&changed)).unwrap();
    let error = transaction.commit(&SyncOutcome::complete()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Database);
    assert!(error.to_string().contains("csb_sync"));
    assert!(std::error::Error::source(&error).is_some());

    assert_eq!((all_usage(&mut store), all_snapshots(&mut store)), before);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(day(2)));
    // and the same connection goes on
    other.execute_batch("DROP TRIGGER refuse").unwrap();
    put(&mut store, 4, &page(days(0..4)), &changed);
    assert_eq!(all_usage(&mut store).len(), 8);
}

#[test]
fn a_connection_lost_in_the_middle_leaves_nothing_and_locks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = all_usage(&mut store);
    {
        let mut lost = SqliteStore::open(&path).unwrap();
        let run = SyncRun::new(DEFAULT_CLOUD, day(4)).with_range(Period::always());
        let mut transaction = lost.begin_sync(&run).unwrap();
        transaction.put_usage(&page(days(0..4))).unwrap();
        // while it fetches, others read and write
        assert_eq!(all_usage(&mut store), before);
        let other = Connection::open(&path).unwrap();
        other
            .execute_batch("CREATE TABLE of_the_portal (id INTEGER)")
            .unwrap();
    }
    assert_eq!(all_usage(&mut store), before);
    put(&mut store, 4, &page(days(0..4)), &snapshot());
    assert_eq!(all_usage(&mut store).len(), 8);
}

#[test]
fn an_unchanged_sync_writes_no_row_but_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let reader = Connection::open(&path).unwrap();
    let tables = [
        "csb_usage",
        "csb_entity",
        "csb_rejection",
        "csb_sync",
        "csb_snapshot",
    ];
    let rows = || {
        tables.map(|table| {
            let sql = format!("SELECT count(*) FROM {table}");
            reader
                .query_row(&sql, (), |row| row.get::<_, i64>(0))
                .unwrap()
        })
    };
    let [usage, entities, rejections, syncs, snapshots] = rows();
    put(&mut store, 3, &page(days(0..2)), &snapshot());
    assert_eq!(
        rows(),
        [usage, entities, rejections, syncs + 1, snapshots + 1]
    );
}

#[test]
fn the_views_show_what_is_known_now_in_readable_times() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    put(&mut store, 2, &page(vec![daily("a", 0, "24")]), &snapshot());
    put(
        &mut store,
        3,
        &page(vec![daily("a", 0, "23.5")]),
        &snapshot(),
    );
    let reader = Connection::open(&path).unwrap();
    let usage: (String, String) = reader
        .query_row(
            "SELECT window_end, raw_usage FROM csb_usage_now",
            (),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let end = day(1).format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    assert_eq!(usage, (end, "23.5".to_owned()));
    let sql = "SELECT last_seen, is_there FROM csb_entity_seen WHERE kind = 'vm'";
    let vm: (String, bool) = reader
        .query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    let seen = day(3).format("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    assert_eq!(vm, (seen, true));
}

#[test]
fn a_database_of_another_version_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    drop(SqliteStore::open(&path).unwrap());
    let tamper = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();

    tamper("INSERT INTO csb_migration VALUES (9999, 'future', 'x')");
    for opened in [SqliteStore::open(&path), SqliteStore::open_read_only(&path)] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
        assert!(error.to_string().contains("9999"));
        assert!(error.to_string().contains("usage.sqlite"));
    }
    tamper("DELETE FROM csb_migration WHERE number = 9999");
    tamper("UPDATE csb_migration SET sha256 = 'other'");
    let error = SqliteStore::open(&path).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ChangedMigration);
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no such folder").join("usage.sqlite");
    let error = SqliteStore::open(&missing).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    let error = SqliteStore::open_read_only(folder.path().join("none.sqlite")).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);

    let text = folder.path().join("text.sqlite");
    std::fs::write(
        &text,
        "this is a text, and longer than a header of SQLite would be".repeat(20),
    )
    .unwrap();
    assert_eq!(
        SqliteStore::open(&text).unwrap_err().kind(),
        StoreErrorKind::Corrupt
    );

    let empty = folder.path().join("empty.sqlite");
    std::fs::write(&empty, "").unwrap();
    let error = SqliteStore::open_read_only(&empty).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::OlderSchema);
}

#[test]
fn a_row_changed_by_hand_is_an_error_that_names_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("UPDATE csb_usage SET record = '{}' WHERE id = 1")
        .unwrap();
    let query = cloudstack_usage::store::UsageQuery::new(DEFAULT_CLOUD, Period::always());
    let error = store.usage(&query, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("csb_usage"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is put, SQLite answers as the store in memory does.
    #[test]
    fn sqlite_answers_as_memory_does(steps in steps()) {
        answers_as_memory_does(&mut SqliteStore::in_memory().unwrap(), &steps)?;
    }

    /// Snapshots of random content come back as they were put.
    #[test]
    fn random_snapshots_come_back(steps in steps()) {
        let snapshots: Vec<Snapshot> = (0..).zip(&steps).map(|(number, (_, tags, has_volume, complete))| {
            let mut snapshot = snapshot();
            snapshot.at = day(number);
            snapshot.tags = tags.iter().map(|tag| cloudstack_usage::ResourceTag {
                resource_type: "UserVm".to_owned(),
                resource: "vm".into(),
                tag: Tag::new("key", tag.to_string()),
            }).collect();
            if !has_volume {
                snapshot.volumes.clear();
            }
            if !complete {
                snapshot.complete.clear();
            }
            snapshot
        }).collect();
        let mut store = SqliteStore::in_memory().unwrap();
        cloudstack_usage::store::conformance::check_snapshots(&mut store, &snapshots);
    }
}

#[test]
fn of_two_bills_issued_at_once_one_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("usage.sqlite");
    drop(SqliteStore::open(&path).unwrap());
    one_of_many_issues(|| Box::new(SqliteStore::open(&path).unwrap()));
}
