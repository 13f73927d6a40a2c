//! The statement of one billing account.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use rating_engine::{Bill, Statement};

use crate::failure::Failure;
use crate::items::PyItems;
use crate::line::PyLine;
use crate::number::{to_decimal, to_fraction};
use crate::report::{CsvOptions, PyFilter, Subject};

/// The statement of one billing account: by default a top-level domain with its sub-domains.
#[pyclass(name = "Statement", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyStatement {
    bill: Arc<Bill>,
    index: usize,
}

impl PyStatement {
    pub(crate) fn new(bill: &Arc<Bill>, index: usize) -> Self {
        Self {
            bill: Arc::clone(bill),
            index,
        }
    }

    fn statement(&self) -> PyResult<&Statement> {
        let statement = self.bill.statements.get(self.index);
        statement.ok_or_else(|| PyIndexError::new_err("no such statement"))
    }

    fn subject<'a>(&'a self, account: &'a str) -> Subject<'a> {
        Subject {
            bill: &self.bill,
            account: Some(account),
        }
    }
}

#[pymethods]
impl PyStatement {
    /// The id of the billing account's domain.
    #[getter]
    fn account(&self) -> PyResult<String> {
        Ok(self.statement()?.account.to_string())
    }

    /// The domain's name.
    #[getter]
    fn name(&self) -> PyResult<&str> {
        Ok(&self.statement()?.name)
    }

    /// The domain's path.
    #[getter]
    fn path(&self) -> PyResult<&str> {
        Ok(&self.statement()?.path)
    }

    /// The printed total: the sum of the lines' amounts.
    #[getter]
    fn total<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_decimal(py, &self.statement()?.total)
    }

    /// The total before rounding, exact.
    #[getter]
    fn exact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.statement()?.exact)
    }

    /// The currency's ISO 4217 code.
    #[getter]
    fn currency(&self) -> String {
        self.bill.currency.to_string()
    }

    /// The line items, in the order of their keys.
    #[getter]
    fn lines(&self) -> PyResult<PyItems> {
        let (bill, statement) = (Arc::clone(&self.bill), self.index);
        Ok(PyItems::new(self.statement()?.lines.len(), move |index| {
            Some(PyLine::new(&bill, statement, index))
        }))
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
        let account = self.account()?;
        self.subject(&account).write_csv(py, path, &options, filter)
    }

    /// Writes a workbook; returns what it could not hold as it is, in words.
    #[pyo3(signature = (path, *, filter = None))]
    fn write_xlsx(
        &self,
        py: Python<'_>,
        path: PathBuf,
        filter: Option<&PyFilter>,
    ) -> Result<Vec<String>, Failure> {
        let account = self.account()?;
        self.subject(&account).write_xlsx(py, path, filter)
    }

    /// The same workbook as bytes.
    #[pyo3(signature = (*, filter = None))]
    fn xlsx_bytes<'py>(
        &self,
        py: Python<'py>,
        filter: Option<&PyFilter>,
    ) -> Result<Bound<'py, PyBytes>, Failure> {
        let account = self.account()?;
        let bytes = self.subject(&account).xlsx_bytes(py, filter)?;
        Ok(PyBytes::new(py, &bytes))
    }

    fn __eq__(&self, other: &Self) -> PyResult<bool> {
        Ok(self.statement()? == other.statement()?)
    }

    fn __repr__(&self) -> PyResult<String> {
        let statement = self.statement()?;
        let lines = statement.lines.len();
        Ok(format!(
            "<Statement {}: {}, {lines} lines>",
            statement.path, statement.total
        ))
    }
}
