//! Amounts that depend on what else was used in the month: free units, tiers, blocks, fees
//! charged once, and the 672-hour cap.

use std::collections::BTreeMap;

use cloudstack_usage::{DomainId, Holder, ResourceId};
use rust_decimal::Decimal;

use super::parts::{Part, Timeline};
use super::{moment, percentage};
use crate::book::model::{
    Accumulation, Basis, CountOver, Per, Price, PriceBook, PriceKind, Target, Tier,
};
use crate::exact::Exact;
use crate::plan::{asked_basis, basis_of};

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
    if book.prices.iter().any(|price| price.per == Per::Once) {
        charge_once(book, timelines, parts);
    }
    if let Some(cap) = book.month.cap_millis() {
        cap_hours(book, cap, timelines, parts);
    }
    if !book.prices.iter().any(Price::accumulates) {
        return;
    }
    let series = series(book);
    let percentages = percentage::parts(timelines, parts);
    let others = |index: &usize| !percentages.contains(index);
    let all = 0..parts.len();
    by_pool(
        book,
        timelines,
        parts,
        &series,
        all.filter(others).collect(),
    );
    percentage::take_quantities(timelines, parts);
    by_pool(
        book,
        timelines,
        parts,
        &series,
        percentages.into_iter().collect(),
    );
}

/// Applies accumulating prices to these parts, pool by pool and month by month.
fn by_pool(
    book: &PriceBook,
    timelines: &[Timeline<'_, '_>],
    parts: &mut [Part],
    series: &[usize],
    indices: Vec<usize>,
) {
    let mut pools: BTreeMap<(usize, usize, Pool), Vec<usize>> = BTreeMap::new();
    for index in indices {
        let Some(part) = parts.get(index) else {
            continue;
        };
        let Some((price_index, price)) = charged_price(book, timelines, part) else {
            continue;
        };
        if price.accumulates() && price.per != Per::Once {
            let Some(pool) = pool(price.accumulate, timelines, part) else {
                continue;
            };
            let series = series.get(price_index).copied().unwrap_or(price_index);
            pools
                .entry((series, part.month, pool))
                .or_default()
                .push(index);
        }
    }
    for mut members in pools.into_values() {
        members.sort_by_key(|&index| order(timelines, parts, index));
        let priced: Vec<(usize, &Price)> = members
            .into_iter()
            .filter_map(|index| {
                let (_, price) = charged_price(book, timelines, parts.get(index)?)?;
                Some((index, price))
            })
            .collect();
        // prices of one series count alike
        match priced.first().map(|(_, price)| price.count_over) {
            Some(CountOver::Moment) => moment::apply(timelines, parts, &priced),
            _ => apply(parts, &priced),
        }
        percentage::add_fees(timelines, parts, &priced);
        for &(index, _) in &priced {
            times_factors(timelines, parts.get_mut(index));
        }
    }
}

/// What a part's quantity makes of its price, times the factors on it.
fn times_factors(timelines: &[Timeline<'_, '_>], part: Option<&mut Part>) {
    let Some(part) = part else { return };
    let Some(timeline) = timelines.get(part.stream) else {
        return;
    };
    if let Some((_, charge)) = timeline.charge_of(part) {
        part.list = timeline.times(charge, part.list.clone());
        part.net = part.list.clone();
    }
}

/// For each price the first one that is for the same thing and customer: prices that follow
/// each other in time go on counting where the one before stopped.
fn series(book: &PriceBook) -> Vec<usize> {
    let same = |left: &Price, right: &Price| {
        left.target == right.target
            && left.scope == right.scope
            && left.selector == right.selector
            && left.basis == right.basis
            && (left.per, left.unit) == (right.per, right.unit)
            && (left.accumulate, left.count_over) == (right.accumulate, right.count_over)
    };
    book.prices
        .iter()
        .enumerate()
        .map(|(index, price)| {
            let first = book.prices.iter().position(|other| same(other, price));
            first.unwrap_or(index)
        })
        .collect()
}

