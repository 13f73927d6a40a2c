//! Clean windows: copies, overlaps and more time than a window has are taken out.

use std::collections::BTreeMap;

use cloudstack_usage::UsageType;

use super::joined::Joined;
use super::placement::share_of;
use super::run::{Entry, Run};
use super::stream::Stream;
use crate::book::terms::FindingPolicies;
use crate::finding::Policy;

/// One window of a stream with what was used in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clean {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Milliseconds, bytes or a count.
    pub(crate) amount: i128,
    /// Records behind it.
    pub(crate) records: u64,
    /// How many windows of one length it joins: whole ones, one after the other.
    pub(crate) windows: u32,
}

impl Clean {
    /// One window of a record.
    fn one(entry: Entry, records: u64) -> Self {
        Self {
            start: entry.start,
            end: entry.end,
            amount: entry.amount,
            records,
            windows: 1,
        }
    }

    /// Whether the time used is the whole window.
    pub(crate) fn is_whole(&self) -> bool {
        self.amount == i128::from(self.end - self.start)
    }

    /// The joined windows one by one, in order of time.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> + use<> {
        let windows = Joined::of(self.start, self.end, self.windows, self.records);
        let whole = *self;
        windows.each().map(move |(start, end, records)| Self {
            start,
            end,
            // joined windows are whole; a single one has all
            amount: if whole.windows == 1 {
                whole.amount
            } else {
                i128::from(end - start)
            },
            records,
            windows: 1,
        })
    }

    /// The records of the windows that share time with `start` to `end`.
    pub(crate) fn records_within(&self, start: i64, end: i64) -> u64 {
        Joined::of(self.start, self.end, self.windows, self.records).records_within(start, end)
    }
}

/// Something wrong with the records of a stream, and what was held back for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// Identical copies of a record.
    Duplicate {
        start: i64,
        end: i64,
        amount: i128,
        copies: u64,
    },
    /// A window that overlaps another one; `amount` was held back, and with it so many
    /// whole records.
    Overlap {
        start: i64,
        end: i64,
        amount: i128,
        records: u64,
    },
    /// More time than the window has; `amount` was held back, and with it so many whole
    /// records.
    OverWindow {
        start: i64,
        end: i64,
        amount: i128,
        records: u64,
    },
}

/// Differences of own times of up to a second come from rounding, not from CloudStack's bugs.
const OWN_TIME_TOLERANCE_MILLIS: i128 = 1_000;

/// Adds up the twins of each window and takes out what cannot be right. `pieces` tells how
/// many identical records of a VM snapshot or backup are legitimate.
///
/// Source: DESIGN.md §4 "Dirty usage"; CLOUDSTACK.md §2.9 and 2.10.
pub(crate) fn clean(
    stream: &Stream,
    pieces: u64,
    policies: FindingPolicies,
) -> (Vec<Clean>, Vec<Doubt>) {
    if let Some(windows) = in_line(stream) {
        let mut doubts = Vec::new();
        let windows = cut_to_window(stream, windows, pieces, policies, &mut doubts);
        return (windows, doubts);
    }
    let mut doubts = Vec::new();
    let windows = add_twins(stream, pieces, policies.duplicate, &mut doubts);
    let windows = cut_to_window(stream, windows, pieces, policies, &mut doubts);
    (
        without_overlaps(windows, policies.overlap, &mut doubts),
        doubts,
    )
}

/// The windows of a stream in which no two share any time: as a rule nothing is wrong with
/// them. Whole windows stay joined as their records are. None where some may overlap.
fn in_line(stream: &Stream) -> Option<Vec<Clean>> {
    let apart = |pair: &[Run]| matches!(pair, [left, right] if left.end() <= right.first.start);
    if !stream.runs.windows(2).all(apart) {
        return None;
    }
    let mut windows = Vec::with_capacity(stream.runs.len());
    for run in &stream.runs {
        let length = run.first.end - run.first.start;
        let joins = !stream.holds_bytes && length > 0 && run.first.amount == i128::from(length);
        if joins {
            windows.push(Clean {
                start: run.first.start,
                end: run.end(),
                amount: i128::from(length) * i128::from(run.windows),
                records: u64::from(run.windows),
                windows: run.windows,
            });
        } else {
            windows.extend(run.entries().map(|entry| Clean::one(entry, 1)));
        }
    }
    Some(windows)
}

/// Records of one window are twins where `rawusage` differs, copies where it does not.
/// Entries come sorted, so both lie side by side.
fn add_twins(stream: &Stream, pieces: u64, policy: Policy, doubts: &mut Vec<Doubt>) -> Vec<Clean> {
    let may_repeat = matches!(
        stream.key.usage_type,
        UsageType::VmSnapshot | UsageType::Backup
    );
    let allowed = if may_repeat { pieces.max(1) } else { 1 };
    let entries = stream.entries();
    let mut windows: Vec<Clean> = Vec::with_capacity(entries.len());
    for group in entries.chunk_by(|left, right| left == right) {
        let Some(entry) = group.first().copied() else {
            continue;
        };
        let Entry {
            start, end, amount, ..
        } = entry;
        let count = group.len() as u64;
        let billed = count.min(allowed);
        if count > billed {
            doubts.push(Doubt::Duplicate {
                start,
                end,
                amount,
                copies: count - billed,
            });
        }
        // a book may bill the copies as well, and only say so
        let billed = if policy == Policy::BillAndFlag {
            count
        } else {
            billed
        };
        let amount = amount * i128::from(billed);
        match windows.last_mut() {
            Some(last) if last.start == start && last.end == end => {
                last.amount += amount;
                last.records += billed;
            }
            _ => windows.push(Clean {
                amount,
                ..Clean::one(entry, billed)
            }),
        }
    }
    windows
}

