//! MariaDB as the database, and CloudStack's own databases as the source. A server is
//! started by `cloudstack-usage/store-sql/tests/with-mariadb.sh`; without one all is skipped.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use cloudstack_usage::{Secret, SqlServer};
use csbill_replay::{Options, ReplayServer};
use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder, Row};
use rating_engine::Exact;

use crate::archives::{archive, kill_after, restore};
use crate::cloudstack_database::CloudStackDatabase;
use crate::crashes::{Moment, kill_at, kills};
use crate::support::{
    book, csbill, daily, dump, good, good_json, last_sync, run, server, sync, sync_all,
};

/// How often a sync into MariaDB is killed, unless `CSBILL_TEST_KILLS` says otherwise.
const KILLS: u32 = 20;

/// An empty database on a server, dropped at the end.
pub(crate) struct Portal {
    server: SqlServer,
    name: String,
}

impl Portal {
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let url = std::env::var("CSBILL_TEST_MARIADB").ok()?;
        let password = std::env::var("CSBILL_TEST_MARIADB_PASSWORD").unwrap_or_default();
        let server = SqlServer::parse(&url)
            .unwrap()
            .with_password(Secret::new(password));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("csb_cli_{}_{number}", std::process::id());
        Some(Self::of(server, &name))
    }

    /// A database of this name on this server.
    pub(crate) fn of(server: SqlServer, name: &str) -> Self {
        let name = name.to_owned();
        let portal = Self { server, name };
        portal.query("CREATE DATABASE {}");
        portal
    }

    pub(crate) fn query(&self, sql: &str) -> Vec<Row> {
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(self.server.host()))
            .tcp_port(self.server.port())
            .prefer_socket(false)
            .user(self.server.user())
            .pass(Some(self.password()));
        let sql = sql.replace("{}", &self.name);
        Conn::new(options).unwrap().query(sql).unwrap()
    }

    pub(crate) fn password(&self) -> &str {
        self.server.password().unwrap().expose()
    }

    /// The command with this as its database.
    pub(crate) fn on<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let url = self.server.clone().with_database(&self.name).to_string();
        command
            .env("CSBILL_DATABASE", url)
            .env("CSBILL_DATABASE_PASSWORD", self.password())
    }

    /// Every row of every table but those of sync runs, without the numbers that rows get
    /// (those of a killed sync are left out for ever), in an order of their content.
    pub(crate) fn dump(&self) -> Vec<String> {
        let of_snapshot = |column: &str| {
            format!("(SELECT count(*) FROM {{}}.csb_snapshot s WHERE s.id <= e.{column})")
        };
        let queries = [
            "SELECT name, watermark, longest_window FROM {}.csb_cloud".to_owned(),
            "SELECT record_key, revision, copy, recorded_from, recorded_until, usage_type,
                 window_start, window_end, raw_usage, resource, vm, domain, account, project,
                 record, sent FROM {}.csb_usage"
                .to_owned(),
            "SELECT at, complete FROM {}.csb_snapshot".to_owned(),
            format!(
                "SELECT kind, resource, name, fingerprint, copy, entry, {}, {} FROM {{}}.csb_entity e",
                of_snapshot("first_snapshot"),
                of_snapshot("until_snapshot")
            ),
            "SELECT fingerprint, period_start, period_end, first_seen, last_seen, resolved,
                 rejection FROM {}.csb_rejection"
                .to_owned(),
        ];
        let mut rows = Vec::new();
        for sql in &queries {
            let of_table = self.query(sql);
            assert!(!of_table.is_empty() || sql.contains("rejection"), "{sql}");
            rows.extend(
                of_table
                    .into_iter()
                    .map(|row| format!("{:?}", row.unwrap())),
            );
        }
        rows.sort();
        rows
    }

    /// Waits until the server has noticed that those who were killed are gone.
    fn wait_for_the_dead(&self) {
        let sql = "SELECT id FROM information_schema.processlist WHERE db = '{}'";
        while !self.query(sql).is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Drop for Portal {
    fn drop(&mut self) {
        self.query("DROP DATABASE IF EXISTS {}");
    }
}

/// The bill of the recorded month as JSON.
fn bill(command: &mut Command) -> String {
    let said = run(command
        .args(["report", "bill", "--json", "--month", "2026-10", "--book"])
        .arg(book()));
    assert!([0, 7].contains(&said.code), "{}{}", said.out, said.err);
    assert!(said.out.contains("\"statements\""));
    said.out
}

fn sync_all_into(portal: &Portal, folder: &Path, server: &ReplayServer) {
    for at in daily().sync_times() {
        server.set_now(at);
        good(portal.on(&mut sync(folder, server, &at.to_rfc3339())));
    }
}

#[test]
fn a_month_kept_in_mariadb_gives_the_bill_of_one_in_sqlite() {
    let Some(portal) = Portal::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    sync_all(folder.path(), &server);
    let expected = bill(&mut csbill(folder.path()));
    sync_all_into(&portal, folder.path(), &server);
    assert_eq!(bill(portal.on(&mut csbill(folder.path()))), expected);

    // once more changes nothing
    let again = good_json(portal.on(&mut sync(folder.path(), &server, &last_sync())));
    assert_eq!(again["changed"], serde_json::json!(false));

    // the password comes from the file too, and is shown by nothing
    std::fs::write(
        folder.path().join(".cloudstack.ini"),
        format!("[cloudstack]\ndatabase_password = {}\n", portal.password()),
    )
    .unwrap();
    let mut command = csbill(folder.path());
    portal
        .on(&mut command)
        .env_remove("CSBILL_DATABASE_PASSWORD");
    assert_eq!(bill(&mut command), expected);
    let mut command = csbill(folder.path());
    let set = [
        "label",
        "set",
        "vm:prd-app02",
        "Package",
        "Gold",
        "--from",
        "2026-10-01T00:00:00Z",
    ];
    let said = run(portal.on(&mut command).args(set).args(["--author", "ada"]));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let labels = good(
        portal
            .on(&mut csbill(folder.path()))
            .args(["label", "list"]),
    );
    assert!(
        labels.contains("Gold") && labels.contains("ada"),
        "{labels}"
    );
}

#[test]
fn a_password_in_the_url_is_shown_by_no_error_and_no_help() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "mysql://ada:not-the-secret@127.0.0.1:1/billing",
        "mysql://ada:not-the-secret@127.0.0.1:not-a-port/billing",
        "mysql://ada:not-the-secret@127.0.0.1/billing?tls=yes",
        "mariadb://ada:not-the-secret@127.0.0.1:1",
    ] {
        for arguments in [
            &["label", "list"] as &[&str],
            &["report", "--month", "2026-10", "--book", "none.toml"],
            &["sync", "--sql", url, "--database", "x.sqlite"],
            &["sync", "--help"],
        ] {
            let mut command = csbill(folder.path());
            command
                .env("CSBILL_DATABASE", url)
                .env("CLOUDSTACK_SQL", url)
                .env("CSBILL_DATABASE_PASSWORD", "not-the-secret")
                .env("CLOUDSTACK_SQL_PASSWORD", "not-the-secret")
                .args(arguments);
            let said = run(&mut command);
            assert!(
                !format!("{}{}", said.out, said.err).contains("not-the-secret"),
                "{arguments:?}: {}{}",
                said.out,
                said.err
            );
            assert!(said.code != 0 || arguments.contains(&"--help"));
            assert!(!folder.path().join("x.sqlite").exists());
        }
    }
}

