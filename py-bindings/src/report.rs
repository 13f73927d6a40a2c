//! Reports: which lines, in which format, to which file.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rating_engine::Bill;
use report_export::{
    Csv, ExportError, Filter, Focus, GroupBy, View, Warnings, Workbook, findings, focus, lines,
    summary, workbook,
};

use crate::failure::Failure;

/// Which lines a report is about. An empty list keeps all; several entries of a list keep
/// what any of them names; several lists keep what all of them keep.
#[pyclass(name = "Filter", module = "cloudstack_billing._native", frozen)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PyFilter(Filter);

#[pymethods]
impl PyFilter {
    #[new]
    #[pyo3(signature = (
        *, domains = vec![], exclusive = false, projects = vec![], vms = vec![],
        volumes = vec![], cost_centres = vec![],
    ))]
    fn new(
        domains: Vec<String>,
        exclusive: bool,
        projects: Vec<String>,
        vms: Vec<String>,
        volumes: Vec<String>,
        cost_centres: Vec<Option<String>>,
    ) -> Self {
        Self(Filter {
            domains,
            exclusive,
            projects,
            vms,
            volumes,
            cost_centres,
        })
    }

    fn __eq__(&self, other: &Self) -> bool {
        self == other
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// A bill, or one of its statements: what a report is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) bill: &'a Bill,
    /// The billing account's id, for one statement.
    pub(crate) account: Option<&'a str>,
}

impl<'a> Subject<'a> {
    fn view(self, filter: Option<&PyFilter>) -> Result<View<'a>, ExportError> {
        let view = match self.account {
            Some(account) => View::of_statement(self.bill, account)?,
            None => View::of_bill(self.bill)?,
        };
        filter.map_or_else(|| Ok(view.clone()), |filter| view.filtered(&filter.0))
    }

    fn workbook(self, filter: Option<&PyFilter>) -> Result<Workbook, ExportError> {
        workbook(&self.view(filter)?)
    }

    /// Writes one report as CSV.
    pub(crate) fn write_csv(
        self,
        py: Python<'_>,
        path: PathBuf,
        options: &CsvOptions,
        filter: Option<&PyFilter>,
    ) -> Result<(), Failure> {
        py.detach(move || {
            let view = self.view(filter)?;
            let report = match &options.report {
                ReportName::Lines => lines(&view),
                ReportName::Findings => findings(&view)?,
                ReportName::Summary(by) => summary(&view, by)?,
                ReportName::Focus => focus(&view, &Focus::new(&*self.bill.book.name)),
            };
            Ok(options.format.write_file(&report, path)?)
        })
    }

    /// Writes the workbook; gives what it could not hold as it is.
    pub(crate) fn write_xlsx(
        self,
        py: Python<'_>,
        path: PathBuf,
        filter: Option<&PyFilter>,
    ) -> Result<Vec<String>, Failure> {
        let warnings = py.detach(move || self.workbook(filter)?.save(path))?;
        Ok(texts(&warnings))
    }

    /// The workbook as bytes.
    pub(crate) fn xlsx_bytes(
        self,
        py: Python<'_>,
        filter: Option<&PyFilter>,
    ) -> Result<Vec<u8>, Failure> {
        let (bytes, _) = py.detach(|| self.workbook(filter)?.to_bytes())?;
        Ok(bytes)
    }
}

fn texts(warnings: &Warnings) -> Vec<String> {
    let mut texts: Vec<String> = warnings.first.iter().map(ToString::to_string).collect();
    let kept = u64::try_from(texts.len()).unwrap_or(u64::MAX);
    if warnings.count > kept {
        texts.push(format!("and {} more", warnings.count - kept));
    }
    texts
}

#[derive(Debug)]
enum ReportName {
    Lines,
    Findings,
    Summary(Vec<GroupBy>),
    /// Provider and issuer are the price book's name, and invoices are called after their
    /// account and period.
    Focus,
}

/// Which report, and how CSV looks.
#[derive(Debug)]
pub(crate) struct CsvOptions {
    report: ReportName,
    format: Csv,
}

impl CsvOptions {
    /// Reads the words that Python gives.
    ///
    /// # Errors
    /// `ValueError` with the words that there are.
    pub(crate) fn new(report: &str, by: Option<Vec<String>>, dialect: &str) -> PyResult<Self> {
        let report = match (report, by) {
            ("summary", Some(by)) => ReportName::Summary(groups(&by)?),
            ("summary", None) => ReportName::Summary(vec![GroupBy::Domain]),
            (_, Some(_)) => {
                return Err(PyValueError::new_err(
                    "`by` is for the report \"summary\" alone",
                ));
            }
            ("lines", None) => ReportName::Lines,
            ("findings", None) => ReportName::Findings,
            ("focus", None) => ReportName::Focus,
            (other, None) => {
                let message = format!(
                    "there is no report {other:?}; there is lines, summary, findings, focus"
                );
                return Err(PyValueError::new_err(message));
            }
        };
        let format = dialect
            .parse::<Csv>()
            .map_err(|error| value_error(&error))?;
        Ok(Self { report, format })
    }
}

fn groups(by: &[String]) -> PyResult<Vec<GroupBy>> {
    by.iter()
        .map(|name| name.parse::<GroupBy>().map_err(|error| value_error(&error)))
        .collect()
}

/// A word that the caller wrote and that is none of those that there are.
fn value_error(error: &ExportError) -> PyErr {
    PyValueError::new_err(error.to_string())
}
