//! Indices of usage, made anew where that is faster than adding to them row by row.
//!
//! A row goes to another page of nearly each index. As soon as these outgrow the cache, a
//! large load writes most pages again and again, the more often the larger it is; an index
//! that is made at once is sorted, and each of its pages is written once.

use cloudstack_usage::store::StoreError;
use rusqlite::Connection;

use super::failure::Failure;

const TABLE: &str = "csb_usage";

/// From so many rows on: a change of the schema costs others a look at it.
const ROWS: u64 = 1000;

/// Whether the indices of usage are faster made anew than added to with so many rows: where
/// there are as many new rows as there are old ones, which have to be sorted as well.
pub(super) fn are_faster_made_anew(
    connection: &Connection,
    failure: &Failure,
    rows: u64,
) -> Result<bool, StoreError> {
    if rows < ROWS {
        return Ok(false);
    }
    // the ids go up, and few rows ever leave: as good as counting them, at no cost
    let newest: Option<i64> = connection
        .query_row("SELECT max(id) FROM csb_usage", (), |row| row.get(0))
        .map_err(failure.of(TABLE))?;
    Ok(newest.and_then(|id| u64::try_from(id).ok()).unwrap_or(0) <= rows)
}

/// Does `work` while usage has no index, and makes all that it had anew, those of others as
/// well; within a transaction, so that nobody ever sees the table without them.
pub(super) fn without(
    connection: &Connection,
    failure: &Failure,
    work: impl FnOnce() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = failure.of(TABLE);
    let indices = of_usage(connection).map_err(&failed)?;
    for (name, _) in &indices {
        let name = name.replace('"', "\"\"");
        connection
            .execute_batch(&format!("DROP INDEX main.\"{name}\""))
            .map_err(&failed)?;
    }
    work()?;
    for (_, sql) in &indices {
        connection.execute_batch(sql).map_err(&failed)?;
    }
    Ok(())
}

/// The names of the indices, and how they are made.
fn of_usage(connection: &Connection) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement = connection.prepare(
        "SELECT name, sql FROM main.sqlite_schema
         WHERE type = 'index' AND tbl_name = 'csb_usage' AND sql IS NOT NULL ORDER BY rowid",
    )?;
    let indices = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    indices.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStore;
    use chrono::DateTime;
    use cloudstack_usage::store::conformance::usage_record;
    use cloudstack_usage::store::{DEFAULT_CLOUD, SyncOutcome, SyncRun, UsageStore};
    use cloudstack_usage::{Period, UsagePage};

    fn put(store: &mut SqliteStore, at: i64, hours: std::ops::Range<i64>) {
        let now = DateTime::from_timestamp(1_800_000_000 + at, 0).unwrap();
        let run = SyncRun::new(DEFAULT_CLOUD, now).with_range(Period::always());
        let mut transaction = store.begin_sync(&run).unwrap();
        // with a pair of twins each
        let records = hours.flat_map(|n| {
            let record = |raw| usage_record("a", (n, n + 1), raw);
            [record("1"), record("0.5"), record("1")]
        });
        let page = UsagePage {
            records: records.collect(),
            rejections: Vec::new(),
        };
        transaction.put_usage(&page).unwrap();
        transaction.commit(&SyncOutcome::complete()).unwrap();
    }

    fn schema(store: &SqliteStore) -> Vec<(String, String)> {
        of_usage(&store.connection).unwrap()
    }

    fn rows(store: &SqliteStore) -> Vec<(Vec<u8>, i64, String)> {
        let sql = "SELECT record_key, copy, raw_usage FROM csb_usage ORDER BY record_key, copy";
        let mut statement = store.connection.prepare(sql).unwrap();
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.unwrap().map(Result::unwrap).collect()
    }

    /// A large load leaves what many small ones do, and the same indices, whole.
    #[test]
    fn a_table_whose_indices_were_made_anew_is_the_same() {
        let mut small = SqliteStore::in_memory().unwrap();
        for (at, first) in (0..).zip((0..400).step_by(100)) {
            assert!(!are_faster_made_anew(&small.connection, &small.failure, 300).unwrap());
            put(&mut small, at, first..first + 100);
        }
        let mut large = SqliteStore::in_memory().unwrap();
        let others = "CREATE INDEX \"of a \"\"portal\"\"\" ON csb_usage (account) WHERE vm IS NULL";
        large.connection.execute_batch(others).unwrap();
        let before = schema(&large);
        assert!(before.len() > schema(&small).len());
        assert!(are_faster_made_anew(&large.connection, &large.failure, 1200).unwrap());
        put(&mut large, 0, 0..400);
        assert_eq!(schema(&large), before);
        assert_eq!(rows(&large), rows(&small));
        assert_eq!(rows(&large).len(), 1200);
        let check: String = large
            .connection
            .query_row("PRAGMA integrity_check", (), |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        // the second load of that size is added row by row
        assert!(!are_faster_made_anew(&large.connection, &large.failure, 1199).unwrap());
    }

    #[test]
    fn work_that_fails_leaves_the_indices() {
        let store = SqliteStore::in_memory().unwrap();
        let before = schema(&store);
        let transaction = store.connection.unchecked_transaction().unwrap();
        let stopped = without(&transaction, &store.failure, || {
            assert!(schema(&store).is_empty());
            Err(store.failure.corrupt(TABLE, "stopped"))
        });
        assert!(stopped.is_err());
        drop(transaction);
        assert_eq!(schema(&store), before);
    }
}
