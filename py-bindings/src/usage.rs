//! Usage as CloudStack answered it.

use std::path::PathBuf;
use std::sync::Arc;

use cloudstack_usage::{
    ErrorKind, Rejection, UsagePage, UsageRecord, parse_usage_page, read_usage_files,
};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};

use crate::failure::Failure;
use crate::items::PyItems;
use crate::rejection::PyRejection;
use crate::signals;

/// Usage records and what could not be read, held on the native side: a batch to hand to
/// `rate`.
#[pyclass(name = "Usage", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyUsage {
    pub(crate) records: Arc<[UsageRecord]>,
    pub(crate) rejections: Arc<[Rejection]>,
}

/// A batch that grows page by page.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<UsageRecord>,
    pub(crate) rejections: Vec<Rejection>,
}

impl Batch {
    fn add(&mut self, page: UsagePage) {
        let records = page.records.into_iter().map(|parsed| parsed.record);
        self.records.extend(records);
        self.rejections.extend(page.rejections);
    }

    pub(crate) fn into_usage(self) -> PyUsage {
        PyUsage {
            records: self.records.into(),
            rejections: self.rejections.into(),
        }
    }
}

#[pymethods]
impl PyUsage {
    /// Reads the bodies of answers to `listUsageRecords`.
    #[staticmethod]
    fn from_pages(py: Python<'_>, pages: &Bound<'_, PyAny>) -> Result<Self, Failure> {
        let mut batch = Batch::default();
        for (index, page) in many(pages)?.enumerate() {
            let page: PyBackedBytes = page?.extract().map_err(PyErr::from)?;
            let label = format!("page {}", index + 1);
            batch.add(py.detach(|| parse_usage_page(&label, &page))?);
            py.check_signals()?;
        }
        Ok(batch.into_usage())
    }

    /// Reads files that hold such bodies, plain or gzip, or folders of them.
    #[staticmethod]
    fn from_files(py: Python<'_>, paths: &Bound<'_, PyAny>) -> Result<Self, Failure> {
        let paths: Vec<PathBuf> = many(paths)?
            .map(|path| path?.extract())
            .collect::<PyResult<_>>()?;
        let (batch, fetch) = py.detach(|| {
            let mut batch = Batch::default();
            let fetch = read_usage_files(&paths, &mut |page| {
                batch.add(page);
                signals::check().map_err(|raised| {
                    cloudstack_usage::Error::new(ErrorKind::Sink, "interrupted").with_source(raised)
                })
            })?;
            Ok::<_, Failure>((batch, fetch))
        })?;
        match fetch.notices.into_iter().next() {
            None => Ok(batch.into_usage()),
            // part of the usage would be a wrong bill
            Some(notice) => Err(Failure::Incomplete(notice)),
        }
    }

    /// Entries that could not be read; `rate` makes a finding of each.
    #[getter]
    fn rejections(&self) -> PyItems {
        PyRejection::items(&self.rejections)
    }

    fn __len__(&self) -> usize {
        self.records.len()
    }

    fn __repr__(&self) -> String {
        let (records, rejections) = (self.records.len(), self.rejections.len());
        format!("<Usage: {records} records, {rejections} rejections>")
    }
}

/// The elements of an iterable; a single text or body is none, although Python could
/// iterate it.
fn many<'py>(values: &Bound<'py, PyAny>) -> PyResult<Bound<'py, pyo3::types::PyIterator>> {
    if values.is_instance_of::<PyString>() || values.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(format!(
            "an iterable is wanted, such as a list, not a single {}",
            values.get_type().name()?
        )));
    }
    values.try_iter()
}
