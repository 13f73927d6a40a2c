//! The histories of a recorded CloudStack, against the timeline of its making.
//!
//! The expectations are the recording's own story (`examples/data/cloudstack-4.23/README.md`);
//! a copy with other dates, names and ids must tell the same story.
#![cfg(feature = "recording")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of a test fail the test"
)]

use std::path::PathBuf;

use MomentSource::{Created, Event, Record, Updated};
use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    History, Inventory, InventoryBuilder, LifetimeSource, Moment, MomentSource, Period, ResourceId,
    Snapshot, TagHistory, UsageLifetimes, UsageRecord, read_metadata_folder, read_usage_files,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Resource, key, value, how and when it began, how and when it ended.
type Tags<'a> = (
    &'a str,
    &'a str,
    &'a str,
    (&'a str, MomentSource),
    Option<(&'a str, MomentSource)>,
);

const TAGS: &[Tags<'static>] = &[
    (
        "prd-hana01",
        "Package",
        "HANA-XL",
        ("09-29T09:12:31", Event),
        None,
    ),
    (
        "prd-app01",
        "CostCenter",
        "4711-A",
        ("09-29T09:12:31", Event),
        None,
    ),
    (
        "dev-app01",
        "Billing",
        "noCPU",
        ("10-03T05:55:55", Event),
        Some(("10-15T08:05:00", Event)),
    ),
    (
        "dev-app01",
        "Billing",
        "noCPU,noRAM",
        ("10-15T08:05:00", Event),
        Some(("10-24T21:59:00", Event)),
    ),
    (
        "prd-hana01-log",
        "Billing",
        "noDisk",
        ("10-08T09:00:00", Event),
        None,
    ),
    (
        "web01",
        "Owner",
        "=cmd|' /C calc'!A0",
        ("10-14T22:15:00", Event),
        Some(("11-09T01:00", Record)),
    ),
    (
        "web02",
        "Billing:noRAM",
        "yes",
        ("10-14T22:15:00", Event),
        Some(("10-27T15:00", Record)),
    ),
    (
        "web04",
        "Package",
        "WEB-S",
        ("10-27T15:00:00", Event),
        Some(("11-09T01:00", Record)),
    ),
    (
        "dev-win01",
        "Billing",
        "noCPU,noRAM,noDisk",
        ("10-31T23:00:00", Event),
        None,
    ),
    ("SAP-PRD", "CostCenter", "4711", ("", Created), None),
    (
        "SAP-DEV",
        "CostCenter",
        "4712",
        ("", Created),
        Some(("11-03T06:00:00", Event)),
    ),
    (
        "SAP-DEV",
        "CostCenter",
        "4799",
        ("11-03T06:00:00", Event),
        None,
    ),
    (
        "SAP-DEV",
        "CostCenter2",
        "x",
        ("11-03T06:00:00", Event),
        None,
    ),
];

fn data(folder: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../examples/data/cloudstack-4.23")
        .join(folder)
}

fn recorded() -> (Vec<Snapshot>, Vec<UsageRecord>) {
    let snapshots = read_metadata_folder(data("metadata")).unwrap();
    let mut records = Vec::new();
    read_usage_files(&[data("usage-daily")], &mut |page| {
        records.extend(page.records.into_iter().map(|parsed| parsed.record));
        Ok(())
    })
    .unwrap();
    let snapshots = snapshots.into_iter().map(|fetch| fetch.snapshot);
    (snapshots.collect(), records)
}

fn build(snapshots: &[Snapshot], records: &[UsageRecord]) -> Inventory {
    let mut lifetimes = UsageLifetimes::default();
    for record in records {
        lifetimes.observe(record);
    }
    let mut builder = InventoryBuilder::new();
    for snapshot in snapshots {
        builder.observe(snapshot);
    }
    builder.usage(lifetimes);
    builder.build()
}

/// The recorded story, told in another year and with other names.
struct Story {
    inventory: Inventory,
    shift: TimeDelta,
    rename: fn(&str) -> String,
}

impl Story {
    /// `"10-03T05:55:55"` or `"10-03T05:55"` of the recorded year, moved.
    fn at(&self, text: &str) -> DateTime<Utc> {
        let seconds = if text.len() == 11 { ":00" } else { "" };
        let at: DateTime<Utc> = format!("2026-{text}{seconds}Z").parse().unwrap();
        at + self.shift
    }

    fn seen(&self, at: &str, not_before: &str) -> Moment {
        Moment::seen(self.at(at), Some(self.at(not_before)))
    }

    fn id(&self, name: &str) -> ResourceId {
        let is = |history: &History<String>| history.last() == Some(&(self.rename)(name));
        let inventory = &self.inventory;
        let vms = inventory.vms.values().filter(|vm| is(&vm.name));
        let volumes = inventory.volumes.values().filter(|volume| is(&volume.name));
        let projects = inventory
            .projects
            .values()
            .filter(|project| is(&project.name));
        vms.map(|entry| entry.id.as_resource())
            .chain(volumes.map(|entry| entry.id.as_resource()))
            .chain(projects.map(|entry| entry.id.as_resource()))
            .next()
            .unwrap_or_else(|| panic!("{name} is not in the inventory"))
    }

    fn tags(&self, name: &str) -> &TagHistory {
        self.inventory.tags(&self.id(name)).unwrap()
    }

    fn assert_moment(&self, moment: Moment, (time, source): (&str, MomentSource), what: &str) {
        assert_eq!(moment.source, source, "{what}: {moment:?}");
        assert_eq!(moment.not_before, None, "{what}");
        if time.is_empty() {
            assert_eq!(moment.at, Period::always().start(), "{what}");
        } else if source == Record {
            // usage events lie up to 42 seconds after the call
            let delay = moment.at - self.at(time);
            assert!(
                TimeDelta::zero() <= delay && delay <= TimeDelta::seconds(42),
                "{what}: {moment:?}"
            );
        } else {
            assert_eq!(moment.at, self.at(time), "{what}");
        }
    }

    fn assert_told(&self) {
        self.assert_tags();
        self.assert_other_histories();
        self.assert_lifetimes();
    }

    fn assert_tags(&self) {
        for (name, key, value, began, ended) in TAGS {
            let what = format!("{name} {key}={value}");
            let history = self.tags(name).get(key).unwrap();
            let span = history
                .spans()
                .iter()
                .find(|span| span.value == *value)
                .expect(&what);
            self.assert_moment(span.began, *began, &what);
            match (span.ended, ended) {
                (Some(moment), Some(ended)) => self.assert_moment(moment, *ended, &what),
                (ended, expected) => {
                    assert_eq!(ended.is_none(), expected.is_none(), "{what}: {ended:?}");
                }
            }
        }
        // the project went away with its tag: nothing says when, and nothing is used after
        let webshop = self.tags("Webshop").get("CostCenter").unwrap();
        let missed = Moment::certain(self.at("11-10T02:00"), MomentSource::Seen);
        assert_eq!(webshop.spans()[0].ended, Some(missed));
        let inventory = &self.inventory;
        let of_all = inventory
            .vms
            .values()
            .map(|vm| &vm.tags)
            .chain(inventory.volumes.values().map(|volume| &volume.tags))
            .chain(inventory.resources.values().map(|resource| &resource.tags))
            .chain(inventory.projects.values().map(|project| &project.tags))
            .flat_map(TagHistory::iter)
            .map(|(_, history)| history.spans().len())
            .sum::<usize>();
        assert_eq!(of_all, TAGS.len() + 1);
    }

    fn assert_other_histories(&self) {
        let vm = |name: &str| &self.inventory.vms[&self.id(name).into()];
        let names = &vm("web02").display_name;
        assert_eq!(names.spans().len(), 2);
        assert_eq!(
            names.spans()[1].began,
            self.seen("10-15T02:00", "10-08T09:05")
        );

        let cpus: Vec<_> = vm("dev-app01")
            .cpu_count
            .spans()
            .iter()
            .map(|span| (span.value, span.began))
            .collect();
        let updated = Moment::certain(self.at("10-07T06:10:10"), Updated);
        assert_eq!(
            cpus,
            [
                (3, Moment::certain(self.at("09-30T16:45"), Created)),
                (6, updated)
            ]
        );
        assert_eq!(vm("dev-app01").memory_mib.spans()[1].began, updated);

        let data = &self.inventory.volumes[&self.id("prd-hana01-data").into()];
        let sizes: Vec<_> = data
            .size_bytes
            .spans()
            .iter()
            .map(|span| span.value >> 30)
            .collect();
        assert_eq!(sizes, [500, 800]);
        assert_eq!(
            data.size_bytes.spans()[1].began,
            self.seen("10-08T09:05", "10-03T06:00")
        );

        let data = &self.inventory.volumes[&self.id("dev-app01-data").into()];
        assert_eq!(
            data.vm.spans()[0].ended,
            Some(self.seen("10-25T02:00", "10-22T02:00"))
        );
    }

    fn assert_lifetimes(&self) {
        let inventory = &self.inventory;
        let unmetered = inventory.volumes[&self.id("ROOT-19").into()].lifetime;
        assert_eq!(
            (unmetered.start, unmetered.end),
            (self.at("09-29T09:12:31"), None)
        );
        assert_eq!(unmetered.last_seen, Some(self.at("11-10T02:00")));

        let brief = &inventory.vms[&self.id("web03").into()];
        assert_eq!(brief.lifetime.start_source, LifetimeSource::Usage);
        assert_eq!(brief.lifetime.last_seen, None);
        assert!(brief.lifetime.period().contains(self.at("10-10T13:50")));
        assert_eq!(
            brief.owner.last(),
            inventory.vms[&self.id("web01").into()].owner.last()
        );

        let gone = inventory.vms[&self.id("dev-app01").into()].lifetime;
        assert_eq!(
            (gone.start, gone.end_source),
            (self.at("09-30T16:45"), LifetimeSource::Usage)
        );
        let delay = gone.end.unwrap() - self.at("11-05T17:00");
        assert!(TimeDelta::zero() <= delay && delay <= TimeDelta::seconds(42));
    }
}

#[test]
fn the_inventory_tells_the_timeline_of_the_recording() {
    let (snapshots, records) = recorded();
    let story = Story {
        inventory: build(&snapshots, &records),
        shift: TimeDelta::zero(),
        rename: str::to_owned,
    };
    story.assert_told();
}

/// Every text of a value changed, as its JSON: names and ids by `rename`, times by `shift`.
fn told<T: Serialize + DeserializeOwned>(
    value: &T,
    shift: TimeDelta,
    rename: fn(&str) -> String,
) -> T {
    fn change(value: &mut serde_json::Value, shift: TimeDelta, rename: fn(&str) -> String) {
        match value {
            // the holder of whom no id is known
            serde_json::Value::String(text) if text == "unknown" => {}
            serde_json::Value::String(text) => {
                *text = match text.parse::<DateTime<Utc>>() {
                    Ok(time) => (time + shift).to_rfc3339(),
                    Err(_) => rename(text),
                };
            }
            serde_json::Value::Array(values) => {
                for value in values {
                    change(value, shift, rename);
                }
            }
            serde_json::Value::Object(fields) => {
                for (name, value) in fields {
                    if !FIXED.contains(&name.as_str()) {
                        change(value, shift, rename);
                    }
                }
            }
            _ => {}
        }
    }
    let mut json = serde_json::to_value(value).unwrap();
    change(&mut json, shift, rename);
    serde_json::from_value(json).unwrap()
}

/// Fields whose text is a word of CloudStack, a tag, or a number.
const FIXED: &[&str] = &[
    "complete",
    "state",
    "resource_type",
    "key",
    "value",
    "action",
    "unit",
    "raw_usage",
    "volume_type",
    "cpu_count",
    "memory_mib",
];

#[test]
fn a_copy_with_other_dates_and_names_tells_the_same_story() {
    // ids sort the other way round, and no date or name of the recording is left
    let rename: fn(&str) -> String = |text| {
        let turned: String = text.chars().rev().collect();
        format!("~{turned}")
    };
    let shift = TimeDelta::days(3_000) + TimeDelta::seconds(4_321);
    let (snapshots, records) = recorded();
    let snapshots: Vec<Snapshot> = snapshots.iter().map(|s| told(s, shift, rename)).collect();
    let records: Vec<UsageRecord> = records
        .iter()
        .filter(|record| matches!(record.usage_type.id(), 2 | 3 | 6))
        .map(|record| told(record, shift, rename))
        .collect();
    let story = Story {
        inventory: build(&snapshots, &records),
        shift,
        rename,
    };
    story.assert_told();
}
