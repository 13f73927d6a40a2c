//! Findings of doubtful records, one for each resource and kind; and states that are not
//! known for certain, billed as seen or held back.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use chrono::TimeDelta;
use cloudstack_usage::Snapshot;
use proptest::prelude::*;
use rating_engine::{Bill, Exact, Finding, FindingKind, Policy};

use support::cloud::{GIB, days, span_of};
use support::scene::{Rules, Scene, read, scene};
use support::{Cloud, between, book, finding, line, lines, month, rate_json};

const DISK: &str =
    "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.10\"\nper = \"month\"\n";

fn of_kind(bill: &Bill, kind: FindingKind) -> Vec<&Finding> {
    let of_kind = bill.findings.iter().filter(|finding| finding.kind == kind);
    of_kind.collect()
}

#[test]
fn all_copies_of_a_resource_are_one_finding() {
    let book = book(DISK);
    let september = month(&book, "2026-09");
    let cloud = Cloud::new()
        .volume("v", 50 * GIB, None, "2026-08-01", "2026-11-01")
        .volume("w", 10 * GIB, None, "2026-08-01", "2026-11-01");
    let windows = days(september);
    let mut records = cloud.records(&windows);
    let of_volume = |records: &[String], id: &str| -> Vec<String> {
        let id = format!("\"usageid\":\"{id}\"");
        records
            .iter()
            .filter(|json| json.contains(&id))
            .cloned()
            .collect()
    };
    // every record of one volume twice, a single one of the other
    let (copies, other) = (of_volume(&records, "v"), of_volume(&records, "w"));
    records.extend(copies);
    records.push(other[10].clone());
    let bill = rate_json(
        &book,
        &records,
        &cloud.snapshots(span_of(&windows)),
        september,
    );
    let found = of_kind(&bill, FindingKind::Duplicate);
    assert_eq!(found.len(), 2);
    // 30 days of 24 hours, a month's price: 50 GiB x 0.10
    let all = found[0];
    assert_eq!((all.records, all.millis), (30, 30 * 24 * 3_600_000));
    assert_eq!(all.value, Some(Exact::from(5)));
    assert_eq!(all.period, Some(september));
    assert!(all.message.contains("30 windows") && all.message.contains("30 more identical"));
    // one day of thirty: 10 GiB x 0.10 / 30
    let one = found[1];
    assert_eq!((one.records, &one.value), (1, &Exact::ratio(1, 30)));
    assert_eq!(one.period, Some(windows[10]));
    assert!(one.message.contains("1 more identical") && !one.message.contains("windows"));
    // of 60 + 31 records that touch the month, 31 are held
    assert_eq!((bill.counts.records, bill.counts.held), (91, 31));
}

#[test]
fn windows_with_too_much_time_are_one_finding_for_each_kind() {
    let book = book(DISK);
    let september = month(&book, "2026-09");
    let cloud = Cloud::new().volume("v", 10 * GIB, None, "2026-08-01", "2026-11-01");
    let mut records = cloud.records(&days(september));
    for place in [5, 6, 9] {
        records[place] = records[place].replace("24.000000", "25.000000");
    }
    let bill = rate_json(&book, &records, &[], september);
    let found = of_kind(&bill, FindingKind::OverWindow);
    assert_eq!(found.len(), 1);
    // an hour of each, of the month's 720, at 10 x 0.10
    assert_eq!(found[0].value, Exact::ratio(3, 720));
    assert_eq!((found[0].millis, found[0].records), (3 * 3_600_000, 0));
    // from the beginning of the first window to the end of the last
    let windows = days(september);
    assert_eq!(found[0].period, Some(windows[5].hull(&windows[9])));
    assert_eq!(bill.exact, Exact::from(1));
}

const SERVICE: &str = "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = 10\nper = \"month\"\n\
    [[service]]\nid = \"Backup\"\namount = 30\nper = \"month\"\n";

fn policies(no_history: &str, uncertain_moment: &str) -> String {
    format!(
        "[findings]\nno_history = \"{no_history}\"\nuncertain_moment = \"{uncertain_moment}\"\n"
    )
}

/// Syncs at these times, without events of tags.
fn syncs(cloud: &Cloud, times: &[&str]) -> Vec<Snapshot> {
    let syncs = times.iter().map(|time| cloud.snapshot(support::at(time)));
    syncs
        .map(|mut sync| {
            sync.tag_events.clear();
            sync
        })
        .collect()
}

