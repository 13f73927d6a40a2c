//! Each step of the recording's timeline that falls in October: what a bill knows of it.

use MomentSource::{Created, Event, Record, Seen, Updated};
use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{History, Moment, MomentSource, Period};
use rating_engine::{Bill, LineItem, Placement};

use super::{Input, World};

/// A step after which a resource is charged another way.
struct Step {
    what: &'static str,
    /// The recorded moment, and the next one at which it changes again.
    at: &'static str,
    until: &'static str,
    source: MomentSource,
    resource: &'static str,
    item: &'static str,
    usage_type: u32,
    /// How its lines look from then on.
    is: fn(&LineItem) -> bool,
    /// When they looked so before.
    also: Option<(&'static str, &'static str)>,
}

fn exempt(line: &LineItem) -> bool {
    line.exemption.is_some()
}

const STEPS: &[Step] = &[
    Step {
        what: "dev-app01 gets Billing=noCPU",
        at: "10-03T05:55:55",
        until: "10-24T21:59:00",
        source: Event,
        resource: "dev-app01",
        item: "cpu",
        usage_type: 1,
        is: |line| exempt(line),
        also: None,
    },
    Step {
        what: "prd-hana01-log gets Billing=noDisk",
        at: "10-08T09:00:00",
        until: "11-01T00:00:00",
        source: Event,
        resource: "prd-hana01-log",
        item: "disk",
        usage_type: 6,
        is: |line| exempt(line),
        also: None,
    },
    Step {
        what: "web02 gets the key Billing:noRAM",
        at: "10-14T22:15:00",
        until: "11-01T00:00:00",
        source: Event,
        resource: "web02",
        item: "ram",
        usage_type: 1,
        is: |line| exempt(line),
        also: None,
    },
    Step {
        what: "dev-app01 gets Billing=noCPU,noRAM",
        at: "10-15T08:05:00",
        until: "10-24T21:59:00",
        source: Event,
        resource: "dev-app01",
        item: "ram",
        usage_type: 1,
        is: |line| exempt(line),
        also: None,
    },
    Step {
        what: "dev-app01 loses its Billing tag",
        at: "10-24T21:59:00",
        until: "11-01T00:00:00",
        source: Event,
        resource: "dev-app01",
        item: "ram",
        usage_type: 1,
        is: |line| !exempt(line),
        also: Some(("10-01T00:00:00", "10-15T08:05:00")),
    },
    Step {
        what: "web04 is created with Package=WEB-S",
        at: "10-27T15:00:00",
        until: "11-01T00:00:00",
        source: Event,
        resource: "web04",
        item: "Patching",
        usage_type: 2,
        is: |line| !exempt(line),
        also: None,
    },
    Step {
        what: "dev-app01-data is detached",
        at: "10-24T21:59:00",
        until: "11-01T00:00:00",
        source: Record,
        resource: "dev-app01-data",
        item: "disk",
        usage_type: 6,
        is: |line| line.vm.is_none(),
        also: None,
    },
];

fn lines(bill: &Bill) -> impl Iterator<Item = &LineItem> {
    bill.statements
        .iter()
        .flat_map(|statement| &statement.lines)
}

fn used(bill: &Bill, resource: &str, item: &str, is: impl Fn(&LineItem) -> bool) -> i128 {
    lines(bill)
        .filter(|line| line.resource.to_string() == resource && line.item.name() == item)
        .filter(|line| is(line))
        .map(|line| line.used_millis)
        .sum()
}

/// Both ways to read October in UTC, each with its bill.
fn told(check: impl Fn(&World, &Input, &Bill, &str)) {
    for world in World::all() {
        for folder in ["usage-daily", "usage-hourly"] {
            let input = world.input(folder);
            check(world, input, &world.bill(input, world.utc), folder);
        }
    }
}

#[test]
fn each_change_of_a_charge_has_its_second_and_its_source() {
    told(|world, input, bill, folder| {
        for step in STEPS {
            let what = format!("{folder}: {}", step.what);
            let id = world.id(&input.inventory, step.resource);
            let (at, until) = (world.recording.at(step.at), world.recording.at(step.until));
            let period = Period::new(at, until).unwrap();
            let truth = world.events.used_by(step.usage_type, &id, period);
            assert!(truth > 0, "{what}");
            let before = step.also.map_or(0, |(from, until)| {
                let time = Period::new(world.recording.at(from), world.recording.at(until));
                world.events.used_by(step.usage_type, &id, time.unwrap())
            });
            let found = used(bill, &id, step.item, step.is);
            assert_eq!(found, truth + before, "{what}");
            assert_moment(world, input, step, &what);
        }
    });
}

