//! `csbill sync`.

use csbill_replay::{Options, ReplayServer};
use serde_json::json;

use crate::support::{csbill, daily, dump, good, good_json, last_sync, run, server, sync};

#[test]
fn a_second_sync_changes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    let at = last_sync();
    let first = good(&mut sync(folder.path(), &server, &at));
    assert!(!first.contains("nothing changed"), "{first}");
    let before = dump(&folder.path().join("csbill.sqlite"));
    let second = good(&mut sync(folder.path(), &server, &at));
    assert!(second.ends_with("nothing changed\n"), "{second}");
    assert_eq!(dump(&folder.path().join("csbill.sqlite")), before);
    let third = good_json(&mut sync(folder.path(), &server, &at));
    assert_eq!(third["changed"], json!(false));
    assert_eq!(third["usage"]["new"], json!(0));
}

#[test]
fn credentials_come_from_the_file_that_cs_reads() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    let (url, key, secret) = (server.url(), server.key(), server.secret());
    std::fs::write(
        folder.path().join(".cloudstack.ini"),
        format!("[cloudstack]\nendpoint = http://127.0.0.1:1/\n[here]\nendpoint = {url}\nkey = {key}\nsecret = {secret}\nmethod = get\n"),
    )
    .unwrap();
    let mut command = csbill(folder.path());
    command.args(["sync", "--profile", "here", "--as-of", &last_sync()]);
    let out = good(&mut command);
    assert!(!out.contains(secret) && !out.contains(key), "{out}");
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.method == "GET")
    );
    // the environment chooses the section as a flag does
    let mut command = csbill(folder.path());
    command
        .env("CLOUDSTACK_REGION", "here")
        .env("CLOUDSTACK_METHOD", "POST")
        .args(["sync", "--as-of", &last_sync()]);
    let before = server.requests().len();
    good(&mut command);
    let requests = server.requests();
    assert!(
        requests[before..]
            .iter()
            .all(|request| request.method == "POST")
    );
}

#[test]
fn a_smaller_page_size_is_adapted_to_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let whole = server(Options::default());
    let all = good_json(&mut sync(folder.path(), &whole, &last_sync()));
    let other = tempfile::tempdir().unwrap();
    let small = server(Options {
        max_page_size: 90,
        ..Options::default()
    });
    let out = good(&mut sync(other.path(), &small, &last_sync()));
    assert!(out.contains("page") && out.contains("90"), "{out}");
    assert!(
        out.contains(&format!("{} new", all["usage"]["new"])),
        "{out}"
    );
    assert_eq!(
        dump(&folder.path().join("csbill.sqlite")),
        dump(&other.path().join("csbill.sqlite"))
    );
}

#[test]
fn a_call_that_the_role_may_not_make_is_named_and_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(
        Options::default()
            .deny("listEvents")
            .deny("listUsageTypes")
            .deny("listOsCategories"),
    );
    let out = good(&mut sync(folder.path(), &server, &last_sync()));
    for call in ["listEvents", "listOsCategories"] {
        assert!(out.contains(call), "{call} in {out}");
    }
    assert!(!out.contains(" 0 new"), "{out}");
}

#[test]
fn a_server_that_does_not_tell_its_version_is_named_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default().deny("listCapabilities"));
    let mut command = sync(folder.path(), &server, &last_sync());
    let out = good(command.args(["--longest-window", "168"]));
    assert!(out.contains("note: listCapabilities"), "{out}");
    assert!(!out.contains(" 0 new"), "{out}");
    // once, before everything else
    let requests = server.requests();
    let asked = |command: &str| requests.iter().filter(|r| r.command == command).count();
    assert_eq!(requests[0].command, "listCapabilities");
    assert_eq!(asked("listCapabilities"), 1);
}

#[test]
fn one_malformed_record_is_rejected_with_its_position_and_the_rest_is_written() {
    let mut recording = daily();
    let position = recording.usage().len() / 2;
    recording.usage_mut()[position]["rawusage"] = json!("lots");
    let server = ReplayServer::start(recording, Options::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let said = run(&mut sync(folder.path(), &server, &last_sync()));
    assert_eq!(said.code, 7, "{}{}", said.out, said.err);
    let line = said.out.lines().find(|line| line.starts_with("rejected: "));
    let line = line.expect("the rejection is named");
    // pages of 500: the entry's place in its page
    assert!(
        line.contains(&format!("entry {}", position % 500 + 1)),
        "{line}"
    );
    assert!(line.contains("rawusage"), "{line}");
    let clean = tempfile::tempdir().unwrap();
    let all = good_json(&mut sync(
        clean.path(),
        &crate::support::server(Options::default()),
        &last_sync(),
    ));
    let expected = all["usage"]["new"].as_u64().unwrap() - 1;
    assert!(
        said.out.contains(&format!("{expected} new")),
        "{}",
        said.out
    );
}

#[test]
fn usage_that_cloudstack_fails_on_is_named_and_the_rest_is_written() {
    let recording = daily();
    let position = recording.usage().len() / 2;
    let options = Options {
        unreadable: [position].into(),
        ..Options::default()
    };
    let server = ReplayServer::start(recording, options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = sync(folder.path(), &server, &last_sync());
    let said = run(&mut command);
    assert_eq!(said.code, 7, "{}{}", said.out, said.err);
    assert!(said.out.contains("incomplete"), "{}", said.out);
    let clean = tempfile::tempdir().unwrap();
    let all = good_json(&mut sync(
        clean.path(),
        &crate::support::server(Options::default()),
        &last_sync(),
    ));
    let expected = all["usage"]["new"].as_u64().unwrap() - 1;
    assert!(
        said.out.contains(&format!("{expected} new")),
        "{}",
        said.out
    );
}

#[test]
fn usage_is_fetched_again_from_a_date_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    let first = good_json(&mut sync(folder.path(), &server, &last_sync()));
    let records = first["usage"]["new"].as_u64().unwrap();
    let again = good_json(&mut sync(folder.path(), &server, &last_sync()));
    let read_again = again["usage"]["unchanged"].as_u64().unwrap();
    assert!(0 < read_again && read_again < records);
    let start = &first["range"]["start"].as_str().unwrap()[..10];
    let mut command = sync(folder.path(), &server, &last_sync());
    let whole = good_json(command.args(["--from", start]));
    assert_eq!(whole["usage"]["unchanged"], json!(records));
    assert_eq!(whole["changed"], json!(false));
}

#[test]
fn a_sync_may_not_go_back_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    good(&mut sync(folder.path(), &server, &last_sync()));
    let before = dump(&folder.path().join("csbill.sqlite"));
    let first = daily().sync_times()[0].to_rfc3339();
    let said = run(&mut sync(folder.path(), &server, &first));
    assert_eq!(said.code, 6, "{}{}", said.out, said.err);
    assert_eq!(dump(&folder.path().join("csbill.sqlite")), before);
}
