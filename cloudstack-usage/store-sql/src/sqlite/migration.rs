//! Numbered changes of the tables. Each is known by its hash, so that a database written
//! with other tables than this library thinks is refused and not misread.

use std::fmt::Write as _;

use cloudstack_usage::store::{StoreError, StoreErrorKind};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::failure::Failure;

struct Migration {
    number: i64,
    name: &'static str,
    sql: &'static str,
    /// SHA-256 of `sql`: a migration that was published never changes.
    sha256: &'static str,
}

const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "base",
    sql: include_str!("../../migrations/sqlite/0001_base.sql"),
    sha256: "65f4d7d0bf923269404af407fe33b1d5bbd53476ac23be676a778b8f01626a90",
}];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS csb_migration (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    sha256 TEXT NOT NULL
) STRICT";

/// Brings the tables of the database up to date, in one transaction.
pub(super) fn migrate(connection: &mut Connection, failure: &Failure) -> Result<(), StoreError> {
    if check(connection, failure)? == latest() {
        return Ok(());
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
        .map_err(failure.of("csb_migration"))?;
    transaction
        .execute(TABLE, ())
        .map_err(failure.of("csb_migration"))?;
    // another process may have been faster
    let applied = check(&transaction, failure)?;
    for migration in MIGRATIONS.iter().filter(|known| known.number > applied) {
        transaction
            .execute_batch(migration.sql)
            .map_err(failure.of(migration.name))?;
        transaction
            .execute(
                "INSERT INTO csb_migration (number, name, sha256) VALUES (?, ?, ?)",
                params![migration.number, migration.name, migration.sha256],
            )
            .map_err(failure.of("csb_migration"))?;
    }
    transaction.commit().map_err(failure.of("csb_migration"))
}

/// Refuses a database that a reader cannot use as it is.
pub(super) fn require_latest(connection: &Connection, failure: &Failure) -> Result<(), StoreError> {
    if check(connection, failure)? < latest() {
        return Err(StoreError::new(
            StoreErrorKind::OlderSchema,
            format!(
                "{} has no tables yet or those of an older version; \
                 open it once for writing (any sync does) to bring them up to date",
                failure.place()
            ),
        ));
    }
    Ok(())
}

fn latest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.number)
}

/// The number of the last migration applied; 0 for a database without our tables.
fn check(connection: &Connection, failure: &Failure) -> Result<i64, StoreError> {
    let failed = failure.of("csb_migration");
    let exists = connection
        .query_row(
            "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'csb_migration'",
            (),
            |_| Ok(()),
        )
        .optional()
        .map_err(&failed)?;
    if exists.is_none() {
        return Ok(0);
    }
    let mut statement = connection
        .prepare("SELECT number, sha256 FROM csb_migration ORDER BY number")
        .map_err(&failed)?;
    let mut rows = statement.query(()).map_err(&failed)?;
    let mut applied = 0;
    while let Some(row) = rows.next().map_err(&failed)? {
        let number: i64 = row.get(0).map_err(&failed)?;
        let sha256: String = row.get(1).map_err(&failed)?;
        compare(number, &sha256, failure)?;
        applied = number;
    }
    Ok(applied)
}

fn compare(number: i64, sha256: &str, failure: &Failure) -> Result<(), StoreError> {
    let place = failure.place();
    match MIGRATIONS.iter().find(|known| known.number == number) {
        None => Err(StoreError::new(
            StoreErrorKind::NewerSchema,
            format!(
                "{place} has migration {number}, this version knows {} only; \
                 use the newer version that wrote it",
                latest()
            ),
        )),
        Some(known) if known.sha256 != sha256 => Err(StoreError::new(
            StoreErrorKind::ChangedMigration,
            format!(
                "migration {number} ({}) of {place} is not the one of this version (hash {sha256}, \
                 expected {}); use the version that wrote it, or sync into a new store",
                known.name, known.sha256
            ),
        )),
        Some(_) => Ok(()),
    }
}

/// SHA-256 as hexadecimal text.
pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // writing into a string cannot fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_migrations_are_unchanged_and_numbered_without_gaps() {
        for (index, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.number, index);
            assert_eq!(
                sha256_hex(migration.sql.as_bytes()),
                migration.sha256,
                "{}",
                migration.name
            );
        }
    }
}
