//! Structured logs on standard error, for the journal and whatever collects it.

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs from here on: what `CSBILL_LOG` asks for (`debug`, `cloudstack_usage=debug`, …),
/// else `usual`. Calls are logged without key and signature.
pub(crate) fn start(format: LogFormat, usual: &str) {
    let filter = EnvFilter::builder()
        .with_default_directive(usual.parse().unwrap_or_default())
        .with_env_var("CSBILL_LOG")
        .from_env_lossy();
    // what the library of the protocol tells in detail holds the password, and what goes wrong is
    // told by the listener: an exchange that has to be made first is no error
    let filter = match "lapin=off".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // who started to log before goes on
    let _ = match format {
        LogFormat::Text => logs.with_ansi(false).try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
}
