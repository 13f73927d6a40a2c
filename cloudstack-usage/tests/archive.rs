//! Months in Parquet files: what is refused, and what merges.
#![cfg(all(feature = "archive", feature = "test-util"))]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::archive::{
    self, Archive, ArchiveErrorKind, ExportOptions, RestoreReport, export, prune, restore,
};
use cloudstack_usage::store::conformance::{stored_rows, usage_record};
use cloudstack_usage::store::{
    DEFAULT_CLOUD, MemoryStore, StoreErrorKind, StoredRow, SyncOutcome, SyncRun, UsageStore,
    UtcMonth,
};
use cloudstack_usage::{ParsedRecord, Period, Rejection, UsagePage, UsageType};

/// Midnight of a day, counted from the first of October.
fn day(number: i64) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2023-10-01T00:00:00Z".parse().unwrap();
    first + TimeDelta::days(number)
}

fn october() -> UtcMonth {
    "2023-10".parse().unwrap()
}

/// The whole of a day of a resource.
fn daily(resource: &str, number: i64, raw: &str) -> ParsedRecord {
    let mut entry = usage_record(resource, (0, 24), raw);
    entry.record.window = Period::new(day(number), day(number + 1)).unwrap();
    entry
}

fn sync(store: &mut dyn UsageStore, at: i64, records: &[ParsedRecord], outcome: &SyncOutcome) {
    let run = SyncRun::new(DEFAULT_CLOUD, day(at)).with_range(Period::always());
    let mut transaction = store.begin_sync(&run).unwrap();
    let rejections = vec![Rejection {
        page: "page 1".to_owned(),
        position: 3,
        field: None,
        slug: "quantity_empty".to_owned(),
        message: "rawusage is empty".to_owned(),
        json: r#"{"startdate":"2023-10-09T00:00:00+0000","enddate":"2023-10-09T23:59:59+0000"}"#
            .into(),
    }];
    let page = UsagePage {
        records: records.to_vec(),
        rejections,
    };
    transaction.put_usage(&page).unwrap();
    transaction.commit(outcome).unwrap();
}

/// Sixty days from the middle of September on, with twins, a revision and an odd text.
fn filled() -> MemoryStore {
    let mut store = MemoryStore::new();
    let mut records: Vec<ParsedRecord> = (-15..45).map(|number| daily("a", number, "24")).collect();
    records.extend([
        daily("b", 7, "3"),
        daily("b", 7, "3"),
        daily("b", 8, "0.0000000000000001"),
    ]);
    records[3].json = "{ \"a\": \"\u{1f600}\\u0000\",\r\n }".into();
    sync(&mut store, 46, &records, &SyncOutcome::complete());
    sync(
        &mut store,
        47,
        &[daily("b", 7, "4.50")],
        &SyncOutcome::complete(),
    );
    store
}

fn options() -> ExportOptions {
    ExportOptions::new(DEFAULT_CLOUD, october(), day(50))
}

fn everything(store: &mut dyn UsageStore) -> Vec<StoredRow> {
    stored_rows(store, Period::always())
}

/// A filled store, and the archive of its October.
fn archived(root: &Path) -> (MemoryStore, Archive) {
    let mut store = filled();
    let exported = export(&mut store, root, &options()).unwrap();
    assert!(exported.written);
    (store, exported.archive)
}

#[test]
fn a_month_goes_out_and_comes_back_as_it_was() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, archive) = archived(root.path());
    let before = everything(&mut store);
    let content = archive.manifest().content;
    // 37 days of a: three before the month, 31, three after it; three of b and one more
    assert_eq!(
        (content.records, content.superseded, content.rejections),
        (41, 2, 1)
    );
    let report = prune(&mut store, &archive, day(51)).unwrap();
    // the 25 days from the fourth to the twenty-eighth, and all of b
    assert_eq!((report.removed, report.kept), (29, 12));
    assert_eq!(everything(&mut store).len(), before.len() - 29);

    let expected = RestoreReport {
        added: 29,
        there: 12,
        was_away: true,
        ..RestoreReport::default()
    };
    assert_eq!(
        restore(&mut store, &archive, DEFAULT_CLOUD).unwrap(),
        expected
    );
    assert_eq!(everything(&mut store), before);
    // once more changes nothing
    let again = restore(&mut store, &archive, DEFAULT_CLOUD).unwrap();
    assert!(!again.changed() && again.there == 41);
    assert_eq!(everything(&mut store), before);
    // and out again with the same files
    let exported = export(&mut store, root.path(), &options()).unwrap();
    assert!(!exported.written);
    prune(&mut store, &exported.archive, day(52)).unwrap();
}

