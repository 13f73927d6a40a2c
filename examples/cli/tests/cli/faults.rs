//! What goes wrong between `csbill sync` and CloudStack, over real connections: what passes
//! is lived through and leaves what an undisturbed sync leaves; what does not pass ends the
//! sync with its reason and leaves nothing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use chrono::TimeDelta;
use csbill_replay::{Break, ExpiryClock, Fault, FaultyNetwork, Options, ReplayServer};
use rusqlite::types::Value as SqlValue;

use crate::support::{csbill, daily, dump, files, good, last_sync, run, server, sync};

/// The same with as many attempts as users have.
fn patient(folder: &Path, server: &ReplayServer) -> Command {
    let mut command = csbill(folder);
    command
        .env("CLOUDSTACK_ENDPOINT", server.url())
        .env("CLOUDSTACK_KEY", server.key())
        .env("CLOUDSTACK_SECRET", server.secret())
        .args(["sync", "--as-of", &last_sync()]);
    command
}

/// Longer than a client waits that expects this.
const TOO_SLOW: Duration = Duration::from_millis(1500);

/// Seconds that a client waits for an answer.
fn waits(fault: Fault) -> &'static str {
    if matches!(fault, Fault::Slow(_)) {
        "1"
    } else {
        "60"
    }
}

type Content = Vec<(String, Vec<Vec<SqlValue>>)>;

/// What an undisturbed sync leaves, and how many requests it takes.
fn undisturbed() -> (Content, u64) {
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    good(&mut sync(folder.path(), &server, &last_sync()));
    let requests = u64::try_from(server.requests().len()).unwrap();
    (dump(&folder.path().join("csbill.sqlite")), requests)
}

/// Requests at the beginning, within the metadata, within the usage and at the end.
fn some_of(requests: u64) -> [u64; 4] {
    [1, requests / 3, requests - 3, requests]
}

#[test]
fn faults_of_the_server_that_pass_are_lived_through() {
    let (expected, requests) = undisturbed();
    let throttled = Fault::Throttled {
        retry_after: Duration::from_millis(20),
    };
    for fault in [
        throttled,
        Fault::Unavailable,
        Fault::HtmlPage,
        Fault::OtherJson,
        Fault::Truncated,
        Fault::Slow(TOO_SLOW),
    ] {
        let mut options = Options::default();
        for (extra, request) in (0..).zip(some_of(requests)) {
            // each fault is one request more
            options = options.fault(request + extra, fault);
        }
        let server = server(options);
        let folder = tempfile::tempdir().unwrap();
        good(patient(folder.path(), &server).env("CLOUDSTACK_TIMEOUT", waits(fault)));
        let found = dump(&folder.path().join("csbill.sqlite"));
        assert!(found == expected, "{fault:?} changed something");
        let sent = u64::try_from(server.requests().len()).unwrap();
        // a busy machine may be slow of itself
        let is_slow = matches!(fault, Fault::Slow(_)) && sent > requests + 4;
        assert!(
            sent == requests + 4 || is_slow,
            "{fault:?}: {sent} of {requests}"
        );
    }
}

#[test]
fn connections_that_break_are_made_again() {
    let (expected, requests) = undisturbed();
    for how in [Break::Reset, Break::NoAnswer, Break::InHead, Break::InBody] {
        let server = server(Options::default());
        let numbers = (0..).zip(some_of(requests));
        let breaks = numbers.map(|(extra, request)| (request + extra, how));
        let network = FaultyNetwork::before(&server, breaks).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut command = patient(folder.path(), &server);
        good(command.env("CLOUDSTACK_ENDPOINT", network.url()));
        let found = dump(&folder.path().join("csbill.sqlite"));
        assert!(found == expected, "{how:?} changed something");
        // a reset comes before the server has heard anything
        let heard = if how == Break::Reset { 0 } else { 4 };
        let sent = u64::try_from(server.requests().len()).unwrap();
        assert_eq!(sent, requests + heard, "{how:?}");
    }
}

