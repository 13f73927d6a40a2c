//! The cases of rule matching as `CloudKitty`'s hashmap has it, and Quota's tariff chains: two
//! other systems' meanings, kept beside our own so that a comparison can be trusted.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "in a test a panic is the report of a failure, and the cases are a file"
)]

use std::collections::BTreeMap;
use std::path::Path;

use chrono_tz::Tz;
use cloudstack_usage::{Inventory, parse_usage_record};
use rating_engine::Exact;
use rating_engine::quota::{Metadata, Quota, RecordCharge, Tariff};
use rust_decimal::Decimal;

#[path = "builders/hashmap.rs"]
mod hashmap;

use hashmap::{Cost, Point, Rule, When, price};

fn number(text: &str) -> Exact {
    Exact::from_decimal(Decimal::from_str_exact(text).unwrap())
}

/// The expected values of a case, as the list of cases says them.
fn expected(id: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/rating.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let case = cases.find(|case| case["id"] == id).unwrap();
    let values = case["expected"].as_array().unwrap();
    values
        .iter()
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

fn rule(group: &'static str, when: When, cost: Cost, value: &str) -> Rule {
    Rule {
        group,
        project: None,
        when,
        cost,
        value: number(value),
    }
}

fn field(name: &'static str, value: &str) -> When {
    When::Field(name, value.to_owned())
}

fn point(quantity: &str, fields: &[(&'static str, &str)]) -> Point {
    Point {
        quantity: number(quantity),
        project: "somebody",
        fields: fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn assert_prices(id: &str, rules: &[Rule], points: &[Point]) {
    let expected: Vec<Exact> = expected(id).iter().map(|text| number(text)).collect();
    let prices: Vec<Exact> = points.iter().map(|point| price(rules, point)).collect();
    assert_eq!(prices, expected, "{id}");
}

#[test]
fn e02_a_rate_multiplies_the_flat_of_its_group() {
    let rules = [
        rule("nano", field("flavor", "nano"), Cost::Flat, "1.337"),
        rule("tiny", field("flavor", "tiny"), Cost::Flat, "1.42"),
        rule("nano", field("image", "a41"), Cost::Rate, "1.10"),
    ];
    let points = [
        point("1", &[("flavor", "nano"), ("image", "f17")]),
        point("2", &[("flavor", "tiny"), ("image", "f17")]),
        point("1", &[("flavor", "huge"), ("image", "f17")]),
        point("1", &[("flavor", "nano"), ("image", "a41")]),
    ];
    assert_prices("E02", &rules, &points);
}

#[test]
fn e03_the_highest_threshold_reached_counts() {
    let at = |level| When::FieldThreshold("memory", number(level));
    let rules = [
        rule("g", at("64"), Cost::Flat, "0.1337"),
        rule("g", at("128"), Cost::Flat, "0.2"),
    ];
    let points = [
        point("1", &[("memory", "64")]),
        point("2", &[("memory", "128")]),
        point("2", &[("memory", "512")]),
        point("1", &[("memory", "127")]),
    ];
    assert_prices("E03", &rules, &points);
}

#[test]
fn e07_rates_of_a_group_multiply() {
    let rules = [
        rule("g", field("a", "1"), Cost::Rate, "0.5"),
        rule("g", field("b", "1"), Cost::Rate, "0.5"),
    ];
    assert_prices("E07", &rules, &[point("1", &[("a", "1"), ("b", "1")])]);
}

#[test]
fn e09_a_project_s_rule_replaces_the_general_one() {
    let from = |level| When::Threshold(number(level));
    let rules = [
        rule("volume", When::Service, Cost::Flat, "0.001"),
        rule("volume", from("50"), Cost::Rate, "0.98"),
        rule("volume", from("200"), Cost::Rate, "0.95"),
        Rule {
            project: Some("special"),
            ..rule("volume", from("50"), Cost::Rate, "0.97")
        },
    ];
    let of_project = |quantity| Point {
        project: "special",
        ..point(quantity, &[])
    };
    assert_prices("E09", &rules, &[of_project("50"), of_project("80")]);
    assert_eq!(price(&rules, &point("50", &[])), number("0.049"));
    assert_eq!(price(&rules, &of_project("200")), number("0.19"));
}

#[test]
fn e10_a_field_s_mapping_times_the_quantity() {
    let rules = [rule("g", field("type", "SSD_gold"), Cost::Flat, "0.03")];
    assert_prices("E10", &rules, &[point("10", &[("type", "SSD_gold")])]);
}

#[test]
fn e11_a_number_of_the_metadata_matches_its_text() {
    assert_eq!(expected("E11"), ["match"]);
    let metadata = serde_json::json!({ "is_protected": 1 });
    let text = metadata["is_protected"].to_string();
    let rules = [rule("g", field("is_protected", "1"), Cost::Flat, "2")];
    let fits = price(&rules, &point("1", &[("is_protected", &text)]));
    assert_eq!(fits, number("2"));
    let other = price(&rules, &point("1", &[("is_protected", "01")]));
    assert_eq!(other, Exact::zero());
}

/// An address that is held for the 720 hours of a month, charged by Quota with these rules.
fn quota(rules: &[&str], domain: &str) -> RecordCharge {
    let rows: Vec<serde_json::Value> = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            serde_json::json!({
                "id": index.to_string(), "usageType": 3, "tariffValue": 0, "activationRule": rule,
                "effectiveDate": "2000-01-01T00:00:00+0000", "position": index + 1,
            })
        })
        .collect();
    let list = serde_json::json!({ "quotatarifflistresponse": { "quotatariff": rows } });
    let tariffs = Tariff::read_list(list.to_string().as_bytes()).unwrap();
    let record = serde_json::json!({
        "usagetype": 3, "rawusage": "720", "accountid": "a", "account": "a", "domainid": domain,
        "domain": domain, "usageid": "r", "description": "",
        "startdate": "2026-09-01T00:00:00+0000", "enddate": "2026-09-30T23:59:59+0000",
    });
    let record = parse_usage_record(&record.to_string()).unwrap();
    let inventory = Inventory::default();
    Quota::new(&tariffs, Metadata::new(&inventory, None), Tz::UTC).charge(&record)
}

#[test]
fn e13_quota_chains_tariffs_by_position_and_adds_all() {
    let charge = quota(
        &[
            "10",
            "lastTariffs[lastTariffs.length - 1].value + 7",
            "lastTariffs[lastTariffs.length - 1].value + lastTariffs[lastTariffs.length - 2].value",
        ],
        "d",
    );
    let mut values: Vec<Exact> = charge.tariffs.iter().map(|one| one.value.clone()).collect();
    values.push(values.iter().sum());
    let expected: Vec<Exact> = expected("E13").iter().map(|text| number(text)).collect();
    assert_eq!(values, expected);
}

#[test]
fn e14_a_rule_of_one_customer_replaces_the_default() {
    let rules = ["if (domain.id == 'X') { 150 } else { 175 }"];
    let of = |domain: &str| quota(&rules, domain).tariffs[0].value.clone();
    let expected: Vec<Exact> = expected("E14").iter().map(|text| number(text)).collect();
    assert_eq!([of("X"), of("Y")].as_slice(), expected);
}
