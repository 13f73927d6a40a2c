//! Writing and reading documents.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    Document, DocumentDigest, DocumentEntry, DocumentKind, StoreError, StoreErrorKind,
};
use mysql::Value;

use super::database::{Columns, Database};
use super::time::{datetime, search_bound};
use super::usage::positional;
use super::{cloud_id, migration, require_cloud};
use crate::document::{parse_digest, parse_kind, verified};

const TABLE: &str = "csb_document";
/// Seconds to wait for another program that records.
const WAIT: u32 = 30;

pub(super) fn record(
    database: &mut Database,
    cloud: &str,
    document: &Document,
) -> Result<bool, StoreError> {
    // of two programs that record at once the second has to see what the first one did
    let lock = migration::document_lock(database, cloud)?;
    if !database.lock(&lock, WAIT)? {
        let place = database.failure.place();
        let message = format!("another program is recording documents in {place}; try again later");
        return Err(StoreError::new(StoreErrorKind::Busy, message));
    }
    let added = database.transaction(|database| add(database, cloud, document));
    database.unlock(&lock);
    added
}

fn add(database: &mut Database, cloud: &str, document: &Document) -> Result<bool, StoreError> {
    let entry = document.entry();
    let cloud = require_cloud(database, cloud)?;
    let condition = "cloud = ? AND kind = ? AND name = ? ORDER BY id DESC LIMIT 1";
    let values = vec![
        cloud.into(),
        entry.kind.name().into(),
        entry.name.as_str().into(),
    ];
    let last = entries(database, condition, values)?;
    if !entry.adds_to(last.first().map(|(_, last)| last))? {
        return Ok(false);
    }
    let row = vec![
        cloud.into(),
        entry.kind.name().into(),
        entry.name.as_str().into(),
        entry.digest.as_bytes().into(),
        entry.length.into(),
        entry.author.as_str().into(),
        datetime(entry.recorded)?,
        document.content.as_bytes().into(),
    ];
    let columns = "cloud, kind, name, digest, length, author, recorded, content";
    database.insert(TABLE, columns, &[row])?;
    Ok(true)
}

pub(super) fn list(
    database: &mut Database,
    cloud: &str,
    kind: Option<DocumentKind>,
) -> Result<Vec<DocumentEntry>, StoreError> {
    let Some(cloud) = cloud_id(database, cloud)? else {
        return Ok(Vec::new());
    };
    let mut values = vec![Value::from(cloud)];
    let of_kind = match kind {
        Some(kind) => {
            values.push(kind.name().into());
            " AND kind = ?"
        }
        None => "",
    };
    let condition = format!("cloud = ?{of_kind} ORDER BY recorded, id");
    let found = entries(database, &condition, values)?;
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

pub(super) fn newest(
    database: &mut Database,
    cloud: &str,
    kind: DocumentKind,
    name: &str,
    as_known_on: Option<DateTime<Utc>>,
) -> Result<Option<Document>, StoreError> {
    let until = search_bound(as_known_on.unwrap_or(DateTime::<Utc>::MAX_UTC));
    one(
        database,
        cloud,
        "cloud = ? AND kind = ? AND name = ? AND recorded <= ? ORDER BY id DESC LIMIT 1",
        vec![kind.name().into(), name.into(), until],
    )
}

pub(super) fn by_digest(
    database: &mut Database,
    cloud: &str,
    digest: &DocumentDigest,
) -> Result<Option<Document>, StoreError> {
    let condition = "cloud = ? AND digest = ? ORDER BY id LIMIT 1";
    one(database, cloud, condition, vec![digest.as_bytes().into()])
}

/// The first document that matches, with its text; `values` follow the cloud.
fn one(
    database: &mut Database,
    cloud: &str,
    condition: &str,
    mut values: Vec<Value>,
) -> Result<Option<Document>, StoreError> {
    let Some(cloud) = cloud_id(database, cloud)? else {
        return Ok(None);
    };
    values.insert(0, cloud.into());
    let Some((id, entry)) = entries(database, condition, values)?.into_iter().next() else {
        return Ok(None);
    };
    let sql = "SELECT content FROM csb_document WHERE id = ?";
    let Some(row) = database.first(TABLE, sql, (id,))? else {
        return Ok(None);
    };
    let content = String::from_utf8(row.bytes(0)?).map_err(|error| row.corrupt(error))?;
    let document = verified(entry, content).map_err(|error| row.corrupt(error))?;
    Ok(Some(document))
}

fn entries(
    database: &mut Database,
    condition: &str,
    values: Vec<Value>,
) -> Result<Vec<(i64, DocumentEntry)>, StoreError> {
    let sql = format!(
        "SELECT id, kind, name, digest, length, author, recorded FROM csb_document WHERE {condition}"
    );
    database.all(TABLE, &sql, positional(values), |row| {
        Ok((row.number(0)?, entry(row)?))
    })
}

fn entry(row: &Columns) -> Result<DocumentEntry, StoreError> {
    Ok(DocumentEntry {
        kind: parse_kind(&row.text(1)?).map_err(|error| row.corrupt(error))?,
        name: row.text(2)?,
        digest: parse_digest(&row.bytes(3)?).map_err(|error| row.corrupt(error))?,
        length: u64::try_from(row.number(4)?).unwrap_or(0),
        author: row.text(5)?,
        recorded: row.instant(6)?,
    })
}
