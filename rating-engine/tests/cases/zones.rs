//! Group J: a customer's own zone, and one that changes while the customer is there.

use chrono::{Days, Months, NaiveDate};
use cloudstack_usage::Period;
use proptest::prelude::*;
use proptest::sample::select;
use rating_engine::{Exact, PriceBook};

use crate::Case;
use crate::support::scene::ZONES;
use crate::support::{
    Cloud, at, between, book, book_text, book_with, exact, finding, findings, month,
};

const PRICES: &str = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 310\nper = \"month\"\n[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 1\nper = \"hour\"\n[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\namount = 1\n";

fn change(zone: &str, from: &str) -> String {
    format!("[[zone_change]]\ndomain = \"ROOT/acme\"\nzone = \"{zone}\"\nfrom = {from}\n")
}

/// Something that is there all the time, and requests on every day.
fn cloud() -> Cloud {
    let (start, end) = ("2026-05-01", "2026-12-01");
    let days: Vec<(String, u64)> = (0..214)
        .map(|day| (date("2026-05-01") + Days::new(day), day + 1))
        .map(|(day, amount)| (day.to_string(), amount))
        .collect();
    let days: Vec<(&str, u64)> = days
        .iter()
        .map(|(day, amount)| (day.as_str(), *amount))
        .collect();
    Cloud::new()
        .vm("m", 1, 1, start, end)
        .ip("i", start, end)
        .counted(21, "v", &days)
}

fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn months(book: &PriceBook) -> Vec<Period> {
    let names = ["2026-07", "2026-08", "2026-09", "2026-10"];
    names.iter().map(|name| month(book, name)).collect()
}

fn contiguous(periods: &[Period]) -> &'static str {
    let together = periods
        .windows(2)
        .all(|pair| pair[0].end() == pair[1].start());
    if together { "contiguous" } else { "apart" }
}

/// Statements of successive months take every hour and every request once.
fn rated_once(book: &PriceBook, periods: &[Period]) {
    let cloud = cloud();
    let bills: Vec<_> = periods
        .iter()
        .map(|period| cloud.rate(book, *period))
        .collect();
    let whole = Period::new(periods[0].start(), periods[periods.len() - 1].end()).unwrap();
    let hours: Exact = bills.iter().map(|bill| exact(bill, "ip")).sum();
    assert_eq!(
        hours,
        Exact::ratio(i128::from(whole.millis()), 3_600_000).unwrap()
    );
    let requests: Exact = bills.iter().map(|bill| exact(bill, "disk_read_ops")).sum();
    assert_eq!(requests, exact(&cloud.rate(book, whole), "disk_read_ops"));
    // and a full month costs its price, however long the change made it
    for bill in &bills {
        assert_eq!(exact(bill, "vm"), Exact::from(310));
    }
}

pub(crate) fn a_customers_zone_that_changes(case: &Case) {
    // UTC-8 has the name Etc/GMT+8; at a month's end, and in the middle of one
    for from in ["2026-09-01", "2026-08-15"] {
        let everybody = book(&(PRICES.to_owned() + &change("Etc/GMT+8", from)));
        let customer = everybody.for_customer("ROOT/acme");
        let periods = months(&customer);
        assert_eq!(contiguous(&periods), case.value(0));
        rated_once(&customer, &periods);
        // the zone of each date: August begins in UTC and ends at the midnight of UTC-8
        assert_eq!(periods[1], between("2026-08-01", "2026-09-01 08:00"));
        assert_eq!(periods[2], between("2026-09-01 08:00", "2026-10-01 08:00"));
        // which is nobody else's
        let others = everybody.for_customer("ROOT/beta");
        assert_eq!(months(&others)[1], between("2026-08-01", "2026-09-01"));
        assert_eq!(customer.zone_name_on(date("2026-09-01")), "Etc/GMT+8");
    }
    // eastwards the day before is shorter
    let east = book(&(PRICES.to_owned() + &change("Asia/Tokyo", "2026-09-01")));
    let periods = months(&east.for_customer("ROOT/acme/sub"));
    assert_eq!(periods[1], between("2026-08-01", "2026-08-31 15:00"));
    assert_eq!(contiguous(&periods), case.value(0));
    of_the_book_itself();
    there_and_back();
    days_across_the_change();
}

/// The provider moves, and its customers with it, but for one that has its own zone.
fn of_the_book_itself() {
    let rows = PRICES.to_owned()
        + "[[zone_change]]\nzone = \"Europe/Berlin\"\nfrom = 2026-09-01\n[[zone_change]]\ndomain = \"ROOT/acme\"\nzone = \"Asia/Kolkata\"\n";
    let book = book(&rows);
    let periods = months(&book);
    assert_eq!(periods[1], between("2026-08-01", "2026-08-31 22:00"));
    assert_eq!(contiguous(&periods), "contiguous");
    rated_once(&book, &periods);
    let own = months(&book.for_customer("ROOT/acme"));
    assert_eq!(own[1], between("2026-07-31 18:30", "2026-08-31 18:30"));
    // dates of the book's rows are those of its zone at their time
    let text =
        rows + "[[discount]]\nid = \"d\"\npercent = 1\nfrom = 2026-08-01\nuntil = 2026-09-30\n";
    let book = PriceBook::from_toml(&book_text("", &text)).unwrap();
    assert_eq!(
        book.discounts()[0].validity,
        between("2026-08-01", "2026-09-30 22:00")
    );
}

