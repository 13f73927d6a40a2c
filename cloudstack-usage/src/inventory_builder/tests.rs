//! One test for each rule, on small clouds made by hand.

mod laws;
mod tags;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::InventoryBuilder;
use crate::history::{History, Moment, MomentSource};
use crate::id::{DomainId, ResourceId, VmId, VolumeId};
use crate::inventory::{Inventory, LifetimeSource};
use crate::label::{Label, LabelTarget};
use crate::metadata::{
    Domain, IpAddress, Kind, Project, Snapshot, TagAction, TagEvent, Vm, Volume,
};
use crate::period::Period;
use crate::quantity::Quantity;
use crate::record::{Holder, Owner, UsageRecord};
use crate::tag::{ResourceTag, Tag};
use crate::usage_lifetimes::UsageLifetimes;
use crate::usage_type::UsageType;

/// `"05 06:30"` in a month that no rule knows.
fn at(text: &str) -> DateTime<Utc> {
    format!("2031-05-{}:00Z", text.replace(' ', "T"))
        .parse()
        .unwrap()
}

fn sync(text: &str) -> Snapshot {
    Snapshot::new(at(text)).all_complete()
}

fn owner() -> Owner {
    Owner {
        domain: DomainId::new("domain"),
        holder: Holder::Unknown,
    }
}

fn vm(id: &str, created: &str) -> Vm {
    Vm {
        id: VmId::new(id),
        name: id.to_owned(),
        display_name: None,
        owner: owner(),
        created: Some(at(created)),
        last_updated: None,
        state: Some("Running".to_owned()),
        offering: None,
        template: None,
        os_type: None,
        cpu_count: None,
        memory_mib: None,
        zone: None,
        hypervisor: None,
        tags: Vec::new(),
    }
}

fn volume(id: &str, created: &str) -> Volume {
    Volume {
        id: VolumeId::new(id),
        name: id.to_owned(),
        volume_type: None,
        owner: owner(),
        created: Some(at(created)),
        state: Some("Ready".to_owned()),
        size_bytes: None,
        vm: None,
        attached: None,
        offering: None,
        zone: None,
        tags: Vec::new(),
    }
}

fn project(id: &str) -> Project {
    Project {
        id: id.into(),
        name: id.to_owned(),
        display_text: None,
        domain: DomainId::new("domain"),
        state: None,
        tags: Vec::new(),
    }
}

fn tag(resource_type: &str, resource: &str, key: &str, value: &str) -> ResourceTag {
    ResourceTag {
        resource_type: resource_type.to_owned(),
        resource: ResourceId::new(resource),
        tag: Tag::new(key, value),
    }
}

fn event(action: TagAction, time: &str, id: &str) -> TagEvent {
    TagEvent {
        at: at(time),
        action,
        id: id.to_owned(),
        username: None,
    }
}

/// A record of `usage_type` over the window of one day, used for `hours`.
fn record(usage_type: UsageType, id: &str, day: u32, hours: i64) -> UsageRecord {
    let start = at(&format!("{day:02} 00:00"));
    UsageRecord {
        usage_type,
        window: Period::new(start, start + TimeDelta::days(1)).unwrap(),
        quantity: Quantity::time(hours * 3_600_000),
        raw_usage: Decimal::from(hours),
        owner: owner(),
        holder_name: None,
        domain_name: None,
        domain_path: None,
        zone: None,
        resource: Some(ResourceId::new(id)),
        vm: (usage_type == UsageType::AllocatedVm).then(|| VmId::new(id)),
        offering: None,
        template: None,
        os_type: None,
        os_category: None,
        os_category_name: None,
        kind: None,
        size_bytes: None,
        virtual_size_bytes: None,
        cpu_count: None,
        cpu_mhz: None,
        memory_mib: None,
        network: None,
        vpc: None,
        is_default: None,
        is_source_nat: None,
        is_system: None,
        name: Some(format!("name of {id}")),
        description: String::new(),
        tags_at_query: Vec::new(),
    }
}

fn usage(records: &[UsageRecord]) -> UsageLifetimes {
    let mut lifetimes = UsageLifetimes::default();
    for record in records {
        lifetimes.observe(record);
    }
    lifetimes
}

