//! What inner minimum charges made up counts towards outer ones, each its own and no other's;
//! and what is shown of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::{Bill, LineItem};

use support::cloud::{GIB, days, span_of};
use support::{Cloud, between, book, line, month, of};

/// A VM costs 10.00 a month, and a gigabyte of disk 1.00.
const PRICES: &str = r#"
[[price]]
id = "vm"
meter = "vm"
amount = 10
per = "month"

[[price]]
id = "disk"
meter = "disk"
amount = 1
per = "month"
"#;

fn minimum(id: &str, amount: u32, per: &str, more: &str) -> String {
    format!("[[minimum]]\nid = \"{id}\"\namount = {amount}\nper = \"{per}\"\n{more}\n")
}

fn cloud() -> Cloud {
    Cloud::new()
        .project("shop", "acme")
        .vm_of("m", "project:web", 1, 1, "2026-08-01", "2026-12-01")
        .vm_of("n", "project:shop", 1, 1, "2026-08-01", "2026-12-01")
}

fn rate(cloud: &Cloud, rows: &str) -> Bill {
    let book = book(&format!("{PRICES}{rows}"));
    cloud.rate(&book, month(&book, "2026-09"))
}

fn amounts(bill: &Bill, item: &str) -> Vec<String> {
    let lines = of(bill, item);
    let mut amounts: Vec<String> = lines.iter().map(|line| line.amount.amount()).collect();
    amounts.sort();
    amounts
}

#[test]
fn a_project_counts_what_was_made_up_for_its_own_resources() {
    let rows = minimum("each", 15, "resource", "") + &minimum("all", 30, "project", "");
    let bill = rate(&cloud(), &rows);
    assert_eq!(amounts(&bill, "each"), ["5.00", "5.00"]);
    // 30 less 10 for the VM and 5 made up for it
    assert_eq!(amounts(&bill, "all"), ["15.00", "15.00"]);
}

#[test]
fn a_domain_counts_what_was_made_up_in_it_and_an_account_what_was_below_it() {
    let mut cloud = cloud().domain("sub", "ROOT/acme/sub", "acme");
    cloud =
        cloud
            .project("deep", "sub")
            .vm_of("o", "project:deep", 1, 1, "2026-08-01", "2026-12-01");
    let rows = minimum("each", 15, "resource", "")
        + &minimum("domain", 100, "domain", "")
        + &minimum("account", 250, "account", "");
    let bill = rate(&cloud, &rows);
    assert_eq!(amounts(&bill, "each"), ["5.00", "5.00", "5.00"]);
    // 100 less two VMs of 15, and less one
    assert_eq!(amounts(&bill, "domain"), ["70.00", "85.00"]);
    // 250 less 100 for each domain
    assert_eq!(amounts(&bill, "account"), ["50.00"]);
}

#[test]
fn a_minimum_of_some_things_does_not_count_what_was_made_up_for_all() {
    let services = "[[service]]\nid = \"Backup\"\namount = 4\nper = \"month\"\n";
    let rows = services.to_owned()
        + &minimum("each", 15, "resource", "")
        + &minimum("services", 9, "project", "services = [\"Backup\"]")
        + &minimum("meters", 12, "project", "meters = [\"vm\"]");
    let cloud = cloud().tag("m", "Service", "Backup", "2026-08-01", "2026-12-01");
    let bill = rate(&cloud, &rows);
    // 15 less the VM and its service, 15 less the other VM
    assert_eq!(amounts(&bill, "each"), ["1.00", "5.00"]);
    // 9 less 4; the other project has no service
    assert_eq!(amounts(&bill, "services"), ["5.00"]);
    // 12 less 10, twice
    assert_eq!(amounts(&bill, "meters"), ["2.00", "2.00"]);
}

/// Whatever they are called, and on any level.
#[test]
fn a_minimum_of_all_counts_what_was_made_up_for_some_things_there() {
    for per in ["resource", "project", "domain", "account"] {
        for (some, all) in [("a", "b"), ("b", "a")] {
            let rows = minimum(some, 25, per, "meters = [\"vm\"]") + &minimum(all, 40, per, "");
            let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-12-01");
            let bill = rate(&cloud, &rows);
            // 25 less the VM, and 40 less the 25
            assert_eq!(amounts(&bill, some), ["15.00"], "{per}");
            assert_eq!(amounts(&bill, all), ["15.00"], "{per}");
        }
    }
}

/// The VM's minimum is the VM's, even if nothing but its volume counts towards it.
#[test]
fn a_minimum_of_a_percentage_is_the_vms() {
    let rows = "[[service]]\nid = \"Care\"\npercent = 10\npercent_of = [\"disk\"]\n".to_owned()
        + &minimum("care", 5, "resource", "services = [\"Care\"]");
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-12-01")
        .volume("v", 10 * GIB, Some("m"), "2026-08-01", "2026-12-01")
        .tag("m", "Service", "Care", "2026-08-01", "2026-12-01");
    let bill = rate(&cloud, &rows);
    let care = line(&bill, "care");
    assert_eq!(
        (care.resource_kind, care.resource_name.as_str()),
        ("vm", "m")
    );
    assert_eq!(care.amount.amount(), "4.00");
}

