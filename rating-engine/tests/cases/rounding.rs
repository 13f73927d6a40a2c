//! Groups B and G, and the sums of H: rounding, and printed lines that add up.

use rating_engine::{Bill, Currency, Exact, Money, RoundingMode};

use crate::Case;
use crate::support::{Cloud, book_with, line, month, number, of, printed};

const HALF_EVEN: &str = "rounding = \"half-even\"\n";

/// One price of a full month for each VM by name, and the VMs; so lines of given amounts.
fn lines_of(settings: &str, amounts: &[&str]) -> Bill {
    let mut rows: Vec<String> = Vec::new();
    let mut cloud = Cloud::new();
    for (index, amount) in amounts.iter().enumerate() {
        rows.push(format!(
            "[[price]]\nid = \"p{index}\"\nmeter = \"vm\"\nname = \"m{index}\"\namount = \"{amount}\"\nper = \"month\"\n"
        ));
        cloud = cloud.vm(&format!("m{index}"), 1, 1, "2026-08-01", "2026-11-01");
    }
    let book = book_with(settings, &rows.concat());
    cloud.rate(&book, month(&book, "2026-09"))
}

/// VMs with so many vCPUs at a month price, all living for these days of September.
fn shared(settings: &str, price: &str, days: u32, vcpus: &[u32]) -> Bill {
    let book = book_with(
        settings,
        &format!(
            "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"{price}\"\nper = \"month\"\n[[price]]\nid = \"ram\"\nmeter = \"ram\"\namount = \"0\"\nper = \"month\"\n"
        ),
    );
    let mut cloud = Cloud::new();
    let end = format!("2026-09-{:02}", days + 1);
    for (index, cpus) in vcpus.iter().enumerate() {
        cloud = cloud.vm(&format!("m{index}"), *cpus, 1, "2026-09-01", &end);
    }
    cloud.rate(&book, month(&book, "2026-09"))
}

fn cpu_lines(bill: &Bill) -> Vec<String> {
    let mut lines = of(bill, "cpu");
    lines.sort_by(|left, right| left.key.cmp(&right.key));
    lines.iter().map(|line| line.amount.amount()).collect()
}

fn yen(amount: &str, even: bool) -> String {
    let settings = format!("currency = \"JPY\"\n{}", if even { HALF_EVEN } else { "" });
    lines_of(&settings, &[amount]).total.amount()
}

/// Prices are never negative, so the negative amounts go through the rounding of amounts.
fn negative(amount: &str, mode: RoundingMode) -> String {
    Money::round(&number(amount), Currency::from_code("JPY").unwrap(), mode).amount()
}

pub(crate) fn ties_both_ways(case: &Case) {
    case.expect(&[
        yen("61.5", false),
        yen("61.5", true),
        yen("62.5", false),
        yen("62.5", true),
        negative("-0.5", RoundingMode::HalfAway),
        negative("-0.5", RoundingMode::HalfEven),
    ]);
}

pub(crate) fn yen_have_no_places(case: &Case) {
    case.expect(&[
        yen("0.5", false),
        yen("1000.5", false),
        negative("-100.5", RoundingMode::HalfAway),
    ]);
}

/// There is no currency of six places in a book; amounts can be shown with any number.
pub(crate) fn a_custom_number_of_places(case: &Case) {
    let dollars = lines_of("currency = \"USD\"", &["1.235"]);
    let exact = lines_of("currency = \"USD\"", &["1.2345678"]).exact;
    case.expect(&[
        dollars.total.amount(),
        exact.to_decimal_string(6, RoundingMode::HalfEven),
    ]);
}

/// A book does not round quantities; the same numbers through its blocks (up) and through
/// the rounding of amounts (nearest; half a unit less is down).
pub(crate) fn quantities_rounded_first(case: &Case) {
    let quantity = number("123.456");
    let nearest = |of: &Exact, hundreds: bool, places: u32| {
        let hundred = Exact::from(100);
        if hundreds {
            let rounded = of
                .checked_div(&hundred)
                .unwrap()
                .round(0, RoundingMode::HalfAway);
            (Exact::from(rounded) * hundred).to_decimal_string(0, RoundingMode::HalfAway)
        } else {
            of.to_decimal_string(places, RoundingMode::HalfAway)
        }
    };
    // 123.456 TB are so many whole bytes; a block costs what is in it
    let up = |block: &str| {
        let book = book_with(
            "",
            &format!(
                "[[price]]\nid = \"out\"\nmeter = \"traffic_sent\"\nunit = \"TB\"\nblock = \"{block}\"\namount = \"{block}\"\n"
            ),
        );
        let cloud = Cloud::new().counted(4, "n", &[("2026-09-02", 123_456_000_000_000)]);
        cloud.rate(&book, month(&book, "2026-09")).total.amount()
    };
    case.expect(&[
        nearest(&quantity, false, 2),
        up("1"),
        nearest(&(quantity.clone() - number("0.005")), false, 2),
        nearest(&quantity, true, 0),
        up("100"),
        nearest(&(quantity - Exact::from(50)), true, 0),
    ]);
}

