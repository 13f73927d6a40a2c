//! `csbill simulate`.

use std::path::PathBuf;

use clap::Args;
use rating_engine::{Effect, PartEffect, Simulation};

use crate::bill::BillArgs;
use crate::columns::{Heading, layout};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{InputArgs, must_exist};
use crate::{output, rating};

/// Flags of `csbill simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The price book to try; `--book` is the one in force.
    #[arg(long, value_name = "FILE")]
    with: PathBuf,
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
}

impl SimulateArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        must_exist(&self.with)?;
        let old = rating::load_book(&self.bill.book)?;
        let new = rating::load_book(&self.with)?;
        let period = self.bill.period(&old)?;
        let mut input = self.input.open()?;
        // each book may take the moments of tags its own way
        let before = rating::rate(&old, period, &mut input)?;
        let after = rating::rate(&new, period, &mut input)?;
        let simulation = Simulation::compare(&before, &after)?;
        if json {
            output::to_stdout(output::json_text(&simulation.to_json())?.as_bytes())?;
        } else {
            output::to_stdout(text(&simulation).as_bytes())?;
        }
        Ok(rating::exit(&after))
    }
}

fn text(simulation: &Simulation) -> String {
    let mut rows = Vec::new();
    for statement in &simulation.statements {
        rows.push(row(&statement.path, &statement.total));
        // what changed below it
        let parts = statement.holders.iter().chain(&statement.items);
        rows.extend(
            parts
                .filter(|part| changed(part))
                .map(|part| row(&format!("  {} {}", part.kind, part.name), &part.effect)),
        );
    }
    rows.push(row("Total", &simulation.total));
    let head = format!(
        "{}: {} -> {}, in {}\n\n",
        simulation.period, simulation.old_book.name, simulation.new_book.name, simulation.currency
    );
    head + &layout(HEADINGS, &rows)
}

const HEADINGS: &[Heading] = &[
    Heading("Statement", false),
    Heading("Old", true),
    Heading("New", true),
    Heading("Difference", true),
];

fn changed(part: &PartEffect) -> bool {
    !part.effect.difference.exact.is_zero()
}

fn row(name: &str, effect: &Effect) -> Vec<String> {
    let amounts = [&effect.old, &effect.new, &effect.difference];
    let amounts = amounts.map(|amount| amount.amount.clone());
    std::iter::once(name.to_owned()).chain(amounts).collect()
}
