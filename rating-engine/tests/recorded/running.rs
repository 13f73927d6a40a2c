//! Running time placed by CloudStack's usage events, which its databases tell and its API does
//! not.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Holder, Period, Quantity, ResourceTag, Snapshot, Tag, TagAction, TagEvent, UsageRecord,
    UsageType, VmAction, VmEvent, VmId,
};
use rating_engine::{Bill, FindingKind, Placement, PriceBook};
use serde_json::Value;

use super::recording::{Recording, inventory, rate};
use super::{Input, World};

/// The events of VMs in `cloud.usage_event`, by joins of its own.
fn vm_events(recording: &Recording) -> Vec<VmEvent> {
    let by_id = |table: &str, id: &str| -> BTreeMap<u64, Value> {
        let rows = recording.table(table).into_iter();
        rows.map(|row| (row[id].as_u64().unwrap(), row)).collect()
    };
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let (vms, offerings) = (
        by_id("cloud.vm_instance", "id"),
        by_id("cloud.service_offering", "id"),
    );
    let (accounts, projects) = (
        by_id("cloud.account", "id"),
        by_id("cloud.projects", "project_account_id"),
    );
    let mut details: BTreeMap<(u64, String), u32> = BTreeMap::new();
    for row in recording.table("cloud.usage_event_details") {
        let number = text(&row, "value").parse().unwrap_or(0);
        let event = row["usage_event_id"].as_u64().unwrap();
        details.insert((event, text(&row, "name")), number);
    }
    let mut events = Vec::new();
    for row in recording.table("cloud.usage_event") {
        let number = |name: &str| row[name].as_u64().unwrap();
        let action = match row["type"].as_str().unwrap() {
            "VM.CREATE" => VmAction::Create,
            "VM.START" => VmAction::Start,
            "VM.STOP" => VmAction::Stop,
            "VM.DESTROY" => VmAction::Destroy,
            _ => continue,
        };
        let offering = &offerings[&number("offering_id")];
        let size = |detail: &str, column: &str| {
            let own = details.get(&(number("id"), detail.to_owned())).copied();
            own.or_else(|| u32::try_from(offering[column].as_u64()?).ok())
        };
        let created = text(&row, "created");
        events.push(VmEvent {
            at: NaiveDateTime::parse_from_str(&created, "%Y-%m-%d %H:%M:%S")
                .unwrap()
                .and_utc(),
            id: number("id"),
            vm: VmId::new(&text(&vms[&number("resource_id")], "uuid")),
            action,
            holder: if let Some(project) = projects.get(&number("account_id")) {
                Holder::Project(text(project, "uuid").as_str().into())
            } else {
                let account = &accounts[&number("account_id")];
                Holder::Account(text(account, "uuid").as_str().into())
            },
            offering: Some(text(offering, "uuid").as_str().into()),
            cpu_count: size("cpuNumber", "cpu"),
            memory_mib: size("memory", "ram_size"),
        });
    }
    assert!(events.len() > 30);
    events
}

/// The snapshots, with what a read of the databases adds after the last one.
fn told(world: &World, events: Vec<VmEvent>) -> Vec<Snapshot> {
    let mut snapshots = world.recording.snapshots.clone();
    let mut databases = Snapshot::new(world.recording.at("11-22T00:00:00"));
    databases.vm_events_from = Some(world.recording.at("09-01T00:00:00"));
    databases.vm_events = events;
    snapshots.push(databases);
    snapshots
}

fn printed(bill: &Bill) -> Vec<(&str, String, String)> {
    let statements = bill.statements.iter();
    let lines = statements.flat_map(|statement| &statement.lines);
    let lines = lines.map(|line| {
        let (amount, net) = (line.amount.to_string(), line.net.to_string());
        (line.key.as_str(), amount, net)
    });
    lines.collect()
}

fn placements(bill: &Bill) -> Vec<Placement> {
    let statements = bill.statements.iter();
    let lines = statements.flat_map(|statement| &statement.lines);
    let segments = lines.flat_map(|line| &line.explanation.segments);
    segments.map(|segment| segment.placement).collect()
}

/// Nothing of the recording is left open by what the API tells, so that the events change no
/// amount: they agree with every record, however wide its window is.
#[test]
fn the_events_agree_with_every_record_and_change_no_amount() {
    for world in World::all() {
        for (folder, zone) in [
            ("usage-daily", world.utc),
            ("usage-daily", world.berlin),
            ("usage-hourly", world.utc),
            ("usage-daily-berlin", world.berlin),
        ] {
            let input = world.input(folder);
            let snapshots = told(world, vm_events(&world.recording));
            let with_events = Input {
                records: input.records.clone(),
                inventory: inventory(&snapshots, &input.records),
            };
            let (api, sql) = (world.bill(input, zone), world.bill(&with_events, zone));
            assert_eq!(printed(&api), printed(&sql), "{folder} {zone}");
            assert_eq!((&api.exact, &api.counts), (&sql.exact, &sql.counts));
            assert!(placements(&sql).contains(&Placement::Events));
            let differ = |finding: &&_| {
                let finding: &rating_engine::Finding = finding;
                finding.kind == FindingKind::EventsDiffer
            };
            assert_eq!(sql.findings.iter().find(differ), None, "{folder} {zone}");
        }
    }
}

/// A VM of 4 vCPUs that ran all month, but for two stops on one day.
struct TwoStops {
    vm: VmId,
    records: Vec<UsageRecord>,
    events: Vec<VmEvent>,
    snapshots: Vec<Snapshot>,
}