fn build(syncs: &[Snapshot]) -> Inventory {
    build_with(syncs, UsageLifetimes::default())
}

fn build_with(syncs: &[Snapshot], lifetimes: UsageLifetimes) -> Inventory {
    let mut builder = InventoryBuilder::new();
    for sync in syncs {
        builder.observe(sync);
    }
    builder.usage(lifetimes);
    builder.build()
}

/// Each span as (value, how and when it began, how and when it ended).
fn spans<T: Clone + PartialEq>(history: &History<T>) -> Vec<(T, Moment, Option<Moment>)> {
    history
        .spans()
        .iter()
        .map(|span| {
            assert_eq!(span.began.at, span.period.start());
            (span.value.clone(), span.began, span.ended)
        })
        .collect()
}

fn certain(time: &str, source: MomentSource) -> Moment {
    Moment::certain(at(time), source)
}

fn seen(time: &str, not_before: &str) -> Moment {
    Moment::seen(at(time), Some(at(not_before)))
}

mod values {
    use super::*;

    #[test]
    fn a_first_sight_holds_since_creation_and_a_change_from_the_sync_that_saw_it() {
        let mut syncs = ["02 00:00", "03 00:00", "04 00:00"].map(sync);
        for (number, name) in ["old", "old", "new"].iter().enumerate() {
            let mut vm = vm("a", "01 08:00");
            vm.display_name = Some((*name).to_owned());
            syncs[number].vms.push(vm);
        }
        let inventory = build(&syncs);
        assert_eq!(
            spans(&inventory.vms[&VmId::new("a")].display_name),
            [
                (
                    "old".to_owned(),
                    certain("01 08:00", MomentSource::Created),
                    Some(seen("04 00:00", "03 00:00"))
                ),
                ("new".to_owned(), seen("04 00:00", "03 00:00"), None)
            ]
        );
    }

    #[test]
    fn a_new_size_of_a_vm_counts_from_lastupdated_only_between_the_two_syncs() {
        for (last_updated, began) in [
            ("03 00:00", certain("03 00:00", MomentSource::Updated)),
            ("02 07:00", certain("02 07:00", MomentSource::Updated)),
            ("02 00:00", seen("03 00:00", "02 00:00")),
            ("03 00:01", seen("03 00:00", "02 00:00")),
        ] {
            let mut syncs = ["02 00:00", "03 00:00"].map(sync);
            for (number, cpus) in [3, 6].into_iter().enumerate() {
                let mut vm = vm("a", "01 08:00");
                vm.cpu_count = Some(cpus);
                vm.last_updated = Some(at(last_updated));
                syncs[number].vms.push(vm);
            }
            let inventory = build(&syncs);
            let cpus = spans(&inventory.vms[&VmId::new("a")].cpu_count);
            assert_eq!(
                cpus[0],
                (3, certain("01 08:00", MomentSource::Created), Some(began))
            );
            assert_eq!(cpus[1], (6, began, None));
        }
    }

    #[test]
    fn a_list_that_does_not_say_changes_nothing() {
        let mut syncs = ["02 00:00", "03 00:00", "04 00:00"].map(sync);
        for (number, cpus) in [Some(3), None, Some(6)].into_iter().enumerate() {
            let mut vm = vm("a", "01 08:00");
            vm.cpu_count = cpus;
            syncs[number].vms.push(vm);
        }
        let inventory = build(&syncs);
        let cpus = spans(&inventory.vms[&VmId::new("a")].cpu_count);
        assert_eq!(cpus[1].1, seen("04 00:00", "02 00:00"));
    }

