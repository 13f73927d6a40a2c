//! The dates of CloudStack's answers, in every dialect from 4.11 to 4.23.

use std::borrow::Cow;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveTime, TimeDelta, Timelike, Utc};
use percent_encoding::percent_decode_str;

/// A text that is no date of CloudStack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a date such as 2026-10-01T00:00:00+0000")]
pub struct DateError {
    /// The text as given.
    pub text: String,
}

/// Reads a date of an answer: `YYYY-MM-DD`, then `T`, `'T'` (servers before 4.20 print the
/// apostrophes) or a space, then `hh:mm:ss` with or without a fraction, then `Z`, `±hhmm`,
/// `±hh:mm` or `±hh`. With the setting `encode.api.response` the same percent-encoded.
///
/// # Errors
/// When the text is no such date. A date without an offset is refused: its meaning hangs
/// on the server's time zone.
///
/// ```
/// use cloudstack_usage::parse_date;
///
/// let new = parse_date("2018-09-19T05:59:59+0200").unwrap();
/// let old = parse_date("2018-09-19'T'03:59:59+00:00").unwrap();
/// assert_eq!(new, old);
/// assert!(parse_date("2018-09-19").is_err());
/// ```
pub fn parse_date(text: &str) -> Result<DateTime<Utc>, DateError> {
    read(&decoded(text.trim())).ok_or_else(|| DateError {
        text: text.to_owned(),
    })
}

/// The first instant after a window whose last second is `end`: CloudStack ends windows at
/// `…:59` (stored from `…:59.999`), which stands for the whole second. An end that some
/// database already rounded up to `…:00`, or that is a resource's own, is left alone.
///
/// Source: `UsageManagerImpl`, which subtracts one millisecond from the next window's start.
///
/// ```
/// use cloudstack_usage::{parse_date, window_end};
///
/// let last_second = parse_date("2026-10-31T23:59:59+0000").unwrap();
/// assert_eq!(window_end(last_second), parse_date("2026-11-01T00:00:00+0000").unwrap());
/// ```
pub fn window_end(end: DateTime<Utc>) -> DateTime<Utc> {
    if end.second() != 59 {
        return end;
    }
    let whole = end.with_nanosecond(0).unwrap_or(end);
    whole
        .checked_add_signed(TimeDelta::seconds(1))
        .unwrap_or(end)
}

fn decoded(text: &str) -> Cow<'_, str> {
    if text.contains('%') {
        percent_decode_str(text).decode_utf8_lossy()
    } else {
        Cow::Borrowed(text)
    }
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    let (year, rest) = number(text, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 2)?;
    let rest = ["'T'", "T", " "]
        .iter()
        .find_map(|separator| rest.strip_prefix(separator))?;
    let (time, rest) = time_of_day(rest)?;
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let local = date.and_time(time);
    let instant = local.checked_sub_offset(offset(rest)?)?;
    Some(instant.and_utc())
}

/// The offset that a date was written with, in minutes east of UTC.
#[cfg(any(feature = "blocking", feature = "async"))]
pub(super) fn offset_minutes(text: &str) -> Option<i32> {
    parse_date(text).ok()?;
    let text = decoded(text.trim());
    let (_, time) = text.split_once(':')?;
    let start = time.find(['Z', 'z', '+', '-'])?;
    Some(offset(time.get(start..)?)?.local_minus_utc() / 60)
}

