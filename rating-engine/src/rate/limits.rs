//! Minimum and maximum charges of a month.

use std::collections::BTreeMap;

use cloudstack_usage::{DomainId, Holder, Period, ResourceId};

use super::accumulate::{Pool, pool};
use super::parts::{Part, Rule, Timeline, resource_kind};
use crate::book::model::{Accumulation, Target};
use crate::book::terms::{Limit, LimitKind, names};
use crate::exact::Exact;
use crate::meter::Meter;
use crate::plan::{Charge, CompiledScope, Decision, Nearness, Plan, Position};

/// What is missing to a minimum charge.
#[derive(Debug, Clone)]
pub(crate) struct TrueUp {
    /// The limit, by its place in the book.
    pub(crate) limit: usize,
    pub(crate) account: DomainId,
    pub(crate) domain: DomainId,
    pub(crate) holder: Holder,
    /// The thing that has the minimum.
    pub(crate) resource: ResourceId,
    pub(crate) resource_kind: &'static str,
    /// The part of the month that it is for.
    pub(crate) period: Period,
    pub(crate) amount: Exact,
}

/// What a limit is counted over: the limit, the month, the thing that has it.
type Group = (usize, usize, Pool);

/// How much a minimum is over: its level, and whether it is for everything there.
type Reach = (Accumulation, bool);

fn reach(limit: &Limit) -> Reach {
    let everything = limit.meters.is_empty() && limit.items.is_empty();
    (limit.per, everything)
}

/// Takes off what is beyond maximum charges, then says what is missing to minimum ones: of
/// resources first, then of projects, domains and billing accounts, on each level those for
/// some things before those for everything, which count what minimums before them made up.
pub(crate) fn apply(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    parts: &mut [Part],
) -> Vec<TrueUp> {
    if plan.book.limits.is_empty() {
        return Vec::new();
    }
    let maximums = groups(plan, timelines, parts, LimitKind::Maximum);
    for ((limit, month, _), members) in inner_first(plan, maximums) {
        if let (Some(limit_of), Some(month)) = (plan.book.limits.get(limit), plan.months.get(month))
        {
            let life = life(limit_of, timelines, parts, &members);
            let most = due(limit_of, month.period, life);
            cut(limit, most, parts, members);
        }
    }
    let mut of_use = groups(plan, timelines, parts, LimitKind::Minimum);
    for group in commitments(plan) {
        of_use.entry(group).or_default();
    }
    let mut true_ups = Vec::new();
    for (group, members) in inner_first(plan, of_use) {
        true_ups.extend(true_up(plan, timelines, parts, &group, &members, &true_ups));
    }
    true_ups
}

/// Groups by the reach of their limits, then by their ids.
fn inner_first(plan: &Plan<'_>, groups: BTreeMap<Group, Vec<usize>>) -> Vec<(Group, Vec<usize>)> {
    let mut groups: Vec<(Group, Vec<usize>)> = groups.into_iter().collect();
    // stable, and the book has the limits of a kind by their ids
    groups.sort_by_key(|(group, _)| plan.book.limits.get(group.0).map(reach));
    groups
}

/// The parts that count towards each limit of a kind. Of limits for the same things, the
/// nearest one holds.
fn groups(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    kind: LimitKind,
) -> BTreeMap<Group, Vec<usize>> {
    let mut groups: BTreeMap<Group, Vec<usize>> = BTreeMap::new();
    if plan.book.limits.iter().all(|limit| limit.kind != kind) {
        return groups;
    }
    for (index, part) in parts.iter().enumerate() {
        let Some((timeline, decision, charge)) = decided(timelines, part) else {
            continue;
        };
        let ancestry = plan.ancestry(&decision.domain);
        let position = Position {
            ancestry,
            project: match &timeline.subject.stream.key.holder {
                Holder::Project(id) => Some(id),
                _ => None,
            },
            vm: decision.vm.as_ref(),
            volume: timeline.subject.volume.as_ref(),
        };
        for limit in nearest(plan, kind, &position, &charge.target, part.start) {
            let per = plan.book.limits.get(limit).map(|limit| limit.per);
            if let Some(pool) = per.and_then(|per| pool(per, timelines, part)) {
                groups
                    .entry((limit, part.month, pool))
                    .or_default()
                    .push(index);
            }
        }
    }
    groups
}

