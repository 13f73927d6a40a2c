//! What people read: reports over rated statements, written as CSV and XLSX.
//!
//! A [`View`] is a bill, one of its statements, or the lines that a [`Filter`] keeps. A
//! [`Report`] is made from a view ([`lines`], [`summary`], [`findings`]) and knows no
//! format. A [`Sink`] gives it one: [`Csv`] or [`Workbook`].
//!
//! All reports add the same printed lines, so every partition of a view has its total.
//!
//! ```
//! # use cloudstack_usage::Period;
//! # use rating_engine::{Bill, BookVersion, Counts, Currency, Exact, Money};
//! use report_export::{Csv, GroupBy, View, findings, lines, summary, workbook};
//!
//! # let currency = Currency::from_code("EUR").unwrap();
//! # let bill = Bill {
//! #     period: Period::parse("2031-02-28T23:00:00Z", "2031-03-31T22:00:00Z").unwrap(),
//! #     zone: "Europe/Berlin".to_owned(),
//! #     currency,
//! #     book: BookVersion {
//! #         name: "prices".to_owned(),
//! #         digest: "b00c".to_owned(),
//! #         rounding: Default::default(),
//! #         rounding_point: Default::default(),
//! #     },
//! #     statements: Vec::new(),
//! #     findings: Vec::new(),
//! #     counts: Counts::default(),
//! #     total: Money::zero(currency),
//! #     gross: Money::zero(currency),
//! #     exact: Exact::zero(),
//! #     digest: "d1935".to_owned(),
//! # };
//! // `bill` is what the rating engine returns
//! let view = View::of_bill(&bill)?;
//! let by_domain = summary(&view, &[GroupBy::Domain])?;
//! assert_eq!(
//!     String::from_utf8_lossy(&Csv::rfc4180().to_bytes(&by_domain)?),
//!     "domain_path,lines,list_amount,discount_amount,amount,currency,domain_id\r\n",
//! );
//!
//! let folder = tempfile::tempdir()?;
//! Csv::excel_de().write_file(&lines(&view), folder.path().join("lines.csv"))?;
//! Csv::rfc4180().write_file(&findings(&view)?, folder.path().join("findings.csv"))?;
//! for statement in &bill.statements {
//!     let account = statement.account.to_string();
//!     let view = View::of_statement(&bill, &account)?;
//!     workbook(&view)?.save(folder.path().join(format!("{account}.xlsx")))?;
//! }
//! let warnings = workbook(&view)?.save(folder.path().join("bill.xlsx"))?;
//! assert_eq!(warnings.count, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod cell;
mod column;
mod control;
mod csv;
mod error;
mod file;
mod filter;
mod guard;
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
pub use control::{Control, ENGINE_VERSION, Payable, civil_days};
pub use csv::{Csv, CsvSink};
pub use error::{ErrorKind, ExportError, Position};
pub use filter::Filter;
pub use report::{Report, Rows};
pub use reports::findings::findings;
pub use reports::focus::{Focus, focus};
pub use reports::leaks::{leaks, leaks_of};
pub use reports::lines::lines;
pub use reports::summary::{GroupBy, summary};
pub use reports::taxes::taxes;
pub use sink::Sink;
pub use totals::{LineAmounts, Totals};
pub use view::View;
pub use workbook::workbook;
pub use xlsx::{Warning, WarningKind, Warnings, Workbook};
