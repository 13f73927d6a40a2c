//! One resource with more time than its window has, over records of several sizes.
//!
//! CloudStack charged volumes with their old and new size for the same day after a resize
//! (CLOUDSTACK.md §2.9, #6717, #13555). Each record is right by itself; only together they
//! have more time than there is.

use std::collections::BTreeMap;

use cloudstack_usage::{Period, ResourceId, UsageType};

use super::coverage::hours;
use super::parts::{Timeline, instant};
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::plan::Plan;
use crate::statement::Placement;
use crate::usage::{Clean, Placed};

/// The windows of one resource: which timeline, and the clean window.
type Windows<'w> = BTreeMap<(i64, i64), Vec<(usize, &'w Clean)>>;

/// Findings for resources whose records of several sizes add up to more than their windows.
pub(crate) fn several_sizes(
    plan: &Plan<'_>,
    view: &[(Timeline<'_, '_>, &[Placed])],
    windows: &[&[Clean]],
) -> Vec<Finding> {
    let mut resources: BTreeMap<(UsageType, ResourceId), Windows<'_>> = BTreeMap::new();
    for (index, ((timeline, _), windows)) in view.iter().zip(windows).enumerate() {
        let key = &timeline.subject.stream.key;
        if key.is_attach_row() || !is_one_thing(key.usage_type) {
            continue;
        }
        let of_resource = resources
            .entry((key.usage_type, key.identity.clone()))
            .or_default();
        for window in *windows {
            of_resource
                .entry((window.start, window.end))
                .or_default()
                .push((index, window));
        }
    }
    resources
        .into_iter()
        .filter_map(|((usage_type, resource), windows)| {
            finding(plan, view, usage_type, resource, &windows)
        })
        .collect()
}

/// What can be there only once at a time.
fn is_one_thing(usage_type: UsageType) -> bool {
    matches!(
        usage_type,
        UsageType::RunningVm | UsageType::AllocatedVm | UsageType::IpAddress | UsageType::Volume
    )
}

fn finding(
    plan: &Plan<'_>,
    view: &[(Timeline<'_, '_>, &[Placed])],
    usage_type: UsageType,
    resource: ResourceId,
    windows: &Windows<'_>,
) -> Option<Finding> {
    let (mut excess, mut value, mut records) = (0, Exact::zero(), 0);
    let mut time: Option<Period> = None;
    let mut account = None;
    for ((start, end), members) in windows {
        let length = i128::from(end - start);
        let used: i128 = members.iter().map(|(_, window)| window.amount).sum();
        let touched = Period::new(instant(*start), instant(*end))
            .ok()
            .filter(|window| window.overlaps(&plan.period));
        let (Some(window), Some((last, _))) = (touched, members.last()) else {
            continue;
        };
        if used <= length || members.len() < 2 {
            continue;
        }
        let over = Placed {
            start: *start,
            end: *end,
            amount: used - length,
            placement: Placement::Spread,
            records: 0,
        };
        let Some((timeline, _)) = view.get(*last) else {
            continue;
        };
        excess += over.amount;
        value += timeline.value(&[over], None);
        records += members
            .iter()
            .map(|(_, window)| window.records)
            .sum::<u64>();
        time = Some(time.map_or(window, |time| time.hull(&window)));
        account = timeline
            .intervals
            .first()
            .map(|first| first.decision.account.clone());
    }
    time?;
    Some(Finding {
        kind: FindingKind::OverWindow,
        policy: Policy::BillAndFlag,
        account,
        owner: None,
        resource_name: None,
        period: time,
        millis: excess,
        records,
        value: Some(value),
        message: format!(
            "{usage_type} of {resource}: records of several sizes or owners have {} more than their windows; all are billed, check which is right",
            hours(excess)
        ),
        resource: Some(resource),
    })
}
