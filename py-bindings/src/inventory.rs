//! What the syncs saw: owners, names, sizes, attachments, tags over time.

use std::path::PathBuf;
use std::sync::Arc;

use cloudstack_usage::{Label, Notice, Rejection, Snapshot, read_metadata_folder};
use pyo3::prelude::*;

use crate::failure::Failure;
use crate::items::PyItems;
use crate::rejection::{PyNotice, PyRejection};

/// What a series of syncs saw of domains, projects, VMs, volumes and the rest, from which
/// `rate` builds the histories that the price book asks for.
#[pyclass(name = "Inventory", module = "cloudstack_billing._native", frozen)]
#[derive(Debug)]
pub(crate) struct PyInventory {
    pub(crate) syncs: Arc<[Snapshot]>,
    pub(crate) labels: Arc<[Label]>,
    pub(crate) rejections: Arc<[Rejection]>,
    notices: Arc<[Notice]>,
}

impl PyInventory {
    pub(crate) fn new(syncs: Vec<Snapshot>, labels: Vec<Label>) -> Self {
        Self {
            syncs: syncs.into(),
            labels: labels.into(),
            rejections: [].into(),
            notices: [].into(),
        }
    }
}

#[pymethods]
impl PyInventory {
    /// Reads a folder with one sub-folder for each recorded sync.
    #[staticmethod]
    fn from_folder(py: Python<'_>, path: PathBuf) -> Result<Self, Failure> {
        let fetches = py.detach(move || read_metadata_folder(path))?;
        let (mut syncs, mut rejections, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        for fetch in fetches {
            syncs.push(fetch.snapshot);
            rejections.extend(fetch.rejections);
            notices.extend(fetch.notices);
        }
        Ok(Self {
            rejections: rejections.into(),
            notices: notices.into(),
            ..Self::new(syncs, Vec::new())
        })
    }

    /// Entries that could not be read.
    #[getter]
    fn rejections(&self) -> PyItems {
        PyRejection::items(&self.rejections)
    }

    /// What the recording says of itself, such as a kind that could not be listed.
    #[getter]
    fn notices(&self) -> PyItems {
        PyNotice::items(&self.notices)
    }

    /// The number of syncs.
    fn __len__(&self) -> usize {
        self.syncs.len()
    }

    fn __repr__(&self) -> String {
        format!("<Inventory of {} syncs>", self.syncs.len())
    }
}
