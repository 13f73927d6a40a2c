//! The laws that every implementation of the store port keeps, as functions over an empty
//! store that panic where a law is broken. [`store_conformance!`](crate::store_conformance)
//! makes a test of each.
//!
//! ```
//! use cloudstack_usage::store::{MemoryStore, conformance};
//!
//! conformance::repeating_a_fetch_changes_nothing(&mut MemoryStore::new());
//! ```
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a suite of tests: it panics where a law is broken, which is what it is for"
)]

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value;

use super::{
    ArchivedMonth, DEFAULT_CLOUD, Document, DocumentDigest, DocumentKind, Label, LabelTarget,
    RecordVersion, RejectionVersion, StoreError, StoreErrorKind, StoredRow, SyncEntry, SyncOutcome,
    SyncRun, UsageQuery, UsageStore, UtcMonth,
};
use crate::id::{AccountId, DomainId, ProjectId, ResourceId, VmId, VolumeId};
use crate::metadata::{
    Account, Domain, IpAddress, Kind, Network, Offering, OsCategory, OsType, Project, Snapshot,
    TagAction, TagEvent, Template, Vm, VmAction, VmEvent, Volume, VolumeSnapshot, Vpc, Zone,
};
use crate::month_uses::{MonthUses, ResourceUses};
use crate::period::Period;
use crate::quantity::Quantity;
use crate::record::{Holder, Owner, UsageRecord};
use crate::source::{ParsedRecord, Rejection, SnapshotFetch, UsagePage};
use crate::tag::{ResourceTag, Tag};
use crate::usage_lifetimes::UsageLifetimes;
use crate::usage_type::UsageType;

/// Makes a test of each law for the store that the expression makes:
/// `store_conformance!(MemoryStore::new());`. What the store needs while a test runs can be
/// made before it: `store_conformance!(folder = new_folder(); open(folder.path()));`
#[macro_export]
macro_rules! store_conformance {
    ($make:expr) => {
        $crate::store_conformance!(nothing = (); $make);
    };
    ($held:ident = $setup:expr; $make:expr) => {
        $crate::store_conformance!(@each $held, $setup, $make;
            repeating_a_fetch_changes_nothing,
            twins_and_copies_keep_their_number,
            a_changed_multiset_is_a_revision,
            other_fields_make_no_revision,
            a_revision_keeps_the_domain_of_the_first_sight,
            lifetimes_are_those_of_all_records,
            what_a_later_fetch_misses_stays,
            the_order_of_pages_and_records_is_irrelevant,
            usage_comes_by_period_and_in_order,
            large_and_fine_numbers_are_exact,
            an_incomplete_fetch_adds_but_replaces_nothing,
            the_watermark_moves_with_a_complete_commit_only,
            a_dropped_transaction_leaves_nothing,
            syncs_are_recorded_and_go_forward,
            snapshots_come_back_as_they_were_put,
            an_unchanged_snapshot_says_so,
            an_event_that_is_not_listed_any_more_is_no_change,
            incomplete_lists_are_told_from_absence,
            how_far_back_events_are_listed_is_known,
            rejections_stand_until_they_can_be_read,
            labels_hold_for_their_time_and_are_never_overwritten,
            labels_are_known_since_they_were_recorded,
            documents_are_kept_as_they_were_and_in_order,
            a_document_adds_nothing_unless_its_text_is_new,
            texts_are_told_apart_to_the_letter,
            clouds_are_kept_apart,
            an_error_of_the_sink_ends_the_reading,
            stored_rows_are_all_revisions_in_order,
            a_month_put_away_is_refused_and_its_uses_are_known,
            a_month_taken_back_is_as_it_was,
            a_dropped_retention_leaves_the_store_as_it_was,
            what_a_month_beside_needs_stays_there,
        );
    };
    (@each $held:ident, $setup:expr, $make:expr; $($law:ident,)+) => {
        $(#[test]
        #[allow(clippy::let_unit_value, unused_variables)]
        fn $law() {
            let $held = $setup;
            $crate::store::conformance::$law(&mut $make);
        })+
    };
}

/// An hour of the suite's own calendar.
fn hour(number: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 / 3600 * 3600, 0).unwrap() + TimeDelta::hours(number)
}

fn hours(start: i64, end: i64) -> Period {
    Period::new(hour(start), hour(end)).unwrap()
}

fn owner(holder: Holder) -> Owner {
    Owner {
        domain: DomainId::new("d0000000-0000-4000-8000-000000000001"),
        holder,
    }
}

