//! One row a line.

use std::borrow::Cow;

use cloudstack_usage::{Holder, Tag};
use rating_engine::{Currency, Exact, LineItem, Statement};

use crate::cell::Cell;
use crate::column::{Column, Kind};
use crate::control::Control;
use crate::filter::volume_name;
use crate::report::Report;
use crate::text::{escape, join};
use crate::totals::LineAmounts;
use crate::view::View;

const MILLIS_PER_HOUR: i128 = 3_600_000;

/// Every line of the view, one a row, in the order of the bill.
///
/// Quantities and hours are exact where they end within nine decimal places, otherwise
/// rounded half-even to nine; `exact_amount` is the amount before rounding, as a fraction.
/// In every row `list_amount - discount_amount = amount`, see [`LineAmounts`]. Discounts
/// and tags are lists separated by `"; "`; a backslash escapes `\`, `;` and, in tag keys, `=`.
pub fn lines<'a>(view: &View<'a>) -> Report<'a> {
    let columns = columns(view.bill().currency);
    let totals = totals_row(view, &columns);
    let rows = {
        let view = view.clone();
        move || -> crate::report::Rows<'a> {
            Box::new(view.lines().map(|(statement, line)| row(statement, line)))
        }
    };
    Report::new("lines", "Lines", columns, rows, totals, Control::of(view))
}

fn columns(currency: Currency) -> Vec<Column> {
    vec![
        // whose it is
        Column::text("domain_path", "Domain"),
        Column::text("project", "Project").with_width(16),
        Column::text("account", "Account").with_width(16),
        Column::text("vm", "VM").with_width(18),
        Column::text("volume", "Volume").with_width(18),
        Column::text("resource_kind", "Kind of resource").with_width(16),
        Column::text("resource", "Resource").with_width(20),
        Column::text("cost_centre", "Cost centre").with_width(14),
        // for what, and how much
        Column::text("label", "Label"),
        Column::text("price", "Price").with_width(30),
        Column::new("quantity", "Quantity", Kind::Quantity),
        Column::text("unit", "Unit").with_width(14),
        Column::new("used_hours", "Used", Kind::Quantity)
            .with_unit("h")
            .with_width(14),
        Column::money("list_amount", "List amount", currency).summed(),
        Column::money("discount_amount", "Discount", currency).summed(),
        Column::money("amount", "Amount", currency).summed(),
        currency_code(),
        // why
        Column::text("exemption", "Exemption").with_width(18),
        Column::text("discounts", "Discounts").with_width(18),
        Column::instant("from", "From"),
        Column::instant("to", "To, excluded"),
        // what is known about the resource
        Column::instant("created", "Created").for_reference(),
        Column::instant("removed", "Removed").for_reference(),
        Column::text("tags", "Tags").with_width(40).for_reference(),
        // for programs
        Column::text("statement", "Statement").for_reference(),
        Column::id("domain_id", "Domain id"),
        Column::id("project_id", "Project id"),
        Column::id("account_id", "Account id"),
        Column::id("vm_id", "VM id"),
        Column::id("volume_id", "Volume id"),
        Column::id("resource_id", "Resource id"),
        Column::text("item_kind", "Item kind")
            .with_width(10)
            .for_reference(),
        Column::text("item", "Item").with_width(16).for_reference(),
        Column::text("price_id", "Price id").for_reference(),
        Column::text("exact_amount", "Exact amount").for_reference(),
        Column::text("line_key", "Line key")
            .with_width(40)
            .for_reference(),
    ]
}

/// The currency's code, which the headings of amounts say as well.
pub(super) fn currency_code() -> Column {
    Column::text("currency", "Currency")
        .with_width(10)
        .for_reference()
}