/// Time beyond the window is held; bytes are no time. Several NICs of one offering share a record (type 13),
/// and the pieces of a VM snapshot a key, so these may have more.
fn cut_to_window(
    stream: &Stream,
    mut windows: Vec<Clean>,
    pieces: u64,
    policies: FindingPolicies,
    doubts: &mut Vec<Doubt>,
) -> Vec<Clean> {
    let usage_type = stream.key.usage_type;
    if stream.holds_bytes
        || usage_type.unit() != Some(cloudstack_usage::Unit::Time)
        || usage_type == UsageType::NetworkOffering
    {
        return windows;
    }
    let times = if usage_type.has_own_times() {
        i128::from(pieces.max(1))
    } else {
        1
    };
    let billed_copies = copies(doubts, policies.duplicate);
    windows.retain_mut(|window| {
        let more = billed_copies.get(&(window.start, window.end)).copied();
        let times = times + i128::from(more.unwrap_or(0));
        let length = i128::from(window.end - window.start) * times;
        let excess = window.amount - length;
        if excess <= 0 {
            return true;
        }
        let rounding = usage_type.has_own_times() && excess <= OWN_TIME_TOLERANCE_MILLIS * times;
        let held = !rounding && policies.over_window == Policy::Hold;
        if !rounding {
            doubts.push(Doubt::OverWindow {
                start: window.start,
                end: window.end,
                amount: if held { window.amount } else { excess },
                records: if held { window.records } else { 0 },
            });
        }
        if rounding || policies.over_window != Policy::BillAndFlag {
            window.amount = length;
        }
        !held
    });
    windows
}

/// How many copies of each window are billed, where the book bills them.
fn copies(doubts: &[Doubt], policy: Policy) -> BTreeMap<(i64, i64), u64> {
    let mut copied = BTreeMap::new();
    for doubt in doubts.iter().filter(|_| policy == Policy::BillAndFlag) {
        if let Doubt::Duplicate {
            start, end, copies, ..
        } = doubt
        {
            *copied.entry((*start, *end)).or_default() += copies;
        }
    }
    copied
}

/// Keeps windows that do not overlap, the wider ones first; of a window that overlaps in
/// part, the part that is not covered yet, with its share of the amount.
fn without_overlaps(windows: Vec<Clean>, policy: Policy, doubts: &mut Vec<Doubt>) -> Vec<Clean> {
    let overlapping = windows
        .windows(2)
        .any(|pair| matches!(pair, [left, right] if left.end > right.start));
    if !overlapping {
        return windows;
    }
    let mut widest_first = windows;
    widest_first.sort_by_key(|window| (std::cmp::Reverse(window.end - window.start), window.start));
    let mut kept: Vec<Clean> = Vec::new();
    let mut flagged: Vec<Clean> = Vec::new();
    for window in widest_first {
        let free = free_parts(&window, &kept);
        let free_millis: i64 = free.iter().map(|(start, end)| end - start).sum();
        let overlaps = free_millis < window.end - window.start;
        let keep = match policy {
            Policy::Hold if overlaps => 0,
            _ => share_of(window.amount, free_millis, window.end - window.start),
        };
        if overlaps {
            let held = policy == Policy::Hold || (policy == Policy::Clip && free_millis == 0);
            let records = if held { window.records } else { 0 };
            doubts.push(Doubt::Overlap {
                start: window.start,
                end: window.end,
                amount: window.amount - keep,
                records,
            });
        }
        if overlaps && policy == Policy::BillAndFlag {
            flagged.push(window);
            continue;
        }
        if overlaps && policy == Policy::Hold {
            continue;
        }
        let mut given = 0;
        let mut passed = 0;
        for (index, (start, end)) in free.iter().enumerate() {
            passed += end - start;
            let until = share_of(keep, passed, free_millis);
            let records = if index == 0 { window.records } else { 0 };
            kept.push(Clean {
                start: *start,
                end: *end,
                amount: until - given,
                records,
                windows: 1,
            });
            given = until;
        }
        kept.sort_by_key(|window| window.start);
    }
    kept.extend(flagged);
    kept.sort_by_key(|window| (window.start, window.end));
    kept
}

/// The parts of `window` that no kept window covers.
fn free_parts(window: &Clean, kept: &[Clean]) -> Vec<(i64, i64)> {
    let mut parts = Vec::new();
    let mut from = window.start;
    for other in kept
        .iter()
        .filter(|other| other.start < window.end && other.end > window.start)
    {
        if other.start > from {
            parts.push((from, other.start));
        }
        from = from.max(other.end);
    }
    if from < window.end {
        parts.push((from, window.end));
    }
    parts
}
