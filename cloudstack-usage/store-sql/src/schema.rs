//! Numbered changes of the tables, whatever the database. Each is known by its hash, so that
//! a database written with other tables than this library thinks is refused and not misread.

use std::fmt::Write as _;

use cloudstack_usage::store::{StoreError, StoreErrorKind};
use sha2::{Digest, Sha256};

/// One change of the tables.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) number: i64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// SHA-256 of `sql`: a migration that was published never changes.
    pub(crate) sha256: &'static str,
}

/// The number of the last of `migrations`.
pub(crate) fn latest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |migration| migration.number)
}

/// Refuses a migration in the database at `place` that is not the one known by its number.
pub(crate) fn check_applied(
    migrations: &[Migration],
    number: i64,
    sha256: &str,
    place: &str,
) -> Result<(), StoreError> {
    match migrations.iter().find(|known| known.number == number) {
        None => Err(StoreError::new(
            StoreErrorKind::NewerSchema,
            format!(
                "{place} has migration {number}, this version knows {} only; \
                 use the newer version that wrote it",
                latest(migrations)
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

/// The error of a reader that finds older tables than it can use.
pub(crate) fn older(place: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::OlderSchema,
        format!(
            "{place} has no tables yet or those of an older version; \
             open it once for writing (any sync does) to bring them up to date"
        ),
    )
}

/// SHA-256 as hexadecimal text.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // writing into a string cannot fail
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Panics where a published migration was edited or numbers have a gap.
#[cfg(test)]
pub(crate) fn assert_unchanged(migrations: &[Migration]) {
    for (index, migration) in (1..).zip(migrations) {
        assert_eq!(migration.number, index);
        let sha256 = sha256_hex(migration.sql.as_bytes());
        assert_eq!(sha256, migration.sha256, "{}", migration.name);
    }
}
