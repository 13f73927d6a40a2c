//! `csbill sync --daemon` and `csbill doctor`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use csbill_replay::{Options, ReplayServer};
use serde_json::Value;

use crate::support::{csbill, good, last_sync, run, server, sync};

/// How long to wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn with_credentials(folder: &Path, server: &ReplayServer) -> Command {
    let mut command = csbill(folder);
    command
        .env("CLOUDSTACK_ENDPOINT", server.url())
        .env("CLOUDSTACK_KEY", server.key())
        .env("CLOUDSTACK_SECRET", server.secret());
    command
}

/// A daemon with its log lines as they come.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Daemon {
    fn start(folder: &Path, server: &ReplayServer, more: &[&str]) -> Self {
        Self::spawn(with_credentials(folder, server), more)
    }

    pub(crate) fn spawn(mut command: Command, more: &[&str]) -> Self {
        command
            .args([
                "sync",
                "--daemon",
                "--attempts",
                "1",
                "--log-format",
                "json",
            ])
            .args(more);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self {
            child,
            lines,
            said: Vec::new(),
        }
    }

    /// Waits for a log line with this message, and gives its fields.
    pub(crate) fn hears(&mut self, message: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self
            .lines
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            let fields: Value = serde_json::from_str(&line).expect("each line is JSON");
            self.said.push(line);
            if fields["message"].as_str().unwrap().starts_with(message) {
                return fields;
            }
        }
        panic!("nothing like {message:?} in {:#?}", self.said);
    }

    /// Waits for a log line with each of these messages, in whatever order.
    #[cfg(feature = "amqp")]
    pub(crate) fn hears_all(&mut self, messages: &[&str]) {
        let mut open = messages.to_vec();
        while !open.is_empty() {
            let message = self.hears("")["message"].clone();
            open.retain(|wanted| !message.as_str().unwrap().starts_with(wanted));
        }
    }

    /// Ends it as systemd does, and gives its exit code.
    pub(crate) fn stop(mut self) -> (Option<i32>, Vec<String>) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        let status = self.child.wait().unwrap();
        self.said.extend(self.lines.iter());
        (status.code(), std::mem::take(&mut self.said))
    }
}

/// A test that fails leaves no daemon behind.
impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn scrape(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_daemon_syncs_again_and_again_tells_its_metrics_and_stops_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let replay = server(Options::default());
    let mut daemon = Daemon::start(
        folder.path(),
        &replay,
        &[
            "--every",
            "1s",
            "--metrics",
            "csbill.prom",
            "--metrics-listen",
            "127.0.0.1:0",
        ],
    );
    let address = daemon.hears("metrics are served")["address"]
        .as_str()
        .unwrap()
        .to_owned();
    let first = daemon.hears("synced");
    assert_eq!(
        (&first["changed"], &first["complete"]),
        (&Value::Bool(true), &Value::Bool(true))
    );
    let second = daemon.hears("synced");
    assert_eq!(second["changed"], Value::Bool(false));

    let scraped = scrape(&address, "/metrics");
    assert!(scraped.starts_with("HTTP/1.1 200"), "{scraped}");
    assert!(
        scraped.contains("csbill_sync_up{cloud=\"cloudstack\"} 1\n"),
        "{scraped}"
    );
    assert!(scraped.contains("outcome=\"new\"} 0\n"), "{scraped}");
    assert!(scrape(&address, "/").starts_with("HTTP/1.1 404"));
    let written = std::fs::read_to_string(folder.path().join("csbill.prom")).unwrap();
    assert!(
        written.contains("csbill_sync_complete_until_timestamp_seconds{"),
        "{written}"
    );

    // CloudStack goes away: that is logged and shown, and no reason to end
    let (key, secret) = (replay.key().to_owned(), replay.secret().to_owned());
    drop(replay);
    let failed = daemon.hears("sync failed");
    assert_eq!(failed["exit"], Value::from(5));
    let deadline = Instant::now() + PATIENCE;
    while !scrape(&address, "/metrics").contains("csbill_sync_up{cloud=\"cloudstack\"} 0\n") {
        assert!(
            Instant::now() < deadline,
            "the failure is not in the metrics"
        );
    }

    let (code, said) = daemon.stop();
    assert_eq!(code, Some(0));
    let all = said.join("\n");
    assert!(all.contains("\"stopped\""), "{all}");
    assert!(!all.contains(&key) && !all.contains(&secret), "{all}");
}

