//! Writing and reading snapshots of the metadata.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use cloudstack_usage::Kind;
use cloudstack_usage::store::{
    Entity, SnapshotAssembler, SnapshotCounts, SnapshotSink, StoreError, kind_name,
};
use mysql::Value;

use super::cloud_id;
use super::database::{Database, ROWS_A_STATEMENT, placeholders};
use super::time::{datetime, search_bound};
use super::usage::positional;
use crate::columns::{count, kinds_json, parse_kind, parse_kinds};

const TABLE: &str = "csb_entity";
const SNAPSHOTS: &str = "csb_snapshot";

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
    database: &mut Database,
    cloud: i64,
    at: DateTime<Utc>,
    staged: &Staged,
) -> Result<SnapshotCounts, StoreError> {
    let mut standing = standing(database, cloud)?;
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

    let last = last_snapshot(database, cloud)?;
    counts.completeness_changed = last
        .as_ref()
        .is_some_and(|last| last.complete != staged.complete);
    let same = counts.appeared == 0 && standing.is_empty() && !counts.completeness_changed;
    let is_as_known = |last: Seen| last.at == at && last.vm_events_from == staged.vm_events_from;
    if same && last.is_some_and(is_as_known) {
        return Ok(counts);
    }
    let snapshot = insert_snapshot(database, cloud, at, staged)?;
    let vanished: Vec<i64> = standing.into_values().map(|(id, _)| id).collect();
    close(database, snapshot, &vanished)?;
    let rows: Vec<Vec<Value>> = appeared
        .into_iter()
        .map(|(entity, fingerprint, copy)| {
            vec![
                cloud.into(),
                kind_name(entity.kind).into(),
                entity.resource.as_str().into(),
                entity.name.as_str().into(),
                fingerprint.into(),
                copy.into(),
                snapshot.into(),
                entity.json.as_str().into(),
            ]
        })
        .collect();
    let columns = "cloud, kind, resource, name, fingerprint, copy, first_snapshot, entry";
    database.insert(TABLE, columns, &rows)?;
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

fn standing(database: &mut Database, cloud: i64) -> Result<Standing, StoreError> {
    let sql = "SELECT fingerprint, copy, id, kind FROM csb_entity
        WHERE cloud = ? AND until_snapshot IS NULL";
    let mut standing = Standing::new();
    database.each(TABLE, sql, (cloud,), &mut |row| {
        let kind = parse_kind(&row.text(3)?).map_err(|error| row.corrupt(error))?;
        standing.insert((row.short_hash(0)?, row.number(1)?), (row.number(2)?, kind));
        Ok(())
    })?;
    Ok(standing)
}

fn close(database: &mut Database, snapshot: i64, ids: &[i64]) -> Result<(), StoreError> {
    for ids in ids.chunks(ROWS_A_STATEMENT) {
        let sql = format!(
            "UPDATE csb_entity SET until_snapshot = ? WHERE id IN ({})",
            placeholders(ids.len())
        );
        let mut values = vec![Value::from(snapshot)];
        values.extend(ids.iter().map(|id| Value::from(*id)));
        database.run(TABLE, &sql, positional(values))?;
    }
    Ok(())
}

/// What is noted of a snapshot as a whole.
struct Seen {
    at: DateTime<Utc>,
    complete: BTreeSet<Kind>,
    vm_events_from: Option<DateTime<Utc>>,
}

/// What is noted of the last snapshot.
fn last_snapshot(database: &mut Database, cloud: i64) -> Result<Option<Seen>, StoreError> {
    let sql = "SELECT at, complete, vm_events_from FROM csb_snapshot
        WHERE cloud = ? ORDER BY id DESC LIMIT 1";
    let Some(row) = database.first(SNAPSHOTS, sql, (cloud,))? else {
        return Ok(None);
    };
    let complete = parse_kinds(&row.text(1)?).map_err(|error| row.corrupt(error))?;
    Ok(Some(Seen {
        at: row.instant(0)?,
        complete,
        vm_events_from: row.optional_instant(2)?,
    }))
}

fn insert_snapshot(
    database: &mut Database,
    cloud: i64,
    at: DateTime<Utc>,
    staged: &Staged,
) -> Result<i64, StoreError> {
    let json =
        kinds_json(&staged.complete).map_err(|error| database.failure.corrupt(SNAPSHOTS, error))?;
    let events_from = staged.vm_events_from.map(datetime).transpose()?;
    let sql = "INSERT INTO csb_snapshot (cloud, at, complete, vm_events_from) VALUES (?, ?, ?, ?)";
    database.run(SNAPSHOTS, sql, (cloud, datetime(at)?, json, events_from))?;
    Ok(database.last_id())
}

/// Reads the snapshots one after the other: what stays between two is read once.
pub(super) fn snapshots(
    database: &mut Database,
    cloud: &str,
    as_known_on: Option<DateTime<Utc>>,
    sink: &mut SnapshotSink<'_>,
) -> Result<(), StoreError> {
    let Some(cloud) = cloud_id(database, cloud)? else {
        return Ok(());
    };
    let until = search_bound(as_known_on.unwrap_or(DateTime::<Utc>::MAX_UTC));
    let sql = "SELECT id, at, complete, vm_events_from FROM csb_snapshot
        WHERE cloud = ? AND at <= ? ORDER BY id";
    let list = database.all(SNAPSHOTS, sql, (cloud, until), |row| {
        let complete = parse_kinds(&row.text(2)?).map_err(|error| row.corrupt(error))?;
        let events_from = row.optional_instant(3)?;
        Ok((row.number(0)?, row.instant(1)?, complete, events_from))
    })?;
    let mut assembler = SnapshotAssembler::new();
    for (id, at, complete, events_from) in list {
        advance(database, cloud, id, &mut assembler)?;
        sink(assembler.at(at, complete, events_from))?;
    }
    Ok(())
}

/// What vanished and appeared with one snapshot.
fn advance(
    database: &mut Database,
    cloud: i64,
    snapshot: i64,
    assembler: &mut SnapshotAssembler,
) -> Result<(), StoreError> {
    let sql = "SELECT id, kind FROM csb_entity WHERE cloud = ? AND until_snapshot = ?";
    database.each(TABLE, sql, (cloud, snapshot), &mut |row| {
        let kind = parse_kind(&row.text(1)?).map_err(|error| row.corrupt(error))?;
        assembler.remove(kind, row.number(0)?);
        Ok(())
    })?;
    let sql = "SELECT id, kind, entry FROM csb_entity
        WHERE cloud = ? AND first_snapshot = ? ORDER BY id";
    database.each(TABLE, sql, (cloud, snapshot), &mut |row| {
        let kind = parse_kind(&row.text(1)?).map_err(|error| row.corrupt(error))?;
        assembler.insert(kind, row.number(0)?, &row.text(2)?)
    })
}
