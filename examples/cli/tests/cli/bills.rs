//! Bills from files and from the database.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use csbill_replay::{Options, Recording, Shift};
use serde_json::Value;

use crate::support::{book, csbill, daily, good, good_json, recorded, run, server, sync_all};

const MONTH: &str = "2026-10";

fn rate(folder: &Path, data: &Path, usage: &str, book: &Path) -> Command {
    let mut command = csbill(folder);
    command
        .arg("rate")
        .arg("--usage")
        .arg(data.join(usage))
        .arg("--metadata")
        .arg(data.join("metadata"))
        .arg("--book")
        .arg(book);
    command
}

fn report(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = csbill(folder);
    command
        .arg("report")
        .args(arguments)
        .args(["--month", MONTH, "--book"])
        .arg(book());
    command
}

/// The cents of a printed amount with two digits.
fn cents(amount: &Value) -> i64 {
    let text = amount.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap();
    assert_eq!(part.len(), 2, "{text}");
    format!("{whole}{part}").parse().unwrap()
}

#[test]
fn the_database_and_the_files_give_the_same_bill() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    sync_all(folder.path(), &server);
    let stored = good_json(&mut report(folder.path(), &["bill"]));
    let mut from_files = rate(folder.path(), &recorded(), "usage-daily", &book());
    let from_files = good_json(from_files.args(["--month", MONTH]));
    assert_eq!(stored["statements"], from_files["statements"]);
    assert_eq!(stored["total"], from_files["total"]);
    assert_eq!(stored["findings"], from_files["findings"]);

    // every partition adds up to the total
    let total = cents(&stored["total"]["amount"]);
    assert!(total > 0);
    for by in [
        "statement",
        "domain",
        "project",
        "vm",
        "volume",
        "cost-centre",
        "item",
    ] {
        let summary = good_json(&mut report(folder.path(), &["--by", by]));
        let rows = summary["rows"].as_array().unwrap();
        let sum: i64 = rows.iter().map(|row| cents(&row["amount"])).sum();
        assert_eq!(sum, total, "by {by}");
        assert_eq!(cents(&summary["totals"]["amount"]), total, "by {by}");
    }

    // a domain's report is its part, and CSV on standard output says the same
    let statement = &stored["statements"][0];
    let path = statement["path"].as_str().unwrap();
    let csv = good(&mut report(
        folder.path(),
        &["lines", "--format", "csv", "--domain", path],
    ));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let column = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "amount")
        .unwrap();
    let key = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "line_key")
        .unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let lines = rows.iter().filter(|row| !row[key].is_empty());
    let sum: i64 = lines.map(|row| cents(&Value::from(&row[column]))).sum();
    assert_eq!(sum, cents(&statement["total"]["amount"]));

    // the same dates typed in full, end included, are the same period
    let full = good_json(
        csbill(folder.path())
            .args([
                "report",
                "bill",
                "--from",
                "2026-10-01",
                "--to",
                "2026-10-31",
                "--book",
            ])
            .arg(book()),
    );
    assert_eq!(full, stored);
    // and so are its instants, the end excluded
    let instant = |name: &str| stored["period"][name].as_str().unwrap();
    let instants = ["--from", instant("start"), "--to", instant("end")];
    let mut command = csbill(folder.path());
    command
        .args(["report", "bill"])
        .args(instants)
        .arg("--book")
        .arg(book());
    assert_eq!(good_json(&mut command), stored);

    // a line explains itself
    let key = statement["lines"][0]["key"].as_str().unwrap();
    let mut explain = csbill(folder.path());
    explain
        .args(["explain", "--line", key, "--month", MONTH, "--book"])
        .arg(book());
    let text = good(&mut explain);
    assert!(text.contains(key) && text.contains("price"), "{text}");
    let said = run(csbill(folder.path())
        .args([
            "explain",
            "--line",
            "no such key",
            "--month",
            MONTH,
            "--book",
        ])
        .arg(book()));
    assert_eq!(said.code, 3, "{}", said.err);
}

