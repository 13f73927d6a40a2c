//! Reads the fields of one table of a price book and remembers everything that is wrong.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::zones::Zones;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use cloudstack_usage::Period;
use rust_decimal::Decimal;

use super::document::{Node, Value};
use super::errors::BookError;
use crate::calendar;

/// Where a row stands: its place and line.
type Place = (String, Option<usize>);

/// Collects the errors of one book, and where its rows stand, for errors found only when all
/// rows are read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    errors: RefCell<Vec<BookError>>,
    rows: RefCell<BTreeMap<(&'static str, String), Place>>,
}

impl Collector {
    /// Where the row of this table and id stands.
    pub(super) fn place_of(&self, table: &'static str, id: &str) -> Place {
        let rows = self.rows.borrow();
        rows.get(&(table, id.to_owned()))
            .cloned()
            .unwrap_or_else(|| (table.to_owned(), None))
    }

    pub(super) fn push(
        &self,
        slug: &'static str,
        place: &str,
        line: Option<usize>,
        message: String,
    ) {
        self.errors
            .borrow_mut()
            .push(BookError::new(slug, place.to_owned(), line, message));
    }

    pub(super) fn into_errors(self) -> Vec<BookError> {
        self.errors.into_inner()
    }
}

/// A table that is being read. [`Fields::finish`] complains about fields that nobody asked for.
pub(super) struct Fields<'a> {
    place: String,
    line: Option<usize>,
    entries: BTreeMap<String, &'a Node>,
    known: Vec<&'static str>,
    errors: &'a Collector,
}

/// A date bound: which side of a validity it is decides what a date alone means.
#[derive(Clone, Copy)]
enum Side {
    From,
    Until,
}

impl<'a> Fields<'a> {
    /// The fields of `node`, which should be a table at `place`.
    pub(super) fn new(node: &'a Node, place: String, errors: &'a Collector) -> Self {
        let entries = match &node.value {
            Value::Table(entries) => entries
                .iter()
                .map(|(key, node)| (key.clone(), node))
                .collect(),
            other => {
                let message = format!("a table is needed here, not {}", other.kind());
                errors.push("wrong_type", &place, node.line, message);
                BTreeMap::new()
            }
        };
        Self {
            place,
            line: node.line,
            entries,
            known: Vec::new(),
            errors,
        }
    }

    /// Remembers where the row `id` of `table` stands.
    pub(super) fn remember(&self, table: &'static str, id: &str) {
        let mut rows = self.errors.rows.borrow_mut();
        rows.entry((table, id.to_owned()))
            .or_insert_with(|| (self.place.clone(), self.line));
    }

    pub(super) fn place(&self, field: &str) -> String {
        if self.place.is_empty() {
            field.to_owned()
        } else {
            format!("{}.{field}", self.place)
        }
    }

    /// Remembers an error at a field of this table.
    pub(super) fn error(&self, field: &str, slug: &'static str, message: String) {
        let line = self
            .entries
            .get(field)
            .and_then(|node| node.line)
            .or(self.line);
        let place = if field.is_empty() {
            self.place.clone()
        } else {
            self.place(field)
        };
        self.errors.push(slug, &place, line, message);
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.entries.contains_key(field)
    }

    /// Whether a field is there that does not belong here; it is not an unknown one then.
    pub(super) fn refuse(&mut self, field: &'static str) -> bool {
        self.node(field).is_some()
    }

    fn node(&mut self, field: &'static str) -> Option<&'a Node> {
        self.known.push(field);
        self.entries.get(field).copied()
    }

    fn wrong_type(&self, field: &str, wanted: &str, value: &Value) {
        self.error(
            field,
            "wrong_type",
            format!("{wanted} is needed here, not {}", value.kind()),
        );
    }

    /// An optional text that is not empty.
    pub(super) fn text(&mut self, field: &'static str) -> Option<String> {
        let node = self.node(field)?;
        match &node.value {
            Value::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Text(_) => {
                self.error(
                    field,
                    "empty",
                    "the text is empty; leave the field out instead".to_owned(),
                );
                None
            }
            other => {
                self.wrong_type(field, "a text in quotes", other);
                None
            }
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, field: &'static str) -> Option<String> {
        if !self.has(field) {
            self.known.push(field);
            self.error(field, "missing", "this field is missing".to_owned());
            return None;
        }
        self.text(field)
    }

    /// An optional word out of a list.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(field)?;
        let found = choices
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
            let message = format!("{text:?} is not one of {}", words.join(", "));
            self.error(field, "unknown_value", message);
        }
        found
    }

