//! Packages that would have been cheaper than what a VM has.

use std::collections::{BTreeMap, BTreeSet};

use cloudstack_usage::{DomainId, VmId};

use super::parts::Timeline;
use crate::book::model::{PriceKind, Target};
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::meter::Meter;
use crate::money::Money;
use crate::plan::{Plan, Subject};
use crate::unit::Measure;
use crate::usage::Placed;

/// For each VM with services, singly or in a package: the package of the matrix that holds
/// at least the same and would have cost the least, where that is less than was charged.
/// The money is at prices per unit after percent discounts, as in other findings; nothing
/// is applied.
pub(crate) fn cheaper_packages(
    plan: &Plan<'_>,
    view: &[(Timeline<'_, '_>, &[Placed])],
) -> Vec<Finding> {
    let served: BTreeSet<&VmId> = view
        .iter()
        .flat_map(|(timeline, _)| &timeline.intervals)
        .filter(|interval| {
            let mut charges = interval.decision.charges.iter();
            charges.any(|charge| !matches!(charge.target, Target::Meter(_)))
        })
        .filter_map(|interval| interval.decision.vm.as_ref())
        .collect();
    if served.is_empty() {
        return Vec::new();
    }
    let mut best: BTreeMap<VmId, (Exact, usize, DomainId)> = BTreeMap::new();
    let concerned: Vec<_> = view
        .iter()
        .filter(|(timeline, _)| concerns(plan, &timeline.subject))
        .collect();
    for index in 0..plan.book.packages.len() {
        let mut savings: BTreeMap<VmId, (Exact, DomainId)> = BTreeMap::new();
        for (timeline, placed) in &concerned {
            timeline.savings(placed, index, &served, |vm, account, saving| {
                let entry = savings
                    .entry(vm.clone())
                    .or_insert_with(|| (Exact::zero(), account.clone()));
                entry.0 += saving;
            });
        }
        for (vm, (saving, account)) in savings {
            let better = best
                .get(&vm)
                .map_or_else(|| saving > Exact::zero(), |(known, ..)| saving > *known);
            if better {
                best.insert(vm, (saving, index, account));
            }
        }
    }
    best.into_iter()
        .filter_map(|(vm, (saving, index, account))| finding(plan, &vm, saving, index, account))
        .collect()
}

/// Whether a package can decide what a stream costs: what a VM's does, what of another
/// meter packages cover, and that of volumes by services per GiB or percent of disks.
fn concerns(plan: &Plan<'_>, subject: &Subject<'_>) -> bool {
    let usage_type = subject.stream.key.usage_type;
    let Some(meter) = Meter::of(usage_type).filter(|_| !subject.is_vm()) else {
        return subject.is_vm();
    };
    let mut packages = plan.book.packages.iter();
    let mut prices = plan.book.prices.iter();
    packages.any(|package| package.covers.contains(&meter))
        || (meter == Meter::Disk
            && prices.any(|price| {
                matches!(price.target, Target::Service(_))
                    && (price.unit.measure() == Measure::DiskBytes
                        || matches!(price.kind, PriceKind::Percent(_)))
            }))
}

fn finding(
    plan: &Plan<'_>,
    vm: &VmId,
    saving: Exact,
    package: usize,
    account: DomainId,
) -> Option<Finding> {
    let package = plan.book.packages.get(package)?;
    let entry = plan.inventory.vms.get(vm);
    let name = entry
        .and_then(|entry| entry.name.last())
        .cloned()
        .unwrap_or_else(|| vm.to_string());
    let printed = Money::round(&saving, plan.book.currency, plan.book.rounding);
    if printed.is_zero() {
        return None;
    }
    Some(Finding {
        kind: FindingKind::CheaperPackage,
        policy: Policy::BillAndFlag,
        account: Some(account),
        owner: None,
        resource: Some(vm.as_resource()),
        resource_name: Some(name.clone()),
        period: Some(plan.period),
        millis: 0,
        records: 0,
        value: Some(saving),
        message: format!(
            "{name}: package {} holds all that it has and would have cost {printed} less",
            package.label.as_deref().unwrap_or(&package.id)
        ),
    })
}
