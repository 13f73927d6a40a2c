//! Laws that hold for every price book and every usage.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use cloudstack_usage::{Period, Snapshot};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rating_engine::{Bill, Exact, LineItem, Money, PriceBook};

use support::scene::{Rules, Scene, ZONES, civil_month, instant_text, read, scene};
use support::{Cloud, lines, rate_json};

/// At least 64 cases; more by the environment variable that proptest reads.
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var("PROPTEST_CASES").is_ok();
    ProptestConfig {
        cases: if asked { default.cases.max(64) } else { 64 },
        failure_persistence: None,
        ..default
    }
}

type KeyOf = fn(&LineItem) -> String;

/// How reports add lines up.
const PARTITIONS: &[(&str, KeyOf)] = &[
    ("vm", |line| format!("{:?}", line.vm)),
    ("volume", |line| format!("{:?}", line.volume)),
    ("project or account", |line| format!("{:?}", line.holder)),
    ("domain", |line| line.domain.to_string()),
    ("cost centre", |line| format!("{:?}", line.cost_centre)),
    ("item", |line| format!("{:?}", line.item)),
];

fn exact_by(bill: &Bill, key: KeyOf) -> BTreeMap<String, Exact> {
    let mut sums: BTreeMap<String, Exact> = BTreeMap::new();
    for line in lines(bill) {
        let sum = sums.entry(key(line)).or_insert_with(Exact::zero);
        *sum += line.net.clone();
    }
    sums
}

/// The exact amount of each resource in each hand; what costs nothing is left out.
fn by_resource(bill: &Bill) -> BTreeMap<String, Exact> {
    let mut sums = exact_by(bill, |line| {
        format!(
            "{} {:?} {:?} {}",
            line.domain, line.holder, line.cost_centre, line.resource
        )
    });
    sums.retain(|_, sum| !sum.is_zero());
    sums
}

fn shuffled<T: Clone>(items: &[T], order: &[Index]) -> Vec<T> {
    let mut items = items.to_vec();
    for (place, index) in order.iter().enumerate().take(items.len()) {
        let other = index.index(items.len());
        items.swap(place, other);
    }
    items
}

fn order() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 100..400)
}

/// The same rows with every amount, flat and fixed discount multiplied.
fn scaled(text: &str, factor: i128) -> String {
    let mut scaled = String::new();
    for line in text.lines() {
        let is_price = line.starts_with("amount = ") || line.starts_with("tiers = ");
        scaled += &if is_price {
            scale_line(line, factor)
        } else {
            line.to_owned()
        };
        scaled.push('\n');
    }
    scaled
}