/// A record of the suite: usage of a volume in a window of hours.
#[must_use]
pub fn usage_record(resource: &str, window: (i64, i64), raw_usage: &str) -> ParsedRecord {
    let raw_usage = Decimal::from_str_exact(raw_usage).unwrap();
    let record = UsageRecord {
        usage_type: UsageType::Volume,
        window: hours(window.0, window.1),
        quantity: Quantity::from_raw(raw_usage, crate::usage_type::Unit::Time)
            .unwrap_or(Quantity::time(0)),
        raw_usage,
        owner: owner(Holder::Project(ProjectId::new("a project"))),
        holder_name: Some("\u{dc}mlaut; \"quoted\"".to_owned()),
        domain_name: None,
        domain_path: Some("ROOT/customer".to_owned()),
        zone: None,
        resource: Some(ResourceId::new(resource)),
        vm: None,
        offering: None,
        template: None,
        os_type: None,
        os_category: None,
        os_category_name: None,
        kind: None,
        size_bytes: Some(u64::MAX),
        virtual_size_bytes: None,
        cpu_count: None,
        cpu_mhz: None,
        memory_mib: None,
        network: None,
        vpc: None,
        is_default: None,
        is_source_nat: None,
        is_system: None,
        name: None,
        description: format!("usage of {resource}"),
        tags_at_query: vec![Tag::new("Billing", "noDisk")],
    };
    let json = format!(r#"{{ "usageid": "{resource}", "rawusage": "{raw_usage}" }}"#);
    ParsedRecord {
        record,
        json: json.into_boxed_str(),
    }
}

fn page(records: &[ParsedRecord]) -> UsagePage {
    UsagePage {
        records: records.to_vec(),
        rejections: Vec::new(),
    }
}

/// Puts one fetch as the sync of an hour.
fn put(
    store: &mut dyn UsageStore,
    cloud: &str,
    at: i64,
    pages: &[UsagePage],
    outcome: &SyncOutcome,
) -> SyncEntry {
    let run = SyncRun::new(cloud, hour(at)).with_range(hours(0, at.max(1)));
    let mut transaction = store.begin_sync(&run).unwrap();
    for page in pages {
        transaction.put_usage(page).unwrap();
    }
    transaction.commit(outcome).unwrap()
}

fn put_complete(store: &mut dyn UsageStore, at: i64, records: &[ParsedRecord]) -> SyncEntry {
    let outcome = SyncOutcome::complete();
    put(store, DEFAULT_CLOUD, at, &[page(records)], &outcome)
}

fn read(store: &mut dyn UsageStore, query: &UsageQuery) -> Vec<UsageRecord> {
    let mut records = Vec::new();
    store
        .usage(query, &mut |record| {
            records.push(record);
            Ok(())
        })
        .unwrap();
    records
}

fn read_all(store: &mut dyn UsageStore) -> Vec<UsageRecord> {
    read(store, &UsageQuery::new(DEFAULT_CLOUD, Period::always()))
}

fn raw(records: &[UsageRecord]) -> Vec<String> {
    let raw = records.iter().map(|record| record.raw_usage.to_string());
    raw.collect()
}

/// The same fetch again is all unchanged, and says so.
pub fn repeating_a_fetch_changes_nothing(store: &mut dyn UsageStore) {
    let records = [
        usage_record("a", (0, 24), "24"),
        usage_record("b", (0, 24), "1.5"),
    ];
    let first = put_complete(store, 30, &records);
    assert_eq!((first.usage.new, first.usage.records()), (2, 2));
    assert!(first.changed());
    let before = read_all(store);
    assert_eq!(before.len(), 2);
    for at in [30, 31] {
        let again = put_complete(store, at, &records);
        assert_eq!((again.usage.unchanged, again.usage.records()), (2, 2));
        assert!(!again.changed());
        assert_eq!(again.watermark, first.watermark);
    }
    assert_eq!(read_all(store), before);
    for record in &records {
        let versions = store.versions(DEFAULT_CLOUD, &record.record.key()).unwrap();
        assert_eq!(versions.len(), 1);
        assert_eq!(versions[0].record, record.record);
        assert_eq!(versions[0].json, record.json);
        assert_eq!(versions[0].recorded_from, hour(30));
    }
}

/// Records of one key in one fetch are all kept, identical ones by their number.
pub fn twins_and_copies_keep_their_number(store: &mut dyn UsageStore) {
    let twin = |raw| usage_record("a", (0, 24), raw);
    let entry = put_complete(store, 30, &[twin("20"), twin("4"), twin("4"), twin("10")]);
    assert_eq!(entry.usage.new, 4);
    assert_eq!(raw(&read_all(store)), ["4", "4", "10", "20"]);
    let entry = put_complete(store, 31, &[twin("4.0"), twin("10"), twin("20"), twin("4")]);
    assert_eq!((entry.usage.unchanged, entry.usage.records()), (4, 4));
}

/// Other usage under a known key adds a revision; what was known before stays readable.
pub fn a_changed_multiset_is_a_revision(store: &mut dyn UsageStore) {
    let twin = |raw| usage_record("a", (0, 24), raw);
    let other = usage_record("b", (0, 24), "7");
    put_complete(store, 30, &[twin("20"), twin("4"), other.clone()]);
    let entry = put_complete(store, 40, &[twin("21"), other.clone()]);
    assert_eq!(
        (
            entry.usage.revised,
            entry.usage.superseded,
            entry.usage.unchanged,
            entry.usage.new
        ),
        (1, 2, 1, 0)
    );
    // a copy more is another multiset too
    let entry = put_complete(store, 50, &[twin("21"), twin("21"), other]);
    assert_eq!((entry.usage.revised, entry.usage.superseded), (2, 1));

    let mut known_on = |at: Option<i64>| {
        let mut query = UsageQuery::new(DEFAULT_CLOUD, hours(0, 24));
        if let Some(at) = at {
            query = query.as_known_on(hour(at));
        }
        let mut values = raw(&read(store, &query));
        values.sort();
        values
    };
    assert!(known_on(Some(29)).is_empty());
    for at in [30, 39] {
        assert_eq!(known_on(Some(at)), ["20", "4", "7"]);
    }
    for at in [40, 49] {
        assert_eq!(known_on(Some(at)), ["21", "7"]);
    }
    assert_eq!(known_on(Some(50)), ["21", "21", "7"]);
    assert_eq!(known_on(None), ["21", "21", "7"]);

    let versions = store
        .versions(DEFAULT_CLOUD, &twin("0").record.key())
        .unwrap();
    let recorded: Vec<_> = versions
        .iter()
        .map(|v| {
            (
                v.record.raw_usage.to_string(),
                v.recorded_from,
                v.recorded_until,
            )
        })
        .collect();
    assert_eq!(
        recorded,
        [
            ("4".to_owned(), hour(30), Some(hour(40))),
            ("20".to_owned(), hour(30), Some(hour(40))),
            ("21".to_owned(), hour(40), Some(hour(50))),
            ("21".to_owned(), hour(50), None),
            ("21".to_owned(), hour(50), None),
        ]
    );
}

/// Names, domain, tags and OS change between reads of one record: the first read stands.
pub fn other_fields_make_no_revision(store: &mut dyn UsageStore) {
    let first = usage_record("a", (0, 24), "24");
    put_complete(store, 30, std::slice::from_ref(&first));
    let mut again = first.clone();
    again.record.holder_name = Some("renamed".to_owned());
    again.record.owner.domain = DomainId::new("moved");
    again.record.tags_at_query.clear();
    again.json = "{}".into();
    let entry = put_complete(store, 31, &[again]);
    assert_eq!((entry.usage.unchanged, entry.usage.records()), (1, 1));
    assert_eq!(read_all(store), [first.record]);
}

/// CloudStack answers with the domain that an account is in now; usage stays with the one
/// that it was first seen in.
pub fn a_revision_keeps_the_domain_of_the_first_sight(store: &mut dyn UsageStore) {
    let first = usage_record("a", (0, 24), "20");
    put_complete(store, 100, std::slice::from_ref(&first));
    let mut moved = usage_record("a", (0, 24), "24");
    moved.record.owner.domain = DomainId::new("another domain");
    moved.record.domain_name = Some("another".to_owned());
    moved.record.domain_path = Some("ROOT/another".to_owned());
    let twin = moved.clone();
    let entry = put_complete(store, 101, &[moved.clone(), twin]);
    assert_eq!((entry.usage.revised, entry.usage.superseded), (2, 1));
    let read = read_all(store);
    assert_eq!(raw(&read), ["24", "24"]);
    for record in read {
        assert_eq!(record.owner, first.record.owner);
        assert_eq!(record.domain_name, first.record.domain_name);
        assert_eq!(record.domain_path, first.record.domain_path);
    }
    // usage that was not known before is the new domain's
    let mut next = usage_record("a", (24, 48), "24");
    next.record.owner = moved.record.owner.clone();
    put_complete(store, 102, std::slice::from_ref(&next));
    assert_eq!(read_all(store).last(), Some(&next.record));
}

/// What a store says of first and last uses is what its records say.
pub fn lifetimes_are_those_of_all_records(store: &mut dyn UsageStore) {
    let mut records: Vec<ParsedRecord> = Vec::new();
    for start in (0_i64..240).step_by(24) {
        records.push(usage_record("whole", (start, start + 24), "24"));
    }
    for (start, raw) in [
        (48, "0.5"),
        (72, "24"),
        (96, "24"),
        (120, "7.25"),
        (144, "0.000138"),
    ] {
        records.push(usage_record("part", (start, start + 24), raw));
    }
    records.push(usage_record("part", (48, 72), "1.5"));
    for (usage_type, id) in [
        (UsageType::AllocatedVm, "vm"),
        (UsageType::RunningVm, "vm"),
        (UsageType::IpAddress, "address"),
        (UsageType::Snapshot, "snapshot"),
    ] {
        for start in [24, 48] {
            let mut entry = usage_record(id, (start, start + 24), "3");
            entry.record.usage_type = usage_type;
            entry.record.vm = (id == "vm").then(|| VmId::new(id));
            records.push(entry);
        }
    }
    let mut attached = usage_record("whole", (240, 264), "24");
    attached.record.vm = Some(VmId::new("vm"));
    records.push(attached);
    put_complete(store, 300, &records);
    let revised = usage_record("part", (120, 144), "8.25");
    put_complete(store, 301, &[revised]);
    for known_on in [None, Some(hour(300)), Some(hour(299))] {
        let mut query = UsageQuery::new(DEFAULT_CLOUD, Period::always());
        query.as_known_on = known_on;
        let mut expected = UsageLifetimes::default();
        for record in read(store, &query) {
            expected.observe(&record);
        }
        assert_eq!(store.lifetimes(DEFAULT_CLOUD, known_on).unwrap(), expected);
        assert_eq!(expected.is_empty(), known_on == Some(hour(299)));
    }
    assert!(store.lifetimes("unknown", None).unwrap().is_empty());
}

/// CloudStack prunes old rows: a key that a later complete fetch does not have stays.
pub fn what_a_later_fetch_misses_stays(store: &mut dyn UsageStore) {
    put_complete(store, 30, &[usage_record("a", (0, 24), "24")]);
    let entry = put_complete(store, 60, &[usage_record("a", (24, 48), "24")]);
    assert_eq!((entry.usage.new, entry.usage.superseded), (1, 0));
    assert_eq!(read_all(store).len(), 2);
    assert!(!put_complete(store, 61, &[]).changed());
    assert_eq!(read_all(store).len(), 2);
}

/// However the records of a fetch are ordered and paged, the same is stored.
pub fn the_order_of_pages_and_records_is_irrelevant(store: &mut dyn UsageStore) {
    let mut records = vec![
        usage_record("a", (0, 24), "9"),
        usage_record("a", (0, 24), "10"),
        usage_record("a", (0, 24), "10"),
        usage_record("b", (0, 24), "1"),
        usage_record("b", (24, 48), "2"),
    ];
    // the same usage with another text as sent
    records[2].json = "{}".into();
    let outcome = SyncOutcome::complete();
    put(store, "forward", 50, &[page(&records)], &outcome);
    records.reverse();
    let pages: Vec<UsagePage> = records.chunks(2).map(page).collect();
    put(store, "backward", 50, &pages, &outcome);
    let mut of = |cloud| read(store, &UsageQuery::new(cloud, Period::always()));
    assert_eq!(of("forward"), of("backward"));
    assert_eq!(of("forward").len(), 5);
    for record in &records {
        let key = record.record.key();
        assert_eq!(
            store.versions("forward", &key).unwrap(),
            store.versions("backward", &key).unwrap()
        );
    }
}

/// A period has the records whose window overlaps it, in order of their windows.
pub fn usage_comes_by_period_and_in_order(store: &mut dyn UsageStore) {
    let records = [
        usage_record("next", (48, 72), "4"),
        usage_record("long", (0, 72), "1"),
        usage_record("before", (0, 24), "2"),
        usage_record("inside", (24, 25), "3"),
        usage_record("inside", (24, 48), "5"),
    ];
    put_complete(store, 80, &records);
    let query = UsageQuery::new(DEFAULT_CLOUD, hours(24, 48));
    assert_eq!(raw(&read(store, &query)), ["1", "3", "5"]);
    let query = UsageQuery::new(DEFAULT_CLOUD, hours(71, 100));
    assert_eq!(raw(&read(store, &query)), ["1", "4"]);
    let query = UsageQuery::new(DEFAULT_CLOUD, hours(72, 100));
    assert!(read(store, &query).is_empty());
    let windows: Vec<Period> = read_all(store).iter().map(|record| record.window).collect();
    assert!(windows.is_sorted_by_key(|window| (window.start(), window.end())));
    assert_eq!(windows.len(), 5);
}

/// Numbers of 28 digits and zeros at the end come back as they were sent.
pub fn large_and_fine_numbers_are_exact(store: &mut dyn UsageStore) {
    let texts = [
        "79228162514264337593543950335",
        "0.0000000000000000000000000001",
        "18446744073709551616",
        "24.000000",
    ];
    let records: Vec<ParsedRecord> = (0..)
        .zip(texts)
        .map(|(at, text)| {
            let mut record = usage_record("a", (at, at + 1), text);
            record.record.usage_type = UsageType::VmSnapshot;
            let raw_usage = record.record.raw_usage;
            if let Ok(bytes) = Quantity::from_raw(raw_usage, crate::usage_type::Unit::Bytes) {
                record.record.quantity = bytes;
            }
            record
        })
        .collect();
    put_complete(store, 30, &records);
    let read = read_all(store);
    assert_eq!(raw(&read), texts);
    let stored: Vec<UsageRecord> = records.into_iter().map(|entry| entry.record).collect();
    assert_eq!(read, stored);
}

/// A fetch that could not read everything adds what is new, and leaves contradictions to
/// the next complete one.
pub fn an_incomplete_fetch_adds_but_replaces_nothing(store: &mut dyn UsageStore) {
    let a = |raw| usage_record("a", (0, 24), raw);
    let b = |raw| usage_record("b", (0, 24), raw);
    let c = |raw| usage_record("c", (0, 24), raw);
    put_complete(store, 30, &[a("3"), a("5"), b("1"), c("1")]);
    let records = [
        a("3"),
        b("2"),
        c("1"),
        c("2"),
        usage_record("d", (0, 24), "9"),
    ];
    let incomplete = SyncOutcome::incomplete();
    let entry = put(store, DEFAULT_CLOUD, 31, &[page(&records)], &incomplete);
    assert!(!entry.usage_complete);
    let usage = entry.usage;
    assert_eq!(
        (
            usage.unchanged,
            usage.deferred,
            usage.revised,
            usage.new,
            usage.superseded
        ),
        (1, 1, 2, 1, 1)
    );
    let mut values = raw(&read_all(store));
    values.sort();
    assert_eq!(values, ["1", "1", "2", "3", "5", "9"]);
    let entry = put_complete(store, 32, &records);
    assert_eq!((entry.usage.revised, entry.usage.superseded), (2, 3));
}

/// The watermark is the end of the newest window of complete fetches, and never goes back.
pub fn the_watermark_moves_with_a_complete_commit_only(store: &mut dyn UsageStore) {
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), None);
    let record = |day: i64| usage_record("a", (day * 24, day * 24 + 24), "24");
    let incomplete = SyncOutcome::incomplete();
    put(store, DEFAULT_CLOUD, 30, &[page(&[record(0)])], &incomplete);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), None);
    let entry = put_complete(store, 50, &[record(1), record(0)]);
    assert_eq!(entry.watermark, Some(hour(48)));
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(hour(48)));
    put_complete(store, 51, &[record(0)]);
    put_complete(store, 52, &[]);
    put(store, DEFAULT_CLOUD, 80, &[page(&[record(2)])], &incomplete);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(hour(48)));
}

