//! The recorded month from the same usage in another shape: shuffled, copied, cut into
//! shorter windows, put together to longer ones.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{Period, Quantity, ResourceId, Unit, UsageRecord, UsageType};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rating_engine::{Bill, Counts, FindingKind, Segment};
use rust_decimal::Decimal;

use super::{Input, World};

/// Records in another shape, and how many of them say something twice.
struct Reshaped {
    records: Vec<UsageRecord>,
    copies: u64,
    repeated: u64,
}

/// Chance of so many in a thousand.
fn happens(rng: &mut TestRng, of_thousand: u32) -> bool {
    rng.next_u32() % 1000 < of_thousand
}

fn below(rng: &mut TestRng, bound: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(bound.max(1)).unwrap()).unwrap()
}

fn shuffle<T>(rng: &mut TestRng, items: &mut [T]) {
    for place in (1..items.len()).rev() {
        items.swap(place, below(rng, place + 1));
    }
}

/// Whether a record can be cut anywhere: it is time that fills its window, or a count.
fn is_divisible(record: &UsageRecord) -> bool {
    let fills = record.quantity.unit() == Unit::Time
        && record.quantity.amount() == i128::from(record.window.millis());
    !record.usage_type.has_own_times() && (fills || record.usage_type.is_counter())
}

/// The record for a window within its own, with this amount.
fn part(record: &UsageRecord, window: Period, amount: i64) -> UsageRecord {
    let quantity = match record.quantity.unit() {
        Unit::Time => Quantity::time(amount),
        Unit::Bytes => Quantity::bytes(amount.unsigned_abs()),
        _ => Quantity::count(amount.unsigned_abs()),
    };
    UsageRecord {
        window,
        quantity,
        raw_usage: Decimal::from(amount),
        ..record.clone()
    }
}

/// Cuts a record at these instants. What is counted is spread evenly over its window
/// (DESIGN.md §4), so that each part gets what it had; it is not cut where that would be a
/// fraction of a byte.
fn cut(record: &UsageRecord, mut at: Vec<DateTime<Utc>>) -> Vec<UsageRecord> {
    let window = record.window;
    let weighted = |instant: DateTime<Utc>| {
        record.quantity.amount() * i128::from((instant - window.start()).num_milliseconds())
    };
    at.extend([window.start(), window.end()]);
    at.retain(|instant| weighted(*instant) % i128::from(window.millis()) == 0);
    at.sort_unstable();
    at.dedup();
    let before = |instant| i64::try_from(weighted(instant) / i128::from(window.millis())).unwrap();
    let parts = at.windows(2).map(|pair| {
        let within = Period::new(pair[0], pair[1]).unwrap();
        part(record, within, before(pair[1]) - before(pair[0]))
    });
    parts.collect()
}

/// Where to cut: into hours, or at a few whole seconds.
fn cuts(rng: &mut TestRng, window: Period) -> Vec<DateTime<Utc>> {
    let seconds = window.millis() / 1000;
    if happens(rng, 300) {
        return (1..seconds / 3600)
            .map(|hour| window.start() + TimeDelta::hours(hour))
            .collect();
    }
    let many = 1 + below(rng, 3);
    let within = |rng: &mut TestRng| i64::try_from(below(rng, usize::try_from(seconds).unwrap()));
    (0..many)
        .map(|_| window.start() + TimeDelta::seconds(within(rng).unwrap()))
        .collect()
}

/// Joins records of adjacent windows that are filled with time and say the same otherwise.
fn joined(rng: &mut TestRng, records: Vec<UsageRecord>, of_thousand: u32) -> Vec<UsageRecord> {
    let mut by_key: BTreeMap<(UsageType, ResourceId, Period), Vec<UsageRecord>> = BTreeMap::new();
    let mut done = Vec::new();
    for record in records {
        if is_divisible(&record) && record.quantity.unit() == Unit::Time {
            let key = (record.usage_type, record.identity(), record.window);
            by_key.entry(key).or_default().push(record);
        } else {
            done.push(record);
        }
    }
    let mut open: Option<UsageRecord> = None;
    for record in by_key.into_values().flatten() {
        let Some(before) = open.take() else {
            open = Some(record);
            continue;
        };
        let window = before.window.hull(&record.window);
        let same = part(&before, window, window.millis()) == part(&record, window, window.millis());
        if before.window.end() == record.window.start() && same && happens(rng, of_thousand) {
            open = Some(part(&before, window, window.millis()));
        } else {
            done.push(before);
            open = Some(record);
        }
    }
    done.extend(open);
    done
}

