//! The history of tags, from what successive syncs listed and what events prove.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::history::{Moment, MomentSource};
use crate::id::ResourceId;
use crate::inventory::{LifetimeSource, TagHistory};
use crate::metadata::{Kind, Snapshot, TagAction};
use crate::tag_moments::{
    Placement, SyncGap, TagChange, TagEvents, TagMomentRule, Unseen, place, usage_delay,
};

use super::lifetimes::Known;
use super::syncs::always;

/// Everything known of the tags of one resource.
#[derive(Debug, Clone, Default)]
pub(super) struct Tagged {
    pub(super) resource_type: String,
    pub(super) history: TagHistory,
    /// The first and the last sync that showed a tag.
    pub(super) shown: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

/// One change of the value of one key between two syncs.
struct Step<'a> {
    resource: &'a ResourceId,
    key: &'a str,
    from: Option<&'a str>,
    to: Option<&'a str>,
    /// The sync before that knew the resource's tags.
    after: Option<DateTime<Utc>>,
    at: DateTime<Utc>,
    /// Since when a value holds that the resource's first sync shows.
    since: Option<DateTime<Utc>>,
    /// The end of the resource, where its tags vanished with it.
    end: Option<Moment>,
}

type Shown<'a> = BTreeMap<&'a ResourceId, BTreeMap<&'a str, &'a str>>;

/// The tag histories of every resource that ever showed a tag.
pub(super) fn histories(
    syncs: &[Snapshot],
    known: &BTreeMap<ResourceId, Known>,
    rule: TagMomentRule,
) -> BTreeMap<ResourceId, Tagged> {
    let listed: Vec<_> = syncs.iter().map(Snapshot::all_tags).collect();
    let mut tagged: BTreeMap<ResourceId, Tagged> = BTreeMap::new();
    let mut shown: Vec<Shown<'_>> = Vec::with_capacity(syncs.len());
    for (sync, tags) in syncs.iter().zip(&listed) {
        let mut of_sync: Shown<'_> = BTreeMap::new();
        for tag in tags {
            let keys = of_sync.entry(&tag.resource).or_default();
            keys.insert(&tag.tag.key, &tag.tag.value);
            let entry = tagged.entry(tag.resource.clone()).or_default();
            entry.resource_type.clone_from(&tag.resource_type);
            let first = entry.shown.map_or(sync.at, |(first, _)| first);
            entry.shown = Some((first, sync.at));
        }
        shown.push(of_sync);
    }

    let resources: Vec<ResourceId> = tagged.keys().cloned().collect();
    let mut steps = Vec::new();
    for resource in &resources {
        let mut observer = Observer::new(resource, known.get(resource));
        for (number, (sync, tags)) in syncs.iter().zip(&shown).enumerate() {
            observer.observe(number, sync, tags.get(resource), &mut steps);
        }
    }
    let placements = match rule {
        TagMomentRule::Event => place_steps(&steps, syncs, known),
        TagMomentRule::Seen => vec![(Placement::Unexplained, Placement::Unexplained); steps.len()],
    };
    for (step, (began, ended)) in steps.iter().zip(placements) {
        if let Some(entry) = tagged.get_mut(step.resource) {
            step.apply(&mut entry.history, began, ended);
        }
    }
    tagged
}

/// Follows the tags of one resource from sync to sync.
struct Observer<'a> {
    resource: &'a ResourceId,
    known: Option<&'a Known>,
    /// The value of each key, and the last sync that showed it.
    keys: BTreeMap<&'a str, (&'a str, DateTime<Utc>)>,
    /// The last sync that knew all its tags.
    after: Option<DateTime<Utc>>,
    existed: bool,
}

impl<'a> Observer<'a> {
    fn new(resource: &'a ResourceId, known: Option<&'a Known>) -> Self {
        Self {
            resource,
            known,
            keys: BTreeMap::new(),
            after: None,
            existed: false,
        }
    }