/// Nothing of a sync is visible before its commit; dropped, it never was.
pub fn a_dropped_transaction_leaves_nothing(store: &mut dyn UsageStore) {
    let kept = put_complete(store, 30, &[usage_record("a", (0, 24), "24")]);
    let before = read_all(store);
    {
        let run = SyncRun::new(DEFAULT_CLOUD, hour(60)).with_range(hours(0, 60));
        let mut transaction = store.begin_sync(&run).unwrap();
        let changed = [
            usage_record("a", (0, 24), "1"),
            usage_record("a", (24, 48), "1"),
        ];
        let mut page = page(&changed);
        page.rejections.push(rejection("{}", 1));
        transaction.put_usage(&page).unwrap();
        transaction.put_snapshot(&fetch(full_snapshot(60))).unwrap();
    }
    assert_eq!(read_all(store), before);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(hour(24)));
    assert_eq!(store.syncs(DEFAULT_CLOUD).unwrap(), [kept]);
    assert!(read_snapshots(store, None).is_empty());
    assert!(
        store
            .rejections(DEFAULT_CLOUD, Period::always())
            .unwrap()
            .is_empty()
    );
    // and what was dropped does not come back with the next one
    assert!(!put_complete(store, 61, &[]).changed());
    assert_eq!(read_all(store), before);
}

/// Every commit is recorded; a sync before the last one is refused.
pub fn syncs_are_recorded_and_go_forward(store: &mut dyn UsageStore) {
    let notices = vec![crate::source::Notice {
        slug: "page_size_reduced".to_owned(),
        message: "in words".to_owned(),
    }];
    let outcome = SyncOutcome::complete().with_notices(notices);
    let first = put(store, DEFAULT_CLOUD, 30, &[], &outcome);
    let second = put_complete(store, 31, &[usage_record("a", (0, 24), "24")]);
    assert_eq!(first.notices.len(), 1);
    assert_eq!(store.syncs(DEFAULT_CLOUD).unwrap(), [first, second]);
    let refused = store.begin_sync(&SyncRun::new(DEFAULT_CLOUD, hour(29)));
    assert_eq!(
        refused.err().map(|e| e.kind()),
        Some(StoreErrorKind::OutOfOrder)
    );
    let refused = store.begin_sync(&SyncRun::new("", hour(40)));
    assert_eq!(
        refused.err().map(|e| e.kind()),
        Some(StoreErrorKind::Invalid)
    );
    assert_eq!(store.syncs(DEFAULT_CLOUD).unwrap().len(), 2);
}

