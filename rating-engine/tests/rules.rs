//! Contract rules from the text of a book and records to a statement: minimum and maximum
//! charges, credits, taxes, proration, flat prices, discounts on every scope.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use cloudstack_usage::{
    DomainEntry, History, Holder, Inventory, Lifetime, LifetimeSource, Moment, MomentSource, Owner,
    Period, ProjectEntry, TagHistory, VmEntry, parse_usage_record,
};
use num_bigint::BigInt;
use proptest::prelude::*;
use rating_engine::{
    Bill, Currency, Exact, FindingKind, LineItem, Money, Policy, PriceBook, Proration, Rating,
    RoundingMode, Statement, allocate, share,
};
use rust_decimal::Decimal;

/// What a conformance case expects, in its order.
fn expected(id: &str) -> Vec<String> {
    let cases = include_str!("cases/rating.jsonl");
    let mut cases = cases
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let case = cases.find(|case| case["id"] == id).unwrap();
    let values = case["expected"].as_array().unwrap().iter();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

fn at(text: &str) -> DateTime<Utc> {
    let text = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        _ => format!("{}:00Z", text.replace(' ', "T")),
    };
    text.parse().unwrap()
}

fn between(start: &str, end: &str) -> Period {
    Period::new(at(start), at(end)).unwrap()
}

fn book_text(rows: &str) -> String {
    format!(
        "schema = 1\nname = \"Test\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"allocated\"\n{rows}"
    )
}

fn book(rows: &str) -> PriceBook {
    PriceBook::from_toml(&book_text(rows)).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The slugs of everything that is wrong with a book.
fn wrong(rows: &str) -> Vec<&'static str> {
    let errors = PriceBook::from_toml(&book_text(rows)).unwrap_err();
    errors
        .errors()
        .iter()
        .map(rating_engine::BookError::slug)
        .collect()
}

/// A domain `acme` with a project `web`; VMs live as told.
fn inventory(vms: &[(&str, Period)]) -> Inventory {
    let mut inventory = Inventory::default();
    for (id, path, parent) in [("root", "ROOT", None), ("acme", "ROOT/acme", Some("root"))] {
        let entry = DomainEntry {
            id: id.into(),
            name: History::constant(path.rsplit('/').next().unwrap().to_owned()),
            path: History::constant(path.to_owned()),
            parent: parent.map(Into::into),
            tags: TagHistory::default(),
        };
        inventory.domains.insert(id.into(), entry);
    }
    for id in ["web", "idle"] {
        let entry = ProjectEntry {
            id: id.into(),
            name: History::constant(id.to_owned()),
            domain: History::constant("acme".into()),
            tags: TagHistory::default(),
        };
        inventory.projects.insert(id.into(), entry);
    }
    for (id, life) in vms {
        let owner = Owner {
            domain: "acme".into(),
            holder: Holder::Project("web".into()),
        };
        let entry = VmEntry {
            id: (*id).into(),
            lifetime: Lifetime {
                start: life.start(),
                start_source: LifetimeSource::Created,
                end: Some(life.end()),
                end_source: LifetimeSource::Removed,
                last_seen: None,
            },
            name: History::constant((*id).to_owned()),
            display_name: History::new(),
            owner: History::constant(owner),
            offering: History::new(),
            cpu_count: History::new(),
            memory_mib: History::new(),
            template: History::new(),
            os_type: History::new(),
            zone: None,
            hypervisor: None,
            power: History::new(),
            tags: TagHistory::default(),
        };
        inventory.vms.insert((*id).into(), entry);
    }
    inventory
}

fn record(usage_type: u32, id: &str, day: DateTime<Utc>, raw: &str, more: &str) -> String {
    let end = day + TimeDelta::days(1) - TimeDelta::seconds(1);
    let time = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let (start, end) = (time(day), time(end));
    format!(
        r#"{{"usagetype": {usage_type}, "usageid": "{id}", "rawusage": "{raw}", "usage": "{raw}",
            "description": "{id}", "domainid": "acme", "domainpath": "ROOT/acme", "projectid": "web", "project": "web",
            "startdate": "{start}", "enddate": "{end}"{more}}}"#
    )
}

/// Daily records of something that was there from one instant to another.
fn lasting(usage_type: u32, id: &str, life: Period, more: &str) -> Vec<String> {
    let mut records = Vec::new();
    let mut day = life
        .start()
        .date_naive()
        .and_hms_opt(0, 0, 0)
        .unwrap()
        .and_utc();
    while day < life.end() {
        let next = day + TimeDelta::days(1);
        let window = Period::new(day, next).unwrap();
        let used = window.intersect(&life).unwrap().millis();
        let hours = Decimal::from(used) / Decimal::from(3_600_000);
        records.push(record(usage_type, id, day, &hours.to_string(), more));
        day = next;
    }
    records
}

