//! Taking a month out of a store, once its archive was compared with it.

use chrono::{DateTime, Utc};

use super::content::Content;
use super::error::{ArchiveError, ArchiveErrorKind};
use super::folder::Archive;
use crate::month_uses::MonthUses;
use crate::period::Period;
use crate::record::RecordKey;
use crate::store::{
    ArchivedMonth, RecordVersion, RetentionTransaction, StoreError, StoreErrorKind, StoredRow,
    UsageStore, archived_time, to_millisecond,
};

/// As many keys as are removed at a time.
const KEYS_AT_A_TIME: usize = 1000;

/// What left a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneReport {
    /// The month, as the store knows it now.
    pub month: ArchivedMonth,
    /// Rows of usage that left.
    pub removed: u64,
    /// Rows of the archive that stay, for the months beside it.
    pub kept: u64,
}

/// Takes the month of `archive` out of the store at the moment `now`: compares every row of
/// both, and removes what no month that is still there needs, in one transaction.
///
/// # Errors
/// When the store does not hold exactly what the archive does, or the month was put away
/// already; when a sync is running, or the store or a file fails. Nothing is changed then.
pub fn prune(
    store: &mut dyn UsageStore,
    archive: &Archive,
    now: DateTime<Utc>,
) -> Result<PruneReport, ArchiveError> {
    // as it is on the disk, and not as it was meant to be
    let archive = &Archive::open(archive.folder())?;
    let manifest = archive.manifest();
    let mut transaction = store.begin_retention(&manifest.cloud)?;
    let archived = transaction.archived_months()?;
    if archived.iter().any(|known| known.month == manifest.month) {
        let message = format!("{} was put away already", manifest.month);
        return Err(ArchiveError::new(ArchiveErrorKind::Pruned, message));
    }
    let known_at = transaction.syncs()?.last().map(|sync| sync.at);
    let mut leaving = Leaving::new(archive, &archived);
    leaving.compare(archive, &mut *transaction)?;
    let removed = leaving.remove(&mut *transaction)?;
    let month = ArchivedMonth {
        month: manifest.month,
        place: archive.folder().display().to_string(),
        digest: manifest.content_sha256,
        pruned: to_millisecond(now),
        known_at: known_at.unwrap_or(manifest.coverage.last_sync),
        records: removed,
        recorded: leaving.recorded,
        newest_end: leaving.newest_end,
    };
    transaction.put_archived(&month, &std::mem::take(&mut leaving.uses).uses())?;
    transaction.commit()?;
    Ok(PruneReport {
        month,
        removed,
        kept: manifest.content.records.saturating_sub(removed),
    })
}

/// What leaves the store.
struct Leaving<'a> {
    /// Time that no month which stays needs.
    time: Vec<Period>,
    /// The months that were put away before.
    archived: &'a [ArchivedMonth],
    keys: Vec<RecordKey>,
    rows: u64,
    recorded: Option<(DateTime<Utc>, DateTime<Utc>)>,
    newest_end: Option<DateTime<Utc>>,
    uses: MonthUses,
    /// The rows of one key, as they come.
    of_key: Vec<RecordVersion>,
}

impl<'a> Leaving<'a> {
    fn new(archive: &Archive, archived: &'a [ArchivedMonth]) -> Self {
        let months = archived.iter().map(|known| known.month);
        Self {
            time: archived_time(months.chain([archive.manifest().month])),
            archived,
            keys: Vec::new(),
            rows: 0,
            recorded: None,
            newest_end: None,
            uses: MonthUses::default(),
            of_key: Vec::new(),
        }
    }

