//! One sync: fetch from a source, store as a whole, report.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    ArchivedMonth, SnapshotCounts, StoreError, SyncOutcome, SyncRun, SyncTransaction, UsageCounts,
    UsageStore, archived_time, to_millisecond,
};
use cloudstack_usage::{Error, ErrorKind, Notice, Period, Rejection, Source, UsagePage};
use serde::{Deserialize, Serialize};

use crate::columns::count;
use crate::error::SyncError;
use crate::plan::{SyncOptions, plan_usage};

/// What a sync is doing, for whoever watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncProgress {
    /// The metadata is about to be listed.
    Metadata,
    /// Usage of this range is about to be fetched.
    Usage {
        /// The range.
        range: Period,
    },
    /// A page of usage came in.
    Page {
        /// Records read so far.
        records: u64,
        /// Entries so far that could not be read.
        rejected: u64,
    },
    /// Everything was fetched and is about to be stored.
    Storing,
}

/// How a sync went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// The cloud.
    pub cloud: String,
    /// The moment of the sync.
    pub at: DateTime<Utc>,
    /// Whether anything stored is different from before. A sync that changed nothing may
    /// still have been incomplete.
    pub changed: bool,
    /// The range of usage that was fetched; none where none was.
    pub range: Option<Period>,
    /// Whether every usage record of the range was read.
    pub usage_complete: bool,
    /// What became of the usage records.
    pub usage: UsageCounts,
    /// Records left for a later sync, since their windows end after this one's moment.
    pub not_ended: u64,
    /// What became of the metadata; none where none was listed.
    pub snapshot: Option<SnapshotCounts>,
    /// Entries that could not be read and were not known.
    pub new_rejections: u64,
    /// Entries that could not be read before and are read (or gone) now.
    pub resolved_rejections: u64,
    /// Entries that could not be read: the first of them (see `usage.rejected` and
    /// `snapshot.rejected` for their number; the store has them all).
    pub rejections: Vec<Rejection>,
    /// What it took to get through, and what could not be listed.
    pub notices: Vec<Notice>,
    /// The watermark after the sync: usage is complete up to here.
    pub watermark: Option<DateTime<Utc>>,
}

/// As many rejections as a report shows.
const SHOWN_REJECTIONS: usize = 20;

/// Syncs a source into a store: metadata first, then the usage since the watermark and the
/// time before it that may still change. Everything becomes visible at once, at the end;
/// on an error nothing does, and the next sync begins where the last good one ended. Months
/// that were put away are not fetched again: usage begins after them, and a notice
/// (`usage_archived`) says so.
///
/// # Errors
/// When the options make no range, the source cannot be read, the store cannot be written,
/// or another sync of the same cloud is running.
pub fn sync(
    source: &mut dyn Source,
    store: &mut dyn UsageStore,
    options: &SyncOptions,
    observer: &mut dyn FnMut(SyncProgress),
) -> Result<SyncReport, SyncError> {
    let now = to_millisecond(options.now);
    let mut run = SyncRun::new(&options.cloud, now);
    let mut notices = Vec::new();
    // a sync that ends between this and the lock makes the range longer than it need be
    let planned = plan_usage(store.watermark(&options.cloud)?, options);
    if let Ok(planned) = &planned {
        // also where no usage is fetched, so that all syncs list what happened since then
        source.usage_begins(planned.start());
    }
    if options.usage {
        let planned = planned?;
        let range = after_archives(planned, &store.archived_months(&options.cloud)?)?;
        if range != planned {
            notices.push(begins_after_archives(planned, range));
        }
        run = run.with_range(range);
    }
    let mut fetch = Fetch {
        transaction: store.begin_sync(&run)?,
        observer,
        now,
        counts: (0, 0),
        not_ended: 0,
        rejections: Vec::new(),
        notices,
    };
    if !options.kinds.is_empty() {
        fetch.metadata(source, options)?;
    }
    let usage_complete = match run.range {
        Some(range) => fetch.usage(source, range)?,
        None => false,
    };
    fetch.store(&run, usage_complete)
}

