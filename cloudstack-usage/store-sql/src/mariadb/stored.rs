//! Reading what is stored as it is, and which months are put away.

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::store::{
    ArchivedMonth, RecordVersion, RejectionOrigin, RejectionVersion, RowSink, StoreError,
    StoredRecord, StoredRow, UtcMonth,
};
use cloudstack_usage::{Period, RecordKey, ResourceUses};
use mysql::Value;

use super::database::{Columns, Database, placeholders};
use super::time::search_bound;
use super::usage::{parse_record, positional};

/// What [`version`] reads.
const COLUMNS: &str = "revision, copy, recorded_from, recorded_until, record, sent";

pub(super) fn rows(
    database: &mut Database,
    cloud: &str,
    period: Period,
    sink: &mut RowSink<'_>,
) -> Result<(), StoreError> {
    let sql = "SELECT id, longest_window FROM csb_cloud WHERE name = ?";
    let Some(row) = database.first("csb_cloud", sql, (cloud,))? else {
        return Ok(());
    };
    let cloud = row.number(0)?;
    let longest = TimeDelta::milliseconds(row.number(1)?);
    // windows that reach into the period begin at most the longest window before it
    let earliest = period.start().checked_sub_signed(longest);
    let earliest = earliest.unwrap_or(DateTime::<Utc>::MIN_UTC);
    let sql = format!(
        "SELECT {COLUMNS} FROM csb_usage FORCE INDEX (csb_usage_window)
         WHERE cloud = ? AND window_start >= ? AND window_start < ? AND window_end > ?
         ORDER BY window_start, window_end, record_key, revision, copy"
    );
    let (start, end) = (search_bound(period.start()), search_bound(period.end()));
    let values = (cloud, search_bound(earliest), &end, &start);
    database.each("csb_usage", &sql, values, &mut |row| {
        sink(StoredRow::Usage(Box::new(version(&row)?)))
    })?;
    let sql = "SELECT rejection, resolved FROM csb_rejection
        WHERE cloud = ? AND period_start < ? AND period_end > ? ORDER BY first_seen, fingerprint";
    database.each("csb_rejection", sql, (cloud, &end, &start), &mut |row| {
        let rejection = serde_json::from_str(&row.text(0)?);
        let row = RejectionVersion {
            rejection: rejection.map_err(|error| row.corrupt(error))?,
            resolved: row.optional_instant(1)?,
        };
        if row.rejection.origin == RejectionOrigin::Usage {
            sink(StoredRow::Rejection(Box::new(row)))?;
        }
        Ok(())
    })
}

fn version(row: &Columns) -> Result<RecordVersion, StoreError> {
    let number = |column| {
        let number = row.number(column)?;
        u32::try_from(number).map_err(|error| row.corrupt(error))
    };
    Ok(RecordVersion {
        revision: number(0)?,
        copy: number(1)?,
        stored: StoredRecord {
            record: parse_record(row, 4)?,
            json: row.text(5)?.into_boxed_str(),
            recorded_from: row.instant(2)?,
            recorded_until: row.optional_instant(3)?,
        },
        text: row.text(4)?.into_boxed_str(),
    })
}

/// All rows of these keys, by key, revision and copy.
pub(super) fn versions_of(
    database: &mut Database,
    cloud: i64,
    keys: &[RecordKey],
) -> Result<Vec<RecordVersion>, StoreError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM csb_usage WHERE cloud = ? AND record_key IN ({})
         ORDER BY record_key, revision, copy",
        placeholders(keys.len())
    );
    database.all(
        "csb_usage",
        &sql,
        positional(with_cloud(cloud, keys)),
        version,
    )
}

/// The values for a condition on a cloud and record keys.
pub(super) fn with_cloud(cloud: i64, keys: &[RecordKey]) -> Vec<Value> {
    let keys = keys.iter().map(|key| Value::from(*key.as_bytes()));
    std::iter::once(Value::from(cloud)).chain(keys).collect()
}

pub(super) fn archived_months(
    database: &mut Database,
    cloud: &str,
) -> Result<Vec<ArchivedMonth>, StoreError> {
    let sql = "SELECT m.entry FROM csb_archived_month m JOIN csb_cloud c ON c.id = m.cloud
        WHERE c.name = ? ORDER BY m.month";
    database.all("csb_archived_month", sql, (cloud,), |row| {
        serde_json::from_str(&row.text(0)?).map_err(|error| row.corrupt(error))
    })
}

pub(super) fn archived_uses(
    database: &mut Database,
    cloud: &str,
    month: UtcMonth,
    sink: &mut dyn FnMut(ResourceUses) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sql = "SELECT u.uses FROM csb_archived_use u JOIN csb_cloud c ON c.id = u.cloud
        WHERE c.name = ? AND u.month = ? ORDER BY u.kind, u.resource";
    let values = (cloud, month.to_string());
    database.each("csb_archived_use", sql, values, &mut |row| {
        let uses = serde_json::from_str(&row.text(0)?);
        sink(uses.map_err(|error| row.corrupt(error))?)
    })
}
