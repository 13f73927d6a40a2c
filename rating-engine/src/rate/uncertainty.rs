//! Moments that are not known for certain, with the money that hangs on them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, MomentSource, Period, ResourceId, Span};

use super::coverage::hours;
use super::parts::Timeline;
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::plan::{Held, Hold, Override, Plan, unknown_values};
use crate::usage::Placed;

/// A doubt about a tag: from when to when the other state may have been true.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Doubt {
    kind: FindingKind,
    resource: ResourceId,
    key: String,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    /// The value in that other state.
    other: Option<String>,
    what: String,
}

/// What hangs on a doubt.
struct Stake {
    account: DomainId,
    /// What the states cost more or less than each other, added over the streams.
    value: Exact,
    matters: bool,
    /// The streams that it concerns, each with its use in doubt, where the book holds back.
    streams: Vec<(usize, Vec<Placed>)>,
}

/// What is not known for certain, and what the book holds back for it.
#[derive(Default)]
pub(crate) struct Uncertain {
    pub(crate) findings: Vec<Finding>,
    pub(crate) holds: Vec<Hold>,
}

/// Tags without history and changes between two syncs, each with what it decides in money.
/// `timelines` are those of what the inventory says, each with its placed use.
pub(crate) fn uncertain(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    placed: &[&[Placed]],
) -> Uncertain {
    let mut uncertain = Uncertain::default();
    for (timeline, placed) in timelines.iter().zip(placed) {
        uncertain.sizes(plan, timeline, placed);
    }
    for (doubt, stake) in stakes(plan, timelines, placed) {
        uncertain.tag(plan, timelines, doubt, stake);
    }
    uncertain
}

/// Tags that decide nothing have no stake.
fn stakes(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    placed: &[&[Placed]],
) -> BTreeMap<Doubt, Stake> {
    let mut stakes: BTreeMap<Doubt, Stake> = BTreeMap::new();
    for (index, (timeline, placed)) in timelines.iter().zip(placed).enumerate() {
        for doubt in doubts(plan, timeline) {
            let over = doubt.instead();
            let clip = |span: &Placed| {
                span.clip(
                    doubt.from.timestamp_millis(),
                    doubt.until.timestamp_millis(),
                )
            };
            let placed: Vec<Placed> = placed.iter().filter_map(clip).collect();
            if placed.is_empty() {
                continue;
            }
            let is = timeline.value(&placed, None);
            let other = timeline.value(&placed, Some(&over));
            let moved = doubt.key == plan.book.cost_centre_key
                && timeline.cost_centre_differs(&placed, &over);
            // another cost centre moves the whole amount
            let value = if moved {
                is.clone()
            } else {
                distance(&is, &other)
            };
            let Some(account) = account(timeline) else {
                continue;
            };
            let holds_back = wanted(plan, doubt.kind) == Policy::Hold;
            let stake = stakes.entry(doubt).or_insert_with(|| Stake {
                account,
                value: Exact::zero(),
                matters: false,
                streams: Vec::new(),
            });
            stake.matters |= moved || is != other;
            stake.value += value;
            if holds_back {
                stake.streams.push((index, placed));
            }
        }
    }
    stakes.retain(|_, stake| stake.matters);
    stakes
}

fn account(timeline: &Timeline<'_, '_>) -> Option<DomainId> {
    let first = timeline.intervals.first();
    first.map(|first| first.decision.account.clone())
}

impl Doubt {
    /// The other state.
    fn instead(&self) -> Override {
        Override {
            resource: self.resource.clone(),
            key: self.key.clone(),
            value: self.other.clone(),
        }
    }
}

impl Uncertain {
    fn tag(&mut self, plan: &Plan<'_>, timelines: &[Timeline<'_, '_>], doubt: Doubt, stake: Stake) {
        if wanted(plan, doubt.kind) != Policy::Hold {
            self.findings.push(finding(plan, doubt, stake, None));
            return;
        }
        let hold = Hold {
            from: doubt.from,
            until: doubt.until,
            what: Held::Tag(doubt.instead()),
        };
        // nothing can be held where both states cost the same: of another cost centre's
        // amount nobody doubts that it is owed
        let dearer = self.dearer(timelines, &stake, &hold);
        let unbilled = (!dearer.is_zero()).then(|| distance(&dearer, &Exact::zero()));
        self.findings.push(finding(plan, doubt, stake, unbilled));
        if dearer > Exact::zero() {
            self.holds.push(hold);
        }
    }

