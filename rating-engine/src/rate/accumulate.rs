//! Amounts that depend on what else was used in the month: free units, tiers, blocks, fees
//! charged once, and the 672-hour cap.

use std::collections::BTreeMap;

use cloudstack_usage::{DomainId, Holder, ResourceId};
use rust_decimal::Decimal;

use super::parts::{Part, Timeline};
use crate::book::model::{Accumulation, Per, Price, PriceBook, PriceKind, Target, Tier};
use crate::exact::Exact;
use crate::proration::Proration;

/// Over what a price accumulates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pool {
    Resource(ResourceId, Holder),
    Holder(DomainId, Holder),
    Domain(DomainId),
    Account(DomainId),
}

/// Applies the rules of a month to all parts, in order of time.
pub(crate) fn accumulate(book: &PriceBook, timelines: &[Timeline<'_, '_>], parts: &mut Vec<Part>) {
    charge_once(book, timelines, parts);
    if let Some(cap) = book.month.cap_millis() {
        cap_hours(book, cap, timelines, parts);
    }
    let mut pools: BTreeMap<(usize, usize, Pool), Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let Some((price_index, price)) = charged_price(book, timelines, part) else {
            continue;
        };
        if price.accumulates() && price.per != Per::Once {
            let Some(pool) = pool(price.accumulate, timelines, part) else {
                continue;
            };
            pools
                .entry((price_index, part.month, pool))
                .or_default()
                .push(index);
        }
    }
    for ((price_index, ..), mut members) in pools {
        let Some(price) = book.prices.get(price_index) else {
            continue;
        };
        members.sort_by_key(|&index| order(timelines, parts, index));
        apply(price, parts, &members);
    }
}

/// Order of time, ties by the resource: the same for any order of input.
pub(super) fn order(
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    index: usize,
) -> (i64, i64, Option<ResourceId>, usize) {
    let Some(part) = parts.get(index) else {
        return (0, 0, None, index);
    };
    let resource = timelines
        .get(part.stream)
        .map(|timeline| timeline.subject.stream.key.identity.clone());
    (part.start, part.end, resource, part.stream)
}

/// The price of a part that is not exempt.
fn charged_price<'b>(
    book: &'b PriceBook,
    timelines: &[Timeline<'_, '_>],
    part: &Part,
) -> Option<(usize, &'b Price)> {
    let charge = timelines
        .get(part.stream)?
        .intervals
        .get(part.interval)?
        .decision
        .charges
        .get(part.charge)?;
    if charge.exemption.is_some() {
        return None;
    }
    let index = charge.price?;
    Some((index, book.prices.get(index)?))
}

pub(super) fn pool(
    accumulate: Accumulation,
    timelines: &[Timeline<'_, '_>],
    part: &Part,
) -> Option<Pool> {
    let timeline = timelines.get(part.stream)?;
    let decision = &timeline.intervals.get(part.interval)?.decision;
    let key = &timeline.subject.stream.key;
    Some(match accumulate {
        Accumulation::Resource => Pool::Resource(key.identity.clone(), key.holder.clone()),
        Accumulation::Project => Pool::Holder(decision.domain.clone(), key.holder.clone()),
        Accumulation::Domain => Pool::Domain(decision.domain.clone()),
        Accumulation::Account => Pool::Account(decision.account.clone()),
    })
}

/// Gives each part the difference that it makes to the cost of the quantity so far.
fn apply(price: &Price, parts: &mut [Part], members: &[usize]) {
    let total: Exact = members
        .iter()
        .filter_map(|&index| parts.get(index))
        .map(|part| &part.quantity)
        .sum();
    let free = price.free.map_or_else(Exact::zero, Exact::from_decimal);
    let mut so_far = Exact::zero();
    for (place, &index) in members.iter().enumerate() {
        let Some(part) = parts.get_mut(index) else {
            continue;
        };
        let next = so_far.clone() + part.quantity.clone();
        let billable = |quantity: &Exact| (quantity.clone() - free.clone()).max(Exact::zero());
        let amount = match &price.kind {
            // all units at the price of the total's tier: each part has its share
            PriceKind::Volume(tiers) if !billable(&total).is_zero() => {
                let all = billable(&total);
                let before = share(tiers, &all, &billable(&so_far));
                share(tiers, &all, &billable(&next)) - before
            }
            // the first part also pays what is due at zero
            kind if place == 0 => cost(kind, &billable(&next)),
            kind => cost(kind, &billable(&next)) - cost(kind, &billable(&so_far)),
        };
        part.list = amount.clone();
        part.net = amount;
        so_far = next;
    }
}