fn decided<'t, 'p, 'a>(
    timelines: &'t [Timeline<'p, 'a>],
    part: &Part,
) -> Option<(&'t Timeline<'p, 'a>, &'t Decision, &'t Charge)> {
    let timeline = timelines.get(part.stream)?;
    let decision = &timeline.intervals.get(part.interval)?.decision;
    Some((timeline, decision, decision.charges.get(part.charge)?))
}

/// The limits that hold for a thing at an instant: of each level and set of things, that of
/// the nearest scope.
fn nearest(
    plan: &Plan<'_>,
    kind: LimitKind,
    position: &Position<'_>,
    target: &Target,
    at: i64,
) -> Vec<usize> {
    type Family<'f> = (Accumulation, &'f [Meter], &'f [String]);
    let mut found: BTreeMap<Family<'_>, (Nearness, usize)> = BTreeMap::new();
    for (index, limit) in plan.book.limits.iter().enumerate() {
        let all = limit.meters.is_empty() && limit.items.is_empty();
        let counts = all || names(&limit.meters, &limit.items, target);
        if limit.kind != kind || !counts || !limit.validity.contains(super::parts::instant(at)) {
            continue;
        }
        let nearness = plan
            .limit_scopes
            .get(index)
            .and_then(|scope| scope.nearness(position));
        if let Some(nearness) = nearness {
            let family = (limit.per, limit.meters.as_slice(), limit.items.as_slice());
            let best = found.entry(family).or_insert((nearness, index));
            *best = (*best).max((nearness, index));
        }
    }
    found.into_values().map(|(_, index)| index).collect()
}

/// The amount for a month, prorated by the limit's validity and by `life`.
fn due(limit: &Limit, month: Period, life: Period) -> Exact {
    let share = active(limit, month, life)
        .and_then(|active| Exact::ratio(i128::from(active.millis()), i128::from(month.millis())));
    Exact::from_decimal(limit.amount) * share.unwrap_or_else(Exact::zero)
}

fn active(limit: &Limit, month: Period, life: Period) -> Option<Period> {
    month.intersect(&limit.validity)?.intersect(&life)
}

/// How long the thing that has a limit was there: a resource for its life, a customer for
/// as long as there are months (the lists give no dates of projects and domains that hold).
fn life(
    limit: &Limit,
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    members: &[usize],
) -> Period {
    if limit.per != Accumulation::Resource {
        return Period::always();
    }
    members
        .first()
        .and_then(|&index| parts.get(index))
        .and_then(|part| timelines.get(part.stream))
        .and_then(|timeline| timeline.subject.lifetime())
        .map_or_else(Period::always, cloudstack_usage::Lifetime::period)
}

/// Charges count towards a maximum in order of time: of the use that they were cut from, since
/// a cut must not let one pay for another. Those of the same time share what is left of it.
fn cut(limit: usize, most: Exact, parts: &mut [Part], mut members: Vec<usize>) {
    let time = |parts: &[Part], index: usize| parts.get(index).map(|part| part.use_of);
    members.sort_by_key(|&index| (time(parts, index), index));
    let mut left = most;
    let mut rest = members.as_slice();
    while let Some(&first) = rest.first() {
        let same = rest
            .iter()
            .take_while(|&&index| time(parts, index) == time(parts, first))
            .count();
        let (now, later) = rest.split_at(same);
        rest = later;
        let sum: Exact = now
            .iter()
            .filter_map(|&index| parts.get(index))
            .map(|part| &part.net)
            .sum();
        let charged = sum.clone().min(left.clone());
        left = left - charged.clone();
        if charged == sum {
            continue;
        }
        for &index in now {
            let Some(part) = parts.get_mut(index) else {
                continue;
            };
            let kept = (part.net.clone() * charged.clone())
                .checked_div(&sum)
                .unwrap_or_else(Exact::zero);
            part.reductions
                .push((Rule::Maximum(limit), part.net.clone() - kept.clone()));
            part.net = kept;
        }
    }
}

