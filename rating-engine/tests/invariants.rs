//! Laws that hold for every price book and every usage: RATING.md's invariants.
//!
//! | no. | law | test |
//! |----:|-----|------|
//! | 1 | printed lines add up to the printed total, however they are grouped | `printed_lines_add_up_in_every_partition` |
//! | 2 | printing moves a line by less than one minor unit | `printed_lines_add_up_in_every_partition` |
//! | 3 | the parts of a period cost what the whole costs | `a_period_costs_what_its_parts_cost` |
//! | 4 | order changes no byte | `order_changes_nothing` |
//! | 5 | neither do chunks and threads | `chunks_and_threads_change_nothing` |
//! | 6 | the same again adds nothing; a change is corrected once | `copies_are_found_and_cost_nothing`, `a_change_is_corrected_once` |
//! | 7 | exact amounts scale with prices | `amounts_scale_with_prices` |
//! | 8 | more of a graduated price never costs less | `graduated_prices_never_fall` |
//! | 9 | discounts never go below zero, nor beyond the gross | `discounts_never_go_below_zero` |
//! | 10 | neutral splits change no amount | `a_tag_that_no_rule_reads_changes_nothing`, `an_equal_price_published_again_changes_nothing`, `windows_split_in_two_change_nothing` |
//! | 11 | a full month costs its price | `a_full_month_costs_its_price` |
//! | 12 | exempt and charged time are the time used | `exempt_and_charged_time_are_the_time_used` |
//! | 13 | an explanation replays to its amount | `segments_and_discounts_replay_to_the_net_amount`, `every_line_names_a_price_or_a_reason` |
//! | 14 | billed lines, taxes and deposits are what is payable; unit price x quantity is the list cost | `lines_taxes_and_deposits_are_what_is_payable` |
//! | 15 | a copied record changes no total, a lost one is found | `copies_are_found_and_cost_nothing`, `a_lost_record_is_found`, `what_is_metered_is_no_gap` |
//! | 16 | overlapping prices of one key never load | `prices_of_one_key_load_unless_they_overlap` |
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::mpsc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use cloudstack_usage::{
    Inventory, InventoryBuilder, Period, ResourceId, Snapshot, UsageLifetimes, UsageRecord,
    UsageType, parse_usage_record,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use rating_engine::{
    Bill, Exact, FindingKind, Issued, LineItem, Money, PriceBook, PriceKind, Rating, RecordRun,
    correct,
};

use rust_decimal::Decimal;

use support::replay::replay;
use support::scene::{Rules, Scene, ZONES, civil_month, instant_text, read, scene};
use support::{Cloud, lines, rate_json};

/// A thousand cases, or as many as the environment variable of proptest says.
#[expect(clippy::disallowed_methods, reason = "a test may be asked for more")]
fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let asked = std::env::var("PROPTEST_CASES").is_ok();
    ProptestConfig {
        cases: if asked { default.cases } else { 1000 },
        failure_persistence: None,
        // some scenes have nothing that a law speaks of: with many cases, many
        max_global_rejects: 1_000_000,
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
        let [start, end] = [start, start + length].map(|minute| support::scene::minute_of(scene.period, minute));
        for resource in ["vm0", "Volume:volume0", "Project:web"] {
            tagged.cloud = tagged.cloud.tag(resource, "owner", "somebody", &instant_text(start), &instant_text(end));
        }
        // the syncs stay those of the cloud without the tag, so that nothing else is seen
        let syncs = scene.snapshots();
        // of two changes between two syncs events cannot tell which is which
        prop_assume!(![start, end].iter().any(|change| shares_a_sync(&scene, &syncs, *change)));
        let snapshots: Vec<Snapshot> = syncs.iter().map(|sync| tagged.cloud.snapshot(sync.at)).collect();
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

    /// 13: what a line says of its segments and discounts gives its amount again.
    #[test]
    fn segments_and_discounts_replay_to_the_net_amount(scene in scene(Rules::OfTheMoment)) {
        let add_up = scene.text().contains("add-capped");
        replay(&scene.book(), add_up, &scene.rate());
    }

    /// 13: every line names one price or a reason, the discounts in order, and its records.
    #[test]
    fn every_line_names_a_price_or_a_reason(scene in scene(Rules::OfTheMonth)) {
        let bill = scene.rate();
        let given = windows_of(&scene.records());
        prop_assert_eq!(bill.book.digest.len(), 64);
        for line in lines(&bill) {
            // the records told are records that were given, and as many as were counted
            let told = &line.explanation.usage;
            prop_assert!(told.iter().flat_map(|run| windows_told(line, run)).all(|window| given.contains(&window)));
            let records: u64 = told.iter().map(|run| run.records).sum();
            prop_assert!(0 < records && records <= line.explanation.records, "{}", line.explain());
            prop_assert!(!line.price.is_empty() || line.exemption.is_some());
            let chosen: Vec<&str> = line.explanation.prices.iter().filter(|choice| choice.chosen).map(|choice| choice.price.as_str()).collect();
            let expected: Vec<&str> = if line.price.is_empty() { Vec::new() } else { vec![&line.price] };
            prop_assert_eq!(chosen, expected);
            prop_assert!(line.explanation.prices.iter().all(|choice| !choice.reason.is_empty()));
            prop_assert!(!line.explanation.segments.is_empty() && line.explanation.records > 0);
            // the discounts of the line are those explained, in order
            let explained: Vec<&String> = line.explanation.reductions.iter().map(|reduction| &reduction.discount).collect();
            prop_assert_eq!(explained, line.discounts.iter().collect::<Vec<_>>());
            // segments are in order and add up to the line
            let segments = &line.explanation.segments;
            prop_assert!(segments.windows(2).all(|pair| pair[0].period.start() <= pair[1].period.start()));
            prop_assert_eq!(segments.iter().map(|segment| i128::from(segment.used_millis)).sum::<i128>(), line.used_millis);
            prop_assert_eq!(segments.iter().map(|segment| &segment.quantity).sum::<Exact>(), line.quantity.clone());
            prop_assert_eq!(segments.iter().map(|segment| &segment.net).sum::<Exact>(), line.net.clone());
            // and the words hold the amounts
            let words = line.explain();
            prop_assert!(words.contains(&line.net.to_string()) && words.contains(&line.amount.to_string()));
        }
    }

    /// 5: however many threads parse the records, in chunks of whatever length, and in
    /// whatever order they are done: not a byte changes.
    #[test]
    fn chunks_and_threads_change_nothing(scene in scene(Rules::OfTheMonth), chunk in 1_usize..97) {
        let expected = scene.rate().to_json().to_string();
        let book = scene.book();
        let (records, inventory) = (scene.records(), inventory_of(&scene));
        for threads in [1, 2, 8] {
            let bill = rate_in_threads(&book, &inventory, &records, scene.period, (threads, chunk));
            prop_assert_eq!(bill.to_json().to_string(), expected.as_str(), "{} threads", threads);
        }
    }

    /// 6: after a change the difference is corrected once, and then nothing is left.
    #[test]
    fn a_change_is_corrected_once(scene in scene(Rules::OfTheMonth), factor in 2_i128..5) {
        let before = scene.rate();
        let issued = Issued::from_json(&before.to_json()).unwrap();
        prop_assert_eq!(correct(&issued, &before).unwrap(), None);
        let after = scene.rate_book(&read(&scaled(&scene.text(), factor)), scene.period);
        let Some(correction) = correct(&issued, &after).unwrap() else {
            prop_assert!(before.exact.is_zero());
            return Ok(());
        };
        prop_assert_eq!(&correction.total.exact, &(after.exact.clone() - before.exact.clone()));
        let issued = issued.with(&correction).unwrap();
        prop_assert_eq!(issued.total(), after.total.clone());
        prop_assert_eq!(correct(&issued, &after).unwrap(), None);
    }

    /// 8: more of a graduated price never costs less, and a unit more never more than the
    /// dearest unit and the fees of the tiers that it reaches.
    #[test]
    fn graduated_prices_never_fall(
        tiers in prop::collection::vec((1_u64..400, 0_u32..50_000, 0_u32..90_000), 1..5),
        amounts in (0_u64..2_000, 0_u64..600), days in (1_u32..29, 1_u32..29)
    ) {
        let book = support::book(&graduated(&tiers));
        let period = support::month(&book, "2026-09");
        let cost = |amount: u64| {
            let [first, second] = [amount / 3, amount - amount / 3];
            let on = |day: u32| format!("2026-09-{day:02}");
            let cloud = Cloud::new().counted(21, "disk", &[(&on(days.0), first), (&on(days.1), second)]);
            cloud.rate(&book, period).exact
        };
        let (less, more) = (cost(amounts.0), cost(amounts.0 + amounts.1));
        prop_assert!(!less.is_negative() && less <= more, "{less} > {more}");
        let dearest = tiers.iter().map(|tier| tier.1).max().unwrap_or(0);
        let fees: u32 = tiers.iter().map(|tier| tier.2).sum();
        let most = Exact::ratio(i128::from(dearest) * i128::from(amounts.1) + i128::from(fees), 100).unwrap();
        prop_assert!(more.clone() - less.clone() <= most, "{less} to {more} is over {most}");
    }

    /// 14: printed lines, with credits as lines, are the net total; with taxes it is the
    /// gross, less deposits what is payable. What a price per unit lists is price x factors x quantity.
    #[test]
    fn lines_taxes_and_deposits_are_what_is_payable(scene in scene(Rules::OfTheMonth), terms in terms()) {
        let book = read(&(scene.text() + &terms));
        let bill = scene.rate_book(&book, scene.period);
        for statement in &bill.statements {
            let sum = |amounts: Vec<&Money>| Money::sum(amounts, bill.currency).unwrap();
            let net = sum(statement.lines.iter().map(|line| &line.amount).collect());
            prop_assert_eq!(&net, &statement.total);
            let taxes = sum(statement.taxes.iter().map(|tax| &tax.amount).collect());
            prop_assert_eq!(net.minor() + taxes.minor(), statement.gross.minor().clone());
            let deposits = sum(statement.credits.iter().filter(|used| used.after_tax).map(|used| &used.taken).collect());
            prop_assert_eq!(statement.gross.minor() - deposits.minor(), statement.payable.minor().clone());
            prop_assert!(!statement.payable.is_negative());
            for used in &statement.credits {
                prop_assert_eq!(used.taken.minor() + used.left.minor(), used.available.minor().clone());
            }
            // everything is taxed at one rate or the other, less what credits took off it; each
            // tax is the percentage of its group, rounded once
            prop_assert_eq!(sum(statement.taxes.iter().map(|tax| &tax.base).collect()), net);
            for tax in &statement.taxes {
                let of_rate = statement.lines.iter().filter(|line| line.tax.as_deref() == Some(tax.tax.as_str()));
                prop_assert!(tax.base.minor() <= sum(of_rate.map(|line| &line.amount).collect()).minor());
                let exact = tax.base.to_exact() * Exact::from_decimal(tax.percent) * Exact::ratio(1, 100).unwrap();
                prop_assert_eq!(Money::round(&exact, bill.currency, bill.book.rounding), tax.amount.clone());
            }
        }
        for line in lines(&bill).into_iter().filter(|line| line.exemption.is_none()) {
            let price = book.prices().iter().find(|price| price.id == line.price);
            // free units are in the quantity, not in the list cost
            let price = price.filter(|price| price.free.is_none());
            if let Some(PriceKind::PerUnit(amount)) = price.map(|price| &price.kind) {
                let factors = line.factors.iter().map(|factor| Exact::from_decimal(factor.by));
                let amount = factors.fold(Exact::from_decimal(*amount), |amount, factor| amount * factor);
                prop_assert_eq!(amount * line.quantity.clone(), line.list.clone());
            }
        }
    }

    /// 15: a record of a VM, volume or address that is lost in the middle of its life is
    /// found, with the time that it had.
    #[test]
    fn a_lost_record_is_found(scene in scene(Rules::OfTheMonth), lost in any::<Index>()) {
        let records = scene.records();
        let parsed: Vec<UsageRecord> = records.iter().map(|json| parse_usage_record(json).unwrap()).collect();
        let snapshots = scene.snapshots();
        let losable: Vec<usize> = (0..parsed.len()).filter(|place| {
            can_be_lost(&parsed, *place, scene.period) && is_seen(&snapshots, &parsed[*place])
        }).collect();
        prop_assume!(!losable.is_empty());
        let lost = losable[lost.index(losable.len())];
        let mut rest = records.clone();
        rest.remove(lost);
        let bill = rate_json(&every_gap(&scene), &rest, &snapshots, scene.period);
        prop_assert_eq!(gap(&bill), parsed[lost].quantity.amount(), "{}", records[lost]);
    }

    /// 15: where no record is lost nothing is found, however the windows lie.
    #[test]
    fn what_is_metered_is_no_gap(scene in scene(Rules::OfTheMonth)) {
        let bill = scene.rate_book(&every_gap(&scene), scene.period);
        prop_assert_eq!(gap(&bill), 0);
    }

    /// 16: two prices of one key load if, and only if, they are never valid together; the
    /// error names both.
    #[test]
    fn prices_of_one_key_load_unless_they_overlap(
        keys in prop::array::uniform2(select(PRICE_KEYS)), times in prop::array::uniform2((0_u32..400, 0_u32..60)), swapped in any::<bool>()
    ) {
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(day.into());
        let row = |index: usize| {
            let (first, length) = times[index];
            let dates = format!("from = {}\nuntil = {}\n", day(first), day(first + length));
            format!("[[price]]\nid = \"row-{index}\"\namount = 1\nper = \"month\"\n{}{dates}", keys[index])
        };
        let order = if swapped { [1, 0] } else { [0, 1] };
        let read = PriceBook::from_toml(&support::book_text("", &order.map(row).concat()));
        // civil dates, both included
        let meet = times[0].0 <= times[1].0 + times[1].1 && times[1].0 <= times[0].0 + times[0].1;
        match read {
            Ok(_) => prop_assert!(keys[0] != keys[1] || !meet),
            Err(errors) => {
                let words = errors.to_string();
                prop_assert!(keys[0] == keys[1] && meet, "{words}");
                prop_assert!(words.contains("row-0") && words.contains("row-1"), "{words}");
            }
        }
    }
}

/// Different keys of a price: meter, scope, selector.
const PRICE_KEYS: &[&str] = &[
    "meter = \"cpu\"\n",
    "meter = \"ram\"\n",
    "meter = \"cpu\"\nscope = { domain = \"ROOT/acme\" }\n",
    "meter = \"cpu\"\nscope = { project = \"web\" }\n",
    "meter = \"cpu\"\noffering = \"small\"\n",
    "meter = \"cpu\"\noffering = \"big\"\n",
];

/// A graduated price of disk operations: each tier is so long, at so many cents a unit, with
/// a fee of so many cents.
fn graduated(tiers: &[(u64, u32, u32)]) -> String {
    let cents = |cents: u32| format!("{}.{:02}", cents / 100, cents % 100);
    let mut text = "[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\naccumulate = \"account\"\ntiers = [".to_owned();
    let mut bound = 0;
    for (index, (length, amount, flat)) in tiers.iter().enumerate() {
        bound += length;
        let up_to = if index + 1 < tiers.len() {
            format!("up_to = {bound}, ")
        } else {
            String::new()
        };
        let (amount, flat) = (cents(*amount), cents(*flat));
        let _ = write!(
            text,
            "{{ {up_to}amount = \"{amount}\", flat = \"{flat}\" }}, "
        );
    }
    text + "]\n"
}

/// Taxes, credits, a deposit, a minimum and a maximum.
fn terms() -> impl Strategy<Value = String> {
    let rates = (0_u32..3_000, prop::option::of(0_u32..3_000));
    let credits = prop::collection::vec((0_u32..90_000, any::<bool>(), 0_u32..3), 0..4);
    let limits = (
        prop::option::of(0_u32..90_000),
        prop::option::of(0_u32..90_000),
    );
    (rates, credits, limits).prop_map(|((rate, reduced), credits, (least, most))| {
        let cents = |cents: u32| format!("{}.{:02}", cents / 100, cents % 100);
        let mut text = format!("[[tax]]\nid = \"vat\"\npercent = \"{}\"\n", cents(rate));
        if let Some(rate) = reduced {
            let _ = write!(text, "[[tax]]\nid = \"reduced\"\npercent = \"{}\"\nmeters = [\"disk\"]\n", cents(rate));
        }
        for (index, (amount, after_tax, priority)) in credits.into_iter().enumerate() {
            let _ = write!(
                text,
                "[[credit]]\nid = \"credit{index}\"\namount = \"{}\"\nafter_tax = {after_tax}\npriority = {priority}\nscope = {{ domain = \"ROOT/acme\" }}\n",
                cents(amount)
            );
        }
        for (section, amount) in [("minimum", least), ("maximum", most)] {
            if let Some(amount) = amount {
                let _ = write!(text, "[[{section}]]\nid = \"{section}\"\namount = \"{}\"\nper = \"domain\"\n", cents(amount));
            }
        }
        text
    })
}

fn inventory_of(scene: &Scene) -> Inventory {
    let mut lifetimes = UsageLifetimes::default();
    let mut builder = InventoryBuilder::new();
    for record in scene.records() {
        lifetimes.observe(&parse_usage_record(&record).unwrap());
    }
    for snapshot in scene.snapshots() {
        builder.observe(&snapshot);
    }
    builder.usage(lifetimes);
    builder.build()
}

/// Rates records that several threads parse, as chunks come in.
/// Type, resource, `rawusage` and window of a record.
type Window = (UsageType, ResourceId, Decimal, Period);

fn windows_of(records: &[String]) -> BTreeSet<Window> {
    let records = records.iter().map(|json| parse_usage_record(json).unwrap());
    records
        .map(|record| {
            let (usage_type, identity) = (record.usage_type, record.identity());
            (usage_type, identity, record.raw_usage, record.window)
        })
        .collect()
}

fn windows_told(line: &LineItem, run: &RecordRun) -> Vec<Window> {
    let length = (run.period.end() - run.period.start()) / i32::try_from(run.records).unwrap();
    let windows = (0..i32::try_from(run.records).unwrap()).map(|number| {
        let start = run.period.start() + length * number;
        let window = Period::new(start, start + length).unwrap();
        (run.usage_type, line.resource.clone(), run.raw_usage, window)
    });
    windows.collect()
}

fn rate_in_threads(
    book: &PriceBook,
    inventory: &Inventory,
    records: &[String],
    period: Period,
    (threads, chunk): (usize, usize),
) -> Bill {
    let (sender, parsed) = mpsc::channel::<Vec<UsageRecord>>();
    let mut rating = Rating::new(book, inventory, period).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let sender = sender.clone();
            scope.spawn(move || {
                for chunk in records.chunks(chunk).skip(thread).step_by(threads) {
                    let parsed = chunk.iter().map(|json| parse_usage_record(json).unwrap());
                    sender.send(parsed.collect()).unwrap();
                }
            });
        }
        drop(sender);
        for record in parsed.iter().flatten() {
            rating.push(&record);
        }
    });
    rating.finish()
}