fn vm(id: &str, life: Period) -> Vec<String> {
    let more =
        format!(r#", "virtualmachineid": "{id}", "name": "{id}", "cpunumber": 2, "memory": 4096"#);
    lasting(2, id, life, &more)
}

fn address(id: &str, life: Period) -> Vec<String> {
    lasting(3, id, life, "")
}

fn volume(id: &str, gib: u64, life: Period) -> Vec<String> {
    lasting(6, id, life, &format!(r#", "size": {}"#, gib << 30))
}

/// Bytes sent on days of a month.
fn sent(days: &[(&str, u64)]) -> Vec<String> {
    let records = days.iter();
    records
        .map(|(day, bytes)| record(4, "net", at(day), &bytes.to_string(), ""))
        .collect()
}

fn rate_in(
    book: &PriceBook,
    inventory: &Inventory,
    records: &[Vec<String>],
    period: Period,
) -> Bill {
    let mut rating = Rating::new(book, inventory, period).unwrap();
    for json in records.iter().flatten() {
        rating.push(&parse_usage_record(json).unwrap_or_else(|error| panic!("{error}: {json}")));
    }
    let bill = rating.finish();
    for statement in &bill.statements {
        let printed: BigInt = statement.lines.iter().map(|line| line.amount.minor()).sum();
        assert_eq!(&printed, statement.total.minor(), "printed lines add up");
        let tax: BigInt = statement.taxes.iter().map(|tax| tax.amount.minor()).sum();
        assert_eq!(&(printed + tax), statement.gross.minor());
        for line in &statement.lines {
            let taken: Exact = line
                .explanation
                .reductions
                .iter()
                .map(|taken| &taken.amount)
                .sum();
            assert_eq!(
                line.list.clone() - taken,
                line.net,
                "reductions explain the net"
            );
            let segments: Exact = line.explanation.segments.iter().map(|part| &part.net).sum();
            assert_eq!(segments, line.net, "segments add up to the line");
        }
    }
    bill
}

fn rate(book: &PriceBook, records: &[Vec<String>], period: Period) -> Bill {
    rate_in(book, &inventory(&[]), records, period)
}

fn september() -> Period {
    between("2026-09-01", "2026-10-01")
}

fn only(bill: &Bill) -> &Statement {
    match bill.statements.as_slice() {
        [statement] => statement,
        other => panic!("{} statements", other.len()),
    }
}

/// The printed amounts of an item's lines.
fn amounts(bill: &Bill, item: &str) -> Vec<String> {
    let lines = only(bill).lines.iter();
    lines
        .filter(|line| line.item.name() == item)
        .map(|line| line.amount.amount())
        .collect()
}

fn line<'b>(bill: &'b Bill, item: &str) -> &'b LineItem {
    only(bill)
        .lines
        .iter()
        .find(|line| line.item.name() == item)
        .unwrap_or_else(|| panic!("no line of {item}"))
}

const BASE_VM: &str = r#"
[[price]]
id = "cpu"
meter = "cpu"
amount = "10.00"
per = "month"
[[price]]
id = "ram"
meter = "ram"
amount = "5.00"
per = "month"
[[price]]
id = "disk"
meter = "disk"
amount = "0.10"
per = "month"
"#;

fn base_vm(life: Period) -> Vec<Vec<String>> {
    vec![vm("vm", life), volume("root", 50, life)]
}

const ADDRESS: &str = r#"
[[price]]
id = "ip"
meter = "ip"
per = "month"
amount = "#;

// minimum and maximum charges

#[test]
fn x28_a_minimum_is_a_line_of_its_own_and_not_prorated_by_its_vms() {
    let rows =
        format!("{BASE_VM}[[minimum]]\nid = \"base\"\namount = \"50.00\"\nper = \"project\"\n");
    let life = between("2026-09-16", "2026-10-01");
    let bill = rate_in(
        &book(&rows),
        &inventory(&[("vm", life)]),
        &base_vm(life),
        september(),
    );
    assert_eq!(amounts(&bill, "base"), expected("X28"));
    let minimum = line(&bill, "base");
    assert_eq!(minimum.item.kind(), "minimum");
    assert_eq!(
        (minimum.resource_kind, minimum.resource_name.as_str()),
        ("project", "web")
    );
    assert_eq!(bill.total.amount(), "50.00");
}

#[test]
fn a_projects_minimum_is_taxed_as_the_project_is() {
    // what is missing to the minimum has the project's own rate, a domain's that of everybody
    let rows = |per: &str| {
        format!(
            "{BASE_VM}[[minimum]]\nid = \"base\"\namount = \"50.00\"\nper = \"{per}\"\n\
            [[tax]]\nid = \"vat\"\npercent = 20\n\
            [[tax]]\nid = \"own\"\npercent = 10\nscope = {{ project = \"web\" }}\n"
        )
    };
    let life = between("2026-09-16", "2026-10-01");
    for (per, tax) in [("project", "own"), ("domain", "vat")] {
        let inventory = inventory(&[("vm", life)]);
        let bill = rate_in(&book(&rows(per)), &inventory, &base_vm(life), september());
        assert_eq!(line(&bill, "base").tax.as_deref(), Some(tax), "{per}");
    }
}

#[test]
fn a_month_that_is_not_over_owes_no_minimum() {
    let rows =
        format!("{BASE_VM}[[minimum]]\nid = \"base\"\namount = \"50.00\"\nper = \"project\"\n");
    let life = between("2026-09-01", "2026-10-01");
    for period in [
        between("2026-09-01", "2026-09-30"),
        between("2026-09-02", "2026-10-01"),
    ] {
        let bill = rate(&book(&rows), &base_vm(life), period);
        assert_eq!(amounts(&bill, "base"), [""; 0]);
    }
    let two_months = between("2026-09-01", "2026-11-01");
    let bill = rate(&book(&rows), &base_vm(life), two_months);
    // 5.00 for September; nothing was used in October, and nobody committed to anything
    assert_eq!(amounts(&bill, "base"), ["5.00"]);
}

#[test]
fn d39_a_minimum_is_prorated_by_its_validity_and_taxed() {
    let rows = r#"
        [[price]]
        id = "ip"
        meter = "ip"
        amount = "8.96"
        per = "month"
        [[minimum]]
        id = "base"
        amount = "10.00"
        per = "account"
        from = 2026-02-04
        [[tax]]
        id = "vat"
        percent = "20"
    "#;
    // 8.96 x 25/28 = 8.00 used since the 4th
    let records = [address("a", between("2026-02-04", "2026-03-01"))];
    let bill = rate(&book(rows), &records, between("2026-02-01", "2026-03-01"));
    assert_eq!(amounts(&bill, "ip"), ["8.00"]);
    let statement = only(&bill);
    let printed = [
        line(&bill, "base").amount.amount(),
        statement.taxes[0].amount.amount(),
        statement.gross.amount(),
    ];
    assert_eq!(printed.to_vec(), expected("D39"));
}

#[test]
fn a_resources_minimum_is_prorated_by_its_life() {
    let rows = format!(
        "{BASE_VM}[[minimum]]\nid = \"vm\"\namount = \"60.00\"\nper = \"resource\"\nmeters = [\"cpu\", \"ram\"]\n"
    );
    let life = between("2026-09-16", "2026-10-01");
    let bill = rate_in(
        &book(&rows),
        &inventory(&[("vm", life)]),
        &base_vm(life),
        september(),
    );
    // half of 60.00 less half of 2 x 10.00 + 4 x 5.00; the disk does not count
    assert_eq!(amounts(&bill, "vm"), ["10.00"]);
    assert_eq!(line(&bill, "vm").vm_name.as_deref(), Some("vm"));
}

#[test]
fn the_nearest_minimum_holds_and_outer_ones_count_what_inner_ones_made_up() {
    let minimum = |id: &str, amount: &str, more: &str| {
        format!("[[minimum]]\nid = \"{id}\"\namount = \"{amount}\"\n{more}\n")
    };
    let rows = [
        BASE_VM.to_owned(),
        minimum("all", "500.00", "per = \"project\""),
        minimum(
            "web",
            "60.00",
            "per = \"project\"\nscope = { project = \"web\" }",
        ),
        minimum(
            "idle",
            "5.00",
            "per = \"project\"\nscope = { project = \"idle\" }",
        ),
        minimum(
            "acme",
            "70.00",
            "per = \"account\"\nscope = { domain = \"ROOT/acme\" }",
        ),
    ]
    .concat();
    let life = september();
    let bill = rate(&book(&rows), &base_vm(life), september());
    assert_eq!(amounts(&bill, "all"), [""; 0]);
    assert_eq!(amounts(&bill, "web"), ["15.00"]); // 60 - 45
    assert_eq!(amounts(&bill, "idle"), ["5.00"]); // committed, nothing used
    assert_eq!(amounts(&bill, "acme"), ["5.00"]); // 70 - 45 - 15 - 5
    assert_eq!(bill.total.amount(), "70.00");
}

/// Case C13: a volume price with flat steps.
const C13: &str = r#"
[[price]]
id = "sent"
meter = "traffic_sent"
unit = "B"
tier_mode = "volume"
tiers = [
    { up_to = "5", flat = "100" }, { up_to = "10", flat = "150" },
    { up_to = "15", amount = "10" }, { amount = "5" },
]
"#;

fn total_of(rows: &str, units: u64) -> Decimal {
    let bill = rate(&book(rows), &[sent(&[("2026-09-10", units)])], september());
    bill.total.amount().parse::<Decimal>().unwrap().normalize()
}

#[test]
fn c13_the_first_flat_amount_is_due_at_zero() {
    let totals = [0, 3, 5, 14, 15, 16, 100].map(|units| total_of(C13, units).to_string());
    assert_eq!(totals.to_vec(), expected("C13"));
    // two records of nothing owe it once
    let nothing = [sent(&[("2026-09-10", 0), ("2026-09-11", 0)])];
    assert_eq!(
        rate(&book(C13), &nothing, september()).total.amount(),
        "100.00"
    );
}

#[test]
fn c33_a_stair_step_is_a_volume_price_of_flat_amounts() {
    let rows = r#"
        [[price]]
        id = "sent"
        meter = "traffic_sent"
        unit = "B"
        tier_mode = "volume"
        tiers = [{ up_to = "15", flat = "180" }, { flat = "250" }]
    "#;
    assert_eq!(
        [15, 999]
            .map(|units| total_of(rows, units).to_string())
            .to_vec(),
        expected("C33")
    );
}

#[test]
fn f14_limits_hold_whatever_the_price() {
    let limit = |kind: &str, amount: u32| {
        format!("{C13}[[{kind}]]\nid = \"limit\"\namount = {amount}\nper = \"account\"\n")
    };
    let totals = [
        total_of(&limit("minimum", 150), 0),
        total_of(&limit("minimum", 100), 100),
        total_of(&limit("maximum", 125), 7),
    ];
    assert_eq!(
        totals.map(|total| total.to_string()).to_vec(),
        expected("F14")
    );
}

#[test]
fn f13_a_maximum_is_reached_in_order_of_time() {
    let rows = r#"
        [[price]]
        id = "sent"
        meter = "traffic_sent"
        unit = "B"
        tiers = [
            { up_to = "5", flat = "100" }, { up_to = "10", flat = "50" },
            { up_to = "15", amount = "5" }, { amount = "1" },
        ]
        [[maximum]]
        id = "most"
        amount = "170"
        per = "project"
    "#;
    let records = [sent(&[
        ("2026-09-01", 12),
        ("2026-09-02", 3),
        ("2026-09-03", 7),
    ])];
    let bill = rate(&book(rows), &records, september());
    let line = line(&bill, "traffic_sent");
    let nets: Vec<String> = line
        .explanation
        .segments
        .iter()
        .map(|part| part.net.to_string())
        .collect();
    assert_eq!(nets, ["160", &expected("F13")[0], "0"]);
    assert_eq!(line.explanation.reductions[0].discount, "most");
    assert_eq!(line.explanation.reductions[0].amount.to_string(), "12");
}

#[test]
fn what_is_charged_at_the_same_time_shares_a_maximum() {
    let rows = format!(
        "{ADDRESS}\"100.00\"\n[[maximum]]\nid = \"most\"\namount = \"170\"\nper = \"account\"\n"
    );
    let records = ["a", "b"].map(|id| address(id, september()));
    let bill = rate(&book(&rows), &records, september());
    assert_eq!(amounts(&bill, "ip"), ["85.00", "85.00"]);
}

#[test]
fn f01_f15_discounts_come_before_the_minimum() {
    let rows = |discount: &str, minimum: &str| {
        format!(
            "{ADDRESS}\"100.00\"\n{discount}[[minimum]]\nid = \"least\"\namount = {minimum}\nper = \"account\"\n"
        )
    };
    let ten = "[[discount]]\nid = \"ten\"\npercent = 10\n";
    let records = [address("a", september())];
    let total = |text: &str| {
        let bill = rate(&book(text), &records, september());
        bill.total
            .amount()
            .parse::<Decimal>()
            .unwrap()
            .normalize()
            .to_string()
    };
    // the order is one: a book cannot take the minimum before the discount, which is the
    // case's second value and what a minimum below the discounted amount gives here
    assert_eq!(
        [total(&rows(ten, "95")), total(&rows(ten, "90"))].to_vec(),
        expected("F01")
    );
    let f15 = format!(
        "{ADDRESS}\"20.00\"\n{ten}[[minimum]]\nid = \"least\"\namount = 50\nper = \"account\"\n[[maximum]]\nid = \"most\"\namount = 500\nper = \"account\"\n"
    );
    assert_eq!(
        rate(&book(&f15), &records, september()).total.amount(),
        expected("F15")[0]
    );
}

// tax

#[test]
fn h01_each_rate_is_a_group_of_its_own() {
    let rows = format!(
        "{ADDRESS}\"30.00\"\n[[price]]\nid = \"disk\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = 20\n
        [[tax]]\nid = \"vat\"\npercent = 10\n[[tax]]\nid = \"disks\"\npercent = 12\nmeters = [\"disk\"]\n"
    );
    let records = [address("a", september()), volume("v", 1, september())];
    let bill = rate(&book(&rows), &records, september());
    let statement = only(&bill);
    let of = |id: &str| {
        let tax = statement.taxes.iter().find(|tax| tax.tax == id).unwrap();
        tax.amount.clone()
    };
    let (vat, disks) = (of("vat"), of("disks"));
    let sum = vat.checked_add(&disks).unwrap();
    assert_eq!(
        [vat, disks, sum].map(|tax| tax.amount()).to_vec(),
        expected("H01")
    );
    assert_eq!(
        (statement.total.amount(), statement.gross.amount()),
        ("50.00".into(), "55.40".into())
    );
    assert_eq!(bill.gross, statement.gross);
}

#[test]
fn a_customer_may_have_a_rate_of_its_own() {
    let rows = format!(
        "{ADDRESS}\"30.00\"\n[[tax]]\nid = \"vat\"\npercent = 19\nmeters = [\"ip\"]\n
        [[tax]]\nid = \"reverse\"\nlabel = \"Reverse charge\"\npercent = 0\nscope = {{ domain = \"ROOT/acme\" }}\n"
    );
    let bill = rate(&book(&rows), &[address("a", september())], september());
    assert_eq!(only(&bill).taxes[0].label, "Reverse charge");
    assert_eq!(only(&bill).gross.amount(), "30.00");
}

#[test]
fn a_rate_of_one_customer_that_begins_within_the_month_cuts_the_line() {
    let rows = format!(
        "{ADDRESS}\"30.00\"\n[[tax]]\nid = \"all\"\npercent = 20\n
        [[tax]]\nid = \"own\"\npercent = 10\nfrom = 2026-09-21\nscope = {{ domain = \"ROOT/acme\" }}\n"
    );
    let bill = rate(&book(&rows), &[address("a", september())], september());
    let mut bases: Vec<(&str, String)> = only(&bill)
        .taxes
        .iter()
        .map(|tax| (tax.tax.as_str(), tax.base.amount()))
        .collect();
    bases.sort();
    assert_eq!(
        bases,
        [("all", "20.00".to_owned()), ("own", "10.00".to_owned())]
    );
}

#[test]
fn a_rate_that_changes_cuts_the_line() {
    let rows = format!(
        "{ADDRESS}\"30.00\"\n[[tax]]\nid = \"old\"\npercent = 16\nuntil = 2026-09-20\n[[tax]]\nid = \"new\"\npercent = 19\nfrom = 2026-09-21\n"
    );
    let bill = rate(&book(&rows), &[address("a", september())], september());
    let taxes: Vec<(String, String)> = only(&bill)
        .taxes
        .iter()
        .map(|tax| (tax.base.amount(), tax.amount.amount()))
        .collect();
    assert_eq!(
        taxes,
        [
            ("10.00".into(), "1.90".into()),
            ("20.00".into(), "3.20".into())
        ]
    );
}

#[test]
fn f18_a_coupon_is_spread_over_fees_of_several_rates() {
    let fee = |id: &str, amount: u32| {
        format!(
            "[[price]]\nid = \"{id}\"\nmeter = \"ip\"\nper = \"month\"\namount = {amount}\nname = \"{id}\"\n"
        )
    };
    let rows = [
        fee("a", 100),
        "[[price]]\nid = \"b\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = 50\n".to_owned(),
        "[[price]]\nid = \"c\"\nmeter = \"load_balancer\"\nper = \"month\"\namount = 30\n".to_owned(),
        "[[price]]\nid = \"d\"\nmeter = \"port_forwarding\"\nper = \"month\"\namount = 20\n".to_owned(),
        "[[discount]]\nid = \"coupon\"\namount = 10\n[[tax]]\nid = \"ten\"\npercent = 10\nmeters = [\"ip\"]\n".to_owned(),
        "[[tax]]\nid = \"twenty\"\npercent = 20\n[[tax]]\nid = \"zero\"\npercent = 0\nmeters = [\"disk\"]\n".to_owned(),
    ]
    .concat()
    .replace("name = \"a\"\n", "");
    let records = [
        address("a", september()),
        volume("b", 1, september()),
        lasting(11, "c", september(), ""),
        lasting(12, "d", september(), ""),
    ];
    let bill = rate(&book(&rows), &records, september());
    let statement = only(&bill);
    let tax: BigInt = statement.taxes.iter().map(|tax| tax.amount.minor()).sum();
    let euro = Currency::from_code("EUR").unwrap();
    assert_eq!(
        vec![
            Money::from_minor(tax, euro).amount(),
            statement.gross.amount()
        ],
        expected("F18")
    );
    let by_rate: Vec<String> = statement
        .taxes
        .iter()
        .map(|tax| tax.amount.amount())
        .collect();
    assert_eq!(by_rate, ["9.50", "9.50", "0.00"]); // 9.50, 5.70 + 3.80, nothing
}

#[test]
fn c38_graduated_then_taxed() {
    let rows = r#"
        [[price]]
        id = "sent"
        meter = "traffic_sent"
        unit = "B"
        tiers = [{ up_to = 10000, amount = "0.001" }, { up_to = 100000, amount = "0.0008" }, { amount = "0.0005" }]
        [[tax]]
        id = "vat"
        percent = 8
    "#;
    let bill = rate(
        &book(rows),
        &[sent(&[("2026-09-01", 150_000)])],
        september(),
    );
    let statement = only(&bill);
    let printed = [
        &statement.total,
        &statement.taxes[0].amount,
        &statement.gross,
    ];
    assert_eq!(printed.map(Money::amount).to_vec(), expected("C38"));
}

#[test]
fn b17_h03_h05_tax_is_rounded_once() {
    let money = |text: &str, code: &str| {
        let exact = Exact::from_decimal(text.parse().unwrap());
        Money::round(
            &exact,
            Currency::from_code(code).unwrap(),
            RoundingMode::HalfAway,
        )
    };
    let tax =
        |net: &Money, percent: &str| net.percent(percent.parse().unwrap(), RoundingMode::HalfAway);
    let b17 = [
        ("100", "EUR", "8.875"),
        ("123.45", "EUR", "7.25"),
        ("999", "JPY", "10.5"),
        ("99.99", "EUR", "20"),
        ("1.00", "EUR", "0.1"),
    ]
    .map(|(net, code, percent)| tax(&money(net, code), percent).amount());
    assert_eq!(b17.to_vec(), expected("B17"));
    // a credit note: what was not used, and the tax on that
    let credit_note = |price: &str, used: i64, whole: i64, percent: &str| {
        let day = |days: i64| noon("2026-06-01") + TimeDelta::days(days);
        let unused = share(
            &(day(used)..day(whole)),
            &(day(0)..day(whole)),
            Proration::Second,
        );
        let exact = Exact::from_decimal(price.parse().unwrap()) * unused;
        let euro = Currency::from_code("EUR").unwrap();
        let net = Money::round(&exact, euro, RoundingMode::HalfAway);
        let tax = tax(&net, percent);
        let gross = net.checked_add(&tax).unwrap();
        [net, tax, gross].map(|money| money.amount()).to_vec()
    };
    assert_eq!(credit_note("200.00", 1, 30, "25"), expected("H03"));
    assert_eq!(credit_note("29.99", 1, 7, "23.33"), expected("H05"));
}

#[test]
fn two_rates_for_one_thing_do_not_load() {
    let rate = |id: &str, more: &str| format!("[[tax]]\nid = \"{id}\"\npercent = 19\n{more}\n");
    assert_eq!(wrong(&(rate("a", "") + &rate("b", ""))), ["tax_overlap"]);
    let meters = "meters = [\"ip\", \"cpu\"]";
    assert_eq!(
        wrong(&(rate("a", meters) + &rate("b", meters))),
        ["tax_overlap"]
    );
    book(&(rate("a", "") + &rate("b", meters)));
    book(&(rate("a", "until = 2026-06-30") + &rate("b", "from = 2026-07-01")));
}

// credits

#[test]
fn b14_a_credit_line_is_exactly_what_was_taken() {
    let rows = format!(
        "{ADDRESS}\"288.40\"\n[[price]]\nid = \"disk\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = \"0.5296\"\n
        [[credit]]\nid = \"included\"\namount = 100\nscope = {{ domain = \"ROOT/acme\" }}\n"
    );
    let mut records: Vec<Vec<String>> = (0..80)
        .map(|index| address(&format!("a{index}"), september()))
        .collect();
    records.push(volume("v", 1, september()));
    let bill = rate(&book(&rows), &records, september());
    let printed = vec![bill.total.amount(), line(&bill, "included").amount.amount()];
    assert_eq!(printed, expected("B14"));
    assert_eq!(line(&bill, "included").item.kind(), "credit");
}

fn credit(id: &str, amount: u32, more: &str) -> String {
    format!(
        "[[credit]]\nid = \"{id}\"\namount = {amount}\nscope = {{ domain = \"ROOT/acme\" }}\n{more}\n"
    )
}

#[test]
fn credits_burn_by_priority_then_expiry_then_age_and_never_below_zero() {
    let rows = [
        format!("{ADDRESS}\"100.00\"\n"),
        credit("late", 1000, "until = 2027-12-31\nfrom = 2026-02-01"),
        credit("older", 20, "until = 2027-12-31\nfrom = 2026-01-01"),
        credit("soon", 30, "until = 2026-12-31"),
        credit("last", 10, "until = 2026-11-30\npriority = 9"),
        credit("gone", 10, "until = 2026-08-31"),
        "[[tax]]\nid = \"vat\"\npercent = 19\n".to_owned(),
    ]
    .concat();
    let bill = rate(&book(&rows), &[address("a", september())], september());
    let statement = only(&bill);
    let uses: Vec<(String, String, String)> = statement
        .credits
        .iter()
        .map(|used| (used.credit.clone(), used.taken.amount(), used.left.amount()))
        .collect();
    let text = |used: [&str; 3]| (used[0].to_owned(), used[1].to_owned(), used[2].to_owned());
    let wanted = [
        ["soon", "30.00", "0.00"],
        ["older", "20.00", "0.00"],
        ["late", "50.00", "950.00"],
    ];
    assert_eq!(uses, wanted.map(text));
    assert_eq!(statement.total.amount(), "0.00");
    assert_eq!(statement.gross.amount(), "0.00");
}

#[test]
fn a_credit_pays_only_what_was_used_while_it_was_valid() {
    let rows = format!("{ADDRESS}\"30.00\"\n") + &credit("c", 100, "until = 2026-09-10");
    let bill = rate(&book(&rows), &[address("a", september())], september());
    assert_eq!(amounts(&bill, "c"), ["-10.00"]); // 10 of 30 days
    assert_eq!(bill.total.amount(), "20.00");
}

#[test]
fn what_earlier_statements_took_is_gone() {
    let spent =
        "spent = [{ until = 2026-08-31, amount = 75 }, { until = 2026-09-30, amount = 25 }]";
    let rows = format!("{ADDRESS}\"30.00\"\n") + &credit("c", 100, spent);
    let bill = rate(&book(&rows), &[address("a", september())], september());
    // of September's own statement the book may already know: it is rated again all the same
    assert_eq!(amounts(&bill, "c"), ["-25.00"]);
    assert_eq!(wrong(&credit("c", 99, spent)), ["overspent"]);
}

#[test]
fn credits_are_spread_over_tax_rates_and_deposits_come_after_tax() {
    let rows = [
        format!("{ADDRESS}\"60.00\"\n[[price]]\nid = \"disk\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = 40\n"),
        "[[tax]]\nid = \"full\"\npercent = 20\n[[tax]]\nid = \"half\"\npercent = 10\nmeters = [\"disk\"]\n".to_owned(),
        credit("prepaid", 50, ""),
        credit("deposit", 40, "after_tax = true"),
    ]
    .concat();
    let records = [address("a", september()), volume("v", 1, september())];
    let bill = rate(&book(&rows), &records, september());
    let statement = only(&bill);
    let bases: Vec<String> = statement
        .taxes
        .iter()
        .map(|tax| tax.base.amount())
        .collect();
    assert_eq!(bases, ["30.00", "20.00"]); // half of each
    assert_eq!(statement.total.amount(), "50.00");
    assert_eq!(statement.gross.amount(), "58.00"); // 6.00 + 2.00
    assert_eq!(statement.payable.amount(), "18.00");
}

#[test]
fn a_project_pays_with_its_own_credit_only() {
    let rows = |project: &str| {
        format!(
            "{ADDRESS}\"30.00\"\n[[credit]]\nid = \"c\"\namount = 100\nscope = {{ project = \"{project}\" }}\n"
        )
    };
    let records = [address("a", september())];
    let total = |project: &str| {
        rate(&book(&rows(project)), &records, september())
            .total
            .amount()
    };
    assert_eq!(
        (total("web"), total("idle")),
        ("0.00".into(), "30.00".into())
    );
}

/// The price of volumes of the offering with this number.
fn volume_price(index: usize, amount: Decimal) -> String {
    format!(
        "[[price]]\nid = \"p{index}\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = \"{amount}\"\noffering = \"o{index}\"\n"
    )
}

proptest! {
    #[test]
    fn whatever_credits_there_are_nothing_goes_below_zero(
        prices in prop::collection::vec(0_u32..100_000, 1..6),
        credits in prop::collection::vec((0_u32..2_000, 1_u32..30, 0_u32..3), 0..5),
        percent in 0_u32..30,
    ) {
        let mut rows = format!("[[tax]]\nid = \"vat\"\npercent = {percent}\n");
        for (index, price) in prices.iter().enumerate() {
            let amount = Decimal::new(i64::from(*price), 3);
            rows += &volume_price(index, amount);
        }
        for (index, (amount, day, priority)) in credits.iter().enumerate() {
            rows += &credit(&format!("c{index}"), *amount, &format!("until = 2026-09-{day:02}\npriority = {priority}"));
        }
        let records: Vec<Vec<String>> = (0..prices.len())
            .map(|index| lasting(6, &format!("v{index}"), september(), &format!(r#", "size": 1, "offeringid": "o{index}""#)))
            .collect();
        let bill = rate(&book(&rows), &records, september());
        for statement in &bill.statements {
            prop_assert!(!statement.total.is_negative());
            prop_assert!(!statement.payable.is_negative());
            for tax in &statement.taxes {
                prop_assert!(!tax.base.is_negative());
            }
            let bases: BigInt = statement.taxes.iter().map(|tax| tax.base.minor()).sum();
            prop_assert_eq!(&bases, statement.total.minor(), "one rate taxes all that is left");
        }
    }
}

// proration

fn noon(date: &str) -> NaiveDateTime {
    let date: NaiveDate = date.parse().unwrap();
    date.and_hms_opt(0, 0, 0).unwrap()
}

fn of(start: &str, end: &str, whole: [&str; 2], proration: Proration) -> Exact {
    share(
        &(noon(start)..noon(end)),
        &(noon(whole[0])..noon(whole[1])),
        proration,
    )
}

fn places(exact: &Exact, places: u32) -> String {
    exact.to_decimal_string(places, RoundingMode::HalfAway)
}

/// A price's share, rounded once.
fn money(amount: &str, share: Exact) -> String {
    places(&(Exact::from_decimal(amount.parse().unwrap()) * share), 2)
}

#[test]
fn shares_of_days() {
    let day = Proration::Day;
    let d01 = of(
        "2023-05-23",
        "2023-06-15",
        ["2023-05-15", "2023-06-15"],
        day,
    );
    assert_eq!(vec![places(&d01, 9)], expected("D01"));
    let d02 = of(
        "2023-06-23",
        "2023-07-15",
        ["2023-06-15", "2023-07-15"],
        day,
    );
    assert_eq!(vec![places(&d02, 9)], expected("D02"));
    let whole = ["2026-06-01", "2026-07-01"];
    let d08 =
        of("2026-06-01", "2026-06-09", whole, day) + of("2026-06-09", "2026-07-01", whole, day);
    assert_eq!(vec![money("19.95", d08)], expected("D08"));
    let d09 = of(
        "2011-09-01",
        "2011-09-15",
        ["2011-08-15", "2011-09-15"],
        day,
    ) + Exact::from(1);
    assert_eq!(vec![money("10", d09)], expected("D09"));
    let d10 = of(
        "2012-04-29",
        "2012-05-05",
        ["2012-04-05", "2012-05-05"],
        day,
    );
    assert_eq!(vec![money("12", -d10)], expected("D10"));
    let d11 = of(
        "2012-06-21",
        "2012-07-10",
        ["2012-06-10", "2012-07-10"],
        day,
    );
    assert_eq!(vec![money("20", d11)], expected("D11"));
    let d14 = of(
        "2012-04-05",
        "2012-04-15",
        ["2012-03-15", "2012-04-15"],
        day,
    );
    assert_eq!(vec![money("9.95", d14)], expected("D14"));
    let d15 = of(
        "2011-01-01",
        "2011-01-15",
        ["2010-12-15", "2011-01-15"],
        day,
    ) + of(
        "2011-01-15",
        "2011-02-15",
        ["2011-01-15", "2011-02-15"],
        day,
    ) + of(
        "2011-02-15",
        "2011-02-27",
        ["2011-02-15", "2011-03-15"],
        day,
    );
    assert_eq!(vec![places(&d15, 9)], expected("D15"));
    let over = of(
        "2026-01-01",
        "2026-12-31",
        ["2026-06-01", "2026-07-01"],
        day,
    );
    assert_eq!(vec![money("100", over)], expected("D20"));
    let january = ["2025-01-01", "2025-01-31"];
    let rest = of("2025-01-16", "2025-01-31", january, day);
    let d33 = [
        -rest.clone() * Exact::from(100),
        rest.clone() * Exact::from(200),
        rest.clone() * Exact::from(100),
    ];
    assert_eq!(d33.map(|part| part.to_string()).to_vec(), expected("D33"));
    let of_price = |from: &str, price: i128| {
        (of(from, "2025-01-31", january, day) * Exact::from(price)).to_string()
    };
    let d34 = [
        of_price("2025-01-01", 100),
        of_price("2025-01-31", 100),
        of_price("2025-01-30", 300),
    ];
    assert_eq!(d34.to_vec(), expected("D34"));
    let d35 = [Exact::from((10 - 5) * 10), Exact::from(200 - 100 + 50 - 30)]
        .map(|sum| (sum * rest.clone()).to_string());
    assert_eq!(d35.to_vec(), expected("D35"));
}

#[test]
fn shares_with_the_end_day_and_by_the_second() {
    let march = ["2024-03-01", "2024-03-31"];
    let rest = of("2024-03-15", "2024-03-31", march, Proration::DayIncl);
    let d21 = ["-10", "20", "10"].map(|price| money(price, rest.clone()));
    // the sum is rounded once: 5.48 by itself, 5.49 as the difference of what is printed
    assert_eq!(d21[..2].to_vec(), expected("D21")[..2]);
    let printed: Vec<BigInt> = d21[..2]
        .iter()
        .map(|text| text.replace('.', "").parse().unwrap())
        .collect();
    assert_eq!(
        printed.iter().sum::<BigInt>(),
        expected("D21")[2].replace('.', "").parse().unwrap()
    );
    assert_eq!(
        ["25", "-40"]
            .map(|price| money(price, rest.clone()))
            .to_vec(),
        expected("D23")
    );
    assert_eq!(vec![money("50", rest)], expected("D24"));
    let d36 = of(
        "2026-05-20",
        "2026-06-20",
        ["2026-04-01", "2026-06-30"],
        Proration::DayIncl,
    );
    assert_eq!(vec![money("910.00", d36)], expected("D36"));
    let half =
        |prices: [&str; 3], share: &Exact| prices.map(|price| money(price, share.clone())).to_vec();
    let june = of(
        "2026-06-16",
        "2026-07-01",
        ["2026-06-01", "2026-07-01"],
        Proration::Second,
    );
    assert_eq!(half(["-10", "20", "10"], &june), expected("D26"));
    let d27 = of(
        "2026-01-16",
        "2026-02-01",
        ["2026-01-01", "2026-02-01"],
        Proration::Second,
    );
    let whole = ["-31", "62", "31"]
        .map(|price| (Exact::from_decimal(price.parse().unwrap()) * d27.clone()).to_string());
    assert_eq!(whole.to_vec(), expected("D27"));
    let january = noon("2026-01-01")..noon("2026-02-01");
    let change = noon("2026-01-16") + TimeDelta::hours(12);
    let by_second = share(&(change..january.end), &january, Proration::Second);
    // by the day the day of the change is not a whole one of what follows
    let by_day = share(&(noon("2026-01-17")..january.end), &january, Proration::Day);
    assert_eq!(
        vec![
            by_second.to_decimal_string(1, RoundingMode::HalfAway),
            places(&by_day, 9)
        ],
        expected("D28")
    );
    let leap = [
        of(
            "2024-02-01",
            "2024-02-15",
            ["2024-02-01", "2024-03-01"],
            Proration::Day,
        ),
        of(
            "2024-01-01",
            "2024-07-01",
            ["2024-01-01", "2025-01-01"],
            Proration::Day,
        ),
    ];
    assert_eq!(
        leap.map(|share| places(&share, 9)).to_vec(),
        expected("D31")
    );
}

#[test]
fn d32_ties_go_by_the_book() {
    let half = Exact::ratio(101, 2).unwrap();
    let printed = [RoundingMode::HalfAway, RoundingMode::HalfEven]
        .map(|mode| half.round(0, mode).to_string());
    assert_eq!(printed.to_vec(), expected("D32"));
}

#[test]
fn d40_started_days_from_records_to_a_statement() {
    let rows = format!("proration = \"started-day\"\n{ADDRESS}\"30.00\"\n");
    let life = between("2026-11-17 14:00", "2026-12-01 14:00");
    let bill = rate(
        &book(&rows),
        &[address("a", life)],
        between("2026-11-01", "2026-12-01"),
    );
    // a day for a euro
    assert_eq!(bill.exact.to_string(), expected("D40")[0]);
}

#[test]
fn d42_d37_d16_days_from_records_to_a_statement() {
    let rows = |proration: &str, amount: &str| {
        format!("{ADDRESS}\"{amount}\"\nproration = \"{proration}\"\n")
    };
    let january = between("2026-01-01", "2026-02-01");
    let one_day = [address("a", between("2026-01-10", "2026-01-11"))];
    assert_eq!(
        rate(&book(&rows("day", "1.00")), &one_day, january)
            .total
            .amount(),
        expected("D42")[0]
    );
    let march = between("2026-03-01", "2026-04-01");
    let since = [address("a", between("2026-03-05", "2026-04-01"))];
    assert_eq!(
        rate(&book(&rows("second", "2500")), &since, march)
            .total
            .amount(),
        expected("D37")[0]
    );
    // a period of 31 days from the 31st on, of which the first is at the old price
    let whole = ["2026-03-31", "2026-05-01"];
    let d16 = [
        money("5", of("2026-03-31", "2026-04-01", whole, Proration::Day)),
        money("6", of("2026-04-01", "2026-05-01", whole, Proration::Day)),
    ];
    assert_eq!(d16.to_vec(), expected("D16"));
}

#[test]
fn d38_a_service_that_starts_in_the_month() {
    let rows = format!(
        "{ADDRESS}\"50.00\"\nproration = \"day\"\nfrom = 2026-01-08\n[[tax]]\nid = \"vat\"\npercent = 20\n"
    );
    let january = between("2026-01-01", "2026-02-01");
    let bill = rate(&book(&rows), &[address("a", january)], january);
    assert_eq!(vec![bill.gross.amount()], expected("D38"));
    assert!(
        bill.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::Unpriced)
    );
}

#[test]
fn a_day_on_which_the_price_changes_is_charged_once() {
    let price = |id: &str, amount: u32, when: &str| {
        format!(
            "[[price]]\nid = \"{id}\"\nmeter = \"ip\"\nper = \"month\"\namount = {amount}\n{when}\n"
        )
    };
    for (proration, wanted) in [
        ("day", "40.00"),      // 10 days at 30.00, 15 at 60.00: until the 26th
        ("day-incl", "42.00"), // and the 26th
        ("started-day", "42.00"),
        ("started-hour", "39.92"), // 252 h at 30.00, 353 h at 60.00, of 720 h
    ] {
        let rows = format!("proration = \"{proration}\"\n")
            + &price("old", 30, "until = 2026-09-11T12:00:00Z")
            + &price("new", 60, "from = 2026-09-11T12:00:00Z");
        let life = between("2026-09-01", "2026-09-26 04:30");
        // records of the day after tell that nothing followed
        let records = [address("a", life), sent(&[("2026-09-27", 1)])];
        let bill = rate(&book(&rows), &records, september());
        assert_eq!(bill.total.amount(), wanted, "{proration}");
    }
}

#[test]
fn days_are_those_of_the_books_zone() {
    let rows = format!("{ADDRESS}\"31.00\"\nproration = \"started-day\"\n");
    let text = book_text(&rows).replace("\"UTC\"", "\"Europe/Berlin\"");
    let book = PriceBook::from_toml(&text).unwrap();
    let october = book
        .civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap())
        .unwrap();
    // from 23:30 on the 9th in UTC, which is the 10th in Berlin, over the change of clocks
    let life = between("2026-10-09 23:30", "2026-10-31 23:00");
    let beside = sent(&[("2026-10-08", 1), ("2026-11-01", 1)]);
    let bill = rate(&book, &[address("a", life), beside], october);
    assert_eq!(bill.total.amount(), "22.00");
    // a whole month is its price, in every zone
    let whole = rate(
        &book,
        &[address("a", between("2026-09-30", "2026-11-02"))],
        october,
    );
    assert_eq!(whole.total.amount(), "31.00");
}

// kinds of price

#[test]
fn a_flat_price_ignores_the_size() {
    let rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nkind = \"flat\"\nper = \"month\"\namount = 3\n";
    let half = between("2026-09-16", "2026-10-01");
    let records = [volume("small", 1, september()), volume("large", 4096, half)];
    let bill = rate(&book(rows), &records, september());
    let mut printed = amounts(&bill, "disk");
    printed.sort();
    assert_eq!(printed, ["1.50", "3.00"]);
    assert_eq!(
        line(&bill, "disk").price_text,
        "3.00 EUR per month, whatever the size"
    );
}

#[test]
fn a_flat_price_of_what_is_counted_is_due_once_a_month() {
    let rows = "[[price]]\nid = \"sent\"\nmeter = \"traffic_sent\"\nkind = \"flat\"\namount = 7\n";
    assert_eq!(
        [0, 1, 1_000_000].map(|units| total_of(rows, units).to_string()),
        ["7", "7", "7"]
    );
    let days = [sent(&[
        ("2026-09-01", 0),
        ("2026-09-02", 5),
        ("2026-10-02", 5),
    ])];
    let bill = rate(&book(rows), &days, between("2026-09-01", "2026-11-01"));
    assert_eq!(bill.total.amount(), "14.00");
    assert_eq!(wrong(&format!("{rows}block = 5\n")), ["conflict"]);
}

// discounts

const LEVELS: &str = r#"
[[discount]]
id = "domain"
percent = 10
scope = { domain = "ROOT/acme" }
[[discount]]
id = "project"
percent = 20
scope = { project = "web" }
[[discount]]
id = "vm"
percent = 50
scope = { vm = "vm" }
from = 2026-09-01
until = 2026-09-15
"#;

#[test]
fn f24_f25_f26_scopes_stack_as_the_book_says() {
    let vm_price = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\nper = \"month\"\namount = 45\n";
    let total = |stacking: &str| {
        let rows = format!("discount_stacking = \"{stacking}\"\n{vm_price}{LEVELS}");
        let inventory = inventory(&[("vm", september())]);
        rate_in(
            &book(&rows),
            &inventory,
            &[vm("vm", september())],
            september(),
        )
        .total
        .amount()
    };
    assert_eq!(total("multiply"), expected("F24")[0]);
    assert_eq!(total("add-capped"), expected("F25")[0]);
    assert_eq!(total("best-of"), expected("F26")[0]);
    // nearest: 50 % for half of the month, then the project's 20 %
    assert_eq!(total("nearest"), "29.25");
}

#[test]
fn f04_f28_f29_fixed_discounts() {
    let records = |life| [address("a", life)];
    let third = format!(
        "{ADDRESS}\"0.10\"\n[[discount]]\nid = \"d\"\namount = \"0.10\"\nfrom = 2026-09-11\nuntil = 2026-09-20\n"
    );
    // a third of ten cents; only the time that it holds pays for it
    let bill = rate(&book(&third), &records(september()), september());
    assert_eq!(bill.total.minor().to_string(), expected("F04")[0]);
    let f28 = format!("{BASE_VM}{ADDRESS}\"3.33\"\n[[discount]]\nid = \"d\"\namount = \"1.00\"\n");
    let f28 = f28.replace("amount = \"0.10\"", "amount = \"3.34\"\nunit = \"each\"");
    let lines = [
        address("a", september()),
        address("b", september()),
        volume("v", 1, september()),
    ];
    let bill = rate(&book(&f28), &lines, september());
    let printed: Vec<String> = only(&bill)
        .lines
        .iter()
        .map(|line| line.amount.amount())
        .collect();
    assert_eq!(printed, expected("F28"));
    let half = between("2026-09-16", "2026-10-01");
    let f29 = [true, false].map(|prorate| {
        let rows = format!(
            "{ADDRESS}\"100.00\"\n[[discount]]\nid = \"d\"\namount = 10\nfrom = 2026-09-16\nprorate = {prorate}\n"
        );
        let bill = rate(&book(&rows), &records(half), september());
        let taken = &line(&bill, "ip").explanation.reductions[0].amount;
        places(taken, 2)
    });
    assert_eq!(f29.to_vec(), expected("F29"));
}

#[test]
fn f19b_a_percentage_is_from_0_to_100() {
    let discount = |percent: &str| format!("[[discount]]\nid = \"d\"\n{percent}\n");
    for percent in ["", "percent = -5", "percent = 110"] {
        assert!(!wrong(&discount(percent)).is_empty(), "{percent}");
    }
    let rows = format!("{ADDRESS}\"45.00\"\n{}", discount("percent = 0"));
    let bill = rate(&book(&rows), &[address("a", september())], september());
    assert_eq!(
        (bill.total.amount(), only(&bill).lines.len()),
        ("45.00".into(), 1)
    );
}

#[test]
fn f22_a_month_after_the_31st_ends_with_february() {
    let rows = format!(
        "{ADDRESS}\"28.00\"\n[[discount]]\nid = \"d\"\npercent = 100\nfrom = 2026-01-31\nduration = \"1 month\"\n"
    );
    let book = book(&rows);
    assert_eq!(
        book.discounts()[0].validity.end().date_naive().to_string(),
        expected("F22")[0]
    );
    let february = between("2026-02-01", "2026-03-01");
    // the 28th alone is charged
    assert_eq!(
        rate(&book, &[address("a", february)], february)
            .total
            .amount(),
        "1.00"
    );
}

#[test]
fn hard_linked_prices_of_every_scope_win_and_stay_net() {
    let own = |scope: &str, amount: u32| {
        format!("[[price]]\nid = \"{scope}\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = {amount}\nscope = {{ {scope} }}\n")
            .replacen(&format!("id = \"{scope}\""), &format!("id = \"own-{amount}\""), 1)
    };
    let scopes = [
        "domain = \"ROOT/acme\"",
        "project = \"web\"",
        "volume = \"v\"",
    ];
    let records = [volume("v", 1, september())];
    let mut rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = 100\n
        [[discount]]\nid = \"d\"\npercent = 10\n".to_owned();
    let volumes = {
        let mut inventory = inventory(&[]);
        let owner = Owner {
            domain: "acme".into(),
            holder: Holder::Project("web".into()),
        };
        inventory.volumes.insert("v".into(), volume_entry(owner));
        inventory
    };
    let total = |rows: &str| {
        rate_in(&book(rows), &volumes, &records, september())
            .total
            .amount()
    };
    assert_eq!(total(&rows), "90.00");
    for (scope, amount) in scopes.iter().zip([50, 40, 30]) {
        rows += &own(scope, amount);
        assert_eq!(total(&rows), format!("{amount}.00"), "{scope}");
    }
    // a discount may say otherwise
    assert_eq!(
        total(&rows.replace("percent = 10", "percent = 10\nnet_prices = true")),
        "27.00"
    );
}

fn volume_entry(owner: Owner) -> cloudstack_usage::VolumeEntry {
    cloudstack_usage::VolumeEntry {
        id: "v".into(),
        lifetime: Lifetime {
            start: at("2026-01-01"),
            start_source: LifetimeSource::Created,
            end: None,
            end_source: LifetimeSource::Created,
            last_seen: None,
        },
        name: History::constant("v".to_owned()),
        owner: History::constant(owner),
        volume_type: None,
        size_bytes: History::constant(1 << 30),
        offering: History::new(),
        vm: History::new(),
        zone: None,
        tags: TagHistory::default(),
    }
}

#[test]
fn c41_c42_prorated_tiers_are_the_tier_function_of_prorated_quantities() {
    // tiers 0-5 at 10 and 100 flat, from 6 at 5 and 50 flat
    let rows = r#"
        [[price]]
        id = "sent"
        meter = "traffic_sent"
        unit = "kB"
        tiers = [{ up_to = 5, amount = 10, flat = 100 }, { amount = 5, flat = 50 }]
    "#;
    // 3.5 came and 1 went: 2.5 units
    assert_eq!(total_of(rows, 2_500).to_string(), expected("C41")[0]);
}

#[test]
fn b15_shares_add_up() {
    let third = Exact::ratio(100, 3).unwrap();
    let shares = allocate(
        &BigInt::from(10_000),
        &[third.clone(), third.clone(), third],
        2,
    );
    let euro = Currency::from_code("EUR").unwrap();
    let printed: Vec<String> = shares
        .into_iter()
        .map(|share| Money::from_minor(share, euro).amount())
        .collect();
    assert_eq!(printed, expected("B15"));
}

// packages

const MATRIX: &str = r#"
[[service]]
id = "Backup"
amount = "8.00"
per = "month"
[[service]]
id = "Monitoring"
amount = "2.00"
per = "month"
[[service]]
id = "Antivirus"
amount = "3.00"
per = "month"
[[package]]
id = "Silver"
services = ["Backup", "Monitoring"]
amount = "9.00"
per = "month"
[[package]]
id = "Gold"
services = ["Backup", "Monitoring", "Antivirus"]
"#;

/// What is advised to a VM with these tags over September: package in words and money.
fn advice(rows: &str, tags: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut inventory = inventory(&[("vm", september())]);
    let entry = inventory.vms.get_mut(&"vm".into()).unwrap();
    for (key, value) in tags {
        entry.tags.set(
            key,
            Moment::certain(september().start(), MomentSource::Event),
            value,
        );
    }
    let bill = rate_in(&book(rows), &inventory, &base_vm(september()), september());
    let findings = bill.findings.iter();
    findings
        .filter(|finding| finding.kind == FindingKind::CheaperPackage)
        .map(|finding| {
            (
                finding.message.clone(),
                places(finding.value.as_ref().unwrap(), 2),
            )
        })
        .collect()
}

#[test]
fn a_cheaper_package_is_told_and_not_applied() {
    let rows = format!("{BASE_VM}{MATRIX}");
    let told = advice(&rows, &[("Service", "Backup,Monitoring")]);
    assert_eq!(told.len(), 1);
    assert!(told[0].0.contains("package Silver"), "{told:?}");
    assert_eq!(told[0].1, "1.00");
    // neither what lacks a service, nor what costs as much, nor what it has already
    assert_eq!(advice(&rows, &[("Service", "Backup")]), []);
    assert_eq!(
        advice(&rows, &[("Service", "Backup,Monitoring,Antivirus")]),
        []
    );
    assert_eq!(advice(&rows, &[("Package", "Silver")]), []);
    assert_eq!(advice(&rows, &[]), []);
}

#[test]
fn of_several_cheaper_packages_the_cheapest_is_told() {
    // Backup and Monitoring cost 10.00 singly
    let package = |id: &str, amount: u32| {
        format!(
            "[[package]]\nid = \"{id}\"\nservices = [\"Backup\", \"Monitoring\"]\namount = {amount}\nper = \"month\"\n"
        )
    };
    for (first, last, saving) in [(4, 7, "6.00"), (7, 3, "7.00"), (5, 5, "5.00")] {
        let rows = format!(
            "{BASE_VM}{MATRIX}{}{}",
            package("A", first),
            package("Z", last)
        );
        let told = advice(&rows, &[("Service", "Backup,Monitoring")]);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].1, saving);
        let cheapest = if first <= last {
            "package A"
        } else {
            "package Z"
        };
        assert!(told[0].0.contains(cheapest), "{told:?}");
    }
}

