//! When VMs ran, by their usage events.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::history::{History, Moment, MomentSource};
use crate::id::VmId;
use crate::inventory::{PowerState, RunningAs};
use crate::metadata::{Snapshot, VmAction, VmEvent};
use crate::period::Period;

/// When each VM ran, for the time of which syncs listed all events. Of a VM without any event
/// in that time nothing is said: it ran all of it, or not at all, as its records say.
pub(super) fn histories(syncs: &[Snapshot]) -> BTreeMap<VmId, History<PowerState>> {
    let covered = covered(syncs);
    let mut histories = BTreeMap::new();
    for (vm, mut events) in by_vm(syncs) {
        events.sort_unstable();
        let mut history = History::new();
        for time in &covered {
            add(&mut history, *time, &events);
        }
        if !history.is_empty() {
            histories.insert(vm.clone(), history);
        }
    }
    histories
}

/// The time of which all events are known: each sync tells what was from its horizon on.
fn covered(syncs: &[Snapshot]) -> Vec<Period> {
    let listed = syncs
        .iter()
        .filter_map(|sync| Period::new(sync.vm_events_from?, sync.at).ok());
    let mut listed: Vec<Period> = listed.collect();
    listed.sort_unstable_by_key(|time| (time.start(), time.end()));
    let mut covered: Vec<Period> = Vec::new();
    for time in listed {
        match covered.last_mut() {
            Some(last) if time.start() <= last.end() => {
                let end = last.end().max(time.end());
                *last = Period::new(last.start(), end).unwrap_or(*last);
            }
            _ => covered.push(time),
        }
    }
    covered
}

/// Every event once, whichever syncs listed it.
fn by_vm(syncs: &[Snapshot]) -> BTreeMap<&VmId, Vec<&VmEvent>> {
    let by_id: BTreeMap<u64, &VmEvent> = syncs
        .iter()
        .flat_map(|sync| &sync.vm_events)
        .map(|event| (event.id, event))
        .collect();
    let mut by_vm: BTreeMap<&VmId, Vec<&VmEvent>> = BTreeMap::new();
    for event in by_id.into_values() {
        by_vm.entry(&event.vm).or_default().push(event);
    }
    by_vm
}

/// Adds what the events, in order, say of `time`.
fn add(history: &mut History<PowerState>, time: Period, events: &[&VmEvent]) {
    let within = events.iter().filter(|event| time.contains(event.at));
    let mut is_first = true;
    for event in within {
        if is_first && let Some(state) = before(event) {
            history.set(at(time.start()), state);
        }
        is_first = false;
        match event.action {
            // one that runs goes on: allocating says nothing of running
            VmAction::Create if history.at(event.at).is_some() => {}
            VmAction::Create | VmAction::Stop | VmAction::Destroy => {
                history.set(at(event.at), PowerState::Stopped);
            }
            VmAction::Start | VmAction::Scale => {
                history.set(at(event.at), PowerState::Running(running_as(event)));
            }
        }
    }
    history.clear(Moment::certain(time.end(), MomentSource::Seen));
}

/// What was before the first event that is known: none comes without its opposite. The size
/// before a change of size is not known.
fn before(event: &VmEvent) -> Option<PowerState> {
    match event.action {
        VmAction::Create | VmAction::Start | VmAction::Destroy => Some(PowerState::Stopped),
        VmAction::Stop => Some(PowerState::Running(running_as(event))),
        VmAction::Scale => None,
    }
}

fn running_as(event: &VmEvent) -> RunningAs {
    RunningAs {
        holder: event.holder.clone(),
        offering: event.offering.clone(),
        cpu_count: event.cpu_count,
        memory_mib: event.memory_mib,
    }
}

fn at(instant: DateTime<Utc>) -> Moment {
    Moment::certain(instant, MomentSource::Event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Holder;

    fn hour(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + number * 3600, 0).unwrap()
    }

    fn event(id: u64, at: i64, action: VmAction) -> VmEvent {
        VmEvent {
            at: hour(at),
            id,
            vm: VmId::new("v"),
            action,
            holder: Holder::Account("a".into()),
            offering: Some("o".into()),
            cpu_count: None,
            memory_mib: None,
        }
    }

    fn sync(from: i64, at: i64, events: &[(u64, i64, VmAction)]) -> Snapshot {
        let mut snapshot = Snapshot::new(hour(at));
        snapshot.vm_events_from = Some(hour(from));
        let events = events
            .iter()
            .map(|(id, at, action)| event(*id, *at, *action));
        snapshot.vm_events = events.collect();
        snapshot
    }

    /// Beginning, end, and whether it ran.
    fn spans(syncs: &[Snapshot]) -> Vec<(i64, i64, bool)> {
        let number = |at: DateTime<Utc>| (at - hour(0)).num_hours();
        let histories = histories(syncs);
        let spans = histories
            .get(&VmId::new("v"))
            .map(History::spans)
            .unwrap_or_default();
        let spans = spans.iter().map(|span| {
            let ran = matches!(span.value, PowerState::Running(_));
            (number(span.period.start()), number(span.period.end()), ran)
        });
        spans.collect()
    }

    use VmAction::{Create, Destroy, Scale, Start, Stop};

    #[test]
    fn starts_and_stops_in_any_order_of_rows_give_what_is_between_them() {
        let sync = sync(
            0,
            24,
            &[(4, 20, Start), (2, 5, Start), (1, 3, Stop), (3, 9, Stop)],
        );
        let expected = [
            (0, 3, true),
            (3, 5, false),
            (5, 9, true),
            (9, 20, false),
            (20, 24, true),
        ];
        assert_eq!(spans(&[sync]), expected);
    }

    #[test]
    fn a_vm_does_not_run_before_its_creation_nor_after_its_end() {
        let sync = sync(
            0,
            24,
            &[(1, 3, Create), (2, 4, Start), (3, 8, Stop), (4, 9, Destroy)],
        );
        assert_eq!(
            spans(&[sync]),
            [(0, 4, false), (4, 8, true), (8, 24, false)]
        );
    }

    #[test]
    fn one_moment_is_in_the_order_of_the_rows() {
        let sync = sync(0, 24, &[(9, 6, Start), (8, 6, Stop)]);
        assert_eq!(spans(&[sync]), [(0, 6, true), (6, 24, true)]);
    }

    #[test]
    fn what_no_sync_covers_is_unknown_and_what_two_cover_is_known_once() {
        let first = sync(0, 10, &[(1, 2, Start)]);
        let overlapping = sync(8, 12, &[(2, 11, Stop)]);
        assert_eq!(
            spans(&[first.clone(), overlapping]),
            [(0, 2, false), (2, 11, true), (11, 12, false)]
        );
        let later = sync(20, 30, &[(3, 25, Stop)]);
        assert_eq!(
            spans(&[first, later]),
            [
                (0, 2, false),
                (2, 10, true),
                (20, 25, true),
                (25, 30, false)
            ]
        );
    }

    #[test]
    fn the_size_before_a_change_of_size_is_not_known() {
        let sync = sync(0, 24, &[(1, 6, Scale)]);
        assert_eq!(spans(&[sync]), [(6, 24, true)]);
    }

    #[test]
    fn snapshots_that_list_no_events_say_nothing() {
        assert!(spans(&[Snapshot::new(hour(5)).all_complete()]).is_empty());
        assert!(spans(&[sync(0, 24, &[])]).is_empty());
    }
}
