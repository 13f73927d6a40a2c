//! The store in MariaDB.

mod database;
mod document;
mod failure;
mod label;
mod metadata;
mod migration;
mod read;
mod rejection;
mod retention;
mod sortable;
mod stored;
mod time;
mod tls;
mod transaction;
mod usage;

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    ArchivedMonth, Document, DocumentDigest, DocumentEntry, DocumentKind, Label, LabelTarget,
    LabelVersion, RecordSink, RetentionTransaction, RowSink, SnapshotSink, StoreError,
    StoredRecord, StoredRejection, SyncEntry, SyncRun, SyncTransaction, UsageQuery, UsageStore,
    UtcMonth, archived_time, refuse_archived,
};
use cloudstack_usage::{Period, RecordKey, ResourceUses, SqlServer, UsageLifetimes};

use database::Database;

/// A store in a database of a MariaDB server (10.6 or later): one of its own, or one that a
/// portal has its tables in too (ours begin with `csb_`).
///
/// The user needs `SELECT, INSERT, UPDATE, CREATE, ALTER, INDEX, REFERENCES, CREATE VIEW,
/// CREATE TEMPORARY TABLES` on that database to sync into it, and `SELECT` to read. Putting
/// months away and taking them back needs `DELETE` on three tables as well.
///
/// ```no_run
/// use cloudstack_usage::{Secret, SqlServer, store::UsageStore};
/// use cloudstack_usage_store::MariaDbStore;
///
/// let server = SqlServer::parse("mysql://billing@db.example.com/portal")?;
/// let server = server.with_password(Secret::new(std::env::var("PASSWORD")?));
/// let mut store = MariaDbStore::open(&server)?;
/// assert!(store.clouds()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MariaDbStore {
    database: Database,
}

impl MariaDbStore {
    /// Opens the database that `server` names, and brings its tables up to date, where
    /// needed.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the user, is no MariaDB, or has tables
    /// that this version does not know.
    pub fn open(server: &SqlServer) -> Result<Self, StoreError> {
        let mut database = Database::connect(server)?;
        migration::migrate(&mut database)?;
        Ok(Self { database })
    }

    /// Opens the database for reading only, as a portal may.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the user, is no MariaDB, or has tables
    /// of another version.
    pub fn open_read_only(server: &SqlServer) -> Result<Self, StoreError> {
        let mut database = Database::connect(server)?;
        database.run("the session", "SET SESSION TRANSACTION READ ONLY", ())?;
        migration::require_latest(&mut database)?;
        Ok(Self { database })
    }
}

/// The row of a cloud, where something of it is stored.
fn cloud_id(database: &mut Database, name: &str) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT id FROM csb_cloud WHERE name = ?";
    let row = database.first("csb_cloud", sql, (name,))?;
    row.map(|row| row.number(0)).transpose()
}

/// The row of a cloud, made where there is none, and locked for the rest of the transaction:
/// whoever writes to a cloud writes alone.
fn require_cloud(database: &mut Database, name: &str) -> Result<i64, StoreError> {
    let sql = "INSERT INTO csb_cloud (name) VALUES (?) ON DUPLICATE KEY UPDATE id = id";
    database.run("csb_cloud", sql, (name,))?;
    let sql = "SELECT id FROM csb_cloud WHERE name = ? FOR UPDATE";
    let row = database.first("csb_cloud", sql, (name,))?;
    row.map_or_else(
        || Err(database.failure.corrupt("csb_cloud", "the cloud has gone")),
        |row| row.number(0),
    )
}

