//! `csbill findings`.

use clap::Args;

use crate::bill::{BillArgs, FilterArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::{output, rating, table};

/// Flags of `csbill findings`.
#[derive(Debug, Args)]
pub(crate) struct FindingsArgs {
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

impl FindingsArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let bill = self.bill.bill(|| self.input.open())?;
        let view = self.filter.view(&bill)?;
        let report = report_export::findings(&view)?;
        if json {
            output::to_stdout(output::json_text(&table::json(&report)?)?.as_bytes())?;
        } else if view.findings().next().is_none() {
            output::line("nothing found")?;
        } else {
            for finding in view.findings() {
                output::line(&table::finding(finding, bill.currency))?;
            }
        }
        Ok(rating::exit(&bill))
    }
}
