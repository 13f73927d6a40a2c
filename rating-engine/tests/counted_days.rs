//! Prices that count days or started hours: whose day is whose, and what the months of 30
//! days make of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use support::cloud::GIB;
use support::{Cloud, at, between, book_with, exact, month, rate_json};

fn price(meter: &str, per: &str, amount: u32, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{meter}{amount}\"\nmeter = \"{meter}\"\namount = {amount}\nper = \"{per}\"\n{more}\n"
    )
}

/// What an address costs in an October, held from one day to the beginning of another.
fn october(settings: &str, rows: &str, from: &str, until: &str) -> String {
    let book = book_with(settings, rows);
    // another one, so that the days beside are known
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-09-01", "2026-12-01")
        .ip("a", from, until);
    let bill = cloud.rate(&book, month(&book, "2026-10"));
    exact(&bill, "ip").to_string()
}

const D30: &str = "month = \"d30\"\nproration = \"day\"\n";

#[test]
fn a_month_of_30_days_costs_a_thirtieth_a_day_and_never_more_than_its_price() {
    let rows = price("ip", "month", 30, "");
    assert_eq!(october(D30, &rows, "2026-10-05", "2026-10-15"), "10");
    assert_eq!(october(D30, &rows, "2026-09-05", "2026-11-15"), "30");
    let calendar = "proration = \"day\"\n";
    assert_eq!(
        october(calendar, &rows, "2026-10-05", "2026-10-15"),
        "300/31"
    );
}

#[test]
fn the_cap_counts_what_earlier_prices_of_the_month_took() {
    let rows = price("ip", "month", 30, "until = 2026-10-20")
        + &price("ip", "month", 60, "from = 2026-10-21");
    // 20 days at a euro, and of the 11 that follow 10 at two
    assert_eq!(october(D30, &rows, "2026-09-05", "2026-11-15"), "40");
    let rows = price("ip", "month", 30, "until = 2026-10-10")
        + &price("ip", "month", 60, "from = 2026-10-11\nuntil = 2026-10-20")
        + &price("ip", "month", 90, "from = 2026-10-21");
    // 10 at one, 10 at two, 10 of 11 at three
    assert_eq!(october(D30, &rows, "2026-09-05", "2026-11-15"), "60");
}

#[test]
fn the_cap_counts_what_was_charged_by_another_proration() {
    let rows = price(
        "ip",
        "month",
        30,
        "until = 2026-10-20\nproration = \"second\"",
    ) + &price("ip", "month", 60, "from = 2026-10-21\nproration = \"day\"");
    // as by one and the same: 20 days at a euro, 10 of 11 at two
    assert_eq!(october(D30, &rows, "2026-09-05", "2026-11-15"), "40");
}

/// Half an hour of the 15th, told once more in a window of its own, begins later than the day.
#[test]
fn a_narrow_window_within_a_day_takes_no_day_away() {
    let settings = "proration = \"day\"\nfindings = { overlap = \"flag\" }\n";
    let book = book_with(settings, &price("ip", "day", 2, ""));
    let october = month(&book, "2026-10");
    let cloud = Cloud::new().ip("a", "2026-09-05", "2026-11-15");
    let windows = support::cloud::days(october);
    let mut records = cloud.records(&windows);
    let of_the_15th = |json: &&String| json.contains("2026-10-15T00:00:00");
    let mut narrow: serde_json::Value =
        serde_json::from_str(records.iter().find(of_the_15th).unwrap()).unwrap();
    narrow["startdate"] = "2026-10-15T06:00:00+0000".into();
    narrow["enddate"] = "2026-10-15T17:59:59+0000".into();
    narrow["rawusage"] = "0.5".into();
    narrow["usage"] = "0.5 Hrs".into();
    records.push(narrow.to_string());
    let snapshots = cloud.snapshots(support::cloud::span_of(&windows));
    let bill = rate_json(&book, &records, &snapshots, october);
    assert_eq!(exact(&bill, "ip").to_string(), "62");
}

#[test]
fn days_at_a_price_per_day_are_not_capped() {
    let rows = price("ip", "day", 2, "");
    assert_eq!(october(D30, &rows, "2026-09-05", "2026-11-15"), "62");
    let hours = price("ip", "hour", 1, "");
    assert_eq!(
        october("month = \"d30\"\n", &hours, "2026-09-05", "2026-11-15"),
        "744"
    );
}

#[test]
fn by_the_second_only_the_time_within_the_cap_counts() {
    let rows = price("ip", "month", 30, "");
    let book = book_with("month = \"d30\"\n", &rows);
    let cloud = Cloud::new().ip("a", "2026-09-05", "2026-11-15");
    let bill = cloud.rate(&book, month(&book, "2026-10"));
    let line = support::line(&bill, "ip");
    // 30 of 31 days: one month, though it lasted longer
    assert_eq!(line.net.to_string(), "30");
    assert_eq!(line.quantity.to_string(), "1");
    assert_eq!(line.used_millis, 31 * 24 * 3_600_000);
}

#[test]
fn a_day_on_which_a_volume_grows_is_the_larger_ones() {
    let book = book_with(
        "proration = \"started-day\"\n",
        &price("disk", "month", 3, ""),
    );
    let cloud = Cloud::new()
        .volume("v", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .with_volume(|disk| disk.size.push((at("2026-09-10 12:00"), 20 * GIB)));
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    // 9 days of 10 GiB and 21 of 20, a tenth each
    assert_eq!(exact(&bill, "disk").to_string(), "51");
}

#[test]
fn started_hours_are_those_of_utc() {
    // half past in UTC is the full hour in India
    let settings = "zone = \"Asia/Kolkata\"\nproration = \"started-hour\"\n";
    let book = book_with(settings, &price("ip", "hour", 1, ""));
    let record = r#"{"usagetype": 3, "usageid": "a", "rawusage": "0.666667", "usage": "0.666667 Hrs",
        "description": "ip", "domainid": "acme", "accountid": "ops", "account": "ops",
        "startdate": "2026-09-10T10:10:00+0000", "enddate": "2026-09-10T10:49:59+0000"}"#;
    let bill = rate_json(&book, &[record.to_owned()], &[], month(&book, "2026-09"));
    assert_eq!(exact(&bill, "ip").to_string(), "1");
}

/// What is cut off by the end of the period goes on: the day after it is of the next bill.
#[test]
fn the_day_of_the_end_is_never_one_after_the_period() {
    let book = book_with("proration = \"day-incl\"\n", &price("ip", "month", 30, ""));
    let cloud = Cloud::new().ip("a", "2026-08-05", "2026-11-15");
    let [first, rest] = [("2026-09-01", "2026-09-11"), ("2026-09-11", "2026-10-01")]
        .map(|(start, end)| exact(&cloud.rate(&book, between(start, end)), "ip").to_string());
    assert_eq!([first.as_str(), rest.as_str()], ["10", "20"]);
}

#[test]
fn an_exempt_day_is_none_of_those_that_are_charged() {
    let book = book_with(D30, &price("cpu", "month", 30, ""));
    let cloud = Cloud::new().vm("m", 1, 1, "2026-09-05", "2026-11-15").tag(
        "m",
        "Billing",
        "noCPU",
        "2026-10-05",
        "2026-10-06",
    );
    let bill = cloud.rate(&book, month(&book, "2026-10"));
    // 30 of October's 31 days
    assert_eq!(exact(&bill, "cpu").to_string(), "30");
}
