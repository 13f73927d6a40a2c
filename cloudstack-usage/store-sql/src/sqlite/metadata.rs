//! Writing and reading snapshots of the metadata.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use cloudstack_usage::Kind;
use cloudstack_usage::store::{
    Entity, SnapshotAssembler, SnapshotCounts, SnapshotSink, StoreError, kind_name,
};
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::failure::Failure;
use super::time::{instant, millis};
use crate::columns::{count, kinds_json, parse_kind, parse_kinds};

/// A snapshot as it goes into the database.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) entities: Vec<Entity>,
    pub(super) complete: BTreeSet<Kind>,
    pub(super) vm_events_from: Option<DateTime<Utc>>,
}

/// An entry, by its row and what kind it is, is found again by its content and its number among
/// identical ones.
type Standing = BTreeMap<([u8; 16], i64), (i64, Kind)>;

/// Stores a snapshot; within a transaction. One that says what the last one of the same
/// moment said adds nothing.
pub(super) fn put(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    at: i64,
    staged: &Staged,
) -> Result<SnapshotCounts, StoreError> {
    let mut standing = standing(connection, failure, cloud)?;
    let mut counts = SnapshotCounts::default();
    let mut appeared = Vec::new();
    for (entity, fingerprint, copy) in numbered(&staged.entities) {
        if standing.remove(&(fingerprint, copy)).is_some() {
            counts.unchanged += 1;
        } else {
            counts.appeared += 1;
            appeared.push((entity, fingerprint, copy));
        }
    }
    let vanished = standing.values().filter(|(_, kind)| !kind.is_event());
    counts.vanished = count(vanished.count());

    let last = last_snapshot(connection, failure, cloud)?;
    counts.completeness_changed = last
        .as_ref()
        .is_some_and(|last| last.complete != staged.complete);
    let same = counts.appeared == 0 && standing.is_empty() && !counts.completeness_changed;
    let events_from = staged.vm_events_from.map(millis);
    if same && last.is_some_and(|last| last.at == at && last.vm_events_from == events_from) {
        return Ok(counts);
    }
    let snapshot = insert_snapshot(connection, failure, cloud, at, staged)?;
    for (id, _) in standing.into_values() {
        connection
            .prepare_cached("UPDATE csb_entity SET until_snapshot = ? WHERE id = ?")
            .and_then(|mut statement| statement.execute(params![snapshot, id]))
            .map_err(failure.of("csb_entity"))?;
    }
    for (entity, fingerprint, copy) in appeared {
        insert_entity(connection, cloud, snapshot, entity, fingerprint, copy)
            .map_err(failure.of("csb_entity"))?;
    }
    Ok(counts)
}

/// The entries with their fingerprints and their numbers among identical ones.
fn numbered(entities: &[Entity]) -> impl Iterator<Item = (&Entity, [u8; 16], i64)> {
    let mut seen: BTreeMap<[u8; 16], i64> = BTreeMap::new();
    entities.iter().map(move |entity| {
        let fingerprint = entity.fingerprint();
        let next = seen.entry(fingerprint).or_default();
        let copy = *next;
        *next += 1;
        (entity, fingerprint, copy)
    })
}

fn standing(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
) -> Result<Standing, StoreError> {
    let sql = "SELECT fingerprint, copy, id, kind FROM csb_entity
        WHERE cloud = ? AND until_snapshot IS NULL";
    let rows: Vec<([u8; 16], i64, i64, String)> = connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            let rows = statement.query_map([cloud], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect()
        })
        .map_err(failure.of("csb_entity"))?;
    rows.into_iter()
        .map(|(fingerprint, copy, id, kind)| {
            let kind = parse_kind(&kind).map_err(|error| failure.corrupt("csb_entity", error))?;
            Ok(((fingerprint, copy), (id, kind)))
        })
        .collect()
}

/// What is noted of a snapshot as a whole.
struct Seen {
    at: i64,
    complete: BTreeSet<Kind>,
    vm_events_from: Option<i64>,
}