    fn observe(
        &mut self,
        number: usize,
        sync: &Snapshot,
        tags: Option<&BTreeMap<&'a str, &'a str>>,
        steps: &mut Vec<Step<'a>>,
    ) {
        let none = BTreeMap::new();
        let tags = tags.unwrap_or(&none);
        let knows_all = self.knows_all(number, sync);
        let keys: BTreeSet<&'a str> = self.keys.keys().chain(tags.keys()).copied().collect();
        let since = (!self.existed).then(|| self.since().min(sync.at));
        for key in keys {
            let shown = self.keys.get(key).copied();
            let (from, to) = (shown.map(|(value, _)| value), tags.get(key).copied());
            if to.is_none() && !knows_all {
                continue;
            }
            if from != to {
                let after = self.after.max(shown.map(|(_, at)| at));
                let end = to.is_none().then(|| self.end(number, sync, after));
                steps.push(Step {
                    resource: self.resource,
                    key,
                    from,
                    to,
                    after,
                    at: sync.at,
                    since,
                    end: end.flatten(),
                });
            }
            match to {
                Some(value) => self.keys.insert(key, (value, sync.at)),
                None => self.keys.remove(key),
            };
        }
        if knows_all {
            self.after = Some(sync.at);
        }
        self.existed |=
            self.exists(number, sync, !tags.is_empty()) && (knows_all || !tags.is_empty());
    }

    /// Whether a tag that is not in the snapshot was not there. The lists of VMs, volumes
    /// and projects carry all tags of their rows, for a sync that did not read `listTags`.
    fn knows_all(&self, number: usize, sync: &Snapshot) -> bool {
        if sync.complete.contains(&Kind::Tag) {
            return true;
        }
        self.known.is_some_and(|known| {
            matches!(known.kind, Kind::Vm | Kind::Volume | Kind::Project)
                && sync.tags.is_empty()
                && sync.complete.contains(&known.kind)
                && known.listed.binary_search(&number).is_ok()
        })
    }

    /// Whether the resource was there, as far as can be told.
    fn exists(&self, number: usize, sync: &Snapshot, has_tags: bool) -> bool {
        let Some(known) = self.known else {
            // no list names such resources: nothing says that it was not there
            return true;
        };
        let began = known
            .lifetime
            .filter(|lifetime| lifetime.start_source != LifetimeSource::Seen)
            .map(|lifetime| lifetime.start);
        has_tags
            || known.listed.binary_search(&number).is_ok()
            || (!sync.complete.contains(&known.kind) && began.is_some_and(|began| began <= sync.at))
    }

    /// Since when something holds that the first sync of the resource shows: its creation,
    /// and after the sync before, which knew that it was not there.
    fn since(&self) -> DateTime<Utc> {
        let start = self
            .known
            .and_then(|known| known.lifetime)
            .map_or_else(always, |lifetime| lifetime.start);
        match self.after {
            Some(after) => start.max(after + TimeDelta::milliseconds(1)),
            None => start,
        }
    }

    /// The end of the resource, where it was gone by this sync.
    /// A tag that a sync showed after that end counts until the sync that missed it.
    fn end(&self, number: usize, sync: &Snapshot, after: Option<DateTime<Utc>>) -> Option<Moment> {
        let known = self.known?;
        let seen = Moment::seen(sync.at, after);
        if let Some(lifetime) = known.lifetime
            && let Some(end) = lifetime.end
            && end <= sync.at
        {
            let is_new = after.is_none_or(|after| after < end);
            return Some(match lifetime.end_source {
                LifetimeSource::Usage if is_new => Moment::certain(end, MomentSource::Record),
                LifetimeSource::Removed if is_new => Moment::certain(end, MomentSource::Removed),
                _ => seen,
            });
        }
        // a project is gone at an unknown moment, but nothing of it is used after that: until
        // the sync that missed it the tag decides just as much as until its end
        let is_gone = known.is_gone && known.listed.last().is_some_and(|last| *last < number);
        is_gone.then(|| Moment::certain(sync.at, MomentSource::Seen))
    }
}

impl Step<'_> {
    fn apply(&self, history: &mut TagHistory, began: Placement, ended: Placement) {
        let event = |at| Moment::certain(at, MomentSource::Event);
        let seen = Moment::seen(self.at, self.after);
        match (self.from, self.to) {
            (None, Some(value)) => {
                let first = self
                    .since
                    .map(|since| Moment::certain(since, MomentSource::Created));
                let began = began.at().map(event).or(first).unwrap_or(seen);
                history.set(self.key, began, value);
            }
            (Some(_), None) => {
                // a tag that went away with its resource needs no event
                let ended = self.end.or(ended.at().map(event)).unwrap_or(seen);
                history.clear(self.key, ended);
            }
            (Some(_), Some(value)) => {
                let (ended, began) = self.replaced(began, ended);
                history.clear(self.key, ended);
                history.set(self.key, began, value);
            }
            (None, None) => {}
        }
    }

    /// The end of the old value and the beginning of the new: never overlapping.
    fn replaced(&self, began: Placement, ended: Placement) -> (Moment, Moment) {
        let event = |at| Moment::certain(at, MomentSource::Event);
        let seen = Moment::seen(self.at, self.after);
        match (ended, began) {
            // a key holds one value: it cannot have been set before it was taken away
            (Placement::At(ended), Placement::At(began)) if began < ended => (seen, seen),
            (Placement::At(ended), Placement::At(began)) => (event(ended), event(began)),
            (Placement::At(ended), _) => (event(ended), Moment::seen(self.at, Some(ended))),
            (Placement::Unexplained, Placement::At(began)) => (event(began), event(began)),
            (Placement::Doubtful, Placement::At(began)) => {
                (Moment::seen(began, self.after), event(began))
            }
            (_, _) => (seen, seen),
        }
    }
}