fn rate(cloud: &Cloud, rows: &str, times: &[&str]) -> Bill {
    let book = book(rows);
    let september = month(&book, "2026-09");
    let windows = days(september);
    rate_json(
        &book,
        &cloud.records(&windows),
        &syncs(cloud, times),
        september,
    )
}

#[test]
fn a_tag_without_history_is_billed_or_held() {
    // the first sync sees the tag at the end of the 10th day: 10 of 30 days are in doubt,
    // 30 x 10 / 30
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
        "m",
        "Service",
        "Backup",
        "2026-08-15",
        "2026-11-01",
    );
    let times = ["2026-09-11", "2026-10-02"];
    let flagged = rate(
        &cloud,
        &(SERVICE.to_owned() + &policies("flag", "hold")),
        &times,
    );
    let doubt = finding(&flagged, "no_history");
    assert_eq!(
        (doubt.policy, &doubt.value),
        (Policy::BillAndFlag, &Some(Exact::from(10)))
    );
    assert_eq!(flagged.total.amount(), "40.00");
    let held = rate(
        &cloud,
        &(SERVICE.to_owned() + &policies("hold", "flag")),
        &times,
    );
    let doubt = finding(&held, "no_history");
    assert_eq!(
        (doubt.policy, &doubt.value),
        (Policy::Hold, &Some(Exact::from(10)))
    );
    assert!(doubt.message.contains("held"), "{}", doubt.message);
    assert_eq!(held.total.amount(), "30.00");
    // no record is held: what they measure is billed
    assert_eq!(held.counts, flagged.counts);
    let service = line(&held, "Backup");
    assert_eq!(service.period, between("2026-09-11", "2026-10-01"));
}

#[test]
fn where_the_tag_saves_money_the_cheaper_state_is_billed_already() {
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
        "m",
        "Billing",
        "noCPU",
        "2026-08-15",
        "2026-11-01",
    );
    let times = ["2026-09-11", "2026-10-02"];
    for policy in ["flag", "hold"] {
        let bill = rate(
            &cloud,
            &(SERVICE.to_owned() + &policies(policy, "flag")),
            &times,
        );
        let doubt = finding(&bill, "no_history");
        // 10 x 10 / 30 may be missing
        assert_eq!(doubt.value, Exact::ratio(10, 3));
        assert_eq!(doubt.policy == Policy::Hold, policy == "hold");
        assert!(bill.total.is_zero());
    }
}

#[test]
fn a_change_between_two_syncs_is_billed_as_seen_or_held() {
    // the tag goes on the 14th, unseen until the sync of the 16th; that of the 11th saw it
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
        "m",
        "Service",
        "Backup",
        "2026-08-15",
        "2026-09-14",
    );
    let times = [
        "2026-08-02",
        "2026-08-20",
        "2026-09-11",
        "2026-09-16",
        "2026-10-02",
    ];
    let seen = rate(
        &cloud,
        &(SERVICE.to_owned() + &policies("flag", "flag")),
        &times,
    );
    // 15 days of 30 at 30, and 10 for the CPU
    assert_eq!(seen.total.amount(), "25.00");
    let held = rate(
        &cloud,
        &(SERVICE.to_owned() + &policies("flag", "hold")),
        &times,
    );
    assert_eq!(held.total.amount(), "20.00");
    let doubt = finding(&held, "uncertain_moment");
    assert_eq!(
        (doubt.policy, &doubt.value),
        (Policy::Hold, &Some(Exact::from(5)))
    );
    assert_eq!(doubt.period, Some(between("2026-09-11", "2026-09-16")));
}

#[test]
fn a_line_says_what_counts_instead() {
    // the exemption is seen on the 16th and may have come just after the 11th
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
        "m",
        "Billing",
        "noCPU",
        "2026-09-14",
        "2026-11-01",
    );
    let times = ["2026-08-02", "2026-09-11", "2026-09-16", "2026-10-02"];
    let held = rate(
        &cloud,
        &(SERVICE.to_owned() + &policies("flag", "hold")),
        &times,
    );
    // 10 of 30 days are certain
    assert_eq!(held.exact, Exact::ratio(10, 3).unwrap());
    let exempt = lines(&held)
        .into_iter()
        .find(|line| line.exemption.is_some())
        .unwrap();
    assert_eq!(exempt.period, between("2026-09-11", "2026-10-01"));
    assert!(
        exempt
            .explain()
            .contains("tag Billing in doubt: noCPU counts"),
        "{}",
        exempt.explain()
    );
}

