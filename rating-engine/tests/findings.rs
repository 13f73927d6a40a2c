//! What a finding says: of which kind it is, whose, of what time and of how many records, so
//! that somebody can act on it without looking the records up.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use cloudstack_usage::{Inventory, Rejection, UsageType};
use rating_engine::{Bill, Exact, Finding, FindingKind, Policy, Rating};

use support::cloud::{GIB, days, span_of};
use support::{Cloud, at, between, book, book_with, finding, findings, month, rate_json};

const HOUR: i128 = 3_600_000;
const IP: &str = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\n";
const VM: &str = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 30\nper = \"month\"\n";
const DISK: &str = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = 1\nper = \"month\"\n";

/// A price of nothing for VMs.
const FREE: &str = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 0\nper = \"month\"\n";

/// A record of a day of September.
fn record(usage_type: u32, id: &str, day: u32, raw: &str, more: &str) -> String {
    format!(
        r#"{{"usagetype": {usage_type}, "usageid": "{id}", "rawusage": "{raw}", "usage": "{raw}",
            "description": "usage of {id}", "domainid": "acme", "domain": "acme", "accountid": "ops", "account": "ops",
            "startdate": "2026-09-{day:02}T00:00:00+0000", "enddate": "2026-09-{day:02}T23:59:59+0000"{more}}}"#
    )
}

fn rate(cloud: &Cloud, settings: &str, rows: &str) -> Bill {
    let book = book_with(settings, rows);
    cloud.rate(&book, month(&book, "2026-09"))
}

/// What a finding counts: its time, its records and its money.
fn counted(finding: &Finding) -> (i128, u64, Option<Exact>) {
    (finding.millis, finding.records, finding.value.clone())
}

#[test]
fn an_unreadable_record_is_named_by_its_place() {
    let book = book("");
    let inventory = Inventory::default();
    let mut rating = Rating::new(&book, &inventory, month(&book, "2026-09")).unwrap();
    let rejection = |field: Option<&str>| Rejection {
        page: "usage.json".to_owned(),
        position: 7,
        field: field.map(str::to_owned),
        slug: "wrong".to_owned(),
        message: "is no number".to_owned(),
        json: "{}".into(),
    };
    rating.reject(&rejection(Some("rawusage")));
    rating.reject(&rejection(None));
    let bill = rating.finish();
    assert_eq!(findings(&bill), ["rejected", "rejected"]);
    let mut messages: Vec<&str> = bill
        .findings
        .iter()
        .map(|finding| finding.message.as_str())
        .collect();
    messages.sort_unstable();
    assert_eq!(
        messages,
        [
            "usage.json, record 7, field rawusage: is no number",
            "usage.json, record 7: is no number"
        ]
    );
    assert_eq!(counted(&bill.findings[0]), (0, 1, None));
    assert_eq!(bill.findings[0].policy, Policy::Hold);
}

#[test]
fn a_type_that_is_not_known_is_counted_and_held() {
    let book = book(IP);
    let of = |days: &[u32]| {
        let records: Vec<String> = days
            .iter()
            .map(|day| record(4711, "x", *day, "24", ""))
            .collect();
        rate_json(&book, &records, &[], between("2026-09-10", "2026-09-20"))
    };
    let bill = of(&[9, 10, 11, 12]);
    let found = finding(&bill, "unknown_type");
    // the record of the 9th is none of the period
    assert_eq!(counted(found), (0, 3, None));
    assert_eq!(found.resource.as_ref().unwrap().to_string(), "x");
    assert!(found.message.contains("4711") && found.message.contains("3 record(s)"));
    assert_eq!(bill.counts.held, 3);
    assert!(findings(&of(&[9])).is_empty());
}

