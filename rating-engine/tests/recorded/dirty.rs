//! The recorded month with what CloudStack is known to do wrong.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use cloudstack_usage::{
    Period, Quantity, UsageRecord, UsageType, parse_raw_usage, parse_usage_page,
};
use rating_engine::{Bill, Exact, Finding, FindingKind};

use super::recording::inventory;
use super::{Input, World};

const HOUR: i64 = 3_600_000;

fn with(input: &Input, change: impl FnOnce(&mut Vec<UsageRecord>)) -> Input {
    let mut input = input.clone();
    change(&mut input.records);
    input
}

fn bill(world: &World, input: &Input) -> Bill {
    world.bill(input, world.utc)
}

fn of_kind(bill: &Bill, kind: FindingKind) -> Vec<&Finding> {
    let of_kind = bill.findings.iter().filter(|finding| finding.kind == kind);
    of_kind.collect()
}

fn lines(bill: &Bill) -> BTreeMap<&str, (&Exact, String)> {
    let lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    lines
        .map(|line| (line.key.as_str(), (&line.net, line.amount.to_string())))
        .collect()
}

fn counts_add_up(bill: &Bill) -> bool {
    let counts = &bill.counts;
    counts.records == counts.charged + counts.exempt + counts.reference + counts.held
}

fn hours_of_month(world: &World, hours: i128, price: (i128, i128)) -> Exact {
    let month = i128::from(world.period(world.utc).millis()) / i128::from(HOUR);
    Exact::ratio(price.0 * hours, price.1 * month).unwrap()
}

#[test]
fn every_record_twice_costs_what_it_costs_once() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let once = bill(world, input);
        let twice = with(input, |records| {
            records.extend(input.records.iter().cloned());
        });
        let twice = bill(world, &twice);
        assert_eq!(lines(&twice), lines(&once));
        assert_eq!(twice.total, once.total);
        let copies = of_kind(&twice, FindingKind::Duplicate);
        let records: u64 = copies.iter().map(|finding| finding.records).sum();
        assert_eq!(records, once.counts.records);
        assert_eq!(twice.counts.held, once.counts.records);
        assert_eq!(twice.counts.records, 2 * once.counts.records);
        assert!(counts_add_up(&twice));
        assert_eq!(twice.findings.len(), once.findings.len() + copies.len());
    }
}

#[test]
fn records_in_any_order_make_the_same_bill_to_the_byte() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let expected = bill(world, input);
        let turned = with(input, |records| records.reverse());
        assert_eq!(bill(world, &turned), expected);
        // every seventh, then the others: as pages that shift while they are read
        let dealt = with(input, |records| {
            *records = (0..7)
                .flat_map(|first| input.records.iter().skip(first).step_by(7).cloned())
                .collect();
        });
        assert_eq!(dealt.records.len(), input.records.len());
        assert_eq!(bill(world, &dealt), expected);
    }
}

/// A day of which records are missing.
fn day(world: &World) -> Period {
    let start = world.recording.at("10-17T00:00:00");
    Period::new(start, start + TimeDelta::days(1)).unwrap()
}

#[test]
fn a_day_without_records_of_a_resource_is_found_with_its_hours_and_money() {
    // a running VM of 4 vCPUs at 6.20 and 16 GiB at 3.20 with its licence of 24.00;
    // a volume of 80 GiB at 0.08; an address at 3.00
    let cases: &[(u32, &str, (i128, i128))] = &[
        (2, "prd-app01", (4 * 620 + 16 * 320 + 2400, 100)),
        (6, "ROOT-22", (80 * 8, 100)),
        (3, "192.168.2.5", (3, 1)),
    ];
    for world in World::all() {
        let input = world.input("usage-daily");
        let before = bill(world, input);
        for (usage_type, name, price) in cases {
            let id = match usage_type {
                3 => {
                    let mut addresses = input.inventory.resources.values();
                    let named =
                        addresses.find(|entry| entry.name.last().is_some_and(|n| n == name));
                    named.unwrap().id.to_string()
                }
                _ => world.id(&input.inventory, name),
            };
            let lossy = with(input, |records| {
                records.retain(|record| {
                    // the usage server lost the resource for a day, running time included
                    let lost = record.identity().to_string() == id
                        && matches!(
                            (usage_type, record.usage_type.id()),
                            (2, 1 | 2) | (3, 3) | (6, 6)
                        );
                    !lost || record.window != day(world)
                });
            });
            let bill = bill(world, &lossy);
            let gap: Vec<_> = of_kind(&bill, FindingKind::NotMetered)
                .into_iter()
                .filter(|finding| {
                    finding
                        .resource
                        .as_ref()
                        .is_some_and(|r| r.to_string() == id)
                })
                .collect();
            assert_eq!(gap.len(), 1, "{name}");
            assert_eq!(gap[0].millis, i128::from(24 * HOUR), "{name}");
            assert_eq!(
                gap[0].value,
                Some(hours_of_month(world, 24, *price)),
                "{name}"
            );
            assert_eq!(bill.findings.len(), before.findings.len() + 1, "{name}");
            let less = before.exact.clone() - bill.exact.clone();
            assert_eq!(less, hours_of_month(world, 24, *price), "{name}");
        }
    }
}