pub(crate) fn equal_remainders_go_to_the_first_line(case: &Case) {
    let bill = lines_of("", &["1.144", "2.144"]);
    let mut found = vec![bill.total.amount()];
    found.extend(printed(&bill));
    case.expect(&found);
    // whatever comes first in the file
    let other = lines_of("", &["2.144", "1.144"]);
    assert_eq!(printed(&other), ["2.15", "1.14"]);
}

pub(crate) fn two_half_cents(case: &Case) {
    let amounts = ["0.055", "0.055"];
    let by_line = lines_of("rounding_point = \"line-first\"", &amounts);
    case.expect(&[
        lines_of("", &amounts).total.amount(),
        by_line.total.amount(),
    ]);
}

pub(crate) fn three_equal_shares(case: &Case) {
    // a third of the month each
    let bill = shared("", "100", 10, &[1, 1, 1]);
    assert_eq!(bill.total.amount(), "100.00");
    case.expect(&cpu_lines(&bill));
}

/// A thousandth of the lines, each a thousand times as much.
pub(crate) fn many_lines_below_a_cent(case: &Case) {
    let book = book_with(
        "",
        "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"0.001\"\nper = \"once\"\n",
    );
    let mut cloud = Cloud::new();
    for index in 0..10_000 {
        cloud = cloud.vm(&format!("m{index}"), 1, 1, "2026-09-07", "2026-09-07 01:00");
    }
    let window = crate::support::between("2026-09-07", "2026-09-08");
    let records = cloud.records(&[window]);
    let bill = crate::support::rate_json(&book, &records, &[], month(&book, "2026-09"));
    assert_eq!(of(&bill, "vm").len(), 10_000);
    case.expect(&[bill.total.amount()]);
}

pub(crate) fn a_unit_price_with_many_places(case: &Case) {
    let bill = lines_of("", &["19.6451612903"]);
    case.expect(&[bill.total.amount()]);
    assert!(
        line(&bill, "vm")
            .price_text
            .starts_with("19.6451612903 EUR")
    );
}

/// Money only ever comes from an explicit rounding, and the exact amount stays beside it.
pub(crate) fn an_amount_below_the_minor_unit(case: &Case) {
    assert_eq!(case.value(0), "error");
    let bill = lines_of("currency = \"USD\"", &["1.001"]);
    assert_eq!(
        (bill.total.amount(), bill.exact),
        ("1.00".to_owned(), number("1.001"))
    );
}

pub(crate) fn a_zero_weight_gets_nothing(case: &Case) {
    case.expect(&printed(&lines_of(
        "currency = \"JPY\"",
        &["0", "3.5", "3.5"],
    )));
}

pub(crate) fn five_yen_over_three(case: &Case) {
    case.expect(&cpu_lines(&shared(
        "currency = \"JPY\"",
        "5",
        10,
        &[1, 1, 1],
    )));
}

pub(crate) fn weights_one_two_three(case: &Case) {
    // a sixth of the month, six vCPUs
    case.expect(&cpu_lines(&shared("", "100", 5, &[1, 2, 3])));
}

pub(crate) fn tiny_weights(case: &Case) {
    case.expect(&cpu_lines(&shared("", "1.00", 10, &[1, 2])));
}

pub(crate) fn weights_ten_and_five(case: &Case) {
    let mut found = cpu_lines(&shared("", "5.00", 10, &[2, 1]));
    found.extend(cpu_lines(&shared("", "6.00", 10, &[2, 1])));
    case.expect(&found);
}

pub(crate) fn lines_add_up_to_the_total(case: &Case) {
    assert_eq!(case.value(0), "equal");
    for settings in [
        "",
        "rounding_point = \"line-first\"",
        HALF_EVEN,
        "currency = \"BHD\"",
    ] {
        // sums are checked of every bill
        let bill = lines_of(settings, &["0.3333", "0.3333", "1.115", "0.005", "19.9951"]);
        let sum = Money::sum(
            crate::support::lines(&bill).iter().map(|line| &line.amount),
            bill.currency,
        )
        .unwrap();
        assert_eq!(sum, bill.total);
    }
}
