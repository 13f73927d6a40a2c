//! Writing and reading documents.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{Document, DocumentDigest, DocumentEntry, DocumentKind, StoreError};
use rusqlite::{Connection, Row, TransactionBehavior, params, params_from_iter};

use super::failure::Failure;
use super::time::{instant, millis};
use super::{SqliteStore, require_cloud};
use crate::document::{parse_digest, parse_kind, verified};

const TABLE: &str = "csb_document";

pub(super) fn record(
    store: &mut SqliteStore,
    cloud: &str,
    document: &Document,
) -> Result<bool, StoreError> {
    let entry = document.entry();
    let failure = &store.failure;
    let failed = failure.of(TABLE);
    let transaction = store
        .connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&failed)?;
    let cloud = require_cloud(&transaction, failure, cloud)?;
    let last = entries(
        &transaction,
        failure,
        "cloud = ? AND kind = ? AND name = ? ORDER BY id DESC LIMIT 1",
        &[&cloud, &entry.kind.name(), &entry.name],
    )?;
    if !entry.adds_to(last.first().map(|(_, last)| last))? {
        return Ok(false);
    }
    let sql =
        "INSERT INTO csb_document (cloud, kind, name, digest, length, author, recorded, content)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let values = params![
        cloud,
        entry.kind.name(),
        entry.name,
        entry.digest.as_bytes(),
        i64::try_from(entry.length).unwrap_or(i64::MAX),
        entry.author,
        millis(entry.recorded),
        document.content
    ];
    transaction.execute(sql, values).map_err(&failed)?;
    transaction.commit().map_err(&failed)?;
    Ok(true)
}

pub(super) fn list(
    store: &SqliteStore,
    cloud: &str,
    kind: Option<DocumentKind>,
) -> Result<Vec<DocumentEntry>, StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(Vec::new());
    };
    let kind = kind.map(DocumentKind::name);
    let found = entries(
        &store.connection,
        &store.failure,
        "cloud = ?1 AND (?2 IS NULL OR kind = ?2) ORDER BY recorded, id",
        &[&cloud, &kind],
    )?;
    Ok(found.into_iter().map(|(_, entry)| entry).collect())
}

pub(super) fn newest(
    store: &SqliteStore,
    cloud: &str,
    kind: DocumentKind,
    name: &str,
    as_known_on: Option<DateTime<Utc>>,
) -> Result<Option<Document>, StoreError> {
    let until = as_known_on.map_or(i64::MAX, millis);
    one(
        store,
        cloud,
        "cloud = ? AND kind = ? AND name = ? AND recorded <= ? ORDER BY id DESC LIMIT 1",
        &[&kind.name(), &name, &until],
    )
}

pub(super) fn by_digest(
    store: &SqliteStore,
    cloud: &str,
    digest: &DocumentDigest,
) -> Result<Option<Document>, StoreError> {
    one(
        store,
        cloud,
        "cloud = ? AND digest = ? ORDER BY id LIMIT 1",
        &[digest.as_bytes()],
    )
}

/// The first document that matches, with its text; `values` follow the cloud.
fn one(
    store: &SqliteStore,
    cloud: &str,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Option<Document>, StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(None);
    };
    let failure = &store.failure;
    let mut all: Vec<&dyn rusqlite::ToSql> = vec![&cloud];
    all.extend(values);
    let found = entries(&store.connection, failure, condition, &all)?;
    let Some((id, entry)) = found.into_iter().next() else {
        return Ok(None);
    };
    let content: String = store
        .connection
        .query_row(
            "SELECT content FROM csb_document WHERE id = ?",
            [id],
            |row| row.get(0),
        )
        .map_err(failure.of(TABLE))?;
    let document = verified(entry, content).map_err(|error| failure.corrupt(TABLE, error))?;
    Ok(Some(document))
}

fn entries(
    connection: &Connection,
    failure: &Failure,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<(i64, DocumentEntry)>, StoreError> {
    let failed = failure.of(TABLE);
    let sql = format!(
        "SELECT id, kind, name, digest, length, author, recorded FROM csb_document WHERE {condition}"
    );
    let mut statement = connection.prepare_cached(&sql).map_err(&failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(&failed)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(&failed)? {
        entries.push((row.get(0).map_err(&failed)?, entry(row, failure)?));
    }
    Ok(entries)
}

fn entry(row: &Row<'_>, failure: &Failure) -> Result<DocumentEntry, StoreError> {
    let failed = failure.of(TABLE);
    let corrupt = |error: String| failure.corrupt(TABLE, error);
    let text = |column| row.get::<_, String>(column).map_err(&failed);
    let number = |column| row.get::<_, i64>(column).map_err(&failed);
    let digest: Vec<u8> = row.get(3).map_err(&failed)?;
    Ok(DocumentEntry {
        kind: parse_kind(&text(1)?).map_err(corrupt)?,
        name: text(2)?,
        digest: parse_digest(&digest).map_err(corrupt)?,
        length: u64::try_from(number(4)?).unwrap_or(0),
        author: text(5)?,
        recorded: instant(number(6)?, TABLE, failure)?,
    })
}
