//! `csbill diff`.

use std::path::PathBuf;

use clap::Args;
use cloudstack_usage::Inventory;
use rating_engine::diff;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::{output, rating};

/// Flags of `csbill diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The old price book.
    old: PathBuf,
    /// The new one.
    new: PathBuf,
    #[command(flatten)]
    input: InputArgs,
}

impl DiffArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let (old, new) = (rating::load_book(&self.old)?, rating::load_book(&self.new)?);
        // names of customers are told apart by what was synced, where something was
        let inventory = match self.input.open_if_there()? {
            Some(mut input) => rating::inventory(&new, &mut input)?,
            None => Inventory::default(),
        };
        let changes = diff(&old, &new, &inventory)?;
        if json {
            output::to_stdout(output::json_text(&changes.to_json())?.as_bytes())?;
        } else if changes.is_empty() {
            output::line("nobody pays anything else")?;
        } else {
            output::to_stdout(changes.to_string().as_bytes())?;
        }
        Ok(Exit::Success)
    }
}
