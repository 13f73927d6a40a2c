//! What was not metered is worth what it would have cost: at the price of its zone, offering,
//! image and size.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use chrono::TimeDelta;
use rating_engine::{Bill, Exact};

use support::cloud::{GIB, days, span_of, windows};
use support::{Cloud, at, between, book, book_with, finding, findings, month, rate_json};

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

#[test]
fn a_lost_address_or_volume_is_worth_what_its_zone_costs() {
    let cloud = Cloud::new()
        .ip("metered", "2026-08-01", "2026-11-01")
        .ip("lost", "2026-08-01", "2026-11-01")
        .volume("metered", GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", GIB, None, "2026-08-01", "2026-11-01");
    let rows = ["ip", "disk"].map(|meter| {
        price(meter, meter, 3, "") + &price(&format!("far-{meter}"), meter, 7, "in_zone = \"far\"")
    });
    let book = book(&rows.concat());
    let september = month(&book, "2026-09");
    let windows = days(september);
    let mut records = cloud.records(&windows);
    records.retain(|json| !json.contains("\"usageid\":\"lost\""));
    let mut snapshots = cloud.snapshots(span_of(&windows));
    for snapshot in &mut snapshots {
        for address in &mut snapshot.ip_addresses {
            address.zone = Some("far".into());
        }
        for volume in &mut snapshot.volumes {
            volume.zone = Some("far".into());
        }
    }
    let bill = rate_json(&book, &records, &snapshots, september);
    let lost = bill.findings.iter();
    let lost = lost.filter(|finding| finding.kind.slug() == "not_metered");
    let values: Vec<_> = lost.map(|finding| finding.value.clone().unwrap()).collect();
    assert_eq!(values, [Exact::from(7), Exact::from(7)]);
}

#[test]
fn where_running_time_is_charged_a_lost_vm_is_worth_as_if_it_had_run() {
    // 2 vCPUs at 10 and 4 GiB at 3 for running, 5 for having the VM at all
    let rows = price("cpu", "cpu", 10, "")
        + &price("ram", "ram", 3, "")
        + &price("vm", "vm", 5, "basis = \"allocated\"\ncovers = []");
    let value = |compute: &str, rows: &str| {
        let book = book_with(&format!("compute = \"{compute}\"\n"), rows);
        let september = month(&book, "2026-09");
        let cloud = vms();
        let windows = days(september);
        let mut records = cloud.records(&windows);
        records.retain(|json| !json.contains("\"usageid\":\"lost\""));
        let snapshots = cloud.snapshots(span_of(&windows));
        let bill = rate_json(&book, &records, &snapshots, september);
        finding(&bill, "not_metered").value.clone()
    };
    assert_eq!(value("running", &rows), Some(Exact::from(20 + 12 + 5)));
    // of a book of allocated time, a hard-linked price of running time
    let own = price(
        "own",
        "cpu",
        8,
        "scope = { vm = \"lost\" }\nbasis = \"running\"",
    );
    assert_eq!(
        value("allocated", &(rows + &own)),
        Some(Exact::from(16 + 12 + 5))
    );
}

#[test]
fn what_was_lost_is_worth_no_more_than_the_customer_pays() {
    let cloud = Cloud::new()
        .volume("metered", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 20 * GIB, None, "2026-08-01", "2026-11-01");
    let discount = |id: &str, amount: &str| format!("[[discount]]\nid = \"{id}\"\n{amount}\n");
    let disk = price("disk", "disk", 1, "");
    // a quarter off, then a fifth of what is left
    let quarter = disk.clone() + &discount("a", "percent = 25");
    assert_eq!(value_of_the_lost(&cloud, &quarter), Exact::from(15));
    let both = quarter.clone() + &discount("b", "percent = 20");
    assert_eq!(value_of_the_lost(&cloud, &both), Exact::from(12));
    // a fixed amount is spent on what was metered
    let fixed = quarter + &discount("c", "amount = 2");
    assert_eq!(value_of_the_lost(&cloud, &fixed), Exact::from(15));
}

#[test]
fn what_was_lost_at_a_price_of_the_month_is_worth_its_price_beyond_free_units() {
    let cloud = Cloud::new()
        .volume("metered", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 20 * GIB, None, "2026-08-01", "2026-11-01");
    // 20 GiB at 3; the five free ones are taken by what was metered
    let free = price("disk", "disk", 3, "free = 5\naccumulate = \"account\"");
    assert_eq!(value_of_the_lost(&cloud, &free), Exact::from(60));
    let half = free + "[[discount]]\nid = \"half\"\npercent = 50\n";
    assert_eq!(value_of_the_lost(&cloud, &half), Exact::from(30));
}

/// A volume born on the 10th at 06:00 that grows twice on that day.
fn grown_on_its_first_day() -> Cloud {
    Cloud::new()
        .volume("other", GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 10 * GIB, None, "2026-09-10 06:00", "2026-11-01")
        .with_volume(|disk| {
            disk.size.push((at("2026-09-10 12:00"), 20 * GIB));
            disk.size.push((at("2026-09-10 15:00"), 30 * GIB));
        })
}

#[test]
fn several_sizes_in_one_window_are_no_gap() {
    // where in the window the first two sizes were is not known, but all of the time is metered
    let rows = price("disk", "disk", 1, "");
    for settings in ["", "not_metered_from_seconds = 0\n"] {
        let book = book_with(settings, &rows);
        let september = month(&book, "2026-09");
        let bill = grown_on_its_first_day().rate(&book, september);
        assert!(findings(&bill).is_empty(), "{:?}", bill.findings);
    }
}

#[test]
fn a_size_that_was_not_metered_is_a_gap_of_its_own_time() {
    let book = book(&price("disk", "disk", 1, ""));
    let september = month(&book, "2026-09");
    let cloud = grown_on_its_first_day();
    let windows = days(september);
    let mut records = cloud.records(&windows);
    // the three hours as 20 GiB
    let size = format!("\"size\":{}", 20 * GIB);
    records.retain(|json| !json.contains(&size));
    let snapshots = cloud.snapshots(span_of(&windows));
    let bill = rate_json(&book, &records, &snapshots, september);
    assert_eq!(finding(&bill, "not_metered").millis, 3 * 3_600_000);
}

#[test]
fn a_lost_window_is_a_gap_of_all_its_time_though_the_account_moved() {
    let book = book(&price("ip", "ip", 30, ""));
    let september = month(&book, "2026-09");
    let mut cloud = Cloud::new()
        .domain("sub", "ROOT/acme/sub", "acme")
        .ip("other", "2026-08-01", "2026-11-01")
        .ip("lost", "2026-08-01", "2026-11-01");
    cloud.accounts[0]
        .1
        .push((at("2026-09-10 00:00"), "sub".to_owned()));
    let windows = days(september);
    let mut records = cloud.records(&windows);
    records.retain(|json| {
        !(json.contains("\"usageid\":\"lost\"") && json.contains("\"startdate\":\"2026-09-09T"))
    });
    // the syncs are a second before and a minute after the account moves
    let snapshots = cloud.snapshots(span_of(&windows));
    let bill = rate_json(&book, &records, &snapshots, september);
    let found = finding(&bill, "not_metered");
    assert_eq!(found.millis, 24 * 3_600_000);
    assert_eq!(found.value, Some(Exact::from(1)));
}

#[test]
fn a_life_of_before_the_first_window_ends_with_its_use() {
    // windows of two days, from a minute past midnight; the volume of before is gone two minutes
    // later, and its only record does not say where in its window the time lies
    let book = book_with(
        "not_metered_from_seconds = 0\n",
        &price("disk", "disk", 1, ""),
    );
    let january = month(&book, "2024-01");
    let windows = windows(january, TimeDelta::days(2), TimeDelta::minutes(1));
    let cloud = Cloud::new()
        .volume("v", GIB, None, "2023-12-30", "2023-12-30 00:03")
        .volume("w", GIB, None, "2024-01-01", "2024-01-01 00:01");
    let bill = cloud.rate_windows(&book, january, &windows);
    assert!(findings(&bill).is_empty(), "{:?}", bill.findings);
    // a minute of the month, of the other volume alone
    assert_eq!(bill.exact, Exact::ratio(1, 31 * 24 * 60).unwrap());
}

#[test]
fn what_was_lost_of_tiers_or_blocks_is_worth_the_price_of_their_first_unit() {
    let cloud = Cloud::new()
        .volume("metered", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 20 * GIB, None, "2026-08-01", "2026-11-01");
    let row = |more: &str| {
        format!(
            "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nper = \"month\"\naccumulate = \"account\"\n{more}\n"
        )
    };
    // 20 GiB at the 7 of the first tier
    let tiers =
        row("tiers = [{ up_to = 5, amount = 7 }, { up_to = 50, amount = 6 }, { amount = 1 }]");
    assert_eq!(value_of_the_lost(&cloud, &tiers), Exact::from(140));
    // two blocks of ten at 15
    let blocks = row("amount = 15\nblock = 10");
    assert_eq!(value_of_the_lost(&cloud, &blocks), Exact::from(30));
}

#[test]
fn a_lost_vm_is_worth_its_services_by_percent() {
    let rows = price("cpu", "cpu", 10, "")
        + &price("ram", "ram", 3, "")
        + "[[service]]\nid = \"Managed\"\npercent = \"25\"\n";
    let cloud = vms().tag("lost", "Service", "Managed", "2026-08-01", "2026-11-01");
    // 20 and 12, and a quarter of both
    assert_eq!(value_of_the_lost(&cloud, &rows), Exact::from(40));
}

#[test]
fn from_a_minute_on_missing_use_is_told() {
    let book = book(&price("disk", "disk", 1, ""));
    let september = month(&book, "2026-09");
    let windows = days(september);
    let born = |at: &str| {
        Cloud::new()
            .volume("other", GIB, None, "2026-08-01", "2026-11-01")
            .volume("lost", GIB, None, at, "2026-11-01")
    };
    let snapshots = born("2026-09-10 06:00").snapshots(span_of(&windows));
    let missing = |metered_from: &str| {
        let records = born(metered_from).records(&windows);
        let bill = rate_json(&book, &records, &snapshots, september);
        let found = bill.findings.iter();
        let found = found.filter(|finding| finding.kind.slug() == "not_metered");
        found.map(|finding| finding.millis).collect::<Vec<_>>()
    };
    assert_eq!(missing("2026-09-10T06:00:59Z"), []);
    assert_eq!(missing("2026-09-10T06:01:00Z"), [60_000]);
}

#[test]
fn what_was_not_fetched_and_what_is_the_systems_own_is_not_missed() {
    let book = book(&price("ip", "ip", 3, ""));
    let september = month(&book, "2026-09");
    let windows = days(september);
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .ip("metered", "2026-08-01", "2026-11-01")
        .ip("lost", "2026-08-01", "2026-11-01");
    let mut snapshots = cloud.snapshots(span_of(&windows));
    let missing = |keep: &dyn Fn(&String) -> bool, snapshots: &[cloudstack_usage::Snapshot]| {
        let mut records = cloud.records(&windows);
        records.retain(keep);
        let bill = rate_json(&book, &records, snapshots, september);
        let found = bill.findings.iter();
        let found = found.filter(|finding| finding.kind.slug() == "not_metered");
        found.count()
    };
    let without_the_lost = |json: &String| !json.contains("\"usageid\":\"lost\"");
    let vms_alone = |json: &String| !json.contains("\"usagetype\":3");
    assert_eq!(missing(&without_the_lost, &snapshots), 1);
    assert_eq!(missing(&vms_alone, &snapshots), 0);
    for snapshot in &mut snapshots {
        for address in &mut snapshot.ip_addresses {
            address.is_system = address.id.to_string() == "lost";
        }
    }
    assert_eq!(missing(&without_the_lost, &snapshots), 0);
}

/// An hour's own window at noon, and four more hours somewhere in the day: these lie in what
/// the noon leaves open, before and after it.
#[test]
fn use_of_no_known_place_fills_what_is_open_on_both_sides() {
    let book = book(&price("disk", "disk", 1, ""));
    let september = month(&book, "2026-09");
    let windows = days(september);
    let cloud = Cloud::new()
        .volume("metered", GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 10 * GIB, None, "2026-08-01", "2026-11-01");
    let mut records = cloud.records(&windows);
    records.retain(|json| !json.contains("\"usageid\":\"lost\""));
    let record = |start: &str, end: &str, hours: &str, gib: u64| {
        format!(
            r#"{{"usagetype": 6, "usageid": "lost", "rawusage": "{hours}", "usage": "{hours} Hrs",
                "description": "lost", "domainid": "acme", "accountid": "ops", "account": "ops",
                "size": {}, "startdate": "{start}", "enddate": "{end}"}}"#,
            gib * GIB
        )
    };
    records.push(record(
        "2026-09-10T12:00:00+0000",
        "2026-09-10T12:59:59+0000",
        "1",
        10,
    ));
    records.push(record(
        "2026-09-10T00:00:00+0000",
        "2026-09-10T23:59:59+0000",
        "4",
        20,
    ));
    let bill = rate_json(
        &book,
        &records,
        &cloud.snapshots(span_of(&windows)),
        september,
    );
    assert_eq!(
        finding(&bill, "not_metered").millis,
        (30 * 24 - 5) * 3_600_000
    );
}

