//! Group C: tiers, blocks, free units.

use rating_engine::{Bill, Exact};

use crate::Case;
use crate::support::{Cloud, book, decimal, exact, line, month, number};

/// A price of read requests, one at a time.
fn requests(fields: &str) -> String {
    format!("[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\n{fields}\n")
}

/// A month in which these were counted, each on a day of its own.
fn counted(fields: &str, amounts: &[u64]) -> Bill {
    let book = book(&requests(fields));
    let days: Vec<(String, u64)> = amounts
        .iter()
        .enumerate()
        .map(|(day, amount)| (format!("2026-09-{:02}", day + 3), *amount))
        .collect();
    let days: Vec<(&str, u64)> = days
        .iter()
        .map(|(day, amount)| (day.as_str(), *amount))
        .collect();
    Cloud::new()
        .counted(21, "v", &days)
        .rate(&book, month(&book, "2026-09"))
}

fn cost(fields: &str, quantity: u64) -> String {
    let at_once = counted(fields, &[quantity]);
    // however the quantity is spread over the month, and even with nothing before it
    let parts = [0, quantity / 3, quantity - quantity / 3, 0];
    assert_eq!(
        exact(&counted(fields, &parts), "disk_read_ops"),
        exact(&at_once, "disk_read_ops"),
        "{fields}: {quantity}"
    );
    let amount = exact(&at_once, "disk_read_ops");
    decimal(&amount, 4)
}

fn costs(fields: &str, quantities: &[u64]) -> Vec<String> {
    quantities
        .iter()
        .map(|quantity| cost(fields, *quantity))
        .collect()
}

/// Tiers from (bound, amount, flat), the last without a bound.
fn tiers(mode: &str, steps: &[(&str, &str, &str)]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|(bound, amount, flat)| {
            let bound = if bound.is_empty() {
                String::new()
            } else {
                format!("up_to = \"{bound}\", ")
            };
            format!("{{ {bound}amount = \"{amount}\", flat = \"{flat}\" }}")
        })
        .collect();
    format!("tier_mode = \"{mode}\"\ntiers = [{}]", steps.join(", "))
}

pub(crate) fn fractional_bounds(case: &Case) {
    let fields = tiers(
        "graduated",
        &[("0.1", "10", "0"), ("1", "5", "0"), ("", "2", "0")],
    );
    let book = book(&format!(
        "[[price]]\nid = \"vm\"\nmeter = \"vm\"\nper = \"month\"\n{fields}\n"
    ));
    // 36 and 360 of 720 hours
    let found = ["2026-09-05 12:00", "2026-09-19"].map(|end| {
        let bill = Cloud::new()
            .vm("m", 1, 1, "2026-09-04", end)
            .rate(&book, month(&book, "2026-09"));
        decimal(&exact(&bill, "vm"), 4)
    });
    case.expect(&found);
}

/// A tier that begins at 100 is one that ends just below it: in bytes of a TB, one byte.
pub(crate) fn nothing_falls_between_tiers(case: &Case) {
    let fields = tiers("volume", &[("99.999999999999", "1", "0"), ("", "0.5", "0")]);
    let book = book(&format!(
        "[[price]]\nid = \"out\"\nmeter = \"traffic_sent\"\nunit = \"TB\"\n{fields}\n"
    ));
    let cost = |bytes| {
        let bill = Cloud::new()
            .counted(4, "n", &[("2026-09-04", bytes)])
            .rate(&book, month(&book, "2026-09"));
        exact(&bill, "traffic_sent")
    };
    case.expect_shown(0, &cost(99_500_000_000_000));
    assert_eq!(cost(100_000_000_000_000), Exact::from(50));
}

pub(crate) fn volume_prices_may_fall(case: &Case) {
    let fields = tiers(
        "volume",
        &[("5", "7", "0"), ("10", "6.5", "0"), ("", "6", "0")],
    );
    case.expect(&costs(&fields, &[1, 5, 6, 20, 25]));
}

pub(crate) fn five_tiers(case: &Case) {
    let steps = [
        ("5", "5", "0"),
        ("10", "4", "0"),
        ("15", "3", "0"),
        ("20", "2", "0"),
        ("", "1", "0"),
    ];
    let mut found = costs(&tiers("volume", &steps), &[6, 20, 25]);
    found.push(cost(&tiers("graduated", &steps), 6));
    case.expect(&found);
}

pub(crate) fn flat_and_unit_tiers(case: &Case) {
    let fields = tiers(
        "volume",
        &[
            ("5", "0", "100"),
            ("10", "0", "150"),
            ("15", "10", "0"),
            ("", "5", "0"),
        ],
    );
    case.expect(&costs(&fields, &[0, 3, 5, 14, 15, 16, 100]));
}

