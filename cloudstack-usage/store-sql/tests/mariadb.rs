//! The store in MariaDB: the laws of the port, and what only it has (types, grants, locks,
//! connections). A server is started by `with-mariadb.sh`; without one all is skipped.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use cloudstack_usage::store::{
    DEFAULT_CLOUD, Document, DocumentKind, MemoryStore, StoreErrorKind, SyncOutcome, SyncRun,
    UsageStore,
};
use cloudstack_usage::{Period, Secret, SqlServer};
use cloudstack_usage_store::{MariaDbStore, StoreLocation};
use mysql::prelude::Queryable as _;
use proptest::prelude::*;
use support::mariadb::{TestDatabase, database_or_skip};
use support::retention::{histories, loses_nothing};
use support::{
    all_snapshots, all_usage, answers_as_memory_does, daily, day, days, fetched,
    one_of_many_issues, page, put, snapshot, steps,
};

mod laws {
    use crate::support::mariadb::database_or_skip;

    cloudstack_usage::store_conformance!(database = database_or_skip!(); database.open());
}

#[test]
fn a_database_keeps_everything_and_is_read_without_writing() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = (all_usage(&mut store), all_snapshots(&mut store));
    assert_eq!(before.0.len(), 4);
    drop(store);
    let mut store = database.open();
    assert_eq!((all_usage(&mut store), all_snapshots(&mut store)), before);
    let mut reader = MariaDbStore::open_read_only(&database.server).unwrap();
    assert_eq!((all_usage(&mut reader), all_snapshots(&mut reader)), before);
    let text = Document::new(DocumentKind::PriceBook, "b", "x", "author", day(3));
    let refused = reader.record_document(DEFAULT_CLOUD, &text).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable, "{refused:?}");
    let mut opened = StoreLocation::Server(database.server.clone())
        .open()
        .unwrap();
    assert_eq!(all_usage(&mut *opened), before.0);
}

#[test]
fn a_sync_that_fails_at_its_very_end_leaves_nothing() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = (all_usage(&mut store), all_snapshots(&mut store));

    // the last table that a sync writes refuses, when all others are written
    database.run(
        "CREATE TRIGGER refuse BEFORE INSERT ON csb_sync FOR EACH ROW
         SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'",
    );
    let run = SyncRun::new(DEFAULT_CLOUD, day(4)).with_range(Period::always());
    let mut transaction = store.begin_sync(&run).unwrap();
    let mut records = days(0..4);
    records[0] = daily("a", 0, "5");
    transaction.put_usage(&page(records)).unwrap();
    let mut changed = snapshot();
    changed.vms.clear();
    transaction.put_snapshot(&fetched(&changed)).unwrap();
    let error = transaction.commit(&SyncOutcome::complete()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Database);
    assert!(error.to_string().contains("csb_sync"));
    assert!(std::error::Error::source(&error).is_some());

    assert_eq!((all_usage(&mut store), all_snapshots(&mut store)), before);
    assert_eq!(store.watermark(DEFAULT_CLOUD).unwrap(), Some(day(2)));
    // and the same connection goes on
    database.run("DROP TRIGGER refuse");
    put(&mut store, 4, &page(days(0..4)), &changed);
    assert_eq!(all_usage(&mut store).len(), 8);
}

#[test]
fn a_connection_lost_in_the_middle_leaves_nothing_and_locks_nobody() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = all_usage(&mut store);

    let mut lost = database.open();
    let run = SyncRun::new(DEFAULT_CLOUD, day(4)).with_range(Period::always());
    let mut transaction = lost.begin_sync(&run).unwrap();
    transaction.put_usage(&page(days(0..4))).unwrap();
    // while it fetches others read and write, but no second sync begins
    assert_eq!(all_usage(&mut store), before);
    let second = store.begin_sync(&run).err().unwrap();
    assert_eq!(second.kind(), StoreErrorKind::SyncRunning);
    assert!(second.is_retryable());
    let holder = "SELECT IS_USED_LOCK(CONCAT('csb:sync:', LEFT(SHA2(CONCAT(DATABASE(), '\n', 'cloudstack'), 256), 32)))";
    let holder: Vec<u64> = database.query(holder);
    database.run(&format!("KILL CONNECTION {}", holder[0]));
    let error = transaction.commit(&SyncOutcome::complete()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
    assert_eq!(all_usage(&mut store), before);
    put(&mut store, 4, &page(days(0..4)), &snapshot());
    assert_eq!(all_usage(&mut store).len(), 8);
}

