//! `csbill restore`.

use std::path::PathBuf;

use clap::Args;
use cloudstack_usage::archive::{self, Archive, RestoreReport};
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;
use crate::output;
use crate::progress::Progress;
use crate::put_away;

/// Flags of `csbill restore`.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// Archives: the folders that `csbill archive` has written.
    #[arg(value_name = "DIR", required = true)]
    archives: Vec<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl RestoreArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        // all are checked before the first one is put back
        let archives = self.archives.iter().map(Archive::open);
        let archives: Vec<Archive> = archives.collect::<Result<_, _>>()?;
        let mut store = put_away::open(&self.database, true)?;
        let mut done = Vec::new();
        for archive in &archives {
            let progress = Progress::new("restoring");
            let report = archive::restore(&mut *store, archive, &self.database.cloud)?;
            drop(progress);
            if json {
                done.push(as_json(archive, &report));
            } else {
                output::line(&described(archive, &report))?;
            }
        }
        if json {
            output::to_stdout(output::json_text(&done)?.as_bytes())?;
        }
        Ok(Exit::Success)
    }
}

fn described(archive: &Archive, report: &RestoreReport) -> String {
    let month = archive.manifest().month;
    if !report.changed() {
        return format!("{month} is there already, nothing changed");
    }
    let late = match report.merged {
        0 => String::new(),
        merged => format!(", {merged} with what came meanwhile"),
    };
    format!(
        "restored {month}: {} records put back, {} were there{late}",
        report.added, report.there
    )
}

fn as_json(archive: &Archive, report: &RestoreReport) -> serde_json::Value {
    json!({
        "month": archive.manifest().month,
        "changed": report.changed(),
        "added": report.added,
        "there": report.there,
        "merged": report.merged,
        "rejections": report.rejections,
    })
}
