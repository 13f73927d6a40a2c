//! Groups D and J: parts of a month, and civil time.

use rating_engine::Exact;

use crate::Case;
use crate::support::{Cloud, at, book, book_with, decimal, exact, line, month, number, of};

fn vm_price(id: &str, amount: &str, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"vm\"\namount = \"{amount}\"\nper = \"month\"\n{more}\n"
    )
}

/// A price that changes within a month: what the old one is less than a full month, and
/// what the new one costs.
struct Change {
    credit: Exact,
    charge: Exact,
}

/// `until` and `from` are what the two rows of the book say.
fn change(settings: &str, old: &str, new: &str, change_at: &str, rated: &str) -> Change {
    let rows = vm_price("old", old, &format!("until = \"{change_at}T00:00:00\""))
        + &vm_price("new", new, &format!("from = \"{change_at}T00:00:00\""));
    let rows = if change_at.contains('T') {
        rows.replace("T00:00:00\"", "\"")
    } else {
        rows
    };
    let book = book_with(settings, &rows);
    let cloud = Cloud::new().vm("m", 1, 1, "2020-01-01", "2030-01-01");
    let period = month(&book, rated);
    let bill = cloud.rate(&book, period);
    let of_price = |id: &str| -> Exact {
        of(&bill, "vm")
            .iter()
            .filter(|line| line.price == id)
            .map(|line| &line.net)
            .sum()
    };
    let full = book_with(settings, &vm_price("old", old, ""));
    let full = exact(&cloud.rate(&full, period), "vm");
    Change {
        credit: of_price("old") - full,
        charge: of_price("new"),
    }
}

impl Change {
    fn shown(&self, places: u32) -> [String; 2] {
        [decimal(&self.credit, places), decimal(&self.charge, places)]
    }

    /// Credit and charge as printed, and their sum.
    fn with_sum(&self, places: u32) -> Vec<String> {
        let [credit, charge] = self.shown(places);
        let sum = decimal(&(number(&credit) + number(&charge)), places);
        vec![credit, charge, sum]
    }
}

pub(crate) fn two_parts_of_thirty_days(case: &Case) {
    let book = book_with("month = \"d30\"", &vm_price("vm", "19.95", ""));
    let part = |start: &str, end: &str| {
        let bill = Cloud::new()
            .vm("m", 1, 1, start, end)
            .rate(&book, month(&book, "2026-10"));
        exact(&bill, "vm")
    };
    let sum = part("2026-10-02", "2026-10-10") + part("2026-10-10", "2026-11-01");
    assert_eq!(sum, number(case.value(0)));
}

pub(crate) fn never_more_than_the_price(case: &Case) {
    let book = book(&vm_price("vm", "100.00", ""));
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-10", "2026-10-20");
    case.expect(&[cloud.rate(&book, month(&book, "2026-09")).total.amount()]);
}

pub(crate) fn change_on_the_fifteenth(case: &Case) {
    case.expect(&change("", "10", "20", "2024-03-15", "2024-03").with_sum(2));
}

pub(crate) fn change_and_cancel_on_one_day(case: &Case) {
    let start = change("", "0", "25", "2024-03-15", "2024-03");
    let cancel = change("", "40", "0", "2024-03-15", "2024-03");
    case.expect(&[decimal(&start.charge, 2), decimal(&cancel.credit, 2)]);
}

pub(crate) fn more_seats(case: &Case) {
    let change = change("", "50", "100", "2024-03-15", "2024-03");
    assert_eq!(change.shown(2), ["-27.42", "54.84"]);
    case.expect(&[change.with_sum(2).remove(2)]);
}

pub(crate) fn change_in_the_middle(case: &Case) {
    case.expect(&change("", "10", "20", "2026-09-16", "2026-09").with_sum(2));
}

pub(crate) fn sixteen_days_left(case: &Case) {
    case.expect(&change("", "31", "62", "2026-10-16", "2026-10").with_sum(0));
}

/// By the day of the change (16 days of 31 lie before the next midnight) is what a change
/// at that midnight costs by the second.
pub(crate) fn share_by_the_second_and_by_the_day(case: &Case) {
    let by_second = change("", "0", "1", "2026-01-16T12:00:00", "2026-01").charge;
    let by_day = change("", "0", "1", "2026-01-17", "2026-01").charge;
    assert_eq!(by_second, number(case.value(0)));
    case.expect_shown(1, &by_day);
}

pub(crate) fn half_of_an_odd_amount(case: &Case) {
    let found = ["half-away", "half-even"].map(|mode| {
        let settings = format!("currency = \"JPY\"\nrounding = \"{mode}\"");
        let book = book_with(&settings, &vm_price("vm", "101", ""));
        let cloud = Cloud::new().vm("m", 1, 1, "2026-09-16", "2026-10-16");
        cloud.rate(&book, month(&book, "2026-09")).total.amount()
    });
    case.expect(&found);
}

