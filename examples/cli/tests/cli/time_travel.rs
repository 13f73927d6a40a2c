//! Books that change, bills that are rated again, months that are not over.

use std::path::Path;
use std::process::Command;

use csbill_replay::Options;
use rating_engine::Exact;
use serde_json::Value;

use crate::support::{book, csbill, daily, good, good_json, recorded, run, server, sync_all};

const MONTH: &str = "2026-10";

/// The command on the recorded files.
fn on_files(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = csbill(folder);
    command
        .args(arguments)
        .arg("--usage")
        .arg(recorded().join("usage-daily"))
        .arg("--metadata")
        .arg(recorded().join("metadata"));
    command
}

/// The example's book as `old.toml` of the folder.
fn old_book(folder: &Path) -> PriceText {
    let text = std::fs::read_to_string(book()).unwrap();
    std::fs::write(folder.join("old.toml"), &text).unwrap();
    // the first price of everybody: its id and amount
    let row = text.split("[[price]]").nth(1).unwrap();
    let value = |field: &str| {
        let line = row
            .lines()
            .find(|line| line.starts_with(&format!("{field} =")));
        line.unwrap().split('"').nth(1).unwrap().to_owned()
    };
    PriceText {
        id: value("id"),
        text,
    }
}

struct PriceText {
    id: String,
    text: String,
}

const WHO: &[&str] = &[
    "--author",
    "ada",
    "--reason",
    "energy",
    "--recorded",
    "2026-10-10T08:00:00Z",
];

fn replace(folder: &Path, old: &PriceText, more: &[&str]) -> Command {
    let mut command = csbill(folder);
    command
        .args([
            "price",
            "replace",
            &old.id,
            "--from",
            "2026-10-16",
            "amount=99",
            "--book",
            "old.toml",
        ])
        .args(WHO)
        .args(more);
    command
}

fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    value.pointer(path).and_then(Value::as_str).expect(path)
}

#[test]
fn a_book_is_changed_with_author_and_reason_or_only_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let old = old_book(path);
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();

    let shown = good(&mut replace(path, &old, &["--diff"]));
    assert!(
        shown.contains("from 2026-10-16") && shown.contains("99.00 EUR"),
        "{shown}"
    );
    assert_eq!(read("old.toml"), old.text, "--diff writes nothing");

    good(&mut replace(path, &old, &["-o", "new.toml"]));
    assert_eq!(read("old.toml"), old.text);
    let new = read("new.toml");
    for word in [
        "author = \"ada\"",
        "reason = \"energy\"",
        "recorded = 2026-10-10T08:00:00Z",
        "version = 1",
    ] {
        assert!(new.contains(word), "{word} in {new}");
    }
    good(csbill(path).args(["prices", "check", "new.toml"]));
    let changes = good_json(csbill(path).args(["diff", "old.toml", "new.toml"]));
    assert_eq!(changes["changes"].as_array().unwrap().len(), 1, "{changes}");
    assert_eq!(
        text(&changes, "/changes/0/period/start"),
        "2026-10-15T22:00:00Z"
    );
    let same = good(csbill(path).args(["diff", "old.toml", "old.toml"]));
    assert_eq!(same, "nobody pays anything else\n");

    // what is wrong is named, and nothing is written
    let before = read("old.toml");
    let wrong = run(csbill(path)
        .args([
            "price",
            "end",
            "no-such",
            "--until",
            "2026-10-31",
            "--book",
            "old.toml",
        ])
        .args(WHO));
    assert_eq!(wrong.code, 4);
    assert!(wrong.err.contains("no-such"), "{}", wrong.err);
    let anonymous = run(csbill(path).args([
        "price",
        "end",
        &old.id,
        "--until",
        "2026-10-31",
        "--book",
        "old.toml",
        "--reason",
        "x",
    ]));
    assert_eq!(anonymous.code, 2, "a change has an author");
    assert_eq!(read("old.toml"), before);
}

#[test]
fn every_kind_of_change_is_a_new_version_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let old = old_book(path);
    good(&mut replace(path, &old, &[]));
    let change = |arguments: &[&str]| {
        good(
            csbill(path)
                .args(arguments)
                .args(["--book", "old.toml"])
                .args(WHO),
        )
    };
    change(&[
        "discount",
        "add",
        "id=spring",
        "percent=5",
        "meters=cpu,ram",
        "from=2026-11-01",
    ]);
    change(&["discount", "end", "spring", "--until", "2026-11-30"]);
    change(&[
        "factor",
        "add",
        "id=large-disks",
        "factor=0.90",
        "meters=disk",
        r#"at_least={"size":"200 GiB"}"#,
        "from=2026-11-01",
    ]);
    change(&["factor", "end", "large-disks", "--until", "2026-11-30"]);
    change(&[
        "package",
        "add",
        "id=Tin",
        "tag=Package=Tin",
        "services=Backup",
    ]);
    change(&["package", "unset", "Tin", "Backup", "--from", "2026-12-01"]);
    change(&["package", "set", "Tin", "Backup"]);
    let last = change(&[
        "price",
        "add",
        "id=later",
        "meter=security_group",
        "amount=1",
        "per=month",
        "from=2027-01-01",
    ]);
    assert!(last.contains("version 9 written"), "{last}");
    let book = std::fs::read_to_string(path.join("old.toml")).unwrap();
    for row in [
        "id = \"spring\"",
        "id = \"large-disks\"",
        "id = \"Tin\"",
        "id = \"later\"",
    ] {
        assert!(book.contains(row), "{row} in {book}");
    }
    let first = old.text.lines().next().unwrap();
    assert!(book.starts_with(first), "comments stay");
}