/// The scene's book, which tells of the shortest gap.
fn every_gap(scene: &Scene) -> PriceBook {
    read(&format!("not_metered_from_seconds = 0\n{}", scene.text()))
}

/// The time that is not metered.
fn gap(bill: &Bill) -> i128 {
    let kinds = [FindingKind::NotMetered, FindingKind::OwnerNotMetered];
    let gaps = bill.findings.iter();
    let gaps = gaps.filter(|finding| kinds.contains(&finding.kind));
    gaps.map(|finding| finding.millis).sum()
}

/// Whether what the record says can only be missing if it is lost: it is of a VM's
/// allocated time, a volume or an address, for a whole window in the period, and the
/// resource is used before and after.
fn can_be_lost(records: &[UsageRecord], place: usize, period: Period) -> bool {
    let record = &records[place];
    let expected = matches!(
        record.usage_type,
        UsageType::AllocatedVm | UsageType::Volume | UsageType::IpAddress
    );
    let whole = record.quantity.amount() == i128::from(record.window.millis());
    let inside = period.intersect(&record.window) == Some(record.window);
    let of_resource = |other: &&UsageRecord| {
        other.usage_type == record.usage_type && other.identity() == record.identity()
    };
    let whole_in = |at: DateTime<Utc>| {
        records.iter().filter(of_resource).any(|other| {
            other.window.contains(at)
                && other.quantity.amount() == i128::from(other.window.millis())
        })
    };
    expected
        && whole
        && inside
        && whole_in(record.window.start() - TimeDelta::seconds(1))
        && whole_in(record.window.end())
}

