//! What people read: reports over rated statements, written as CSV and XLSX.
//!
//! A [`View`] is a bill, one of its statements, or the lines that a [`Filter`] keeps. A
//! [`Report`] is made from a view ([`lines`], [`summary`], [`findings`]) and knows no
//! format. A [`Sink`] gives it one: [`Csv`] or [`Workbook`].
//!
//! All reports add the same printed lines, so every partition of a view has its total.
//!
//! ```
//! use rating_engine::Bill;
//! use report_export::{Csv, ExportError, GroupBy, View, lines, summary, workbook};
//!
//! fn export(bill: &Bill) -> Result<(), ExportError> {
//!     let view = View::of_bill(bill)?;
//!     Csv::rfc4180().write_file(&lines(&view), "lines.csv")?;
//!     Csv::excel_de().write_file(&summary(&view, &[GroupBy::Domain])?, "domains.csv")?;
//!     for statement in &bill.statements {
//!         let view = View::of_statement(bill, &statement.account.to_string())?;
//!         let warnings = workbook(&view)?.save(format!("{}.xlsx", statement.account))?;
//!         assert_eq!(warnings.count, 0);
//!     }
//!     Ok(())
//! }
//! ```
#![forbid(unsafe_code)]

mod cell;
mod column;
mod control;
mod csv;
mod error;
mod file;
mod filter;
mod number;
mod report;
mod reports;
mod sink;
mod text;
mod totals;
mod view;
mod workbook;
mod xlsx;
mod xlsx_style;

pub use cell::{Cell, DecimalText};
pub use column::{Column, Kind};
pub use control::{Control, ENGINE_VERSION};
pub use csv::{Csv, CsvSink};
pub use error::{ErrorKind, ExportError, Position};
pub use filter::Filter;
pub use report::{Report, Rows};
pub use reports::findings::findings;
pub use reports::lines::lines;
pub use reports::summary::{GroupBy, summary};
pub use sink::Sink;
pub use totals::{LineAmounts, Totals};
pub use view::View;
pub use workbook::workbook;
pub use xlsx::{Warning, WarningKind, Warnings, Workbook};
