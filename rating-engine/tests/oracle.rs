//! Random books and usage, rated by the engine and by a slow implementation in Python that
//! shares nothing with it but the documents: every line's exact net and printed amount.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "in a test a panic is the report of a failure"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use cloudstack_usage::{
    Domain, DomainId, Holder, InventoryBuilder, Kind, OfferingId, Owner, Project, ProjectId,
    Snapshot, Tag, TagMomentRule, Vm, VmId, Volume, VolumeId, parse_usage_page,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rating_engine::{PriceBook, Rating};
use serde_json::{Value, json};

const CASES: usize = 150;
const GIB: u64 = 1 << 30;

/// Random numbers, one after the other.
struct Draws(std::vec::IntoIter<u32>);

impl Draws {
    fn below(&mut self, bound: u32) -> u32 {
        self.0.next().unwrap_or(0) % bound
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(u32::try_from(choices.len()).unwrap()) as usize]
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

/// A book, its usage, what syncs saw, and the period.
#[derive(Debug)]
struct Case {
    book: Value,
    pages: Vec<Value>,
    snapshots: Vec<Snapshot>,
    first: NaiveDate,
    last: NaiveDate,
}

fn id(kind: u32, number: u32) -> String {
    format!("{kind:08x}-0000-4000-a000-{number:012x}")
}

/// A second of the generated time, counted from 2026-10-01T00:00:00Z.
fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_812_800 + second, 0).unwrap()
}

const DAY: i64 = 86_400;
/// Domain of projects 0 to 2; of accounts by number.
const PROJECT_DOMAINS: [u32; 3] = [1, 2, 3];

