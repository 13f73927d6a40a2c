//! Resources that lived and were not metered: inventory against usage.
//!
//! CloudStack 4.22.1 and later loses whole root volumes (CLOUDSTACK.md, Appendix D.1); only
//! this comparison finds them.

use std::collections::{BTreeMap, BTreeSet};

use cloudstack_usage::{
    Holder, Inventory, Lifetime, LifetimeSource, MomentSource, Owner, Period, ResourceEntry,
    ResourceId, Span, UsageType, VmEntry, VmId, VolumeEntry,
};

use super::parts::Timeline;
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::plan::{Plan, Subject};
use crate::statement::Placement;
use crate::usage::{Attachments, Grid, Placed, Stream, StreamKey};

/// Placed use by usage type and resource.
pub(crate) type PlacedByResource = BTreeMap<(UsageType, ResourceId), Vec<Placed>>;

/// A resource that should have usage of a type.
struct Expected<'a> {
    usage_type: UsageType,
    resource: ResourceId,
    name: String,
    /// When it lived under this owner.
    life: Period,
    /// When it lived under any owner, in order of time.
    lives: Vec<Period>,
    lifetime: &'a Lifetime,
    owner: Owner,
    /// Streams as its usage would have been, each with its time.
    streams: Vec<(Period, Stream)>,
}

/// Time of a life without usage.
struct Missing {
    gaps: Vec<Placed>,
    millis: i128,
}

/// Finds resources that lived in the period without usage, dearest first within an owner.
pub(crate) fn not_metered(
    plan: &Plan<'_>,
    attachments: &Attachments,
    grid: &Grid,
    placed: &PlacedByResource,
    owners: &BTreeSet<Holder>,
) -> Vec<Finding> {
    // beyond what was fetched nothing is known
    let Some(hull) = grid.hull() else {
        return Vec::new();
    };
    let Some(known) = hull.intersect(&plan.period) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    let mut silent: BTreeMap<Owner, Vec<(String, i128, Exact)>> = BTreeMap::new();
    for expected in expected(plan.inventory) {
        // a life that is known from usage alone has nothing to be compared with
        let compared = expected.lifetime.start_source != LifetimeSource::Usage;
        if !compared || !grid.has_type(expected.usage_type) {
            continue;
        }
        let Some(life) = expected.life.intersect(&known) else {
            continue;
        };
        let used = placed.get(&(expected.usage_type, expected.resource.clone()));
        let lives = expected.lives.iter();
        let lives = lives.filter_map(|life| life.intersect(&hull));
        let missing = missing(life, lives, used.map(Vec::as_slice).unwrap_or_default());
        // whatever the book asks for, nothing missing is nothing to tell
        if missing.millis < i128::from(plan.book.not_metered_from_millis.max(1)) {
            continue;
        }
        let value = value(plan, attachments, &expected, &missing.gaps);
        if owners.contains(&expected.owner.holder) {
            findings.push(finding(plan, &expected, life, &missing, value));
        } else {
            silent
                .entry(expected.owner)
                .or_default()
                .push((expected.name, missing.millis, value));
        }
    }
    findings.extend(
        silent
            .into_iter()
            .map(|(owner, resources)| owner_finding(plan, &owner, &resources)),
    );
    findings
}

/// VMs by allocated time, volumes, and addresses that are not the system's own.
fn expected(inventory: &Inventory) -> impl Iterator<Item = Expected<'_>> {
    let vms = inventory.vms.values().filter_map(expected_vm);
    let volumes = inventory.volumes.values().filter_map(expected_volume);
    let addresses = inventory
        .resources
        .values()
        .filter(|entry| entry.resource_type == "PublicIpAddress" && !entry.is_system)
        .flat_map(expected_address);
    vms.chain(volumes).chain(addresses)
}

