//! The store port: where synced usage and metadata are kept.
//!
//! A store keeps, for each cloud,
//!
//! - usage records with the time during which each was what CloudStack said
//!   (`recorded`), so that a revision adds to what is stored and overwrites nothing;
//! - snapshots of the metadata, given back exactly as they were put;
//! - entries that could not be read, until a later fetch reads them;
//! - labels: tags of our own, with validity, author and recorded time;
//! - documents: price books and statements as they were, with digest and recorded time;
//! - the syncs themselves, and the watermark up to which usage is complete;
//! - which months were put away into archives: they are given up and taken back through a
//!   [`RetentionTransaction`].
//!
//! All of one sync goes through one [`SyncTransaction`]: it is visible as a whole after
//! [`SyncTransaction::commit`], or not at all. Instants are kept to the millisecond.
//!
//! [`MemoryStore`] is the reference implementation; the crate `cloudstack-usage-store`
//! has SQL ones. Whoever writes another runs the suite in `store::conformance` (feature
//! `test-util`) over it.

#[cfg(feature = "test-util")]
pub mod conformance;
mod document;
mod entity;
mod error;
mod label;
mod late;
mod memory;
mod merge;
mod rejection;
mod restore;
mod retention;
mod sync;

use chrono::{DateTime, TimeDelta, Utc};

use crate::metadata::Snapshot;
use crate::month_uses::ResourceUses;
use crate::period::Period;
use crate::record::{RecordKey, UsageRecord};
use crate::usage_lifetimes::UsageLifetimes;
use late::LateUsage;

pub use crate::label::{Label, LabelTarget};
pub use document::{Document, DocumentDigest, DocumentEntry, DocumentKind};
pub use entity::{Entity, SnapshotAssembler, entities, kind_from_name, kind_name};
pub use error::{StoreError, StoreErrorKind};
pub use label::{LabelChange, LabelVersion};
pub use memory::MemoryStore;
pub use merge::{MultisetChange, compare_multisets, keep_first_domain};
pub use rejection::{RejectionChanges, RejectionOrigin, StagedRejections, StoredRejection};
#[cfg(feature = "archive")]
pub(crate) use restore::complete_syncs;
pub use restore::{RestoredKey, restore_key};
pub use retention::{
    ArchivedMonth, RecordVersion, RejectionVersion, RetentionTransaction, RowSink, StoredRow,
    UtcMonth, archived_known_on, archived_time, archived_within, refuse_archived,
};
pub use sync::{SnapshotCounts, SyncEntry, SyncOutcome, SyncRun, UsageCounts};

/// The name of the cloud, where a store holds one only.
pub const DEFAULT_CLOUD: &str = "cloudstack";

/// Which usage to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsageQuery {
    /// Of which cloud.
    pub cloud: String,
    /// Records whose window overlaps this.
    pub period: Period,
    /// As it was known at this instant; none for what is known now.
    pub as_known_on: Option<DateTime<Utc>>,
}

impl UsageQuery {
    /// The usage of `cloud` in `period` as it is known now.
    pub fn new(cloud: impl Into<String>, period: Period) -> Self {
        Self {
            cloud: cloud.into(),
            period,
            as_known_on: None,
        }
    }

    /// The same as it was known at `instant`: what syncs up to and at it had stored.
    #[must_use]
    pub fn as_known_on(mut self, instant: DateTime<Utc>) -> Self {
        self.as_known_on = Some(instant);
        self
    }
}

/// A stored usage record with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// The record.
    pub record: UsageRecord,
    /// Its JSON object as CloudStack sent it.
    pub json: Box<str>,
    /// The sync that first stored it.
    pub recorded_from: DateTime<Utc>,
    /// The sync that saw other usage in its place; none while it stands.
    pub recorded_until: Option<DateTime<Utc>>,
}

impl StoredRecord {
    /// Whether this is what was known at `instant` (none: now).
    pub fn is_known_on(&self, instant: Option<DateTime<Utc>>) -> bool {
        match (instant, self.recorded_until) {
            (None, until) => until.is_none(),
            (Some(at), until) => self.recorded_from <= at && until.is_none_or(|until| at < until),
        }
    }
}

/// Takes usage records one by one; its error ends the reading.
pub type RecordSink<'a> = dyn FnMut(UsageRecord) -> Result<(), StoreError> + 'a;

/// Takes snapshots one by one; its error ends the reading.
pub type SnapshotSink<'a> = dyn FnMut(&Snapshot) -> Result<(), StoreError> + 'a;

