//! Entries that could not be read, and what later fetches make of them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::period::Period;
use crate::source::Rejection;

/// What list an entry was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RejectionOrigin {
    /// A usage record.
    Usage,
    /// An entry of the metadata.
    Metadata,
}

/// An entry that could not be read, as a store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRejection {
    /// What list it was in.
    pub origin: RejectionOrigin,
    /// The entry and what is wrong with it, as first seen.
    pub rejection: Rejection,
    /// The time it may concern: the record's own dates where they can be read, else the
    /// range of the fetch; for metadata any time.
    pub period: Period,
    /// How many identical copies the last fetch that saw it had.
    pub copies: u64,
    /// The sync that first saw it.
    pub first_seen: DateTime<Utc>,
    /// The last sync that saw it.
    pub last_seen: DateTime<Utc>,
}

impl StoredRejection {
    /// What makes it the same in another fetch: origin, what is wrong, and the entry as
    /// sent. The page and position may differ.
    pub fn fingerprint(&self) -> [u8; 16] {
        fingerprint(self.origin, &self.rejection)
    }
}

fn fingerprint(origin: RejectionOrigin, rejection: &Rejection) -> [u8; 16] {
    let origin: &[u8] = match origin {
        RejectionOrigin::Usage => b"usage",
        RejectionOrigin::Metadata => b"metadata",
    };
    let field = rejection.field.as_deref().unwrap_or_default();
    let mut hasher = Sha256::new();
    for part in [
        origin,
        rejection.slug.as_bytes(),
        field.as_bytes(),
        rejection.json.as_bytes(),
    ] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let mut short = [0; 16];
    short.copy_from_slice(&hasher.finalize()[..16]);
    short
}

/// The rejections of one sync, identical ones counted together.
#[derive(Debug, Clone, Default)]
pub struct StagedRejections {
    by_fingerprint: BTreeMap<[u8; 16], (RejectionOrigin, Rejection, u64)>,
}

impl StagedRejections {
    /// Adds one.
    pub fn add(&mut self, origin: RejectionOrigin, rejection: &Rejection) {
        self.by_fingerprint
            .entry(fingerprint(origin, rejection))
            .and_modify(|(_, first, copies)| {
                *copies += 1;
                // whatever the order of pages, the first place of the list is kept
                if (&rejection.page, rejection.position) < (&first.page, first.position) {
                    *first = rejection.clone();
                }
            })
            .or_insert_with(|| (origin, rejection.clone(), 1));
    }

    /// Forgets those of one origin.
    pub fn clear(&mut self, origin: RejectionOrigin) {
        self.by_fingerprint.retain(|_, (of, _, _)| *of != origin);
    }

    /// How many entries of one origin could not be read.
    pub fn count(&self, origin: RejectionOrigin) -> u64 {
        let of_origin = self
            .by_fingerprint
            .values()
            .filter(|(of, _, _)| *of == origin);
        of_origin.map(|(_, _, copies)| copies).sum()
    }

    /// What they mean for those that `stand` in the store. `usage` is the range of usage
    /// that was fetched completely; `snapshot` whether metadata was read.
    pub fn merge(
        &self,
        standing: &[StoredRejection],
        at: DateTime<Utc>,
        range: Option<Period>,
        usage_complete: bool,
        snapshot: bool,
    ) -> RejectionChanges {
        let mut changes = RejectionChanges::default();
        let mut known = BTreeMap::new();
        for old in standing {
            known.insert(old.fingerprint(), old);
        }
        for (fingerprint, (origin, rejection, copies)) in &self.by_fingerprint {
            if let Some(old) = known.remove(fingerprint) {
                changes.seen_again.push(StoredRejection {
                    copies: *copies,
                    last_seen: at,
                    ..old.clone()
                });
            } else {
                changes.added.push(StoredRejection {
                    origin: *origin,
                    rejection: rejection.clone(),
                    period: concerned(*origin, rejection, range),
                    copies: *copies,
                    first_seen: at,
                    last_seen: at,
                });
            }
        }
        for (fingerprint, old) in known {
            let read_now = match old.origin {
                RejectionOrigin::Metadata => snapshot,
                RejectionOrigin::Usage => {
                    let within = |range: Period| range.intersect(&old.period) == Some(old.period);
                    usage_complete && range.is_some_and(within)
                }
            };
            if read_now {
                changes.resolved.push(fingerprint);
            }
        }
        changes
    }
}

/// What a sync changes among the rejections that stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RejectionChanges {
    /// Seen for the first time.
    pub added: Vec<StoredRejection>,
    /// Known, and seen again.
    pub seen_again: Vec<StoredRejection>,
    /// Fingerprints of those that a fetch of their time did not have any more.
    pub resolved: Vec<[u8; 16]>,
}

fn concerned(origin: RejectionOrigin, rejection: &Rejection, range: Option<Period>) -> Period {
    match origin {
        RejectionOrigin::Metadata => Period::always(),
        RejectionOrigin::Usage => sent_window(&rejection.json)
            .or(range)
            .unwrap_or_else(Period::always),
    }
}

/// The window of an unreadable record, where its dates at least are in order. A hint for
/// finding it again, nothing is billed by it.
fn sent_window(json: &str) -> Option<Period> {
    #[derive(Deserialize)]
    struct Dates {
        startdate: String,
        enddate: String,
    }
    let instant = |text: &str| {
        DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z")
            .ok()
            .map(|time| time.with_timezone(&Utc))
    };
    let dates: Dates = serde_json::from_str(json).ok()?;
    // CloudStack's ends are the last second of the window
    let end = instant(&dates.enddate)?.checked_add_signed(TimeDelta::seconds(1))?;
    Period::new(instant(&dates.startdate)?, end).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_record_is_placed_by_its_dates_where_they_can_be_read() {
        let json =
            r#"{"startdate":"2026-10-01T00:00:00+0200","enddate":"2026-10-01T23:59:59+02:00"}"#;
        let day = Period::parse("2026-09-30T22:00:00Z", "2026-10-01T22:00:00Z").unwrap();
        assert_eq!(sent_window(json), Some(day));
        assert_eq!(sent_window(r#"{"startdate":"yesterday"}"#), None);
        assert_eq!(sent_window("<html>"), None);
    }
}
