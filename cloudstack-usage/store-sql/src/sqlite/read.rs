//! Reading usage and syncs.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{RecordSink, StoreError, StoredRecord, SyncEntry, UsageQuery};
use cloudstack_usage::{Period, RecordKey, UsageLifetimes};
use rusqlite::params;

use super::SqliteStore;
use super::time::{instant, millis};
use super::usage::parse_record;

pub(super) fn watermark(
    store: &SqliteStore,
    cloud: &str,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(None);
    };
    let watermark: Option<i64> = store
        .connection
        .query_row(
            "SELECT watermark FROM csb_cloud WHERE id = ?",
            [cloud],
            |row| row.get(0),
        )
        .map_err(store.failure.of("csb_cloud"))?;
    watermark
        .map(|watermark| instant(watermark, "csb_cloud", &store.failure))
        .transpose()
}

pub(super) fn syncs(store: &SqliteStore, cloud: &str) -> Result<Vec<SyncEntry>, StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(Vec::new());
    };
    let failed = store.failure.of("csb_sync");
    let mut statement = store
        .connection
        .prepare("SELECT entry FROM csb_sync WHERE cloud = ? ORDER BY id")
        .map_err(&failed)?;
    let mut rows = statement.query([cloud]).map_err(&failed)?;
    let mut syncs = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let json: String = row.get(0).map_err(&failed)?;
        let entry = serde_json::from_str(&json);
        syncs.push(entry.map_err(|error| store.failure.corrupt("csb_sync", error))?);
    }
    Ok(syncs)
}

/// Windows that reach into the period begin at most the longest window before it: with that
/// the index on `window_start` bounds the search on both sides.
const USAGE: &str = "
SELECT record FROM csb_usage
WHERE cloud = ?1
  AND window_start > ?2 - (SELECT longest_window FROM csb_cloud WHERE id = ?1) - 1
  AND window_start < ?3 AND window_end > ?2";
const KNOWN_NOW: &str = " AND recorded_until IS NULL";
const KNOWN_ON: &str =
    " AND recorded_from <= ?4 AND (recorded_until IS NULL OR recorded_until > ?4)";
const IN_ORDER: &str = " ORDER BY window_start, window_end, record_key, revision, copy";

pub(super) fn usage(
    store: &SqliteStore,
    query: &UsageQuery,
    sink: &mut RecordSink<'_>,
) -> Result<(), StoreError> {
    let Some(cloud) = store.cloud_id(&query.cloud)? else {
        return Ok(());
    };
    let failed = store.failure.of("csb_usage");
    let known = if query.as_known_on.is_some() {
        KNOWN_ON
    } else {
        KNOWN_NOW
    };
    let mut statement = store
        .connection
        .prepare(&format!("{USAGE}{known}{IN_ORDER}"))
        .map_err(&failed)?;
    let (start, end) = (millis(query.period.start()), millis(query.period.end()));
    let mut rows = match query.as_known_on {
        None => statement.query(params![cloud, start, end]),
        Some(at) => statement.query(params![cloud, start, end, millis(at)]),
    }
    .map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let json = row.get_ref(0).map_err(&failed)?;
        let json = json
            .as_str()
            .map_err(|error| store.failure.corrupt("csb_usage", error))?;
        sink(parse_record(json, &store.failure)?)?;
    }
    Ok(())
}

/// The records of the two first and the two last windows of each VM, volume and address,
/// which is all that [`UsageLifetimes`] keep. Less than half a second (1/7200 h) is no use:
/// CloudStack's hours are taken to the nearest second.
const LIFETIMES: &str = "
WITH used AS (
    SELECT id, usage_type, CASE WHEN usage_type = 2 THEN coalesce(vm, resource) ELSE resource END AS thing,
           window_start, window_end
    FROM csb_usage
    WHERE cloud = ?1 AND usage_type IN (2, 3, 6) AND (usage_type <> 6 OR vm IS NULL)
      AND CAST(raw_usage AS REAL) * 7200 >= 1 {known} {here}
), ranked AS (
    SELECT id,
           dense_rank() OVER (PARTITION BY usage_type, thing ORDER BY window_start, window_end) AS first,
           dense_rank() OVER (PARTITION BY usage_type, thing ORDER BY window_start DESC, window_end DESC) AS last
    FROM used WHERE thing IS NOT NULL
)
SELECT record FROM ranked JOIN csb_usage USING (id) WHERE first <= 2 OR last <= 2";

