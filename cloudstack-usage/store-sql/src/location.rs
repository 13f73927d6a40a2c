//! Which store: a file of SQLite, or a database of MariaDB.

use std::fmt;
use std::path::PathBuf;

#[cfg(not(feature = "mariadb"))]
use cloudstack_usage::store::StoreErrorKind;
use cloudstack_usage::store::{StoreError, UsageStore};
use cloudstack_usage::{Error, Secret, SqlServer};

#[cfg(feature = "mariadb")]
use crate::MariaDbStore;
use crate::SqliteStore;

/// Where a store is.
///
/// ```
/// use cloudstack_usage_store::StoreLocation;
///
/// let file = StoreLocation::parse("usage.sqlite")?;
/// assert!(matches!(file, StoreLocation::File(_)));
/// let server = StoreLocation::parse("mariadb://billing@db.example.com/portal")?;
/// assert_eq!(server.to_string(), "mysql://billing@db.example.com:3306/portal");
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A file of SQLite.
    File(PathBuf),
    /// A database on a MariaDB server (feature `mariadb`).
    Server(SqlServer),
}

impl StoreLocation {
    /// Reads `mysql://…` and `mariadb://…` as a server, anything else as the path of a file.
    ///
    /// # Errors
    /// When the URL of a server is none.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if SqlServer::is_url(text) {
            Ok(Self::Server(SqlServer::parse(text)?))
        } else {
            Ok(Self::File(PathBuf::from(text)))
        }
    }

    /// The same with a password for the server, where none is in its URL; a file needs none.
    #[must_use]
    pub fn with_password(self, password: Option<Secret>) -> Self {
        match (self, password) {
            (Self::Server(server), Some(password)) if server.password().is_none() => {
                Self::Server(server.with_password(password))
            }
            (location, _) => location,
        }
    }

    /// Opens the store; makes it, and brings its tables up to date, where needed.
    ///
    /// # Errors
    /// As [`SqliteStore::open`] and `MariaDbStore::open`; and when this build has no MariaDB.
    pub fn open(&self) -> Result<Box<dyn UsageStore + Send>, StoreError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteStore::open(path)?)),
            #[cfg(feature = "mariadb")]
            Self::Server(server) => Ok(Box::new(MariaDbStore::open(server)?)),
            #[cfg(not(feature = "mariadb"))]
            Self::Server(server) => Err(without_mariadb(server)),
        }
    }

    /// Opens the store for reading only.
    ///
    /// # Errors
    /// As [`SqliteStore::open_read_only`] and `MariaDbStore::open_read_only`; and when this
    /// build has no MariaDB.
    pub fn open_read_only(&self) -> Result<Box<dyn UsageStore + Send>, StoreError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteStore::open_read_only(path)?)),
            #[cfg(feature = "mariadb")]
            Self::Server(server) => Ok(Box::new(MariaDbStore::open_read_only(server)?)),
            #[cfg(not(feature = "mariadb"))]
            Self::Server(server) => Err(without_mariadb(server)),
        }
    }

    /// Whether a store may be there: a file that does not exist is none, a server is asked
    /// when it is opened.
    pub fn may_exist(&self) -> bool {
        match self {
            Self::File(path) => path.exists(),
            Self::Server(_) => true,
        }
    }
}

#[cfg(not(feature = "mariadb"))]
fn without_mariadb(server: &SqlServer) -> StoreError {
    StoreError::new(
        StoreErrorKind::Unavailable,
        format!("{server} cannot be opened: this program was built without its feature `mariadb`"),
    )
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(server) => server.fmt(f),
        }
    }
}
