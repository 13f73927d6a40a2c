//! Every way of adding lines gives the same total.

use std::collections::BTreeSet;

use cloudstack_usage::Holder;
use num_bigint::BigInt;
use proptest::prelude::*;
use rating_engine::{Bill, Exact, RoundingMode, Statement};
use report_export::{Cell, Filter, GroupBy, Report, View, lines, summary};

use crate::support::{any_bill, column, exact, index, line, minor_of, total};

/// The sum of a column's cells, in minor units.
fn sum(report: &Report<'_>, name: &str, digits: u32) -> BigInt {
    column(report, name)
        .iter()
        .map(|cell| minor_of(cell, digits))
        .sum()
}

/// What a report adds up to, checked against its own totals row.
fn added(report: &Report<'_>, digits: u32) -> Result<BigInt, TestCaseError> {
    for name in ["list_amount", "discount_amount", "amount"] {
        prop_assert_eq!(
            sum(report, name, digits),
            minor_of(&total(report, name), digits)
        );
    }
    Ok(sum(report, "amount", digits))
}

/// The parts of a view by each value that its lines have for something.
fn filters(bill: &Bill, of: impl Fn(&rating_engine::LineItem) -> Option<Filter>) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    for line in bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines)
    {
        if let Some(filter) = of(line)
            && !filters.contains(&filter)
        {
            filters.push(filter);
        }
    }
    filters
}

fn added_by_filters(
    view: &View<'_>,
    filters: &[Filter],
    digits: u32,
) -> Result<BigInt, TestCaseError> {
    filters.iter().try_fold(BigInt::ZERO, |sum, filter| {
        Ok(sum + added(&lines(&view.filtered(filter).unwrap()), digits)?)
    })
}

fn all_lines(bill: &Bill) -> impl Iterator<Item = &rating_engine::LineItem> {
    bill.statements
        .iter()
        .flat_map(|statement: &Statement| &statement.lines)
}

