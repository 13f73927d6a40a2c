//! The moments of tag changes.

use super::*;
use crate::tag_moments::TagMomentRule;
use MomentSource::{Created, Event, Record};
use TagAction::{Create, Delete};

type Spans = Vec<(String, Moment, Option<Moment>)>;

fn of(inventory: &Inventory, resource: &str, key: &str) -> Spans {
    spans(
        inventory
            .tags(&ResourceId::new(resource))
            .unwrap()
            .get(key)
            .unwrap(),
    )
}

/// How the first value of `key` on `resource` began.
fn began(inventory: &Inventory, resource: &str) -> Moment {
    of(inventory, resource, "Billing")[0].1
}

/// Two syncs of VMs that were there since the first of May, and the events of the later.
fn cloud(vms: &[&str], events: &[(TagAction, &str)]) -> [Snapshot; 2] {
    let mut syncs = ["02 00:00", "04 00:00"].map(sync);
    for id in vms {
        for sync in &mut syncs {
            sync.vms.push(vm(id, "01 08:00"));
        }
    }
    for (number, (action, time)) in events.iter().enumerate() {
        syncs[1]
            .tag_events
            .push(event(*action, time, &number.to_string()));
    }
    syncs
}

fn bill(sync: &mut Snapshot, vm: &str, value: &str) {
    sync.tags.push(tag("UserVm", vm, "Billing", value));
}

/// A VM that came into being between the two syncs.
fn add(syncs: &mut [Snapshot; 2], id: &str, created: &str) {
    syncs[1].vms.push(vm(id, created));
}

#[test]
fn a_tag_appears_with_the_only_event_between_two_syncs() {
    for (time, expected) in [
        ("02 00:00", seen("04 00:00", "02 00:00")),
        ("02 00:01", certain("02 00:01", Event)),
        ("04 00:00", certain("04 00:00", Event)),
        ("04 00:01", seen("04 00:00", "02 00:00")),
    ] {
        let mut syncs = cloud(&["a"], &[(Create, time)]);
        bill(&mut syncs[1], "a", "noCPU");
        assert_eq!(began(&build(&syncs), "a"), expected, "{time}");
    }
}

#[test]
fn a_tag_vanishes_with_a_delete_event_not_with_a_create_event() {
    let mut syncs = cloud(&["a"], &[(Delete, "03 10:00"), (Create, "03 12:00")]);
    bill(&mut syncs[0], "a", "noCPU");
    let ended = of(&build(&syncs), "a", "Billing")[0].2;
    assert_eq!(ended, Some(certain("03 10:00", Event)));
}

