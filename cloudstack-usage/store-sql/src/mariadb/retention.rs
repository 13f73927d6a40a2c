//! Usage on its way out of MariaDB, or back into it.

use cloudstack_usage::store::{
    ArchivedMonth, RecordVersion, RejectionVersion, RetentionTransaction, RowSink, StoreError,
    StoreErrorKind, SyncEntry, UtcMonth,
};
use cloudstack_usage::{Period, RecordKey, ResourceUses};
use mysql::Value;

use super::database::{Database, placeholders};
use super::time::{bounds, datetime};
use super::usage::positional;
use super::{migration, read, require_cloud, stored};
use crate::columns::{RESTORED_REJECTION, RESTORED_USAGE, UsageColumns, kept_use};

pub(super) struct MariaDbRetention<'a> {
    database: &'a mut Database,
    name: String,
    cloud: i64,
    lock: String,
    is_open: bool,
}

impl<'a> MariaDbRetention<'a> {
    /// Takes the lock of the cloud's sync, and begins a transaction.
    pub(super) fn begin(database: &'a mut Database, cloud: &str) -> Result<Self, StoreError> {
        let lock = migration::sync_lock(database, cloud)?;
        if !database.lock(&lock, 0)? {
            return Err(StoreError::new(
                StoreErrorKind::SyncRunning,
                format!(
                    "a sync of cloud {cloud:?} into {} is running; wait for it to end",
                    database.failure.place()
                ),
            ));
        }
        let mut retention = Self {
            database,
            name: cloud.to_owned(),
            cloud: 0,
            lock,
            is_open: true,
        };
        let database = &mut *retention.database;
        database.run("a transaction", "START TRANSACTION", ())?;
        retention.cloud = require_cloud(database, cloud)?;
        Ok(retention)
    }

    /// The search for windows that reach into a period has to reach as far as they do.
    fn note_longest_window(&mut self, rows: &[RecordVersion]) -> Result<(), StoreError> {
        let windows = rows.iter().map(|row| row.stored.record.window.millis());
        let longest = windows.max().unwrap_or(0);
        let sql = "UPDATE csb_cloud SET longest_window = greatest(longest_window, ?) WHERE id = ?";
        self.database.run("csb_cloud", sql, (longest, self.cloud))?;
        Ok(())
    }

    /// Whether the store has this entry, or one that stands as well.
    fn has_rejection(&mut self, row: &RejectionVersion) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM csb_rejection WHERE cloud = ? AND fingerprint = ?
            AND (first_seen = ? OR (resolved IS NULL AND ?)) LIMIT 1";
        let rejection = &row.rejection;
        let values = (
            self.cloud,
            Value::from(rejection.fingerprint()),
            datetime(rejection.first_seen)?,
            row.resolved.is_none(),
        );
        let found = self.database.first("csb_rejection", sql, values)?;
        Ok(found.is_some())
    }

    fn usage_row(&self, row: &RecordVersion) -> Result<Vec<Value>, StoreError> {
        let stored = &row.stored;
        let columns = UsageColumns::of(&stored.record);
        let (start, end) = bounds(stored.record.window)?;
        let until = stored.recorded_until.map(datetime).transpose()?;
        Ok(vec![
            self.cloud.into(),
            columns.key.into(),
            row.revision.into(),
            row.copy.into(),
            datetime(stored.recorded_from)?,
            until.unwrap_or(Value::NULL),
            columns.usage_type.into(),
            start,
            end,
            columns.raw_usage.into(),
            columns.resource.into(),
            columns.vm.into(),
            columns.domain.into(),
            columns.account.into(),
            columns.project.into(),
            row.text.as_bytes().into(),
            stored.json.as_bytes().into(),
        ])
    }
}

