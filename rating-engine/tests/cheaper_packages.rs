//! Which package would have been cheaper: all that it would change of a VM's costs counts,
//! its volumes' too.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::Exact;

use support::cloud::GIB;
use support::{Cloud, book, month};

/// 2 vCPUs, 4 GiB of RAM at 5 each and 10 GiB of disk at 1 each.
const PRICES: &str = r#"
[[price]]
id = "ram"
meter = "ram"
amount = 5
per = "month"

[[price]]
id = "disk"
meter = "disk"
amount = 1
per = "month"

[[price]]
id = "cpu"
meter = "cpu"
amount = 10
per = "month"
"#;

fn service(more: &str) -> String {
    format!("[[service]]\nid = \"Backup\"\n{more}\n")
}

fn package(amount: u32, more: &str) -> String {
    format!(
        "[[package]]\nid = \"Gold\"\nservices = [\"Backup\"]\namount = {amount}\nper = \"month\"\n{more}\n"
    )
}

fn cloud() -> Cloud {
    Cloud::new()
        .vm("m", 2, 4, "2026-08-01", "2026-11-01")
        .volume("v", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
}

/// What the month's bill says that the package would have saved.
fn saving(cloud: &Cloud, rows: &str) -> Option<Exact> {
    let book = book(&format!("{PRICES}{rows}"));
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let mut told = bill.findings.iter();
    let told = told.find(|finding| finding.kind.slug() == "cheaper_package")?;
    assert_eq!(told.resource.as_ref().unwrap().to_string(), "m");
    told.value.clone()
}

fn backed_up() -> Cloud {
    cloud().tag("m", "Service", "Backup", "2026-08-01", "2026-11-01")
}

#[test]
fn only_a_vm_with_a_service_is_told() {
    let rows = service("amount = 6\nper = \"month\"") + &package(8, "covers = [\"ram\"]");
    // 6 and 20 of RAM less 8; without a service nobody asked for packages
    assert_eq!(saving(&backed_up(), &rows), Some(Exact::from(18)));
    assert_eq!(saving(&cloud(), &rows), None);
}

#[test]
fn a_package_that_includes_disk_saves_what_the_volumes_cost() {
    let rows = service("amount = 6\nper = \"month\"") + &package(9, "covers = [\"disk\"]");
    // 6 and 10 of disk less 9; it would cost more than the service alone
    assert_eq!(saving(&backed_up(), &rows), Some(Exact::from(7)));
    let rows = service("amount = 6\nper = \"month\"") + &package(9, "");
    assert_eq!(saving(&backed_up(), &rows), None);
}

#[test]
fn a_service_by_the_disk_is_saved_with_its_volumes() {
    let rows = service("amount = 2\nper = \"month\"\nunit = \"GiB disk\"") + &package(9, "");
    // 10 GiB at 2 less 9
    assert_eq!(saving(&backed_up(), &rows), Some(Exact::from(11)));
}

#[test]
fn a_service_by_percent_of_the_disk_is_saved_with_its_volumes() {
    let rows = service("percent = \"50\"\npercent_of = [\"disk\"]") + &package(3, "");
    // half of 10 less 3
    assert_eq!(saving(&backed_up(), &rows), Some(Exact::from(2)));
}

#[test]
fn a_package_that_costs_the_same_is_not_told() {
    let rows = service("amount = 6\nper = \"month\"") + &package(6, "");
    assert_eq!(saving(&backed_up(), &rows), None);
}

#[test]
fn a_vm_that_pays_for_nothing_but_services_is_told_as_well() {
    let rows = service("amount = 6\nper = \"month\"") + &package(4, "");
    let book = book(&rows);
    let bill = backed_up().rate(&book, month(&book, "2026-09"));
    let told = support::finding(&bill, "cheaper_package");
    assert_eq!(told.value, Some(Exact::from(2)));
}
