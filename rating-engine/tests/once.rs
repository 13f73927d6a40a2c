//! Fees that are charged once: in the month in which a resource comes into being, whole,
//! and never again.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use chrono::TimeDelta;
use proptest::prelude::*;
use rating_engine::{Bill, Exact};

use support::cloud::{GIB, windows};
use support::{Cloud, at, book, exact, month};

fn fee(id: &str, amount: &str, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"vm\"\namount = \"{amount}\"\nper = \"once\"\n{more}\n"
    )
}

fn rate(cloud: &Cloud, rows: &str, of: &str) -> Bill {
    let book = book(rows);
    cloud.rate(&book, month(&book, of))
}

#[test]
fn a_fee_comes_with_the_birth_and_never_again() {
    let cloud = Cloud::new().vm("m", 1, 1, "2026-09-05 07:30", "2026-11-20");
    let costs = ["2026-08", "2026-09", "2026-10", "2026-11"]
        .map(|of| rate(&cloud, &fee("setup", "25", ""), of).total.amount());
    assert_eq!(costs, ["0.00", "25.00", "0.00", "0.00"]);
}

#[test]
fn each_resource_has_a_fee_of_its_own() {
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-09-05", "2026-11-20")
        .vm("n", 1, 1, "2026-09-29 23:00", "2026-09-30 01:00")
        .vm("old", 1, 1, "2026-08-05", "2026-11-20");
    assert_eq!(
        rate(&cloud, &fee("setup", "25", ""), "2026-09")
            .total
            .amount(),
        "50.00"
    );
}

#[test]
fn a_new_price_in_the_month_is_no_second_fee() {
    let rows = fee("setup", "25", "until = 2026-09-10") + &fee("dearer", "30", "from = 2026-09-11");
    let born = |day: &str| Cloud::new().vm("m", 1, 1, day, "2026-11-20");
    // the price of the day of its birth
    assert_eq!(
        rate(&born("2026-09-05"), &rows, "2026-09").total.amount(),
        "25.00"
    );
    assert_eq!(
        rate(&born("2026-09-15"), &rows, "2026-09").total.amount(),
        "30.00"
    );
}

#[test]
fn a_new_owner_with_a_price_of_his_own_pays_no_second_fee() {
    let rows = fee("setup", "25", "") + &fee("web", "40", "scope = { project = \"web\" }");
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-09-05", "2026-11-20")
        .with_vm(|vm| vm.owner.push((at("2026-09-12"), "project:web".to_owned())));
    let bill = rate(&cloud, &rows, "2026-09");
    assert_eq!(bill.total.amount(), "25.00");
    let fees = support::of(&bill, "vm");
    let payers: Vec<&str> = fees.iter().map(|line| line.holder_name.as_str()).collect();
    assert_eq!(payers, ["ops"]);
}

#[test]
fn a_fee_by_size_is_that_of_the_first_size() {
    let rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.50\"\nper = \"once\"\n";
    let cloud = Cloud::new()
        .volume("v", 10 * GIB, None, "2026-09-05", "2026-11-20")
        .with_volume(|disk| disk.size.push((at("2026-09-12"), 20 * GIB)));
    // 10 GiB at 0.50
    assert_eq!(rate(&cloud, rows, "2026-09").total.amount(), "5.00");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However long it lives, and in whatever windows its usage comes.
    #[test]
    fn neither_time_nor_windows_count(start in 0_i64..40_000, length in 2_i64..90_000, hours in 1_i64..40, cents in 0_u32..90_000) {
        let book = book(&fee("setup", &format!("{}.{:02}", cents / 100, cents % 100), ""));
        let september = month(&book, "2026-09");
        let mut cloud = Cloud::new().vm("m", 1, 1, "2026-09-01", "2026-09-02");
        let born = september.start() + TimeDelta::minutes(start);
        cloud.vms[0].life = cloudstack_usage::Period::new(born, born + TimeDelta::minutes(length)).unwrap();
        let windows = windows(september, TimeDelta::hours(hours), TimeDelta::zero());
        let bill = cloud.rate_windows(&book, september, &windows);
        prop_assert_eq!(exact(&bill, "vm"), Exact::ratio(cents.into(), 100).unwrap());
    }
}

/// The first in time is not the first by name: a project's id may come before or after an
/// account's.
#[test]
fn the_fee_is_the_first_owners_whatever_the_names() {
    let rows = fee("setup", "25", "") + &fee("web", "40", "scope = { project = \"web\" }");
    let cloud = Cloud::new()
        .vm_of("m", "project:web", 1, 1, "2026-09-05", "2026-11-20")
        .with_vm(|vm| vm.owner.push((at("2026-09-12"), "account:ops".to_owned())));
    let bill = rate(&cloud, &rows, "2026-09");
    assert_eq!(bill.total.amount(), "40.00");
    let fees = support::of(&bill, "vm");
    let payers: Vec<&str> = fees.iter().map(|line| line.holder_name.as_str()).collect();
    assert_eq!(payers, ["web"]);
}