proptest! {
    #[test]
    fn every_summary_adds_up_to_the_printed_total(bill in any_bill()) {
        let digits = bill.currency.minor_digits();
        let view = View::of_bill(&bill).unwrap();
        prop_assert_eq!(&added(&lines(&view), digits)?, bill.total.minor());
        for by in GroupBy::ALL {
            let report = summary(&view, &[*by]).unwrap();
            prop_assert_eq!(&added(&report, digits)?, bill.total.minor(), "{:?}", by);
        }
        let all = summary(&view, GroupBy::ALL).unwrap();
        prop_assert_eq!(&added(&all, digits)?, bill.total.minor());
        for statement in &bill.statements {
            let view = View::of_statement(&bill, &statement.path).unwrap();
            for by in GroupBy::ALL {
                let report = summary(&view, &[*by]).unwrap();
                prop_assert_eq!(&added(&report, digits)?, statement.total.minor(), "{:?}", by);
            }
        }
    }

    #[test]
    fn no_two_rows_of_a_summary_have_one_key(bill in any_bill()) {
        let view = View::of_bill(&bill).unwrap();
        for by in GroupBy::ALL {
            let report = summary(&view, &[*by]).unwrap();
            let (lines, currency) = (index(&report, "lines"), index(&report, "currency"));
            let keys = |row: &[Cell<'_>]| format!("{:?} {:?}", &row[..lines], &row[currency..]);
            let rows: Vec<String> = report.rows().map(|row| keys(&row)).collect();
            let different: BTreeSet<&String> = rows.iter().collect();
            prop_assert_eq!(different.len(), rows.len(), "{:?}", by);
        }
    }

    #[test]
    fn disjoint_filters_add_up_to_the_printed_total(bill in any_bill()) {
        let digits = bill.currency.minor_digits();
        let view = View::of_bill(&bill).unwrap();
        let by_domain = filters(&bill, |line| Some(Filter {
            domains: vec![line.domain.to_string()],
            exclusive: true,
            ..Filter::default()
        }));
        prop_assert_eq!(&added_by_filters(&view, &by_domain, digits)?, bill.total.minor());
        let by_centre = filters(&bill, |line| Some(Filter {
            cost_centres: vec![line.cost_centre.clone()],
            ..Filter::default()
        }));
        prop_assert_eq!(&added_by_filters(&view, &by_centre, digits)?, bill.total.minor());
        // what no project, VM or volume filter can name is the rest
        let by_project = filters(&bill, |line| match &line.holder {
            Holder::Project(id) => Some(Filter { projects: vec![id.to_string()], ..Filter::default() }),
            _ => None,
        });
        let rest: BigInt = all_lines(&bill)
            .filter(|line| !matches!(line.holder, Holder::Project(_)))
            .map(|line| line.amount.minor().clone())
            .sum();
        prop_assert_eq!(&(added_by_filters(&view, &by_project, digits)? + rest), bill.total.minor());
        let by_vm = filters(&bill, |line| {
            let vm = line.vm.as_ref()?;
            Some(Filter { vms: vec![vm.to_string()], ..Filter::default() })
        });
        let rest: BigInt = all_lines(&bill)
            .filter(|line| line.vm.is_none())
            .map(|line| line.amount.minor().clone())
            .sum();
        prop_assert_eq!(&(added_by_filters(&view, &by_vm, digits)? + rest), bill.total.minor());
    }

    #[test]
    fn in_every_row_list_less_discount_is_the_amount(bill in any_bill()) {
        let digits = bill.currency.minor_digits();
        let view = View::of_bill(&bill).unwrap();
        let report = lines(&view);
        let at = |name| index(&report, name);
        let (list, discount, amount) = (at("list_amount"), at("discount_amount"), at("amount"));
        for (row, (_, line)) in report.rows().zip(view.lines()) {
            let minor = |index: usize| minor_of(&row[index], digits);
            prop_assert_eq!(minor(list) - minor(discount), minor(amount));
            prop_assert_eq!(&minor(amount), line.amount.minor());
            if line.list == line.net {
                prop_assert_eq!(minor(discount), BigInt::ZERO);
            }
            // the display strays from the exact list amount by less than two units
            let unit = exact(1, 10_i128.pow(digits));
            let shown = Exact::from(minor(list)) * unit.clone();
            let stray = if shown > line.list { shown - line.list.clone() } else { line.list.clone() - shown };
            prop_assert!(stray < unit * exact(2, 1));
        }
    }

    #[test]
    fn the_control_block_says_how_far_rounding_moved_the_lines(bill in any_bill()) {
        let digits = bill.currency.minor_digits();
        let view = View::of_bill(&bill).unwrap();
        let totals = view.totals();
        let mut moved = BigInt::ZERO;
        for line in all_lines(&bill) {
            let alone = line.net.round(digits, RoundingMode::HalfAway);
            let distance = line.amount.minor() - alone;
            moved += if distance < BigInt::ZERO { -distance } else { distance };
        }
        prop_assert_eq!(totals.moved.minor(), &moved);
        prop_assert_eq!(&totals.exact, &bill.exact);
        prop_assert_eq!(totals.lines, all_lines(&bill).count() as u64);
    }
}

#[test]
fn a_hundred_over_three_moves_one_cent() {
    let third = || exact(100, 3);
    let currency = crate::support::euro();
    let lines_ = ["a", "b", "c"].map(|key| line(key, third(), currency));
    let bill = crate::support::bill_of(lines_.into());
    let view = View::of_bill(&bill).unwrap();
    let report = lines(&view);
    let amounts: Vec<String> = column(&report, "amount")
        .iter()
        .map(|cell| match cell {
            Cell::Decimal(decimal) => decimal.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(amounts, ["33.34", "33.33", "33.33"]);
    assert_eq!(view.totals().moved.amount(), "0.01");
    assert_eq!(view.totals().exact.to_string(), "100");
    assert_eq!(view.totals().amount.amount(), "100.00");
}

#[test]
fn a_volume_gets_its_name_from_whichever_line_knows_it() {
    let currency = crate::support::euro();
    let mut by_another = line("a", exact(1, 1), currency);
    by_another.volume = Some("vol-1".into());
    let mut itself = by_another.clone();
    itself.resource = "vol-1".into();
    itself.resource_name = "ROOT-1".to_owned();
    let bill = crate::support::bill_of(vec![by_another, itself]);
    let view = View::of_bill(&bill).unwrap();
    let report = summary(&view, &[GroupBy::Volume]).unwrap();
    let rows: Vec<_> = report.rows().collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0][0], Cell::text("ROOT-1"));
}

#[test]
fn an_account_is_a_row_of_its_own_beside_the_projects_of_its_domain() {
    let currency = crate::support::euro();
    let mut of_account = line("b", exact(3, 1), currency);
    of_account.holder = Holder::Account("a-1".into());
    of_account.holder_name = "admin".to_owned();
    let of_project = || line("a", exact(2, 1), currency);
    let bill = crate::support::bill_of(vec![of_project(), of_account, of_project()]);
    let view = View::of_bill(&bill).unwrap();
    let report = summary(&view, &[GroupBy::Project]).unwrap();
    let rows: Vec<Vec<String>> = report
        .rows()
        .map(|row| row[1..].iter().map(text).collect())
        .collect();
    assert_eq!(
        rows,
        [
            [
                "admin", "1", "3.00", "0.00", "3.00", "EUR", "account", "a-1"
            ],
            [
                "web", "2", "4.00", "0.00", "4.00", "EUR", "project", "p-web"
            ],
        ]
    );
}

fn text(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => text.to_string(),
        Cell::Decimal(decimal) => decimal.to_string(),
        Cell::Integer(whole) => whole.to_string(),
        other => panic!("{other:?}"),
    }
}