impl Case {
    fn new(draws: &mut Draws) -> Self {
        let zone = draws.of(&["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]);
        let date = |month, day| NaiveDate::from_ymd_opt(2026, month, day).unwrap();
        let (first, last) = draws.of(&[
            (date(10, 1), date(10, 31)),
            (date(10, 1), date(10, 6)),
            (date(9, 30), date(10, 4)),
            (date(10, 24), date(11, 3)),
        ]);
        // days of usage around the beginning or the end of the period
        let from = if first == date(10, 24) { 22 } else { -2 };
        let vms: Vec<VmOf> = (0..=draws.below(3))
            .map(|n| VmOf::new(draws, n, from))
            .collect();
        let volumes: Vec<VolumeOf> = (0..=draws.below(3))
            .map(|n| VolumeOf::new(draws, n, &vms))
            .collect();
        let syncs = [from - 1, from + 2, from + 5, from + 9];
        let snapshots = syncs.map(|day| snapshot(draws, &vms, &volumes, at(day * DAY + 7_260)));
        let records = usage(draws, &vms, &volumes, from);
        let page = json!({ "listusagerecordsresponse": { "count": records.len(), "usagerecord": records } });
        Self {
            book: book(draws, zone),
            pages: vec![page],
            snapshots: snapshots.into(),
            first,
            last,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Holding {
    domain: u32,
    project: Option<u32>,
}

impl Holding {
    fn new(draws: &mut Draws) -> Self {
        let project = draws.chance(60).then(|| draws.below(3));
        let domain = project.map_or_else(|| 1 + draws.below(3), |p| PROJECT_DOMAINS[p as usize]);
        Self { domain, project }
    }

    fn owner(self) -> Owner {
        let holder = match self.project {
            Some(project) => Holder::Project(ProjectId::new(&id(1, project))),
            None => Holder::Account(id(2, self.domain).as_str().into()),
        };
        Owner {
            domain: DomainId::new(&id(0, self.domain)),
            holder,
        }
    }
}

#[derive(Debug)]
struct VmOf {
    number: u32,
    holding: Holding,
    created: DateTime<Utc>,
}

impl VmOf {
    fn new(draws: &mut Draws, number: u32, from: i64) -> Self {
        let within = draws.chance(50);
        let second = if within {
            i64::from(draws.below(500_000))
        } else {
            -30 * DAY
        };
        Self {
            number,
            holding: Holding::new(draws),
            created: at(from * DAY + second),
        }
    }
}

#[derive(Debug)]
struct VolumeOf {
    number: u32,
    holding: Holding,
    vm: Option<u32>,
    size: u64,
}

impl VolumeOf {
    fn new(draws: &mut Draws, number: u32, vms: &[VmOf]) -> Self {
        let vm = draws.below(u32::try_from(vms.len()).unwrap());
        let size = draws.of(&[GIB, 20 * GIB, 7 * GIB + 512, 8192 * GIB]);
        Self {
            number,
            holding: vms[vm as usize].holding,
            vm: draws.chance(70).then_some(vm),
            size,
        }
    }
}

fn tags(draws: &mut Draws) -> Vec<Tag> {
    let mut tags = Vec::new();
    if draws.chance(25) {
        tags.push(Tag::new(
            "Billing",
            draws.of(&["noCPU", "noRAM,noDisk", "noDisk", "noCPU, noRAM", "other"]),
        ));
    }
    if draws.chance(10) {
        tags.push(Tag::new("Billing:noDisk", "x"));
    }
    if draws.chance(30) {
        tags.push(Tag::new("CostCenter", draws.of(&["4711", "47|12"])));
    }
    tags
}

fn snapshot(
    draws: &mut Draws,
    vms: &[VmOf],
    volumes: &[VolumeOf],
    time: DateTime<Utc>,
) -> Snapshot {
    let mut snapshot = Snapshot::new(time);
    snapshot.complete = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| *kind != Kind::Tag)
        .collect();
    let domains = [
        ("ROOT", None),
        ("ROOT/a", Some(0)),
        ("ROOT/a/sub", Some(1)),
        ("ROOT/b", Some(0)),
    ];
    for (number, (path, parent)) in (0..).zip(domains) {
        snapshot.domains.push(Domain {
            id: DomainId::new(&id(0, number)),
            name: path.rsplit('/').next().unwrap().to_owned(),
            path: path.to_owned(),
            parent: parent.map(|parent| DomainId::new(&id(0, parent))),
        });
    }
    for (number, domain) in (0..).zip(PROJECT_DOMAINS) {
        snapshot.projects.push(Project {
            id: ProjectId::new(&id(1, number)),
            name: format!("p{number}"),
            display_text: None,
            domain: DomainId::new(&id(0, domain)),
            state: None,
            tags: if number == 0 {
                vec![Tag::new("CostCenter", "P0")]
            } else {
                Vec::new()
            },
        });
    }
    for vm in vms.iter().filter(|vm| vm.created <= time) {
        snapshot.vms.push(Vm {
            id: VmId::new(&id(3, vm.number)),
            name: format!("vm{}", vm.number),
            display_name: None,
            owner: vm.holding.owner(),
            created: Some(vm.created),
            last_updated: None,
            state: Some("Running".to_owned()),
            offering: None,
            template: None,
            os_type: None,
            cpu_count: None,
            memory_mib: None,
            zone: None,
            hypervisor: None,
            tags: tags(draws),
        });
    }
    for volume in volumes {
        snapshot.volumes.push(Volume {
            id: VolumeId::new(&id(4, volume.number)),
            name: format!("volume{}", volume.number),
            volume_type: None,
            owner: volume.holding.owner(),
            created: Some(at(-40 * DAY)),
            state: Some("Ready".to_owned()),
            size_bytes: Some(volume.size),
            vm: volume.vm.map(|vm| VmId::new(&id(3, vm))),
            attached: None,
            offering: Some(OfferingId::new(&id(6, 0))),
            zone: None,
            tags: tags(draws),
        });
    }
    snapshot
}

/// Daily windows in which a resource is there all the time, for a part, or not at all.
fn usage(draws: &mut Draws, vms: &[VmOf], volumes: &[VolumeOf], from: i64) -> Vec<Value> {
    let mut records = Vec::new();
    for day in from..from + 12 {
        for vm in vms {
            let (used, allocated) = (seconds(draws), seconds(draws));
            for (usage_type, used) in [(1, used), (2, allocated)] {
                let mut fields = json!({
                    "usageid": id(3, vm.number), "virtualmachineid": id(3, vm.number),
                    "cpunumber": if vm.number == 1 && day > from + 4 { 8 } else { 3 },
                    "memory": 2048 + 1024 * vm.number, "offeringid": id(5, vm.number % 2),
                });
                record(&mut records, &mut fields, usage_type, vm.holding, day, used);
            }
        }
        for volume in volumes {
            let mut fields = json!({ "usageid": id(4, volume.number), "size": volume.size, "offeringid": id(6, volume.number % 2) });
            record(
                &mut records,
                &mut fields,
                6,
                volume.holding,
                day,
                seconds(draws),
            );
        }
        let holding = Holding {
            domain: 3,
            project: None,
        };
        record(
            &mut records,
            &mut json!({ "usageid": id(7, 0) }),
            3,
            holding,
            day,
            seconds(draws),
        );
        for usage_type in [4, 5] {
            let bytes = draws
                .chance(70)
                .then(|| u64::from(draws.below(u32::MAX)) * 97);
            record(
                &mut records,
                &mut json!({ "usageid": id(8, 0) }),
                usage_type,
                holding,
                day,
                bytes,
            );
        }
    }
    records
}

fn seconds(draws: &mut Draws) -> Option<u64> {
    match draws.below(100) {
        0..70 => Some(86_400),
        70..90 => Some(1 + u64::from(draws.below(86_399))),
        _ => None,
    }
}

fn record(
    records: &mut Vec<Value>,
    fields: &mut Value,
    usage_type: u32,
    holding: Holding,
    day: i64,
    used: Option<u64>,
) {
    let Some(used) = used else { return };
    let (raw, unit) = if usage_type == 4 || usage_type == 5 {
        (used.to_string(), "bytes")
    } else {
        let micros = (used * 1_000_000 + 1_800) / 3_600;
        (
            format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000),
            "Hrs",
        )
    };
    let date = at(day * DAY).format("%Y-%m-%d");
    fields["usagetype"] = json!(usage_type);
    fields["usage"] = json!(format!("{raw} {unit}"));
    fields["rawusage"] = json!(raw);
    fields["description"] = json!("usage");
    fields["domainid"] = json!(id(0, holding.domain));
    match holding.project {
        Some(project) => fields["projectid"] = json!(id(1, project)),
        None => fields["accountid"] = json!(id(2, holding.domain)),
    }
    fields["startdate"] = json!(format!("{date}T00:00:00+0000"));
    fields["enddate"] = json!(format!("{date}T23:59:59+0000"));
    fields["tags"] = json!([]);
    records.push(fields.clone());
}

fn scope(draws: &mut Draws) -> Option<Value> {
    let number = draws.below(3);
    match draws.below(8) {
        0 => Some(json!({ "domain": draws.of(&["ROOT/a", "ROOT/a/sub", "ROOT/b", "ROOT"]) })),
        1 => Some(json!({ "domain": id(0, 1 + number) })),
        2 => Some(json!({ "project": id(1, number) })),
        3 => Some(json!({ "vm": id(3, number) })),
        4 => Some(json!({ "volume": id(4, number) })),
        _ => None,
    }
}

fn validity(draws: &mut Draws, row: &mut Value) {
    // any second of October, and a little before
    let mut second = || at(i64::from(draws.below(2_800_000)) - 100_000);
    let (one, other) = (second(), second());
    let text = |time: DateTime<Utc>| json!(time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    if draws.chance(30) {
        row["from"] = text(one.min(other));
    }
    if draws.chance(30) {
        row["until"] = text(one.max(other) + TimeDelta::seconds(1));
    }
}

fn book(draws: &mut Draws, zone: &str) -> Value {
    let (mut prices, mut discounts) = (Vec::new(), Vec::new());
    for meter in [
        "cpu",
        "ram",
        "disk",
        "ip",
        "traffic_sent",
        "traffic_received",
    ] {
        let mut taken: Vec<(Option<Value>, Option<String>)> = Vec::new();
        for number in 0..=draws.below(5) {
            let scope = if number == 0 { None } else { scope(draws) };
            let kind = if meter == "disk" { 6 } else { 5 };
            let sized = matches!(meter, "cpu" | "ram" | "disk") && draws.chance(30);
            let offering = sized.then(|| id(kind, draws.below(2)));
            // two names of one domain, two equal rows: a book of these is refused
            let named = |scope: &Option<Value>| {
                scope.as_ref().map(|scope| match scope["domain"].as_str() {
                    Some("ROOT/a") => json!({ "domain": id(0, 1) }),
                    Some("ROOT/a/sub") => json!({ "domain": id(0, 2) }),
                    Some("ROOT/b") => json!({ "domain": id(0, 3) }),
                    _ => scope.clone(),
                })
            };
            let place = (named(&scope), offering.clone());
            if taken.contains(&place) {
                continue;
            }
            taken.push(place);
            let amount = format!("{}.{:04}", draws.below(30), draws.below(10_000));
            let mut row =
                json!({ "id": format!("{meter}-{number}"), "meter": meter, "amount": amount });
            if !meter.starts_with("traffic") {
                row["per"] = json!(draws.of(&["hour", "day", "month", "month"]));
            }
            if let Some(scope) = scope {
                row["scope"] = scope;
            }
            if let Some(offering) = offering {
                row["offering"] = json!(offering);
            }
            validity(draws, &mut row);
            prices.push(row);
        }
    }
    for number in 0..draws.below(6) {
        let percent = format!("{}.{}", draws.below(100), draws.below(10));
        let mut row = json!({ "id": format!("d{number}"), "percent": percent });
        if let Some(scope) = scope(draws) {
            row["scope"] = scope;
        }
        if draws.chance(40) {
            row["meters"] = json!(["cpu", "disk"]);
        }
        validity(draws, &mut row);
        discounts.push(row);
    }
    let mut factors = Vec::new();
    for number in 0..draws.below(5) {
        let by = format!("{}.{:02}", draws.below(3), draws.below(100));
        let mut row = json!({ "id": format!("f{number}"), "factor": by });
        // of one group there is a ladder of sizes for everybody, else each stands alone
        if draws.chance(50) {
            row["group"] = json!("sizes");
            row["meters"] = json!(["disk"]);
            row["at_least"] = json!({ "size": format!("{} GiB", 10 * (1 + 3 * number)) });
        } else {
            if let Some(scope) = scope(draws) {
                row["scope"] = scope;
            }
            if draws.chance(40) {
                row["meters"] = json!(["cpu", "ip", "traffic_sent"]);
            }
            if draws.chance(30) {
                row["at_least"] = json!({ "cpus": 1 + draws.below(6) });
            }
        }
        if draws.chance(20) {
            row["net_prices"] = json!(true);
        }
        validity(draws, &mut row);
        factors.push(row);
    }
    json!({
        "schema": 1, "name": "Oracle", "factor": factors, "currency": "EUR", "zone": zone, "tag_moments": "seen",
        "compute": draws.of(&["running", "allocated"]), "price": prices, "discount": discounts,
    })
}

type Lines = BTreeMap<String, (String, String)>;

/// The engine's lines, and the case with its period for the other side.
fn rate(case: &Case) -> (Lines, Value) {
    let book = PriceBook::from_json(&case.book.to_string())
        .unwrap_or_else(|error| panic!("{error}\n{}", case.book));
    let mut builder = InventoryBuilder::new();
    builder.tag_moments(TagMomentRule::Seen);
    for snapshot in &case.snapshots {
        builder.observe(snapshot);
    }
    let inventory = builder.build();
    let period = book.civil_period(case.first, case.last).unwrap();
    let mut rating = Rating::new(&book, &inventory, period).unwrap();
    for page in &case.pages {
        let page = parse_usage_page("page", page.to_string().as_bytes()).unwrap();
        assert!(page.rejections.is_empty(), "{:?}", page.rejections);
        page.records
            .iter()
            .for_each(|parsed| rating.push(&parsed.record));
    }
    let bill = rating.finish();
    let lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    let lines = lines.map(|line| {
        (
            line.key.clone(),
            (line.net.to_string(), line.amount.amount()),
        )
    });
    let case = json!({
        "book": case.book, "pages": case.pages, "snapshots": case.snapshots,
        "period": [period.start().to_rfc3339(), period.end().to_rfc3339()],
    });
    (lines.collect(), case)
}

fn difference(ours: &Lines, theirs: &Lines) -> String {
    let mut text = String::new();
    for key in ours.keys().chain(theirs.keys()) {
        if ours.get(key) != theirs.get(key) {
            let _ = writeln!(
                text,
                "{key}\n  engine {:?}\n  oracle {:?}",
                ours.get(key),
                theirs.get(key)
            );
        }
    }
    text
}

#[test]
fn the_engine_and_the_oracle_agree_on_every_line() {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if Command::new(&python).arg("--version").output().is_err() {
        eprintln!("skipped: there is no {python} to run the oracle with");
        return;
    }
    let mut runner = TestRunner::deterministic();
    let numbers = prop::collection::vec(any::<u32>(), 1_500);
    let cases = (0..CASES).map(|_| {
        let numbers = numbers.new_tree(&mut runner).unwrap().current();
        rate(&Case::new(&mut Draws(numbers.into_iter())))
    });
    let (engine, cases): (Vec<Lines>, Vec<Value>) = cases.unzip();
    assert!(engine.iter().map(BTreeMap::len).sum::<usize>() > CASES * 5);

    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-cases.json");
    std::fs::write(&file, Value::Array(cases).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/oracle.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let oracle: Vec<Lines> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(oracle.len(), CASES);
    for (number, (ours, theirs)) in engine.iter().zip(&oracle).enumerate() {
        assert!(
            ours == theirs,
            "case {number} of {}:\n{}",
            file.display(),
            difference(ours, theirs)
        );
    }
}
