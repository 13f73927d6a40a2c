//! Usage on its way out of the store in memory, or back into it.

use std::collections::BTreeMap;

use super::{Cloud, MemoryStore, count};
use crate::month_uses::ResourceUses;
use crate::period::Period;
use crate::record::RecordKey;
use crate::store::retention::{
    ArchivedMonth, RecordVersion, RejectionVersion, RetentionTransaction, RowSink, StoredRow,
    UtcMonth,
};
use crate::store::{RejectionOrigin, StoreError, StoreErrorKind, SyncEntry};

impl Cloud {
    pub(super) fn archived_months(&self) -> Vec<ArchivedMonth> {
        let archived = self.archived.values();
        archived.map(|(month, _)| month.clone()).collect()
    }

    pub(super) fn stored_rows(
        &self,
        period: Period,
        sink: &mut RowSink<'_>,
    ) -> Result<(), StoreError> {
        let mut ordered = BTreeMap::new();
        for (key, versions) in &self.usage {
            for row in versions {
                let window = row.stored.record.window;
                if window.overlaps(&period) {
                    let place = (window.start(), window.end(), key, row.revision, row.copy);
                    ordered.insert(place, row);
                }
            }
        }
        for row in ordered.into_values() {
            sink(StoredRow::Usage(Box::new(row.clone())))?;
        }
        let concerned = |row: &&RejectionVersion| {
            row.rejection.origin == RejectionOrigin::Usage && row.rejection.period.overlaps(&period)
        };
        let mut rejections: Vec<&RejectionVersion> =
            self.rejections.iter().filter(concerned).collect();
        rejections.sort_by_key(|row| (row.rejection.first_seen, row.rejection.fingerprint()));
        for row in rejections {
            sink(StoredRow::Rejection(Box::new(row.clone())))?;
        }
        Ok(())
    }
}

/// Changes a copy of the cloud, which takes its place at the end.
pub(super) struct MemoryRetention<'a> {
    store: &'a mut MemoryStore,
    name: String,
    cloud: Cloud,
}

impl<'a> MemoryRetention<'a> {
    pub(super) fn begin(store: &'a mut MemoryStore, name: &str) -> Self {
        Self {
            cloud: store.cloud(name).cloned().unwrap_or_default(),
            name: name.to_owned(),
            store,
        }
    }
}

impl RetentionTransaction for MemoryRetention<'_> {
    fn archived_months(&mut self) -> Result<Vec<ArchivedMonth>, StoreError> {
        Ok(self.cloud.archived_months())
    }

    fn syncs(&mut self) -> Result<Vec<SyncEntry>, StoreError> {
        Ok(self.cloud.syncs.clone())
    }

    fn stored_rows(&mut self, period: Period, sink: &mut RowSink<'_>) -> Result<(), StoreError> {
        self.cloud.stored_rows(period, sink)
    }

    fn versions_of(&mut self, keys: &[RecordKey]) -> Result<Vec<RecordVersion>, StoreError> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let versions = keys.iter().filter_map(|key| self.cloud.usage.get(key));
        Ok(versions.flatten().cloned().collect())
    }

    fn remove_usage(&mut self, keys: &[RecordKey]) -> Result<u64, StoreError> {
        let removed = keys.iter().filter_map(|key| self.cloud.usage.remove(key));
        Ok(removed.map(|versions| count(versions.len())).sum())
    }

    fn add_usage(&mut self, rows: &[RecordVersion]) -> Result<(), StoreError> {
        for row in rows {
            let versions = self.cloud.usage.entry(row.stored.record.key()).or_default();
            let place = |row: &RecordVersion| (row.revision, row.copy);
            match versions.binary_search_by_key(&place(row), place) {
                Ok(_) => {
                    let message = format!("a row of {} is there already", row.stored.record.key());
                    return Err(StoreError::new(StoreErrorKind::Database, message));
                }
                Err(at) => versions.insert(at, row.clone()),
            }
        }
        Ok(())
    }

    fn add_rejections(&mut self, rows: &[RejectionVersion]) -> Result<u64, StoreError> {
        let before = self.cloud.rejections.len();
        for row in rows {
            let is_there = |known: &RejectionVersion| {
                known.rejection.fingerprint() == row.rejection.fingerprint()
                    && (known.rejection.first_seen == row.rejection.first_seen
                        || (known.resolved.is_none() && row.resolved.is_none()))
            };
            if !self.cloud.rejections.iter().any(is_there) {
                self.cloud.rejections.push(row.clone());
            }
        }
        Ok(count(self.cloud.rejections.len() - before))
    }

    fn put_archived(
        &mut self,
        month: &ArchivedMonth,
        uses: &[ResourceUses],
    ) -> Result<(), StoreError> {
        let put = (month.clone(), uses.to_vec());
        if self.cloud.archived.insert(month.month, put).is_some() {
            let message = format!("{} was put away already", month.month);
            return Err(StoreError::new(StoreErrorKind::Database, message));
        }
        Ok(())
    }

    fn remove_archived(&mut self, month: UtcMonth) -> Result<(), StoreError> {
        self.cloud.archived.remove(&month);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.store.clouds.insert(self.name, self.cloud);
        Ok(())
    }
}
