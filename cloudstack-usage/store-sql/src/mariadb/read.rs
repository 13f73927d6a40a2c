//! Reading usage and syncs.

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::store::{RecordSink, StoreError, StoredRecord, SyncEntry, UsageQuery};
use cloudstack_usage::{Period, RecordKey, UsageLifetimes};
use mysql::Value;

use super::cloud_id;
use super::database::Database;
use super::time::{bounds, search_bound};
use super::usage::{parse_record, positional};

const TABLE: &str = "csb_usage";

pub(super) fn syncs(database: &mut Database, cloud: &str) -> Result<Vec<SyncEntry>, StoreError> {
    let sql = "SELECT s.entry FROM csb_sync s JOIN csb_cloud c ON c.id = s.cloud
        WHERE c.name = ? ORDER BY s.id";
    database.all("csb_sync", sql, (cloud,), |row| {
        serde_json::from_str(&row.text(0)?).map_err(|error| row.corrupt(error))
    })
}

/// Windows that reach into the period begin at most the longest window before it: with that
/// the index on `window_start` bounds the search on both sides, and gives the order.
pub(super) const USAGE: &str = "
SELECT record FROM csb_usage FORCE INDEX (csb_usage_window)
WHERE cloud = ? AND window_start >= ? AND window_start < ? AND window_end > ?";
pub(super) const IN_ORDER: &str = " ORDER BY window_start, window_end, record_key, revision, copy";
const KNOWN_NOW: &str = " AND recorded_until IS NULL";
const KNOWN_ON: &str = " AND recorded_from <= ? AND (recorded_until IS NULL OR recorded_until > ?)";

/// What was known at an instant (none: is known now), as a condition and its values.
fn known(as_known_on: Option<DateTime<Utc>>) -> (&'static str, Vec<Value>) {
    match as_known_on {
        None => (KNOWN_NOW, Vec::new()),
        Some(at) => (KNOWN_ON, vec![search_bound(at); 2]),
    }
}

pub(super) fn usage(
    database: &mut Database,
    query: &UsageQuery,
    sink: &mut RecordSink<'_>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, longest_window FROM csb_cloud WHERE name = ?";
    let Some(cloud) = database.first("csb_cloud", sql, (&query.cloud,))? else {
        return Ok(());
    };
    let (start, end) = (query.period.start(), query.period.end());
    let longest = TimeDelta::milliseconds(cloud.number(1)?);
    let earliest = start
        .checked_sub_signed(longest)
        .unwrap_or(DateTime::<Utc>::MIN_UTC);
    let (known, known_values) = known(query.as_known_on);
    let mut values = vec![
        cloud.number(0)?.into(),
        search_bound(earliest),
        search_bound(end),
        search_bound(start),
    ];
    values.extend(known_values);
    let sql = format!("{USAGE}{known}{IN_ORDER}");
    database.each(TABLE, &sql, positional(values), &mut |row| {
        sink(parse_record(&row, 0)?)
    })
}

/// The records of the two first and the two last windows of each VM, volume and address,
/// which is all that [`UsageLifetimes`] keep. Less than half a second (1/7200 h) is no use:
/// CloudStack's hours are taken to the nearest second.
const LIFETIMES: &str = "
WITH used AS (
    SELECT id, usage_type, CASE WHEN usage_type = 2 THEN coalesce(vm, resource) ELSE resource END AS thing,
           window_start, window_end
    FROM csb_usage
    WHERE cloud = ? AND usage_type IN (2, 3, 6) AND (usage_type <> 6 OR vm IS NULL)
      AND raw_usage * 7200 >= 1 {known} {here}
), ranked AS (
    SELECT id,
           dense_rank() OVER (PARTITION BY usage_type, thing ORDER BY window_start, window_end) AS first_ones,
           dense_rank() OVER (PARTITION BY usage_type, thing ORDER BY window_start DESC, window_end DESC) AS last_ones
    FROM used WHERE thing IS NOT NULL
)
SELECT u.record FROM ranked JOIN csb_usage u USING (id) WHERE first_ones <= 2 OR last_ones <= 2";

/// Of what is stored, but for time that is `away` in archives.
pub(super) fn lifetimes(
    database: &mut Database,
    cloud: &str,
    as_known_on: Option<DateTime<Utc>>,
    away: &[Period],
) -> Result<UsageLifetimes, StoreError> {
    let mut lifetimes = UsageLifetimes::default();
    let Some(cloud) = cloud_id(database, cloud)? else {
        return Ok(lifetimes);
    };
    let (known, known_values) = known(as_known_on);
    let mut values = vec![Value::from(cloud)];
    values.extend(known_values);
    let mut with_bounds = values.clone();
    for away in away {
        let (start, end) = bounds(*away)?;
        with_bounds.extend([start, end]);
    }
    let here = " AND NOT (window_start >= ? AND window_end <= ?)".repeat(away.len());
    let sql = LIFETIMES.replace("{known}", known).replace("{here}", &here);
    database.each(TABLE, &sql, positional(with_bounds), &mut |row| {
        lifetimes.observe(&parse_record(&row, 0)?);
        Ok(())
    })?;
    let sql = format!("SELECT max(window_end) FROM csb_usage WHERE cloud = ? {known}");
    let newest = database.first(TABLE, &sql, positional(values))?;
    let newest = newest.map_or(Ok(None), |row| row.optional_instant(0))?;
    if let Some(newest) = newest {
        lifetimes.read_until(newest);
    }
    Ok(lifetimes)
}

pub(super) fn versions(
    database: &mut Database,
    cloud: &str,
    key: &RecordKey,
) -> Result<Vec<StoredRecord>, StoreError> {
    let Some(cloud) = cloud_id(database, cloud)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT record, sent, recorded_from, recorded_until FROM csb_usage
        WHERE cloud = ? AND record_key = ? ORDER BY revision, copy";
    let key = Value::from(*key.as_bytes());
    database.all(TABLE, sql, (cloud, key), |row| {
        Ok(StoredRecord {
            record: parse_record(row, 0)?,
            json: row.text(1)?.into_boxed_str(),
            recorded_from: row.instant(2)?,
            recorded_until: row.optional_instant(3)?,
        })
    })
}