fn time_of_day(text: &str) -> Option<(NaiveTime, &str)> {
    let (hour, rest) = number(text, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = number(rest.strip_prefix(':')?, 2)?;
    let (nanos, rest) = match rest.strip_prefix('.') {
        Some(rest) => fraction(rest)?,
        None => (0, rest),
    };
    Some((
        NaiveTime::from_hms_nano_opt(hour, minute, second, nanos)?,
        rest,
    ))
}

/// Nanoseconds of a fraction of one or more digits; digits beyond the ninth are cut.
fn fraction(text: &str) -> Option<(u32, &str)> {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_suffix(rest)?;
    if digits.is_empty() {
        return None;
    }
    let nanos = digits
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    Some((nanos, rest))
}

fn offset(text: &str) -> Option<FixedOffset> {
    if text == "Z" || text == "z" {
        return FixedOffset::east_opt(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, rest) = number(rest, 2)?;
    let minutes = match rest.strip_prefix(':').unwrap_or(rest) {
        "" if rest.is_empty() => 0,
        digits => match number(digits, 2)? {
            (minutes, "") if minutes < 60 => minutes,
            _ => return None,
        },
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    FixedOffset::east_opt(sign * seconds)
}

/// Exactly `width` ASCII digits and what follows them.
fn number(text: &str, width: usize) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(width)?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Some((digits.parse().ok()?, rest))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::SecondsFormat;
    use proptest::prelude::*;

    fn utc(text: &str) -> String {
        parse_date(text)
            .unwrap()
            .to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }

    #[test]
    fn every_dialect_reads_as_the_same_instant() {
        for text in [
            "2018-09-19T03:59:59Z",
            "2018-09-19T03:59:59+0000",
            "2018-09-19'T'03:59:59+00:00",
            "2018-09-19 03:59:59+00",
            "2018-09-19T05:59:59+0200",
            "2018-09-18T22:29:59-05:30",
            "2018-09-19T03%3A59%3A59%2B0000",
            "2018-09-19%27T%2703%3A59%3A59%2B00%3A00",
            "2018-09-19T03:59:59.000+0000",
            " 2018-09-19T03:59:59-0000 ",
        ] {
            assert_eq!(utc(text), "2018-09-19T03:59:59Z", "{text}");
        }
        assert_eq!(
            utc("2018-09-19T03:59:59.9991234567Z"),
            "2018-09-19T03:59:59.999123456Z"
        );
    }

    #[test]
    fn what_is_no_date_or_has_no_offset_is_refused() {
        for text in [
            "",
            "2018-09-19",
            "2018-09-19T03:59:59",
            "2018-09-19T03:59+0000",
            "2018-9-19T03:59:59+0000",
            "2018-02-30T00:00:00Z",
            "2018-09-19T24:00:00Z",
            "2018-09-19T03:59:59.Z",
            "2018-09-19T03:59:59+00:",
            "2018-09-19T03:59:59+00000",
            "2018-09-19T03:59:59+0060",
            "2018-09-19T03:59:59+2400",
            "2018-09-19X03:59:59Z",
            "Wed Sep 19 03:59:59 UTC 2018",
            "٢٠١٨-09-19T03:59:59Z",
        ] {
            assert!(parse_date(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn ends_are_made_half_open_once() {
        for (end, expected) in [
            ("2026-10-31T23:59:59Z", "2026-11-01T00:00:00Z"),
            ("2026-10-31T23:59:59.999Z", "2026-11-01T00:00:00Z"),
            ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z"),
            ("2026-10-12T07:00:03Z", "2026-10-12T07:00:03Z"),
        ] {
            assert_eq!(
                window_end(parse_date(end).unwrap()),
                parse_date(expected).unwrap()
            );
        }
    }

    proptest! {
        #[test]
        fn an_instant_is_read_back_in_every_offset(seconds in 0_i64..4_102_444_800, minutes in -14 * 60_i32..=14 * 60) {
            let instant = DateTime::from_timestamp(seconds, 0).unwrap();
            let local = instant.with_timezone(&FixedOffset::east_opt(minutes * 60).unwrap());
            for format in ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d'T'%H:%M:%S%:z", "%Y-%m-%d %H:%M:%S.000%:z"] {
                prop_assert_eq!(parse_date(&local.format(format).to_string()).unwrap(), instant);
            }
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,40}|[0-9T' :.+Z%-]{0,40}") {
            if let Ok(date) = parse_date(&text) {
                let _ = window_end(date);
            }
        }
    }
}
