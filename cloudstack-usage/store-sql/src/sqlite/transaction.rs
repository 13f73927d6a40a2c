//! One sync on its way into SQLite: staged outside the database, merged at the end in one
//! transaction.

use chrono::{DateTime, Utc};
use cloudstack_usage::store::{
    RejectionOrigin, SnapshotCounts, StagedRejections, StoreError, SyncEntry, SyncOutcome, SyncRun,
    SyncTransaction, UsageCounts, entities,
};
use cloudstack_usage::{Period, SnapshotFetch, UsagePage};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params};

use super::failure::Failure;
use super::lock::SyncLock;
use super::time::{instant, millis};
use super::{SqliteStore, metadata, rejection, require_cloud, stage, usage};
use crate::columns::count;

pub(super) struct SqliteSync<'a> {
    store: &'a mut SqliteStore,
    run: SyncRun,
    /// The time of all windows that are staged.
    time: Option<Period>,
    longest_window: i64,
    snapshot: Option<metadata::Staged>,
    rejections: StagedRejections,
    _lock: SyncLock,
}

impl<'a> SqliteSync<'a> {
    pub(super) fn begin(store: &'a mut SqliteStore, run: &SyncRun) -> Result<Self, StoreError> {
        run.check(None)?;
        let lock = SyncLock::acquire(store.path.as_deref(), &run.cloud)?;
        // read under the lock: nobody else records a sync of this cloud from here on
        run.check(last_sync(store, &run.cloud)?)?;
        stage::create(&store.connection, &store.failure)?;
        Ok(Self {
            store,
            run: run.clone(),
            time: None,
            longest_window: 0,
            snapshot: None,
            rejections: StagedRejections::default(),
            _lock: lock,
        })
    }

    /// Writes everything within `transaction`.
    fn write(
        &self,
        transaction: &Transaction<'_>,
        outcome: &SyncOutcome,
    ) -> Result<SyncEntry, StoreError> {
        let failure = &self.store.failure;
        let at = millis(self.run.at);
        let cloud = require_cloud(transaction, failure, &self.run.cloud)?;
        let sync = usage::Sync {
            cloud,
            at,
            complete: outcome.usage_complete,
        };
        let usage = UsageCounts {
            rejected: self.rejections.count(RejectionOrigin::Usage),
            ..usage::merge(transaction, failure, sync, self.time)?
        };
        let snapshot = match &self.snapshot {
            None => None,
            Some(staged) => Some(SnapshotCounts {
                rejected: self.rejections.count(RejectionOrigin::Metadata),
                ..metadata::put(transaction, failure, cloud, at, staged)?
            }),
        };
        let changes = self.rejections.merge(
            &rejection::standing(transaction, failure, cloud)?,
            self.run.at,
            self.run.range,
            outcome.usage_complete,
            snapshot.is_some(),
        );
        rejection::apply(transaction, failure, cloud, at, &changes)?;
        let entry = SyncEntry {
            at: self.run.at,
            range: self.run.range,
            usage_complete: outcome.usage_complete,
            usage,
            snapshot,
            new_rejections: count(changes.added.len()),
            resolved_rejections: count(changes.resolved.len()),
            notices: outcome.notices.clone(),
            watermark: self.advance(transaction, failure, cloud, outcome.usage_complete)?,
        };
        let json =
            serde_json::to_string(&entry).map_err(|error| failure.corrupt("csb_sync", error))?;
        transaction
            .execute(
                "INSERT INTO csb_sync (cloud, at, entry) VALUES (?, ?, ?)",
                params![cloud, at, json],
            )
            .map_err(failure.of("csb_sync"))?;
        Ok(entry)
    }

    /// Moves the watermark of the cloud, never back, and only where the fetch was complete.
    fn advance(
        &self,
        transaction: &Transaction<'_>,
        failure: &Failure,
        cloud: i64,
        complete: bool,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let newest = self
            .time
            .filter(|_| complete)
            .map(|time| millis(time.end()));
        let sql = "UPDATE csb_cloud SET
                longest_window = max(longest_window, ?2),
                watermark = CASE WHEN ?3 IS NULL THEN watermark
                                 ELSE max(coalesce(watermark, ?3), ?3) END
            WHERE id = ?1 RETURNING watermark";
        let watermark: Option<i64> = transaction
            .query_row(sql, params![cloud, self.longest_window, newest], |row| {
                row.get(0)
            })
            .map_err(failure.of("csb_cloud"))?;
        watermark
            .map(|watermark| instant(watermark, "csb_cloud", failure))
            .transpose()
    }
}

/// The moment of the last sync of a cloud.
fn last_sync(store: &SqliteStore, cloud: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
    let Some(cloud) = store.cloud_id(cloud)? else {
        return Ok(None);
    };
    let sql = "SELECT at FROM csb_sync WHERE cloud = ? ORDER BY id DESC LIMIT 1";
    let last: Option<i64> = store
        .connection
        .query_row(sql, [cloud], |row| row.get(0))
        .optional()
        .map_err(store.failure.of("csb_sync"))?;
    last.map(|last| instant(last, "csb_sync", &store.failure))
        .transpose()
}

impl SyncTransaction for SqliteSync<'_> {
    fn put_usage(&mut self, page: &UsagePage) -> Result<(), StoreError> {
        stage::add(&self.store.connection, &self.store.failure, &page.records)?;
        for entry in &page.records {
            let window = entry.record.window;
            self.time = Some(self.time.map_or(window, |time| time.hull(&window)));
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
        let failed = self.store.failure.of("the database");
        // the write lock is taken here, not while the cloud was asked
        let transaction =
            Transaction::new_unchecked(&self.store.connection, TransactionBehavior::Immediate)
                .map_err(&failed)?;
        let entry = self.write(&transaction, outcome)?;
        transaction.commit().map_err(&failed)?;
        Ok(entry)
    }
}

impl Drop for SqliteSync<'_> {
    fn drop(&mut self) {
        stage::drop(&self.store.connection);
    }
}