/// An address is expected for each owner in turn. When it was released between two syncs is
/// not known: until the first of them it was held for certain. Where its account or project
/// moved to another domain it was held all the time.
fn expected_address(entry: &ResourceEntry) -> impl Iterator<Item = Expected<'_>> {
    let name = entry.name.last();
    let name = name.cloned().unwrap_or_else(|| entry.id.to_string());
    let spans = entry.owner.spans();
    let held = |(index, span): (usize, &Span<Owner>)| {
        let period = match (&span.ended, spans.get(index + 1)) {
            (Some(_), Some(next)) if is_moved(span, next) => span.period,
            (Some(ended), Some(_)) => {
                let until = ended.not_before.unwrap_or(ended.at);
                Period::new(span.period.start(), until).ok()?
            }
            _ => Period::from(span.period.start()),
        };
        period.intersect(&entry.lifetime.period())
    };
    let lives: Vec<Option<Period>> = spans.iter().enumerate().map(held).collect();
    let all: Vec<Period> = lives.iter().copied().flatten().collect();
    spans.iter().zip(lives).filter_map(move |(span, life)| {
        let key = StreamKey {
            zone: entry.zone.clone(),
            ..blank(UsageType::IpAddress, entry.id.clone(), &span.value)
        };
        Some(Expected {
            usage_type: UsageType::IpAddress,
            resource: entry.id.clone(),
            streams: vec![(Period::always(), Stream::imagined(key, &name))],
            name: name.clone(),
            life: life?,
            lives: all.clone(),
            lifetime: &entry.lifetime,
            owner: span.value.clone(),
        })
    })
}

/// Whether the owner itself moved to another domain: it is the same one, and the next span
/// begins neither later nor with an allocation of its own.
fn is_moved(span: &Span<Owner>, next: &Span<Owner>) -> bool {
    span.value.holder == next.value.holder
        && span.value.holder != Holder::Unknown
        && span.period.end() == next.period.start()
        && next.began.source != MomentSource::Updated
}

fn expected_vm(entry: &VmEntry) -> Option<Expected<'_>> {
    let owner = entry.owner.nearest(entry.lifetime.start)?.clone();
    let name = entry
        .name
        .last()
        .cloned()
        .unwrap_or_else(|| entry.id.to_string());
    let streams = entry
        .offering
        .spans()
        .iter()
        .map(|span| {
            let key = StreamKey {
                zone: entry.zone.clone(),
                vm: Some(entry.id.clone()),
                offering: Some(span.value.clone()),
                template: entry.template.nearest(span.period.start()).cloned(),
                ..blank(UsageType::AllocatedVm, entry.id.as_resource(), &owner)
            };
            (span.period, Stream::imagined(key, &name))
        })
        .collect();
    Some(Expected {
        usage_type: UsageType::AllocatedVm,
        resource: entry.id.as_resource(),
        name,
        life: entry.lifetime.period(),
        lives: vec![entry.lifetime.period()],
        lifetime: &entry.lifetime,
        owner,
        streams,
    })
}

fn expected_volume(entry: &VolumeEntry) -> Option<Expected<'_>> {
    let owner = entry.owner.nearest(entry.lifetime.start)?.clone();
    let name = entry
        .name
        .last()
        .cloned()
        .unwrap_or_else(|| entry.id.to_string());
    let streams = entry
        .size_bytes
        .spans()
        .iter()
        .map(|span| {
            let key = StreamKey {
                zone: entry.zone.clone(),
                offering: entry.offering.nearest(span.period.start()).cloned(),
                size_bytes: Some(span.value),
                ..blank(UsageType::Volume, entry.id.as_resource(), &owner)
            };
            (span.period, Stream::imagined(key, &name))
        })
        .collect();
    Some(Expected {
        usage_type: UsageType::Volume,
        resource: entry.id.as_resource(),
        name,
        life: entry.lifetime.period(),
        lives: vec![entry.lifetime.period()],
        lifetime: &entry.lifetime,
        owner,
        streams,
    })
}