/// Minimum charges that customers committed to, whether they used anything or not: those
/// whose scope is the very project, domain or billing account that has them.
fn commitments(plan: &Plan<'_>) -> Vec<Group> {
    let mut commitments = Vec::new();
    let limits = plan.book.limits.iter().zip(&plan.limit_scopes).enumerate();
    for (index, (limit, scope)) in limits {
        if limit.kind != LimitKind::Minimum {
            continue;
        }
        for (month, of_month) in plan.months.iter().enumerate() {
            let Some(active) = active(limit, of_month.period, Period::always()) else {
                continue;
            };
            if let Some(pool) = committed(plan, limit.per, scope, active) {
                commitments.push((index, month, pool));
            }
        }
    }
    commitments
}

fn committed(
    plan: &Plan<'_>,
    per: Accumulation,
    scope: &CompiledScope,
    active: Period,
) -> Option<Pool> {
    match (per, scope) {
        (Accumulation::Project, CompiledScope::Project(id)) => {
            let entry = plan.inventory.projects.get(id)?;
            let domain = entry.domain.nearest(active.start())?.clone();
            Some(Pool::Holder(domain, Holder::Project(id.clone())))
        }
        (Accumulation::Domain, CompiledScope::Domain(id)) => Some(Pool::Domain(id.clone())),
        (Accumulation::Account, CompiledScope::Domain(id)) => {
            let account = plan.account_of(plan.ancestry(id))?;
            (account == *id).then_some(Pool::Account(account))
        }
        _ => None,
    }
}

/// What is missing in a month that the period holds as a whole; a part of a month owes no
/// minimum yet.
fn true_up(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    (index, month, pool): &Group,
    members: &[usize],
    inner: &[TrueUp],
) -> Option<TrueUp> {
    let limit = plan.book.limits.get(*index)?;
    let month = plan.months.get(*month)?.period;
    if !plan.period.covers(&month) {
        return None;
    }
    let life = life(limit, timelines, parts, members);
    let active = active(limit, month, life)?;
    let charged: Exact = members
        .iter()
        .filter_map(|&member| parts.get(member))
        .map(|part| &part.net)
        .sum();
    let of_member = members
        .first()
        .and_then(|&member| parts.get(member))
        .and_then(|part| decided(timelines, part));
    let domain = match pool {
        Pool::Holder(domain, _) | Pool::Domain(domain) | Pool::Account(domain) => domain.clone(),
        Pool::Resource(..) => of_member.map(|(_, decision, _)| decision.domain.clone())?,
    };
    let account = plan.account_of(plan.ancestry(&domain))?;
    let (holder, resource, resource_kind) = match pool {
        Pool::Resource(resource, holder) => {
            let kind = of_member.map_or("vm", |(timeline, _, charge)| match charge.of {
                // a percentage is of the VM with its volumes
                Some(_) => "vm",
                None => resource_kind(&charge.target, timeline.subject.stream.key.usage_type),
            });
            (holder.clone(), resource.clone(), kind)
        }
        Pool::Holder(_, holder) => {
            let (resource, kind) = match holder {
                Holder::Project(id) => (id.as_resource(), "project"),
                Holder::Account(id) => (ResourceId::new(&id.to_string()), "account"),
                Holder::Unknown => (ResourceId::new(&domain.to_string()), "account"),
            };
            (holder.clone(), resource, kind)
        }
        Pool::Domain(domain) | Pool::Account(domain) => (
            Holder::Unknown,
            ResourceId::new(&domain.to_string()),
            "domain",
        ),
    };
    let (level, all) = reach(limit);
    let is_inner = |other: &TrueUp| {
        let other = plan.book.limits.get(other.limit);
        all && other.is_some_and(|other| reach(other) < (level, all))
    };
    let made_up: Exact = inner
        .iter()
        .filter(|other| is_inner(other) && active.overlaps(&other.period))
        .filter(|other| match pool {
            Pool::Resource(resource, holder) => {
                other.resource == *resource && other.holder == *holder
            }
            Pool::Holder(domain, holder) => other.domain == *domain && other.holder == *holder,
            Pool::Domain(domain) => other.domain == *domain,
            Pool::Account(account) => other.account == *account,
        })
        .map(|other| &other.amount)
        .sum();
    let missing = due(limit, month, life) - charged - made_up;
    (!missing.is_zero() && !missing.is_negative()).then_some(TrueUp {
        limit: *index,
        account,
        domain,
        holder,
        resource,
        resource_kind,
        period: active,
        amount: missing,
    })
}
