//! A database server that is killed in the midst of a sync: it comes back with what was there
//! before or with all of it, and one more sync gives what one clean sync gives.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cloudstack_usage::{Secret, SqlServer};
use csbill_replay::{Options, ReplayServer};
use mysql::{Conn, OptsBuilder};

use crate::crashes::{Moment, kills};
use crate::databases::Portal;
use crate::evidence::{Evidence, secrets_of};
use crate::support::{daily, good, last_sync, said, server, sync};

/// How often the server is killed, unless `CSBILL_TEST_KILLS` says otherwise.
const KILLS: u32 = 6;

/// How long to wait for a server that starts.
const PATIENCE: Duration = Duration::from_secs(120);

/// A MariaDB of this test's own.
struct OwnServer {
    folder: tempfile::TempDir,
    port: u16,
    password: String,
    process: Option<Child>,
}

impl OwnServer {
    /// None where `with-mariadb.sh` found none.
    fn make() -> Option<Self> {
        let program = std::env::var_os("CSBILL_TEST_MARIADB_PROGRAM")?;
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let password = std::env::var("CSBILL_TEST_MARIADB_PASSWORD").unwrap();
        let mut own = Self {
            folder,
            port,
            password,
            process: None,
        };
        let made = Command::new(program)
            .arg("make")
            .arg(own.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let users = format!(
            "DROP USER IF EXISTS ''@'localhost';
             CREATE USER 'csbill'@'%' IDENTIFIED BY '{}';
             GRANT ALL ON *.* TO 'csbill'@'%';",
            own.password
        );
        let file = own.folder.path().join("init.sql");
        // the server reads one statement a line
        std::fs::write(&file, users.replace('\n', " ").replace("; ", ";\n")).unwrap();
        own.serve(&[&format!("--init-file={}", file.display())]);
        std::fs::remove_file(file).unwrap();
        Some(own)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the server on its data, and waits until it answers.
    fn serve(&mut self, flags: &[&str]) {
        let program = std::env::var_os("CSBILL_TEST_MARIADB_PROGRAM").unwrap();
        let log = self.folder.path().join("server.log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(self.data())
            .arg(self.port.to_string())
            .args([
                "--innodb-buffer-pool-size=32M",
                "--innodb-log-file-size=16M",
            ])
            .args(flags)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.process = Some(process.unwrap());
        let until = Instant::now() + PATIENCE;
        while self.connect().is_err() {
            assert!(Instant::now() < until, "the server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn address(&self) -> SqlServer {
        let url = format!("mysql://csbill@127.0.0.1:{}", self.port);
        let server = SqlServer::parse(&url).unwrap();
        server.with_password(Secret::new(self.password.as_str()))
    }

    fn connect(&self) -> mysql::Result<Conn> {
        let options = OptsBuilder::new()
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(self.port)
            .prefer_socket(false)
            .user(Some("csbill"))
            .pass(Some(&self.password));
        Conn::new(options)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a sync and kills the database server at a moment of it. Gives what the sync said, and
/// whether it noticed.
fn kill_server_at(
    own: &mut OwnServer,
    command: &mut Command,
    cloud: &ReplayServer,
    moment: &Moment,
) -> (crate::support::Said, bool) {
    let before = cloud.requests().len();
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    moment.wait(|| cloud.requests().len() - before, &mut child);
    own.kill();
    let said = said(&child.wait_with_output().unwrap());
    assert!(
        [0, 6].contains(&said.code),
        "{}: {}{}",
        said.code,
        said.out,
        said.err
    );
    let noticed = said.code != 0;
    (said, noticed)
}

#[test]
fn a_database_server_killed_in_the_midst_of_a_sync_loses_and_doubles_nothing() {
    let Some(mut own) = OwnServer::make() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cloud = server(Options::default());
    let (first, last) = (daily().sync_times()[0].to_rfc3339(), last_sync());

    // what is there after the first sync, and after both
    let clean = Portal::of(own.address(), "clean");
    cloud.set_now(first.parse().unwrap());
    good(clean.on(&mut sync(folder.path(), &cloud, &first)));
    let first_only = clean.dump();
    cloud.set_now(last.parse().unwrap());
    let so_far = cloud.requests().len();
    let begun = Instant::now();
    good(clean.on(&mut sync(folder.path(), &cloud, &last)));
    let whole = begun.elapsed();
    let requests = u32::try_from(cloud.requests().len() - so_far).unwrap();
    let both = clean.dump();
    assert!(first_only != both);

    let mut evidence = Evidence::default();
    let kills = kills(KILLS);
    let mut noticed = 0;
    for kill in 0..kills {
        let portal = Portal::of(own.address(), &format!("killed_{kill}"));
        cloud.set_now(first.parse().unwrap());
        good(portal.on(&mut sync(folder.path(), &cloud, &first)));
        cloud.set_now(last.parse().unwrap());

        // every other one while it stores, where most can go wrong
        let moment = Moment::of(kill * 3 + kill % 2, requests, whole);
        let mut command = sync(folder.path(), &cloud, &last);
        let command = portal.on(command.env("CSBILL_LOG", "trace"));
        let (said, has_noticed) = kill_server_at(&mut own, command, &cloud, &moment);
        evidence.add("a sync whose database was killed", said.out + &said.err);
        noticed += u32::from(has_noticed);

        own.serve(&[]);
        let found = portal.dump();
        if found == both {
            // it was killed after all was told to be there, or just before it was told
        } else {
            assert!(has_noticed, "kill {kill}: a sync that succeeded was lost");
            assert!(found == first_only, "kill {kill}: half a sync is there");
        }
        good(portal.on(&mut sync(folder.path(), &cloud, &last)));
        assert!(
            portal.dump() == both,
            "kill {kill}: it differs from a clean sync"
        );
    }
    assert!(
        noticed > kills / 3,
        "only {noticed} of {kills} syncs noticed"
    );

    drop(clean);
    own.kill();
    evidence.add_folder(own.folder.path());
    evidence.add_folder(folder.path());
    assert!(evidence.has("listUsageRecords") && evidence.has("csb_usage"));
    let mut secrets = secrets_of(&cloud);
    secrets.push(own.password.clone());
    evidence.holds_none_of(&secrets);
}
