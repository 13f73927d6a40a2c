//! What holds of every history, whatever was seen.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::tag_moments::TagMomentRule;

const VMS: [&str; 3] = ["a", "b", "c"];
const KEYS: [&str; 2] = ["Billing", "Owner"];

/// What one sync sees of one VM: whether it is listed, and the value of each key.
type SeenVm = (bool, bool, [Option<u8>; 2]);

#[derive(Debug, Clone)]
struct World {
    /// Hours of the VMs' creation.
    created: [i64; 3],
    /// Hours since the sync before, the VMs, and the kinds whose lists failed.
    syncs: Vec<(i64, [SeenVm; 3], u8)>,
    /// Hour, action and listing sync of events.
    events: Vec<(i64, bool, usize)>,
    /// VM, day and hours of usage.
    used: Vec<(usize, u32, i64)>,
    /// VM, key, first hour, hours and recorded hour of labels.
    labels: Vec<(usize, usize, i64, i64, i64)>,
}

fn worlds() -> impl Strategy<Value = World> {
    let value = || prop::option::of(0_u8..3);
    let vm = || {
        (
            prop::bool::weighted(0.8),
            prop::bool::weighted(0.1),
            [value(), value()],
        )
    };
    let sync = (1_i64..30, [vm(), vm(), vm()], 0_u8..16);
    (
        [0_i64..200, 0_i64..200, 0_i64..200],
        prop::collection::vec(sync, 1..7),
        prop::collection::vec((0_i64..200, any::<bool>(), 0_usize..7), 0..8),
        prop::collection::vec((0_usize..4, 1_u32..9, 1_i64..25), 0..8),
        prop::collection::vec(
            (0_usize..4, 0_usize..2, 0_i64..200, 1_i64..100, 0_i64..9),
            0..3,
        ),
    )
        .prop_map(|(created, syncs, events, used, labels)| World {
            created,
            syncs,
            events,
            used,
            labels,
        })
}

fn hour(hour: i64) -> DateTime<Utc> {
    at("01 00:00") + TimeDelta::hours(hour)
}

impl World {
    fn snapshots(&self, shift: TimeDelta) -> Vec<Snapshot> {
        let mut now = 0;
        let mut snapshots = Vec::new();
        for (number, (pause, vms, failed)) in self.syncs.iter().enumerate() {
            now += pause;
            let mut sync = Snapshot::new(hour(now) + shift).all_complete();
            // each list fails in one sync of four
            for (bits, kind) in [(3, Kind::Vm), (5, Kind::Tag), (6, Kind::TagEvent)] {
                if failed & bits == bits {
                    sync.complete.remove(&kind);
                }
            }
            for (id, (created, (is_listed, is_destroyed, values))) in
                VMS.iter().zip(self.created.iter().zip(vms))
            {
                if *is_listed {
                    let mut vm = vm(id, "01 00:00");
                    vm.created = Some(hour(*created) + shift);
                    if *is_destroyed {
                        vm.state = Some("Destroyed".to_owned());
                    }
                    sync.vms.push(vm);
                }
                for (key, value) in KEYS.iter().zip(values) {
                    if let Some(value) = value {
                        sync.tags.push(tag("UserVm", id, key, &value.to_string()));
                    }
                }
            }
            for (id, (event_hour, is_create, listed)) in self.events.iter().enumerate() {
                if *listed <= number {
                    let action = [TagAction::Delete, TagAction::Create][usize::from(*is_create)];
                    let mut event = event(action, "01 00:00", &id.to_string());
                    event.at = hour(*event_hour) + shift;
                    sync.tag_events.push(event);
                }
            }
            snapshots.push(sync);
        }
        snapshots
    }

    fn records(&self, shift: TimeDelta) -> Vec<UsageRecord> {
        let ids = ["a", "b", "c", "ghost"];
        let shifted = |(vm, day, hours): &(usize, u32, i64)| {
            let mut record = record(UsageType::AllocatedVm, ids[*vm], *day, *hours);
            let window = record.window;
            record.window = Period::new(window.start() + shift, window.end() + shift).unwrap();
            record
        };
        self.used.iter().map(shifted).collect()
    }

