//! Tiers, blocks and free units by what is there at each moment.
//!
//! At a moment the units of a pool stand in a row, in the order in which they came; each is
//! charged at the tier that it stands in, for as long as it stands there. What is taken away
//! lets the others move up, so that a removal leaves the upper tier first.

use std::collections::BTreeMap;

use cloudstack_usage::ResourceId;

use super::accumulate::due;
use super::parts::{Part, Timeline};
use crate::book::model::{Price, PriceKind};
use crate::exact::Exact;
use crate::usage::share_of;

/// A part of the pool, with how many units it is at each moment of its time.
struct Member<'p> {
    part: usize,
    price: &'p Price,
    /// The price without the flat amounts of its tiers, which are due once and in full.
    by_unit: Price,
    level: Exact,
    start: i64,
    end: i64,
}

/// Gives each part what its units cost at each moment of it; a tier's flat amount falls to
/// the part that first reaches it in the month.
pub(super) fn apply(timelines: &[Timeline<'_, '_>], parts: &mut [Part], pool: &[(usize, &Price)]) {
    let members: Vec<Member<'_>> = pool
        .iter()
        .filter_map(|&(index, price)| member(timelines, parts, index, price))
        .collect();
    let mut lists: Vec<Exact> = members.iter().map(|_| Exact::zero()).collect();
    let mut most = None;
    let mut cuts: Vec<i64> = members
        .iter()
        .flat_map(|member| [member.start, member.end])
        .collect();
    cuts.sort_unstable();
    cuts.dedup();
    let came = arrivals(timelines, parts, &members);
    // those that are there, in the order in which they came, as the cuts go by
    let mut present: BTreeMap<_, usize> = BTreeMap::new();
    let mut coming: Vec<usize> = (0..members.len()).collect();
    coming.sort_by_key(|&at| {
        members
            .get(at)
            .map(|member| std::cmp::Reverse(member.start))
    });
    for cut in cuts.windows(2) {
        let [from, until] = *cut else { continue };
        present.retain(|_, at| members.get(*at).is_some_and(|member| from < member.end));
        while let Some(&at) = coming.last() {
            let Some(member) = members.get(at).filter(|member| member.start <= from) else {
                break;
            };
            coming.pop();
            let arrival = came.get(at).copied().unwrap_or(member.start);
            present.insert((arrival, resource(timelines, parts, member), at), at);
        }
        let row: Vec<(usize, &Member<'_>)> = present
            .values()
            .filter_map(|&at| Some((at, members.get(at)?)))
            .collect();
        let total: Exact = row.iter().map(|(_, member)| &member.level).sum();
        let mut before = Exact::zero();
        for (at, member) in row {
            let after = before.clone() + member.level.clone();
            let cost = due(&member.by_unit, &after, &total) - due(&member.by_unit, &before, &total);
            let flats = flats(member.price, &after, most.as_ref());
            if let (Some(list), Some(part)) = (lists.get_mut(at), parts.get(member.part)) {
                *list += in_time(member, part, cost, (from, until)) + flats;
            }
            most = most.max(Some(after.clone()));
            before = after;
        }
    }
    for (member, list) in members.iter().zip(lists) {
        if let Some(part) = parts.get_mut(member.part) {
            part.net = list.clone();
            part.list = list;
        }
    }
}

/// The resource of a member.
fn resource(
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    member: &Member<'_>,
) -> Option<ResourceId> {
    let timeline = timelines.get(parts.get(member.part)?.stream)?;
    Some(timeline.subject.stream.key.identity.clone())
}

/// When each member's resource came that has been there ever since: its use is told window by
/// window, and neither a window nor a cut makes it come again.
fn arrivals(timelines: &[Timeline<'_, '_>], parts: &[Part], members: &[Member<'_>]) -> Vec<i64> {
    let mut came: Vec<i64> = members.iter().map(|member| member.start).collect();
    let mut in_time: Vec<(usize, &Member<'_>)> = members.iter().enumerate().collect();
    in_time.sort_by_key(|(at, member)| (member.start, member.end, *at));
    let mut there: BTreeMap<Option<ResourceId>, (i64, i64)> = BTreeMap::new();
    for (at, member) in in_time {
        let stay = there
            .entry(resource(timelines, parts, member))
            .or_insert((member.start, member.end));
        if stay.1 < member.start {
            *stay = (member.start, member.end);
        }
        stay.1 = stay.1.max(member.end);
        if let Some(arrival) = came.get_mut(at) {
            *arrival = stay.0;
        }
    }
    came
}

fn member<'p>(
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    index: usize,
    price: &'p Price,
) -> Option<Member<'p>> {
    let part = parts.get(index)?;
    let timeline = timelines.get(part.stream)?;
    let (_, charge) = timeline.charge_of(part)?;
    let units = Exact::ratio(charge.level, price.unit.size())?;
    // that of the whole use: a cut leaves whole milliseconds on both sides, and no level changes
    let (start, end) = part.use_of;
    let used = Exact::ratio(i128::from(part.use_millis), i128::from(end - start))?;
    let mut by_unit = price.clone();
    if let PriceKind::Graduated(tiers) = &mut by_unit.kind {
        for tier in tiers {
            tier.flat = rust_decimal::Decimal::ZERO;
        }
    }
    Some(Member {
        part: index,
        price,
        by_unit,
        level: units * used,
        start: part.start,
        end: part.end,
    })
}

/// What `cost` for the level is for a time within the part, by the part's own quantity. The use
/// is split as records are, cumulatively from its beginning, so that no cut moves anything.
fn in_time(member: &Member<'_>, part: &Part, cost: Exact, (from, until): (i64, i64)) -> Exact {
    let (start, end) = part.use_of;
    let before = |at: i64| share_of(i128::from(part.use_millis), at - start, end - start);
    let used = before(until) - before(from);
    let share = Exact::ratio(used, i128::from(part.used_millis.max(1)));
    let quantity = part.quantity.clone() * share.unwrap_or_else(Exact::zero);
    (quantity * cost)
        .checked_div(&member.level)
        .unwrap_or_else(Exact::zero)
}

/// The flat amounts of the tiers that so many units reach, and `most`, the units that were ever
/// there before, did not. The first tier is reached as soon as something is there.
fn flats(price: &Price, units: &Exact, most: Option<&Exact>) -> Exact {
    let PriceKind::Graduated(tiers) = &price.kind else {
        return Exact::zero();
    };
    let free = price.free.map_or_else(Exact::zero, Exact::from_decimal);
    let billable = |units: &Exact| (units.clone() - free.clone()).max(Exact::zero());
    let (now, before) = (billable(units), most.map(billable));
    let mut sum = Exact::zero();
    let mut begins: Option<Exact> = None;
    for tier in tiers {
        let reaches = |units: &Exact| begins.as_ref().is_none_or(|begins| units > begins);
        if reaches(&now) && !before.as_ref().is_some_and(reaches) {
            sum += Exact::from_decimal(tier.flat);
        }
        begins = tier.up_to.map(Exact::from_decimal);
    }
    sum
}
