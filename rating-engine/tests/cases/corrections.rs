//! Group I: what becomes of a bill that was issued, when usage or prices turn out otherwise.

use rating_engine::{Bill, Correction, Issued, correct};

use crate::Case;
use crate::support::{Cloud, book, month};

fn issued(bill: &Bill) -> Issued {
    Issued::from_json(&bill.to_json()).unwrap()
}

fn correction(old: &Bill, fresh: &Bill) -> Correction {
    correct(&issued(old), fresh).unwrap().unwrap()
}

/// An August in which these requests were counted, with one row of a price for them.
fn august(fields: &str, amounts: &[(&str, u64)]) -> Bill {
    let row =
        format!("[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\n{fields}\n");
    let book = book(&row);
    let cloud = Cloud::new().counted(21, "v", amounts);
    cloud.rate(&book, month(&book, "2026-08"))
}

pub(crate) fn blocks_billed_once(case: &Case) {
    let block = "block = \"100\"\namount = \"1\"";
    // what was known when one block was billed, and all of it
    let early = august(block, &[("2026-08-03", 100)]);
    let late = august(block, &[("2026-08-03", 130), ("2026-08-20", 271)]);
    case.expect(&[correction(&early, &late).total.amount]);
}

pub(crate) fn a_late_correction(case: &Case) {
    let price = "amount = \"1\"";
    let early = august(price, &[("2026-08-03", 5)]);
    let late = august(price, &[("2026-08-03", 5), ("2026-08-20", 2)]);
    let september = month(&book(""), "2026-09");
    let json = correction(&early, &late).billed_in(september).to_json();
    let line = &json["statements"][0]["lines"][0];
    assert_eq!(line["charge_class"], case.value(0));
    assert_eq!(json["billing_period"], serde_json::json!(september));
    let start = line["period"]["start"].as_str().unwrap();
    assert!(start.starts_with("2026-08-"), "charged in {start}");
    assert_eq!(line["difference"]["amount"], "2.00");
}

pub(crate) fn a_price_that_begins_in_the_past(case: &Case) {
    let usage = [("2026-08-03", 5), ("2026-08-20", 2)];
    let bill = august("amount = \"1\"", &usage);
    let before = issued(&bill);
    // what is rated with the new price is another bill; the one issued is what it was
    let fresh = august("amount = \"2\"\nfrom = 2026-08-01", &usage);
    let unchanged = if issued(&bill) == before {
        "unchanged"
    } else {
        "changed"
    };
    assert_eq!(unchanged, case.value(0));
    // until somebody asks
    assert_eq!(correction(&bill, &fresh).total.amount, "7.00");
}

/// A window measured again and again: each reading is what the next fetch has in the place
/// of the last one. Each is billed as a correction of what customers hold by then.
fn billed(price: &str, readings: &[u64]) -> Vec<String> {
    let reading = |amount: u64| august(price, &[("2026-08-03", amount)]);
    let (first, later) = readings.split_first().unwrap();
    let mut held = issued(&reading(*first));
    let mut billed = vec![held.statements[0].total.amount()];
    for amount in later {
        let fresh = reading(*amount);
        let Some(correction) = correct(&held, &fresh).unwrap() else {
            billed.push("0".to_owned());
            continue;
        };
        billed.push(correction.total.amount.clone());
        held = held.with(&correction).unwrap();
        // however it came there, the customer holds what a right bill would have printed
        let right = issued(&fresh);
        let totals = |one: &Issued| one.statements[0].total.clone();
        assert_eq!(totals(&held), totals(&right));
    }
    billed
}

pub(crate) fn readings_that_fall(case: &Case) {
    let price = "amount = \"1\"";
    case.expect(&billed(price, &[7, 9, 10, 5]));
    // the same twice, down to nothing and up again
    let steps = billed(price, &[12, 12, 0, 3]);
    assert_eq!(steps, ["12.00", "0", "-12.00", "3.00"]);
    // started blocks of four come and go as a whole: 2, 3, 3, then 2 of them
    let blocks = billed("block = \"4\"\namount = \"1.50\"", &[7, 9, 10, 5]);
    assert_eq!(blocks, ["3.00", "1.50", "0", "-1.50"]);
    // cents that a reading's rounding moved are paid back with the next: 0.035, 0.045, 0.05
    let cents = billed("amount = \"0.005\"", &[7, 9, 10, 5]);
    assert_eq!(cents, ["0.04", "0.01", "0.00", "-0.02"]);
}