/// Where a part stands in the order of time.
type Order = (i64, i64, Option<ResourceId>, usize, i64);

/// Order of time, by the use that a part was cut from and not by the cut: a cut that decides
/// nothing here (a tag that came, a discount that went) must not let one resource's free
/// units go to another. Only the beginning of its own price moves a part back in the order.
/// Ties go by the resource: the same for any order of input.
fn order(timelines: &[Timeline<'_, '_>], parts: &[Part], index: usize) -> Order {
    let Some(part) = parts.get(index) else {
        return (0, 0, None, index, 0);
    };
    let timeline = timelines.get(part.stream);
    let resource = timeline.map(|timeline| timeline.subject.stream.key.identity.clone());
    let begins = timeline
        .and_then(|timeline| timeline.price_of(part))
        .map_or(i64::MIN, |price| price.validity.start().timestamp_millis());
    let (start, end) = part.use_of;
    (start.max(begins), end, resource, part.stream, part.start)
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
        // a percentage is of the VM with its volumes
        Accumulation::Resource => match timeline.percentage_vm(part) {
            Some(vm) => Pool::Resource(ResourceId::new(&vm.to_string()), key.holder.clone()),
            None => Pool::Resource(key.identity.clone(), key.holder.clone()),
        },
        Accumulation::Project => Pool::Holder(decision.domain.clone(), key.holder.clone()),
        Accumulation::Domain => Pool::Domain(decision.domain.clone()),
        Accumulation::Account => Pool::Account(decision.account.clone()),
    })
}

/// Gives each part the difference that it makes, at its own price, to the cost of the
/// quantity so far.
fn apply(parts: &mut [Part], members: &[(usize, &Price)]) {
    let total: Exact = members
        .iter()
        .filter_map(|&(index, _)| parts.get(index))
        .map(|part| &part.quantity)
        .sum();
    let mut so_far: Option<Exact> = None;
    for &(index, price) in members {
        let Some(part) = parts.get_mut(index) else {
            continue;
        };
        // what is due at zero falls to the first part, since nothing is paid before it
        let paid = so_far
            .as_ref()
            .map_or_else(Exact::zero, |before| due(price, before, &total));
        let next = so_far.unwrap_or_else(Exact::zero) + part.quantity.clone();
        part.list = due(price, &next, &total) - paid;
        part.net = part.list.clone();
        so_far = Some(next);
    }
}

/// What the first `quantity` of the month's `total` costs, free units taken off both.
pub(super) fn due(price: &Price, quantity: &Exact, total: &Exact) -> Exact {
    let free = price.free.map_or_else(Exact::zero, Exact::from_decimal);
    let billable = |quantity: &Exact| (quantity.clone() - free.clone()).max(Exact::zero());
    let (quantity, all) = (billable(quantity), billable(total));
    match &price.kind {
        // all units at the price of the total's tier: each part has its share
        PriceKind::Volume(tiers) if !all.is_zero() => share(tiers, &all, &quantity),
        kind => cost(kind, &quantity),
    }
}

/// The cost of the first `quantity` units.
pub(crate) fn cost(kind: &PriceKind, quantity: &Exact) -> Exact {
    match kind {
        PriceKind::PerUnit(amount) => quantity.clone() * Exact::from_decimal(*amount),
        PriceKind::Flat(amount) => Exact::from_decimal(*amount),
        PriceKind::Percent(percentage) => quantity.clone() * percentage::share(percentage),
        PriceKind::Block { size, amount } => {
            let blocks = quantity
                .checked_div(&Exact::from_decimal(*size))
                .unwrap_or_else(Exact::zero);
            let (whole, rest) = blocks.floor(0);
            let started = if rest.is_zero() { whole } else { whole + 1 };
            Exact::from(started) * Exact::from_decimal(*amount)
        }
        PriceKind::Graduated(tiers) => graduated(tiers, quantity),
        PriceKind::Volume(tiers) => tier_of(tiers, quantity).map_or_else(Exact::zero, |tier| {
            quantity.clone() * Exact::from_decimal(tier.amount) + Exact::from_decimal(tier.flat)
        }),
    }
}