#[test]
fn a_package_that_is_cheaper_than_the_one_held_is_told() {
    let platinum = "[[package]]\nid = \"Platinum\"\nservices = [\"Backup\", \"Monitoring\", \"Antivirus\"]\ncovers = [\"ram\"]\namount = 20\nper = \"month\"\n";
    let rows = format!("{BASE_VM}{MATRIX}{platinum}");
    // Gold costs 13.00, and the RAM that Platinum includes 20.00
    let told = advice(&rows, &[("Package", "Gold")]);
    assert_eq!(told.len(), 1);
    assert!(told[0].0.contains("package Platinum"), "{told:?}");
    assert_eq!(told[0].1, "13.00");
    // a package that is not sold to this customer is no advice
    let others = platinum.replace("amount = 20", "scope = { project = \"idle\" }\namount = 20");
    assert_eq!(
        advice(
            &format!("{BASE_VM}{MATRIX}{others}"),
            &[("Package", "Gold")]
        ),
        []
    );
    // a VM that pays for what Platinum lacks keeps it
    let more = "[[service]]\nid = \"Extra\"\namount = 1\nper = \"month\"\n";
    assert_eq!(
        advice(
            &format!("{rows}{more}"),
            &[("Package", "Gold"), ("Service", "Extra")]
        ),
        []
    );
}

