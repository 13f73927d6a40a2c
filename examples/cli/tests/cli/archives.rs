//! Months that are put away into Parquet files and taken back.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use csbill_replay::Options;
use rusqlite::types::Value as SqlValue;
use serde_json::{Value, json};

use crate::crashes::kills;
use crate::support::{
    book, csbill, dump, files, good, good_json, last_sync, run, server, sync, sync_all,
};

/// How often it is killed on its way out and on its way back, unless `CSBILL_TEST_KILLS` says
/// otherwise.
const KILLS: u32 = 16;

/// `csbill archive` of the recorded month.
pub(crate) fn archive(folder: &Path) -> Command {
    let mut command = csbill(folder);
    command.args(["archive", "--month", "2026-10", "--to", "kept"]);
    command.args(["--as-of", &last_sync()]);
    command
}

pub(crate) fn restore(folder: &Path) -> Command {
    let mut command = csbill(folder);
    command.arg("restore").arg(place(folder));
    command
}

/// Where the archive is.
fn place(folder: &Path) -> PathBuf {
    folder
        .canonicalize()
        .unwrap()
        .join("kept/cloudstack/2026-10")
}

fn bill(folder: &Path, more: &[&str]) -> Command {
    let mut command = csbill(folder);
    command.args(["report", "bill", "--json", "--month", "2026-10", "--book"]);
    command.arg(book()).args(more);
    command
}

/// Every row of every table, those of usage without the numbers that rows get.
fn content(folder: &Path) -> Vec<(String, Vec<Vec<SqlValue>>)> {
    let mut tables = dump(&folder.join("csbill.sqlite"));
    for (_, rows) in tables.iter_mut().filter(|(name, _)| name == "csb_usage") {
        for row in rows.iter_mut() {
            row.remove(0);
        }
        rows.sort_by_cached_key(|row| format!("{row:?}"));
    }
    tables
}

#[test]
fn the_recorded_month_goes_and_comes_back_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = server(Options::default());
    sync_all(folder, &server);
    let before = content(folder);
    let bills = [&[] as &[&str], &["--known-on", "2026-10-20T12:00:00Z"]]
        .map(|more| (more, run(&mut bill(folder, more)).out));
    assert!(
        bills
            .iter()
            .all(|(_, bill)| bill.contains("\"statements\""))
    );
    assert_ne!(bills[0].1, bills[1].1);

    // where syncs look back for so long it is not settled, and nothing is left of the attempt
    let early = run(archive(folder).args(["--settled-days", "20"]));
    assert_eq!(early.code, 1, "{}", early.err);
    assert!(early.err.contains("2026-11-21"), "{}", early.err);
    let none = run(csbill(folder).args(["archive", "--list"]));
    assert_eq!(none.code, 3, "{}", none.err);

    let said = good(&mut archive(folder));
    assert!(
        said.starts_with(&format!("wrote {}", place(folder).display())),
        "{said}"
    );
    assert_eq!(
        files(&place(folder)),
        ["manifest.json", "rejections.parquet", "usage.parquet"]
    );
    assert_eq!(content(folder), before);
    let pruned = good_json(archive(folder).arg("--prune"));
    assert_eq!(pruned["written"], json!(false));
    let (removed, kept) = (&pruned["pruned"]["removed"], &pruned["pruned"]["kept"]);
    assert!(
        removed.as_u64() > Some(1000) && kept.as_u64() > Some(100),
        "{pruned}"
    );

    // what is not there is never taken for nothing
    let refused = run(&mut bill(folder, &[]));
    assert_eq!(
        (refused.code, refused.out.as_str()),
        (1, ""),
        "{}",
        refused.err
    );
    let way_back = format!("csbill restore {}", place(folder).display());
    assert!(refused.err.contains(&way_back), "{}", refused.err);
    let again = run(archive(folder).arg("--prune"));
    assert_eq!(again.code, 3, "{}", again.err);
    let listed = good_json(csbill(folder).args(["archive", "--list"]));
    assert_eq!(listed[0]["month"], json!("2026-10"));
    assert_eq!(listed[0]["late"], json!(0));
    assert_eq!(&listed[0]["records"], removed);

    // a sync does not fetch it again
    let from = ["--from", "2026-09-20"];
    let synced = run(sync(folder, &server, &last_sync()).args(from).arg("--json"));
    assert_eq!(synced.code, 0, "{}", synced.err);
    let synced: Value = serde_json::from_str(&synced.out).unwrap();
    assert_eq!(synced["usage"]["new"], json!(0));
    assert_eq!(synced["notices"][0]["slug"], json!("usage_archived"));

    let restored = good_json(&mut restore(folder));
    assert_eq!(&restored[0]["added"], removed);
    assert_eq!(&restored[0]["there"], kept);
    assert_eq!(content(folder), before);
    for (more, expected) in &bills {
        assert_eq!(&run(&mut bill(folder, more)).out, expected, "{more:?}");
    }
    let again = good(&mut restore(folder));
    assert_eq!(again, "2026-10 is there already, nothing changed\n");
}