/// The moment as lines explain it, or as the inventory has it.
fn assert_moment(world: &World, input: &Input, step: &Step, what: &str) {
    let bill = world.bill(input, world.utc);
    let id = world.id(&input.inventory, step.resource);
    let at = world.recording.at(step.at);
    if step.source == Record {
        // usage events are dated up to 42 seconds after the step; this one lies on it
        let of_it = lines(&bill).filter(|line| line.resource.to_string() == id);
        let starts = of_it
            .filter(|line| line.vm.is_none())
            .map(|line| line.period.start())
            .min();
        assert_eq!(starts, Some(at), "{what}");
        return;
    }
    let bounds = lines(&bill)
        .filter(|line| line.resource.to_string() == id && line.item.name() == step.item)
        .flat_map(|line| &line.explanation.segments)
        .flat_map(|segment| &segment.bounds)
        .filter(|bound| bound.what.starts_with("tag "))
        .map(|bound| bound.moment);
    let moments: Vec<Moment> = bounds.collect();
    let found = moments.iter().find(|moment| moment.at == at);
    // a tag of the moment of creation lies before the first usage event
    if let Some(found) = found {
        assert_eq!(*found, Moment::certain(at, step.source), "{what}");
    } else {
        let tags = input.inventory.tags(&id.as_str().into()).unwrap();
        let known = tags
            .iter()
            .flat_map(|(_, history)| history.spans())
            .any(|span| span.began == Moment::certain(at, step.source));
        assert!(known, "{what}: {moments:?}");
    }
}

/// Starts and stops: what running time is told, against the events, around each.
#[test]
fn every_start_and_stop_in_october_is_in_the_time_used() {
    // stopped from when to when; whether daily windows tell the moment, and how
    let stops: &[(&str, &str, &str)] = &[
        ("dev-app01", "10-06T18:20:10", "10-07T06:10:16"),
        ("log-edi01", "10-15T08:00:00", "10-21T00:30:03"),
        ("dev-win01", "10-30T09:30:00", "10-30T09:40:03"),
        ("web01", "10-25T00:30:00", "10-25T01:30:03"),
    ];
    told(|world, input, bill, folder| {
        for (vm, stopped, started) in stops {
            let id = world.id(&input.inventory, vm);
            let (stopped, started) = (world.recording.at(stopped), world.recording.at(started));
            let truth = world.events.used_by(1, &id, bill.period);
            assert_eq!(used(bill, &id, "cpu", |_| true), truth, "{folder}: {vm}");
            let stop = Period::new(stopped, started).unwrap();
            assert_eq!(world.events.used_by(1, &id, stop), 0, "{folder}: {vm}");
            let life = world.events.used_by(2, &id, bill.period);
            assert_eq!(
                truth,
                life - i128::from(stop.millis()) - first_start(world, &id, bill.period),
                "{vm}"
            );
        }
    });
}

/// From the creation of a VM to its first start.
fn first_start(world: &World, vm: &str, period: Period) -> i128 {
    let first = |usage_type| {
        let of_it = world
            .events
            .uses
            .iter()
            .filter(|used| used.resource == vm && used.usage_type == usage_type);
        of_it.map(|used| used.start).min().unwrap()
    };
    let (created, started) = (first(2).max(period.start()), first(1).max(period.start()));
    i128::from((started - created).num_milliseconds())
}

fn sizes<T: Copy + PartialEq>(history: &History<T>) -> Vec<(T, Moment)> {
    history
        .spans()
        .iter()
        .map(|span| (span.value, span.began))
        .collect()
}

#[test]
fn changes_of_size_take_the_moment_of_the_records_or_of_cloudstack_itself() {
    told(|world, input, bill, folder| {
        let at = |text: &str| world.recording.at(text);
        // dev-app01 is scaled: lines of 3 and of 6 vCPUs, each of its time
        let id = world.id(&input.inventory, "dev-app01");
        let vm = &input.inventory.vms[&id.as_str().into()];
        assert_eq!(
            sizes(&vm.cpu_count),
            [
                (3, Moment::certain(at("09-30T16:45:00"), Created)),
                (6, Moment::certain(at("10-07T06:10:10"), Updated)),
            ],
            "{folder}"
        );
        // prd-hana01-data is resized: the records of both sizes prove the second
        let id = world.id(&input.inventory, "prd-hana01-data");
        let resized = at("10-08T09:00:00");
        let segments: Vec<_> = lines(bill)
            .filter(|line| line.resource.to_string() == id && line.item.name() == "disk")
            .flat_map(|line| &line.explanation.segments)
            .collect();
        let of_size = |gib: i128| {
            let of_size = segments.iter().filter(|segment| segment.level == gib << 30);
            let (time, used): (Vec<Period>, Vec<i64>) = of_size
                .map(|segment| (segment.period, segment.used_millis))
                .unzip();
            let whole = time.into_iter().reduce(|left, right| left.hull(&right));
            (
                whole.unwrap(),
                used.into_iter().map(i128::from).sum::<i128>(),
            )
        };
        let (before, after) = bill.period.split(resized).unwrap();
        assert_eq!(
            of_size(500),
            (before, i128::from(before.millis())),
            "{folder}"
        );
        assert_eq!(
            of_size(800),
            (after, i128::from(after.millis())),
            "{folder}"
        );
        // the lists alone would know it only from the sync after
        let volume = &input.inventory.volumes[&id.as_str().into()];
        let seen = volume.size_bytes.spans()[1].began;
        assert_eq!(
            seen,
            Moment::seen(at("10-08T09:05:00"), Some(at("10-03T06:00:00")))
        );
        assert_eq!(seen.source, Seen);
        // dev-win01 changes its offering while stopped: both sizes, to the second
        let id = world.id(&input.inventory, "dev-win01");
        for (cpus, from, until) in [
            (2, "10-29T10:00:18", "10-30T09:30:00"),
            (4, "10-30T09:40:03", "11-01T00:00:00"),
        ] {
            let time = Period::new(at(from), at(until))
                .unwrap()
                .intersect(&bill.period)
                .unwrap();
            let of_level = lines(bill)
                .filter(|line| line.resource.to_string() == id && line.item.name() == "cpu")
                .flat_map(|line| &line.explanation.segments)
                .filter(|segment| segment.level == cpus)
                .map(|segment| i128::from(segment.used_millis))
                .sum::<i128>();
            assert_eq!(
                of_level,
                i128::from(time.millis()),
                "{folder}: {cpus} vCPUs"
            );
        }
    });
}

