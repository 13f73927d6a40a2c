//! When tags changed between two syncs: what events can prove, and what they cannot.
//!
//! An event of CloudStack names a time and an action, never a resource, key or value. So
//! a change takes an event's time only where nothing else can have caused that event.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::metadata::TagAction;

/// How the moment of a tag change between two syncs is chosen.
///
/// Under both rules, what the first sync of a resource shows and no event places holds
/// since the resource's creation, and a tag that vanishes with its resource ends with it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TagMomentRule {
    /// The time of an event where one can be assigned without doubt, else as `Seen`.
    #[default]
    Event,
    /// From the sync that first saw a value until the sync that first missed it.
    Seen,
}

/// A tag that appeared or vanished between two syncs.
#[derive(Debug, Clone)]
pub(crate) struct TagChange {
    pub(crate) action: TagAction,
    /// The sync before; none for what the very first sync shows.
    pub(crate) after: Option<DateTime<Utc>>,
    /// The sync that saw the change.
    pub(crate) until: DateTime<Utc>,
    /// The resource's own bounds, where they are known: no event outside can be the cause.
    pub(crate) created: Option<DateTime<Utc>>,
    pub(crate) removed: Option<DateTime<Utc>>,
}

impl TagChange {
    /// The earliest that it can have been caused, where that is known.
    pub(crate) fn earliest(&self) -> Option<DateTime<Utc>> {
        self.after.max(self.created)
    }
}

/// A resource that can have been tagged without any sync seeing the tag.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unseen {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
}

/// The time between two successive syncs that both listed all tags.
#[derive(Debug, Clone)]
pub(crate) struct SyncGap {
    pub(crate) after: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    /// Whether every event of it is known.
    pub(crate) is_listed: bool,
    /// Resources that lived in it and were gone at its end.
    pub(crate) unseen: Vec<Unseen>,
}

/// Completed events, counted by their time.
#[derive(Debug, Clone, Default)]
pub(crate) struct TagEvents {
    created: BTreeMap<DateTime<Utc>, usize>,
    deleted: BTreeMap<DateTime<Utc>, usize>,
}

impl TagEvents {
    pub(crate) fn add(&mut self, action: TagAction, at: DateTime<Utc>) {
        let counts = match action {
            TagAction::Create => &mut self.created,
            TagAction::Delete => &mut self.deleted,
        };
        *counts.entry(at).or_default() += 1;
    }

    fn of(&self, action: TagAction) -> &BTreeMap<DateTime<Utc>, usize> {
        match action {
            TagAction::Create => &self.created,
            TagAction::Delete => &self.deleted,
        }
    }

    /// Every time at which an event may have caused `change`; those just after the sync
    /// that saw it included, for a sync takes its time and clocks differ.
    fn candidates(&self, change: &TagChange) -> BTreeSet<DateTime<Utc>> {
        self.of(change.action)
            .range(..change.until + sync_slack())
            .map(|(at, _)| *at)
            .filter(|at| change.after.is_none_or(|after| *at > after))
            .filter(|at| change.created.is_none_or(|created| *at >= created))
            .filter(|at| change.removed.is_none_or(|removed| *at <= removed))
            .collect()
    }

    fn within(&self, action: TagAction, gap: &SyncGap) -> BTreeMap<DateTime<Utc>, usize> {
        use std::ops::Bound::{Excluded, Included};
        if gap.after >= gap.until {
            return BTreeMap::new();
        }
        self.of(action)
            .range((Excluded(gap.after), Included(gap.until)))
            .map(|(at, count)| (*at, *count))
            .collect()
    }
}

/// What events say of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// No event can have caused it.
    Unexplained,
    /// Events of several times can have caused it.
    Doubtful,
    /// It was caused at this time.
    At(DateTime<Utc>),
}

impl Placement {
    pub(crate) fn at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) => Some(at),
            Self::Unexplained | Self::Doubtful => None,
        }
    }

    /// The same where not all events are known.
    pub(crate) fn doubted(self) -> Self {
        match self {
            Self::At(_) => Self::Doubtful,
            other => other,
        }
    }
}