    #[test]
    fn an_attachment_takes_its_own_time_and_a_detachment_the_sync_that_saw_it() {
        let mut syncs = ["02 00:00", "03 00:00", "04 00:00", "05 00:00"].map(sync);
        let states = [
            (Some("a"), None),
            (None, None),
            (Some("b"), Some("03 09:00")),
            (Some("c"), Some("03 09:00")),
        ];
        for (number, (vm, attached)) in states.into_iter().enumerate() {
            let mut volume = volume("v", "01 08:00");
            volume.vm = vm.map(VmId::new);
            volume.attached = attached.map(at);
            syncs[number].volumes.push(volume);
        }
        let inventory = build(&syncs);
        let own = certain("03 09:00", MomentSource::Updated);
        assert_eq!(
            spans(&inventory.volumes[&VolumeId::new("v")].vm),
            [
                (
                    VmId::new("a"),
                    certain("01 08:00", MomentSource::Created),
                    Some(seen("03 00:00", "02 00:00"))
                ),
                (VmId::new("b"), own, Some(seen("05 00:00", "04 00:00"))),
                (VmId::new("c"), seen("05 00:00", "04 00:00"), None),
            ]
        );
    }

    #[test]
    fn domains_and_projects_stay_when_they_vanish_and_hold_since_ever() {
        let mut syncs = ["02 00:00", "03 00:00"].map(sync);
        syncs[0].domains.push(Domain {
            id: DomainId::new("d"),
            name: "d".to_owned(),
            path: "ROOT/d".to_owned(),
            parent: Some(DomainId::new("root")),
        });
        syncs[0].projects.push(project("p"));
        let inventory = build(&syncs);
        let domain = &inventory.domains[&DomainId::new("d")];
        assert_eq!(domain.path.at(at("01 00:00")).unwrap(), "ROOT/d");
        assert_eq!(domain.path.at(at("09 00:00")).unwrap(), "ROOT/d");
        assert_eq!(inventory.ancestry(&domain.id).len(), 2);
        assert_eq!(inventory.projects.len(), 1);
    }
}

mod lifetimes {
    use super::*;
    use UsageType::{AllocatedVm, Volume as VolumeType};

