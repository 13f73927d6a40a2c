//! What is wrong or doubtful in the input, with the money that hangs on it.

use std::collections::{BTreeMap, BTreeSet};

use cloudstack_usage::{DomainId, Holder, Inventory, Period, Rejection, UsageType};

use super::coverage::{self, PlacedByResource, hours};
use super::lines::{known_path, last_instant};
use super::parts::{Problem, Timeline, What, instant};
use super::prepared::Prepared;
use super::{advice, doubts, sizes, uncertainty};
use crate::book::model::{Inheritance, Target};
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::meter::Meter;
use crate::plan::Plan;
use crate::usage::{Attachments, Clean, Grid, Placed, by_window};

/// Everything that is wrong or doubtful but for moments that nobody knows, in no order.
pub(super) fn findings(
    plan: &Plan<'_>,
    inventory: &Inventory,
    attachments: &Attachments,
    grid: &Grid,
    view: &[(Timeline<'_, '_>, &[Placed])],
    prepared: &[Prepared],
) -> Vec<Finding> {
    let mut by_resource: PlacedByResource = BTreeMap::new();
    let mut owners: BTreeSet<Holder> = BTreeSet::new();
    for (timeline, placed) in view {
        let key = &timeline.subject.stream.key;
        if placed.iter().any(|span| plan.touches(span.start, span.end)) {
            owners.insert(key.holder.clone());
        }
        if !key.is_attach_row() {
            by_resource
                .entry((key.usage_type, key.identity.clone()))
                .or_default()
                .extend_from_slice(placed);
        }
    }
    let mut findings = coverage::not_metered(plan, attachments, grid, &by_resource, &owners);
    for ((timeline, _), prepared) in view.iter().zip(prepared) {
        findings.extend(doubts::findings(plan, timeline, &prepared.doubts));
        findings.extend(doubts::events_differ(
            plan,
            timeline,
            &prepared.contradicted,
        ));
        findings.extend(unknown_type(plan, timeline, prepared));
        findings.extend(no_effect(plan, timeline));
        findings.extend(outside_lifetime(plan, timeline, &prepared.outside));
    }
    let windows: Vec<&[Clean]> = prepared
        .iter()
        .map(|prepared| prepared.windows.as_slice())
        .collect();
    findings.extend(sizes::several_sizes(plan, view, &windows));
    findings.extend(problem_findings(plan, view));
    findings.extend(uncertainty::unknown_tag_findings(plan, view));
    findings.extend(advice::cheaper_packages(plan, view));
    findings.extend(scope_findings(plan));
    findings.extend(domain_findings(plan, inventory, view));
    findings.extend(zone_findings(plan, view));
    findings
}

/// Dearest first; what has no value last; then by kind and words.
pub(crate) fn sort_findings(findings: &mut [Finding]) {
    findings.sort_by(|left, right| order(left).cmp(&order(right)));
}

fn order(finding: &Finding) -> impl Ord {
    let value = finding.value.clone().map(std::cmp::Reverse);
    (
        value.is_none(),
        value,
        finding.kind.slug(),
        finding.message.clone(),
    )
}

/// What could not be read.
pub(super) fn rejected(rejections: &[Rejection]) -> Vec<Finding> {
    rejections
        .iter()
        .map(|rejection| Finding {
            kind: FindingKind::Rejected,
            policy: Policy::Hold,
            account: None,
            owner: None,
            resource: None,
            resource_name: None,
            period: None,
            millis: 0,
            records: 1,
            value: None,
            message: format!(
                "{}, record {}{}: {}",
                rejection.page,
                rejection.position,
                rejection
                    .field
                    .as_ref()
                    .map(|field| format!(", field {field}"))
                    .unwrap_or_default(),
                rejection.message
            ),
        })
        .collect()
}

pub(super) fn base_finding(
    kind: FindingKind,
    policy: Policy,
    timeline: &Timeline<'_, '_>,
) -> Finding {
    let stream = timeline.subject.stream;
    Finding {
        kind,
        policy,
        account: timeline
            .intervals
            .first()
            .map(|first| first.decision.account.clone()),
        owner: None,
        resource: Some(stream.key.identity.clone()),
        resource_name: timeline
            .subject
            .name_at(instant(i64::MAX / 2_000))
            .map(str::to_owned),
        period: None,
        millis: 0,
        records: 0,
        value: None,
        message: String::new(),
    }
}

