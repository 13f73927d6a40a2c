//! Scopes by name: names of VMs are used again and again.
#![expect(clippy::unwrap_used, reason = "tests")]

use cloudstack_usage::{
    Inventory, InventoryBuilder, UsageLifetimes, UsageRecord, parse_usage_record,
};
use rating_engine::{FindingKind, PriceBook, Rating};

const BOOK: &str = r#"
schema = 1
name = "Test"
currency = "EUR"
zone = "UTC"
compute = "allocated"

[[price]]
id = "vm"
meter = "vm"
amount = "30.00"
per = "month"

[[price]]
id = "vm-web"
meter = "vm"
amount = "15.00"
per = "month"
scope = { vm = "web" }
"#;

fn vm(month: u32, day: u32, id: &str) -> UsageRecord {
    parse_usage_record(&format!(
        r#"{{"usagetype": 2, "rawusage": "24", "usage": "24 Hrs", "description": "Allocated VM usage for web ({id})",
            "usageid": "{id}", "virtualmachineid": "{id}", "name": "web", "cpunumber": 1, "memory": 1024,
            "domainid": "d", "accountid": "a",
            "startdate": "2026-{month:02}-{day:02}T00:00:00+0000", "enddate": "2026-{month:02}-{day:02}T23:59:59+0000"}}"#
    ))
    .unwrap()
}

fn inventory(records: &[UsageRecord]) -> Inventory {
    let mut lifetimes = UsageLifetimes::default();
    for record in records {
        lifetimes.observe(record);
    }
    let mut builder = InventoryBuilder::new();
    builder.usage(lifetimes);
    builder.build()
}

#[test]
fn a_name_of_an_earlier_month_does_not_make_this_months_ambiguous() {
    let book = PriceBook::from_toml(BOOK).unwrap();
    let mut records: Vec<UsageRecord> = (1..=20).map(|day| vm(6, day, "old")).collect();
    records.push(vm(6, 22, "old"));
    records.extend((1..=30).map(|day| vm(9, day, "new")));
    let inventory = inventory(&records);
    let period = book
        .civil_period("2026-09-01".parse().unwrap(), "2026-09-30".parse().unwrap())
        .unwrap();
    let mut rating = Rating::new(&book, &inventory, period).unwrap();
    for record in &records {
        rating.push(record);
    }
    let bill = rating.finish();
    assert_eq!(bill.total.to_string(), "15.00 EUR");
    assert!(
        bill.findings
            .iter()
            .all(|finding| finding.kind != FindingKind::UnknownScope)
    );
}

#[test]
fn two_living_vms_of_one_name_are_an_error_that_names_both() {
    let book = PriceBook::from_toml(BOOK).unwrap();
    let records = [vm(9, 1, "one"), vm(9, 1, "two")];
    let inventory = inventory(&records);
    let period = book
        .civil_period("2026-09-01".parse().unwrap(), "2026-09-30".parse().unwrap())
        .unwrap();
    let error = Rating::new(&book, &inventory, period).unwrap_err();
    assert_eq!(error.slug(), "ambiguous_scope");
    assert!(error.to_string().contains("one") && error.to_string().contains("two"));
}

#[test]
fn an_explanation_names_no_price_of_somebody_else() {
    let book = PriceBook::from_toml(&BOOK.replace("\"web\"", "\"one\"")).unwrap();
    let records = (1..=30).flat_map(|day| [vm(9, day, "one"), vm(9, day, "two")]);
    let records: Vec<UsageRecord> = records.collect();
    let inventory = inventory(&records);
    let period = book
        .civil_period("2026-09-01".parse().unwrap(), "2026-09-30".parse().unwrap())
        .unwrap();
    let mut rating = Rating::new(&book, &inventory, period).unwrap();
    for record in &records {
        rating.push(record);
    }
    let bill = rating.finish();
    let named = |resource: &str| {
        let mut lines = bill.statements.iter().flat_map(|one| &one.lines);
        let line = lines
            .find(|line| line.resource.to_string() == resource && !line.price.is_empty())
            .unwrap();
        let prices = line.explanation.prices.iter();
        prices
            .map(|choice| choice.price.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(named("one"), ["vm-web", "vm"]);
    assert_eq!(named("two"), ["vm"]);
}