/// The cost of the first `quantity` units.
pub(crate) fn cost(kind: &PriceKind, quantity: &Exact) -> Exact {
    match kind {
        PriceKind::PerUnit(amount) => quantity.clone() * Exact::from_decimal(*amount),
        PriceKind::Flat(amount) => Exact::from_decimal(*amount),
        PriceKind::Block { size, amount } => {
            let blocks = quantity
                .checked_div(&Exact::from_decimal(*size))
                .unwrap_or_else(Exact::zero);
            let (whole, rest) = blocks.floor(0);
            let started = if rest.is_zero() { whole } else { whole + 1 };
            Exact::from(started) * Exact::from_decimal(*amount)
        }
        PriceKind::Graduated(tiers) => graduated(tiers, quantity),
        PriceKind::Volume(tiers) => share(tiers, quantity, quantity),
    }
}

/// Each unit at the price of its tier; upper bounds belong to the tier.
fn graduated(tiers: &[Tier], quantity: &Exact) -> Exact {
    let mut cost = Exact::zero();
    let mut from = Exact::zero();
    for (index, tier) in tiers.iter().enumerate() {
        if index > 0 && *quantity <= from {
            break;
        }
        let bound = tier.up_to.map(Exact::from_decimal);
        let until = bound
            .clone()
            .map_or_else(|| quantity.clone(), |bound| bound.min(quantity.clone()));
        let within = (until - from).max(Exact::zero());
        cost = cost + within * Exact::from_decimal(tier.amount) + Exact::from_decimal(tier.flat);
        match bound {
            Some(bound) => from = bound,
            None => break,
        }
    }
    cost
}

/// The cost of the first `quantity` of `total` units, all at the price of the total's tier.
fn share(tiers: &[Tier], total: &Exact, quantity: &Exact) -> Exact {
    let within = |tier: &&Tier| {
        tier.up_to
            .is_none_or(|bound| *total <= Exact::from_decimal(bound))
    };
    let Some(tier) = tiers.iter().find(within) else {
        return Exact::zero();
    };
    let units = quantity.clone() * Exact::from_decimal(tier.amount);
    let flat = Exact::from_decimal(tier.flat);
    if total.is_zero() {
        // what is due at zero
        return flat;
    }
    units
        + (flat * quantity.clone())
            .checked_div(total)
            .unwrap_or_else(Exact::zero)
}

/// The price of a unit in the first tier, for values of findings.
pub(crate) fn unit_price(kind: &PriceKind) -> Option<Exact> {
    let amount: Decimal = match kind {
        PriceKind::PerUnit(amount) => *amount,
        PriceKind::Flat(_) => Decimal::ZERO,
        PriceKind::Block { size, amount } => {
            return Exact::from_decimal(*amount).checked_div(&Exact::from_decimal(*size));
        }
        PriceKind::Graduated(tiers) | PriceKind::Volume(tiers) => tiers.first()?.amount,
    };
    Some(Exact::from_decimal(amount))
}

