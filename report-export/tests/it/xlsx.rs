//! Workbooks read back.

use std::io::Cursor;

use calamine::{Data, DataType, Range, Reader, Xlsx, open_workbook_from_rs};
use proptest::prelude::*;
use rating_engine::{Bill, Currency};
use report_export::{
    Cell, Column, Control, GroupBy, Kind, Report, View, WarningKind, Workbook, lines, summary,
    workbook,
};

use crate::support::{
    any_bill, bill, bill_of, euro, exact, finding, index, line, minor, statement,
};

type Book = Xlsx<Cursor<Vec<u8>>>;

fn open(bytes: Vec<u8>) -> Book {
    open_workbook_from_rs(Cursor::new(bytes)).unwrap()
}

fn written(view: &View<'_>) -> Book {
    open(workbook(view).unwrap().to_bytes().unwrap().0)
}

fn sheet(book: &mut Book, name: &str) -> Range<Data> {
    book.worksheet_range(name).unwrap()
}

fn cell(range: &Range<Data>, row: usize, column: usize) -> Data {
    let at = (u32::try_from(row).unwrap(), u32::try_from(column).unwrap());
    range.get_value(at).cloned().unwrap_or(Data::Empty)
}

/// The heading's column.
fn find(range: &Range<Data>, heading: &str) -> usize {
    let header = range.rows().next().unwrap();
    header
        .iter()
        .position(|cell| cell.as_string().as_deref() == Some(heading))
        .unwrap()
}

/// Year to millisecond of a date cell.
fn date(cell: &Data) -> (u16, u8, u8, u8, u8, u8, u16) {
    match cell {
        Data::DateTime(date) => date.to_ymd_hms_milli(),
        other => panic!("{other:?} is no date"),
    }
}

/// A file inside a workbook.
fn inside(bytes: &[u8], name: &str) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    std::io::read_to_string(archive.by_name(name).unwrap()).unwrap()
}

/// A number or text cell in minor units, by its shortest digits.
fn cell_minor(cell: &Data, digits: u32) -> num_bigint::BigInt {
    let text = match cell {
        Data::Float(float) => float.to_string(),
        Data::Int(int) => int.to_string(),
        Data::String(text) => text.clone(),
        other => panic!("{other:?} is no amount"),
    };
    let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
    let point = if digits == 0 { "" } else { "." };
    minor(
        &format!("{whole}{point}{part:0<width$}", width = digits as usize),
        digits,
    )
}

#[test]
fn a_statement_has_four_sheets_and_a_bill_the_summaries() {
    let bill = bill_of(vec![line("a", exact(1, 1), euro())]);
    let statement = View::of_statement(&bill, "d-acme").unwrap();
    assert_eq!(
        written(&statement).sheet_names(),
        ["Summary", "Lines", "Findings", "About"]
    );
    let whole = View::of_bill(&bill).unwrap();
    assert_eq!(
        written(&whole).sheet_names(),
        [
            "Summary",
            "By project",
            "By VM",
            "By volume",
            "By cost centre",
            "By item",
            "Lines",
            "Findings",
            "About"
        ]
    );
}

#[test]
fn cells_have_the_type_of_their_column() {
    let mut one = line("a", exact(50, 3), euro());
    one.label = "=1+1".to_owned();
    one.created = Some(one.period.start());
    let bill = bill_of(vec![one]);
    let view = View::of_bill(&bill).unwrap();
    let mut book = written(&view);
    let range = sheet(&mut book, "Lines");
    let at = |heading: &str| cell(&range, 1, find(&range, heading));
    assert_eq!(at("Amount (EUR)"), Data::Float(16.67));
    assert_eq!(at("Quantity"), Data::Float(0.125));
    assert_eq!(at("Label"), Data::String("=1+1".to_owned()));
    assert_eq!(date(&at("From (UTC)")), (2031, 2, 28, 23, 0, 0, 0));
    assert_eq!(at("Removed (UTC)"), Data::Empty);
    assert_eq!(at("Exact amount"), Data::String("50/3".to_owned()));
    // no formula but ours in the totals row
    let formulas = book.worksheet_formula("Lines").unwrap();
    let used: Vec<&String> = formulas
        .rows()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    assert_eq!(used.len(), 3);
    assert!(used.iter().all(|text| text.starts_with("SUM(")), "{used:?}");
    assert_eq!(
        cell(&range, 2, find(&range, "Amount (EUR)")),
        Data::Float(16.67)
    );
}

