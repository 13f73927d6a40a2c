//! `manifest.json`: what an archive holds, and how to tell that it still does.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::period::Period;
use crate::store::{DocumentDigest, UtcMonth};

/// What the files are, for whoever finds them.
pub(super) const FORMAT: &str = "cloudstack-usage archive";

/// The version of the files; a newer one is refused.
pub(super) const SCHEMA: u32 = 1;

/// What an archive holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `cloudstack-usage archive`.
    pub format: String,
    /// The version of the files.
    pub schema: u32,
    /// The cloud whose usage it is.
    pub cloud: String,
    /// The month, in UTC.
    pub month: UtcMonth,
    /// The time of which everything is here: the month and three days more on both sides.
    pub period: Period,
    /// When it was written.
    pub written: DateTime<Utc>,
    /// What was fetched when it was written.
    pub coverage: Coverage,
    /// What is in it.
    pub content: ContentCounts,
    /// SHA-256 of the content, whatever format it is written in.
    pub content_sha256: DocumentDigest,
    /// The files.
    pub files: Vec<FileEntry>,
    /// SHA-256 of this manifest with zeros in this place.
    pub seal: DocumentDigest,
}

/// How far usage was known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Usage was complete up to here.
    pub complete_until: DateTime<Utc>,
    /// The first sync of the cloud.
    pub first_sync: DateTime<Utc>,
    /// The last sync before the archive was written.
    pub last_sync: DateTime<Utc>,
    /// How many syncs there were.
    pub syncs: u64,
}

/// How much is in an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentCounts {
    /// Rows of usage, superseded ones too.
    pub records: u64,
    /// Those that a revision replaced.
    pub superseded: u64,
    /// Those whose window touches the month itself.
    pub of_the_month: u64,
    /// Entries that could not be read.
    pub rejections: u64,
}

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name in the folder.
    pub name: String,
    /// Its rows.
    pub rows: u64,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its bytes.
    pub sha256: DocumentDigest,
}

impl Manifest {
    /// The same with its seal.
    #[must_use]
    pub(super) fn sealed(mut self) -> Self {
        self.seal = self.expected_seal();
        self
    }

    /// The seal that belongs to the rest.
    pub(super) fn expected_seal(&self) -> DocumentDigest {
        let open = Self {
            seal: DocumentDigest::from_bytes([0; 32]),
            ..self.clone()
        };
        let text = serde_json::to_string(&open).unwrap_or_default();
        DocumentDigest::of(&text)
    }
}
