//! The command line.

use clap::{Parser, Subcommand};

use crate::command::archive::ArchiveArgs;
use crate::command::demo::DemoArgs;
use crate::command::diff::DiffArgs;
use crate::command::discount::DiscountArgs;
use crate::command::doctor::DoctorArgs;
use crate::command::documents::DocumentsArgs;
use crate::command::explain::ExplainArgs;
use crate::command::factor::FactorArgs;
use crate::command::findings::FindingsArgs;
use crate::command::forecast::ForecastArgs;
use crate::command::issue::IssueArgs;
use crate::command::label::LabelArgs;
use crate::command::leaks::LeaksArgs;
use crate::command::package::PackageArgs;
use crate::command::price::PriceArgs;
use crate::command::prices::PricesArgs;
use crate::command::rate::RateArgs;
use crate::command::report::ReportArgs;
use crate::command::rerate::RerateArgs;
use crate::command::restore::RestoreArgs;
use crate::command::shadow::ShadowArgs;
use crate::command::simulate::SimulateArgs;
use crate::command::sync::SyncArgs;
use crate::command::totals::TotalsArgs;
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
    /// Check all that a sync needs: endpoint, role, version, clocks, usage, database.
    Doctor(Box<DoctorArgs>),
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
    /// Say what changed between two price books, for whom and when.
    Diff(Box<DiffArgs>),
    /// Add or end a discount: a new version of the price book.
    Discount(Box<DiscountArgs>),
    /// Add or end a factor on prices: a new version of the price book.
    Factor(Box<FactorArgs>),
    /// Forecast the bill of the running month.
    Forecast(Box<ForecastArgs>),
    /// Set, clear, import or list labels: tags of our own, in the database.
    Label(Box<LabelArgs>),
    /// List what CloudStack forgot to meter, and what it metered twice.
    Leaks(Box<LeaksArgs>),
    /// Change the package matrix: a new version of the price book.
    Package(Box<PackageArgs>),
    /// Add, end or replace a price: a new version of the price book.
    Price(Box<PriceArgs>),
    /// Issue the bill of a period: keep it, with its price book, in the database for ever.
    Issue(Box<IssueArgs>),
    /// List and print what was issued, and the price books it was made with.
    Documents(Box<DocumentsArgs>),
    /// Rate an issued bill again and print the smallest correction.
    Rerate(Box<RerateArgs>),
    /// Say what a past period would have cost with another price book.
    Simulate(Box<SimulateArgs>),
    /// Add up what months cost, without statements: fast enough for years.
    Totals(Box<TotalsArgs>),
    /// Say why CloudStack's Quota and our bill differ, cause by cause, with the money.
    Shadow(Box<ShadowArgs>),
    /// Put a month of usage away into Parquet files, and with --prune out of the database.
    Archive(Box<ArchiveArgs>),
    /// Put archived months back into the database.
    Restore(Box<RestoreArgs>),
    /// Make a real month's bill from a recorded CloudStack.
    Demo(DemoArgs),
}

impl Arguments {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Sync(arguments) => arguments.run(self.json),
            Command::Doctor(arguments) => arguments.run(self.json),
            Command::Report(arguments) => arguments.run(self.json),
            Command::Rate(arguments) => arguments.run(self.json),
            Command::Prices(arguments) => arguments.run(self.json),
            Command::Explain(arguments) => arguments.run(self.json),
            Command::Findings(arguments) => arguments.run(self.json),
            Command::Diff(arguments) => arguments.run(self.json),
            Command::Discount(arguments) => arguments.run(self.json),
            Command::Factor(arguments) => arguments.run(self.json),
            Command::Forecast(arguments) => arguments.run(self.json),
            Command::Label(arguments) => arguments.run(self.json),
            Command::Leaks(arguments) => arguments.run(self.json),
            Command::Package(arguments) => arguments.run(self.json),
            Command::Price(arguments) => arguments.run(self.json),
            Command::Issue(arguments) => arguments.run(self.json),
            Command::Documents(arguments) => arguments.run(self.json),
            Command::Rerate(arguments) => arguments.run(self.json),
            Command::Simulate(arguments) => arguments.run(self.json),
            Command::Totals(arguments) => arguments.run(self.json),
            Command::Shadow(arguments) => arguments.run(self.json),
            Command::Archive(arguments) => arguments.run(self.json),
            Command::Restore(arguments) => arguments.run(self.json),
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