    fn life(inventory: &Inventory, id: &str) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
        let life = inventory.vms[&VmId::new(id)].lifetime;
        (life.start, life.end)
    }

    #[test]
    fn a_resource_in_the_last_complete_list_is_there() {
        let mut syncs = ["02 00:00", "03 00:00", "04 00:00"].map(sync);
        syncs[0].vms.push(vm("a", "01 08:00"));
        syncs[1].vms.push(vm("a", "01 08:00"));
        syncs[2].complete.remove(&Kind::Vm);
        let inventory = build(&syncs);
        let life = inventory.vms[&VmId::new("a")].lifetime;
        assert_eq!((life.start, life.end), (at("01 08:00"), None));
        assert_eq!(life.last_seen, Some(at("03 00:00")));
    }

    #[test]
    fn a_resource_that_a_complete_list_missed_ended_with_its_usage_else_when_last_seen() {
        let mut syncs = ["02 00:00", "05 00:00"].map(sync);
        syncs[0].vms.push(vm("a", "01 08:00"));
        assert_eq!(
            life(&build(&syncs), "a"),
            (at("01 08:00"), Some(at("02 00:00")))
        );

        let days = [(1, 16), (2, 24), (3, 7)];
        let used = days.map(|(day, hours)| record(AllocatedVm, "a", day, hours));
        let inventory = build_with(&syncs, usage(&used));
        assert_eq!(
            life(&inventory, "a"),
            (at("01 08:00"), Some(at("03 07:00")))
        );
        let lifetime = inventory.vms[&VmId::new("a")].lifetime;
        assert_eq!(lifetime.end_source, LifetimeSource::Usage);

        // usage that was only read to the first of May proves no end
        syncs[0].at = at("02 06:00");
        let inventory = build_with(&syncs, usage(&used[..1]));
        assert_eq!(life(&inventory, "a").1, Some(at("02 06:00")));
    }

    #[test]
    fn a_created_time_after_the_sync_that_saw_it_is_nonsense() {
        let mut syncs = [sync("03 00:00")];
        syncs[0].vms.push(vm("a", "20 00:00"));
        assert_eq!(life(&build(&syncs), "a").0, at("03 00:00"));
        let used = [(1, 10), (2, 24)].map(|(day, hours)| record(AllocatedVm, "a", day, hours));
        let inventory = build_with(&syncs, usage(&used));
        assert_eq!(life(&inventory, "a").0, at("01 14:00"));
    }

    #[test]
    fn a_destroyed_vm_that_is_still_listed_ended_with_its_usage() {
        let mut syncs = ["02 00:00", "05 00:00"].map(sync);
        syncs[0].vms.push(vm("a", "01 08:00"));
        let mut destroyed = vm("a", "01 08:00");
        destroyed.state = Some("Destroyed".to_owned());
        syncs[1].vms.push(destroyed);
        let used = [(2, 24), (3, 7)].map(|(day, hours)| record(AllocatedVm, "a", day, hours));
        assert_eq!(
            life(&build_with(&syncs, usage(&used)), "a").1,
            Some(at("03 07:00"))
        );
        assert_eq!(life(&build(&syncs), "a").1, Some(at("02 00:00")));
    }

    #[test]
    fn what_lived_between_two_syncs_is_known_from_usage() {
        let syncs = ["02 00:00", "05 00:00"].map(sync);
        let used = [
            record(AllocatedVm, "a", 3, 1),
            record(VolumeType, "v", 3, 1),
            record(UsageType::IpAddress, "i", 3, 1),
        ];
        let inventory = build_with(&syncs, usage(&used));
        let entry = &inventory.vms[&VmId::new("a")];
        assert_eq!(
            life(&inventory, "a"),
            (at("03 00:00"), Some(at("04 00:00")))
        );
        assert_eq!(entry.lifetime.start_source, LifetimeSource::Usage);
        assert_eq!(entry.lifetime.last_seen, None);
        assert_eq!(entry.name.last().unwrap(), "name of a");
        assert!(inventory.volumes.contains_key(&VolumeId::new("v")));
        assert!(inventory.resources.contains_key(&ResourceId::new("i")));
    }

    #[test]
    fn a_new_vm_that_usage_knows_before_any_sync_is_there() {
        let used = [(3, 5), (4, 24)].map(|(day, hours)| record(AllocatedVm, "a", day, hours));
        let inventory = build_with(&[sync("02 00:00")], usage(&used));
        assert_eq!(life(&inventory, "a"), (at("03 19:00"), None));
        let inventory = build_with(&[sync("06 00:00")], usage(&used));
        assert_eq!(life(&inventory, "a").1, Some(at("05 00:00")));

        // usage was read further, or stopped within its window: it is gone
        let mut more = usage(&used);
        more.observe(&record(AllocatedVm, "b", 5, 24));
        let inventory = build_with(&[sync("02 00:00")], more);
        assert_eq!(life(&inventory, "a").1, Some(at("05 00:00")));
        let used = [(3, 5), (4, 23)].map(|(day, hours)| record(AllocatedVm, "a", day, hours));
        let inventory = build_with(&[sync("02 00:00")], usage(&used));
        assert_eq!(life(&inventory, "a").1, Some(at("04 23:00")));
    }

    #[test]
    fn an_address_that_was_given_to_a_new_owner_lived_before() {
        let mut seen = sync("06 00:00");
        seen.ip_addresses.push(IpAddress {
            id: ResourceId::new("i"),
            address: "192.0.2.1".to_owned(),
            owner: owner(),
            allocated: Some(at("05 00:00")),
            state: Some("Allocated".to_owned()),
            is_system: false,
            is_source_nat: false,
            zone: None,
        });
        let start = |records: &[UsageRecord]| {
            let inventory = build_with(&[seen.clone()], usage(records));
            let life = inventory.resources[&ResourceId::new("i")].lifetime;
            (life.start, life.start_source)
        };
        assert_eq!(start(&[]), (at("05 00:00"), LifetimeSource::Created));
        let before = record(UsageType::IpAddress, "i", 2, 24);
        assert_eq!(start(&[before]), (at("02 00:00"), LifetimeSource::Usage));
    }

    #[test]
    fn a_resource_that_was_gone_for_a_while_is_told_by_its_usage() {
        let days = [(1, 16), (2, 24), (5, 10), (6, 24)];
        let used = days.map(|(day, hours)| record(AllocatedVm, "a", day, hours));
        let mut syncs = ["02 00:00", "04 00:00", "06 00:00"].map(sync);
        for (sync, state) in syncs.iter_mut().zip(["Running", "Destroyed", "Running"]) {
            let mut vm = vm("a", "01 08:00");
            vm.state = Some(state.to_owned());
            sync.vms.push(vm);
        }
        let source = |syncs: &[Snapshot]| {
            let lifetime = build_with(syncs, usage(&used)).vms[&VmId::new("a")].lifetime;
            assert_eq!((lifetime.start, lifetime.end), (at("01 08:00"), None));
            lifetime.start_source
        };
        assert_eq!(source(&syncs), LifetimeSource::Usage);
        syncs[1].vms[0].state = Some("Stopped".to_owned());
        assert_eq!(source(&syncs), LifetimeSource::Created);
        syncs[1].vms.clear();
        assert_eq!(source(&syncs), LifetimeSource::Usage);
        syncs[1].complete.remove(&Kind::Vm);
        assert_eq!(source(&syncs), LifetimeSource::Created);
    }

    #[test]
    fn an_address_given_to_another_owner_has_an_owner_span_for_each_allocation() {
        let owner_named = |account: &str| Owner {
            domain: DomainId::new(account),
            holder: Holder::Account(account.into()),
        };
        let mut syncs = ["02 00:00", "06 00:00"].map(sync);
        for (sync, (account, allocated)) in
            syncs.iter_mut().zip([("x", "01 08:00"), ("y", "05 00:00")])
        {
            sync.ip_addresses.push(IpAddress {
                id: ResourceId::new("i"),
                address: "192.0.2.1".to_owned(),
                owner: owner_named(account),
                allocated: Some(at(allocated)),
                state: Some("Allocated".to_owned()),
                is_system: false,
                is_source_nat: false,
                zone: None,
            });
        }
        let used = [(1, 16), (2, 10), (5, 24)]
            .map(|(day, hours)| record(UsageType::IpAddress, "i", day, hours));
        let entry = &build_with(&syncs, usage(&used)).resources[&ResourceId::new("i")];
        assert_eq!(entry.lifetime.start_source, LifetimeSource::Created);
        assert_eq!(entry.lifetime.start, at("01 08:00"));
        let owners: Vec<_> = spans(&entry.owner).into_iter().map(|span| span.0).collect();
        assert_eq!(owners, [owner_named("x"), owner_named("y")]);
    }

    #[test]
    fn an_account_that_no_list_names_by_id_is_known_from_usage() {
        let mut syncs = [sync("02 00:00")];
        syncs[0]
            .vms
            .extend([vm("a", "01 08:00"), vm("b", "01 08:00")]);
        let mut attached = volume("v", "01 08:00");
        attached.vm = Some(VmId::new("a"));
        syncs[0].volumes.push(attached);
        let mut used = record(AllocatedVm, "a", 1, 16);
        used.owner.holder = Holder::Account("account".into());
        let inventory = build_with(&syncs, usage(std::slice::from_ref(&used)));
        let holder = |history: &History<Owner>| history.last().unwrap().holder.clone();
        assert_eq!(
            holder(&inventory.vms[&VmId::new("a")].owner),
            used.owner.holder
        );
        // its volume was never metered, and is the VM's account's
        assert_eq!(
            holder(&inventory.volumes[&VolumeId::new("v")].owner),
            used.owner.holder
        );
        assert_eq!(
            holder(&inventory.vms[&VmId::new("b")].owner),
            Holder::Unknown
        );
        // another domain: another account may hold it by now
        used.owner.domain = DomainId::new("another");
        let inventory = build_with(&syncs, usage(&[used]));
        assert_eq!(
            holder(&inventory.vms[&VmId::new("a")].owner),
            Holder::Unknown
        );
    }

    #[test]
    fn records_place_their_time_by_their_neighbours() {
        let used = |records: &[(u32, i64)]| {
            let records: Vec<_> = records
                .iter()
                .map(|(day, hours)| record(AllocatedVm, "a", *day, *hours))
                .collect();
            let period = usage(&records)
                .used(AllocatedVm, &ResourceId::new("a"))
                .unwrap();
            (period.start(), period.end())
        };
        let day = |text| at(text);
        assert_eq!(used(&[(3, 24)]), (day("03 00:00"), day("04 00:00")));
        assert_eq!(used(&[(3, 2)]), (day("03 00:00"), day("04 00:00")));
        assert_eq!(used(&[(3, 2), (4, 24)]), (day("03 22:00"), day("05 00:00")));
        assert_eq!(used(&[(3, 24), (4, 2)]), (day("03 00:00"), day("04 02:00")));
        assert_eq!(
            used(&[(3, 2), (4, 24), (5, 3)]),
            (day("03 22:00"), day("05 03:00"))
        );
        // a window between them was not used: nothing places the parts
        assert_eq!(used(&[(3, 2), (5, 3)]), (day("03 00:00"), day("06 00:00")));
    }

    #[test]
    fn parts_of_one_window_add_up_and_attach_rows_say_nothing() {
        let mut resized = record(VolumeType, "v", 3, 6);
        resized.size_bytes = Some(1);
        let mut attach = record(VolumeType, "v", 9, 24);
        attach.vm = Some(VmId::new("a"));
        let rest = record(VolumeType, "v", 3, 18);
        let lifetimes = usage(&[resized.clone(), attach, rest, resized]);
        let period = lifetimes.used(VolumeType, &ResourceId::new("v")).unwrap();
        assert_eq!(period, record(VolumeType, "v", 3, 24).window);
    }
}

