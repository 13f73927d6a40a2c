//! One clear message, a code that says what kind, and nothing written.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use csbill_replay::{Fault, Options};

use crate::support::{book, csbill, files, last_sync, recorded, run, server, sync, sync_all};

/// Expects this code, a message that holds all of `words`, and no file beside `before`.
fn refused(command: &mut Command, folder: &Path, code: i32, words: &[&str]) {
    let before = left(folder);
    let said = run(command);
    assert_eq!(said.code, code, "{}{}", said.out, said.err);
    assert!(said.err.starts_with("csbill: "), "{}", said.err);
    for word in words {
        assert!(said.err.contains(word), "{word} in {}", said.err);
    }
    assert_eq!(said.out, "");
    assert_eq!(left(folder), before, "nothing is left behind");
}

/// The files of a folder, without what SQLite keeps beside a database while it is read.
fn left(folder: &Path) -> Vec<String> {
    let mut names = files(folder);
    if names.contains(&"csbill.sqlite".to_owned()) {
        names.retain(|name| !name.ends_with("-shm") && !name.ends_with("-wal"));
    }
    names
}

#[test]
fn what_is_no_answer_of_cloudstack_stores_nothing() {
    for (fault, word) in [
        (Fault::HtmlPage, "HTML"),
        (Fault::Truncated, "listCapabilities"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = server(Options {
            always: Some(fault),
            ..Options::default()
        });
        let mut command = sync(folder.path(), &server, &last_sync());
        refused(&mut command, folder.path(), 5, &[word]);
    }
}

#[test]
fn a_page_cut_short_in_the_middle_of_usage_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let counted = server(Options::default());
    run(&mut sync(folder.path(), &counted, &last_sync()));
    let requests = counted.requests();
    let usage = requests
        .iter()
        .rposition(|r| r.command == "listUsageRecords");
    let request = u64::try_from(usage.unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // the last usage page but one
    let server = server(Options::default().fault(request, Fault::Truncated));
    let mut command = sync(folder.path(), &server, &last_sync());
    refused(&mut command, folder.path(), 5, &["listUsageRecords"]);
}

#[test]
fn a_wrong_secret_is_told_without_showing_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    let mut command = sync(folder.path(), &server, &last_sync());
    command.env("CLOUDSTACK_SECRET", "not-the-secret");
    refused(&mut command, folder.path(), 4, &["401"]);
    let said = run(&mut command);
    assert!(!said.err.contains("not-the-secret") && !said.err.contains(server.key()));
}

#[test]
fn no_endpoint_and_nobody_there_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = csbill(folder.path());
    command.arg("sync");
    refused(
        &mut command,
        folder.path(),
        4,
        &["endpoint", "CLOUDSTACK_ENDPOINT"],
    );
    let mut command = csbill(folder.path());
    let flags = [
        "sync",
        "--endpoint",
        "http://127.0.0.1:1/client/api",
        "--key",
        "k",
        "--secret",
        "the-secret",
        "--attempts",
        "1",
    ];
    command.args(flags);
    refused(&mut command, folder.path(), 5, &["127.0.0.1:1"]);
    assert!(!run(&mut command).err.contains("the-secret"));
}

/// A book with ten errors, each in a place of its own.
fn ten_errors() -> (String, Vec<String>) {
    let text = std::fs::read_to_string(book()).unwrap();
    let mut wrong = String::new();
    let mut places = Vec::new();
    for (index, part) in text.split("[[price]]").enumerate() {
        if index > 0 {
            wrong.push_str("[[price]]");
        }
        if (1..=10).contains(&index) {
            let line = wrong.lines().count() + 2;
            let _ = write!(wrong, "\nmistake_{index} = {index}");
            places.push(format!("mistake_{index}"));
            assert!(line > 0);
        }
        wrong.push_str(part);
    }
    assert_eq!(places.len(), 10, "the example book has ten prices at least");
    (wrong, places)
}

