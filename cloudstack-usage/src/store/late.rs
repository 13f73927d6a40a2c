//! Usage that came of months after they were put away, on top of what is kept of their uses.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::error::StoreError;
use super::merge::{MultisetChange, compare_multisets};
use super::restore::{complete_syncs, sorted_usage};
use super::retention::{ArchivedMonth, RecordVersion, StoredRow, not_here};
use super::sync::SyncEntry;
use crate::id::ResourceId;
use crate::metadata::Kind;
use crate::month_uses::{KeptRecord, ResourceUses};
use crate::period::Period;
use crate::record::RecordKey;
use crate::usage_lifetimes::{UsageLifetimes, measured};

/// Puts late records into the place that they have once their month is taken back: known
/// usage says nothing new, other usage takes the place of what was kept of its key.
pub(super) struct LateUsage {
    /// Time of which usage is in archives alone, but for what came late.
    time: Vec<Period>,
    known_on: Option<DateTime<Utc>>,
    rows: BTreeMap<RecordKey, Vec<RecordVersion>>,
    complete: BTreeMap<DateTime<Utc>, bool>,
    doubts: Vec<Doubt>,
}

/// A resource of which not all that was kept of a month counts: windows between its first and
/// last ones may matter then, and are in the archive alone.
struct Doubt {
    resource: (Kind, ResourceId),
    gap: (Period, Period),
    month: ArchivedMonth,
}

impl LateUsage {
    pub(super) fn new(time: Vec<Period>, known_on: Option<DateTime<Utc>>) -> Self {
        Self {
            time,
            known_on,
            rows: BTreeMap::new(),
            complete: BTreeMap::new(),
            doubts: Vec::new(),
        }
    }

    /// Takes what is stored of time that is away, as far as it was known and tells of uses.
    pub(super) fn add(&mut self, row: StoredRow) {
        let StoredRow::Usage(row) = row else { return };
        let record = &row.stored.record;
        let came = row.stored.recorded_from;
        if self.is_away(record.window)
            && self.known_on.is_none_or(|known_on| came <= known_on)
            && measured(record).is_some()
        {
            self.rows.entry(record.key()).or_default().push(*row);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Takes the syncs, which tell what came of a fetch that could not read everything.
    pub(super) fn note_syncs(&mut self, syncs: &[SyncEntry]) {
        self.complete = complete_syncs(syncs);
    }

    /// Adds what is kept of a resource in a month. Of time that the store has (again), its own
    /// records tell.
    pub(super) fn absorb(
        &mut self,
        lifetimes: &mut UsageLifetimes,
        month: &ArchivedMonth,
        uses: &ResourceUses,
    ) {
        let resource = (uses.kind(), uses.resource().clone());
        let mut all_count = true;
        for (key, kept) in uses.by_key() {
            if !kept.iter().all(|record| self.is_away(record.window)) {
                all_count = false;
            } else if let Some(came) = self.came_of(key, &kept) {
                all_count = false;
                observe(lifetimes, &came, &kept);
            } else {
                for record in kept.into_iter().filter(|record| record.millis > 0) {
                    let measured = (key, i128::from(record.millis));
                    let facts = record.facts.clone();
                    lifetimes.keep(resource.clone(), record.window, measured, facts);
                }
            }
        }
        if !all_count && let Some(gap) = uses.gap() {
            self.doubts.push(Doubt {
                resource,
                gap,
                month: month.clone(),
            });
        }
    }

    /// Adds what came of keys of which nothing is kept.
    ///
    /// # Errors
    /// When windows that are in an archive alone would have to be known.
    pub(super) fn finish(self, lifetimes: &mut UsageLifetimes) -> Result<(), StoreError> {
        for row in self.rows.into_values().flatten() {
            if row.stored.is_known_on(self.known_on) {
                lifetimes.observe(&row.stored.record);
            }
        }
        let is_open = |doubt: &&Doubt| !lifetimes.reaches_over(&doubt.resource, doubt.gap);
        match self.doubts.iter().find(is_open) {
            None => Ok(()),
            Some(doubt) => Err(not_here(
                &[&doubt.month],
                &format!(
                    ", which is needed since late records take away the first or last use of {}",
                    doubt.resource.1
                ),
            )),
        }
    }

    fn is_away(&self, window: Period) -> bool {
        self.time.iter().any(|time| time.covers(&window))
    }

    /// What takes the place of what was kept of a key; none where that stands.
    fn came_of(&mut self, key: RecordKey, kept: &[&KeptRecord]) -> Option<Vec<RecordVersion>> {
        let late = self.rows.remove(&key)?;
        let mut before: Vec<Decimal> = kept.iter().map(|record| record.raw_usage).collect();
        before.sort_unstable();
        let mut stands = None;
        for came in late.chunk_by(|left, right| left.revision == right.revision) {
            let usage = sorted_usage(came.iter());
            let at = came.first()?.stored.recorded_from;
            let complete = self.complete.get(&at).copied().unwrap_or(true);
            match compare_multisets(&before, &usage, complete) {
                MultisetChange::Unchanged | MultisetChange::Deferred => {}
                MultisetChange::New | MultisetChange::Revised => {
                    before = usage;
                    stands = Some(came.to_vec());
                }
            }
        }
        stands
    }
}

/// Takes records in the place of kept ones, in the domain that these had.
fn observe(lifetimes: &mut UsageLifetimes, came: &[RecordVersion], kept: &[&KeptRecord]) {
    for row in came {
        let mut record = row.stored.record.clone();
        if let Some(first) = kept.first() {
            record.owner.domain.clone_from(&first.facts.owner.domain);
        }
        lifetimes.observe(&record);
    }
}
