//! What a sync did, as it is recorded.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::{StoreError, StoreErrorKind};
use super::to_millisecond;
use crate::period::Period;
use crate::source::Notice;

/// A sync about to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncRun {
    /// The cloud that is read.
    pub cloud: String,
    /// The moment of the sync: what it stores is known from then on.
    pub at: DateTime<Utc>,
    /// The range of usage that is fetched, where usage is.
    pub range: Option<Period>,
}

impl SyncRun {
    /// A sync of `cloud` at the moment `at` (taken to the millisecond), without usage yet.
    pub fn new(cloud: impl Into<String>, at: DateTime<Utc>) -> Self {
        Self {
            cloud: cloud.into(),
            at: to_millisecond(at),
            range: None,
        }
    }

    /// The same, fetching the usage of `range`.
    #[must_use]
    pub fn with_range(mut self, range: Period) -> Self {
        self.range = Some(range);
        self
    }

    /// Whether this run may follow the `last` one of its cloud.
    ///
    /// # Errors
    /// When the cloud has no name, or the run's moment is before that of the last sync.
    pub fn check(&self, last: Option<DateTime<Utc>>) -> Result<(), StoreError> {
        if self.cloud.is_empty() {
            return Err(StoreError::new(
                StoreErrorKind::Invalid,
                "the cloud has an empty name; name it, or leave the name out for the default",
            ));
        }
        match last {
            Some(last) if self.at < last => Err(StoreError::new(
                StoreErrorKind::OutOfOrder,
                format!(
                    "a sync of cloud {:?} at {} cannot be recorded after the one at {last}; \
                     check the clock or the moment asked for, or use a new store",
                    self.cloud, self.at
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// How a fetch ended, given when its sync is committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncOutcome {
    /// Whether every usage record of the range was read.
    pub usage_complete: bool,
    /// What it took.
    pub notices: Vec<Notice>,
}

impl SyncOutcome {
    /// A fetch that read everything.
    pub fn complete() -> Self {
        Self {
            usage_complete: true,
            notices: Vec::new(),
        }
    }

    /// A fetch that could not read every record.
    pub fn incomplete() -> Self {
        Self::default()
    }

    /// The same with what it took.
    #[must_use]
    pub fn with_notices(mut self, notices: Vec<Notice>) -> Self {
        self.notices = notices;
        self
    }
}

/// What became of the usage records of a fetch. `new + unchanged + revised + deferred`
/// is the number of records read, `rejected` the number that could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageCounts {
    /// Records of keys that were not known.
    pub new: u64,
    /// Records that were stored already.
    pub unchanged: u64,
    /// Records of keys that were known with other usage: stored as a revision.
    pub revised: u64,
    /// Records that contradict what is stored, from a fetch that could not read
    /// everything: left for the next complete fetch to decide.
    pub deferred: u64,
    /// Stored records that a revision replaced; they stay readable as known before.
    pub superseded: u64,
    /// Entries that could not be read.
    pub rejected: u64,
}

impl UsageCounts {
    /// The number of records read.
    pub fn records(&self) -> u64 {
        self.new + self.unchanged + self.revised + self.deferred
    }
}

/// What became of the entries of a snapshot, counting tags and tag events too. An entry
/// that changed is one that appeared and one that vanished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotCounts {
    /// Entries that the last snapshot did not have in this form.
    pub appeared: u64,
    /// Entries of the last snapshot that this one does not have in that form. Events are left
    /// out: they are listed for a time only ([`Kind::is_event`](crate::Kind::is_event)).
    pub vanished: u64,
    /// Entries as in the last snapshot.
    pub unchanged: u64,
    /// Whether other kinds were listed completely than last time.
    pub completeness_changed: bool,
    /// Entries that could not be read.
    pub rejected: u64,
}

/// A sync as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncEntry {
    /// Its moment.
    pub at: DateTime<Utc>,
    /// The range of usage that was fetched.
    pub range: Option<Period>,
    /// Whether every usage record of the range was read.
    pub usage_complete: bool,
    /// What became of the usage records.
    pub usage: UsageCounts,
    /// What became of the snapshot, where one was put.
    pub snapshot: Option<SnapshotCounts>,
    /// Rejections that were not known.
    pub new_rejections: u64,
    /// Rejections that this sync resolved.
    pub resolved_rejections: u64,
    /// What it took.
    pub notices: Vec<Notice>,
    /// The watermark after it.
    pub watermark: Option<DateTime<Utc>>,
}

impl SyncEntry {
    /// Whether the sync changed anything that is stored, beyond having run.
    pub fn changed(&self) -> bool {
        let snapshot = self.snapshot.unwrap_or_default();
        self.usage.new + self.usage.revised > 0
            || snapshot.appeared + snapshot.vanished > 0
            || snapshot.completeness_changed
            || self.new_rejections + self.resolved_rejections > 0
    }
}
