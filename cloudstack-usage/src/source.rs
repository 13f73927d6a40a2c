//! Where usage and metadata come from: the port that a sync pulls.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::metadata::{Kind, Snapshot};
use crate::period::Period;
use crate::record::UsageRecord;

/// A usage record with the JSON text it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedRecord {
    /// The record.
    pub record: UsageRecord,
    /// Its JSON object, as sent.
    pub json: Box<str>,
}

/// A record (or another entry of a list) that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejection {
    /// Where: the call or file, with the page.
    pub page: String,
    /// Which entry of the page, counted from 1.
    pub position: usize,
    /// The field that is wrong, where one can be named.
    pub field: Option<String>,
    /// The stable name of what is wrong.
    pub slug: String,
    /// What is wrong, in words.
    pub message: String,
    /// The entry as sent.
    pub json: Box<str>,
}

/// The records of one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsagePage {
    /// What could be read.
    pub records: Vec<ParsedRecord>,
    /// What could not.
    pub rejections: Vec<Rejection>,
}

/// What a fetch had to do to get through, for the report of a sync.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The stable name of what happened (`page_size_reduced`, `call_not_permitted`,
    /// `call_refused`, `page_split`, `records_unreadable`, `list_unstable`,
    /// `list_incomplete`, `version_unknown`, `time_zone_unknown`, `windows_long`; over SQL
    /// `table_not_readable`, `usage_jobs_unknown`, `usage_not_measured`; of a sync
    /// `usage_archived`).
    pub slug: String,
    /// The same in words, naming the call.
    pub message: String,
}

/// The outcome of fetching usage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageFetch {
    /// What it took.
    pub notices: Vec<Notice>,
    /// Whether every record of the range was read. Only then may the watermark move.
    pub complete: bool,
}

/// The outcome of fetching metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotFetch {
    /// What was seen.
    pub snapshot: Snapshot,
    /// Entries that could not be read.
    pub rejections: Vec<Rejection>,
    /// What it took, and the kinds that could not be listed ([`Kind`] missing in
    /// [`Snapshot::complete`]).
    pub notices: Vec<Notice>,
}

/// A place that usage and metadata can be pulled from: CloudStack's API, a recording, …
pub trait Source {
    /// Fetches every record whose window touches `range`, page by page. The sink takes
    /// each page as it comes; its error ends the fetch.
    ///
    /// # Errors
    /// When the source cannot be read, or the sink fails.
    fn usage(
        &mut self,
        range: Period,
        sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
    ) -> Result<UsageFetch, Error>;

    /// Says, before [`snapshot`](Self::snapshot), from when on usage is of interest: a source
    /// that lists what happened (`usage_event` of CloudStack's databases) reaches back as far.
    fn usage_begins(&mut self, from: chrono::DateTime<chrono::Utc>) {
        let _ = from;
    }

    /// Fetches the metadata as it is now; `at` is the moment that the snapshot carries.
    ///
    /// # Errors
    /// When the source cannot be read at all. Kinds that may not be listed are left out of
    /// [`Snapshot::complete`] and named in a notice.
    fn snapshot(
        &mut self,
        at: chrono::DateTime<chrono::Utc>,
        kinds: &[Kind],
    ) -> Result<SnapshotFetch, Error>;
}
