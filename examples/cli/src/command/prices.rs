//! `csbill prices`: checks price books, and keeps their versions in the database.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use rating_engine::PriceBook;
use serde_json::json;

use crate::command::issue::IssuerArgs;
use crate::dates::instant;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;
use crate::ledger::Ledger;
use crate::{output, rating};

/// Flags of `csbill prices`.
#[derive(Debug, Args)]
pub(crate) struct PricesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a price book: names every error, each with its place.
    Check {
        /// The price book, TOML or (by its name) JSON.
        file: PathBuf,
    },
    /// Keep this version of a price book in the database for ever, under the book's name.
    Keep {
        /// The price book, TOML or (by its name) JSON.
        file: PathBuf,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        issuer: IssuerArgs,
    },
    /// Print a kept price book as it was known on a day, byte for byte.
    Known {
        /// The book's name; see `csbill documents list --kind price_book`.
        name: String,
        /// The newest version that was kept until then [default: now].
        #[arg(long, value_name = "TIME", value_parser = instant)]
        known_on: Option<DateTime<Utc>>,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

impl PricesArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::Check { file } => check(file, json),
            Command::Keep {
                file,
                database,
                issuer,
            } => keep(file, database, issuer),
            Command::Known {
                name,
                known_on,
                database,
            } => known(name, *known_on, database),
        }
    }
}

fn keep(file: &Path, database: &DatabaseArgs, issuer: &IssuerArgs) -> Result<Exit, Failure> {
    let issuing = issuer.issuing()?;
    let (book, text) = rating::read_book(file)?;
    if Ledger::open(database)?.keep_book(book.name(), &text, &issuing)? {
        output::line(&format!("kept {:?}, digest {}", book.name(), book.digest()))?;
        return Ok(Exit::Success);
    }
    output::note("this version is the newest one already; nothing changed");
    Ok(Exit::Nothing)
}

fn known(
    name: &str,
    known_on: Option<DateTime<Utc>>,
    database: &DatabaseArgs,
) -> Result<Exit, Failure> {
    let Some(book) = Ledger::open(database)?.book(name, known_on)? else {
        let message = format!(
            "no version of a price book {name:?} was kept until then; see `csbill documents list --kind price_book`"
        );
        return Err(Failure::new(Exit::Nothing, message));
    };
    output::to_stdout(book.content.as_bytes())?;
    Ok(Exit::Success)
}

fn check(file: &Path, json: bool) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    let checked = if rating::is_json(file) {
        PriceBook::from_json(&text)
    } else {
        PriceBook::from_toml(&text)
    };
    match checked {
        Ok(book) if json => {
            let answer = json!({
                "valid": true,
                "name": book.name(),
                "currency": book.currency().code(),
                "zone": book.zone_name(),
                "digest": book.digest(),
                "prices": book.prices().len(),
                "services": book.services().len(),
                "packages": book.packages().len(),
                "discounts": book.discounts().len(),
            });
            output::to_stdout(output::json_text(&answer)?.as_bytes())?;
            Ok(Exit::Success)
        }
        Ok(book) => {
            output::line(&format!(
                "{}: the price book {:?} is valid: {} prices, {} services, {} packages, {} discounts, in {} and {}",
                file.display(),
                book.name(),
                book.prices().len(),
                book.services().len(),
                book.packages().len(),
                book.discounts().len(),
                book.currency().code(),
                book.zone_name(),
            ))?;
            Ok(Exit::Success)
        }
        Err(errors) if json => {
            let list: Vec<_> = errors
                .errors()
                .iter()
                .map(|error| {
                    json!({
                        "slug": error.slug(),
                        "place": error.place(),
                        "line": error.line(),
                        "message": error.message(),
                    })
                })
                .collect();
            let answer = json!({ "valid": false, "errors": list });
            output::to_stdout(output::json_text(&answer)?.as_bytes())?;
            Ok(Exit::Configuration)
        }
        Err(errors) => {
            let message = format!("{}: {errors}", file.display());
            Err(Failure::new(Exit::Configuration, message))
        }
    }
}