fn blank(usage_type: UsageType, identity: ResourceId, owner: &Owner) -> StreamKey {
    StreamKey {
        usage_type,
        identity,
        domain: owner.domain.clone(),
        holder: owner.holder.clone(),
        zone: None,
        vm: None,
        offering: None,
        template: None,
        size_bytes: None,
        virtual_size_bytes: None,
        cpu_count: None,
        cpu_mhz: None,
        memory_mib: None,
        network: None,
        vpc: None,
        is_default: None,
        is_source_nat: None,
    }
}

/// What `used` leaves uncovered of `life`, one of the lives of a resource. Use that is only
/// spread over a span lies somewhere in it: it fills what the use of a known place leaves
/// open there, so that two sizes of one window do not cover the same time.
fn missing(life: Period, lives: impl Iterator<Item = Period>, used: &[Placed]) -> Missing {
    let is_placed = |span: &Placed| i128::from(span.end - span.start) <= span.amount;
    let (mut placed, mut spread): (Vec<Placed>, Vec<Placed>) =
        used.iter().copied().partition(is_placed);
    placed.sort_by_key(|span| (span.start, span.end));
    spread.sort_by_key(|span| (span.start, span.end));
    let mut gaps: Vec<Placed> = lives.flat_map(|life| open(life, &placed)).collect();
    for span in &spread {
        fill(&mut gaps, span);
    }
    let (start, end) = (
        life.start().timestamp_millis(),
        life.end().timestamp_millis(),
    );
    let clipped = gaps.iter().filter_map(|gap| gap.clip(start, end));
    let gaps: Vec<Placed> = clipped.filter(|gap| gap.amount > 0).collect();
    let millis = gaps.iter().map(|gap| gap.amount).sum();
    Missing { gaps, millis }
}

/// What lies between `placed`, which come in order of time.
fn open(life: Period, placed: &[Placed]) -> Vec<Placed> {
    let end = life.end().timestamp_millis();
    let mut from = life.start().timestamp_millis();
    let mut gaps = Vec::new();
    let mut gap = |from: i64, until: i64| {
        if from < until {
            gaps.push(Placed {
                start: from,
                end: until,
                amount: i128::from(until - from),
                placement: Placement::Spread,
                records: 0,
                windows: 1,
                continues: false,
            });
        }
    };
    for span in placed {
        gap(from, span.start.min(end));
        from = from.max(span.end);
    }
    gap(from, end);
    gaps
}

/// Takes the use of `span` off the gaps within it, from each its share.
fn fill(gaps: &mut Vec<Placed>, span: &Placed) {
    let first = gaps.partition_point(|gap| gap.end <= span.start);
    let last = gaps.partition_point(|gap| gap.start < span.end);
    let touched: Vec<Placed> = gaps.get(first..last).unwrap_or_default().to_vec();
    let within = |gap: &Placed| gap.clip(span.start, span.end);
    let open: i128 = touched
        .iter()
        .filter_map(within)
        .map(|gap| gap.amount)
        .sum();
    if open == 0 {
        return;
    }
    let filled = span.amount.clamp(0, open);
    let mut left = Vec::new();
    let mut passed = 0;
    for gap in &touched {
        left.extend(gap.clip(gap.start, span.start));
        if let Some(mut inside) = within(gap) {
            let before = filled * passed / open;
            passed += inside.amount;
            inside.amount -= filled * passed / open - before;
            left.push(inside);
        }
        left.extend(gap.clip(span.end, gap.end));
    }
    gaps.splice(first..last, left);
}

/// What the gaps would have cost. Where a price charges running time, a VM is valued as if it
/// had run.
fn value(
    plan: &Plan<'_>,
    attachments: &Attachments,
    expected: &Expected<'_>,
    gaps: &[Placed],
) -> Exact {
    let mut value = Exact::zero();
    for (time, stream) in &expected.streams {
        let (start, end) = (
            time.start().timestamp_millis(),
            time.end().timestamp_millis(),
        );
        let gaps: Vec<Placed> = gaps.iter().filter_map(|gap| gap.clip(start, end)).collect();
        value += value_of(plan, attachments, stream, &gaps);
        if expected.usage_type == UsageType::AllocatedVm {
            let key = StreamKey {
                usage_type: UsageType::RunningVm,
                ..stream.key.clone()
            };
            value += value_of(
                plan,
                attachments,
                &Stream::imagined(key, &expected.name),
                &gaps,
            );
        }
    }
    value
}

