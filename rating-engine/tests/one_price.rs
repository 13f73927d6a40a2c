//! A thing has one price: the nearest, whichever of a VM's times it is for; and a package that a
//! customer has no price for costs the sum of its services.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::Bill;

use support::cloud::GIB;
use support::{Cloud, book_with, exact, findings, month, of};

/// September of a VM of 2 vCPUs and its volume of 10 GiB, which has the package and a service
/// singly. It runs all the time.
fn bill(compute: &str, rows: &str) -> Bill {
    let book = book_with(&format!("compute = \"{compute}\""), rows);
    let (from, until) = ("2026-08-01", "2026-11-01");
    let cloud = Cloud::new()
        .vm("m", 2, 4, from, until)
        .volume("v", 10 * GIB, Some("m"), from, until)
        .tag("m", "Package", "Gold", from, until)
        .tag("m", "Service", "Care", from, until);
    cloud.rate(&book, month(&book, "2026-09"))
}

fn price(id: &str, what: &str, amount: u32, more: &str) -> String {
    format!("[[price]]\nid = \"{id}\"\n{what}\namount = {amount}\nper = \"month\"\n{more}\n")
}

const OF_THE_VM: &str = "scope = { vm = \"m\" }";

#[test]
fn a_hard_linked_price_for_the_other_time_of_a_vm_takes_the_place_of_everybodys() {
    for (compute, other) in [("running", "allocated"), ("allocated", "running")] {
        let own = format!("{OF_THE_VM}\nbasis = \"{other}\"");
        for meter in ["cpu", "ram"] {
            let what = format!(
                "meter = \"{meter}\"\nunit = \"{}\"",
                if meter == "cpu" { "VM" } else { "GiB" }
            );
            let rows = price("all", &what, 5, "") + &price("own", &what, 3, &own);
            let bill = bill(compute, &rows);
            let lines = of(&bill, meter);
            let prices: Vec<&str> = lines.iter().map(|line| line.price.as_str()).collect();
            assert_eq!(prices, ["own"], "{meter} of a book of {compute} time");
        }
    }
}

#[test]
fn so_does_one_of_a_service_or_package() {
    let care = "[[service]]\nid = \"Care\"\namount = 7\nper = \"month\"\n";
    let gold = "[[package]]\nid = \"Gold\"\nservices = []\namount = 9\nper = \"month\"\n";
    let own = format!("{OF_THE_VM}\nbasis = \"running\"");
    let rows = format!("{care}{gold}")
        + &price("own-care", "service = \"Care\"", 1, &own)
        + &price("own-gold", "package = \"Gold\"", 2, &own);
    let bill = bill("allocated", &rows);
    assert_eq!(exact(&bill, "Care").to_string(), "1");
    assert_eq!(exact(&bill, "Gold").to_string(), "2");
}

/// A VM may cost something while it is there and something else while it runs.
#[test]
fn a_vm_as_a_whole_may_have_a_price_for_each_of_its_times() {
    let vm = "meter = \"vm\"";
    let rows = price("there", vm, 5, "") + &price("runs", vm, 3, "basis = \"running\"");
    assert_eq!(exact(&bill("allocated", &rows), "vm").to_string(), "8");
}

/// Each of both is capped, counted by days, and charged once by itself.
#[test]
fn prices_for_each_of_a_vms_times_do_not_share_what_may_be_charged() {
    let vm = |per: &str| {
        ["allocated", "running"]
            .map(|basis| {
                format!(
                    "[[price]]\nid = \"{basis}\"\nmeter = \"vm\"\namount = 4\nper = \"{per}\"\nbasis = \"{basis}\"\n"
                )
            })
            .concat()
    };
    let (from, until) = ("2026-09-03", "2026-11-01");
    let cloud = Cloud::new().vm("m", 2, 4, from, until);
    let cost = |settings: &str, per: &str| {
        let book = book_with(settings, &vm(per));
        exact(&cloud.rate(&book, month(&book, "2026-09")), "vm").to_string()
    };
    // 28 days of each are all that is charged of a month
    assert_eq!(cost("month = \"cap672\"", "month"), "8");
    assert_eq!(
        cost("month = \"cap672\"\nproration = \"day\"", "month"),
        "8"
    );
    assert_eq!(cost("proration = \"started-day\"", "day"), "224");
    assert_eq!(cost("", "once"), "8");
}

