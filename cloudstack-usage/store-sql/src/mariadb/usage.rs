//! Writing usage: pages are staged in a table of the session, then merged in ranges of keys.
//!
//! Nobody else sees the tables of a session, and they end with it: fetching for minutes locks
//! nobody out, and a process that is killed leaves nothing of the fetch behind.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    MultisetChange, StoreError, UsageCounts, compare_multisets, keep_first_domain,
};
use cloudstack_usage::{ParsedRecord, UsageRecord};
use mysql::{Params, Value};
use rust_decimal::Decimal;

use super::database::{Columns, Database, placeholders};
use super::failure::Failure;
use super::sortable::sortable;
use super::time::{bounds, datetime};
use crate::columns::{UsageColumns, count};

const STAGE: &str = "the staged usage";
const TABLE: &str = "csb_usage";

const CREATE_STAGE: &str = "
CREATE TEMPORARY TABLE csb_stage (
    id           BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    record_key   BINARY(16)     NOT NULL,
    sort_usage   VARCHAR(64)    CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
    usage_type   INT UNSIGNED   NOT NULL,
    window_start DATETIME(6)    NOT NULL,
    window_end   DATETIME(6)    NOT NULL,
    raw_usage    DECIMAL(57,28) NOT NULL,
    resource     VARCHAR(255)   NULL,
    vm           VARCHAR(255)   NULL,
    domain       VARCHAR(255)   NOT NULL,
    account      VARCHAR(255)   NULL,
    project      VARCHAR(255)   NULL,
    record       LONGTEXT       NOT NULL,
    sent         LONGTEXT       NOT NULL,
    KEY (record_key, sort_usage)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin";

const CREATE_ADOPT: &str = "
CREATE TEMPORARY TABLE csb_adopt (
    stage_id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    copy     BIGINT NOT NULL
) ENGINE = InnoDB";

const STAGE_COLUMNS: &str = "record_key, sort_usage, usage_type, window_start, window_end,
    raw_usage, resource, vm, domain, account, project, record, sent";

const ADOPT_TWINS: &str = "
INSERT INTO csb_adopt (stage_id, revision, copy)
SELECT id, ?, row_number() OVER (ORDER BY sort_usage, sent, id) - 1
FROM csb_stage WHERE record_key = ?";

/// In the order in which records came, which is mostly that of time: in the order of keys
/// every row would go to another page of every index.
const WRITE_ADOPTED: &str = "
INSERT INTO csb_usage (cloud, record_key, revision, copy, recorded_from, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent)
SELECT ?, record_key, revision, copy, ?, usage_type,
    window_start, window_end, raw_usage, resource, vm, domain, account, project, record, sent
FROM csb_adopt JOIN csb_stage ON id = stage_id ORDER BY stage_id";

/// As many keys as are merged at a time.
const KEYS_AT_A_TIME: usize = 2000;

/// Makes the place for the pages of one fetch.
pub(super) fn create_stage(database: &mut Database) -> Result<(), StoreError> {
    drop_stage(database);
    database.run(STAGE, CREATE_STAGE, ())?;
    database.run(STAGE, CREATE_ADOPT, ())?;
    Ok(())
}

/// Forgets the pages of a fetch.
pub(super) fn drop_stage(database: &mut Database) {
    database.drop_temporary("csb_stage, csb_adopt");
}

/// Adds the records of a page to the stage: all of them or, on an error, none.
pub(super) fn stage(database: &mut Database, records: &[ParsedRecord]) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(records.len());
    for entry in records {
        rows.push(row(entry, &database.failure)?);
    }
    database.transaction(|database| database.insert("csb_stage", STAGE_COLUMNS, &rows))
}

fn row(entry: &ParsedRecord, failure: &Failure) -> Result<Vec<Value>, StoreError> {
    let record = &entry.record;
    let json = serde_json::to_string(record).map_err(|error| failure.corrupt(STAGE, error))?;
    let columns = UsageColumns::of(record);
    let (start, end) = bounds(record.window)?;
    Ok(vec![
        columns.key.into(),
        sortable(record.raw_usage).into(),
        columns.usage_type.into(),
        start,
        end,
        columns.raw_usage.into(),
        columns.resource.into(),
        columns.vm.into(),
        columns.domain.into(),
        columns.account.into(),
        columns.project.into(),
        json.into(),
        entry.json.as_bytes().into(),
    ])
}