    /// What the state that counts costs more than the other one, with all streams and with
    /// what is held already: two packages that include the same may not both be left out.
    fn dearer(&self, timelines: &[Timeline<'_, '_>], stake: &Stake, hold: &Hold) -> Exact {
        let streams = stake.streams.iter();
        let differences = streams.filter_map(|(stream, placed)| {
            let timeline = timelines.get(*stream)?;
            let is = timeline.value_holding(placed, &self.holds);
            let other = timeline.value_holding(placed, self.holds.iter().chain([hold]));
            Some(is - other)
        });
        differences.sum()
    }

    /// Sizes that come from the inventory and changed between two syncs.
    fn sizes(&mut self, plan: &Plan<'_>, timeline: &Timeline<'_, '_>, placed: &[Placed]) {
        for (size, from, until) in timeline.subject.uncertain_sizes() {
            let clip = |span: &Placed| span.clip(from.timestamp_millis(), until.timestamp_millis());
            let placed: Vec<Placed> = placed.iter().filter_map(clip).collect();
            let Ok(time) = Period::new(from, until) else {
                continue;
            };
            let Some(period) = time.intersect(&plan.period).filter(|_| !placed.is_empty()) else {
                continue;
            };
            let resource = timeline.subject.stream.key.identity.clone();
            let hold = Hold {
                from,
                until,
                what: Held::Size {
                    vm: resource.clone(),
                    size,
                },
            };
            let is = timeline.value(&placed, None);
            let other = timeline.value_holding(&placed, [&hold]);
            if is == other {
                continue;
            }
            let holds_back = plan.book.findings.uncertain_moment == Policy::Hold;
            let value = distance(&is, &other);
            if holds_back && is > other {
                self.holds.push(hold);
            }
            let name = resource_name(plan, &resource);
            self.findings.push(Finding {
                kind: FindingKind::UncertainMoment,
                policy: policy(holds_back),
                account: account(timeline),
                owner: None,
                resource: Some(resource),
                resource_name: Some(name.clone()),
                period: Some(period),
                millis: i128::from(period.millis()),
                records: 0,
                value: Some(value),
                message: format!(
                    "{name}: {} changed between two syncs, and its records carry none{}",
                    size.words(),
                    held_words(holds_back)
                ),
            });
        }
    }
}

/// What the book does about a doubt.
fn wanted(plan: &Plan<'_>, kind: FindingKind) -> Policy {
    match kind {
        FindingKind::NoHistory => plan.book.findings.no_history,
        _ => plan.book.findings.uncertain_moment,
    }
}

fn policy(held: bool) -> Policy {
    if held {
        Policy::Hold
    } else {
        Policy::BillAndFlag
    }
}

fn held_words(held: bool) -> &'static str {
    if held {
        "; the cheaper state counts, the rest is held"
    } else {
        ""
    }
}

fn distance(left: &Exact, right: &Exact) -> Exact {
    if left > right {
        left.clone() - right.clone()
    } else {
        right.clone() - left.clone()
    }
}

fn doubts(plan: &Plan<'_>, timeline: &Timeline<'_, '_>) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for (resource, tags) in timeline.subject.tag_histories() {
        for (key, history) in tags.iter().filter(|(key, _)| plan.reads_tag(key)) {
            let spans = history.spans();
            for (index, span) in spans.iter().enumerate() {
                // one value in place of another is one doubt: that of the new one's coming
                let is_replaced = spans.get(index + 1).is_some_and(|next| {
                    Some(next.began.at) == span.ended.map(|ended| ended.at)
                        && next.began.not_before.is_some()
                });
                doubts.extend(doubts_of(plan, &resource, key, span, is_replaced));
            }
        }
    }
    doubts
}