fn there_and_back() {
    let rows =
        PRICES.to_owned() + &change("UTC", "2026-09-01") + &change("Pacific/Apia", "2026-08-01");
    let book = book(&rows).for_customer("ROOT/acme");
    let periods = months(&book);
    assert_eq!(contiguous(&periods), "contiguous");
    assert_eq!(periods[1], between("2026-07-31 11:00", "2026-09-01"));
    rated_once(&book, &periods);
}

/// A price by the day counts each civil day once, the long one too.
fn days_across_the_change() {
    let rows = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 1\nper = \"day\"\n".to_owned()
        + &change("Etc/GMT+8", "2026-08-15");
    let book = book_with("proration = \"started-day\"", &rows).for_customer("ROOT/acme");
    let bill = Cloud::new()
        .ip("i", "2026-05-01", "2026-12-01")
        .rate(&book, month(&book, "2026-08"));
    // 31 days and eight hours of time, 31 dates
    assert_eq!(bill.period.millis(), (31 * 24 + 8) * 3_600_000);
    assert_eq!(exact(&bill, "ip"), Exact::from(31));
}

#[test]
fn a_zone_change_that_cannot_be_is_refused() {
    let refused = |rows: &str| {
        let errors = PriceBook::from_toml(&book_text("", rows)).unwrap_err();
        let errors: Vec<String> = errors
            .errors()
            .iter()
            .map(|error| format!("{} {}", error.slug(), error.place()))
            .collect();
        errors.join(", ")
    };
    assert_eq!(
        refused("[[zone_change]]\nzone = \"Asia/Tokyo\"\n"),
        "missing zone_change[1].from"
    );
    assert_eq!(
        refused(&change("Europe/Bonn", "2026-08-01")),
        "unknown_zone zone_change[1].zone"
    );
    let twice = change("Asia/Tokyo", "2026-08-01") + &change("UTC", "2026-08-01");
    assert_eq!(refused(&twice), "conflict zone_change[2].from");
    // from the last zone of the world to the first: the day would begin before its eve
    let back = change("Etc/GMT+12", "2026-07-01") + &change("Pacific/Kiritimati", "2026-08-01");
    assert_eq!(refused(&back), "conflict zone_change[2].from");
    assert_eq!(
        refused("[[zone_change]]\nzone = \"UTC\"\nfrom = \"soon\"\n"),
        "not_a_date zone_change[1].from"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever zones follow each other: days and months tile the time.
    #[test]
    fn periods_tile_the_time(zones in prop::collection::vec((select(ZONES), 1_u64..40), 1..4), first in select(ZONES)) {
        let mut from = date("2026-02-10");
        let mut rows = String::new();
        for (zone, days) in &zones {
            rows += &change(zone, &from.to_string());
            from = from + Days::new(*days);
        }
        let text = book_text(&format!("zone = \"{first}\""), &rows);
        // from the end of the date line to its beginning is refused, and tested above
        let Ok(book) = PriceBook::from_toml(&text) else { return Ok(()) };
        let book = book.for_customer("ROOT/acme");
        let mut before = at("2025-12-01");
        for offset in 0..200 {
            let day = date("2026-01-01") + Days::new(offset);
            let period = book.civil_period(day, day).unwrap();
            prop_assert!(offset == 0 || period.start() == before, "{day} in {text}");
            before = period.end();
        }
        let mut end = None;
        for offset in 0..8 {
            let first = date("2026-01-01") + Months::new(offset);
            let last = first + Months::new(1) - Days::new(1);
            let period = book.civil_period(first, last).unwrap();
            prop_assert!(end.is_none_or(|end| end == period.start()));
            end = Some(period.end());
        }
    }
}

#[test]
fn a_run_of_everybody_says_whose_days_are_others() {
    let rows = format!("{PRICES}{}", change("Asia/Tokyo", "2020-01-01"));
    let everybody = book_with("zone = \"Europe/Berlin\"", &rows);
    let bill = cloud().rate(&everybody, month(&everybody, "2026-09"));
    let found = finding(&bill, "other_zone");
    assert_eq!(found.owner.as_deref(), Some("ROOT/acme"));
    assert!(
        found.message.contains("Asia/Tokyo") && found.message.contains("Europe/Berlin"),
        "{}",
        found.message
    );
    // as that customer's there is nothing to say
    let own = everybody.for_customer("ROOT/acme");
    let bill = cloud().rate(&own, month(&own, "2026-09"));
    assert!(!findings(&bill).contains(&"other_zone"));
    // nor where the zones are the same
    let same = format!("{PRICES}{}", change("Europe/Berlin", "2020-01-01"));
    let same = book_with("zone = \"Europe/Berlin\"", &same);
    let bill = cloud().rate(&same, month(&same, "2026-09"));
    assert!(!findings(&bill).contains(&"other_zone"));
}