#[test]
fn a_vms_tag_that_reaches_nothing_is_told_where_tags_do_not_reach_volumes() {
    let rows = VM.to_owned() + DISK;
    let own = "vm_tags_on_volumes = \"own\"\n";
    let tagged = |value: &str| {
        Cloud::new()
            .vm("m", 1, 1, "2026-08-01", "2026-11-01")
            .volume("v", GIB, Some("m"), "2026-08-01", "2026-11-01")
            .tag("m", "Billing", value, "2026-08-01", "2026-11-01")
    };
    let bill = rate(&tagged("noDisk"), own, &rows);
    let found = finding(&bill, "no_effect");
    assert_eq!(
        findings(&bill).len(),
        1,
        "of the VM alone: {:?}",
        bill.findings
    );
    assert_eq!(found.resource.as_ref().unwrap().to_string(), "m");
    // told once, of the time for which a VM is there
    let of_the_vm = format!("{} of m: ", UsageType::AllocatedVm);
    assert!(found.message.starts_with(&of_the_vm), "{}", found.message);
    assert!(found.message.contains("Billing:noDisk") || found.message.contains("Billing=noDisk"));
    // where tags reach volumes, and of a tag that reaches the VM, there is nothing to tell
    let no_effect = |bill: &Bill| findings(bill).contains(&"no_effect");
    assert!(!no_effect(&rate(&tagged("noDisk"), "", &rows)));
    assert!(!no_effect(&rate(&tagged("noCPU"), own, &rows)));
    assert!(!no_effect(&rate(&tagged("other"), own, &rows)));
}

/// A volume is metered from one instant on and created at another.
fn outside(policy: &str, metered: &str, created: &str) -> Bill {
    let book = book(&format!(
        "findings = {{ outside_lifetime = \"{policy}\" }}\n{DISK}{FREE}"
    ));
    let september = month(&book, "2026-09");
    let windows = days(september);
    // another thing, so that the days before are known to have no use
    let born = |at: &str| {
        Cloud::new()
            .vm("m", 1, 1, "2026-08-01", "2026-11-01")
            .volume("v", 30 * GIB, None, at, "2026-11-01")
    };
    rate_json(
        &book,
        &born(metered).records(&windows),
        &born(created).snapshots(span_of(&windows)),
        september,
    )
}

#[test]
fn use_before_the_creation_is_counted_by_what_is_done_with_it() {
    for (policy, millis, records, exact) in [
        // 20.5 days at a euro each, of which half a day before the creation
        ("flag", 12 * HOUR, 1, Exact::ratio(41, 2)),
        ("clip", 12 * HOUR, 1, Exact::ratio(20, 1)),
    ] {
        let bill = outside(policy, "2026-09-10 12:00", "2026-09-11 00:00");
        let found = finding(&bill, "outside_lifetime");
        assert_eq!(
            counted(found),
            (millis, records, Exact::ratio(1, 2)),
            "{policy}"
        );
        assert!(found.message.contains("12 h") && found.message.contains("2026-09-11"));
        assert_eq!(Some(bill.exact.clone()), exact, "{policy}");
    }
    // half of a day's record lies before, all of it is held
    let bill = outside("hold", "2026-09-10 00:00", "2026-09-10 12:00");
    let found = finding(&bill, "outside_lifetime");
    assert_eq!(counted(found), (24 * HOUR, 1, Some(Exact::from(1))));
    assert_eq!((&bill.exact, bill.counts.held), (&Exact::from(20), 1));
    // half of it is clipped, and its record is charged
    let bill = outside("clip", "2026-09-10 00:00", "2026-09-10 12:00");
    assert_eq!(counted(finding(&bill, "outside_lifetime")).0, 12 * HOUR);
    assert_eq!(bill.counts.held, 0);
    assert_eq!(Some(bill.exact), Exact::ratio(41, 2));
}

#[test]
fn a_minute_before_the_creation_is_tolerated() {
    let told = |created: &str| {
        let bill = outside("clip", "2026-09-10 12:00", created);
        findings(&bill).contains(&"outside_lifetime")
    };
    assert!(!told("2026-09-10T12:01:00Z"));
    assert!(told("2026-09-10T12:01:01Z"));
}