#[test]
fn several_events_of_one_time_are_one_time_and_of_two_times_are_none() {
    let mut syncs = cloud(&["a"], &[(Create, "03 10:00"), (Create, "03 10:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    assert_eq!(began(&build(&syncs), "a"), certain("03 10:00", Event));

    let mut syncs = cloud(&["a", "b"], &[(Create, "03 10:00"), (Create, "03 11:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    bill(&mut syncs[1], "b", "noCPU");
    let inventory = build(&syncs);
    assert_eq!(began(&inventory, "a"), seen("04 00:00", "02 00:00"));
    assert_eq!(began(&inventory, "b"), seen("04 00:00", "02 00:00"));
}

#[test]
fn an_event_that_only_one_change_explains_is_its_moment() {
    let mut syncs = cloud(&["a"], &[(Create, "02 10:00"), (Create, "03 10:00")]);
    add(&mut syncs, "b", "03 09:00");
    bill(&mut syncs[1], "a", "noCPU");
    bill(&mut syncs[1], "b", "noCPU");
    let inventory = build(&syncs);
    assert_eq!(began(&inventory, "a"), certain("02 10:00", Event));
    assert_eq!(began(&inventory, "b"), certain("03 10:00", Event));
}

#[test]
fn elimination_goes_on_from_what_it_found() {
    let events = [
        (Create, "02 10:00"),
        (Create, "03 10:00"),
        (Create, "03 20:00"),
    ];
    let mut syncs = cloud(&[], &events);
    for (id, created) in [("a", "02 10:00"), ("b", "03 10:00"), ("c", "03 20:00")] {
        add(&mut syncs, id, created);
        bill(&mut syncs[1], id, "noCPU");
    }
    let inventory = build(&syncs);
    for (id, time) in [("a", "02 10:00"), ("b", "03 10:00"), ("c", "03 20:00")] {
        assert_eq!(began(&inventory, id), certain(time, Event));
    }
}

/// The cloud in which elimination places the tag of `a` at 02 10:00.
fn eliminable(more: &[(TagAction, &str)]) -> [Snapshot; 2] {
    eliminable_at("02 10:00", more)
}

/// The same with another time.
fn eliminable_at(time: &str, more: &[(TagAction, &str)]) -> [Snapshot; 2] {
    let mut events = vec![(Create, time), (Create, "03 10:00")];
    events.extend(more);
    let mut syncs = cloud(&["a"], &events);
    add(&mut syncs, "b", "03 09:00");
    bill(&mut syncs[1], "a", "noCPU");
    bill(&mut syncs[1], "b", "noCPU");
    syncs
}

#[test]
fn nothing_is_eliminated_while_an_event_explains_nothing_seen() {
    let doubtful = seen("04 00:00", "02 00:00");
    for more in [
        (Create, "02 08:00"),
        (Create, "02 10:00"),
        (Delete, "02 11:00"),
        (Delete, "02 09:00"),
        (Delete, "03 23:00"),
    ] {
        let inventory = build(&eliminable(&[more]));
        assert_eq!(began(&inventory, "a"), doubtful, "{more:?}");
        // all candidates of the other have one time, whatever else happened
        assert_eq!(began(&inventory, "b"), certain("03 10:00", Event));
    }
    // an event in another interval changes nothing
    for more in [(Create, "01 23:00"), (Delete, "04 00:01")] {
        let inventory = build(&eliminable(&[more]));
        assert_eq!(began(&inventory, "a"), certain("02 10:00", Event));
    }
}

#[test]
fn a_delete_event_that_a_seen_vanish_explains_hides_nothing() {
    let mut syncs = eliminable(&[(Delete, "02 11:00")]);
    syncs[0].tags.push(tag("UserVm", "a", "Owner", "x"));
    assert_eq!(began(&build(&syncs), "a"), certain("02 10:00", Event));
}

#[test]
fn nothing_is_eliminated_while_a_vm_lived_unseen_at_an_event() {
    let used = |day, hours| usage(&[record(UsageType::AllocatedVm, "ghost", day, hours)]);
    let syncs = eliminable(&[]);
    let inventory = build_with(&syncs, used(2, 1));
    assert_eq!(began(&inventory, "a"), seen("04 00:00", "02 00:00"));
    // it lived after the last sync
    let inventory = build_with(&syncs, used(5, 1));
    assert_eq!(began(&inventory, "a"), certain("02 10:00", Event));
}

#[test]
fn a_vm_may_have_been_tagged_up_to_a_minute_before_its_first_use() {
    let used =
        [(2, 14), (3, 5)].map(|(day, hours)| record(UsageType::AllocatedVm, "ghost", day, hours));
    for (time, expected) in [
        ("02 09:58", certain("02 09:58", Event)),
        ("02 09:59", seen("04 00:00", "02 00:00")),
    ] {
        let inventory = build_with(&eliminable_at(time, &[]), usage(&used));
        assert_eq!(began(&inventory, "a"), expected);
    }
}

#[test]
fn a_tag_that_vanished_with_its_vm_explains_no_later_delete() {
    for (time, expected) in [
        ("02 04:00", certain("02 10:00", Event)),
        ("02 06:00", seen("04 00:00", "02 00:00")),
    ] {
        let mut syncs = eliminable(&[(Delete, time)]);
        syncs[0].vms.push(vm("gone", "01 08:00"));
        bill(&mut syncs[0], "gone", "noCPU");
        let used = [(1, 16), (2, 5)]
            .map(|(day, hours)| record(UsageType::AllocatedVm, "gone", day, hours));
        let inventory = build_with(&syncs, usage(&used));
        assert_eq!(began(&inventory, "a"), expected, "{time}");
        let ended = of(&inventory, "gone", "Billing")[0].2;
        assert_eq!(ended, Some(certain("02 05:00", Record)));
    }
}

#[test]
fn a_vm_that_was_there_when_its_list_failed_had_no_tag_then() {
    let mut syncs = ["02 00:00", "03 00:00"].map(sync);
    syncs[0].complete.remove(&Kind::Vm);
    syncs[1].vms.push(vm("a", "01 08:00"));
    bill(&mut syncs[1], "a", "noCPU");
    assert_eq!(began(&build(&syncs), "a"), seen("03 00:00", "02 00:00"));
}

#[test]
fn a_vm_whose_list_failed_is_not_gone() {
    let mut syncs = cloud(&["a"], &[(Delete, "03 10:00")]);
    bill(&mut syncs[0], "a", "noCPU");
    syncs[1].vms.clear();
    syncs[1].complete.remove(&Kind::Vm);
    let ended = of(&build(&syncs), "a", "Billing")[0].2;
    assert_eq!(ended, Some(certain("03 10:00", Event)));
    // the next list says that it is: the event may have been of another
    let [first, second] = syncs;
    let ended = of(&build(&[first, second, sync("05 00:00")]), "a", "Billing")[0].2;
    assert_eq!(ended, Some(seen("04 00:00", "02 00:00")));
}

#[test]
fn a_vm_that_vanished_may_have_been_tagged_before_its_end() {
    for (hours, expected) in [
        (9, certain("02 10:00", Event)),
        (20, seen("04 00:00", "02 00:00")),
    ] {
        let mut syncs = eliminable(&[]);
        syncs[0].vms.push(vm("gone", "01 08:00"));
        let used = [(1, 16), (2, hours)]
            .map(|(day, hours)| record(UsageType::AllocatedVm, "gone", day, hours));
        let inventory = build_with(&syncs, usage(&used));
        assert_eq!(began(&inventory, "a"), expected, "{hours} h");
    }
}

#[test]
fn what_the_first_sync_of_a_vm_shows_holds_since_its_creation_unless_an_event_places_it() {
    let mut first = sync("04 00:00");
    first.vms.push(vm("a", "02 08:00"));
    bill(&mut first, "a", "noCPU");
    assert_eq!(
        began(&build(&[first.clone()]), "a"),
        certain("02 08:00", Created)
    );

    first
        .tag_events
        .push(event(Create, "01 08:00", "before the VM"));
    assert_eq!(
        began(&build(&[first.clone()]), "a"),
        certain("02 08:00", Created)
    );
    first
        .tag_events
        .push(event(Create, "02 08:00", "with the VM"));
    assert_eq!(
        began(&build(&[first.clone()]), "a"),
        certain("02 08:00", Event)
    );
    first.tag_events.push(event(Create, "03 08:00", "later"));
    assert_eq!(began(&build(&[first]), "a"), certain("02 08:00", Created));
}

#[test]
fn a_vm_created_and_tagged_between_two_syncs_has_no_history_without_an_event() {
    let mut syncs = cloud(&[], &[]);
    add(&mut syncs, "a", "03 09:00");
    bill(&mut syncs[1], "a", "noCPU");
    assert_eq!(began(&build(&syncs), "a"), certain("03 09:00", Created));
}

#[test]
fn the_tags_of_a_project_hold_since_ever_whatever_its_age() {
    let mut first = sync("04 00:00");
    first.projects.push(project("p"));
    first.tags.push(tag("Project", "p", "Billing", "4711"));
    let always = Moment::certain(Period::always().start(), Created);
    assert_eq!(began(&build(&[first.clone()]), "p"), always);
    first.tag_events.push(event(Create, "01 08:00", "1"));
    first.tag_events.push(event(Create, "02 08:00", "2"));
    assert_eq!(began(&build(&[first]), "p"), always);
}

#[test]
fn a_changed_value_ends_with_the_delete_and_begins_with_the_create() {
    let change = |events: &[(TagAction, &str)]| {
        let mut syncs = cloud(&["a"], events);
        bill(&mut syncs[0], "a", "old");
        bill(&mut syncs[1], "a", "new");
        let spans = of(&build(&syncs), "a", "Billing");
        assert_eq!(spans.len(), 2);
        (spans[0].2.unwrap(), spans[1].1)
    };
    let doubtful = seen("04 00:00", "02 00:00");
    let event = |time| certain(time, Event);
    assert_eq!(change(&[]), (doubtful, doubtful));
    assert_eq!(
        change(&[(Delete, "03 08:00"), (Create, "03 09:00")]),
        (event("03 08:00"), event("03 09:00"))
    );
    assert_eq!(
        change(&[(Delete, "03 08:00"), (Create, "03 08:00")]),
        (event("03 08:00"), event("03 08:00"))
    );
    assert_eq!(
        change(&[(Create, "03 09:00")]),
        (event("03 09:00"), event("03 09:00"))
    );
    assert_eq!(
        change(&[(Delete, "03 08:00")]),
        (event("03 08:00"), seen("04 00:00", "03 08:00"))
    );
    // a key holds one value: this order contradicts itself
    assert_eq!(
        change(&[(Create, "03 08:00"), (Delete, "03 09:00")]),
        (doubtful, doubtful)
    );
    assert_eq!(
        change(&[
            (Delete, "03 07:00"),
            (Delete, "03 08:00"),
            (Create, "03 09:00")
        ]),
        (seen("03 09:00", "02 00:00"), event("03 09:00"))
    );
}

#[test]
fn a_tag_that_vanishes_with_its_resource_ends_with_it() {
    let mut syncs = cloud(&[], &[(Delete, "03 20:00")]);
    syncs[0].vms.push(vm("a", "01 08:00"));
    bill(&mut syncs[0], "a", "noCPU");
    let ended = |inventory: &Inventory| of(inventory, "a", "Billing")[0].2.unwrap();
    assert_eq!(ended(&build(&syncs)), seen("04 00:00", "02 00:00"));
    let used =
        [(2, 24), (3, 7)].map(|(day, hours)| record(UsageType::AllocatedVm, "a", day, hours));
    let inventory = build_with(&syncs, usage(&used));
    assert_eq!(ended(&inventory), certain("03 07:00", Record));
}

#[test]
fn a_destroyed_vm_that_is_still_listed_keeps_its_tags() {
    let mut syncs = cloud(&["a"], &[]);
    syncs[1].vms[0].state = Some("Destroyed".to_owned());
    for sync in &mut syncs {
        bill(sync, "a", "noCPU");
    }
    let used =
        [(2, 24), (3, 7)].map(|(day, hours)| record(UsageType::AllocatedVm, "a", day, hours));
    let inventory = build_with(&syncs, usage(&used));
    assert_eq!(of(&inventory, "a", "Billing")[0].2, None);
}

#[test]
fn a_list_that_is_not_complete_says_nothing_about_absence() {
    let mut syncs = ["02 00:00", "03 00:00", "04 00:00"].map(sync);
    for sync in &mut syncs {
        sync.vms.push(vm("a", "01 08:00"));
    }
    bill(&mut syncs[0], "a", "noCPU");
    syncs[1].complete.remove(&Kind::Tag);
    syncs[1].tags.push(tag("UserVm", "b", "Billing", "x"));
    let ended = of(&build(&syncs), "a", "Billing")[0].2;
    assert_eq!(ended, Some(seen("04 00:00", "02 00:00")));
    // what it does show was there
    bill(&mut syncs[1], "a", "noCPU");
    let ended = of(&build(&syncs), "a", "Billing")[0].2;
    assert_eq!(ended, Some(seen("04 00:00", "03 00:00")));
}

#[test]
fn without_listtags_the_tags_in_the_lists_count() {
    let mut syncs = ["02 00:00", "03 00:00"].map(sync);
    for sync in &mut syncs {
        sync.complete.remove(&Kind::Tag);
        sync.vms.push(vm("a", "01 08:00"));
    }
    syncs[0].vms[0].tags.push(Tag::new("Billing", "noCPU"));
    let ended = of(&build(&syncs), "a", "Billing")[0].2;
    assert_eq!(ended, Some(seen("03 00:00", "02 00:00")));
}

#[test]
fn without_a_complete_list_of_events_none_is_trusted() {
    let mut syncs = cloud(&["a"], &[(Create, "03 10:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    syncs[1].complete.remove(&Kind::TagEvent);
    assert_eq!(began(&build(&syncs), "a"), seen("04 00:00", "02 00:00"));
    // a later sync completes it
    let mut later = sync("05 00:00");
    later.vms.push(vm("a", "01 08:00"));
    bill(&mut later, "a", "noCPU");
    let [first, second] = syncs;
    let inventory = build(&[first, second, later]);
    assert_eq!(began(&inventory, "a"), certain("03 10:00", Event));
}

#[test]
fn an_event_that_was_listed_before_its_time_counts_in_the_interval_of_its_time() {
    let mut syncs = cloud(&["a"], &[]);
    for sync in &mut syncs {
        sync.tag_events.push(event(Create, "03 10:00", "x"));
    }
    bill(&mut syncs[1], "a", "noCPU");
    assert_eq!(began(&build(&syncs), "a"), certain("03 10:00", Event));
}

#[test]
fn the_rule_seen_asks_no_events() {
    let mut syncs = eliminable(&[(Delete, "03 12:00")]);
    syncs[0].tags.push(tag("UserVm", "a", "Owner", "x"));
    let mut builder = InventoryBuilder::new();
    for sync in &syncs {
        builder.observe(sync);
    }
    builder.tag_moments(TagMomentRule::Seen);
    let inventory = builder.build();
    assert_eq!(began(&inventory, "a"), seen("04 00:00", "02 00:00"));
    assert_eq!(began(&inventory, "b"), certain("03 09:00", Created));
    let ended = of(&inventory, "a", "Owner")[0].2;
    assert_eq!(ended, Some(seen("04 00:00", "02 00:00")));
}

/// An event that the sync may have seen the change of, or that the sync before has.
#[test]
fn an_event_within_a_minute_after_a_sync_may_have_been_seen_by_it() {
    let doubtful = seen("04 00:00", "02 00:00");
    for (time, expected) in [
        ("2031-05-04T00:00:59Z", doubtful),
        ("2031-05-04T00:01:00Z", certain("03 10:00", Event)),
    ] {
        // a delete event that explains nothing seen: nothing can be eliminated
        let mut syncs = cloud(&["a"], &[(Create, "03 10:00"), (Delete, "03 12:00")]);
        let mut near = event(Create, "04 00:00", "near");
        near.at = time.parse().unwrap();
        syncs[1].tag_events.push(near);
        bill(&mut syncs[1], "a", "noCPU");
        assert_eq!(began(&build(&syncs), "a"), expected, "{time}");
    }

    // what looks like two events for two changes may be one for both
    for (time, expected) in [
        ("02 00:00", doubtful),
        ("02 00:01", certain("02 00:01", Event)),
    ] {
        let mut syncs = eliminable_at("02 00:01", &[]);
        if time == "02 00:00" {
            let soon = "2031-05-02T00:00:30Z".parse().unwrap();
            syncs[1].tag_events[0].at = soon;
        }
        assert_eq!(began(&build(&syncs), "a"), expected, "{time}");
    }
}

#[test]
fn what_is_older_than_the_events_kept_is_not_placed_by_a_younger_one() {
    // a list says nothing of events that were purged before it was read
    for (day, expected) in [
        ("16 00:00", certain("10 00:00", Event)),
        ("16 08:01", certain("01 08:00", Created)),
    ] {
        let mut first = sync(day);
        first.vms.push(vm("a", "01 08:00"));
        bill(&mut first, "a", "noCPU");
        first.tag_events.push(event(Create, "10 00:00", "1"));
        assert_eq!(began(&build(&[first]), "a"), expected, "{day}");
    }
    // nor does one of what lies between two syncs further apart
    for (day, expected) in [
        ("17 00:00", certain("10 00:00", Event)),
        ("17 00:01", seen("17 00:01", "02 00:00")),
    ] {
        let mut syncs = ["02 00:00", day].map(sync);
        for sync in &mut syncs {
            sync.vms.push(vm("a", "01 08:00"));
        }
        bill(&mut syncs[1], "a", "noCPU");
        syncs[1].tag_events.push(event(Create, "10 00:00", "1"));
        assert_eq!(began(&build(&syncs), "a"), expected, "{day}");
    }
}

#[test]
fn an_event_that_vanished_early_tells_that_events_are_kept_for_less_long() {
    let mut syncs = ["02 00:00", "05 00:00"].map(sync);
    for sync in &mut syncs {
        sync.vms.push(vm("a", "01 08:00"));
    }
    bill(&mut syncs[1], "a", "noCPU");
    syncs[1].tag_events.push(event(Create, "04 00:00", "1"));
    assert_eq!(began(&build(&syncs), "a"), certain("04 00:00", Event));
    syncs[0].tag_events.push(event(Delete, "01 20:00", "0"));
    assert_eq!(
        began(&build(&syncs), "a"),
        seen("05 00:00", "02 00:00"),
        "gone after four days: others may be, too"
    );
    // a list that reaches back to the sync before lacks nothing
    syncs[1].tag_events.push(event(Delete, "02 00:00", "2"));
    assert_eq!(began(&build(&syncs), "a"), certain("04 00:00", Event));
}

#[test]
fn a_change_without_an_event_makes_the_events_of_its_time_doubtful() {
    let doubtful = seen("04 00:00", "02 00:00");
    // a tag that went while its VM stayed, and no event of it: the role does not see all
    let mut syncs = cloud(&["a", "b"], &[(Create, "03 10:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    bill(&mut syncs[0], "b", "noCPU");
    let inventory = build(&syncs);
    assert_eq!(began(&inventory, "a"), doubtful);
    assert_eq!(of(&inventory, "b", "Billing")[0].2, Some(doubtful));
    // it went with its VM, or the VM came with it: that needs no event
    syncs[1].vms.retain(|vm| vm.id != VmId::new("b"));
    assert_eq!(began(&build(&syncs), "a"), certain("03 10:00", Event));
    let mut syncs = cloud(&["a"], &[(Create, "03 10:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    add(&mut syncs, "c", "03 12:00");
    bill(&mut syncs[1], "c", "noCPU");
    assert_eq!(began(&build(&syncs), "a"), certain("03 10:00", Event));
    // what lies in another interval is not touched
    let mut syncs = cloud(&["a", "b"], &[(Create, "03 10:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    let mut later = sync("05 00:00");
    later.vms = syncs[1].vms.clone();
    later.tags = syncs[1].tags.clone();
    later.tag_events = syncs[1].tag_events.clone();
    bill(&mut later, "b", "noCPU");
    let [first, second] = syncs;
    let inventory = build(&[first, second, later]);
    assert_eq!(began(&inventory, "a"), certain("03 10:00", Event));
    assert_eq!(began(&inventory, "b"), seen("05 00:00", "04 00:00"));
}

#[test]
fn one_call_places_all_that_it_tagged() {
    let mut syncs = cloud(&["a", "b"], &[(Create, "03 10:00")]);
    bill(&mut syncs[1], "a", "noCPU");
    bill(&mut syncs[1], "b", "noRAM");
    let inventory = build(&syncs);
    for id in ["a", "b"] {
        assert_eq!(began(&inventory, id), certain("03 10:00", Event));
    }
}

/// Nobody sees that a tag was away for a while; its two events are candidates for others.
#[test]
fn a_tag_taken_away_and_set_again_makes_others_doubtful_and_keeps_its_span() {
    let events = [
        (Delete, "02 10:00"),
        (Create, "02 12:00"),
        (Create, "03 10:00"),
    ];
    let mut syncs = cloud(&["a", "b"], &events);
    for sync in &mut syncs {
        bill(sync, "a", "noCPU");
    }
    bill(&mut syncs[1], "b", "noCPU");
    let inventory = build(&syncs);
    assert_eq!(of(&inventory, "a", "Billing").len(), 1);
    assert_eq!(began(&inventory, "b"), seen("04 00:00", "02 00:00"));
    // in the same second there is one time only
    let mut syncs = cloud(&["a", "b"], &[(Create, "03 10:00"), (Create, "03 10:00")]);
    for sync in &mut syncs {
        bill(sync, "a", "noCPU");
    }
    bill(&mut syncs[1], "b", "noCPU");
    assert_eq!(began(&build(&syncs), "b"), certain("03 10:00", Event));
}

#[test]
fn a_sync_that_could_not_list_tags_parts_no_interval() {
    let mut syncs = ["02 00:00", "03 00:00", "04 00:00"].map(sync);
    for sync in &mut syncs {
        sync.vms.push(vm("a", "01 08:00"));
    }
    syncs[1].complete.remove(&Kind::Tag);
    for sync in &mut syncs {
        sync.tags.push(tag("LoadBalancer", "x", "Owner", "y"));
    }
    bill(&mut syncs[2], "a", "noCPU");
    syncs[2].tag_events.push(event(Create, "02 10:00", "1"));
    assert_eq!(began(&build(&syncs), "a"), certain("02 10:00", Event));
    syncs[2].tag_events.push(event(Create, "03 10:00", "2"));
    assert_eq!(began(&build(&syncs), "a"), seen("04 00:00", "02 00:00"));
}
