//! A minimum that a customer committed to is owed whether he used anything or not.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use support::cloud::{days, span_of};
use support::{Cloud, book, line, lines, month, rate_json};

/// What a customer without any use owes in September: domains `ROOT/acme` and `ROOT/beta`,
/// and the project `web` of the first.
fn owed(per: &str, scope: &str) -> Vec<String> {
    let book = book(&format!(
        "[[minimum]]\nid = \"base\"\namount = \"50.00\"\nper = \"{per}\"\n{scope}\n"
    ));
    let september = month(&book, "2026-09");
    let cloud =
        Cloud::new()
            .domain("beta", "ROOT/beta", "ROOT")
            .domain("sub", "ROOT/acme/sub", "acme");
    let snapshots = cloud.snapshots(span_of(&days(september)));
    let bill = rate_json(&book, &[], &snapshots, september);
    let owed = lines(&bill).into_iter().map(|line| {
        assert_eq!(line.item.kind(), "minimum");
        format!("{} {}", line.domain_path, line.amount.amount())
    });
    owed.collect()
}

#[test]
fn a_commitment_is_owed_without_use() {
    let domain = |path: &str| format!("scope = {{ domain = \"{path}\" }}");
    assert_eq!(owed("domain", &domain("ROOT/acme")), ["ROOT/acme 50.00"]);
    assert_eq!(
        owed("domain", &domain("ROOT/acme/sub")),
        ["ROOT/acme/sub 50.00"]
    );
    assert_eq!(owed("account", &domain("ROOT/beta")), ["ROOT/beta 50.00"]);
    assert_eq!(
        owed("project", "scope = { project = \"web\" }"),
        ["ROOT/acme 50.00"]
    );
}

#[test]
fn what_nobody_committed_to_is_not_owed_without_use() {
    let none: [&str; 0] = [];
    // of everybody, of each project of a domain, of the account that a sub-domain is not
    assert_eq!(owed("domain", ""), none);
    assert_eq!(owed("project", "scope = { domain = \"ROOT/acme\" }"), none);
    assert_eq!(
        owed("account", "scope = { domain = \"ROOT/acme/sub\" }"),
        none
    );
    assert_eq!(owed("resource", "scope = { domain = \"ROOT/acme\" }"), none);
}

#[test]
fn use_counts_towards_a_commitment() {
    let book = book(
        "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\n\
        [[minimum]]\nid = \"base\"\namount = \"50.00\"\nper = \"domain\"\nscope = { domain = \"ROOT/acme\" }\n",
    );
    let cloud = Cloud::new().ip("a", "2026-08-01", "2026-11-01");
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    assert_eq!(line(&bill, "base").amount.amount(), "20.00");
    assert_eq!(bill.total.amount(), "50.00");
}
