//! `csbill prices check`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use rating_engine::PriceBook;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

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
}

impl PricesArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let Command::Check { file } = &self.command;
        let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
        let is_json = file
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("json"));
        let checked = if is_json {
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
}
