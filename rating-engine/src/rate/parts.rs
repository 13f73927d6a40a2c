//! Parts: used time of a stream, cut at everything that decides its amount.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, Period, UsageType, VmId};

use super::prorate::proration_of;
use crate::book::model::{Per, Target};
use crate::exact::Exact;
use crate::meter::Meter;
use crate::plan::{Charge, Decision, Hold, Override, Plan, Subject};
use crate::statement::Placement;
use crate::unit::Measure;
use crate::usage::Placed;

/// A stretch of time in which the decision for a stream is the same.
#[derive(Debug)]
pub(crate) struct Interval {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) decision: Decision,
}

/// What takes something away from a part, by its place in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    Discount(usize),
    Maximum(usize),
}

/// Used time (or a counted amount) of one charge in one interval, with its amounts.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The stream, by its place.
    pub(crate) stream: usize,
    /// The interval of the stream.
    pub(crate) interval: usize,
    /// The charge of the interval's decision.
    pub(crate) charge: usize,
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Beginning and end of the placed use that it was cut from, and its time.
    pub(crate) use_of: (i64, i64),
    pub(crate) use_millis: i64,
    pub(crate) used_millis: i64,
    /// The time that its price counts: days or hours where it knows only those.
    pub(crate) counted_millis: i64,
    pub(crate) placement: Placement,
    /// In the price's unit, before free units.
    pub(crate) quantity: Exact,
    pub(crate) list: Exact,
    pub(crate) net: Exact,
    /// What discounts and maximum charges took away, in order.
    pub(crate) reductions: Vec<(Rule, Exact)>,
    pub(crate) month: usize,
    /// Records behind it.
    pub(crate) records: u64,
}

/// A problem with some used time.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) account: DomainId,
    pub(crate) what: What,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) millis: i64,
    pub(crate) amount: i128,
    pub(crate) records: u64,
}

/// What kind of problem.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Unpriced(Target),
    MissingSize(Meter),
    Twice { service: String, package: String },
}

/// What became of a record in the period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) charged: bool,
    pub(crate) exempt: bool,
    pub(crate) held: bool,
}

/// The amount in an interval.
#[derive(Debug, Clone, Copy)]
struct Used {
    start: i64,
    end: i64,
    use_of: (i64, i64),
    use_millis: i64,
    /// The stream's amount: milliseconds, bytes, a count, or bytes x milliseconds.
    amount: i128,
    millis: i64,
    placement: Placement,
    records: u64,
}

/// A stream with its decisions over the period.
#[derive(Debug)]
pub(crate) struct Timeline<'p, 'a> {
    plan: &'p Plan<'a>,
    pub(crate) subject: Subject<'p>,
    pub(crate) intervals: Vec<Interval>,
}

impl<'p, 'a> Timeline<'p, 'a> {
    /// Cuts the period at every change and decides for each interval in `span`.
    pub(crate) fn new(plan: &'p Plan<'a>, subject: Subject<'p>, span: Period) -> Self {
        let (start, end) = (
            span.start().timestamp_millis(),
            span.end().timestamp_millis(),
        );
        let mut cuts = plan.cuts(&subject);
        cuts.retain(|instant| start < *instant && *instant < end);
        cuts.extend([start, end]);
        cuts.sort_unstable();
        cuts.dedup();
        // not collected: of a filtered iterator that makes room for four
        let mut intervals = Vec::with_capacity(cuts.len().saturating_sub(1));
        for (&start, &end) in cuts.iter().zip(cuts.iter().skip(1)) {
            let decision = plan.decide(&subject, instant(start));
            intervals.push(Interval {
                start,
                end,
                decision,
            });
        }
        Self {
            plan,
            subject,
            intervals,
        }
    }

    /// The decision that a part stands under, and its charge.
    pub(crate) fn charge_of(&self, part: &Part) -> Option<(&Decision, &Charge)> {
        let decision = &self.intervals.get(part.interval)?.decision;
        Some((decision, decision.charges.get(part.charge)?))
    }

    /// The VM whose charges a part is a percentage of.
    pub(crate) fn percentage_vm(&self, part: &Part) -> Option<&VmId> {
        let (decision, charge) = self.charge_of(part)?;
        charge.of.and(decision.vm.as_ref())
    }