#[test]
fn a_database_that_another_program_writes_to_is_busy_and_nothing_is_stored() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let before = all_usage(&mut store);
    let mut other = database.connect();
    other.query_drop("START TRANSACTION").unwrap();
    other
        .query_drop("SELECT id FROM csb_cloud FOR UPDATE")
        .unwrap();
    let run = SyncRun::new(DEFAULT_CLOUD, day(4)).with_range(Period::always());
    let mut transaction = store.begin_sync(&run).unwrap();
    transaction.put_usage(&page(days(0..4))).unwrap();
    let error = transaction.commit(&SyncOutcome::complete()).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Busy);
    assert!(error.is_retryable() && error.to_string().contains("try again"));
    assert_eq!(all_usage(&mut store), before);
    other.query_drop("ROLLBACK").unwrap();
    put(&mut store, 4, &page(days(0..4)), &snapshot());
    assert_eq!(all_usage(&mut store).len(), 8);
}

#[test]
fn an_unchanged_sync_writes_no_row_but_its_own() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    let rows = || {
        [
            "csb_usage",
            "csb_entity",
            "csb_rejection",
            "csb_sync",
            "csb_snapshot",
        ]
        .map(|table| database.query::<i64>(&format!("SELECT count(*) FROM {table}"))[0])
    };
    let [usage, entities, rejections, syncs, snapshots] = rows();
    put(&mut store, 3, &page(days(0..2)), &snapshot());
    assert_eq!(
        rows(),
        [usage, entities, rejections, syncs + 1, snapshots + 1]
    );
}

#[test]
fn the_views_show_what_is_known_now_and_the_server_s_zone_changes_no_time() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(vec![daily("a", 0, "24")]), &snapshot());
    put(
        &mut store,
        3,
        &page(vec![daily("a", 0, "23.5")]),
        &snapshot(),
    );
    let mut reader = database.connect();
    reader.query_drop("SET time_zone = '+05:30'").unwrap();
    let usage: Vec<(String, String)> = reader
        .query(
            "SELECT CAST(window_end AS CHAR), CAST(raw_usage AS DECIMAL(20,6)) FROM csb_usage_now",
        )
        .unwrap();
    let time = |number| day(number).format("%Y-%m-%d %H:%M:%S.000000").to_string();
    assert_eq!(usage, [(time(1), "23.500000".to_owned())]);
    let seen = "SELECT CAST(last_seen AS CHAR), is_there FROM csb_entity_seen WHERE kind = 'vm'";
    let vm: Vec<(String, bool)> = reader.query(seen).unwrap();
    assert_eq!(vm, [(time(3), true)]);
}

/// What the portal that shares the database may rely on.
#[test]
fn the_tables_are_documented_exact_and_indexed_for_the_reports() {
    let database = database_or_skip!();
    drop(database.open());
    let tables: Vec<(String, String, String, String)> = database.query(
        "SELECT table_name, engine, table_collation, table_comment FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
    );
    assert!(tables.len() >= 9);
    for (table, engine, collation, comment) in &tables {
        assert!(table.starts_with("csb_"), "{table}");
        assert_eq!(engine, "InnoDB", "{table}");
        assert_eq!(collation, "utf8mb4_nopad_bin", "{table}");
        assert!(!comment.is_empty(), "{table}");
    }
    let columns: Vec<(String, String)> = database.query(
        "SELECT concat(table_name, '.', column_name), column_type FROM information_schema.columns
         WHERE table_schema = DATABASE()",
    );
    for (column, kind) in &columns {
        assert!(
            !["float", "double", "timestamp", "datetime"].contains(&kind.as_str()),
            "{column} is a {kind}"
        );
    }
    let kind = |name: &str| &columns.iter().find(|(column, _)| column == name).unwrap().1;
    assert_eq!(kind("csb_usage.raw_usage"), "decimal(57,28)");
    assert_eq!(kind("csb_usage.window_start"), "datetime(6)");

    for filter in ["domain", "project", "account", "vm", "resource"] {
        let sql = format!(
            "EXPLAIN SELECT sent FROM csb_usage FORCE INDEX (csb_usage_{filter})
             WHERE cloud = 1 AND {filter} = 'x' AND window_start >= '2026-10-01'"
        );
        let plan: Vec<mysql::Row> = database.query(&sql);
        let length: Option<String> = plan[0].get("key_len").unwrap();
        // all three columns: cloud 8, text 255 x 4 + 2 (+ 1 where it may be NULL), time 8
        let whole = if filter == "domain" { "1038" } else { "1039" };
        assert_eq!(length.as_deref(), Some(whole), "{filter}");
    }
    let plan: Vec<mysql::Row> = database.query(
        "EXPLAIN SELECT record FROM csb_usage FORCE INDEX (csb_usage_window)
         WHERE cloud = 1 AND window_start >= '2026-10-01' AND window_start < '2026-11-01'
           AND window_end > '2026-10-01' AND recorded_until IS NULL
         ORDER BY window_start, window_end, record_key, revision, copy",
    );
    let extra: Option<String> = plan[0].get("Extra").unwrap();
    assert!(!extra.unwrap_or_default().contains("filesort"));
}

