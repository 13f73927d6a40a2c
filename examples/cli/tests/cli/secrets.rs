//! No key, signature or password is in anything that runs print, log, serve or store, whatever
//! goes wrong: everything that they left is searched for each of them.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use csbill_replay::{Break, Fault, FaultyNetwork, Options, ReplayServer};

use crate::crashes::Moment;
use crate::evidence::{Evidence, secrets_of};
use crate::operation::{Daemon, scrape, with_credentials};
use crate::support::{csbill, last_sync, said, server, sync};

/// Keys with what URLs, forms, JSON and logs write in other ways.
fn options() -> Options {
    Options {
        key: "The-Api+Key/of=all~that is".to_owned(),
        secret: "The\"Secret\\Key&of=all%that+is".to_owned(),
        ..Options::default()
    }
}

/// A sync that sends in this way.
fn sync_by(method: &str, folder: &Path, server: &ReplayServer) -> Command {
    let mut command = sync(folder, server, &last_sync());
    command
        .env("CLOUDSTACK_METHOD", method)
        .args(["--metrics", "csbill.prom"]);
    command
}

/// Runs into every fault of server and network, early, late and for ever.
fn faults(evidence: &mut Evidence, secrets: &mut Vec<String>, method: &str) {
    for fault in [
        Fault::Throttled {
            retry_after: Duration::from_millis(10),
        },
        Fault::Unavailable,
        Fault::Internal,
        Fault::HtmlPage,
        Fault::OtherJson,
        Fault::Truncated,
        Fault::Slow(Duration::from_millis(1200)),
    ] {
        for at in [1, 20] {
            let folder = tempfile::tempdir().unwrap();
            let server = server(options().fault(at, fault));
            let what = format!("{method} with {fault:?} at {at}");
            let mut command = sync_by(method, folder.path(), &server);
            evidence.run(&what, command.env("CLOUDSTACK_TIMEOUT", "1"));
            evidence.add_folder(folder.path());
            secrets.extend(secrets_of(&server));
        }
    }
    let server = server(options());
    for how in [Break::Reset, Break::NoAnswer, Break::InHead, Break::InBody] {
        let folder = tempfile::tempdir().unwrap();
        let network = FaultyNetwork::before(&server, [(20, how)]).unwrap();
        let mut command = sync_by(method, folder.path(), &server);
        command.env("CLOUDSTACK_ENDPOINT", network.url());
        evidence.run(&format!("{method} with {how:?}"), &mut command);
        evidence.add_folder(folder.path());
    }
    secrets.extend(secrets_of(&server));
}