    /// The price of a part.
    pub(crate) fn price_of(&self, part: &Part) -> Option<&'a crate::book::model::Price> {
        let charge = self
            .intervals
            .get(part.interval)?
            .decision
            .charges
            .get(part.charge)?;
        self.plan.book.prices.get(charge.price?)
    }

    /// Whether its resource came into being within the period.
    pub(crate) fn born_in_period(&self) -> bool {
        self.subject
            .lifetime()
            .is_some_and(|lifetime| self.plan.period.contains(lifetime.start))
    }

    /// Adds the parts of placed use.
    pub(crate) fn add_parts(&self, stream: usize, placed: &[Placed], parts: &mut Vec<Part>) {
        let mut sums: Vec<Option<Used>> = Vec::with_capacity(self.intervals.len());
        for (index, interval, span) in self.shares(placed) {
            if self.accumulates(&interval.decision) {
                // in order of time, window by window
                let windows = span.each();
                let touching = windows
                    .filter(|window| window.start < interval.end && interval.start < window.end);
                for window in touching {
                    let used = Self::used(&self.subject, &window, interval);
                    self.price(stream, index, used, parts);
                }
            } else {
                Used::add_at(&mut sums, index, Self::used(&self.subject, &span, interval));
            }
        }
        for (index, used) in sums.into_iter().enumerate() {
            if let Some(used) = used {
                self.price(stream, index, used, parts);
            }
        }
    }

    /// Placed use added up by interval.
    fn used_by_interval(&self, placed: &[Placed]) -> Vec<(&Interval, Used)> {
        let mut sums: Vec<Option<Used>> = Vec::new();
        for (index, interval, span) in self.shares(placed) {
            Used::add_at(&mut sums, index, Self::used(&self.subject, &span, interval));
        }
        let used = self.intervals.iter().zip(sums);
        used.filter_map(|(interval, used)| Some((interval, used?)))
            .collect()
    }

    /// What becomes of the record behind the spans of a window.
    pub(crate) fn fate(&self, spans: &[Placed]) -> Fate {
        let mut fate = Fate::default();
        for (_, interval) in spans.iter().flat_map(|span| self.touched(span)) {
            fate.note(&interval.decision);
            // kept for a version that knows its type
            fate.held |= matches!(self.subject.stream.key.usage_type, UsageType::Unknown(_));
        }
        fate
    }

    /// The intervals that spans touch, each with its span. Of a window whose use lies in several
    /// spans the records count once in an interval.
    fn shares<'t>(
        &'t self,
        placed: &'t [Placed],
    ) -> impl Iterator<Item = (usize, &'t Interval, Placed)> {
        let mut before: Option<&Placed> = None;
        placed.iter().flat_map(move |span| {
            let counted = before
                .filter(|_| span.continues)
                .and_then(|before| self.touched(before).last());
            let counted = counted.map(|(index, _)| index);
            before = Some(span);
            self.touched(span).map(move |(index, interval)| {
                let records = if counted == Some(index) {
                    0
                } else {
                    span.records
                };
                (index, interval, Placed { records, ..*span })
            })
        })
    }

    fn touched<'t>(&'t self, span: &Placed) -> impl Iterator<Item = (usize, &'t Interval)> {
        let (start, end) = (span.start, span.end);
        let first = self
            .intervals
            .partition_point(|interval| interval.end <= start);
        self.intervals
            .iter()
            .enumerate()
            .skip(first)
            .take_while(move |(_, interval)| interval.start < end)
    }

    fn used(subject: &Subject<'_>, span: &Placed, interval: &Interval) -> Used {
        let (start, end) = (span.start.max(interval.start), span.end.min(interval.end));
        let amount = span.within(start, end);
        let usage_type = subject.stream.key.usage_type;
        let millis = |amount, length| {
            if usage_type.is_counter() {
                0
            } else if subject.stream.holds_bytes {
                length
            } else {
                i64::try_from(amount).unwrap_or(i64::MAX)
            }
        };
        Used {
            start,
            end,
            use_of: (span.start, span.end),
            use_millis: millis(span.amount, span.end - span.start),
            amount,
            millis: millis(amount, end - start),
            placement: span.placement,
            records: span.records_within(start, end),
        }
    }

    /// Whether a charge of the decision depends on what else was used in the month.
    fn accumulates(&self, decision: &Decision) -> bool {
        let prices = decision
            .charges
            .iter()
            .filter_map(|charge| self.plan.book.prices.get(charge.price?));
        let cap = self.plan.book.month.cap_millis().is_some();
        prices.into_iter().any(|price| {
            self.plan.has_maximums()
                || price.accumulates()
                || price.per == Per::Once
                || (cap && price.per == Per::Month)
                || proration_of(self.plan, price).is_some()
        })
    }

    /// Adds one part for each charge of an interval.
    fn price(&self, stream: usize, index: usize, used: Used, parts: &mut Vec<Part>) {
        let Some(interval) = self.intervals.get(index) else {
            return;
        };
        let month = self.plan.month_of(instant(used.start));
        let charges = interval.decision.charges.iter().enumerate();
        parts.extend(charges.map(|(charge, decided)| {
            let (quantity, list) = self.amounts(decided, used);
            Part {
                stream,
                interval: index,
                charge,
                start: used.start,
                end: used.end,
                use_of: used.use_of,
                use_millis: used.use_millis,
                // a percentage has money as its quantity, no time
                used_millis: decided.of.map_or(used.millis, |_| 0),
                counted_millis: used.millis,
                placement: used.placement,
                quantity,
                net: list.clone(),
                list,
                reductions: Vec::new(),
                month,
                records: used.records,
            }
        }));
    }

    /// The quantity in the price's unit, and the amount at a price per unit (other kinds of
    /// price are applied to the month as a whole). Exempt things have a quantity, no amount.
    ///
    /// Source: DESIGN.md §4 "Numbers": quantity x price / (unit x period length).
    fn amounts(&self, charge: &Charge, used: Used) -> (Exact, Exact) {
        let Some(price) = charge
            .price
            .and_then(|index| self.plan.book.prices.get(index))
        else {
            return (Exact::zero(), Exact::zero());
        };
        if charge.of.is_some() {
            // what it is a percentage of has its amount only once the month is added up
            return (Exact::zero(), Exact::zero());
        }
        // what is not counted in bytes has its time as its amount
        let by_time = price.ignores_size() || price.unit.measure() == Measure::Each;
        let base = if by_time {
            i128::from(used.millis)
        } else {
            used.amount
        };
        let period = self.plan.price_period(price.per, instant(used.start));
        let size = if price.ignores_size() {
            1
        } else {
            price.unit.size()
        };
        let (amount, unit) = match price.per {
            // once: what is there, whatever the time
            Per::Once => (Some(charge.level), Some(size)),
            _ => (
                base.checked_mul(charge.level),
                size.checked_mul(i128::from(period.unwrap_or(1))),
            ),
        };
        let quantity = match (amount, unit) {
            (Some(amount), Some(unit)) => Exact::ratio(amount, unit),
            _ => (Exact::from(base) * Exact::from(charge.level))
                .checked_div(&(Exact::from(size) * Exact::from(i128::from(period.unwrap_or(1))))),
        };
        let quantity = quantity.unwrap_or_else(Exact::zero);
        let unit_amount = charge
            .price
            .and_then(|index| self.plan.unit_amount(index))
            .filter(|_| charge.exemption.is_none());
        let list = unit_amount.map_or_else(Exact::zero, |amount| {
            self.times(charge, quantity.clone() * amount.clone())
        });
        (quantity, list)
    }

    /// An amount times the factors of its charge.
    pub(crate) fn times(&self, charge: &Charge, amount: Exact) -> Exact {
        if charge.factors.is_empty() {
            return amount;
        }
        amount * self.plan.factor(&charge.factors)
    }

    /// The exact net amount of placed use at prices per unit and percent discounts, as a
    /// value for findings. Tiers and free units are taken at the price of the first unit
    /// beyond them; fixed discounts are left out.
    pub(crate) fn value(&self, placed: &[Placed], over: Option<&Override>) -> Exact {
        let mut value = Exact::zero();
        let other = over.map(|over| self.subject.clone().instead(over));
        for (interval, used) in self.used_by_interval(placed) {
            value += match &other {
                Some(other) => {
                    let at = instant(interval.start);
                    self.simple_values(&self.plan.decide(other, at), used)
                }
                None => self.simple_values(&interval.decision, used),
            };
        }
        value
    }

    /// What was used and has no price, is of unknown size, or is bought twice.
    pub(crate) fn problems(&self, placed: &[Placed]) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self
            .intervals
            .iter()
            .all(|interval| interval.decision.is_clear())
        {
            return problems;
        }
        for (interval, used) in self.used_by_interval(placed) {
            let decision = &interval.decision;
            let problem = |what| Problem {
                account: decision.account.clone(),
                what,
                start: used.start,
                end: used.end,
                millis: used.millis,
                amount: used.amount,
                records: used.records,
            };
            let unpriced = decision.unpriced.iter().cloned();
            problems.extend(unpriced.map(|target| problem(What::Unpriced(target))));
            let missing = decision.missing_size.iter();
            problems.extend(missing.map(|meter| problem(What::MissingSize(*meter))));
            let twice = decision.twice.iter().cloned();
            problems
                .extend(twice.map(|(service, package)| problem(What::Twice { service, package })));
        }
        problems
    }

    /// Whether the cost centre of some placed use would be another one.
    pub(crate) fn cost_centre_differs(&self, placed: &[Placed], over: &Override) -> bool {
        let subject = self.subject.clone().instead(over);
        placed
            .iter()
            .flat_map(|span| self.touched(span))
            .any(|(_, interval)| {
                let other = self.plan.decide(&subject, instant(interval.start));
                other.cost_centre != interval.decision.cost_centre
            })
    }

    /// The value of placed use with this held back.
    pub(crate) fn value_holding<'h>(
        &self,
        placed: &[Placed],
        holds: impl IntoIterator<Item = &'h Hold>,
    ) -> Exact
    where
        'p: 'h,
    {
        let subject: Subject<'h> = self.subject.clone();
        Timeline::new(self.plan, subject.holding(holds), self.plan.period).value(placed, None)
    }

    /// What each VM's part of the placed use would have cost less with just the package of
    /// this place in the book, while that holds all that the VM has; of these VMs.
    pub(crate) fn savings(
        &self,
        placed: &[Placed],
        package: usize,
        vms: &BTreeSet<&VmId>,
        mut note: impl FnMut(&VmId, &DomainId, Exact),
    ) {
        for (interval, used) in self.used_by_interval(placed) {
            let vm = interval.decision.vm.as_ref();
            let Some(vm) = vm.filter(|vm| vms.contains(vm)) else {
                continue;
            };
            let at = instant(interval.start);
            let other = self.plan.decide_with_package(&self.subject, at, package);
            let Some(other) = other else { continue };
            let saving =
                self.simple_values(&interval.decision, used) - self.simple_values(&other, used);
            note(vm, &interval.decision.account, saving);
        }
    }

    /// The value of some use as decided.
    fn simple_values(&self, decision: &Decision, used: Used) -> Exact {
        let charges = decision.charges.iter();
        charges
            .map(|charge| {
                let list = match charge.of.and_then(|index| decision.charges.get(index)) {
                    Some(of) => self.simple_percentage(charge, &self.simple_list(of, used)),
                    None => self.simple_list(charge, used),
                };
                super::discount::after_percent(self.plan, &list, &charge.discounts)
            })
            .sum()
    }

    fn simple_percentage(&self, charge: &Charge, of: &Exact) -> Exact {
        let price = charge
            .price
            .and_then(|index| self.plan.book.prices.get(index));
        let amount = price
            .filter(|_| charge.exemption.is_none())
            .and_then(|price| super::accumulate::unit_price(&price.kind));
        amount.map_or_else(Exact::zero, |amount| {
            self.times(charge, of.clone() * amount)
        })
    }

    fn simple_list(&self, charge: &Charge, used: Used) -> Exact {
        let Some(price) = charge
            .price
            .and_then(|index| self.plan.book.prices.get(index))
        else {
            return Exact::zero();
        };
        if charge.exemption.is_some() || price.per == Per::Once {
            return Exact::zero();
        }
        let (quantity, list) = self.amounts(charge, used);
        match super::accumulate::unit_price(&price.kind) {
            Some(amount) if price.accumulates() => self.times(charge, quantity * amount),
            _ => list,
        }
    }
}

