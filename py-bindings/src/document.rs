//! A document given as Python data.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyDate, PyDateTime, PyDict, PyFloat, PyInt, PyList, PyMapping, PyString, PyTuple,
};
use serde_json::{Map, Value};

use crate::decimal::{ExactDecimal, is_decimal};
use crate::instant::{CivilDate, Instant};

/// Deeper documents are refused: no price book is, and the stack is finite.
const DEEPEST: usize = 32;

/// The JSON value that says the same. Decimals become texts, so that no digit is lost;
/// floats are refused with their place.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> PyResult<Value> {
    convert(value, &Place::Root, 0)
}

/// Where in the document a value stands.
enum Place<'a> {
    Root,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Root => f.write_str("the document"),
            Self::Key(Self::Root, key) => f.write_str(key),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            // counted from 1, as the places in errors of books are
            Self::Index(parent, index) => write!(f, "{parent}[{}]", index + 1),
        }
    }
}

fn convert(value: &Bound<'_, PyAny>, place: &Place<'_>, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(PyValueError::new_err(format!(
            "{place} is nested more than {DEEPEST} levels deep"
        )));
    }
    if let Ok(mapping) = value.cast::<PyDict>() {
        return object(mapping, place, depth);
    }
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        return array(value, place, depth);
    }
    if let Ok(mapping) = value.cast::<PyMapping>() {
        let plain = PyDict::from_sequence(&mapping.items()?.into_any())?;
        return object(&plain, place, depth);
    }
    scalar(value, place)
}

fn object(mapping: &Bound<'_, PyDict>, place: &Place<'_>, depth: usize) -> PyResult<Value> {
    let mut object = Map::new();
    for (key, value) in mapping {
        let key = key.cast::<PyString>().map_err(|_| {
            PyTypeError::new_err(format!("the keys of {place} must be str, not {key}"))
        })?;
        let key = key.to_cow()?;
        let value = convert(&value, &Place::Key(place, &key), depth + 1)?;
        object.insert(key.into_owned(), value);
    }
    Ok(Value::Object(object))
}

fn array(values: &Bound<'_, PyAny>, place: &Place<'_>, depth: usize) -> PyResult<Value> {
    let values = values
        .try_iter()?
        .enumerate()
        .map(|(index, value)| convert(&value?, &Place::Index(place, index), depth + 1));
    values.collect::<PyResult<_>>().map(Value::Array)
}

fn scalar(value: &Bound<'_, PyAny>, place: &Place<'_>) -> PyResult<Value> {
    if value.is_none() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.cast::<PyBool>() {
        return Ok(Value::Bool(flag.is_true()));
    }
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(Value::String(text.to_cow()?.into_owned()));
    }
    if value.is_instance_of::<PyFloat>() {
        return Err(PyTypeError::new_err(format!(
            "{place} is a float, which cannot hold most prices exactly; use decimal.Decimal or str"
        )));
    }
    if value.is_instance_of::<PyDateTime>() {
        let instant = value
            .extract::<Instant>()
            .map_err(|e| at(value, &e, place))?;
        return Ok(Value::String(instant.0.to_rfc3339()));
    }
    if value.is_instance_of::<PyDate>() {
        return Ok(Value::String(value.extract::<CivilDate>()?.0.to_string()));
    }
    let whole = value.is_instance_of::<PyInt>();
    if !whole && !is_decimal(value)? {
        let kind = value.get_type();
        return Err(PyTypeError::new_err(format!(
            "{place} is of type {}, which no price book has",
            kind.name()?
        )));
    }
    if let (true, Ok(number)) = (whole, value.extract::<i64>()) {
        return Ok(Value::from(number));
    }
    let exact = value
        .extract::<ExactDecimal>()
        .map_err(|e| at(value, &e, place))?;
    Ok(Value::String(exact.0.to_string()))
}

/// The same error of the same type, with its place.
fn at(value: &Bound<'_, PyAny>, error: &PyErr, place: &Place<'_>) -> PyErr {
    let py = value.py();
    PyErr::from_type(error.get_type(py), format!("{place}: {}", error.value(py)))
}
