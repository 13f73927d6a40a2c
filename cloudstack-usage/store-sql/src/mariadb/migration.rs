//! Bringing the tables of a MariaDB database up to date.

use cloudstack_usage::store::{StoreError, StoreErrorKind};

use super::database::Database;
use crate::schema::{self, Migration, sha256_hex};

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "base",
        sql: include_str!("../../migrations/mariadb/0001_base.sql"),
        sha256: "179b4ad092c42faa40f98c16f8254916d0693fa13b2ef69da76ea99b8d54e52f",
    },
    Migration {
        number: 2,
        name: "archived month",
        sql: include_str!("../../migrations/mariadb/0002_archived_month.sql"),
        sha256: "b2d445d1b92f4456fae5fd9344d76b6ffb2acd67bc07d3438340f935c6f7e6b3",
    },
    Migration {
        number: 3,
        name: "vm events",
        sql: include_str!("../../migrations/mariadb/0003_vm_events.sql"),
        sha256: "d27384e1dbea8f4e6910ed962406d3411aa7700d1ea7f85cd8610657e9a9f1af",
    },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS csb_migration (
    number BIGINT      NOT NULL PRIMARY KEY,
    name   VARCHAR(64) NOT NULL,
    sha256 CHAR(64)    NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_nopad_bin
  COMMENT = 'Applied changes of the tables with the hash of their text'";

/// How long to wait for another program that changes the tables, in seconds.
const WAIT: u32 = 60;

/// Brings the tables of the database up to date. Changes of tables cannot be rolled back in
/// MariaDB: a lock lets one program make them at a time, each statement may be run again,
/// and a migration is noted when all of it is done.
pub(super) fn migrate(database: &mut Database) -> Result<(), StoreError> {
    if check(database)? == schema::latest(MIGRATIONS) {
        return Ok(());
    }
    let lock = format!(
        "csb:migrate:{}",
        short(&sha256_hex(name(database)?.as_bytes()))
    );
    if !database.lock(&lock, WAIT)? {
        return Err(StoreError::new(
            StoreErrorKind::Busy,
            format!(
                "another program is changing the tables of {}; try again later",
                database.failure.place()
            ),
        ));
    }
    let applied = apply(database);
    database.unlock(&lock);
    applied
}

fn apply(database: &mut Database) -> Result<(), StoreError> {
    database.run("csb_migration", TABLE, ())?;
    // another process may have been faster
    let applied = check(database)?;
    for migration in MIGRATIONS.iter().filter(|known| known.number > applied) {
        for statement in statements(migration.sql) {
            database.run(migration.name, statement, ())?;
        }
        database.run(
            "csb_migration",
            "INSERT INTO csb_migration (number, name, sha256) VALUES (?, ?, ?)",
            (migration.number, migration.name, migration.sha256),
        )?;
    }
    Ok(())
}

/// Refuses a database that a reader cannot use as it is.
pub(super) fn require_latest(database: &mut Database) -> Result<(), StoreError> {
    if check(database)? < schema::latest(MIGRATIONS) {
        return Err(schema::older(database.failure.place()));
    }
    Ok(())
}

/// The number of the last migration applied; 0 for a database without our tables.
fn check(database: &mut Database) -> Result<i64, StoreError> {
    let exists = database.first(
        "csb_migration",
        "SELECT 1 FROM information_schema.tables
         WHERE table_schema = DATABASE() AND table_name = 'csb_migration'",
        (),
    )?;
    if exists.is_none() {
        return Ok(0);
    }
    let sql = "SELECT number, sha256 FROM csb_migration ORDER BY number";
    let applied = database.all("csb_migration", sql, (), |row| {
        Ok((row.number(0)?, row.text(1)?))
    })?;
    for (number, sha256) in &applied {
        schema::check_applied(MIGRATIONS, *number, sha256, database.failure.place())?;
    }
    Ok(applied.last().map_or(0, |(number, _)| *number))
}

/// The database's name. Locks are those of the whole server, so it is part of theirs.
fn name(database: &mut Database) -> Result<String, StoreError> {
    let row = database.first("the database", "SELECT DATABASE()", ())?;
    row.map_or(Ok(String::new()), |row| row.text(0))
}

/// The name of the lock that lets one sync of `cloud` run at a time.
pub(super) fn sync_lock(database: &mut Database, cloud: &str) -> Result<String, StoreError> {
    let both = format!("{}\n{cloud}", name(database)?);
    Ok(format!("csb:sync:{}", short(&sha256_hex(both.as_bytes()))))
}

/// The name of the lock that lets one program record documents of `cloud` at a time.
pub(super) fn document_lock(database: &mut Database, cloud: &str) -> Result<String, StoreError> {
    let both = format!("{}\n{cloud}", name(database)?);
    Ok(format!(
        "csb:document:{}",
        short(&sha256_hex(both.as_bytes()))
    ))
}

/// Locks have names of 64 characters at most in older versions.
fn short(hash: &str) -> &str {
    hash.get(..32).unwrap_or(hash)
}

/// The statements of a migration; each ends with a semicolon at the end of a line.
fn statements(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n")
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_migrations_are_unchanged_and_numbered_without_gaps() {
        schema::assert_unchanged(MIGRATIONS);
    }

    #[test]
    fn every_statement_may_be_run_again() {
        for statement in MIGRATIONS.iter().flat_map(|known| statements(known.sql)) {
            let code = statement
                .lines()
                .find(|line| !line.starts_with("--") && !line.is_empty());
            let code = code.unwrap();
            assert!(code.contains("IF NOT EXISTS"), "{code}");
        }
    }
}
