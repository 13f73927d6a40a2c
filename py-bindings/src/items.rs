//! Sequences whose elements are made when they are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PySlice, PyType};

/// Makes the element of an index.
type Make = dyn Fn(Python<'_>, usize) -> PyResult<Py<PyAny>> + Send + Sync;

/// A read-only sequence. Elements are made on access, so a statement of a million lines
/// costs nothing until it is read.
#[pyclass(
    name = "Items",
    module = "cloudstack_billing._native",
    frozen,
    sequence
)]
pub(crate) struct PyItems {
    length: usize,
    make: Arc<Make>,
}

impl PyItems {
    /// A sequence of `length` elements; `make` is called with indices below that alone.
    pub(crate) fn new<T, F>(length: usize, make: F) -> Self
    where
        T: pyo3::PyClass + Into<pyo3::PyClassInitializer<T>>,
        F: Fn(usize) -> Option<T> + Send + Sync + 'static,
    {
        Self {
            length,
            make: Arc::new(move |py, index| {
                let element = make(index).ok_or_else(out_of_range)?;
                Ok(Py::new(py, element)?.into_any())
            }),
        }
    }

    fn at(&self, py: Python<'_>, index: isize) -> PyResult<Py<PyAny>> {
        let index = if index < 0 {
            self.length.checked_sub(index.unsigned_abs())
        } else {
            Some(index.unsigned_abs())
        };
        match index.filter(|index| *index < self.length) {
            Some(index) => (self.make)(py, index),
            None => Err(out_of_range()),
        }
    }

    fn slice<'py>(&self, slice: &Bound<'py, PySlice>) -> PyResult<Bound<'py, PyList>> {
        let py = slice.py();
        let range = slice.indices(isize::try_from(self.length)?)?;
        let mut index = range.start;
        let list = PyList::empty(py);
        for _ in 0..range.slicelength {
            list.append(self.at(py, index)?)?;
            index += range.step;
        }
        Ok(list)
    }
}

fn out_of_range() -> PyErr {
    PyIndexError::new_err("index out of range")
}

#[pymethods]
impl PyItems {
    fn __len__(&self) -> usize {
        self.length
    }

    fn __getitem__(&self, py: Python<'_>, index: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        match index.cast::<PySlice>() {
            Ok(slice) => Ok(self.slice(slice)?.into_any().unbind()),
            Err(_) => self.at(py, index.extract()?),
        }
    }

    fn __iter__(&self) -> PyItemsIterator {
        PyItemsIterator {
            length: self.length,
            next: AtomicUsize::new(0),
            make: Arc::clone(&self.make),
        }
    }

    fn __repr__(&self) -> String {
        format!("<Items: {}>", self.length)
    }

    /// `Items[Line]` in annotations.
    #[classmethod]
    fn __class_getitem__<'py>(
        cls: &Bound<'py, PyType>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static ALIAS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        ALIAS
            .import(cls.py(), "types", "GenericAlias")?
            .call1((cls, key))
    }
}

/// Runs through an [`PyItems`] once.
#[pyclass(name = "ItemsIterator", module = "cloudstack_billing._native", frozen)]
pub(crate) struct PyItemsIterator {
    length: usize,
    next: AtomicUsize,
    make: Arc<Make>,
}

#[pymethods]
impl PyItemsIterator {
    fn __iter__(iterator: PyRef<'_, Self>) -> PyRef<'_, Self> {
        iterator
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        // one step for each caller, also when threads share the iterator
        let step = self
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |index| {
                (index < self.length).then(|| index + 1)
            });
        step.ok().map(|index| (self.make)(py, index)).transpose()
    }

    fn __length_hint__(&self) -> usize {
        self.length - self.next.load(Ordering::Relaxed)
    }
}