#[test]
fn what_has_no_price_is_added_up_by_account_and_thing() {
    let cloud = Cloud::new()
        .ip("a", "2026-08-01", "2026-11-01")
        .ip("b", "2026-09-11", "2026-09-21")
        .counted(4, "net", &[("2026-09-03", 100), ("2026-09-05", 50)]);
    let bill = rate(&cloud, "", VM);
    assert_eq!(findings(&bill), ["unpriced", "unpriced"]);
    let of = |thing: &str| {
        let mut found = bill.findings.iter();
        found
            .find(|finding| finding.message.contains(thing))
            .unwrap_or_else(|| panic!("{thing}: {:?}", bill.findings))
    };
    let ip = of("meter ip");
    // 30 days and ten more
    assert_eq!(counted(ip), (40 * 24 * HOUR, 40, None));
    assert!(ip.message.contains("960 h in 40 record(s)"));
    assert_eq!(ip.period, Some(between("2026-09-01", "2026-10-01")));
    assert_eq!(ip.owner.as_deref(), Some("ROOT/acme"));
    let traffic = of("meter traffic_sent");
    assert_eq!(counted(traffic), (0, 2, None));
    assert!(
        traffic.message.contains(": 150 in 2 record(s)"),
        "{}",
        traffic.message
    );
    assert_eq!(traffic.period, Some(between("2026-09-03", "2026-09-06")));
}

#[test]
fn a_service_bought_twice_is_told_of_its_vm() {
    let rows = VM.to_owned()
        + "[[service]]\nid = \"Backup\"\namount = 6\nper = \"month\"\n\
           [[package]]\nid = \"Gold\"\nservices = [\"Backup\"]\n";
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .tag("m", "Service", "Backup", "2026-08-01", "2026-11-01")
        .tag("m", "Package", "Gold", "2026-09-11", "2026-11-01");
    let bill = rate(&cloud, "", &rows);
    let found = finding(&bill, "service_twice");
    assert_eq!(counted(found), (20 * 24 * HOUR, 20, Some(Exact::zero())));
    assert_eq!(found.period, Some(between("2026-09-11", "2026-10-01")));
    assert!(found.message.contains('m') && found.message.contains("package Gold"));
    assert_eq!(bill.exact, Exact::from(36));
}

#[test]
fn a_size_that_nobody_knows_is_told_with_its_time() {
    let rows = "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = 10\nper = \"month\"\n\
        [[price]]\nid = \"ram\"\nmeter = \"ram\"\namount = 0\nper = \"month\"\n";
    let book = book(rows);
    let vm = |day| {
        record(
            2,
            "m",
            day,
            "24",
            r#", "virtualmachineid": "m", "name": "m", "memory": 1024"#,
        )
    };
    let records = [vm(3), vm(4)];
    let bill = rate_json(&book, &records, &[], month(&book, "2026-09"));
    let found = finding(&bill, "missing_size");
    assert_eq!(counted(found), (48 * HOUR, 2, None));
    assert_eq!(found.period, Some(between("2026-09-03", "2026-09-05")));
    assert!(found.message.contains("meter cpu") && found.message.contains("48 h"));
}

#[test]
fn a_rule_for_nobody_and_a_domain_of_nobody_are_told() {
    let rows = IP.to_owned()
        + "[[discount]]\nid = \"half\"\npercent = 50\nscope = { project = \"gone\" }\n";
    let cloud = Cloud::new().ip("a", "2026-08-01", "2026-11-01");
    let bill = rate(&cloud, "", &rows);
    let found = finding(&bill, "unknown_scope");
    assert!(found.message.contains("half") && found.message.contains("gone"));
    assert_eq!(found.policy, Policy::BillAndFlag);
    // records of a domain that no sync saw
    let book = book(IP);
    let other = |day| record(3, "b", day, "24", "").replace("\"acme\"", "\"other\"");
    let mut records = cloud.records(&days(month(&book, "2026-09")));
    records.extend([other(3), other(4), other(5)]);
    let snapshots = cloud.snapshots(between("2026-08-31", "2026-10-02"));
    let of = |from: &str| {
        let bill = rate_json(&book, &records, &snapshots, between(from, "2026-10-01"));
        let found = bill.findings.iter();
        let found = found.filter(|finding| finding.kind == FindingKind::UnknownDomain);
        found.map(|finding| finding.records).collect::<Vec<_>>()
    };
    assert_eq!(of("2026-09-01"), [3]);
    assert_eq!(of("2026-09-05"), [1]);
    assert_eq!(of("2026-09-06"), [0_u64; 0]);
}

