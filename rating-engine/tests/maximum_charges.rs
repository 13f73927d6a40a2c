//! Who pays what is left of a maximum: by time and level, never by a name or a cut.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::Bill;

use support::{Cloud, book, month};

const VM: &str = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 30\nper = \"month\"\n";

fn maximum(id: &str, amount: u32, per: &str, more: &str) -> String {
    format!("[[maximum]]\nid = \"{id}\"\namount = {amount}\nper = \"{per}\"\n{more}\n")
}

fn rate(cloud: &Cloud, rows: &str) -> Bill {
    let book = book(&format!("{VM}{rows}"));
    cloud.rate(&book, month(&book, "2026-09"))
}

/// What each resource pays, all its lines together.
fn paid(bill: &Bill) -> Vec<String> {
    let mut sums = std::collections::BTreeMap::new();
    for line in bill.statements.iter().flat_map(|one| &one.lines) {
        *sums
            .entry(line.resource_name.clone())
            .or_insert_with(rating_engine::Exact::zero) += line.net.clone();
    }
    sums.into_iter()
        .map(|(name, sum)| format!("{name} {sum}"))
        .collect()
}

/// A month of one VM, and half a month of another.
fn two_vms() -> Cloud {
    Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .vm("n", 1, 1, "2026-09-16", "2026-11-01")
}

#[test]
fn what_is_used_at_the_same_time_shares_what_is_left() {
    // 15 of the first half month, then 10 for both, until the 25th
    let bill = rate(&two_vms(), &maximum("most", 35, "account", ""));
    assert_eq!(paid(&bill), ["m 25", "n 10"]);
}

/// The tag exempts nothing that the VM has.
#[test]
fn a_cut_that_decides_nothing_changes_nobodys_share() {
    let rows = maximum("most", 35, "account", "");
    for vm in ["m", "n"] {
        let tagged = two_vms().tag(vm, "Billing", "noDisk", "2026-09-19 07:00", "2026-11-01");
        assert_eq!(paid(&rate(&tagged, &rows)), ["m 25", "n 10"], "{vm}");
    }
}

#[test]
fn resources_come_before_accounts_whatever_they_are_called() {
    for (each, all) in [("a", "b"), ("b", "a")] {
        let rows = maximum(each, 10, "resource", "scope = { vm = \"m\" }")
            + &maximum(all, 20, "account", "");
        // m pays its 10 until the 10th, which leaves n 10 of its 15 from the 16th on
        assert_eq!(paid(&rate(&two_vms(), &rows)), ["m 10", "n 10"]);
    }
}

#[test]
fn some_things_come_before_everything_whatever_they_are_called() {
    let ram = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\n";
    let cloud =
        Cloud::new()
            .vm("m", 1, 1, "2026-08-01", "2026-11-01")
            .ip("i", "2026-08-01", "2026-11-01");
    for (some, all) in [("a", "b"), ("b", "a")] {
        let rows = ram.to_owned()
            + &maximum(some, 3, "account", "meters = [\"vm\"]")
            + &maximum(all, 23, "account", "");
        // 3 of the VM by the 3rd beside 3 of the address, which has the 17 that are left
        assert_eq!(paid(&rate(&cloud, &rows)), ["i 20", "m 3"]);
    }
}