#[test]
fn a_finding_tells_what_was_lost_and_how_much_of_it() {
    let cloud = Cloud::new()
        .vm("metered", 1, 1, "2026-08-01", "2026-11-01")
        .vm("lost", 1, 1, "2026-08-01", "2026-11-01")
        .volume("metered", GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", GIB, None, "2026-08-01", "2026-11-01")
        .ip("metered", "2026-08-01", "2026-11-01")
        .ip("lost", "2026-08-01", "2026-11-01");
    let bill = without(&cloud, &price("disk", "disk", 1, ""));
    let texts: Vec<&str> = bill
        .findings
        .iter()
        .filter(|finding| finding.kind.slug() == "not_metered")
        .map(|finding| finding.message.as_str())
        .collect();
    for kind in ["VM", "volume", "address"] {
        assert!(
            texts.iter().any(|text| text.contains(kind)
                && text.contains("no usage record at all")
                && text.contains("720")),
            "{kind}: {texts:?}"
        );
    }
}

#[test]
fn what_would_have_cost_nothing_more_is_worth_nothing() {
    let cloud = Cloud::new()
        .volume("metered", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .volume("lost", 20 * GIB, None, "2026-08-01", "2026-11-01");
    // exempt, at a price whose tiers count over the month
    let tiers = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nper = \"month\"\ntiers = [{ up_to = 5, amount = 7 }, { amount = 1 }]\n";
    let exempt = cloud.clone().tag(
        "Volume:lost",
        "Billing",
        "noDisk",
        "2026-08-01",
        "2026-11-01",
    );
    assert_eq!(value_of_the_lost(&cloud, tiers), Exact::from(140));
    assert_eq!(value_of_the_lost(&exempt, tiers), Exact::zero());
    // a fee that is charged once is not lost with a month's usage
    let fee = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nper = \"once\"\namount = 7\n";
    assert_eq!(value_of_the_lost(&cloud, fee), Exact::zero());
    // whatever its size
    let flat = price("disk", "disk", 9, "kind = \"flat\"");
    assert_eq!(value_of_the_lost(&cloud, &flat), Exact::from(9));
}

/// An address that one owner gave back and another one got, between two syncs: how long the
/// first had it after the first of them is not known, and not missed.
#[test]
fn an_address_that_changed_hands_between_two_syncs_is_not_missed() {
    let book = book(&price("ip", "ip", 30, ""));
    let september = month(&book, "2026-09");
    let windows = days(september);
    let mut cloud = Cloud::new().ip("other", "2026-08-01", "2026-11-01").ip(
        "shared",
        "2026-08-01",
        "2026-11-01",
    );
    let mut of_web = cloud.clone();
    "project:web".clone_into(&mut of_web.ips[0].owner[0].1);
    "project:web".clone_into(&mut of_web.ips[1].owner[0].1);
    of_web.ips[1].life = between("2026-09-10 18:00", "2026-11-01");
    let syncs = |cloud: &Cloud, from: &str, until: &str| {
        let mut sync = at(from);
        let mut snapshots = Vec::new();
        while sync < at(until) {
            let mut snapshot = cloud.snapshot(sync);
            for address in &mut snapshot.ip_addresses {
                if address.id.to_string() == "shared" && from == "2026-09-11" {
                    address.allocated = None;
                }
            }
            snapshots.push(snapshot);
            sync += TimeDelta::days(1);
        }
        snapshots
    };
    let mut snapshots = syncs(&cloud, "2026-08-30", "2026-09-11");
    snapshots.extend(syncs(&of_web, "2026-09-11", "2026-10-03"));
    cloud.ips[1].life = between("2026-08-01", "2026-09-10 06:00");
    let mut records = cloud.records(&windows);
    records.extend(of_web.records(&windows));
    let bill = rate_json(&book, &records, &snapshots, september);
    let missed = bill.findings.iter();
    let missed = missed.filter(|finding| {
        let shared = finding.resource.as_ref().map(ToString::to_string);
        finding.kind.slug() == "not_metered" && shared.as_deref() == Some("shared")
    });
    assert_eq!(missed.count(), 0, "{:?}", bill.findings);
}