/// Where events place the beginning and the end of each step.
fn place_steps(
    steps: &[Step<'_>],
    syncs: &[Snapshot],
    known: &BTreeMap<ResourceId, Known>,
) -> Vec<(Placement, Placement)> {
    let events = events(syncs);
    // without a complete list of events nothing is known of those that are missing
    let listed_until = syncs
        .iter()
        .filter(|sync| sync.complete.contains(&Kind::TagEvent))
        .map(|sync| sync.at)
        .max();
    let (mut changes, mut owners) = (Vec::new(), Vec::new());
    for (number, step) in steps.iter().enumerate() {
        if listed_until.is_none_or(|until| until < step.at) {
            continue;
        }
        for action in [TagAction::Create, TagAction::Delete] {
            if let Some(change) = step.change(action, known) {
                changes.push(change);
                owners.push((number, action));
            }
        }
    }
    let mut placements = vec![(Placement::Unexplained, Placement::Unexplained); steps.len()];
    let placed = place(&changes, &events, &gaps(syncs, known));
    for ((number, action), placement) in owners.into_iter().zip(placed) {
        if let Some((began, ended)) = placements.get_mut(number) {
            match action {
                TagAction::Create => *began = placement,
                TagAction::Delete => *ended = placement,
            }
        }
    }
    placements
}

impl Step<'_> {
    fn change(&self, action: TagAction, known: &BTreeMap<ResourceId, Known>) -> Option<TagChange> {
        match action {
            TagAction::Create => self.to?,
            TagAction::Delete => self.from?,
        };
        let removed = self.end.map(|end| end.at);
        Some(TagChange {
            action,
            after: self.after,
            until: self.at,
            created: known.get(self.resource).and_then(|known| known.created),
            removed: removed.filter(|_| action == TagAction::Delete),
        })
    }
}

/// Every event once, whichever syncs listed it.
fn events(syncs: &[Snapshot]) -> TagEvents {
    let by_id: BTreeMap<&str, (DateTime<Utc>, TagAction)> = syncs
        .iter()
        .flat_map(|sync| &sync.tag_events)
        .map(|event| (event.id.as_str(), (event.at, event.action)))
        .collect();
    let mut events = TagEvents::default();
    for (at, action) in by_id.into_values() {
        events.add(action, at);
    }
    events
}

/// The times between successive syncs that listed all tags, with the resources that lived
/// in them, could be tagged, and were gone before the second sync could see it.
fn gaps(syncs: &[Snapshot], known: &BTreeMap<ResourceId, Known>) -> Vec<SyncGap> {
    let mut complete = syncs
        .iter()
        .filter(|sync| sync.complete.contains(&Kind::Tag))
        .map(|sync| sync.at);
    let mut gaps = Vec::new();
    if let Some(mut after) = complete.next() {
        for until in complete {
            gaps.push(SyncGap {
                after,
                until,
                unseen: Vec::new(),
            });
            after = until;
        }
    }
    for known in known.values() {
        let Some((lifetime, earliest)) = known.lifetime.zip(known.end_not_before) else {
            continue;
        };
        let Some(end) = lifetime.end else { continue };
        // a listed resource was still there when its last usage event was only dated later
        let until = match lifetime.last_seen {
            Some(_) => end - usage_delay(),
            None => end,
        };
        let unseen = Unseen {
            from: lifetime.start - usage_delay(),
            until,
        };
        let first = gaps.partition_point(|gap| gap.until < earliest);
        for gap in gaps.iter_mut().skip(first) {
            if gap.after >= end {
                break;
            }
            if lifetime.last_seen.is_none_or(|seen| seen < gap.until) {
                gap.unseen.push(unseen);
            }
        }
    }
    gaps
}
