//! What was not metered, and what was metered twice.

use cloudstack_usage::Inventory;
use rating_engine::{Exact, FindingKind, LeakKind, LeakTotal, Leaks, leaks};

use crate::usage::{bill_with, book, know_vm, vm_days};

fn prices() -> rating_engine::PriceBook {
    book("[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"day\"\n")
}

#[test]
fn both_sides_are_listed_dearest_first_with_hours_money_and_totals() {
    let mut records = [vm_days("a", 1..=31, 4), vm_days("b", 1..=31, 2)].concat();
    // a day of b twice; three days of a never
    records.push(records[40].clone());
    records.drain(9..12);
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "a", None);
    // what it would have cost follows from the size that the inventory knows
    let entry = inventory.vms.values_mut().next().unwrap();
    entry.cpu_count = cloudstack_usage::History::constant(4);
    entry.offering =
        cloudstack_usage::History::constant(cloudstack_usage::OfferingId::new("4 vCPU"));
    know_vm(&mut inventory, "b", None);
    let bill = bill_with(&prices(), &records, &inventory);
    let leaks = leaks(&bill);
    let shown: Vec<(LeakKind, FindingKind, &str)> = leaks
        .leaks
        .iter()
        .map(|leak| {
            (
                leak.kind,
                leak.finding,
                leak.value.as_ref().unwrap().amount.as_str(),
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            (LeakKind::NotMetered, FindingKind::NotMetered, "12.00"),
            (LeakKind::MeteredTwice, FindingKind::Duplicate, "2.00"),
        ]
    );
    let sum = |total: &LeakTotal| {
        (
            total.count,
            total.millis / 3_600_000,
            total.value.amount.clone(),
        )
    };
    assert_eq!(
        leaks.totals.each_ref().map(sum),
        [(1, 72, "12.00".to_owned()), (1, 24, "2.00".to_owned()),]
    );
    let json = leaks.to_json();
    assert_eq!(json["leaks"][0]["seconds"], 3 * 86_400);
    assert_eq!(json["totals"][1]["kind"], "metered_twice");
}

#[test]
fn what_has_no_value_is_counted_beside_what_has() {
    let mut inventory = Inventory::default();
    for id in ["a", "b", "c"] {
        know_vm(&mut inventory, id, None);
    }
    let bill = bill_with(&prices(), &vm_days("other", 1..=31, 1), &inventory);
    // three VMs without a record: of one it is known what they would have cost
    let mut findings = bill.findings;
    findings.retain(|finding| finding.kind == FindingKind::NotMetered);
    for (finding, value) in findings.iter_mut().zip([Some(Exact::from(5)), None, None]) {
        finding.value = value;
    }
    let [missing, twice] = Leaks::of(&findings, bill.period, bill.currency).totals;
    assert_eq!((missing.count, missing.without_value), (3, 2));
    assert_eq!(missing.value.amount, "5.00");
    assert_eq!((twice.count, twice.without_value), (0, 0));
}

#[test]
fn a_clean_month_has_no_leaks() {
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "a", None);
    let bill = bill_with(&prices(), &vm_days("a", 1..=31, 1), &inventory);
    let leaks = leaks(&bill);
    assert!(leaks.leaks.is_empty());
    assert!(
        leaks
            .totals
            .iter()
            .all(|total| total.count == 0 && total.value.exact.is_zero())
    );
}
