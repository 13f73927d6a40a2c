//! `csbill demo`: a real month's bill, from a recorded CloudStack over HTTP to files.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cloudstack_usage_store::SyncOptions;
use csbill_replay::{Fault, LoggedRequest, Options, Recording, ReplayServer};
use rating_engine::Bill;
use report_export::{Csv, GroupBy, View, findings, lines, summary};
use serde_json::json;

use crate::command::sync::{FetchArgs, run_sync};
use crate::configuration::{Connection, Method, Secret};
use crate::dates::Month;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{DatabaseArgs, Input, must_exist};
use crate::progress::Progress;
use crate::{output, rating, table, workbooks};

/// The folder of examples that this program was built beside.
const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Flags of `csbill demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to write.
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
    /// The recording [default: examples/data/cloudstack-4.23].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The price book [default: examples/data/price-book.toml].
    #[arg(long, value_name = "FILE")]
    book: Option<PathBuf>,
    /// The month to rate.
    #[arg(long, value_name = "YYYY-MM", default_value = "2026-10")]
    month: Month,
}

impl DemoArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let examples = Path::new(EXAMPLES).join("data");
        let data = self
            .data
            .clone()
            .unwrap_or_else(|| examples.join("cloudstack-4.23"));
        let book = self
            .book
            .clone()
            .unwrap_or_else(|| examples.join("price-book.toml"));
        must_exist(&book)?;
        let book = rating::load_book(&book)?;
        let period = rating::civil_period(&book, self.month.first(), self.month.last())?;
        std::fs::create_dir_all(&self.out).map_err(|error| Failure::file(&self.out, &error))?;
        let file = self.out.join("csbill.sqlite");
        let database = DatabaseArgs {
            database: Secret::from(&*file.to_string_lossy()),
            database_password: None,
            cloud: cloudstack_usage::store::DEFAULT_CLOUD.to_owned(),
        };
        remove(&file)?;
        let synced = sync_recording(&data, &database)?;
        let progress = Progress::new("rating");
        let bill = rating::rate(&book, period, &mut Input::database(&database)?)?;
        progress.say("writing".to_owned());
        let files = write_all(&bill, &self.out)?;
        drop(progress);
        let text = if json {
            output::json_text(&json!({
                "syncs": synced.syncs,
                "requests": synced.requests,
                "retried": synced.retried,
                "usage_records": synced.records,
                "total": { "amount": bill.total.amount(), "currency": bill.currency.code() },
                "statements": bill.statements.iter().map(|statement| json!({
                    "path": statement.path,
                    "amount": statement.total.amount(),
                })).collect::<Vec<_>>(),
                "findings": bill.findings.len(),
                "files": files,
            }))?
        } else {
            let mut text = format!(
                "{} syncs over HTTP: {} requests, {} of them tried again (429, 503), {} usage records\n\n",
                synced.syncs, synced.requests, synced.retried, synced.records
            );
            text.push_str(&table::overview(&bill)?);
            text.push_str("\nFiles\n");
            for file in &files {
                let _ = writeln!(text, "  {}", file.display());
            }
            let _ = writeln!(text, "  {}", file.display());
            text
        };
        output::to_stdout(text.as_bytes())?;
        // that the recorded month has doubtful records is what the demo shows
        Ok(Exit::Success)
    }
}

/// Takes away the database of an earlier demo.
fn remove(database: &Path) -> Result<(), Failure> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = database.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Failure::file(Path::new(&name), &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What it took to get everything.
struct Synced {
    syncs: usize,
    requests: usize,
    /// Requests that were answered with 429 or 503.
    retried: usize,
    records: u64,
}

/// Syncs once per recorded sync into a new database, through two faults that every
/// CloudStack shows now and then.
fn sync_recording(data: &Path, database: &DatabaseArgs) -> Result<Synced, Failure> {
    let recording = Recording::load(data, "usage-daily")?;
    let times = recording.sync_times();
    if times.is_empty() {
        let message = format!("{} holds no recorded sync", data.display());
        return Err(Failure::new(Exit::Nothing, message));
    }
    let retry_after = Duration::from_millis(100);
    let options = Options::default()
        .fault(3, Fault::Throttled { retry_after })
        .fault(8, Fault::Unavailable);
    let server = ReplayServer::start(recording, options)?;
    let connection = Connection {
        endpoint: server.url(),
        key: Secret::from(server.key()),
        secret: Secret::from(server.secret()),
        method: Method::Post,
        timeout_seconds: 60,
    };
    let mut records = 0;
    for at in &times {
        server.set_now(*at);
        let options = SyncOptions::new(*at).cloud(database.cloud.as_str());
        records += run_sync(
            &connection,
            &FetchArgs::default(),
            &database.location()?,
            &options,
        )?
        .usage
        .new;
    }
    let requests = server.requests();
    let failed = |request: &&LoggedRequest| [429, 503].contains(&request.status);
    Ok(Synced {
        syncs: times.len(),
        requests: requests.len(),
        retried: requests.iter().filter(failed).count(),
        records,
    })
}

/// Lines and workbook of each statement, and the whole bill. Gives the files written.
fn write_all(bill: &Bill, out: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut file = |name: String| {
        let path = out.join(name);
        files.push(path.clone());
        path
    };
    let csv = Csv::rfc4180();
    for statement in &bill.statements {
        let view = View::of_statement(bill, &statement.account.to_string())?;
        let name = file_name(&statement.path);
        csv.write_file(&lines(&view), file(format!("{name}.csv")))?;
        output::write_file(&file(format!("{name}.xlsx")), &workbooks::bytes(&view)?.0)?;
    }
    let view = View::of_bill(bill)?;
    let by = [GroupBy::Domain, GroupBy::Project, GroupBy::Item];
    csv.write_file(&summary(&view, &by)?, file("summary.csv".to_owned()))?;
    output::write_file(
        &file("summary.xlsx".to_owned()),
        &workbooks::bytes(&view)?.0,
    )?;
    csv.write_file(&findings(&view)?, file("findings.csv".to_owned()))?;
    let json = output::json_text(&bill.to_json())?;
    output::write_file(&file("bill.json".to_owned()), json.as_bytes())?;
    Ok(files)
}

/// A domain's path as the name of a file: `ROOT/acme` is `acme`.
fn file_name(path: &str) -> String {
    let path = path.strip_prefix("ROOT/").unwrap_or(path);
    let plain = |c: char| {
        if c.is_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '_'
        }
    };
    path.chars().map(plain).collect()
}
