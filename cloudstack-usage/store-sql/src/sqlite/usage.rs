//! Merging what is staged of a fetch into the usage of a cloud, key by key.

use cloudstack_usage::store::{
    MultisetChange, StoreError, UsageCounts, compare_multisets, keep_first_domain,
};
use cloudstack_usage::{Period, UsageRecord};
use rusqlite::{Connection, params};
use rust_decimal::Decimal;

use super::failure::Failure;
use super::indices;
use super::stage::STAGE;
use super::time::millis;
use crate::columns::count;

const TABLE: &str = "csb_usage";

/// What is written of the stage. Where nothing is stored of the time of a fetch, all of it is,
/// and only twins are noted here.
const CREATE_ADOPT: &str = "
DROP TABLE IF EXISTS temp.csb_adopt;
CREATE TEMP TABLE csb_adopt (
    stage_id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    copy     INTEGER NOT NULL
) STRICT";

const ADOPT: &str = "INSERT INTO temp.csb_adopt (stage_id, revision, copy) VALUES (?, ?, ?)";

const IN_ORDER_OF_KEYS: &str =
    "SELECT record_key, id, raw_usage FROM temp.csb_stage ORDER BY record_key";

/// In the order in which records came, which is mostly that of time: in the order of keys
/// every row would go to another page of every index.
const WRITE_ADOPTED: &str = "
INSERT INTO csb_usage (cloud, record_key, revision, copy, recorded_from, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent)
SELECT ?1, record_key, revision, copy, ?2, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent
FROM temp.csb_adopt JOIN temp.csb_stage ON id = stage_id ORDER BY stage_id";

const WRITE_ALL: &str = "
INSERT INTO csb_usage (cloud, record_key, revision, copy, recorded_from, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent)
SELECT ?1, record_key, 0, coalesce(copy, 0), ?2, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent
FROM temp.csb_stage LEFT JOIN temp.csb_adopt ON stage_id = id ORDER BY id";

/// Merges all staged records, whose windows lie in `time`, into the usage of a cloud; within a
/// transaction.
pub(super) fn merge(
    connection: &Connection,
    failure: &Failure,
    sync: Sync,
    time: Option<Period>,
) -> Result<UsageCounts, StoreError> {
    let Some(time) = time else {
        return Ok(UsageCounts::default());
    };
    connection
        .execute_batch(CREATE_ADOPT)
        .map_err(failure.of(STAGE))?;
    let merger = Merger {
        connection,
        failure,
        sync,
        is_known: is_known(connection, failure, sync.cloud, time)?,
    };
    let counts = merger.every_key()?;
    let sql = if merger.is_known {
        WRITE_ADOPTED
    } else {
        WRITE_ALL
    };
    let write = || merger.execute(sql, params![sync.cloud, sync.at]);
    let rows = counts.new + counts.revised;
    if indices::are_faster_made_anew(connection, failure, rows)? {
        indices::without(connection, failure, write)?;
    } else if rows > 0 {
        write()?;
    }
    Ok(counts)
}

/// Whether anything is stored of a time: else no key of it is known, since a key has one
/// window.
fn is_known(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    time: Period,
) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM csb_usage
        WHERE cloud = ? AND window_start >= ? AND window_start < ?)";
    let values = params![cloud, millis(time.start()), millis(time.end())];
    connection
        .query_row(sql, values, |row| row.get(0))
        .map_err(failure.of(TABLE))
}

/// What a fetch has of one record key: the rows of the stage with their usage.
struct StagedKey {
    key: [u8; 16],
    rows: Vec<(Decimal, i64)>,
}

/// The sync whose fetch is merged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sync {
    pub(super) cloud: i64,
    /// Its moment.
    pub(super) at: i64,
    /// Whether it read everything.
    pub(super) complete: bool,
}

struct Merger<'a> {
    connection: &'a Connection,
    failure: &'a Failure,
    sync: Sync,
    /// Whether something is stored of the time of the fetch.
    is_known: bool,
}