    pub(super) fn boolean(&mut self, field: &'static str) -> Option<bool> {
        let node = self.node(field)?;
        match &node.value {
            Value::Boolean(value) => Some(*value),
            other => {
                self.wrong_type(field, "true or false", other);
                None
            }
        }
    }

    /// An optional whole number that is not negative.
    pub(super) fn whole(&mut self, field: &'static str) -> Option<u32> {
        let node = self.node(field)?;
        let Value::Integer(text) = &node.value else {
            self.wrong_type(field, "a whole number", &node.value);
            return None;
        };
        let number = text.parse().ok();
        if number.is_none() {
            self.error(
                field,
                "out_of_range",
                format!("{text} is not a number from 0 to 4294967295"),
            );
        }
        number
    }

    /// An optional exact decimal that is not negative.
    pub(super) fn decimal(&mut self, field: &'static str) -> Option<Decimal> {
        let node = self.node(field)?;
        let text = match &node.value {
            Value::Text(text) | Value::Integer(text) => text,
            Value::Fraction(text) if text != "binary" => text,
            Value::Fraction(_) => {
                let message =
                    "JSON numbers with a fraction are not exact; put it in quotes".to_owned();
                self.error(field, "not_exact", message);
                return None;
            }
            other => {
                self.wrong_type(field, "a decimal number such as \"10.00\"", other);
                return None;
            }
        };
        match parse_decimal(text) {
            Ok(number) => Some(number),
            Err((slug, message)) => {
                self.error(field, slug, message);
                None
            }
        }
    }

    /// A plain decimal number that is not negative, out of a text.
    pub(super) fn plain_decimal(text: &str) -> Option<Decimal> {
        parse_decimal(text).ok()
    }

    /// An optional text or list of texts.
    pub(super) fn texts(&mut self, field: &'static str) -> Vec<String> {
        let Some(node) = self.node(field) else {
            return Vec::new();
        };
        let items = match &node.value {
            Value::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            match &item.value {
                Value::Text(text) if !text.trim().is_empty() => texts.push(text.clone()),
                other => self.wrong_type(field, "a text or a list of texts", other),
            }
        }
        texts.sort();
        texts.dedup();
        texts
    }

    /// An optional list of tables, each with its place.
    pub(super) fn tables(&mut self, field: &'static str) -> Vec<Fields<'a>> {
        let Some(node) = self.node(field) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong_type(field, "a list of tables", &node.value);
            return Vec::new();
        };
        let place = self.place(field);
        items
            .iter()
            .enumerate()
            .map(|(index, item)| Fields::new(item, format!("{place}[{}]", index + 1), self.errors))
            .collect()
    }

