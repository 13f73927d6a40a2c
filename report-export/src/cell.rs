//! What a cell of a report holds.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use rating_engine::{Exact, Money, RoundingMode};
use rust_decimal::Decimal;

/// Decimal places of quantities, see [`DecimalText::quantity`].
const QUANTITY_PLACES: u32 = 9;

/// A decimal number in plain notation: an optional minus, digits, and a point with digits
/// where there are places. Never an exponent, never grouped.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DecimalText(String);

impl DecimalText {
    /// The amount in major units, with all minor digits of its currency.
    pub fn money(money: &Money) -> Self {
        Self(money.amount())
    }

    /// The number for display: exact where it ends within nine decimal places, otherwise
    /// rounded half-even to nine. Without trailing zeros.
    ///
    /// ```
    /// use rating_engine::Exact;
    /// use report_export::DecimalText;
    ///
    /// let quantity = |n, d| DecimalText::quantity(&Exact::ratio(n, d).unwrap()).to_string();
    /// assert_eq!(quantity(1, 8), "0.125");
    /// assert_eq!(quantity(2, 3), "0.666666667");
    /// assert_eq!(quantity(100, 1), "100");
    /// ```
    pub fn quantity(exact: &Exact) -> Self {
        let mut text = exact.to_decimal_string(QUANTITY_PLACES, RoundingMode::HalfEven);
        if text.contains('.') {
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        }
        Self(text)
    }

    /// The number rounded half-even to so many places, without trailing zeros but with one
    /// digit after the point at least: `24.0`, never `24`. Readers that guess types by a
    /// column's first cells then take no amount for a whole number.
    pub(crate) fn with_point(exact: &Exact, places: u32) -> Self {
        let mut text = exact.to_decimal_string(places.max(1), RoundingMode::HalfEven);
        let short = text.trim_end_matches('0');
        let keep = short.len() + usize::from(short.ends_with('.'));
        text.truncate(keep);
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Decimal> for DecimalText {
    fn from(decimal: Decimal) -> Self {
        Self(decimal.to_string())
    }
}

impl fmt::Display for DecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A cell. Texts may come from tenants: a format cleans them as it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cell<'a> {
    /// Nothing.
    Empty,
    /// Free text.
    Text(Cow<'a, str>),
    /// A decimal number.
    Decimal(DecimalText),
    /// A whole number.
    Integer(i128),
    /// A civil date.
    Date(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

impl<'a> Cell<'a> {
    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// The text of something, such as an id.
    pub fn display(value: &impl fmt::Display) -> Self {
        Self::Text(Cow::Owned(value.to_string()))
    }

    /// The text of something, or nothing.
    pub fn display_or_empty(value: Option<&impl fmt::Display>) -> Self {
        value.map_or(Self::Empty, Self::display)
    }

    /// A text, or nothing.
    pub fn text_or_empty(text: Option<&'a str>) -> Self {
        text.map_or(Self::Empty, Self::text)
    }

    /// An amount.
    pub fn money(money: &Money) -> Self {
        Self::Decimal(DecimalText::money(money))
    }

    /// A quantity, see [`DecimalText::quantity`].
    pub fn quantity(exact: &Exact) -> Self {
        Self::Decimal(DecimalText::quantity(exact))
    }

    /// A number of things.
    pub fn count(count: u64) -> Self {
        Self::Integer(i128::from(count))
    }

    /// An instant, or nothing.
    pub fn instant_or_empty(instant: Option<DateTime<Utc>>) -> Self {
        instant.map_or(Self::Empty, Self::Instant)
    }
}

/// An instant as text: RFC 3339 in UTC, with milliseconds where it has some.
pub(crate) fn instant_text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// A cell as plain text, uncleaned, with a point in decimals.
pub(crate) fn plain<'c>(cell: &'c Cell<'_>) -> Cow<'c, str> {
    match cell {
        Cell::Empty => Cow::Borrowed(""),
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Decimal(decimal) => Cow::Borrowed(decimal.as_str()),
        Cell::Integer(whole) => Cow::Owned(whole.to_string()),
        Cell::Date(date) => Cow::Owned(date.to_string()),
        Cell::Instant(instant) => Cow::Owned(instant_text(*instant)),
    }
}
