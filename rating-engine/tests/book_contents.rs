//! A book gives back what was written into it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::{LimitKind, Policy, TagMatch, TagMoments};

use support::{at, between, book, book_with};

#[test]
fn every_part_of_a_book_can_be_read() {
    let book = book_with(
        "name = \"All of it\"\ntag_moments = \"seen\"\n",
        "[findings]\nover_window = \"hold\"\n\
         [[zone_change]]\nfrom = 2026-01-01\nzone = \"Europe/Paris\"\ndomain = \"ROOT/acme\"\n\
         [[factor]]\nid = \"f\"\nfactor = 2\n\
         [[maximum]]\nid = \"most\"\namount = 9\nper = \"domain\"\nscope = { domain = \"acme\" }\n\
         [[minimum]]\nid = \"least\"\namount = 1\nper = \"domain\"\nscope = { domain = \"acme\" }\n\
         [[credit]]\nid = \"c\"\namount = 5\nscope = { domain = \"acme\" }\n\
         [[tax]]\nid = \"t\"\npercent = 19\n",
    );
    assert_eq!(book.name(), "All of it");
    assert_eq!(
        book.customers_with_zones().collect::<Vec<_>>(),
        ["ROOT/acme"]
    );
    assert_eq!(book.tag_moments(), TagMoments::Seen);
    assert_eq!(book.finding_policies().over_window, Policy::Hold);
    assert_eq!(book.factors()[0].id, "f");
    let limits = book.limits().iter();
    let limits: Vec<_> = limits
        .map(|limit| (limit.id.as_str(), limit.kind))
        .collect();
    assert_eq!(
        limits,
        [("least", LimitKind::Minimum), ("most", LimitKind::Maximum)]
    );
    assert_eq!(book.credits()[0].id, "c");
    assert_eq!(book.taxes()[0].id, "t");
}

#[test]
fn a_book_that_says_nothing_has_nothing() {
    let book = book("");
    assert!(book.factors().is_empty() && book.limits().is_empty());
    assert!(book.credits().is_empty() && book.taxes().is_empty());
    assert_eq!(book.customers_with_zones().count(), 0);
    assert_ne!(book.tag_moments(), TagMoments::Seen);
    assert_eq!(book.finding_policies().over_window, Policy::Clip);
}

#[test]
fn a_tag_is_read_as_a_value_a_list_of_values_or_a_key_with_its_value() {
    let billing = TagMatch::parse("Billing=noCPU").unwrap();
    assert!(billing.matches("Billing", "noCPU"));
    assert!(billing.matches("Billing", "noRAM,noCPU"));
    assert!(billing.matches("Billing:noCPU", ""));
    assert!(!billing.matches("Billing", "noRAM"));
    assert!(!billing.matches("Other", "noCPU"));
    assert!(!billing.matches("Billing:noRAM", "noCPU"));
    // the key alone is any value
    let any = TagMatch::parse("Billing").unwrap();
    assert!(any.matches("Billing", "x") && !any.matches("Other", "x"));

    // a selector takes the value whole
    assert!(billing.is("Billing", "noCPU"));
    assert!(!billing.is("Billing", "noRAM,noCPU"));
    assert!(!billing.is("Billing", "noRAM"));
    assert!(!billing.is("Other", "noCPU"));
    assert!(any.is("Billing", "x") && !any.is("Other", "x"));

    // which keys can matter
    assert!(billing.reads("Billing") && billing.reads("Billing:noCPU"));
    assert!(!billing.reads("Billing:noRAM") && !billing.reads("Other"));
    assert!(any.reads("Billing") && !any.reads("Billing:noCPU"));
}

#[test]
fn dates_and_months_are_those_of_the_books_zone() {
    let book = book_with("zone = \"Europe/Berlin\"", "");
    let date = |text: &str| text.parse().unwrap();
    // half past midnight in Berlin's winter
    assert_eq!(book.civil_date(at("2026-10-31 23:30")), date("2026-11-01"));
    let period = book.civil_period(date("2026-10-20"), date("2026-12-10"));
    let months = book.civil_months(period.unwrap());
    let expected = [
        between("2026-10-19 22:00", "2026-10-31 23:00"),
        between("2026-10-31 23:00", "2026-11-30 23:00"),
        between("2026-11-30 23:00", "2026-12-10 23:00"),
    ];
    assert_eq!(months, expected);
}
