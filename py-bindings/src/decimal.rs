//! Exact numbers that come in from Python.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyInt, PyString, PyType};
use rust_decimal::Decimal;

/// An exact number: an `int`, a `decimal.Decimal` or its text. Floats and booleans are
/// refused, and so is whatever has more digits than can be held, since rounding an amount
/// is not this side's to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ExactDecimal(pub(crate) Decimal);

impl<'py> FromPyObject<'_, 'py> for ExactDecimal {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let text = plain_text(&value)?;
        if !is_plain(&text) {
            return Err(PyValueError::new_err(format!(
                "{text:.60?} is not a plain decimal number such as 12.34"
            )));
        }
        Decimal::from_str_exact(&text).map(Self).map_err(|error| {
            PyValueError::new_err(format!(
                "{text:.60} cannot be held exactly as a decimal number: {error}"
            ))
        })
    }
}

/// Digits, at most one sign and one point: the parser alone would take more (`1_000`).
fn is_plain(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let whole = whole.strip_prefix('-').unwrap_or(whole);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(part)
}

/// The number's digits without an exponent.
fn plain_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyBool>() {
        return Err(refused(value)?);
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_cow()?.into_owned());
    }
    if value.is_instance_of::<PyInt>() {
        return value.str()?.extract();
    }
    if !is_decimal(value)? {
        return Err(refused(value)?);
    }
    let finite: bool = value
        .call_method0(intern!(value.py(), "is_finite"))?
        .extract()?;
    if !finite {
        return Err(PyValueError::new_err(format!(
            "{} is not a finite number",
            value.str()?
        )));
    }
    // `f` writes all digits: the parser takes no exponents
    value
        .call_method1(intern!(value.py(), "__format__"), ("f",))?
        .extract()
}

/// Whether it is a `decimal.Decimal`.
pub(crate) fn is_decimal(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.is_instance(decimal_type(value.py())?)
}

/// The class `decimal.Decimal`.
pub(crate) fn decimal_type(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    DECIMAL.import(py, "decimal", "Decimal")
}

fn refused(value: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    Ok(PyTypeError::new_err(format!(
        "an exact number is wanted (decimal.Decimal, int or str), not {}",
        value.get_type().name()?
    )))
}