/// Merges all staged records into the usage of a cloud; within a transaction.
pub(super) fn merge(
    database: &mut Database,
    cloud: i64,
    at: DateTime<Utc>,
    complete: bool,
) -> Result<UsageCounts, StoreError> {
    let mut counts = UsageCounts::default();
    let mut after: Option<[u8; 16]> = None;
    while let Some(range) = next_range(database, after)? {
        merge_range(database, cloud, at, complete, &range, &mut counts)?;
        after = Some(range.last);
    }
    let values = (cloud, datetime(at)?);
    database.run(TABLE, WRITE_ADOPTED, values)?;
    Ok(counts)
}

/// Keys of the stage: those after `after`, up to and with `last`.
struct Range {
    after: Option<[u8; 16]>,
    last: [u8; 16],
}

impl Range {
    fn condition(&self) -> (&'static str, Vec<Value>) {
        match self.after {
            Some(after) => (
                "record_key > ? AND record_key <= ?",
                vec![after.into(), self.last.into()],
            ),
            None => ("record_key <= ?", vec![self.last.into()]),
        }
    }
}

fn next_range(
    database: &mut Database,
    after: Option<[u8; 16]>,
) -> Result<Option<Range>, StoreError> {
    let (condition, values) = match after {
        Some(after) => ("record_key > ?", vec![Value::from(after)]),
        None => ("TRUE", Vec::new()),
    };
    let sql = format!(
        "SELECT record_key FROM csb_stage WHERE {condition}
         ORDER BY record_key LIMIT {KEYS_AT_A_TIME}"
    );
    let keys = database.all(STAGE, &sql, positional(values), |row| row.short_hash(0))?;
    Ok(keys.last().map(|last| Range { after, last: *last }))
}

/// What a fetch, or the store, has of one record key: its usage, sorted.
#[derive(Default)]
struct OfKey {
    /// The first row's number in the stage; in the store that of the revision.
    number: i64,
    usage: Vec<String>,
}

fn merge_range(
    database: &mut Database,
    cloud: i64,
    at: DateTime<Utc>,
    complete: bool,
    range: &Range,
    counts: &mut UsageCounts,
) -> Result<(), StoreError> {
    let staged = staged(database, range)?;
    let stored = stored(database, cloud, range)?;
    let unknown = OfKey::default();
    let mut single = Vec::new();
    let mut revised = Vec::new();
    for (key, fetched) in &staged {
        let known = stored.get(key).unwrap_or(&unknown);
        let number = count(fetched.usage.len());
        let revision = match compare_multisets(&known.usage, &fetched.usage, complete) {
            MultisetChange::Unchanged => {
                counts.unchanged += number;
                continue;
            }
            MultisetChange::Deferred => {
                counts.deferred += number;
                continue;
            }
            MultisetChange::New => {
                counts.new += number;
                0
            }
            MultisetChange::Revised => {
                counts.revised += number;
                counts.superseded += count(known.usage.len());
                revised.push(*key);
                known.number + 1
            }
        };
        if fetched.usage.len() == 1 {
            single.push(vec![fetched.number.into(), revision.into(), 0_i64.into()]);
        } else {
            let key: Value = (*key).into();
            database.run(STAGE, ADOPT_TWINS, (revision, key))?;
        }
    }
    database.insert("csb_adopt", "stage_id, revision, copy", &single)?;
    for key in &revised {
        keep_first_domains(database, cloud, key)?;
    }
    close(database, cloud, at, &revised)
}

fn staged(database: &mut Database, range: &Range) -> Result<BTreeMap<[u8; 16], OfKey>, StoreError> {
    let (condition, values) = range.condition();
    let sql = format!(
        "SELECT record_key, sort_usage, id FROM csb_stage WHERE {condition}
         ORDER BY record_key, sort_usage, id"
    );
    let mut staged: BTreeMap<[u8; 16], OfKey> = BTreeMap::new();
    database.each(STAGE, &sql, positional(values), &mut |row| {
        let number = row.number(2)?;
        let of_key = staged.entry(row.short_hash(0)?).or_insert_with(|| OfKey {
            number,
            usage: Vec::new(),
        });
        of_key.usage.push(row.text(1)?);
        Ok(())
    })?;
    Ok(staged)
}