#[test]
fn a_server_that_restarts_in_the_middle_is_waited_for() {
    let (expected, requests) = undisturbed();
    let first = server(Options::default());
    let port = first.address().port();
    let folder = tempfile::tempdir().unwrap();
    let mut command = patient(folder.path(), &first);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let half = usize::try_from(requests / 2).unwrap();
    while first.requests().len() < half {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(first);
    let second = server(Options {
        port,
        ..Options::default()
    });
    assert!(child.wait().unwrap().success());
    assert!(!second.requests().is_empty());
    assert!(dump(&folder.path().join("csbill.sqlite")) == expected);
}

#[test]
fn faults_that_do_not_pass_end_the_sync_and_leave_nothing() {
    for (fault, word) in [
        (Fault::Unavailable, "503"),
        (Fault::Internal, "530"),
        (Fault::HtmlPage, "HTML"),
        (Fault::OtherJson, "not CloudStack's"),
        (Fault::Truncated, "listCapabilities"),
        (
            Fault::Slow(Duration::from_millis(1500)),
            "no answer in time",
        ),
    ] {
        let server = server(Options {
            always: Some(fault),
            ..Options::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let mut command = sync(folder.path(), &server, &last_sync());
        let said = run(command.env("CLOUDSTACK_TIMEOUT", waits(fault)));
        assert_eq!(said.code, 5, "{fault:?}: {}", said.err);
        assert!(said.err.contains(word), "{fault:?}: {}", said.err);
        assert_eq!(files(folder.path()), [""; 0], "{fault:?}");
    }
}

/// The usage is what comes last: everything else was good.
#[test]
fn a_sync_that_breaks_at_its_last_request_leaves_what_was_there() {
    let recording = daily();
    let first = recording.sync_times()[0];
    let replay = server(Options::default());
    let folder = tempfile::tempdir().unwrap();
    good(&mut sync(folder.path(), &replay, &first.to_rfc3339()));
    let before = dump(&folder.path().join("csbill.sqlite"));
    let so_far = replay.requests().len();
    good(&mut sync(folder.path(), &replay, &last_sync()));
    let requests = u64::try_from(replay.requests().len() - so_far).unwrap();

    let folder = tempfile::tempdir().unwrap();
    good(&mut sync(folder.path(), &replay, &first.to_rfc3339()));
    for how in [Break::Reset, Break::NoAnswer, Break::InHead, Break::InBody] {
        let network = FaultyNetwork::before(&replay, [(requests, how)]).unwrap();
        let mut command = sync(folder.path(), &replay, &last_sync());
        let said = run(command.env("CLOUDSTACK_ENDPOINT", network.url()));
        assert_eq!(said.code, 5, "{how:?}: {}{}", said.out, said.err);
        let found = dump(&folder.path().join("csbill.sqlite"));
        assert!(found == before, "{how:?} left something");
    }
}

#[test]
fn a_clock_that_differs_too_much_is_named() {
    let skewed = |minutes| {
        server(Options {
            expiry: ExpiryClock::Real,
            clock_ahead: TimeDelta::minutes(minutes),
            ..Options::default()
        })
    };
    // requests are good for ten minutes
    let folder = tempfile::tempdir().unwrap();
    for minutes in [-600, 9] {
        good(&mut sync(folder.path(), &skewed(minutes), &last_sync()));
    }
    let before = dump(&folder.path().join("csbill.sqlite"));
    let ahead = skewed(11);
    let said = run(&mut sync(folder.path(), &ahead, &last_sync()));
    assert_eq!(said.code, 4, "{}{}", said.out, said.err);
    assert!(said.err.contains("clock"), "{}", said.err);
    assert_eq!(dump(&folder.path().join("csbill.sqlite")), before);
    let mut doctor = csbill(folder.path());
    let said = run(doctor
        .env("CLOUDSTACK_ENDPOINT", ahead.url())
        .env("CLOUDSTACK_KEY", ahead.key())
        .env("CLOUDSTACK_SECRET", ahead.secret())
        .args(["doctor", "--attempts", "1", "--as-of", &last_sync()]));
    assert_ne!(said.code, 0, "{}", said.out);
    assert!(said.out.contains("clock"), "{}", said.out);
}