/// `csbill sync` of CloudStack's databases, over all of the recording.
fn sync_all_sql(folder: &Path, database: &CloudStackDatabase) -> Command {
    let mut command = csbill(folder);
    let password = database.server.password().unwrap().expose();
    command
        .env("CLOUDSTACK_SQL", database.server.to_string())
        .env("CLOUDSTACK_SQL_PASSWORD", password)
        .args(["sync", "--sql-cloud", &database.cloud])
        .args(["--from", "2026-09-20", "--as-of", &last_sync()]);
    command
}

/// The same of usage alone.
fn sync_sql(folder: &Path, database: &CloudStackDatabase) -> Command {
    let mut command = sync_all_sql(folder, database);
    command.args(["--only", "usage"]);
    command
}

/// A VM runs all October but for 02:00 to 05:00 and 10:00 to 12:00 of the 23rd; a vCPU hour costs
/// 1, from 11:00 of that day on 2. 22 days are 528 hours; of the 23rd 7 lie before the price and 12
/// after it, and 8 days are 192 hours: 535 at 1 and 204 at 2. Without the starts and stops 19
/// hours are spread: 11/24 of them at 1 and 13/24 at 2, which makes 12881/24 and 4855/12.
#[test]
fn a_day_with_two_stops_is_billed_as_it_was_where_the_databases_tell_it() {
    let Some(database) = CloudStackDatabase::recorded() else {
        return;
    };
    // one that ran all the month, started once
    let (vm, name) = database.named(&format!(
        "SELECT usage_id, MAX(vm_name) FROM {}.cloud_usage
         WHERE usage_type = 1 AND raw_usage = 24 AND start_date LIKE '2026-10-%'
             AND 1 = (SELECT COUNT(*) FROM {}.usage_event
                      WHERE type = 'VM.START' AND resource_id = usage_id)
         GROUP BY usage_id HAVING COUNT(*) = 31 ORDER BY usage_id LIMIT 1",
        database.usage, database.cloud
    ));
    database.run(&format!(
        "UPDATE {}.cloud_usage SET raw_usage = 19, usage_display = '19 Hrs'
         WHERE usage_type = 1 AND usage_id = {vm} AND start_date = '2026-10-23'",
        database.usage
    ));
    for (id, action, time) in [
        (9001, "STOP", "02:00"),
        (9002, "START", "05:00"),
        (9003, "STOP", "10:00"),
        (9004, "START", "12:00"),
    ] {
        database.run(&format!(
            "INSERT INTO {0}.usage_event (id, type, account_id, created, zone_id, resource_id,
                 resource_name, offering_id, processed)
             SELECT {id}, 'VM.{action}', account_id, '2026-10-23 {time}', zone_id, resource_id,
                 resource_name, offering_id, 0
             FROM {0}.usage_event WHERE type = 'VM.START' AND resource_id = {vm} AND id < 9000",
            database.cloud
        ));
    }
    let folder = tempfile::tempdir().unwrap();
    let book = folder.path().join("book.toml");
    let text = "schema = 1\nname = \"vCPUs\"\ncurrency = \"EUR\"\nzone = \"UTC\"\n\
        compute = \"running\"\n\
        [[price]]\nid = \"before\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"hour\"\n\
        until = 2026-10-23T11:00:00Z\n\
        [[price]]\nid = \"after\"\nmeter = \"cpu\"\namount = \"2\"\nper = \"hour\"\n\
        from = 2026-10-23T11:00:00Z\n";
    std::fs::write(&book, text).unwrap();
    let cost = |folder: &Path| {
        let said = run(csbill(folder)
            .args(["report", "bill", "--json", "--month", "2026-10", "--book"])
            .arg(&book));
        assert!([0, 7].contains(&said.code), "{}{}", said.out, said.err);
        let bill: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let statements = bill["statements"].as_array().unwrap().iter();
        let lines = statements.flat_map(|statement| statement["lines"].as_array().unwrap());
        let of_vm = lines.filter(|line| line["vm_name"] == name.as_str() && line["item"] == "cpu");
        // each line for one vCPU, so that the VM's size does not matter
        let per_cpu = |line: &serde_json::Value| {
            let net: Exact = line["net"]["exact"].as_str().unwrap().parse().unwrap();
            let cpus = line["explanation"]["segments"][0]["level"]
                .as_i64()
                .unwrap();
            net.checked_div(&Exact::from(i128::from(cpus)))
                .unwrap()
                .to_string()
        };
        let mut nets: Vec<String> = of_vm.map(per_cpu).collect();
        nets.sort();
        let differ = said.out.contains("\"events_differ\"");
        assert!(!differ, "{}", said.out);
        nets
    };
    let told = tempfile::tempdir().unwrap();
    good_json(&mut sync_all_sql(told.path(), &database));
    assert_eq!(cost(told.path()), ["408", "535"]);
    // a second sync finds nothing new
    let again = good_json(&mut sync_all_sql(told.path(), &database));
    assert_eq!(again["changed"], serde_json::json!(false), "{again}");

    database.run(&format!("DROP TABLE {}.usage_event", database.cloud));
    let spread = tempfile::tempdir().unwrap();
    good_json(&mut sync_all_sql(spread.path(), &database));
    assert_eq!(cost(spread.path()), ["12881/24", "4855/12"]);
}

