//! First and last use of resources, as usage records prove them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{OfferingId, OsTypeId, ResourceId, TemplateId, ZoneId};
use crate::metadata::Kind;
use crate::period::Period;
use crate::record::{Owner, RecordKey, UsageRecord};
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
    latest: Option<(Period, Facts)>,
}

/// What a record says of its resource, for one that no sync ever listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Facts {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    pub(crate) owner: Owner,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) zone: Option<ZoneId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) offering: Option<OfferingId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) template: Option<TemplateId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) os_type: Option<OsTypeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hypervisor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) memory_mib: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size_bytes: Option<u64>,
    pub(crate) is_system: bool,
}

/// The records of one window, each once, by key and milliseconds used.
type Used = BTreeSet<(RecordKey, i128)>;

/// How many windows are kept at each end: the outermost, and its neighbour.
pub(crate) const KEPT: usize = 2;

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
    /// How long it was used, where all its use is in one window that it does not fill.
    pub(crate) only_use: Option<TimeDelta>,
    /// Whether the last window was used to its end, as far as usage was read at all.
    pub(crate) may_go_on: bool,
    /// What the record of the last window says.
    pub(crate) latest: &'a Facts,
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
        uses.keep(record.window, std::iter::once((record.key(), millis)));
        if uses
            .latest
            .as_ref()
            .is_none_or(|(window, _)| *window <= record.window)
        {
            uses.keep_latest(record.window, Facts::of(record));
        }
    }

    /// Notes that usage was read up to `until`, by records that say nothing of a life.
    pub fn read_until(&mut self, until: DateTime<Utc>) {
        self.horizon = self.horizon.max(Some(until));
    }

    /// Takes what another part of the records said.
    pub fn merge(&mut self, other: Self) {
        self.horizon = self.horizon.max(other.horizon);
        for (resource, theirs) in other.uses {
            let uses = self.uses.entry(resource).or_default();
            for (window, used) in theirs.first.into_iter().chain(theirs.last) {
                uses.keep(window, used.iter().copied());
            }
            if let Some((window, facts)) = theirs.latest {
                uses.keep_latest(window, facts);
            }
        }
    }

    /// Takes what was kept apart of a record: its milliseconds used, more than none.
    pub(crate) fn keep(
        &mut self,
        resource: (Kind, ResourceId),
        window: Period,
        measured: (RecordKey, i128),
        facts: Facts,
    ) {
        let uses = self.uses.entry(resource).or_default();
        uses.keep(window, std::iter::once(measured));
        uses.keep_latest(window, facts);
    }

    /// Whether two windows of a resource are used up to and with `second`, and two from
    /// `last_but_one` on: then no window between these matters.
    pub(crate) fn reaches_over(
        &self,
        resource: &(Kind, ResourceId),
        (second, last_but_one): (Period, Period),
    ) -> bool {
        self.uses.get(resource).is_some_and(|uses| {
            let first = uses.first.keys().nth(KEPT - 1);
            let last = uses.last.keys().rev().nth(KEPT - 1);
            first.is_some_and(|first| *first <= second)
                && last.is_some_and(|last| *last >= last_but_one)
        })
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

    /// Of several records of the last window one is taken whatever the order: names are
    /// those of the moment of the query, so even copies of one record may differ.
    fn keep_latest(&mut self, window: Period, facts: Facts) {
        let latest = Some((window, facts));
        if self.latest < latest {
            self.latest = latest;
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
        let is_only = first_window == last_window;
        let only_use = gap
            .filter(|_| is_only)
            .map(|gap| last_window.end() - last_window.start() - gap);
        Some(UsageLife {
            only_use,
            first: starts.unwrap_or(first_window.start()),
            last: ends.unwrap_or(last_window.end()),
            last_not_before: ends.unwrap_or(last_window.start()),
            may_go_on: gap.is_none() && last_window.end() >= horizon,
            latest: self.latest.as_ref().map(|(_, facts)| facts)?,
        })
    }
}

impl Facts {
    pub(crate) fn of(record: &UsageRecord) -> Self {
        Self {
            name: record.name.clone(),
            owner: record.owner.clone(),
            zone: record.zone.clone(),
            offering: record.offering.clone(),
            template: record.template.clone(),
            os_type: record.os_type.clone(),
            hypervisor: record.kind.clone(),
            cpu_count: record.cpu_count,
            memory_mib: record.memory_mib,
            size_bytes: record.size_bytes,
            is_system: record.is_system.unwrap_or(false),
        }
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

/// Whose use a record tells of; none where it tells of none.
pub(crate) fn measured(record: &UsageRecord) -> Option<(Kind, ResourceId)> {
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
