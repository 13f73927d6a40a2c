//! Price books.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{Months, NaiveDate};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use rating_engine::{BookErrors, PriceBook};

use crate::document;
use crate::failure::Failure;
use crate::instant::CivilDate;
use crate::period::PyPeriod;

/// An immutable, validated set of prices, services, packages, exemptions and discounts in
/// one currency and one time zone.
#[pyclass(name = "PriceBook", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyPriceBook(pub(crate) Arc<PriceBook>);

impl PyPriceBook {
    fn read(
        py: Python<'_>,
        text: &str,
        reader: fn(&str) -> Result<PriceBook, BookErrors>,
    ) -> Result<Self, Failure> {
        let book = py.detach(|| reader(text))?;
        Ok(Self(Arc::new(book)))
    }
}

#[pymethods]
impl PyPriceBook {
    /// Reads a price book from a file: JSON where its name ends in `.json`, else TOML.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> Result<Self, Failure> {
        let is_json = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let text = py.detach(move || {
            std::fs::read_to_string(&path).map_err(|cause| Failure::file(path, cause))
        })?;
        if is_json {
            Self::from_json(py, &text)
        } else {
            Self::from_toml(py, &text)
        }
    }

    /// Reads a price book from TOML.
    #[staticmethod]
    fn from_toml(py: Python<'_>, text: &str) -> Result<Self, Failure> {
        Self::read(py, text, PriceBook::from_toml)
    }

    /// Reads a price book from JSON.
    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> Result<Self, Failure> {
        Self::read(py, text, PriceBook::from_json)
    }

    /// Reads a price book from dicts and lists as `from_json` would; amounts may be
    /// `Decimal`, dates `date`.
    #[staticmethod]
    fn from_dict(py: Python<'_>, document: &Bound<'_, PyAny>) -> Result<Self, Failure> {
        let text = serde_json::to_string(&document::to_json(document)?)?;
        Self::from_json(py, &text)
    }

    /// The book's name.
    #[getter]
    fn name(&self) -> &str {
        self.0.name()
    }

    /// The currency's ISO 4217 code.
    #[getter]
    fn currency(&self) -> String {
        self.0.currency().to_string()
    }

    /// The IANA name of the book's time zone.
    #[getter]
    fn zone(&self) -> &'static str {
        self.0.zone_name()
    }

    /// SHA-256 of the book's content.
    #[getter]
    fn digest(&self) -> &str {
        self.0.digest()
    }

    /// The book for the statement of one customer: the same, with dates civil in the zone
    /// that the book gives to its domain (a path).
    fn for_customer(&self, domain: &str) -> Self {
        Self(Arc::new(self.0.for_customer(domain)))
    }

    /// The civil month in the book's zone.
    fn month(&self, year: i32, month: u32) -> Result<PyPeriod, Failure> {
        let first = NaiveDate::from_ymd_opt(year, month, 1);
        let last = first.and_then(|first| first.checked_add_months(Months::new(1))?.pred_opt());
        let (Some(first), Some(last)) = (first, last) else {
            let message = format!("there is no month {month} of the year {year}");
            return Err(PyValueError::new_err(message).into());
        };
        Ok(PyPeriod(self.0.civil_period(first, last)?))
    }

    /// The days from `first` to `last`, both included, in the book's zone.
    fn period(&self, first: CivilDate, last: CivilDate) -> Result<PyPeriod, Failure> {
        Ok(PyPeriod(self.0.civil_period(first.0, last.0)?))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __hash__(&self) -> u64 {
        crate::period::hash_of(&self.0.digest())
    }

    fn __repr__(&self) -> String {
        let book = &self.0;
        format!(
            "<PriceBook {:?} in {}, {}>",
            book.name(),
            book.currency(),
            book.zone_name()
        )
    }
}