fn fetch(snapshot: Snapshot) -> SnapshotFetch {
    SnapshotFetch {
        snapshot,
        rejections: Vec::new(),
        notices: Vec::new(),
    }
}

/// Puts a snapshot as the sync of its moment.
fn put_snapshot(store: &mut dyn UsageStore, snapshot: &Snapshot) -> SyncEntry {
    let run = SyncRun::new(DEFAULT_CLOUD, snapshot.at);
    let mut transaction = store.begin_sync(&run).unwrap();
    transaction.put_snapshot(&fetch(snapshot.clone())).unwrap();
    transaction.commit(&SyncOutcome::incomplete()).unwrap()
}

fn read_snapshots(store: &mut dyn UsageStore, known_on: Option<DateTime<Utc>>) -> Vec<Snapshot> {
    let mut snapshots = Vec::new();
    store
        .snapshots(DEFAULT_CLOUD, known_on, &mut |snapshot| {
            snapshots.push(snapshot.clone());
            Ok(())
        })
        .unwrap();
    snapshots
}

/// A snapshot as a value in which the order of lists does not count.
fn unordered(snapshot: &Snapshot) -> Value {
    fn sort(value: &mut Value) {
        match value {
            Value::Array(values) => {
                values.iter_mut().for_each(sort);
                values.sort_by_key(ToString::to_string);
            }
            Value::Object(fields) => fields.values_mut().for_each(sort),
            _ => {}
        }
    }
    let mut value = serde_json::to_value(snapshot).unwrap();
    sort(&mut value);
    value
}

/// Puts the snapshots as successive syncs and checks that each comes back as it was put
/// except for the order within its lists. Their moments must go forward.
pub fn check_snapshots(store: &mut dyn UsageStore, snapshots: &[Snapshot]) {
    for snapshot in snapshots {
        put_snapshot(store, snapshot);
    }
    let expected: Vec<Value> = snapshots.iter().map(unordered).collect();
    let read: Vec<Value> = read_snapshots(store, None).iter().map(unordered).collect();
    assert_eq!(read, expected);
}

fn tag(key: &str, value: &str) -> ResourceTag {
    ResourceTag {
        resource_type: "UserVm".to_owned(),
        resource: ResourceId::new("vm"),
        tag: Tag::new(key, value),
    }
}

/// A snapshot with something of every kind.
#[must_use]
pub fn full_snapshot(at: i64) -> Snapshot {
    let mut snapshot = Snapshot::new(hour(at)).all_complete();
    snapshot.domains.push(Domain {
        id: DomainId::new("d1"),
        name: "customer".to_owned(),
        path: "ROOT/customer".to_owned(),
        parent: Some(DomainId::new("root")),
    });
    snapshot.projects.push(Project {
        id: ProjectId::new("p1"),
        name: "project".to_owned(),
        display_text: None,
        domain: DomainId::new("d1"),
        state: Some("Active".to_owned()),
        tags: vec![Tag::new("CostCenter", "4711"), Tag::new("A", "b")],
    });
    snapshot.accounts.push(Account {
        id: AccountId::new("a1"),
        name: "account".to_owned(),
        domain: DomainId::new("d1"),
        state: None,
    });
    snapshot.vms.push(Vm {
        id: VmId::new("00000000-0000-4000-8000-000000000001"),
        name: "vm".to_owned(),
        display_name: Some("a \"name\"; with = signs".to_owned()),
        owner: owner(Holder::Account(AccountId::new("a1"))),
        created: Some(hour(-5)),
        last_updated: None,
        state: Some("Running".to_owned()),
        offering: None,
        template: None,
        os_type: None,
        cpu_count: Some(2),
        memory_mib: Some(4096),
        zone: None,
        hypervisor: None,
        tags: vec![Tag::new("Z", "1"), Tag::new("Billing", "noCPU")],
    });
    snapshot.volumes.push(Volume {
        id: VolumeId::new("vol"),
        name: "ROOT-1".to_owned(),
        volume_type: Some("ROOT".to_owned()),
        owner: owner(Holder::Unknown),
        created: None,
        state: None,
        size_bytes: Some(u64::MAX),
        vm: Some(VmId::new("00000000-0000-4000-8000-000000000001")),
        attached: None,
        offering: None,
        zone: None,
        tags: Vec::new(),
    });
    add_network_entries(&mut snapshot);
    add_catalogues(&mut snapshot);
    snapshot.tags = vec![tag("Billing", "noCPU"), tag("Package", "Gold")];
    snapshot.tag_events.push(TagEvent {
        at: hour(-3),
        action: TagAction::Create,
        id: "e1".to_owned(),
        username: Some("admin".to_owned()),
    });
    snapshot.vm_events_from = Some(hour(-100));
    snapshot.vm_events.push(VmEvent {
        at: hour(-2),
        id: u64::MAX,
        vm: VmId::new("00000000-0000-4000-8000-000000000001"),
        action: VmAction::Start,
        holder: Holder::Account(AccountId::new("a1")),
        offering: Some("o".into()),
        cpu_count: Some(2),
        memory_mib: None,
    });
    snapshot
}

fn add_network_entries(snapshot: &mut Snapshot) {
    snapshot.ip_addresses.push(IpAddress {
        id: ResourceId::new("ip"),
        address: "192.0.2.1".to_owned(),
        owner: owner(Holder::Unknown),
        allocated: Some(hour(-4)),
        state: None,
        is_system: true,
        is_source_nat: false,
        zone: None,
    });
    snapshot.networks.push(Network {
        id: "net".into(),
        name: "net".to_owned(),
        owner: None,
        offering: None,
        created: None,
        zone: None,
    });
    snapshot.vpcs.push(Vpc {
        id: "vpc".into(),
        name: "vpc".to_owned(),
        owner: None,
        created: None,
        zone: None,
    });
    snapshot.snapshots.push(VolumeSnapshot {
        id: "snapshot".into(),
        name: "snapshot".to_owned(),
        volume: None,
        owner: owner(Holder::Unknown),
        created: None,
        zone: None,
    });
}

fn add_catalogues(snapshot: &mut Snapshot) {
    let offering = |id: &str| Offering {
        id: id.into(),
        name: id.to_owned(),
        cpu_count: None,
        memory_mib: None,
        storage_tags: None,
    };
    // one content in three catalogues: they must not be taken for one another
    snapshot.service_offerings.push(offering("o"));
    snapshot.disk_offerings.push(offering("o"));
    snapshot.network_offerings.push(offering("o"));
    snapshot.templates.push(Template {
        id: "t".into(),
        name: "template".to_owned(),
        os_type: None,
    });
    snapshot.os_types.push(OsType {
        id: "o".into(),
        name: "os".to_owned(),
        category: None,
    });
    snapshot.os_categories.push(OsCategory {
        id: "o".into(),
        name: "os".to_owned(),
    });
    snapshot.zones.push(Zone {
        id: "o".into(),
        name: "os".to_owned(),
    });
}

/// Snapshots come back exactly: changed, vanished and returned entries, entries that occur
/// twice, snapshots of one moment.
pub fn snapshots_come_back_as_they_were_put(store: &mut dyn UsageStore) {
    let first = full_snapshot(10);
    let mut changed = full_snapshot(11);
    changed.vms[0].state = Some("Stopped".to_owned());
    changed.tags = vec![
        tag("Billing", "noRAM"),
        tag("Package", "Gold"),
        tag("Package", "Gold"),
    ];
    changed.tag_events.clear();
    let mut vanished = full_snapshot(12);
    vanished.volumes.clear();
    vanished.tags.push(tag("Package", "Gold"));
    vanished.tags.push(tag("Package", "Gold"));
    let mut same_moment = full_snapshot(12);
    same_moment.zones.clear();
    let empty = Snapshot::new(hour(13));
    let back = full_snapshot(14);
    check_snapshots(store, &[first, changed, vanished, same_moment, empty, back]);
    assert_eq!(read_snapshots(store, Some(hour(11))).len(), 2);
    assert_eq!(read_snapshots(store, Some(hour(9))).len(), 0);
}