const TAGGED: &str = "10-23T11:00:00";

/// On 23 October it is off from 02:00 to 05:00 and from 10:00 to 12:00; at 11:00 comes the tag
/// that makes its vCPUs free.
fn two_stops(world: &World) -> TwoStops {
    let at = |text: &str| world.recording.at(text);
    let input = world.input("usage-daily");
    let vm = VmId::new(&world.id(&input.inventory, "prd-app01"));
    let day = Period::new(at("10-23T00:00:00"), at("10-24T00:00:00")).unwrap();
    let mut records = input.records.clone();
    let is_it = |record: &UsageRecord| {
        record.usage_type == UsageType::RunningVm
            && record.window == day
            && record.resource == Some(vm.as_resource())
    };
    let record = records.iter_mut().find(|record| is_it(record)).unwrap();
    record.quantity = Quantity::time(19 * 3_600_000);
    record.raw_usage = 19.into();

    let mut events = vm_events(&world.recording);
    let start = events
        .iter()
        .find(|event| event.vm == vm && event.action == VmAction::Start);
    let start = start.unwrap().clone();
    let changes = [
        ("10-23T02:00:00", VmAction::Stop),
        ("10-23T05:00:00", VmAction::Start),
        ("10-23T10:00:00", VmAction::Stop),
        ("10-23T12:00:00", VmAction::Start),
    ];
    for (id, (moment, action)) in (9_000..).zip(changes) {
        events.push(VmEvent {
            at: at(moment),
            id,
            action,
            ..start.clone()
        });
    }
    let mut snapshots = world.recording.snapshots.clone();
    for snapshot in snapshots.iter_mut().filter(|sync| sync.at > at(TAGGED)) {
        snapshot.tags.push(ResourceTag {
            resource_type: "UserVm".to_owned(),
            resource: vm.as_resource(),
            tag: Tag::new("Billing", "noCPU"),
        });
        snapshot.tag_events.push(TagEvent {
            at: at(TAGGED),
            action: TagAction::Create,
            id: "tagged".to_owned(),
            username: None,
        });
    }
    TwoStops {
        vm,
        records,
        events,
        snapshots,
    }
}

/// What the vCPUs of the VM cost at 1 for each and hour.
fn cost(world: &World, scene: &TwoStops, events: Option<Vec<VmEvent>>) -> (String, Bill) {
    let mut snapshots = scene.snapshots.clone();
    if let Some(events) = events {
        snapshots.extend(told(world, events).pop());
    }
    let book = format!(
        "schema = 1\nname = \"vCPUs\"\ncurrency = \"EUR\"\nzone = {:?}\ncompute = \"running\"\n
         [[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"hour\"\n
         [[exemption]]\nid = \"free\"\ntag = \"Billing=noCPU\"\nmeters = [\"cpu\"]\n",
        world.utc
    );
    let book = PriceBook::from_toml(&book).unwrap_or_else(|errors| panic!("{errors}"));
    let inventory = inventory(&snapshots, &scene.records);
    let bill = rate(&book, &inventory, &scene.records, world.month());
    let statements = bill.statements.iter();
    let lines = statements.flat_map(|statement| &statement.lines);
    let of_vm = lines.filter(|line| line.resource == scene.vm.as_resource());
    let cost: rating_engine::Exact = of_vm.map(|line| line.net.clone()).sum();
    (cost.to_string(), bill)
}

/// 22 days are 528 hours. On the 23rd it ran seven hours before the tag came, from 00:00 to
/// 02:00 and from 05:00 to 10:00: 535 hours of 4 vCPUs cost 2140. The API does not tell when it
/// ran: 11/24 of 19 hours lie before the tag, 8.7083 hours: 2146.8333.
#[test]
fn a_tag_between_two_stops_of_a_day_is_exact_with_the_events_alone() {
    for world in World::all() {
        let scene = two_stops(world);
        let (by_api, bill) = cost(world, &scene, None);
        assert_eq!(by_api, "12881/6");
        assert!(placements(&bill).contains(&Placement::Spread));
        let (by_events, bill) = cost(world, &scene, Some(scene.events.clone()));
        assert_eq!(by_events, "2140");
        assert!(!placements(&bill).contains(&Placement::Spread));
        assert!(placements(&bill).contains(&Placement::Events));
        assert_eq!(differing(&bill), []);
    }
}

/// Beginning, time in doubt and value of each finding of events that differ.
fn differing(bill: &Bill) -> Vec<(DateTime<Utc>, i128, String)> {
    let differing = bill
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::EventsDiffer);
    let told = differing.map(|finding| {
        let start = finding.period.unwrap().start();
        let value = finding.value.as_ref().unwrap().to_string();
        (start, finding.millis, value)
    });
    told.collect()
}

/// The event of a start is an hour late: the record's 19 hours are not the 18 of the events, so
/// they are billed as without events. The hour is spread over its day: 11/24 of it before the
/// tag, at 4 an hour, are at stake.
#[test]
fn events_that_tell_another_time_than_a_record_change_nothing_and_are_told() {
    for world in World::all() {
        let scene = two_stops(world);
        let (by_api, _) = cost(world, &scene, None);
        let mut events = scene.events.clone();
        let last = events.last_mut().unwrap();
        last.at += TimeDelta::hours(1);
        let (cost, bill) = cost(world, &scene, Some(events));
        assert_eq!(cost, by_api);
        let day = world.recording.at("10-23T00:00:00");
        assert_eq!(differing(&bill), [(day, 3_600_000, "11/6".to_owned())]);
    }
}
