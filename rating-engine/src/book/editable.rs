//! A price-book file that can be changed in place: TOML keeps its comments and its order.

use serde_json::{Map, Value as Json};
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::errors::{BookError, BookErrors};

/// A row of a price book by its fields, as in a JSON book: amounts are texts or whole
/// numbers, dates are texts.
pub type Row = Map<String, Json>;

/// The format of a price-book file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BookFormat {
    /// TOML: comments, order and layout stay as they are.
    Toml,
    /// JSON: written anew, with sorted fields.
    Json,
}

/// The order in which the fields of a new row are written; others follow by name.
const FIELD_ORDER: &[&str] = &[
    "version",
    "author",
    "recorded",
    "reason",
    "what",
    "id",
    "meter",
    "service",
    "package",
    "tag",
    "meters",
    "label",
    "percent",
    "amount",
    "tiers",
    "tier_mode",
    "block",
    "per",
    "unit",
    "from",
    "until",
    "duration",
    "scope",
    "net",
];

/// Fields that TOML has a date of its own for.
const DATES: &[&str] = &["from", "until", "recorded"];

/// An open document.
pub(super) enum Editable {
    Toml(Box<DocumentMut>),
    Json(Json),
}

pub(super) fn refused(slug: &'static str, place: &str, message: String) -> BookErrors {
    BookErrors::new(vec![BookError::new(slug, place.to_owned(), None, message)])
}

impl Editable {
    pub(super) fn parse(text: &str, format: BookFormat) -> Result<Self, BookErrors> {
        match format {
            BookFormat::Toml => text
                .parse::<DocumentMut>()
                .map(|document| Self::Toml(Box::new(document)))
                .map_err(|error| refused("syntax", "", format!("no valid TOML: {error}"))),
            BookFormat::Json => serde_json::from_str(text)
                .map(Self::Json)
                .map_err(|error| refused("syntax", "", format!("no valid JSON: {error}"))),
        }
    }

    pub(super) fn text(&self) -> Result<String, BookErrors> {
        match self {
            Self::Toml(document) => Ok(document.to_string()),
            Self::Json(value) => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(|error| refused("syntax", "", format!("cannot write JSON: {error}"))),
        }
    }

    pub(super) fn has(&self, section: &str) -> bool {
        match self {
            Self::Toml(document) => document.contains_key(section),
            Self::Json(value) => value.get(section).is_some(),
        }
    }

    /// The rows of a section.
    pub(super) fn rows(&self, section: &str) -> Vec<Row> {
        match self {
            Self::Toml(document) => match document.get(section) {
                Some(Item::ArrayOfTables(tables)) => {
                    tables.iter().map(|row| read_row(row)).collect()
                }
                Some(Item::Value(Value::Array(items))) => items
                    .iter()
                    .map(|item| {
                        item.as_inline_table()
                            .map(|row| read_row(row))
                            .unwrap_or_default()
                    })
                    .collect(),
                _ => Vec::new(),
            },
            Self::Json(value) => value
                .get(section)
                .and_then(Json::as_array)
                .into_iter()
                .flatten()
                .map(|row| row.as_object().cloned().unwrap_or_default())
                .collect(),
        }
    }

    /// Writes a field of a row; null takes it away.
    pub(super) fn set(
        &mut self,
        section: &str,
        index: usize,
        field: &str,
        value: Json,
    ) -> Result<(), BookErrors> {
        let place = format!("{section}[{}]", index + 1);
        let gone = || refused("wrong_type", &place, "there is no such row".to_owned());
        match self {
            Self::Toml(document) => {
                let row: &mut dyn TableLike = match document.get_mut(section) {
                    Some(Item::ArrayOfTables(tables)) => tables.get_mut(index).ok_or_else(gone)?,
                    Some(Item::Value(Value::Array(items))) => items
                        .get_mut(index)
                        .and_then(Value::as_inline_table_mut)
                        .ok_or_else(gone)?,
                    _ => return Err(gone()),
                };
                if value.is_null() {
                    row.remove(field);
                    return Ok(());
                }
                let mut new = write_value(field, &value, &place)?;
                match row.get_mut(field).and_then(Item::as_value_mut) {
                    Some(old) => {
                        // the comment behind the old value stays
                        *new.decor_mut() = old.decor().clone();
                        *old = new;
                    }
                    None => {
                        row.insert(field, Item::Value(new));
                    }
                }
            }
            Self::Json(document) => {
                let row = document
                    .get_mut(section)
                    .and_then(|rows| rows.get_mut(index))
                    .and_then(Json::as_object_mut)
                    .ok_or_else(gone)?;
                if value.is_null() {
                    row.remove(field);
                } else {
                    row.insert(field.to_owned(), value);
                }
            }
        }
        Ok(())
    }

