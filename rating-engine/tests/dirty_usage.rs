//! Windows that overlap, repeat each other or have more time than they last: what is charged
//! of them, what is held back, and what is said.
//!
//! An address costs 30 in September, one a day; its records may have any window.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::Bill;

use support::{at, book, book_with, findings, month, number, rate_json};

/// A record of type `usage_type` from an instant up to another one, with hours used.
fn record(usage_type: u32, start: &str, end: &str, hours: &str) -> String {
    let last = at(end) - chrono::TimeDelta::seconds(1);
    let start = at(start).format("%Y-%m-%dT%H:%M:%S+0000");
    let last = last.format("%Y-%m-%dT%H:%M:%S+0000");
    format!(
        r#"{{"usagetype": {usage_type}, "usageid": "x", "rawusage": "{hours}", "usage": "{hours}",
            "description": "x", "domainid": "acme", "domain": "acme", "accountid": "ops", "account": "ops",
            "virtualmachineid": "m", "offeringid": "o", "size": 1073741824,
            "startdate": "{start}", "enddate": "{last}"}}"#
    )
}

fn ip(start: &str, end: &str, hours: &str) -> String {
    record(3, start, end, hours)
}

const IP: &str = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\n";

fn rate(policies: &str, rows: &str, records: &[String]) -> Bill {
    let book = book(&format!("[findings]\n{policies}\n{rows}"));
    rate_json(&book, records, &[], month(&book, "2026-09"))
}

/// Hours charged, records charged and held, and what is said.
fn outcome(policies: &str, records: &[String]) -> (String, u64, u64, Vec<&'static str>) {
    let bill = rate(policies, IP, records);
    let exact: rating_engine::Exact = bill.statements.iter().map(|one| &one.exact).sum();
    let hours = (exact * number("24")).to_string();
    let counts = &bill.counts;
    (hours, counts.charged, counts.held, findings(&bill))
}

#[test]
fn records_of_one_window_with_other_amounts_are_added() {
    // the address was released and taken again: 10 and 14 hours of one day
    let twins = [
        ip("2026-09-10", "2026-09-11", "10"),
        ip("2026-09-10", "2026-09-11", "14"),
    ];
    assert_eq!(outcome("", &twins), ("24".to_owned(), 2, 0, vec![]));
}

#[test]
fn a_window_within_another_one_is_held() {
    // half a day that begins, or ends, or lies in the middle of a day that has 6 hours
    for (start, end) in [
        ("2026-09-10", "2026-09-10 12:00"),
        ("2026-09-10 12:00", "2026-09-11"),
        ("2026-09-10 06:00", "2026-09-10 18:00"),
    ] {
        let records = [ip("2026-09-10", "2026-09-11", "6"), ip(start, end, "5")];
        let expected = ("6".to_owned(), 1, 1, vec!["overlap"]);
        assert_eq!(outcome("", &records), expected, "{start}");
    }
}

#[test]
fn of_a_window_that_overlaps_a_wider_one_the_part_beside_it_counts() {
    // a whole day, and 12 hours of which 6 are beside it and 6 were used: 24 + 3
    let day = ip("2026-09-10", "2026-09-11", "24");
    for (start, end) in [
        ("2026-09-09 18:00", "2026-09-10 06:00"),
        ("2026-09-10 18:00", "2026-09-11 06:00"),
    ] {
        let records = [day.clone(), ip(start, end, "6")];
        let expected = ("27".to_owned(), 2, 0, vec!["overlap"]);
        assert_eq!(outcome("", &records), expected, "{start}");
        let held = ("24".to_owned(), 1, 1, vec!["overlap"]);
        assert_eq!(outcome("overlap = \"hold\"", &records), held, "{start}");
        let billed = ("30".to_owned(), 2, 0, vec!["overlap"]);
        let policy = "overlap = \"flag\"";
        assert_eq!(outcome(policy, &records), billed, "{start}");
    }
}

#[test]
fn an_overlap_leaves_the_windows_beside_it_alone() {
    // short windows before, between and after: none of them shares any time with another
    let records = [
        ip("2026-09-05", "2026-09-05 06:00", "3"),
        ip("2026-09-05 06:00", "2026-09-05 12:00", "3"),
        ip("2026-09-10", "2026-09-11", "24"),
        ip("2026-09-10 18:00", "2026-09-11 06:00", "6"),
        ip("2026-09-20", "2026-09-20 06:00", "3"),
    ];
    let expected = ("36".to_owned(), 5, 0, vec!["overlap"]);
    assert_eq!(outcome("", &records), expected);
}

