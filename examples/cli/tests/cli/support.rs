//! Running the binary, and reading what it leaves.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use csbill_replay::{Options, Recording, ReplayServer};
use rusqlite::types::Value as SqlValue;
use serde_json::Value;

/// The folder of examples' data.
pub(crate) fn data() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../data")
}

pub(crate) fn recorded() -> PathBuf {
    data().join("cloudstack-4.23")
}

pub(crate) fn book() -> PathBuf {
    data().join("price-book.toml")
}

pub(crate) fn daily() -> Recording {
    Recording::load(&recorded(), "usage-daily").unwrap()
}

/// A server of the daily recording.
pub(crate) fn server(options: Options) -> ReplayServer {
    ReplayServer::start(daily(), options).unwrap()
}

/// The binary, with no configuration of the machine that the tests run on.
pub(crate) fn csbill(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_csbill"));
    command.current_dir(folder).env("HOME", folder);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CLOUDSTACK_") || name.starts_with("CSBILL_") {
            command.env_remove(name);
        }
    }
    command
}

/// `csbill sync` of this server at its clock, into `csbill.sqlite` of the folder.
pub(crate) fn sync(folder: &Path, server: &ReplayServer, at: &str) -> Command {
    let mut command = csbill(folder);
    command
        .env("CLOUDSTACK_ENDPOINT", server.url())
        .env("CLOUDSTACK_KEY", server.key())
        .env("CLOUDSTACK_SECRET", server.secret())
        .args(["sync", "--attempts", "1", "--as-of", at]);
    command
}

/// The last moment of the recording, after everything.
pub(crate) fn last_sync() -> String {
    let last = *daily().sync_times().last().unwrap();
    last.to_rfc3339()
}

/// What a run said.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn said(output: &Output) -> Said {
    Said {
        code: output.status.code().expect("no signal ends a run"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

pub(crate) fn run(command: &mut Command) -> Said {
    said(&command.output().unwrap())
}

/// Runs, expects success, and gives standard output.
pub(crate) fn good(command: &mut Command) -> String {
    let said = run(command);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(said.err, "", "nothing is said on standard error in a pipe");
    said.out
}

/// The same as JSON.
pub(crate) fn good_json(command: &mut Command) -> Value {
    serde_json::from_str(&good(command.arg("--json"))).expect("JSON")
}

/// The recorded syncs, one after the other, into `csbill.sqlite` of the folder.
pub(crate) fn sync_all(folder: &Path, server: &ReplayServer) {
    for at in daily().sync_times() {
        server.set_now(at);
        good(&mut sync(folder, server, &at.to_rfc3339()));
    }
}

/// Every row of every table but those of sync runs, in an order of their content.
pub(crate) fn dump(database: &Path) -> Vec<(String, Vec<Vec<SqlValue>>)> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'csb_sync' ORDER BY name")
        .unwrap();
    let names: Vec<String> = tables
        .query_map((), |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(names.len() > 3, "{names:?}");
    names
        .into_iter()
        .map(|name| {
            let mut statement = connection
                .prepare(&format!("SELECT * FROM {name} ORDER BY 1"))
                .unwrap();
            let width = statement.column_count();
            let rows = statement
                .query_map((), |row| (0..width).map(|column| row.get(column)).collect())
                .unwrap()
                .map(Result::unwrap)
                .collect();
            (name, rows)
        })
        .collect()
}

/// The files of a folder that a run could have written.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