    /// Adds a row behind the others of its section.
    pub(super) fn push(&mut self, section: &str, row: &Row) -> Result<(), BookErrors> {
        let wrong = || {
            refused(
                "wrong_type",
                section,
                "a list of tables is needed here".to_owned(),
            )
        };
        match self {
            Self::Toml(document) => {
                let item = document
                    .entry(section)
                    .or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
                match item {
                    Item::ArrayOfTables(tables) => {
                        let mut table = Table::new();
                        for (field, value) in ordered(row) {
                            table.insert(field, Item::Value(write_value(field, value, section)?));
                        }
                        table.decor_mut().set_prefix("\n");
                        tables.push(table);
                    }
                    Item::Value(Value::Array(items)) => items.push(inline(row, section)?),
                    _ => return Err(wrong()),
                }
            }
            Self::Json(document) => {
                let rows = document.as_object_mut().ok_or_else(wrong)?;
                let rows = rows
                    .entry(section)
                    .or_insert_with(|| Json::Array(Vec::new()));
                let mut row = row.clone();
                row.retain(|_, value| !value.is_null());
                rows.as_array_mut().ok_or_else(wrong)?.push(row.into());
            }
        }
        Ok(())
    }
}

/// The fields that a row has, in the order they are written.
fn ordered(row: &Row) -> Vec<(&str, &Json)> {
    let mut fields: Vec<(&str, &Json)> = row
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(field, value)| (field.as_str(), value))
        .collect();
    let place = |field: &str| FIELD_ORDER.iter().position(|known| *known == field);
    fields.sort_by_key(|(field, _)| (place(field).unwrap_or(FIELD_ORDER.len()), *field));
    fields
}

fn read_row(row: &dyn TableLike) -> Row {
    row.iter()
        .map(|(field, item)| (field.to_owned(), read_item(item)))
        .collect()
}

fn read_item(item: &Item) -> Json {
    match item {
        Item::None => Json::Null,
        Item::Value(value) => read_value(value),
        Item::Table(table) => Json::Object(read_row(table)),
        Item::ArrayOfTables(tables) => tables
            .iter()
            .map(|row| Json::Object(read_row(row)))
            .collect(),
    }
}

fn read_value(value: &Value) -> Json {
    match value {
        Value::String(text) => text.value().as_str().into(),
        Value::Integer(number) => (*number.value()).into(),
        // as written: a price never passes through a binary float
        Value::Float(number) => number.display_repr().trim().into(),
        Value::Boolean(value) => (*value.value()).into(),
        Value::Datetime(date) => date.value().to_string().into(),
        Value::Array(items) => items.iter().map(read_value).collect(),
        Value::InlineTable(table) => Json::Object(read_row(table)),
    }
}

fn write_value(field: &str, value: &Json, place: &str) -> Result<Value, BookErrors> {
    Ok(match value {
        Json::Null => return Err(refused("empty", place, format!("{field} has no value"))),
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => {
            let Some(number) = number.as_i64() else {
                let message = format!(
                    "{field}: numbers with a fraction are not exact; put {number} in quotes"
                );
                return Err(refused("not_exact", place, message));
            };
            Value::from(number)
        }
        Json::String(text) => match text.parse::<toml_edit::Datetime>() {
            Ok(date) if DATES.contains(&field) => Value::from(date),
            _ => Value::from(text.as_str()),
        },
        Json::Array(items) => {
            let mut array = Array::new();
            for item in items {
                array.push(write_value(field, item, place)?);
            }
            Value::Array(array)
        }
        Json::Object(row) => Value::InlineTable(inline(row, place)?),
    })
}

fn inline(row: &Row, place: &str) -> Result<InlineTable, BookErrors> {
    let mut table = InlineTable::new();
    for (field, value) in ordered(row) {
        table.insert(field, write_value(field, value, place)?);
    }
    Ok(table)
}
