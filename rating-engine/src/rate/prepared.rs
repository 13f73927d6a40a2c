//! A stream made ready: what its records say without copies and overlaps, and where in its
//! windows it was used.

use std::collections::BTreeSet;

use cloudstack_usage::{Inventory, Lifetime, LifetimeSource, UsageType};

use crate::finding::Policy;
use crate::plan::{Plan, lifetime};
use crate::statement::Placement;
use crate::usage::{Clean, Doubt, Events, Grid, Placed, Stream, clean, place, spread};

/// A stream with its clean windows and where their use lies.
pub(super) struct Prepared {
    pub(super) windows: Vec<Clean>,
    pub(super) placed: Vec<Placed>,
    pub(super) doubts: Vec<Doubt>,
    /// Windows, with the time in doubt, that the usage events contradict.
    pub(super) contradicted: Vec<Placed>,
    /// Use that lies before the resource's creation.
    pub(super) outside: Vec<Placed>,
    /// Windows, by their place, that are held as a whole for it.
    pub(super) held: BTreeSet<usize>,
}

impl Prepared {
    /// Parts joined windows, so that one of them can be treated in its own way.
    fn part(&mut self) {
        self.windows = self.windows.iter().flat_map(Clean::each).collect();
        self.placed = self.placed.iter().flat_map(Placed::each).collect();
    }
}

/// Cleans a stream and places its use.
pub(super) fn prepare(plan: &Plan<'_>, grid: &Grid, stream: &Stream) -> Prepared {
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
            contradicted: Vec::new(),
            outside: Vec::new(),
            held: BTreeSet::new(),
        };
    }
    let usage_type = stream.key.usage_type;
    let lifetime = lifetime(stream, plan.inventory);
    let placed = if usage_type.is_counter() || usage_type.has_own_times() {
        spread(&windows)
    } else {
        place(&windows, grid, lifetime.map(Lifetime::period))
    };
    let (placed, contradicted) = match Events::of(stream, plan.inventory) {
        Some(events) => events.place(&windows, placed),
        None => (placed, Vec::new()),
    };
    let mut prepared = Prepared {
        windows,
        placed,
        doubts,
        contradicted,
        outside: Vec::new(),
        held: BTreeSet::new(),
    };
    if let Some(lifetime) = lifetime {
        take_outside(plan, lifetime, &mut prepared);
    }
    prepared
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

/// Use that lies before the resource was created: taken out as the book says.
fn take_outside(plan: &Plan<'_>, lifetime: &Lifetime, prepared: &mut Prepared) {
    const TOLERANCE_MILLIS: i64 = 60_000;
    if lifetime.start_source != LifetimeSource::Created {
        return;
    }
    let born = lifetime.start.timestamp_millis();
    let (period_start, _) = plan.bounds();
    let is_outside = |span: &Placed| span.start < born && period_start < born;
    if !prepared.placed.iter().any(is_outside) {
        return;
    }
    prepared.part();
    let mut window = 0;
    for (index, span) in prepared.placed.iter_mut().enumerate() {
        window += usize::from(index > 0 && !span.continues);
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
                prepared.held.insert(window);
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
                    prepared.held.insert(window);
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