/// A snapshot in which nothing changed is a moment more, and no entry more. At the same
/// moment it is not even that.
pub fn an_unchanged_snapshot_says_so(store: &mut dyn UsageStore) {
    let counts = put_snapshot(store, &full_snapshot(10)).snapshot.unwrap();
    assert!(counts.appeared > 0);
    let number = counts.appeared;
    let mut again = full_snapshot(10);
    again.tags.reverse();
    again.vms[0].tags.reverse();
    for (at, snapshots) in [(10, 1), (11, 2)] {
        again.at = hour(at);
        let entry = put_snapshot(store, &again);
        assert!(!entry.changed());
        let counts = entry.snapshot.unwrap();
        assert_eq!(
            (counts.appeared, counts.vanished, counts.unchanged),
            (0, 0, number)
        );
        assert_eq!(read_snapshots(store, None).len(), snapshots);
    }
    again.vms[0].state = Some("Stopped".to_owned());
    again.at = hour(12);
    let counts = put_snapshot(store, &again).snapshot.unwrap();
    assert_eq!(
        (counts.appeared, counts.vanished, counts.unchanged),
        (1, 1, number - 1)
    );
}

/// Lists of events reach back for a time only: what drops out of them is no change of the cloud,
/// and gone from the snapshot all the same.
pub fn an_event_that_is_not_listed_any_more_is_no_change(store: &mut dyn UsageStore) {
    let first = full_snapshot(10);
    let events = first.tag_events.len() + first.vm_events.len();
    assert!(!first.tag_events.is_empty() && !first.vm_events.is_empty());
    let all = put_snapshot(store, &first).snapshot.unwrap().appeared;
    let mut later = full_snapshot(11);
    later.tag_events.clear();
    later.vm_events.clear();
    let entry = put_snapshot(store, &later);
    assert!(!entry.changed());
    let counts = entry.snapshot.unwrap();
    assert_eq!((counts.appeared, counts.vanished), (0, 0));
    assert_eq!(counts.unchanged, all - count(events));
    // a new one is news, and a tag that is gone a change
    let mut news = full_snapshot(12);
    news.vm_events.clear();
    news.tags.clear();
    let entry = put_snapshot(store, &news);
    let counts = entry.snapshot.unwrap();
    let (tags, tag_events) = (first.tags.len(), first.tag_events.len());
    assert!(entry.changed());
    assert_eq!(
        (counts.appeared, counts.vanished),
        (count(tag_events), count(tags))
    );
    let read = read_snapshots(store, None);
    let listed: Vec<usize> = read
        .iter()
        .map(|one| one.tag_events.len() + one.vm_events.len())
        .collect();
    assert_eq!(listed, [events, 0, tag_events]);
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap()
}

/// Which kinds were listed completely comes back with each snapshot, also where nothing
/// else differs.
pub fn incomplete_lists_are_told_from_absence(store: &mut dyn UsageStore) {
    let mut partly = full_snapshot(11);
    partly.complete.remove(&Kind::Volume);
    let mut gone = full_snapshot(12);
    gone.volumes.clear();
    let mut not_listed = gone.clone();
    not_listed.at = hour(13);
    not_listed.complete.remove(&Kind::Volume);
    check_snapshots(
        store,
        &[full_snapshot(10), partly.clone(), gone, not_listed.clone()],
    );
    not_listed.at = hour(14);
    assert!(!put_snapshot(store, &not_listed).changed());
    not_listed.complete.insert(Kind::Volume);
    not_listed.at = hour(15);
    let entry = put_snapshot(store, &not_listed);
    assert!(entry.changed());
    assert!(entry.snapshot.unwrap().completeness_changed);
}

/// Since when usage events are listed comes back with each snapshot, also where the events are
/// the same and at the same moment; it is no change of what is stored.
pub fn how_far_back_events_are_listed_is_known(store: &mut dyn UsageStore) {
    let without = |at| {
        let mut snapshot = full_snapshot(at);
        snapshot.vm_events.clear();
        snapshot.vm_events_from = None;
        snapshot
    };
    let mut further = full_snapshot(12);
    further.vm_events_from = Some(hour(-200));
    let mut later = further.clone();
    later.vm_events_from = Some(hour(-50));
    check_snapshots(
        store,
        &[
            without(10),
            full_snapshot(11),
            further,
            later.clone(),
            without(13),
        ],
    );
    let again = full_snapshot(14);
    put_snapshot(store, &again);
    later.at = hour(15);
    assert!(!put_snapshot(store, &later).changed());
}

fn rejection(json: &str, position: usize) -> Rejection {
    Rejection {
        page: "page 1".to_owned(),
        position,
        field: Some("rawusage".to_owned()),
        slug: "quantity_not_a_number".to_owned(),
        message: "rawusage is no number".to_owned(),
        json: json.into(),
    }
}

/// What could not be read is kept once, by the time it may concern, until a complete fetch
/// of that time does not have it any more.
pub fn rejections_stand_until_they_can_be_read(store: &mut dyn UsageStore) {
    let bad = UsagePage {
        records: Vec::new(),
        rejections: vec![
            rejection("{1}", 7),
            rejection("{1}", 3),
            rejection("{2}", 9),
        ],
    };
    let complete = SyncOutcome::complete();
    let entry = put(
        store,
        DEFAULT_CLOUD,
        30,
        std::slice::from_ref(&bad),
        &complete,
    );
    assert_eq!((entry.usage.rejected, entry.new_rejections), (3, 2));
    assert!(entry.changed());
    let entry = put(store, DEFAULT_CLOUD, 31, &[bad], &complete);
    assert_eq!((entry.usage.rejected, entry.new_rejections), (3, 0));
    assert!(!entry.changed());

    let mut standing = store.rejections(DEFAULT_CLOUD, hours(0, 1)).unwrap();
    assert_eq!(standing.len(), 2);
    standing.sort_by_key(|stored| stored.rejection.json.clone());
    assert_eq!((standing[0].copies, standing[0].rejection.position), (2, 3));
    assert_eq!(
        (standing[0].first_seen, standing[0].last_seen),
        (hour(30), hour(31))
    );
    assert!(
        store
            .rejections(DEFAULT_CLOUD, hours(30, 40))
            .unwrap()
            .is_empty()
    );

    let incomplete = SyncOutcome::incomplete();
    let entry = put(store, DEFAULT_CLOUD, 32, &[], &incomplete);
    assert_eq!(entry.resolved_rejections, 0);
    let one = UsagePage {
        records: Vec::new(),
        rejections: vec![rejection("{2}", 1)],
    };
    let entry = put(store, DEFAULT_CLOUD, 33, &[one], &complete);
    assert_eq!(entry.resolved_rejections, 1);
    assert_eq!(
        store.rejections(DEFAULT_CLOUD, hours(0, 1)).unwrap().len(),
        1
    );
    let entry = put(store, DEFAULT_CLOUD, 34, &[], &complete);
    assert_eq!(entry.resolved_rejections, 1);
    assert!(
        store
            .rejections(DEFAULT_CLOUD, Period::always())
            .unwrap()
            .is_empty()
    );
}

fn label(value: &str, valid: Period, recorded: i64) -> Label {
    Label {
        target: target(),
        valid,
        value: value.to_owned(),
        author: "admin".to_owned(),
        recorded: hour(recorded),
    }
}

fn target() -> LabelTarget {
    LabelTarget {
        resource_type: "UserVm".to_owned(),
        resource: ResourceId::new("vm"),
        key: "Package".to_owned(),
    }
}

fn values(labels: &[Label]) -> Vec<(String, Period)> {
    let values = labels
        .iter()
        .map(|label| (label.value.clone(), label.valid));
    values.collect()
}

