//! Half-open time intervals in UTC.

use std::fmt;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// A half-open interval `[start, end)` of UTC instants, never empty.
///
/// ```
/// use cloudstack_usage::Period;
///
/// let october = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
/// assert_eq!(october.millis(), 744 * 3_600_000);
/// assert!(!october.contains(october.end()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Bounds", into = "Bounds")]
pub struct Period {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

#[derive(Serialize, Deserialize)]
struct Bounds {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl TryFrom<Bounds> for Period {
    type Error = PeriodError;

    fn try_from(bounds: Bounds) -> Result<Self, Self::Error> {
        Self::new(bounds.start, bounds.end)
    }
}

impl From<Period> for Bounds {
    fn from(period: Period) -> Self {
        Self {
            start: period.start,
            end: period.end,
        }
    }
}

/// Why two instants make no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeriodError {
    /// The end is not after the start.
    #[error("a period must end after its start, but {end} is not after {start}")]
    EndNotAfterStart {
        /// The start as given.
        start: DateTime<Utc>,
        /// The end as given.
        end: DateTime<Utc>,
    },
    /// A text is not an RFC 3339 instant.
    #[error("{text:?} is not an instant such as 2026-10-01T00:00:00Z")]
    NotAnInstant {
        /// The text as given.
        text: String,
    },
}

/// Year 1: before anything that is billed, and a date that every format can write.
fn beginning() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(-62_135_596_800_000).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The last millisecond of the year 9999.
fn forever() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(253_402_300_799_999).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Period {
    /// The period from `start` (included) to `end` (excluded).
    ///
    /// # Errors
    /// When `end` is not after `start`.
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Self, PeriodError> {
        if end > start {
            Ok(Self { start, end })
        } else {
            Err(PeriodError::EndNotAfterStart { start, end })
        }
    }

    /// The same from RFC 3339 texts.
    ///
    /// # Errors
    /// When a text is no instant, or the end is not after the start.
    pub fn parse(start: &str, end: &str) -> Result<Self, PeriodError> {
        let instant = |text: &str| {
            DateTime::parse_from_rfc3339(text)
                .map(|time| time.with_timezone(&Utc))
                .map_err(|_| PeriodError::NotAnInstant {
                    text: text.to_owned(),
                })
        };
        Self::new(instant(start)?, instant(end)?)
    }

    /// The period from `start` for ever.
    pub fn from(start: DateTime<Utc>) -> Self {
        Self {
            start: start.min(forever() - TimeDelta::milliseconds(1)),
            end: forever(),
        }
    }

    /// All of time.
    pub fn always() -> Self {
        Self {
            start: beginning(),
            end: forever(),
        }
    }

    /// The first instant inside.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// The first instant after.
    pub fn end(&self) -> DateTime<Utc> {
        self.end
    }

    /// Whether it never ends.
    pub fn is_open(&self) -> bool {
        self.end == forever()
    }

    /// Length in milliseconds.
    pub fn millis(&self) -> i64 {
        (self.end - self.start).num_milliseconds()
    }

    /// Whether `instant` lies inside.
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.start <= instant && instant < self.end
    }

    /// Whether `other` lies wholly inside.
    pub fn covers(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether they share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// What they share.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.end.min(other.end)).ok()
    }

    /// The smallest period that covers both.
    #[must_use]
    pub fn hull(&self, other: &Self) -> Self {
        Self {
            start: self.start.min(other.start),
            end: self.end.max(other.end),
        }
    }

    /// The parts before and from `instant`, where it lies strictly inside.
    pub fn split(&self, instant: DateTime<Utc>) -> Option<(Self, Self)> {
        let before = Self::new(self.start, instant).ok()?;
        let after = Self::new(instant, self.end).ok()?;
        Some((before, after))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |time: DateTime<Utc>| {
            if time == beginning() || time == forever() {
                "…".to_owned()
            } else {
                time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
            }
        };
        write!(f, "[{}, {})", text(self.start), text(self.end))
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).unwrap()
    }

    proptest! {
        #[test]
        fn a_split_loses_no_time(start in 0_i64..1_000, length in 2_i64..1_000, cut in 1_i64..1_000) {
            let whole = Period::new(at(start), at(start + length)).unwrap();
            match whole.split(at(start + cut)) {
                Some((before, after)) => {
                    prop_assert_eq!(before.millis() + after.millis(), whole.millis());
                    prop_assert_eq!(before.end(), after.start());
                }
                None => prop_assert!(cut >= length),
            }
        }

        #[test]
        fn periods_overlap_exactly_when_they_share_time(a in 0_i64..50, b in 1_i64..50, c in 0_i64..50, d in 1_i64..50) {
            let left = Period::new(at(a), at(a + b)).unwrap();
            let right = Period::new(at(c), at(c + d)).unwrap();
            prop_assert_eq!(left.overlaps(&right), left.intersect(&right).is_some());
        }
    }

    #[test]
    fn an_empty_or_reversed_period_cannot_be_made() {
        assert!(Period::new(at(5), at(5)).is_err());
        assert!(Period::new(at(6), at(5)).is_err());
    }
}
