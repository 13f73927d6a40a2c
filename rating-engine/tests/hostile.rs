//! Nothing that a source can say makes the engine panic, or lose a record.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use chrono::{DateTime, Utc};
use cloudstack_usage::{InventoryBuilder, Period, UsageLifetimes, UsageRecord, parse_usage_record};
use proptest::prelude::*;
use proptest::sample::select;
use rating_engine::{PriceBook, Rating, RatingErrorKind};
use serde_json::json;

use support::{book, book_with, check};

const ROWS: &str = r#"
[[price]]
id = "cpu"
meter = "cpu"
amount = "79228162514264337593543950335"
per = "hour"
[[price]]
id = "ram"
meter = "ram"
amount = "0.0000000000000000000000000001"
per = "month"
[[price]]
id = "disk"
meter = "disk"
per = "month"
tiers = [{ up_to = "0.0000000000000000000000000001", amount = 1 }, { amount = "79228162514264337593543950335" }]
accumulate = "account"
[[price]]
id = "nic"
meter = "nic"
amount = 1
per = "day"
free = "79228162514264337593543950335"
[[price]]
id = "out"
meter = "traffic_sent"
amount = 1
block = "0.0000000000000000000000000001"
[[price]]
id = "ops"
meter = "disk_read_ops"
amount = 3
[[price]]
id = "backup"
meter = "backup"
amount = 3
per = "month"
[[price]]
id = "bucket"
meter = "bucket"
amount = 3
per = "once"
[[price]]
id = "vmsnap"
meter = "vm_snapshot"
amount = 3
per = "month"
name = "*a*a*a*"
[[discount]]
id = "d"
amount = "79228162514264337593543950335"
[[discount]]
id = "p"
percent = "99.9999999999999999999999999"
"#;

fn text() -> impl Strategy<Value = String> {
    select(
        &[
            "",
            "a",
            "|",
            "\\",
            "x|y",
            "Billing",
            "\u{0}",
            "ROOT",
            "é\u{202e}",
            "*",
        ][..],
    )
    .prop_map(str::to_owned)
}

fn date() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_u32..29, 0_u32..24, select(&[0_u32, 1, 29, 59][..])).prop_map(
            |(day, hour, second)| format!("2026-09-{day:02}T{hour:02}:59:{second:02}+0000")
        ),
        select(
            &[
                "0000-01-01T00:00:00+0000",
                "0001-01-01T00:00:00+0000",
                "9999-12-31T23:59:59+0000",
                "2026-09-01T00:00:00+1400",
                "1970-01-01T00:00:00Z"
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn raw() -> impl Strategy<Value = String> {
    prop_oneof![
        select(
            &[
                "0",
                "24",
                "1",
                "0.000001",
                "2562047788015",
                "79228162514264337593543950335",
                "9223372036854775807"
            ][..]
        )
        .prop_map(str::to_owned),
        (0_u64..100).prop_map(|number| number.to_string()),
    ]
}

fn usage_type() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..33, any::<u32>()]
}

/// Any object that reads as a record; most are nonsense.
fn record() -> impl Strategy<Value = Option<UsageRecord>> {
    let ids = (
        text(),
        text(),
        prop::option::of(text()),
        prop::option::of(text()),
        prop::option::of(text()),
    );
    let sizes = (
        any::<Option<u64>>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    );
    (usage_type(), raw(), select(&["Hrs", "bytes", ""][..]), date(), date(), ids, sizes).prop_map(|(usage_type, raw, unit, start, end, ids, sizes)| {
        let json = json!({
            "usagetype": usage_type, "rawusage": raw, "usage": format!("{raw} {unit}"), "startdate": start, "enddate": end,
            "domainid": format!("d{}", ids.0), "accountid": ids.1, "usageid": ids.2, "virtualmachineid": ids.3, "description": ids.4,
            "offeringid": ids.0, "name": ids.1, "size": sizes.0, "cpunumber": sizes.1, "memory": sizes.2,
        });
        parse_usage_record(&json.to_string()).ok()
    })
}

fn periods() -> impl Strategy<Value = Period> {
    select(
        &[
            ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-09-05T10:00:00Z", "2026-09-05T10:00:00.001Z"),
            ("0001-01-01T00:00:00Z", "0001-02-01T00:00:00Z"),
            ("9999-12-01T00:00:00Z", "9999-12-31T23:59:59.999Z"),
            ("1960-01-01T00:00:00Z", "2050-01-01T00:00:00Z"),
        ][..],
    )
    .prop_map(|(start, end)| Period::parse(start, end).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_records_are_rated_and_counted(
        records in prop::collection::vec(record(), 0..30), period in periods(), settings in select(&["", "month = \"cap672\"", "month = \"cap672\"\nfindings = { over_window = \"flag\", duplicate = \"flag\" }", "zone = \"Pacific/Apia\"\ncurrency = \"JPY\""][..])
    ) {
        let book = book_with(settings, ROWS);
        let records: Vec<UsageRecord> = records.into_iter().flatten().collect();
        let mut lifetimes = UsageLifetimes::default();
        for record in &records {
            lifetimes.observe(record);
        }
        let mut builder = InventoryBuilder::new();
        builder.usage(lifetimes);
        let inventory = builder.build();
        let mut rating = Rating::new(&book, &inventory, period).unwrap();
        for record in &records {
            rating.push(record);
        }
        let bill = rating.finish();
        check(&bill);
        prop_assert_eq!(bill.counts.records + bill.counts.neighbours, records.len() as u64);
        let _ = bill.to_json();
        for line in support::lines(&bill) {
            let _ = line.explain();
        }
    }
}

/// Times that are beyond all reason and billed nonetheless, in a month that has a cap.
#[test]
fn more_time_than_there_is_takes_the_whole_cap() {
    let settings = "month = \"cap672\"\nfindings = { over_window = \"flag\" }";
    let rows = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 3\nper = \"month\"\n";
    let book = book_with(settings, rows);
    let inventory = InventoryBuilder::new().build();
    let period = Period::parse("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z").unwrap();
    let mut rating = Rating::new(&book, &inventory, period).unwrap();
    for day in 1..=4 {
        let json = json!({
            "usagetype": 3, "usageid": "a", "domainid": "d", "accountid": "x", "description": "",
            "rawusage": "2562047788015", "usage": "2562047788015 Hrs",
            "startdate": format!("2026-09-0{day}T00:00:00+0000"),
            "enddate": format!("2026-09-0{day}T23:59:59+0000"),
        });
        rating.push(&parse_usage_record(&json.to_string()).unwrap());
    }
    assert_eq!(rating.finish().exact.to_string(), "3");
}

#[test]
fn a_period_beyond_all_time_is_refused() {
    let book: PriceBook = book("");
    let inventory = cloudstack_usage::Inventory::default();
    for (start, end) in [
        (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC),
        (DateTime::<Utc>::MIN_UTC, support::at("2026-01-01")),
        (support::at("2026-01-01"), DateTime::<Utc>::MAX_UTC),
        (support::at("1700-01-01"), support::at("2026-01-01")),
    ] {
        let period = Period::new(start, end).unwrap();
        let error = Rating::new(&book, &inventory, period).unwrap_err();
        assert_eq!(
            (error.kind(), error.slug()),
            (RatingErrorKind::Period, "period")
        );
        let _ = Rating::input_range(period);
    }
}
