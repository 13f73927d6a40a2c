//! `csbill factor`.

use clap::{Args, Subcommand};
use rating_engine::{Edit, When};

use crate::edit::{ChangeArgs, Field, row};
use crate::exit::Exit;
use crate::failure::Failure;

/// Flags of `csbill factor`.
#[derive(Debug, Args)]
pub(crate) struct FactorArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a factor.
    Add {
        /// Its fields as in a price book, such as id=windows factor=1.10 `os_category=Windows`
        /// meters=cpu,ram group=os from=2027-01-01 until=2027-12-31.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<Field>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// End a factor.
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

impl FactorArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::Add { fields, change } => change.make(Edit::AddFactor(row(fields)), json),
            Command::End { id, until, change } => {
                let edit = Edit::EndFactor {
                    id: id.clone(),
                    until: *until,
                };
                change.make(edit, json)
            }
        }
    }
}
