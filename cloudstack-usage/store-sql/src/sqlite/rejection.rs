//! Writing and reading entries that could not be read.

use cloudstack_usage::store::{RejectionChanges, StoreError, StoredRejection};
use rusqlite::{Connection, params};

use super::failure::Failure;
use super::time::millis;

const TABLE: &str = "csb_rejection";

/// The rejections that stand, in the order in which they came.
pub(super) fn standing(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
) -> Result<Vec<StoredRejection>, StoreError> {
    let failed = failure.of(TABLE);
    let sql = "SELECT rejection FROM csb_rejection
        WHERE cloud = ? AND resolved IS NULL ORDER BY first_seen, fingerprint";
    let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = statement.query([cloud]).map_err(&failed)?;
    let mut standing = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        let json: String = row.get(0).map_err(&failed)?;
        let rejection = serde_json::from_str(&json);
        standing.push(rejection.map_err(|error| failure.corrupt(TABLE, error))?);
    }
    Ok(standing)
}

/// Writes what a sync changed; within a transaction.
pub(super) fn apply(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    at: i64,
    changes: &RejectionChanges,
) -> Result<(), StoreError> {
    let failed = failure.of(TABLE);
    let json = |rejection: &StoredRejection| {
        serde_json::to_string(rejection).map_err(|error| failure.corrupt(TABLE, error))
    };
    for rejection in &changes.added {
        let sql = "INSERT INTO csb_rejection (cloud, fingerprint, period_start, period_end,
            first_seen, last_seen, rejection) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let period = rejection.period;
        let values = params![
            cloud,
            rejection.fingerprint(),
            millis(period.start()),
            millis(period.end()),
            at,
            at,
            json(rejection)?
        ];
        connection.execute(sql, values).map_err(&failed)?;
    }
    for rejection in &changes.seen_again {
        let sql = "UPDATE csb_rejection SET last_seen = ?, rejection = ?
            WHERE cloud = ? AND fingerprint = ? AND resolved IS NULL";
        let values = params![at, json(rejection)?, cloud, rejection.fingerprint()];
        connection.execute(sql, values).map_err(&failed)?;
    }
    for fingerprint in &changes.resolved {
        let sql = "UPDATE csb_rejection SET resolved = ?
            WHERE cloud = ? AND fingerprint = ? AND resolved IS NULL";
        connection
            .execute(sql, params![at, cloud, fingerprint])
            .map_err(&failed)?;
    }
    Ok(())
}
