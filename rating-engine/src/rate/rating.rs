//! Rating: records in, a bill out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use cloudstack_usage::{
    DomainId, Holder, Inventory, Period, Rejection, UsageRecord, UsageType, VolumeId,
};

use super::coverage::{self, PlacedByResource, hours};
use super::parts::{Fate, Part, Problem, Timeline, What, instant};
use super::uncertainty::{self, Uncertain};
use super::{advice, digest, doubts, lines, records_only, sizes, stages};
use crate::book::model::{Inheritance, PriceBook, Target};
use crate::error::RatingError;
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::meter::Meter;
use crate::money::Money;
use crate::plan::{Hold, Plan, Subject};
use crate::statement::{Bill, BookVersion, Counts, Placement};
use crate::usage::{
    Attachments, Clean, Doubt, Grid, Placed, Stream, Streams, clean, place, spread,
};

/// Rates usage records with a price book against an inventory.
///
/// Records come in any order; each is only added to its stream. Everything else happens
/// once per stream when the bill is [finished](Self::finish).
///
/// ```
/// use cloudstack_usage::Inventory;
/// use rating_engine::{PriceBook, Rating};
///
/// let book = PriceBook::from_toml(r#"
///     schema = 1
///     name = "Example"
///     currency = "EUR"
///     zone = "UTC"
///     compute = "allocated"
/// "#).unwrap();
/// let inventory = Inventory::default();
/// let october = book.civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
/// let rating = Rating::new(&book, &inventory, october).unwrap();
/// // for record in records { rating.push(&record); }
/// assert_eq!(rating.finish().total.to_string(), "0.00 EUR");
/// ```
#[derive(Debug)]
pub struct Rating<'a> {
    plan: Plan<'a>,
    streams: Streams,
    rejections: Vec<Rejection>,
}

/// A stream with its clean windows and where their use lies.
struct Prepared {
    windows: Vec<Clean>,
    placed: Vec<Placed>,
    doubts: Vec<Doubt>,
    /// Use that lies before the resource's creation.
    outside: Vec<Placed>,
    /// Windows, by their place, that are held as a whole for it.
    held: BTreeSet<usize>,
}

impl Prepared {
    /// Parts joined windows, so that one of them can be treated in its own way.
    fn part(&mut self) {
        self.windows = self.windows.iter().flat_map(Clean::each).collect();
        self.placed = self.placed.iter().flat_map(Placed::each).collect();
    }
}

impl<'a> Rating<'a> {
    /// Compiles the plan for a period.
    ///
    /// # Errors
    /// When a name in the book belongs to several domains, projects, VMs or volumes, or the
    /// period is longer than a century or reaches beyond the years 1 to 9999.
    pub fn new(
        book: &'a PriceBook,
        inventory: &'a Inventory,
        period: Period,
    ) -> Result<Self, RatingError> {
        let plan = Plan::compile(book, inventory, period)?;
        Ok(Self {
            plan,
            streams: Streams::default(),
            rejections: Vec::new(),
        })
    }

    /// The time whose records should be [pushed](Self::push) to rate `period`: two days more
    /// on each side, since records cross its bounds and the windows beside them say where
    /// in a window a resource was used.
    pub fn input_range(period: Period) -> Period {
        let two_days = TimeDelta::days(2);
        let start = period.start().checked_sub_signed(two_days);
        let end = period.end().checked_add_signed(two_days);
        let (start, end) = (start.unwrap_or(period.start()), end.unwrap_or(period.end()));
        Period::new(start, end).unwrap_or(period)
    }

    /// Adds a record.
    pub fn push(&mut self, record: &UsageRecord) {
        self.streams.push(record);
    }

    /// Adds a record that could not be read: it becomes a finding.
    pub fn reject(&mut self, rejection: &Rejection) {
        self.rejections.push(rejection.clone());
    }