#[test]
fn what_the_api_cannot_know_is_said() {
    told(|world, input, bill, folder| {
        let at = |text: &str| world.recording.at(text);
        // web02's display name: only that it changed between two syncs
        let web02 = &input.inventory.vms[&world.id(&input.inventory, "web02").as_str().into()];
        let names = &web02.display_name;
        assert_eq!(names.spans().len(), 2);
        assert_eq!(
            names.spans()[1].began,
            Moment::seen(at("10-15T02:00:00"), Some(at("10-08T09:05:00")))
        );
        // web01's half hour lies somewhere in the day for daily windows, and is exact for
        // hourly ones, where two partial hours touch
        let id = world.id(&input.inventory, "web01");
        let cut = DateTime::<Utc>::max(at("10-25T00:00:00"), bill.period.start());
        let spread = lines(bill)
            .filter(|line| line.resource.to_string() == id && line.item.name() == "cpu")
            .flat_map(|line| &line.explanation.segments)
            .filter(|segment| segment.period.contains(cut))
            .any(|segment| segment.placement == Placement::Spread);
        assert_eq!(spread, folder == "usage-daily");
        // web03 lived between two syncs: no list has it, usage proves it
        let web03 = world.recording.name("web03");
        let listed = world
            .recording
            .snapshots
            .iter()
            .flat_map(|sync| &sync.vms)
            .any(|vm| vm.name == web03);
        assert!(!listed);
        let id = world.id(&input.inventory, "web03");
        let entry = &input.inventory.vms[&id.as_str().into()];
        assert_eq!(entry.lifetime.last_seen, None);
        let ran = Period::new(at("10-10T13:37:09"), at("10-10T14:02:00")).unwrap();
        assert_eq!(used(bill, &id, "cpu", |_| true), i128::from(ran.millis()));
        assert!(entry.tags.is_empty());
        assert!(
            bill.findings
                .iter()
                .all(|finding| !finding.message.contains(&web03))
        );
    });
}

/// Things that begin and end in the month, by the records alone.
#[test]
fn addresses_rules_snapshots_and_networks_begin_and_end_on_their_second() {
    // type, from (or the month's start), until (or its end), delay of the usage event
    let things: &[(u32, &str, &str, i64)] = &[
        (3, "10-02T10:30:00", "11-01T00:00:00", 0),
        (3, "10-18T03:33:33", "11-01T00:00:00", 3),
        (3, "10-29T10:00:00", "11-01T00:00:00", 9),
        (9, "10-05T12:00:00", "10-20T11:11:11", 3),
        (9, "10-20T11:11:11", "11-01T00:00:00", 6),
        (11, "10-01T00:00:00", "11-01T00:00:00", 33),
        (12, "10-02T10:30:00", "10-28T23:59:59", 3),
        (14, "10-12T07:00:00", "11-01T00:00:00", 6),
        (30, "10-29T10:00:00", "11-01T00:00:00", 0),
        (31, "10-18T03:33:33", "11-01T00:00:00", 0),
    ];
    for world in World::all() {
        for folder in ["usage-daily", "usage-hourly"] {
            let measured = world.measured(world.input(folder), world.utc);
            for (usage_type, from, until, delay) in things {
                let from = world.recording.at(from) + TimeDelta::seconds(*delay);
                let time = Period::new(from, world.recording.at(until)).unwrap();
                let millis = i128::from(time.millis());
                let found = measured
                    .of_type(*usage_type)
                    .into_values()
                    .any(|used| used == millis);
                assert!(found, "{folder}: type {usage_type} from {from}");
            }
        }
    }
}