#[test]
fn a_database_of_another_version_is_refused_with_the_reason() {
    let database = database_or_skip!();
    let empty = MariaDbStore::open_read_only(&database.server).unwrap_err();
    assert_eq!(empty.kind(), StoreErrorKind::OlderSchema);
    drop(database.open());
    database.run("INSERT INTO csb_migration VALUES (9999, 'future', 'x')");
    for opened in [
        MariaDbStore::open(&database.server),
        MariaDbStore::open_read_only(&database.server),
    ] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::NewerSchema);
        assert!(error.to_string().contains("9999"));
        assert!(error.to_string().contains("127.0.0.1"));
    }
    database.run("DELETE FROM csb_migration WHERE number = 9999");
    database.run("UPDATE csb_migration SET sha256 = 'other'");
    let error = MariaDbStore::open(&database.server).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ChangedMigration);
}

/// A process that is killed while it makes the tables leaves some of them.
#[test]
fn tables_half_made_are_made_whole() {
    let database = database_or_skip!();
    drop(database.open());
    database.run("DELETE FROM csb_migration");
    database.run("DROP VIEW csb_usage_now");
    database.run("DROP TABLE csb_document");
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    assert!(store.documents(DEFAULT_CLOUD, None).unwrap().is_empty());
    assert_eq!(
        database.query::<i64>("SELECT count(*) FROM csb_usage_now"),
        [4]
    );
}

