//! What a line shows beside its amount: what it is called, whose it is, what was in force;
//! and in which order lines stand.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use cloudstack_usage::Tag;
use rating_engine::{Bill, Exact, LineItem};

use support::cloud::GIB;
use support::{Cloud, book, line, lines, month, of, rate_json};

const PRICES: &str = r#"
[[price]]
id = "cpu"
meter = "cpu"
amount = 10
per = "month"

[[price]]
id = "ram"
meter = "ram"
amount = 5
per = "month"
label = "Memory"

[[price]]
id = "disk"
meter = "disk"
amount = 1
per = "month"

[[price]]
id = "sent"
meter = "traffic_sent"
unit = "GiB"
amount = 1

[[price]]
id = "ip"
meter = "ip"
amount = 1
per = "hour"
kind = "flat"

[[service]]
id = "Backup"
label = "Nightly backup"
amount = 2
per = "month"
unit = "GiB RAM"

[[service]]
id = "Monitoring"
amount = 3
per = "month"

[[service]]
id = "Setup"
amount = 3
per = "once"

[[service]]
id = "Managed"
percent = "10"
percent_of = ["cpu"]

[[package]]
id = "Gold"
label = "All of it"
services = []
amount = 7
per = "month"

[[package]]
id = "Silver"
services = []
amount = 6
per = "month"
"#;

fn rate(cloud: &Cloud, rows: &str) -> Bill {
    let book = book(&format!("{PRICES}{rows}"));
    cloud.rate(&book, month(&book, "2026-09"))
}

fn cloud() -> Cloud {
    Cloud::new()
        .vm("m", 2, 4, "2026-09-02", "2026-11-01")
        .volume("v", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .ip("a", "2026-08-01", "2026-11-01")
        .counted(4, "net", &[("2026-09-03", 3 * GIB)])
        .tag(
            "m",
            "Service",
            "Backup,Monitoring,Managed,Setup",
            "2026-09-02",
            "2026-11-01",
        )
        .tag("m", "Package", "Gold", "2026-09-02", "2026-09-20")
        .tag("m", "Package", "Silver", "2026-09-20", "2026-11-01")
}

#[test]
fn a_line_is_called_as_the_book_calls_it() {
    let bill = rate(&cloud(), "");
    let label = |item: &str| line(&bill, item).label.clone();
    // by the price's label, else the service's or package's, else by its id or meter
    assert_eq!(label("ram"), "Memory");
    assert_eq!(label("Backup"), "Nightly backup");
    assert_eq!(label("Monitoring"), "Monitoring");
    assert_eq!(label("Gold"), "All of it");
    assert_eq!(label("Silver"), "Silver");
    assert_eq!(label("cpu"), rating_engine::Meter::Cpu.label());
}

#[test]
fn a_quantity_has_the_unit_that_is_priced() {
    let bill = rate(&cloud(), "");
    let shown = |item: &str| {
        let line = line(&bill, item);
        (line.unit.clone(), line.used_millis > 0)
    };
    let unit = |unit: &str, has_time: bool| (unit.to_owned(), has_time);
    assert_eq!(shown("cpu"), unit("vCPU-month", true));
    assert_eq!(shown("ram"), unit("GiB-month", true));
    assert_eq!(shown("traffic_sent"), unit("GiB", false));
    assert_eq!(shown("ip"), unit("each-hour", true));
    assert_eq!(shown("Backup"), unit("GiB RAM-month", true));
    assert_eq!(shown("Managed"), unit("EUR", false));
    assert_eq!(shown("Setup").0, "VM once");
}

/// The fields of a key stand apart, and it names the discounts that make two lines of one
/// thing.
#[test]
fn a_key_names_what_makes_the_line() {
    let rows = "[[discount]]\nid = \"a\"\npercent = 10\nmeters = [\"cpu\"]\n\
        [[discount]]\nid = \"b,c\"\npercent = 10\nmeters = [\"cpu\"]\nfrom = 2026-09-11\n\
        [[tax]]\nid = \"vat\"\npercent = 20\n";
    let bill = rate(&cloud(), rows);
    let cpu = of(&bill, "cpu");
    let mut shown: Vec<(&str, Vec<String>)> = cpu
        .iter()
        .map(|line| (line.key.as_str(), line.discounts.clone()))
        .collect();
    shown.sort();
    let key =
        |discounts: &str| format!("acme|acme|account ops|m|m||meter cpu|cpu||{discounts}|vat");
    let (one, two) = (key("a"), key("a,b\\\\,c"));
    let mut expected = [
        (one.as_str(), vec!["a".to_owned()]),
        (two.as_str(), vec!["a".to_owned(), "b,c".to_owned()]),
    ];
    expected.sort();
    assert_eq!(shown, expected);
    let of_ram = &line(&bill, "ram");
    assert_eq!(of_ram.key, "acme|acme|account ops|m|m||meter ram|ram|||vat");
    assert!(of_ram.discounts.is_empty());
}

#[test]
fn a_line_has_the_tags_that_were_in_force_for_any_part_of_it() {
    let cloud = cloud()
        .tag("m", "Area", "old", "2026-08-01", "2026-09-02")
        .tag("m", "Area", "new", "2026-09-03", "2026-09-04")
        .tag("Volume:v", "Kind", "fast", "2026-09-10", "2026-09-11");
    let bill = rate(&cloud, "");
    let tags = |item: &str| line(&bill, item).tags.clone();
    let of_cpu = tags("cpu");
    for (key, value) in [
        ("Area", "new"),
        ("Package", "Gold"),
        ("Package", "Silver"),
        ("Service", "Backup,Monitoring,Managed,Setup"),
    ] {
        assert!(of_cpu.contains(&Tag::new(key, value)), "{key}: {of_cpu:?}");
    }
    assert!(!of_cpu.contains(&Tag::new("Area", "old")));
    assert!(!of_cpu.contains(&Tag::new("Kind", "fast")));
    assert!(tags("disk").contains(&Tag::new("Kind", "fast")));
    // the package's own line is of its time
    let gold = tags("Gold");
    assert!(gold.contains(&Tag::new("Package", "Gold")));
    assert!(!gold.contains(&Tag::new("Package", "Silver")), "{gold:?}");
}

#[test]
fn what_no_list_knows_is_named_as_its_description_names_it() {
    let book = book(PRICES);
    let record = r#"{"usagetype": 3, "usageid": "a", "rawusage": "24", "usage": "24 Hrs",
        "description": "IPAddress: 192.0.2.5", "domainid": "acme", "accountid": "ops", "account": "ops",
        "startdate": "2026-09-03T00:00:00+0000", "enddate": "2026-09-03T23:59:59+0000"}"#;
    let bill = rate_json(&book, &[record.to_owned()], &[], month(&book, "2026-09"));
    assert_eq!(line(&bill, "ip").resource_name, "192.0.2.5");
    // a list knows better
    assert_eq!(line(&rate(&cloud(), ""), "ip").resource_name, "a");
}

