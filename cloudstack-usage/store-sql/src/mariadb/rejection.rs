//! Writing and reading entries that could not be read.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{RejectionChanges, StoreError, StoredRejection};
use mysql::Value;

use super::database::Database;
use super::failure::Failure;
use super::time::{bounds, datetime};

const TABLE: &str = "csb_rejection";

/// The rejections that stand, in the order in which they came.
pub(super) fn standing(
    database: &mut Database,
    cloud: i64,
) -> Result<Vec<StoredRejection>, StoreError> {
    let sql = "SELECT rejection FROM csb_rejection
        WHERE cloud = ? AND resolved IS NULL ORDER BY first_seen, fingerprint";
    database.all(TABLE, sql, (cloud,), |row| {
        serde_json::from_str(&row.text(0)?).map_err(|error| row.corrupt(error))
    })
}

/// Writes what a sync changed; within a transaction.
pub(super) fn apply(
    database: &mut Database,
    cloud: i64,
    at: DateTime<Utc>,
    changes: &RejectionChanges,
) -> Result<(), StoreError> {
    let at = datetime(at)?;
    let mut added = Vec::with_capacity(changes.added.len());
    for rejection in &changes.added {
        let (start, end) = bounds(rejection.period)?;
        added.push(vec![
            cloud.into(),
            rejection.fingerprint().into(),
            start,
            end,
            at.clone(),
            at.clone(),
            json(rejection, &database.failure)?.into(),
        ]);
    }
    let columns = "cloud, fingerprint, period_start, period_end, first_seen, last_seen, rejection";
    database.insert(TABLE, columns, &added)?;
    for rejection in &changes.seen_again {
        let sql = "UPDATE csb_rejection SET last_seen = ?, rejection = ?
            WHERE cloud = ? AND fingerprint = ? AND resolved IS NULL";
        let json = json(rejection, &database.failure)?;
        let fingerprint = Value::from(rejection.fingerprint());
        database.run(TABLE, sql, (at.clone(), json, cloud, fingerprint))?;
    }
    for fingerprint in &changes.resolved {
        let sql = "UPDATE csb_rejection SET resolved = ?
            WHERE cloud = ? AND fingerprint = ? AND resolved IS NULL";
        let fingerprint = Value::from(*fingerprint);
        database.run(TABLE, sql, (at.clone(), cloud, fingerprint))?;
    }
    Ok(())
}

fn json(rejection: &StoredRejection, failure: &Failure) -> Result<String, StoreError> {
    serde_json::to_string(rejection).map_err(|error| failure.corrupt(TABLE, error))
}
