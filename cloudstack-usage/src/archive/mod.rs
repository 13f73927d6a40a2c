//! Whole months of a store in Parquet files, and back (feature `archive`).
//!
//! [`export`] writes what a store holds of a month's usage into a folder of its own,
//! [`prune`] takes it out of the store once the folder was read back and compared row by row,
//! [`restore`] puts it back. The three together lose nothing: rows come back with their
//! revisions and the times during which they were known, and merge with what came meanwhile.
//!
//! A folder holds `usage.parquet`, `rejections.parquet` and `manifest.json`. The files are for
//! other programs as well: instants are timestamps in UTC, amounts decimals, ids texts. The
//! columns `record` (the record as this library writes it) and `sent` (as CloudStack sent it)
//! are what is restored; all others are taken from `record`, and checked against it when a
//! file is read.
//!
//! ```
//! use chrono::{DateTime, TimeDelta};
//! use cloudstack_usage::archive::{self, Archive, ExportOptions};
//! use cloudstack_usage::store::{DEFAULT_CLOUD, MemoryStore, StoreErrorKind, SyncOutcome, SyncRun,
//!     UsageQuery, UsageStore};
//! use cloudstack_usage::{Period, parse_usage_page};
//!
//! let page = br#"{"listusagerecordsresponse": {"count": 1, "usagerecord": [{
//!     "domainid": "d", "accountid": "a", "description": "", "usagetype": 6, "usageid": "v",
//!     "usage": "24 Hrs", "rawusage": "24", "size": 5,
//!     "startdate": "2026-10-07T00:00:00+0000", "enddate": "2026-10-07T23:59:59+0000"}]}}"#;
//! let now: DateTime<_> = "2026-11-20T00:00:00Z".parse().unwrap();
//! let october = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
//! let mut store = MemoryStore::new();
//! let run = SyncRun::new(DEFAULT_CLOUD, now).with_range(october);
//! let mut sync = store.begin_sync(&run).unwrap();
//! sync.put_usage(&parse_usage_page("page 1", page).unwrap()).unwrap();
//! sync.commit(&SyncOutcome::complete()).unwrap();
//!
//! let folder = tempfile::tempdir().unwrap();
//! let options = ExportOptions::new(DEFAULT_CLOUD, "2026-10".parse().unwrap(), now);
//! // usage ends within the month here, so it is not settled yet
//! assert_eq!(archive::export(&mut store, folder.path(), &options).unwrap_err().slug(), "archive_unsettled");
//! let options = options.settled(TimeDelta::days(-30));
//! let exported = archive::export(&mut store, folder.path(), &options).unwrap();
//! archive::prune(&mut store, &exported.archive, now).unwrap();
//! let query = UsageQuery::new(DEFAULT_CLOUD, october);
//! assert_eq!(store.usage(&query, &mut |_| Ok(())).unwrap_err().kind(), StoreErrorKind::Archived);
//!
//! let archive = Archive::open(exported.archive.folder()).unwrap();
//! assert_eq!(archive::restore(&mut store, &archive, DEFAULT_CLOUD).unwrap().added, 1);
//! let mut records = 0;
//! store.usage(&query, &mut |_| { records += 1; Ok(()) }).unwrap();
//! assert_eq!(records, 1);
//! ```

mod content;
mod error;
mod export;
mod folder;
mod manifest;
mod prune;
mod rejection_table;
mod replacement;
mod restore;
mod table;
mod usage_table;

pub use error::{ArchiveError, ArchiveErrorKind};
pub use export::{ExportOptions, Exported, export};
pub use folder::Archive;
pub use manifest::{ContentCounts, Coverage, FileEntry, Manifest};
pub use prune::{PruneReport, prune};
pub use restore::{RestoreReport, restore};
