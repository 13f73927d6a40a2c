//! The one error of this crate.

use std::fmt;
use std::path::Path;

/// What went wrong, for callers that branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder of a recording cannot be read or written.
    File,
    /// A file of a recording holds something else than CloudStack answers.
    Recording,
    /// The server cannot listen.
    Listen,
}

impl ErrorKind {
    /// The stable name of the kind.
    pub fn slug(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Recording => "recording",
            Self::Listen => "listen",
        }
    }
}

/// An error of replaying: a kind, a message that says what to do, and the cause.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            source: None,
        }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::new(ErrorKind::File, format!("{}: {source}", path.display())).with_source(source)
    }

    pub(crate) fn recording(path: &Path, what: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Recording, format!("{}: {what}", path.display()))
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The stable name of what went wrong.
    pub fn slug(&self) -> &'static str {
        self.kind.slug()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source as &(dyn std::error::Error + 'static))
    }
}
