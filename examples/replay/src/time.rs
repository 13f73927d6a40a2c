//! Dates in requests and answers of CloudStack 4.20 and later.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

/// A date in an answer, e.g. `2026-10-07T23:59:59+0000`.
pub(crate) fn answered(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z")
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

/// Which end of a range a date without a time means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    Start,
    End,
}

/// A date in a request: a day, or a time with or without an offset. The recorded server's
/// zone was UTC.
pub(crate) fn requested(text: &str, bound: Bound) -> Option<DateTime<Utc>> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        let start = day.and_time(NaiveTime::MIN).and_utc();
        return Some(match bound {
            Bound::Start => start,
            Bound::End => start + TimeDelta::seconds(24 * 3600 - 1),
        });
    }
    for format in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, format) {
            return Some(time.and_utc());
        }
    }
    DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z"))
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

/// When a window had ended: the first instant after it. Ends are written as `…:59`.
pub(crate) fn ended(end: DateTime<Utc>) -> DateTime<Utc> {
    if end.timestamp().rem_euclid(60) == 59 {
        end + TimeDelta::seconds(1)
    } else {
        end
    }
}
