//! The store port in memory: the reference for all others, and good for tests.

mod retention;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::document::{Document, DocumentDigest, DocumentEntry, DocumentKind};
use super::entity::{Entity, entities};
use super::error::StoreError;
use super::label::{LabelChange, LabelVersion};
use super::merge::{MultisetChange, compare_multisets, keep_first_domain};
use super::rejection::{RejectionOrigin, StagedRejections, StoredRejection};
use super::retention::{
    ArchivedMonth, RecordVersion, RejectionVersion, RetentionTransaction, RowSink, UtcMonth,
    refuse_archived,
};
use super::sync::{SnapshotCounts, SyncEntry, SyncOutcome, SyncRun, UsageCounts};
use super::{
    RecordSink, SnapshotSink, StoredRecord, SyncTransaction, UsageQuery, UsageStore, to_millisecond,
};
use crate::label::{Label, LabelTarget};
use crate::metadata::Snapshot;
use crate::month_uses::ResourceUses;
use crate::period::Period;
use crate::record::RecordKey;
use crate::source::{ParsedRecord, SnapshotFetch, UsagePage};
use retention::MemoryRetention;

/// A store in memory, gone with the process.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    clouds: BTreeMap<String, Cloud>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn cloud(&self, name: &str) -> Option<&Cloud> {
        self.clouds.get(name)
    }
}

#[derive(Debug, Clone, Default)]
struct Cloud {
    usage: BTreeMap<RecordKey, Vec<RecordVersion>>,
    snapshots: Vec<Snapshot>,
    rejections: Vec<RejectionVersion>,
    archived: BTreeMap<UtcMonth, (ArchivedMonth, Vec<ResourceUses>)>,
    syncs: Vec<SyncEntry>,
    labels: Vec<LabelVersion>,
    documents: Vec<Document>,
    watermark: Option<DateTime<Utc>>,
}

impl Cloud {
    fn apply_labels(
        &mut self,
        author: &str,
        recorded: DateTime<Utc>,
        change: impl FnOnce(&[Label]) -> Result<LabelChange, StoreError>,
    ) -> Result<bool, StoreError> {
        let (positions, in_force): (Vec<usize>, Vec<Label>) = self
            .labels
            .iter()
            .enumerate()
            .filter(|(_, known)| known.recorded_until.is_none())
            .map(|(position, known)| (position, known.label.clone()))
            .unzip();
        let change = change(&in_force)?;
        let changed = !change.withdrawn.is_empty() || !change.added.is_empty();
        let withdrawn = change.withdrawn.iter().filter_map(|at| positions.get(*at));
        for position in withdrawn {
            if let Some(known) = self.labels.get_mut(*position) {
                known.recorded_until = Some(recorded);
                known.withdrawn_by = Some(author.to_owned());
            }
        }
        let added = change.added.into_iter();
        self.labels.extend(added.map(|label| LabelVersion {
            label,
            recorded_until: None,
            withdrawn_by: None,
        }));
        Ok(changed)
    }

    fn put_snapshot(&mut self, fetch: &SnapshotFetch) -> Result<SnapshotCounts, StoreError> {
        let now = entities(&fetch.snapshot)?;
        let last = self.snapshots.last();
        let before = last.map(entities).transpose()?.unwrap_or_default();
        let unchanged = shared(&before, &now);
        let completeness_changed =
            last.is_some_and(|last| last.complete != fetch.snapshot.complete);
        let events = |entities: &[Entity]| -> Vec<Entity> {
            let events = entities.iter().filter(|entity| entity.kind.is_event());
            events.cloned().collect()
        };
        let (events_before, events_now) = (events(&before), events(&now));
        let events_gone = count(events_before.len()) - shared(&events_before, &events_now);
        let counts = SnapshotCounts {
            appeared: count(now.len()) - unchanged,
            vanished: count(before.len()) - unchanged - events_gone,
            unchanged,
            completeness_changed,
            rejected: 0,
        };
        let same_moment = last.is_some_and(|last| last.at == fetch.snapshot.at);
        let reaches_as_far =
            last.is_none_or(|last| last.vm_events_from == fetch.snapshot.vm_events_from);
        let same = before.len() == now.len()
            && counts.appeared == 0
            && !completeness_changed
            && reaches_as_far;
        if !(same_moment && same) {
            self.snapshots.push(fetch.snapshot.clone());
        }
        Ok(counts)
    }

