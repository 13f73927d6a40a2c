//! Findings of records that cannot be right: one for each kind and stream.

use cloudstack_usage::{Period, Unit};

use super::coverage::hours;
use super::findings::{base_finding, describe};
use super::parts::{Timeline, instant};
use crate::finding::{Finding, FindingKind, Policy};
use crate::plan::Plan;
use crate::statement::Placement;
use crate::usage::{Doubt, Placed};

/// The doubts of a stream that touch the period, those of one kind as one finding: how many
/// records, how much, and from the first window to the last.
pub(super) fn findings(
    plan: &Plan<'_>,
    timeline: &Timeline<'_, '_>,
    doubts: &[Doubt],
) -> Vec<Finding> {
    let kinds = [
        FindingKind::Duplicate,
        FindingKind::Overlap,
        FindingKind::OverWindow,
    ];
    let of_kind = |kind: FindingKind| {
        let touching = doubts.iter().filter_map(|doubt| {
            let (of, held) = placed(doubt);
            (of == kind && plan.touches(held.start, held.end)).then_some(held)
        });
        touching.collect::<Vec<Placed>>()
    };
    kinds
        .into_iter()
        .filter_map(|kind| finding(plan, timeline, kind, &of_kind(kind)))
        .collect()
}

/// Running time that CloudStack's usage events contradict, that of a stream as one finding.
pub(super) fn events_differ(
    plan: &Plan<'_>,
    timeline: &Timeline<'_, '_>,
    contradicted: &[Placed],
) -> Option<Finding> {
    let touching = contradicted
        .iter()
        .filter(|window| plan.touches(window.start, window.end));
    let touching: Vec<Placed> = touching.copied().collect();
    finding(plan, timeline, FindingKind::EventsDiffer, &touching)
}

/// What is doubted, with the records that are held for it.
fn placed(doubt: &Doubt) -> (FindingKind, Placed) {
    let (kind, start, end, amount, records) = match *doubt {
        Doubt::Duplicate {
            start,
            end,
            amount,
            copies,
        } => {
            let amount = amount.saturating_mul(i128::from(copies));
            (FindingKind::Duplicate, start, end, amount, copies)
        }
        Doubt::Overlap {
            start,
            end,
            amount,
            records,
        } => (FindingKind::Overlap, start, end, amount, records),
        Doubt::OverWindow {
            start,
            end,
            amount,
            records,
        } => (FindingKind::OverWindow, start, end, amount, records),
    };
    let held = Placed {
        start,
        end,
        amount,
        placement: Placement::Spread,
        records,
        windows: 1,
        continues: false,
    };
    (kind, held)
}

fn finding(
    plan: &Plan<'_>,
    timeline: &Timeline<'_, '_>,
    kind: FindingKind,
    doubted: &[Placed],
) -> Option<Finding> {
    let start = doubted.iter().map(|held| held.start).min()?;
    let end = doubted.iter().map(|held| held.end).max()?;
    let period = Period::new(instant(start), instant(end)).ok()?;
    let records = doubted.iter().map(|held| held.records).sum();
    let amount = doubted
        .iter()
        .fold(0_i128, |sum, held| sum.saturating_add(held.amount));
    let policies = plan.book.findings;
    let policy = match kind {
        FindingKind::Duplicate => policies.duplicate,
        FindingKind::Overlap => policies.overlap,
        FindingKind::EventsDiffer => Policy::BillAndFlag,
        _ => policies.over_window,
    };
    let windows = match doubted.len() {
        1 => format!("window {period}"),
        many => format!("{many} windows in {period}"),
    };
    let key = &timeline.subject.stream.key;
    let is_time = key.usage_type.unit() == Some(Unit::Time);
    let message = format!(
        "{}, {windows}: {}",
        describe(timeline),
        words(kind, policy, records, amount)
    );
    Some(Finding {
        period: Some(period),
        millis: if is_time { amount } else { 0 },
        records,
        value: (!key.is_attach_row()).then(|| timeline.value(doubted, None)),
        message,
        ..base_finding(kind, policy, timeline)
    })
}

fn words(kind: FindingKind, policy: Policy, records: u64, amount: i128) -> String {
    let done = match policy {
        Policy::BillAndFlag => "billed all the same",
        Policy::BillOnce => "billed once",
        Policy::Clip => "that is held",
        Policy::Hold => "the whole record is held",
    };
    match kind {
        FindingKind::Duplicate => format!("{records} more identical record(s); {done}"),
        FindingKind::EventsDiffer => format!(
            "{} more or less than the starts and stops of CloudStack's usage events; billed as recorded, check which is right",
            hours(amount)
        ),
        FindingKind::Overlap => format!("repeats what another window has; {done}"),
        _ if policy == Policy::Hold => format!("{} in a shorter window; {done}", hours(amount)),
        _ => format!("{} more than its window has; {done}", hours(amount)),
    }
}
