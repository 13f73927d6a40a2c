//! CSV read back.

use cloudstack_usage::Tag;
use proptest::prelude::*;
use rating_engine::Currency;
use report_export::{Csv, GroupBy, Report, View, findings, lines, summary};

use crate::support::{
    any_bill, bill, bill_of, euro, exact, finding, index, line, minor, statement,
};

/// Header and records of a CSV text.
fn read(bytes: &[u8], delimiter: u8) -> Vec<Vec<String>> {
    ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(bytes)
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

fn field(report: &Report<'_>, bytes: &[u8], row: usize, name: &str) -> String {
    read(bytes, b',')[row + 1][index(report, name)].clone()
}

/// Texts that break careless exporters.
const HOSTILE: &[&str] = &[
    "=1+1",
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1+1",
    "semi;colon, comma",
    "quote \" quote \"\" quote",
    "line\r\nbreak\rand\nmore",
    "nul\0and\u{1B}escape",
    "🦀 naïve ÄÖÜ 漢字",
    "trailing backslash \\",
    "'already quoted",
    "",
    " ",
];

#[test]
fn a_row_says_everything_about_its_line() {
    let mut one = line("key-1", exact(50, 3), euro());
    one.list = exact(100, 3);
    one.discounts = vec!["-50 %".to_owned(), "a; b".to_owned()];
    one.tags = vec![Tag::new("Env", "a;b"), Tag::new("Tier", "1")];
    one.cost_centre = Some("4711".to_owned());
    one.created = Some(one.period.start());
    let bill = bill_of(vec![one]);
    let view = View::of_bill(&bill).unwrap();
    let report = lines(&view);
    let bytes = Csv::rfc4180().to_bytes(&report).unwrap();
    for (name, value) in [
        ("statement", "ROOT/acme"),
        ("domain_path", "ROOT/acme"),
        ("domain_id", "d-acme"),
        ("project", "web"),
        ("project_id", "p-web"),
        ("account", ""),
        ("vm", "web-01"),
        ("vm_id", "vm-1"),
        ("volume_id", ""),
        ("cost_centre", "4711"),
        ("item_kind", "meter"),
        ("item", "cpu"),
        ("quantity", "0.125"),
        ("unit", "vCPU-month"),
        ("used_hours", "1"),
        ("list_amount", "33.34"),     // 16.67 + 16.67
        ("discount_amount", "16.67"), // 100/3 - 50/3 = 50/3
        ("amount", "16.67"),
        ("currency", "EUR"),
        ("exact_amount", "50/3"),
        ("discounts", "'-50 %; a\\; b"),
        ("from", "2031-02-28T23:00:00Z"),
        ("to", "2031-03-31T22:00:00Z"),
        ("created", "2031-02-28T23:00:00Z"),
        ("removed", ""),
        ("tags", "Env=a\\;b; Tier=1"),
        ("line_key", "key-1"),
    ] {
        assert_eq!(field(&report, &bytes, 0, name), value, "{name}");
    }
}

#[test]
fn rfc4180_has_a_header_and_the_rows_alone() {
    let bill = bill_of(vec![line("a", exact(-5, 1), euro())]);
    let view = View::of_bill(&bill).unwrap();
    let report = summary(&view, &[GroupBy::Domain]).unwrap();
    let bytes = Csv::default().to_bytes(&report).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        "domain_path,lines,list_amount,discount_amount,amount,currency,domain_id\r\n\
         ROOT/acme,1,-5.00,0.00,-5.00,EUR,d-acme\r\n"
    );
}