#[test]
fn more_time_than_a_window_has_is_cut_held_or_billed() {
    let records = [ip("2026-09-10", "2026-09-11", "30")];
    let all = |hours: &str, charged, held| (hours.to_owned(), charged, held, vec!["over_window"]);
    assert_eq!(outcome("", &records), all("24", 1, 0));
    let hold = "over_window = \"hold\"";
    assert_eq!(outcome(hold, &records), all("0", 0, 1));
    let bill = "over_window = \"flag\"";
    assert_eq!(outcome(bill, &records), all("30", 1, 0));
    // a second is none that the server may round away: the window has just so many
    let second = [ip("2026-09-10", "2026-09-11", "24.000278")];
    assert_eq!(outcome("", &second), all("24", 1, 0));
}

#[test]
fn times_of_their_own_may_be_a_second_longer_by_rounding() {
    let rows = "[[price]]\nid = \"b\"\nmeter = \"backup\"\namount = 30\nper = \"month\"\n";
    let of = |hours: &str| {
        let record = record(28, "2026-09-10", "2026-09-10 12:00", hours);
        let bill = rate("", rows, &[record]);
        let exact: rating_engine::Exact = bill.statements.iter().map(|one| &one.exact).sum();
        (exact.to_string(), findings(&bill))
    };
    assert_eq!(of("12"), ("1/2".to_owned(), vec![]));
    assert_eq!(of("12.000278"), ("1/2".to_owned(), vec![]));
    assert_eq!(of("12.000556"), ("1/2".to_owned(), vec!["over_window"]));
}

#[test]
fn network_interfaces_of_one_record_have_more_time_than_its_window() {
    // two of a VM, from the 10th on: all of their time is of the 10th, when they cost something
    let rows = "[[price]]\nid = \"old\"\nmeter = \"nic\"\namount = 0\nper = \"month\"\nuntil = 2026-09-09\n\
                [[price]]\nid = \"nic\"\nmeter = \"nic\"\namount = 30\nper = \"month\"\nfrom = 2026-09-10\n";
    let records = [
        record(13, "2026-09-10", "2026-09-11", "48"),
        record(13, "2026-09-11", "2026-09-12", "24"),
        ip("2026-09-09", "2026-09-10", "24"),
    ];
    let book = book_with("", rows);
    let bill = rate_json(&book, &records, &[], month(&book, "2026-09"));
    assert_eq!(support::exact(&bill, "nic").to_string(), "3");
    assert!(!findings(&bill).contains(&"over_window"));
}

#[test]
fn what_is_counted_lies_evenly_in_its_window() {
    // a thousand bytes from noon to noon across the beginning of the month, and the next day
    let rows = "[[price]]\nid = \"sent\"\nmeter = \"traffic_sent\"\nunit = \"B\"\namount = 1\n"
        .to_owned()
        + IP;
    let sent = |start: &str, end: &str| record(4, start, end, "1000");
    let records = [
        ip("2026-08-30 12:00", "2026-08-31 12:00", "24"),
        sent("2026-08-31 12:00", "2026-09-01 12:00"),
        sent("2026-09-01 12:00", "2026-09-02 12:00"),
    ];
    let bill = rate("", &rows, &records);
    assert_eq!(support::exact(&bill, "traffic_sent").to_string(), "1500");
}

#[test]
fn findings_come_dearest_first() {
    let of = |id: &str, hours: &str| {
        ip("2026-09-10", "2026-09-11", hours).replace("\"x\"", &format!("\"{id}\""))
    };
    let bill = rate("", IP, &[of("a", "25"), of("b", "30"), of("c", "27")]);
    let named: Vec<String> = bill
        .findings
        .iter()
        .filter_map(|finding| Some(finding.resource.as_ref()?.to_string()))
        .collect();
    assert_eq!(named, ["b", "c", "a"]);
}

#[test]
fn a_customer_with_another_zone_at_either_end_of_the_period_is_named() {
    let told = |from: &str, zone: &str| {
        let change =
            format!("[[zone_change]]\ndomain = \"ROOT/acme\"\nfrom = {from}\nzone = \"{zone}\"\n");
        let book = book(&(change + IP));
        let cloud = support::Cloud::new().ip("x", "2026-08-01", "2026-11-01");
        let bill = cloud.rate(&book, month(&book, "2026-09"));
        findings(&bill).contains(&"other_zone")
    };
    assert!(told("2026-09-16", "Europe/Paris"));
    assert!(told("2026-01-01", "Europe/Paris"));
    assert!(!told("2026-10-16", "Europe/Paris"));
}
