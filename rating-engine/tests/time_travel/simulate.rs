//! What a period would have cost with another book.

use cloudstack_usage::Inventory;
use proptest::prelude::*;
use rating_engine::{Exact, PriceBook, Simulation, simulate};

use crate::usage::{bill, book, month, vm_days, volume_days};

fn prices(cpu: u32, disk: u32) -> PriceBook {
    book(&format!(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"0.{cpu:03}\"\nper = \"day\"\n\
         [[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.{disk:03}\"\nper = \"day\"\n"
    ))
}

#[test]
fn the_effect_is_told_by_statement_project_and_item() {
    let records = [vm_days("vm", 1..=31, 1), volume_days("v", 1..=31, 10)].concat();
    let (old, new) = (prices(100, 10), prices(200, 5));
    let simulation = simulate(&old, &new, &records, &Inventory::default(), month()).unwrap();
    let [statement] = simulation.statements.as_slice() else {
        panic!("one statement")
    };
    // cpu 31 x 0.10 -> 31 x 0.20; disk 310 x 0.01 -> 310 x 0.005
    assert_eq!(statement.total.old.amount, "6.20");
    assert_eq!(statement.total.new.amount, "7.75");
    assert_eq!(simulation.total.difference.amount, "1.55");
    assert_eq!(simulation.total.difference.exact.to_string(), "31/20");
    let json = simulation.to_json();
    assert_eq!(json["total"]["difference"]["amount"], "1.55");
    assert_eq!(json["old_book"]["digest"], old.digest());
    assert_eq!(json["statements"][0]["items"][1]["id"], "disk");
    let items: Vec<(&str, &str)> = statement
        .items
        .iter()
        .map(|item| (item.id.as_str(), item.effect.difference.amount.as_str()))
        .collect();
    assert_eq!(items, [("cpu", "3.10"), ("disk", "-1.55")]);
    assert_eq!(statement.holders[0].kind, "account");
    assert_eq!(statement.holders[0].effect, statement.total);
}

#[test]
fn bills_of_two_currencies_are_not_compared() {
    let francs = PriceBook::from_toml(
        "schema = 1\nname = \"F\"\ncurrency = \"CHF\"\nzone = \"UTC\"\ncompute = \"allocated\"",
    );
    let (old, new) = (bill(&prices(1, 1), &[]), bill(&francs.unwrap(), &[]));
    assert_eq!(
        Simulation::compare(&old, &new).unwrap_err().slug(),
        "not_comparable"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn every_partition_adds_up(
        prices_before in (0_u32..999, 0_u32..999), prices_after in (0_u32..999, 0_u32..999), days in 1_i64..31,
    ) {
        let records = [vm_days("vm", 1..=days, 3), vm_days("w", 3..=31, 1), volume_days("v", 2..=31, 7)].concat();
        let (old, new) = (prices(prices_before.0, prices_before.1), prices(prices_after.0, prices_after.1));
        let simulation = simulate(&old, &new, &records, &Inventory::default(), month()).unwrap();
        let (was, is) = (bill(&old, &records), bill(&new, &records));
        prop_assert_eq!(&simulation.total.old.exact, &was.exact);
        prop_assert_eq!(&simulation.total.new.amount, &is.total.amount());
        for statement in &simulation.statements {
            for parts in [&statement.items, &statement.holders] {
                let exact: Exact = parts.iter().map(|part| &part.effect.difference.exact).sum();
                prop_assert_eq!(&exact, &statement.total.difference.exact);
                let printed: Exact = parts.iter().map(|part| cents(&part.effect.difference.amount)).sum();
                prop_assert_eq!(printed, cents(&statement.total.difference.amount));
            }
        }
    }
}

/// An amount in cents, from its text.
fn cents(amount: &str) -> Exact {
    Exact::from(amount.replace('.', "").parse::<i128>().unwrap())
}
