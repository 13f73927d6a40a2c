//! What SQLite reports, in words that say what to do.

use std::path::PathBuf;

use cloudstack_usage::store::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// Makes errors that name the database file.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    path: Option<PathBuf>,
}

impl Failure {
    pub(super) fn new(path: Option<PathBuf>) -> Self {
        Self { path }
    }

    /// The database, for messages.
    pub(super) fn place(&self) -> String {
        self.path.as_ref().map_or_else(
            || "the store in memory".to_owned(),
            |path| path.display().to_string(),
        )
    }

    /// What turns an error of SQLite at `table` into ours.
    pub(super) fn of<'a>(&'a self, table: &'a str) -> impl Fn(rusqlite::Error) -> StoreError + 'a {
        move |error| self.explain(table, error)
    }

    /// A stored value that cannot be read back.
    pub(super) fn corrupt(
        &self,
        table: &str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::new(
            StoreErrorKind::Corrupt,
            format!(
                "a row of table {table} in {} cannot be read back; it was changed by hand, \
                 or written by another version",
                self.place()
            ),
        )
        .with_source(source)
    }

    fn explain(&self, table: &str, error: rusqlite::Error) -> StoreError {
        let place = self.place();
        let (kind, message) = match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
                StoreErrorKind::Busy,
                format!("{place} is locked by another program that writes to it; try again later"),
            ),
            Some(ErrorCode::DiskFull) => (
                StoreErrorKind::Full,
                format!(
                    "no space is left for {place} (or for temporary files, see SQLITE_TMPDIR); \
                     nothing was stored, make room and run again"
                ),
            ),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => (
                StoreErrorKind::Unavailable,
                format!("{place} cannot be opened or written; check path and permissions"),
            ),
            Some(ErrorCode::SystemIoFailure) => (
                StoreErrorKind::Unavailable,
                format!("reading or writing {place} failed; check the disk, then run again"),
            ),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
                StoreErrorKind::Corrupt,
                format!("{place} is no SQLite database or is damaged; restore it from a backup"),
            ),
            _ => (
                StoreErrorKind::Database,
                format!("SQLite failed at {table} of {place}: {error}"),
            ),
        };
        StoreError::new(kind, message).with_source(error)
    }
}
