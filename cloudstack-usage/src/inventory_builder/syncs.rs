//! Snapshots in the order of time, and what they say of one thing after the other.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::history::{History, Moment, MomentSource};
use crate::metadata::{Kind, Snapshot};
use crate::period::Period;

/// One row of a list, with the number of the sync that saw it.
pub(super) type Row<'a, T> = (usize, &'a T);

/// The snapshots in the order of time, one for each moment.
///
/// Several of one moment become one: its lists are joined, in an order that does not
/// depend on the order in which they came.
pub(super) fn in_order(mut snapshots: Vec<Snapshot>) -> Vec<Snapshot> {
    snapshots.sort_by(|a, b| {
        a.at.cmp(&b.at).then_with(|| {
            let text = |snapshot| serde_json::to_string(snapshot).unwrap_or_default();
            text(a).cmp(&text(b))
        })
    });
    let mut merged: Vec<Snapshot> = Vec::with_capacity(snapshots.len());
    for snapshot in snapshots {
        match merged.last_mut() {
            Some(last) if last.at == snapshot.at => join(last, snapshot),
            _ => merged.push(snapshot),
        }
    }
    merged
}

fn join(into: &mut Snapshot, from: Snapshot) {
    into.complete.extend(from.complete);
    into.domains.extend(from.domains);
    into.projects.extend(from.projects);
    into.accounts.extend(from.accounts);
    into.vms.extend(from.vms);
    into.volumes.extend(from.volumes);
    into.ip_addresses.extend(from.ip_addresses);
    into.networks.extend(from.networks);
    into.vpcs.extend(from.vpcs);
    into.snapshots.extend(from.snapshots);
    into.service_offerings.extend(from.service_offerings);
    into.disk_offerings.extend(from.disk_offerings);
    into.network_offerings.extend(from.network_offerings);
    into.templates.extend(from.templates);
    into.os_types.extend(from.os_types);
    into.os_categories.extend(from.os_categories);
    into.zones.extend(from.zones);
    into.tags.extend(from.tags);
    into.tag_events.extend(from.tag_events);
    into.vm_events.extend(from.vm_events);
    into.vm_events_from = into
        .vm_events_from
        .into_iter()
        .chain(from.vm_events_from)
        .min();
}

/// The rows of each thing of one list over all syncs. A thing that one sync lists twice
/// (calls with and without `projectid` overlap) counts once, the later row.
pub(super) fn rows<'a, T, K: Ord + Clone>(
    syncs: &'a [Snapshot],
    list: impl Fn(&'a Snapshot) -> &'a [T],
    id: impl Fn(&T) -> K,
) -> BTreeMap<K, Vec<Row<'a, T>>> {
    let mut rows: BTreeMap<K, Vec<Row<'a, T>>> = BTreeMap::new();
    for (number, sync) in syncs.iter().enumerate() {
        for item in list(sync) {
            let seen = rows.entry(id(item)).or_default();
            match seen.last_mut() {
                Some(row) if row.0 == number => row.1 = item,
                _ => seen.push((number, item)),
            }
        }
    }
    rows
}

/// The last known row of each thing of a catalogue.
pub(super) fn catalogue<T: Clone, K: Ord>(
    syncs: &[Snapshot],
    list: impl Fn(&Snapshot) -> &[T],
    id: impl Fn(&T) -> K,
) -> BTreeMap<K, T> {
    syncs
        .iter()
        .flat_map(|sync| list(sync).iter().map(|item| (id(item), item.clone())))
        .collect()
}

/// Whether a sync after `number` listed `kind` completely: what it does not list is gone.
pub(super) fn listed_after(syncs: &[Snapshot], kind: Kind, number: usize) -> bool {
    syncs
        .iter()
        .skip(number.saturating_add(1))
        .any(|sync| sync.complete.contains(&kind))
}

/// A value that one sync saw.
pub(super) struct Sighting<T> {
    pub(super) at: DateTime<Utc>,
    /// None where the list did not say.
    pub(super) value: Option<T>,
    /// CloudStack's own time of the last change, where it has one.
    pub(super) updated: Option<DateTime<Utc>>,
}

/// The history of a value: what the first sync saw holds since `start`; a change between
/// two syncs takes CloudStack's own time if that lies between them, else the later sync.
pub(super) fn history<T: PartialEq>(
    start: DateTime<Utc>,
    sightings: impl IntoIterator<Item = Sighting<T>>,
) -> History<T> {
    let mut history = History::new();
    let mut before = None;
    for Sighting { at, value, updated } in sightings {
        let Some(value) = value else { continue };
        let began = match (before, updated) {
            (None, _) => Moment::certain(start, MomentSource::Created),
            (Some(before), Some(updated)) if before < updated && updated <= at => {
                Moment::certain(updated, MomentSource::Updated)
            }
            (before, _) => Moment::seen(at, before),
        };
        history.set(began, value);
        before = Some(at);
    }
    history
}

/// The beginning of time: since when something holds whose creation means nothing.
pub(super) fn always() -> DateTime<Utc> {
    Period::always().start()
}