#[test]
fn an_issued_bill_is_corrected_once_and_a_simulation_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let old = old_book(path);
    good(&mut replace(path, &old, &["-o", "new.toml"]));
    good(&mut on_files(
        path,
        &[
            "rate",
            "--book",
            "old.toml",
            "--month",
            MONTH,
            "--json",
            "-o",
            "issued.json",
        ],
    ));

    let rerate = |arguments: &[&str]| {
        on_files(
            path,
            &[&["rerate", "--issued", "issued.json"], arguments].concat(),
        )
    };
    let unchanged = run(&mut rerate(&["--book", "old.toml", "--json"]));
    assert_eq!((unchanged.code, unchanged.out.as_str()), (3, ""));

    let correction = good_json(&mut rerate(&[
        "--book",
        "new.toml",
        "--billed-in",
        "2026-11",
        "-o",
        "-",
    ]));
    let line = &correction["statements"][0]["lines"][0];
    assert_eq!(text(line, "/charge_class"), "Correction");
    assert!(text(line, "/period/end") <= text(&correction, "/period/end"));
    assert_eq!(
        text(&correction, "/billing_period/start"),
        text(&correction, "/period/end")
    );
    let shown = good(&mut rerate(&["--book", "new.toml"]));
    assert!(shown.contains("price changed"), "{shown}");

    good(&mut rerate(&[
        "--book",
        "new.toml",
        "--json",
        "-o",
        "correction.json",
    ]));
    let again = run(&mut rerate(&[
        "--correction",
        "correction.json",
        "--book",
        "new.toml",
    ]));
    assert_eq!(again.code, 3, "a correction is issued once: {}", again.out);
    let back = good_json(&mut rerate(&[
        "--correction",
        "correction.json",
        "--book",
        "old.toml",
    ]));
    let total = text(&correction, "/total/amount");
    assert_eq!(format!("-{total}"), text(&back, "/total/amount"));

    let simulation = good_json(&mut on_files(
        path,
        &[
            "simulate", "--book", "old.toml", "--with", "new.toml", "--month", MONTH,
        ],
    ));
    assert_eq!(text(&simulation, "/total/difference/amount"), total);
    let table = good(&mut on_files(
        path,
        &[
            "simulate", "--book", "old.toml", "--with", "new.toml", "--month", MONTH,
        ],
    ));
    assert!(table.lines().last().unwrap().contains(total), "{table}");

    // a bill that was written in by hand is not what was issued
    let issued = std::fs::read_to_string(path.join("issued.json")).unwrap();
    let amount = text(&serde_json::from_str(&issued).unwrap(), "/total/amount").to_owned();
    std::fs::write(path.join("issued.json"), issued.replace(&amount, "1.00")).unwrap();
    let said = run(&mut rerate(&["--book", "new.toml"]));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("issued.json"), "{}", said.err);
}

#[test]
fn a_forecast_ends_as_the_bill_and_leaks_have_their_money() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    old_book(path);
    let on_month = |command: &[&str]| {
        on_files(
            path,
            &[command, &["--book", "old.toml", "--month", MONTH]].concat(),
        )
    };
    let bill = good_json(&mut on_month(&["rate"]));
    let end = good_json(&mut on_month(&["forecast"]));
    assert_eq!(end["statements"], bill["statements"]);
    assert_eq!(text(&end, "/forecast/share"), "0");
    assert_eq!(end["draft"], true);
    let middle = good_json(&mut on_month(&[
        "forecast",
        "--known-until",
        "2026-10-16T00:00:00Z",
    ]));
    assert_eq!(
        text(&middle, "/forecast/known_until"),
        "2026-10-16T00:00:00Z"
    );
    assert_ne!(text(&middle, "/forecast/share"), "0");
    let shown = good(&mut on_month(&[
        "forecast",
        "--known-until",
        "2026-10-16T00:00:00Z",
    ]));
    assert!(shown.starts_with("Forecast, a draft"), "{shown}");

    let leaks = good_json(&mut on_month(&["leaks"]));
    let list = leaks["leaks"].as_array().unwrap();
    assert!(
        !list.is_empty(),
        "the recorded month has volumes that were not metered"
    );
    let csv = good(&mut on_month(&["leaks", "--format", "csv"]));
    let rows = csv::Reader::from_reader(csv.as_bytes())
        .into_records()
        .count();
    assert_eq!(rows, list.len());
    let table = good(&mut on_month(&["leaks"]));
    assert!(table.contains("metered_twice: 0"), "{table}");
}

