//! Usage on its way out of SQLite, or back into it.

use cloudstack_usage::store::{
    ArchivedMonth, RecordVersion, RejectionVersion, RetentionTransaction, RowSink, StoreError,
    SyncEntry, UtcMonth,
};
use cloudstack_usage::{Period, RecordKey, ResourceUses};
use rusqlite::{OptionalExtension, Transaction, TransactionBehavior, params, params_from_iter};

use super::lock::SyncLock;
use super::time::millis;
use super::{SqliteStore, read, require_cloud, stored};
use crate::columns::{RESTORED_REJECTION, RESTORED_USAGE, UsageColumns, count, kept_use};

pub(super) struct SqliteRetention<'a> {
    store: &'a SqliteStore,
    transaction: Transaction<'a>,
    name: String,
    cloud: i64,
    _lock: SyncLock,
}

impl<'a> SqliteRetention<'a> {
    pub(super) fn begin(store: &'a SqliteStore, cloud: &str) -> Result<Self, StoreError> {
        let lock = SyncLock::acquire(store.path.as_deref(), cloud)?;
        let transaction =
            Transaction::new_unchecked(&store.connection, TransactionBehavior::Immediate)
                .map_err(store.failure.of("the database"))?;
        Ok(Self {
            store,
            name: cloud.to_owned(),
            cloud: require_cloud(&transaction, &store.failure, cloud)?,
            transaction,
            _lock: lock,
        })
    }

    fn execute(
        &self,
        table: &str,
        sql: &str,
        values: impl rusqlite::Params,
    ) -> Result<u64, StoreError> {
        self.transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map(count)
            .map_err(self.store.failure.of(table))
    }

    /// The search for windows that reach into a period has to reach as far as they do.
    fn note_longest_window(&self, rows: &[RecordVersion]) -> Result<(), StoreError> {
        let windows = rows.iter().map(|row| row.stored.record.window.millis());
        let sql = "UPDATE csb_cloud SET longest_window = max(longest_window, ?) WHERE id = ?";
        let longest = windows.max().unwrap_or(0);
        self.execute("csb_cloud", sql, params![longest, self.cloud])?;
        Ok(())
    }

    /// Whether the store has this entry, or one that stands as well.
    fn has_rejection(&self, row: &RejectionVersion) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM csb_rejection WHERE cloud = ? AND fingerprint = ?
            AND (first_seen = ? OR (resolved IS NULL AND ?))";
        let rejection = &row.rejection;
        let values = params![
            self.cloud,
            rejection.fingerprint(),
            millis(rejection.first_seen),
            row.resolved.is_none()
        ];
        self.transaction
            .query_row(sql, values, |_| Ok(()))
            .optional()
            .map(|found| found.is_some())
            .map_err(self.store.failure.of("csb_rejection"))
    }
}

impl RetentionTransaction for SqliteRetention<'_> {
    fn archived_months(&mut self) -> Result<Vec<ArchivedMonth>, StoreError> {
        stored::archived_months(self.store, &self.name)
    }

    fn syncs(&mut self) -> Result<Vec<SyncEntry>, StoreError> {
        read::syncs(self.store, &self.name)
    }

    fn stored_rows(&mut self, period: Period, sink: &mut RowSink<'_>) -> Result<(), StoreError> {
        stored::rows(self.store, &self.name, period, sink)
    }

    fn versions_of(&mut self, keys: &[RecordKey]) -> Result<Vec<RecordVersion>, StoreError> {
        stored::versions_of(self.store, self.cloud, keys)
    }

    fn remove_usage(&mut self, keys: &[RecordKey]) -> Result<u64, StoreError> {
        let sql = format!(
            "DELETE FROM csb_usage WHERE cloud = ? AND record_key IN ({})",
            stored::placeholders(keys.len())
        );
        let values = params_from_iter(stored::with_cloud(self.cloud, keys));
        self.execute("csb_usage", &sql, values)
    }

    fn add_usage(&mut self, rows: &[RecordVersion]) -> Result<(), StoreError> {
        let sql = insert("csb_usage", RESTORED_USAGE);
        for row in rows {
            let stored = &row.stored;
            let columns = UsageColumns::of(&stored.record);
            let values = params![
                self.cloud,
                columns.key,
                row.revision,
                row.copy,
                millis(stored.recorded_from),
                stored.recorded_until.map(millis),
                columns.usage_type,
                millis(stored.record.window.start()),
                millis(stored.record.window.end()),
                columns.raw_usage,
                columns.resource,
                columns.vm,
                columns.domain,
                columns.account,
                columns.project,
                &*row.text,
                &*stored.json,
            ];
            self.execute("csb_usage", &sql, values)?;
        }
        self.note_longest_window(rows)
    }

    fn add_rejections(&mut self, rows: &[RejectionVersion]) -> Result<u64, StoreError> {
        const TABLE: &str = "csb_rejection";
        let sql = insert(TABLE, RESTORED_REJECTION);
        let mut added = 0;
        for row in rows {
            if self.has_rejection(row)? {
                continue;
            }
            let rejection = &row.rejection;
            let json = serde_json::to_string(rejection)
                .map_err(|error| self.store.failure.corrupt(TABLE, error))?;
            let values = params![
                self.cloud,
                rejection.fingerprint(),
                millis(rejection.period.start()),
                millis(rejection.period.end()),
                millis(rejection.first_seen),
                millis(rejection.last_seen),
                row.resolved.map(millis),
                json,
            ];
            added += self.execute(TABLE, &sql, values)?;
        }
        Ok(added)
    }

    fn put_archived(
        &mut self,
        month: &ArchivedMonth,
        uses: &[ResourceUses],
    ) -> Result<(), StoreError> {
        let failure = &self.store.failure;
        let table = "csb_archived_month";
        let json = serde_json::to_string(month).map_err(|error| failure.corrupt(table, error))?;
        let sql = "INSERT INTO csb_archived_month (cloud, month, entry) VALUES (?, ?, ?)";
        let name = month.month.to_string();
        self.execute(table, sql, params![self.cloud, name, json])?;
        let table = "csb_archived_use";
        let sql = "INSERT INTO csb_archived_use (cloud, month, kind, resource, uses)
            VALUES (?, ?, ?, ?, ?)";
        for one in uses {
            let kept = kept_use(one).map_err(|error| failure.corrupt(table, error))?;
            let (kind, resource, json) = kept;
            self.execute(table, sql, params![self.cloud, name, kind, resource, json])?;
        }
        Ok(())
    }

    fn remove_archived(&mut self, month: UtcMonth) -> Result<(), StoreError> {
        let values = params![self.cloud, month.to_string()];
        for table in ["csb_archived_use", "csb_archived_month"] {
            let sql = format!("DELETE FROM {table} WHERE cloud = ? AND month = ?");
            self.execute(table, &sql, values)?;
        }
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        let failed = self.store.failure.of("the database");
        self.transaction.commit().map_err(failed)
    }
}

/// The statement that puts a row with these columns.
fn insert(table: &str, columns: &str) -> String {
    let values = stored::placeholders(columns.split(',').count());
    format!("INSERT INTO {table} ({columns}) VALUES ({values})")
}