#[test]
fn about_says_what_the_workbook_was_made_from() {
    let mut bill = bill_of(vec![line("a", exact(100, 3), euro())]);
    bill.findings = vec![finding("d-acme", "vol-1", Some(exact(1, 3)))];
    let view = View::of_statement(&bill, "d-acme").unwrap();
    let mut book = written(&view);
    let about = sheet(&mut book, "About");
    let value = |name: &str| {
        let row = about
            .rows()
            .find(|row| row[0].as_string().as_deref() == Some(name));
        row.unwrap()[1].as_string().unwrap()
    };
    assert_eq!(value("Statement of"), "ROOT/acme");
    assert_eq!(value("Filter"), "(all)");
    assert_eq!(value("Sum of printed lines"), "33.33");
    assert_eq!(value("Exact sum, as a fraction"), "100/3");
    assert_eq!(value("Price book"), "prices");
    assert_eq!(value("Ties of rounding go"), "away from zero");
    assert_eq!(
        value("Days of the period in that zone"),
        "2031-03-01 to 2031-03-31"
    );
    assert_eq!(value("Digest of the bill"), "d1935");
    assert_eq!(value("Engine version"), report_export::ENGINE_VERSION);
    assert_eq!(value("Warnings"), "0");
    // the records of all customers are shown where all customers are
    let counted = |view: &View<'_>| {
        let about = sheet(&mut written(view), "About");
        about
            .rows()
            .any(|row| row[0].as_string().as_deref() == Some("Usage records"))
    };
    assert!(!counted(&view));
    assert!(counted(&View::of_bill(&bill).unwrap()));
    let findings = sheet(&mut book, "Findings");
    assert_eq!(
        cell(&findings, 1, find(&findings, "Value (EUR)")),
        Data::Float(0.33)
    );
}

#[test]
fn a_number_that_a_spreadsheet_would_change_is_text_and_a_warning() {
    // 99,999,999,999,999.99 has sixteen digits and would read …99.98
    let bill = bill_of(vec![
        line("a", exact(9_999_999_999_999_999, 100), euro()),
        line("b", exact(1, 1), euro()),
    ]);
    let view = View::of_statement(&bill, "d-acme").unwrap();
    let (bytes, warnings) = workbook(&view).unwrap().to_bytes().unwrap();
    assert!(
        warnings
            .first
            .iter()
            .all(|warning| warning.kind == WarningKind::NumberAsText)
    );
    assert!(
        warnings.first.iter().any(|warning| warning.sheet == "Lines"
            && warning.row == 2
            && warning.column == "amount")
    );
    let mut book = open(bytes);
    let range = sheet(&mut book, "Lines");
    let amount = find(&range, "Amount (EUR)");
    assert_eq!(
        cell(&range, 1, amount),
        Data::String("99999999999999.99".to_owned())
    );
    assert_eq!(cell(&range, 2, amount), Data::Float(1.0));
    // a formula would add the numbers alone, so the total is written
    assert_eq!(
        cell(&range, 3, amount),
        Data::String("100000000000000.99".to_owned())
    );
    let formulas = book.worksheet_formula("Lines").unwrap();
    let of_amount = formulas.get_value((3, u32::try_from(amount).unwrap()));
    assert!(of_amount.is_none_or(String::is_empty));
    let about = sheet(&mut book, "About");
    assert!(
        about
            .rows()
            .any(|row| row[0].as_string().as_deref() == Some("number_as_text"))
    );
}

#[test]
fn a_total_is_no_formula_where_a_part_is_text() {
    // the parts are text, their sum would be a number again: it must not become SUM() = 0
    let bill = bill_of(vec![
        line("a", exact(9_999_999_999_999_999, 100), euro()),
        line("b", exact(-9_999_999_999_999_998, 100), euro()),
    ]);
    let view = View::of_statement(&bill, "d-acme").unwrap();
    let mut book = written(&view);
    let range = sheet(&mut book, "Lines");
    let amount = find(&range, "Amount (EUR)");
    assert_eq!(cell(&range, 3, amount), Data::Float(0.01));
    let formulas = book.worksheet_formula("Lines").unwrap();
    let of_amount = formulas.get_value((3, u32::try_from(amount).unwrap()));
    assert!(of_amount.is_none_or(String::is_empty));
}

