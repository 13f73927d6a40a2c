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
type Windows = BTreeMap<(i64, i64), Vec<(usize, Clean)>>;

/// Findings for resources whose records of several sizes add up to more than their windows.
/// Timelines come in the order of their streams, so those of a resource lie side by side.
pub(crate) fn several_sizes(
    plan: &Plan<'_>,
    view: &[(Timeline<'_, '_>, &[Placed])],
    windows: &[&[Clean]],
) -> Vec<Finding> {
    let key = |index: usize| Some(&view.get(index)?.0.subject.stream.key);
    let measured: Vec<usize> = (0..view.len())
        .filter(|&index| {
            key(index).is_some_and(|key| !key.is_attach_row() && is_one_thing(key.usage_type))
        })
        .collect();
    let resource = |index: usize| key(index).map(|key| (key.usage_type, &key.identity));
    measured
        .chunk_by(|left, right| resource(*left) == resource(*right))
        .filter(|members| members.len() > 1)
        .filter_map(|members| {
            let (usage_type, resource) = resource(*members.first()?)?;
            let windows = by_window(members, windows);
            finding(plan, view, usage_type, resource.clone(), &windows)
        })
        .collect()
}

fn by_window(members: &[usize], windows: &[&[Clean]]) -> Windows {
    let mut by_window = Windows::new();
    for &index in members {
        let of_member = windows.get(index).into_iter().copied().flatten();
        for window in of_member.flat_map(Clean::each) {
            by_window
                .entry((window.start, window.end))
                .or_default()
                .push((index, window));
        }
    }
    by_window
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
    windows: &Windows,
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
            windows: 1,
            continues: false,
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
