//! The error of the shadow.

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QuotaErrorKind {
    /// A text is no answer to `quotaTariffList`.
    Malformed,
    /// A tariff of the answer has a value that cannot be.
    Tariff,
    /// A difference that no cause explains.
    Unexplained,
}

/// Why tariffs cannot be read, or two bills not be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QuotaError {
    kind: QuotaErrorKind,
    message: String,
}

impl QuotaError {
    pub(super) fn new(kind: QuotaErrorKind, message: String) -> Self {
        Self { kind, message }
    }

    /// What went wrong.
    pub fn kind(&self) -> QuotaErrorKind {
        self.kind
    }

    /// The stable name of what went wrong.
    pub fn slug(&self) -> &'static str {
        match self.kind {
            QuotaErrorKind::Malformed => "malformed",
            QuotaErrorKind::Tariff => "tariff",
            QuotaErrorKind::Unexplained => "unexplained",
        }
    }
}