mod label {
    use super::*;

    fn label(value: &str, from: &str, to: &str, recorded: &str) -> Label {
        Label {
            target: LabelTarget {
                resource_type: "UserVm".to_owned(),
                resource: ResourceId::new("a"),
                key: "Billing".to_owned(),
            },
            value: value.to_owned(),
            valid: Period::new(at(from), at(to)).unwrap(),
            author: "admin".to_owned(),
            recorded: at(recorded),
        }
    }

    fn tags_with(labels: Vec<Label>) -> Vec<(String, DateTime<Utc>, DateTime<Utc>, MomentSource)> {
        let mut seen = sync("02 00:00");
        seen.vms.push(vm("a", "01 08:00"));
        seen.tags.push(tag("UserVm", "a", "Billing", "noCPU"));
        let mut builder = InventoryBuilder::new();
        builder.observe(&seen);
        builder.labels(labels);
        let inventory = builder.build();
        let tags = inventory.tags(&ResourceId::new("a")).unwrap();
        tags.get("Billing")
            .unwrap()
            .spans()
            .iter()
            .map(|span| {
                let period = span.period;
                (
                    span.value.clone(),
                    period.start(),
                    period.end(),
                    span.began.source,
                )
            })
            .collect()
    }

    #[test]
    fn a_label_wins_while_it_is_valid_and_the_tag_comes_back_as_it_was() {
        let forever = Period::always().end();
        assert_eq!(
            tags_with(vec![label("noRAM", "05 00:00", "07 00:00", "04 00:00")]),
            [
                (
                    "noCPU".to_owned(),
                    at("01 08:00"),
                    at("05 00:00"),
                    MomentSource::Created
                ),
                (
                    "noRAM".to_owned(),
                    at("05 00:00"),
                    at("07 00:00"),
                    MomentSource::Label
                ),
                (
                    "noCPU".to_owned(),
                    at("07 00:00"),
                    forever,
                    MomentSource::Created
                ),
            ]
        );
    }

    #[test]
    fn of_two_labels_the_one_recorded_last_counts() {
        let labels = vec![
            label("x", "05 00:00", "09 00:00", "04 00:00"),
            label("y", "06 00:00", "07 00:00", "05 00:00"),
        ];
        let values: Vec<_> = tags_with(labels).into_iter().map(|span| span.0).collect();
        assert_eq!(values, ["noCPU", "x", "y", "x", "noCPU"]);
    }

    #[test]
    fn a_label_for_something_that_no_sync_saw_is_kept() {
        let mut builder = InventoryBuilder::new();
        builder.labels(vec![label("x", "05 00:00", "09 00:00", "04 00:00")]);
        let inventory = builder.build();
        let tags = inventory.tags(&ResourceId::new("a")).unwrap();
        assert_eq!(tags.at(at("06 00:00")).count(), 1);
        assert_eq!(tags.at(at("09 00:00")).count(), 0);
    }
}
