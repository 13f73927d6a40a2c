//! The store in SQLite.

mod document;
mod failure;
mod indices;
mod label;
mod lock;
mod metadata;
mod migration;
mod read;
mod rejection;
mod retention;
mod stage;
mod stored;
mod time;
mod transaction;
mod usage;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    ArchivedMonth, Document, DocumentDigest, DocumentEntry, DocumentKind, Label, LabelTarget,
    LabelVersion, RecordSink, RetentionTransaction, RowSink, SnapshotSink, StoreError,
    StoredRecord, StoredRejection, SyncEntry, SyncRun, SyncTransaction, UsageQuery, UsageStore,
    UtcMonth, archived_time, refuse_archived,
};
use cloudstack_usage::{Period, RecordKey, ResourceUses, UsageLifetimes};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use failure::Failure;

/// How long to wait for another writer before giving up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Of the database 64 MiB are held in memory: a sync looks for its keys all over the indices.
/// What is staged is written and read in one go, by large pages.
const SETTINGS: &str = "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
    PRAGMA cache_size = -65536; PRAGMA temp.page_size = 32768; PRAGMA temp.cache_size = -16384";

/// A store in a SQLite database: a file of its own, or one that a portal has its tables in
/// too (ours begin with `csb_`).
///
/// ```
/// use cloudstack_usage::store::UsageStore;
/// use cloudstack_usage_store::SqliteStore;
///
/// let mut store = SqliteStore::in_memory().unwrap();
/// assert!(store.clouds().unwrap().is_empty());
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    failure: Failure,
    path: Option<PathBuf>,
}

impl SqliteStore {
    /// Opens the database at `path`; makes it, and brings its tables up to date, where
    /// needed.
    ///
    /// # Errors
    /// When the file cannot be opened, is no database, or has tables that this version does
    /// not know.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let failure = Failure::new(Some(path.clone()));
        let connection = Connection::open(&path).map_err(failure.of("the database"))?;
        Self::prepare(connection, failure, Some(path))
    }

    /// Opens the database at `path` for reading only, as a portal may.
    ///
    /// # Errors
    /// When the file is not there, is no database, or has tables of another version.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let failure = Failure::new(Some(path.clone()));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&path, flags).map_err(failure.of("the database"))?;
        connection
            .busy_timeout(BUSY_TIMEOUT)
            .map_err(failure.of("the database"))?;
        migration::require_latest(&connection, &failure)?;
        Ok(Self {
            connection,
            failure,
            path: Some(path),
        })
    }

    /// An empty store in memory, gone when it is dropped.
    ///
    /// # Errors
    /// When SQLite cannot be started.
    pub fn in_memory() -> Result<Self, StoreError> {
        let failure = Failure::new(None);
        let connection = Connection::open_in_memory().map_err(failure.of("the database"))?;
        Self::prepare(connection, failure, None)
    }

    fn prepare(
        mut connection: Connection,
        failure: Failure,
        path: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        let failed = failure.of("the database");
        connection.busy_timeout(BUSY_TIMEOUT).map_err(&failed)?;
        // readers go on while a sync is written; a crash loses whole transactions at most
        connection
            .query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))
            .map_err(&failed)?;
        connection.execute_batch(SETTINGS).map_err(&failed)?;
        drop(failed);
        migration::migrate(&mut connection, &failure)?;
        Ok(Self {
            connection,
            failure,
            path,
        })
    }

    /// The row of a cloud, where something of it is stored.
    fn cloud_id(&self, name: &str) -> Result<Option<i64>, StoreError> {
        self.connection
            .prepare_cached("SELECT id FROM csb_cloud WHERE name = ?")
            .and_then(|mut statement| statement.query_row([name], |row| row.get(0)).optional())
            .map_err(self.failure.of("csb_cloud"))
    }
}