/// Kills a sync while it stores, so that what SQLite keeps beside a database stays.
fn killed(evidence: &mut Evidence, folder: &Path, server: &ReplayServer) {
    let begun = Instant::now();
    let mut whole = sync_by("post", folder, server);
    evidence.run("a whole sync", &mut whole);
    let (whole, requests) = (begun.elapsed(), server.requests().len());
    for kill in 0..6 {
        let folder = tempfile::tempdir().unwrap();
        let before = server.requests().len();
        let mut command = sync_by("post", folder.path(), server);
        let command = command
            .env("CSBILL_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let moment = Moment::of(kill * 3, u32::try_from(requests).unwrap(), whole);
        // its output is read once it is dead, and fits no pipe
        let output = std::thread::scope(|scope| {
            let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
            let out = scope.spawn(move || std::io::read_to_string(out).unwrap());
            let err = scope.spawn(move || std::io::read_to_string(err).unwrap());
            moment.wait(|| server.requests().len() - before, &mut child);
            child.kill().unwrap();
            child.wait().unwrap();
            out.join().unwrap() + &err.join().unwrap()
        });
        evidence.add("a killed sync", output);
        evidence.add_folder(folder.path());
    }
}

#[test]
fn whatever_goes_wrong_with_cloudstack_no_key_or_signature_is_left() {
    let mut evidence = Evidence::default();
    let mut secrets = Vec::new();
    for method in ["get", "post"] {
        faults(&mut evidence, &mut secrets, method);
    }
    let replay = server(options());
    let folder = tempfile::tempdir().unwrap();
    killed(&mut evidence, folder.path(), &replay);

    // refused, unreachable, and an endpoint that holds a password itself
    let wrong = "a-wrong-secret-key";
    for method in ["get", "post"] {
        let mut command = sync_by(method, folder.path(), &replay);
        evidence.run("a wrong secret", command.env("CLOUDSTACK_SECRET", wrong));
        for endpoint in [
            "http://127.0.0.1:1/client/api",
            "http://ada:endpoint-password@127.0.0.1/client/api",
            "http://127.0.0.1/client/api?apikey=endpoint-password",
            "ftp://ada:endpoint-password@127.0.0.1/client/api",
        ] {
            let mut command = sync_by(method, folder.path(), &replay);
            evidence.run(endpoint, command.env("CLOUDSTACK_ENDPOINT", endpoint));
        }
    }
    let mut doctor = with_credentials(folder.path(), &replay);
    let doctor = doctor.args(["doctor", "--attempts", "1", "--as-of", &last_sync()]);
    evidence.run("a doctor", doctor);
    evidence.add_folder(folder.path());

    // a daemon as it is served and as it logs
    let mut command = with_credentials(folder.path(), &replay);
    command.env("CSBILL_LOG", "trace");
    let mut daemon = Daemon::spawn(command, &["--metrics-listen", "127.0.0.1:0"]);
    let address = daemon.hears("metrics are served")["address"].clone();
    daemon.hears("synced");
    evidence.add("metrics", scrape(address.as_str().unwrap(), "/metrics"));
    evidence.add("logs of a daemon", daemon.stop().1.join("\n"));

    secrets.extend(secrets_of(&replay));
    secrets.extend([wrong.to_owned(), "endpoint-password".to_owned()]);
    assert!(secrets.len() > 1000, "signatures are among them");
    for talk in ["listUsageRecords", "csbill_sync_up", "SQLite format 3"] {
        assert!(evidence.has(talk), "{talk} is not in the evidence");
    }
    evidence.holds_none_of(&secrets);
}

#[cfg(feature = "mariadb")]
#[test]
fn whatever_goes_wrong_with_databases_no_password_is_left() {
    let Some(portal) = crate::databases::Portal::new() else {
        return;
    };
    let mut evidence = Evidence::default();
    let replay = server(options());
    let folder = tempfile::tempdir().unwrap();
    let mut command = sync_by("post", folder.path(), &replay);
    let synced = evidence.run("a sync", portal.on(&mut command));
    assert_eq!(synced.code, 0, "{}{}", synced.out, synced.err);
    evidence.add("the tables", portal.dump().join("\n"));

    let wrong = "a-wrong-pass-word";
    let mut command = sync_by("post", folder.path(), &replay);
    let command = portal
        .on(&mut command)
        .env("CSBILL_DATABASE_PASSWORD", wrong);
    assert_eq!(evidence.run("a wrong password", command).code, 6);
    // CloudStack's own databases, which are not there
    let mut command = csbill(folder.path());
    let url = format!("mysql://csbill:{wrong}@127.0.0.1:1/cloud_usage");
    let command = command.args(["sync", "--sql", &url]);
    assert_ne!(evidence.run("databases out of reach", command).code, 0);
    evidence.add_folder(folder.path());

    assert!(evidence.has("listUsageRecords") && evidence.has("mysql://csbill@127.0.0.1"));
    let mut secrets = secrets_of(&replay);
    secrets.extend([portal.password().to_owned(), wrong.to_owned()]);
    evidence.holds_none_of(&secrets);
}

#[cfg(feature = "amqp")]
#[test]
fn whatever_goes_wrong_with_a_broker_no_password_is_left() {
    let Some(broker) = crate::broker::TestBroker::shared() else {
        return;
    };
    let replay = server(options());
    let mut evidence = Evidence::default();
    let wrong = "a-wrong-pass-word";
    for (password, word) in [
        (broker.password(), "listening to events"),
        (wrong, "no events"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = with_credentials(folder.path(), &replay);
        command
            .env("CSBILL_LOG", "trace,lapin=trace")
            .env("CSBILL_EVENTS", broker.url())
            .env("CSBILL_EVENTS_PASSWORD", password);
        let options = ["--metrics", "csbill.prom", "--events-exchange", "secrets"];
        let mut daemon = Daemon::spawn(command, &options);
        daemon.hears_all(&[word, "synced"]);
        let body = format!(r#"{{"event": "CREATE_TAGS", "cmdInfo": "{wrong}"}}"#);
        let key = "management-server.ActionEvent.CREATE_TAGS.ResourceTag.*";
        broker.publish("secrets", key, &body);
        evidence.add("logs", daemon.stop().1.join("\n"));
        evidence.add_folder(folder.path());
    }
    assert!(evidence.has("csbill_events_connected") && evidence.has("amqp://csbill@"));
    let mut secrets = secrets_of(&replay);
    secrets.extend([broker.password().to_owned(), wrong.to_owned()]);
    evidence.holds_none_of(&secrets);
}

#[test]
fn a_secret_that_is_there_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "a+secret/of=ours".to_owned();
    for text in [
        "x a+secret/of=ours",
        "x=a%2Bsecret%2Fof%3Dours&",
        "a%2bsecret%2fof%3dours",
    ] {
        std::fs::write(folder.path().join("database"), text).unwrap();
        let mut evidence = Evidence::default();
        evidence.add_folder(folder.path());
        assert!(
            evidence.find(std::slice::from_ref(&secret)).is_some(),
            "{text}"
        );
    }
    let mut evidence = Evidence::default();
    let told = said(&Command::new("printf").arg(&secret).output().unwrap());
    evidence.add("a program", told.out);
    assert!(evidence.find(&["another secret".to_owned()]).is_none());
    assert!(evidence.find(&[secret]).is_some());
}
