//! Dates and instants as people write them into a book.

use std::fmt;
use std::str::FromStr;

use crate::zones::Zones;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};

/// A civil date of the book's zone, or an instant.
///
/// As a beginning, a date is the start of its day; as an end, the end of it (the day is
/// included). Instants are half-open: an end is excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// A civil date.
    Day(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
}

/// A text is neither a date nor an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is neither a date such as 2026-10-01 nor an instant such as 2026-10-01T12:00:00+02:00"
)]
pub struct ParseWhenError(String);

impl FromStr for When {
    type Err = ParseWhenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = text.parse() {
            return Ok(Self::Day(day));
        }
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self::Instant(time.with_timezone(&Utc)))
            .map_err(|_| ParseWhenError(text.to_owned()))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Instant(instant) => {
                f.write_str(&instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
            }
        }
    }
}

impl When {
    /// The beginning that this means in `zone`.
    pub(crate) fn start(self, zone: &Zones) -> DateTime<Utc> {
        match self {
            Self::Day(day) => zone.start_of_day(day),
            Self::Instant(instant) => instant,
        }
    }

    /// The end that this means in `zone`, excluded.
    pub(crate) fn end(self, zone: &Zones) -> DateTime<Utc> {
        match self {
            Self::Day(day) => zone.start_of_next_day(day),
            Self::Instant(instant) => instant,
        }
    }

    /// How a beginning is written: as a date where a day begins.
    pub(crate) fn of_start(start: DateTime<Utc>, zone: &Zones) -> Self {
        let day = zone.date(start);
        if zone.start_of_day(day) == start {
            Self::Day(day)
        } else {
            Self::Instant(start)
        }
    }

    /// How an end is written: as the last date included where a day ends.
    pub(crate) fn of_end(end: DateTime<Utc>, zone: &Zones) -> Self {
        match Self::of_start(end, zone) {
            Self::Day(day) => day.pred_opt().map_or(Self::Instant(end), Self::Day),
            instant @ Self::Instant(_) => instant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_come_back_as_they_were_meant() {
        let berlin = &Zones::from(chrono_tz::Tz::Europe__Berlin);
        for text in [
            "2026-03-29",
            "2026-10-25",
            "2026-10-31",
            "2026-10-31T11:30:00Z",
        ] {
            let when: When = text.parse().unwrap();
            assert_eq!(When::of_start(when.start(berlin), berlin), when);
            assert_eq!(When::of_end(when.end(berlin), berlin), when);
            assert_eq!(when.to_string(), text);
        }
        let day: When = "2026-10-25".parse().unwrap();
        // the clock goes back: 25 hours
        assert_eq!((day.end(berlin) - day.start(berlin)).num_hours(), 25);
        assert!("25.10.2026".parse::<When>().is_err());
    }
}