#[test]
fn two_programs_may_make_the_tables_at_once() {
    let database = database_or_skip!();
    std::thread::scope(|scope| {
        let opened: Vec<_> = (0..4).map(|_| scope.spawn(|| database.open())).collect();
        for store in opened {
            assert!(store.join().unwrap().clouds().unwrap().is_empty());
        }
    });
    // each was noted once
    let noted = database.query::<i64>("SELECT number FROM csb_migration ORDER BY number");
    assert_eq!(
        noted,
        (1..=i64::try_from(noted.len()).unwrap()).collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_be_opened_says_why_and_never_the_password() {
    let database = database_or_skip!();
    let right = database.server.password().unwrap().expose().to_owned();
    let wrong = Secret::new("a-wrong-pass-word");
    let no_database = database.server.clone().with_database("no_such_database");
    let nobody_listens = SqlServer::parse("mysql://csbill@127.0.0.1:1/x")
        .unwrap()
        .with_password(wrong.clone());
    let refused = database.server.clone().with_password(wrong);
    for server in [no_database, nobody_listens, refused] {
        let error = MariaDbStore::open(&server).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        let shown = format!("{error} {error:?} {server} {server:?}");
        assert!(
            !shown.contains(&right) && !shown.contains("a-wrong-pass-word"),
            "{shown}"
        );
        assert!(shown.contains("127.0.0.1"));
    }
    let store = database.open();
    assert!(!format!("{store:?}").contains(&right), "{store:?}");
}

/// The rights that the README names, and no others.
#[test]
fn the_documented_grants_suffice() {
    let database = database_or_skip!();
    let name = database.server.database().unwrap();
    let password = database.server.password().unwrap().expose();
    for (user, rights) in [
        (
            "syncs",
            "SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, REFERENCES, CREATE VIEW, \
             CREATE TEMPORARY TABLES",
        ),
        ("reads", "SELECT"),
    ] {
        let account = format!("'{user}_{name}'@'%'");
        database.run(&format!("CREATE USER {account} IDENTIFIED BY '{password}'"));
        database.run(&format!("GRANT {rights} ON {name}.* TO {account}"));
    }
    let as_user = |user: &str| {
        let port = database.server.port();
        let server = SqlServer::parse(&format!("mysql://{user}_{name}@127.0.0.1:{port}/{name}"));
        server.unwrap().with_password(Secret::new(password))
    };
    let mut store = MariaDbStore::open(&as_user("syncs")).unwrap();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    put(&mut store, 3, &page(days(1..3)), &snapshot());
    let mut reader = MariaDbStore::open_read_only(&as_user("reads")).unwrap();
    assert_eq!(all_usage(&mut reader), all_usage(&mut store));
    assert_eq!(all_usage(&mut reader).len(), 6);
    assert_eq!(all_snapshots(&mut reader).len(), 2);

    // what leaves the store needs one right more, on three tables
    let key = all_usage(&mut store)[0].key();
    let mut retention = store.begin_retention(DEFAULT_CLOUD).unwrap();
    let refused = retention.remove_usage(&[key]).unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Unavailable);
    drop(retention);
    for table in ["csb_usage", "csb_archived_month", "csb_archived_use"] {
        let account = format!("'syncs_{name}'@'%'");
        database.run(&format!("GRANT DELETE ON {name}.{table} TO {account}"));
    }
    let mut retention = store.begin_retention(DEFAULT_CLOUD).unwrap();
    assert_eq!(retention.remove_usage(&[key]).unwrap(), 1);
    retention
        .remove_archived("2023-11".parse().unwrap())
        .unwrap();
    drop(retention);
    assert_eq!(all_usage(&mut store).len(), 6);
    drop((store, reader));
    for user in ["syncs", "reads"] {
        database.run(&format!("DROP USER '{user}_{name}'@'%'"));
    }
}

#[test]
fn a_value_that_does_not_fit_is_refused_and_nothing_is_stored() {
    let database = database_or_skip!();
    let mut store = database.open();
    let long = "n".repeat(300);
    let document = Document::new(DocumentKind::PriceBook, long, "x", "author", day(3));
    let error = store.record_document(DEFAULT_CLOUD, &document).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Invalid);
    assert!(error.to_string().contains("csb_document"));
    assert!(store.clouds().unwrap().is_empty());
    // a text larger than the server takes at once
    let large = "x".repeat(17 * 1024 * 1024);
    let document = Document::new(DocumentKind::Statement, "s", large, "author", day(3));
    let error = store.record_document(DEFAULT_CLOUD, &document).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Invalid, "{error:?}");
    assert!(error.to_string().contains("max_allowed_packet"), "{error}");
    assert!(database.open().clouds().unwrap().is_empty());
}