#[test]
fn an_archive_fills_an_empty_store() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, archive) = archived(root.path());
    let mut other = MemoryStore::new();
    let report = restore(&mut other, &archive, DEFAULT_CLOUD).unwrap();
    assert_eq!(
        (report.added, report.rejections, report.was_away),
        (41, 1, false)
    );
    let period = october().archive_period();
    assert_eq!(
        stored_rows(&mut other, period),
        stored_rows(&mut store, period)
    );
}

#[test]
fn a_month_is_written_when_it_is_settled_once_and_not_over_another() {
    let root = tempfile::tempdir().unwrap();
    let mut store = filled();
    // complete up to the fifteenth of November: eight days beyond October, not beyond November
    let november = ExportOptions::new(DEFAULT_CLOUD, october().next(), day(50));
    let refused = export(&mut store, root.path(), &november).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Unsettled);
    assert!(refused.to_string().contains("2023-11-15"), "{refused}");
    for (cloud, month) in [(DEFAULT_CLOUD, "2023-07"), ("another", "2023-10")] {
        let options = ExportOptions::new(cloud, month.parse().unwrap(), day(50));
        let refused = export(&mut store, root.path(), &options).unwrap_err();
        assert_eq!(refused.kind(), ArchiveErrorKind::Empty);
    }
    // nothing was left of all that but the folder of the cloud
    let left: Vec<PathBuf> = fs::read_dir(root.path().join("cloudstack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let archive = export(&mut store, root.path(), &options()).unwrap().archive;
    let before = fs::read(archive.folder().join("usage.parquet")).unwrap();
    sync(
        &mut store,
        48,
        &[daily("late", 3, "1")],
        &SyncOutcome::complete(),
    );
    let refused = export(&mut store, root.path(), &options()).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Exists);
    assert_eq!(
        fs::read(archive.folder().join("usage.parquet")).unwrap(),
        before
    );
    // what the archive does not hold stays
    let refused = prune(&mut store, &archive, day(51)).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Differs);
    assert!(store.archived_months(DEFAULT_CLOUD).unwrap().is_empty());

    let replaced = export(&mut store, root.path(), &options().replacing(true)).unwrap();
    assert!(replaced.written);
    assert_eq!(replaced.archive.manifest().content.records, 42);
    assert_eq!(
        fs::read_dir(root.path().join("cloudstack"))
            .unwrap()
            .count(),
        1
    );
    prune(&mut store, &replaced.archive, day(51)).unwrap();
    let refused = export(&mut store, root.path(), &options()).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Pruned);
    let refused = prune(&mut store, &replaced.archive, day(51)).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Pruned);
}

/// Every file of an archive.
const FILES: [&str; 3] = ["usage.parquet", "rejections.parquet", "manifest.json"];

#[test]
fn a_byte_changed_or_missing_anywhere_is_found_and_nothing_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, archive) = archived(root.path());
    prune(&mut store, &archive, day(51)).unwrap();
    let before = everything(&mut store);
    for name in FILES {
        let path = archive.folder().join(name);
        let whole = fs::read(&path).unwrap();
        // some hundred places all over the file, its last byte among them
        let step = (whole.len() / 97).max(1);
        for at in (0..whole.len()).step_by(step).chain([whole.len() - 1]) {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            fs::write(&path, &changed).unwrap();
            let refused = Archive::open(archive.folder()).unwrap_err().kind();
            let is_found = [ArchiveErrorKind::Damaged, ArchiveErrorKind::Version];
            assert!(is_found.contains(&refused), "{name} {at}: {refused:?}");
        }
        for length in [0, 1, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            let cut = Archive::open(archive.folder());
            assert_eq!(
                cut.unwrap_err().kind(),
                ArchiveErrorKind::Damaged,
                "{name} {length}"
            );
        }
        fs::remove_file(&path).unwrap();
        let missing = Archive::open(archive.folder()).unwrap_err();
        assert_eq!(missing.kind(), ArchiveErrorKind::Files);
        assert!(missing.to_string().contains(name), "{missing}");
        fs::write(&path, &whole).unwrap();
    }
    assert_eq!(everything(&mut store), before);
    restore(
        &mut store,
        &Archive::open(archive.folder()).unwrap(),
        DEFAULT_CLOUD,
    )
    .unwrap();
}

