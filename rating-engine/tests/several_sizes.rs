//! A volume whose old and new size are both metered for the same day.
#![expect(clippy::unwrap_used, reason = "tests")]

use cloudstack_usage::{Inventory, UsageRecord, parse_usage_record};
use rating_engine::{Exact, FindingKind, PriceBook, Rating};

const BOOK: &str = r#"
schema = 1
name = "Test"
currency = "EUR"
zone = "UTC"
compute = "allocated"

[[price]]
id = "disk"
meter = "disk"
amount = "3.00"
per = "day"
"#;

fn volume(day: u32, gib: u64, hours: &str) -> UsageRecord {
    parse_usage_record(&format!(
        r#"{{"usagetype": 6, "rawusage": "{hours}", "usage": "{hours} Hrs", "description": "Volume usage for v (v)",
            "usageid": "v", "size": {}, "domainid": "d", "accountid": "a",
            "startdate": "2026-09-{day:02}T00:00:00+0000", "enddate": "2026-09-{day:02}T23:59:59+0000"}}"#,
        gib << 30
    ))
    .unwrap()
}

fn findings(records: &[UsageRecord]) -> Vec<(u64, i128, Option<Exact>)> {
    let book = PriceBook::from_toml(BOOK).unwrap();
    let inventory = Inventory::default();
    let period = book
        .civil_period("2026-09-01".parse().unwrap(), "2026-09-30".parse().unwrap())
        .unwrap();
    let mut rating = Rating::new(&book, &inventory, period).unwrap();
    for record in records {
        rating.push(record);
    }
    let over = |kind| kind == FindingKind::OverWindow;
    let found = rating
        .finish()
        .findings
        .into_iter()
        .filter(|finding| over(finding.kind));
    found
        .map(|finding| (finding.records, finding.millis, finding.value))
        .collect()
}

#[test]
fn both_sizes_of_a_whole_day_are_a_finding_with_money() {
    let records = [
        volume(1, 1, "24"),
        volume(2, 1, "24"),
        volume(2, 2, "24"),
        volume(3, 2, "24"),
    ];
    // day 2 has 24 h too many; by the later stream: 2 GiB x 3.00 a day = 6
    assert_eq!(findings(&records), [(2, 86_400_000, Some(Exact::from(6)))]);
}

#[test]
fn a_resize_within_the_day_is_none() {
    assert_eq!(findings(&[volume(2, 1, "9"), volume(2, 2, "15")]), []);
}
