//! A price-book file as a tree of values with their places, the same for TOML and JSON.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::errors::{BookError, BookErrors};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Line in the file, counted from 1; none for JSON, which keeps no lines.
    pub(super) line: Option<usize>,
    pub(super) value: Value,
}

/// Numbers stay text: money never passes through a binary float.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(String),
    Fraction(String),
    Boolean(bool),
    Date(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Value {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Fraction(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::Date(_) => "a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Reads TOML; every syntax error is reported with its line.
pub(super) fn from_toml(text: &str) -> Result<Node, BookErrors> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let lines = Lines::new(text);
        return Ok(table_node(table.get_ref(), Some(1), &lines));
    }
    let lines = Lines::new(text);
    let errors = errors
        .iter()
        .map(|error| {
            let line = error.span().map(|span| lines.line(span.start));
            BookError::new(
                "syntax",
                String::new(),
                line,
                format!("no valid TOML: {}", error.message()),
            )
        })
        .collect();
    Err(BookErrors::new(errors))
}

/// Reads JSON.
pub(super) fn from_json(text: &str) -> Result<Node, BookErrors> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        let message = format!("no valid JSON: {error}");
        BookErrors::new(vec![BookError::new(
            "syntax",
            String::new(),
            Some(error.line()),
            message,
        )])
    })?;
    Ok(json_node(value))
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let ends = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(ends).collect())
    }

    fn line(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

fn table_node(table: &DeTable<'_>, line: Option<usize>, lines: &Lines) -> Node {
    let entries = table
        .iter()
        .map(|(key, value)| {
            let mut node = toml_node(value, lines);
            // the key's line is where a person looks
            node.line = Some(lines.line(key.span().start));
            (key.get_ref().to_string(), node)
        })
        .collect();
    Node {
        line,
        value: Value::Table(entries),
    }
}

fn toml_node(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let line = Some(lines.line(value.span().start));
    let value = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => {
            Value::Integer(number.as_str().to_owned())
        }
        DeValue::Integer(number) => Value::Text(number.to_string()),
        DeValue::Float(number) => Value::Fraction(number.as_str().to_owned()),
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(items) => {
            Value::List(items.iter().map(|item| toml_node(item, lines)).collect())
        }
        DeValue::Table(table) => return table_node(table, line, lines),
    };
    Node { line, value }
}

fn json_node(value: serde_json::Value) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Text(String::new()),
        serde_json::Value::Bool(value) => Value::Boolean(value),
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => {
            Value::Integer(number.to_string())
        }
        // a fraction went through a binary float in the JSON reader: refused where money is asked
        serde_json::Value::Number(_) => Value::Fraction("binary".to_owned()),
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(json_node).collect()),
        serde_json::Value::Object(entries) => Value::Table(
            entries
                .into_iter()
                .map(|(key, value)| (key, json_node(value)))
                .collect(),
        ),
    };
    Node { line: None, value }
}
