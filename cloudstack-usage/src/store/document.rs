//! The log of documents: price books and statements as they were, for ever.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::{StoreError, StoreErrorKind};
use super::to_millisecond;

/// What kind of document is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentKind {
    /// A price book, as its TOML text.
    PriceBook,
    /// An issued statement, as its JSON text. One of a name never gets another text.
    Statement,
    /// A correction to an issued statement, as its JSON text.
    Correction,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::PriceBook, Self::Statement, Self::Correction];

    /// The stable name of the kind, as stores write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PriceBook => "price_book",
            Self::Statement => "statement",
            Self::Correction => "correction",
        }
    }

    /// The kind with this stable name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// SHA-256 of a document's text; in JSON 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentDigest([u8; 32]);

impl DocumentDigest {
    /// The digest of this text.
    pub fn of(content: &str) -> Self {
        Self(Sha256::digest(content.as_bytes()).into())
    }

    /// The digest with these bytes, as a store kept them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for DocumentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::str::FromStr for DocumentDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::hex::bytes_of(text)
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no SHA-256 of 64 hexadecimal digits"))
    }
}

impl TryFrom<String> for DocumentDigest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DocumentDigest> for String {
    fn from(digest: DocumentDigest) -> Self {
        digest.to_string()
    }
}

impl fmt::Debug for DocumentDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DocumentDigest({self})")
    }
}

/// A document to keep, or as it was kept.
///
/// ```
/// use chrono::DateTime;
/// use cloudstack_usage::store::{
///     DEFAULT_CLOUD, Document, DocumentKind, MemoryStore, UsageStore,
/// };
///
/// let mut store = MemoryStore::new();
/// let recorded = DateTime::from_timestamp(1_760_000_000, 0).unwrap();
/// let book = Document::new(DocumentKind::PriceBook, "provider", "currency = \"EUR\"", "ada", recorded);
/// assert!(store.record_document(DEFAULT_CLOUD, &book).unwrap());
/// // the same text again says nothing new
/// assert!(!store.record_document(DEFAULT_CLOUD, &book).unwrap());
/// let known = store.document(DEFAULT_CLOUD, DocumentKind::PriceBook, "provider", None);
/// assert_eq!(known.unwrap(), Some(book));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Which one of its kind: the book's name, a statement's customer and period.
    pub name: String,
    /// Its text, kept byte for byte.
    pub content: String,
    /// Who recorded it.
    pub author: String,
    /// When it was recorded: it is known from then on.
    pub recorded: DateTime<Utc>,
}

impl Document {
    /// A document, recorded at that moment (taken to the millisecond).
    pub fn new(
        kind: DocumentKind,
        name: impl Into<String>,
        content: impl Into<String>,
        author: impl Into<String>,
        recorded: DateTime<Utc>,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            content: content.into(),
            author: author.into(),
            recorded: to_millisecond(recorded),
        }
    }

    /// What the log says of it without its text.
    pub fn entry(&self) -> DocumentEntry {
        DocumentEntry {
            kind: self.kind,
            name: self.name.clone(),
            digest: DocumentDigest::of(&self.content),
            length: u64::try_from(self.content.len()).unwrap_or(u64::MAX),
            author: self.author.clone(),
            recorded: to_millisecond(self.recorded),
        }
    }
}

/// A document of the log without its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentEntry {
    /// What it is.
    pub kind: DocumentKind,
    /// Which one of its kind.
    pub name: String,
    /// SHA-256 of its text.
    pub digest: DocumentDigest,
    /// The length of its text in bytes.
    pub length: u64,
    /// Who recorded it.
    pub author: String,
    /// When it was recorded.
    pub recorded: DateTime<Utc>,
}

impl DocumentEntry {
    /// Whether this document adds anything to the log, of which `last` is the newest of the
    /// same kind and name. A text that comes back after another one does: otherwise the log
    /// would say for ever that the other one holds. Statements are issued once.
    ///
    /// # Errors
    /// When the document has no name, was recorded before the newest one, or is another text
    /// of a statement that was issued.
    pub fn adds_to(&self, last: Option<&Self>) -> Result<bool, StoreError> {
        if self.name.is_empty() {
            return Err(StoreError::new(
                StoreErrorKind::Invalid,
                format!("a {} needs a name to be kept under", self.kind.name()),
            ));
        }
        match last {
            Some(last) if last.digest == self.digest => Ok(false),
            Some(last) if self.kind == DocumentKind::Statement => Err(StoreError::new(
                StoreErrorKind::Final,
                format!(
                    "the statement {:?} was issued by {} at {} and never changes; record a correction of it",
                    self.name, last.author, last.recorded
                ),
            )),
            Some(last) if self.recorded < last.recorded => Err(StoreError::new(
                StoreErrorKind::OutOfOrder,
                format!(
                    "{} {:?} was last recorded at {} and cannot be recorded anew at {}; \
                     check the clock",
                    self.kind.name(),
                    self.name,
                    last.recorded,
                    self.recorded
                ),
            )),
            _ => Ok(true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_comes_back_from_its_name() {
        for kind in DocumentKind::ALL {
            assert_eq!(DocumentKind::from_name(kind.name()), Some(*kind));
            let serde_name = serde_json::to_string(kind).unwrap();
            assert_eq!(serde_name, format!("{:?}", kind.name()));
        }
        assert_eq!(DocumentKind::from_name("invoice"), None);
    }
}
