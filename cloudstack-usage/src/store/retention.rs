//! Months that were put away: what a store still knows of them, and how it gives them up
//! and takes them back.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::error::{StoreError, StoreErrorKind};
use super::rejection::StoredRejection;
use super::sync::SyncEntry;
use super::{DocumentDigest, StoredRecord};
use crate::month_uses::ResourceUses;
use crate::period::Period;
use crate::record::RecordKey;

/// How much more than a month its archive holds on both sides, and what stays in the store
/// of a month that was put away as long as the month beside it is there: two days decide
/// where used time lies in its windows, and one more covers every time zone.
const MARGIN: TimeDelta = TimeDelta::days(3);

/// A calendar month of UTC, such as `2026-10`.
///
/// ```
/// use cloudstack_usage::Period;
/// use cloudstack_usage::store::UtcMonth;
///
/// let october: UtcMonth = "2026-10".parse().unwrap();
/// let period = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
/// assert_eq!(october.period(), period);
/// assert_eq!(october.next().to_string(), "2026-11");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UtcMonth(NaiveDate);

impl UtcMonth {
    /// The month of this year and number (1 to 12), in the years 1970 to 9000.
    pub fn new(year: i32, month: u32) -> Option<Self> {
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        (1970..=9000).contains(&year).then_some(Self(first))
    }

    /// The month after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add_months(Months::new(1)).unwrap_or(self.0))
    }

    /// From its first instant to that of the month after it.
    pub fn period(self) -> Period {
        let midnight = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
        Period::new(midnight(self.0), midnight(self.next().0)).unwrap_or_else(|_| Period::always())
    }

    /// What an archive of the month holds: the month with three days more on both sides,
    /// which is all that a bill of it in any time zone reads.
    pub fn archive_period(self) -> Period {
        let month = self.period();
        Period::new(month.start() - MARGIN, month.end() + MARGIN).unwrap_or(month)
    }
}

impl fmt::Display for UtcMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}

impl fmt::Debug for UtcMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UtcMonth({self})")
    }
}

impl FromStr for UtcMonth {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
            .ok()
            .and_then(|first| Self::new(first.year(), first.month()))
            .filter(|month| month.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no month such as 2026-10"))
    }
}

impl TryFrom<String> for UtcMonth {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<UtcMonth> for String {
    fn from(month: UtcMonth) -> Self {
        month.to_string()
    }
}

/// A usage record as a store has it, one row for each of all its revisions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordVersion {
    /// The number of the multiset of its key, from 0.
    pub revision: u32,
    /// Its number among the twins of the revision, from 0.
    pub copy: u32,
    /// The record with its text as sent and the time during which it was what is known.
    pub stored: StoredRecord,
    /// The record as JSON of the library, as the store has it.
    pub text: Box<str>,
}

impl RecordVersion {
    /// A record as it is stored now.
    ///
    /// # Errors
    /// When the record cannot be written as JSON.
    pub fn new(revision: u32, copy: u32, stored: StoredRecord) -> Result<Self, StoreError> {
        let text = text_of(&stored.record)?;
        Ok(Self {
            revision,
            copy,
            stored,
            text,
        })
    }
}

/// A usage record as JSON of the library.
pub(super) fn text_of(record: &crate::record::UsageRecord) -> Result<Box<str>, StoreError> {
    let text = serde_json::to_string(record).map_err(|error| {
        let message = "a usage record cannot be written as JSON";
        StoreError::new(StoreErrorKind::Invalid, message).with_source(error)
    })?;
    Ok(text.into_boxed_str())
}

/// An entry that could not be read, as a store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionVersion {
    /// The entry.
    pub rejection: StoredRejection,
    /// The sync whose complete fetch did not have it any more; none while it stands.
    pub resolved: Option<DateTime<Utc>>,
}

/// What a store holds of usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredRow {
    /// A usage record in one of its revisions.
    Usage(Box<RecordVersion>),
    /// An entry of a list of usage that could not be read.
    Rejection(Box<RejectionVersion>),
}

