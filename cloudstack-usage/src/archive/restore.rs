//! Putting a month back into a store.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::content::Content;
use super::error::{ArchiveError, ArchiveErrorKind};
use super::folder::Archive;
use crate::record::RecordKey;
use crate::store::{
    RecordVersion, RejectionVersion, RestoredKey, RetentionTransaction, SyncEntry, UsageStore,
    complete_syncs, restore_key,
};

/// As many rows as are put at a time, and those of the last key with them.
const ROWS_AT_A_TIME: usize = 1000;

/// What came back into a store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Rows of usage that were put.
    pub added: u64,
    /// Rows of the archive that were there.
    pub there: u64,
    /// Keys of which something came while the month was away.
    pub merged: u64,
    /// Entries that could not be read that were put.
    pub rejections: u64,
    /// Whether the store had put the month away.
    pub was_away: bool,
}

impl RestoreReport {
    /// Whether the store was changed.
    pub fn changed(&self) -> bool {
        self.was_away || self.added + self.merged + self.rejections > 0
    }
}

/// Puts the month of `archive` back into the store, in one transaction. What is there
/// already stays; what came meanwhile is merged as
/// [`restore_key`] says.
///
/// # Errors
/// When the archive is of another cloud than `cloud`, was made from another database, is not
/// the one that the month was put away into, or is damaged; when a sync is running, or the
/// store fails. Nothing is changed then.
pub fn restore(
    store: &mut dyn UsageStore,
    archive: &Archive,
    cloud: &str,
) -> Result<RestoreReport, ArchiveError> {
    let manifest = archive.manifest();
    if manifest.cloud != cloud {
        let why = format!(
            "holds cloud {:?}, not {cloud:?}; name it with --cloud",
            manifest.cloud
        );
        return Err(foreign(archive, &why));
    }
    let mut transaction = store.begin_retention(cloud)?;
    let syncs = transaction.syncs()?;
    let archived = transaction.archived_months()?;
    let away = archived.iter().find(|known| known.month == manifest.month);
    match away {
        Some(known) if known.digest != manifest.content_sha256 => {
            let why = format!(
                "is not the archive that {} was put away into: that is in {}, with the content {}",
                manifest.month, known.place, known.digest
            );
            return Err(foreign(archive, &why));
        }
        None if is_of_another_database(&syncs, archive) => {
            let why = "was made from another database, which had syncs that this one had not";
            return Err(foreign(archive, why));
        }
        _ => {}
    }
    let mut restoring = Restoring {
        transaction: &mut *transaction,
        complete: complete_syncs(&syncs),
        report: RestoreReport {
            was_away: away.is_some(),
            ..RestoreReport::default()
        },
    };
    restoring.everything(archive)?;
    let report = restoring.report;
    if report.was_away {
        transaction.remove_archived(manifest.month)?;
    }
    if report.changed() {
        transaction.commit()?;
    }
    Ok(report)
}

/// A store without syncs may take any archive; else it must be the one that it was made from.
fn is_of_another_database(syncs: &[SyncEntry], archive: &Archive) -> bool {
    let coverage = &archive.manifest().coverage;
    let had = |at: DateTime<Utc>| syncs.iter().any(|sync| sync.at == at);
    let has_its_syncs = had(coverage.first_sync) && had(coverage.last_sync);
    !(syncs.is_empty() || has_its_syncs)
}

fn foreign(archive: &Archive, why: &str) -> ArchiveError {
    let message = format!("{} {why}; nothing was changed", archive.folder().display());
    ArchiveError::new(ArchiveErrorKind::Foreign, message)
}

struct Restoring<'a> {
    transaction: &'a mut dyn RetentionTransaction,
    complete: BTreeMap<DateTime<Utc>, bool>,
    report: RestoreReport,
}

impl Restoring<'_> {
    fn everything(&mut self, archive: &Archive) -> Result<(), ArchiveError> {
        let manifest = archive.manifest();
        let mut content = Content::new(&manifest.cloud, manifest.month);
        let mut usage = archive.usage()?;
        let mut rows: Vec<RecordVersion> = Vec::new();
        while let Some(row) = usage.next()? {
            content.add_usage(&row);
            let is_next_key = rows
                .last()
                .is_some_and(|last| last.stored.record.key() != row.stored.record.key());
            if is_next_key && rows.len() >= ROWS_AT_A_TIME {
                self.put(&rows)?;
                rows.clear();
            }
            rows.push(row);
        }
        self.put(&rows)?;
        let mut unread: Vec<RejectionVersion> = Vec::new();
        let mut rejections = archive.rejections()?;
        while let Some(row) = rejections.next()? {
            content.add_rejection(&row);
            unread.push(row);
        }
        self.report.rejections = self.transaction.add_rejections(&unread)?;
        if content.finish() != (manifest.content_sha256, manifest.content) {
            return Err(archive.damaged("its content does not have the digest of the manifest"));
        }
        Ok(())
    }

    /// Puts whole keys, in the order of the archive.
    fn put(&mut self, rows: &[RecordVersion]) -> Result<(), ArchiveError> {
        let is_of_one = |left: &RecordVersion, right: &RecordVersion| {
            left.stored.record.key() == right.stored.record.key()
        };
        let keys: Vec<RecordKey> = rows
            .chunk_by(is_of_one)
            .filter_map(<[RecordVersion]>::first)
            .map(|row| row.stored.record.key())
            .collect();
        let mut stored: BTreeMap<RecordKey, Vec<RecordVersion>> = BTreeMap::new();
        for row in self.transaction.versions_of(&keys)? {
            stored.entry(row.stored.record.key()).or_default().push(row);
        }
        let was_complete = |at| self.complete.get(&at).copied().unwrap_or(true);
        let (mut added, mut replaced) = (Vec::new(), Vec::new());
        for (key, archived) in keys.iter().zip(rows.chunk_by(is_of_one)) {
            let known = stored.remove(key).unwrap_or_default();
            let number = u64::try_from(archived.len()).unwrap_or(u64::MAX);
            match restore_key(archived, &known, &was_complete)? {
                RestoredKey::Added => {
                    self.report.added += number;
                    added.extend_from_slice(archived);
                }
                RestoredKey::Unchanged => self.report.there += number,
                RestoredKey::Replaced(rows) => {
                    self.report.merged += 1;
                    replaced.push(*key);
                    added.extend(rows);
                }
            }
        }
        self.transaction.remove_usage(&replaced)?;
        self.transaction.add_usage(&added)?;
        Ok(())
    }
}