#[test]
fn every_error_of_a_price_book_is_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (text, places) = ten_errors();
    let path = folder.path().join("wrong.toml");
    std::fs::write(&path, text).unwrap();
    let words: Vec<&str> = places.iter().map(String::as_str).collect();
    let mut check = csbill(folder.path());
    check.args(["prices", "check"]).arg(&path);
    refused(&mut check, folder.path(), 4, &words);
    let said = run(&mut check);
    assert!(
        said.err.contains("10 errors") && said.err.contains("line "),
        "{}",
        said.err
    );
    let mut rate = csbill(folder.path());
    rate.args([
        "rate",
        "--month",
        "2026-10",
        "--output",
        "bill.json",
        "--json",
        "--usage",
    ])
    .arg(recorded().join("usage-daily"))
    .arg("--book")
    .arg(&path);
    refused(&mut rate, folder.path(), 4, &words);
    // for programs: the same as data
    let said = run(check.arg("--json"));
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(
        (said.code, answer["errors"].as_array().unwrap().len()),
        (4, 10)
    );
}

#[test]
fn a_good_price_book_is_said_to_be_good() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(csbill(folder.path()).args(["prices", "check"]).arg(book()));
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("valid"), "{}", said.out);
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let rate = |usage: &Path, book: &Path| {
        let mut command = csbill(folder.path());
        command
            .args(["rate", "--month", "2026-10", "-o", "bill.json", "--usage"])
            .arg(usage)
            .arg("--book")
            .arg(book);
        command
    };
    let missing = folder.path().join("missing.json");
    refused(
        &mut rate(&missing, &book()),
        folder.path(),
        1,
        &["missing.json"],
    );
    let usage = recorded().join("usage-daily");
    refused(
        &mut rate(&usage, &missing),
        folder.path(),
        1,
        &["missing.json"],
    );
    let mut check = csbill(folder.path());
    check.args(["prices", "check", "missing.toml"]);
    refused(&mut check, folder.path(), 1, &["missing.toml"]);
    let mut report = csbill(folder.path());
    report
        .args(["report", "--month", "2026-10", "--book"])
        .arg(book());
    refused(
        &mut report,
        folder.path(),
        6,
        &["csbill.sqlite", "csbill sync"],
    );
    let html = folder.path().join("page.json");
    std::fs::write(&html, "<html><body>Bad Gateway</body></html>").unwrap();
    refused(
        &mut rate(&html, &book()),
        folder.path(),
        1,
        &["page.json", "HTML"],
    );
}

#[test]
fn a_wrong_command_line_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let book = book();
    let book = book.to_str().unwrap();
    for arguments in [
        vec!["report", "--book", book],
        vec!["report", "--book", book, "--from", "2026-10-01"],
        vec!["report", "--book", book, "--month", "October"],
        vec!["sync", "--as-of", "yesterday"],
        vec!["sync", "--page-size", "0"],
        vec!["unknown"],
    ] {
        let said = run(csbill(folder.path()).args(&arguments));
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "");
    }
    assert!(files(folder.path()).is_empty());
}

/// Runs `csbill` where no file may grow beyond so many blocks of 512 bytes. The signal of
/// the limit is ignored, so that writing fails as on a full disk.
#[cfg(unix)]
fn on_a_full_disk(blocks: u32, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    shell
        .args(["-c", &script, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    let mut command = on_a_full_disk(40, &sync(folder.path(), &server, &last_sync()));
    let said = run(&mut command);
    assert_eq!(said.code, 6, "{}{}", said.out, said.err);
    assert_eq!(files(folder.path()), Vec::<String>::new(), "{}", said.err);

    sync_all(folder.path(), &server);
    let report = |name: &str| {
        let mut command = csbill(folder.path());
        command
            .args([
                "report", "lines", "--month", "2026-10", "-o", name, "--book",
            ])
            .arg(book());
        command
    };
    std::fs::write(folder.path().join("old.csv"), "old").unwrap();
    for name in ["old.csv", "new.csv", "new.xlsx", "new.json"] {
        let mut command = on_a_full_disk(70, &report(name));
        refused(&mut command, folder.path(), 1, &[]);
    }
    let old = std::fs::read_to_string(folder.path().join("old.csv")).unwrap();
    assert_eq!(old, "old");
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_without_room_is_told_and_a_reader_that_left_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut rate = csbill(folder.path());
    rate.args(["rate", "--json", "--month", "2026-10", "--usage"])
        .arg(recorded().join("usage-daily"))
        .arg("--metadata")
        .arg(recorded().join("metadata"))
        .arg("--book")
        .arg(book());
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = rate.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("standard output"), "{text}");

    let mut child = rate
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        output.stderr,
        b"",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0));
}