#[test]
fn each_month_counts_what_was_made_up_in_it() {
    let rows = minimum("each", 15, "resource", "") + &minimum("all", 30, "project", "");
    let book = book(&format!("{PRICES}{rows}"));
    let bill = cloud().rate(&book, between("2026-09-01", "2026-11-01"));
    // two projects in two months; those of one project are one line
    assert_eq!(amounts(&bill, "each"), ["10.00", "10.00"]);
    assert_eq!(amounts(&bill, "all"), ["30.00", "30.00"]);
    for line in of(&bill, "all") {
        assert_eq!(line.period, between("2026-09-01", "2026-11-01"));
        assert_eq!(line.explanation.segments.len(), 2);
    }
}

fn shown(line: &LineItem) -> [&str; 4] {
    [
        line.resource_kind,
        &line.resource_name,
        &line.holder_name,
        line.cost_centre.as_deref().unwrap_or_default(),
    ]
}

#[test]
fn a_line_of_a_minimum_names_whose_it_is() {
    let cloud = Cloud::new()
        .volume_of("v", "project:web", GIB, None, "2026-08-01", "2026-12-01")
        .tag(
            "Project:web",
            "CostCenter",
            "K7",
            "2026-08-01",
            "2026-12-01",
        )
        .tag("Project:web", "Area", "K8", "2026-08-01", "2026-12-01");
    let rows = minimum("each", 15, "resource", "")
        + &minimum("project", 30, "project", "")
        + &minimum("domain", 40, "domain", "");
    let bill = rate(&cloud, &rows);
    let each = line(&bill, "each");
    assert_eq!(shown(each), ["volume", "v", "web", "K7"]);
    assert_eq!(each.volume.as_ref().unwrap().to_string(), "v");
    assert_eq!((&each.vm, &each.vm_name), (&None, &None));
    assert_eq!(
        shown(line(&bill, "project")),
        ["project", "web", "web", "K7"]
    );
    assert_eq!(
        shown(line(&bill, "domain")),
        ["domain", "ROOT/acme", "", ""]
    );
    // a VM's names the VM
    let bill = rate(&self::cloud(), &minimum("each", 15, "resource", ""));
    let names = of(&bill, "each");
    let mut names: Vec<_> = names
        .iter()
        .map(|line| (line.vm_name.as_deref(), line.volume.is_some()))
        .collect();
    names.sort_unstable();
    assert_eq!(names, [(Some("m"), false), (Some("n"), false)]);
}

/// Where no list knows an account, its minimum carries the name that its own records gave.
#[test]
fn an_account_that_no_list_knows_is_named_as_its_records_name_it() {
    let record = |account: &str, ip: &str| {
        format!(
            r#"{{"usagetype": 3, "usageid": "{ip}", "rawusage": "24", "usage": "24 Hrs",
                "description": "ip", "domainid": "acme", "accountid": "{account}-id", "account": "{account}",
                "startdate": "2026-09-03T00:00:00+0000", "enddate": "2026-09-03T23:59:59+0000"}}"#
        )
    };
    let rows = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\n".to_owned()
        + &minimum("base", 5, "project", "");
    let book = book(&rows);
    let records = [record("dev", "a"), record("ops", "b")];
    let bill = support::rate_json(&book, &records, &[], month(&book, "2026-09"));
    let lines = of(&bill, "base");
    let mut names: Vec<&str> = lines.iter().map(|line| line.holder_name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["dev", "ops"]);
}

/// What is missing at the end of September is taxed as September is.
#[test]
fn a_minimum_is_taxed_at_the_rate_of_its_own_month() {
    let rows = minimum("all", 30, "project", "")
        + "[[tax]]\nid = \"old\"\npercent = 19\nuntil = 2026-09-30\n\
           [[tax]]\nid = \"new\"\npercent = 20\nfrom = 2026-10-01\n";
    let bill = rate(&cloud(), &rows);
    for line in of(&bill, "all") {
        assert_eq!(line.tax.as_deref(), Some("old"));
    }
}

#[test]
fn a_minimums_line_shows_names_not_ids() {
    let rows = minimum("each", 15, "resource", "") + &minimum("project", 30, "project", "");
    let book = book(&format!("{PRICES}{rows}"));
    let september = month(&book, "2026-09");
    let windows = days(september);
    let cloud = Cloud::new().volume_of("v", "project:web", GIB, None, "2026-08-01", "2026-12-01");
    let mut snapshots = cloud.snapshots(span_of(&windows));
    for snapshot in &mut snapshots {
        for volume in &mut snapshot.volumes {
            "data".clone_into(&mut volume.name);
        }
        for project in &mut snapshot.projects {
            "Web shop".clone_into(&mut project.name);
        }
    }
    let bill = support::rate_json(&book, &cloud.records(&windows), &snapshots, september);
    assert_eq!(line(&bill, "each").resource_name, "data");
    let project = line(&bill, "project");
    assert_eq!(project.resource_name, "Web shop");
    assert_eq!(project.holder_name, "Web shop");
}