/// By domain, owner and VM; what belongs to no VM comes after those.
#[test]
fn lines_stand_where_people_look_for_them() {
    let cloud = Cloud::new()
        .domain("beta", "ROOT/beta", "ROOT")
        .domain("sub", "ROOT/acme/a", "acme")
        .project("zeta", "sub")
        .project("alpha", "acme")
        .vm_of("y", "project:web", 1, 1, "2026-08-01", "2026-11-01")
        .vm_of("x", "project:web", 1, 1, "2026-08-01", "2026-11-01")
        .vm_of("n", "project:zeta", 1, 1, "2026-08-01", "2026-11-01")
        .vm_of("o", "project:alpha", 1, 1, "2026-08-01", "2026-11-01")
        .volume_of("a", "project:web", GIB, None, "2026-08-01", "2026-11-01")
        .volume_of(
            "w",
            "project:web",
            GIB,
            Some("y"),
            "2026-08-01",
            "2026-11-01",
        );
    let bill = rate(&cloud, "");
    let place = |line: &&LineItem| {
        let vm = line.vm_name.clone().unwrap_or_default();
        format!(
            "{} {} {vm} {}",
            line.domain_path,
            line.holder_name,
            line.item.name()
        )
    };
    let places: Vec<String> = lines(&bill).iter().map(place).collect();
    assert_eq!(
        places,
        [
            "ROOT/acme alpha o cpu",
            "ROOT/acme alpha o ram",
            "ROOT/acme web x cpu",
            "ROOT/acme web x ram",
            "ROOT/acme web y cpu",
            "ROOT/acme web y ram",
            "ROOT/acme web y disk",
            "ROOT/acme web  disk",
            "ROOT/acme/a zeta n cpu",
            "ROOT/acme/a zeta n ram",
        ]
    );
}

#[test]
fn what_does_not_change_in_a_month_is_one_segment() {
    let cloud = Cloud::new()
        .vm("m", 2, 4, "2026-08-01", "2026-11-01")
        .volume("v", 10 * GIB, Some("m"), "2026-08-01", "2026-11-01")
        .ip("a", "2026-08-01", "2026-11-01");
    let bill = rate(&cloud, "");
    for item in ["disk", "ip", "cpu", "ram"] {
        let segments = &line(&bill, item).explanation.segments;
        assert_eq!(segments.len(), 1, "{item}");
    }
}

#[test]
fn a_line_says_what_kind_of_thing_it_is_for() {
    let bill = rate(&cloud(), "");
    let kind = |item: &str| line(&bill, item).resource_kind;
    assert_eq!(
        ["cpu", "Gold", "disk", "ip", "traffic_sent"].map(kind),
        ["vm", "vm", "volume", "ip", "network"]
    );
}

