//! One test a slug.

use std::collections::BTreeSet;
use std::io::{Error, Write};

use rating_engine::Currency;
use report_export::{
    Cell, Column, Control, Csv, ErrorKind, ExportError, Filter, GroupBy, Kind, Report, Sink, View,
    Workbook, lines, summary,
};

use crate::support::{bill_of, euro, exact, line};

/// A writer on a full disk.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(Error::other("no space left"))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn report_of<'a>(view: &View<'_>, columns: usize, cells: usize) -> Report<'a> {
    let columns = vec![Column::new("n", "N", Kind::Integer); columns];
    Report::new(
        "odd",
        "Odd",
        columns,
        move || Box::new(std::iter::once(vec![Cell::Empty; cells])),
        Vec::new(),
        Control::of(view),
    )
}

/// An error of this kind, made the way a user would.
fn provoke(kind: ErrorKind) -> ExportError {
    let good = bill_of(vec![
        line("a", exact(1, 1), euro()),
        line("b", exact(1, 1), euro()),
    ]);
    let view = View::of_bill(&good).unwrap();
    match kind {
        ErrorKind::UnknownName => View::of_statement(&good, "nobody").unwrap_err(),
        ErrorKind::AmbiguousName => {
            let mut bill = good.clone();
            bill.statements[0].lines[1].vm = Some("vm-2".into());
            let filter = Filter {
                vms: vec!["web-01".to_owned()],
                ..Filter::default()
            };
            View::of_bill(&bill).unwrap().filtered(&filter).unwrap_err()
        }
        ErrorKind::Options => summary(&view, &[GroupBy::Vm, GroupBy::Vm]).unwrap_err(),
        ErrorKind::Currency => {
            let mut bill = good.clone();
            bill.currency = Currency::from_code("USD").unwrap();
            View::of_bill(&bill).unwrap_err()
        }
        ErrorKind::Inconsistent => {
            let mut bill = good.clone();
            bill.statements[0].lines.pop();
            View::of_bill(&bill).unwrap_err()
        }
        ErrorKind::Shape => Csv::rfc4180()
            .to_bytes(&report_of(&view, 2, 3))
            .unwrap_err(),
        ErrorKind::Limit => Workbook::new(&good, "Odd")
            .add("Odd", &report_of(&view, 16_385, 16_385))
            .unwrap_err(),
        ErrorKind::Target => Csv::rfc4180()
            .write_file(&lines(&view), std::env::temp_dir())
            .unwrap_err(),
        ErrorKind::Io => Csv::rfc4180().write(&lines(&view), Full).unwrap_err(),
        ErrorKind::Workbook => Workbook::new(&good, "Odd").row(&[]).unwrap_err(),
        other => panic!("no test for {other:?}"),
    }
}

#[test]
fn every_kind_has_a_slug_of_its_own_and_can_happen() {
    let mut slugs = BTreeSet::new();
    for kind in ErrorKind::ALL {
        let error = provoke(*kind);
        assert_eq!(error.kind(), *kind, "{error}");
        assert_eq!(error.slug(), kind.slug());
        assert!(slugs.insert(error.slug()));
        assert!(!error.to_string().is_empty());
        assert_eq!(error.is_io(), *kind == ErrorKind::Io);
    }
}

#[test]
fn a_bill_that_does_not_add_up_is_refused() {
    let mut bill = bill_of(vec![line("a", exact(1, 1), euro())]);
    bill.total = rating_engine::Money::from_minor(101.into(), euro());
    let error = View::of_bill(&bill).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Inconsistent);
    assert!(
        error
            .to_string()
            .contains("1.00 EUR, but the total says 1.01 EUR"),
        "{error}"
    );
}

#[test]
fn an_error_says_where() {
    let shape = provoke(ErrorKind::Shape);
    assert_eq!(shape.position().report.as_deref(), Some("odd"));
    assert_eq!(shape.position().row, Some(1));
    assert!(
        shape.to_string().ends_with("(report odd, row 1)"),
        "{shape}"
    );
    let currency = provoke(ErrorKind::Currency);
    assert_eq!(currency.position().column.as_deref(), Some("amount"));
    let io = provoke(ErrorKind::Io);
    assert!(std::error::Error::source(&io).is_some());
    assert_eq!(io.position().report.as_deref(), Some("lines"));
}

#[test]
fn a_file_is_replaced_as_a_whole_or_not_at_all() {
    let bill = bill_of(vec![line("a", exact(1, 1), euro())]);
    let view = View::of_bill(&bill).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bill.csv");
    let csv = Csv::rfc4180();
    csv.write_file(&lines(&view), &path).unwrap();
    let first = std::fs::read(&path).unwrap();
    assert_eq!(first, csv.to_bytes(&lines(&view)).unwrap());
    // a report that fails half way leaves the file, and nothing beside it
    let error = csv.write_file(&report_of(&view, 2, 3), &path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Shape);
    assert_eq!(std::fs::read(&path).unwrap(), first);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let missing = folder.path().join("no such folder").join("bill.csv");
    assert!(csv.write_file(&lines(&view), missing).unwrap_err().is_io());
}

#[cfg(unix)]
#[test]
fn a_link_is_followed_and_permissions_are_kept() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let bill = bill_of(vec![line("a", exact(1, 1), euro())]);
    let view = View::of_bill(&bill).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (path, link) = (
        folder.path().join("bill.csv"),
        folder.path().join("link.csv"),
    );
    std::fs::write(&path, "old").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&path, &link).unwrap();
    Csv::rfc4180().write_file(&lines(&view), &link).unwrap();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::fs::read(&path).unwrap().starts_with(b"domain_path,"));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
}
