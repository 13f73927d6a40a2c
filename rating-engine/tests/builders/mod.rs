//! A cloud made by hand: from its state over time come the usage records, as CloudStack's
//! API would send them, and the snapshots that syncs would see. Tests rate those.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod cloud;
pub(crate) mod replay;
pub(crate) mod scene;
pub(crate) mod schema;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudstack_usage::{InventoryBuilder, Period, Snapshot, UsageLifetimes, parse_usage_record};
use rating_engine::{Bill, Exact, Item, LineItem, PriceBook, Rating, RoundingMode, Totals};

pub(crate) use cloud::Cloud;

/// An instant: `2026-09-01`, `2026-09-01 12:00` or RFC 3339.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let text = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{}:00Z", text.replace(' ', "T")),
        _ => text.to_owned(),
    };
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The period between two such instants.
pub(crate) fn between(start: &str, end: &str) -> Period {
    Period::new(at(start), at(end)).unwrap()
}

/// A civil month of the book's zone, as `2026-09`.
pub(crate) fn month(book: &PriceBook, month: &str) -> Period {
    let first: chrono::NaiveDate = format!("{month}-01").parse().unwrap();
    let last = first + chrono::Months::new(1) - chrono::Days::new(1);
    book.civil_period(first, last).unwrap()
}

/// A book of these rows, with the head that every book needs.
pub(crate) fn book(rows: &str) -> PriceBook {
    book_with("", rows)
}

/// The same with more settings; a setting given here wins over the head's.
pub(crate) fn book_with(settings: &str, rows: &str) -> PriceBook {
    PriceBook::from_toml(&book_text(settings, rows)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The text of such a book.
pub(crate) fn book_text(settings: &str, rows: &str) -> String {
    let head = [
        ("schema", "1"),
        ("name", "\"Test\""),
        ("currency", "\"EUR\""),
        ("zone", "\"UTC\""),
        ("compute", "\"allocated\""),
    ];
    let mut text = String::new();
    for (key, value) in head {
        if !settings
            .lines()
            .any(|line| line.trim_start().starts_with(key))
        {
            text.extend([key, " = ", value, "\n"]);
        }
    }
    text + settings + "\n" + rows
}

/// Rates records, given as JSON objects of the API, against what the snapshots show.
pub(crate) fn rate_json(
    book: &PriceBook,
    records: &[String],
    snapshots: &[Snapshot],
    period: Period,
) -> Bill {
    let records: Vec<_> = records
        .iter()
        .map(|json| parse_usage_record(json).unwrap_or_else(|error| panic!("{error}: {json}")))
        .collect();
    let mut lifetimes = UsageLifetimes::default();
    let mut builder = InventoryBuilder::new();
    for record in &records {
        lifetimes.observe(record);
    }
    for snapshot in snapshots {
        builder.observe(snapshot);
    }
    builder.usage(lifetimes);
    let inventory = builder.build();
    let rating = || {
        let mut rating = Rating::new(book, &inventory, period).unwrap();
        for record in &records {
            rating.push(record);
        }
        rating
    };
    let bill = rating().finish();
    check(&bill);
    check_totals(&bill, &rating().totals());
    bill
}

/// Totals are what the bill's lines add up to, but for credits.
pub(crate) fn check_totals(bill: &Bill, totals: &Totals) {
    let mut of_lines: BTreeMap<_, Exact> = BTreeMap::new();
    for statement in &bill.statements {
        let lines = statement.lines.iter();
        for line in lines.filter(|line| !matches!(line.item, Item::Credit(_))) {
            let whose = (&statement.account, &line.domain, &line.holder);
            let key = (whose, &line.cost_centre, &line.resource, &line.item);
            *of_lines.entry(key).or_default() += line.net.clone();
        }
    }
    let mut of_totals: BTreeMap<_, Exact> = BTreeMap::new();
    for total in &totals.totals {
        let whose = (&total.account, &total.domain, &total.holder);
        let key = (whose, &total.cost_centre, &total.resource, &total.item);
        *of_totals.entry(key).or_default() += total.net.clone();
    }
    assert_eq!(of_totals, of_lines);
    let exact: Exact = of_lines.into_values().sum();
    assert_eq!(totals.exact(), exact);
    assert_eq!(totals.by_account().into_values().sum::<Exact>(), exact);
    assert_eq!(
        (totals.period, totals.currency),
        (bill.period, bill.currency)
    );
}

/// What holds for every bill: the parts add up.
pub(crate) fn check(bill: &Bill) {
    let counts = &bill.counts;
    assert_eq!(
        counts.charged + counts.exempt + counts.reference + counts.held,
        counts.records,
        "every record has one fate: {counts:?}"
    );
    for statement in &bill.statements {
        let printed = statement
            .lines
            .iter()
            .map(|line| line.amount.minor())
            .sum::<num_bigint::BigInt>();
        assert_eq!(&printed, statement.total.minor(), "printed lines add up");
        let exact: Exact = statement.lines.iter().map(|line| &line.net).sum();
        assert_eq!(exact, statement.exact);
    }
}

/// All lines of a bill.
pub(crate) fn lines(bill: &Bill) -> Vec<&LineItem> {
    bill.statements
        .iter()
        .flat_map(|statement| &statement.lines)
        .collect()
}

/// The lines of an item (`cpu`, `Backup`, …).
pub(crate) fn of<'b>(bill: &'b Bill, item: &str) -> Vec<&'b LineItem> {
    lines(bill)
        .into_iter()
        .filter(|line| line.item.name() == item)
        .collect()
}

/// The one line of an item.
pub(crate) fn line<'b>(bill: &'b Bill, item: &str) -> &'b LineItem {
    match of(bill, item).as_slice() {
        [line] => line,
        others => panic!("{} lines of {item}", others.len()),
    }
}

/// Printed amounts, in the order of the lines' keys; without what is included in something
/// else.
pub(crate) fn printed(bill: &Bill) -> Vec<String> {
    let mut lines = lines(bill);
    lines.retain(|line| line.exemption.is_none());
    lines.sort_by(|left, right| left.key.cmp(&right.key));
    lines.iter().map(|line| line.amount.amount()).collect()
}

/// The exact sum of an item's lines.
pub(crate) fn exact(bill: &Bill, item: &str) -> Exact {
    of(bill, item).iter().map(|line| &line.net).sum()
}

/// Decimal text with `places` places, ties away from zero.
pub(crate) fn decimal(exact: &Exact, places: u32) -> String {
    exact.to_decimal_string(places, RoundingMode::HalfAway)
}

/// A decimal text as an exact number.
pub(crate) fn number(text: &str) -> Exact {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let numerator: i128 = format!("{whole}{part}")
        .parse()
        .unwrap_or_else(|_| panic!("{text} is no number"));
    Exact::ratio(
        sign * numerator,
        10_i128.pow(u32::try_from(part.len()).unwrap()),
    )
    .unwrap()
}

/// The slugs of a bill's findings.
pub(crate) fn findings(bill: &Bill) -> Vec<&'static str> {
    bill.findings
        .iter()
        .map(|finding| finding.kind.slug())
        .collect()
}

/// The finding of one kind.
pub(crate) fn finding<'b>(bill: &'b Bill, slug: &str) -> &'b rating_engine::Finding {
    bill.findings
        .iter()
        .find(|finding| finding.kind.slug() == slug)
        .unwrap_or_else(|| panic!("no finding {slug} in {:?}", findings(bill)))
}
