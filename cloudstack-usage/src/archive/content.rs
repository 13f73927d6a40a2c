//! The digest of what an archive holds, whatever file format it is written in.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::manifest::{ContentCounts, SCHEMA};
use crate::period::Period;
use crate::store::{DocumentDigest, RecordVersion, RejectionVersion, StoredRow, UtcMonth};

/// Counts and hashes rows as they come. Each field is preceded by its length, so that
/// other rows never give the same bytes.
pub(super) struct Content {
    hash: Sha256,
    month: Period,
    counts: ContentCounts,
}

impl Content {
    pub(super) fn new(cloud: &str, month: UtcMonth) -> Self {
        let mut content = Self {
            hash: Sha256::new(),
            month: month.period(),
            counts: ContentCounts::default(),
        };
        content.field(format!("cloudstack-usage archive {SCHEMA}").as_bytes());
        content.field(cloud.as_bytes());
        content.field(month.to_string().as_bytes());
        content
    }

    pub(super) fn add(&mut self, row: &StoredRow) {
        match row {
            StoredRow::Usage(row) => self.add_usage(row),
            StoredRow::Rejection(row) => self.add_rejection(row),
        }
    }

    pub(super) fn add_usage(&mut self, row: &RecordVersion) {
        let stored = &row.stored;
        self.counts.records += 1;
        self.counts.superseded += u64::from(stored.recorded_until.is_some());
        self.counts.of_the_month += u64::from(stored.record.window.overlaps(&self.month));
        self.field(b"usage");
        self.field(&row.revision.to_be_bytes());
        self.field(&row.copy.to_be_bytes());
        self.instant(Some(stored.recorded_from));
        self.instant(stored.recorded_until);
        self.field(row.text.as_bytes());
        self.field(stored.json.as_bytes());
    }

    pub(super) fn add_rejection(&mut self, row: &RejectionVersion) {
        self.counts.rejections += 1;
        let rejection = serde_json::to_vec(&row.rejection).unwrap_or_default();
        self.field(b"rejection");
        self.instant(row.resolved);
        self.field(&rejection);
    }

    /// The digest, and what was counted.
    pub(super) fn finish(self) -> (DocumentDigest, ContentCounts) {
        let digest = DocumentDigest::from_bytes(self.hash.finalize().into());
        (digest, self.counts)
    }

    fn instant(&mut self, instant: Option<DateTime<Utc>>) {
        let micros = instant.map(|instant| instant.timestamp_micros().to_be_bytes());
        self.field(micros.as_ref().map_or(&[], |bytes| bytes.as_slice()));
    }

    fn field(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.hash.update(length.to_be_bytes());
        self.hash.update(bytes);
    }
}
