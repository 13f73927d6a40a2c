//! Whose free units are whose: prices that follow each other share one allowance, all others
//! have their own.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use support::{Cloud, book, month};

/// A price of 1 with 100 free units for the whole billing account.
fn price(id: &str, meter: &str, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"{meter}\"\nunit = \"each\"\namount = 1\nfree = 100\naccumulate = \"account\"\n{more}\n"
    )
}

/// What a disk of the account costs that has 100 operations on the 3rd and 100 on the 20th,
/// of these usage types.
fn cost(rows: &str, usage_types: [u32; 2], disks: [&str; 2]) -> String {
    let book = book(rows);
    let mut cloud = Cloud::new()
        .counted(usage_types[0], disks[0], &[("2026-09-03", 100)])
        .counted(usage_types[1], disks[1], &[("2026-09-20", 100)]);
    for disk in ["a", "b"] {
        cloud = cloud.volume(disk, 1, None, "2026-08-01", "2026-11-01");
    }
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    bill.total.amount()
}

const READS: [u32; 2] = [21, 21];

#[test]
fn prices_that_follow_each_other_share_one_allowance() {
    let rows = price("first", "disk_read_ops", "until = 2026-09-10")
        + &price("then", "disk_read_ops", "from = 2026-09-11");
    // 200 less the first 100
    assert_eq!(cost(&rows, READS, ["a", "a"]), "100.00");
}

#[test]
fn another_meter_has_an_allowance_of_its_own() {
    let rows = price("reads", "disk_read_ops", "") + &price("writes", "disk_write_ops", "");
    assert_eq!(cost(&rows, [21, 22], ["a", "a"]), "0.00");
    assert_eq!(cost(&rows, READS, ["a", "a"]), "100.00");
}

#[test]
fn another_scope_has_an_allowance_of_its_own() {
    let rows = price("all", "disk_read_ops", "")
        + &price("one", "disk_read_ops", "scope = { volume = \"b\" }");
    assert_eq!(cost(&rows, READS, ["a", "b"]), "0.00");
    assert_eq!(cost(&rows, READS, ["a", "a"]), "100.00");
    assert_eq!(cost(&rows, READS, ["b", "b"]), "100.00");
}

#[test]
fn another_selector_has_an_allowance_of_its_own() {
    let rows =
        price("all", "disk_read_ops", "") + &price("named", "disk_read_ops", "name = \"b*\"");
    assert_eq!(cost(&rows, READS, ["a", "b"]), "0.00");
    assert_eq!(cost(&rows, READS, ["a", "a"]), "100.00");
    assert_eq!(cost(&rows, READS, ["b", "b"]), "100.00");
}

/// A book may turn from the one to the other, which are measured apart.
#[test]
fn running_and_allocated_time_have_allowances_of_their_own() {
    let row = |basis: &str, bound: &str| {
        format!(
            "[[price]]\nid = \"{basis}\"\nmeter = \"cpu\"\namount = 1\nper = \"hour\"\nfree = 360\naccumulate = \"account\"\nbasis = \"{basis}\"\n{bound}\n"
        )
    };
    let rows = row("running", "until = 2026-09-15") + &row("allocated", "from = 2026-09-16");
    let book = book(&rows);
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01");
    // 15 days of each, 360 hours, as many as are free
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    assert!(support::exact(&bill, "cpu").is_zero());
}

/// All units at the price of the tier that they reach together: who used the first ones pays
/// no more for them than the others for theirs.
#[test]
fn what_a_volume_price_makes_of_all_units_is_shared_by_the_unit() {
    let rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nper = \"month\"\naccumulate = \"account\"\n\
        tier_mode = \"volume\"\ntiers = [{ up_to = 10, amount = 2 }, { amount = 1, flat = 6 }]\n";
    let book = book(rows);
    let gib = support::cloud::GIB;
    let cloud = Cloud::new()
        .volume("a", 10 * gib, None, "2026-08-01", "2026-11-01")
        .volume("b", 20 * gib, None, "2026-08-01", "2026-11-01");
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let mut costs: Vec<String> = support::of(&bill, "disk")
        .iter()
        .map(|line| line.net.to_string())
        .collect();
    costs.sort();
    // 30 at 1 and the 6 of the tier, a third and two thirds
    assert_eq!(costs, ["12", "24"]);
}

/// Whoever uses them first has the free units, day by day.
#[test]
fn free_units_go_in_order_of_time() {
    let book = book(&price("reads", "disk_read_ops", ""));
    let cloud = Cloud::new()
        .volume("a", 1, None, "2026-08-01", "2026-11-01")
        .volume("b", 1, None, "2026-08-01", "2026-11-01")
        .counted(21, "a", &[("2026-09-03", 60), ("2026-09-20", 60)])
        .counted(21, "b", &[("2026-09-10", 60)]);
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let mut costs: Vec<String> = support::of(&bill, "disk_read_ops")
        .iter()
        .map(|line| format!("{} {}", line.resource_name, line.net))
        .collect();
    costs.sort();
    // 60 and 40 of the hundred are free: b pays 20, and a the 60 of its second day
    assert_eq!(costs, ["a 60", "b 20"]);
}

/// The first address is free for as long as it is there, though its usage comes day by day
/// beside that of others; what is given back and taken again comes anew.
#[test]
fn at_a_moment_who_came_first_stands_first() {
    let rows = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\nfree = 1\n\
        accumulate = \"account\"\ncount_over = \"moment\"\n";
    let book = book(rows);
    let cloud = Cloud::new()
        .ip("b", "2026-08-01", "2026-09-21")
        .ip("c", "2026-09-06", "2026-11-01")
        .ip("a", "2026-09-16", "2026-11-01")
        .ip("b", "2026-09-26", "2026-11-01");
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let mut costs: Vec<String> = support::of(&bill, "ip")
        .iter()
        .map(|line| format!("{} {}", line.resource_name, line.net))
        .collect();
    costs.sort();
    // b is the first until the 20th; c pays for the 15 days before, a for its 15, and b for
    // the five since the 26th
    assert_eq!(costs, ["a 15", "b 5", "c 15"]);
}

/// An upper bound belongs to its tier: one address does not reach the second.
#[test]
fn at_a_moment_a_tier_is_reached_by_what_is_beyond_the_one_before() {
    let rows = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\nper = \"month\"\naccumulate = \"account\"\n\
        count_over = \"moment\"\ntiers = [{ up_to = 1, flat = 5 }, { flat = 7 }]\n";
    let book = book(rows);
    let one = Cloud::new().ip("a", "2026-08-01", "2026-11-01");
    let cost = |cloud: &Cloud| {
        support::exact(&cloud.rate(&book, month(&book, "2026-09")), "ip").to_string()
    };
    assert_eq!(cost(&one), "5");
    let two = one.ip("b", "2026-09-20", "2026-09-21");
    assert_eq!(cost(&two), "12");
}
