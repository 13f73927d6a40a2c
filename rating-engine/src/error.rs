//! The error of rating.

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RatingErrorKind {
    /// A name in the book belongs to several domains, projects, VMs or volumes.
    AmbiguousScope,
    /// The period is too long to be rated at once, or beyond the years 1 to 9999.
    Period,
}

/// Why a book and an inventory make no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RatingError {
    kind: RatingErrorKind,
    message: String,
}

impl RatingError {
    pub(crate) fn new(kind: RatingErrorKind, message: String) -> Self {
        Self { kind, message }
    }

    /// What went wrong.
    pub fn kind(&self) -> RatingErrorKind {
        self.kind
    }

    /// The stable name of what went wrong.
    pub fn slug(&self) -> &'static str {
        match self.kind {
            RatingErrorKind::AmbiguousScope => "ambiguous_scope",
            RatingErrorKind::Period => "period",
        }
    }
}
