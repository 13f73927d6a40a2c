//! What was wrong or doubtful in the input.

use std::sync::Arc;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use rating_engine::{Bill, Finding};

use crate::number::to_fraction;
use crate::period::PyPeriod;

/// Something wrong or doubtful in the input, with the money at stake.
#[pyclass(name = "Finding", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyFinding {
    bill: Arc<Bill>,
    index: usize,
}

impl PyFinding {
    pub(crate) fn new(bill: &Arc<Bill>, index: usize) -> Self {
        Self {
            bill: Arc::clone(bill),
            index,
        }
    }

    fn finding(&self) -> PyResult<&Finding> {
        let finding = self.bill.findings.get(self.index);
        finding.ok_or_else(|| PyIndexError::new_err("no such finding"))
    }
}

#[pymethods]
impl PyFinding {
    /// The stable name of the kind of doubt, such as `not_metered`.
    #[getter]
    fn kind(&self) -> PyResult<&'static str> {
        Ok(self.finding()?.kind.slug())
    }

    /// What was done about it: `bill_and_flag`, `bill_once`, `clip` or `hold`.
    #[getter]
    fn policy(&self) -> PyResult<&'static str> {
        Ok(self.finding()?.policy.slug())
    }

    /// The billing account's domain id.
    #[getter]
    fn account(&self) -> PyResult<Option<String>> {
        Ok(self.finding()?.account.as_ref().map(ToString::to_string))
    }

    /// The owner's domain path and holder.
    #[getter]
    fn owner(&self) -> PyResult<Option<&str>> {
        Ok(self.finding()?.owner.as_deref())
    }

    /// The resource's id.
    #[getter]
    fn resource(&self) -> PyResult<Option<String>> {
        Ok(self.finding()?.resource.as_ref().map(ToString::to_string))
    }

    /// The resource's name.
    #[getter]
    fn resource_name(&self) -> PyResult<Option<&str>> {
        Ok(self.finding()?.resource_name.as_deref())
    }

    /// The time concerned.
    #[getter]
    fn period(&self) -> PyResult<Option<PyPeriod>> {
        Ok(self.finding()?.period.map(PyPeriod))
    }

    /// Time concerned, in milliseconds.
    #[getter]
    fn millis(&self) -> PyResult<i128> {
        Ok(self.finding()?.millis)
    }

    /// Number of records concerned.
    #[getter]
    fn records(&self) -> PyResult<u64> {
        Ok(self.finding()?.records)
    }

    /// The money at stake in the book's currency, exact; `None` where it cannot be told.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let value = self.finding()?.value.as_ref();
        value.map(|value| to_fraction(py, value)).transpose()
    }

    /// The whole in words.
    #[getter]
    fn message(&self) -> PyResult<&str> {
        Ok(&self.finding()?.message)
    }

    fn __eq__(&self, other: &Self) -> PyResult<bool> {
        Ok(self.finding()? == other.finding()?)
    }

    fn __repr__(&self) -> PyResult<String> {
        let finding = self.finding()?;
        Ok(format!(
            "<Finding {}: {}>",
            finding.kind.slug(),
            finding.message
        ))
    }
}