/// A place that keeps synced usage and metadata.
///
/// ```
/// use chrono::DateTime;
/// use cloudstack_usage::store::{MemoryStore, SyncOutcome, SyncRun, UsageStore, DEFAULT_CLOUD};
///
/// let mut store = MemoryStore::new();
/// let now = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
/// let transaction = store.begin_sync(&SyncRun::new(DEFAULT_CLOUD, now)).unwrap();
/// let entry = transaction.commit(&SyncOutcome::complete()).unwrap();
/// assert!(!entry.changed());
/// assert_eq!(store.syncs(DEFAULT_CLOUD).unwrap(), vec![entry]);
/// ```
pub trait UsageStore {
    /// Begins to record a sync. Until it is committed nobody sees anything of it; dropping
    /// it leaves the store as it was. A second one of the same cloud is refused meanwhile.
    ///
    /// # Errors
    /// When another sync of this cloud is running, when the store cannot be written, or
    /// when the run's moment is before that of the last sync.
    fn begin_sync(&mut self, run: &SyncRun) -> Result<Box<dyn SyncTransaction + '_>, StoreError>;

    /// The clouds of which something is stored, in order of their names.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn clouds(&mut self) -> Result<Vec<String>, StoreError>;

    /// The end of the newest usage window of the last complete fetch.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn watermark(&mut self, cloud: &str) -> Result<Option<DateTime<Utc>>, StoreError>;

    /// Every sync that was committed, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn syncs(&mut self, cloud: &str) -> Result<Vec<SyncEntry>, StoreError>;

