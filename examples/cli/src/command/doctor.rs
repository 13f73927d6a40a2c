//! `csbill doctor`.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use clap::Args;

use super::sync::{FetchArgs, client};
use crate::configuration::ConnectionArgs;
use crate::dates::instant;
use crate::diagnosis::{Check, Level, of_database, of_server};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;
use crate::output;

/// Flags of `csbill doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    fetching: FetchArgs,
    /// The clock: the moment to look at; the machine's clock otherwise.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
}

impl DoctorArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let now = self.as_of.unwrap_or_else(Utc::now);
        let mut checks = self.of_server(now);
        checks.extend(match self.database.location_with(&self.connection) {
            Ok(location) => of_database(&location, &self.database.cloud, now),
            Err(failure) => vec![Check::failed("database", &failure)],
        });
        if json {
            output::to_stdout(output::json_text(&checks)?.as_bytes())?;
        } else {
            output::to_stdout(text(&checks).as_bytes())?;
        }
        let failed = checks.iter().find(|check| check.level == Level::Failed);
        Ok(failed.map_or(Exit::Success, |check| check.exit))
    }

    fn of_server(&self, now: DateTime<Utc>) -> Vec<Check> {
        let connection = match self.connection.resolve() {
            Ok(connection) => connection,
            Err(failure) => return vec![Check::failed("configuration", &failure)],
        };
        match client(&connection, &self.fetching) {
            Ok(mut client) => of_server(&mut client, now),
            Err(failure) => vec![Check::failed("configuration", &failure)],
        }
    }
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    for check in checks {
        let level = match check.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Failed => "FAILED",
        };
        // writing to a string cannot fail
        let _ = writeln!(text, "{level:<8} {:<14} {}", check.name, check.message);
    }
    text
}