/// A label gives way where another is set or it is cleared, and holds elsewhere.
pub fn labels_hold_for_their_time_and_are_never_overwritten(store: &mut dyn UsageStore) {
    let gold = label("Gold", hours(0, 100), 1);
    assert!(store.set_label(DEFAULT_CLOUD, &gold).unwrap());
    assert!(
        !store
            .set_label(DEFAULT_CLOUD, &label("Gold", hours(10, 20), 2))
            .unwrap()
    );
    assert_eq!(store.labels(DEFAULT_CLOUD, None).unwrap(), [gold]);

    let silver = label("Silver", hours(40, 60), 3);
    assert!(store.set_label(DEFAULT_CLOUD, &silver).unwrap());
    let other = Label {
        target: LabelTarget {
            key: "Billing".to_owned(),
            ..target()
        },
        ..label("noCPU", hours(0, 100), 3)
    };
    assert!(store.set_label(DEFAULT_CLOUD, &other).unwrap());
    let cleared = |store: &mut dyn UsageStore| {
        store
            .clear_label(DEFAULT_CLOUD, &target(), hours(50, 70), "clerk", hour(4))
            .unwrap()
    };
    assert!(cleared(store));
    assert!(!cleared(store));
    let expected = [
        ("noCPU".to_owned(), hours(0, 100)),
        ("Gold".to_owned(), hours(0, 40)),
        ("Silver".to_owned(), hours(40, 50)),
        ("Gold".to_owned(), hours(70, 100)),
    ];
    assert_eq!(
        values(&store.labels(DEFAULT_CLOUD, None).unwrap()),
        expected
    );

    let versions = store.label_versions(DEFAULT_CLOUD).unwrap();
    let clerk = Some("clerk".to_owned());
    assert_eq!(
        versions.iter().filter(|v| v.withdrawn_by == clerk).count(),
        2
    );
    let empty_key = Label {
        target: LabelTarget {
            key: String::new(),
            ..target()
        },
        ..label("x", hours(0, 1), 9)
    };
    let refused = store.set_label(DEFAULT_CLOUD, &empty_key);
    assert_eq!(
        refused.err().map(|e| e.kind()),
        Some(StoreErrorKind::Invalid)
    );
}

/// Labels as known on an instant are those recorded up to it, and time goes forward.
pub fn labels_are_known_since_they_were_recorded(store: &mut dyn UsageStore) {
    store
        .set_label(DEFAULT_CLOUD, &label("Gold", hours(0, 100), 10))
        .unwrap();
    store
        .set_label(DEFAULT_CLOUD, &label("Silver", hours(0, 100), 20))
        .unwrap();
    let mut known_on = |at| values(&store.labels(DEFAULT_CLOUD, Some(hour(at))).unwrap());
    assert!(known_on(9).is_empty());
    assert_eq!(known_on(10), [("Gold".to_owned(), hours(0, 100))]);
    assert_eq!(known_on(19), [("Gold".to_owned(), hours(0, 100))]);
    assert_eq!(known_on(20), [("Silver".to_owned(), hours(0, 100))]);
    let refused = store.set_label(DEFAULT_CLOUD, &label("Bronze", hours(0, 1), 15));
    assert_eq!(
        refused.err().map(|e| e.kind()),
        Some(StoreErrorKind::OutOfOrder)
    );
}

fn book(name: &str, content: &str, at: i64) -> Document {
    Document::new(DocumentKind::PriceBook, name, content, "author", hour(at))
}

fn content_on(
    store: &mut dyn UsageStore,
    kind: DocumentKind,
    name: &str,
    at: Option<i64>,
) -> Option<String> {
    let found = store.document(DEFAULT_CLOUD, kind, name, at.map(hour));
    found.unwrap().map(|document| document.content)
}

/// Documents are read back byte for byte, now and as known on any day, and listed by time.
pub fn documents_are_kept_as_they_were_and_in_order(store: &mut dyn UsageStore) {
    assert!(store.documents(DEFAULT_CLOUD, None).unwrap().is_empty());
    assert_eq!(content_on(store, DocumentKind::PriceBook, "b", None), None);
    let first = book(
        "b",
        "# \u{dc}ml\u{e4}ut \u{1f4b6}\r\nprice = \"1.10\"\0\n",
        10,
    );
    let long = "x".repeat(300_000);
    let second = book("b", &long, 20);
    let mut statement = book("nordwind 2026-10", "{}", 15);
    statement.kind = DocumentKind::Statement;
    for document in [&first, &second, &statement] {
        assert!(store.record_document(DEFAULT_CLOUD, document).unwrap());
    }
    let books = Some(DocumentKind::PriceBook);
    assert_eq!(
        store.documents(DEFAULT_CLOUD, None).unwrap(),
        [first.entry(), statement.entry(), second.entry()]
    );
    assert_eq!(
        store.documents(DEFAULT_CLOUD, books).unwrap(),
        [first.entry(), second.entry()]
    );
    for (at, expected) in [
        (Some(9), None),
        (Some(10), Some(&first)),
        (Some(19), Some(&first)),
        (Some(20), Some(&second)),
        (None, Some(&second)),
    ] {
        let known = store.document(DEFAULT_CLOUD, DocumentKind::PriceBook, "b", at.map(hour));
        assert_eq!(known.unwrap().as_ref(), expected);
    }
    for document in [&first, &second, &statement] {
        let digest = DocumentDigest::of(&document.content);
        let found = store.document_by_digest(DEFAULT_CLOUD, &digest).unwrap();
        assert_eq!(found.as_ref(), Some(document));
    }
    let unknown = DocumentDigest::of("unknown");
    let found = store.document_by_digest(DEFAULT_CLOUD, &unknown).unwrap();
    assert_eq!(found, None);
    assert!(store.documents("another cloud", None).unwrap().is_empty());
}

/// The text that holds already is no new document; one that comes back after another is.
/// Nothing is recorded before what holds, or without a name.
pub fn a_document_adds_nothing_unless_its_text_is_new(store: &mut dyn UsageStore) {
    let mut put = |document: &Document| store.record_document(DEFAULT_CLOUD, document);
    assert!(put(&book("b", "one", 10)).unwrap());
    assert!(!put(&book("b", "one", 10)).unwrap());
    assert!(!put(&book("b", "one", 11)).unwrap());
    // whoever says again what holds says nothing wrong, whatever his clock
    assert!(!put(&book("b", "one", 9)).unwrap());
    let early = put(&book("b", "two", 9)).unwrap_err();
    assert_eq!(early.kind(), StoreErrorKind::OutOfOrder);
    let nameless = put(&book("", "one", 10)).unwrap_err();
    assert_eq!(nameless.kind(), StoreErrorKind::Invalid);
    // the same moment keeps the order in which they came
    assert!(put(&book("b", "two", 10)).unwrap());
    assert!(put(&book("b", "one", 12)).unwrap());
    // another name, another kind: another document
    assert!(put(&book("c", "one", 5)).unwrap());
    let mut statement = book("b", "one", 5);
    statement.kind = DocumentKind::Statement;
    assert!(put(&statement).unwrap());
    // what was issued is issued
    assert!(!put(&statement).unwrap());
    let mut another = book("b", "two", 20);
    another.kind = DocumentKind::Statement;
    assert_eq!(put(&another).unwrap_err().kind(), StoreErrorKind::Final);
    let kind = DocumentKind::PriceBook;
    for (at, expected) in [(10, "two"), (11, "two"), (12, "one")] {
        assert_eq!(
            content_on(store, kind, "b", Some(at)).as_deref(),
            Some(expected)
        );
    }
    assert_eq!(store.documents(DEFAULT_CLOUD, None).unwrap().len(), 5);
}