    /// Rates everything.
    pub fn finish(self) -> Bill {
        let Self {
            plan,
            streams,
            rejections,
        } = self;
        let streams = streams.into_sorted();
        let inventory = plan.inventory;
        let completed = records_only::with_owners_of_records(inventory, &streams);
        // with more owners a name of the book may belong to several: then it stays unresolved
        let recompiled = completed
            .as_ref()
            .map(|complete| Plan::compile(plan.book, complete, plan.period));
        let plan = recompiled.and_then(Result::ok).unwrap_or(plan);
        let grid = Grid::of(&streams);
        let prepared: Vec<Prepared> = streams
            .iter()
            .map(|stream| prepare(&plan, &grid, stream))
            .collect();
        let attachments = attachments(&plan, &streams, &prepared);
        let timelines = timelines(&plan, &streams, &attachments, &[]);
        let placed: Vec<&[Placed]> = prepared.iter().map(|one| one.placed.as_slice()).collect();
        let Uncertain {
            findings: uncertain,
            holds,
        } = uncertainty::uncertain(&plan, &timelines, &placed);
        let timelines = if holds.is_empty() {
            timelines
        } else {
            self::timelines(&plan, &streams, &attachments, &holds)
        };

        let mut counts = Counts::default();
        let mut parts: Vec<Part> = Vec::new();
        for (index, (timeline, prepared)) in timelines.iter().zip(&prepared).enumerate() {
            parts.extend(timeline.parts(index, &prepared.placed));
            count(&plan, timeline, prepared, &mut counts);
        }
        let true_ups = stages::apply(&plan, &timelines, &mut parts);
        let statements = lines::statements(&plan, &timelines, &parts, &true_ups);

        let mut findings = rejected(&rejections);
        let view: Vec<(Timeline<'_, '_>, &[Placed])> = timelines.into_iter().zip(placed).collect();
        findings.extend(uncertain);
        findings.extend(findings_of(
            &plan,
            inventory,
            &attachments,
            &grid,
            &view,
            &prepared,
        ));
        findings.sort_by(|left, right| finding_order(left).cmp(&finding_order(right)));

        let currency = plan.book.currency;
        let minor = statements
            .iter()
            .map(|statement| statement.total.minor())
            .sum();
        let gross = statements
            .iter()
            .map(|statement| statement.gross.minor())
            .sum();
        Bill {
            period: plan.period,
            zone: plan.book.zones.at(plan.period.start()).name().to_owned(),
            currency,
            book: BookVersion {
                name: plan.book.name.clone(),
                digest: plan.book.digest.clone(),
                rounding: plan.book.rounding,
                rounding_point: plan.book.rounding_point,
            },
            findings,
            counts,
            total: Money::from_minor(minor, currency),
            gross: Money::from_minor(gross, currency),
            exact: statements.iter().map(|statement| &statement.exact).sum(),
            statements,
            digest: digest::digest(plan.book, plan.inventory, plan.period, &streams),
        }
    }
}

/// Dearest first; what has no value last; then by kind and words.
fn finding_order(finding: &Finding) -> impl Ord {
    let value = finding.value.clone().map(std::cmp::Reverse);
    (
        value.is_none(),
        value,
        finding.kind.slug(),
        finding.message.clone(),
    )
}

/// The decisions for each stream, with what is held back for doubts.
fn timelines<'p, 'a>(
    plan: &'p Plan<'a>,
    streams: &'p [Stream],
    attachments: &'p Attachments,
    holds: &'p [Hold],
) -> Vec<Timeline<'p, 'a>> {
    let subjects = streams
        .iter()
        .map(|stream| Subject::new(stream, plan.inventory, attachments).holding(holds));
    subjects
        .map(|subject| Timeline::new(plan, subject, plan.period))
        .collect()
}

fn prepare(plan: &Plan<'_>, grid: &Grid, stream: &Stream) -> Prepared {
    let (mut windows, doubts) = clean(stream, pieces(plan.inventory, stream), plan.book.findings);
    if stream.holds_bytes {
        // a number of bytes at a moment stands for its window: bytes x time
        for window in &mut windows {
            window.amount = window
                .amount
                .saturating_mul(i128::from(window.end - window.start));
        }
        let placed = spread(&windows)
            .into_iter()
            .map(|span| Placed {
                placement: Placement::Whole,
                ..span
            })
            .collect();
        return Prepared {
            windows,
            placed,
            doubts,
            outside: Vec::new(),
            held: BTreeSet::new(),
        };
    }
    let usage_type = stream.key.usage_type;
    let placed = if usage_type.is_counter() || usage_type.has_own_times() {
        spread(&windows)
    } else {
        let lifetime = lifetime(plan.inventory, stream);
        place(&windows, grid, lifetime)
    };
    let mut prepared = Prepared {
        windows,
        placed,
        doubts,
        outside: Vec::new(),
        held: BTreeSet::new(),
    };
    take_outside(plan, stream, &mut prepared);
    prepared
}

fn lifetime(inventory: &Inventory, stream: &Stream) -> Option<Period> {
    let none = Attachments::default();
    Subject::new(stream, inventory, &none)
        .lifetime()
        .map(cloudstack_usage::Lifetime::period)
}

