//! Instants and civil dates that come in from Python.

use chrono::{DateTime, NaiveDate, Utc};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyTzInfo};

/// An instant: any aware `datetime`, whatever its zone. Naive ones are refused, since
/// nobody can tell which instant they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instant(pub(crate) DateTime<Utc>);

impl<'py> FromPyObject<'_, 'py> for Instant {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let py = value.py();
        let datetime = value.cast::<PyDateTime>().map_err(|_| {
            PyTypeError::new_err("an aware datetime is wanted, such as datetime.now(timezone.utc)")
        })?;
        // aware by Python's own definition: a zone that gives no offset does not count
        if datetime.call_method0(intern!(py, "utcoffset"))?.is_none() {
            return Err(PyTypeError::new_err(
                "an aware datetime is wanted, but this one has no time zone; \
                 give it a tzinfo, such as timezone.utc or a ZoneInfo",
            ));
        }
        let utc = datetime.call_method1(intern!(py, "astimezone"), (PyTzInfo::utc(py)?,))?;
        utc.extract().map(Self)
    }
}

/// A civil date: a `date`, but no `datetime`, whose time would be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CivilDate(pub(crate) NaiveDate);

impl<'py> FromPyObject<'_, 'py> for CivilDate {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if value.is_instance_of::<PyDateTime>() || !value.is_instance_of::<PyDate>() {
            return Err(PyTypeError::new_err(
                "a date is wanted, such as date(2026, 10, 1); for instants use Period(start, end)",
            ));
        }
        value.extract().map(Self)
    }
}
