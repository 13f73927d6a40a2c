//! The one error of archives.

use std::fmt;
use std::path::Path;

use crate::store::StoreError;

/// What went wrong with an archive, for callers that branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArchiveErrorKind {
    /// A file or folder cannot be read or written.
    Files,
    /// A file is not what its digest says, or cannot be read as what it should be.
    Damaged,
    /// The archive is of another cloud or was made from another database.
    Foreign,
    /// The archive was written by a newer version of this library.
    Version,
    /// Another archive of the month is there already.
    Exists,
    /// Syncs may still change the month.
    Unsettled,
    /// The store holds nothing of the month.
    Empty,
    /// The month was put away already.
    Pruned,
    /// The store does not hold what the archive does.
    Differs,
    /// The store failed.
    Store,
}

/// An error of an archive: a kind, a message that names the file and says what to do, and the
/// cause. Neither the store nor an archive was changed.
pub struct ArchiveError(Box<Inner>);

struct Inner {
    kind: ArchiveErrorKind,
    slug: &'static str,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl ArchiveErrorKind {
    fn slug(self) -> &'static str {
        match self {
            Self::Files => "archive_files",
            Self::Damaged => "archive_damaged",
            Self::Foreign => "archive_foreign",
            Self::Version => "archive_version",
            Self::Exists => "archive_exists",
            Self::Unsettled => "archive_unsettled",
            Self::Empty => "archive_empty",
            Self::Pruned => "archive_pruned",
            Self::Differs => "archive_differs",
            Self::Store => "archive_store",
        }
    }
}

impl ArchiveError {
    pub(super) fn new(kind: ArchiveErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            slug: kind.slug(),
            message: message.into(),
            source: None,
        }))
    }

    fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// A file or folder that cannot be used.
    pub(super) fn file(path: &Path, error: std::io::Error) -> Self {
        let message = format!("{}: {error}", path.display());
        Self::new(ArchiveErrorKind::Files, message).with_source(error)
    }

    /// A file that is not what it should be.
    pub(super) fn damaged(path: &Path, why: impl fmt::Display) -> Self {
        let message = format!(
            "{} is damaged: {why}; nothing was changed, take another copy of the archive",
            path.display()
        );
        Self::new(ArchiveErrorKind::Damaged, message)
    }

    /// What went wrong.
    pub fn kind(&self) -> ArchiveErrorKind {
        self.0.kind
    }

    /// The stable name of what went wrong: that of the cause, where the store failed.
    pub fn slug(&self) -> &'static str {
        self.0.slug
    }
}

impl From<StoreError> for ArchiveError {
    fn from(error: StoreError) -> Self {
        let mut ours = Self::new(ArchiveErrorKind::Store, error.to_string());
        ours.0.slug = error.slug();
        ours.with_source(error)
    }
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveError")
            .field("kind", &self.0.kind)
            .field("slug", &self.0.slug)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source as &(dyn std::error::Error + 'static))
    }
}