#[test]
fn what_was_known_on_a_day_can_be_asked_and_labels_are_dated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    old_book(path);
    let server = server(Options::default());
    sync_all(path, &server);
    let times = daily().sync_times();
    let early = times[times.len() / 2].to_rfc3339();
    let report = |more: &[&str]| {
        let mut command = csbill(path);
        command
            .args(["report", "bill", "--book", "old.toml", "--month", MONTH])
            .args(more);
        good_json(&mut command)
    };
    let (now, then) = (report(&[]), report(&["--known-on", &early]));
    assert_ne!(now["total"], then["total"], "half a month is not the whole");
    let last = times.last().unwrap().to_rfc3339();
    assert_eq!(report(&["--known-on", &last]), now);

    // exempt one VM's CPU by a label, recorded after everything
    let lines = now["statements"][0]["lines"].as_array().unwrap();
    let is_cpu =
        |line: &&Value| text(line, "/item") == "cpu" && text(line, "/net/amount") != "0.00";
    let vm = text(lines.iter().find(is_cpu).unwrap(), "/vm").to_owned();
    let after = "2027-01-01T00:00:00Z";
    let label = |arguments: &[&str]| {
        let mut command = csbill(path);
        command.arg("label").args(arguments);
        command.args(["--author", "ada", "--recorded", after, "--book", "old.toml"]);
        command
    };
    let set = [
        "set",
        &format!("vm:{vm}"),
        "Billing",
        "noCPU",
        "--from",
        "2026-10-01",
    ];
    good(&mut label(&[&set[..], &["--diff"]].concat()));
    assert_eq!(report(&[])["total"], now["total"], "--diff writes nothing");
    good(&mut label(&set));
    assert_eq!(good(&mut label(&set)), "nothing changed\n");
    let labelled = report(&[]);
    assert_ne!(labelled["total"], now["total"]);
    assert_eq!(
        report(&["--known-on", &last]),
        now,
        "nobody knew of the label then"
    );
    let in_force = good_json(csbill(path).args(["label", "list"]));
    assert_eq!(text(&in_force, "/0/valid/start"), "2026-09-30T22:00:00Z");

    let clear = ["clear", &format!("vm:{vm}"), "Billing"];
    good(&mut label(&clear));
    assert_eq!(report(&[])["total"], now["total"]);

    // the same by a file; a wrong row sets nothing
    let rows = format!("resource,key,value,from,until\nvm:{vm},Billing,noCPU,2026-10-01,\n");
    std::fs::write(path.join("wrong.csv"), format!("{rows}vm:nobody,a,b,,\n")).unwrap();
    let wrong = run(&mut label(&["import", "wrong.csv"]));
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("row 3"), "{}", wrong.err);
    assert_eq!(report(&[])["total"], now["total"]);
    std::fs::write(path.join("labels.csv"), rows).unwrap();
    good(&mut label(&["import", "labels.csv"]));
    assert_eq!(report(&[])["statements"], labelled["statements"]);
}

#[test]
fn totals_are_the_exact_sums_of_the_bill_however_they_are_added_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    old_book(path);
    let days = &[
        "--book",
        "old.toml",
        "--from",
        "2026-10-01",
        "--to",
        "2026-10-31",
    ];
    let bill = good_json(&mut on_files(path, &[&["rate"], &days[..]].concat()));
    let expected = text(&bill, "/total/exact").parse::<Exact>().unwrap();
    for by in ["statement", "owner", "cost-centre", "item"] {
        let command = [&["totals", "--by", by], &days[..]].concat();
        let totals = good_json(&mut on_files(path, &command));
        let rows = totals["totals"].as_array().unwrap();
        let sum: Exact = rows
            .iter()
            .map(|row| row["exact"].as_str().unwrap().parse::<Exact>().unwrap())
            .sum();
        assert_eq!(sum, expected, "by {by}");
        assert!(rows.iter().all(|row| row["month"] == MONTH));
    }
    // a period of two months has rows of both; October alone has the same in either
    let wide = [
        "totals",
        "--book",
        "old.toml",
        "--from",
        "2026-09-20",
        "--to",
        "2026-10-31",
    ];
    let wide = good_json(&mut on_files(path, &wide));
    let october = good_json(&mut on_files(path, &[&["totals"], &days[..]].concat()));
    let of = |document: &Value, month: &str| -> Vec<Value> {
        let rows = document["totals"].as_array().unwrap().iter();
        rows.filter(|row| row["month"] == month).cloned().collect()
    };
    assert_eq!(of(&wide, MONTH), of(&october, MONTH));
    assert!(!of(&wide, "2026-09").is_empty());
    let table = good(&mut on_files(path, &[&["totals"], &days[..]].concat()));
    assert!(
        table.lines().last().unwrap().starts_with("Total"),
        "{table}"
    );
}
