//! What became of the records.

use pyo3::prelude::*;
use rating_engine::Counts;

/// What became of the records that touch the period. `charged`, `exempt`, `reference` and
/// `held` add up to `records`.
#[pyclass(name = "Counts", module = "cloudstack_billing._native", frozen)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PyCounts(pub(crate) Counts);

#[pymethods]
impl PyCounts {
    /// Records that touch the billing period.
    #[getter]
    fn records(&self) -> u64 {
        self.0.records
    }

    /// Records with at least one charge that is not exempt.
    #[getter]
    fn charged(&self) -> u64 {
        self.0.charged
    }

    /// Records with exempt charges only.
    #[getter]
    fn exempt(&self) -> u64 {
        self.0.exempt
    }

    /// Records that only serve as reference.
    #[getter]
    fn reference(&self) -> u64 {
        self.0.reference
    }

    /// Records held back or left unpriced, each named in a finding.
    #[getter]
    fn held(&self) -> u64 {
        self.0.held
    }

    /// Records outside the period, read as neighbours (not in `records`).
    #[getter]
    fn neighbours(&self) -> u64 {
        self.0.neighbours
    }

    fn __eq__(&self, other: &Self) -> bool {
        self == other
    }

    fn __repr__(&self) -> String {
        let c = &self.0;
        format!(
            "<Counts of {} records: {} charged, {} exempt, {} reference, {} held>",
            c.records, c.charged, c.exempt, c.reference, c.held
        )
    }
}
