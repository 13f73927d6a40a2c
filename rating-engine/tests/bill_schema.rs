//! The JSON of bills keeps to `schema/bill.schema.json`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use rating_engine::{FindingKind, Policy};
use serde_json::{Value, json};

use support::scene::{Rules, scene};
use support::{Cloud, book, findings, month, rate_json};

fn schema() -> Value {
    serde_json::from_str(include_str!("../schema/bill.schema.json")).unwrap()
}

/// Checks a value against the part of JSON Schema 2020-12 that the file uses; what it does
/// not know it refuses, so that no keyword is passed over.
fn check(schema: &Value, root: &Value, value: &Value, place: &str) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{place}: {what}: {value}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root.pointer(pointer).unwrap(), root, value, place)?;
            }
            "const" => {
                if value != rule {
                    return wrong("another constant");
                }
            }
            "enum" => {
                if !rule.as_array().unwrap().contains(value) {
                    return wrong("not in the list");
                }
            }
            "type" => {
                let types = rule
                    .as_array()
                    .map_or_else(|| vec![rule], |types| types.iter().collect());
                if !types
                    .iter()
                    .any(|name| is_of_type(value, name.as_str().unwrap()))
                {
                    return wrong("another type");
                }
            }
            "anyOf" => {
                let fits = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|option| check(option, root, value, place).is_ok());
                if !fits {
                    return wrong("none of the forms");
                }
            }
            "minimum" => {
                if value
                    .as_i64()
                    .is_some_and(|number| number < rule.as_i64().unwrap())
                {
                    return wrong("too small");
                }
            }
            "minLength" => {
                if value.as_str().is_some_and(str::is_empty) {
                    return wrong("empty");
                }
            }
            "pattern" => {
                if value
                    .as_str()
                    .is_some_and(|text| !matches(rule.as_str().unwrap(), text))
                {
                    return wrong(rule.as_str().unwrap());
                }
            }
            "minItems" => {
                if value.as_array().is_some_and(Vec::is_empty) {
                    return wrong("no items");
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, root, item, &format!("{place}[{index}]"))?;
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        return wrong(&format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = rule.get(name) {
                        check(rule, root, inner, &format!("{place}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                let other = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .find(|(name, _)| !known.contains_key(*name));
                if let Some((name, _)) = other {
                    return wrong(&format!("{name} is not in the schema"));
                }
            }
            other => return Err(format!("this check does not know {other}")),
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

/// The patterns of the schema, by hand.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match pattern {
        "^[A-Z]{3}$" => text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        "^[0-9a-f]{64}$" => {
            text.len() == 64
                && text
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }
        "^-?[0-9]+(/[1-9][0-9]*)?$" => match unsigned.split_once('/') {
            Some((numerator, denominator)) => {
                digits(numerator) && digits(denominator) && !denominator.starts_with('0')
            }
            None => digits(unsigned),
        },
        "^-?[0-9]+([.][0-9]+)?$" => match unsigned.split_once('.') {
            Some((whole, part)) => digits(whole) && digits(part),
            None => digits(unsigned),
        },
        _ if pattern.starts_with("^[0-9]{4}-") => {
            text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
        }
        other => panic!("no pattern {other}"),
    }
}

fn valid(json: &Value) {
    let schema = schema();
    check(&schema, &schema, json, "bill").unwrap_or_else(|error| panic!("{error}"));
}

/// A bill with discounts, exemptions, tags, packages and findings of many kinds.
fn rich() -> Value {
    let rows = r#"
[[price]]
id = "cpu"
meter = "cpu"
amount = "10"
per = "month"
[[price]]
id = "disk"
meter = "disk"
amount = "0.1"
per = "month"
free = 3
[[service]]
id = "Backup"
amount = "8"
per = "month"
[[package]]
id = "Gold"
services = ["Backup"]
[[discount]]
id = "d"
percent = "12.5"
from = "2026-09-09 10:30:00"
[[discount]]
id = "nobody"
percent = 5
scope = { vm = "unheard-of" }
"#;
    let book = book(rows);
    let period = month(&book, "2026-09");
    let cloud = Cloud::new()
        .vm("m", 2, 4, "2026-09-04 07:03", "2026-09-20 11:13")
        .volume(
            "v",
            50 << 30,
            Some("m"),
            "2026-09-04 07:03",
            "2026-09-20 11:13",
        )
        .tag(
            "m",
            "Billing",
            "noCPU",
            "2026-09-07 01:01",
            "2026-09-08 02:02",
        )
        .tag("m", "Package", "Gold", "2026-09-05", "2026-10-10")
        .tag("m", "Service", "Backup", "2026-09-05 10:00", "2026-10-10")
        .tag("m", "CostCenter", "4711", "2026-09-05 11:00", "2026-10-10");
    let mut records = cloud.records(&support::cloud::days(period));
    records.push(records[0].clone());
    records.push(records[9].replace("24.000000", "25.000000"));
    records.push(records[9].replace("\"usagetype\":2", "\"usagetype\":977"));
    let bill = rate_json(
        &book,
        &records,
        &cloud.snapshots(support::between("2026-08-30", "2026-10-02")),
        period,
    );
    let kinds: BTreeSet<&str> = findings(&bill).into_iter().collect();
    for kind in ["unpriced", "service_twice", "unknown_scope", "unknown_type"] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
    bill.to_json()
}

#[test]
fn a_rich_bill_keeps_to_the_schema() {
    valid(&rich());
}

#[test]
fn the_schema_refuses_what_is_not_in_it() {
    let schema = schema();
    let refused = |change: fn(&mut Value)| {
        let mut json = rich();
        change(&mut json);
        check(&schema, &schema, &json, "bill").unwrap_err()
    };
    assert!(refused(|json| json["more"] = json!(1)).contains("more is not in the schema"));
    assert!(
        refused(|json| json["total"]["amount"] = json!(1.5))
            .contains("bill.total.amount: another type")
    );
    assert!(
        refused(|json| json["statements"][0]["lines"][0]["net"]["exact"] = json!("0.5"))
            .contains("net.exact")
    );
    assert!(
        refused(|json| json["findings"][0]["kind"] = json!("other")).contains("not in the list")
    );
    assert!(
        refused(|json| {
            json["statements"][0]["lines"][0]
                .as_object_mut()
                .unwrap()
                .remove("label");
        })
        .contains("missing")
    );
}

#[test]
fn the_schema_lists_every_kind_and_policy() {
    let schema = schema();
    let listed = |pointer: &str| -> BTreeSet<String> {
        let values = schema.pointer(pointer).unwrap().as_array().unwrap();
        values
            .iter()
            .map(|value| value.as_str().unwrap().to_owned())
            .collect()
    };
    let kinds: BTreeSet<String> = FindingKind::ALL
        .iter()
        .map(|kind| kind.slug().to_owned())
        .collect();
    assert_eq!(listed("/$defs/finding/properties/kind/enum"), kinds);
    let policies = [
        Policy::BillAndFlag,
        Policy::BillOnce,
        Policy::Clip,
        Policy::Hold,
    ];
    let policies: BTreeSet<String> = policies
        .iter()
        .map(|policy| policy.slug().to_owned())
        .collect();
    assert_eq!(listed("/$defs/finding/properties/policy/enum"), policies);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bill_keeps_to_the_schema(scene in scene(Rules::OfTheMonth)) {
        valid(&scene.rate().to_json());
    }
}
