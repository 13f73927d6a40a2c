//! What MariaDB reports, in words that say what to do.

use std::sync::Arc;

use cloudstack_usage::store::{StoreError, StoreErrorKind};

use super::tls;

/// Makes errors that name the server and database, never the password.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    place: Arc<str>,
}

impl Failure {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: Arc::from(place),
        }
    }

    /// The database, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What turns an error of MariaDB at `table` into ours.
    pub(super) fn of<'a>(&'a self, table: &'a str) -> impl Fn(mysql::Error) -> StoreError + 'a {
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
                self.place
            ),
        )
        .with_source(source)
    }

    fn explain(&self, table: &str, error: mysql::Error) -> StoreError {
        let place = &self.place;
        if let Some(message) = tls::explain(place, &error) {
            return StoreError::new(StoreErrorKind::Unavailable, message).with_source(error);
        }
        let code = match &error {
            mysql::Error::MySqlError(refused) => Some(refused.code),
            mysql::Error::IoError(_) | mysql::Error::DriverError(_) => None,
            mysql::Error::CodecError(_) => {
                let message = format!(
                    "what was sent to {table} of {place} is larger than the server's \
                     max_allowed_packet, or its answer makes no sense; raise that setting"
                );
                return StoreError::new(StoreErrorKind::Invalid, message).with_source(error);
            }
            // these errors show the value, which may be a whole record
            _ => return self.corrupt(table, "a column has another type than it should"),
        };
        let (kind, message) = match code {
            None => (
                StoreErrorKind::Unavailable,
                format!(
                    "the connection to {place} cannot be made or was lost; nothing that was not \
                     finished is stored, check host, port and network, then run again"
                ),
            ),
            // access denied, no such user, unknown database, table or command denied
            Some(1044 | 1045 | 1049 | 1142 | 1143 | 1227 | 1370 | 1698) => (
                StoreErrorKind::Unavailable,
                format!(
                    "{place} may not be used at {table}; check user, password (given by the \
                     environment or a file), database and grants"
                ),
            ),
            Some(1792 | 1290 | 1836) => (
                StoreErrorKind::Unavailable,
                format!("{place} is open for reading only and cannot be written"),
            ),
            // lock wait timeout, deadlock, too many connections, server shutting down
            Some(1205 | 1213 | 1040 | 1203 | 1053) => (
                StoreErrorKind::Busy,
                format!("{place} is busy or locked by another program; try again later"),
            ),
            Some(1021 | 1114 | 1041 | 3 | 28) => (
                StoreErrorKind::Full,
                format!(
                    "no space is left for {place}; nothing was stored, make room and run again"
                ),
            ),
            // data too long, out of range, incorrect value, packet too large, invalid JSON
            Some(1406 | 1264 | 1366 | 1292 | 1153 | 4025) => (
                StoreErrorKind::Invalid,
                format!("a value does not fit into its column in {table} of {place}"),
            ),
            Some(_) => (
                StoreErrorKind::Database,
                format!("MariaDB failed at {table} of {place}"),
            ),
        };
        StoreError::new(kind, message).with_source(error)
    }
}
