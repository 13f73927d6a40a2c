//! Instants as SQLite holds them: milliseconds since 1970 in UTC.

use chrono::{DateTime, Utc};
use cloudstack_usage::Period;
use cloudstack_usage::store::StoreError;

use super::failure::Failure;

pub(super) fn millis(instant: DateTime<Utc>) -> i64 {
    instant.timestamp_millis()
}

pub(super) fn instant(
    millis: i64,
    table: &str,
    failure: &Failure,
) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_millis(millis)
        .ok_or_else(|| failure.corrupt(table, format!("{millis} ms is no instant")))
}

pub(super) fn period(
    start: i64,
    end: i64,
    table: &str,
    failure: &Failure,
) -> Result<Period, StoreError> {
    let (start, end) = (
        instant(start, table, failure)?,
        instant(end, table, failure)?,
    );
    Period::new(start, end).map_err(|error| failure.corrupt(table, error))
}