    fn put_usage(
        &mut self,
        mut staged: BTreeMap<RecordKey, Vec<ParsedRecord>>,
        at: DateTime<Utc>,
        complete: bool,
    ) -> Result<UsageCounts, StoreError> {
        let mut counts = UsageCounts::default();
        for (key, fetched) in &mut staged {
            fetched.sort_by_cached_key(|entry| (entry.record.raw_usage, entry.json.clone()));
            let versions = self.usage.entry(*key).or_default();
            let standing = versions.iter().map(|old| &old.stored);
            let standing = standing.filter(|old| old.recorded_until.is_none());
            let mut stored: Vec<Decimal> = standing.map(|old| old.record.raw_usage).collect();
            stored.sort_unstable();
            let values: Vec<Decimal> = fetched.iter().map(|entry| entry.record.raw_usage).collect();
            let number = count(fetched.len());
            match compare_multisets(&stored, &values, complete) {
                MultisetChange::Unchanged => {
                    counts.unchanged += number;
                    continue;
                }
                MultisetChange::Deferred => {
                    counts.deferred += number;
                    continue;
                }
                MultisetChange::New => counts.new += number,
                MultisetChange::Revised => {
                    counts.revised += number;
                    counts.superseded += count(stored.len());
                }
            }
            if let Some(first) = versions.first() {
                for entry in fetched.iter_mut() {
                    keep_first_domain(&first.stored.record, &mut entry.record);
                }
            }
            let revision = versions.last().map_or(0, |last| last.revision + 1);
            for old in versions.iter_mut() {
                old.stored.recorded_until.get_or_insert(at);
            }
            for (copy, entry) in (0..).zip(fetched.drain(..)) {
                let stored = StoredRecord {
                    record: entry.record,
                    json: entry.json,
                    recorded_from: at,
                    recorded_until: None,
                };
                versions.push(RecordVersion::new(revision, copy, stored)?);
            }
        }
        Ok(counts)
    }

    fn standing_rejections(&self) -> Vec<StoredRejection> {
        let standing = self.rejections.iter();
        let standing = standing.filter(|old| old.resolved.is_none());
        standing.map(|old| old.rejection.clone()).collect()
    }

    fn put_rejections(
        &mut self,
        staged: &StagedRejections,
        run: &SyncRun,
        usage_complete: bool,
        snapshot: bool,
    ) -> (u64, u64) {
        let changes = staged.merge(
            &self.standing_rejections(),
            run.at,
            run.range,
            usage_complete,
            snapshot,
        );
        let (added, resolved) = (count(changes.added.len()), count(changes.resolved.len()));
        let standing = self.rejections.iter_mut();
        for old in standing.filter(|old| old.resolved.is_none()) {
            let fingerprint = old.rejection.fingerprint();
            let mut again = changes.seen_again.iter();
            if changes.resolved.contains(&fingerprint) {
                old.resolved = Some(run.at);
            } else if let Some(again) = again.find(|one| one.fingerprint() == fingerprint) {
                old.rejection = again.clone();
            }
        }
        let added_ones = changes.added.into_iter();
        self.rejections
            .extend(added_ones.map(|rejection| RejectionVersion {
                rejection,
                resolved: None,
            }));
        (added, resolved)
    }
}

