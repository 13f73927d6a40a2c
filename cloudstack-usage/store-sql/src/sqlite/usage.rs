//! Writing usage: pages are staged in a temporary table, then merged key by key.
//!
//! The temporary table lies outside the database file, so that fetching for minutes locks
//! nobody out, and a process that is killed leaves nothing of the fetch behind.

use cloudstack_usage::store::{
    MultisetChange, StoreError, UsageCounts, compare_multisets, keep_first_domain,
};
use cloudstack_usage::{ParsedRecord, UsageRecord};
use rusqlite::{Connection, params};
use rust_decimal::Decimal;

use super::failure::Failure;
use super::time::millis;
use crate::columns::{UsageColumns, count, sortable};

const STAGE: &str = "the staged usage";

const CREATE_STAGE: &str = "
DROP TABLE IF EXISTS temp.csb_stage;
CREATE TEMP TABLE csb_stage (
    id           INTEGER PRIMARY KEY,
    record_key   BLOB    NOT NULL,
    sort_usage   TEXT    NOT NULL,
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

const STAGE_RECORD: &str = "
INSERT INTO temp.csb_stage (record_key, sort_usage, usage_type, window_start, window_end,
    raw_usage, resource, vm, domain, account, project, record, sent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

const CREATE_MERGE: &str = "
CREATE INDEX temp.csb_stage_key ON csb_stage (record_key, sort_usage);
DROP TABLE IF EXISTS temp.csb_adopt;
CREATE TEMP TABLE csb_adopt (
    stage_id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    copy     INTEGER NOT NULL
) STRICT";

const ADOPT_ONE: &str = "INSERT INTO temp.csb_adopt (stage_id, revision, copy) VALUES (?, ?, 0)";

const ADOPT_TWINS: &str = "
INSERT INTO temp.csb_adopt (stage_id, revision, copy)
SELECT id, ?1, row_number() OVER (ORDER BY sort_usage, sent, id) - 1
FROM temp.csb_stage WHERE record_key = ?2";

/// In the order in which records came, which is mostly that of time: in the order of keys
/// every row would go to another page of every index.
const WRITE_ADOPTED: &str = "
INSERT INTO csb_usage (cloud, record_key, revision, copy, recorded_from, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent)
SELECT ?1, record_key, revision, copy, ?2, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent
FROM temp.csb_adopt JOIN temp.csb_stage ON id = stage_id ORDER BY stage_id";

/// Makes the place for the pages of one fetch.
pub(super) fn create_stage(connection: &Connection, failure: &Failure) -> Result<(), StoreError> {
    connection
        .execute_batch(CREATE_STAGE)
        .map_err(failure.of(STAGE))
}

/// Forgets the pages of a fetch. There is nobody to tell about an error: the next fetch
/// drops the table anyway, and closing the connection does.
pub(super) fn drop_stage(connection: &Connection) {
    let _ = connection
        .execute_batch("DROP TABLE IF EXISTS temp.csb_stage; DROP TABLE IF EXISTS temp.csb_adopt");
}

/// Adds the records of a page to the stage: all of them or, on an error, none.
pub(super) fn stage(
    connection: &Connection,
    failure: &Failure,
    records: &[ParsedRecord],
) -> Result<(), StoreError> {
    let failed = failure.of(STAGE);
    let transaction = connection.unchecked_transaction().map_err(&failed)?;
    {
        let mut insert = transaction.prepare_cached(STAGE_RECORD).map_err(&failed)?;
        for entry in records {
            let record = &entry.record;
            let json =
                serde_json::to_string(record).map_err(|error| failure.corrupt(STAGE, error))?;
            let columns = UsageColumns::of(record);
            insert
                .execute(params![
                    columns.key,
                    columns.sort_usage,
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

/// Merges all staged records into the usage of a cloud; within a transaction.
pub(super) fn merge(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    recorded_at: i64,
    complete: bool,
) -> Result<UsageCounts, StoreError> {
    let failed = failure.of("csb_usage");
    connection
        .execute_batch(CREATE_MERGE)
        .map_err(failure.of(STAGE))?;
    let merger = Merger {
        connection,
        failure,
        cloud,
        recorded_at,
        complete,
    };
    let mut counts = UsageCounts::default();
    let mut statement = connection
        .prepare(
            "SELECT record_key, sort_usage, id FROM temp.csb_stage ORDER BY record_key, sort_usage",
        )
        .map_err(&failed)?;
    let mut rows = statement.query(()).map_err(&failed)?;
    let mut staged: Option<StagedKey> = None;
    while let Some(row) = rows.next().map_err(&failed)? {
        let key: [u8; 16] = row.get(0).map_err(&failed)?;
        let usage: String = row.get(1).map_err(&failed)?;
        match &mut staged {
            Some(staged) if staged.key == key => staged.usage.push(usage),
            _ => {
                let next = StagedKey {
                    key,
                    first_id: row.get(2).map_err(&failed)?,
                    usage: vec![usage],
                };
                if let Some(whole) = staged.replace(next) {
                    merger.merge_key(&whole, &mut counts)?;
                }
            }
        }
    }
    if let Some(whole) = staged {
        merger.merge_key(&whole, &mut counts)?;
    }
    merger.execute(WRITE_ADOPTED, params![cloud, recorded_at])?;
    Ok(counts)
}

/// What a fetch has of one record key: its usage, sorted.
struct StagedKey {
    key: [u8; 16],
    first_id: i64,
    usage: Vec<String>,
}

struct Merger<'a> {
    connection: &'a Connection,
    failure: &'a Failure,
    cloud: i64,
    recorded_at: i64,
    complete: bool,
}

impl Merger<'_> {
    fn merge_key(&self, staged: &StagedKey, counts: &mut UsageCounts) -> Result<(), StoreError> {
        let (revision, stored) = self.stored(&staged.key)?;
        let number = count(staged.usage.len());
        match compare_multisets(&stored, &staged.usage, self.complete) {
            MultisetChange::Unchanged => counts.unchanged += number,
            MultisetChange::Deferred => counts.deferred += number,
            MultisetChange::New => {
                counts.new += number;
                self.adopt(staged, 0)?;
            }
            MultisetChange::Revised => {
                counts.revised += number;
                counts.superseded += count(stored.len());
                self.keep_first_domain(&staged.key)?;
                self.close(&staged.key)?;
                self.adopt(staged, revision + 1)?;
            }
        }
        Ok(())
    }

    /// The usage that stands under a key, sorted, and the number of its revision.
    fn stored(&self, key: &[u8; 16]) -> Result<(i64, Vec<String>), StoreError> {
        let failed = self.failure.of("csb_usage");
        let sql = "SELECT raw_usage, revision FROM csb_usage
            WHERE cloud = ? AND record_key = ? AND recorded_until IS NULL";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let mut rows = statement.query(params![self.cloud, key]).map_err(&failed)?;
        let (mut revision, mut stored) = (0, Vec::new());
        while let Some(row) = rows.next().map_err(&failed)? {
            let text: String = row.get(0).map_err(&failed)?;
            let usage = Decimal::from_str_exact(&text)
                .map_err(|error| self.failure.corrupt("csb_usage", error))?;
            stored.push(sortable(usage));
            revision = row.get(1).map_err(&failed)?;
        }
        stored.sort_unstable();
        Ok((revision, stored))
    }

    /// Gives what is staged of a key the domain that the key was first stored with.
    fn keep_first_domain(&self, key: &[u8; 16]) -> Result<(), StoreError> {
        let failed = self.failure.of("csb_usage");
        let first: String = self
            .connection
            .prepare_cached(
                "SELECT record FROM csb_usage WHERE cloud = ? AND record_key = ?
                 ORDER BY revision, copy LIMIT 1",
            )
            .and_then(|mut first| first.query_row(params![self.cloud, key], |row| row.get(0)))
            .map_err(&failed)?;
        let first = parse_record(&first, self.failure)?;
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, record FROM temp.csb_stage WHERE record_key = ?")
            .map_err(&failed)?;
        let staged: Vec<(i64, String)> = statement
            .query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .map_err(&failed)?;
        for (id, json) in staged {
            let mut record = parse_record(&json, self.failure)?;
            if keep_first_domain(&first, &mut record) {
                let json = serde_json::to_string(&record)
                    .map_err(|error| self.failure.corrupt(STAGE, error))?;
                self.execute(
                    "UPDATE temp.csb_stage SET domain = ?, record = ? WHERE id = ?",
                    params![record.owner.domain.to_string(), json, id],
                )?;
            }
        }
        Ok(())
    }

    fn close(&self, key: &[u8; 16]) -> Result<(), StoreError> {
        let sql = "UPDATE csb_usage SET recorded_until = ?
            WHERE cloud = ? AND record_key = ? AND recorded_until IS NULL";
        self.execute(sql, params![self.recorded_at, self.cloud, key])
    }

    /// Notes the staged records of a key as its standing revision, to be written at the end.
    fn adopt(&self, staged: &StagedKey, revision: i64) -> Result<(), StoreError> {
        if staged.usage.len() == 1 {
            self.execute(ADOPT_ONE, params![staged.first_id, revision])
        } else {
            self.execute(ADOPT_TWINS, params![revision, staged.key])
        }
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(|_| ())
            .map_err(self.failure.of("csb_usage"))
    }
}

/// Reads a record back from its column.
pub(super) fn parse_record(json: &str, failure: &Failure) -> Result<UsageRecord, StoreError> {
    serde_json::from_str(json).map_err(|error| failure.corrupt("csb_usage", error))
}