#[test]
fn what_a_tag_selects_is_in_doubt_with_the_tag() {
    // with the tag the CPU costs 40 instead of 10: by a price of its own, or by a factor
    let price = "[[price]]\nid = \"gold\"\nmeter = \"cpu\"\nresource_tag = \"Tier=gold\"\n\
        amount = 40\nper = \"month\"\n";
    let factor =
        "[[factor]]\nid = \"gold\"\nfactor = 4\nmeters = [\"cpu\"]\nresource_tag = \"Tier=gold\"\n";
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
        "m",
        "Tier",
        "gold",
        "2026-08-15",
        "2026-09-14",
    );
    for selected in [price, factor] {
        let rows = |policies: String| SERVICE.to_owned() + selected + &policies;
        // the first sync sees the tag on the 11th, and one of the 16th no more
        let times = ["2026-09-11", "2026-09-16", "2026-10-02"];
        let flagged = rate(&cloud, &rows(policies("flag", "flag")), &times);
        // 15 of 30 days at 40, 15 at 10
        assert_eq!(flagged.total.amount(), "25.00");
        // ten days before the first sync and five after it, at 30 more or less
        let (since, until) = (
            finding(&flagged, "no_history"),
            finding(&flagged, "uncertain_moment"),
        );
        assert_eq!(since.value, Some(Exact::from(10)));
        assert_eq!(until.value, Some(Exact::from(5)));
        assert_eq!(until.period, Some(between("2026-09-11", "2026-09-16")));
        let held = rate(&cloud, &rows(policies("hold", "hold")), &times);
        assert_eq!(held.total.amount(), "10.00");
        for (slug, value) in [("no_history", 10), ("uncertain_moment", 5)] {
            let doubt = finding(&held, slug);
            assert_eq!(doubt.policy, Policy::Hold);
            assert_eq!(doubt.value, Some(Exact::from(value)));
        }
    }
}

#[test]
fn another_cost_centre_is_never_held() {
    let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
        "m",
        "CostCenter",
        "4711",
        "2026-08-15",
        "2026-11-01",
    );
    let bill = rate(
        &cloud,
        &(SERVICE.to_owned() + &policies("hold", "hold")),
        &["2026-09-11", "2026-10-02"],
    );
    let doubt = finding(&bill, "no_history");
    // 10 of the 30 days are another cost centre's or not, but owed
    assert_eq!(
        (doubt.policy, &doubt.value),
        (Policy::BillAndFlag, &Exact::ratio(10, 3))
    );
    assert_eq!(bill.total.amount(), "10.00");
}

#[test]
fn a_size_in_doubt_is_the_smaller_one_where_it_is_held() {
    // 4 vCPUs shrink to 1 on the 14th; the lists of the 11th and 16th show it
    let mut cloud = Cloud::new()
        .vm("m", 4, 1, "2026-08-01", "2026-11-01")
        .with_vm(|vm| vm.size.push((support::at("2026-09-14"), (1, 1024))));
    cloud.sizes_only_in_lists = true;
    let times = ["2026-08-02", "2026-09-11", "2026-09-16", "2026-10-02"];
    let cpu = "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = 30\nper = \"month\"\n\
        [[price]]\nid = \"ram\"\nmeter = \"ram\"\namount = 0\nper = \"month\"\n";
    let seen = rate(
        &cloud,
        &(cpu.to_owned() + &policies("flag", "flag")),
        &times,
    );
    // 15 days of 4 and 15 of 1 vCPU, at 1 a day
    assert_eq!(seen.total.amount(), "75.00");
    let held = rate(
        &cloud,
        &(cpu.to_owned() + &policies("flag", "hold")),
        &times,
    );
    // 5 days less of 3 vCPUs
    assert_eq!(held.total.amount(), "60.00");
    let doubt = finding(&held, "uncertain_moment");
    assert_eq!(
        (doubt.policy, &doubt.value),
        (Policy::Hold, &Some(Exact::from(15)))
    );
    assert_eq!(doubt.period, Some(between("2026-09-11", "2026-09-16")));
}

