//! Prices that are a percentage of other charges: their quantity is money.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::parts::{Part, Timeline};
use crate::book::model::{Percentage, Price, PriceKind};
use crate::exact::Exact;

/// Where a part was cut from: the same for a charge and what is a percentage of it.
type Cut = (usize, usize, i64, i64, usize);

/// What a unit of money is charged.
pub(super) fn share(percentage: &Percentage) -> Exact {
    Exact::from_decimal(percentage.percent)
        .checked_div(&Exact::from(100))
        .unwrap_or_else(Exact::zero)
}

/// The parts, by their place, whose charge is a percentage of another.
pub(super) fn parts(timelines: &[Timeline<'_, '_>], parts: &[Part]) -> BTreeSet<usize> {
    let indices = parts.iter().enumerate();
    indices
        .filter(|(_, part)| of(timelines, part).is_some())
        .map(|(index, _)| index)
        .collect()
}

fn of(timelines: &[Timeline<'_, '_>], part: &Part) -> Option<usize> {
    let (_, charge) = timelines.get(part.stream)?.charge_of(part)?;
    charge.of
}

/// Gives each percentage the list amount of the part that it is of: what that costs before
/// discounts, with its tiers and factors. Both were cut alike and in the same order.
pub(super) fn take_quantities(timelines: &[Timeline<'_, '_>], parts: &mut [Part]) {
    let cut = |part: &Part, charge| (part.stream, part.interval, part.start, part.end, charge);
    let mut lists: BTreeMap<Cut, VecDeque<Exact>> = BTreeMap::new();
    let mut asked: BTreeSet<(usize, usize, usize)> = BTreeSet::new();
    for part in parts.iter() {
        if let Some(index) = of(timelines, part) {
            asked.insert((part.stream, part.interval, index));
        }
    }
    for part in parts.iter() {
        if asked.contains(&(part.stream, part.interval, part.charge)) {
            let lists = lists.entry(cut(part, part.charge)).or_default();
            lists.push_back(part.list.clone());
        }
    }
    // several percentages may be of one charge: each goes through its parts from the first
    let mut taken: BTreeMap<(Cut, usize), usize> = BTreeMap::new();
    for part in parts.iter_mut() {
        let Some(index) = of(timelines, part) else {
            continue;
        };
        let cut = cut(part, index);
        let turn = taken.entry((cut, part.charge)).or_default();
        let list = lists.get(&cut).and_then(|lists| lists.get(*turn));
        // what is charged once may be gone: then nothing is due for it
        part.quantity = list.cloned().unwrap_or_else(Exact::zero);
        *turn += 1;
    }
}

/// Adds the fee of each VM (or other resource) to its first part, but for those that are
/// free. The members are in order of time.
pub(super) fn add_fees(
    timelines: &[Timeline<'_, '_>],
    parts: &mut [Part],
    members: &[(usize, &Price)],
) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for &(index, price) in members {
        let PriceKind::Percent(percentage) = &price.kind else {
            return;
        };
        let Some(part) = parts.get_mut(index) else {
            continue;
        };
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        let vm = timeline
            .charge_of(part)
            .and_then(|(decision, _)| decision.vm.as_ref());
        let resource = &timeline.subject.stream.key.identity;
        let whose = vm.map_or_else(|| resource.to_string(), ToString::to_string);
        let first = seen.insert(whose);
        if first && seen.len() > usize::try_from(percentage.free_fees).unwrap_or(usize::MAX) {
            part.list += Exact::from_decimal(percentage.fee);
            part.net = part.list.clone();
        }
    }
}