// findings

/// The total, and what a kind of finding says it did and is worth.
fn policy(book_rows: &str, records: &[Vec<String>], kind: FindingKind) -> (String, Policy, String) {
    let rows = format!("{book_rows}\n{ADDRESS}\"30.00\"\n{DISK}");
    let mut inventory = inventory(&[]);
    let owner = Owner {
        domain: "acme".into(),
        holder: Holder::Project("web".into()),
    };
    let mut entry = volume_entry(owner);
    entry.lifetime.start = at("2026-09-11");
    inventory.volumes.insert("v".into(), entry);
    let bill = rate_in(&book(&rows), &inventory, records, september());
    let counts = &bill.counts;
    assert_eq!(
        counts.records,
        counts.charged + counts.exempt + counts.reference + counts.held,
        "{counts:?}"
    );
    let records: usize = records.iter().map(Vec::len).sum();
    assert_eq!(
        counts.records + counts.neighbours,
        records as u64,
        "every record has one fate"
    );
    let found: Vec<_> = bill
        .findings
        .iter()
        .filter(|finding| finding.kind == kind)
        .collect();
    assert_eq!(found.len(), 1, "{:?}", bill.findings);
    (
        bill.total.amount(),
        found[0].policy,
        places(found[0].value.as_ref().unwrap(), 2),
    )
}

