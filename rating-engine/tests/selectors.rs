//! What a price's selector fits, by id and by name; what is done where it cannot be said; and
//! tags that look like the book's and are none of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use cloudstack_usage::{Offering, OsCategory, OsType, Template, Zone};
use rating_engine::{Bill, Exact};

use support::cloud::GIB;
use support::{Cloud, between, book, exact, finding, findings, line, month, of, rate_json};

fn price(id: &str, meter: &str, amount: u32, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"{meter}\"\namount = {amount}\nper = \"month\"\n{more}\n"
    )
}

fn rate(cloud: &Cloud, rows: &str) -> Bill {
    let book = book(rows);
    cloud.rate(&book, month(&book, "2026-09"))
}

fn offering(id: &str, name: &str, storage_tags: &str) -> Offering {
    Offering {
        id: id.into(),
        name: name.to_owned(),
        cpu_count: None,
        memory_mib: None,
        storage_tags: (!storage_tags.is_empty()).then(|| storage_tags.to_owned()),
    }
}

/// A VM and a volume that have everything that a selector can ask for.
fn cloud() -> Cloud {
    let mut cloud = Cloud::new()
        .vm("m", 2, 4, "2026-08-01", "2026-11-01")
        .with_vm(|vm| {
            vm.offering = Some("so".to_owned());
            vm.template = Some("te".to_owned());
            vm.os_type = Some("os".to_owned());
            vm.zone = Some("zo".to_owned());
        })
        .volume("v", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .with_volume(|disk| disk.offering = Some("do".to_owned()))
        .tag("m", "Tier", "one,two", "2026-08-01", "2026-11-01");
    cloud.service_offerings = vec![offering("so", "Large", "")];
    cloud.disk_offerings = vec![offering("do", "Fast disk", "nvme, raid")];
    cloud.templates = vec![Template {
        id: "te".into(),
        name: "Debian".to_owned(),
        os_type: Some("os".into()),
    }];
    cloud.os_types = vec![OsType {
        id: "os".into(),
        name: "Debian 13 (64-bit)".to_owned(),
        category: Some("ca".into()),
    }];
    cloud.os_categories = vec![OsCategory {
        id: "ca".into(),
        name: "Linux".to_owned(),
    }];
    cloud.zones = vec![Zone {
        id: "zo".into(),
        name: "near".to_owned(),
    }];
    cloud
}

fn costs(meter: &str, selector: &str) -> Exact {
    let rows = price("all", meter, 1, "") + &price("own", meter, 7, selector);
    exact(&rate(&cloud(), &rows), meter)
}

#[test]
fn a_vms_selectors_take_ids_and_names() {
    for (field, fitting, other) in [
        ("offering", ["so", "Large"], "Fast disk"),
        ("template", ["te", "Debian"], "other"),
        ("os_type", ["os", "Debian 13 (64-bit)"], "Debian"),
        ("os_category", ["ca", "Linux"], "Windows"),
        ("in_zone", ["zo", "near"], "far"),
        ("name", ["m", "?"], "mm"),
    ] {
        for value in fitting {
            let selector = format!("{field} = \"{value}\"");
            assert_eq!(costs("vm", &selector), Exact::from(7), "{selector}");
            let selector = format!("{field} = [\"{other}\", \"{value}\"]");
            assert_eq!(costs("vm", &selector), Exact::from(7), "{selector}");
        }
        let selector = format!("{field} = \"{other}\"");
        assert_eq!(costs("vm", &selector), Exact::from(1), "{selector}");
    }
}

#[test]
fn a_volumes_selectors_take_its_disk_offering_and_its_storage_tags() {
    // 10 GiB at 7 or 1
    for selector in [
        "offering = \"do\"",
        "offering = \"Fast disk\"",
        "storage_tag = \"nvme\"",
        "storage_tag = \"raid\"",
        "storage_tag = [\"tape\", \"raid\"]",
        "at_least = { size = \"10 GiB\" }",
    ] {
        assert_eq!(costs("disk", selector), Exact::from(70), "{selector}");
    }
    for selector in [
        "offering = \"Large\"",
        "storage_tag = \"tape\"",
        "at_least = { size = \"11 GiB\" }",
    ] {
        assert_eq!(costs("disk", selector), Exact::from(10), "{selector}");
    }
}

#[test]
fn why_another_price_was_not_taken_is_said() {
    let rows = price("all", "vm", 1, "")
        + &price("other", "vm", 7, "offering = \"Small\"")
        + &price("later", "vm", 8, "offering = \"Large\"\nfrom = 2026-10-01")
        + &price(
            "running",
            "vm",
            9,
            "offering = \"Large\"\nbasis = \"running\"",
        );
    let bill = rate(&cloud(), &rows);
    let allocated = of(&bill, "vm");
    let allocated = allocated.iter().find(|line| line.price == "all").unwrap();
    let reasons: Vec<(&str, bool, &str)> = allocated
        .explanation
        .prices
        .iter()
        .map(|choice| (choice.price.as_str(), choice.chosen, choice.reason.as_str()))
        .collect();
    assert_eq!(reasons[0].0, "all");
    assert!(reasons[0].1);
    let why = |id: &str| {
        let (_, chosen, reason) = reasons.iter().find(|(price, ..)| *price == id).unwrap();
        assert!(!chosen);
        reason.to_string()
    };
    assert_eq!(why("other"), "its selector does not fit the resource");
    assert_eq!(
        why("running"),
        "for the other of running and allocated time"
    );
    assert_ne!(why("later"), why("other"));
    let bill = rate(
        &cloud(),
        &(price("all", "vm", 1, "") + &price("own", "vm", 7, "offering = \"Large\"")),
    );
    let taken = &line(&bill, "vm").explanation.prices;
    assert_eq!((taken[0].price.as_str(), taken[0].chosen), ("own", true));
    assert_eq!(taken[1].reason, "another one is more specific");
}

/// A VM whose size nobody knows, at prices by size.
fn of_unknown_size(rows: &str) -> Vec<&'static str> {
    let book = book(rows);
    let record = |usage_type: u32, id: &str, more: &str| {
        format!(
            r#"{{"usagetype": {usage_type}, "usageid": "{id}", "rawusage": "24", "usage": "24 Hrs",
                "description": "{id}", "domainid": "acme", "accountid": "ops", "account": "ops"{more},
                "startdate": "2026-09-03T00:00:00+0000", "enddate": "2026-09-03T23:59:59+0000"}}"#
        )
    };
    let records = [
        record(2, "m", r#", "virtualmachineid": "m", "name": "m""#),
        record(3, "a", ""),
    ];
    let bill = rate_json(&book, &records, &[], month(&book, "2026-09"));
    let mut found = findings(&bill);
    found.sort_unstable();
    found
}