/// Where events place each change: beyond doubt where all its candidates have one time, or
/// where the others are eliminated.
pub(crate) fn place(changes: &[TagChange], events: &TagEvents, gaps: &[SyncGap]) -> Vec<Placement> {
    let mut candidates: Vec<_> = changes.iter().map(|c| events.candidates(c)).collect();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); gaps.len()];
    for (index, change) in changes.iter().enumerate() {
        let number = gaps.partition_point(|gap| gap.until < change.until);
        if let Some(members) = members.get_mut(number) {
            members.push(index);
        }
    }
    for (gap, members) in gaps.iter().zip(&members) {
        for (index, at) in eliminate(gap, changes, members, events, &candidates) {
            if let Some(candidates) = candidates.get_mut(index) {
                *candidates = BTreeSet::from([at]);
            }
        }
    }
    changes
        .iter()
        .zip(candidates)
        .map(|(change, candidates)| match candidates.first() {
            None => Placement::Unexplained,
            Some(at) if candidates.len() == 1 && *at <= change.until => Placement::At(*at),
            Some(_) => Placement::Doubtful,
        })
        .collect()
}

/// What can be placed in one gap by elimination. Both actions must be explained by what
/// was seen: an event without an explanation belongs to a pair that no sync saw, and
/// either half of such a pair could be any event of the gap.
fn eliminate(
    gap: &SyncGap,
    changes: &[TagChange],
    members: &[usize],
    events: &TagEvents,
    candidates: &[BTreeSet<DateTime<Utc>>],
) -> Vec<(usize, DateTime<Utc>)> {
    if !gap.is_listed {
        return Vec::new();
    }
    let solve = |action| {
        let explainers = members
            .iter()
            .filter(|index| changes.get(**index).is_some_and(|c| c.action == action))
            .filter_map(|index| Some((*index, candidates.get(*index)?.clone())))
            .filter(|(_, times)| !times.is_empty())
            .collect();
        let events = events.within(action, gap);
        Some((assign(&events, explainers)?, events))
    };
    let (Some(created), Some(deleted)) = (solve(TagAction::Create), solve(TagAction::Delete))
    else {
        return Vec::new();
    };
    [created, deleted]
        .into_iter()
        .filter(|(_, events)| !events.keys().any(|at| gap.could_hide(*at)))
        .flat_map(|(explainers, _)| explainers)
        .filter_map(|(index, times)| (times.len() == 1).then_some((index, *times.first()?)))
        .collect()
}

impl SyncGap {
    /// Whether an event of this time may need no explanation in this gap: something that no
    /// sync saw explains it, or a change that the sync before saw while it was at work.
    fn could_hide(&self, at: DateTime<Utc>) -> bool {
        at < self.after + sync_slack()
            || self
                .unseen
                .iter()
                .any(|unseen| unseen.from <= at && at <= unseen.until)
    }
}

/// Gives events to the only changes that can explain them, until nothing more follows.
/// None where an event is left without an explanation: then nothing can be concluded.
///
/// A change is caused once, so a change given to one event explains no other; an event
/// may explain many changes.
fn assign(
    events: &BTreeMap<DateTime<Utc>, usize>,
    mut explainers: BTreeMap<usize, BTreeSet<DateTime<Utc>>>,
) -> Option<BTreeMap<usize, BTreeSet<DateTime<Utc>>>> {
    loop {
        let mut settled = true;
        for (at, count) in events {
            let able: Vec<usize> = explainers
                .iter()
                .filter(|(_, times)| times.contains(at))
                .map(|(index, _)| *index)
                .collect();
            if able.len() < *count {
                return None;
            }
            if able.len() > *count {
                continue;
            }
            for index in able {
                if let Some(times) = explainers.get_mut(&index)
                    && times.len() > 1
                {
                    *times = BTreeSet::from([*at]);
                    settled = false;
                }
            }
        }
        if settled {
            return Some(explainers);
        }
    }
}

/// How long after a call its first usage event may be dated: a resource may have been
/// tagged so long before its first use, and was gone so long before its last.
pub(crate) fn usage_delay() -> TimeDelta {
    TimeDelta::seconds(60)
}

/// How long after a sync's moment an event may be dated whose change the sync saw.
fn sync_slack() -> TimeDelta {
    TimeDelta::seconds(60)
}
