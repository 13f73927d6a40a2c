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

/// A price of everybody, with more fields.
fn price(id: &str, meter: &str, amount: u32, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"{meter}\"\namount = {amount}\nper = \"month\"\n{more}\n"
    )
}

#[test]
fn a_time_that_another_price_cuts_stays_one_and_one_with_another_price_does_not() {
    let old = price("old", "cpu", 10, "");
    // what is the same on both sides of a bound is said once
    let split =
        price("a", "cpu", 12, "until = 2026-06-30") + &price("b", "cpu", 12, "from = 2026-07-01");
    assert_eq!(
        changes(&old, &split),
        ["CPU: 10.00 -> 12.00 EUR per vCPU and month"]
    );
    assert!(!compare(&book(&old), &book(&split)).is_empty());
    // other prices beside each other are two differences, and so is one price in two times
    let steps = price("a", "cpu", 12, "until = 2026-06-30")
        + &price("b", "cpu", 13, "from = 2026-07-01\nuntil = 2026-07-31")
        + &price("c", "cpu", 10, "from = 2026-08-01\nuntil = 2026-08-31")
        + &price("d", "cpu", 13, "from = 2026-09-01");
    assert_eq!(
        changes(&old, &steps),
        [
            "CPU until 2026-06-30: 10.00 -> 12.00 EUR per vCPU and month",
            "CPU from 2026-07-01 until 2026-07-31: 10.00 -> 13.00 EUR per vCPU and month",
            "CPU from 2026-09-01: 10.00 -> 13.00 EUR per vCPU and month",
        ]
    );
}

#[test]
fn prices_of_running_and_of_allocated_time_are_compared_each_with_its_own() {
    let vm = |running: u32, allocated: u32| {
        price("r", "vm", running, "basis = \"running\"")
            + &price("a", "vm", allocated, "basis = \"allocated\"")
    };
    assert_eq!(
        changes(&vm(10, 5), &vm(11, 5)),
        ["Virtual machine (running time): 10.00 -> 11.00 EUR per month"]
    );
    assert_eq!(
        changes(&vm(10, 5), &vm(10, 6)),
        ["Virtual machine (allocated time): 5.00 -> 6.00 EUR per month"]
    );
}

#[test]
fn a_price_for_some_is_compared_with_its_own_else_with_the_one_for_all() {
    let small = price("a", "cpu", 3, "offering = \"S\"");
    let large = |amount: u32| price("l", "cpu", amount, "offering = \"L\"");
    let all = price("z", "cpu", 10, "");
    assert_eq!(
        changes(
            &(small.clone() + &large(7) + &all),
            &(small.clone() + &large(8) + &all)
        ),
        ["CPU (offering L): 7.00 -> 8.00 EUR per vCPU and month"]
    );
    // where it is gone, the price of all counts, and no other selector's
    assert_eq!(
        changes(&(small.clone() + &large(7) + &all), &(small + &all)),
        [
            "CPU (offering L): 7.00 EUR per vCPU and month -> 10.00 EUR per vCPU and month (as for everybody)"
        ]
    );
    // nor that of running time
    let running = price("a", "vm", 3, "basis = \"running\"");
    let all = price("z", "vm", 10, "");
    let named = price("n", "vm", 7, "name = \"n\"");
    assert_eq!(
        changes(&(running.clone() + &named + &all), &(running + &all)),
        ["Virtual machine (name n): 7.00 EUR per month -> 10.00 EUR per month (as for everybody)"]
    );
}

#[test]
fn sizes_are_told_in_the_largest_unit_that_is_whole() {
    let from = |meter: &str, at_least: &str| {
        let price = |amount| price("p", meter, amount, &format!("at_least = {{ {at_least} }}"));
        let told = changes(&price(1), &price(2));
        let (_, rest) = told[0].split_once(" (at least ").unwrap();
        rest.split_once(')').unwrap().0.to_owned()
    };
    assert_eq!(
        from("vm", "cpus = 4, ram = \"64 GiB\""),
        "4 vCPU and 64 GiB RAM"
    );
    assert_eq!(from("vm", "ram = \"1536 MiB\""), "1536 MiB RAM");
    assert_eq!(from("disk", "size = \"200 GiB\""), "200 GiB");
    assert_eq!(from("disk", "size = \"0.5 GiB\""), "536870912 B");
}

