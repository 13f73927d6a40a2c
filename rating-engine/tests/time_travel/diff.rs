//! What changed between two books.

use rating_engine::{BookDiff, PriceBook, diff};

use crate::usage::{book, domains};

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
            "CPU for domain ROOT/nordwind from 2027-01-01: 6.20 EUR per vCPU and month -> 10.00 EUR per vCPU and month (as for everybody)"
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
