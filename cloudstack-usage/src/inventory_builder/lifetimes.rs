//! When a resource lived.

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::ResourceId;
use crate::inventory::{Lifetime, LifetimeSource};
use crate::metadata::{Kind, Snapshot};
use crate::usage_lifetimes::{UsageLife, UsageLifetimes};

use super::syncs::listed_after;

/// What the lists say of one resource.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) kind: Kind,
    /// The numbers of the syncs that listed it, in order.
    pub(super) listed: Vec<usize>,
    /// Its created time, where it can be true.
    pub(super) created: Option<DateTime<Utc>>,
    /// Whether a complete list missed it, and none listed it again.
    pub(super) is_gone: bool,
    /// None for what has no lifetime of its own (domains, projects, accounts).
    pub(super) lifetime: Option<Lifetime>,
    /// The earliest that its last use can have been, where usage ends its life.
    pub(super) end_not_before: Option<DateTime<Utc>>,
}

/// A resource as one sync saw it.
pub(super) struct Listed {
    pub(super) sync: usize,
    pub(super) created: Option<DateTime<Utc>>,
    /// Whether the list says that it is there, rather than destroyed and not yet gone.
    pub(super) is_alive: bool,
}

/// Finds lifetimes from lists and usage.
pub(super) struct Lifetimes<'a> {
    pub(super) syncs: &'a [Snapshot],
    pub(super) usage: &'a UsageLifetimes,
}

impl Lifetimes<'_> {
    /// The life of a resource that at least one sync listed.
    pub(super) fn known(&self, kind: Kind, id: &ResourceId, listed: &[Listed]) -> Option<Known> {
        let usage = self.usage.life(kind, id);
        let first = listed.first()?;
        let last = listed.last()?;
        let first_seen = self.at(first.sync)?;
        // a created time after the sync that saw the resource was not set when it was made
        let created = listed
            .iter()
            .find_map(|row| row.created.filter(|created| *created <= first_seen));
        let (mut start, mut start_source) = start(kind, created, usage.as_ref(), first_seen);
        if let Some(usage) = &usage
            && kind != Kind::IpAddress
            && self.was_interrupted(kind, listed)
        {
            // usage alone tells the lives from the time between them
            (start, start_source) = (start.min(usage.first), LifetimeSource::Usage);
        }

        let last_alive = listed.iter().rev().find(|row| row.is_alive);
        let last_alive = last_alive.and_then(|row| self.at(row.sync));
        let is_gone = listed_after(self.syncs, kind, last.sync);
        let (end, end_source) = if last.is_alive && !is_gone {
            (None, LifetimeSource::Seen)
        } else {
            let (end, source) = end(usage.as_ref(), created, last_alive);
            let shortest = start.checked_add_signed(TimeDelta::milliseconds(1));
            (end.max(shortest), source)
        };
        let ends_by_usage = end.is_some() && end_source == LifetimeSource::Usage;
        Some(Known {
            kind,
            listed: listed.iter().map(|row| row.sync).collect(),
            created,
            is_gone,
            lifetime: Some(Lifetime {
                start,
                start_source,
                end,
                end_source,
                last_seen: self.at(last.sync),
            }),
            end_not_before: usage
                .filter(|_| ends_by_usage)
                .map(|life| life.last_not_before),
        })
    }

    /// Whether the resource was gone for a while: destroyed and recovered, or missed
    /// by a complete list. Addresses keep their id from owner to owner: each allocation is a span
    /// of their owner's history, which tells the time between.
    fn was_interrupted(&self, kind: Kind, listed: &[Listed]) -> bool {
        listed
            .iter()
            .zip(listed.iter().skip(1))
            .any(|(before, after)| {
                let recovered = !before.is_alive && after.is_alive;
                let missed = self
                    .syncs
                    .get(before.sync.saturating_add(1)..after.sync)
                    .is_some_and(|between| {
                        between.iter().any(|sync| sync.complete.contains(&kind))
                    });
                recovered || missed
            })
    }

    /// The life of a resource that no sync listed.
    pub(super) fn unlisted(&self, kind: Kind, life: &UsageLife<'_>) -> Known {
        let was_missed = self
            .syncs
            .iter()
            .any(|sync| sync.at >= life.last && sync.complete.contains(&kind));
        let end = (was_missed || !life.may_go_on).then_some(life.last);
        Known {
            kind,
            listed: Vec::new(),
            created: None,
            is_gone: false,
            lifetime: Some(Lifetime {
                start: life.first,
                start_source: LifetimeSource::Usage,
                end,
                end_source: LifetimeSource::Usage,
                last_seen: None,
            }),
            end_not_before: end.map(|_| life.last_not_before),
        }
    }

    fn at(&self, sync: usize) -> Option<DateTime<Utc>> {
        self.syncs.get(sync).map(|sync| sync.at)
    }
}

fn start(
    kind: Kind,
    created: Option<DateTime<Utc>>,
    usage: Option<&UsageLife<'_>>,
    first_seen: DateTime<Utc>,
) -> (DateTime<Utc>, LifetimeSource) {
    let used = usage.map(|life| life.first);
    match (created, used) {
        // an address keeps its id when it is released and given to the next owner
        (Some(created), Some(used)) if kind == Kind::IpAddress && used < created => {
            (used, LifetimeSource::Usage)
        }
        (Some(created), _) => (created, LifetimeSource::Created),
        (None, Some(used)) if used <= first_seen => (used, LifetimeSource::Usage),
        (None, _) => (first_seen, LifetimeSource::Seen),
    }
}

/// The end of a life that is over. Usage wins, also where it goes on after the resource
/// vanished; usage that ends before a sync saw the resource alive was not read further.
///
/// Where all use lies somewhere in one window, it began with the resource's creation, or with
/// the window that a resource of before is first seen in.
fn end(
    usage: Option<&UsageLife<'_>>,
    created: Option<DateTime<Utc>>,
    last_alive: Option<DateTime<Utc>>,
) -> (Option<DateTime<Utc>>, LifetimeSource) {
    let used = usage.map(|life| {
        let from_creation = life.only_use.zip(created).map(|(used, created)| {
            (created.max(life.first) + used).max(last_alive.unwrap_or(created))
        });
        from_creation.map_or(life.last, |end| end.min(life.last))
    });
    match used {
        Some(used) if last_alive.is_none_or(|alive| alive <= used) => {
            (Some(used), LifetimeSource::Usage)
        }
        _ => (last_alive, LifetimeSource::Seen),
    }
}