/// Why this price and no other: all that might have applied are named, the customer's own too.
#[test]
fn an_explanation_names_the_prices_of_the_project_as_well() {
    let rows = "[[price]]\nid = \"web\"\nmeter = \"disk\"\namount = 2\nper = \"month\"\nscope = { project = \"web\" }\nuntil = 2026-11-30\n\
        [[price]]\nid = \"later\"\nmeter = \"disk\"\namount = 3\nper = \"month\"\nscope = { project = \"web\" }\nfrom = 2026-12-01\n";
    let cloud = Cloud::new().volume_of("v", "project:web", GIB, None, "2026-08-01", "2026-11-01");
    let bill = rate(&cloud, rows);
    let choices = &line(&bill, "disk").explanation.prices;
    let choices: Vec<(&str, bool)> = choices
        .iter()
        .map(|choice| (choice.price.as_str(), choice.chosen))
        .collect();
    assert_eq!(choices, [("web", true), ("disk", false), ("later", false)]);
}

/// What records say of a name may change from day to day, and they come in any order: the
/// latest day's is shown.
#[test]
fn a_name_is_that_of_the_latest_record_in_whatever_order_they_come() {
    let book = book(PRICES);
    let record = |day: u32, name: &str| {
        format!(
            r#"{{"usagetype": 3, "usageid": "a", "rawusage": "24", "usage": "24 Hrs",
                "description": "IPAddress: {name}", "domainid": "acme", "accountid": "ops", "account": "{name}",
                "startdate": "2026-09-{day:02}T00:00:00+0000", "enddate": "2026-09-{day:02}T23:59:59+0000"}}"#
        )
    };
    let days = [
        (3, "old"),
        (4, "younger"),
        (5, "new"),
        (6, "last"),
        (7, "last"),
    ];
    let mut orders = vec![[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]];
    orders.extend([[1, 0, 3, 2, 4], [4, 0, 1, 2, 3], [3, 2, 4, 1, 0]]);
    for order in orders {
        let records = order.map(|place| record(days[place].0, days[place].1));
        let bill = rate_json(&book, &records, &[], month(&book, "2026-09"));
        let line = line(&bill, "ip");
        assert_eq!(
            [&line.resource_name, &line.holder_name],
            ["last", "last"],
            "{order:?}"
        );
    }
}

/// The segments of the one line of an item, where a rule changes in the middle of the month.
fn segments(cloud: &Cloud, item: &str, rows: &str) -> usize {
    let book = book(rows);
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    line(&bill, item).explanation.segments.len()
}

#[test]
fn a_change_cuts_what_it_may_decide_about_and_nothing_else() {
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .volume("v", GIB, Some("m"), "2026-08-01", "2026-11-01")
        .ip("a", "2026-08-01", "2026-11-01");
    let price = |meter: &str, id: &str, validity: &str| {
        format!(
            "[[price]]\nid = \"{id}\"\nmeter = \"{meter}\"\namount = 1\nper = \"month\"\n{validity}\n"
        )
    };
    let both = |meter: &str| {
        price(meter, &format!("{meter}-old"), "until = 2026-09-15")
            + &price(meter, &format!("{meter}-new"), "from = 2026-09-16")
    };
    let always = |meter: &str| price(meter, meter, "");
    // another price of CPU is none of a volume's, nor the other way round
    assert_eq!(
        segments(&cloud, "disk", &(always("disk") + &both("cpu"))),
        1
    );
    assert_eq!(segments(&cloud, "vm", &(always("vm") + &both("disk"))), 1);
    // a service's price may be charged with VMs and volumes, and not with addresses
    let service = "[[service]]\nid = \"Backup\"\namount = 1\nper = \"month\"\nuntil = 2026-09-15\n";
    assert_eq!(segments(&cloud, "ip", &(always("ip") + service)), 1);
}

#[test]
fn a_service_changes_its_price_on_its_day() {
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-01", "2026-11-01")
        .volume("v", GIB, Some("m"), "2026-08-01", "2026-11-01")
        .tag("m", "Service", "Backup", "2026-08-01", "2026-11-01");
    // 15 days at 2, 15 at 4, with the VM or with its volume of a GiB
    for unit in ["", "unit = \"GiB disk\""] {
        let rows = format!(
            "[[service]]\nid = \"Backup\"\namount = 2\nper = \"month\"\n{unit}\nuntil = 2026-09-15\n\
             [[price]]\nid = \"new\"\nservice = \"Backup\"\namount = 4\nper = \"month\"\n{unit}\nfrom = 2026-09-16\n"
        );
        let book = book(&rows);
        let bill = cloud.rate(&book, month(&book, "2026-09"));
        assert_eq!(support::exact(&bill, "Backup"), Exact::from(3), "{unit}");
    }
}
