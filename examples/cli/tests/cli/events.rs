//! A daemon that hears CloudStack's events at a RabbitMQ, which `with-rabbitmq.sh` starts;
//! without one all is skipped.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use csbill_replay::{Options, ReplayServer};
use serde_json::Value;

use crate::broker::TestBroker;
use crate::operation::{Daemon, scrape, with_credentials};
use crate::support::{csbill, daily, run, server};

const TAGGED: &str = "management-server.ActionEvent.CREATE_TAGS.ResourceTag.*";
const COMPLETED: &str = r#"{"event": "CREATE_TAGS", "status": "Completed"}"#;

/// A daemon that would sync again in an hour, and hears at this exchange.
fn start(folder: &Path, replay: &ReplayServer, broker: &TestBroker, exchange: &str) -> Daemon {
    let mut command = with_credentials(folder, replay);
    command
        .env("CSBILL_EVENTS", broker.url())
        .env("CSBILL_EVENTS_PASSWORD", broker.password());
    Daemon::spawn(
        command,
        &[
            "--every",
            "1h",
            "--events-delay",
            "1s",
            "--events-exchange",
            exchange,
            "--metrics-listen",
            "127.0.0.1:0",
            "--metrics",
            "csbill.prom",
        ],
    )
}

/// How often a call was made.
fn calls(replay: &ReplayServer, command: &str) -> usize {
    let requests = replay.requests();
    requests.iter().filter(|r| r.command == command).count()
}

/// The last two syncs of the recording between which tags changed.
fn two_moments_with_other_tags() -> [DateTime<Utc>; 2] {
    let recording = daily();
    let times: Vec<_> = recording.sync_times().into_iter().collect();
    let changed = times.windows(2).rev().find(|pair| {
        // in no order of their own
        let tags = |at| {
            let listed = recording.listed("listTags", at).into_iter();
            listed.map(Value::to_string).collect::<BTreeSet<_>>()
        };
        tags(pair[0]) != tags(pair[1])
    });
    changed.expect("tags change")[..].try_into().unwrap()
}

/// Comings and goings of tags that the database knows of.
fn known_tags(folder: &Path) -> i64 {
    let database = rusqlite::Connection::open(folder.join("csbill.sqlite")).unwrap();
    let count = "SELECT count(*) + count(until_snapshot) FROM csb_entity WHERE kind = 'tag'";
    database.query_row(count, (), |row| row.get(0)).unwrap()
}

#[test]
fn a_tag_is_seen_after_its_event_and_before_the_next_poll() {
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    let [before, after] = two_moments_with_other_tags();
    let replay = server(Options::default().at(before));
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = start(folder.path(), &replay, &broker, "daemon");
    let address = daemon.hears("metrics are served")["address"].clone();
    daemon.hears_all(&["listening to events", "synced"]);
    let tags = known_tags(folder.path());
    let (lists, usage) = (
        calls(&replay, "listTags"),
        calls(&replay, "listUsageRecords"),
    );
    assert!(tags > 0 && lists > 0 && usage > 0);

    // somebody sets tags, and CloudStack says so more than once
    replay.set_now(after);
    broker.publish_all("daemon", &[(TAGGED, COMPLETED); 20]);
    let refreshed = daemon.hears("refreshed after events");
    assert_eq!(refreshed["changed"], Value::Bool(true));
    assert_eq!(refreshed["kinds"], Value::from("[Tag]"));
    assert_ne!(known_tags(folder.path()), tags);
    // listed once more, as a sync does it, and no usage
    assert_eq!(calls(&replay, "listTags"), 2 * lists);
    assert_eq!(calls(&replay, "listUsageRecords"), usage);

    let scraped = scrape(address.as_str().unwrap(), "/metrics");
    for sample in [
        "csbill_events_connected{cloud=\"cloudstack\"} 1\n",
        "csbill_events_messages_total{cloud=\"cloudstack\",outcome=\"hint\"} 20\n",
        "csbill_refreshes_total{cloud=\"cloudstack\",result=\"success\"} 1\n",
        "csbill_syncs_total{cloud=\"cloudstack\",result=\"success\"} 1\n",
    ] {
        assert!(scraped.contains(sample), "{sample} in {scraped}");
    }
    let written = std::fs::read_to_string(folder.path().join("csbill.prom")).unwrap();
    assert!(written.contains("csbill_refreshes_total{"), "{written}");

    // an event of nothing that is listed changes nothing, and a stop ends at once
    let login = "management-server.ActionEvent.USER-LOGIN.User.*";
    broker.publish("daemon", login, COMPLETED);
    let (code, said) = daemon.stop();
    assert_eq!(code, Some(0));
    let all = said.join("\n");
    assert_eq!(
        all.matches("\"refreshed after events\"").count(),
        1,
        "{all}"
    );
    assert!(!all.contains(broker.password()), "{all}");
}