fn value_of(plan: &Plan<'_>, attachments: &Attachments, stream: &Stream, gaps: &[Placed]) -> Exact {
    let subject = Subject::new(stream, plan.inventory, attachments);
    Timeline::new(plan, subject, plan.period).value(gaps, None)
}

fn finding(
    plan: &Plan<'_>,
    expected: &Expected<'_>,
    life: Period,
    missing: &Missing,
    value: Exact,
) -> Finding {
    let whole = missing.millis == i128::from(life.millis());
    let what = if whole {
        "no usage record at all"
    } else {
        "no usage for a part of its life"
    };
    let id = VmId::from(expected.resource.clone());
    Finding {
        kind: FindingKind::NotMetered,
        policy: Policy::Hold,
        account: plan.account_of(plan.ancestry(&expected.owner.domain)),
        owner: Some(owner_text(plan.inventory, &expected.owner)),
        resource: Some(expected.resource.clone()),
        resource_name: Some(expected.name.clone()),
        period: Some(life),
        millis: missing.millis,
        records: 0,
        value: Some(value),
        message: format!(
            "{} {} ({id}) has {what}: {} of {} are not billed; CloudStack did not meter it, see usage_event for its events",
            kind(expected.usage_type),
            expected.name,
            hours(missing.millis),
            hours(i128::from(life.millis())),
        ),
    }
}

fn owner_finding(plan: &Plan<'_>, owner: &Owner, resources: &[(String, i128, Exact)]) -> Finding {
    let names: Vec<&str> = resources.iter().map(|(name, ..)| name.as_str()).collect();
    let millis = resources.iter().map(|(_, millis, _)| millis).sum();
    let text = owner_text(plan.inventory, owner);
    Finding {
        kind: FindingKind::OwnerNotMetered,
        policy: Policy::Hold,
        account: plan.account_of(plan.ancestry(&owner.domain)),
        resource: None,
        resource_name: None,
        period: Some(plan.period),
        millis,
        records: 0,
        value: Some(resources.iter().map(|(.., value)| value).sum()),
        message: format!(
            "{text} has resources ({}) and no usage at all: {} are not billed",
            names.join(", "),
            hours(millis)
        ),
        owner: Some(text),
    }
}

fn kind(usage_type: UsageType) -> &'static str {
    match usage_type {
        UsageType::AllocatedVm => "VM",
        UsageType::Volume => "volume",
        _ => "address",
    }
}

/// The owner in words: domain path and project or account.
pub(crate) fn owner_text(inventory: &Inventory, owner: &Owner) -> String {
    let path = inventory
        .domains
        .get(&owner.domain)
        .and_then(|entry| entry.path.last());
    let path = path.cloned().unwrap_or_else(|| owner.domain.to_string());
    match &owner.holder {
        Holder::Project(id) => {
            let name = inventory
                .projects
                .get(id)
                .and_then(|entry| entry.name.last());
            format!(
                "{path}, project {}",
                name.cloned().unwrap_or_else(|| id.to_string())
            )
        }
        Holder::Account(id) => {
            let name = inventory
                .accounts
                .get(id)
                .and_then(|entry| entry.name.last());
            format!(
                "{path}, account {}",
                name.cloned().unwrap_or_else(|| id.to_string())
            )
        }
        Holder::Unknown => path,
    }
}

/// Milliseconds as hours with as many places as they need, at most three.
pub(crate) fn hours(millis: i128) -> String {
    let hours = Exact::ratio(millis, 3_600_000).unwrap_or_else(Exact::zero);
    let text = hours.to_decimal_string(3, crate::rounding::RoundingMode::HalfAway);
    format!("{} h", text.trim_end_matches('0').trim_end_matches('.'))
}