#[test]
fn another_root_volume_that_vanishes_is_found_too() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let id = world.id(&input.inventory, "ROOT-21");
        let lossy = with(input, |records| {
            records.retain(|record| {
                record.usage_type != UsageType::Volume || record.identity().to_string() != id
            });
        });
        let bill = bill(world, &lossy);
        let names: Vec<_> = of_kind(&bill, FindingKind::NotMetered)
            .into_iter()
            .map(|finding| {
                (
                    finding.resource_name.clone().unwrap(),
                    finding.value.clone().unwrap(),
                )
            })
            .collect();
        let lost = |name: &str| (world.recording.name(name), Exact::ratio(16, 100).unwrap());
        assert_eq!(names.len(), 2);
        assert!(names.contains(&lost("ROOT-19")) && names.contains(&lost("ROOT-21")));
    }
}

#[test]
fn usage_that_begins_within_the_month_makes_no_gaps_of_what_was_never_read() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let from = world.recording.at("10-05T00:00:00");
        let late = with(input, |records| {
            records.retain(|record| record.window.start() >= from);
        });
        let bill = bill(world, &late);
        let gaps = of_kind(&bill, FindingKind::NotMetered);
        assert_eq!(gaps.len(), 1);
        let read = Period::new(from, bill.period.end()).unwrap();
        assert_eq!(
            (gaps[0].period, gaps[0].millis),
            (Some(read), i128::from(read.millis()))
        );
    }
}

fn plain_row<'r>(
    world: &World,
    input: &Input,
    records: &'r mut [UsageRecord],
    name: &str,
) -> &'r mut UsageRecord {
    let id = world.id(&input.inventory, name);
    let mut records = records.iter_mut();
    let row = records.find(|record| {
        record.usage_type == UsageType::Volume
            && !record.is_attach_row()
            && record.identity().to_string() == id
            && record.window == day(world)
    });
    row.unwrap()
}

#[test]
fn more_hours_than_the_window_has_are_held() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let before = bill(world, input);
        let over = with(input, |records| {
            let row = plain_row(world, input, records, "ROOT-22");
            row.raw_usage = parse_raw_usage("48").unwrap();
            row.quantity = Quantity::time(48 * HOUR);
        });
        let bill = bill(world, &over);
        assert_eq!(lines(&bill), lines(&before));
        let held = of_kind(&bill, FindingKind::OverWindow);
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].millis, i128::from(24 * HOUR));
        assert_eq!(held[0].value, Some(hours_of_month(world, 24, (640, 100))));
        assert!(counts_add_up(&bill));
    }
}

#[test]
fn windows_that_overlap_after_a_second_parse_are_not_billed_twice() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let before = bill(world, input);
        // parsed again from 18:00 of the day before: what is billed already is held
        let again = with(input, |records| {
            let mut row = plain_row(world, input, records, "ROOT-22").clone();
            let start = day(world).start() - TimeDelta::hours(6);
            row.window = Period::new(start, start + TimeDelta::hours(12)).unwrap();
            row.raw_usage = parse_raw_usage("12").unwrap();
            row.quantity = Quantity::time(12 * HOUR);
            records.push(row);
        });
        let again = bill(world, &again);
        assert_eq!(lines(&again), lines(&before));
        let held = of_kind(&again, FindingKind::Overlap);
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].millis, i128::from(12 * HOUR));
        assert_eq!(held[0].value, Some(hours_of_month(world, 12, (640, 100))));
        assert!(counts_add_up(&again));
        // the first parse got no further than 18:00, the second began at 12:00
        let torn = with(input, |records| {
            let row = plain_row(world, input, records, "ROOT-22");
            let mut second = row.clone();
            row.window = Period::new(
                day(world).start(),
                day(world).start() + TimeDelta::hours(18),
            )
            .unwrap();
            row.raw_usage = parse_raw_usage("18").unwrap();
            row.quantity = Quantity::time(18 * HOUR);
            second.window =
                Period::new(day(world).start() + TimeDelta::hours(12), day(world).end()).unwrap();
            second.raw_usage = parse_raw_usage("12").unwrap();
            second.quantity = Quantity::time(12 * HOUR);
            records.push(second);
        });
        let torn = bill(world, &torn);
        assert_eq!(lines(&torn), lines(&before));
        assert_eq!(
            of_kind(&torn, FindingKind::Overlap)[0].millis,
            i128::from(6 * HOUR)
        );
        assert!(counts_add_up(&torn));
    }
}