    /// An optional table.
    pub(super) fn table(&mut self, field: &'static str) -> Option<Fields<'a>> {
        let node = self.node(field)?;
        Some(Fields::new(node, self.place(field), self.errors))
    }

    /// `from` and `until` (or `from` and `duration`): open where they are missing. A date
    /// alone is a civil date of the book's zone and, as an end, includes that day.
    pub(super) fn validity(&mut self, zone: &Zones) -> Option<Period> {
        let from = self.bound("from", Side::From, zone);
        let until = self.bound("until", Side::Until, zone);
        let duration = self.duration_end(zone);
        if self.has("until") && self.has("duration") {
            self.error(
                "duration",
                "conflict",
                "give either until or duration, not both".to_owned(),
            );
            return None;
        }
        let end = match (self.has("until"), self.has("duration")) {
            (true, _) => until?,
            (_, true) => duration?,
            _ => Period::always().end(),
        };
        let start = if self.has("from") {
            from?
        } else {
            Period::always().start()
        };
        Period::new(start, end).ok()
    }

    /// Whether a validity that could not be made is one that is empty on purpose: it starts
    /// and ends at the same instant.
    pub(super) fn reversed(&self, zone: &Zones) -> Option<String> {
        let bound = |field: &str, side| match &self.entries.get(field)?.value {
            Value::Text(text) | Value::Date(text) => parse_bound(text, side, zone),
            _ => None,
        };
        let (from, until) = (bound("from", Side::From)?, bound("until", Side::Until)?);
        (until < from).then(|| "until lies before from".to_owned())
    }

    fn bound(&mut self, field: &'static str, side: Side, zone: &Zones) -> Option<DateTime<Utc>> {
        let node = self.node(field)?;
        let (Value::Text(text) | Value::Date(text)) = &node.value else {
            self.wrong_type(field, "a date such as 2026-10-01", &node.value);
            return None;
        };
        let bound = parse_bound(text, side, zone);
        if bound.is_none() {
            let message = format!(
                "{text:?} is neither a date such as 2026-10-01 nor an instant such as 2026-10-01T12:00:00+02:00"
            );
            self.error(field, "not_a_date", message);
        }
        bound
    }

    /// A civil date that must be there.
    pub(super) fn date(&mut self, field: &'static str) -> Option<NaiveDate> {
        if !self.has(field) {
            self.known.push(field);
            self.error(field, "missing", "this field is missing".to_owned());
            return None;
        }
        let node = self.node(field)?;
        let (Value::Text(text) | Value::Date(text)) = &node.value else {
            self.wrong_type(field, "a date such as 2026-10-01", &node.value);
            return None;
        };
        let date = text.parse().ok();
        if date.is_none() {
            let message = format!("{text:?} is no date such as 2026-10-01");
            self.error(field, "not_a_date", message);
        }
        date
    }

    /// An instant that must be there.
    pub(super) fn instant(&mut self, field: &'static str) -> Option<DateTime<Utc>> {
        if !self.has(field) {
            self.known.push(field);
            self.error(field, "missing", "this field is missing".to_owned());
            return None;
        }
        self.bound(field, Side::From, &chrono_tz::Tz::UTC.into())
    }

    /// The end by `duration` (`"3 months"`), counted from the date in `from`.
    fn duration_end(&mut self, zone: &Zones) -> Option<DateTime<Utc>> {
        let text = self.text("duration")?;
        let Some(Value::Text(from) | Value::Date(from)) =
            self.entries.get("from").map(|node| &node.value)
        else {
            self.error(
                "duration",
                "missing",
                "a duration needs a from date to count from".to_owned(),
            );
            return None;
        };
        let end = from
            .parse::<NaiveDate>()
            .ok()
            .and_then(|first| add_duration(first, &text));
        if end.is_none() {
            let message = format!(
                "{text:?} is no duration such as \"3 months\", \"10 days\" or \"1 year\" from a date"
            );
            self.error("duration", "not_a_duration", message);
        }
        Some(zone.start_of_day(end?))
    }

    /// Complains about every field that was not asked for.
    pub(super) fn finish(self) {
        for (name, node) in &self.entries {
            if !self.known.contains(&name.as_str()) {
                let near = self.known.iter().find(|known| similar(known, name));
                let hint =
                    near.map_or_else(String::new, |known| format!("; did you mean {known}?"));
                let place = self.place(name);
                self.errors.push(
                    "unknown_field",
                    &place,
                    node.line,
                    format!("there is no such field{hint}"),
                );
            }
        }
    }
}

fn parse_decimal(text: &str) -> Result<Decimal, (&'static str, String)> {
    let plain = !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.' || byte == b'-');
    let number = plain.then(|| Decimal::from_str_exact(text).ok()).flatten();
    match number {
        Some(number) if number.is_sign_negative() && !number.is_zero() => Err((
            "negative",
            format!("{text} is negative; prices, tiers and discounts are not"),
        )),
        Some(number) => Ok(number.normalize()),
        None => Err((
            "not_a_number",
            format!("{text:?} is no plain decimal number such as \"10.00\""),
        )),
    }
}

fn parse_bound(text: &str, side: Side, zone: &Zones) -> Option<DateTime<Utc>> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        let first = match side {
            Side::From => date,
            Side::Until => date.succ_opt()?,
        };
        return Some(zone.start_of_day(first));
    }
    let text = text.replacen(' ', "T", 1);
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Some(time.with_timezone(&Utc));
    }
    let civil = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(zone.instant(civil))
}

/// The day after so much time; a month after the 31st ends on the last day of a shorter month.
fn add_duration(first: NaiveDate, text: &str) -> Option<NaiveDate> {
    let (count, unit) = text.trim().split_once(' ')?;
    let count: u32 = count.parse().ok()?;
    match unit.trim() {
        "day" | "days" => first.checked_add_days(chrono::Days::new(u64::from(count))),
        "week" | "weeks" => first.checked_add_days(chrono::Days::new(u64::from(count) * 7)),
        "month" | "months" => calendar::add_months(first, count),
        "year" | "years" => calendar::add_months(first, count.checked_mul(12)?),
        _ => None,
    }
}

/// One letter added, missing, changed or swapped.
fn similar(left: &str, right: &str) -> bool {
    let (left, right) = (left.to_lowercase(), right.to_lowercase());
    if left.starts_with(&right) || right.starts_with(&left) {
        return true;
    }
    let common_start = left
        .bytes()
        .zip(right.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let common_end = left
        .bytes()
        .rev()
        .zip(right.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    common_start + common_end + 2 >= left.len().max(right.len())
}
