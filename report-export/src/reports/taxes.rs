//! From the net amount to what is payable.

use crate::cell::Cell;
use crate::column::Column;
use crate::control::Control;
use crate::report::{Report, Rows};
use crate::view::View;

/// Net, each tax, gross, deposits and what is payable, one row each. None where the book
/// has no taxes and nobody has a deposit, or where the view is filtered: taxes are of whole
/// statements.
pub fn taxes<'a>(view: &View<'a>) -> Option<Report<'a>> {
    let control = Control::of(view);
    let payable = control.payable.clone()?;
    let currency = view.bill().currency;
    let columns = vec![
        Column::text("position", "Position").with_width(44),
        Column::money("amount", "Amount", currency),
        Column::text("currency", "Currency").with_width(9),
    ];
    let amounts = payable.rows(&control.totals.amount);
    let rows = move || -> Rows<'a> {
        let rows = amounts.clone().into_iter();
        Box::new(rows.map(move |(title, amount)| {
            vec![
                Cell::text(title),
                Cell::money(&amount),
                Cell::text(currency.code().to_owned()),
            ]
        }))
    };
    Some(Report::new(
        "taxes",
        "From net to payable",
        columns,
        rows,
        Vec::new(),
        control,
    ))
}
