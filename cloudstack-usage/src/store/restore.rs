//! Merging what an archive holds of one record key with what is stored of it meanwhile.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::error::{StoreError, StoreErrorKind};
use super::merge::{MultisetChange, compare_multisets, keep_first_domain};
use super::retention::{RecordVersion, text_of};
use super::sync::SyncEntry;

/// What a store has to hold of a key once its archive is back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoredKey {
    /// What it holds already.
    Unchanged,
    /// What the archive holds: the store has nothing of the key.
    Added,
    /// These rows, by revision and copy, in the place of what it holds.
    Replaced(Vec<RecordVersion>),
}

/// Merges the rows of one key in an archive with those in the store, both by revision and
/// copy, as if the key had never left the store:
///
/// - rows that the store has (again, or since they never left) stay, with what came after
///   them;
/// - what came while the archive was away is compared with what stood before: the same usage
///   says nothing new, other usage is a revision from the moment at which it came. What came
///   of a fetch that could not read everything only adds, as in any sync; `was_complete` tells
///   by the moment of the sync.
///
/// # Errors
/// When the store holds other rows of the same time: the archive is not of this store.
pub fn restore_key(
    archived: &[RecordVersion],
    stored: &[RecordVersion],
    was_complete: &dyn Fn(DateTime<Utc>) -> bool,
) -> Result<RestoredKey, StoreError> {
    if stored.is_empty() {
        return Ok(RestoredKey::Added);
    }
    let never_left = stored
        .iter()
        .any(|row| archived.iter().any(|other| is_same_row(row, other)));
    let rows = if never_left {
        united(archived, stored)?
    } else {
        replayed(archived, stored, was_complete)?
    };
    Ok(if rows == stored {
        RestoredKey::Unchanged
    } else {
        RestoredKey::Replaced(rows)
    })
}

/// Whether two rows are one, which may have been closed meanwhile.
fn is_same_row(left: &RecordVersion, right: &RecordVersion) -> bool {
    (left.revision, left.copy) == (right.revision, right.copy)
        && left.stored.recorded_from == right.stored.recorded_from
        && left.text == right.text
        && left.stored.json == right.stored.json
}

/// The rows of both; where both have one, with the end that either knows.
fn united(
    archived: &[RecordVersion],
    stored: &[RecordVersion],
) -> Result<Vec<RecordVersion>, StoreError> {
    let mut rows = stored.to_vec();
    for row in archived {
        let place = (row.revision, row.copy);
        let known = rows
            .iter_mut()
            .find(|known| (known.revision, known.copy) == place);
        match known {
            None => rows.push(row.clone()),
            Some(known) if is_same_row(known, row) => {
                let (ours, theirs) = (known.stored.recorded_until, row.stored.recorded_until);
                if ours.is_some() && theirs.is_some() && ours != theirs {
                    return Err(foreign(row));
                }
                known.stored.recorded_until = ours.or(theirs);
            }
            Some(_) => return Err(foreign(row)),
        }
    }
    rows.sort_by_key(|row| (row.revision, row.copy));
    Ok(rows)
}

/// What came late, sync by sync, on top of what the archive holds.
fn replayed(
    archived: &[RecordVersion],
    late: &[RecordVersion],
    was_complete: &dyn Fn(DateTime<Utc>) -> bool,
) -> Result<Vec<RecordVersion>, StoreError> {
    let mut rows = archived.to_vec();
    let newest = rows.iter().flat_map(|row| {
        let stored = &row.stored;
        [Some(stored.recorded_from), stored.recorded_until]
    });
    let newest = newest.flatten().max();
    for came in late.chunk_by(|left, right| left.revision == right.revision) {
        let Some(at) = came.first().map(|row| row.stored.recorded_from) else {
            continue;
        };
        if newest.is_some_and(|newest| at < newest) {
            return Err(came.first().map_or_else(unknown, foreign));
        }
        let standing = rows
            .iter()
            .filter(|row| row.stored.recorded_until.is_none());
        let before = sorted_usage(standing);
        match compare_multisets(&before, &sorted_usage(came.iter()), was_complete(at)) {
            MultisetChange::Unchanged | MultisetChange::Deferred => {}
            MultisetChange::New | MultisetChange::Revised => revise(&mut rows, came, at)?,
        }
    }
    Ok(rows)
}

/// The usage of rows, sorted.
pub(super) fn sorted_usage<'a>(rows: impl Iterator<Item = &'a RecordVersion>) -> Vec<Decimal> {
    let mut usage: Vec<Decimal> = rows.map(|row| row.stored.record.raw_usage).collect();
    usage.sort_unstable();
    usage
}

/// Whether the syncs of a moment read everything.
pub(crate) fn complete_syncs(syncs: &[SyncEntry]) -> BTreeMap<DateTime<Utc>, bool> {
    let mut complete = BTreeMap::new();
    for sync in syncs {
        *complete.entry(sync.at).or_insert(false) |= sync.usage_complete;
    }
    complete
}

/// Closes what stands and adds a revision, as a sync does.
fn revise(
    rows: &mut Vec<RecordVersion>,
    came: &[RecordVersion],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let revision = rows.iter().map(|row| row.revision + 1).max().unwrap_or(0);
    for row in rows.iter_mut() {
        row.stored.recorded_until.get_or_insert(at);
    }
    let first = rows.first().map(|row| row.stored.record.clone());
    for row in came {
        let mut row = row.clone();
        row.revision = revision;
        row.stored.recorded_until = None;
        if let Some(first) = &first
            && keep_first_domain(first, &mut row.stored.record)
        {
            row.text = text_of(&row.stored.record)?;
        }
        rows.push(row);
    }
    Ok(())
}

fn foreign(row: &RecordVersion) -> StoreError {
    StoreError::new(
        StoreErrorKind::Invalid,
        format!(
            "the archive and the store hold different usage of the same time under record key {} \
             (window {}); the archive was made from another database, use that one",
            row.stored.record.key(),
            row.stored.record.window
        ),
    )
}

fn unknown() -> StoreError {
    StoreError::new(StoreErrorKind::Invalid, "a revision has no rows")
}