const DISK: &str =
    "[[price]]\nid = \"disk\"\nmeter = \"disk\"\nunit = \"each\"\nper = \"month\"\namount = 30\n";

fn setting(kind: &str, policy: &str) -> String {
    format!("findings = {{ {kind} = \"{policy}\" }}")
}

fn text(found: (&str, Policy, &str)) -> (String, Policy, String) {
    (found.0.to_owned(), found.1, found.2.to_owned())
}

#[test]
fn copies_are_billed_once_or_flagged() {
    let day = address("a", between("2026-09-10", "2026-09-11"));
    let records = [day.clone(), day];
    let found = |words: &str| {
        policy(
            &setting("duplicate", words),
            &records,
            FindingKind::Duplicate,
        )
    };
    assert_eq!(found("bill-once"), text(("1.00", Policy::BillOnce, "1.00")));
    assert_eq!(found("flag"), text(("2.00", Policy::BillAndFlag, "1.00")));
}

#[test]
fn overlaps_are_cut_held_or_flagged() {
    // a day, and twelve hours that begin at its noon: half of them are new
    let noon = at("2026-09-10 12:00");
    let records = [
        address("a", between("2026-09-10", "2026-09-11")),
        vec![record(3, "a", noon, "24", "")],
    ];
    let found = |words: &str| policy(&setting("overlap", words), &records, FindingKind::Overlap);
    assert_eq!(found("clip"), text(("1.50", Policy::Clip, "0.50")));
    assert_eq!(found("hold"), text(("1.00", Policy::Hold, "1.00")));
    assert_eq!(found("flag"), text(("2.00", Policy::BillAndFlag, "0.50")));
}

