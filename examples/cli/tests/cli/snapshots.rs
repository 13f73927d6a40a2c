//! What the commands that explain, compare and foresee print, whole, of a cloud that is small
//! enough to check by hand. `cargo insta review` shows what a change does to them.

use std::path::Path;

use insta::assert_snapshot;

use crate::small_cloud::{MONTH, on_files, write};
use crate::support::{csbill, good, run};

/// A folder with the small cloud's files.
fn small_cloud() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    folder
}

/// What the command prints of the month with the old book, and its exit code.
fn of_month(folder: &Path, arguments: &[&str]) -> String {
    let month = ["--book", "old.toml", "--month", MONTH];
    let said = run(&mut on_files(folder, &[arguments, &month].concat()));
    format!("{}exit {}", said.out, said.code)
}

#[test]
fn explain() {
    let folder = small_cloud();
    assert_snapshot!(of_month(folder.path(), &["explain", "--vm", "web01"]));
}

#[test]
fn findings() {
    let folder = small_cloud();
    assert_snapshot!(of_month(folder.path(), &["findings"]));
}

#[test]
fn diff() {
    let folder = small_cloud();
    assert_snapshot!(good(
        csbill(folder.path()).args(["diff", "old.toml", "new.toml"])
    ));
}

#[test]
fn simulate() {
    let folder = small_cloud();
    assert_snapshot!(of_month(folder.path(), &["simulate", "--with", "new.toml"]));
}

#[test]
fn rerate() {
    let folder = small_cloud();
    of_month(folder.path(), &["rate", "--json", "-o", "issued.json"]);
    let rerate = ["rerate", "--issued", "issued.json", "--book"];
    let said = |book| {
        run(&mut on_files(
            folder.path(),
            &[&rerate[..], &[book]].concat(),
        ))
    };
    assert_snapshot!(said("new.toml").out);
    let same = said("old.toml");
    assert_eq!(
        (same.code, same.out.as_str()),
        (3, ""),
        "nothing to correct"
    );
}

#[test]
fn forecast() {
    let folder = small_cloud();
    let known = ["forecast", "--known-until", "2027-03-05T00:00:00Z"];
    assert_snapshot!(of_month(folder.path(), &known));
}