/// Takes rows one by one; its error ends the reading.
pub type RowSink<'a> = dyn FnMut(StoredRow) -> Result<(), StoreError> + 'a;

/// A month whose usage was put away: it is in an archive, and not in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchivedMonth {
    /// The month.
    pub month: UtcMonth,
    /// The folder that its archive was written into.
    pub place: String,
    /// SHA-256 of the archive's content.
    pub digest: DocumentDigest,
    /// When it left the store.
    pub pruned: DateTime<Utc>,
    /// The last sync before that: what later ones record is not in the archive.
    pub known_at: DateTime<Utc>,
    /// How many rows of usage left the store.
    pub records: u64,
    /// The first and the last moment at which those rows came or gave way to others.
    pub recorded: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// The end of the newest window among them.
    pub newest_end: Option<DateTime<Utc>>,
}

/// The time of which usage is in archives alone. Of months put away side by side that is
/// all but three days at both ends, which the months beside them need.
///
/// ```
/// use cloudstack_usage::store::archived_time;
///
/// assert!(archived_time([]).is_empty());
/// let time = archived_time(["2026-09".parse().unwrap(), "2026-10".parse().unwrap()]);
/// assert_eq!(time[0].to_string(), "[2026-09-04T00:00:00Z, 2026-10-29T00:00:00Z)");
/// ```
pub fn archived_time(months: impl IntoIterator<Item = UtcMonth>) -> Vec<Period> {
    let mut months: Vec<UtcMonth> = months.into_iter().collect();
    months.sort_unstable();
    let mut runs: Vec<Period> = Vec::new();
    for month in months {
        let period = month.period();
        match runs.last_mut() {
            Some(run) if period.start() <= run.end() => *run = run.hull(&period),
            _ => runs.push(period),
        }
    }
    let inner = |run: &Period| Period::new(run.start() + MARGIN, run.end() - MARGIN).ok();
    runs.iter().filter_map(inner).collect()
}

/// The months of `archived` that hold usage of `period` which the store does not.
pub fn archived_within(archived: &[ArchivedMonth], period: Period) -> Vec<&ArchivedMonth> {
    let time = archived_time(archived.iter().map(|month| month.month));
    let missing: Vec<Period> = time
        .iter()
        .filter_map(|time| time.intersect(&period))
        .collect();
    let holds = |month: &&ArchivedMonth| {
        let period = month.month.period();
        missing.iter().any(|missing| missing.overlaps(&period))
    };
    archived.iter().filter(holds).collect()
}

/// Refuses to read usage of a period that is in archives alone, in whole or in part:
/// nothing that is not there may be taken for nothing.
///
/// # Errors
/// When a month that the period reaches into was put away.
pub fn refuse_archived(archived: &[ArchivedMonth], period: Period) -> Result<(), StoreError> {
    match archived_within(archived, period).as_slice() {
        [] => Ok(()),
        months => Err(not_here(months, "")),
    }
}

/// The months put away whose uses belong to all that was known (on that instant; none: now).
/// What was known while a month still changed is in its archive alone.
///
/// # Errors
/// When a month would have to be taken back to tell.
pub fn archived_known_on(
    archived: &[ArchivedMonth],
    as_known_on: Option<DateTime<Utc>>,
) -> Result<Vec<&ArchivedMonth>, StoreError> {
    let Some(at) = as_known_on else {
        return Ok(archived.iter().collect());
    };
    let changing = |month: &&ArchivedMonth| {
        let recorded = month.recorded;
        recorded.is_some_and(|(first, last)| first <= at && at < last)
    };
    let months: Vec<&ArchivedMonth> = archived.iter().filter(changing).collect();
    if !months.is_empty() {
        return Err(not_here(&months, &format!(" as it was known on {at}")));
    }
    let known = |month: &&ArchivedMonth| month.recorded.is_none_or(|(first, _)| first <= at);
    Ok(archived.iter().filter(known).collect())
}

