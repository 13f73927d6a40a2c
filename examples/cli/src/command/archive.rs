//! `csbill archive`.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use cloudstack_usage::archive::{self, Archive, ExportOptions, Exported, PruneReport};
use cloudstack_usage::store::UtcMonth;
use serde_json::json;

use crate::columns::{Heading, layout};
use crate::dates::instant;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;
use crate::output;
use crate::progress::Progress;
use crate::put_away::{self, PutAway};

/// Flags of `csbill archive`.
#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    /// The month, such as 2026-10, in UTC; three days more on both sides are written with it,
    /// so that it can be billed in any time zone.
    #[arg(long, value_name = "YYYY-MM", required_unless_present = "list")]
    month: Option<UtcMonth>,
    /// Where to write: into the folder CLOUD/YYYY-MM in here.
    #[arg(long, value_name = "DIR", required_unless_present = "list")]
    to: Option<PathBuf>,
    /// Take the month out of the database, once the archive was read back and compared.
    #[arg(long)]
    prune: bool,
    /// Take the place of an archive of the month that holds something else.
    #[arg(long)]
    replace: bool,
    /// So many days beyond the month usage must be complete: as many as syncs look back.
    #[arg(long, value_name = "DAYS", default_value_t = 8)]
    settled_days: u16,
    /// The clock: the moment that is written down; the machine's clock otherwise.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
    /// Say which months are out of the database, and where.
    #[arg(long, conflicts_with_all = ["month", "to", "prune", "replace"])]
    list: bool,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl ArchiveArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let (Some(month), Some(to)) = (self.month, &self.to) else {
            return self.list(json);
        };
        let now = self.as_of.unwrap_or_else(Utc::now);
        let mut store = put_away::open(&self.database, self.prune)?;
        let options = ExportOptions::new(&self.database.cloud, month, now)
            .settled(TimeDelta::days(i64::from(self.settled_days)))
            .replacing(self.replace);
        let progress = Progress::new("archiving");
        let exported = archive::export(&mut *store, to, &options)?;
        let pruned = if self.prune {
            progress.say("comparing".to_owned());
            Some(archive::prune(&mut *store, &exported.archive, now)?)
        } else {
            None
        };
        drop(progress);
        if json {
            let text = output::json_text(&as_json(&exported, pruned.as_ref()))?;
            output::to_stdout(text.as_bytes())?;
        } else {
            output::line(&described(&exported))?;
            if let Some(pruned) = &pruned {
                output::line(&described_prune(pruned))?;
            }
        }
        Ok(Exit::Success)
    }

    fn list(&self, json: bool) -> Result<Exit, Failure> {
        let mut store = put_away::open(&self.database, false)?;
        let months = put_away::months(&mut *store, &self.database.cloud)?;
        if json {
            let months: Vec<_> = months.iter().map(list_entry).collect();
            output::to_stdout(output::json_text(&months)?.as_bytes())?;
        } else {
            let rows: Vec<Vec<String>> = months.iter().map(row).collect();
            output::to_stdout(layout(HEADINGS, &rows).as_bytes())?;
        }
        Ok(if months.is_empty() {
            Exit::Nothing
        } else {
            Exit::Success
        })
    }
}

const HEADINGS: &[Heading] = &[
    Heading("Month", false),
    Heading("Pruned", false),
    Heading("Records", true),
    Heading("Came since", true),
    Heading("Archive", false),
];

fn row(month: &PutAway) -> Vec<String> {
    let known = &month.known;
    vec![
        known.month.to_string(),
        known
            .pruned
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        known.records.to_string(),
        month.late.to_string(),
        known.place.clone(),
    ]
}

fn list_entry(month: &PutAway) -> serde_json::Value {
    json!({
        "month": month.known.month,
        "pruned": month.known.pruned,
        "records": month.known.records,
        "late": month.late,
        "archive": month.known.place,
        "content_sha256": month.known.digest,
    })
}

fn place(archive: &Archive) -> String {
    archive.folder().display().to_string()
}

fn described(exported: &Exported) -> String {
    let content = exported.archive.manifest().content;
    let done = if exported.written {
        "wrote"
    } else {
        "unchanged"
    };
    format!(
        "{done} {}: {} records, {} of them superseded, {} that could not be read",
        place(&exported.archive),
        content.records,
        content.superseded,
        content.rejections
    )
}

fn described_prune(pruned: &PruneReport) -> String {
    format!(
        "pruned {}: {} records out of the database, {} stay for the months beside it",
        pruned.month.month, pruned.removed, pruned.kept
    )
}

fn as_json(exported: &Exported, pruned: Option<&PruneReport>) -> serde_json::Value {
    json!({
        "archive": place(&exported.archive),
        "written": exported.written,
        "manifest": exported.archive.manifest(),
        "pruned": pruned.map(|pruned| json!({ "removed": pruned.removed, "kept": pruned.kept })),
    })
}
