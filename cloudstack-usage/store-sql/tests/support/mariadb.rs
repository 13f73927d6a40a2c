//! A database of its own for each test, on the server that `with-mariadb.sh` started.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::print_stderr, reason = "a skipped test must say so")]

use std::sync::atomic::{AtomicU32, Ordering};

use cloudstack_usage::{Secret, SqlServer};
use cloudstack_usage_store::MariaDbStore;
use mysql::prelude::{FromRow, Queryable as _};
use mysql::{Conn, OptsBuilder};

/// An empty database, dropped at the end of its test.
pub(crate) struct TestDatabase {
    pub(crate) server: SqlServer,
    name: String,
}

impl TestDatabase {
    /// None, and a word on it, where no server was started.
    pub(crate) fn new() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("CSBILL_TEST_MARIADB") else {
            eprintln!("SKIPPED: no MariaDB; run this through with-mariadb.sh");
            return None;
        };
        let password = std::env::var("CSBILL_TEST_MARIADB_PASSWORD").unwrap_or_default();
        let server = SqlServer::parse(&url)
            .unwrap()
            .with_password(Secret::new(password));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("csb_test_{}_{number}", std::process::id());
        // unlike any default that the store might lean on
        let create =
            format!("CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci");
        connect(&server).query_drop(create).unwrap();
        let server = server.with_database(&name);
        Some(Self { server, name })
    }

    pub(crate) fn open(&self) -> MariaDbStore {
        MariaDbStore::open(&self.server).unwrap()
    }

    pub(crate) fn connect(&self) -> Conn {
        connect(&self.server)
    }

    pub(crate) fn run(&self, sql: &str) {
        self.connect().query_drop(sql).unwrap();
    }

    pub(crate) fn query<T: FromRow>(&self, sql: &str) -> Vec<T> {
        self.connect().query(sql).unwrap()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {}", self.name);
        let _ = connect(&self.server).query_drop(drop);
    }
}

/// A test that has no server ends here.
#[allow(unused_macros)]
macro_rules! database_or_skip {
    () => {
        match $crate::support::mariadb::TestDatabase::new() {
            Some(database) => database,
            None => return,
        }
    };
}
#[allow(unused_imports)]
pub(crate) use database_or_skip;

fn connect(server: &SqlServer) -> Conn {
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(server.host()))
        .tcp_port(server.port())
        .prefer_socket(false)
        .user(server.user())
        .pass(server.password().map(Secret::expose))
        .db_name(server.database());
    Conn::new(options).unwrap()
}
