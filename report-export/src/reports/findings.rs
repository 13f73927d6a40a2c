//! What is wrong or doubtful, with the money at stake.

use rating_engine::{Currency, Finding, Money, RoundingMode};

use super::lines::{currency_code, hours};
use crate::cell::Cell;
use crate::column::{Column, Kind};
use crate::control::Control;
use crate::error::{ErrorKind, ExportError};
use crate::report::{Report, Rows};
use crate::view::View;

/// The findings that concern the view, one a row, in the order of the bill.
///
/// `value` is the money at stake rounded half away from zero to minor units, empty where it
/// cannot be told; `exact_value` is the same as a fraction.
///
/// # Errors
/// When the values cannot be added, which a bill of one currency never shows.
pub fn findings<'a>(view: &View<'a>) -> Result<Report<'a>, ExportError> {
    let currency = view.bill().currency;
    let totals = totals_row(view)?;
    let rows = {
        let view = view.clone();
        move || -> Rows<'a> { Box::new(view.findings().map(move |finding| row(finding, currency))) }
    };
    Ok(Report::new(
        "findings",
        "Findings",
        columns(currency),
        rows,
        totals,
        Control::of(view),
    ))
}

fn columns(currency: Currency) -> Vec<Column> {
    vec![
        Column::text("kind", "Kind").with_width(20),
        Column::money("value", "Value", currency).summed(),
        currency_code(),
        Column::text("owner", "Owner").with_width(30),
        Column::text("resource", "Resource"),
        Column::text("message", "Message").with_width(80),
        Column::instant("from", "From"),
        Column::instant("to", "To, excluded"),
        Column::new("hours", "Time", Kind::Quantity)
            .with_unit("h")
            .with_width(14),
        Column::new("records", "Records", Kind::Integer).summed(),
        Column::text("policy", "Policy").with_width(14),
        Column::id("account_id", "Billing account id"),
        Column::id("resource_id", "Resource id"),
        Column::text("exact_value", "Exact value").for_reference(),
    ]
}

fn value(finding: &Finding, currency: Currency) -> Option<Money> {
    let exact = finding.value.as_ref()?;
    Some(Money::round(exact, currency, RoundingMode::HalfAway))
}

fn row(finding: &Finding, currency: Currency) -> Vec<Cell<'_>> {
    let period = finding.period;
    vec![
        Cell::text(finding.kind.slug()),
        value(finding, currency).map_or(Cell::Empty, |value| Cell::money(&value)),
        Cell::text(currency.code().to_owned()),
        Cell::text_or_empty(finding.owner.as_deref()),
        Cell::text_or_empty(finding.resource_name.as_deref()),
        Cell::text(&*finding.message),
        Cell::instant_or_empty(period.map(|period| period.start())),
        Cell::instant_or_empty(period.filter(|period| !period.is_open()).map(|p| p.end())),
        hours(finding.millis),
        Cell::count(finding.records),
        Cell::text(finding.policy.slug()),
        Cell::display_or_empty(finding.account.as_ref()),
        Cell::display_or_empty(finding.resource.as_ref()),
        Cell::display_or_empty(finding.value.as_ref()),
    ]
}

fn totals_row<'a>(view: &View<'_>) -> Result<Vec<Cell<'a>>, ExportError> {
    let currency = view.bill().currency;
    let mut total = Money::zero(currency);
    let (mut count, mut records) = (0_u64, 0_u64);
    for finding in view.findings() {
        count += 1;
        records = records.saturating_add(finding.records);
        if let Some(value) = value(finding, currency) {
            total = total.checked_add(&value).map_err(|mismatch| {
                ExportError::new(ErrorKind::Currency, mismatch.to_string()).with_source(mismatch)
            })?;
        }
    }
    Ok(columns(currency)
        .iter()
        .map(|column| match column.name() {
            "kind" => Cell::text("Total"),
            "owner" => Cell::text(format!("findings: {count}")),
            "records" => Cell::count(records),
            "value" => Cell::money(&total),
            "currency" => Cell::text(currency.code().to_owned()),
            _ => Cell::Empty,
        })
        .collect())
}