/// Case, accents and spaces at the end make other names.
pub fn texts_are_told_apart_to_the_letter(store: &mut dyn UsageStore) {
    let names = ["acme", "Acme", "acm\u{e9}", "acme ", "acme\u{301}"];
    for (number, name) in (0..).zip(names) {
        let entry = put(
            store,
            name,
            30,
            &[page(&[usage_record(name, (number, number + 1), "1")])],
            &SyncOutcome::complete(),
        );
        assert_eq!(entry.usage.new, 1);
        let document = book(name, name, 10);
        assert!(store.record_document(DEFAULT_CLOUD, &document).unwrap());
        let label = Label {
            target: LabelTarget {
                key: name.to_owned(),
                ..target()
            },
            ..label("value", hours(0, 10), 1)
        };
        assert!(store.set_label(DEFAULT_CLOUD, &label).unwrap());
    }
    for (number, name) in (0..).zip(names) {
        let records = read(store, &UsageQuery::new(name, Period::always()));
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].window, hours(number, number + 1));
        let kind = DocumentKind::PriceBook;
        assert_eq!(content_on(store, kind, name, None).as_deref(), Some(name));
    }
    assert_eq!(
        store.labels(DEFAULT_CLOUD, None).unwrap().len(),
        names.len()
    );
    let mut clouds = [names.as_slice(), &[DEFAULT_CLOUD]].concat();
    clouds.sort_unstable();
    assert_eq!(store.clouds().unwrap(), clouds);
}

/// Two clouds in one store share nothing.
pub fn clouds_are_kept_apart(store: &mut dyn UsageStore) {
    let complete = SyncOutcome::complete();
    let record = |raw| usage_record("a", (0, 24), raw);
    let bad = UsagePage {
        records: vec![record("1")],
        rejections: vec![rejection("{}", 1)],
    };
    put(store, "one", 30, &[bad], &complete);
    // earlier than the sync of the other cloud, and other usage of the same key
    let entry = put(store, "two", 29, &[page(&[record("2")])], &complete);
    assert_eq!((entry.usage.new, entry.usage.revised), (1, 0));
    put_snapshot(store, &full_snapshot(40));
    store
        .set_label("two", &label("Gold", hours(0, 1), 1))
        .unwrap();

    let mut of = |cloud| raw(&read(store, &UsageQuery::new(cloud, Period::always())));
    assert_eq!(of("one"), ["1"]);
    assert_eq!(of("two"), ["2"]);
    assert!(of("three").is_empty());
    assert_eq!(store.clouds().unwrap(), [DEFAULT_CLOUD, "one", "two"]);
    assert_eq!(store.watermark("three").unwrap(), None);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), None);
    assert_eq!(store.rejections("one", Period::always()).unwrap().len(), 1);
    assert!(
        store
            .rejections("two", Period::always())
            .unwrap()
            .is_empty()
    );
    assert_eq!(store.syncs("two").unwrap().len(), 1);
    assert!(store.labels("one", None).unwrap().is_empty());
    assert_eq!(store.labels("two", None).unwrap().len(), 1);
    let key = record("1").record.key();
    assert_eq!(store.versions("one", &key).unwrap().len(), 1);
    store
        .snapshots("one", None, &mut |_| {
            Err(StoreError::new(StoreErrorKind::Sink, "one has no snapshot"))
        })
        .unwrap();
}

/// The error of whoever takes the results comes back to the caller.
pub fn an_error_of_the_sink_ends_the_reading(store: &mut dyn UsageStore) {
    put_complete(
        store,
        50,
        &[
            usage_record("a", (0, 24), "1"),
            usage_record("a", (24, 48), "2"),
        ],
    );
    let mut taken = 0;
    let query = UsageQuery::new(DEFAULT_CLOUD, Period::always());
    let ended = store.usage(&query, &mut |_| {
        taken += 1;
        Err(StoreError::new(StoreErrorKind::Sink, "enough"))
    });
    assert_eq!(ended.err().map(|e| e.kind()), Some(StoreErrorKind::Sink));
    assert_eq!(taken, 1);
    assert_eq!(read_all(store).len(), 2);
}

/// Everything that is stored of usage, as it is.
#[must_use]
pub fn stored_rows(store: &mut dyn UsageStore, period: Period) -> Vec<StoredRow> {
    let mut rows = Vec::new();
    store
        .stored_rows(DEFAULT_CLOUD, period, &mut |row| {
            rows.push(row);
            Ok(())
        })
        .unwrap();
    rows
}

fn usage_of(rows: &[StoredRow]) -> Vec<RecordVersion> {
    let usage = rows.iter().filter_map(|row| match row {
        StoredRow::Usage(row) => Some((**row).clone()),
        StoredRow::Rejection(_) => None,
    });
    usage.collect()
}

fn rejections_of(rows: &[StoredRow]) -> Vec<RejectionVersion> {
    let rejections = rows.iter().filter_map(|row| match row {
        StoredRow::Rejection(row) => Some((**row).clone()),
        StoredRow::Usage(_) => None,
    });
    rejections.collect()
}

/// The month that the suite's hours 0 to 384 and more lie in, and the one after it.
fn suite_month() -> UtcMonth {
    UtcMonth::new(2023, 11).unwrap()
}

/// A month of usage of two VMs and a volume, the one with an early end, and a revision.
fn put_a_month(store: &mut dyn UsageStore) {
    // the suite's hour 0 is 22:00 on the fourteenth of November
    let record = |id: &str, day: i64, raw: &str| {
        let mut entry = usage_record(id, (day * 24 + 2, day * 24 + 26), raw);
        if id != "volume" {
            entry.record.usage_type = UsageType::AllocatedVm;
            entry.record.resource = None;
            entry.record.vm = Some(VmId::new(id));
        }
        entry
    };
    let mut records = Vec::new();
    for day in -16..60 {
        records.push(record("vm", day, "24"));
        records.push(record("volume", day, "24"));
    }
    records.push(record("short", 3, "1.5"));
    put_complete(store, 2000, &records);
    let again = [record("short", 3, "7"), record("short", 3, "7")];
    let mut page = page(&again);
    let json = r#"{"startdate":"2023-11-20T00:00:00+0000","enddate":"2023-11-20T23:59:59+0000"}"#;
    page.rejections.push(rejection(json, 1));
    put(
        store,
        DEFAULT_CLOUD,
        2001,
        &[page],
        &SyncOutcome::complete(),
    );
}

/// Takes the suite's month out of the store: all rows of its days but the three at both ends.
fn put_away(store: &mut dyn UsageStore, commit: bool) -> Vec<RecordVersion> {
    let month = suite_month();
    let inner = super::archived_time([month])[0];
    let mut rows = usage_of(&stored_rows(store, month.archive_period()));
    rows.retain(|row| inner.covers(&row.stored.record.window));
    let mut uses = MonthUses::default();
    let standing = rows.iter().map(|row| &row.stored);
    for stored in standing.filter(|stored| stored.recorded_until.is_none()) {
        uses.observe(&stored.record);
    }
    let mut keys: Vec<_> = rows.iter().map(|row| row.stored.record.key()).collect();
    keys.dedup();
    let archived = ArchivedMonth {
        month,
        place: "/srv/archive/2023-11".to_owned(),
        digest: DocumentDigest::of("content"),
        pruned: hour(3000),
        known_at: hour(2001),
        records: 0,
        recorded: Some((hour(2000), hour(2001))),
        newest_end: rows.last().map(|row| row.stored.record.window.end()),
    };
    let mut transaction = store.begin_retention(DEFAULT_CLOUD).unwrap();
    assert_eq!(transaction.syncs().unwrap().len(), 2);
    let removed = transaction.remove_usage(&keys).unwrap();
    assert_eq!(removed, rows.len() as u64);
    transaction.put_archived(&archived, &uses.uses()).unwrap();
    assert_eq!(
        transaction.archived_months().unwrap(),
        std::slice::from_ref(&archived)
    );
    if commit {
        transaction.commit().unwrap();
        assert_eq!(store.archived_months(DEFAULT_CLOUD).unwrap(), [archived]);
    }
    rows
}