#[test]
fn an_archive_of_something_else_is_refused_and_nothing_is_changed() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, archive) = archived(root.path());
    let refused = restore(&mut store, &archive, "another cloud").unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Foreign);
    assert!(refused.to_string().contains("cloudstack"), "{refused}");

    // a database that had other syncs
    let mut other = MemoryStore::new();
    sync(
        &mut other,
        40,
        &[daily("c", 3, "24")],
        &SyncOutcome::complete(),
    );
    let before = everything(&mut other);
    let refused = restore(&mut other, &archive, DEFAULT_CLOUD).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Foreign);
    assert_eq!(everything(&mut other), before);

    // another archive of the month than the one that it was put away into
    sync(
        &mut store,
        48,
        &[daily("late", 3, "1")],
        &SyncOutcome::complete(),
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let newer = export(&mut store, elsewhere.path(), &options())
        .unwrap()
        .archive;
    prune(&mut store, &newer, day(51)).unwrap();
    let before = everything(&mut store);
    let refused = restore(&mut store, &archive, DEFAULT_CLOUD).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Foreign);
    let place = newer.folder().display().to_string();
    assert!(refused.to_string().contains(&place), "{refused}");
    assert_eq!(everything(&mut store), before);

    let path = archive.folder().join("manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("\"schema\": 1", "\"schema\": 2")).unwrap();
    let refused = Archive::open(archive.folder()).unwrap_err();
    assert_eq!(refused.kind(), ArchiveErrorKind::Version);
    assert_eq!(refused.slug(), "archive_version");
    assert!(refused.to_string().contains("version 2"), "{refused}");
}

/// What a sync brings of a month that is away is what it would have brought with it there.
#[test]
fn what_comes_late_is_kept_and_merged() {
    let root = tempfile::tempdir().unwrap();
    let (mut store, archive) = archived(root.path());
    let mut never_pruned = store.clone();
    prune(&mut store, &archive, day(51)).unwrap();
    let complete = SyncOutcome::complete();
    let late = [
        (
            60,
            vec![daily("a", 10, "24"), daily("new", 10, "5")],
            &complete,
        ),
        (
            61,
            vec![daily("a", 11, "20"), daily("b", 7, "3"), daily("b", 7, "3")],
            &complete,
        ),
        (
            62,
            vec![
                daily("a", 11, "21"),
                daily("new", 10, "5"),
                daily("a", 29, "1"),
            ],
            &complete,
        ),
        // a fetch that could not read everything: the first contradicts, the second adds
        (
            63,
            vec![
                daily("a", 12, "7"),
                daily("a", 13, "24"),
                daily("a", 13, "2"),
            ],
            &SyncOutcome::incomplete(),
        ),
    ];
    for (at, records, outcome) in late {
        sync(&mut store, at, &records, outcome);
        sync(&mut never_pruned, at, &records, outcome);
        // other months are billed as if it had never left
        assert_eq!(
            store.lifetimes(DEFAULT_CLOUD, None).unwrap(),
            never_pruned.lifetimes(DEFAULT_CLOUD, None).unwrap()
        );
    }
    let then = Some(day(61));
    assert_eq!(
        store.lifetimes(DEFAULT_CLOUD, then).unwrap(),
        never_pruned.lifetimes(DEFAULT_CLOUD, then).unwrap()
    );
    // all of it is still there when the months beside it go
    assert_eq!(late_rows(&mut store), 9);
    let report = restore(&mut store, &archive, DEFAULT_CLOUD).unwrap();
    assert_eq!(report.merged, 5);
    assert_eq!(everything(&mut store), everything(&mut never_pruned));
    assert_eq!(late_rows(&mut store), 0);
}

