//! The JSON of corrections keeps to `schema/correction.schema.json`.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use rating_engine::{Bill, Correction, CorrectionReason, Issued, correct};
use serde_json::{Value, json};

use support::scene::{Rules, read, scene};
use support::schema::check;
use support::{Cloud, book, month};

fn schema() -> Value {
    serde_json::from_str(include_str!("../schema/correction.schema.json")).unwrap()
}

fn valid(correction: &Correction) {
    let (schema, json) = (schema(), correction.to_json());
    check(&schema, &schema, &json, "correction").unwrap_or_else(|error| panic!("{error}"));
    // what keeps to the schema is also read again
    assert_eq!(&Correction::from_json(&json).unwrap(), correction);
}

fn correction(before: &Bill, after: &Bill) -> Option<Correction> {
    correct(&Issued::from_json(&before.to_json()).unwrap(), after).unwrap()
}

/// A correction with every reason that there is.
fn rich() -> Correction {
    let price = |meter: &str, more: &str| {
        format!("[[price]]\nid = \"{meter}\"\nmeter = \"{meter}\"\nper = \"month\"\n{more}\n")
    };
    let discount = "[[discount]]\nid = \"d\"\npercent = 10\nmeters = [\"ip\"]\n";
    let rows = |cpu: &str| {
        price("cpu", cpu)
            + &price("ram", "amount = 2")
            + &price("disk", "amount = 1")
            + &price("ip", "amount = 3")
    };
    let before = book(&rows("amount = 10"));
    let after = book(&(rows("amount = 11") + discount));
    let period = month(&before, "2026-09");
    let cloud = Cloud::new()
        .vm("m", 2, 4, "2026-09-04", "2026-09-20")
        .volume("gone", 50 << 30, None, "2026-09-04", "2026-09-20")
        .ip("address", "2026-08-01", "2026-11-01");
    let mut other = cloud
        .clone()
        .volume("new", 1 << 30, None, "2026-09-04", "2026-09-20");
    other.volumes.remove(0);
    other = other.tag("m", "Billing", "noRAM", "2026-09-03", "2026-11-01");
    other.vms[0].life = support::between("2026-09-03", "2026-09-20");
    correction(&cloud.rate(&before, period), &other.rate(&after, period)).unwrap()
}

fn reasons(correction: &Correction) -> BTreeSet<CorrectionReason> {
    let lines = correction
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    lines
        .flat_map(|line| line.reasons.iter().copied())
        .collect()
}

#[test]
fn a_rich_correction_keeps_to_the_schema() {
    let rich = rich();
    valid(&rich);
    valid(
        &rich
            .clone()
            .billed_in(support::between("2026-10-01", "2026-11-01")),
    );
    assert_eq!(reasons(&rich).len(), 6, "{:?}", reasons(&rich));
}

#[test]
fn the_schema_refuses_what_is_not_in_it() {
    let schema = schema();
    let refused = |change: fn(&mut Value)| {
        let mut json = rich().to_json();
        change(&mut json);
        check(&schema, &schema, &json, "correction").unwrap_err()
    };
    assert!(refused(|json| json["more"] = json!(1)).contains("more is not in the schema"));
    assert!(refused(|json| json["kind"] = json!("bill")).contains("another constant"));
    assert!(refused(|json| json["total"]["amount"] = json!(1.5)).contains("another type"));
    assert!(refused(|json| json["statements"] = json!([])).contains("no items"));
    let line = |json: &mut Value, name: &str, value: Value| {
        json["statements"][0]["lines"][0][name] = value;
    };
    let reason = refused(|json| json["statements"][0]["lines"][0]["reasons"] = json!(["because"]));
    assert!(reason.contains("not in the list"));
    let mut json = rich().to_json();
    line(&mut json, "before", json!({}));
    assert!(
        check(&schema, &schema, &json, "correction")
            .unwrap_err()
            .contains("none of the forms")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_correction_keeps_to_the_schema(scene in scene(Rules::OfTheMonth), other in scene(Rules::OfTheMonth)) {
        // the rows of another book for the same usage
        let after = scene.rate_book(&read(&scene.text_of(&other.rows)), scene.period);
        if let Some(correction) = correction(&scene.rate(), &after) {
            valid(&correction);
        }
    }
}
