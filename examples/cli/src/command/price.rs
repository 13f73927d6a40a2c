//! `csbill price`.

use clap::{Args, Subcommand};
use rating_engine::{Edit, When};

use crate::edit::{ChangeArgs, Field, row};
use crate::exit::Exit;
use crate::failure::Failure;

/// Flags of `csbill price`.
#[derive(Debug, Args)]
pub(crate) struct PriceArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a price.
    Add {
        /// Its fields as in a price book, such as id=cpu-2027 meter=cpu amount=6.50
        /// per=month from=2027-01-01 domain=ROOT/acme; lists with commas.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<Field>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// End a price.
    End {
        /// Its id.
        id: String,
        /// The last day (included), or the instant of the end.
        #[arg(long, value_name = "DATE")]
        until: When,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// End a price, and begin another one that is like it but for what is said.
    Replace {
        /// The id of the price that ends.
        id: String,
        /// The first day or instant of the new one.
        #[arg(long, value_name = "DATE")]
        from: When,
        /// What is otherwise, such as amount=6.50; nothing behind the = takes a field away.
        #[arg(value_name = "FIELD=VALUE")]
        fields: Vec<Field>,
        #[command(flatten)]
        change: ChangeArgs,
    },
}

impl PriceArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::Add { fields, change } => change.make(Edit::AddPrice(row(fields)), json),
            Command::End { id, until, change } => {
                let edit = Edit::EndPrice {
                    id: id.clone(),
                    until: *until,
                };
                change.make(edit, json)
            }
            Command::Replace {
                id,
                from,
                fields,
                change,
            } => {
                let edit = Edit::ReplacePrice {
                    id: id.clone(),
                    from: *from,
                    with: row(fields),
                };
                change.make(edit, json)
            }
        }
    }
}