#[test]
fn services_and_packages_go_by_their_labels_and_tags() {
    let rows = |backup: u32, gold: u32, tag: &str| {
        format!(
            "[[service]]\nid = \"Watch\"\nlabel = \"Watching\"\namount = 1\nper = \"month\"\n\
             [[service]]\nid = \"Backup\"\nlabel = \"Backups\"\namount = {backup}\nper = \"month\"\n{tag}\n\
             [[package]]\nid = \"Silver\"\nlabel = \"Silver plan\"\nservices = []\namount = 1\nper = \"month\"\n\
             [[package]]\nid = \"Gold\"\nlabel = \"Golden plan\"\nservices = []\namount = {gold}\nper = \"month\"\n"
        )
    };
    assert_eq!(
        changes(&rows(4, 9, ""), &rows(5, 8, "")),
        [
            "Backups: 4.00 -> 5.00 EUR per month",
            "Golden plan: 9.00 -> 8.00 EUR per month",
        ]
    );
    assert_eq!(
        changes(&rows(4, 9, ""), &rows(4, 9, "tag = \"Save=daily\"")),
        ["Service Backup: by tag Service=Backup -> by tag Save=daily"]
    );
    let without_gold = rows(4, 9, "");
    let without_gold = without_gold
        .split("[[package]]\nid = \"Gold\"")
        .next()
        .unwrap();
    assert_eq!(
        changes(&rows(4, 9, ""), without_gold),
        [
            "Golden plan: 9.00 EUR per month -> nothing",
            "Package Gold: by tag Package=Gold, includes nothing -> nothing",
        ]
    );
}

#[test]
fn discounts_are_compared_for_whom_and_on_what_they_are() {
    let discount = |id: &str, percent: u32, more: &str| {
        format!("[[discount]]\nid = \"{id}\"\npercent = {percent}\n{more}\n")
    };
    let rows = |acme: u32, cpu: u32| {
        discount("a", acme, "scope = { domain = \"acme\" }")
            + &discount("n", 20, "scope = { domain = \"nordwind\" }")
            + &discount(
                "c",
                cpu,
                "scope = { domain = \"acme\" }\nmeters = [\"cpu\"]",
            )
    };
    assert_eq!(
        changes(&rows(10, 30), &rows(15, 30)),
        ["Discount on everything for domain ROOT/acme: 10 -> 15 %"]
    );
    assert_eq!(
        changes(&rows(10, 30), &rows(10, 31)),
        ["Discount on CPU for domain ROOT/acme: 30 -> 31 %"]
    );
}

/// A factor on CPU.
fn factor(id: &str, times: u32, more: &str) -> String {
    format!("[[factor]]\nid = \"{id}\"\nfactor = {times}\nmeters = [\"cpu\"]\n{more}\n")
}

#[test]
fn factors_are_compared_by_what_they_do_in_their_group() {
    // whatever it is called
    assert_eq!(
        changes(&factor("summer", 2, ""), &factor("winter", 3, "")),
        ["Factor on CPU: × 2 -> × 3"]
    );
    assert_eq!(
        changes(&factor("summer", 2, ""), &factor("winter", 2, "")),
        [] as [&str; 0]
    );
    // two groups that multiply both
    let two =
        |second: u32| factor("a", 2, "group = \"age\"") + &factor("b", second, "group = \"place\"");
    assert_eq!(changes(&two(3), &two(4)), ["Factor on CPU: × 3 -> × 4"]);
    // for one customer, for a time, on prices of their own or not
    let own = |more: &str| {
        let scope = "scope = { domain = \"acme\" }";
        factor("a", 2, "") + &factor("own", 5, &format!("{scope}\n{more}"))
    };
    assert_eq!(
        changes(&own(""), &own("until = 2026-10-31")),
        ["Factor on CPU for domain ROOT/acme from 2026-11-01: × 5 -> nothing"]
    );
    assert_eq!(
        changes(&own(""), &own("net_prices = false")),
        ["Factor on CPU for domain ROOT/acme: × 5 -> × 5, not on hard-linked prices"]
    );
    assert_eq!(
        changes(&own(""), &own("net_prices = true")),
        [] as [&str; 0]
    );
    assert_eq!(
        changes(&factor("a", 2, ""), &factor("a", 2, "net_prices = true")),
        ["Factor on CPU: × 2 -> × 2, on hard-linked prices too"]
    );
    assert_eq!(
        changes(&factor("a", 2, ""), &factor("a", 2, "net_prices = false")),
        [] as [&str; 0]
    );
}

#[test]
fn another_zone_from_a_date_on_is_a_setting() {
    let change = "[[zone_change]]\nfrom = 2026-11-01\nzone = \"Europe/Paris\"\n";
    assert_eq!(
        changes("", change),
        ["zone: UTC -> UTC, Europe/Paris from 2026-11-01"]
    );
    let own = change.replace("from", "domain = \"acme\"\nfrom");
    assert_eq!(
        changes("", &own),
        ["zone_change: nothing -> acme: UTC, Europe/Paris from 2026-11-01"]
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
