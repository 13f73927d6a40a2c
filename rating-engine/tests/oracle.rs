//! Random books and usage, rated by the engine and by a slow implementation in Python that
//! shares nothing with it but the documents: every line's exact net and printed amount, totals,
//! taxes, credits and what is payable.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "in a test a panic is the report of a failure"
)]

#[path = "oracle/books.rs"]
mod books;
#[path = "oracle/draws.rs"]
mod draws;
#[path = "oracle/scene.rs"]
mod scene;
#[path = "oracle/services.rs"]
mod services;
#[path = "oracle/terms.rs"]
mod terms;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::process::Command;

use chrono::NaiveDate;
use cloudstack_usage::{InventoryBuilder, Snapshot, TagMomentRule, parse_usage_page};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use rating_engine::{PriceBook, Rating, Statement};
use serde::Deserialize;
use serde_json::{Value, json};

use books::book;
use draws::{DAY, Draws, at};
use scene::{VmOf, VolumeOf, snapshot, usage};

const CASES: usize = 200;

/// A book, its usage, what syncs saw, and the period.
#[derive(Debug)]
struct Case {
    book: Value,
    pages: Vec<Value>,
    snapshots: Vec<Snapshot>,
    first: NaiveDate,
    last: NaiveDate,
}
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
        // days of usage around the beginning or the end of the period, or all of it
        let from = if first == date(10, 24) { 22 } else { -2 };
        let whole = last == date(10, 31) && draws.chance(80);
        let days = from..from + if whole { 35 } else { 12 };
        let vms: Vec<VmOf> = (0..=draws.below(3))
            .map(|n| VmOf::new(draws, n, from))
            .collect();
        let volumes: Vec<VolumeOf> = (0..=draws.below(3))
            .map(|n| VolumeOf::new(draws, n, &vms, from))
            .collect();
        let syncs = [from - 1, from + 2, from + 5, from + 9];
        let snapshots = syncs.map(|day| snapshot(draws, &vms, &volumes, at(day * DAY + 7_260)));
        let records = usage(draws, &vms, &volumes, days);
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

/// A statement as both sides tell it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Told {
    /// By key, exact net and printed amount.
    lines: BTreeMap<String, (String, String)>,
    total: String,
    /// Each rate with what it is of and what it comes to.
    taxes: Vec<(String, String, String)>,
    gross: String,
    /// Each credit with what was taken and what is left.
    credits: Vec<(String, String, String)>,
    payable: String,
}

impl Told {
    fn of(statement: &Statement) -> Self {
        let lines = statement.lines.iter();
        let taxes = statement.taxes.iter();
        let credits = statement.credits.iter();
        Self {
            lines: lines
                .map(|line| {
                    (
                        line.key.clone(),
                        (line.net.to_string(), line.amount.amount()),
                    )
                })
                .collect(),
            total: statement.total.amount(),
            taxes: taxes
                .map(|tax| (tax.tax.clone(), tax.base.amount(), tax.amount.amount()))
                .collect(),
            gross: statement.gross.amount(),
            credits: credits
                .map(|one| (one.credit.clone(), one.taken.amount(), one.left.amount()))
                .collect(),
            payable: statement.payable.amount(),
        }
    }
}

/// Statements by their account.
type Statements = BTreeMap<String, Told>;

/// The engine's statements, and the case with its period for the other side.
fn rate(case: &Case) -> (Statements, Value) {
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
    let statements = bill
        .statements
        .iter()
        .map(|statement| (statement.account.to_string(), Told::of(statement)));
    let case = json!({
        "book": case.book, "pages": case.pages, "snapshots": case.snapshots,
        "period": [period.start().to_rfc3339(), period.end().to_rfc3339()],
    });
    (statements.collect(), case)
}

fn difference(ours: &Statements, theirs: &Statements) -> String {
    let mut text = String::new();
    for account in ours.keys().chain(theirs.keys()).collect::<BTreeSet<_>>() {
        let (Some(ours), Some(theirs)) = (ours.get(account), theirs.get(account)) else {
            let _ = writeln!(text, "{account} has one statement");
            continue;
        };
        let keys = ours.lines.keys().chain(theirs.lines.keys());
        for key in keys.collect::<BTreeSet<_>>() {
            let (ours, theirs) = (ours.lines.get(key), theirs.lines.get(key));
            if ours != theirs {
                let _ = writeln!(text, "{key}\n  engine {ours:?}\n  oracle {theirs:?}");
            }
        }
        let sums = |told: &Told| {
            let Told {
                total,
                taxes,
                gross,
                credits,
                payable,
                ..
            } = told;
            format!("{total} {taxes:?} {gross} {credits:?} {payable}")
        };
        if sums(ours) != sums(theirs) {
            let (ours, theirs) = (sums(ours), sums(theirs));
            let _ = writeln!(text, "{account}\n  engine {ours}\n  oracle {theirs}");
        }
    }
    text
}

