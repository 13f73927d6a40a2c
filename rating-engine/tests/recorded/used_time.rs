//! The same time used, whatever the windows, equal to the events to the second.

use std::collections::{BTreeMap, BTreeSet};

use cloudstack_usage::Period;
use rating_engine::{Bill, Exact};

use super::{Input, Measured, World};

/// Counted, not timed: spread evenly over their windows.
const COUNTERS: &[&str] = &[
    "traffic_sent",
    "traffic_received",
    "disk_read_ops",
    "disk_write_ops",
    "disk_read_bytes",
    "disk_write_bytes",
];

/// CloudStack lost a week of VM snapshots, differently for each aggregation (types 25, 27).
const LOST: &[&str] = &["vm_snapshot", "vm_snapshot_primary"];

fn without(measured: &Measured, items: &[&str]) -> BTreeMap<(String, String), String> {
    let mut quantities = measured.quantities.clone();
    quantities.retain(|(item, _), _| !items.contains(&item.as_str()));
    quantities
}

fn differing(left: &Measured, right: &Measured) -> BTreeSet<String> {
    let keys = left.quantities.keys().chain(right.quantities.keys());
    keys.filter(|key| left.quantities.get(*key) != right.quantities.get(*key))
        .map(|(item, _)| item.clone())
        .collect()
}

/// Every type that the events tell in full, of what was metered at all.
fn assert_equal_to_the_events(world: &World, measured: &Measured, period: Period, what: &str) {
    let told = world.events.used(period);
    for usage_type in [1, 2, 3, 6, 9, 13] {
        let mut truth: BTreeMap<&str, i128> = told
            .iter()
            .filter(|((of, _), _)| *of == usage_type)
            .map(|((_, resource), millis)| (resource.as_str(), *millis))
            .collect();
        if usage_type == 6 {
            // the root volume that CloudStack never metered lived all month
            let is_metered = |resource: &str| measured.used.contains_key(&(6, resource.to_owned()));
            let mut unmetered = truth.clone();
            unmetered.retain(|resource, _| !is_metered(resource));
            truth.retain(|resource, _| is_metered(resource));
            let unmetered: Vec<_> = unmetered.into_iter().collect();
            assert_eq!(unmetered.len(), 1, "{what}");
            assert_eq!(unmetered[0].1, i128::from(period.millis()), "{what}");
        }
        assert_eq!(
            measured.of_type(usage_type),
            truth,
            "{what}: type {usage_type}"
        );
        assert!(truth.len() > 1, "{what}: type {usage_type}");
    }
    // one resource each
    for usage_type in [11, 12, 14, 31] {
        let truth: i128 = told
            .iter()
            .filter(|((of, _), _)| *of == usage_type)
            .map(|(_, millis)| *millis)
            .sum();
        let total: i128 = measured.of_type(usage_type).into_values().sum();
        assert_eq!(total, truth, "{what}: type {usage_type}");
        assert!(truth > 0, "{what}: type {usage_type}");
    }
    assert_levels(world, measured, period, what);
    assert_networks(world, measured, period, what);
}

/// vCPU time, memory time and byte time follow every change of size.
fn assert_levels(world: &World, measured: &Measured, period: Period, what: &str) {
    const HOUR: i128 = 3_600_000;
    let weighed = world.events.weighed(period);
    let memory = world.events.memory(period);
    let cases = [
        ("cpu", 1, &weighed, HOUR),
        ("ram", 1, &memory, HOUR * 1024),
        ("disk", 6, &weighed, HOUR << 30),
    ];
    for (item, usage_type, truth, unit) in cases {
        let mut compared = 0;
        for ((of, resource), quantity) in &measured.quantities {
            if of == item {
                let truth = truth[&(usage_type, resource.clone())];
                let truth = Exact::ratio(truth, unit).unwrap().to_string();
                assert_eq!(*quantity, truth, "{what}: {item} of {resource}");
                compared += 1;
            }
        }
        assert!(compared > 5, "{what}: {item}");
    }
}

/// Networks: from their first metered second only. The events of their creation stayed
/// unprocessed, so they are metered from when they were first implemented.
fn assert_networks(world: &World, measured: &Measured, period: Period, what: &str) {
    let metered = measured.of_type(30);
    let mut late = 0;
    for ((usage_type, network), truth) in world.events.used(period) {
        if usage_type != 30 {
            continue;
        }
        let of_it = metered
            .iter()
            .find(|(description, _)| description.starts_with(&format!("{network},")));
        let (description, millis) = of_it.unwrap_or_else(|| panic!("{what}: {network}"));
        assert!(*millis <= truth, "{what}: {description}");
        late += usize::from(*millis < truth);
    }
    // of five, one was first used within the month, one was metered all its life, and the
    // others were first used before it
    assert_eq!((metered.len(), late), (5, 1), "{what}");
}

