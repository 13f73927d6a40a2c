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