/// What the oracle says of a case.
#[derive(Debug, Deserialize)]
struct Opinion {
    statements: Statements,
    /// How many lines each rule changed.
    touched: BTreeMap<String, usize>,
}

/// The oracle's opinions on cases; none where there is no Python.
fn ask(cases: Vec<Value>) -> Option<Vec<Opinion>> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    if Command::new(&python).arg("--version").output().is_err() {
        return None;
    }
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("oracle-cases.json");
    std::fs::write(&file, Value::Array(cases).to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/oracle.py");
    // -B: nothing compiled is left beside the sources
    let output = Command::new(&python)
        .args(["-B", script])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Rules that must have decided about some lines: a test of what never happens cannot fail.
const RULES: &[&str] = &[
    "exemption",
    "factor",
    "hard-linked price",
    "discount on a hard-linked price",
    "percent discount",
    "fixed discount",
    "fixed discount of all that was left",
    "nearest",
    "best-of",
    "multiply",
    "add-capped",
    "free units",
    "blocks",
    "graduated tiers",
    "graduated tiers, the first",
    "volume tiers",
    "volume tiers, the first",
    "accumulated by resource",
    "accumulated by project",
    "accumulated by domain",
    "accumulated by account",
    "count over moment",
    "flat price",
    "flat price of what is counted",
    "fee charged once",
    "month of h730",
    "month of d30",
    "month of cap672",
    "month capped",
    "day",
    "day-incl",
    "started-day",
    "started-hour",
    "identical copy",
    "records of one window",
    "over its window",
    "overlap",
    "price of VMs",
    "price of images",
    "price of the other time",
    "included in the price of a VM",
    "included in a package",
    "package",
    "service",
    "service of a package",
    "service bought twice",
    "service by disk",
    "percentage of all",
    "percentage of some things",
    "fee of a percentage",
    "fee that some are spared",
    "maximum",
    "minimum by resource",
    "minimum by project",
    "minimum by domain",
    "minimum by account",
    "credit",
    "deposit",
    "tax",
    "tax of some things",
    "selected by name",
    "selected by resource_tag",
    "selected by in_zone",
    "selected by at_least",
];

fn assert_rules_were_used(opinions: &[Opinion]) {
    let lines = |rule: &str| -> usize {
        let touched = opinions.iter().filter_map(|one| one.touched.get(rule));
        touched.sum()
    };
    let table: String = RULES.iter().fold(String::new(), |mut text, rule| {
        let _ = writeln!(text, "{:6} lines: {rule}", lines(rule));
        text
    });
    for opinion in opinions {
        for rule in opinion.touched.keys() {
            assert!(RULES.contains(&rule.as_str()), "{rule} is not counted");
        }
    }
    assert!(RULES.iter().all(|rule| lines(rule) >= 5), "{table}");
}

#[test]
fn the_engine_and_the_oracle_agree_on_every_line() {
    let mut runner = TestRunner::deterministic();
    let numbers = prop::collection::vec(any::<u32>(), 20_000);
    // more of them look further: `ORACLE_CASES=2000 cargo test -p rating-engine --test oracle`
    let asked = std::env::var("ORACLE_CASES").map(|text| text.parse().unwrap());
    let cases_asked: usize = asked.unwrap_or(CASES);
    let cases = (0..cases_asked).map(|_| {
        let numbers = numbers.new_tree(&mut runner).unwrap().current();
        rate(&Case::new(&mut Draws::new(numbers)))
    });
    let (engine, cases): (Vec<Statements>, Vec<Value>) = cases.unzip();
    let Some(opinions) = ask(cases) else {
        eprintln!("skipped: there is no Python to run the oracle with");
        return;
    };
    assert_eq!(opinions.len(), cases_asked);
    let mut wrong = String::new();
    for (number, (ours, theirs)) in engine.iter().zip(&opinions).enumerate() {
        if *ours != theirs.statements {
            let difference = difference(ours, &theirs.statements);
            let _ = writeln!(wrong, "case {number}:\n{difference}");
        }
    }
    assert!(
        wrong.is_empty(),
        "of oracle-cases.json in {}:\n{wrong}",
        env!("CARGO_TARGET_TMPDIR")
    );
    assert_rules_were_used(&opinions);
}
