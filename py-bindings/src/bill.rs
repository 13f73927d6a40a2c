//! The result of rating a period.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rating_engine::Bill;

use crate::counts::PyCounts;
use crate::failure::Failure;
use crate::finding::PyFinding;
use crate::items::PyItems;
use crate::number::{to_decimal, to_fraction};
use crate::period::PyPeriod;
use crate::report::{CsvOptions, PyFilter, Subject};
use crate::statement::PyStatement;

/// The result of rating a period: one statement per billing account, with the findings
/// and the counts that account for every record.
#[pyclass(name = "Bill", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyBill(pub(crate) Arc<Bill>);

impl PyBill {
    fn subject(&self) -> Subject<'_> {
        Subject {
            bill: &self.0,
            account: None,
        }
    }
}

#[pymethods]
impl PyBill {
    /// The billing period.
    #[getter]
    fn period(&self) -> PyPeriod {
        PyPeriod(self.0.period)
    }

    /// The IANA name of the book's time zone.
    #[getter]
    fn zone(&self) -> &str {
        &self.0.zone
    }

    /// The currency's ISO 4217 code.
    #[getter]
    fn currency(&self) -> String {
        self.0.currency.to_string()
    }

    /// The price book's name.
    #[getter]
    fn book_name(&self) -> &str {
        &self.0.book.name
    }

    /// SHA-256 of the price book's content.
    #[getter]
    fn book_digest(&self) -> &str {
        &self.0.book.digest
    }

    /// The sum of the printed statement totals.
    #[getter]
    fn total<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_decimal(py, &self.0.total)
    }

    /// The sum of the exact statement totals.
    #[getter]
    fn exact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.0.exact)
    }

    /// The statements, in the order of their paths.
    #[getter]
    fn statements(&self) -> PyItems {
        let bill = Arc::clone(&self.0);
        PyItems::new(bill.statements.len(), move |index| {
            Some(PyStatement::new(&bill, index))
        })
    }

    /// What was wrong or doubtful in the input, dearest first.
    #[getter]
    fn findings(&self) -> PyItems {
        let bill = Arc::clone(&self.0);
        PyItems::new(bill.findings.len(), move |index| {
            Some(PyFinding::new(&bill, index))
        })
    }

    /// What became of the records.
    #[getter]
    fn counts(&self) -> PyCounts {
        PyCounts(self.0.counts.clone())
    }

    /// SHA-256 of usage, inventory, book, period and engine version.
    #[getter]
    fn digest(&self) -> &str {
        &self.0.digest
    }

    /// The bill as JSON text.
    fn to_json(&self, py: Python<'_>) -> Result<String, Failure> {
        Ok(py.detach(|| serde_json::to_string_pretty(&self.0.to_json()))?)
    }

    /// Writes a report as CSV.
    #[pyo3(signature = (path, report = "lines", *, by = None, dialect = "rfc4180", filter = None))]
    fn write_csv(
        &self,
        py: Python<'_>,
        path: PathBuf,
        report: &str,
        by: Option<Vec<String>>,
        dialect: &str,
        filter: Option<&PyFilter>,
    ) -> Result<(), Failure> {
        let options = CsvOptions::new(report, by, dialect)?;
        self.subject().write_csv(py, path, &options, filter)
    }

    /// Writes a workbook; returns what it could not hold as it is, in words.
    #[pyo3(signature = (path, *, filter = None))]
    fn write_xlsx(
        &self,
        py: Python<'_>,
        path: PathBuf,
        filter: Option<&PyFilter>,
    ) -> Result<Vec<String>, Failure> {
        self.subject().write_xlsx(py, path, filter)
    }

    /// The same workbook as bytes.
    #[pyo3(signature = (*, filter = None))]
    fn xlsx_bytes<'py>(
        &self,
        py: Python<'py>,
        filter: Option<&PyFilter>,
    ) -> Result<Bound<'py, PyBytes>, Failure> {
        Ok(PyBytes::new(py, &self.subject().xlsx_bytes(py, filter)?))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __repr__(&self) -> String {
        let (statements, findings) = (self.0.statements.len(), self.0.findings.len());
        let (period, total) = (self.0.period, &self.0.total);
        format!("<Bill {period}: {total}, {statements} statements, {findings} findings>")
    }
}
