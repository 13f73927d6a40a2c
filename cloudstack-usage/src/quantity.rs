//! Exact quantities and the strict reader of `rawusage`.

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::usage_type::Unit;

/// How much a record measured, as an exact integer: milliseconds for [`Unit::Time`],
/// bytes for [`Unit::Bytes`], a count for [`Unit::Count`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Quantity {
    unit: Unit,
    amount: i128,
}

/// Why a text is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// The text is empty.
    #[error("rawusage is empty")]
    Empty,
    /// The text is not a plain non-negative decimal number.
    #[error("rawusage {text:?} is not a plain decimal number")]
    NotANumber {
        /// The text as given.
        text: String,
    },
    /// More than 28 digits.
    #[error("rawusage {text:?} has more digits than can be held exactly")]
    TooLong {
        /// The text as given.
        text: String,
    },
    /// Bytes or requests with a fraction.
    #[error("rawusage {text:?} counts bytes or requests, but is not a whole number")]
    NotWhole {
        /// The text as given.
        text: String,
    },
}

impl QuantityError {
    /// The stable name of this error.
    pub fn slug(&self) -> &'static str {
        match self {
            Self::Empty => "quantity_empty",
            Self::NotANumber { .. } => "quantity_not_a_number",
            Self::TooLong { .. } => "quantity_too_long",
            Self::NotWhole { .. } => "quantity_not_whole",
        }
    }
}

impl Quantity {
    /// A time in milliseconds.
    pub fn time(millis: i64) -> Self {
        Self {
            unit: Unit::Time,
            amount: i128::from(millis),
        }
    }

    /// A number of bytes.
    pub fn bytes(bytes: u64) -> Self {
        Self {
            unit: Unit::Bytes,
            amount: i128::from(bytes),
        }
    }

    /// A count.
    pub fn count(count: u64) -> Self {
        Self {
            unit: Unit::Count,
            amount: i128::from(count),
        }
    }

    /// The quantity that `raw` (as parsed by [`parse_raw_usage`]) means in `unit`.
    ///
    /// Hours are 32-bit floats printed with six decimals, so they are taken to the nearest
    /// whole second: the worst error of such a float within a day is 14 ms.
    ///
    /// # Errors
    /// When bytes or a count have a fraction, or hours are beyond all reason.
    ///
    /// ```
    /// use cloudstack_usage::{Quantity, Unit, parse_raw_usage};
    ///
    /// let hours = parse_raw_usage("17.828888").unwrap();
    /// assert_eq!(Quantity::from_raw(hours, Unit::Time).unwrap(), Quantity::time(64_184_000));
    /// ```
    pub fn from_raw(raw: Decimal, unit: Unit) -> Result<Self, QuantityError> {
        let too_long = || QuantityError::TooLong {
            text: raw.to_string(),
        };
        let amount = match unit {
            Unit::Time => {
                let seconds = match short_seconds(raw) {
                    Some(seconds) => i128::from(seconds),
                    None => seconds(raw).ok_or_else(too_long)?,
                };
                i128::from(i64::try_from(seconds * 1000).map_err(|_| too_long())?)
            }
            Unit::Bytes | Unit::Count if raw.scale() == 0 => raw.mantissa(),
            Unit::Bytes | Unit::Count => {
                let whole = raw.normalize();
                if whole.scale() != 0 {
                    return Err(QuantityError::NotWhole {
                        text: raw.to_string(),
                    });
                }
                whole.mantissa()
            }
        };
        Ok(Self { unit, amount })
    }

    /// What is counted.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Milliseconds, bytes or count.
    pub fn amount(&self) -> i128 {
        self.amount
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unit {
            Unit::Time => write!(f, "{} ms", self.amount),
            Unit::Bytes => write!(f, "{} bytes", self.amount),
            Unit::Count => write!(f, "{}", self.amount),
        }
    }
}

/// Hours as the nearest whole second, a tie as the later one; none beyond 128 bits.
fn seconds(hours: Decimal) -> Option<i128> {
    let denominator = 10_i128.pow(hours.scale());
    let twice = hours.mantissa().checked_mul(7200)?;
    Some((twice + denominator).div_euclid(denominator * 2))
}

/// The same for numbers as short as servers print them, which 64 bits divide several times
/// faster.
fn short_seconds(hours: Decimal) -> Option<u64> {
    let twice = u64::try_from(hours.mantissa()).ok()?.checked_mul(7200)?;
    let denominator = 10_u64.checked_pow(hours.scale())?;
    Some(twice.checked_add(denominator)? / denominator.checked_mul(2)?)
}

/// Reads `rawusage`: ASCII, Arabic-Indic or Persian digits, one decimal separator (`.`,
/// `,` or `٫`, whatever the server's locale printed), no sign, no exponent, no grouping.
///
/// # Errors
/// When the text is empty, no such number, or longer than 28 digits.
///
/// ```
/// use cloudstack_usage::parse_raw_usage;
///
/// assert_eq!(parse_raw_usage("0,058435").unwrap().to_string(), "0.058435");
/// assert_eq!(parse_raw_usage(".5").unwrap().to_string(), "0.5");
/// assert!(parse_raw_usage("1.234.567").is_err());
/// assert!(parse_raw_usage("1e3").is_err());
/// ```
pub fn parse_raw_usage(text: &str) -> Result<Decimal, QuantityError> {
    match parse_short(text) {
        Some(number) => Ok(number),
        None => parse_any(text),
    }
}

