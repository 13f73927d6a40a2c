//! `csbill package`.

use clap::{Args, Subcommand};
use rating_engine::{Edit, When};

use crate::edit::{ChangeArgs, Field, row};
use crate::exit::Exit;
use crate::failure::Failure;

/// Flags of `csbill package`.
#[derive(Debug, Args)]
pub(crate) struct PackageArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a package.
    Add {
        /// Its fields as in a price book, such as id=Gold services=Backup,Monitoring.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<Field>,
        #[command(flatten)]
        change: ChangeArgs,
    },
    /// Put a service into a package.
    Set(CellArgs),
    /// Take a service out of a package.
    Unset(CellArgs),
}

/// A cell of the package matrix.
#[derive(Debug, Args)]
struct CellArgs {
    /// The package.
    package: String,
    /// The service.
    service: String,
    /// From this day or instant on [default: always].
    #[arg(long, value_name = "DATE")]
    from: Option<When>,
    /// Until this day (included) or instant [default: for ever].
    #[arg(long, value_name = "DATE")]
    until: Option<When>,
    #[command(flatten)]
    change: ChangeArgs,
}

impl PackageArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::Add { fields, change } => change.make(Edit::AddPackage(row(fields)), json),
            Command::Set(cell) => cell.make(true, json),
            Command::Unset(cell) => cell.make(false, json),
        }
    }
}

impl CellArgs {
    fn make(&self, present: bool, json: bool) -> Result<Exit, Failure> {
        let edit = Edit::SetPackageService {
            package: self.package.clone(),
            service: self.service.clone(),
            from: self.from,
            until: self.until,
            present,
        };
        self.change.make(edit, json)
    }
}
