//! Group A: month prices and metered time.

use cloudstack_usage::Period;
use rating_engine::{Bill, Exact};

use crate::Case;
use crate::support::cloud::{GIB, windows};
use crate::support::{Cloud, at, between, book, book_with, decimal, exact, line, month};

fn vm_price(amount: &str, per: &str) -> String {
    format!("[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"{amount}\"\nper = \"{per}\"\n")
}

fn disk_price(amount: &str) -> String {
    format!("[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"{amount}\"\nper = \"month\"\n")
}

/// A VM at a month price that lived from one instant to another, rated for a month.
fn vm_bill(settings: &str, amount: &str, start: &str, end: &str, rated: &str) -> Bill {
    let book = book_with(settings, &vm_price(amount, "month"));
    Cloud::new()
        .vm("m1", 1, 1, start, end)
        .rate(&book, month(&book, rated))
}

fn vm_exact(settings: &str, amount: &str, start: &str, end: &str, rated: &str) -> Exact {
    exact(&vm_bill(settings, amount, start, end, rated), "vm")
}

pub(crate) fn ten_hours_of_a_month_price(case: &Case) {
    case.expect_shown(
        0,
        &vm_exact("", "400", "2026-09-03 05:00", "2026-09-03 15:00", "2026-09"),
    );
}

fn full_month(case: &Case, amount: &str, rated: &str) {
    let bill = vm_bill("", amount, "2025-01-01", "2027-06-01", rated);
    assert_eq!(exact(&bill, "vm"), crate::support::number(case.value(0)));
    case.expect(&[line(&bill, "vm").amount.amount()]);
}

pub(crate) fn a_full_month_of_720_hours(case: &Case) {
    full_month(case, "400", "2026-09");
}

pub(crate) fn a_full_month_of_744_hours(case: &Case) {
    full_month(case, "1.00", "2026-10");
}

pub(crate) fn a_full_month_at_29_99(case: &Case) {
    full_month(case, "29.99", "2026-08");
}

pub(crate) fn a_tiny_price_times_a_tebibyte(case: &Case) {
    let book = book(&disk_price("0.00003"));
    let cloud = Cloud::new().volume("v", 1024 * GIB, None, "2026-01-01", "2026-04-01");
    let bill = cloud.rate(&book, month(&book, "2026-02"));
    assert_eq!(exact(&bill, "disk"), crate::support::number(case.value(0)));
}

pub(crate) fn an_hour_of_a_long_month(case: &Case) {
    case.expect_shown(
        0,
        &vm_exact("", "100", "2026-10-05 03:00", "2026-10-05 04:00", "2026-10"),
    );
}

pub(crate) fn an_hour_of_a_short_month(case: &Case) {
    case.expect_shown(
        0,
        &vm_exact("", "100", "2026-09-05 03:00", "2026-09-05 04:00", "2026-09"),
    );
}

pub(crate) fn an_hour_in_each_month_of_a_year(case: &Case) {
    let year = |settings: &str, year: &str| -> Exact {
        (1..=12)
            .map(|month| {
                let rated = format!("{year}-{month:02}");
                vm_exact(
                    settings,
                    "100",
                    &format!("{rated}-09 10:00"),
                    &format!("{rated}-09 11:00"),
                    &rated,
                )
            })
            .sum()
    };
    case.expect_shown(0, &year("", "2025"));
    // the file's last digit is one too low here: 13270/8091 is 1.64009393152…
    let leap = year("", "2024");
    assert_eq!(leap, Exact::ratio(13_270, 8_091).unwrap());
    let off = leap - crate::support::number(case.value(1));
    assert!(!off.is_negative() && off < Exact::ratio(1, 1_000_000_000).unwrap());
    case.expect_shown(2, &year("month = \"d30\"", "2025"));
}

pub(crate) fn ten_bytes_of_traffic(case: &Case) {
    let book = book(
        "[[price]]\nid = \"out\"\nmeter = \"traffic_sent\"\nunit = \"GiB\"\namount = \"400\"\n",
    );
    let bill = Cloud::new()
        .counted(4, "n", &[("2026-09-07", 10)])
        .rate(&book, month(&book, "2026-09"));
    let amount = exact(&bill, "traffic_sent");
    assert_eq!(amount, Exact::ratio(4000, 1 << 30).unwrap());
    assert_eq!(
        amount.to_decimal_string(6, rating_engine::RoundingMode::HalfEven),
        case.value(0)
    );
}

pub(crate) fn ten_operations(case: &Case) {
    let book = book(
        "[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\namount = \"400\"\n",
    );
    let bill = Cloud::new()
        .counted(21, "v", &[("2026-09-07", 10)])
        .rate(&book, month(&book, "2026-09"));
    case.expect(&[line(&bill, "disk_read_ops").amount.amount()]);
}

pub(crate) fn many_hours_to_seventeen_places(case: &Case) {
    // from the first of October on, 277 hours
    case.expect_shown(
        0,
        &vm_exact("", "1.00", "2026-10-01", "2026-10-12 13:00", "2026-10"),
    );
}