/// What is stored comes as it is, in all revisions, in order of window, key, revision, copy.
pub fn stored_rows_are_all_revisions_in_order(store: &mut dyn UsageStore) {
    put_a_month(store);
    let rows = stored_rows(store, Period::always());
    let usage = usage_of(&rows);
    let place = |row: &RecordVersion| {
        let window = row.stored.record.window;
        let key = row.stored.record.key();
        (window.start(), window.end(), key, row.revision, row.copy)
    };
    assert!(usage.is_sorted_by_key(place));
    assert_eq!(usage.len(), 76 * 2 + 1 + 2);
    let revised: Vec<_> = usage
        .iter()
        .filter(|row| row.stored.recorded_until.is_some() || row.revision > 0)
        .map(|row| {
            (
                row.revision,
                row.copy,
                row.stored.record.raw_usage.to_string(),
            )
        })
        .collect();
    let short = |revision, copy, raw: &str| (revision, copy, raw.to_owned());
    assert_eq!(
        revised,
        [short(0, 0, "1.5"), short(1, 0, "7"), short(1, 1, "7")]
    );
    for row in &usage {
        let record: UsageRecord = serde_json::from_str(&row.text).unwrap();
        assert_eq!(record, row.stored.record);
        let versions = store.versions(DEFAULT_CLOUD, &record.key()).unwrap();
        assert!(versions.contains(&row.stored));
    }
    // a resolved rejection is there as well, and other time has neither
    assert_eq!(rejections_of(&rows).len(), 1);
    put(store, DEFAULT_CLOUD, 2002, &[], &SyncOutcome::complete());
    let rejections = rejections_of(&stored_rows(store, suite_month().period()));
    assert_eq!(rejections[0].resolved, Some(hour(2002)));
    assert!(
        store
            .rejections(DEFAULT_CLOUD, Period::always())
            .unwrap()
            .is_empty()
    );
    let day = hours(26, 50);
    assert_eq!(stored_rows(store, day).len(), 2);
    let mut transaction = store.begin_retention(DEFAULT_CLOUD).unwrap();
    let mut in_transaction = Vec::new();
    transaction
        .stored_rows(day, &mut |row| {
            in_transaction.push(row);
            Ok(())
        })
        .unwrap();
    let keys: Vec<_> = usage_of(&in_transaction)
        .iter()
        .map(|row| row.stored.record.key())
        .collect();
    let mut of_keys = transaction.versions_of(&keys).unwrap();
    of_keys.sort_by_key(place);
    assert_eq!(of_keys, usage_of(&in_transaction));
    assert!(transaction.versions_of(&[]).unwrap().is_empty());
    let stop = |_| Err(StoreError::new(StoreErrorKind::Sink, "stop"));
    let stopped = transaction.stored_rows(day, &mut { stop }).unwrap_err();
    assert_eq!(stopped.kind(), StoreErrorKind::Sink);
}

/// Usage of a month that was put away is refused, not empty; lifetimes stay what they were.
pub fn a_month_put_away_is_refused_and_its_uses_are_known(store: &mut dyn UsageStore) {
    put_a_month(store);
    let before = store.lifetimes(DEFAULT_CLOUD, None).unwrap();
    let early = store.lifetimes(DEFAULT_CLOUD, Some(hour(1999))).unwrap();
    let first = store.lifetimes(DEFAULT_CLOUD, Some(hour(2000))).unwrap();
    assert_ne!(first, before);
    put_away(store, true);
    assert_eq!(store.lifetimes(DEFAULT_CLOUD, None).unwrap(), before);
    assert_eq!(
        store.lifetimes(DEFAULT_CLOUD, Some(hour(2001))).unwrap(),
        before
    );
    assert_eq!(
        store.lifetimes(DEFAULT_CLOUD, Some(hour(1999))).unwrap(),
        early
    );
    // the month still changed then: what was known is in the archive alone
    let refused = store
        .lifetimes(DEFAULT_CLOUD, Some(hour(2000)))
        .unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Archived);

    let month = suite_month();
    for period in [month.period(), hours(26, 50), Period::always()] {
        let query = UsageQuery::new(DEFAULT_CLOUD, period);
        let refused = store.usage(&query, &mut |_| Ok(())).unwrap_err();
        assert_eq!(refused.kind(), StoreErrorKind::Archived);
        let text = refused.to_string();
        assert!(
            text.contains("2023-11") && text.contains("/srv/archive/2023-11"),
            "{text}"
        );
    }
    let mut uses: Vec<ResourceUses> = Vec::new();
    let mut take = |one| {
        uses.push(one);
        Ok(())
    };
    store
        .archived_uses(DEFAULT_CLOUD, month, &mut take)
        .unwrap();
    let names: Vec<String> = uses.iter().map(|one| one.resource().to_string()).collect();
    assert_eq!(names, ["short", "vm", "volume"]);
    let other = store.archived_months("another cloud").unwrap();
    assert!(other.is_empty());
}

/// What was put away and is put back is what was there, row for row.
pub fn a_month_taken_back_is_as_it_was(store: &mut dyn UsageStore) {
    put_a_month(store);
    let before = stored_rows(store, Period::always());
    let rows = put_away(store, true);
    assert!(stored_rows(store, Period::always()).len() < before.len());
    let mut transaction = store.begin_retention(DEFAULT_CLOUD).unwrap();
    transaction.add_usage(&rows).unwrap();
    transaction.remove_archived(suite_month()).unwrap();
    // what could not be read never left
    let unread = rejections_of(&before);
    assert_eq!(transaction.add_rejections(&unread).unwrap(), 0);
    // a row is there once
    assert!(transaction.add_usage(&rows[..1]).is_err());
    drop(transaction);
    let mut transaction = store.begin_retention(DEFAULT_CLOUD).unwrap();
    transaction.add_usage(&rows).unwrap();
    transaction.remove_archived(suite_month()).unwrap();
    transaction.commit().unwrap();
    assert_eq!(stored_rows(store, Period::always()), before);
    assert!(store.archived_months(DEFAULT_CLOUD).unwrap().is_empty());
    assert_eq!(read_all(store).len(), 76 * 2 + 1 + 1);
    // and a sync finds it known
    let known: Vec<ParsedRecord> = read_all(store)
        .into_iter()
        .map(|record| ParsedRecord {
            record,
            json: "{}".into(),
        })
        .collect();
    let again = put_complete(store, 4000, &known).usage;
    assert_eq!((again.new, again.revised, again.unchanged), (0, 0, 154));
    // rows come into an empty cloud as well, long windows and all
    let mut transaction = store.begin_retention("empty").unwrap();
    let mut long = rows[0].clone();
    long.stored.record.window = hours(-1000, 2000);
    transaction.add_usage(&[long]).unwrap();
    assert_eq!(transaction.add_rejections(&unread).unwrap(), 1);
    assert_eq!(transaction.add_rejections(&unread).unwrap(), 0);
    transaction.commit().unwrap();
    let query = UsageQuery::new("empty", hours(1999, 2000));
    assert_eq!(read(store, &query).len(), 1);
    assert_eq!(
        store.rejections("empty", Period::always()).unwrap().len(),
        1
    );
}

/// A retention that is not committed changes nothing.
pub fn a_dropped_retention_leaves_the_store_as_it_was(store: &mut dyn UsageStore) {
    put_a_month(store);
    let before = stored_rows(store, Period::always());
    put_away(store, false);
    assert_eq!(stored_rows(store, Period::always()), before);
    assert!(store.archived_months(DEFAULT_CLOUD).unwrap().is_empty());
    assert_eq!(read_all(store).len(), 76 * 2 + 1 + 1);
    // and the store goes on
    put_complete(store, 3000, &[]);
    let transaction = store.begin_retention(DEFAULT_CLOUD).unwrap();
    transaction.commit().unwrap();
}

/// The three days at both ends stay, so that the months beside can be billed as before.
pub fn what_a_month_beside_needs_stays_there(store: &mut dyn UsageStore) {
    put_a_month(store);
    let beside = |store: &mut dyn UsageStore| {
        let day = TimeDelta::days(1);
        let month = suite_month().period();
        let december = Period::new(month.end() - day * 3, month.end() + day * 34).unwrap();
        let october = Period::new(month.start() - day * 34, month.start() + day * 3).unwrap();
        [december, october].map(|period| read(store, &UsageQuery::new(DEFAULT_CLOUD, period)))
    };
    let before = beside(store);
    assert!(before.iter().all(|records| !records.is_empty()));
    put_away(store, true);
    assert_eq!(beside(store), before);
}