/// The records of a seed: cut, in part joined again (also across the windows that they came
/// in), copied, repeated in shorter windows, and shuffled.
fn reshaped(rng: &mut TestRng, input: &Input, period: Period) -> Reshaped {
    let mut records = Vec::new();
    let (mut copies, mut repeated) = (0, 0);
    // of what is said twice, joining would leave the one and change the other
    let joins = happens(rng, 500);
    for record in &input.records {
        let inside = record.window.overlaps(&period);
        if is_divisible(record) && happens(rng, 200) {
            let parts = cut(record, cuts(rng, record.window));
            if parts.len() > 1
                && record.quantity.unit() == Unit::Time
                && !joins
                && happens(rng, 100)
            {
                // the parts beside the whole: an overlap
                let within = parts.iter().filter(|part| part.window.overlaps(&period));
                repeated += u64::try_from(within.count()).unwrap();
                records.push(record.clone());
            }
            records.extend(parts);
        } else if !record.usage_type.has_own_times() && !joins && happens(rng, 100) {
            let many = 1 + below(rng, 3);
            copies += if inside {
                u64::try_from(many).unwrap()
            } else {
                0
            };
            records.extend(vec![record.clone(); many + 1]);
        } else {
            records.push(record.clone());
        }
    }
    if joins {
        records = joined(rng, records, 400);
    }
    shuffle(rng, &mut records);
    Reshaped {
        records,
        copies,
        repeated,
    }
}

/// A bill as JSON without what may tell the shape: the digest of the input, the number of
/// records, findings of duplicates and overlaps, and the windows in which free units and
/// tiers were used up.
fn but_for_the_shape(bill: &Bill) -> String {
    let mut bill = bill.clone();
    bill.digest.clear();
    bill.counts = Counts::default();
    let by_shape = [FindingKind::Duplicate, FindingKind::Overlap];
    bill.findings
        .retain(|finding| !by_shape.contains(&finding.kind));
    let lines = bill.statements.iter_mut();
    for line in lines.flat_map(|statement| &mut statement.lines) {
        line.explanation.records = 0;
        line.explanation.usage.clear();
        line.explanation.segments = adjacent_as_one(&line.explanation.segments);
    }
    bill.to_json().to_string()
}

/// Segments that touch and differ in nothing but their time, as one.
fn adjacent_as_one(segments: &[Segment]) -> Vec<Segment> {
    let mut joined: Vec<Segment> = Vec::new();
    for segment in segments {
        let last = joined.last_mut().filter(|last| {
            last.period.end() == segment.period.start()
                && segment.bounds.is_empty()
                && (last.placement, last.level) == (segment.placement, segment.level)
        });
        if let Some(last) = last {
            last.period = last.period.hull(&segment.period);
            last.used_millis += segment.used_millis;
            last.quantity += segment.quantity.clone();
            last.list += segment.list.clone();
            last.net += segment.net.clone();
        } else {
            joined.push(segment.clone());
        }
    }
    joined
}

fn records_of(bill: &Bill, kind: FindingKind) -> u64 {
    let of_kind = bill.findings.iter().filter(|finding| finding.kind == kind);
    of_kind.map(|finding| finding.records).sum()
}

/// What a bill of records in another shape has in common with that of the records as they
/// came: everything, but for findings that name just what was said twice.
fn compare(world: &World, expected: &Bill, input: &Input, reshaped: Reshaped) {
    let pushed = u64::try_from(reshaped.records.len()).unwrap();
    let inventory = world.recording.inventory(&reshaped.records);
    assert_eq!(inventory, input.inventory, "the inventory knows no shape");
    let bill = world.bill(
        &Input {
            records: reshaped.records,
            inventory,
        },
        world.utc,
    );
    assert_eq!(but_for_the_shape(&bill), but_for_the_shape(expected));
    assert_eq!(records_of(&bill, FindingKind::Duplicate), reshaped.copies);
    assert_eq!(records_of(&bill, FindingKind::Overlap), reshaped.repeated);
    let counts = &bill.counts;
    assert_eq!(counts.records + counts.neighbours, pushed);
    assert_eq!(
        counts.held,
        expected.counts.held + reshaped.copies + reshaped.repeated
    );
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

#[test]
fn fifty_other_shapes_of_the_month_cost_the_same() {
    let [original, copies @ ..] = World::all();
    let worlds = std::iter::repeat_n(original, 50).chain(copies);
    let (mut shorter, mut longer, mut twice, mut overlapping) = (0, 0, 0, 0);
    for (seed, world) in (0..).zip(worlds) {
        let input = world.input("usage-daily");
        let expected = world.bill(input, world.utc);
        let mut rng = rng(seed);
        // in another order alone: the same to the byte
        let mut shuffled = input.clone();
        shuffle(&mut rng, &mut shuffled.records);
        assert_eq!(world.bill(&shuffled, world.utc), expected);
        let reshaped = reshaped(&mut rng, input, expected.period);
        let day = TimeDelta::days(1).num_milliseconds();
        let lengths = reshaped.records.iter().map(|record| record.window.millis());
        shorter += lengths.clone().filter(|length| *length < day).count();
        longer += lengths.filter(|length| *length > day).count();
        twice += reshaped.copies;
        overlapping += reshaped.repeated;
        compare(world, &expected, input, reshaped);
    }
    assert!(shorter > 0 && longer > 0 && twice > 0 && overlapping > 0);
}
