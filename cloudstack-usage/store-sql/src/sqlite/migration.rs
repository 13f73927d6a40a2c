//! Bringing the tables of a SQLite database up to date.

use cloudstack_usage::store::StoreError;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::failure::Failure;
use crate::schema::{self, Migration};

const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "base",
        sql: include_str!("../../migrations/sqlite/0001_base.sql"),
        sha256: "65f4d7d0bf923269404af407fe33b1d5bbd53476ac23be676a778b8f01626a90",
    },
    Migration {
        number: 2,
        name: "document",
        sql: include_str!("../../migrations/sqlite/0002_document.sql"),
        sha256: "16b2b4b62d00113992a59c0cc6ddaaabe7f37da2d50515b1caada4734c3eb3b5",
    },
    Migration {
        number: 3,
        name: "archived month",
        sql: include_str!("../../migrations/sqlite/0003_archived_month.sql"),
        sha256: "5c12cef273dfaa0a2ed7770a946c6b744cd74869336058677b408ab4fdaea072",
    },
    Migration {
        number: 4,
        name: "vm events",
        sql: include_str!("../../migrations/sqlite/0004_vm_events.sql"),
        sha256: "e4eacfc1fa7b725673de2a52f599deeca04896626b82324e72f1005ff884d707",
    },
];

const TABLE: &str = "CREATE TABLE IF NOT EXISTS csb_migration (
    number INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    sha256 TEXT NOT NULL
) STRICT";

/// Brings the tables of the database up to date, in one transaction.
pub(super) fn migrate(connection: &mut Connection, failure: &Failure) -> Result<(), StoreError> {
    if check(connection, failure)? == schema::latest(MIGRATIONS) {
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
    if check(connection, failure)? < schema::latest(MIGRATIONS) {
        return Err(schema::older(&failure.place()));
    }
    Ok(())
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
        schema::check_applied(MIGRATIONS, number, &sha256, &failure.place())?;
        applied = number;
    }
    Ok(applied)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_migrations_are_unchanged_and_numbered_without_gaps() {
        schema::assert_unchanged(MIGRATIONS);
    }
}
