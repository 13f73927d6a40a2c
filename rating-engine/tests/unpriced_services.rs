//! A service that a tag gives and no price of the customer pays for is never free in silence.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::Bill;

use support::cloud::{GIB, days};
use support::{Cloud, book, month};

/// A month of a VM with a volume, tagged with the service.
fn tagged(rows: &str) -> Bill {
    let prices = "
[[price]]
id = \"cpu\"
meter = \"cpu\"
amount = 5
per = \"month\"
[[price]]
id = \"ram\"
meter = \"ram\"
amount = 2
per = \"month\"
[[price]]
id = \"disk\"
meter = \"disk\"
amount = 1
per = \"month\"
";
    let book = book(&format!("{prices}{rows}"));
    let september = month(&book, "2026-09");
    let cloud = Cloud::new()
        .domain("other", "ROOT/other", "ROOT")
        .vm("m", 2, 4, "2026-08-01", "2026-11-01")
        .volume("v", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .tag("m", "Service", "Backup", "2026-08-01", "2026-11-01");
    cloud.rate_windows(&book, september, &days(september))
}

/// Hours of the service that are on no bill, and its lines.
fn outcome(rows: &str) -> (usize, usize) {
    let bill = tagged(rows);
    let findings = bill.findings.iter();
    let unpriced =
        findings.filter(|finding| finding.message.contains("service Backup has no price"));
    let lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    let charged = lines.filter(|line| line.item.name() == "Backup");
    (unpriced.count(), charged.count())
}

const SERVICE: &str = "[[service]]\nid = \"Backup\"\n";

#[test]
fn a_price_for_everybody_pays() {
    let rows = format!("{SERVICE}amount = 8\nper = \"month\"\n");
    assert_eq!(outcome(&rows), (0, 1));
    // whichever of a VM's times pays
    let rows = format!("{SERVICE}amount = 8\nper = \"month\"\nbasis = \"running\"\n");
    assert_eq!(outcome(&rows), (0, 1));
    // with the volume it is one line of that
    let rows = format!("{SERVICE}amount = 8\nper = \"month\"\nunit = \"GiB disk\"\n");
    assert_eq!(outcome(&rows), (0, 1));
}

#[test]
fn a_price_for_another_customer_or_resource_pays_for_nothing_and_is_found() {
    for only in [
        "scope = { domain = \"ROOT/other\" }\n",
        "name = \"x*\"\n",
        "unit = \"GiB disk\"\nname = \"x*\"\n",
        "until = \"2026-08-31\"\n",
    ] {
        let rows = format!(
            "{SERVICE}[[price]]\nid = \"p\"\nservice = \"Backup\"\namount = 8\nper = \"month\"\n{only}"
        );
        let (unpriced, charged) = outcome(&rows);
        assert_eq!((unpriced, charged), (1, 0), "{only}");
    }
}