/// How many entries two sorted lists share.
fn shared<T: Ord>(left: &[T], right: &[T]) -> u64 {
    let (mut left, mut right) = (left.iter().peekable(), right.iter().peekable());
    let mut number = 0;
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => drop(left.next()),
            std::cmp::Ordering::Greater => drop(right.next()),
            std::cmp::Ordering::Equal => {
                number += 1;
                left.next();
                right.next();
            }
        }
    }
    number
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl UsageStore for MemoryStore {
    fn begin_sync(&mut self, run: &SyncRun) -> Result<Box<dyn SyncTransaction + '_>, StoreError> {
        let last = self.cloud(&run.cloud).and_then(|cloud| cloud.syncs.last());
        run.check(last.map(|entry| entry.at))?;
        Ok(Box::new(MemorySync {
            store: self,
            run: run.clone(),
            staged: BTreeMap::new(),
            newest_end: None,
            snapshot: None,
            rejections: StagedRejections::default(),
        }))
    }

    fn clouds(&mut self) -> Result<Vec<String>, StoreError> {
        Ok(self.clouds.keys().cloned().collect())
    }

    fn watermark(&mut self, cloud: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.cloud(cloud).and_then(|cloud| cloud.watermark))
    }

    fn syncs(&mut self, cloud: &str) -> Result<Vec<SyncEntry>, StoreError> {
        Ok(self
            .cloud(cloud)
            .map(|cloud| cloud.syncs.clone())
            .unwrap_or_default())
    }

    fn usage(&mut self, query: &UsageQuery, sink: &mut RecordSink<'_>) -> Result<(), StoreError> {
        let Some(cloud) = self.cloud(&query.cloud) else {
            return Ok(());
        };
        refuse_archived(&cloud.archived_months(), query.period)?;
        let mut ordered = BTreeMap::new();
        for (key, versions) in &cloud.usage {
            let known = versions.iter().map(|version| &version.stored);
            let known = known.filter(|stored| {
                stored.record.window.overlaps(&query.period)
                    && stored.is_known_on(query.as_known_on)
            });
            for (copy, stored) in known.enumerate() {
                let window = stored.record.window;
                ordered.insert((window.start(), window.end(), key, copy), &stored.record);
            }
        }
        ordered
            .into_values()
            .try_for_each(|record| sink(record.clone()))
    }

    fn versions(&mut self, cloud: &str, key: &RecordKey) -> Result<Vec<StoredRecord>, StoreError> {
        let cloud = self.cloud(cloud);
        let versions = cloud.and_then(|cloud| cloud.usage.get(key));
        let versions = versions.map(Vec::as_slice).unwrap_or_default().iter();
        Ok(versions.map(|version| version.stored.clone()).collect())
    }

    fn snapshots(
        &mut self,
        cloud: &str,
        as_known_on: Option<DateTime<Utc>>,
        sink: &mut SnapshotSink<'_>,
    ) -> Result<(), StoreError> {
        let Some(cloud) = self.cloud(cloud) else {
            return Ok(());
        };
        let known = |snapshot: &&Snapshot| as_known_on.is_none_or(|instant| snapshot.at <= instant);
        cloud.snapshots.iter().filter(known).try_for_each(sink)
    }

    fn rejections(
        &mut self,
        cloud: &str,
        period: Period,
    ) -> Result<Vec<StoredRejection>, StoreError> {
        let Some(cloud) = self.cloud(cloud) else {
            return Ok(Vec::new());
        };
        let mut rejections = cloud.standing_rejections();
        rejections.retain(|rejection| rejection.period.overlaps(&period));
        rejections.sort_by_key(|rejection| (rejection.first_seen, rejection.fingerprint()));
        Ok(rejections)
    }

    fn stored_rows(
        &mut self,
        cloud: &str,
        period: Period,
        sink: &mut RowSink<'_>,
    ) -> Result<(), StoreError> {
        self.cloud(cloud)
            .map_or(Ok(()), |cloud| cloud.stored_rows(period, sink))
    }

    fn archived_months(&mut self, cloud: &str) -> Result<Vec<ArchivedMonth>, StoreError> {
        let cloud = self.cloud(cloud);
        Ok(cloud.map(Cloud::archived_months).unwrap_or_default())
    }

    fn archived_uses(
        &mut self,
        cloud: &str,
        month: UtcMonth,
        sink: &mut dyn FnMut(ResourceUses) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let archived = self
            .cloud(cloud)
            .and_then(|cloud| cloud.archived.get(&month));
        let uses = archived.map(|(_, uses)| uses.as_slice());
        uses.unwrap_or_default().iter().cloned().try_for_each(sink)
    }

    fn begin_retention(
        &mut self,
        cloud: &str,
    ) -> Result<Box<dyn RetentionTransaction + '_>, StoreError> {
        Ok(Box::new(MemoryRetention::begin(self, cloud)))
    }

    fn set_label(&mut self, cloud: &str, label: &Label) -> Result<bool, StoreError> {
        label.check()?;
        let label = label.clone().to_millisecond();
        let cloud = self.clouds.entry(cloud.to_owned()).or_default();
        cloud.apply_labels(&label.author, label.recorded, |in_force| {
            LabelChange::set(in_force, &label)
        })
    }

    fn clear_label(
        &mut self,
        cloud: &str,
        target: &LabelTarget,
        period: Period,
        author: &str,
        recorded: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let recorded = to_millisecond(recorded);
        let Some(cloud) = self.clouds.get_mut(cloud) else {
            return Ok(false);
        };
        cloud.apply_labels(author, recorded, |in_force| {
            LabelChange::clear(in_force, target, period, recorded)
        })
    }

    fn label_versions(&mut self, cloud: &str) -> Result<Vec<LabelVersion>, StoreError> {
        let cloud = self.cloud(cloud);
        let mut versions = cloud.map(|cloud| cloud.labels.clone()).unwrap_or_default();
        versions.sort_unstable();
        Ok(versions)
    }

    fn record_document(&mut self, cloud: &str, document: &Document) -> Result<bool, StoreError> {
        let entry = document.entry();
        let last = self.document(cloud, document.kind, &document.name, None)?;
        if !entry.adds_to(last.as_ref().map(Document::entry).as_ref())? {
            return Ok(false);
        }
        let cloud = self.clouds.entry(cloud.to_owned()).or_default();
        cloud.documents.push(Document {
            recorded: entry.recorded,
            ..document.clone()
        });
        Ok(true)
    }

    fn documents(
        &mut self,
        cloud: &str,
        kind: Option<DocumentKind>,
    ) -> Result<Vec<DocumentEntry>, StoreError> {
        let all = self.cloud(cloud).map(|cloud| cloud.documents.as_slice());
        let all = all.unwrap_or_default().iter();
        let mut entries: Vec<DocumentEntry> = all
            .filter(|document| kind.is_none_or(|kind| document.kind == kind))
            .map(Document::entry)
            .collect();
        entries.sort_by_key(|entry| entry.recorded);
        Ok(entries)
    }

    fn document(
        &mut self,
        cloud: &str,
        kind: DocumentKind,
        name: &str,
        as_known_on: Option<DateTime<Utc>>,
    ) -> Result<Option<Document>, StoreError> {
        let all = self.cloud(cloud).map(|cloud| cloud.documents.as_slice());
        let mut all = all.unwrap_or_default().iter().rev();
        let newest = all.find(|document| {
            document.kind == kind
                && document.name == name
                && as_known_on.is_none_or(|instant| document.recorded <= instant)
        });
        Ok(newest.cloned())
    }

    fn document_by_digest(
        &mut self,
        cloud: &str,
        digest: &DocumentDigest,
    ) -> Result<Option<Document>, StoreError> {
        let all = self.cloud(cloud).map(|cloud| cloud.documents.as_slice());
        let mut all = all.unwrap_or_default().iter();
        let first = all.find(|document| document.entry().digest == *digest);
        Ok(first.cloned())
    }
}