pub(super) fn describe(timeline: &Timeline<'_, '_>) -> String {
    let stream = timeline.subject.stream;
    let name = timeline
        .subject
        .name_at(instant(0))
        .map_or_else(|| stream.key.identity.to_string(), str::to_owned);
    format!("{} of {name}", stream.key.usage_type)
}

fn unknown_type(
    plan: &Plan<'_>,
    timeline: &Timeline<'_, '_>,
    prepared: &Prepared,
) -> Option<Finding> {
    let UsageType::Unknown(id) = timeline.subject.stream.key.usage_type else {
        return None;
    };
    let (start, end) = plan.bounds();
    let windows = prepared.windows.iter();
    let records: u64 = windows
        .map(|window| window.records_within(start, end))
        .sum();
    (records > 0).then(|| Finding {
        records,
        message: format!(
            "usage type {id} of {} is not known to this version; {records} record(s) kept and not billed",
            timeline.subject.stream.key.identity
        ),
        ..base_finding(FindingKind::UnknownType, Policy::Hold, timeline)
    })
}

/// `noDisk` on a VM in a book in which a VM's tags do not reach its volumes.
fn no_effect(plan: &Plan<'_>, timeline: &Timeline<'_, '_>) -> Option<Finding> {
    if plan.book.inheritance == Inheritance::Inherit
        || timeline.subject.stream.key.usage_type != UsageType::AllocatedVm
    {
        return None;
    }
    let of_vm = [Meter::Cpu, Meter::Ram, Meter::Vm, Meter::Os];
    let tags = timeline.subject.own_tags_at(plan.period.start());
    let rule = plan.book.exemptions.iter().find(|rule| {
        let with_vm = rule.meters.iter().any(|meter| of_vm.contains(meter));
        !with_vm && tags.iter().any(|tag| rule.tag.matches(tag.key, tag.value))
    })?;
    Some(Finding {
        message: format!(
            "{}: tag {} on a VM does nothing in a book whose VM tags do not reach volumes; tag the volumes",
            describe(timeline),
            rule.tag.text()
        ),
        ..base_finding(FindingKind::NoEffect, Policy::BillAndFlag, timeline)
    })
}

fn outside_lifetime(
    plan: &Plan<'_>,
    timeline: &Timeline<'_, '_>,
    outside: &[Placed],
) -> Option<Finding> {
    let lifetime = timeline.subject.lifetime()?;
    let policy = plan.book.findings.outside_lifetime;
    let millis: i128 = outside.iter().map(|span| span.amount).sum();
    let (what, done) = match policy {
        Policy::Hold => ("of records that begin", "the whole records are held"),
        Policy::Clip => ("lie", "that is held"),
        Policy::BillAndFlag | Policy::BillOnce => ("lie", "billed all the same"),
    };
    (!outside.is_empty()).then(|| Finding {
        millis,
        records: by_window(outside)
            .filter_map(|spans| Some(spans.first()?.records))
            .sum(),
        value: Some(timeline.value(outside, None)),
        message: format!(
            "{}: {} {what} before its creation at {}; {done}",
            describe(timeline),
            hours(millis),
            lifetime.start
        ),
        ..base_finding(FindingKind::OutsideLifetime, policy, timeline)
    })
}

/// What was used and has no price (or no size), added up by account and thing; services
/// that a VM has twice, by VM.
fn problem_findings(plan: &Plan<'_>, view: &[(Timeline<'_, '_>, &[Placed])]) -> Vec<Finding> {
    let mut sums: BTreeMap<(DomainId, What, Option<String>), Problem> = BTreeMap::new();
    for (timeline, placed) in view {
        for problem in timeline.problems(placed) {
            let resource = match problem.what {
                What::Unpriced(_) => None,
                _ => Some(describe(timeline)),
            };
            sums.entry((problem.account.clone(), problem.what.clone(), resource))
                .and_modify(|sum| sum.add(&problem))
                .or_insert(problem);
        }
    }
    sums.into_iter()
        .map(|((account, what, resource), sum)| {
            problem_finding(plan, account, &what, resource, &sum)
        })
        .collect()
}