/// What came late takes the place of the first and last uses that are kept of a month, and
/// where it takes one away, the next one is in the archive alone.
#[test]
fn late_records_count_once_in_lifetimes() {
    let root = tempfile::tempdir().unwrap();
    let mut store = MemoryStore::new();
    // five days of one, a day and three hours of another, and what makes October settled
    let days = (15..20).map(|number| daily("long", number, "24"));
    let mut records: Vec<ParsedRecord> = days.collect();
    records.push(daily("b", 12, "3"));
    records.push(daily("b", 13, "24"));
    records.push(daily("far", 45, "24"));
    sync(&mut store, 46, &records, &SyncOutcome::complete());
    let archive = export(&mut store, root.path(), &options()).unwrap().archive;
    prune(&mut store, &archive, day(51)).unwrap();
    let first_use = |store: &mut MemoryStore, resource: &str| {
        let lifetimes = store.lifetimes(DEFAULT_CLOUD, None).unwrap();
        let used = lifetimes.used(UsageType::Volume, &resource.into());
        used.map(|used| used.start())
    };
    // the window after it is used, so the three hours are its last
    let used = Some(day(13) - TimeDelta::hours(3));
    assert_eq!(first_use(&mut store, "b"), used);
    for (at, raw, hours) in [(60, "3", 3), (61, "5", 5), (62, "2", 2)] {
        let late = [daily("b", 12, raw)];
        sync(&mut store, at, &late, &SyncOutcome::complete());
        let used = Some(day(13) - TimeDelta::hours(hours));
        assert_eq!(first_use(&mut store, "b"), used, "{raw}");
    }
    // none at all: all its windows are known, the next one is the first
    let late = [daily("b", 12, "0")];
    sync(&mut store, 63, &late, &SyncOutcome::complete());
    assert_eq!(first_use(&mut store, "b"), Some(day(13)));
    // of five windows the third is not known
    let late = [daily("long", 15, "0")];
    sync(&mut store, 64, &late, &SyncOutcome::complete());
    let refused = store.lifetimes(DEFAULT_CLOUD, None).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Archived);
    let text = refused.to_string();
    assert!(text.contains("long") && text.contains("2023-10"), "{text}");
    restore(&mut store, &archive, DEFAULT_CLOUD).unwrap();
    assert_eq!(first_use(&mut store, "long"), Some(day(16)));
    assert_eq!(first_use(&mut store, "b"), Some(day(13)));
}

/// Rows of time that is in archives.
fn late_rows(store: &mut dyn UsageStore) -> usize {
    let months = store.archived_months(DEFAULT_CLOUD).unwrap();
    let time = cloudstack_usage::store::archived_time(months.iter().map(|known| known.month));
    let rows = time.iter().flat_map(|time| {
        let rows = stored_rows(store, *time).into_iter();
        rows.filter(|row| match row {
            StoredRow::Usage(row) => time.covers(&row.stored.record.window),
            StoredRow::Rejection(_) => false,
        })
        .collect::<Vec<_>>()
    });
    rows.count()
}

#[test]
fn clouds_have_folders_of_their_own_whatever_their_names() {
    let root = tempfile::tempdir().unwrap();
    for (cloud, folder) in [
        ("..", "%2E%2E"),
        ("a/b c", "a%2Fb%20c"),
        ("zone-1", "zone-1"),
    ] {
        let mut store = MemoryStore::new();
        let run = SyncRun::new(cloud, day(46)).with_range(Period::always());
        let mut transaction = store.begin_sync(&run).unwrap();
        let page = UsagePage {
            records: vec![daily("a", 3, "24")],
            rejections: Vec::new(),
        };
        transaction.put_usage(&page).unwrap();
        transaction.commit(&SyncOutcome::complete()).unwrap();
        let options = ExportOptions::new(cloud, october(), day(46)).settled(-TimeDelta::days(30));
        let exported = archive::export(&mut store, root.path(), &options).unwrap();
        let place = root.path().join(folder).join("2023-10");
        assert_eq!(exported.archive.folder(), place);
    }
}
