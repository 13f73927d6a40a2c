//! What changed between two books.

use proptest::prelude::*;
use rating_engine::{BookDiff, PriceBook, diff};

use crate::usage::{book, domains, october};

fn changes(old: &str, new: &str) -> Vec<String> {
    lines(&compare(&book(old), &book(new)))
}

fn compare(old: &PriceBook, new: &PriceBook) -> BookDiff {
    diff(old, new, &domains(&["nordwind", "acme"])).unwrap()
}

fn lines(diff: &BookDiff) -> Vec<String> {
    diff.to_string().lines().map(str::to_owned).collect()
}

const CPU: &str = "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"10\"\nper = \"month\"\n";

fn nordwind(id: &str, amount: &str, validity: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"cpu\"\namount = \"{amount}\"\nper = \"month\"\nscope = {{ domain = \"ROOT/nordwind\" }}\n{validity}\n"
    )
}

#[test]
fn a_price_that_changes_says_for_whom_since_when_and_how_much() {
    let old = nordwind("n", "6.2", "");
    let new =
        nordwind("a", "6.2", "until = 2026-10-31") + &nordwind("b", "6.5", "from = 2026-11-01");
    assert_eq!(
        changes(&old, &new),
        ["CPU for domain ROOT/nordwind from 2026-11-01: 6.20 -> 6.50 EUR per vCPU and month"]
    );
}

#[test]
fn other_names_splits_and_orders_are_no_difference() {
    let old = format!("{CPU}{}", nordwind("n", "6.2", ""));
    // split in two, one scope by name instead of path, the other way round
    let new = nordwind("second", "6.20", "from = 2026-07-01").replace("ROOT/nordwind", "nordwind")
        + &CPU.replace("id = \"cpu\"", "id = \"vcpu\"")
        + &nordwind("first", "6.2", "until = 2026-06-30");
    let diff = compare(&book(&old), &book(&new));
    assert!(diff.is_empty(), "{diff}");
    assert_ne!(diff.digests.0, diff.digests.1);
}

#[test]
fn who_loses_a_price_of_their_own_pays_what_everybody_pays() {
    let old = format!("{CPU}{}", nordwind("n", "6.2", ""));
    let ended = format!("{CPU}{}", nordwind("n", "6.2", "until = 2026-12-31"));
    assert_eq!(
        changes(&old, &ended),
        [
            "CPU for domain ROOT/nordwind from 2027-01-01: 6.20 EUR per vCPU and month, without discounts -> 10.00 EUR per vCPU and month, discounts apply (as for everybody)"
        ]
    );
    assert_eq!(
        changes(CPU, ""),
        ["CPU: 10.00 EUR per vCPU and month -> nothing"]
    );
}

#[test]
fn a_price_for_everybody_names_whom_it_does_not_touch() {
    let old = format!("{CPU}{}", nordwind("n", "6.2", ""));
    let new = old.replace("\"10\"", "\"11\"");
    assert_eq!(
        changes(&old, &new),
        ["CPU: 10.00 -> 11.00 EUR per vCPU and month; not for domain ROOT/nordwind"]
    );
}

#[test]
fn packages_discounts_exemptions_and_settings_are_compared_by_what_they_do() {
    let services = "[[service]]\nid = \"Backup\"\namount = \"4\"\nper = \"month\"\n";
    let old = format!(
        "{services}[[package]]\nid = \"Gold\"\nservices = [\"Backup\"]\n[[discount]]\nid = \"d\"\npercent = 10\nscope = {{ domain = \"acme\" }}\nuntil = 2026-12-31\n"
    );
    let new = format!(
        "month = \"h730\"\n{services}[[package]]\nid = \"Gold\"\nservice_periods = [{{ service = \"Backup\", until = 2026-10-31 }}]\n\
         [[discount]]\nid = \"e\"\npercent = 10\nscope = {{ domain = \"ROOT/acme\" }}\nuntil = 2026-11-30\n\
         [[exemption]]\nid = \"cpu\"\ntag = \"Billing=noCPU\"\nmeters = [\"cpu\"]\n[[exemption]]\nid = \"ram\"\ntag = \"Billing=noRAM\"\nmeters = [\"ram\"]\n"
    );
    assert_eq!(
        changes(&old, &new),
        [
            "month: Calendar -> H730",
            "Service Backup in package Gold from 2026-11-01: included -> not included",
            "Tag Billing=noDisk: no charge for Disk -> nothing",
            "Discount on everything for domain ROOT/acme from 2026-12-01 until 2026-12-31: 10 % -> nothing",
        ]
    );
}