#[test]
fn the_same_bill_gives_the_same_workbook() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    sync_all(folder.path(), &server);
    let write = |name: &str| {
        good(&mut report(folder.path(), &["-o", name]));
        std::fs::read(folder.path().join(name)).unwrap()
    };
    assert_eq!(write("a.xlsx"), write("b.xlsx"));
}

#[test]
fn focus_rows_add_up_to_what_is_payable() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    sync_all(folder.path(), &server);
    let bill = good_json(&mut report(folder.path(), &["bill"]));
    let statements = bill["statements"].as_array().unwrap();
    let path = statements[0]["path"].as_str().unwrap();
    let number = format!("{path}=R-1");
    let flags = [
        "--format",
        "focus",
        "--provider",
        "Example",
        "--invoice",
        &number,
    ];
    let text = good(&mut report(folder.path(), &flags));
    let mut rows = text.lines();
    let header = rows.next().unwrap();
    assert!(
        header.starts_with("BilledCost,BillingAccountId,"),
        "{header}"
    );
    // the first column is a number, which nothing quotes
    let billed = |rows: &[&str]| -> rust_decimal::Decimal {
        let numbers = rows.iter().map(|row| row.split(',').next().unwrap());
        numbers
            .map(|number| number.parse::<rust_decimal::Decimal>().unwrap())
            .sum()
    };
    let (first, others): (Vec<&str>, Vec<&str>) = rows.partition(|row| row.contains(",R-1,"));
    let payable = |statements: &[Value]| -> i64 {
        statements
            .iter()
            .map(|one| cents(&one["payable"]["amount"]))
            .sum()
    };
    let printed = |rows: &[&str]| billed(rows) * rust_decimal::Decimal::from(100);
    assert_eq!(printed(&first), payable(&statements[..1]).into());
    assert_eq!(printed(&others), payable(&statements[1..]).into());

    // what does not belong to it is refused
    for wrong in [
        vec!["findings", "--format", "focus"],
        vec!["lines", "--provider", "Example"],
        vec!["--format", "focus", "--invoice", "ROOT/nobody=1"],
        vec!["--format", "focus", "--invoice", "nothing"],
    ] {
        let said = run(&mut report(folder.path(), &wrong));
        assert_eq!(said.code, 2, "{wrong:?}: {}", said.err);
    }
}

#[test]
fn a_customer_in_a_zone_of_its_own_stands_alone() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    sync_all(folder.path(), &server);
    let everybody = good_json(&mut report(folder.path(), &["bill"]));
    let path = everybody["statements"][0]["path"].as_str().unwrap();
    let text = std::fs::read_to_string(book()).unwrap();
    let row = format!("\n[[zone_change]]\ndomain = \"{path}\"\nzone = \"UTC\"\n");
    let own_book = folder.path().join("own.toml");
    std::fs::write(&own_book, text + &row).unwrap();
    let of = |customer: &str| {
        let mut command = csbill(folder.path());
        command
            .args([
                "report",
                "bill",
                "--month",
                MONTH,
                "--customer",
                customer,
                "--book",
            ])
            .arg(&own_book);
        command
    };
    let own = good_json(&mut of(path));
    assert_eq!(own["zone"], "UTC");
    assert_eq!(own["period"]["start"], "2026-10-01T00:00:00Z");
    assert_eq!(own["statements"].as_array().unwrap().len(), 1);
    assert_eq!(own["total"], own["statements"][0]["total"]);
    // whom the book gives no zone has the book's
    let other = everybody["statements"].as_array().unwrap().last().unwrap();
    let alone = good_json(&mut of(other["path"].as_str().unwrap()));
    assert_eq!(alone["statements"][0], *other);
    assert_eq!(run(&mut of("ROOT/nobody")).code, 3);
}