/// The error of usage that is in archives alone; `known` says of which knowledge.
pub(super) fn not_here(months: &[&ArchivedMonth], known: &str) -> StoreError {
    let list = |text: &dyn Fn(&ArchivedMonth) -> String, with: &str| {
        let texts: Vec<String> = months.iter().map(|month| text(month)).collect();
        texts.join(with)
    };
    let place = |month: &ArchivedMonth| month.place.clone();
    StoreError::new(
        StoreErrorKind::Archived,
        format!(
            "usage of {}{known} is not in the database: it was archived in {}; \
             take it back with `csbill restore {}`",
            list(&|month| month.month.to_string(), ", "),
            list(&place, ", "),
            list(&place, " "),
        ),
    )
}

/// Usage of one cloud on its way out of a store, or back into it. Dropped without
/// [`commit`](Self::commit) it leaves the store as it was. Meanwhile no sync of the cloud
/// begins.
pub trait RetentionTransaction {
    /// The months put away.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn archived_months(&mut self) -> Result<Vec<ArchivedMonth>, StoreError>;

    /// Every sync that was committed, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn syncs(&mut self) -> Result<Vec<SyncEntry>, StoreError>;

    /// As [`UsageStore::stored_rows`](super::UsageStore::stored_rows).
    ///
    /// # Errors
    /// When the store cannot be read, or the sink fails.
    fn stored_rows(&mut self, period: Period, sink: &mut RowSink<'_>) -> Result<(), StoreError>;

    /// All rows of these keys, by key, revision and copy.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn versions_of(&mut self, keys: &[RecordKey]) -> Result<Vec<RecordVersion>, StoreError>;

    /// Removes all rows of these keys; says how many there were.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn remove_usage(&mut self, keys: &[RecordKey]) -> Result<u64, StoreError>;

    /// Puts rows of usage as they are; none of the same key, revision and copy may be there.
    ///
    /// # Errors
    /// When the store cannot be written, or has such a row.
    fn add_usage(&mut self, rows: &[RecordVersion]) -> Result<(), StoreError>;

    /// Puts entries that could not be read, except those of which the store has one with the
    /// same [fingerprint](StoredRejection::fingerprint) that was first seen at the same
    /// moment, or that stands as well. Says how many were put.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn add_rejections(&mut self, rows: &[RejectionVersion]) -> Result<u64, StoreError>;

    /// Notes that a month was put away, with the uses of its resources.
    ///
    /// # Errors
    /// When the store cannot be written, or has the month already.
    fn put_archived(
        &mut self,
        month: &ArchivedMonth,
        uses: &[ResourceUses],
    ) -> Result<(), StoreError>;

    /// Forgets that a month was put away.
    ///
    /// # Errors
    /// When the store cannot be written.
    fn remove_archived(&mut self, month: UtcMonth) -> Result<(), StoreError>;

    /// Makes everything visible at once.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is changed then.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> UtcMonth {
        text.parse().unwrap()
    }

    #[test]
    fn months_are_written_with_year_and_number_and_nothing_else() {
        assert_eq!(month("2026-12").next(), month("2027-01"));
        let long = month("2028-02").archive_period();
        let expected = Period::parse("2028-01-29T00:00:00Z", "2028-03-04T00:00:00Z").unwrap();
        assert_eq!(long, expected);
        for wrong in ["2026-13", "2026-1", "26-10", "2026-10-01", "", "1969-12"] {
            assert!(wrong.parse::<UtcMonth>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_the_months_beside_need_is_not_archived_alone() {
        let time = archived_time([month("2026-12"), month("2026-03"), month("2026-02")]);
        let texts: Vec<String> = time.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "[2026-02-04T00:00:00Z, 2026-03-29T00:00:00Z)",
                "[2026-12-04T00:00:00Z, 2026-12-29T00:00:00Z)"
            ]
        );
        // April of any time zone reads two days before it
        let april = Period::parse("2026-03-29T10:00:00Z", "2026-05-03T00:00:00Z").unwrap();
        assert!(!time.iter().any(|time| time.overlaps(&april)));
    }
}