#[test]
fn two_packages_that_cover_the_same_are_not_both_left_out() {
    // each costs 9 and covers the CPU at 100: without one of them 9 less, without both 82 more
    let package = |id: &str| {
        format!(
            "[[package]]\nid = \"{id}\"\nservices = []\ncovers = [\"cpu\"]\namount = 9\nper = \"month\"\n"
        )
    };
    let rows = "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = 100\nper = \"month\"\n"
        .to_owned()
        + &package("Gold")
        + &package("Silver");
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .tag("m", "Package", "Gold", "2026-08-15", "2026-11-01")
        .tag("m", "Package:Silver", "", "2026-08-15", "2026-11-01");
    let times = ["2026-10-02"];
    let flagged = rate(&cloud, &(rows.clone() + &policies("flag", "flag")), &times);
    assert_eq!(flagged.total.amount(), "18.00");
    let held = rate(&cloud, &(rows + &policies("hold", "hold")), &times);
    assert_eq!(held.total.amount(), "9.00");
}

/// A scene whose syncs saw no events and are days apart, so that little is certain.
fn seldom(scene: &Scene, every: i64) -> Vec<Snapshot> {
    let span = span_of(&scene.windows);
    let times = (0..).map(|number| span.start() + TimeDelta::days(number * every));
    let times: Vec<_> = times.take_while(|time| span.contains(*time)).collect();
    let syncs = times.into_iter().map(|time| scene.cloud.snapshot(time));
    syncs
        .map(|mut sync| {
            sync.tag_events.clear();
            sync
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is held is just what findings say: never more than the money in doubt, never
    /// a bill that costs more.
    #[test]
    fn what_is_held_is_what_findings_say(scene in scene(Rules::OfTheMoment), every in 2_i64..12) {
        let syncs = seldom(&scene, every);
        let bill = |policy: &str| -> Bill {
            let book = read(&(scene.text() + &policies(policy, policy)));
            rate_json(&book, &scene.records(), &syncs, scene.period)
        };
        let (flagged, held) = (bill("flag"), bill("hold"));
        let less = flagged.exact.clone() - held.exact.clone();
        let in_doubt: Exact = held.findings.iter().filter(|finding| {
            let kinds = [FindingKind::NoHistory, FindingKind::UncertainMoment];
            kinds.contains(&finding.kind) && finding.policy == Policy::Hold
        }).filter_map(|finding| finding.value.clone()).sum();
        prop_assert!(!less.is_negative() && less <= in_doubt, "{less} of {in_doubt}");
        prop_assert_eq!(&held.counts.records, &flagged.counts.records);
    }
}

/// The uncertain moments of a VM with these tags, each with its times, seen at these syncs.
fn uncertain(tags: &[(&str, &str, &str, &str)], times: &[&str], policy: &str) -> (Bill, usize) {
    let mut cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01");
    for (key, value, from, until) in tags {
        cloud = cloud.tag("m", key, value, from, until);
    }
    let book = book(&(policies("flag", policy) + SERVICE));
    let september = month(&book, "2026-09");
    let records = cloud.records(&days(september));
    let bill = rate_json(&book, &records, &syncs(&cloud, times), september);
    let count = of_kind(&bill, FindingKind::UncertainMoment).len();
    (bill, count)
}

#[test]
fn one_value_in_place_of_another_is_one_doubt_and_a_gap_is_two() {
    let replaced = [
        ("Service", "Backup", "2026-08-01", "2026-09-10"),
        ("Service", "Other", "2026-09-10", "2026-11-01"),
    ];
    let times = ["2026-09-02", "2026-09-09", "2026-09-12", "2026-09-28"];
    assert_eq!(uncertain(&replaced, &times, "flag").1, 1);
    let gone_for_a_while = [
        ("Service", "Backup", "2026-08-01", "2026-09-05"),
        ("Service", "Backup", "2026-09-20", "2026-11-01"),
    ];
    let times = ["2026-09-02", "2026-09-08", "2026-09-15", "2026-09-25"];
    assert_eq!(uncertain(&gone_for_a_while, &times, "flag").1, 2);
}

#[test]
fn a_cost_centre_in_doubt_moves_nothing_where_doubts_are_held() {
    let moved = [
        ("CostCenter", "old", "2026-08-01", "2026-09-10"),
        ("CostCenter", "new", "2026-09-10", "2026-11-01"),
    ];
    let times = ["2026-09-02", "2026-09-09", "2026-09-12", "2026-09-28"];
    let by_centre = |policy: &str| {
        let (bill, count) = uncertain(&moved, &times, policy);
        assert_eq!(count, 1);
        let mut lines: Vec<_> = lines(&bill)
            .into_iter()
            .map(|line| {
                (
                    line.cost_centre.clone(),
                    line.item.clone(),
                    line.net.clone(),
                )
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(by_centre("hold"), by_centre("flag"));
}