#[test]
fn a_daemon_without_its_broker_syncs_as_ever_and_says_so() {
    let replay = server(Options::default());
    let folder = tempfile::tempdir().unwrap();
    let mut command = with_credentials(folder.path(), &replay);
    command.env("CSBILL_EVENTS", "amqp://ada:not-the-secret@127.0.0.1:1");
    let options = ["--every", "1s", "--metrics-listen", "127.0.0.1:0"];
    let mut daemon = Daemon::spawn(command, &options);
    let address = daemon.hears("metrics are served")["address"].clone();
    daemon.hears_all(&["no events", "synced"]);
    daemon.hears("synced");
    let scraped = scrape(address.as_str().unwrap(), "/metrics");
    assert!(
        scraped.contains("csbill_events_connected{cloud=\"cloudstack\"} 0\n"),
        "{scraped}"
    );
    let (code, said) = daemon.stop();
    assert_eq!(code, Some(0));
    let all = said.join("\n");
    assert!(all.contains("amqp://ada@127.0.0.1:1"), "{all}");
    assert!(!all.contains("not-the-secret"), "{all}");
}

#[test]
fn a_broker_that_goes_and_comes_back_is_heard_again() {
    let Some(broker) = TestBroker::alone() else {
        return;
    };
    let [before, after] = two_moments_with_other_tags();
    let replay = server(Options::default().at(before));
    let folder = tempfile::tempdir().unwrap();
    let mut daemon = start(folder.path(), &replay, &broker, "daemon");
    daemon.hears_all(&["listening to events", "synced"]);
    broker.control("kill");
    daemon.hears("no events");
    // what is told in the meantime is lost, so that everything is looked at afterwards
    replay.set_now(after);
    broker.control("start");
    let refreshed = daemon.hears("refreshed after events");
    assert_eq!(refreshed["after_gap"], Value::Bool(true));
    assert_eq!(refreshed["changed"], Value::Bool(true));
    assert_eq!(daemon.stop().0, Some(0));
}

#[test]
fn a_url_that_is_none_and_events_for_usage_alone_are_refused() {
    let replay = server(Options::default());
    let folder = tempfile::tempdir().unwrap();
    let daemon = || {
        let mut command = with_credentials(folder.path(), &replay);
        command.args(["sync", "--daemon"]);
        command
    };
    let said = run(daemon().env("CSBILL_EVENTS", "http://ada:not-the-secret@mq"));
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("amqp://USER@HOST"), "{}", said.err);
    assert!(!said.err.contains("not-the-secret"), "{}", said.err);
    let said = run(daemon()
        .env("CSBILL_EVENTS", "amqp://127.0.0.1:1")
        .args(["--only", "usage"]));
    assert_eq!(said.code, 2, "{}", said.err);
    assert_eq!(replay.requests().len(), 0);
    // the file of settings may name it as well
    std::fs::write(
        folder.path().join(".cloudstack.ini"),
        "[cloudstack]\nevents = mq.example.com\n",
    )
    .unwrap();
    let said = run(&mut daemon());
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("message broker"), "{}", said.err);
    // and no help shows what the environment holds
    let said = run(csbill(folder.path())
        .env("CSBILL_EVENTS", "amqp://ada:not-the-secret@mq")
        .env("CSBILL_EVENTS_PASSWORD", "not-the-secret")
        .args(["sync", "--help"]));
    assert_eq!(said.code, 0);
    assert!(!said.out.contains("not-the-secret"), "{}", said.out);
}