pub(crate) fn a_gigabyte_month_made_of_a_day(case: &Case) {
    let book = book(&disk_price("0.10"));
    let cloud = Cloud::new().volume("v", 31 * GIB, None, "2026-10-11", "2026-10-12");
    let bill = cloud.rate(&book, month(&book, "2026-10"));
    assert_eq!(line(&bill, "disk").quantity, Exact::from(1));
    case.expect(&[decimal(&exact(&bill, "disk"), 2)]);
    assert_eq!(exact(&bill, "disk"), Exact::ratio(1, 10).unwrap());
}

/// Provisioned operations are no meter of CloudStack; gibibytes stand for them.
pub(crate) fn half_a_month_of_a_thousand_units(case: &Case) {
    let book = book(&disk_price("0.10"));
    let cloud = Cloud::new().volume("v", 1000 * GIB, None, "2026-09-01", "2026-09-16");
    case.expect(&[line(&cloud.rate(&book, month(&book, "2026-09")), "disk")
        .amount
        .amount()]);
}

pub(crate) fn gigabyte_hours_under_730(case: &Case) {
    let book = book_with("month = \"h730\"", &disk_price("0.10"));
    let cloud = Cloud::new()
        .volume("a", 30 * GIB, None, "2026-10-01", "2026-10-02")
        .volume("b", 10 * GIB, None, "2026-10-01", "2026-10-01 05:00")
        .volume("c", 5 * GIB, None, "2026-10-01", "2026-10-31 10:00");
    let bill = cloud.rate(&book, month(&book, "2026-10"));
    let quantity: Exact = crate::support::of(&bill, "disk")
        .iter()
        .map(|line| &line.quantity)
        .sum();
    case.expect(&[decimal(&quantity, 2), bill.total.amount()]);
}

pub(crate) fn civil_months_in_their_zones(case: &Case) {
    let zones = [
        ("America/New_York", "2026-03"),
        ("America/New_York", "2026-11"),
        ("Europe/Berlin", "2026-03"),
        ("Europe/Berlin", "2026-10"),
        ("UTC", "2024-02"),
    ];
    let hours = zones.map(|(zone, rated)| {
        let book = book_with(&format!("zone = \"{zone}\""), &vm_price("1", "hour"));
        let period = month(&book, rated);
        // and a VM that lived through it was used for just so many hours
        let cloud = Cloud::new().vm("m", 1, 1, "2023-12-01", "2027-01-01");
        let hourly = windows(
            period,
            chrono::TimeDelta::hours(1),
            chrono::TimeDelta::zero(),
        );
        let bill = cloud.rate_windows(&book, period, &hourly);
        assert_eq!(
            exact(&bill, "vm"),
            Exact::from(i128::from(period.millis() / 3_600_000))
        );
        (period.millis() / 3_600_000).to_string()
    });
    case.expect(&hours);
}

pub(crate) fn a_long_month_under_730(case: &Case) {
    let bill = vm_bill(
        "month = \"h730\"",
        "73.00",
        "2026-09-01",
        "2026-12-01",
        "2026-10",
    );
    case.expect(&[bill.total.amount()]);
}

pub(crate) fn a_cap_of_672_hours(case: &Case) {
    let capped = vm_bill(
        "month = \"cap672\"",
        "67.20",
        "2026-09-01",
        "2026-12-01",
        "2026-10",
    );
    let book = book(&vm_price("0.10", "hour"));
    let hourly = Cloud::new()
        .vm("m", 1, 1, "2026-09-01", "2026-12-01")
        .rate(&book, month(&book, "2026-10"));
    case.expect(&[capped.total.amount(), hourly.total.amount()]);
    // below the cap every hour counts: 336 of 672
    assert_eq!(
        vm_exact(
            "month = \"cap672\"",
            "67.20",
            "2026-10-01",
            "2026-10-15",
            "2026-10"
        ),
        crate::support::number("33.60")
    );
}

pub(crate) fn day_by_day_is_the_same_as_at_once(case: &Case) {
    let book = book(&vm_price("30.00", "month"));
    let cloud = Cloud::new().vm("m", 1, 1, "2026-03-01", "2026-06-01");
    let days: Exact = (1..=30)
        .map(|day| {
            let start = at(&format!("2026-04-{day:02}"));
            let period = Period::new(start, start + chrono::TimeDelta::days(1)).unwrap();
            exact(&cloud.rate(&book, period), "vm")
        })
        .sum();
    let once = cloud.rate(&book, month(&book, "2026-04"));
    assert_eq!(days, exact(&once, "vm"));
    case.expect(&[decimal(&days, 2), once.total.amount()]);
}

pub(crate) fn a_window_across_a_month_end(case: &Case) {
    let book = book(&vm_price("31.00", "month"));
    let window = between("2026-01-31", "2026-02-02");
    let cloud = Cloud::new().vm("m", 1, 1, "2026-01-31", "2026-02-02");
    let bill = cloud.rate_windows(&book, between("2026-01-01", "2026-03-01"), &[window]);
    case.expect_shown(0, &exact(&bill, "vm"));
}
