//! Half-open time intervals.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use cloudstack_usage::Period;
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::instant::Instant;

/// A hash that is the same for equal values within one process.
pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A half-open interval of instants: `start` is inside, `end` is not.
#[pyclass(name = "Period", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyPeriod(pub(crate) Period);

#[pymethods]
impl PyPeriod {
    #[new]
    fn new(start: Instant, end: Instant) -> Result<Self, Failure> {
        Ok(Self(Period::new(start.0, end.0)?))
    }

    /// The first instant inside, in UTC.
    #[getter]
    fn start(&self) -> DateTime<Utc> {
        self.0.start()
    }

    /// The first instant after, in UTC.
    #[getter]
    fn end(&self) -> DateTime<Utc> {
        self.0.end()
    }

    fn __contains__(&self, instant: Instant) -> bool {
        self.0.contains(instant.0)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __hash__(&self) -> u64 {
        hash_of(&self.0)
    }

    fn __getnewargs__(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        (self.0.start(), self.0.end())
    }

    fn __repr__(&self) -> String {
        format!("<Period {}>", self.0)
    }
}
