//! Month and day prices by civil days or started hours instead of time.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{NaiveDateTime, TimeDelta};
use cloudstack_usage::{Period, ResourceId, UsageType};

use super::parts::{Part, Timeline, instant};
use crate::book::model::{Basis, MonthProfile, Per, Price, Target};
use crate::exact::Exact;
use crate::plan::{Charge, Plan, asked_basis, basis_of};
use crate::proration::{Proration, counted};

/// Whose days are counted together: a day that two spans of it touch counts once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// VMs and volumes, whose size or offering may change; of a VM each time that may have a
    /// price of its own.
    Resource(Option<Basis>, ResourceId),
    /// Everything else: one stream is one thing.
    Stream(usize),
}

/// How a price counts time; none where there is no time in it, or it counts it as it is.
pub(crate) fn proration_of(plan: &Plan<'_>, price: &Price) -> Option<Proration> {
    let proration = price.proration.unwrap_or(plan.book.proration);
    let lasting = !matches!(price.per, Per::Once | Per::Unit);
    (lasting && proration != Proration::Second).then_some(proration)
}

/// Replaces the quantities of all parts whose price counts days or hours. A day that
/// belongs to two of a resource's uses is the later one's.
pub(crate) fn apply(plan: &Plan<'_>, timelines: &[Timeline<'_, '_>], parts: &mut [Part]) {
    let counts = |price| proration_of(plan, price).is_some();
    if !plan.book.prices.iter().any(counts) {
        return;
    }
    let mut groups: BTreeMap<(usize, Proration, Target, Whose), Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let Some((charge, price)) = priced(plan, timelines, part) else {
            continue;
        };
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        if let Some(proration) = proration_of(plan, price) {
            let key = &timeline.subject.stream.key;
            let whose = match key.usage_type {
                UsageType::RunningVm | UsageType::AllocatedVm | UsageType::Volume => {
                    let basis = asked_basis(&charge.target, basis_of(&timeline.subject));
                    Whose::Resource(basis, key.identity.clone())
                }
                _ => Whose::Stream(part.stream),
            };
            groups
                .entry((part.month, proration, charge.target.clone(), whose))
                .or_default()
                .push(index);
        }
    }
    for ((month, proration, ..), mut members) in groups {
        let Some(month) = plan.months.get(month) else {
            continue;
        };
        members.sort_by_key(|&index| {
            // by the use that they were cut from: a cut must not give a day to another use
            parts
                .get(index)
                .map(|part| (part.use_of, part.start, part.end, part.stream))
        });
        count(plan, timelines, (proration, month.period), parts, &members);
    }
}

fn priced<'t>(
    plan: &Plan<'t>,
    timelines: &'t [Timeline<'_, '_>],
    part: &Part,
) -> Option<(&'t Charge, &'t Price)> {
    let interval = timelines.get(part.stream)?.intervals.get(part.interval)?;
    let charge = interval.decision.charges.get(part.charge)?;
    Some((charge, plan.book.prices.get(charge.price?)?))
}

/// Counts the days or hours of one resource in one month.
fn count(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    (proration, month): (Proration, Period),
    parts: &mut [Part],
    members: &[usize],
) {
    let civil = |millis| civil(plan, millis, proration);
    let month = civil(month.start().timestamp_millis())..civil(month.end().timestamp_millis());
    // a day that begins after the rated period is another bill's
    let bill_end = month.end.min(last_bound(plan, proration));
    // from the last one back: a day that two share is the later one's
    let mut taken = Taken::default();
    for &index in members.iter().rev() {
        let Some(part) = parts.get_mut(index) else {
            continue;
        };
        let counted = counted(&(civil(part.start)..civil(part.end)), proration);
        let free = taken.take(counted.start.max(month.start)..counted.end.min(bill_end));
        part.counted_millis = free.num_milliseconds();
        let part = &*part;
        let Some((charge, price)) = priced(plan, timelines, part) else {
            continue;
        };
        let whole = match price.per {
            Per::Month if plan.book.month == MonthProfile::Calendar => {
                (month.end - month.start).num_milliseconds()
            }
            per => plan.price_period(per, instant(part.start)).unwrap_or(1),
        };
        let share = Exact::ratio(i128::from(part.counted_millis), i128::from(whole.max(1)));
        let share = share.unwrap_or_else(Exact::zero);
        if let Some(part) = parts.get_mut(index) {
            set(plan, part, (charge, price), share);
        }
    }
}

/// Time that is counted already, by ranges apart from each other.
#[derive(Debug, Default)]
struct Taken(Vec<Range<NaiveDateTime>>);

impl Taken {
    /// Adds a range: how much of it was free.
    fn take(&mut self, range: Range<NaiveDateTime>) -> TimeDelta {
        if range.is_empty() {
            return TimeDelta::zero();
        }
        let mut free = range.end - range.start;
        let mut hull = range.clone();
        self.0.retain(|other| {
            let apart = other.end < range.start || range.end < other.start;
            if !apart {
                free -= other.end.min(range.end) - other.start.max(range.start);
                hull = hull.start.min(other.start)..hull.end.max(other.end);
            }
            apart
        });
        self.0.push(hull);
        free
    }
}

/// The end of the last day or hour that the rated period touches.
fn last_bound(plan: &Plan<'_>, proration: Proration) -> NaiveDateTime {
    let end = civil(plan, plan.period.end().timestamp_millis(), proration);
    let unit = match proration {
        Proration::StartedHour => Proration::StartedHour,
        _ => Proration::StartedDay,
    };
    counted(&(end..end), unit).end
}

fn set(plan: &Plan<'_>, part: &mut Part, (charge, price): (&Charge, &Price), share: Exact) {
    let units = if price.ignores_size() {
        Some(Exact::from(1))
    } else {
        Exact::ratio(charge.level, price.unit.size())
    };
    part.quantity = share * units.unwrap_or_else(Exact::zero);
    part.list = match (&charge.exemption, price.amount_per_unit()) {
        (None, Some(amount)) => {
            let product = part.quantity.clone() * Exact::from_decimal(amount);
            product * plan.factor(&charge.factors)
        }
        _ => Exact::zero(),
    };
    part.net = part.list.clone();
}

/// Days are those of the book's zone; hours are counted where clocks do not change.
fn civil(plan: &Plan<'_>, millis: i64, proration: Proration) -> NaiveDateTime {
    match proration {
        Proration::StartedHour => instant(millis).naive_utc(),
        _ => plan.book.zones.civil(instant(millis)),
    }
}
