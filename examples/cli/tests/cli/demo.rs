//! `csbill demo`.

use std::collections::BTreeSet;

use calamine::{Data, Reader as _, Xlsx, open_workbook};
use serde_json::Value;

use crate::support::{csbill, daily, good, good_json};

/// The cents of a cell or text.
fn cents(text: &str) -> i64 {
    let (whole, part) = text.split_once('.').unwrap_or((text, "00"));
    let part = format!("{part:0<2}");
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    whole.parse::<i64>().unwrap() * 100 + sign * part.parse::<i64>().unwrap()
}

/// The amounts of the lines of a workbook, added up by another library.
fn sum_of_lines(path: &std::path::Path) -> i64 {
    let mut workbook: Xlsx<_> = open_workbook(path).unwrap();
    let range = workbook.worksheet_range("Lines").unwrap();
    let mut rows = range.rows();
    let headings: Vec<String> = rows.next().unwrap().iter().map(Data::to_string).collect();
    let column = |start: &str| {
        headings
            .iter()
            .position(|name| name.starts_with(start))
            .unwrap()
    };
    let (amount, key) = (column("Amount"), column("Line key"));
    rows.filter(|row| !row[key].to_string().is_empty())
        .map(|row| cents(&row[amount].to_string()))
        .sum()
}

#[test]
fn the_demo_writes_a_bill_that_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let answer = good_json(csbill(folder.path()).arg("demo"));
    let out = folder.path().join("out");
    let total = cents(answer["total"]["amount"].as_str().unwrap());
    assert!(total > 0);
    assert_eq!(answer["retried"], 2, "a 429 and a 503 on the way");
    let statements = answer["statements"].as_array().unwrap();
    let sum: i64 = statements
        .iter()
        .map(|one| cents(one["amount"].as_str().unwrap()))
        .sum();
    assert_eq!(sum, total);
    let mut lines = 0;
    for statement in statements {
        let path = statement["path"].as_str().unwrap();
        let name = path.rsplit('/').next().unwrap();
        let file = out.join(format!("{name}.xlsx"));
        assert_eq!(
            sum_of_lines(&file),
            cents(statement["amount"].as_str().unwrap()),
            "{path}"
        );
        lines += sum_of_lines(&file);
        assert!(out.join(format!("{name}.csv")).is_file());
    }
    assert_eq!(lines, total);
    assert_eq!(sum_of_lines(&out.join("summary.xlsx")), total);

    let bill = std::fs::read_to_string(out.join("bill.json")).unwrap();
    let bill: Value = serde_json::from_str(&bill).unwrap();
    assert_eq!(cents(bill["total"]["amount"].as_str().unwrap()), total);
    for volume in never_metered() {
        let findings = bill["findings"].as_array().unwrap();
        let finding = findings
            .iter()
            .find(|one| one["resource"] == volume && one["kind"] == "not_metered")
            .expect("an unbilled volume is a finding");
        let money = finding["value"]["amount"].as_str().unwrap();
        assert!(cents(money) > 0, "{finding}");
    }
}

/// The volumes that a sync listed and that no usage record names.
fn never_metered() -> BTreeSet<String> {
    let recording = daily();
    let metered: BTreeSet<&str> = recording
        .usage()
        .iter()
        .filter(|record| record["usagetype"] == 6)
        .filter_map(|record| record["usageid"].as_str())
        .collect();
    let missing: BTreeSet<String> = recording
        .sync_times()
        .iter()
        .flat_map(|at| recording.listed("listVolumes", *at))
        .filter_map(|volume| volume["id"].as_str())
        .filter(|id| !metered.contains(id))
        .map(str::to_owned)
        .collect();
    assert!(!missing.is_empty(), "the recording has such a volume");
    missing
}

#[test]
fn the_demo_tells_people_totals_findings_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let text = good(csbill(folder.path()).args(["demo", "--out", "bills"]));
    for word in [
        "Total",
        "Findings",
        "Files",
        "2026-10-01 to 2026-10-31",
        "bills/summary.xlsx",
        "bills/csbill.sqlite",
        "not_metered",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
    for line in text
        .lines()
        .filter_map(|line| line.strip_prefix("  bills/"))
    {
        assert!(folder.path().join("bills").join(line).is_file(), "{line}");
    }
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "wider than a terminal: {line}");
    }
    // once more over its own output
    assert_eq!(
        good(csbill(folder.path()).args(["demo", "--out", "bills"])),
        text
    );
}
