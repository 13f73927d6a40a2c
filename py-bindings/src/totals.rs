//! Exact sums without statements.

use std::sync::Arc;

use cloudstack_usage::{Holder, UsageType};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rating_engine::{Total, Totals};

use crate::items::PyItems;
use crate::number::to_fraction;
use crate::period::PyPeriod;

/// What a period costs, as exact sums alone.
#[pyclass(name = "Totals", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyTotals(pub(crate) Arc<Totals>);

#[pymethods]
impl PyTotals {
    /// The billing period.
    #[getter]
    fn period(&self) -> PyPeriod {
        PyPeriod(self.0.period)
    }

    /// The currency's ISO 4217 code.
    #[getter]
    fn currency(&self) -> String {
        self.0.currency.to_string()
    }

    /// The sum of everything, exact.
    #[getter]
    fn exact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.0.exact())
    }

    /// The sums, one for each thing of each resource, owner and cost centre.
    #[getter]
    fn totals(&self) -> PyItems {
        let totals = Arc::clone(&self.0);
        PyItems::new(totals.totals.len(), move |index| {
            Some(PyTotal {
                totals: Arc::clone(&totals),
                index,
            })
        })
    }

    /// The exact sum of each billing account, by its domain's id.
    fn by_account<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let sums = PyDict::new(py);
        for (account, sum) in self.0.by_account() {
            sums.set_item(account.to_string(), to_fraction(py, &sum)?)?;
        }
        Ok(sums)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __repr__(&self) -> String {
        let (totals, currency) = (self.0.totals.len(), self.0.currency);
        format!("<Totals {}: {totals} sums in {currency}>", self.0.period)
    }
}

/// What one thing of one resource, owner and cost centre costs.
#[pyclass(name = "Total", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyTotal {
    totals: Arc<Totals>,
    index: usize,
}

impl PyTotal {
    fn total(&self) -> PyResult<&Total> {
        let total = self.totals.totals.get(self.index);
        total.ok_or_else(|| PyIndexError::new_err("no such total"))
    }
}

#[pymethods]
impl PyTotal {
    /// The id of the billing account's domain.
    #[getter]
    fn billing_account(&self) -> PyResult<String> {
        Ok(self.total()?.account.to_string())
    }

    /// The id of the domain that owns the resource.
    #[getter]
    fn domain(&self) -> PyResult<String> {
        Ok(self.total()?.domain.to_string())
    }

    /// The id of the account that owns the resource, where an account does.
    #[getter]
    fn account(&self) -> PyResult<Option<String>> {
        Ok(match &self.total()?.holder {
            Holder::Account(id) => Some(id.to_string()),
            _ => None,
        })
    }

    /// The id of the project that owns the resource, where a project does.
    #[getter]
    fn project(&self) -> PyResult<Option<String>> {
        Ok(match &self.total()?.holder {
            Holder::Project(id) => Some(id.to_string()),
            _ => None,
        })
    }

    /// The cost centre.
    #[getter]
    fn cost_centre(&self) -> PyResult<Option<&str>> {
        Ok(self.total()?.cost_centre.as_deref())
    }

    /// The id of the resource charged; its description where CloudStack gives no id.
    #[getter]
    fn resource(&self) -> PyResult<String> {
        Ok(self.total()?.resource.to_string())
    }

    /// CloudStack's number of the usage type; `None` of a minimum charge.
    #[getter]
    fn usage_type(&self) -> PyResult<Option<u32>> {
        Ok(self.total()?.usage_type.map(UsageType::id))
    }

    /// The kind of item charged: `meter`, `service`, `package` or `minimum`.
    #[getter]
    fn item_kind(&self) -> PyResult<&'static str> {
        Ok(self.total()?.item.kind())
    }

    /// The item charged: `cpu`, `ram`, `disk`, …, or the name of a service or package.
    #[getter]
    fn item(&self) -> PyResult<&str> {
        Ok(self.total()?.item.name())
    }

    /// The amount after discounts, exact; zero where it is exempt.
    #[getter]
    fn exact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_fraction(py, &self.total()?.net)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.totals.totals.get(self.index) == other.totals.totals.get(other.index)
    }

    fn __repr__(&self) -> PyResult<String> {
        let total = self.total()?;
        Ok(format!(
            "<Total {} of {}>",
            total.item.name(),
            total.resource
        ))
    }
}