#[test]
fn the_recorded_month_through_sql_gives_the_bill_of_the_api() {
    let Some(database) = CloudStackDatabase::recorded() else {
        return;
    };
    let server = server(Options::default());
    let by_api = tempfile::tempdir().unwrap();
    sync_all(by_api.path(), &server);

    let by_sql = tempfile::tempdir().unwrap();
    for at in daily().sync_times() {
        server.set_now(at);
        let mut command = sync(by_sql.path(), &server, &at.to_rfc3339());
        good(command.args(["--only", "metadata"]));
    }
    let first = good_json(&mut sync_sql(by_sql.path(), &database));
    assert_eq!(first["usage"]["revised"], serde_json::json!(0));
    assert!(first["usage"]["new"].as_u64().unwrap() > 2000, "{first}");
    assert_eq!(
        bill(&mut csbill(by_sql.path())),
        bill(&mut csbill(by_api.path()))
    );

    // and what the API has filled goes on with SQL: every record is known
    let before = dump(&by_api.path().join("csbill.sqlite"));
    let known = good_json(&mut sync_sql(by_api.path(), &database));
    for counted in ["new", "revised", "deferred", "rejected"] {
        assert_eq!(known["usage"][counted], serde_json::json!(0), "{known}");
    }
    assert_eq!(known["usage"]["unchanged"], first["usage"]["new"]);
    assert_eq!(dump(&by_api.path().join("csbill.sqlite")), before);
}