/// The row of a cloud, made where there is none; within a transaction.
fn require_cloud(
    connection: &Connection,
    failure: &Failure,
    name: &str,
) -> Result<i64, StoreError> {
    connection
        .execute(
            "INSERT INTO csb_cloud (name) VALUES (?) ON CONFLICT DO NOTHING",
            [name],
        )
        .and_then(|_| {
            let sql = "SELECT id FROM csb_cloud WHERE name = ?";
            connection.query_row(sql, [name], |row| row.get(0))
        })
        .map_err(failure.of("csb_cloud"))
}

impl UsageStore for SqliteStore {
    fn begin_sync(&mut self, run: &SyncRun) -> Result<Box<dyn SyncTransaction + '_>, StoreError> {
        Ok(Box::new(transaction::SqliteSync::begin(self, run)?))
    }

    fn clouds(&mut self) -> Result<Vec<String>, StoreError> {
        self.connection
            .prepare("SELECT name FROM csb_cloud ORDER BY name")
            .and_then(|mut statement| {
                let names = statement.query_map((), |row| row.get(0))?;
                names.collect()
            })
            .map_err(self.failure.of("csb_cloud"))
    }

    fn watermark(&mut self, cloud: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        read::watermark(self, cloud)
    }

    fn syncs(&mut self, cloud: &str) -> Result<Vec<SyncEntry>, StoreError> {
        read::syncs(self, cloud)
    }

    fn usage(&mut self, query: &UsageQuery, sink: &mut RecordSink<'_>) -> Result<(), StoreError> {
        refuse_archived(&self.archived_months(&query.cloud)?, query.period)?;
        read::usage(self, query, sink)
    }

    fn lifetimes(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<UsageLifetimes, StoreError> {
        let away = archived_time(self.archived_months(cloud)?.iter().map(|known| known.month));
        let mut lifetimes = read::lifetimes(self, cloud, as_known_on, &away)?;
        self.add_archived_lifetimes(cloud, as_known_on, &mut lifetimes)?;
        Ok(lifetimes)
    }

    fn versions(&mut self, cloud: &str, key: &RecordKey) -> Result<Vec<StoredRecord>, StoreError> {
        read::versions(self, cloud, key)
    }

    fn snapshots(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
        sink: &mut SnapshotSink<'_>,
    ) -> Result<(), StoreError> {
        metadata::snapshots(self, cloud, as_known_on, sink)
    }

    fn rejections(
        &mut self,
        cloud: &str,
        period: Period,
    ) -> Result<Vec<StoredRejection>, StoreError> {
        let Some(cloud) = self.cloud_id(cloud)? else {
            return Ok(Vec::new());
        };
        let mut standing = rejection::standing(&self.connection, &self.failure, cloud)?;
        standing.retain(|rejection| rejection.period.overlaps(&period));
        Ok(standing)
    }

    fn stored_rows(
        &mut self,
        cloud: &str,
        period: Period,
        sink: &mut RowSink<'_>,
    ) -> Result<(), StoreError> {
        stored::rows(self, cloud, period, sink)
    }

    fn archived_months(&mut self, cloud: &str) -> Result<Vec<ArchivedMonth>, StoreError> {
        stored::archived_months(self, cloud)
    }

    fn archived_uses(
        &mut self,
        cloud: &str,
        month: UtcMonth,
        sink: &mut dyn FnMut(ResourceUses) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        stored::archived_uses(self, cloud, month, sink)
    }

    fn begin_retention(
        &mut self,
        cloud: &str,
    ) -> Result<Box<dyn RetentionTransaction + '_>, StoreError> {
        Ok(Box::new(retention::SqliteRetention::begin(self, cloud)?))
    }

    fn set_label(&mut self, cloud: &str, label: &Label) -> Result<bool, StoreError> {
        label::set(self, cloud, label)
    }

    fn clear_label(
        &mut self,
        cloud: &str,
        target: &LabelTarget,
        period: Period,
        author: &str,
        recorded: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        label::clear(self, cloud, target, period, author, recorded)
    }

    fn label_versions(&mut self, cloud: &str) -> Result<Vec<LabelVersion>, StoreError> {
        let Some(cloud) = self.cloud_id(cloud)? else {
            return Ok(Vec::new());
        };
        label::versions(&self.connection, &self.failure, cloud)
    }

    fn record_document(&mut self, cloud: &str, document: &Document) -> Result<bool, StoreError> {
        document::record(self, cloud, document)
    }

    fn documents(
        &mut self,
        cloud: &str,
        kind: Option<DocumentKind>,
    ) -> Result<Vec<DocumentEntry>, StoreError> {
        document::list(self, cloud, kind)
    }

    fn document(
        &mut self,
        cloud: &str,
        kind: DocumentKind,
        name: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<Option<Document>, StoreError> {
        document::newest(self, cloud, kind, name, as_known_on)
    }

    fn document_by_digest(
        &mut self,
        cloud: &str,
        digest: &DocumentDigest,
    ) -> Result<Option<Document>, StoreError> {
        document::by_digest(self, cloud, digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cloudstack_usage::UsagePage;
    use cloudstack_usage::store::conformance::usage_record;
    use cloudstack_usage::store::{DEFAULT_CLOUD, StoreErrorKind, SyncOutcome};

    #[test]
    fn a_full_disk_is_a_clear_error_and_nothing_is_stored() {
        let mut store = SqliteStore::in_memory().unwrap();
        // SQLite takes its own limit of pages for a full disk
        let pages: i64 = store
            .connection
            .query_row("PRAGMA page_count", (), |row| row.get(0))
            .unwrap();
        store
            .connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(()))
            .unwrap();
        // so many that the indices are made anew
        let records = (0..1500).map(|n| usage_record("a", (n, n + 1), "1"));
        let page = UsagePage {
            records: records.collect(),
            rejections: Vec::new(),
        };
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let run = SyncRun::new(DEFAULT_CLOUD, now).with_range(Period::always());
        let mut transaction = store.begin_sync(&run).unwrap();
        transaction.put_usage(&page).unwrap();
        let error = transaction.commit(&SyncOutcome::complete()).unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Full);
        assert!(error.to_string().contains("make room"));
        assert!(store.clouds().unwrap().is_empty());

        store
            .connection
            .query_row("PRAGMA max_page_count = 100000", (), |_| Ok(()))
            .unwrap();
        let mut transaction = store.begin_sync(&run).unwrap();
        transaction.put_usage(&page).unwrap();
        let entry = transaction.commit(&SyncOutcome::complete()).unwrap();
        assert_eq!(entry.usage.new, 1500);
    }

    #[test]
    fn a_database_that_another_program_writes_to_is_busy_and_nothing_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("usage.sqlite");
        let mut store = SqliteStore::open(&path).unwrap();
        store.connection.busy_timeout(Duration::ZERO).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let run = SyncRun::new(DEFAULT_CLOUD, now).with_range(Period::always());
        let page = UsagePage {
            records: vec![usage_record("a", (0, 1), "1")],
            rejections: Vec::new(),
        };
        let mut transaction = store.begin_sync(&run).unwrap();
        transaction.put_usage(&page).unwrap();
        let error = transaction.commit(&SyncOutcome::complete()).unwrap_err();
        assert_eq!(
            (error.kind(), error.slug()),
            (StoreErrorKind::Busy, "store_busy")
        );
        assert!(error.is_retryable() && error.to_string().contains("try again"));
        assert!(store.clouds().unwrap().is_empty());
        other.execute_batch("ROLLBACK").unwrap();
        let mut transaction = store.begin_sync(&run).unwrap();
        transaction.put_usage(&page).unwrap();
        assert!(
            transaction
                .commit(&SyncOutcome::complete())
                .unwrap()
                .changed()
        );
    }

    #[test]
    fn a_period_is_found_by_the_index_and_needs_no_sorting() {
        let store = SqliteStore::in_memory().unwrap();
        for plan in read::query_plans(&store) {
            assert!(plan.contains("USING INDEX csb_usage_window"), "{plan}");
            assert!(!plan.contains("TEMP B-TREE"), "{plan}");
        }
    }
}
