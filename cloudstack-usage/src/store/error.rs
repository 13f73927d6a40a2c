//! The one error of stores.

use std::fmt;

/// What went wrong in a store, for callers that branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The file or server cannot be opened or reached.
    Unavailable,
    /// The tables are those of a newer version of this library.
    NewerSchema,
    /// The tables are those of an older version and may not be changed (opened read-only).
    OlderSchema,
    /// A migration in the database is not the one that this library knows by that number.
    ChangedMigration,
    /// Another sync of the same cloud is running.
    SyncRunning,
    /// Another program held the store's write lock for too long.
    Busy,
    /// No space is left.
    Full,
    /// A stored value cannot be read back.
    Corrupt,
    /// Something is to be recorded earlier than what was recorded already.
    OutOfOrder,
    /// The caller gave something that cannot be stored (an empty cloud name, …).
    Invalid,
    /// A statement was issued already, and never gets another text.
    Final,
    /// What is asked for was put away into an archive, and has to be taken back first.
    Archived,
    /// The function that took the results failed.
    Sink,
    /// Any other failure of the database.
    Database,
}

impl StoreErrorKind {
    /// The stable name of the kind.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Unavailable => "store_unavailable",
            Self::NewerSchema => "store_newer_schema",
            Self::OlderSchema => "store_older_schema",
            Self::ChangedMigration => "store_changed_migration",
            Self::SyncRunning => "sync_running",
            Self::Busy => "store_busy",
            Self::Full => "store_full",
            Self::Corrupt => "store_corrupt",
            Self::OutOfOrder => "out_of_order",
            Self::Invalid => "store_invalid_argument",
            Self::Final => "store_final",
            Self::Archived => "store_archived",
            Self::Sink => "store_sink",
            Self::Database => "store_database",
        }
    }
}

/// An error of a store: a kind, a message that names the file or table and says what to
/// do, and the cause.
pub struct StoreError(Box<Inner>);

struct Inner {
    kind: StoreErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StoreError {
    /// An error of this kind.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    /// The same with its cause.
    #[must_use]
    pub fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> StoreErrorKind {
        self.0.kind
    }

    /// The stable name of what went wrong.
    pub fn slug(&self) -> &'static str {
        self.0.kind.slug()
    }

    /// Whether the same call may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.0.kind,
            StoreErrorKind::Busy | StoreErrorKind::SyncRunning
        )
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source as &(dyn std::error::Error + 'static))
    }
}
