//! Writing and reading labels.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    Label, LabelChange, LabelTarget, LabelVersion, StoreError, to_millisecond,
};
use cloudstack_usage::{Period, ResourceId};
use mysql::Value;

use super::database::{Columns, Database};
use super::time::{bounds, datetime};
use super::{cloud_id, require_cloud};

const TABLE: &str = "csb_label";

pub(super) fn set(database: &mut Database, cloud: &str, label: &Label) -> Result<bool, StoreError> {
    label.check()?;
    let label = label.clone().to_millisecond();
    change(database, cloud, &label.author, label.recorded, |in_force| {
        LabelChange::set(in_force, &label)
    })
}

pub(super) fn clear(
    database: &mut Database,
    cloud: &str,
    target: &LabelTarget,
    period: Period,
    author: &str,
    recorded: DateTime<Utc>,
) -> Result<bool, StoreError> {
    if cloud_id(database, cloud)?.is_none() {
        return Ok(false);
    }
    let recorded = to_millisecond(recorded);
    change(database, cloud, author, recorded, |in_force| {
        LabelChange::clear(in_force, target, period, recorded)
    })
}

/// Changes the labels in force, in one transaction.
fn change(
    database: &mut Database,
    cloud: &str,
    author: &str,
    recorded: DateTime<Utc>,
    change: impl FnOnce(&[Label]) -> Result<LabelChange, StoreError>,
) -> Result<bool, StoreError> {
    database.transaction(|database| {
        let cloud = require_cloud(database, cloud)?;
        let (ids, in_force): (Vec<i64>, Vec<Label>) = rows(database, cloud, true)?
            .into_iter()
            .map(|(id, version)| (id, version.label))
            .unzip();
        let change = change(&in_force)?;
        for id in change
            .withdrawn
            .iter()
            .filter_map(|position| ids.get(*position))
        {
            let sql = "UPDATE csb_label SET recorded_until = ?, withdrawn_by = ? WHERE id = ?";
            database.run(TABLE, sql, (datetime(recorded)?, author, id))?;
        }
        let mut added = Vec::with_capacity(change.added.len());
        for label in &change.added {
            added.push(values(cloud, label)?);
        }
        let columns = "cloud, resource_type, resource, `key`, value, valid_from, valid_until,
            author, recorded_from";
        database.insert(TABLE, columns, &added)?;
        Ok(!change.withdrawn.is_empty() || !change.added.is_empty())
    })
}

fn values(cloud: i64, label: &Label) -> Result<Vec<Value>, StoreError> {
    let (from, until) = bounds(label.valid)?;
    Ok(vec![
        cloud.into(),
        label.target.resource_type.as_str().into(),
        label.target.resource.to_string().into(),
        label.target.key.as_str().into(),
        label.value.as_str().into(),
        from,
        until,
        label.author.as_str().into(),
        datetime(label.recorded)?,
    ])
}

/// Every label that was ever in force, sorted.
pub(super) fn versions(
    database: &mut Database,
    cloud: &str,
) -> Result<Vec<LabelVersion>, StoreError> {
    let Some(cloud) = cloud_id(database, cloud)? else {
        return Ok(Vec::new());
    };
    let rows = rows(database, cloud, false)?;
    let mut versions: Vec<LabelVersion> = rows.into_iter().map(|(_, version)| version).collect();
    versions.sort_unstable();
    Ok(versions)
}

fn rows(
    database: &mut Database,
    cloud: i64,
    in_force_only: bool,
) -> Result<Vec<(i64, LabelVersion)>, StoreError> {
    let sql = "SELECT id, resource_type, resource, `key`, value, valid_from, valid_until, author,
            recorded_from, recorded_until, withdrawn_by
        FROM csb_label WHERE cloud = ? AND (recorded_until IS NULL OR NOT ?) ORDER BY id";
    database.all(TABLE, sql, (cloud, in_force_only), |row| {
        Ok((row.number(0)?, version(row)?))
    })
}

fn version(row: &Columns) -> Result<LabelVersion, StoreError> {
    Ok(LabelVersion {
        label: Label {
            target: LabelTarget {
                resource_type: row.text(1)?,
                resource: ResourceId::new(&row.text(2)?),
                key: row.text(3)?,
            },
            value: row.text(4)?,
            valid: row.period(5, 6)?,
            author: row.text(7)?,
            recorded: row.instant(8)?,
        },
        recorded_until: row.optional_instant(9)?,
        withdrawn_by: row.optional_text(10)?,
    })
}
