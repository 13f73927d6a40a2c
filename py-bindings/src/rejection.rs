//! What could not be read, and what a recording says of itself.

use std::sync::Arc;

use cloudstack_usage::{Notice, Rejection};
use pyo3::prelude::*;

use crate::items::PyItems;

/// An entry of an answer that could not be read. The rest of the answer was.
#[pyclass(name = "Rejection", module = "cloudstack_billing._native", frozen)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PyRejection(Rejection);

impl PyRejection {
    pub(crate) fn items(rejections: &Arc<[Rejection]>) -> PyItems {
        cloned(rejections, Self)
    }
}

#[pymethods]
impl PyRejection {
    /// Where: the file or page.
    #[getter]
    fn page(&self) -> &str {
        &self.0.page
    }

    /// Which entry of the page, counted from 1.
    #[getter]
    fn position(&self) -> usize {
        self.0.position
    }

    /// The field that is wrong, where one can be named.
    #[getter]
    fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The stable name of what is wrong.
    #[getter]
    fn code(&self) -> &str {
        &self.0.slug
    }

    /// What is wrong, in words.
    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    /// The entry as sent.
    #[getter]
    fn json(&self) -> &str {
        &self.0.json
    }

    fn __eq__(&self, other: &Self) -> bool {
        self == other
    }

    fn __repr__(&self) -> String {
        let Rejection {
            page,
            position,
            message,
            ..
        } = &self.0;
        format!("<Rejection {page}, entry {position}: {message}>")
    }
}

/// What a recording or a fetch says of itself, such as a page that was answered with an
/// error.
#[pyclass(name = "Notice", module = "cloudstack_billing._native", frozen)]
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PyNotice(Notice);

impl PyNotice {
    pub(crate) fn items(notices: &Arc<[Notice]>) -> PyItems {
        cloned(notices, Self)
    }
}

#[pymethods]
impl PyNotice {
    /// The stable name of what happened.
    #[getter]
    fn code(&self) -> &str {
        &self.0.slug
    }

    /// The same in words.
    #[getter]
    fn message(&self) -> &str {
        &self.0.message
    }

    fn __eq__(&self, other: &Self) -> bool {
        self == other
    }

    fn __repr__(&self) -> String {
        format!("<Notice {}: {}>", self.0.slug, self.0.message)
    }
}

/// A sequence of the entries, each wrapped when it is asked for.
fn cloned<T, P>(entries: &Arc<[T]>, wrap: fn(T) -> P) -> PyItems
where
    T: Clone + Send + Sync + 'static,
    P: pyo3::PyClass + Into<pyo3::PyClassInitializer<P>>,
{
    let entries = Arc::clone(entries);
    PyItems::new(entries.len(), move |index| {
        entries.get(index).cloned().map(wrap)
    })
}