    fn labels(&self, shift: TimeDelta) -> Vec<Label> {
        let ids = ["a", "b", "c", "nothing"];
        let label = |(vm, key, from, hours, recorded): &(usize, usize, i64, i64, i64)| Label {
            target: LabelTarget {
                resource_type: "UserVm".to_owned(),
                resource: ResourceId::new(ids[*vm]),
                key: KEYS[*key].to_owned(),
            },
            value: format!("label {recorded}"),
            valid: Period::new(hour(*from) + shift, hour(from + hours) + shift).unwrap(),
            author: String::new(),
            recorded: hour(*recorded) + shift,
        };
        self.labels.iter().map(label).collect()
    }

    fn inventory(&self, shift: TimeDelta, rule: TagMomentRule) -> Inventory {
        let mut builder = InventoryBuilder::new();
        for snapshot in self.snapshots(shift) {
            builder.observe(&snapshot);
        }
        builder.usage(usage(&self.records(shift)));
        builder.tag_moments(rule);
        builder.labels(self.labels(shift));
        builder.build()
    }
}

fn rules() -> impl Strategy<Value = TagMomentRule> {
    prop_oneof![Just(TagMomentRule::Event), Just(TagMomentRule::Seen)]
}

/// All text of an inventory, with every instant moved back by `shift`.
fn text(inventory: &Inventory, shift: TimeDelta) -> serde_json::Value {
    fn unshift(value: &mut serde_json::Value, shift: TimeDelta) {
        match value {
            serde_json::Value::String(text) => {
                // the bounds of time do not move
                if let Ok(time) = text.parse::<DateTime<Utc>>()
                    && Period::always().start() < time
                    && time < Period::always().end()
                {
                    *text = (time - shift).to_rfc3339();
                }
            }
            serde_json::Value::Array(values) => {
                for value in values {
                    unshift(value, shift);
                }
            }
            serde_json::Value::Object(fields) => {
                fields.values_mut().for_each(|value| unshift(value, shift));
            }
            _ => {}
        }
    }
    let mut value = serde_json::to_value(inventory).unwrap();
    unshift(&mut value, shift);
    value
}

fn assert_in_order<T: PartialEq>(history: &History<T>) {
    for pair in history.spans().windows(2) {
        assert!(pair[0].period.end() <= pair[1].period.start());
    }
    for span in history.spans() {
        assert!(span.began.at <= span.period.start());
        assert_eq!(span.ended.is_none(), span.period.is_open());
        let bound = span.began.not_before;
        assert!(bound.is_none_or(|bound| bound <= span.began.at));
    }
}