/// Of what is stored, but for time that is `away` in archives.
pub(super) fn lifetimes(
    store: &SqliteStore,
    cloud: &str,
    as_known_on: Option<DateTime<Utc>>,
    away: &[Period],
) -> Result<UsageLifetimes, StoreError> {
    let mut lifetimes = UsageLifetimes::default();
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(lifetimes);
    };
    let failed = store.failure.of("csb_usage");
    let (known, mut values) = match as_known_on {
        Some(at) => (KNOWN_ON.replace("?4", "?2"), vec![cloud, millis(at)]),
        None => (KNOWN_NOW.to_owned(), vec![cloud]),
    };
    let mut statement = store
        .connection
        .prepare(
            &LIFETIMES
                .replace("{known}", &known)
                .replace("{here}", &elsewhere(away)),
        )
        .map_err(&failed)?;
    let mut rows = statement
        .query(rusqlite::params_from_iter(&values))
        .map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let json: String = row.get(0).map_err(&failed)?;
        lifetimes.observe(&parse_record(&json, &store.failure)?);
    }
    let newest: Option<i64> = store
        .connection
        .query_row(
            &format!("SELECT max(window_end) FROM csb_usage WHERE cloud = ?1 {known}"),
            rusqlite::params_from_iter(values.drain(..)),
            |row| row.get(0),
        )
        .map_err(&failed)?;
    if let Some(newest) = newest {
        lifetimes.read_until(instant(newest, "csb_usage", &store.failure)?);
    }
    Ok(lifetimes)
}

/// The condition that a window does not lie in one of these periods.
fn elsewhere(away: &[Period]) -> String {
    let conditions = away.iter().map(|away| {
        let (start, end) = (millis(away.start()), millis(away.end()));
        format!("AND NOT (window_start >= {start} AND window_end <= {end})")
    });
    conditions.collect::<Vec<_>>().join(" ")
}

pub(super) fn versions(
    store: &SqliteStore,
    cloud: &str,
    key: &RecordKey,
) -> Result<Vec<StoredRecord>, StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(Vec::new());
    };
    let failed = store.failure.of("csb_usage");
    let sql = "SELECT record, sent, recorded_from, recorded_until FROM csb_usage
        WHERE cloud = ? AND record_key = ? ORDER BY revision, copy";
    let mut statement = store.connection.prepare(sql).map_err(&failed)?;
    let mut rows = statement
        .query(params![cloud, key.as_bytes()])
        .map_err(&failed)?;
    let mut versions = Vec::new();
    let at = |millis| instant(millis, "csb_usage", &store.failure);
    while let Some(row) = rows.next().map_err(&failed)? {
        let record: String = row.get(0).map_err(&failed)?;
        let sent: String = row.get(1).map_err(&failed)?;
        let until: Option<i64> = row.get(3).map_err(&failed)?;
        versions.push(StoredRecord {
            record: parse_record(&record, &store.failure)?,
            json: sent.into_boxed_str(),
            recorded_from: at(row.get(2).map_err(&failed)?)?,
            recorded_until: until.map(at).transpose()?,
        });
    }
    Ok(versions)
}

/// How SQLite would run the two queries of usage.
#[cfg(test)]
pub(super) fn query_plans(store: &SqliteStore) -> Vec<String> {
    [KNOWN_NOW, KNOWN_ON]
        .iter()
        .map(|known| {
            let sql = format!("EXPLAIN QUERY PLAN {USAGE}{known}{IN_ORDER}");
            let mut statement = store.connection.prepare(&sql).unwrap();
            let lines = statement.query_map(
                rusqlite::params_from_iter(
                    [1_i64, 1, 2, 3]
                        .into_iter()
                        .take(statement.parameter_count()),
                ),
                |row| row.get::<_, String>(3),
            );
            lines
                .unwrap()
                .map(Result::unwrap)
                .collect::<Vec<_>>()
                .join("\n")
        })
        .collect()
}
