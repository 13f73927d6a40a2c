//! Writing a month into an archive.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::content::Content;
use super::error::{ArchiveError, ArchiveErrorKind};
use super::folder::{Archive, NewFolder, place};
use super::manifest::{ContentCounts, Coverage, FORMAT, FileEntry, Manifest, SCHEMA};
use super::rejection_table::REJECTIONS;
use super::replacement;
use super::table::TableWriter;
use super::usage_table::USAGE;
use crate::store::{
    DocumentDigest, StoreError, StoreErrorKind, StoredRow, UsageStore, UtcMonth, to_millisecond,
};

/// What to write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportOptions {
    /// The cloud.
    pub cloud: String,
    /// The month, in UTC.
    pub month: UtcMonth,
    /// The moment, written into the manifest. The clock is the caller's.
    pub now: DateTime<Utc>,
    /// How far beyond the month usage must be complete. Eight days: as far as a sync looks
    /// back, so that no later one finds the month changed.
    pub settled: TimeDelta,
    /// Whether another archive of the month may be replaced.
    pub replace: bool,
}

impl ExportOptions {
    /// The month of a cloud, once no sync will change it.
    pub fn new(cloud: impl Into<String>, month: UtcMonth, now: DateTime<Utc>) -> Self {
        Self {
            cloud: cloud.into(),
            month,
            now: to_millisecond(now),
            settled: TimeDelta::days(8),
            replace: false,
        }
    }

    /// The same where usage must be complete so far beyond the month.
    #[must_use]
    pub fn settled(mut self, settled: TimeDelta) -> Self {
        self.settled = settled;
        self
    }

    /// The same, taking the place of an archive that holds something else.
    #[must_use]
    pub fn replacing(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }
}

/// An archive that was written, or was there already with the same content.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The archive.
    pub archive: Archive,
    /// Whether it was written now.
    pub written: bool,
}

/// Writes what the store holds of a month into the folder `CLOUD/YYYY-MM` below `root`. The
/// store is not changed. An archive with the same content stays as it is.
///
/// # Errors
/// When usage of the month is not settled, was put away, or there is none; when another
/// archive is there that may not be replaced; when the store or a file fails. No half archive
/// is left.
pub fn export(
    store: &mut dyn UsageStore,
    root: &Path,
    options: &ExportOptions,
) -> Result<Exported, ArchiveError> {
    let coverage = check(store, options)?;
    let place = place(root, &options.cloud, options.month)?;
    replacement::recover(&place).map_err(|error| ArchiveError::file(&place, error))?;
    let is_there = std::fs::symlink_metadata(&place).is_ok();
    if is_there && !options.replace {
        return same(store, &place, options);
    }
    let folder = NewFolder::beside(&place)?;
    let (content, counts, files) = write(store, folder.path(), options)?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        schema: SCHEMA,
        cloud: options.cloud.clone(),
        month: options.month,
        period: options.month.archive_period(),
        written: options.now,
        coverage,
        content: counts,
        content_sha256: content,
        files,
        seal: DocumentDigest::from_bytes([0; 32]),
    };
    let archive = folder.finish(manifest.sealed(), options.replace)?;
    Ok(Exported {
        archive,
        written: true,
    })
}

/// Whether the month may be written: complete, settled and in the store.
fn check(store: &mut dyn UsageStore, options: &ExportOptions) -> Result<Coverage, ArchiveError> {
    let (cloud, month) = (&options.cloud, options.month);
    let archived = store.archived_months(cloud)?;
    if let Some(known) = archived.iter().find(|known| known.month == month) {
        let message = format!(
            "{month} was put away into {} already; take it back with `csbill restore {}` to \
             write it again",
            known.place, known.place
        );
        return Err(ArchiveError::new(ArchiveErrorKind::Pruned, message));
    }
    let syncs = store.syncs(cloud)?;
    let (Some(first), Some(last)) = (syncs.first(), syncs.last()) else {
        return Err(empty(options));
    };
    let end = month.period().end();
    let settled = end.checked_add_signed(options.settled).unwrap_or(end);
    match store.watermark(cloud)? {
        Some(complete) if complete >= settled => Ok(Coverage {
            complete_until: complete,
            first_sync: first.at,
            last_sync: last.at,
            syncs: u64::try_from(syncs.len()).unwrap_or(u64::MAX),
        }),
        complete => {
            let message = format!(
                "syncs may still change {month}: usage is complete up to {}, and has to be up to \
                 {settled}; sync, or wait",
                complete.map_or_else(|| "nowhere".to_owned(), |complete| complete.to_string())
            );
            Err(ArchiveError::new(ArchiveErrorKind::Unsettled, message))
        }
    }
}

fn empty(options: &ExportOptions) -> ArchiveError {
    let message = format!(
        "nothing is stored of cloud {:?} in {}; there is nothing to put away",
        options.cloud, options.month
    );
    ArchiveError::new(ArchiveErrorKind::Empty, message)
}

/// The archive that is there, where it holds what the store does.
fn same(
    store: &mut dyn UsageStore,
    place: &Path,
    options: &ExportOptions,
) -> Result<Exported, ArchiveError> {
    let exists = |why: String| {
        let message = format!("{} {why}; --replace takes its place", place.display());
        ArchiveError::new(ArchiveErrorKind::Exists, message)
    };
    let archive = Archive::open(place)
        .map_err(|error| exists(format!("is there and cannot be used ({error})")))?;
    let mut content = Content::new(&options.cloud, options.month);
    let period = options.month.archive_period();
    store.stored_rows(&options.cloud, period, &mut |row| {
        content.add(&row);
        Ok(())
    })?;
    let (digest, counts) = content.finish();
    if counts.of_the_month == 0 {
        return Err(empty(options));
    }
    if digest != archive.manifest().content_sha256 {
        return Err(exists(
            "is there and holds something else than the database".to_owned(),
        ));
    }
    Ok(Exported {
        archive,
        written: false,
    })
}

/// Writes the files; gives digest and counts of the content with them.
fn write(
    store: &mut dyn UsageStore,
    folder: &Path,
    options: &ExportOptions,
) -> Result<(DocumentDigest, ContentCounts, Vec<FileEntry>), ArchiveError> {
    let mut usage = TableWriter::create(&USAGE, folder)?;
    let mut rejections = TableWriter::create(&REJECTIONS, folder)?;
    let mut content = Content::new(&options.cloud, options.month);
    // the port carries its own errors; ours is put aside meanwhile
    let mut failed = None;
    let period = options.month.archive_period();
    let read = store.stored_rows(&options.cloud, period, &mut |row| {
        content.add(&row);
        let pushed = match row {
            StoredRow::Usage(row) => usage.push(*row),
            StoredRow::Rejection(row) => rejections.push(*row),
        };
        pushed.map_err(|error| {
            failed = Some(error);
            StoreError::new(StoreErrorKind::Sink, "stopped")
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    read?;
    let (digest, counts) = content.finish();
    if counts.of_the_month == 0 {
        return Err(empty(options));
    }
    Ok((digest, counts, vec![usage.finish()?, rejections.finish()?]))
}