fn problem_finding(
    plan: &Plan<'_>,
    account: DomainId,
    what: &What,
    resource: Option<String>,
    sum: &Problem,
) -> Finding {
    let resource_words = resource.clone().unwrap_or_default();
    let (kind, policy, value, message) = match what {
        What::Unpriced(target) => {
            let thing = match target {
                Target::Meter(meter) => format!("meter {}", meter.slug()),
                Target::Service(id) => format!("service {id}"),
                Target::Package(id) => format!("package {id}"),
            };
            let amount = if sum.millis > 0 {
                hours(i128::from(sum.millis))
            } else {
                sum.amount.to_string()
            };
            let message = format!(
                "{thing} has no price: {amount} in {} record(s) are not billed; add a price, or a price of 0",
                sum.records
            );
            (FindingKind::Unpriced, Policy::Hold, None, message)
        }
        What::MissingSize(meter) => {
            let message = format!(
                "{resource_words}: the size for meter {} is neither in the records nor in the inventory; {} not billed",
                meter.slug(),
                hours(i128::from(sum.millis))
            );
            (FindingKind::MissingSize, Policy::Hold, None, message)
        }
        What::Twice { service, package } => {
            let message = format!(
                "{resource_words}: service {service} is bought singly and in package {package}; charged once"
            );
            (
                FindingKind::ServiceTwice,
                Policy::BillOnce,
                Some(Exact::zero()),
                message,
            )
        }
    };
    Finding {
        kind,
        policy,
        owner: plan
            .inventory
            .domains
            .get(&account)
            .and_then(|entry| entry.path.last())
            .cloned(),
        account: Some(account),
        resource: None,
        resource_name: resource,
        period: Period::new(instant(sum.start), instant(sum.end)).ok(),
        millis: i128::from(sum.millis),
        records: sum.records,
        value,
        message,
    }
}

fn scope_findings(plan: &Plan<'_>) -> Vec<Finding> {
    plan.unknown_scopes
        .iter()
        .map(|(rule, scope)| Finding {
            kind: FindingKind::UnknownScope,
            policy: Policy::BillAndFlag,
            account: None,
            owner: None,
            resource: None,
            resource_name: None,
            period: None,
            millis: 0,
            records: 0,
            value: None,
            message: format!(
                "{rule} is for {scope}, which the inventory does not know: it applies to nobody"
            ),
        })
        .collect()
}

fn domain_findings(
    plan: &Plan<'_>,
    inventory: &Inventory,
    view: &[(Timeline<'_, '_>, &[Placed])],
) -> Vec<Finding> {
    if inventory.syncs.is_empty() {
        return Vec::new();
    }
    let mut unknown: BTreeMap<DomainId, u64> = BTreeMap::new();
    for (timeline, placed) in view {
        let domain = &timeline.subject.stream.key.domain;
        if !inventory.domains.contains_key(domain) {
            let (start, end) = plan.bounds();
            let in_period = by_window(placed).map(|spans| {
                let records = spans.iter().map(|span| span.records_within(start, end));
                records.max().unwrap_or(0)
            });
            *unknown.entry(domain.clone()).or_default() += in_period.sum::<u64>();
        }
    }
    unknown
        .into_iter()
        .filter(|(_, records)| *records > 0)
        .map(|(domain, records)| Finding {
            kind: FindingKind::UnknownDomain,
            policy: Policy::BillAndFlag,
            owner: None,
            resource: None,
            resource_name: None,
            period: None,
            millis: 0,
            records,
            value: None,
            message: format!(
                "domain {domain} is in {records} record(s) but in no sync; billed by what its records say"
            ),
            account: Some(domain),
        })
        .collect()
}

/// Customers that the book gives another time zone than the one of this run: where their days
/// and months begin is not what their contracts say.
fn zone_findings(plan: &Plan<'_>, view: &[(Timeline<'_, '_>, &[Placed])]) -> Vec<Finding> {
    let intervals = view.iter().flat_map(|(timeline, _)| &timeline.intervals);
    let accounts: BTreeSet<&DomainId> = intervals
        .map(|interval| &interval.decision.account)
        .collect();
    let (start, last) = (plan.period.start(), last_instant(plan.period));
    let run = &plan.book.zones;
    let found = accounts.into_iter().filter_map(|account| {
        let path = known_path(plan.inventory, account, plan.period)?;
        let own = plan.book.zones_of(path)?;
        if own.at(start) == run.at(start) && own.at(last) == run.at(last) {
            return None;
        }
        Some(Finding {
            kind: FindingKind::OtherZone,
            policy: Policy::BillAndFlag,
            account: Some(account.clone()),
            owner: Some(path.to_owned()),
            resource: None,
            resource_name: None,
            period: None,
            millis: 0,
            records: 0,
            value: None,
            message: format!(
                "{path} has its days and months in {}, this run has them in {}: make its statement alone, as that customer's",
                own.at(last).name(),
                run.at(last).name()
            ),
        })
    });
    found.collect()
}
