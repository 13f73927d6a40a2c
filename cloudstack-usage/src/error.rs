//! The one error of this crate.

use std::fmt;

/// What went wrong, for callers that branch on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The answer is not what CloudStack sends (HTML page, truncated body, wrong JSON).
    Malformed,
    /// CloudStack refused key or signature (401).
    Unauthorized,
    /// The role may not make this call, or this version does not have it (432).
    NotPermitted,
    /// Too many calls (429).
    Throttled,
    /// CloudStack is not ready, or something between (502, 503, 504, 534).
    Unavailable,
    /// CloudStack refused a parameter (430, 431).
    Parameter,
    /// CloudStack failed on its own (530).
    Internal,
    /// Any other code of CloudStack.
    Refused,
    /// The connection failed or timed out.
    Transport,
    /// A file or folder of a recording cannot be read.
    Recording,
    /// What the caller gave makes no request (an endpoint that is no URL, …).
    Configuration,
    /// A sink or store that was handed to us failed.
    Sink,
}

impl ErrorKind {
    /// The stable name of the kind.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_answer",
            Self::Unauthorized => "unauthorized",
            Self::NotPermitted => "not_permitted",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Parameter => "parameter_refused",
            Self::Internal => "cloudstack_internal",
            Self::Refused => "refused",
            Self::Transport => "transport",
            Self::Recording => "recording",
            Self::Configuration => "configuration",
            Self::Sink => "sink",
        }
    }
}

/// An error of reading from CloudStack: a kind, a message that says what to do, and the
/// cause. Never holds a key or a signature.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
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
    pub fn kind(&self) -> ErrorKind {
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
            ErrorKind::Throttled | ErrorKind::Unavailable | ErrorKind::Transport
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source as &(dyn std::error::Error + 'static))
    }
}
