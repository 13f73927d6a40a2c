//! What was not metered is worth what it would have cost: at the price of its zone, offering,
//! image and size.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::{Bill, Exact};

use support::cloud::{GIB, days, span_of};
use support::{Cloud, book, finding, month, rate_json};

/// The month without any record of the resource `lost`.
fn without(cloud: &Cloud, rows: &str) -> Bill {
    let book = book(rows);
    let september = month(&book, "2026-09");
    let windows = days(september);
    let mut records = cloud.records(&windows);
    records.retain(|json| !json.contains("\"usageid\":\"lost\""));
    rate_json(
        &book,
        &records,
        &cloud.snapshots(span_of(&windows)),
        september,
    )
}

fn price(id: &str, meter: &str, amount: u32, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"{meter}\"\namount = {amount}\nper = \"month\"\n{more}\n"
    )
}

/// Two VMs of 2 vCPUs and 4 GiB, the second of which is not metered.
fn vms() -> Cloud {
    let in_zone = |zone: &'static str, offering: &'static str, template: &'static str| {
        move |vm: &mut support::cloud::Machine| {
            vm.zone = Some(zone.to_owned());
            vm.offering = Some(offering.to_owned());
            vm.template = Some(template.to_owned());
        }
    };
    Cloud::new()
        .vm("metered", 2, 4, "2026-08-01", "2026-11-01")
        .with_vm(in_zone("near", "small", "free"))
        .vm("lost", 2, 4, "2026-08-01", "2026-11-01")
        .with_vm(in_zone("far", "big", "dear"))
}

fn value_of_the_lost(cloud: &Cloud, rows: &str) -> Exact {
    let bill = without(cloud, rows);
    let found = finding(&bill, "not_metered");
    assert_eq!(found.resource.as_ref().unwrap().to_string(), "lost");
    assert_eq!(found.millis, 30 * 24 * 3_600_000);
    found.value.clone().unwrap()
}

#[test]
fn a_lost_vm_is_worth_what_its_own_selectors_say() {
    let everything = price("vm", "vm", 7, "");
    // a VM's price includes its CPU and RAM
    assert_eq!(value_of_the_lost(&vms(), &everything), Exact::from(7));
    for selector in [
        "in_zone = \"far\"",
        "offering = \"big\"",
        "template = \"dear\"",
    ] {
        let rows = everything.clone() + &price("own", "vm", 31, selector);
        assert_eq!(
            value_of_the_lost(&vms(), &rows),
            Exact::from(31),
            "{selector}"
        );
    }
    for selector in [
        "in_zone = \"near\"",
        "offering = \"small\"",
        "template = \"free\"",
    ] {
        let rows = everything.clone() + &price("other", "vm", 31, selector);
        assert_eq!(
            value_of_the_lost(&vms(), &rows),
            Exact::from(7),
            "{selector}"
        );
    }
}

#[test]
fn a_lost_vm_is_worth_its_size_and_its_image() {
    // 2 vCPUs at 10, 4 GiB at 3, an image at 24
    let rows = price("cpu", "cpu", 10, "")
        + &price("ram", "ram", 3, "")
        + &price("os", "os", 24, "template = \"dear\"");
    assert_eq!(value_of_the_lost(&vms(), &rows), Exact::from(20 + 12 + 24));
}

#[test]
fn a_lost_volume_is_worth_its_size_and_its_offering() {
    let cloud = Cloud::new()
        .volume("metered", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 20 * GIB, None, "2026-08-01", "2026-11-01")
        .with_volume(|disk| disk.offering = Some("fast".to_owned()));
    let slow = price("disk", "disk", 1, "");
    assert_eq!(value_of_the_lost(&cloud, &slow), Exact::from(20));
    let rows = slow + &price("fast", "disk", 3, "offering = \"fast\"");
    assert_eq!(value_of_the_lost(&cloud, &rows), Exact::from(60));
}

#[test]
fn a_lost_address_is_worth_its_price() {
    let cloud = Cloud::new().ip("metered", "2026-08-01", "2026-11-01").ip(
        "lost",
        "2026-08-01",
        "2026-11-01",
    );
    assert_eq!(
        value_of_the_lost(&cloud, &price("ip", "ip", 3, "")),
        Exact::from(3)
    );
}
