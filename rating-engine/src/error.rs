//! The error of rating.

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RatingErrorKind {
    /// A name in the book belongs to several domains, projects, VMs or volumes.
    AmbiguousScope,
    /// The period is too long to be rated at once, or beyond the years 1 to 9999.
    Period,
    /// A bill or correction that should be read back is none.
    UnreadableIssued,
    /// The lines of an issued bill or correction do not add up to what it prints.
    IssuedDoesNotAddUp,
    /// A correction and a bill do not belong together.
    CorrectionMismatch,
    /// Bills that should be compared are of different periods or currencies.
    NotComparable,
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

    /// The same, found at a place within something larger.
    pub(crate) fn at(mut self, place: &str) -> Self {
        self.message = format!("{place}.{}", self.message);
        self
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
            RatingErrorKind::UnreadableIssued => "unreadable_issued",
            RatingErrorKind::IssuedDoesNotAddUp => "issued_does_not_add_up",
            RatingErrorKind::CorrectionMismatch => "correction_mismatch",
            RatingErrorKind::NotComparable => "not_comparable",
        }
    }
}