/// Whether a tag of the scene changes between the same two syncs as `change` lies.
fn shares_a_sync(scene: &Scene, syncs: &[Snapshot], change: DateTime<Utc>) -> bool {
    // events up to a minute after a sync may be of changes that it saw
    let minute = TimeDelta::minutes(1);
    let [before, after] =
        [change - minute, change + minute].map(|at| syncs.partition_point(|sync| sync.at < at));
    let between = |at: DateTime<Utc>| {
        let place = syncs.partition_point(|sync| sync.at < at);
        (before..=after).contains(&place)
    };
    let tags = scene.cloud.tags.iter();
    tags.flat_map(|tag| [tag.life.start(), tag.life.end()])
        .any(between)
}

/// Whether a sync lists the resource, an address after the record's window: its life ends
/// with the last sync that saw it, while that of VMs and volumes lasts as long as their usage.
fn is_seen(snapshots: &[Snapshot], record: &UsageRecord) -> bool {
    let id = record.identity();
    snapshots.iter().any(|sync| match record.usage_type {
        UsageType::AllocatedVm => sync.vms.iter().any(|vm| vm.id.as_resource() == id),
        UsageType::Volume => sync
            .volumes
            .iter()
            .any(|volume| volume.id.as_resource() == id),
        _ => {
            sync.at >= record.window.end()
                && sync.ip_addresses.iter().any(|address| address.id == id)
        }
    })
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
