//! Volumes and the VMs they are attached to.

use std::collections::BTreeMap;

use cloudstack_usage::{MomentSource, Period};
use rating_engine::{Exact, LineItem};

use super::World;

const RUNS: [(&str, bool); 4] = [
    ("usage-daily", false),
    ("usage-hourly", false),
    ("usage-daily", true),
    ("usage-daily-berlin", true),
];

#[test]
fn a_volume_is_billed_once_though_it_has_two_rows_a_day() {
    for world in World::all() {
        for (folder, in_berlin) in RUNS {
            let zone = if in_berlin { world.berlin } else { world.utc };
            let input = world.input(folder);
            let bill = world.bill(input, zone);
            let attach_rows = input.records.iter().filter(|record| record.is_attach_row());
            let in_month = attach_rows.filter(|record| record.window.overlaps(&bill.period));
            let attach_rows = in_month.count();
            assert!(attach_rows > 60);
            // they and the allocated time of VMs are all that is for reference only
            assert!(bill.counts.reference >= u64::try_from(attach_rows).unwrap());
            let lines = bill
                .statements
                .iter()
                .flat_map(|statement| &statement.lines);
            let mut by_volume: BTreeMap<String, i128> = BTreeMap::new();
            for line in lines.filter(|line| line.item.name() == "disk") {
                *by_volume.entry(line.resource.to_string()).or_default() += line.used_millis;
            }
            for name in ["prd-hana01-data", "prd-hana01-log", "dev-app01-data"] {
                let used = by_volume[&world.id(&input.inventory, name)];
                assert_eq!(used, i128::from(bill.period.millis()), "{folder}: {name}");
            }
        }
    }
}

fn of_volume<'a>(lines: &'a [&LineItem], id: &str) -> Vec<&'a LineItem> {
    let of_it = lines.iter().filter(|line| line.resource.to_string() == id);
    of_it
        .filter(|line| line.item.name() == "disk")
        .copied()
        .collect()
}

#[test]
fn a_volume_stands_under_its_vm_until_the_second_of_its_detachment() {
    for world in World::all() {
        for (folder, in_berlin) in RUNS {
            let zone = if in_berlin { world.berlin } else { world.utc };
            let input = world.input(folder);
            let bill = world.bill(input, zone);
            let lines: Vec<&LineItem> = bill
                .statements
                .iter()
                .flat_map(|statement| &statement.lines)
                .collect();
            let data = world.id(&input.inventory, "dev-app01-data");
            let vm = world.id(&input.inventory, "dev-app01");
            let detached = world.recording.at("10-24T21:59:00");
            let (before, after) = bill.period.split(detached).unwrap();
            let found: BTreeMap<Option<String>, (Period, i128)> = of_volume(&lines, &data)
                .into_iter()
                .map(|line| {
                    (
                        line.vm.as_ref().map(ToString::to_string),
                        (line.period, line.used_millis),
                    )
                })
                .collect();
            let expected = BTreeMap::from([
                (Some(vm), (before, i128::from(before.millis()))),
                (None, (after, i128::from(after.millis()))),
            ]);
            assert_eq!(found, expected, "{folder}");
            // no list says when: the rows do
            let listed = &input.inventory.volumes[&data.as_str().into()].vm;
            let ended = listed.spans()[0].ended.unwrap();
            assert_eq!(
                (ended.source, ended.at > detached),
                (MomentSource::Seen, true)
            );

            // a resize ends the attach rows, not the attachment: 500 GiB until then, 800 after
            let data = world.id(&input.inventory, "prd-hana01-data");
            let of_it = of_volume(&lines, &data);
            assert_eq!(of_it.len(), 1, "{folder}");
            let vm = world.id(&input.inventory, "prd-hana01");
            assert_eq!(of_it[0].vm.as_ref().unwrap().to_string(), vm);
            let (before, after) = bill
                .period
                .split(world.recording.at("10-08T09:00:00"))
                .unwrap();
            let gib_months = i128::from(before.millis()) * 500 + i128::from(after.millis()) * 800;
            let exact = Exact::ratio(gib_months * 8, i128::from(bill.period.millis()) * 100);
            assert_eq!(of_it[0].list, exact.unwrap(), "{folder}");
        }
    }
}