fn row<'a>(statement: &'a Statement, line: &'a LineItem) -> Vec<Cell<'a>> {
    let LineAmounts {
        list,
        discount,
        amount,
    } = LineAmounts::of(line);
    let (project, account) = match &line.holder {
        Holder::Project(id) => (
            [Cell::text(&*line.holder_name), Cell::display(id)],
            nobody(),
        ),
        Holder::Account(id) => (
            nobody(),
            [Cell::text(&*line.holder_name), Cell::display(id)],
        ),
        // the record names no holder: what it says in words is the account's column
        Holder::Unknown => (nobody(), [Cell::text(&*line.holder_name), Cell::Empty]),
    };
    let [project, project_id] = project;
    let [account, account_id] = account;
    vec![
        Cell::text(&*line.domain_path),
        project,
        account,
        Cell::text_or_empty(line.vm_name.as_deref()),
        Cell::text_or_empty(volume_name(line)),
        Cell::text(line.resource_kind),
        Cell::text(&*line.resource_name),
        Cell::text_or_empty(line.cost_centre.as_deref()),
        Cell::text(&*line.label),
        Cell::text(&*line.price_text),
        Cell::quantity(&line.quantity),
        Cell::text(&*line.unit),
        hours(line.used_millis),
        Cell::money(&list),
        Cell::money(&discount),
        Cell::money(&amount),
        Cell::text(amount.currency().code().to_owned()),
        Cell::text_or_empty(line.exemption.as_deref()),
        Cell::text(join(line.discounts.iter().map(|text| escape(text, &[])))),
        Cell::Instant(line.period.start()),
        Cell::Instant(line.period.end()),
        Cell::instant_or_empty(line.created),
        Cell::instant_or_empty(line.removed),
        Cell::text(tags(&line.tags)),
        Cell::text(&*statement.path),
        Cell::display(&line.domain),
        project_id,
        account_id,
        Cell::display_or_empty(line.vm.as_ref()),
        Cell::display_or_empty(line.volume.as_ref()),
        Cell::display(&line.resource),
        Cell::text(line.item.kind()),
        Cell::text(line.item.name()),
        Cell::text(&*line.price),
        Cell::display(&line.net),
        Cell::text(&*line.key),
    ]
}

fn nobody<'a>() -> [Cell<'a>; 2] {
    [Cell::Empty, Cell::Empty]
}

/// Milliseconds as hours.
pub(super) fn hours<'a>(millis: i128) -> Cell<'a> {
    Exact::ratio(millis, MILLIS_PER_HOUR).map_or(Cell::Empty, |hours| Cell::quantity(&hours))
}

/// `key=value; key=value`, escaped so that keys, values and tags can be told apart.
fn tags(tags: &[Tag]) -> String {
    join(tags.iter().map(|tag| {
        let (key, value) = (escape(&tag.key, &['=']), escape(&tag.value, &[]));
        Cow::Owned(format!("{key}={value}"))
    }))
}

fn totals_row<'a>(view: &View<'_>, columns: &[Column]) -> Vec<Cell<'a>> {
    let totals = view.totals();
    columns
        .iter()
        .map(|column| match column.name() {
            "domain_path" => Cell::text("Total"),
            "label" => Cell::text(format!("lines: {}", totals.lines)),
            "list_amount" => Cell::money(&totals.list),
            "discount_amount" => Cell::money(&totals.discount),
            "amount" => Cell::money(&totals.amount),
            "currency" => Cell::text(view.bill().currency.code().to_owned()),
            "exact_amount" => Cell::display(&totals.exact),
            _ => Cell::Empty,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_with_separators_in_them_stay_apart() {
        let list = [
            Tag::new("Env", "prod; Billing=noCPU"),
            Tag::new("a=b", "c=d\\"),
            Tag::new("", ""),
        ];
        assert_eq!(tags(&list), r"Env=prod\; Billing=noCPU; a\=b=c=d\\; =");
        assert_eq!(tags(&[]), "");
    }

    #[test]
    fn hours_are_exact_where_they_end() {
        assert_eq!(
            hours(5_400_000),
            Cell::quantity(&Exact::ratio(3, 2).unwrap())
        );
        assert_eq!(
            crate::cell::plain(&hours(1)),
            "0.000000278" // 1 / 3 600 000 does not end
        );
    }
}
