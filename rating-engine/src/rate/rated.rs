//! A period rated: everything that a bill and its totals are made of.

use cloudstack_usage::{Inventory, Rejection, VolumeId};

use super::limits::TrueUp;
use super::parts::{Fate, Part, Timeline};
use super::prepared::{Prepared, prepare};
use super::totals::totals;
use super::uncertainty::{self, Uncertain};
use super::{digest, findings, lines, records_only, stages};
use crate::finding::{Finding, Policy};
use crate::money::Money;
use crate::plan::{Hold, Plan, Subject};
use crate::statement::{Bill, BookVersion, Counts};
use crate::totals::Totals;
use crate::usage::{Attachments, Clean, Doubt, Grid, Placed, Stream, by_window};

/// The streams of a period with their decisions, and what they cost.
pub(super) struct Rated<'r, 'a> {
    plan: &'r Plan<'a>,
    /// What the syncs know, without what only records say.
    inventory: &'r Inventory,
    streams: &'r [Stream],
    grid: &'r Grid,
    attachments: &'r Attachments,
    prepared: &'r [Prepared],
    timelines: Vec<Timeline<'r, 'a>>,
    /// Findings about moments that nobody knows.
    uncertain: Vec<Finding>,
    parts: Vec<Part>,
    true_ups: Vec<TrueUp>,
}

/// What is made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A bill, with findings.
    Bill,
    /// Sums alone.
    Totals,
}

/// Rates streams, which come in the order of their keys, and makes something of it.
pub(super) fn rate<R>(
    plan: Plan<'_>,
    streams: &[Stream],
    wanted: Wanted,
    make: impl FnOnce(Rated<'_, '_>) -> R,
) -> R {
    let inventory = plan.inventory;
    let completed = records_only::with_owners_of_records(inventory, streams);
    // with more owners a name of the book may belong to several: then it stays unresolved
    let recompiled = completed
        .as_ref()
        .map(|complete| Plan::compile(plan.book, complete, plan.period));
    let plan = &recompiled.and_then(Result::ok).unwrap_or(plan);
    let grid = &Grid::of(streams);
    let prepared: Vec<Prepared> = streams
        .iter()
        .map(|stream| prepare(plan, grid, stream))
        .collect();
    let attachments = attachments(plan, streams, &prepared);
    let timelines = self::timelines(plan, streams, &attachments, &[]);
    let Uncertain {
        findings: uncertain,
        holds,
    } = if wanted == Wanted::Bill || holds_back(plan) {
        uncertainty::uncertain(plan, &timelines, &placed(&prepared))
    } else {
        Uncertain::default()
    };
    let timelines = if holds.is_empty() {
        timelines
    } else {
        self::timelines(plan, streams, &attachments, &holds)
    };
    let mut parts: Vec<Part> = Vec::new();
    for (index, (timeline, prepared)) in timelines.iter().zip(&prepared).enumerate() {
        timeline.add_parts(index, &prepared.placed, &mut parts);
    }
    let true_ups = stages::apply(plan, &timelines, &mut parts);
    make(Rated {
        plan,
        inventory,
        streams,
        grid,
        attachments: &attachments,
        prepared: &prepared,
        timelines,
        uncertain,
        parts,
        true_ups,
    })
}

impl Rated<'_, '_> {
    /// Exact sums of what everything costs.
    pub(super) fn totals(self) -> Totals {
        totals(self.plan, &self.timelines, &self.parts, &self.true_ups)
    }

    /// Statements, findings, and what became of the records.
    pub(super) fn bill(self, rejections: &[Rejection]) -> Bill {
        let plan = self.plan;
        let statements = lines::statements(plan, &self.timelines, &self.parts, &self.true_ups);
        let mut counts = Counts::default();
        for (timeline, prepared) in self.timelines.iter().zip(self.prepared) {
            count(plan, timeline, prepared, &mut counts);
        }
        let placed = placed(self.prepared);
        let view: Vec<(Timeline<'_, '_>, &[Placed])> =
            self.timelines.into_iter().zip(placed).collect();
        let mut findings = findings::rejected(rejections);
        findings.extend(self.uncertain);
        findings.extend(findings::findings(
            plan,
            self.inventory,
            self.attachments,
            self.grid,
            &view,
            self.prepared,
        ));
        findings::sort_findings(&mut findings);

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
            digest: digest::digest(plan.book, plan.inventory, plan.period, self.streams),
        }
    }
}

/// Whether the book holds money back for what nobody knows.
fn holds_back(plan: &Plan<'_>) -> bool {
    let policies = plan.book.findings;
    [policies.no_history, policies.uncertain_moment].contains(&Policy::Hold)
}

fn placed(prepared: &[Prepared]) -> Vec<&[Placed]> {
    prepared.iter().map(|one| one.placed.as_slice()).collect()
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

/// Accounts for every record of a stream.
fn count(plan: &Plan<'_>, timeline: &Timeline<'_, '_>, prepared: &Prepared, counts: &mut Counts) {
    let mut note = |window: &Clean, placed: &[Placed], is_held: bool| {
        if !plan.touches(window.start, window.end) {
            counts.neighbours += window.records;
            return;
        }
        counts.records += window.records;
        match timeline.fate(placed) {
            _ if is_held => counts.held += window.records,
            Fate { held: true, .. } => counts.held += window.records,
            Fate { charged: true, .. } => counts.charged += window.records,
            Fate { exempt: true, .. } => counts.exempt += window.records,
            Fate { .. } => counts.reference += window.records,
        }
    };
    let windows = prepared.windows.iter().zip(by_window(&prepared.placed));
    for (index, (window, spans)) in windows.enumerate() {
        let is_held = prepared.held.contains(&index);
        match spans {
            [span] => {
                for (window, span) in window.each().zip(span.each()) {
                    note(&window, &[span], is_held);
                }
            }
            several => note(window, several, is_held),
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
        } else if plan.touches(start, end) {
            counts.records += records;
            counts.held += records;
        } else {
            counts.neighbours += records;
        }
    }
}