/// The tier that a total falls in.
fn tier_of<'t>(tiers: &'t [Tier], total: &Exact) -> Option<&'t Tier> {
    tiers.iter().find(|tier| {
        tier.up_to
            .is_none_or(|bound| *total <= Exact::from_decimal(bound))
    })
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
    let Some(tier) = tier_of(tiers, total) else {
        return Exact::zero();
    };
    let flat = Exact::from_decimal(tier.flat) * quantity.clone();
    quantity.clone() * Exact::from_decimal(tier.amount)
        + flat.checked_div(total).unwrap_or_else(Exact::zero)
}

/// The price of a unit in the first tier, for values of findings.
pub(crate) fn unit_price(kind: &PriceKind) -> Option<Exact> {
    let amount: Decimal = match kind {
        PriceKind::PerUnit(amount) => *amount,
        PriceKind::Flat(_) => Decimal::ZERO,
        PriceKind::Percent(percentage) => return Some(percentage::share(percentage)),
        PriceKind::Block { size, amount } => {
            return Exact::from_decimal(*amount).checked_div(&Exact::from_decimal(*size));
        }
        PriceKind::Graduated(tiers) | PriceKind::Volume(tiers) => tiers.first()?.amount,
    };
    Some(Exact::from_decimal(amount))
}

/// What a resource has one price for: a thing, of which a VM's running and allocated time may
/// cost something each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Priced<'b> {
    target: &'b Target,
    basis: Option<Basis>,
    resource: ResourceId,
}

impl<'b> Priced<'b> {
    fn of(price: &'b Price, timeline: &Timeline<'_, '_>) -> Self {
        Self {
            target: &price.target,
            basis: asked_basis(&price.target, basis_of(&timeline.subject)),
            resource: timeline.subject.stream.key.identity.clone(),
        }
    }
}

/// A fee that is charged once stays with the first part of a resource that came into being
/// within the period; all other parts of it cost nothing and are dropped. Another price or
/// owner later in the period makes no second fee.
fn charge_once(book: &PriceBook, timelines: &[Timeline<'_, '_>], parts: &mut Vec<Part>) {
    let mut first: BTreeMap<Priced<'_>, usize> = BTreeMap::new();
    let mut drop = vec![false; parts.len()];
    for index in 0..parts.len() {
        let Some(part) = parts.get(index) else {
            continue;
        };
        let Some((_, price)) = charged_price(book, timelines, part) else {
            continue;
        };
        if price.per != Per::Once {
            continue;
        }
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        let born_now = timeline.born_in_period();
        let key = Priced::of(price, timeline);
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

/// A resource pays no more of a month than the profile's hours, or days.
fn cap_hours(book: &PriceBook, cap: i64, timelines: &[Timeline<'_, '_>], parts: &mut [Part]) {
    let mut months: BTreeMap<(usize, Priced<'_>), Vec<usize>> = BTreeMap::new();
    for (index, part) in parts.iter().enumerate() {
        let Some((_, price)) = charged_price(book, timelines, part) else {
            continue;
        };
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        if price.per == Per::Month {
            let priced = Priced::of(price, timeline);
            months.entry((part.month, priced)).or_default().push(index);
        }
    }
    for mut members in months.into_values() {
        members.sort_by_key(|&index| order(timelines, parts, index));
        let mut so_far = 0;
        for index in members {
            let Some(part) = parts.get_mut(index) else {
                continue;
            };
            let billable = (cap - so_far).clamp(0, part.counted_millis);
            so_far = so_far.saturating_add(part.counted_millis);
            let ratio = Exact::ratio(i128::from(billable), i128::from(part.counted_millis.max(1)));
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