fn scale_line(line: &str, factor: i128) -> String {
    let mut out = String::new();
    for piece in line.split_inclusive(['=', ',', '}']) {
        let money = out.ends_with("amount =") || out.ends_with("flat =");
        let number: String = piece
            .chars()
            .filter(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        if money && !number.is_empty() {
            let product = support::number(&number) * Exact::from(factor);
            let ending: String = piece.chars().filter(|c| matches!(c, ',' | '}')).collect();
            let product = support::decimal(&product, 6);
            out.extend([" \"", &product, "\" ", &ending]);
        } else {
            out += piece;
        }
    }
    out
}

proptest! {
    #![proptest_config(config())]

    /// 1 and 2: printed lines add up to the printed total in every partition, and each lies
    /// within one minor unit of what it is exactly.
    #[test]
    fn printed_lines_add_up_in_every_partition(scene in scene(Rules::OfTheMonth)) {
        let bill = scene.rate();
        for (name, key) in PARTITIONS {
            let mut groups: BTreeMap<String, Vec<&Money>> = BTreeMap::new();
            for line in lines(&bill) {
                groups.entry(key(line)).or_default().push(&line.amount);
            }
            let sums: Vec<Money> = groups.into_values().map(|group| Money::sum(group, bill.currency).unwrap()).collect();
            prop_assert_eq!(Money::sum(&sums, bill.currency).unwrap(), bill.total.clone(), "by {}", name);
        }
        let cent = Exact::ratio(1, 100).unwrap();
        for line in lines(&bill) {
            let moved = line.amount.to_exact() - line.net.clone();
            prop_assert!(moved < cent && -moved.clone() < cent, "{} moved by {moved}", line.key);
        }
        let printed = Money::sum(bill.statements.iter().map(|statement| &statement.total), bill.currency).unwrap();
        prop_assert_eq!(printed, bill.total);
    }

    /// 3: without rules of a whole month, two parts of a period cost what the whole costs.
    #[test]
    fn a_period_costs_what_its_parts_cost(scene in scene(Rules::OfTheMoment), cut in 1_i64..2_000_000_000) {
        let book = scene.book();
        let cut = scene.period.start() + TimeDelta::milliseconds(cut % scene.period.millis());
        let Some((before, after)) = scene.period.split(cut) else { return Ok(()) };
        let whole = scene.rate();
        let mut parts = by_resource(&scene.rate_book(&book, before));
        for (key, amount) in by_resource(&scene.rate_book(&book, after)) {
            *parts.entry(key).or_insert_with(Exact::zero) += amount;
        }
        prop_assert_eq!(parts, by_resource(&whole));
    }

    /// 4: no order of records, snapshots or rows changes a byte.
    #[test]
    fn order_changes_nothing(scene in scene(Rules::OfTheMonth), order in order()) {
        let bill = scene.rate();
        let book = read(&scene.text_of(&shuffled(&scene.rows, &order)));
        let records = shuffled(&scene.records(), &order);
        let snapshots: Vec<Snapshot> = shuffled(&scene.snapshots(), &order);
        let other = rate_json(&book, &records, &snapshots, scene.period);
        prop_assert_eq!(&other.digest, &bill.digest);
        prop_assert_eq!(other.to_json().to_string(), bill.to_json().to_string());
    }

    /// 6 and 15: records loaded twice, or one copied, are found and change no amount.
    #[test]
    fn copies_are_found_and_cost_nothing(scene in scene(Rules::OfTheMonth), copied in any::<Index>()) {
        let (book, records, snapshots) = (scene.book(), scene.records(), scene.snapshots());
        prop_assume!(!records.is_empty());
        let bill = scene.rate();
        let twice = [records.clone(), records.clone()].concat();
        let mut one_more = records.clone();
        one_more.push(records[copied.index(records.len())].clone());
        for (records, more) in [(twice, records.len()), (one_more, 1)] {
            let other = rate_json(&book, &records, &snapshots, scene.period);
            prop_assert_eq!(by_resource(&other), by_resource(&bill));
            prop_assert_eq!(&other.total, &bill.total);
            let counts = |bill: &Bill| bill.counts.records + bill.counts.neighbours;
            prop_assert_eq!(counts(&other), counts(&bill) + more as u64);
            prop_assert_eq!(other.counts.charged, bill.counts.charged);
        }
    }

    /// 7: all prices times k, all exact amounts times k.
    #[test]
    fn amounts_scale_with_prices(scene in scene(Rules::OfTheMonth), factor in 1_i128..50) {
        let text = scene.text();
        let book = read(&scaled(&text, factor));
        prop_assert_eq!(scene.rate_book(&book, scene.period).exact, scene.rate().exact * Exact::from(factor));
    }

    /// 9: no discount makes a line negative, and what is taken is what lies between list
    /// and net.
    #[test]
    fn discounts_never_go_below_zero(scene in scene(Rules::OfTheMonth)) {
        for line in lines(&scene.rate()) {
            prop_assert!(!line.net.is_negative() && !line.amount.is_negative());
            let taken: Exact = line.explanation.reductions.iter().map(|reduction| &reduction.amount).sum();
            prop_assert!(!taken.is_negative());
            prop_assert_eq!(line.list.clone() - taken, line.net.clone());
        }
    }

    /// 10: a tag that no rule reads changes no amount.
    #[test]
    fn a_tag_that_no_rule_reads_changes_nothing(scene in scene(Rules::OfTheMonth), start in 0_i64..30_000, length in 1_i64..9_000) {
        let mut tagged = scene.clone();
        let at = |minute| instant_text(support::scene::minute_of(scene.period, minute));
        for resource in ["vm0", "Volume:volume0", "Project:web"] {
            tagged.cloud = tagged.cloud.tag(resource, "owner", "somebody", &at(start), &at(start + length));
        }
        // the syncs stay those of the cloud without the tag, so that nothing else is seen
        let snapshots: Vec<Snapshot> = scene.snapshots().iter().map(|snapshot| {
            let mut seen = tagged.cloud.snapshot(snapshot.at);
            seen.tag_events.clone_from(&snapshot.tag_events);
            seen
        }).collect();
        let bill = scene.rate();
        let other = rate_json(&scene.book(), &scene.records(), &snapshots, scene.period);
        prop_assert_eq!(by_resource(&other), by_resource(&bill));
        prop_assert_eq!(other.total, bill.total);
    }

    /// 10: an equal price that is published again changes no amount.
    #[test]
    fn an_equal_price_published_again_changes_nothing(scene in scene(Rules::OfTheMonth), row in any::<Index>(), minute in -3_000_i64..46_000) {
        let at = instant_text(support::scene::minute_of(scene.period, minute));
        let prices: Vec<usize> = (0..scene.rows.len()).filter(|row| {
            let row = &scene.rows[*row];
            row.starts_with("[[price]]") && !row.contains("from =") && !row.contains("until =")
        }).collect();
        prop_assume!(!prices.is_empty());
        let row = prices[row.index(prices.len())];
        let mut rows = scene.rows.clone();
        let again = rows[row].replacen("id = \"", "id = \"again-", 1);
        rows[row].extend(["until = \"", &at, "\"\n"]);
        rows.push(format!("{again}from = \"{at}\"\n"));
        let other = scene.rate_book(&read(&scene.text_of(&rows)), scene.period);
        let bill = scene.rate();
        if scene.rows[row].contains("accumulate") {
            // resources share free units in order of time, which a cut may refine
            prop_assert_eq!(other.exact, bill.exact);
        } else {
            prop_assert_eq!(by_resource(&other), by_resource(&bill));
        }
        prop_assert_eq!(other.total, bill.total);
    }

    /// 10: whole windows split into two adjacent ones change no amount.
    #[test]
    fn windows_split_in_two_change_nothing(scene in scene(Rules::OfTheMoment)) {
        let mut split = scene.clone();
        split.cloud = whole_lives(&scene);
        let whole = split.clone();
        split.windows = scene.windows.iter().flat_map(|window| {
            let minutes = window.millis() / 60_000;
            match window.split(window.start() + TimeDelta::minutes(minutes / 3)) {
                Some((before, after)) => vec![before, after],
                None => vec![*window],
            }
        }).collect();
        prop_assert_eq!(by_resource(&split.rate()), by_resource(&whole.rate()));
    }

    /// 11: a full month costs exactly its price, in every zone.
    #[test]
    fn a_full_month_costs_its_price(
        zone in select(ZONES), year in 2024_i32..2028, month in 1_u32..13, cents in 1_u64..10_000_000, hours in select(&[1_i64, 24, 7][..])
    ) {
        let text = format!("[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"{}.{:04}\"\nper = \"month\"\n", cents / 10_000, cents % 10_000);
        let book = support::book_with(&format!("zone = \"{zone}\""), &text);
        let period = civil_month(zone, year, month);
        let cloud = Cloud::new().vm("m", 1, 1, "2023-06-01", "2028-06-01");
        let windows = support::cloud::windows(period, TimeDelta::hours(hours), TimeDelta::zero());
        let bill = rate_json(&book, &cloud.records(&windows), &[], period);
        prop_assert_eq!(bill.exact, Exact::ratio(i128::from(cents), 10_000).unwrap());
    }

    /// 12: exempt and charged time together are the time used.
    #[test]
    fn exempt_and_charged_time_are_the_time_used(scene in scene(Rules::OfTheMonth)) {
        let bill = scene.rate();
        // a book in which nothing is exempt and nothing included
        let plain: Vec<String> = scene.rows.iter().filter(|row| !row.starts_with("[[discount]]")).cloned().collect();
        let none = scene.text_of(&plain) + "[[exemption]]\nid = \"never\"\ntag = \"no=rule\"\nmeters = [\"cpu\"]\n";
        let used = scene.rate_book(&read(&none), scene.period);
        let time = |bill: &Bill| {
            let mut sums: BTreeMap<(String, String), i128> = BTreeMap::new();
            for line in lines(bill).into_iter().filter(|line| line.item.kind() == "meter") {
                *sums.entry((line.resource.to_string(), line.item.name().to_owned())).or_default() += line.used_millis;
            }
            sums
        };
        prop_assert_eq!(time(&bill), time(&used));
        for line in lines(&bill).into_iter().filter(|line| line.exemption.is_some()) {
            prop_assert!(line.net.is_zero() && line.amount.is_zero());
            prop_assert!(!line.exemption.as_deref().unwrap_or_default().is_empty());
        }
    }
}

/// The same things, all living and running through all windows and without changes in the
/// middle of one: what was used is then known to the second whatever the windows.
fn whole_lives(scene: &Scene) -> Cloud {
    let span = support::cloud::span_of(&scene.windows);
    let wide = Period::new(
        span.start() - TimeDelta::days(9),
        span.end() + TimeDelta::days(9),
    )
    .unwrap();
    let mut cloud = scene.cloud.clone();
    for vm in &mut cloud.vms {
        (vm.life, vm.stopped) = (wide, Vec::new());
        vm.owner.truncate(1);
        vm.size.truncate(1);
    }
    for disk in &mut cloud.volumes {
        disk.life = wide;
        disk.size.truncate(1);
    }
    for ip in &mut cloud.ips {
        ip.life = wide;
    }
    cloud
}

#[test]
fn scaling_reaches_every_amount_of_a_row() {
    let row = "amount = \"1.50\"\ntiers = [{ up_to = 4, amount = \"0.5\", flat = 3 }, { amount = \"0.7\" }]\nfree = 2\n";
    let expected = "amount = \"4.500000\" \ntiers = [{ up_to = 4, amount = \"1.500000\" , flat = \"9.000000\" }, { amount = \"2.100000\" }]\nfree = 2\n";
    assert_eq!(scaled(row, 3), expected);
    let book = |text: &str| PriceBook::from_toml(&support::book_text("", text)).is_ok();
    assert!(book(&format!(
        "[[price]]\nid = \"d\"\nmeter = \"disk\"\nper = \"month\"\n{}",
        &row[16..]
    )));
}