#[test]
fn hostile_text_stays_text() {
    let long = "🦀".repeat(20_000); // 40,000 UTF-16 units
    let texts = [
        "=1+1",
        "a\0b",
        "q\"'<&>;",
        "l\r\nb",
        "_x0041_",
        "ÄÖ 漢字 🦀",
        &long,
    ];
    let rows = texts.iter().enumerate().map(|(number, text)| {
        let mut one = line(&number.to_string(), exact(1, 1), euro());
        one.label = (*text).to_owned();
        one.vm_name = Some((*text).to_owned());
        one
    });
    let bill = bill_of(rows.collect());
    let view = View::of_bill(&bill).unwrap();
    let (bytes, warnings) = workbook(&view).unwrap().to_bytes().unwrap();
    assert!(
        warnings
            .first
            .iter()
            .any(|warning| warning.kind == WarningKind::TextCut
                && warning.sheet == "Lines"
                && warning.column == "label")
    );
    let mut book = open(bytes);
    let range = sheet(&mut book, "Lines");
    let label = find(&range, "Label");
    let text = |row: usize| cell(&range, row, label).as_string().unwrap();
    assert_eq!(text(1), "=1+1");
    assert_eq!(text(2), "a\u{FFFD}b");
    assert_eq!(text(3), "q\"'<&>;");
    assert_eq!(text(4), "l\nb");
    assert_eq!(text(6), "ÄÖ 漢字 🦀");
    let cut = text(7);
    assert!(cut.encode_utf16().count() <= 32_767);
    assert!(cut.ends_with("🦀…"));
}

#[test]
fn more_rows_than_a_sheet_holds_go_on_in_the_next() {
    let rows = (0..7).map(|number| line(&number.to_string(), exact(number, 1), euro()));
    let bill = bill_of(rows.collect());
    let view = View::of_bill(&bill).unwrap();
    let mut book = Workbook::new(&bill, "Bill").with_rows_per_sheet(4);
    book.add("Lines", &lines(&view)).unwrap();
    book.add("lines", &summary(&view, &[GroupBy::Domain]).unwrap())
        .unwrap();
    let mut book = open(book.to_bytes().unwrap().0);
    // seven lines, three a sheet
    assert_eq!(
        book.sheet_names(),
        ["Lines", "Lines (2)", "Lines (3)", "lines (4)"]
    );
    let (mut sum, mut count) = (num_bigint::BigInt::ZERO, 0);
    for name in ["Lines", "Lines (2)", "Lines (3)"] {
        let range = sheet(&mut book, name);
        let (key, amount) = (find(&range, "Line key"), find(&range, "Amount (EUR)"));
        for row in 1..range.height() {
            if cell(&range, row, key) != Data::Empty {
                sum += cell_minor(&cell(&range, row, amount), 2);
                count += 1;
            }
        }
    }
    assert_eq!((sum, count), (num_bigint::BigInt::from(2_100), 7));
    let last = sheet(&mut book, "Lines (3)");
    let amount = find(&last, "Amount (EUR)");
    assert_eq!(cell(&last, 2, amount), Data::Float(21.0));
    let formulas = book.worksheet_formula("Lines (3)").unwrap();
    let formula = formulas
        .get_value((2, u32::try_from(amount).unwrap()))
        .unwrap();
    let column = char::from(b'A' + u8::try_from(amount).unwrap());
    assert_eq!(
        *formula,
        format!("SUM(Lines!{column}2:{column}4,'Lines (2)'!{column}2:{column}4,{column}2)")
    );
}

#[test]
fn equal_bills_make_equal_bytes() {
    let make = || {
        let rows = (0..50).map(|number| line(&number.to_string(), exact(number, 7), euro()));
        bill_of(rows.collect())
    };
    let bytes = |bill: &Bill| {
        let view = View::of_bill(bill).unwrap();
        workbook(&view).unwrap().to_bytes().unwrap().0
    };
    let first = bytes(&make());
    assert_eq!(first, bytes(&make()));
    // the date of creation is the end of the period, not the time of writing
    let created = "<dcterms:created xsi:type=\"dcterms:W3CDTF\">2031-03-31T22:00:00Z<";
    assert!(inside(&first, "docProps/core.xml").contains(created));
    let mut other = make();
    other.digest.push('0');
    assert_ne!(first, bytes(&other));
}

#[test]
fn a_sheet_is_set_up_to_be_read_and_printed() {
    let bill = bill_of(vec![
        line("a", exact(1, 1), euro()),
        line("b", exact(1, 1), euro()),
    ]);
    let view = View::of_statement(&bill, "d-acme").unwrap();
    let (bytes, _) = workbook(&view).unwrap().to_bytes().unwrap();
    let lines = inside(&bytes, "xl/worksheets/sheet2.xml");
    for part in [
        "<pane ySplit=\"1\"",
        "<autoFilter ref=\"A1:AJ3\"/>", // header and lines, not the totals row
        "<pageSetUpPr fitToPage=\"1\"/>",
        "orientation=\"landscape\"",
        "fitToHeight=\"0\"",
        "<f>SUM(P2:P3)</f><v>2.00</v>",
    ] {
        assert!(lines.contains(part), "{part}");
    }
    // text stays text when somebody edits the cell
    assert!(inside(&bytes, "xl/styles.xml").contains("quotePrefix=\"1\""));
    let titles = "<definedName name=\"_xlnm.Print_Titles\" localSheetId=\"1\">Lines!$1:$1<";
    let names = inside(&bytes, "xl/workbook.xml");
    assert!(names.contains(titles));
    // ids, tags and keys are in the file, but not on paper
    let printed = "<definedName name=\"_xlnm.Print_Area\" localSheetId=\"1\">Lines!$A$1:$U$4<";
    assert!(names.contains(printed), "{names}");
}