impl UsageStore for MariaDbStore {
    fn begin_sync(&mut self, run: &SyncRun) -> Result<Box<dyn SyncTransaction + '_>, StoreError> {
        let sync = transaction::MariaDbSync::begin(&mut self.database, run)?;
        Ok(Box::new(sync))
    }

    fn clouds(&mut self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT name FROM csb_cloud ORDER BY name";
        self.database.all("csb_cloud", sql, (), |row| row.text(0))
    }

    fn watermark(&mut self, cloud: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let sql = "SELECT watermark FROM csb_cloud WHERE name = ?";
        let row = self.database.first("csb_cloud", sql, (cloud,))?;
        row.map_or(Ok(None), |row| row.optional_instant(0))
    }

    fn syncs(&mut self, cloud: &str) -> Result<Vec<SyncEntry>, StoreError> {
        read::syncs(&mut self.database, cloud)
    }

    fn usage(&mut self, query: &UsageQuery, sink: &mut RecordSink<'_>) -> Result<(), StoreError> {
        self.database.view(|database| {
            refuse_archived(
                &stored::archived_months(database, &query.cloud)?,
                query.period,
            )?;
            read::usage(database, query, sink)
        })
    }

    fn lifetimes(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<UsageLifetimes, StoreError> {
        let away = archived_time(self.archived_months(cloud)?.iter().map(|known| known.month));
        let mut lifetimes = self
            .database
            .view(|database| read::lifetimes(database, cloud, as_known_on, &away))?;
        self.add_archived_lifetimes(cloud, as_known_on, &mut lifetimes)?;
        Ok(lifetimes)
    }

    fn versions(&mut self, cloud: &str, key: &RecordKey) -> Result<Vec<StoredRecord>, StoreError> {
        read::versions(&mut self.database, cloud, key)
    }

    fn snapshots(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
        sink: &mut SnapshotSink<'_>,
    ) -> Result<(), StoreError> {
        self.database
            .view(|database| metadata::snapshots(database, cloud, as_known_on, sink))
    }

    fn rejections(
        &mut self,
        cloud: &str,
        period: Period,
    ) -> Result<Vec<StoredRejection>, StoreError> {
        let Some(cloud) = cloud_id(&mut self.database, cloud)? else {
            return Ok(Vec::new());
        };
        let mut standing = rejection::standing(&mut self.database, cloud)?;
        standing.retain(|rejection| rejection.period.overlaps(&period));
        Ok(standing)
    }

    fn stored_rows(
        &mut self,
        cloud: &str,
        period: Period,
        sink: &mut RowSink<'_>,
    ) -> Result<(), StoreError> {
        self.database
            .view(|database| stored::rows(database, cloud, period, sink))
    }

    fn archived_months(&mut self, cloud: &str) -> Result<Vec<ArchivedMonth>, StoreError> {
        stored::archived_months(&mut self.database, cloud)
    }

    fn archived_uses(
        &mut self,
        cloud: &str,
        month: UtcMonth,
        sink: &mut dyn FnMut(ResourceUses) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        stored::archived_uses(&mut self.database, cloud, month, sink)
    }

    fn begin_retention(
        &mut self,
        cloud: &str,
    ) -> Result<Box<dyn RetentionTransaction + '_>, StoreError> {
        let retention = retention::MariaDbRetention::begin(&mut self.database, cloud)?;
        Ok(Box::new(retention))
    }

    fn set_label(&mut self, cloud: &str, label: &Label) -> Result<bool, StoreError> {
        label::set(&mut self.database, cloud, label)
    }

    fn clear_label(
        &mut self,
        cloud: &str,
        target: &LabelTarget,
        period: Period,
        author: &str,
        recorded: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        label::clear(&mut self.database, cloud, target, period, author, recorded)
    }

    fn label_versions(&mut self, cloud: &str) -> Result<Vec<LabelVersion>, StoreError> {
        label::versions(&mut self.database, cloud)
    }

    fn record_document(&mut self, cloud: &str, document: &Document) -> Result<bool, StoreError> {
        document::record(&mut self.database, cloud, document)
    }

    fn documents(
        &mut self,
        cloud: &str,
        kind: Option<DocumentKind>,
    ) -> Result<Vec<DocumentEntry>, StoreError> {
        document::list(&mut self.database, cloud, kind)
    }

    fn document(
        &mut self,
        cloud: &str,
        kind: DocumentKind,
        name: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<Option<Document>, StoreError> {
        document::newest(&mut self.database, cloud, kind, name, as_known_on)
    }

    fn document_by_digest(
        &mut self,
        cloud: &str,
        digest: &DocumentDigest,
    ) -> Result<Option<Document>, StoreError> {
        document::by_digest(&mut self.database, cloud, digest)
    }
}
