//! One position of a statement.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloudstack_usage::Holder;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use rating_engine::{Bill, LineItem};

use crate::failure::Failure;
use crate::number::{to_data, to_decimal, to_fraction};
use crate::period::{PyPeriod, hash_of};

/// One position of a statement: all charges of one key, added exactly and then printed.
#[pyclass(name = "Line", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyLine {
    bill: Arc<Bill>,
    statement: usize,
    index: usize,
}

impl PyLine {
    pub(crate) fn new(bill: &Arc<Bill>, statement: usize, index: usize) -> Self {
        Self {
            bill: Arc::clone(bill),
            statement,
            index,
        }
    }

    fn line(&self) -> PyResult<&LineItem> {
        let statement = self.bill.statements.get(self.statement);
        let line = statement.and_then(|statement| statement.lines.get(self.index));
        line.ok_or_else(|| PyIndexError::new_err("no such line"))
    }
}

#[pymethods]
impl PyLine {
    /// The line's identity: stable for equal inputs.
    #[getter]
    fn key(&self) -> PyResult<&str> {
        Ok(&self.line()?.key)
    }

    /// The id of the domain that owns the resource.
    #[getter]
    fn domain(&self) -> PyResult<String> {
        Ok(self.line()?.domain.to_string())
    }

    /// That domain's path.
    #[getter]
    fn domain_path(&self) -> PyResult<&str> {
        Ok(&self.line()?.domain_path)
    }

    /// The id of the account that owns the resource, where an account does.
    #[getter]
    fn account(&self) -> PyResult<Option<String>> {
        Ok(match &self.line()?.holder {
            Holder::Account(id) => Some(id.to_string()),
            _ => None,
        })
    }

    /// The id of the project that owns the resource, where a project does.
    #[getter]
    fn project(&self) -> PyResult<Option<String>> {
        Ok(match &self.line()?.holder {
            Holder::Project(id) => Some(id.to_string()),
            _ => None,
        })
    }

    /// The account's or project's name.
    #[getter]
    fn holder_name(&self) -> PyResult<&str> {
        Ok(&self.line()?.holder_name)
    }

    /// The id of the VM that the line belongs to: itself, or the one a volume is attached to.
    #[getter]
    fn vm(&self) -> PyResult<Option<String>> {
        Ok(self.line()?.vm.as_ref().map(ToString::to_string))
    }

    /// That VM's name.
    #[getter]
    fn vm_name(&self) -> PyResult<Option<&str>> {
        Ok(self.line()?.vm_name.as_deref())
    }

    /// The volume's id, where the line is about one.
    #[getter]
    fn volume(&self) -> PyResult<Option<String>> {
        Ok(self.line()?.volume.as_ref().map(ToString::to_string))
    }

    /// The id of the resource charged; its description where CloudStack gives no id.
    #[getter]
    fn resource(&self) -> PyResult<String> {
        Ok(self.line()?.resource.to_string())
    }

    /// What the resource is (`vm`, `volume`, `ip`, …).
    #[getter]
    fn resource_kind(&self) -> PyResult<&'static str> {
        Ok(self.line()?.resource_kind)
    }

    /// The resource's name.
    #[getter]
    fn resource_name(&self) -> PyResult<&str> {
        Ok(&self.line()?.resource_name)
    }

    /// The cost centre.
    #[getter]
    fn cost_centre(&self) -> PyResult<Option<&str>> {
        Ok(self.line()?.cost_centre.as_deref())
    }

    /// When the resource was created, where known.
    #[getter]
    fn created(&self) -> PyResult<Option<DateTime<Utc>>> {
        Ok(self.line()?.created)
    }

    /// When the resource was removed, where it was.
    #[getter]
    fn removed(&self) -> PyResult<Option<DateTime<Utc>>> {
        Ok(self.line()?.removed)
    }

    /// The tags that were in force for any part of the line, as pairs of key and value.
    #[getter]
    fn tags<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let tags = self.line()?.tags.iter();
        PyTuple::new(py, tags.map(|tag| (&tag.key, &tag.value)))
    }

    /// The kind of item charged: `meter`, `service`, `package` or `minimum`.
    #[getter]
    fn item_kind(&self) -> PyResult<&'static str> {
        Ok(self.line()?.item.kind())
    }

    /// The item charged: `cpu`, `ram`, `disk`, …, or the name of a service or package.
    #[getter]
    fn item(&self) -> PyResult<&str> {
        Ok(self.line()?.item.name())
    }

    /// How the item is called on a bill.
    #[getter]
    fn label(&self) -> PyResult<&str> {
        Ok(&self.line()?.label)
    }

    /// The price's id.
    #[getter]
    fn price(&self) -> PyResult<&str> {
        Ok(&self.line()?.price)
    }

    /// The price in words.
    #[getter]
    fn price_text(&self) -> PyResult<&str> {
        Ok(&self.line()?.price_text)
    }

    /// Why the line costs nothing although used; `None` where it is charged.
    #[getter]
    fn exemption(&self) -> PyResult<Option<&str>> {
        Ok(self.line()?.exemption.as_deref())
    }

    /// The ids of the discounts applied, in order.
    #[getter]
    fn discounts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.line()?.discounts)
    }

    /// Time used, in milliseconds; 0 for counters.
    #[getter]
    fn used_millis(&self) -> PyResult<i128> {
        Ok(self.line()?.used_millis)
    }

    /// The quantity in the price's unit, exact.
    #[getter]
    fn quantity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.line()?.quantity)
    }

    /// The price's unit, such as `GiB-month`.
    #[getter]
    fn unit(&self) -> PyResult<&str> {
        Ok(&self.line()?.unit)
    }

    /// The amount before discounts, exact.
    #[getter]
    fn list_exact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.line()?.list)
    }

    /// The amount after discounts, exact.
    #[getter]
    fn exact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.line()?.net)
    }

    /// What is printed: the line's share of the statement's rounded total.
    #[getter]
    fn amount<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_decimal(py, &self.line()?.amount)
    }

    /// From the first to the last instant charged.
    #[getter]
    fn period(&self) -> PyResult<PyPeriod> {
        Ok(PyPeriod(self.line()?.period))
    }

    /// How the amount came about, in words.
    fn explain(&self) -> PyResult<String> {
        Ok(self.line()?.explain())
    }

    /// How the amount came about, as data.
    #[getter]
    fn explanation<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Failure> {
        to_data(py, &self.line()?.explanation)
    }

    fn __eq__(&self, other: &Self) -> PyResult<bool> {
        Ok(self.line()? == other.line()?)
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(hash_of(&self.line()?.key))
    }

    fn __repr__(&self) -> PyResult<String> {
        let line = self.line()?;
        let item = line.item.name();
        Ok(format!(
            "<Line {} of {}: {}>",
            item, line.resource_name, line.amount
        ))
    }
}