#[test]
fn killed_syncs_into_mariadb_and_one_more_give_what_one_clean_sync_gives() {
    let (Some(clean), Some(portal)) = (Portal::new(), Portal::new()) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = server(Options::default());
    let at = last_sync();
    let begun = Instant::now();
    good(clean.on(&mut sync(folder.path(), &server, &at)));
    let whole = begun.elapsed();
    let requests = u32::try_from(server.requests().len()).unwrap();
    let kills = kills(KILLS);
    let mut killed = 0;
    for kill in 0..kills {
        let moment = Moment::of(kill, requests, whole);
        let mut command = sync(folder.path(), &server, &at);
        killed += u32::from(kill_at(portal.on(&mut command), &server, &moment));
        portal.wait_for_the_dead();
    }
    good(portal.on(&mut sync(folder.path(), &server, &at)));
    assert!(portal.dump() == clean.dump(), "the databases differ");
    assert!(
        killed > kills / 3,
        "only {killed} syncs were still running when killed"
    );
}

#[test]
fn a_month_goes_out_of_mariadb_and_comes_back_to_the_byte_even_when_killed() {
    let Some(portal) = Portal::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let server = server(Options::default());
    sync_all_into(&portal, folder, &server);
    let expected = bill(portal.on(&mut csbill(folder)));
    let before = portal.dump();
    let begun = Instant::now();
    good(portal.on(archive(folder).arg("--prune")));
    let whole = begun.elapsed();
    let refused = run(portal
        .on(&mut csbill(folder))
        .args(["report", "--month", "2026-10", "--book"])
        .arg(book()));
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("csbill restore"), "{}", refused.err);
    good(portal.on(&mut restore(folder)));
    assert!(portal.dump() == before, "the database differs");
    assert_eq!(bill(portal.on(&mut csbill(folder))), expected);

    for kill in 1..kills(KILLS) / 3 {
        let delay = whole * kill * 3 / kills(KILLS);
        kill_after(portal.on(archive(folder).arg("--prune")), delay);
        portal.wait_for_the_dead();
        let again = run(portal.on(archive(folder).arg("--prune")));
        assert!([0, 3].contains(&again.code), "{}", again.err);
        kill_after(portal.on(&mut restore(folder)), delay);
        portal.wait_for_the_dead();
        good(portal.on(&mut restore(folder)));
        assert!(portal.dump() == before, "kill {kill}: the database differs");
    }
}