proptest! {
    #[test]
    fn the_order_of_what_is_given_does_not_matter(
        world in worlds(), rule in rules(), seed in prop::collection::vec(any::<u8>(), 8)
    ) {
        let expected = world.inventory(TimeDelta::zero(), rule);
        let mut numbered: Vec<_> = world.snapshots(TimeDelta::zero()).into_iter().enumerate().collect();
        numbered.sort_by_key(|(number, _)| seed[*number]);
        let mut builder = InventoryBuilder::new();
        builder.tag_moments(rule);
        let mut labels = world.labels(TimeDelta::zero());
        labels.reverse();
        builder.labels(labels);
        let mut records: Vec<_> = world.records(TimeDelta::zero()).into_iter().enumerate().collect();
        records.sort_by_key(|(number, _)| seed[*number]);
        for (_, record) in &records {
            builder.usage(usage(&[record.clone(), record.clone()]));
        }
        for (_, snapshot) in &numbered {
            builder.observe(snapshot);
            builder.observe(snapshot);
        }
        prop_assert_eq!(builder.build(), expected);
    }

    #[test]
    fn two_snapshots_of_one_time_give_the_same_in_any_order(world in worlds()) {
        let mut snapshots = world.snapshots(TimeDelta::zero());
        for pair in snapshots.chunks_mut(2) {
            let at = pair[0].at;
            for snapshot in pair.iter_mut() {
 snapshot.at = at;
}
        }
        let expected = build(&snapshots);
        for pair in snapshots.chunks_mut(2) {
            pair.reverse();
        }
        prop_assert_eq!(build(&snapshots), expected);
    }

    #[test]
    fn histories_never_overlap_and_begin_no_later_than_they_count(
        world in worlds(), rule in rules()
    ) {
        let inventory = world.inventory(TimeDelta::zero(), rule);
        for vm in inventory.vms.values() {
            assert_in_order(&vm.name);
            assert_in_order(&vm.owner);
            vm.tags.iter().for_each(|(_, history)| assert_in_order(history));
            let life = vm.lifetime;
            prop_assert!(life.end.is_none_or(|end| life.start < end));
        }
    }

    #[test]
    fn a_sync_finds_in_force_what_it_saw_and_nothing_else(
        mut world in worlds(), rule in rules()
    ) {
        world.labels.clear();
        let inventory = world.inventory(TimeDelta::zero(), rule);
        for sync in world.snapshots(TimeDelta::zero()) {
            let shown: BTreeSet<_> = sync.all_tags().into_iter()
                .map(|tag| (tag.resource, tag.tag.key, tag.tag.value))
                .collect();
            let resources: BTreeSet<_> = VMS.iter().map(|id| ResourceId::new(id)).collect();
            let in_force: BTreeSet<_> = resources.iter()
                .filter_map(|id| Some((id, inventory.tags(id)?)))
                .flat_map(|(id, tags)| tags.at(sync.at)
                    .map(|(key, value)| (id.clone(), key.to_owned(), value.to_owned())))
                .collect();
            prop_assert!(shown.is_subset(&in_force), "{} {:?} {:?}", sync.at, shown, in_force);
            if sync.complete.contains(&Kind::Tag) {
                prop_assert_eq!(shown, in_force, "{}", sync.at);
            }
        }
    }

    #[test]
    fn seeing_the_same_again_later_changes_no_history(mut world in worlds(), rule in rules()) {
        // a later sync may bound the life of what only usage knows, and so its tags
        world.used.clear();
        let before = world.inventory(TimeDelta::zero(), rule);
        let mut builder = InventoryBuilder::new();
        builder.tag_moments(rule);
        builder.labels(world.labels(TimeDelta::zero()));
        let snapshots = world.snapshots(TimeDelta::zero());
        for snapshot in &snapshots {
 builder.observe(snapshot);
}
        let mut again = snapshots.last().unwrap().clone();
        again.at += TimeDelta::hours(300);
        builder.observe(&again);
        let after = builder.build();
        for id in VMS {
            let id = ResourceId::new(id);
            prop_assert_eq!(before.tags(&id), after.tags(&id));
        }
        for (id, vm) in &before.vms {
            prop_assert_eq!(&vm.name, &after.vms[id].name);
            prop_assert_eq!(vm.lifetime.start, after.vms[id].lifetime.start);
        }
    }

    #[test]
    fn a_cloud_moved_in_time_has_the_same_histories_moved(
        world in worlds(), rule in rules(), seconds in -100_000_000_i64..100_000_000
    ) {
        let shift = TimeDelta::seconds(seconds);
        let moved = world.inventory(shift, rule);
        let still = world.inventory(TimeDelta::zero(), rule);
        prop_assert_eq!(text(&moved, shift), text(&still, TimeDelta::zero()));
    }

    #[test]
    fn a_moment_of_an_event_is_that_of_an_event_between_its_syncs(mut world in worlds()) {
        world.labels.clear();
        let inventory = world.inventory(TimeDelta::zero(), TagMomentRule::Event);
        let creates: BTreeSet<_> = world.events.iter()
            .filter(|(_, is_create, _)| *is_create)
            .map(|(event_hour, ..)| hour(*event_hour))
            .collect();
        for vm in inventory.vms.values() {
            for span in vm.tags.iter().flat_map(|(_, history)| history.spans()) {
                if span.began.source == MomentSource::Event {
                    prop_assert!(creates.contains(&span.began.at));
                }
            }
        }
    }

    #[test]
    fn lifetimes_of_parts_merge_to_those_of_the_whole(
        world in worlds(), cut in 0_usize..8
    ) {
        let records = world.records(TimeDelta::zero());
        let whole = usage(&records);
        let cut = cut.min(records.len());
        let mut merged = usage(&records[cut..]);
        merged.merge(usage(&records[..cut]));
        merged.merge(whole.clone());
        prop_assert_eq!(merged, whole);
    }
}
