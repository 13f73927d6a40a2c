//! Usage rated without metadata: what records say of their owners is enough for statements
//! and scopes.
#![expect(clippy::unwrap_used, reason = "tests")]

use cloudstack_usage::{Inventory, UsageRecord, parse_usage_record};
use rating_engine::{FindingKind, PriceBook, Rating};

const BOOK: &str = r#"
schema = 1
name = "Test"
currency = "EUR"
zone = "UTC"
compute = "allocated"

[[price]]
id = "ip"
meter = "ip"
amount = "3.00"
per = "month"

[[price]]
id = "ip-customer"
meter = "ip"
amount = "2.00"
per = "month"
scope = { domain = "ROOT/customer" }

[[price]]
id = "ip-project"
meter = "ip"
amount = "1.00"
per = "month"
scope = { project = "P" }
"#;

/// An address held all day by `owner` in the domain at `path`.
fn address(day: u32, id: &str, domain: &str, path: &str, owner: &str) -> UsageRecord {
    parse_usage_record(&format!(
        r#"{{"usagetype": 3, "rawusage": "24", "usage": "24 Hrs", "description": "IPAddress: {id}", "usageid": "{id}",
            "domainid": "{domain}", "domainpath": "{path}", {owner},
            "startdate": "2026-09-{day:02}T00:00:00+0000", "enddate": "2026-09-{day:02}T23:59:59+0000"}}"#
    ))
    .unwrap()
}

#[test]
fn sub_domains_share_their_top_level_domains_statement_and_scopes_are_found() {
    let book = PriceBook::from_toml(BOOK).unwrap();
    let inventory = Inventory::default();
    let period = book
        .civil_period("2026-09-01".parse().unwrap(), "2026-09-30".parse().unwrap())
        .unwrap();
    let mut rating = Rating::new(&book, &inventory, period).unwrap();
    for day in 1..=30 {
        // the domain above "sub" has no record of its own
        rating.push(&address(
            day,
            "a",
            "d-sub",
            "ROOT/customer/sub",
            r#""accountid": "1", "account": "x""#,
        ));
        rating.push(&address(
            day,
            "b",
            "d-other",
            "ROOT/other",
            r#""accountid": "2", "account": "y""#,
        ));
        rating.push(&address(
            day,
            "c",
            "d-other",
            "ROOT/other",
            r#""projectid": "3", "project": "P""#,
        ));
    }
    let bill = rating.finish();
    let statements: Vec<(&str, String)> = bill
        .statements
        .iter()
        .map(|statement| (statement.path.as_str(), statement.total.to_string()))
        .collect();
    // one month each: 2.00 by the domain's price; 3.00 for everybody and 1.00 by the project's
    assert_eq!(
        statements,
        [
            ("ROOT/customer", "2.00 EUR".to_owned()),
            ("ROOT/other", "4.00 EUR".to_owned())
        ]
    );
    assert!(
        bill.findings
            .iter()
            .all(|finding| finding.kind != FindingKind::UnknownScope)
    );
}
