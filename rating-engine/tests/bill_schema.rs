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
use support::schema::check;
use support::{Cloud, book, findings, month, rate_json};

fn schema() -> Value {
    serde_json::from_str(include_str!("../schema/bill.schema.json")).unwrap()
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
