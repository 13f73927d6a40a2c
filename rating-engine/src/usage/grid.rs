//! The aggregation windows that were fetched.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use cloudstack_usage::{Period, UsageType};
use hashbrown::HashSet;
use rustc_hash::FxBuildHasher;

use super::stream::Stream;

/// Where windows begin and end, over all streams. A window that no stream has a record in
/// is unknown, not empty.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    starts: BTreeSet<i64>,
    ends: BTreeSet<i64>,
    hull: Option<(i64, i64)>,
    /// Which streams' resources have records, by usage type.
    covered: BTreeMap<UsageType, u64>,
}

impl Grid {
    pub(crate) fn of(streams: &[Stream]) -> Self {
        let mut grid = Self::default();
        // most streams have the same runs of windows: each is walked once
        let mut known: HashSet<(i64, i64, u32), FxBuildHasher> = HashSet::default();
        for stream in streams {
            *grid.covered.entry(stream.key.usage_type).or_default() += 1;
            if stream.key.usage_type.has_own_times() {
                continue;
            }
            for run in &stream.runs {
                if !known.insert((run.first.start, run.first.end, run.windows)) {
                    continue;
                }
                for entry in run.entries() {
                    grid.starts.insert(entry.start);
                    grid.ends.insert(entry.end);
                    let (start, end) = grid.hull.unwrap_or((entry.start, entry.end));
                    grid.hull = Some((start.min(entry.start), end.max(entry.end)));
                }
            }
        }
        grid
    }

    #[cfg(test)]
    pub(crate) fn from_windows(windows: impl Iterator<Item = (i64, i64)>) -> Self {
        let mut grid = Self::default();
        for (start, end) in windows {
            grid.starts.insert(start);
            grid.ends.insert(end);
        }
        grid
    }

    /// Whether a window that begins at `instant` was fetched.
    pub(crate) fn has_window_from(&self, instant: i64) -> bool {
        self.starts.contains(&instant)
    }

    /// Whether a window that ends at `instant` was fetched.
    pub(crate) fn has_window_until(&self, instant: i64) -> bool {
        self.ends.contains(&instant)
    }

    /// From the first to the last instant that usage is known of.
    pub(crate) fn hull(&self) -> Option<Period> {
        let (start, end) = self.hull?;
        let instant = DateTime::from_timestamp_millis;
        Period::new(instant(start)?, instant(end)?).ok()
    }

    /// Whether any record of this type was read.
    pub(crate) fn has_type(&self, usage_type: UsageType) -> bool {
        self.covered.contains_key(&usage_type)
    }
}