    /// Hands over the records of a period, one by one, in order of window start, window
    /// end and record key; the order among twins is by `rawusage` and text as sent.
    ///
    /// # Errors
    /// When the store cannot be read, the sink fails, or usage of the period was put away
    /// ([`StoreErrorKind::Archived`]).
    fn usage(&mut self, query: &UsageQuery, sink: &mut RecordSink<'_>) -> Result<(), StoreError>;

    /// First and last uses in all usage that is stored (as known on that instant; none:
    /// now), for the lifetimes of an inventory. Stores may have a faster way than reading
    /// every record, which this does. Of months that were put away their uses are known.
    ///
    /// # Errors
    /// When the store cannot be read, or a month was put away that still changed at that
    /// instant ([`StoreErrorKind::Archived`]).
    fn lifetimes(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<UsageLifetimes, StoreError> {
        let away = archived_time(self.archived_months(cloud)?.iter().map(|known| known.month));
        let mut lifetimes = UsageLifetimes::default();
        self.stored_rows(cloud, Period::always(), &mut |row| {
            let StoredRow::Usage(version) = row else {
                return Ok(());
            };
            let record = &version.stored.record;
            if !version.stored.is_known_on(as_known_on) {
                return Ok(());
            }
            if away.iter().any(|away| away.covers(&record.window)) {
                lifetimes.read_until(record.window.end());
            } else {
                lifetimes.observe(record);
            }
            Ok(())
        })?;
        self.add_archived_lifetimes(cloud, as_known_on, &mut lifetimes)?;
        Ok(lifetimes)
    }

    /// Adds the uses of the months that were put away, and of what came late of them, to those
    /// of what is stored of other [time](archived_time).
    ///
    /// # Errors
    /// As [`lifetimes`](Self::lifetimes).
    fn add_archived_lifetimes(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
        lifetimes: &mut UsageLifetimes,
    ) -> Result<(), StoreError> {
        let archived = self.archived_months(cloud)?;
        let months = archived_known_on(&archived, as_known_on)?;
        let away = archived_time(archived.iter().map(|known| known.month));
        let mut late = LateUsage::new(away.clone(), as_known_on);
        for time in away {
            self.stored_rows(cloud, time, &mut |row| {
                late.add(row);
                Ok(())
            })?;
        }
        if !late.is_empty() {
            late.note_syncs(&self.syncs(cloud)?);
        }
        for month in months {
            if let Some(end) = month.newest_end {
                lifetimes.read_until(end);
            }
            self.archived_uses(cloud, month.month, &mut |uses| {
                late.absorb(lifetimes, month, &uses);
                Ok(())
            })?;
        }
        late.finish(lifetimes)
    }

    /// All that was ever stored under one key, with the text as sent: by time recorded,
    /// then among twins as in [`usage`](Self::usage).
    ///
    /// # Errors
    /// When the store cannot be read.
    fn versions(&mut self, cloud: &str, key: &RecordKey) -> Result<Vec<StoredRecord>, StoreError>;

    /// Hands over the snapshots of all syncs (up to and at `as_known_on`), in order, each
    /// as it was put except for the order within its lists.
    ///
    /// # Errors
    /// When the store cannot be read, or the sink fails.
    fn snapshots(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
        sink: &mut SnapshotSink<'_>,
    ) -> Result<(), StoreError>;

    /// The entries that could not be read and may concern `period`: those that no later
    /// fetch of the same time found readable.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn rejections(
        &mut self,
        cloud: &str,
        period: Period,
    ) -> Result<Vec<StoredRejection>, StoreError>;

    /// Hands over everything that is stored of usage whose window, or the time that it may
    /// concern, overlaps `period`: the records in all revisions, in order of window start,
    /// window end, key, revision and copy; then the entries of usage that could not be read,
    /// resolved ones too, in order of first seen and fingerprint. Of time that was put away
    /// that is what came later.
    ///
    /// # Errors
    /// When the store cannot be read, or the sink fails.
    fn stored_rows(
        &mut self,
        cloud: &str,
        period: Period,
        sink: &mut RowSink<'_>,
    ) -> Result<(), StoreError>;

    /// The months that were put away, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn archived_months(&mut self, cloud: &str) -> Result<Vec<ArchivedMonth>, StoreError>;

    /// The uses that are kept of a month put away, in order of kind and resource.
    ///
    /// # Errors
    /// When the store cannot be read, or the sink fails.
    fn archived_uses(
        &mut self,
        cloud: &str,
        month: UtcMonth,
        sink: &mut dyn FnMut(ResourceUses) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;

    /// Begins to put usage of a cloud away, or to take it back. No sync of this cloud and no
    /// second one of this begins until it ends.
    ///
    /// # Errors
    /// When a sync of this cloud is running, or the store cannot be written.
    fn begin_retention(
        &mut self,
        cloud: &str,
    ) -> Result<Box<dyn RetentionTransaction + '_>, StoreError>;

    /// Sets a label for its validity. Where another label of the same key on the same
    /// resource is valid, it gives way for that time. Says whether anything changed.
    ///
    /// # Errors
    /// When the store cannot be written, or a label that gives way was recorded later.
    fn set_label(&mut self, cloud: &str, label: &Label) -> Result<bool, StoreError>;

    /// Takes the label of this target away during `period`; at `recorded` by `author`.
    /// Says whether anything changed.
    ///
    /// # Errors
    /// When the store cannot be written, or a label that gives way was recorded later.
    fn clear_label(
        &mut self,
        cloud: &str,
        target: &LabelTarget,
        period: Period,
        author: &str,
        recorded: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Every label that was ever in force, in order of target, validity, value, author and
    /// time recorded.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn label_versions(&mut self, cloud: &str) -> Result<Vec<LabelVersion>, StoreError>;

    /// The labels in force (none: now; else as known on that instant), in the same order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn labels(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<Vec<Label>, StoreError> {
        let mut versions = self.label_versions(cloud)?;
        versions.retain(|version| version.is_known_on(as_known_on));
        Ok(versions.into_iter().map(|version| version.label).collect())
    }

    /// Adds a document to the log, which never changes or loses one. A text that the newest
    /// document of this kind and name has already adds nothing. Says whether it was added.
    ///
    /// # Errors
    /// When the store cannot be written, the document has no name, or it was recorded before
    /// the newest one of its kind and name.
    fn record_document(&mut self, cloud: &str, document: &Document) -> Result<bool, StoreError>;

    /// What the log holds of one kind (none: of all), by time recorded, then in the order in
    /// which it came.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn documents(
        &mut self,
        cloud: &str,
        kind: Option<DocumentKind>,
    ) -> Result<Vec<DocumentEntry>, StoreError>;

    /// The newest document of this kind and name (none: now; else as known on that instant).
    ///
    /// # Errors
    /// When the store cannot be read, or the text is not the one that was recorded.
    fn document(
        &mut self,
        cloud: &str,
        kind: DocumentKind,
        name: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<Option<Document>, StoreError>;

    /// The first document of the log with this digest, whatever is newest now: the evidence
    /// of a statement names its book that way.
    ///
    /// # Errors
    /// When the store cannot be read, or the text is not the one that was recorded.
    fn document_by_digest(
        &mut self,
        cloud: &str,
        digest: &DocumentDigest,
    ) -> Result<Option<Document>, StoreError>;
}

/// One sync on its way into a store. Dropped without [`commit`](Self::commit) it leaves
/// nothing behind.
pub trait SyncTransaction {
    /// Adds one page of the fetch; the order of pages and records makes no difference.
    ///
    /// # Errors
    /// When the page cannot be kept.
    fn put_usage(&mut self, page: &crate::source::UsagePage) -> Result<(), StoreError>;

    /// Adds the snapshot of this sync, with the entries that could not be read. The
    /// snapshot counts as taken at the run's moment. A second one replaces the first.
    ///
    /// # Errors
    /// When the snapshot cannot be kept.
    fn put_snapshot(&mut self, fetch: &crate::source::SnapshotFetch) -> Result<(), StoreError>;

    /// Makes everything visible at once, and moves the watermark where the fetch was
    /// complete.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is stored then.
    fn commit(self: Box<Self>, outcome: &SyncOutcome) -> Result<SyncEntry, StoreError>;
}

/// `instant` without what is below a millisecond: the precision of stores.
pub fn to_millisecond(instant: DateTime<Utc>) -> DateTime<Utc> {
    let below = i64::from(instant.timestamp_subsec_nanos() % 1_000_000);
    instant - TimeDelta::nanoseconds(below)
}