#[test]
fn a_row_changed_by_hand_is_an_error_that_names_the_table() {
    let database = database_or_skip!();
    let mut store = database.open();
    put(&mut store, 2, &page(days(0..2)), &snapshot());
    database.run("UPDATE csb_usage SET record = '{}' WHERE id = 1");
    let query = cloudstack_usage::store::UsageQuery::new(DEFAULT_CLOUD, Period::always());
    let error = store.usage(&query, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert!(error.to_string().contains("csb_usage"));
    let document = Document::new(DocumentKind::Statement, "s", "{}", "author", day(3));
    store.record_document(DEFAULT_CLOUD, &document).unwrap();
    database.run("UPDATE csb_document SET content = '[]'");
    let error = store
        .document(DEFAULT_CLOUD, DocumentKind::Statement, "s", None)
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

/// More keys than are merged at a time, some with twins, revised as a whole.
#[test]
fn many_keys_are_merged_in_parts() {
    let database = database_or_skip!();
    let mut store = database.open();
    let mut memory = MemoryStore::new();
    let mut records: Vec<_> = (0..2_500)
        .map(|number| daily(&format!("volume {number}"), number % 7, "24"))
        .collect();
    records.extend((0..300).map(|number| daily(&format!("volume {number}"), number % 7, "1.5")));
    let mut revised = records.clone();
    for record in revised.iter_mut().step_by(3) {
        *record = daily(
            &record.record.resource.clone().unwrap().to_string(),
            (record.record.window.start() - day(0)).num_days(),
            "12.25",
        );
    }
    for (at, records) in [(7, records), (8, revised)] {
        put(&mut store, at, &page(records.clone()), &snapshot());
        put(&mut memory, at, &page(records), &snapshot());
    }
    assert_eq!(all_usage(&mut store), all_usage(&mut memory));
    assert_eq!(
        store.syncs(DEFAULT_CLOUD).unwrap(),
        memory.syncs(DEFAULT_CLOUD).unwrap()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Whatever is put, MariaDB answers as the store in memory does.
    #[test]
    fn mariadb_answers_as_memory_does(steps in steps()) {
        if let Some(database) = TestDatabase::new() {
            answers_as_memory_does(&mut database.open(), &steps)?;
        }
    }

    /// Months that are put away and taken back lose nothing.
    #[test]
    fn mariadb_loses_nothing(steps in histories()) {
        if let Some(database) = TestDatabase::new() {
            let root = tempfile::tempdir().unwrap();
            loses_nothing(&mut database.open(), root.path(), &steps)?;
        }
    }
}

#[test]
fn of_two_bills_issued_at_once_one_is_kept() {
    let database = database_or_skip!();
    drop(database.open());
    one_of_many_issues(|| Box::new(database.open()));
}

/// The same server by another URL, for a user who must come by TLS.
#[cfg(feature = "mariadb-tls")]
struct ByTls {
    database: TestDatabase,
    folder: std::path::PathBuf,
    user: String,
}

#[cfg(feature = "mariadb-tls")]
impl ByTls {
    /// None where there is no server, or none with a certificate.
    fn new() -> Option<Self> {
        let folder = std::env::var_os("CSBILL_TEST_MARIADB_TLS");
        let (database, folder) = TestDatabase::new().zip(folder)?;
        let user = format!("tls_{}", database.server.database().unwrap());
        let password = database.server.password().unwrap().expose();
        database.run(&format!(
            "CREATE USER '{user}'@'%' IDENTIFIED BY '{password}' REQUIRE SSL"
        ));
        database.run(&format!("GRANT ALL ON *.* TO '{user}'@'%'"));
        Some(Self {
            database,
            folder: folder.into(),
            user,
        })
    }

    fn server(&self, host: &str, settings: &str) -> SqlServer {
        let settings = settings.replace("FOLDER", self.folder.to_str().unwrap());
        let (port, name) = (
            self.database.server.port(),
            self.database.server.database().unwrap(),
        );
        let url = format!("mysql://{}@{host}:{port}/{name}?{settings}", self.user);
        let password = self.database.server.password().unwrap().expose();
        SqlServer::parse(&url)
            .unwrap()
            .with_password(Secret::new(password))
    }
}

#[cfg(feature = "mariadb-tls")]
impl Drop for ByTls {
    fn drop(&mut self) {
        let drop = format!("DROP USER '{}'@'%'", self.user);
        let _ = self.database.connect().query_drop(drop);
    }
}

#[cfg(feature = "mariadb-tls")]
#[test]
fn a_server_that_proves_who_it_is_is_reached_by_tls_and_no_other_is() {
    let Some(tls) = ByTls::new() else { return };
    for settings in [
        "tls-ca=FOLDER/ca.pem",
        "tls=on&tls-ca=FOLDER/ca.pem",
        "tls=unverified",
    ] {
        let mut store = MariaDbStore::open(&tls.server("127.0.0.1", settings)).unwrap();
        put(&mut store, 2, &page(days(0..2)), &snapshot());
        assert_eq!(all_usage(&mut store).len(), 4, "{settings}");
    }
    for (host, settings, words) in [
        ("127.0.0.1", "", "check user, password"),
        ("127.0.0.1", "tls=on", "does not prove who it is"),
        (
            "127.0.0.1",
            "tls-ca=FOLDER/other-ca.pem",
            "does not prove who it is",
        ),
        // the certificate is for the address alone
        (
            "localhost",
            "tls-ca=FOLDER/ca.pem",
            "does not prove who it is",
        ),
        (
            "127.0.0.1",
            "tls-ca=FOLDER/none.pem",
            "none.pem of tls-ca cannot be read",
        ),
        (
            "127.0.0.1",
            "tls-ca=FOLDER/server.key",
            "TLS cannot be used",
        ),
    ] {
        let server = tls.server(host, settings);
        let error = MariaDbStore::open(&server).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error:?}");
        assert!(error.to_string().contains(words), "{settings}: {error}");
        let password = server.password().unwrap().expose();
        assert!(
            !format!("{error} {error:?}").contains(password),
            "{error:?}"
        );
    }
}