#[test]
fn a_damaged_or_foreign_archive_is_refused_and_nothing_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = server(Options::default());
    good(&mut sync(folder, &server, &last_sync()));
    good(archive(folder).arg("--prune"));
    let before = content(folder);
    let refused = |command: &mut Command, words: &str| {
        let said = run(command);
        assert_eq!(said.code, 1, "{}{}", said.out, said.err);
        assert!(said.err.contains(words), "{}", said.err);
        assert_eq!(content(folder), before);
    };
    for name in ["usage.parquet", "rejections.parquet", "manifest.json"] {
        let path = place(folder).join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        std::fs::write(&path, changed).unwrap();
        refused(&mut restore(folder), "is damaged");
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        refused(&mut restore(folder), name);
        std::fs::write(&path, &whole).unwrap();
    }
    refused(
        restore(folder).args(["--cloud", "another"]),
        "holds cloud \"cloudstack\"",
    );
    let missing = run(csbill(folder).args(["restore", "kept/cloudstack/2026-09"]));
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("manifest.json"), "{}", missing.err);

    // of two archives none is put back where one is damaged
    refused(restore(folder).arg("kept/cloudstack"), "manifest.json");
    good(&mut restore(folder));
}

#[test]
fn killed_on_its_way_out_or_back_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = server(Options::default());
    good(&mut sync(folder, &server, &last_sync()));
    let before = content(folder);
    let (out, back) = (
        timed(archive(folder).arg("--prune")),
        timed(&mut restore(folder)),
    );
    let mut killed = 0;
    for kill in 0..kills(KILLS) {
        // spread over the run without a pattern (golden ratio, in parts of 2^16)
        let part = kill.wrapping_mul(40_503) % 65_536;
        if kill.is_multiple_of(2) {
            std::fs::remove_dir_all(folder.join("kept")).unwrap();
        }
        killed += u32::from(kill_after(
            archive(folder).arg("--prune"),
            out * part / 65_536,
        ));
        let listed = run(csbill(folder).args(["archive", "--list"]));
        if listed.code == 3 {
            assert_eq!(content(folder), before, "kill {kill}");
            good(archive(folder).arg("--prune"));
        }
        killed += u32::from(kill_after(&mut restore(folder), back * part / 65_536));
        good(&mut restore(folder));
        assert_eq!(content(folder), before, "kill {kill}");
    }
    assert!(
        killed > kills(KILLS) / 2,
        "only {killed} were still running when killed"
    );
}

fn timed(command: &mut Command) -> Duration {
    let begun = Instant::now();
    good(command);
    begun.elapsed()
}

/// Runs and kills it some time later. Says whether it was still running.
pub(crate) fn kill_after(command: &mut Command, delay: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(delay);
    child.kill().unwrap();
    !child.wait().unwrap().success()
}
