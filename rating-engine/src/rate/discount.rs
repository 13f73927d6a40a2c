//! Discounts: percentages on each part, fixed amounts over a month.

use std::collections::BTreeMap;

use cloudstack_usage::Period;

use super::parts::{Part, Rule, Timeline, instant};
use crate::book::model::{Discount, DiscountAmount, Scope, Stacking};
use crate::exact::Exact;
use crate::plan::Plan;

/// What each percentage of the chain takes off `list`: one after the other, or added up to
/// at most all of it.
fn reductions(plan: &Plan<'_>, list: &Exact, chain: &[usize]) -> Vec<(usize, Exact)> {
    let percents = chain
        .iter()
        .filter_map(|&index| Some((index, plan.discount_share(index)?)));
    let mut left = list.clone();
    let mut taken = Vec::new();
    for (index, share) in percents {
        let base = if plan.book.stacking == Stacking::AddCapped {
            list.clone()
        } else {
            left.clone()
        };
        let amount = (base * share.clone()).min(left.clone());
        left = left - amount.clone();
        taken.push((index, amount));
    }
    taken
}

/// `list` after the percentages of the chain.
pub(crate) fn after_percent(plan: &Plan<'_>, list: &Exact, chain: &[usize]) -> Exact {
    if chain.is_empty() {
        return list.clone();
    }
    list.clone()
        - reductions(plan, list, chain)
            .into_iter()
            .map(|(_, amount)| amount)
            .sum()
}

/// Takes off percentages, then fixed amounts.
pub(crate) fn apply(plan: &Plan<'_>, timelines: &[Timeline<'_, '_>], parts: &mut [Part]) {
    let mut fixed: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter_mut().enumerate() {
        let chain = chain(timelines, part);
        part.net = part.list.clone();
        if chain.is_empty() {
            continue;
        }
        part.reductions = reductions(plan, &part.list, chain)
            .into_iter()
            .map(|(discount, amount)| (Rule::Discount(discount), amount))
            .collect();
        part.net = part.list.clone() - part.reductions.iter().map(|(_, amount)| amount).sum();
        for &discount in chain
            .iter()
            .filter(|&&discount| plan.discount_share(discount).is_none())
        {
            fixed.entry((discount, part.month)).or_default().push(index);
        }
    }
    for ((discount, month), members) in fixed {
        take_fixed(plan, discount, month, parts, &members);
    }
}

fn chain<'t>(timelines: &'t [Timeline<'_, '_>], part: &Part) -> &'t [usize] {
    timelines
        .get(part.stream)
        .and_then(|timeline| timeline.intervals.get(part.interval))
        .and_then(|interval| interval.decision.charges.get(part.charge))
        .map(|charge| charge.discounts.as_slice())
        .unwrap_or_default()
}

/// A fixed amount applies once per scope and month, prorated by its validity (and, for a VM
/// or volume, by the time from its first to its last use: it has no discount while it is not
/// there), spread over the covered parts by what they cost after percentages; never below
/// zero.
fn take_fixed(plan: &Plan<'_>, index: usize, month: usize, parts: &mut [Part], members: &[usize]) {
    let (Some(discount), Some(month)) = (plan.book.discounts.get(index), plan.months.get(month))
    else {
        return;
    };
    let covered: Exact = members
        .iter()
        .filter_map(|&member| parts.get(member))
        .map(|part| &part.net)
        .sum();
    let of_a_resource = matches!(discount.scope, Scope::Vm(_) | Scope::Volume(_));
    let active = if of_a_resource {
        active(parts, members)
    } else {
        Some(month.period)
    };
    let amount = fixed_amount(discount, month.period, plan.period, active).min(covered.clone());
    if amount.is_zero() || amount.is_negative() {
        return;
    }
    for &member in members {
        let Some(part) = parts.get_mut(member) else {
            continue;
        };
        let share = (amount.clone() * part.net.clone())
            .checked_div(&covered)
            .unwrap_or_else(Exact::zero);
        part.net = part.net.clone() - share.clone();
        part.reductions.push((Rule::Discount(index), share));
    }
}

/// From the first to the last use of some parts.
fn active(parts: &[Part], members: &[usize]) -> Option<Period> {
    let used = || members.iter().filter_map(|&member| parts.get(member));
    let start = used().map(|part| part.start).min()?;
    let end = used().map(|part| part.end).max()?;
    Period::new(instant(start), instant(end)).ok()
}

/// The fixed amount for a month, of which only the part within the rated period counts.
fn fixed_amount(
    discount: &Discount,
    month: Period,
    period: Period,
    active: Option<Period>,
) -> Exact {
    let DiscountAmount::Fixed(amount) = discount.amount else {
        return Exact::zero();
    };
    let amount = Exact::from_decimal(amount);
    let rated = month.intersect(&period);
    let counted = if discount.prorate {
        rated
            .and_then(|rated| rated.intersect(&discount.validity))
            .and_then(|valid| valid.intersect(&active?))
    } else {
        rated
    };
    let share = counted
        .and_then(|counted| Exact::ratio(i128::from(counted.millis()), i128::from(month.millis())));
    amount * share.unwrap_or_else(Exact::zero)
}
