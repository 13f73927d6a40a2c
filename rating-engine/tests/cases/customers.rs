//! Group E: which price is taken.

use rating_engine::{Exact, PriceBook, PriceKind};

use crate::Case;
use crate::support::{Cloud, at, between, book, book_text, exact, line, lines, month};
use cloudstack_usage::{Offering, Period};

fn price(id: &str, meter: &str, amount: &str, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"{meter}\"\namount = \"{amount}\"\nper = \"month\"\n{more}\n"
    )
}

fn offering(id: &str, storage_tags: &str) -> Offering {
    Offering {
        id: id.into(),
        name: format!("offering {id}"),
        cpu_count: None,
        memory_mib: None,
        storage_tags: Some(storage_tags.to_owned()),
    }
}

pub(crate) fn a_storage_tag_has_its_price(case: &Case) {
    let book = book(
        &(price("gold", "disk", "0.03", "storage_tag = \"SSD_gold\"")
            + &price("disk", "disk", "0.01", "")),
    );
    let mut cloud = Cloud::new()
        .volume("v", 10 << 30, None, "2026-08-01", "2026-11-01")
        .with_volume(|disk| disk.offering = Some("o".to_owned()));
    cloud.disk_offerings.push(offering("o", "fast, SSD_gold"));
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    case.expect(&[line(&bill, "disk").amount.amount()]);
}

/// The API writes an id as a number or as text; both are the book's text.
pub(crate) fn numbers_and_texts_match(case: &Case) {
    assert_eq!(case.value(0), "match");
    let book =
        book(&(price("one", "disk", "1", "offering = \"1\"") + &price("disk", "disk", "5", "")));
    let cloud = Cloud::new()
        .volume("v", 1 << 30, None, "2026-08-01", "2026-11-01")
        .with_volume(|disk| disk.offering = Some("1".to_owned()));
    let period = month(&book, "2026-09");
    let texts = cloud.records(&[period]);
    let numbers: Vec<String> = texts
        .iter()
        .map(|json| json.replace("\"offeringid\":\"1\"", "\"offeringid\":1"))
        .collect();
    assert_ne!(texts, numbers);
    for records in [texts, numbers] {
        let bill = crate::support::rate_json(&book, &records, &[], period);
        assert_eq!(line(&bill, "disk").price, "one");
    }
}

pub(crate) fn a_customers_own_price(case: &Case) {
    let rows = price("all", "vm", "175", "")
        + &price("x", "vm", "150", "scope = { domain = \"ROOT/acme\" }");
    let book = book(&rows);
    let cloud = Cloud::new()
        .domain("other", "ROOT/other", "ROOT")
        .project("shop", "other")
        .vm("a", 1, 1, "2026-08-01", "2026-11-01")
        .vm_of("b", "project:shop", 1, 1, "2026-08-01", "2026-11-01");
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let found: Vec<String> = bill
        .statements
        .iter()
        .map(|statement| statement.total.amount())
        .collect();
    case.expect(&found);
}

pub(crate) fn a_record_across_a_price_change(case: &Case) {
    let hourly =
        |id: &str, amount: &str, more: &str| price(id, "vm", amount, more).replace("month", "hour");
    let rows = hourly("old", "10", "until = \"2026-09-09T10:30:00\"")
        + &hourly("new", "20", "from = \"2026-09-09T10:30:00\"");
    let book = book(&rows);
    let window = Period::new(at("2026-09-09 10:00"), at("2026-09-09 11:00")).unwrap();
    let cloud = Cloud::new().vm("m", 1, 1, "2026-09-01", "2026-10-01");
    let bill = cloud.rate_windows(&book, month(&book, "2026-09"), &[window]);
    assert_eq!(
        lines(&bill)
            .iter()
            .filter(|line| line.item.name() == "vm")
            .count(),
        2
    );
    case.expect(&[bill.total.amount()]);
}

fn slugs(rows: &str) -> Vec<(String, String)> {
    let errors = PriceBook::from_toml(&book_text("", rows)).unwrap_err();
    errors
        .errors()
        .iter()
        .map(|error| (error.slug().to_owned(), error.message().to_owned()))
        .collect()
}

pub(crate) fn inclusive_ends_that_overlap(case: &Case) {
    let rows = price("a", "vm", "1", "until = \"2019-11-01\"")
        + &price(
            "b",
            "vm",
            "2",
            "from = \"2019-11-01\"\nuntil = \"2019-11-02\"",
        );
    let found = slugs(&rows);
    assert_eq!((found.len(), case.value(0)), (1, "error"));
    assert_eq!(found[0].0, "price_overlap");
    // one day later they meet without an overlap
    book(&rows.replace("from = \"2019-11-01\"", "from = \"2019-11-02\""));
}

pub(crate) fn two_equal_rules_are_refused(case: &Case) {
    let rows = price("first", "vm", "1", "scope = { project = \"web\" }")
        + &price("second", "vm", "2", "scope = { project = \"web\" }");
    let found = slugs(&rows);
    assert_eq!((found.len(), case.value(0)), (1, "error"));
    assert!(
        found[0].1.contains("\"first\"") && found[0].1.contains("\"second\""),
        "{}",
        found[0].1
    );
}

pub(crate) fn unit_price_times_quantity_is_the_cost(case: &Case) {
    assert_eq!(case.value(0), "equal");
    let rows = price("cpu", "cpu", "10.07", "")
        + &price("ram", "ram", "3.33", "")
        + &price("disk", "disk", "0.013", "")
        + "[[price]]\nid = \"out\"\nmeter = \"traffic_sent\"\namount = \"0.019\"\n"
        + "[[discount]]\nid = \"d\"\npercent = \"12.5\"\n";
    let book = book(&rows);
    let cloud = Cloud::new()
        .vm("m", 3, 7, "2026-09-04 03:21", "2026-09-21 17:00")
        .volume(
            "v",
            12_345_678_901,
            None,
            "2026-09-04 03:21",
            "2026-09-21 17:00",
        )
        .counted(4, "n", &[("2026-09-09", 987_654_321)]);
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    assert_eq!(lines(&bill).len(), 4);
    for line in lines(&bill) {
        let price = book
            .prices()
            .iter()
            .find(|price| price.id == line.price)
            .unwrap();
        let PriceKind::PerUnit(amount) = &price.kind else {
            panic!("a price per unit")
        };
        let unit_price = Exact::from_decimal(*amount);
        assert_eq!(line.quantity.clone() * unit_price.clone(), line.list);
        let contracted = unit_price * Exact::ratio(875, 1000).unwrap();
        assert_eq!(line.quantity.clone() * contracted, line.net);
    }
    // and so over a period that is no month
    let part = cloud.rate(&book, between("2026-09-10", "2026-09-12"));
    assert_eq!(
        exact(&part, "cpu"),
        Exact::ratio(3 * 1007 * 875 * 2, 100 * 1000 * 30).unwrap()
    );
}
