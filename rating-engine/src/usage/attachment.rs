//! To which VM a volume was attached when: the inventory's spans, sharpened by attach rows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use cloudstack_usage::{History, Inventory, Moment, MomentSource, Period, VmId, VolumeId};

use super::placement::Placed;
use crate::statement::Placement;

/// A run of attach rows: time in which a volume was attached to a VM for certain.
#[derive(Debug, Clone)]
struct Run {
    vm: VmId,
    start: i64,
    end: i64,
    /// Whether its bounds are moments, rather than those of a window in which some time was
    /// used somewhere.
    is_placed: bool,
}

/// The attachments of all volumes over time.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    by_volume: BTreeMap<VolumeId, History<VmId>>,
}

impl Attachments {
    /// From the inventory and the placed attach rows (volume, VM, where their time lies).
    pub(crate) fn new(inventory: &Inventory, rows: Vec<(VolumeId, VmId, Vec<Placed>)>) -> Self {
        let mut runs: BTreeMap<VolumeId, Vec<Run>> = BTreeMap::new();
        for (volume, vm, placed) in rows {
            let known = runs.entry(volume).or_default();
            known.extend(placed.iter().map(|part| Run {
                vm: vm.clone(),
                start: part.start,
                end: part.end,
                is_placed: part.placement != Placement::Spread,
            }));
        }
        let mut by_volume: BTreeMap<VolumeId, History<VmId>> = inventory
            .volumes
            .iter()
            .map(|(id, entry)| (id.clone(), entry.vm.clone()))
            .collect();
        for (volume, runs) in runs {
            let runs = joined(runs);
            let known = by_volume.entry(volume).or_default();
            *known = between(&sharpened(known, &runs), &runs);
        }
        Self { by_volume }
    }

    /// The attachments of one volume.
    pub(crate) fn of(&self, volume: &VolumeId) -> Option<&History<VmId>> {
        self.by_volume.get(volume)
    }
}

fn joined(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by(|left, right| {
        (&left.vm, left.start, left.end).cmp(&(&right.vm, right.start, right.end))
    });
    let mut joined: Vec<Run> = Vec::new();
    for run in runs {
        match joined.last_mut() {
            Some(last)
                if last.vm == run.vm
                    && run.start <= last.end
                    && last.is_placed
                    && run.is_placed =>
            {
                last.end = last.end.max(run.end);
            }
            _ => joined.push(run),
        }
    }
    joined.sort_by_key(|run| run.start);
    joined
}

fn instant(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}

fn proven(millis: i64) -> Option<Moment> {
    instant(millis).map(|at| Moment::certain(at, MomentSource::Record))
}

/// Adds what rows say of the time in which the syncs know of no attachment: a volume that
/// was attached and taken off again between two of them.
fn between(known: &History<VmId>, runs: &[Run]) -> History<VmId> {
    let mut spans: Vec<(Moment, Option<Moment>, VmId)> = known
        .spans()
        .iter()
        .map(|span| (span.began, span.ended, span.value.clone()))
        .collect();
    let is_free = |run: &&Run| {
        let time = instant(run.start)
            .zip(instant(run.end))
            .and_then(|(start, end)| Period::new(start, end).ok());
        time.is_some_and(|time| !known.spans().iter().any(|span| span.period.overlaps(&time)))
    };
    for run in runs.iter().filter(is_free) {
        if let (Some(began), Some(ended)) = (proven(run.start), proven(run.end)) {
            spans.push((began, Some(ended), run.vm.clone()));
        }
    }
    spans.sort_by_key(|(began, ..)| began.at);
    let mut history = History::new();
    for (began, ended, vm) in spans {
        history.set(began, vm);
        if let Some(ended) = ended {
            history.clear(ended);
        }
    }
    history
}

/// Moments known only to lie between two syncs are those of the rows, where rows begin or
/// end there. Rows may stop while the volume stays attached (after a resize, CLOUDSTACK.md
/// Appendix D.2), so they never end a span that the syncs confirm.
fn sharpened(known: &History<VmId>, runs: &[Run]) -> History<VmId> {
    let mut history = History::new();
    for span in known.spans() {
        let of_vm = || {
            runs.iter()
                .filter(|run| run.is_placed && run.vm == span.value)
        };
        let began = of_vm()
            .find_map(|run| within(&span.began, run.start))
            .unwrap_or(span.began);
        history.set(began, span.value.clone());
        if let Some(ended) = &span.ended {
            history.clear(
                of_vm()
                    .find_map(|run| within(ended, run.end))
                    .unwrap_or(*ended),
            );
        }
    }
    history
}

/// The moment at `millis`, if the uncertain moment may have been then.
fn within(uncertain: &Moment, millis: i64) -> Option<Moment> {
    let moment = proven(millis)?;
    let after = uncertain.not_before?;
    (after < moment.at && moment.at <= uncertain.at).then_some(moment)
}