/// A day on which CPU turns from running to allocated time is charged once.
#[test]
fn a_price_that_follows_for_the_other_time_shares_a_day_with_the_one_before() {
    let row = |basis: &str, bound: &str| {
        format!(
            "[[price]]\nid = \"{basis}\"\nmeter = \"cpu\"\nunit = \"VM\"\namount = 1\nper = \"day\"\nbasis = \"{basis}\"\n{bound} = 2026-09-15T12:00:00Z\n"
        )
    };
    let rows = row("running", "until") + &row("allocated", "from");
    let bill = bill("running", &format!("proration = \"started-day\"\n{rows}"));
    assert_eq!(exact(&bill, "cpu").to_string(), "30");
}

/// Gold with its service Backup, at such prices of either.
fn gold(prices: &str) -> Bill {
    let rows = "[[service]]\nid = \"Backup\"\n[[service]]\nid = \"Care\"\namount = 0\nper = \"month\"\n\
        [[package]]\nid = \"Gold\"\nservices = [\"Backup\"]\n";
    bill("allocated", &format!("{rows}{prices}"))
}

#[test]
fn a_package_without_a_price_for_the_customer_costs_the_sum_of_its_services() {
    let backup = price("backup", "service = \"Backup\"", 8, "");
    let of_gold = |more: &str| price("gold", "package = \"Gold\"", 5, more);
    for only in ["scope = { vm = \"other\" }", "until = \"2026-08-31\""] {
        let bill = gold(&(backup.clone() + &of_gold(only)));
        assert_eq!(exact(&bill, "Backup").to_string(), "8", "{only}");
        assert!(of(&bill, "Gold").is_empty(), "{only}");
    }
    for fits in ["", OF_THE_VM, "name = \"m\""] {
        let bill = gold(&(backup.clone() + &of_gold(fits)));
        assert_eq!(exact(&bill, "Gold").to_string(), "5", "{fits}");
        assert!(exact(&bill, "Backup").is_zero(), "{fits}");
    }
}

/// What is charged with the VM's volumes is in the package all the same.
#[test]
fn a_packages_service_per_gib_of_disk_follows_the_package_of_the_vm() {
    let backup = price("backup", "service = \"Backup\"\nunit = \"GiB disk\"", 1, "");
    let of_gold = |more: &str| price("gold", "package = \"Gold\"", 5, more);
    let other = gold(&(backup.clone() + &of_gold("scope = { vm = \"other\" }")));
    assert_eq!(exact(&other, "Backup").to_string(), "10");
    let own = gold(&(backup + &of_gold(OF_THE_VM)));
    assert!(exact(&own, "Backup").is_zero());
    assert_eq!(exact(&own, "Gold").to_string(), "5");
}

#[test]
fn a_service_of_such_a_package_without_a_price_is_found() {
    let bill = gold(&price(
        "gold",
        "package = \"Gold\"",
        5,
        "scope = { vm = \"other\" }",
    ));
    assert!(of(&bill, "Backup").is_empty());
    assert!(
        findings(&bill).contains(&"unpriced"),
        "{:?}",
        findings(&bill)
    );
}

/// Whether it costs that or its services cannot be said: nothing is charged in silence or at 0.
#[test]
fn a_package_whose_prices_are_for_other_vms_is_found() {
    let prices = price("backup", "service = \"Backup\"", 8, "")
        + &price("gold", "package = \"Gold\"", 5, "name = \"other\"");
    let bill = gold(&prices);
    let found: Vec<&str> = bill
        .findings
        .iter()
        .filter(|finding| finding.kind.slug() == "unpriced")
        .map(|finding| finding.message.as_str())
        .collect();
    assert!(
        found
            .iter()
            .any(|message| message.contains("package Gold has no price")),
        "{found:?}"
    );
}