impl Merger<'_> {
    fn every_key(&self) -> Result<UsageCounts, StoreError> {
        let failed = self.failure.of(STAGE);
        let mut counts = UsageCounts::default();
        let mut statement = self.connection.prepare(IN_ORDER_OF_KEYS).map_err(&failed)?;
        let mut rows = statement.query(()).map_err(&failed)?;
        let mut staged: Option<StagedKey> = None;
        while let Some(row) = rows.next().map_err(&failed)? {
            let key: [u8; 16] = row.get(0).map_err(&failed)?;
            let id: i64 = row.get(1).map_err(&failed)?;
            let usage = row.get_ref(2).map_err(&failed)?;
            let usage = self.usage(usage.as_str().unwrap_or_default(), STAGE)?;
            match &mut staged {
                Some(staged) if staged.key == key => staged.rows.push((usage, id)),
                _ => {
                    let rows = vec![(usage, id)];
                    if let Some(whole) = staged.replace(StagedKey { key, rows }) {
                        self.merge_key(whole, &mut counts)?;
                    }
                }
            }
        }
        if let Some(whole) = staged {
            self.merge_key(whole, &mut counts)?;
        }
        Ok(counts)
    }

    fn merge_key(&self, mut staged: StagedKey, counts: &mut UsageCounts) -> Result<(), StoreError> {
        staged.rows.sort_unstable();
        let fetched: Vec<Decimal> = staged.rows.iter().map(|(usage, _)| *usage).collect();
        let (revision, stored) = if self.is_known {
            self.stored(&staged.key)?
        } else {
            (0, Vec::new())
        };
        let number = count(fetched.len());
        match compare_multisets(&stored, &fetched, self.sync.complete) {
            MultisetChange::Unchanged => counts.unchanged += number,
            MultisetChange::Deferred => counts.deferred += number,
            MultisetChange::New => {
                counts.new += number;
                self.adopt(&staged, 0)?;
            }
            MultisetChange::Revised => {
                counts.revised += number;
                counts.superseded += count(stored.len());
                self.keep_first_domain(&staged)?;
                self.close(&staged.key)?;
                self.adopt(&staged, revision + 1)?;
            }
        }
        Ok(())
    }

    /// The usage that stands under a key, sorted, and the number of its revision.
    fn stored(&self, key: &[u8; 16]) -> Result<(i64, Vec<Decimal>), StoreError> {
        let failed = self.failure.of(TABLE);
        let sql = "SELECT raw_usage, revision FROM csb_usage
            WHERE cloud = ? AND record_key = ? AND recorded_until IS NULL";
        let mut statement = self.connection.prepare_cached(sql).map_err(&failed)?;
        let mut rows = statement
            .query(params![self.sync.cloud, key])
            .map_err(&failed)?;
        let (mut revision, mut stored) = (0, Vec::new());
        while let Some(row) = rows.next().map_err(&failed)? {
            let usage = row.get_ref(0).map_err(&failed)?;
            stored.push(self.usage(usage.as_str().unwrap_or_default(), TABLE)?);
            revision = row.get(1).map_err(&failed)?;
        }
        stored.sort_unstable();
        Ok((revision, stored))
    }

    fn usage(&self, text: &str, table: &str) -> Result<Decimal, StoreError> {
        Decimal::from_str_exact(text).map_err(|error| self.failure.corrupt(table, error))
    }

    /// Gives what is staged of a key the domain that the key was first stored with.
    fn keep_first_domain(&self, staged: &StagedKey) -> Result<(), StoreError> {
        let failed = self.failure.of(TABLE);
        let first: String = self
            .connection
            .prepare_cached(
                "SELECT record FROM csb_usage WHERE cloud = ? AND record_key = ?
                 ORDER BY revision, copy LIMIT 1",
            )
            .and_then(|mut first| {
                first.query_row(params![self.sync.cloud, staged.key], |row| row.get(0))
            })
            .map_err(&failed)?;
        let first = parse_record(&first, self.failure)?;
        for (_, id) in &staged.rows {
            let mut record = parse_record(&self.staged_text("record", *id)?, self.failure)?;
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

    /// A text of a row of the stage.
    fn staged_text(&self, column: &str, id: i64) -> Result<String, StoreError> {
        let sql = format!("SELECT {column} FROM temp.csb_stage WHERE id = ?");
        self.connection
            .prepare_cached(&sql)
            .and_then(|mut statement| statement.query_row([id], |row| row.get(0)))
            .map_err(self.failure.of(STAGE))
    }

    fn close(&self, key: &[u8; 16]) -> Result<(), StoreError> {
        let sql = "UPDATE csb_usage SET recorded_until = ?
            WHERE cloud = ? AND record_key = ? AND recorded_until IS NULL";
        self.execute(sql, params![self.sync.at, self.sync.cloud, key])
    }

    /// Notes the staged records of a key as its standing revision, to be written at the end.
    fn adopt(&self, staged: &StagedKey, revision: i64) -> Result<(), StoreError> {
        match staged.rows.as_slice() {
            // written as revision 0 and copy 0 anyway
            [_] if !self.is_known => Ok(()),
            [(_, id)] => self.execute(ADOPT, params![id, revision, 0]),
            twins => self.adopt_twins(twins, revision),
        }
    }

    /// Numbers twins by usage, and among equal ones by their text as sent.
    fn adopt_twins(&self, twins: &[(Decimal, i64)], revision: i64) -> Result<(), StoreError> {
        let mut in_order = Vec::with_capacity(twins.len());
        for (usage, id) in twins {
            in_order.push((*usage, self.staged_text("sent", *id)?, *id));
        }
        in_order.sort_unstable();
        for ((_, _, id), copy) in in_order.iter().zip(0_i64..) {
            self.execute(ADOPT, params![id, revision, copy])?;
        }
        Ok(())
    }

    fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(|_| ())
            .map_err(self.failure.of(TABLE))
    }
}

/// Reads a record back from its column.
pub(super) fn parse_record(json: &str, failure: &Failure) -> Result<UsageRecord, StoreError> {
    serde_json::from_str(json).map_err(|error| failure.corrupt(TABLE, error))
}
