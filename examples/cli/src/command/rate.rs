//! `csbill rate`: files in, a statement out.

use std::path::PathBuf;

use clap::Args;

use crate::bill::BillArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{FileArgs, Input, must_exist};
use crate::output::{self, Target};
use crate::{rating, table};

/// Flags of `csbill rate`.
#[derive(Debug, Args)]
pub(crate) struct RateArgs {
    #[command(flatten)]
    files: RequiredFileArgs,
    #[command(flatten)]
    bill: BillArgs,
    /// Where to write; `-` or nothing is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Files as CloudStack answered, plain or gzip.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
struct RequiredFileArgs {
    /// Pages of listUsageRecords: files, or folders of them.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    usage: Vec<PathBuf>,
    /// A folder with one sub-folder and index.json per sync.
    #[arg(long, value_name = "DIR", num_args = 1..)]
    metadata: Vec<PathBuf>,
}

impl RateArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let files = FileArgs {
            usage: self.files.usage.clone(),
            metadata: self.files.metadata.clone(),
        };
        files
            .usage
            .iter()
            .chain(&files.metadata)
            .try_for_each(|path| must_exist(path))?;
        let bill = self.bill.bill(|| Input::files(&files))?;
        let text = if json {
            output::json_text(&bill.to_json())?
        } else {
            table::overview(&bill)?
        };
        Target::of(self.output.as_deref()).write(text.as_bytes())?;
        Ok(rating::exit(&bill))
    }
}