impl RetentionTransaction for MariaDbRetention<'_> {
    fn archived_months(&mut self) -> Result<Vec<ArchivedMonth>, StoreError> {
        stored::archived_months(self.database, &self.name)
    }

    fn syncs(&mut self) -> Result<Vec<SyncEntry>, StoreError> {
        read::syncs(self.database, &self.name)
    }

    fn stored_rows(&mut self, period: Period, sink: &mut RowSink<'_>) -> Result<(), StoreError> {
        stored::rows(self.database, &self.name, period, sink)
    }

    fn versions_of(&mut self, keys: &[RecordKey]) -> Result<Vec<RecordVersion>, StoreError> {
        stored::versions_of(self.database, self.cloud, keys)
    }

    fn remove_usage(&mut self, keys: &[RecordKey]) -> Result<u64, StoreError> {
        if keys.is_empty() {
            return Ok(0);
        }
        let sql = format!(
            "DELETE FROM csb_usage WHERE cloud = ? AND record_key IN ({})",
            placeholders(keys.len())
        );
        let values = positional(stored::with_cloud(self.cloud, keys));
        self.database.run("csb_usage", &sql, values)
    }

    fn add_usage(&mut self, rows: &[RecordVersion]) -> Result<(), StoreError> {
        let values = rows.iter().map(|row| self.usage_row(row));
        let values: Vec<Vec<Value>> = values.collect::<Result<_, _>>()?;
        self.database.insert("csb_usage", RESTORED_USAGE, &values)?;
        self.note_longest_window(rows)
    }

    fn add_rejections(&mut self, rows: &[RejectionVersion]) -> Result<u64, StoreError> {
        const TABLE: &str = "csb_rejection";
        let mut added = 0;
        for row in rows {
            if self.has_rejection(row)? {
                continue;
            }
            let rejection = &row.rejection;
            let json = serde_json::to_string(rejection)
                .map_err(|error| self.database.failure.corrupt(TABLE, error))?;
            let (start, end) = bounds(rejection.period)?;
            let resolved = row.resolved.map(datetime).transpose()?;
            let values = vec![
                self.cloud.into(),
                rejection.fingerprint().into(),
                start,
                end,
                datetime(rejection.first_seen)?,
                datetime(rejection.last_seen)?,
                resolved.unwrap_or(Value::NULL),
                json.into(),
            ];
            self.database.insert(TABLE, RESTORED_REJECTION, &[values])?;
            added += 1;
        }
        Ok(added)
    }

    fn put_archived(
        &mut self,
        month: &ArchivedMonth,
        uses: &[ResourceUses],
    ) -> Result<(), StoreError> {
        let failure = self.database.failure.clone();
        let table = "csb_archived_month";
        let json = serde_json::to_string(month).map_err(|error| failure.corrupt(table, error))?;
        let name = month.month.to_string();
        let sql = "INSERT INTO csb_archived_month (cloud, month, entry) VALUES (?, ?, ?)";
        self.database.run(table, sql, (self.cloud, &name, json))?;
        let table = "csb_archived_use";
        let mut rows = Vec::with_capacity(uses.len());
        for one in uses {
            let kept = kept_use(one).map_err(|error| failure.corrupt(table, error))?;
            let (kind, resource, json) = kept;
            rows.push(vec![
                self.cloud.into(),
                name.as_str().into(),
                kind.into(),
                resource.into(),
                json.into(),
            ]);
        }
        let columns = "cloud, month, kind, resource, uses";
        self.database.insert(table, columns, &rows)
    }

    fn remove_archived(&mut self, month: UtcMonth) -> Result<(), StoreError> {
        for table in ["csb_archived_use", "csb_archived_month"] {
            let sql = format!("DELETE FROM {table} WHERE cloud = ? AND month = ?");
            let values = (self.cloud, month.to_string());
            self.database.run(table, &sql, values)?;
        }
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        self.database.run("a transaction", "COMMIT", ())?;
        self.is_open = false;
        Ok(())
    }
}

impl Drop for MariaDbRetention<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.database.roll_back();
        }
        self.database.unlock(&self.lock);
    }
}