/// A fee that is charged once stays with the first part of a resource that came into being
/// within the period; all other parts of it cost nothing and are dropped.
fn charge_once(book: &PriceBook, timelines: &[Timeline<'_, '_>], parts: &mut Vec<Part>) {
    let mut first: BTreeMap<(usize, ResourceId), usize> = BTreeMap::new();
    let mut drop = vec![false; parts.len()];
    for index in 0..parts.len() {
        let Some(part) = parts.get(index) else {
            continue;
        };
        let Some((price_index, price)) = charged_price(book, timelines, part) else {
            continue;
        };
        if price.per != Per::Once {
            continue;
        }
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        let born_now = timeline.born_in_period();
        let key = (price_index, timeline.subject.stream.key.identity.clone());
        let earlier = first.get(&key).copied();
        let keep = born_now
            && earlier.is_none_or(|other| {
                order(timelines, parts, index) < order(timelines, parts, other)
            });
        if keep {
            if let Some(flag) = earlier.and_then(|other| drop.get_mut(other)) {
                *flag = true;
            }
            first.insert(key, index);
        } else if let Some(flag) = drop.get_mut(index) {
            *flag = true;
        }
    }
    let mut index = 0;
    parts.retain(|_| {
        let keep = !drop.get(index).copied().unwrap_or(false);
        index += 1;
        keep
    });
}

/// A resource pays no more of a month than the profile's hours. Days are capped where they
/// are counted.
fn cap_hours(book: &PriceBook, cap: i64, timelines: &[Timeline<'_, '_>], parts: &mut [Part]) {
    let mut months: BTreeMap<(usize, ResourceId, Target), Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let Some((_, price)) = charged_price(book, timelines, part) else {
            continue;
        };
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        let by_time = price.proration.unwrap_or(book.proration) == Proration::Second;
        if price.per == Per::Month && by_time {
            let resource = timeline.subject.stream.key.identity.clone();
            months
                .entry((part.month, resource, price.target.clone()))
                .or_default()
                .push(index);
        }
    }
    for mut members in months.into_values() {
        members.sort_by_key(|&index| order(timelines, parts, index));
        let mut so_far = 0;
        for index in members {
            let Some(part) = parts.get_mut(index) else {
                continue;
            };
            let billable = (cap - so_far).clamp(0, part.used_millis);
            so_far += part.used_millis;
            let ratio = Exact::ratio(i128::from(billable), i128::from(part.used_millis.max(1)));
            let ratio = ratio.unwrap_or_else(Exact::zero);
            part.quantity = part.quantity.clone() * ratio.clone();
            part.list = part.list.clone() * ratio;
            part.net = part.list.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(up_to: Option<&str>, amount: &str, flat: &str) -> Tier {
        let decimal = |text: &str| Decimal::from_str_exact(text).unwrap();
        Tier {
            up_to: up_to.map(decimal),
            amount: decimal(amount),
            flat: decimal(flat),
        }
    }

    fn at(kind: &PriceKind, quantity: i128) -> String {
        cost(kind, &Exact::from(quantity)).to_string()
    }

    #[test]
    fn upper_bounds_belong_to_their_tier_and_volume_reprices_everything() {
        let tiers = vec![
            tier(Some("5"), "7", "0"),
            tier(Some("10"), "6.5", "0"),
            tier(None, "6", "0"),
        ];
        let volume = PriceKind::Volume(tiers.clone());
        // 5x7, 6x6.5, 20x6, 25x6
        assert_eq!(
            [1, 5, 6, 20, 25].map(|q| at(&volume, q)),
            ["7", "35", "39", "120", "150"]
        );
        let graduated = PriceKind::Graduated(tiers);
        // 5x7 + 1x6.5 = 41.5
        assert_eq!(at(&graduated, 6), "83/2");
    }

    #[test]
    fn blocks_are_charged_when_started() {
        let block = PriceKind::Block {
            size: Decimal::from(10),
            amount: Decimal::from(15),
        };
        assert_eq!(
            [0, 1, 9, 10, 11].map(|q| at(&block, q)),
            ["0", "15", "15", "15", "30"]
        );
    }

    #[test]
    fn the_first_tiers_flat_amount_is_charged_at_zero() {
        let tiers = vec![tier(Some("5"), "0", "100"), tier(None, "5", "0")];
        assert_eq!(at(&PriceKind::Graduated(tiers), 0), "100");
    }
}