/// What is noted of the last snapshot.
fn last_snapshot(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
) -> Result<Option<Seen>, StoreError> {
    let sql = "SELECT at, complete, vm_events_from FROM csb_snapshot
        WHERE cloud = ? ORDER BY id DESC LIMIT 1";
    let row: Option<(i64, String, Option<i64>)> = connection
        .query_row(sql, [cloud], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()
        .map_err(failure.of("csb_snapshot"))?;
    row.map(|(at, complete, vm_events_from)| {
        let complete =
            parse_kinds(&complete).map_err(|error| failure.corrupt("csb_snapshot", error))?;
        Ok(Seen {
            at,
            complete,
            vm_events_from,
        })
    })
    .transpose()
}

fn insert_snapshot(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    at: i64,
    staged: &Staged,
) -> Result<i64, StoreError> {
    let json =
        kinds_json(&staged.complete).map_err(|error| failure.corrupt("csb_snapshot", error))?;
    connection
        .execute(
            "INSERT INTO csb_snapshot (cloud, at, complete, vm_events_from) VALUES (?, ?, ?, ?)",
            params![cloud, at, json, staged.vm_events_from.map(millis)],
        )
        .map_err(failure.of("csb_snapshot"))?;
    Ok(connection.last_insert_rowid())
}

fn insert_entity(
    connection: &Connection,
    cloud: i64,
    snapshot: i64,
    entity: &Entity,
    fingerprint: [u8; 16],
    copy: i64,
) -> rusqlite::Result<usize> {
    let sql = "INSERT INTO csb_entity
        (cloud, kind, resource, name, fingerprint, copy, first_snapshot, entry)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute(params![
        cloud,
        kind_name(entity.kind),
        entity.resource,
        entity.name,
        fingerprint,
        copy,
        snapshot,
        entity.json
    ])
}

/// Reads the snapshots one after the other: what stays between two is read once.
pub(super) fn snapshots(
    store: &SqliteStore,
    cloud: &str,
    as_known_on: Option<DateTime<Utc>>,
    sink: &mut SnapshotSink<'_>,
) -> Result<(), StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(());
    };
    let failure = &store.failure;
    // one view of the database for all that follows, whatever others write meanwhile
    let view = store
        .connection
        .unchecked_transaction()
        .map_err(failure.of("csb_snapshot"))?;
    let mut assembler = SnapshotAssembler::new();
    for (id, at, complete, events_from) in list(&view, failure, cloud, as_known_on)? {
        advance(&view, failure, cloud, id, &mut assembler)?;
        let instant = |millis| instant(millis, "csb_snapshot", failure);
        let complete =
            parse_kinds(&complete).map_err(|error| failure.corrupt("csb_snapshot", error))?;
        let events_from = events_from.map(instant).transpose()?;
        sink(assembler.at(instant(at)?, complete, events_from))?;
    }
    Ok(())
}

/// Number, moment, complete kinds and beginning of the events of a snapshot, as stored.
type Listed = (i64, i64, String, Option<i64>);

/// The snapshots, in order.
fn list(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    as_known_on: Option<DateTime<Utc>>,
) -> Result<Vec<Listed>, StoreError> {
    let until = as_known_on.map_or(i64::MAX, millis);
    connection
        .prepare(
            "SELECT id, at, complete, vm_events_from FROM csb_snapshot
             WHERE cloud = ? AND at <= ? ORDER BY id",
        )
        .and_then(|mut statement| {
            let rows = statement.query_map([cloud, until], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?;
            rows.collect()
        })
        .map_err(failure.of("csb_snapshot"))
}

/// What vanished and appeared with one snapshot.
fn advance(
    connection: &Connection,
    failure: &Failure,
    cloud: i64,
    snapshot: i64,
    assembler: &mut SnapshotAssembler,
) -> Result<(), StoreError> {
    let failed = failure.of("csb_entity");
    let sql = "SELECT id, kind FROM csb_entity WHERE cloud = ? AND until_snapshot = ?";
    let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = statement.query([cloud, snapshot]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let kind: String = row.get(1).map_err(&failed)?;
        let kind = parse_kind(&kind).map_err(|error| failure.corrupt("csb_entity", error))?;
        assembler.remove(kind, row.get(0).map_err(&failed)?);
    }
    let sql = "SELECT id, kind, entry FROM csb_entity
        WHERE cloud = ? AND first_snapshot = ? ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(&failed)?;
    let mut rows = statement.query([cloud, snapshot]).map_err(&failed)?;
    while let Some(row) = rows.next().map_err(&failed)? {
        let kind: String = row.get(1).map_err(&failed)?;
        let kind = parse_kind(&kind).map_err(|error| failure.corrupt("csb_entity", error))?;
        let entry: String = row.get(2).map_err(&failed)?;
        assembler.insert(kind, row.get(0).map_err(&failed)?, &entry)?;
    }
    Ok(())
}
