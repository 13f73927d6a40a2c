//! Pages of a fetch on their way into the database: staged in a temporary table.
//!
//! The temporary table lies outside the database file, so that fetching for minutes locks
//! nobody out, and a process that is killed leaves nothing of the fetch behind.

use cloudstack_usage::ParsedRecord;
use cloudstack_usage::store::StoreError;
use rusqlite::{Connection, params};

use super::failure::Failure;
use super::time::millis;
use crate::columns::UsageColumns;

pub(super) const STAGE: &str = "the staged usage";

/// Without an index: a merge reads it once in order of keys, which sorting does faster.
const CREATE: &str = "
DROP TABLE IF EXISTS temp.csb_stage;
CREATE TEMP TABLE csb_stage (
    id           INTEGER PRIMARY KEY,
    record_key   BLOB    NOT NULL,
    usage_type   INTEGER NOT NULL,
    window_start INTEGER NOT NULL,
    window_end   INTEGER NOT NULL,
    raw_usage    TEXT    NOT NULL,
    resource     TEXT,
    vm           TEXT,
    domain       TEXT    NOT NULL,
    account      TEXT,
    project      TEXT,
    record       TEXT    NOT NULL,
    sent         TEXT    NOT NULL
) STRICT";

const INSERT: &str = "
INSERT INTO temp.csb_stage (record_key, usage_type, window_start, window_end,
    raw_usage, resource, vm, domain, account, project, record, sent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// Makes the place for the pages of one fetch.
pub(super) fn create(connection: &Connection, failure: &Failure) -> Result<(), StoreError> {
    connection.execute_batch(CREATE).map_err(failure.of(STAGE))
}

/// Forgets the pages of a fetch. There is nobody to tell about an error: the next fetch
/// drops the table anyway, and closing the connection does.
pub(super) fn drop(connection: &Connection) {
    let _ = connection
        .execute_batch("DROP TABLE IF EXISTS temp.csb_stage; DROP TABLE IF EXISTS temp.csb_adopt");
}

/// Adds the records of a page to the stage: all of them or, on an error, none.
pub(super) fn add(
    connection: &Connection,
    failure: &Failure,
    records: &[ParsedRecord],
) -> Result<(), StoreError> {
    let failed = failure.of(STAGE);
    let transaction = connection.unchecked_transaction().map_err(&failed)?;
    {
        let mut insert = transaction.prepare_cached(INSERT).map_err(&failed)?;
        for entry in records {
            let record = &entry.record;
            let json =
                serde_json::to_string(record).map_err(|error| failure.corrupt(STAGE, error))?;
            let columns = UsageColumns::of(record);
            insert
                .execute(params![
                    columns.key,
                    columns.usage_type,
                    millis(record.window.start()),
                    millis(record.window.end()),
                    columns.raw_usage,
                    columns.resource,
                    columns.vm,
                    columns.domain,
                    columns.account,
                    columns.project,
                    json,
                    &*entry.json,
                ])
                .map_err(&failed)?;
        }
    }
    transaction.commit().map_err(&failed)
}
