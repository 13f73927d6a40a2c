//! Reading what is stored as it is, and which months are put away.

use cloudstack_usage::store::{
    ArchivedMonth, RecordVersion, RejectionOrigin, RejectionVersion, RowSink, StoreError,
    StoredRecord, StoredRow, UtcMonth,
};
use cloudstack_usage::{Period, RecordKey, ResourceUses};
use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};

use super::SqliteStore;
use super::failure::Failure;
use super::time::{instant, millis};
use super::usage::parse_record;

const USAGE: &str = "csb_usage";
const REJECTION: &str = "csb_rejection";

/// What [`version`] reads.
const COLUMNS: &str = "revision, copy, recorded_from, recorded_until, record, sent";

pub(super) fn rows(
    store: &SqliteStore,
    cloud: &str,
    period: Period,
    sink: &mut RowSink<'_>,
) -> Result<(), StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(());
    };
    usage(store, cloud, period, sink)?;
    rejections(store, cloud, period, sink)
}

/// Windows that reach into the period begin at most the longest window before it.
fn usage(
    store: &SqliteStore,
    cloud: i64,
    period: Period,
    sink: &mut RowSink<'_>,
) -> Result<(), StoreError> {
    let failed = store.failure.of(USAGE);
    let sql = format!(
        "SELECT {COLUMNS} FROM csb_usage
         WHERE cloud = ?1
           AND window_start > ?2 - (SELECT longest_window FROM csb_cloud WHERE id = ?1) - 1
           AND window_start < ?3 AND window_end > ?2
         ORDER BY window_start, window_end, record_key, revision, copy"
    );
    let mut statement = store.connection.prepare_cached(&sql).map_err(&failed)?;
    let values = params![cloud, millis(period.start()), millis(period.end())];
    let mut rows = statement.query(values).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        sink(StoredRow::Usage(Box::new(version(row, &store.failure)?)))?;
    }
    Ok(())
}

fn version(row: &Row<'_>, failure: &Failure) -> Result<RecordVersion, StoreError> {
    let failed = failure.of(USAGE);
    let text: String = row.get(4).map_err(&failed)?;
    let sent: String = row.get(5).map_err(&failed)?;
    let until: Option<i64> = row.get(3).map_err(&failed)?;
    let at = |millis| instant(millis, USAGE, failure);
    Ok(RecordVersion {
        revision: row.get(0).map_err(&failed)?,
        copy: row.get(1).map_err(&failed)?,
        stored: StoredRecord {
            record: parse_record(&text, failure)?,
            json: sent.into_boxed_str(),
            recorded_from: at(row.get(2).map_err(&failed)?)?,
            recorded_until: until.map(at).transpose()?,
        },
        text: text.into_boxed_str(),
    })
}

/// All rows of these keys, by key, revision and copy.
pub(super) fn versions_of(
    store: &SqliteStore,
    cloud: i64,
    keys: &[RecordKey],
) -> Result<Vec<RecordVersion>, StoreError> {
    let failed = store.failure.of(USAGE);
    let sql = format!(
        "SELECT {COLUMNS} FROM csb_usage WHERE cloud = ? AND record_key IN ({})
         ORDER BY record_key, revision, copy",
        placeholders(keys.len())
    );
    let mut statement = store.connection.prepare(&sql).map_err(&failed)?;
    let mut rows = statement
        .query(params_from_iter(with_cloud(cloud, keys)))
        .map_err(&failed)?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        versions.push(version(row, &store.failure)?);
    }
    Ok(versions)
}

/// `?, ?, ?`
pub(super) fn placeholders(number: usize) -> String {
    vec!["?"; number].join(", ")
}

/// The values for a condition on a cloud and record keys.
pub(super) fn with_cloud(cloud: i64, keys: &[RecordKey]) -> impl Iterator<Item = Value> {
    let keys = keys.iter().map(|key| Value::Blob(key.as_bytes().to_vec()));
    std::iter::once(Value::Integer(cloud)).chain(keys)
}

fn rejections(
    store: &SqliteStore,
    cloud: i64,
    period: Period,
    sink: &mut RowSink<'_>,
) -> Result<(), StoreError> {
    let failed = store.failure.of(REJECTION);
    let sql = "SELECT rejection, resolved FROM csb_rejection
        WHERE cloud = ? AND period_start < ? AND period_end > ? ORDER BY first_seen, fingerprint";
    let mut statement = store.connection.prepare_cached(sql).map_err(&failed)?;
    let values = params![cloud, millis(period.end()), millis(period.start())];
    let mut rows = statement.query(values).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let json: String = row.get(0).map_err(&failed)?;
        let resolved: Option<i64> = row.get(1).map_err(&failed)?;
        let rejection = serde_json::from_str(&json);
        let resolved = resolved.map(|at| instant(at, REJECTION, &store.failure));
        let row = RejectionVersion {
            rejection: rejection.map_err(|error| store.failure.corrupt(REJECTION, error))?,
            resolved: resolved.transpose()?,
        };
        if row.rejection.origin == RejectionOrigin::Usage {
            sink(StoredRow::Rejection(Box::new(row)))?;
        }
    }
    Ok(())
}

pub(super) fn archived_months(
    store: &SqliteStore,
    cloud: &str,
) -> Result<Vec<ArchivedMonth>, StoreError> {
    const TABLE: &str = "csb_archived_month";
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(Vec::new());
    };
    let failed = store.failure.of(TABLE);
    let sql = "SELECT entry FROM csb_archived_month WHERE cloud = ? ORDER BY month";
    let mut statement = store.connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = statement.query([cloud]).map_err(&failed)?;
    let mut months = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let json: String = row.get(0).map_err(&failed)?;
        let month = serde_json::from_str(&json);
        months.push(month.map_err(|error| store.failure.corrupt(TABLE, error))?);
    }
    Ok(months)
}

pub(super) fn archived_uses(
    store: &SqliteStore,
    cloud: &str,
    month: UtcMonth,
    sink: &mut dyn FnMut(ResourceUses) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    const TABLE: &str = "csb_archived_use";
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(());
    };
    let failed = store.failure.of(TABLE);
    let sql = "SELECT uses FROM csb_archived_use
        WHERE cloud = ? AND month = ? ORDER BY kind, resource";
    let mut statement = store.connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = statement
        .query(params![cloud, month.to_string()])
        .map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let json: String = row.get(0).map_err(&failed)?;
        let uses = serde_json::from_str(&json);
        sink(uses.map_err(|error| store.failure.corrupt(TABLE, error))?)?;
    }
    Ok(())
}