/// A period of 30 days of January is what the profile of 30 days makes of a month.
pub(crate) fn half_of_thirty_days(case: &Case) {
    let rows = vm_price("old", "100", "until = \"2025-01-15\"")
        + &vm_price("new", "200", "from = \"2025-01-16\"");
    let book = book_with("month = \"d30\"", &rows);
    let bill = Cloud::new()
        .vm("m", 1, 1, "2025-01-01", "2025-01-31")
        .rate(&book, month(&book, "2025-01"));
    let of_price = |id: &str| {
        of(&bill, "vm")
            .iter()
            .filter(|line| line.price == id)
            .map(|line| &line.net)
            .sum::<Exact>()
    };
    let credit = of_price("old") - Exact::from(100);
    let charge = of_price("new");
    case.expect(&[
        decimal(&credit, 2),
        decimal(&charge, 2),
        decimal(&(credit + charge), 2),
    ]);
}

pub(crate) fn changes_at_the_edges(case: &Case) {
    // units added on the 1st, on the 31st (the end) and on the 30th of the 30 days
    let added = |amount: &str, from: &str| {
        let book = book_with(
            "month = \"d30\"",
            &vm_price("vm", amount, &format!("from = \"{from}\"")),
        );
        let bill = Cloud::new()
            .vm("m", 1, 1, "2025-01-01", "2025-01-31")
            .rate(&book, month(&book, "2025-01"));
        decimal(&exact(&bill, "vm"), 2)
    };
    case.expect(&[
        added("100", "2025-01-01"),
        added("100", "2025-01-31"),
        added("300", "2025-01-30"),
    ]);
}

pub(crate) fn several_changes_at_once(case: &Case) {
    // 5 vCPUs become 10; then a price of 100 becomes 200, 50 come and 30 go, all at half
    let half = |old: &str, new: &str| change("", old, new, "2026-09-16", "2026-09");
    let sum = |change: Change| change.credit + change.charge;
    let several = sum(half("100", "200")) + sum(half("0", "50")) + sum(half("30", "0"));
    let slots = sum(half("50", "100"));
    case.expect(&[decimal(&slots, 2), decimal(&several, 2)]);
}

pub(crate) fn units_from_the_fifth(case: &Case) {
    let book = book("[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = 1\nper = \"month\"\n");
    let cloud = Cloud::new().volume("v", 2500 << 30, None, "2026-03-05", "2026-05-01");
    case.expect(&[cloud.rate(&book, month(&book, "2026-03")).total.amount()]);
}

pub(crate) fn one_day_rounded_once(case: &Case) {
    let book = book(&vm_price("vm", "1.00", ""));
    let cloud = Cloud::new().vm("m", 1, 1, "2026-10-31", "2026-11-09");
    case.expect(&[cloud.rate(&book, month(&book, "2026-10")).total.amount()]);
}

/// Durations in months count from the first day, not from the last clamp.
pub(crate) fn anchors_at_a_month_end(case: &Case) {
    let found: Vec<String> = (1..=3)
        .map(|months| {
            let row = format!("[[discount]]\nid = \"d\"\npercent = 1\nfrom = \"2024-01-31\"\nduration = \"{months} months\"\n");
            book(&row).discounts()[0].validity.end().date_naive().to_string()
        })
        .collect();
    assert_eq!(found, case.expected);
}

pub(crate) fn a_points_month_is_local(case: &Case) {
    let zone = "zone = \"America/New_York\"";
    let book = book_with(
        zone,
        "[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\namount = 1\n",
    );
    let hour = |text: &str| {
        cloudstack_usage::Period::new(at(text), at(text) + chrono::TimeDelta::hours(1)).unwrap()
    };
    let mut cloud = Cloud::new().counted(21, "v", &[]);
    // the last hour of March, the first of April (04:00Z in summer time), one in May
    cloud.counters[0].amounts = vec![
        (hour("2026-04-01 03:00"), 3),
        (hour("2026-04-01 04:00"), 4),
        (hour("2026-05-09 10:00"), 2),
    ];
    let found = ["2026-03", "2026-04", "2026-05"].map(|rated| {
        let bill = cloud.rate(&book, month(&book, rated));
        decimal(&exact(&bill, "disk_read_ops"), 0)
    });
    case.expect(&found);
}

pub(crate) fn a_missing_midnight(case: &Case) {
    assert_eq!(case.value(0), "terminates");
    // Beirut's clocks skip the midnight that begins 29 March 2026
    let book = book_with("zone = \"Asia/Beirut\"", &vm_price("vm", "1", ""));
    let period = book
        .civil_period("2026-03-29".parse().unwrap(), "2026-03-29".parse().unwrap())
        .unwrap();
    assert_eq!(period.start(), at("2026-03-28 22:00"));
    assert_eq!(period.millis(), 23 * 3_600_000);
    let bill = Cloud::new()
        .vm("m", 1, 1, "2026-01-01", "2027-01-01")
        .rate(&book, period);
    assert_eq!(line(&bill, "vm").used_millis, 23 * 3_600_000);
}

pub(crate) fn a_printed_last_second(case: &Case) {
    let book = book(&vm_price("vm", "1", ""));
    let period = crate::support::between("2026-09-01", "2026-10-01");
    let cloud = Cloud::new().vm("m", 1, 1, "2026-01-01", "2027-01-01");
    let records = cloud.records(&[period]);
    assert!(records[0].contains("2026-09-30T23:59:59+0000"));
    let bill = crate::support::rate_json(&book, &records, &[], period);
    case.expect(&[(line(&bill, "vm").used_millis / 1000).to_string()]);
}
