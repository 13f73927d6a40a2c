//! Serves a recording until its standard input ends, for clients that are not written in
//! Rust. Prints one line of JSON with `url`, `key` and `secret`; a line `now TIME` on standard
//! input moves its clock.

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Parser;
use csbill_replay::{Options, Recording, ReplayServer};
use serde_json::json;

/// Answers on loopback as a recorded CloudStack did.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The folder of the recording.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The sub-folder with usage records.
    #[arg(long, value_name = "NAME", default_value = "usage-daily")]
    usage: String,
    /// The moment to answer as of, e.g. 2026-11-01T02:00:00Z; after everything otherwise.
    #[arg(long, value_name = "TIME")]
    now: Option<DateTime<Utc>>,
    /// The port on 127.0.0.1; a free one otherwise.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "csbill-replay: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let recording = Recording::load(&arguments.data, &arguments.usage)?;
    let options = Options {
        now: arguments.now,
        port: arguments.port,
        ..Options::default()
    };
    let server = ReplayServer::start(recording, options)?;
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{}",
        json!({"url": server.url(), "key": server.key(), "secret": server.secret()})
    )?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if let Some(time) = line.trim().strip_prefix("now ") {
            server.set_now(time.trim().parse::<DateTime<Utc>>()?);
            writeln!(out, "{}", json!({ "now": time.trim() }))?;
            out.flush()?;
        }
    }
    Ok(())
}
