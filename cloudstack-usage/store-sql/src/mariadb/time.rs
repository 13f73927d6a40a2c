//! Instants as MariaDB holds them: DATETIME(6), meant in UTC.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use cloudstack_usage::Period;
use cloudstack_usage::store::{StoreError, StoreErrorKind};
use mysql::Value;

/// The value of a column for `instant`.
///
/// # Errors
/// When it is not in the years 1 to 9999.
pub(super) fn datetime(instant: DateTime<Utc>) -> Result<Value, StoreError> {
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    let year = u16::try_from(instant.year())
        .ok()
        .filter(|year| (1..=9999).contains(year));
    let year = year.ok_or_else(|| {
        StoreError::new(
            StoreErrorKind::Invalid,
            format!("{instant} cannot be kept in MariaDB, which knows the years 1 to 9999 only"),
        )
    })?;
    Ok(Value::Date(
        year,
        small(instant.month()),
        small(instant.day()),
        small(instant.hour()),
        small(instant.minute()),
        small(instant.second()),
        instant.timestamp_subsec_micros().min(999_999),
    ))
}

/// The bounds of a period for two columns.
pub(super) fn bounds(period: Period) -> Result<(Value, Value), StoreError> {
    Ok((datetime(period.start())?, datetime(period.end())?))
}

/// An instant that bounds a search: what MariaDB cannot hold lies beyond all that it holds.
pub(super) fn search_bound(instant: DateTime<Utc>) -> Value {
    datetime(instant).unwrap_or(if instant.year() < 1 {
        Value::Date(1, 1, 1, 0, 0, 0, 0)
    } else {
        Value::Date(9999, 12, 31, 23, 59, 59, 999_999)
    })
}

/// The instant that a column holds; none where it holds none.
pub(super) fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let Value::Date(year, month, day, hour, minute, second, micros) = *value else {
        return None;
    };
    let date = NaiveDate::from_ymd_opt(i32::from(year), u32::from(month), u32::from(day))?;
    date.and_hms_micro_opt(
        u32::from(hour),
        u32::from(minute),
        u32::from(second),
        micros,
    )
    .map(|time| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_millisecond_of_nine_thousand_years_comes_back(
            millis in -62_135_596_800_000_i64..253_402_300_800_000
        ) {
            let time = DateTime::from_timestamp_millis(millis).unwrap();
            prop_assert_eq!(instant(&datetime(time).unwrap()), Some(time));
        }
    }

    #[test]
    fn what_lies_beyond_is_refused_and_bounds_a_search() {
        for millis in [-62_135_596_800_001, 253_402_300_800_000] {
            let time = DateTime::from_timestamp_millis(millis).unwrap();
            assert_eq!(datetime(time).unwrap_err().kind(), StoreErrorKind::Invalid);
        }
        let always = instant(&search_bound(DateTime::<Utc>::MIN_UTC)).unwrap();
        assert_eq!(always, Period::always().start());
        assert!(instant(&search_bound(DateTime::<Utc>::MAX_UTC)) >= Some(Period::always().end()));
    }
}
