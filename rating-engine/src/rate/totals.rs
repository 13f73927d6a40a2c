//! From parts to exact sums, without lines.

use cloudstack_usage::{DomainId, Holder};

use super::limits::TrueUp;
use super::lines::cost_centre_of;
use super::parts::{Part, Timeline};
use crate::book::model::Target;
use crate::exact::Exact;
use crate::plan::Plan;
use crate::statement::Item;
use crate::totals::{Total, Totals};

/// What the sums of one resource and usage type are apart by.
type Key<'t> = (
    &'t DomainId,
    &'t Holder,
    &'t DomainId,
    Option<&'t str>,
    &'t Target,
);

/// The sums of all parts, which come in the order of their streams, then of minimum charges.
pub(super) fn totals(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    true_ups: &[TrueUp],
) -> Totals {
    let mut totals = Vec::new();
    // streams of one resource and type lie side by side
    let whose = |part: &Part| {
        let key = &timelines.get(part.stream)?.subject.stream.key;
        Some((key.usage_type, &key.identity))
    };
    for of_resource in parts.chunk_by(|left, right| whose(left) == whose(right)) {
        add(timelines, of_resource, &mut totals);
    }
    totals.extend(true_ups.iter().map(|true_up| of_minimum(plan, true_up)));
    Totals {
        period: plan.period,
        currency: plan.book.currency,
        totals,
    }
}

/// Adds the sums of one resource and usage type.
fn add(timelines: &[Timeline<'_, '_>], parts: &[Part], totals: &mut Vec<Total>) {
    let mut keyed: Vec<(Key<'_>, &Part)> = parts
        .iter()
        .filter_map(|part| Some((key(timelines, part)?, part)))
        .collect();
    keyed.sort_by_key(|(key, _)| *key);
    for group in keyed.chunk_by(|(left, _), (right, _)| left == right) {
        let Some(((domain, holder, account, cost_centre, target), part)) = group.first() else {
            continue;
        };
        let Some(timeline) = timelines.get(part.stream) else {
            continue;
        };
        let stream = &timeline.subject.stream.key;
        totals.push(Total {
            account: (*account).clone(),
            domain: (*domain).clone(),
            holder: (*holder).clone(),
            cost_centre: cost_centre.map(str::to_owned),
            resource: stream.identity.clone(),
            usage_type: Some(stream.usage_type),
            item: Item::of(target),
            net: group.iter().map(|(_, part)| &part.net).sum::<Exact>(),
        });
    }
}

fn key<'t>(timelines: &'t [Timeline<'_, '_>], part: &Part) -> Option<Key<'t>> {
    let timeline = timelines.get(part.stream)?;
    let (decision, charge) = timeline.charge_of(part)?;
    Some((
        &decision.domain,
        &timeline.subject.stream.key.holder,
        &decision.account,
        decision.cost_centre.as_deref(),
        &charge.target,
    ))
}

fn of_minimum(plan: &Plan<'_>, true_up: &TrueUp) -> Total {
    let limit = plan.book.limits.get(true_up.limit);
    Total {
        account: true_up.account.clone(),
        domain: true_up.domain.clone(),
        holder: true_up.holder.clone(),
        cost_centre: cost_centre_of(plan, true_up),
        resource: true_up.resource.clone(),
        usage_type: None,
        item: Item::Minimum(limit.map(|limit| limit.id.clone()).unwrap_or_default()),
        net: true_up.amount.clone(),
    }
}
