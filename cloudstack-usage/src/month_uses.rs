//! The first and last uses in a month that was put away, kept apart from its records.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::id::ResourceId;
use crate::metadata::Kind;
use crate::period::Period;
use crate::record::{RecordKey, UsageRecord};
use crate::usage_lifetimes::{Facts, KEPT, measured};

/// Gathers what is kept of the records of a month: those of the two first and the two last
/// windows of each VM, volume and address, which is all that
/// [`UsageLifetimes`](crate::UsageLifetimes) need.
///
/// ```
/// use cloudstack_usage::MonthUses;
///
/// assert!(MonthUses::default().uses().is_empty());
/// ```
#[derive(Debug, Clone, Default)]
pub struct MonthUses {
    resources: BTreeMap<(Kind, ResourceId), Kept>,
}

#[derive(Debug, Clone, Default)]
struct Kept {
    first: BTreeMap<Period, Vec<KeptRecord>>,
    last: BTreeMap<Period, Vec<KeptRecord>>,
    /// Records that say that there was no use: what comes later is compared with them.
    unused: Vec<KeptRecord>,
    has_more: bool,
}

/// The first and last uses of one resource in a month, with the records that tell of them:
/// what comes of the month later is compared with these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceUses {
    kind: Kind,
    resource: ResourceId,
    records: Vec<KeptRecord>,
    /// Whether there are windows with use between those.
    has_more: bool,
}

/// What is kept of a record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct KeptRecord {
    pub(crate) window: Period,
    key: String,
    pub(crate) raw_usage: Decimal,
    /// Milliseconds used.
    pub(crate) millis: i64,
    pub(crate) facts: Facts,
}

impl MonthUses {
    /// Takes a record that stands; records of other types and attach rows say nothing.
    pub fn observe(&mut self, record: &UsageRecord) {
        let Some(resource) = measured(record) else {
            return;
        };
        let kept = KeptRecord {
            window: record.window,
            key: record.key().to_string(),
            raw_usage: record.raw_usage,
            millis: i64::try_from(record.quantity.amount()).unwrap_or(i64::MAX),
            facts: Facts::of(record),
        };
        self.resources.entry(resource).or_default().take(kept);
    }

    /// What is kept of each resource, in order of kind and id.
    pub fn uses(self) -> Vec<ResourceUses> {
        let resources = self.resources.into_iter();
        let uses = resources.map(|((kind, resource), kept)| ResourceUses {
            kind,
            resource,
            has_more: kept.has_more,
            records: kept.records(),
        });
        uses.collect()
    }
}

impl Kept {
    fn take(&mut self, record: KeptRecord) {
        if record.millis <= 0 {
            self.unused.push(record);
            return;
        }
        let window = record.window;
        self.first.entry(window).or_default().push(record.clone());
        self.last.entry(window).or_default().push(record);
        if self.first.len() > KEPT
            && let Some((window, _)) = self.first.pop_last()
        {
            self.has_more |= !self.last.contains_key(&window);
        }
        if self.last.len() > KEPT
            && let Some((window, _)) = self.last.pop_first()
        {
            self.has_more |= !self.first.contains_key(&window);
        }
    }

    /// Each record once, in order.
    fn records(mut self) -> Vec<KeptRecord> {
        self.first.extend(self.last);
        let mut records = self.unused;
        records.extend(self.first.into_values().flatten());
        records.sort_unstable();
        records
    }
}

impl ResourceUses {
    /// What kind of thing it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Which one.
    pub fn resource(&self) -> &ResourceId {
        &self.resource
    }

    /// The records of each key. A key that cannot be read back was changed by hand, and proves
    /// nothing.
    pub(crate) fn by_key(&self) -> BTreeMap<RecordKey, Vec<&KeptRecord>> {
        let mut by_key: BTreeMap<RecordKey, Vec<&KeptRecord>> = BTreeMap::new();
        for record in &self.records {
            if let Ok(key) = record.key.parse() {
                by_key.entry(key).or_default().push(record);
            }
        }
        by_key
    }

    /// The second window with use, and the last but one, where there are more between them
    /// that are not kept.
    pub(crate) fn gap(&self) -> Option<(Period, Period)> {
        let used = self.records.iter().filter(|record| record.millis > 0);
        let mut windows: Vec<Period> = used.map(|record| record.window).collect();
        windows.sort_unstable();
        windows.dedup();
        let second = windows.get(KEPT - 1)?;
        let last_but_one = windows.len().checked_sub(KEPT)?;
        let last_but_one = windows.get(last_but_one)?;
        self.has_more.then_some((*second, *last_but_one))
    }
}