#[test]
fn a_daemon_with_a_wrong_key_says_so_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let replay = server(Options::default());
    let mut command = with_credentials(folder.path(), &replay);
    let said = run(command.env("CLOUDSTACK_SECRET", "not the secret").args([
        "sync",
        "--daemon",
        "--attempts",
        "1",
    ]));
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(!said.err.contains("not the secret"), "{}", said.err);
}

#[test]
fn calls_are_logged_without_what_they_are_signed_with() {
    let folder = tempfile::tempdir().unwrap();
    let replay = server(Options::default());
    let said = run(sync(folder.path(), &replay, &last_sync()).env("CSBILL_LOG", "debug"));
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.contains("listUsageRecords"), "{}", said.err);
    for hidden in [replay.key(), replay.secret(), "signature="] {
        assert!(!said.err.contains(hidden), "{hidden} in {}", said.err);
    }
}

fn doctor(folder: &Path, replay: &ReplayServer) -> Command {
    let mut command = with_credentials(folder, replay);
    command.args(["doctor", "--attempts", "1", "--as-of", &last_sync()]);
    command
}

#[test]
fn a_doctor_finds_a_healthy_cloud_healthy_before_and_after_a_sync() {
    let folder = tempfile::tempdir().unwrap();
    let replay = server(Options::default());
    let before = good(&mut doctor(folder.path(), &replay));
    assert!(before.contains("is not there yet"), "{before}");
    assert!(!folder.path().join("csbill.sqlite").exists());
    good(&mut sync(folder.path(), &replay, &last_sync()));
    let after = good(&mut doctor(folder.path(), &replay));
    for check in [
        "version        CloudStack 4.23",
        "clock",
        "dates",
        "permissions    all",
        "usage",
        "database       1 syncs",
        "complete",
    ] {
        assert!(
            after.contains(&format!("ok       {check}")),
            "{check} in {after}"
        );
    }
    assert!(
        !after.contains("warning") && !after.contains("FAILED"),
        "{after}"
    );
}

#[test]
fn a_doctor_names_what_is_ill_and_ends_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    // what the role may not list is a warning: bills are possible without
    let narrow = server(
        Options::default()
            .deny("listDiskOfferings")
            .deny("listTags"),
    );
    let said = run(&mut doctor(folder.path(), &narrow));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("warning  permissions"), "{}", said.out);
    assert!(
        said.out.contains("listDiskOfferings (not_permitted)"),
        "{}",
        said.out
    );
    // a wrong secret ends all that could be asked of the server, not the database's checks
    let mut command = doctor(folder.path(), &narrow);
    let said = run(command
        .env("CLOUDSTACK_SECRET", "wrong-secret")
        .arg("--json"));
    assert_eq!(said.code, 4, "{}", said.out);
    let checks: Value = serde_json::from_str(&said.out).unwrap();
    let level = |name: &str| {
        let mut checks = checks.as_array().unwrap().iter();
        checks
            .find(|check| check["name"] == name)
            .map(|check| check["level"].clone())
    };
    assert_eq!(level("version"), Some(Value::from("failed")));
    assert_eq!(level("usage"), None);
    assert_eq!(level("database"), Some(Value::from("ok")));
    assert!(!said.out.contains("wrong-secret"), "{}", said.out);
    // no endpoint at all
    let said = run(csbill(folder.path()).arg("doctor"));
    assert_eq!(said.code, 4, "{}", said.out);
    assert!(said.out.contains("FAILED   configuration"), "{}", said.out);
    // a usage server that has stopped
    let mut command = with_credentials(folder.path(), &narrow);
    let late = run(command.args([
        "doctor",
        "--attempts",
        "1",
        "--as-of",
        "2027-06-01T00:00:00Z",
    ]));
    assert_eq!(late.code, 0, "{}", late.out);
    assert!(late.out.contains("warning  usage"), "{}", late.out);
}