#[test]
fn excel_de_has_semicolons_decimal_commas_a_mark_totals_and_control() {
    let bill = bill_of(vec![line("a", exact(-5, 1), euro())]);
    let view = View::of_bill(&bill).unwrap();
    let report = summary(&view, &[GroupBy::Domain]).unwrap();
    let bytes = Csv::excel_de().to_bytes(&report).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let mut records = text.strip_prefix('\u{FEFF}').unwrap().split("\r\n");
    assert!(records.next().unwrap().starts_with("domain_path;lines;"));
    assert_eq!(
        records.next(),
        Some("ROOT/acme;1;-5,00;0,00;-5,00;EUR;d-acme")
    );
    assert_eq!(records.next(), Some("Total;1;-5,00;0,00;-5,00;EUR;"));
    let control: Vec<&str> = records.collect();
    assert!(control.contains(&"lines;1;;;;;"));
    assert!(control.contains(&"digest;d1935;;;;;"));
    assert!(control.contains(&"printed_amount;-5,00;;;;;"));
    assert!(control.contains(&"exact_amount;'-5;;;;;")); // a fraction is text
}

#[test]
fn amounts_have_the_digits_of_their_currency_and_never_an_exponent() {
    for (code, amount) in [
        ("JPY", "12345678901234567890"),
        ("BHD", "0.001"),
        ("EUR", "-0.05"),
    ] {
        let currency = Currency::from_code(code).unwrap();
        let net = minor(amount, currency.minor_digits());
        let net = rating_engine::Exact::from(net) * exact(1, 10_i128.pow(currency.minor_digits()));
        let statement = statement("ROOT/a", "d-a", vec![line("a", net, currency)], currency);
        let bill = bill(vec![statement], currency);
        let view = View::of_bill(&bill).unwrap();
        let report = lines(&view);
        let bytes = Csv::rfc4180().to_bytes(&report).unwrap();
        assert_eq!(field(&report, &bytes, 0, "amount"), amount);
    }
}

#[test]
fn hostile_text_stays_in_its_cell_and_runs_nowhere() {
    for delimiter in [b',', b';'] {
        let rows = HOSTILE.iter().enumerate().map(|(number, text)| {
            let mut one = line(&format!("{number:02}"), exact(1, 1), euro());
            one.vm_name = Some((*text).to_owned());
            one.label = (*text).to_owned();
            one.tags = vec![Tag::new(*text, *text)];
            one
        });
        let bill = bill_of(rows.collect());
        let view = View::of_bill(&bill).unwrap();
        let report = lines(&view);
        let options = Csv::rfc4180().with_semicolon(delimiter == b';');
        let bytes = options.to_bytes(&report).unwrap();
        let records = read(&bytes, delimiter);
        assert_eq!(records.len(), HOSTILE.len() + 1);
        for (number, record) in records[1..].iter().enumerate() {
            assert_eq!(record.len(), report.columns().len());
            assert_eq!(record[index(&report, "amount")], "1.00");
            assert_eq!(record[index(&report, "line_key")], format!("{number:02}"));
            for cell in record {
                let visible = cell.trim_start().chars().next();
                assert!(
                    !matches!(visible, Some('=' | '+' | '-' | '@' | '＝')),
                    "{cell:?}"
                );
                assert!(!cell.contains(['\0', '\u{1B}', '\r']), "{cell:?}");
            }
        }
    }
}

#[test]
fn dialects_and_groups_are_found_by_their_names() {
    assert_eq!("rfc4180".parse::<Csv>().unwrap(), Csv::rfc4180());
    assert_eq!("excel-de".parse::<Csv>().unwrap(), Csv::excel_de());
    let error = "excel-fr".parse::<Csv>().unwrap_err();
    assert!(
        error.to_string().ends_with("use rfc4180 or excel-de"),
        "{error}"
    );
    for by in GroupBy::ALL {
        assert_eq!(by.slug().parse::<GroupBy>().unwrap(), *by);
    }
    let error = "VM".parse::<GroupBy>().unwrap_err();
    assert!(
        error.to_string().contains("vm, volume, cost_centre"),
        "{error}"
    );
}

#[test]
fn without_the_guard_text_is_written_as_it_is() {
    let mut one = line("a", exact(1, 1), euro());
    one.label = "=1+1".to_owned();
    let bill = bill_of(vec![one]);
    let view = View::of_bill(&bill).unwrap();
    let report = lines(&view);
    let bytes = Csv::rfc4180()
        .with_formula_guard(false)
        .to_bytes(&report)
        .unwrap();
    assert_eq!(field(&report, &bytes, 0, "label"), "=1+1");
}

