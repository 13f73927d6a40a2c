//! Group E: CloudStack's Quota, which lets a tariff's rule compute with the values of the
//! tariffs before it. That is the Quota profile's; our book states amounts.
//!
//! Where we differ on purpose: a price of ours is what its row says. A price that is computed
//! from other prices changes with them, with nobody's decision, so the book made from such
//! tariffs leaves them out by name, and the comparison with Quota has them as a cause of its own.

use chrono_tz::Tz;
use cloudstack_usage::{Inventory, UsageRecord, parse_usage_record};
use rating_engine::quota::{
    CauseKind, Metadata, Quota, QuotaRating, QuotaStatement, Tariff, book_from_tariffs, compare,
};
use rating_engine::{Bill, Currency, Exact, PriceBook, Rating};

use crate::Case;
use crate::support::{at, between, decimal, number};

/// A list of tariffs on addresses as the API sends it, each with position and rule.
fn tariffs(rules: &[(u32, &str)]) -> Vec<Tariff> {
    let rows: Vec<serde_json::Value> = rules
        .iter()
        .map(|(position, rule)| {
            serde_json::json!({
                "id": format!("t{position}"), "name": format!("tariff {position}"),
                "usageType": 3, "tariffValue": 0, "activationRule": rule,
                "effectiveDate": "2000-01-01T00:00:00+0000", "position": position,
            })
        })
        .collect();
    let list = serde_json::json!({ "quotatarifflistresponse": { "quotatariff": rows } });
    Tariff::read_list(list.to_string().as_bytes()).unwrap()
}

/// An address that was held all day, for each day of September.
fn records() -> Vec<UsageRecord> {
    let day = |day: u32| {
        let record = serde_json::json!({
            "usagetype": 3, "rawusage": "24", "accountid": "a", "account": "a", "domainid": "d",
            "domain": "d", "usageid": "r", "description": "",
            "startdate": format!("2026-09-{day:02}T00:00:00+0000"),
            "enddate": format!("2026-09-{day:02}T23:59:59+0000"),
        });
        parse_usage_record(&record.to_string()).unwrap()
    };
    (1..=30).map(day).collect()
}

struct Month {
    statement: QuotaStatement,
    /// The values of the tariffs of one record, in the order in which they were added.
    values: Vec<Exact>,
}

fn september(rules: &[(u32, &str)]) -> Month {
    let (tariffs, inventory) = (tariffs(rules), Inventory::default());
    let quota = Quota::new(&tariffs, Metadata::new(&inventory, None), Tz::UTC);
    let mut rating = QuotaRating::new(&quota, between("2026-09-01", "2026-10-01"), Tz::UTC);
    let records = records();
    for record in &records {
        rating.push(record);
    }
    let charge = quota.charge(&records[0]);
    Month {
        statement: rating.finish().unwrap(),
        values: charge.tariffs.iter().map(|one| one.value.clone()).collect(),
    }
}

const LAST: &str = "lastTariffs[lastTariffs.length - 1].value";

pub(crate) fn tariffs_chained_by_position(case: &Case) {
    let last_two = format!("{LAST} + lastTariffs[lastTariffs.length - 2].value");
    let plus = format!("{LAST} + 7");
    let rules = [(1, "10"), (2, plus.as_str()), (3, last_two.as_str())];
    // the order of the list does not matter, positions do
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let month = september(&order.map(|index| rules[index]));
        let mut found = month.values;
        found.push(month.statement.total());
        let found: Vec<String> = found.iter().map(|value| decimal(value, 2)).collect();
        case.expect(&found);
        assert_eq!(month.statement.problems().count(), 0);
    }
    other_chains();
    our_book_says_amounts(&rules);
}

fn other_chains() {
    let double = format!("{LAST} * 2");
    let days = [(5, "3.6"), (9, double.as_str()), (20, "lastTariffs.length")];
    let month = september(&days);
    assert_eq!(month.values, ["3.6", "7.2", "2"].map(number));
    // 12.80 a month, and what Quota loses by eight decimals of each day
    assert_eq!(decimal(&month.statement.total(), 2), "12.80");
    // nothing before it: no value can be computed, which is told and not taken as zero
    let nothing = september(&[(1, &double), (2, "10")]);
    assert!(nothing.statement.problems().next().is_some());
}

/// What a book says of them, and what the comparison with Quota says of the rest.
fn our_book_says_amounts(rules: &[(u32, &str)]) {
    let tariffs = tariffs(rules);
    let book = book_from_tariffs(&tariffs, Tz::UTC, Currency::from_code("EUR").unwrap());
    let omitted: Vec<&str> = book.omitted.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(omitted, ["tariff 2", "tariff 3"]);
    assert!(book.omitted.iter().all(|one| !one.reason.is_empty()));
    let book = PriceBook::from_toml(&book.toml).unwrap();
    let ours = rated(&book);
    assert_eq!(ours.total.amount(), "10.00");
    let comparison = compare(&september(rules).statement, &ours, &ours).unwrap();
    let rules = comparison
        .causes()
        .filter(|cause| cause.kind == CauseKind::RuleOnly);
    assert_eq!(
        rules.map(|cause| &cause.amount).sum::<Exact>(),
        Exact::from(44)
    );
    assert_eq!(
        comparison.quota.clone() - comparison.ours.clone(),
        Exact::from(44)
    );
}

fn rated(book: &PriceBook) -> Bill {
    let inventory = Inventory::default();
    let period = between("2026-09-01", "2026-10-01");
    assert_eq!(period.start(), at("2026-09-01"));
    let mut rating = Rating::new(book, &inventory, period).unwrap();
    for record in &records() {
        rating.push(record);
    }
    rating.finish()
}
