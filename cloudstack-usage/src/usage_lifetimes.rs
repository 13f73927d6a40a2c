//! First and last use of resources, as usage records prove them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::id::ResourceId;
use crate::metadata::Kind;
use crate::period::Period;
use crate::record::{RecordKey, UsageRecord};
use crate::usage_type::UsageType;

/// First and last use of VMs (type 2), volumes (plain rows of type 6) and public
/// addresses (type 3), gathered from usage records in any order.
///
/// What one record says of the time inside its window:
/// - the whole window was used: from its start to its end;
/// - a part, and the resource also has a record in the window before: from the start;
/// - a part, and it also has one in the window after: up to the end;
/// - a part, and neither: somewhere inside; the window's own bounds are taken.
///
/// Only the two first and the two last windows of a resource are kept, so memory does not
/// grow with time. Records seen twice change nothing.
///
/// ```
/// use cloudstack_usage::UsageLifetimes;
///
/// let mut all = UsageLifetimes::default();
/// all.merge(UsageLifetimes::default());
/// assert!(all.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsageLifetimes {
    uses: BTreeMap<(Kind, ResourceId), Uses>,
    horizon: Option<DateTime<Utc>>,
}

/// What is kept of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Uses {
    first: BTreeMap<Period, Used>,
    last: BTreeMap<Period, Used>,
    latest: Option<(RecordKey, Box<UsageRecord>)>,
}

/// The records of one window, each once, by key and milliseconds used.
type Used = BTreeSet<(RecordKey, i128)>;

/// How many windows are kept at each end: the outermost, and its neighbour.
const KEPT: usize = 2;

/// First and last use of one resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UsageLife<'a> {
    /// The first use, or the start of the window that it lies in.
    pub(crate) first: DateTime<Utc>,
    /// The last use, or the end of the window that it lies in.
    pub(crate) last: DateTime<Utc>,
    /// The earliest that the last use can have been: earlier than `last` only where that
    /// is the bound of a window.
    pub(crate) last_not_before: DateTime<Utc>,
    /// Whether the last window was used to its end, as far as usage was read at all.
    pub(crate) may_go_on: bool,
    /// The latest record, for names and owners.
    pub(crate) latest: &'a UsageRecord,
}

impl UsageLifetimes {
    /// Takes what `record` says; records of other types and attach rows say nothing.
    pub fn observe(&mut self, record: &UsageRecord) {
        self.horizon = self.horizon.max(Some(record.window.end()));
        let Some((kind, id)) = measured(record) else {
            return;
        };
        let millis = record.quantity.amount();
        if millis <= 0 {
            return;
        }
        let uses = self.uses.entry((kind, id)).or_default();
        let key = record.key();
        uses.keep(record.window, std::iter::once((key, millis)));
        uses.keep_latest(key, record);
    }

    /// Takes what another part of the records said.
    pub fn merge(&mut self, other: Self) {
        self.horizon = self.horizon.max(other.horizon);
        for (resource, theirs) in other.uses {
            let uses = self.uses.entry(resource).or_default();
            for (window, used) in theirs.first.into_iter().chain(theirs.last) {
                uses.keep(window, used.iter().copied());
            }
            if let Some((key, record)) = theirs.latest {
                uses.keep_latest(key, &record);
            }
        }
    }

    /// Whether no use was seen.
    pub fn is_empty(&self) -> bool {
        self.uses.is_empty()
    }

    /// From the first to the last use of a resource: of a VM ([`UsageType::AllocatedVm`]),
    /// a volume or a public address.
    pub fn used(&self, usage_type: UsageType, resource: &ResourceId) -> Option<Period> {
        let kind = kind_of(usage_type)?;
        let life = self.life(kind, resource)?;
        Period::new(life.first, life.last).ok()
    }

    pub(crate) fn life(&self, kind: Kind, resource: &ResourceId) -> Option<UsageLife<'_>> {
        self.uses
            .get(&(kind, resource.clone()))?
            .life(self.horizon?)
    }

    /// Every resource of `kind` that was used.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = &ResourceId> {
        self.uses
            .keys()
            .filter(move |(other, _)| *other == kind)
            .map(|(_, id)| id)
    }
}

impl Uses {
    fn keep(&mut self, window: Period, used: impl Iterator<Item = (RecordKey, i128)> + Clone) {
        self.first.entry(window).or_default().extend(used.clone());
        if self.first.len() > KEPT {
            self.first.pop_last();
        }
        self.last.entry(window).or_default().extend(used);
        if self.last.len() > KEPT {
            self.last.pop_first();
        }
    }

    fn keep_latest(&mut self, key: RecordKey, record: &UsageRecord) {
        // names and tags are those of the query: among copies any order must give one winner
        let rank = |key: RecordKey, record: &UsageRecord| {
            let queried = (record.name.clone(), record.os_type.clone());
            (
                record.window,
                key,
                record.raw_usage,
                record.owner.clone(),
                queried,
            )
        };
        let is_later = self
            .latest
            .as_ref()
            .is_none_or(|(old, latest)| rank(*old, latest) < rank(key, record));
        if is_later {
            self.latest = Some((key, Box::new(record.clone())));
        }
    }

    fn life(&self, horizon: DateTime<Utc>) -> Option<UsageLife<'_>> {
        let mut first = self.first.iter();
        let (first_window, first_used) = first.next()?;
        let mut last = self.last.iter().rev();
        let (last_window, last_used) = last.next()?;
        let next = first.next().map(|(window, _)| window.start());
        let before = last.next().map(|(window, _)| window.end());

        let starts = match unused(*first_window, first_used) {
            Some(gap) if next == Some(first_window.end()) => Some(first_window.start() + gap),
            Some(_) => None,
            None => Some(first_window.start()),
        };
        let gap = unused(*last_window, last_used);
        let ends = match gap {
            Some(gap) if before == Some(last_window.start()) => Some(last_window.end() - gap),
            Some(_) => None,
            None => Some(last_window.end()),
        };
        Some(UsageLife {
            first: starts.unwrap_or(first_window.start()),
            last: ends.unwrap_or(last_window.end()),
            last_not_before: ends.unwrap_or(last_window.start()),
            may_go_on: gap.is_none() && last_window.end() >= horizon,
            latest: self.latest.as_ref().map(|(_, record)| record.as_ref())?,
        })
    }
}

/// The part of the window that was not used; none where it was used wholly.
fn unused(window: Period, used: &Used) -> Option<TimeDelta> {
    let used = used
        .iter()
        .fold(0_i128, |sum, (_, millis)| sum.saturating_add(*millis));
    let gap = i64::try_from(i128::from(window.millis()).saturating_sub(used)).ok()?;
    (gap > 0).then(|| TimeDelta::milliseconds(gap))
}

fn kind_of(usage_type: UsageType) -> Option<Kind> {
    match usage_type {
        UsageType::AllocatedVm => Some(Kind::Vm),
        UsageType::Volume => Some(Kind::Volume),
        UsageType::IpAddress => Some(Kind::IpAddress),
        _ => None,
    }
}

fn measured(record: &UsageRecord) -> Option<(Kind, ResourceId)> {
    let kind = kind_of(record.usage_type)?;
    if record.is_attach_row() {
        return None;
    }
    let id = match (kind, &record.vm) {
        (Kind::Vm, Some(vm)) => vm.as_resource(),
        _ => record.resource.clone()?,
    };
    Some((kind, id))
}
