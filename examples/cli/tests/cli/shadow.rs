//! Why CloudStack's Quota says something else.

use rust_decimal::Decimal;
use serde_json::Value;

use crate::support::{csbill, good, good_json, recorded};

fn shadow(folder: &std::path::Path) -> std::process::Command {
    let mut command = csbill(folder);
    command
        .args(["shadow", "--month", "2026-10"])
        .arg("--tariffs")
        .arg(recorded().join("quota/tariffs.json.gz"))
        .arg("--usage")
        .arg(recorded().join("usage-daily"))
        .arg("--metadata")
        .arg(recorded().join("metadata"));
    command
}

/// The amounts in a column of the causes of the text.
fn cause_amounts(text: &str) -> (Vec<Decimal>, Decimal) {
    let causes = text
        .split("Causes")
        .nth(1)
        .unwrap()
        .split("Owners")
        .next()
        .unwrap();
    let mut amounts: Vec<Decimal> = causes
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1)?.parse().ok())
        .collect();
    let sum = amounts.pop().unwrap();
    (amounts, sum)
}

#[test]
fn causes_add_up_to_the_difference_to_the_last_digit() {
    let folder = tempfile::tempdir().unwrap();
    let text = good(&mut shadow(folder.path()));
    let (amounts, sum) = cause_amounts(&text);
    assert!(amounts.len() > 3, "{text}");
    assert_eq!(amounts.iter().sum::<Decimal>(), sum);
    let difference = text
        .lines()
        .find(|line| line.trim().starts_with("difference"))
        .unwrap();
    assert!(difference.ends_with(&sum.to_string()), "{difference} {sum}");
}

#[test]
fn the_same_stands_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let json: Value = good_json(&mut shadow(folder.path()));
    assert!(json.is_object());
    let text = good(&mut shadow(folder.path()));
    let quota = text
        .lines()
        .find(|line| line.trim().starts_with("Quota "))
        .unwrap();
    let total = quota.split_whitespace().last().unwrap();
    assert!(json.to_string().contains(total), "{total} is not in {json}");
}
