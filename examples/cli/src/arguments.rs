//! The command line.

use clap::{Parser, Subcommand};

use crate::command::demo::DemoArgs;
use crate::command::explain::ExplainArgs;
use crate::command::findings::FindingsArgs;
use crate::command::prices::PricesArgs;
use crate::command::rate::RateArgs;
use crate::command::report::ReportArgs;
use crate::command::sync::SyncArgs;
use crate::exit::{self, Exit};
use crate::failure::Failure;

/// Turns Apache CloudStack usage into correct, explainable, exportable bills.
///
/// Results go to standard output, everything else to standard error. Progress is shown on a
/// terminal only.
#[derive(Debug, Parser)]
#[command(name = "csbill", version, after_help = exit::HELP, arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch usage and metadata from CloudStack into the database.
    Sync(Box<SyncArgs>),
    /// Make a report from the database.
    Report(Box<ReportArgs>),
    /// Rate files as CloudStack answered them, without a database.
    Rate(Box<RateArgs>),
    /// Work with price books.
    Prices(PricesArgs),
    /// Say how the amount of a line came about.
    Explain(Box<ExplainArgs>),
    /// List what is wrong or doubtful, with the money at stake.
    Findings(Box<FindingsArgs>),
    /// Make a real month's bill from a recorded CloudStack.
    Demo(DemoArgs),
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Sync(arguments) => arguments.run(self.json),
            Command::Report(arguments) => arguments.run(self.json),
            Command::Rate(arguments) => arguments.run(self.json),
            Command::Prices(arguments) => arguments.run(self.json),
            Command::Explain(arguments) => arguments.run(self.json),
            Command::Findings(arguments) => arguments.run(self.json),
            Command::Demo(arguments) => arguments.run(self.json),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