    /// Compares the rows of both, one by one, and notes which leave.
    fn compare(
        &mut self,
        archive: &Archive,
        transaction: &mut dyn RetentionTransaction,
    ) -> Result<(), ArchiveError> {
        let manifest = archive.manifest();
        let mut content = Content::new(&manifest.cloud, manifest.month);
        let mut usage = archive.usage()?;
        let mut rejections = archive.rejections()?;
        // the port carries its own errors; ours is put aside meanwhile
        let mut failed = None;
        let read = transaction.stored_rows(manifest.period, &mut |row| {
            content.add(&row);
            let compared = match row {
                StoredRow::Usage(row) => usage
                    .next()
                    .and_then(|other| same(archive, other.as_ref(), &row))
                    .map(|()| self.note(*row)),
                StoredRow::Rejection(row) => rejections
                    .next()
                    .and_then(|other| same(archive, other.as_ref(), &row)),
            };
            compared.map_err(|error| {
                failed = Some(error);
                StoreError::new(StoreErrorKind::Sink, "stopped")
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read?;
        self.decide();
        if usage.next()?.is_some() || rejections.next()?.is_some() {
            return Err(differs(archive, "the archive has more"));
        }
        if content.finish() != (manifest.content_sha256, manifest.content) {
            return Err(archive.damaged("its content does not have the digest of the manifest"));
        }
        Ok(())
    }

    /// Takes a row; all of a key come one after the other.
    fn note(&mut self, row: RecordVersion) {
        let is_next = self
            .of_key
            .last()
            .is_some_and(|last| last.stored.record.key() != row.stored.record.key());
        if is_next {
            self.decide();
        }
        self.of_key.push(row);
    }

    /// Whether the rows of the key at hand leave.
    fn decide(&mut self) {
        let rows = std::mem::take(&mut self.of_key);
        let Some(first) = rows.first() else {
            return;
        };
        let window = first.stored.record.window;
        if !self.time.iter().any(|time| time.covers(&window)) || self.is_late(&rows, window) {
            return;
        }
        self.keys.push(first.stored.record.key());
        self.rows += u64::try_from(rows.len()).unwrap_or(u64::MAX);
        self.newest_end = self.newest_end.max(Some(window.end()));
        for row in &rows {
            let stored = &row.stored;
            for at in [Some(stored.recorded_from), stored.recorded_until]
                .into_iter()
                .flatten()
            {
                let (first, last) = self.recorded.unwrap_or((at, at));
                self.recorded = Some((first.min(at), last.max(at)));
            }
            if stored.recorded_until.is_none() {
                self.uses.observe(&stored.record);
            }
        }
    }

    /// Whether a month beside this one was put away without what is known of the key now:
    /// then it stays, to be there when that month comes back.
    fn is_late(&self, rows: &[RecordVersion], window: Period) -> bool {
        let mut beside = self
            .archived
            .iter()
            .filter(|known| known.month.archive_period().overlaps(&window));
        beside.any(|known| {
            rows.iter().any(|row| {
                let stored = &row.stored;
                stored.recorded_from > known.known_at
                    || stored
                        .recorded_until
                        .is_some_and(|until| until > known.known_at)
            })
        })
    }

    fn remove(&self, transaction: &mut dyn RetentionTransaction) -> Result<u64, ArchiveError> {
        let mut removed = 0;
        for keys in self.keys.chunks(KEYS_AT_A_TIME) {
            removed += transaction.remove_usage(keys)?;
        }
        if removed != self.rows {
            let message = format!(
                "{removed} rows were to leave the store instead of {}; nothing was changed",
                self.rows
            );
            return Err(ArchiveError::new(ArchiveErrorKind::Differs, message));
        }
        Ok(removed)
    }
}

fn same<R: PartialEq + std::fmt::Debug>(
    archive: &Archive,
    archived: Option<&R>,
    stored: &R,
) -> Result<(), ArchiveError> {
    match archived {
        Some(archived) if archived == stored => Ok(()),
        None => Err(differs(archive, "the store has more")),
        Some(_) => Err(differs(archive, "a row is not the one of the archive")),
    }
}

fn differs(archive: &Archive, how: &str) -> ArchiveError {
    let message = format!(
        "the store does not hold what {} does ({how}); nothing was removed, write the archive \
         again with --replace",
        archive.folder().display()
    );
    ArchiveError::new(ArchiveErrorKind::Differs, message)
}