#[test]
fn a_saved_file_has_the_bytes_of_the_workbook() {
    let bill = bill_of(vec![line("a", exact(1, 1), euro())]);
    let view = View::of_bill(&bill).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bill.xlsx");
    workbook(&view).unwrap().save(&path).unwrap();
    let (bytes, _) = workbook(&view).unwrap().to_bytes().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_report_without_rows_is_a_sheet_with_a_total_of_zero() {
    let bill = bill_of(Vec::new());
    let view = View::of_statement(&bill, "d-acme").unwrap();
    let mut book = written(&view);
    let range = sheet(&mut book, "Lines");
    assert_eq!(
        cell(&range, 1, find(&range, "Amount (EUR)")),
        Data::Float(0.0)
    );
}

#[test]
fn dates_that_excel_does_not_know_are_text() {
    let bill = bill_of(Vec::new());
    let view = View::of_bill(&bill).unwrap();
    let old = cloudstack_usage::Period::always().start();
    let report = Report::new(
        "dates",
        "Dates",
        vec![
            Column::new("day", "Day", Kind::Date),
            Column::new("instant", "Instant", Kind::Instant),
        ],
        move || {
            Box::new(std::iter::once(vec![
                Cell::Date(chrono::NaiveDate::from_ymd_opt(2031, 3, 1).unwrap()),
                Cell::Instant(old),
            ]))
        },
        Vec::new(),
        Control::of(&view),
    );
    let mut book = Workbook::new(&bill, "Dates");
    book.add("Dates", &report).unwrap();
    assert_eq!(book.warnings().first[0].kind, WarningKind::DateAsText);
    let mut book = open(book.to_bytes().unwrap().0);
    let range = sheet(&mut book, "Dates");
    assert_eq!(date(&cell(&range, 1, 0)), (2031, 3, 1, 0, 0, 0, 0));
    assert_eq!(
        cell(&range, 1, 1),
        Data::String("0001-01-01T00:00:00Z".to_owned())
    );
}

#[test]
fn amounts_are_shown_with_the_digits_of_their_currency() {
    for (code, digits) in [("JPY", 0), ("EUR", 2), ("BHD", 3)] {
        let currency = Currency::from_code(code).unwrap();
        let one = line("a", exact(1_234_567, 1_000), currency);
        let statement = statement("ROOT/a", "d-a", vec![one], currency);
        let bill = bill(vec![statement], currency);
        let view = View::of_bill(&bill).unwrap();
        let mut book = written(&view);
        let range = sheet(&mut book, "Summary");
        let amount = cell(&range, 1, find(&range, &format!("Amount ({code})")));
        assert_eq!(&cell_minor(&amount, digits), bill.total.minor());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_sheet_adds_up_to_the_printed_total(bill in any_bill()) {
        let digits = bill.currency.minor_digits();
        let view = View::of_bill(&bill).unwrap();
        let mut book = written(&view);
        let names = book.sheet_names();
        let heading = format!("Amount ({})", bill.currency);
        for name in names.iter().filter(|name| !["Findings", "About"].contains(&name.as_str())) {
            let range = sheet(&mut book, name);
            let amount = find(&range, &heading);
            let last = range.height() - 1;
            let mut sum = num_bigint::BigInt::ZERO;
            for row in 1..last {
                sum += cell_minor(&cell(&range, row, amount), digits);
            }
            prop_assert_eq!(&sum, bill.total.minor(), "{}", name);
            prop_assert_eq!(&cell_minor(&cell(&range, last, amount), digits), &sum);
        }
        let report = lines(&view);
        prop_assert_eq!(sheet(&mut book, "Lines").width(), report.columns().len());
        prop_assert!(index(&report, "amount") > 0);
    }

    #[test]
    fn any_text_comes_back_from_its_cell(text in "[ =+'\"<&;a🦀\u{e4}\n]{1,20}") {
        let mut one = line("a", exact(1, 1), euro());
        one.label.clone_from(&text);
        let bill = bill_of(vec![one]);
        let view = View::of_bill(&bill).unwrap();
        let mut book = Workbook::new(&bill, "Bill");
        book.add("Lines", &lines(&view)).unwrap();
        let mut book = open(book.to_bytes().unwrap().0);
        let range = sheet(&mut book, "Lines");
        let label = find(&range, "Label");
        prop_assert_eq!(cell(&range, 1, label).as_string(), Some(text));
    }
}