/// A number of up to 18 ASCII digits, with a point or none: what servers nearly always print.
fn parse_short(text: &str) -> Option<Decimal> {
    let (mut mantissa, mut digits, mut point) = (0_i64, 0_u32, None);
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' if digits < 18 => {
                mantissa = mantissa * 10 + i64::from(byte - b'0');
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(digits),
            _ => return None,
        }
    }
    let scale = point.map_or(0, |before| digits - before);
    (digits > 0).then(|| Decimal::new(mantissa, scale))
}

fn parse_any(text: &str) -> Result<Decimal, QuantityError> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(QuantityError::Empty);
    }
    let not_a_number = || QuantityError::NotANumber {
        text: text.to_owned(),
    };
    let too_long = || QuantityError::TooLong {
        text: text.to_owned(),
    };
    let (mut mantissa, mut scale, mut digits): (i128, Option<u32>, u32) = (0, None, 0);
    for character in trimmed.chars() {
        match (digit(character), scale) {
            (Some(value), _) => {
                digits += 1;
                mantissa = mantissa
                    .checked_mul(10)
                    .and_then(|m| m.checked_add(value))
                    .ok_or_else(too_long)?;
                scale = scale.map(|places| places + 1);
            }
            (None, None) if matches!(character, '.' | ',' | '٫') => scale = Some(0),
            _ => return Err(not_a_number()),
        }
    }
    if digits == 0 {
        return Err(not_a_number());
    }
    Decimal::try_from_i128_with_scale(mantissa, scale.unwrap_or(0)).map_err(|_| too_long())
}

fn digit(character: char) -> Option<i128> {
    let value = match character {
        '0'..='9' => u32::from(character) - u32::from('0'),
        '٠'..='٩' => u32::from(character) - u32::from('٠'),
        '۰'..='۹' => u32::from(character) - u32::from('۰'),
        _ => return None,
    };
    Some(i128::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(raw: &str) -> i128 {
        Quantity::from_raw(parse_raw_usage(raw).unwrap(), Unit::Time)
            .unwrap()
            .amount()
            / 1000
    }

    #[test]
    fn float_hours_snap_to_the_second_they_were_made_from() {
        // 4 800 s, 50 000.001 s and 86 399.999 s as a 32-bit float prints them
        assert_eq!(seconds("1.3333333730697632"), 4800);
        assert_eq!(seconds("13.888889"), 50_000);
        assert_eq!(seconds("24"), 86_400);
        // 11.999166 h x 3600 = 43 196.9976 s
        assert_eq!(seconds("11.999166"), 43_197);
    }

    #[test]
    fn whatever_is_no_plain_number_is_refused() {
        for text in [
            "", " ", ".", ",", "-1", "+1", "1e3", "1_000", "1,234.5", "NaN", "0x10", "12 34",
        ] {
            assert!(parse_raw_usage(text).is_err(), "{text:?}");
        }
        assert_eq!(
            parse_raw_usage("99999999999999999999999999999")
                .unwrap_err()
                .slug(),
            "quantity_too_long"
        );
        assert!(Quantity::from_raw(parse_raw_usage("1.5").unwrap(), Unit::Bytes).is_err());
        assert_eq!(
            Quantity::from_raw(parse_raw_usage("10.000").unwrap(), Unit::Count).unwrap(),
            Quantity::count(10)
        );
    }

    proptest! {
        #[test]
        fn both_separators_and_all_digit_sets_read_the_same(whole in 0_u64..1_000_000, part in 0_u32..1_000_000) {
            let dot = format!("{whole}.{part:06}");
            let comma = dot.replace('.', ",");
            let arabic: String = dot.chars().map(|c| match c.to_digit(10) {
                Some(d) => char::from_u32(u32::from('٠') + d).unwrap(),
                None => '٫',
            }).collect();
            let expected = parse_raw_usage(&dot).unwrap();
            prop_assert_eq!(expected.to_string(), dot);
            prop_assert_eq!(parse_raw_usage(&comma).unwrap(), expected);
            prop_assert_eq!(parse_raw_usage(&arabic).unwrap(), expected);
        }

        #[test]
        fn short_numbers_are_read_and_taken_to_seconds_as_long_ones_are(text in "[0-9]{0,12}[.]?[0-9]{0,12}") {
            let read = parse_any(&text);
            prop_assert_eq!(parse_raw_usage(&text), read.clone());
            if let (Some(short), Ok(long)) = (parse_short(&text), read) {
                prop_assert_eq!((short.mantissa(), short.scale()), (long.mantissa(), long.scale()));
                if let Some(short) = short_seconds(short) {
                    prop_assert_eq!(Some(i128::from(short)), super::seconds(long));
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,40}") {
            if let Ok(raw) = parse_raw_usage(&text) {
                let _ = Quantity::from_raw(raw, Unit::Time);
                let _ = Quantity::from_raw(raw, Unit::Bytes);
            }
        }
    }
}