#[test]
fn a_difference_has_its_bounds_in_json() {
    let old = nordwind("n", "6.2", "");
    let new =
        nordwind("a", "6.2", "until = 2026-10-31") + &nordwind("b", "6.5", "from = 2026-11-01");
    let json = compare(&book(&old), &book(&new)).to_json();
    let change = &json["changes"][0];
    assert_eq!(change["kind"], "price");
    assert_eq!(change["period"]["start"], "2026-11-01T00:00:00Z");
    assert_eq!(change["scope"], "domain ROOT/nordwind");
    assert_eq!(change["new"], "6.50 EUR per vCPU and month");
}

#[test]
fn an_ambiguous_name_is_refused() {
    let mut inventory = domains(&["nordwind", "acme"]);
    for entry in inventory.domains.values_mut() {
        entry.name = cloudstack_usage::History::constant("same".to_owned());
    }
    let old = book(&nordwind("n", "6.2", "").replace("ROOT/nordwind", "same"));
    assert_eq!(
        diff(&old, &old, &inventory).unwrap_err().slug(),
        "ambiguous_scope"
    );
}

/// The prices of one scope: the day of October from which each holds, and how much; none
/// where there is none.
type Course = Vec<(i64, Option<u32>)>;

fn course() -> impl Strategy<Value = Course> {
    let one = (1_i64..32, prop::option::of(1_u32..4));
    prop::collection::vec(one, 0..4).prop_map(|mut steps| {
        steps.sort();
        steps.dedup_by_key(|step| step.0);
        steps
    })
}

fn on(course: &Course, day: i64) -> Option<u32> {
    let step = course.iter().rev().find(|(from, _)| *from <= day);
    step.and_then(|(_, amount)| *amount)
}

/// Rows of a course, cut once more at `cut`, which changes nothing.
fn rows(course: &Course, scope: &str, prefix: &str, cut: i64) -> String {
    let mut days: Vec<i64> = course.iter().map(|(from, _)| *from).chain([cut]).collect();
    days.sort_unstable();
    days.dedup();
    days.push(32);
    days.windows(2)
        .filter_map(|pair| {
            let (from, amount) = (pair[0], on(course, pair[0])?);
            let until = pair[1] - 1;
            Some(format!(
                "[[price]]\nid = \"{prefix}{from}\"\nmeter = \"cpu\"\namount = \"{amount}\"\nper = \"month\"\n\
                 from = 2026-10-{from:02}\nuntil = 2026-10-{until:02}\n{scope}\n"
            ))
        })
        .collect()
}

fn both(everybody: &Course, own: &Course, prefix: &str, cut: i64) -> PriceBook {
    let scope = "scope = { domain = \"nordwind\" }\nnet = false";
    let text = rows(everybody, "", &format!("{prefix}-all-"), cut)
        + &rows(own, scope, &format!("{prefix}-own-"), cut);
    book(&text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// On every day: a customer pays something else exactly where a difference says so.
    #[test]
    fn a_difference_holds_on_just_the_days_it_names(
        old_all in course(), old_own in course(), new_all in course(), new_own in course(),
        cuts in (1_i64..32, 1_i64..32),
    ) {
        let old = both(&old_all, &old_own, "old", cuts.0);
        let new = both(&new_all, &new_own, "new", cuts.1);
        let entries = compare(&old, &new).entries;
        for day in 1..32 {
            let at = october(day, 12);
            let touches = |own: bool| entries.iter().any(|entry| {
                entry.scope.is_some() == own && entry.period.unwrap().contains(at)
            });
            prop_assert_eq!(touches(false), on(&old_all, day) != on(&new_all, day));
            let (was_own, is_own) = (on(&old_own, day), on(&new_own, day));
            let was = was_own.or(on(&old_all, day));
            let is = is_own.or(on(&new_all, day));
            let named = if was_own.is_none() && is_own.is_none() { touches(false) } else { touches(true) };
            prop_assert_eq!(named, was != is, "day {}", day);
        }
        // cut elsewhere and called otherwise, a book is the same
        prop_assert!(compare(&old, &both(&old_all, &old_own, "else", cuts.1)).is_empty());
    }
}
