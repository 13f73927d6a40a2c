//! The one error of this crate.

use std::fmt;

use cloudstack_usage::store::StoreError;

/// What went wrong, for callers that branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyncErrorKind {
    /// The options make no sync (a start after now, …).
    Options,
    /// CloudStack, or the recording in its place, could not be read.
    Source,
    /// The store could not be read or written.
    Store,
}

/// An error of a sync: a kind, a message, and the cause, which is an
/// [`Error`](cloudstack_usage::Error) of the source or a [`StoreError`]. Nothing of the
/// sync was stored.
pub struct SyncError(Box<Inner>);

struct Inner {
    kind: SyncErrorKind,
    slug: &'static str,
    is_retryable: bool,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl SyncError {
    pub(crate) fn options(message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind: SyncErrorKind::Options,
            slug: "sync_options",
            is_retryable: false,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn source(what: &str, error: cloudstack_usage::Error) -> Self {
        Self(Box::new(Inner {
            kind: SyncErrorKind::Source,
            slug: error.slug(),
            is_retryable: error.is_retryable(),
            message: format!("{what} could not be fetched, nothing was stored: {error}"),
            source: Some(error.into()),
        }))
    }

    /// What went wrong.
    pub fn kind(&self) -> SyncErrorKind {
        self.0.kind
    }

    /// The stable name of what went wrong: that of the cause, where there is one.
    pub fn slug(&self) -> &'static str {
        self.0.slug
    }

    /// Whether the same sync may succeed a little later.
    pub fn is_retryable(&self) -> bool {
        self.0.is_retryable
    }
}

impl From<StoreError> for SyncError {
    fn from(error: StoreError) -> Self {
        Self(Box::new(Inner {
            kind: SyncErrorKind::Store,
            slug: error.slug(),
            is_retryable: error.is_retryable(),
            message: error.to_string(),
            source: Some(error.into()),
        }))
    }
}

impl fmt::Display for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for SyncError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncError")
            .field("kind", &self.0.kind)
            .field("slug", &self.0.slug)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for SyncError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source as &(dyn std::error::Error + 'static))
    }
}
