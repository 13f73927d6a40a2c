//! The one place where errors of the library become Python exceptions.

use std::io;
use std::path::{Path, PathBuf};

use cloudstack_usage::store::StoreError;
use cloudstack_usage::{ErrorKind, Notice, PeriodError};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyDict, PyList};
use rating_engine::{BookErrors, RatingError};
use report_export::ExportError;

/// Whatever can fail behind a Python call.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Python itself raised (an argument, a signal).
    Python(PyErr),
    /// Usage or metadata could not be read.
    Usage(cloudstack_usage::Error),
    /// Not all usage of a recording could be read.
    Incomplete(Notice),
    /// A store could not be read.
    Store(StoreError),
    /// A store holds no such cloud.
    UnknownCloud {
        path: PathBuf,
        cloud: String,
        clouds: Vec<String>,
    },
    /// A store was opened in one process and used in a fork of it.
    Forked(PathBuf),
    /// Book and inventory make no plan.
    Rating(RatingError),
    /// A price book cannot be used.
    Book(BookErrors),
    /// A report could not be written.
    Export(ExportError),
    /// Two instants make no period.
    Period(PeriodError),
    /// A file could not be read.
    File { path: PathBuf, cause: io::Error },
    /// A result could not be written as JSON.
    Json(serde_json::Error),
}

impl Failure {
    /// The failure to read or write the file at `path`.
    pub(crate) fn file(path: PathBuf, cause: io::Error) -> Self {
        Self::File { path, cause }
    }

    fn into_exception(self, py: Python<'_>) -> PyResult<PyErr> {
        let none = PyDict::new(py);
        match self {
            Self::Python(error) => Ok(error),
            Self::Usage(error) => usage(py, &error),
            Self::Incomplete(Notice { slug, message }) => {
                raise(py, "UsageError", &message, &slug, none)
            }
            Self::Store(error) => store(py, &error),
            Self::UnknownCloud {
                path,
                cloud,
                clouds,
            } => unknown_cloud(py, &path, &cloud, &clouds),
            Self::Forked(path) => forked(py, &path),
            Self::Rating(error) => raise(py, "RatingError", &error.to_string(), error.slug(), none),
            Self::Book(errors) => book(py, &errors),
            Self::Export(error) => export(py, &error),
            Self::Period(error) => Ok(PyValueError::new_err(error.to_string())),
            Self::File { path, cause } => {
                let message = format!("cannot read {}: {cause}", path.display());
                none.set_item("path", path.as_os_str())?;
                file(py, &message, "file", &cause, none)
            }
            Self::Json(error) => Ok(PyRuntimeError::new_err(error.to_string())),
        }
    }
}

/// The exception for a cloud that a store does not hold.
fn unknown_cloud(py: Python<'_>, path: &Path, cloud: &str, clouds: &[String]) -> PyResult<PyErr> {
    let path = path.display();
    let message = if clouds.is_empty() {
        format!("{path} holds nothing yet; sync into it first")
    } else {
        let known = clouds.join(", ");
        format!("{path} holds no cloud {cloud:?}, but {known}")
    };
    let context = [("clouds", clouds)].into_py_dict(py)?;
    raise(py, "StoreError", &message, "unknown_cloud", context)
}

/// The exception for the use of a store in a fork.
fn forked(py: Python<'_>, path: &Path) -> PyResult<PyErr> {
    let path = path.display();
    let message = format!("{path} was opened in another process; open it after the fork");
    let code = "store_forked";
    raise(py, "ForkedStoreError", &message, code, PyDict::new(py))
}

/// The exception for an error of reading usage: one of files where a file is the cause.
fn usage(py: Python<'_>, error: &cloudstack_usage::Error) -> PyResult<PyErr> {
    if let Some(raised) = cause::<PyErr>(error) {
        return Ok(raised.clone_ref(py)); // a signal came while a page was read
    }
    let context = PyDict::new(py);
    match (error.kind(), cause::<io::Error>(error)) {
        (ErrorKind::Recording, Some(cause)) => {
            file(py, &error.to_string(), error.slug(), cause, context)
        }
        _ => raise(py, "UsageError", &error.to_string(), error.slug(), context),
    }
}

/// The exception for an error of a store.
fn store(py: Python<'_>, error: &StoreError) -> PyResult<PyErr> {
    if let Some(raised) = cause::<PyErr>(error) {
        return Ok(raised.clone_ref(py)); // a signal came while records were read
    }
    let context = PyDict::new(py);
    raise(py, "StoreError", &error.to_string(), error.slug(), context)
}

/// The exception that names all that is wrong with a price book.
fn book(py: Python<'_>, errors: &BookErrors) -> PyResult<PyErr> {
    let errors = errors.errors();
    let problems = errors
        .iter()
        .map(|error| (error.place(), error.slug(), error.message(), error.line()));
    let details = [("errors", PyList::new(py, problems)?)].into_py_dict(py)?;
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let message = format!("the price book cannot be used: {}", texts.join("; "));
    construct(py, "PriceBookError", &message, &details)
}

/// The exception for an error of writing a report: one of files where a file is the cause,
/// a `ValueError` where a filter names what is not there.
fn export(py: Python<'_>, error: &ExportError) -> PyResult<PyErr> {
    let context = PyDict::new(py);
    let position = error.position();
    context.set_item("report", position.report.as_deref())?;
    context.set_item("row", position.row)?;
    context.set_item("column", position.column.as_deref())?;
    let errno = cause::<io::Error>(error).and_then(io::Error::raw_os_error);
    context.set_item("errno", errno)?;
    let name = if error.is_name_error() {
        "FilterError"
    } else {
        "ExportError"
    };
    raise(py, name, &error.to_string(), error.slug(), context)
}

/// The first cause of this type, from `error` down.
fn cause<'a, T: std::error::Error + 'static>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a T> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<T>())
}

/// A `FileError`, or a `MissingFileError` where there is no such file.
fn file(
    py: Python<'_>,
    message: &str,
    code: &str,
    cause: &io::Error,
    context: Bound<'_, PyDict>,
) -> PyResult<PyErr> {
    context.set_item("errno", cause.raw_os_error())?;
    raise(py, "_file_error", message, code, context)
}

/// The exception that `name` in `errors.py` makes of this.
fn raise(
    py: Python<'_>,
    name: &str,
    message: &str,
    code: &str,
    context: Bound<'_, PyDict>,
) -> PyResult<PyErr> {
    let details = [("code", code.into_pyobject(py)?.into_any())].into_py_dict(py)?;
    details.set_item("context", context)?;
    construct(py, name, message, &details)
}

fn construct(
    py: Python<'_>,
    name: &str,
    message: &str,
    details: &Bound<'_, PyDict>,
) -> PyResult<PyErr> {
    let class = py.import("cloudstack_billing.errors")?.getattr(name)?;
    class.call((message,), Some(details)).map(PyErr::from_value)
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| failure.into_exception(py).unwrap_or_else(|error| error))
    }
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<cloudstack_usage::Error> for Failure {
    fn from(error: cloudstack_usage::Error) -> Self {
        Self::Usage(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<RatingError> for Failure {
    fn from(error: RatingError) -> Self {
        Self::Rating(error)
    }
}

impl From<BookErrors> for Failure {
    fn from(errors: BookErrors) -> Self {
        Self::Book(errors)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        Self::Export(error)
    }
}

impl From<PeriodError> for Failure {
    fn from(error: PeriodError) -> Self {
        Self::Period(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}