#[test]
fn a_price_by_size_is_missing_only_where_it_could_apply() {
    let ip = price("ip", "ip", 1, "");
    let all = price("all", "vm", 1, "") + &ip;
    let large = "at_least = { cpus = 4 }";
    let with = |more: &str| of_unknown_size(&(all.clone() + &price("large", "vm", 7, more)));
    assert_eq!(with(large), ["missing_size"]);
    // of another time, of another VM, of running time: nothing is in doubt
    assert!(with(&format!("{large}\nfrom = 2026-10-01")).is_empty());
    assert!(with(&format!("{large}\nname = \"other\"")).is_empty());
    assert!(with(&format!("{large}\nbasis = \"running\"")).is_empty());
    // nor where a price that comes before it is known to apply
    let named = price("named", "vm", 3, "scope = { vm = \"m\" }");
    assert!(of_unknown_size(&(all.clone() + &named + &price("large", "vm", 7, large))).is_empty());
    // what has no such size does not hang on it
    let of_ip = all.clone() + &price("large-ip", "ip", 7, "at_least = { size = \"1 GiB\" }");
    assert!(of_unknown_size(&of_ip).is_empty());
}

#[test]
fn a_factor_by_size_is_missing_only_where_it_could_apply() {
    let rows = |price_more: &str, factor_more: &str| {
        price("all", "vm", 1, price_more)
            + &price("ip", "ip", 1, "")
            + &format!(
                "[[factor]]\nid = \"large\"\nfactor = \"2\"\nat_least = {{ ram = \"64 GiB\" }}\n{factor_more}\n"
            )
    };
    let vm = "meters = [\"vm\"]";
    assert_eq!(of_unknown_size(&rows("", vm)), ["missing_size"]);
    assert!(of_unknown_size(&rows("", "meters = [\"ip\"]")).is_empty());
    assert!(of_unknown_size(&rows("", &format!("{vm}\nuntil = 2026-08-31"))).is_empty());
    assert!(of_unknown_size(&rows("net = true", vm)).is_empty());
    assert_eq!(
        of_unknown_size(&rows("net = true", &format!("{vm}\nnet_prices = true"))),
        ["missing_size"]
    );
}

