//! Numbers and data that go out to Python.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use rating_engine::{Exact, Money};
use serde::Serialize;

use crate::decimal::decimal_type;
use crate::failure::Failure;

/// A printed amount as `decimal.Decimal` with its currency's digits.
pub(crate) fn to_decimal<'py>(py: Python<'py>, money: &Money) -> PyResult<Bound<'py, PyAny>> {
    decimal_type(py)?.call1((money.amount(),))
}

/// An exact number as `fractions.Fraction`.
pub(crate) fn to_fraction<'py>(py: Python<'py>, exact: &Exact) -> PyResult<Bound<'py, PyAny>> {
    static FRACTION: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    FRACTION
        .import(py, "fractions", "Fraction")?
        .call1((exact.to_string(),))
}

/// Anything that serialises, as the dicts, lists, texts and ints that `json.loads` gives.
pub(crate) fn to_data<'py>(
    py: Python<'py>,
    value: &impl Serialize,
) -> Result<Bound<'py, PyAny>, Failure> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let loads = LOADS.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("json")?.getattr("loads")?.unbind())
    })?;
    let text = serde_json::to_string(value)?;
    Ok(loads.bind(py).call1((text,))?)
}