#[test]
fn october_in_utc_is_the_same_from_daily_and_hourly_windows_and_as_the_events_tell() {
    for world in World::all() {
        let (daily, hourly) = (world.input("usage-daily"), world.input("usage-hourly"));
        let from_daily = world.measured(daily, world.utc);
        let from_hourly = world.measured(hourly, world.utc);
        let period = world.period(world.utc);
        assert_equal_to_the_events(world, &from_daily, period, "daily");
        assert_equal_to_the_events(world, &from_hourly, period, "hourly");

        assert_eq!(without(&from_daily, LOST), without(&from_hourly, LOST));
        let lost = LOST.iter().map(|item| (*item).to_owned()).collect();
        assert_eq!(differing(&from_daily, &from_hourly), lost);
    }
}

#[test]
fn october_in_berlin_is_the_same_from_windows_of_utc_and_of_berlin_and_as_the_events_tell() {
    for world in World::all() {
        let (daily, berlin) = (
            world.input("usage-daily"),
            world.input("usage-daily-berlin"),
        );
        let from_daily = world.measured(daily, world.berlin);
        let from_berlin = world.measured(berlin, world.berlin);
        let period = world.period(world.berlin);
        assert_equal_to_the_events(world, &from_daily, period, "daily");
        assert_equal_to_the_events(world, &from_berlin, period, "berlin");

        let excepted: Vec<&str> = LOST.iter().chain(COUNTERS).copied().collect();
        assert_eq!(
            without(&from_daily, &excepted),
            without(&from_berlin, &excepted)
        );
        // the month begins inside a window of the one and at a bound of the other
        let differing = differing(&from_daily, &from_berlin);
        for item in &differing {
            assert!(excepted.contains(&item.as_str()), "{item}");
        }
        for item in LOST.iter().chain(COUNTERS) {
            assert!(differing.contains(*item), "{item}");
        }
    }
}

/// Every line with its printed amount, and every total.
fn printed(bill: &Bill) -> BTreeMap<&str, String> {
    let lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    let lines = lines.map(|line| (line.key.as_str(), line.amount.to_string()));
    let totals = bill
        .statements
        .iter()
        .map(|statement| (statement.path.as_str(), statement.total.to_string()));
    lines.chain(totals).collect()
}

fn exact_without(bill: &Bill, items: &[&str]) -> BTreeMap<String, Exact> {
    let lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    lines
        .filter(|line| !items.contains(&line.item.name()))
        .map(|line| (line.key.clone(), line.net.clone()))
        .collect()
}

impl Input {
    /// Without the records of some usage types.
    fn without(&self, types: &[u32]) -> Self {
        let mut records = self.records.clone();
        records.retain(|record| !types.contains(&record.usage_type.id()));
        assert!(records.len() < self.records.len());
        Self {
            records,
            inventory: self.inventory.clone(),
        }
    }
}

#[test]
fn the_bill_of_october_is_the_same_to_the_cent() {
    for world in World::all() {
        let [daily, hourly, berlin] =
            ["usage-daily", "usage-hourly", "usage-daily-berlin"].map(|folder| world.input(folder));
        let of_berlin: Vec<&str> = LOST.iter().chain(COUNTERS).copied().collect();
        let pairs = [
            (world.utc, daily, hourly, LOST, &[25, 27][..]),
            (
                world.berlin,
                daily,
                berlin,
                &of_berlin,
                &[25, 27, 4, 5, 21, 22, 23, 24],
            ),
        ];
        for (zone, left, right, items, types) in pairs {
            // what is excepted aside, every line and total is the same
            let (of_left, of_right) = (left.without(types), right.without(types));
            let (of_left, of_right) = (world.bill(&of_left, zone), world.bill(&of_right, zone));
            assert_eq!(printed(&of_left), printed(&of_right), "{zone}");
            assert_eq!(of_left.exact, of_right.exact, "{zone}");
            // and what is excepted changes no other line
            let (of_left, of_right) = (world.bill(left, zone), world.bill(right, zone));
            assert_eq!(
                exact_without(&of_left, items),
                exact_without(&of_right, items),
                "{zone}"
            );
            assert_ne!(of_left.exact, of_right.exact, "{zone}");
        }
    }
}

#[test]
fn a_copy_costs_what_the_recording_costs() {
    let bills = World::all().each_ref().map(|world| {
        let bill = world.bill(world.input("usage-daily"), world.utc);
        let lines = bill
            .statements
            .iter()
            .flat_map(|statement| &statement.lines);
        let mut amounts: Vec<String> = lines.map(|line| line.net.to_string()).collect();
        amounts.sort();
        (bill.total, bill.counts, amounts)
    });
    assert_eq!(bills[0], bills[1]);
    assert_eq!(bills[0], bills[2]);
}