/// CloudStack writes one record for each volume of a VM snapshot, all alike where the
/// volumes have one size.
#[test]
fn a_vm_snapshot_has_one_record_for_each_volume_of_its_size() {
    let rows = "[[price]]\nid = \"snapshot\"\nmeter = \"vm_snapshot\"\namount = 1\nper = \"month\"\n\
        [[price]]\nid = \"nic\"\nmeter = \"nic\"\namount = 1\nper = \"month\"\n";
    let book = book(&(rows.to_owned() + DISK));
    let september = month(&book, "2026-09");
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .vm("n", 1, 1, "2026-08-01", "2026-11-01")
        .volume("root", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .volume("data", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .volume("large", 20 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .volume("others", 10 * GIB, Some("n"), "2026-08-01", "2026-11-01");
    let copies = |usage_type: u32, more: &str| {
        let more = format!(r#", "virtualmachineid": "m"{more}"#);
        let one = record(usage_type, "s", 3, "24", &more);
        let records = [one.clone(), one.clone(), one];
        let bill = rate_json(
            &book,
            &records,
            &[cloud.snapshot(at("2026-09-02"))],
            september,
        );
        let found = bill.findings.iter();
        let found = found.filter(|finding| finding.kind == FindingKind::Duplicate);
        found.map(|finding| finding.records).sum::<u64>()
    };
    let size = |gib: u64| format!(r#", "size": {}"#, gib * GIB);
    // of three, two are there for 10 GiB, one for 20 GiB, and one for a size of no volume
    assert_eq!(copies(25, &size(10)), 1);
    assert_eq!(copies(25, &size(20)), 2);
    assert_eq!(copies(25, &size(30)), 2);
    // what is no snapshot is there once
    assert_eq!(copies(13, ""), 2);
}

/// Each record is charged, exempt, only a reference or held: here thirty of each.
#[test]
fn records_are_counted_by_what_became_of_them() {
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .volume("v", GIB, Some("m"), "2026-08-01", "2026-11-01")
        .ip("a", "2026-08-01", "2026-11-01")
        .tag("m", "Billing", "noDisk", "2026-08-01", "2026-11-01");
    let rows = VM.to_owned() + DISK;
    let counts = |rows: &str| {
        let counts = rate(&cloud, "", rows).counts;
        // the days beside the month are read for four streams
        assert_eq!((counts.records, counts.neighbours % 4), (120, 0));
        [counts.charged, counts.exempt, counts.reference, counts.held]
    };
    // allocated time is charged and running time a reference; nobody priced the address
    assert_eq!(counts(&rows), [30, 30, 30, 30]);
    assert_eq!(counts(&(rows + IP)), [60, 30, 30, 0]);
}

/// What two records of several sizes say together may be more than their window has. Of what
/// may be there several times it says nothing.
#[test]
fn only_what_is_there_once_has_too_much_time_in_several_sizes() {
    let nic = "[[price]]\nid = \"snapshot\"\nmeter = \"snapshot\"\namount = 1\nper = \"month\"\n";
    let book = book(&(nic.to_owned() + DISK));
    let told = |usage_type: u32, hours: [&str; 2]| {
        let sized = |gib: u64, raw: &str| {
            record(
                usage_type,
                "x",
                3,
                raw,
                &format!(r#", "size": {}"#, gib * GIB),
            )
        };
        let records = [sized(1, hours[0]), sized(2, hours[1])];
        let bill = rate_json(&book, &records, &[], month(&book, "2026-09"));
        let found = bill.findings.iter();
        let found = found.filter(|finding| finding.kind == FindingKind::OverWindow);
        found.map(|finding| finding.millis).collect::<Vec<_>>()
    };
    assert_eq!(told(6, ["14", "12"]), [2 * HOUR]);
    assert_eq!(told(6, ["12", "12"]), [0_i128; 0]);
    assert_eq!(told(9, ["14", "12"]), [0_i128; 0]);
}
