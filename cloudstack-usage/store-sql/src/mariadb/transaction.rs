//! One sync on its way into MariaDB: staged in tables of the session, merged at the end in
//! one transaction.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    RejectionOrigin, SnapshotCounts, StagedRejections, StoreError, StoreErrorKind, SyncEntry,
    SyncOutcome, SyncRun, SyncTransaction, UsageCounts, entities,
};
use cloudstack_usage::{SnapshotFetch, UsagePage};
use mysql::Value;

use super::database::Database;
use super::time::datetime;
use super::{metadata, migration, rejection, require_cloud, usage};
use crate::columns::count;

pub(super) struct MariaDbSync<'a> {
    database: &'a mut Database,
    run: SyncRun,
    newest_end: Option<DateTime<Utc>>,
    longest_window: i64,
    snapshot: Option<metadata::Staged>,
    rejections: StagedRejections,
    lock: String,
}

impl<'a> MariaDbSync<'a> {
    /// Takes the lock of the cloud's sync. It belongs to the connection: the server frees it
    /// when that ends in whatever way.
    pub(super) fn begin(database: &'a mut Database, run: &SyncRun) -> Result<Self, StoreError> {
        run.check(None)?;
        let lock = migration::sync_lock(database, &run.cloud)?;
        if !database.lock(&lock, 0)? {
            return Err(StoreError::new(
                StoreErrorKind::SyncRunning,
                format!(
                    "another sync of cloud {:?} into {} is running; wait for it to end",
                    run.cloud,
                    database.failure.place()
                ),
            ));
        }
        let sync = Self {
            database,
            run: run.clone(),
            newest_end: None,
            longest_window: 0,
            snapshot: None,
            rejections: StagedRejections::default(),
            lock,
        };
        // read under the lock: nobody else records a sync of this cloud from here on
        run.check(last_sync(sync.database, &run.cloud)?)?;
        usage::create_stage(sync.database)?;
        Ok(sync)
    }
}

/// The moment of the last sync of a cloud.
fn last_sync(database: &mut Database, cloud: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    let sql = "SELECT s.at FROM csb_sync s JOIN csb_cloud c ON c.id = s.cloud
        WHERE c.name = ? ORDER BY s.id DESC LIMIT 1";
    let row = database.first("csb_sync", sql, (cloud,))?;
    row.map(|row| row.instant(0)).transpose()
}

/// Writes everything; within a transaction.
fn write(
    database: &mut Database,
    sync: &Staged<'_>,
    outcome: &SyncOutcome,
) -> Result<SyncEntry, StoreError> {
    let at = sync.run.at;
    let cloud = require_cloud(database, &sync.run.cloud)?;
    let usage = UsageCounts {
        rejected: sync.rejections.count(RejectionOrigin::Usage),
        ..usage::merge(database, cloud, at, outcome.usage_complete)?
    };
    let snapshot = match sync.snapshot {
        None => None,
        Some(staged) => Some(SnapshotCounts {
            rejected: sync.rejections.count(RejectionOrigin::Metadata),
            ..metadata::put(database, cloud, at, staged)?
        }),
    };
    let changes = sync.rejections.merge(
        &rejection::standing(database, cloud)?,
        at,
        sync.run.range,
        outcome.usage_complete,
        snapshot.is_some(),
    );
    rejection::apply(database, cloud, at, &changes)?;
    let entry = SyncEntry {
        at,
        range: sync.run.range,
        usage_complete: outcome.usage_complete,
        usage,
        snapshot,
        new_rejections: count(changes.added.len()),
        resolved_rejections: count(changes.resolved.len()),
        notices: outcome.notices.clone(),
        watermark: sync.advance(database, cloud, outcome.usage_complete)?,
    };
    let json = serde_json::to_string(&entry)
        .map_err(|error| database.failure.corrupt("csb_sync", error))?;
    let sql = "INSERT INTO csb_sync (cloud, at, entry) VALUES (?, ?, ?)";
    database.run("csb_sync", sql, (cloud, datetime(at)?, json))?;
    Ok(entry)
}

/// What a sync has staged outside the tables of the session.
struct Staged<'a> {
    run: &'a SyncRun,
    newest_end: Option<DateTime<Utc>>,
    longest_window: i64,
    snapshot: Option<&'a metadata::Staged>,
    rejections: &'a StagedRejections,
}

impl Staged<'_> {
    /// Moves the watermark of the cloud, never back, and only where the fetch was complete.
    fn advance(
        &self,
        database: &mut Database,
        cloud: i64,
        complete: bool,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let newest = match self.newest_end.filter(|_| complete) {
            Some(end) => datetime(end)?,
            None => Value::NULL,
        };
        let sql = "UPDATE csb_cloud SET
                longest_window = greatest(longest_window, ?),
                watermark = greatest(coalesce(watermark, ?), coalesce(?, watermark))
            WHERE id = ?";
        database.run(
            "csb_cloud",
            sql,
            (self.longest_window, newest.clone(), newest, cloud),
        )?;
        let sql = "SELECT watermark FROM csb_cloud WHERE id = ?";
        let row = database.first("csb_cloud", sql, (cloud,))?;
        row.map_or(Ok(None), |row| row.optional_instant(0))
    }
}

impl SyncTransaction for MariaDbSync<'_> {
    fn put_usage(&mut self, page: &UsagePage) -> Result<(), StoreError> {
        usage::stage(self.database, &page.records)?;
        for entry in &page.records {
            let window = entry.record.window;
            self.newest_end = self.newest_end.max(Some(window.end()));
            self.longest_window = self.longest_window.max(window.millis());
        }
        for rejection in &page.rejections {
            self.rejections.add(RejectionOrigin::Usage, rejection);
        }
        Ok(())
    }

    fn put_snapshot(&mut self, fetch: &SnapshotFetch) -> Result<(), StoreError> {
        self.snapshot = Some(metadata::Staged {
            entities: entities(&fetch.snapshot)?,
            complete: fetch.snapshot.complete.clone(),
            vm_events_from: fetch.snapshot.vm_events_from,
        });
        self.rejections.clear(RejectionOrigin::Metadata);
        for rejection in &fetch.rejections {
            self.rejections.add(RejectionOrigin::Metadata, rejection);
        }
        Ok(())
    }

    fn commit(self: Box<Self>, outcome: &SyncOutcome) -> Result<SyncEntry, StoreError> {
        let mut sync = self;
        let MariaDbSync {
            database,
            run,
            newest_end,
            longest_window,
            snapshot,
            rejections,
            ..
        } = &mut *sync;
        let staged = Staged {
            run,
            newest_end: *newest_end,
            longest_window: *longest_window,
            snapshot: snapshot.as_ref(),
            rejections,
        };
        database.transaction(|database| write(database, &staged, outcome))
    }
}

impl Drop for MariaDbSync<'_> {
    fn drop(&mut self) {
        usage::drop_stage(self.database);
        self.database.unlock(&self.lock);
    }
}