#[test]
fn a_type_of_another_version_is_kept_and_not_billed() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let before = bill(world, input);
        let mut of_type = 0;
        let newer = with(input, |records| {
            for record in records
                .iter_mut()
                .filter(|record| record.usage_type.id() == 12)
            {
                record.usage_type = UsageType::from_id(99);
                of_type += 1;
            }
        });
        let bill = bill(world, &newer);
        assert!(of_type > 20);
        let found = of_kind(&bill, FindingKind::UnknownType);
        assert_eq!((found.len(), found[0].records), (1, of_type));
        assert_eq!(bill.counts.held, of_type);
        assert!(counts_add_up(&bill));
        assert_eq!(bill.findings.len(), before.findings.len() + 1);
    }
}

/// Some answers give no sizes of VMs with a dynamic offering.
fn without_sizes(world: &World, input: &Input) -> Input {
    let id = world.id(&input.inventory, "dev-app01");
    with(input, |records| {
        for record in records
            .iter_mut()
            .filter(|record| record.identity().to_string() == id)
        {
            record.cpu_count = None;
            record.memory_mib = None;
        }
    })
}

#[test]
fn sizes_that_records_do_not_carry_come_from_the_inventory() {
    for world in World::all() {
        let input = world.input("usage-daily");
        let before = bill(world, input);
        let bare = without_sizes(world, input);
        let after = bill(world, &bare);
        // the VM's own time of its last change is that of the records
        assert_eq!(lines(&after), lines(&before));
        assert_eq!(after.findings, before.findings);

        // without it only the sync that saw the change is known
        let mut snapshots = world.recording.snapshots.clone();
        for vm in snapshots.iter_mut().flat_map(|sync| &mut sync.vms) {
            vm.last_updated = None;
        }
        let seen = Input {
            inventory: inventory(&snapshots, &bare.records),
            records: bare.records,
        };
        let seen = bill(world, &seen);
        let doubts = of_kind(&seen, FindingKind::UncertainMoment);
        let name = world.recording.name("dev-app01");
        assert!(
            doubts
                .iter()
                .all(|doubt| doubt.resource_name.as_ref() == Some(&name))
        );
        assert!(!doubts.is_empty());
        // it ran until it was stopped, and again since it was started; RAM alone counts,
        // since CPU is exempt: 6 GiB at 3.20 for the time the change lies too late
        let at = |text: &str| world.recording.at(text);
        let (from, until) = (at("10-07T06:10:16"), at("10-08T09:05:00"));
        let late = i128::from((until - from).num_milliseconds());
        let less = Exact::ratio(late * 6 * 320, i128::from(seen.period.millis()) * 100).unwrap();
        assert_eq!(before.exact.clone() - seen.exact.clone(), less);
        let stake: Exact = doubts.iter().filter_map(|doubt| doubt.value.clone()).sum();
        assert!(stake >= less, "{stake} {less}");
    }
}

#[test]
fn a_decimal_comma_is_a_decimal_point() {
    let text = |raw: &str| {
        format!(
            r#"{{"listusagerecordsresponse":{{"count":1,"usagerecord":[{{"account":"a","accountid":"11111111-2222-4333-8444-555555555555","domainid":"11111111-2222-4333-8444-555555555556","zoneid":"11111111-2222-4333-8444-555555555557","description":"Volume usage","usage":"{raw} Hrs","usagetype":6,"rawusage":"{raw}","usageid":"11111111-2222-4333-8444-555555555558","size":1073741824,"startdate":"2026-10-01T00:00:00+0000","enddate":"2026-10-01T23:59:59+0000"}}]}}}}"#
        )
    };
    let quantity = |raw: &str| {
        let page = parse_usage_page("page", text(raw).as_bytes()).unwrap();
        page.records[0].record.quantity
    };
    assert_eq!(quantity("14,778056"), quantity("14.778056"));
    assert_eq!(quantity("14,778056"), Quantity::time(53_201_000));
}