struct MemorySync<'a> {
    store: &'a mut MemoryStore,
    run: SyncRun,
    staged: BTreeMap<RecordKey, Vec<ParsedRecord>>,
    newest_end: Option<DateTime<Utc>>,
    snapshot: Option<SnapshotFetch>,
    rejections: StagedRejections,
}

impl SyncTransaction for MemorySync<'_> {
    fn put_usage(&mut self, page: &UsagePage) -> Result<(), StoreError> {
        for entry in &page.records {
            self.newest_end = self.newest_end.max(Some(entry.record.window.end()));
            let twins = self.staged.entry(entry.record.key()).or_default();
            twins.push(entry.clone());
        }
        for rejection in &page.rejections {
            self.rejections.add(RejectionOrigin::Usage, rejection);
        }
        Ok(())
    }

    fn put_snapshot(&mut self, fetch: &SnapshotFetch) -> Result<(), StoreError> {
        let mut fetch = fetch.clone();
        fetch.snapshot.at = self.run.at;
        self.rejections.clear(RejectionOrigin::Metadata);
        for rejection in &fetch.rejections {
            self.rejections.add(RejectionOrigin::Metadata, rejection);
        }
        self.snapshot = Some(fetch);
        Ok(())
    }

    fn commit(self: Box<Self>, outcome: &SyncOutcome) -> Result<SyncEntry, StoreError> {
        let Self {
            store,
            run,
            staged,
            newest_end,
            snapshot,
            rejections,
        } = *self;
        let complete = outcome.usage_complete;
        // a copy, so that an error half way changes nothing
        let mut cloud = store.clouds.get(&run.cloud).cloned().unwrap_or_default();
        let mut counts = cloud.put_usage(staged, run.at, complete)?;
        counts.rejected = rejections.count(RejectionOrigin::Usage);
        let mut snapshot = snapshot
            .map(|fetch| cloud.put_snapshot(&fetch))
            .transpose()?;
        if let Some(counts) = &mut snapshot {
            counts.rejected = rejections.count(RejectionOrigin::Metadata);
        }
        let (new_rejections, resolved_rejections) =
            cloud.put_rejections(&rejections, &run, complete, snapshot.is_some());
        if complete {
            cloud.watermark = cloud.watermark.max(newest_end);
        }
        let entry = SyncEntry {
            at: run.at,
            range: run.range,
            usage_complete: complete,
            usage: counts,
            snapshot,
            new_rejections,
            resolved_rejections,
            notices: outcome.notices.clone(),
            watermark: cloud.watermark,
        };
        cloud.syncs.push(entry.clone());
        store.clouds.insert(run.cloud, cloud);
        Ok(entry)
    }
}