/// The part of a range after the last month in it that was put away: one fetch reads one
/// range, and what is in an archive must not come twice.
fn after_archives(range: Period, archived: &[ArchivedMonth]) -> Result<Period, SyncError> {
    let time = archived_time(archived.iter().map(|known| known.month));
    let within = time.iter().filter(|time| time.overlaps(&range));
    let Some(end) = within.map(Period::end).max() else {
        return Ok(range);
    };
    Period::new(end.max(range.start()), range.end()).map_err(|_| {
        SyncError::options(format!(
            "all usage up to {} was put away into archives; restore it to fetch it again",
            range.end()
        ))
    })
}

fn begins_after_archives(planned: Period, range: Period) -> Notice {
    Notice {
        slug: "usage_archived".to_owned(),
        message: format!(
            "usage from {} to {} was not fetched again, since months of it were put away into \
             archives; restore them first to look at that time again",
            planned.start(),
            range.start()
        ),
    }
}

struct Fetch<'a> {
    transaction: Box<dyn SyncTransaction + 'a>,
    observer: &'a mut dyn FnMut(SyncProgress),
    now: DateTime<Utc>,
    /// Records read and rejected so far.
    counts: (u64, u64),
    not_ended: u64,
    rejections: Vec<Rejection>,
    notices: Vec<Notice>,
}

impl Fetch<'_> {
    fn metadata(
        &mut self,
        source: &mut dyn Source,
        options: &SyncOptions,
    ) -> Result<(), SyncError> {
        (self.observer)(SyncProgress::Metadata);
        let mut fetched = source
            .snapshot(self.now, &options.kinds)
            .map_err(|error| SyncError::source("the metadata", error))?;
        self.transaction.put_snapshot(&fetched)?;
        self.show(&fetched.rejections);
        self.notices.append(&mut fetched.notices);
        Ok(())
    }

    fn usage(&mut self, source: &mut dyn Source, range: Period) -> Result<bool, SyncError> {
        (self.observer)(SyncProgress::Usage { range });
        let mut failed: Option<StoreError> = None;
        let fetched = source.usage(range, &mut |page| {
            self.page(page).map_err(|error| {
                let message = error.to_string();
                failed = Some(error);
                Error::new(ErrorKind::Sink, message)
            })
        });
        // whatever the source makes of it, a page that is not stored ends the sync
        if let Some(error) = failed {
            return Err(error.into());
        }
        let mut fetched = fetched.map_err(|error| SyncError::source("the usage", error))?;
        self.notices.append(&mut fetched.notices);
        Ok(fetched.complete)
    }

    fn page(&mut self, mut page: UsagePage) -> Result<(), StoreError> {
        let before = page.records.len();
        page.records
            .retain(|entry| entry.record.window.end() <= self.now);
        self.not_ended += count(before - page.records.len());
        self.counts.0 += count(before);
        self.counts.1 += count(page.rejections.len());
        self.show(&page.rejections);
        self.transaction.put_usage(&page)?;
        (self.observer)(SyncProgress::Page {
            records: self.counts.0,
            rejected: self.counts.1,
        });
        Ok(())
    }

    fn show(&mut self, rejections: &[Rejection]) {
        let room = SHOWN_REJECTIONS.saturating_sub(self.rejections.len());
        self.rejections
            .extend(rejections.iter().take(room).cloned());
    }

    fn store(self, run: &SyncRun, usage_complete: bool) -> Result<SyncReport, SyncError> {
        (self.observer)(SyncProgress::Storing);
        let mut outcome = if usage_complete {
            SyncOutcome::complete()
        } else {
            SyncOutcome::incomplete()
        };
        outcome.notices = self.notices;
        let entry = self.transaction.commit(&outcome)?;
        Ok(SyncReport {
            cloud: run.cloud.clone(),
            at: entry.at,
            changed: entry.changed(),
            range: entry.range,
            usage_complete: entry.usage_complete,
            usage: entry.usage,
            not_ended: self.not_ended,
            snapshot: entry.snapshot,
            new_rejections: entry.new_rejections,
            resolved_rejections: entry.resolved_rejections,
            rejections: self.rejections,
            notices: entry.notices,
            watermark: entry.watermark,
        })
    }
}