fn doubts_of(
    plan: &Plan<'_>,
    resource: &ResourceId,
    key: &str,
    span: &Span<String>,
    is_replaced: bool,
) -> Vec<Doubt> {
    let doubt = |kind, from, until, other: Option<String>, what: String| Doubt {
        kind,
        resource: resource.clone(),
        key: key.to_owned(),
        from,
        until,
        other,
        what,
    };
    let value = &span.value;
    let mut doubts = Vec::new();
    if span.began.source == MomentSource::Created {
        let sync = plan
            .inventory
            .syncs
            .iter()
            .find(|sync| **sync > span.period.start());
        if let Some(sync) = sync {
            let what = format!(
                "tag {key}={value} was there at the first sync; it counts since the creation"
            );
            doubts.push(doubt(
                FindingKind::NoHistory,
                span.period.start(),
                *sync,
                None,
                what,
            ));
        }
    }
    if let Some(not_before) = span.began.not_before {
        let what =
            format!("tag {key}={value} came between two syncs; it counts from the one that saw it");
        let other = Some(value.clone());
        doubts.push(doubt(
            FindingKind::UncertainMoment,
            not_before,
            span.began.at,
            other,
            what,
        ));
    }
    if let Some(ended) = span.ended.filter(|_| !is_replaced)
        && let Some(not_before) = ended.not_before
    {
        let what = format!(
            "tag {key}={value} went between two syncs; it counts until the one that missed it"
        );
        doubts.push(doubt(
            FindingKind::UncertainMoment,
            not_before,
            ended.at,
            None,
            what,
        ));
    }
    doubts.retain(|doubt| {
        Period::new(doubt.from, doubt.until).is_ok_and(|time| time.overlaps(&plan.period))
    });
    doubts
}

/// `unbilled`: the money that is held, where the cheaper state counts.
fn finding(plan: &Plan<'_>, doubt: Doubt, stake: Stake, unbilled: Option<Exact>) -> Finding {
    let period = Period::new(doubt.from, doubt.until)
        .ok()
        .and_then(|time| time.intersect(&plan.period));
    let millis = period.map_or(0, |period| i128::from(period.millis()));
    let name = resource_name(plan, &doubt.resource);
    Finding {
        kind: doubt.kind,
        policy: policy(unbilled.is_some()),
        account: Some(stake.account),
        owner: None,
        resource_name: Some(name.clone()),
        message: format!(
            "{name}: {} ({} uncertain){}; set a label to fix it",
            doubt.what,
            hours(millis),
            held_words(unbilled.is_some())
        ),
        resource: Some(doubt.resource),
        period,
        millis,
        records: 0,
        value: Some(unbilled.unwrap_or(stake.value)),
    }
}

/// The name of a VM, volume, project or other resource.
fn resource_name(plan: &Plan<'_>, resource: &ResourceId) -> String {
    let inventory = plan.inventory;
    let vm = inventory
        .vms
        .get(&resource.clone().into())
        .and_then(|entry| entry.name.last());
    let volume = || {
        inventory
            .volumes
            .get(&resource.clone().into())
            .and_then(|entry| entry.name.last())
    };
    let project = || {
        inventory
            .projects
            .get(&resource.clone().into())
            .and_then(|entry| entry.name.last())
    };
    let other = || {
        inventory
            .resources
            .get(resource)
            .and_then(|entry| entry.name.last())
    };
    let name = vm.or_else(volume).or_else(project).or_else(other);
    name.cloned().unwrap_or_else(|| resource.to_string())
}

/// Findings for tag values that look like the book's but are none of them.
pub(crate) fn unknown_tag_findings(
    plan: &Plan<'_>,
    timelines: &[(Timeline<'_, '_>, &[Placed])],
) -> Vec<Finding> {
    let mut seen: BTreeMap<(ResourceId, String), (DomainId, Period)> = BTreeMap::new();
    for (timeline, _) in timelines {
        let Some(first) = timeline.intervals.first() else {
            continue;
        };
        for (resource, tags) in timeline.subject.tag_histories() {
            for (key, history) in tags.iter() {
                for span in history
                    .spans()
                    .iter()
                    .filter(|span| span.period.overlaps(&plan.period))
                {
                    for text in unknown_values(plan, key, &span.value) {
                        let place = (resource.clone(), text);
                        let value = (first.decision.account.clone(), span.period);
                        seen.entry(place).or_insert(value);
                    }
                }
            }
        }
    }
    seen.into_iter()
        .map(|((resource, text), (account, time))| {
            let name = resource_name(plan, &resource);
            let period = time.intersect(&plan.period);
            Finding {
                kind: FindingKind::UnknownTagValue,
                policy: Policy::BillAndFlag,
                account: Some(account),
                owner: None,
                resource: Some(resource),
                message: format!("{name}: tag {text} fits no exemption, service or package of the book; check its spelling"),
                resource_name: Some(name),
                period,
                millis: period.map_or(0, |period| i128::from(period.millis())),
                records: 0,
                value: None,
            }
        })
        .collect()
}
