//! `csbill documents`: what was issued, and with which price books.

use clap::{Args, Subcommand};
use cloudstack_usage::store::{DocumentEntry, DocumentKind};
use serde_json::json;

use crate::columns::{Heading, layout};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;
use crate::ledger::Ledger;
use crate::output;

/// Flags of `csbill documents`.
#[derive(Debug, Args)]
pub(crate) struct DocumentsArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List price books, bills and corrections in the order in which they were recorded.
    List {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Only of this kind: `price_book`, statement or correction.
        #[arg(long, value_name = "KIND", value_parser = kind)]
        kind: Option<DocumentKind>,
    },
    /// Print a document as it was recorded, byte for byte.
    Show {
        /// Its digest, or the first digits of it.
        digest: String,
        #[command(flatten)]
        database: DatabaseArgs,
    },
}

fn kind(text: &str) -> Result<DocumentKind, String> {
    DocumentKind::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = DocumentKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("one of {}", names.join(", "))
    })
}

const HEADINGS: &[Heading] = &[
    Heading("Recorded", false),
    Heading("Kind", false),
    Heading("Name", false),
    Heading("Author", false),
    Heading("Bytes", true),
    Heading("Digest", false),
];

impl DocumentsArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::List { database, kind } => list(database, *kind, json),
            Command::Show { digest, database } => show(database, digest),
        }
    }
}

fn list(database: &DatabaseArgs, kind: Option<DocumentKind>, json: bool) -> Result<Exit, Failure> {
    let entries = Ledger::open(database)?.entries(kind)?;
    if json {
        let entries: Vec<_> = entries.iter().map(as_json).collect();
        output::to_stdout(output::json_text(&entries)?.as_bytes())?;
    } else {
        let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
        output::to_stdout(layout(HEADINGS, &rows).as_bytes())?;
    }
    Ok(if entries.is_empty() {
        Exit::Nothing
    } else {
        Exit::Success
    })
}

fn row(entry: &DocumentEntry) -> Vec<String> {
    vec![
        entry
            .recorded
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        entry.kind.name().to_owned(),
        entry.name.clone(),
        entry.author.clone(),
        entry.length.to_string(),
        entry.digest.to_string().chars().take(12).collect(),
    ]
}

fn as_json(entry: &DocumentEntry) -> serde_json::Value {
    json!({
        "recorded": entry.recorded,
        "kind": entry.kind,
        "name": entry.name,
        "author": entry.author,
        "bytes": entry.length,
        "digest": entry.digest.to_string(),
    })
}

fn show(database: &DatabaseArgs, digest: &str) -> Result<Exit, Failure> {
    let mut ledger = Ledger::open(database)?;
    let mut found = ledger.entries(None)?;
    found.retain(|entry| entry.digest.to_string().starts_with(&digest.to_lowercase()));
    found.dedup_by_key(|entry| entry.digest);
    match found.as_slice() {
        [entry] => {
            let document = ledger.text(entry)?;
            output::to_stdout(document.content.as_bytes())?;
            Ok(Exit::Success)
        }
        [] => {
            let message =
                format!("no document has the digest {digest}; see `csbill documents list`");
            Err(Failure::new(Exit::Nothing, message))
        }
        several => {
            let message = format!(
                "{} documents have digests that begin with {digest}; give more digits",
                several.len()
            );
            Err(Failure::new(Exit::Usage, message))
        }
    }
}
