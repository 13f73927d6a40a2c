//! What CloudStack forgot to meter, and what it metered twice.

use rating_engine::{Currency, Exact, Leak, LeakKind, Leaks, Money, RoundingMode};

use super::lines::hours;
use crate::cell::Cell;
use crate::column::{Column, Kind};
use crate::control::Control;
use crate::report::{Report, Rows};
use crate::view::View;

/// The leaks that concern the view, the most expensive first.
pub fn leaks_of(view: &View<'_>) -> Leaks {
    let bill = view.bill();
    Leaks::of(view.findings(), bill.period, bill.currency)
}

/// The same as a report: one leak a row, with its time and money. Both sides have a column
/// of their own, since money that is not earned and money that is not owed do not add up.
pub fn leaks<'a>(view: &View<'a>) -> Report<'a> {
    let leaks = leaks_of(view);
    let currency = leaks.currency;
    let totals = totals(&leaks);
    let rows = move || -> Rows<'a> {
        let rows: Vec<Vec<Cell<'a>>> = leaks.leaks.iter().map(|leak| row(leak, currency)).collect();
        Box::new(rows.into_iter())
    };
    Report::new(
        "leaks",
        "Leaks",
        columns(currency),
        rows,
        totals,
        Control::of(view),
    )
}

fn columns(currency: Currency) -> Vec<Column> {
    vec![
        Column::text("kind", "Kind").with_width(14),
        Column::text("finding", "Finding").with_width(18),
        Column::text("policy", "Policy").with_width(14),
        Column::id("account_id", "Billing account id"),
        Column::text("owner", "Owner").with_width(30),
        Column::text("resource", "Resource"),
        Column::id("resource_id", "Resource id"),
        Column::instant("from", "From"),
        Column::instant("to", "To, excluded"),
        Column::new("hours", "Time", Kind::Quantity).with_unit("h"),
        Column::new("records", "Records", Kind::Integer).summed(),
        Column::money("not_metered", "Not metered", currency).summed(),
        Column::money("metered_twice", "Metered twice", currency).summed(),
        Column::text("currency", "Currency").with_width(9),
        Column::text("exact_value", "Exact value"),
        Column::text("message", "Message").with_width(80),
    ]
}

fn money(exact: &Exact, currency: Currency) -> Money {
    Money::round(exact, currency, RoundingMode::HalfAway)
}

fn row<'a>(leak: &Leak, currency: Currency) -> Vec<Cell<'a>> {
    let text = |text: Option<&String>| text.map_or(Cell::Empty, |text| Cell::text(text.clone()));
    let value = |kind: LeakKind| {
        let value = leak.value.as_ref().filter(|_| leak.kind == kind);
        value.map_or(Cell::Empty, |value| {
            Cell::money(&money(&value.exact, currency))
        })
    };
    let period = leak.period;
    vec![
        Cell::text(leak.kind.slug()),
        Cell::text(leak.finding.slug()),
        Cell::text(leak.policy.slug()),
        Cell::display_or_empty(leak.account.as_ref()),
        text(leak.owner.as_ref()),
        text(leak.resource_name.as_ref()),
        Cell::display_or_empty(leak.resource.as_ref()),
        Cell::instant_or_empty(period.map(|period| period.start())),
        Cell::instant_or_empty(period.filter(|period| !period.is_open()).map(|p| p.end())),
        hours(leak.millis),
        Cell::count(leak.records),
        value(LeakKind::NotMetered),
        value(LeakKind::MeteredTwice),
        Cell::text(currency.code().to_owned()),
        Cell::display_or_empty(leak.value.as_ref().map(|value| &value.exact)),
        Cell::text(leak.message.clone()),
    ]
}

/// What is printed in the rows, added.
fn totals<'a>(leaks: &Leaks) -> Vec<Cell<'a>> {
    let currency = leaks.currency;
    let sum = |kind: LeakKind| {
        let values = leaks.leaks.iter().filter(|leak| leak.kind == kind);
        let minor = values
            .filter_map(|leak| leak.value.as_ref())
            .map(|value| money(&value.exact, currency).minor().clone())
            .sum();
        Cell::money(&Money::from_minor(minor, currency))
    };
    let records = leaks.leaks.iter().map(|leak| leak.records).sum();
    columns(currency)
        .iter()
        .map(|column| match column.name() {
            "kind" => Cell::text("Total"),
            "finding" => Cell::text(format!("leaks: {}", leaks.leaks.len())),
            "records" => Cell::count(records),
            "not_metered" => sum(LeakKind::NotMetered),
            "metered_twice" => sum(LeakKind::MeteredTwice),
            "currency" => Cell::text(currency.code().to_owned()),
            _ => Cell::Empty,
        })
        .collect()
}
