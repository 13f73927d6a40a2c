//! `csbill discount`.

use clap::{Args, Subcommand};
use rating_engine::{Edit, When};

use crate::edit::{ChangeArgs, Field, row};
use crate::exit::Exit;
use crate::failure::Failure;

/// Flags of `csbill discount`.
#[derive(Debug, Args)]
pub(crate) struct DiscountArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a discount.
    Add {
        /// Its fields as in a price book, such as id=acme-cpu percent=10 meters=cpu,ram
        /// domain=ROOT/acme from=2026-10-01 until=2026-12-31.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<Field>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// End a discount.
    End {
        /// Its id.
        id: String,
        /// The last day (included), or the instant of the end.
        #[arg(long, value_name = "DATE")]
        until: When,
        #[command(flatten)]
        change: ChangeArgs,
    },
}

impl DiscountArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::Add { fields, change } => change.make(Edit::AddDiscount(row(fields)), json),
            Command::End { id, until, change } => {
                let edit = Edit::EndDiscount {
                    id: id.clone(),
                    until: *until,
                };
                change.make(edit, json)
            }
        }
    }
}