impl Used {
    /// Adds to the sum of an interval.
    fn add_at(sums: &mut Vec<Option<Self>>, interval: usize, used: Self) {
        if sums.len() <= interval {
            sums.resize(interval + 1, None);
        }
        match sums.get_mut(interval) {
            Some(Some(sum)) => sum.add(used),
            Some(none) => *none = Some(used),
            None => {}
        }
    }

    fn add(&mut self, other: Self) {
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        self.amount = self.amount.saturating_add(other.amount);
        self.millis = self.millis.saturating_add(other.millis);
        self.records += other.records;
        if self.placement != other.placement {
            self.placement = self.placement.max(other.placement);
        }
    }
}

impl Problem {
    pub(crate) fn add(&mut self, other: &Self) {
        self.start = self.start.min(other.start);
        self.end = self.end.max(other.end);
        self.millis = self.millis.saturating_add(other.millis);
        self.amount = self.amount.saturating_add(other.amount);
        self.records += other.records;
    }
}

impl Fate {
    fn note(&mut self, decision: &Decision) {
        for charge in &decision.charges {
            if charge.exemption.is_some() {
                self.exempt = true;
            } else {
                self.charged = true;
            }
        }
        self.held |= !decision.unpriced.is_empty() || !decision.missing_size.is_empty();
    }
}

/// Milliseconds since 1970 as an instant.
pub(crate) fn instant(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// The kind of resource of a target, for lines.
pub(crate) fn resource_kind(target: &Target, usage_type: UsageType) -> &'static str {
    match target {
        Target::Meter(meter) => meter.resource_kind(),
        _ => Meter::of(usage_type).map_or("vm", Meter::resource_kind),
    }
}