/// The usage that stands under the keys of a range.
fn stored(
    database: &mut Database,
    cloud: i64,
    range: &Range,
) -> Result<BTreeMap<[u8; 16], OfKey>, StoreError> {
    let (condition, mut values) = range.condition();
    values.push(cloud.into());
    let sql = format!(
        "SELECT u.record_key, u.raw_usage, u.revision
         FROM (SELECT DISTINCT record_key FROM csb_stage WHERE {condition}) k
         STRAIGHT_JOIN csb_usage u FORCE INDEX (csb_usage_key)
             ON u.cloud = ? AND u.record_key = k.record_key
         WHERE u.recorded_until IS NULL"
    );
    let mut stored: BTreeMap<[u8; 16], OfKey> = BTreeMap::new();
    database.each(TABLE, &sql, positional(values), &mut |row| {
        let of_key = stored.entry(row.short_hash(0)?).or_default();
        of_key.usage.push(sortable(decimal(&row, 1)?));
        of_key.number = row.number(2)?;
        Ok(())
    })?;
    for of_key in stored.values_mut() {
        of_key.usage.sort_unstable();
    }
    Ok(stored)
}

/// A DECIMAL column, which comes with all its zeros: more digits than a `Decimal` has room
/// for, so that they are taken off first. None of the others may be lost.
fn decimal(row: &Columns, column: usize) -> Result<Decimal, StoreError> {
    let text = row.text(column)?;
    let digits = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    Decimal::from_str_exact(digits).map_err(|error| row.corrupt(error))
}

/// Gives what is staged of a key the domain that the key was first stored with.
fn keep_first_domains(
    database: &mut Database,
    cloud: i64,
    key: &[u8; 16],
) -> Result<(), StoreError> {
    let sql = "SELECT record FROM csb_usage WHERE cloud = ? AND record_key = ?
        ORDER BY revision, copy LIMIT 1";
    let values = (cloud, Value::from(*key));
    let Some(first) = database.first(TABLE, sql, values)? else {
        return Ok(());
    };
    let first = parse_record(&first, 0)?;
    let sql = "SELECT id, record FROM csb_stage WHERE record_key = ?";
    let staged = database.all(STAGE, sql, (Value::from(*key),), |row| {
        Ok((row.number(0)?, parse_record(row, 1)?))
    })?;
    for (id, mut record) in staged {
        if keep_first_domain(&first, &mut record) {
            let json = serde_json::to_string(&record)
                .map_err(|error| database.failure.corrupt(STAGE, error))?;
            let sql = "UPDATE csb_stage SET domain = ?, record = ? WHERE id = ?";
            database.run(STAGE, sql, (record.owner.domain.to_string(), json, id))?;
        }
    }
    Ok(())
}

/// Closes what stands under these keys.
fn close(
    database: &mut Database,
    cloud: i64,
    at: DateTime<Utc>,
    keys: &[[u8; 16]],
) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE csb_usage SET recorded_until = ?
         WHERE cloud = ? AND record_key IN ({}) AND recorded_until IS NULL",
        placeholders(keys.len())
    );
    let mut values = vec![datetime(at)?, cloud.into()];
    values.extend(keys.iter().map(|key| Value::from(*key)));
    database.run(TABLE, &sql, positional(values))?;
    Ok(())
}

/// Values for the question marks of a statement; none at all is not an empty list.
pub(super) fn positional(values: Vec<Value>) -> Params {
    if values.is_empty() {
        Params::Empty
    } else {
        Params::Positional(values)
    }
}

/// Reads a record back from its column.
pub(super) fn parse_record(row: &Columns, column: usize) -> Result<UsageRecord, StoreError> {
    serde_json::from_str(&row.text(column)?).map_err(|error| row.corrupt(error))
}