pub(crate) fn graduated_and_volume(case: &Case) {
    let steps = [("10", "1.5", "0"), ("110", "1.0", "0"), ("", "0.5", "0")];
    case.expect(&[
        cost(&tiers("graduated", &steps), 111),
        cost(&tiers("volume", &steps), 111),
    ]);
}

/// Blocks within tiers have no word in a book. Free units split the quantity all the same:
/// 10 blocks of 100 for the first thousand, then started blocks of 1000 of what is beyond.
pub(crate) fn blocks_in_tiers(case: &Case) {
    let first = number(&cost("block = 100\namount = 1", 1000));
    let beyond = cost("block = 1000\namount = 1\nfree = 1000", 5325);
    let sum = first + number(&beyond);
    case.expect(&[decimal(&sum, 2)]);
}

pub(crate) fn one_tier_of_blocks(case: &Case) {
    case.expect(&[cost("block = 100\namount = 1", 2000)]);
}

pub(crate) fn tiers_by_their_first_unit(case: &Case) {
    let steps = [("100", "1", "0"), ("200", "0.5", "0"), ("", "0.25", "0")];
    case.expect(&[
        cost(&tiers("graduated", &steps), 150),
        cost(&tiers("volume", &steps), 150),
    ]);
}

pub(crate) fn started_packages(case: &Case) {
    case.expect(&costs("block = 10\namount = 15", &[0, 1, 9, 10, 11]));
}

pub(crate) fn packages_after_free_units(case: &Case) {
    let found =
        [0, 10, 200].map(|free| cost(&format!("block = 10\namount = 100\nfree = {free}"), 121));
    case.expect(&found);
}

pub(crate) fn a_free_hundred(case: &Case) {
    case.expect(&costs(
        "block = 100\namount = 5\nfree = 100",
        &[100, 101, 200, 201],
    ));
}

pub(crate) fn packages_of_twenty(case: &Case) {
    case.expect(&[cost("block = 20\namount = 5", 45)]);
}

/// Rated measurement by measurement it would be 7; over the period all four are in the
/// second tier.
pub(crate) fn tiers_add_up_over_the_period(case: &Case) {
    let volume = tiers("volume", &[("2", "1", "0"), ("", "2", "0")]);
    let measured = |amount: u64| number(&cost(&volume, amount));
    let apart = measured(1) + measured(3);
    let together = exact(&counted(&volume, &[1, 3]), "disk_read_ops");
    case.expect(&[decimal(&apart, 2), decimal(&together, 2)]);
}

pub(crate) fn proportional_or_in_blocks(case: &Case) {
    let used = 400_000 + 152_960;
    let million = |more: &str| {
        let book = book(&format!(
            "[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"million\"\namount = \"12.50\"\nfree = \"0.4\"\n{more}"
        ));
        Cloud::new()
            .counted(21, "v", &[("2026-09-09", used)])
            .rate(&book, month(&book, "2026-09"))
            .total
            .amount()
    };
    case.expect(&[million(""), million("block = 1\n")]);
}

pub(crate) fn stair_steps(case: &Case) {
    let fields = tiers("volume", &[("15", "0", "180"), ("", "0", "250")]);
    case.expect(&costs(&fields, &[15, 999]));
}

pub(crate) fn three_graduated_tiers(case: &Case) {
    let fields = tiers(
        "graduated",
        &[("100", "1", "0"), ("200", "0.5", "0"), ("", "0.1", "0")],
    );
    case.expect(&[cost(&fields, 250)]);
    // and the 107.00 of 150,000 calls before tax
    let calls = tiers(
        "graduated",
        &[
            ("10000", "0.001", "0"),
            ("100000", "0.0008", "0"),
            ("", "0.0005", "0"),
        ],
    );
    assert_eq!(number(&cost(&calls, 150_000)), Exact::from(107));
}

pub(crate) fn a_volume_table(case: &Case) {
    let fields = tiers("volume", &[("10", "10", "0"), ("", "1", "0")]);
    case.expect(&costs(&fields, &[10, 11]));
}

pub(crate) fn a_plain_unit_price(case: &Case) {
    let bill = counted("amount = 100", &[10]);
    case.expect(&[line(&bill, "disk_read_ops").amount.amount()]);
}

pub(crate) fn repricing_by_volume(case: &Case) {
    let fields = tiers("volume", &[("15", "10", "0"), ("", "5", "0")]);
    let (before, after) = (number(&cost(&fields, 15)), number(&cost(&fields, 16)));
    case.expect(&[
        decimal(&-before.clone(), 2),
        decimal(&after, 2),
        decimal(&(after - before), 2),
    ]);
}