/// How many identical records of a VM snapshot or backup are legitimate: one for each of
/// the VM's volumes of that size.
fn pieces(inventory: &Inventory, stream: &Stream) -> u64 {
    let Some(vm) = &stream.key.vm else { return 1 };
    if stream.key.usage_type != UsageType::VmSnapshot {
        return 1;
    }
    let volumes = inventory.volumes.values().filter(|entry| {
        let attached = entry.vm.spans().iter().any(|span| span.value == *vm);
        let same_size = entry
            .size_bytes
            .spans()
            .iter()
            .any(|span| Some(span.value) == stream.key.size_bytes);
        attached && same_size
    });
    (volumes.count() as u64).max(1)
}

fn attachments(plan: &Plan<'_>, streams: &[Stream], prepared: &[Prepared]) -> Attachments {
    let rows = streams
        .iter()
        .zip(prepared)
        .filter(|(stream, _)| stream.key.is_attach_row());
    let rows = rows.filter_map(|(stream, prepared)| {
        let volume = VolumeId::from(stream.key.identity.clone());
        Some((volume, stream.key.vm.clone()?, prepared.placed.clone()))
    });
    Attachments::new(plan.inventory, rows.collect())
}

pub(super) fn touches(plan: &Plan<'_>, start: i64, end: i64) -> bool {
    let (period_start, period_end) = plan.bounds();
    start < period_end && period_start < end
}

/// Accounts for every record of a stream.
fn count(plan: &Plan<'_>, timeline: &Timeline<'_, '_>, prepared: &Prepared, counts: &mut Counts) {
    for (index, (windows, placed)) in prepared.windows.iter().zip(&prepared.placed).enumerate() {
        for (window, placed) in windows.each().zip(placed.each()) {
            if !touches(plan, window.start, window.end) {
                counts.neighbours += window.records;
                continue;
            }
            counts.records += window.records;
            match timeline.fate(&placed) {
                _ if prepared.held.contains(&index) => counts.held += window.records,
                Fate { held: true, .. } => counts.held += window.records,
                Fate { charged: true, .. } => counts.charged += window.records,
                Fate { exempt: true, .. } => counts.exempt += window.records,
                Fate { .. } => counts.reference += window.records,
            }
        }
    }
    for doubt in &prepared.doubts {
        let (start, end, records) = match doubt {
            Doubt::Duplicate {
                start, end, copies, ..
            } => (*start, *end, *copies),
            Doubt::Overlap {
                start,
                end,
                records,
                ..
            }
            | Doubt::OverWindow {
                start,
                end,
                records,
                ..
            } => (*start, *end, *records),
        };
        let billed = matches!(doubt, Doubt::Duplicate { .. })
            && plan.book.findings.duplicate == Policy::BillAndFlag;
        if billed {
            // counted with the windows
        } else if touches(plan, start, end) {
            counts.records += records;
            counts.held += records;
        } else {
            counts.neighbours += records;
        }
    }
}

fn rejected(rejections: &[Rejection]) -> Vec<Finding> {
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

fn findings_of(
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
        if placed
            .iter()
            .any(|span| touches(plan, span.start, span.end))
        {
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
    findings
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

/// Use that lies before the resource was created: taken out as the book says.
fn take_outside(plan: &Plan<'_>, stream: &Stream, prepared: &mut Prepared) {
    const TOLERANCE_MILLIS: i64 = 60_000;
    let none = Attachments::default();
    let subject = Subject::new(stream, plan.inventory, &none);
    let Some(lifetime) = subject.lifetime() else {
        return;
    };
    if lifetime.start_source != cloudstack_usage::LifetimeSource::Created {
        return;
    }
    let born = lifetime.start.timestamp_millis();
    let (period_start, _) = plan.bounds();
    let is_outside = |span: &Placed| span.start < born && period_start < born;
    if !prepared.placed.iter().any(is_outside) {
        return;
    }
    prepared.part();
    for (index, span) in prepared.placed.iter_mut().enumerate() {
        let before = span
            .clip(period_start, born)
            .filter(|before| before.end - before.start > TOLERANCE_MILLIS)
            .filter(|before| before.placement != Placement::Spread);
        let Some(before) = before else {
            continue;
        };
        match plan.book.findings.outside_lifetime {
            Policy::Hold => {
                prepared.outside.push(*span);
                prepared.held.insert(index);
                *span = Placed {
                    end: span.start,
                    amount: 0,
                    ..*span
                };
            }
            Policy::Clip => {
                prepared.outside.push(before);
                let after = span.clip(born, span.end);
                if after.is_none() {
                    prepared.held.insert(index);
                }
                *span = after.unwrap_or(Placed {
                    end: span.start,
                    amount: 0,
                    ..*span
                });
            }
            Policy::BillAndFlag | Policy::BillOnce => prepared.outside.push(before),
        }
    }
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
        records: outside.iter().map(|span| span.records).sum(),
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
            let in_period = placed.iter().map(|span| span.records_within(start, end));
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