/// Totals by statement path, and the exact amounts of all lines whatever their keys.
fn amounts(bill: &Value) -> (BTreeMap<String, String>, Vec<String>) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let statements = bill["statements"].as_array().unwrap();
    let totals = statements
        .iter()
        .map(|one| (text(&one["path"]), text(&one["total"]["amount"])))
        .collect();
    let mut exact: Vec<String> = statements
        .iter()
        .flat_map(|one| one["lines"].as_array().unwrap())
        .map(|line| text(&line["net"]["exact"]))
        .collect();
    exact.sort();
    (totals, exact)
}

#[test]
fn other_names_ids_and_dates_give_the_same_amounts() {
    let folder = tempfile::tempdir().unwrap();
    let recording = daily();
    // in UTC, where October and January are equally long
    let utc = std::fs::read_to_string(book())
        .unwrap()
        .replace("Europe/Berlin", "UTC");
    let shift = Shift {
        days: 92,
        prefix: "q".to_owned(),
        number: 5000,
        ids: true,
        ..Shift::default()
    };
    let (copy, mapping) = recording.shifted(shift);
    let bill = |recording: &Recording, text: &str, month: &str| {
        let data = folder.path().join(month);
        recording.write_to(&data, "usage").unwrap();
        let book = data.join("book.toml");
        std::fs::write(&book, text).unwrap();
        let mut command = rate(folder.path(), &data, "usage", &book);
        good_json(command.args(["--month", month]))
    };
    let old = bill(&recording, &utc, MONTH);
    let new = bill(&copy, &mapping.text(&utc), "2027-01");
    let (totals, exact) = amounts(&old);
    let renamed = |(path, amount): (String, String)| (mapping.name(&path), amount);
    let totals: BTreeMap<String, String> = totals.into_iter().map(renamed).collect();
    assert!(totals.len() > 1 && exact.len() > 20);
    assert_eq!(amounts(&new), (totals, exact));
    let kinds = |bill: &Value| {
        let findings = bill["findings"].as_array().unwrap().iter();
        let mut kinds: Vec<(String, String)> = findings
            .map(|one| (one["kind"].to_string(), one["value"]["exact"].to_string()))
            .collect();
        kinds.sort();
        kinds
    };
    assert_eq!(kinds(&new), kinds(&old));
}

#[test]
fn comma_decimals_are_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = daily();
    let mut changed = 0;
    for record in recording.usage_mut() {
        let text = record["rawusage"].as_str().unwrap().to_owned();
        changed += usize::from(text.contains('.'));
        record["rawusage"] = Value::from(text.replace('.', ","));
    }
    assert!(changed > 0);
    let data = folder.path().join("comma");
    recording.write_to(&data, "usage").unwrap();
    let commas = good_json(rate(folder.path(), &data, "usage", &book()).args(["--month", MONTH]));
    let mut points = rate(folder.path(), &recorded(), "usage-daily", &book());
    let points = good_json(points.args(["--month", MONTH]));
    assert_eq!(commas["statements"], points["statements"]);
}

#[test]
fn a_malformed_record_in_a_file_is_a_finding_and_the_code_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut recording = daily();
    let position = recording.usage().len() / 2;
    recording.usage_mut()[position]["rawusage"] = Value::from("lots");
    recording.write_to(folder.path(), "usage").unwrap();
    let mut command = rate(folder.path(), folder.path(), "usage", &book());
    let said = run(command.args(["--month", MONTH, "--json", "-o", "bill.json"]));
    assert_eq!(said.code, 7, "{}", said.err);
    let text = std::fs::read_to_string(folder.path().join("bill.json")).unwrap();
    let bill: Value = serde_json::from_str(&text).unwrap();
    let rejected = bill["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["kind"] == "rejected");
    let message = rejected.unwrap()["message"].as_str().unwrap();
    assert!(
        message.contains(&(position % 500 + 1).to_string()),
        "{message}"
    );
}