#[test]
fn time_beyond_a_window_is_cut_held_or_flagged() {
    let records = [vec![record(3, "a", at("2026-09-10"), "36", "")]];
    let found = |words: &str| {
        policy(
            &setting("over_window", words),
            &records,
            FindingKind::OverWindow,
        )
    };
    assert_eq!(found("clip"), text(("1.00", Policy::Clip, "0.50")));
    assert_eq!(found("hold"), text(("0.00", Policy::Hold, "1.50")));
    assert_eq!(found("flag"), text(("1.50", Policy::BillAndFlag, "0.50")));
}

#[test]
fn use_before_the_creation_is_flagged_cut_or_held() {
    // created on the 11th, metered since the 10th
    let records = [volume("v", 1, between("2026-09-10", "2026-10-01"))];
    let found = |words: &str| {
        policy(
            &setting("outside_lifetime", words),
            &records,
            FindingKind::OutsideLifetime,
        )
    };
    assert_eq!(found("flag"), text(("21.00", Policy::BillAndFlag, "1.00")));
    assert_eq!(found("clip"), text(("20.00", Policy::Clip, "1.00")));
    assert_eq!(found("hold"), text(("20.00", Policy::Hold, "1.00")));
}

#[test]
fn a_policy_that_makes_no_sense_does_not_load() {
    assert_eq!(wrong(&setting("duplicate", "clip")), ["unknown_value"]);
    assert_eq!(wrong(&setting("duplicates", "flag")), ["unknown_field"]);
}

#[test]
fn a_missing_record_is_a_gap() {
    let mut inventory = inventory(&[("vm", between("2026-09-01", "2026-12-01"))]);
    let owner = Owner {
        domain: "acme".into(),
        holder: Holder::Project("web".into()),
    };
    inventory.volumes.insert("v".into(), volume_entry(owner));
    let rows = format!("{BASE_VM}{ADDRESS}\"30.00\"\n");
    let whole = [
        vm("vm", september()),
        volume("v", 50, september()),
        address("a", september()),
    ];
    let gaps = |records: &[Vec<String>]| {
        let bill = rate_in(&book(&rows), &inventory, records, september());
        let gaps = bill
            .findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::NotMetered);
        gaps.map(|gap| gap.millis / 3_600_000).collect::<Vec<_>>()
    };
    assert_eq!(gaps(&whole), []);
    for stream in [0, 1] {
        for day in 1..29 {
            let mut records = whole.clone();
            records[stream].remove(day);
            assert_eq!(gaps(&records), [24], "stream {stream}, day {day}");
        }
    }
}