#[test]
fn tags_that_look_like_the_books_and_are_none_of_them_are_told() {
    let rows = price("vm", "vm", 1, "")
        + "[[service]]\nid = \"Backup\"\namount = 1\nper = \"month\"\n\
           [[package]]\nid = \"Gold\"\nservices = []\namount = 1\nper = \"month\"\n";
    let told = |key: &str, value: &str| {
        let cloud = Cloud::new().vm("m", 1, 1, "2026-08-01", "2026-11-01").tag(
            "m",
            key,
            value,
            "2026-09-11",
            "2026-09-21",
        );
        let bill = rate(&cloud, &rows);
        let found = bill.findings.iter();
        let found = found.filter(|finding| finding.kind.slug() == "unknown_tag_value");
        found
            .map(|finding| {
                assert_eq!(finding.millis, 10 * 24 * 3_600_000);
                assert_eq!(finding.resource_name.as_deref(), Some("m"));
                let tag = finding.message.split_once(" fits no ").unwrap().0;
                tag.strip_prefix("m: tag ").unwrap().to_owned()
            })
            .collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(told("Service", "Backup"), none);
    assert_eq!(told("Service", "Backup,Bakcup"), ["Service=Bakcup"]);
    assert_eq!(told("Package", "Golden"), ["Package=Golden"]);
    assert_eq!(told("Billing", "noCPU"), none);
    assert_eq!(told("Billing:noCPU", ""), none);
    assert_eq!(told("Billing:noCpus", ""), ["Billing:noCpus"]);
    assert_eq!(told("Other", "noCPU"), none);
    assert_eq!(told("Other:noCPU", ""), none);
}

#[test]
fn a_service_is_charged_with_what_its_unit_is_of() {
    let service =
        |more: &str| format!("[[service]]\nid = \"Backup\"\namount = 2\nper = \"month\"\n{more}\n");
    let cloud = cloud().tag("m", "Service", "Backup", "2026-08-01", "2026-11-01");
    let rows = price("vm", "vm", 1, "") + &price("disk", "disk", 0, "");
    // once for the VM, by its 4 GiB of RAM, by the 10 GiB of its volume
    for (unit, cost, kind) in [
        ("", 2, "vm"),
        ("unit = \"GiB RAM\"", 8, "vm"),
        ("unit = \"vCPU\"", 4, "vm"),
        ("unit = \"GiB disk\"", 20, "volume"),
    ] {
        let bill = rate(&cloud, &(rows.clone() + &service(unit)));
        let line = line(&bill, "Backup");
        assert_eq!(
            (line.net.clone(), line.resource_kind),
            (Exact::from(cost), kind),
            "{unit}"
        );
        assert!(findings(&bill).is_empty(), "{unit}: {:?}", bill.findings);
    }
    // sold to nobody: told once
    let other = rows + &service("unit = \"GiB disk\"\nscope = { project = \"web\" }");
    let bill = rate(&cloud, &other);
    assert!(
        finding(&bill, "unpriced")
            .message
            .contains("service Backup")
    );
    assert_eq!(findings(&bill), ["unpriced"]);
}

#[test]
fn a_service_that_only_comes_with_a_package_is_shown_with_the_time_that_the_vm_is_there() {
    // the VM is there all month and runs until the 15th; it has the service singly as well
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .with_vm(|vm| vm.stopped = vec![between("2026-09-16", "2026-11-01")])
        .tag("m", "Package", "Gold", "2026-08-01", "2026-11-01")
        .tag("m", "Service", "Care", "2026-08-01", "2026-11-01");
    let rows = price("vm", "vm", 1, "")
        + "[[service]]\nid = \"Care\"\n\
           [[package]]\nid = \"Gold\"\nservices = [\"Care\"]\namount = 5\nper = \"month\"\n";
    let bill = rate(&cloud, &rows);
    let care = line(&bill, "Care");
    assert_eq!(care.exemption.as_deref(), Some("included in Gold"));
    assert_eq!(care.used_millis, 30 * 24 * 3_600_000);
    let twice = finding(&bill, "service_twice");
    assert_eq!(twice.millis, 30 * 24 * 3_600_000);
}

#[test]
fn the_nearest_domain_with_a_price_or_factor_counts() {
    let cloud = Cloud::new()
        .domain("sub", "ROOT/acme/sub", "acme")
        .domain("beside", "ROOT/acme/beside", "acme")
        .project("web", "sub")
        .vm_of("m", "project:web", 1, 1, "2026-08-01", "2026-11-01");
    let within = |path: &str| format!("scope = {{ domain = \"{path}\" }}");
    let rows = |places: &[(&str, u32)]| -> (String, String) {
        let each = places.iter();
        let prices = each
            .clone()
            .map(|(path, amount)| price(path, "vm", *amount, &within(path)));
        let factors = each.map(|(path, factor)| {
            format!(
                "[[factor]]\nid = \"{path}\"\ngroup = \"g\"\nfactor = {factor}\n{}\n",
                within(path)
            )
        });
        (
            price("all", "vm", 1, "") + &prices.collect::<String>(),
            price("all", "vm", 1, "") + &factors.collect::<String>(),
        )
    };
    let costs = |places: &[(&str, u32)]| {
        let (prices, factors) = rows(places);
        let by_price = exact(&rate(&cloud, &prices), "vm");
        assert_eq!(exact(&rate(&cloud, &factors), "vm"), by_price, "{places:?}");
        by_price
    };
    let (acme, sub, beside) = ("ROOT/acme", "ROOT/acme/sub", "ROOT/acme/beside");
    assert_eq!(costs(&[(acme, 7)]), Exact::from(7));
    assert_eq!(costs(&[(acme, 7), (sub, 3)]), Exact::from(3));
    assert_eq!(costs(&[(acme, 3), (sub, 7)]), Exact::from(7));
    assert_eq!(costs(&[(beside, 5)]), Exact::from(1));
    assert_eq!(costs(&[(acme, 7), (beside, 5)]), Exact::from(7));
}
