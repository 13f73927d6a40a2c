//! What a workbook was made from, and how to read it.

use crate::cell::{Cell, plain};
use crate::column::Column;
use crate::control::Control;
use crate::report::{Report, Rows};
use crate::view::View;
use crate::xlsx::Warnings;

/// Warnings listed on the sheet; the rest is counted.
const LISTED_WARNINGS: usize = 100;

/// How to read a workbook, for people.
const NOTES: &[(&str, &str)] = &[
    (
        "Rounding",
        "Nothing is rounded before the line. Every line has one printed amount in whole minor \
         units, and every sheet adds these printed amounts, so all sheets have the same total.",
    ),
    (
        "List amount and discount",
        "For display, to the minor unit: in every row, list amount less discount is the amount.",
    ),
    (
        "Quantities and hours",
        "Exact where they end within nine decimal places, otherwise rounded half-even to nine. \
         Cells show at most six places.",
    ),
    (
        "Units",
        "Amounts are in the currency above. The unit of a quantity is in the column beside it; \
         GiB is 1024 x 1024 x 1024 bytes.",
    ),
    (
        "Times",
        "All times are UTC. An end is excluded: it is the first instant after.",
    ),
    (
        "Numbers as text",
        "A number of more than 15 significant digits is written as text, because a spreadsheet \
         would change it. Such cells are listed below.",
    ),
];

/// Control block, counts, notes and warnings as name and value.
pub(crate) fn about<'a>(view: &View<'_>, warnings: &Warnings) -> Report<'a> {
    let control = Control::of(view);
    let mut rows: Vec<(String, String)> = control
        .entries()
        .into_iter()
        .map(|(_, title, value)| (title.to_owned(), plain(&value).into_owned()))
        .collect();
    if let Some(payable) = &control.payable {
        let amounts = payable.rows(&control.totals.amount).into_iter();
        rows.extend(amounts.map(|(title, amount)| (title, amount.to_string())));
    }
    if let Some(counts) = &control.counts {
        for (title, count) in [
            ("Usage records", counts.records),
            ("… charged", counts.charged),
            ("… exempt", counts.exempt),
            ("… for reference only", counts.reference),
            ("… held, see findings", counts.held),
        ] {
            rows.push((title.to_owned(), count.to_string()));
        }
    }
    let notes = NOTES.iter();
    rows.extend(notes.map(|(title, text)| ((*title).to_owned(), (*text).to_owned())));
    rows.push(("Warnings".to_owned(), warnings.count.to_string()));
    let listed = warnings.first.iter().take(LISTED_WARNINGS);
    rows.extend(listed.map(|warning| (warning.kind.slug().to_owned(), warning.to_string())));
    Report::new(
        "about",
        "About",
        vec![
            Column::text("name", "Name").with_width(44),
            Column::text("value", "Value").with_width(100),
        ],
        move || -> Rows<'a> {
            let rows = rows.clone().into_iter();
            Box::new(rows.map(|(name, value)| vec![Cell::text(name), Cell::text(value)]))
        },
        Vec::new(),
        control,
    )
}
