//! A connection with statements that report in our words.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{StoreError, StoreErrorKind};
use cloudstack_usage::{Period, Secret, SqlServer};
use mysql::prelude::{FromValue, Queryable};
use mysql::{Conn, OptsBuilder, Params, Row, Value};

use super::failure::Failure;
use super::time::instant;
use super::tls;

/// How long to wait for the server to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// What each session sets, whatever the server's defaults: values that do not fit are
/// errors, times are UTC, texts compare to the letter; a lock is waited for as long as in
/// SQLite; a reader may take its time between two rows.
const SESSION: &[&str] = &[
    "SET NAMES utf8mb4 COLLATE utf8mb4_nopad_bin",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', \
     autocommit = 1, foreign_key_checks = 1, unique_checks = 1, \
     innodb_lock_wait_timeout = 10, net_write_timeout = 3600, net_read_timeout = 600, \
     wait_timeout = 86400",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
];

/// As many rows as one statement inserts.
pub(super) const ROWS_A_STATEMENT: usize = 200;

/// A database on a MariaDB server.
pub(super) struct Database {
    connection: Conn,
    pub(super) failure: Failure,
}

/// The driver's own `Debug` shows the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn connect(server: &SqlServer) -> Result<Self, StoreError> {
        let failure = Failure::new(&server.to_string());
        if server.database().is_none() {
            return Err(StoreError::new(
                StoreErrorKind::Invalid,
                format!("{server} names no database; append its name"),
            ));
        }
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(server.host()))
            .tcp_port(server.port())
            .socket(server.socket())
            // else the driver would leave a host for the socket that the server names
            .prefer_socket(server.socket().is_some())
            .user(server.user())
            .pass(server.password().map(Secret::expose))
            .ssl_opts(tls::options(server)?)
            .db_name(server.database())
            .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
            .tcp_keepalive_time_ms(Some(60_000));
        let connection = Conn::new(options).map_err(failure.of("the connection"))?;
        let mut database = Self {
            connection,
            failure,
        };
        let version = database.first("the version", "SELECT VERSION()", ())?;
        let version = version.map(|row| row.text(0)).transpose()?;
        if !version
            .as_deref()
            .is_some_and(|text| text.contains("MariaDB"))
        {
            return Err(StoreError::new(
                StoreErrorKind::Unavailable,
                format!("{server} is no MariaDB server (10.6 or later is needed)"),
            ));
        }
        for sql in SESSION {
            database.run("the session", sql, ())?;
        }
        Ok(database)
    }

    /// Runs a statement; says how many rows it changed.
    pub(super) fn run(
        &mut self,
        table: &str,
        sql: &str,
        values: impl Into<Params>,
    ) -> Result<u64, StoreError> {
        let values = values.into();
        let ran = if matches!(values, Params::Empty) {
            self.connection.query_drop(sql)
        } else {
            self.connection.exec_drop(sql, values)
        };
        ran.map_err(self.failure.of(table))?;
        Ok(self.connection.affected_rows())
    }

    /// The number that the last insert gave its row.
    pub(super) fn last_id(&self) -> i64 {
        i64::try_from(self.connection.last_insert_id()).unwrap_or(i64::MAX)
    }

    /// The first row of a query.
    pub(super) fn first(
        &mut self,
        table: &'static str,
        sql: &str,
        values: impl Into<Params>,
    ) -> Result<Option<Columns>, StoreError> {
        let mut first = None;
        self.each(table, sql, values, &mut |row| {
            first.get_or_insert(row);
            Ok(())
        })?;
        Ok(first)
    }

    /// Hands over the rows of a query as they come; an error of the taker ends it.
    pub(super) fn each(
        &mut self,
        table: &'static str,
        sql: &str,
        values: impl Into<Params>,
        take: &mut dyn FnMut(Columns) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let failure = self.failure.clone();
        let failed = failure.of(table);
        let rows = self
            .connection
            .exec_iter(sql, values.into())
            .map_err(&failed)?;
        for row in rows {
            take(Columns {
                row: row.map_err(&failed)?,
                table,
                failure: failure.clone(),
            })?;
        }
        Ok(())
    }

    /// All rows of a query, each made into something.
    pub(super) fn all<T>(
        &mut self,
        table: &'static str,
        sql: &str,
        values: impl Into<Params>,
        make: impl Fn(&Columns) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        self.each(table, sql, values, &mut |row| {
            all.push(make(&row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// Inserts rows of as many values as `columns` names, some hundred a statement.
    pub(super) fn insert(
        &mut self,
        table: &str,
        columns: &str,
        rows: &[Vec<Value>],
    ) -> Result<(), StoreError> {
        for chunk in rows.chunks(ROWS_A_STATEMENT) {
            let width = chunk.first().map_or(0, Vec::len);
            let row = format!("({})", placeholders(width));
            let all = vec![row; chunk.len()].join(", ");
            let sql = format!("INSERT INTO {table} ({columns}) VALUES {all}");
            self.run(table, &sql, Params::Positional(chunk.concat()))?;
        }
        Ok(())
    }

    /// Runs `work` in one transaction: all of it is stored or nothing.
    pub(super) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run("a transaction", "START TRANSACTION", ())?;
        self.finish(work)
    }

    /// Runs `work` with one view of the database, whatever others write meanwhile.
    pub(super) fn view<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let begin = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";
        self.run("a transaction", begin, ())?;
        self.finish(work)
    }

    fn finish<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        match work(self) {
            Ok(done) => {
                self.run("a transaction", "COMMIT", ())?;
                Ok(done)
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// Undoes a transaction. Where even this fails the connection is gone, and the server
    /// rolls back.
    pub(super) fn roll_back(&mut self) {
        let _ = self.connection.query_drop("ROLLBACK");
    }

    /// Takes a lock of the session, waiting so many seconds; says whether it was free.
    pub(super) fn lock(&mut self, name: &str, seconds: u32) -> Result<bool, StoreError> {
        let taken = self.first("a lock", "SELECT GET_LOCK(?, ?)", (name, seconds))?;
        Ok(taken
            .map(|row| row.optional_number(0))
            .transpose()?
            .flatten()
            == Some(1))
    }

    /// Frees a lock. There is nobody to tell about an error: the lock ends with the
    /// connection anyway.
    pub(super) fn unlock(&mut self, name: &str) {
        let _ = self.connection.exec_drop("DO RELEASE_LOCK(?)", (name,));
    }

    /// Forgets tables of the session; those that stay end with the connection.
    pub(super) fn drop_temporary(&mut self, tables: &str) {
        let sql = format!("DROP TEMPORARY TABLE IF EXISTS {tables}");
        let _ = self.connection.query_drop(sql);
    }
}

/// `?, ?, ?`
pub(super) fn placeholders(number: usize) -> String {
    vec!["?"; number].join(", ")
}

/// A row, read column by column.
#[derive(Debug)]
pub(super) struct Columns {
    row: Row,
    table: &'static str,
    failure: Failure,
}

impl Columns {
    pub(super) fn text(&self, column: usize) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(super) fn optional_text(&self, column: usize) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(super) fn number(&self, column: usize) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub(super) fn optional_number(&self, column: usize) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    pub(super) fn bytes(&self, column: usize) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    pub(super) fn short_hash(&self, column: usize) -> Result<[u8; 16], StoreError> {
        let bytes = self.bytes(column)?;
        <[u8; 16]>::try_from(bytes).map_err(|_| self.corrupt("a hash does not have 16 bytes"))
    }

    pub(super) fn instant(&self, column: usize) -> Result<DateTime<Utc>, StoreError> {
        self.optional_instant(column)?
            .ok_or_else(|| self.corrupt("a time is missing"))
    }

    pub(super) fn optional_instant(
        &self,
        column: usize,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        match self.row.as_ref(column) {
            None | Some(Value::NULL) => Ok(None),
            Some(value) => match instant(value) {
                Some(instant) => Ok(Some(instant)),
                None => Err(self.corrupt("a column holds no date and time")),
            },
        }
    }

    pub(super) fn period(&self, start: usize, end: usize) -> Result<Period, StoreError> {
        Period::new(self.instant(start)?, self.instant(end)?).map_err(|error| self.corrupt(error))
    }

    /// The error of a row that cannot be read back.
    pub(super) fn corrupt(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        self.failure.corrupt(self.table, source)
    }

    fn get<T: FromValue>(&self, column: usize) -> Result<T, StoreError> {
        // the driver's error shows the value, which may be a whole record
        match self.row.get_opt::<T, usize>(column) {
            Some(Ok(value)) => Ok(value),
            _ => Err(self.corrupt(format!("column {column} has another type than it should"))),
        }
    }
}
