//! `csbill leaks`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use report_export::Csv;

use crate::bill::{BillArgs, FilterArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::output::{self, Target};
use crate::{rating, table};

/// Flags of `csbill leaks`.
#[derive(Debug, Args)]
pub(crate) struct LeaksArgs {
    /// The format.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Where to write; `-` or nothing is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, at a terminal.
    Table,
    /// Comma separated.
    Csv,
}

impl LeaksArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        if json && self.format == Format::Csv {
            let message = "--json and --format contradict each other";
            return Err(Failure::new(Exit::Usage, message));
        }
        let bill = self.bill.bill(|| self.input.open())?;
        let view = self.filter.view(&bill)?;
        let leaks = report_export::leaks_of(&view);
        let bytes = if json {
            output::json_text(&leaks.to_json())?.into_bytes()
        } else {
            let report = report_export::leaks(&view);
            match self.format {
                Format::Csv => Csv::rfc4180().to_bytes(&report)?,
                Format::Table if leaks.leaks.is_empty() => b"no leaks\n".to_vec(),
                Format::Table => {
                    let mut text = table::text(&report)?;
                    for total in &leaks.totals {
                        let _ = writeln!(
                            text,
                            "{:>14} {}  {}: {}",
                            total.value.amount,
                            total.value.currency,
                            total.kind.slug(),
                            total.count
                        );
                    }
                    text.into_bytes()
                }
            }
        };
        Target::of(self.output.as_deref()).write(&bytes)?;
        Ok(rating::exit(&bill))
    }
}
