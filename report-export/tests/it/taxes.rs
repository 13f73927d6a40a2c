//! From net to payable.

use rating_engine::{CreditUse, Money, TaxLine};
use report_export::{Control, View, taxes};

use crate::support::{bill_of, euro, exact, line};

fn money(cents: i64) -> Money {
    Money::from_minor(cents.into(), euro())
}

#[test]
fn net_taxes_gross_and_deposits_are_rows_that_add_up() {
    let mut bill = bill_of(vec![line("a", exact(100, 1), euro())]);
    let statement = bill.statements.first_mut().unwrap();
    statement.taxes = vec![TaxLine {
        tax: "vat".to_owned(),
        label: "VAT".to_owned(),
        percent: "19".parse().unwrap(),
        base: money(10_000),
        amount: money(1_900),
    }];
    statement.gross = money(11_900);
    statement.credits = vec![CreditUse {
        credit: "deposit".to_owned(),
        after_tax: true,
        available: money(2_000),
        taken: money(2_000),
        left: money(0),
    }];
    statement.payable = money(9_900);
    let view = View::of_bill(&bill).unwrap();
    let payable = Control::of(&view).payable.unwrap();
    let rows = payable.rows(&view.totals().amount);
    let rows: Vec<(String, String)> = rows
        .into_iter()
        .map(|(title, amount)| (title, amount.amount()))
        .collect();
    let wanted = [
        ("Net", "100.00"),
        ("VAT, 19 % of 100.00", "19.00"),
        ("Gross", "119.00"),
        ("Paid by deposit", "-20.00"),
        ("Payable", "99.00"),
    ];
    assert_eq!(
        rows,
        wanted.map(|(title, amount)| (title.to_owned(), amount.to_owned()))
    );
    assert_eq!(taxes(&view).unwrap().rows().count(), wanted.len());
}

#[test]
fn without_taxes_there_is_no_such_table() {
    let bill = bill_of(vec![line("a", exact(100, 1), euro())]);
    let view = View::of_bill(&bill).unwrap();
    assert!(taxes(&view).is_none());
    assert_eq!(Control::of(&view).payable, None);
}
