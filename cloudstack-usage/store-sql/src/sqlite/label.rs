//! Writing and reading labels.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    Label, LabelChange, LabelTarget, LabelVersion, StoreError, to_millisecond,
};
use cloudstack_usage::{Period, ResourceId};
use rusqlite::{Connection, Row, TransactionBehavior, params};

use super::failure::Failure;
use super::time::{instant, millis, period};
use super::{SqliteStore, require_cloud};

const TABLE: &str = "csb_label";

pub(super) fn set(store: &mut SqliteStore, cloud: &str, label: &Label) -> Result<bool, StoreError> {
    label.check()?;
    let label = label.clone().to_millisecond();
    change(store, cloud, &label.author, label.recorded, |in_force| {
        LabelChange::set(in_force, &label)
    })
}

pub(super) fn clear(
    store: &mut SqliteStore,
    cloud: &str,
    target: &LabelTarget,
    period: Period,
    author: &str,
    recorded: DateTime<Utc>,
) -> Result<bool, StoreError> {
    if store.cloud_id(cloud)?.is_none() {
        return Ok(false);
    }
    let recorded = to_millisecond(recorded);
    change(store, cloud, author, recorded, |in_force| {
        LabelChange::clear(in_force, target, period, recorded)
    })
}

/// Changes the labels in force, in one transaction.
fn change(
    store: &mut SqliteStore,
    cloud: &str,
    author: &str,
    recorded: DateTime<Utc>,
    change: impl FnOnce(&[Label]) -> Result<LabelChange, StoreError>,
) -> Result<bool, StoreError> {
    let failure = &store.failure;
    let failed = failure.of(TABLE);
    let transaction = store
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    let cloud = require_cloud(&transaction, failure, cloud)?;
    let (ids, in_force): (Vec<i64>, Vec<Label>) = rows(&transaction, failure, cloud, true)?
        .into_iter()
        .map(|(id, version)| (id, version.label))
        .unzip();
    let change = change(&in_force)?;
    if change.withdrawn.is_empty() && change.added.is_empty() {
        return Ok(false);
    }
    for id in change
        .withdrawn
        .iter()
        .filter_map(|position| ids.get(*position))
    {
        let sql = "UPDATE csb_label SET recorded_until = ?, withdrawn_by = ? WHERE id = ?";
        transaction
            .execute(sql, params![millis(recorded), author, id])
            .map_err(&failed)?;
    }
    for label in &change.added {
        insert(&transaction, cloud, label).map_err(&failed)?;
    }
    transaction.commit().map_err(&failed)?;
    Ok(true)
}

fn insert(connection: &Connection, cloud: i64, label: &Label) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO csb_label (cloud, resource_type, resource, key, value, valid_from,
        valid_until, author, recorded_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection.execute(
        sql,
        params![
            cloud,
            label.target.resource_type,
            label.target.resource.to_string(),
            label.target.key,
            label.value,
            millis(label.valid.start()),
            millis(label.valid.end()),
            label.author,
            millis(label.recorded)
        ],
    )
}

/// Every label that was ever in force, sorted.
pub(super) fn versions(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
) -> Result<Vec<LabelVersion>, StoreError> {
    let rows = rows(connection, failure, cloud, false)?;
    let mut versions: Vec<LabelVersion> = rows.into_iter().map(|(_, version)| version).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn rows(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    in_force_only: bool,
) -> Result<Vec<(i64, LabelVersion)>, StoreError> {
    let failed = failure.of(TABLE);
    let sql = "SELECT id, resource_type, resource, key, value, valid_from, valid_until, author,
            recorded_from, recorded_until, withdrawn_by
        FROM csb_label WHERE cloud = ?1 AND (recorded_until IS NULL OR NOT ?2) ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = statement
        .query(params![cloud, in_force_only])
        .map_err(&failed)?;
    let mut versions = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        versions.push((row.get(0).map_err(&failed)?, version(row, failure)?));
    }
    Ok(versions)
}

fn version(row: &Row<'_>, failure: &Failure) -> Result<LabelVersion, StoreError> {
    let failed = failure.of(TABLE);
    let text = |column| row.get::<_, String>(column).map_err(&failed);
    let number = |column| row.get::<_, i64>(column).map_err(&failed);
    let until: Option<i64> = row.get(9).map_err(&failed)?;
    Ok(LabelVersion {
        label: Label {
            target: LabelTarget {
                resource_type: text(1)?,
                resource: ResourceId::new(&text(2)?),
                key: text(3)?,
            },
            value: text(4)?,
            valid: period(number(5)?, number(6)?, TABLE, failure)?,
            author: text(7)?,
            recorded: instant(number(8)?, TABLE, failure)?,
        },
        recorded_until: until.map(|at| instant(at, TABLE, failure)).transpose()?,
        withdrawn_by: row.get(10).map_err(&failed)?,
    })
}