#[test]
fn very_long_text_is_not_cut() {
    let long = "x".repeat(100_000);
    let mut one = line("a", exact(1, 1), euro());
    one.label.clone_from(&long);
    let bill = bill_of(vec![one]);
    let view = View::of_bill(&bill).unwrap();
    let report = lines(&view);
    let bytes = Csv::rfc4180().to_bytes(&report).unwrap();
    assert_eq!(field(&report, &bytes, 0, "label"), long);
}

#[test]
fn findings_have_their_value_in_money_or_none() {
    let mut bill = bill_of(vec![line("a", exact(1, 1), euro())]);
    bill.findings = vec![
        finding("d-acme", "vol-9", Some(exact(10, 3))),
        finding("d-acme", "vol-8", None),
        finding("d-other", "vol-7", Some(exact(1, 1))),
    ];
    let view = View::of_bill(&bill).unwrap();
    let report = findings(&view).unwrap();
    let bytes = Csv::rfc4180().to_bytes(&report).unwrap();
    for (name, value) in [
        ("kind", "not_metered"),
        ("policy", "bill_and_flag"),
        ("resource_id", "vol-9"),
        ("hours", "1.5"),
        ("records", "2"),
        ("value", "3.33"),
        ("exact_value", "10/3"),
        ("message", "the volume lived and was not metered"),
    ] {
        assert_eq!(field(&report, &bytes, 0, name), value, "{name}");
    }
    assert_eq!(field(&report, &bytes, 1, "value"), "");
    let with_totals = Csv::rfc4180().with_totals(true).to_bytes(&report).unwrap();
    assert_eq!(field(&report, &with_totals, 3, "value"), "4.33");
    // what goes on has no end
    assert_eq!(field(&report, &bytes, 0, "to"), "2031-03-31T22:00:00Z");
    let mut open = bill.clone();
    open.findings[0].period = Some(cloudstack_usage::Period::from(open.period.start()));
    let view_of_open = View::of_bill(&open).unwrap();
    let report_of_open = findings(&view_of_open).unwrap();
    let bytes = Csv::rfc4180().to_bytes(&report_of_open).unwrap();
    assert_eq!(
        field(&report_of_open, &bytes, 0, "from"),
        "2031-02-28T23:00:00Z"
    );
    assert_eq!(field(&report_of_open, &bytes, 0, "to"), "");
    // a statement shows its own findings alone
    let view = View::of_statement(&bill, "d-acme").unwrap();
    assert_eq!(findings(&view).unwrap().rows().count(), 2);
}

proptest! {
    #[test]
    fn what_is_written_adds_up_to_the_printed_total(bill in any_bill()) {
        let digits = bill.currency.minor_digits();
        let view = View::of_bill(&bill).unwrap();
        let report = lines(&view);
        let bytes = Csv::rfc4180().to_bytes(&report).unwrap();
        let amount = index(&report, "amount");
        let sum: num_bigint::BigInt =
            read(&bytes, b',')[1..].iter().map(|record| minor(&record[amount], digits)).sum();
        prop_assert_eq!(&sum, bill.total.minor());
        prop_assert_eq!(bytes, Csv::rfc4180().to_bytes(&report).unwrap());
    }

    #[test]
    fn any_text_comes_back_from_its_cell(text in "[^\\p{C}\\p{Zl}\\p{Zp}]{0,20}") {
        let mut one = line("a", exact(1, 1), euro());
        one.label.clone_from(&text);
        let bill = bill_of(vec![one]);
        let view = View::of_bill(&bill).unwrap();
        let report = lines(&view);
        for options in [Csv::rfc4180(), Csv::excel_de().with_byte_order_mark(false)] {
            let bytes = options.to_bytes(&report).unwrap();
            let delimiter = if options == Csv::rfc4180() { b',' } else { b';' };
            let back = read(&bytes, delimiter)[1][index(&report, "label")].clone();
            prop_assert!(back == text || back == format!("'{text}"), "{:?}", back);
        }
    }
}
