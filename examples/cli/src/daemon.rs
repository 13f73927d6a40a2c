//! Syncing again and again, until told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::Utc;
use clap::Args;
use cloudstack_usage_store::SyncReport;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::logging::{self, LogFormat};
use crate::metrics::Metrics;
use crate::metrics_server::{Published, serve};
use crate::output;

/// Flags of a sync that goes on, and of who watches.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operation")]
pub(crate) struct DaemonArgs {
    /// Sync again and again, with logs on standard error, until SIGTERM or SIGINT.
    #[arg(long, conflicts_with_all = ["as_of", "from"])]
    pub(crate) daemon: bool,
    /// The time from the end of one sync to the next, such as 15m, 1h or 90s.
    #[arg(long, value_name = "TIME", value_parser = interval, default_value = "15m")]
    every: Duration,
    /// Write metrics in Prometheus' text format to this file after each sync, as its
    /// node exporter collects them.
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Serve the metrics at `http://ADDRESS/metrics`, such as 127.0.0.1:9464.
    #[arg(long, value_name = "ADDRESS", requires = "daemon")]
    metrics_listen: Option<SocketAddr>,
    /// How log lines look.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
}

fn interval(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_secs(1) {
        return Err("the shortest time between two syncs is a second".to_owned());
    }
    Ok(duration)
}

impl DaemonArgs {
    /// Syncs once, with its metrics where they are asked for.
    pub(crate) fn once(
        &self,
        cloud: &str,
        sync: impl FnOnce() -> Result<SyncReport, Failure>,
    ) -> Result<SyncReport, Failure> {
        if std::env::var_os("CSBILL_LOG").is_some() {
            logging::start(self.log_format, "warn");
        }
        self.watched(&Published::new(Metrics::new(cloud)), sync)
    }

    /// Syncs until told to stop. A sync under way is ended first: what is not committed
    /// would have to be fetched again. What is wrong with the configuration ends it at
    /// once; everything else is logged, and tried again the next time.
    pub(crate) fn run(
        &self,
        cloud: &str,
        mut sync: impl FnMut() -> Result<SyncReport, Failure>,
    ) -> Result<Exit, Failure> {
        logging::start(self.log_format, "info");
        let stop = stop_signal()?;
        let published = Published::new(Metrics::new(cloud));
        if let Some(address) = self.metrics_listen {
            let address = serve(address, published.clone())?;
            tracing::info!(%address, "metrics are served at /metrics");
        }
        tracing::info!(cloud, every_s = self.every.as_secs(), "syncing");
        loop {
            match self.watched(&published, &mut sync) {
                Err(failure) if failure.exit() == Exit::Configuration => return Err(failure),
                Err(failure) => {
                    tracing::error!(
                        cloud,
                        exit = failure.exit().code(),
                        "sync failed: {failure}"
                    );
                }
                Ok(report) => log(&report),
            }
            match stop.recv_timeout(self.every) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        tracing::info!(cloud, "stopped");
        Ok(Exit::Success)
    }

    /// A sync with its metrics.
    fn watched(
        &self,
        published: &Published,
        sync: impl FnOnce() -> Result<SyncReport, Failure>,
    ) -> Result<SyncReport, Failure> {
        let began = Instant::now();
        let outcome = sync();
        let (at, duration) = (Utc::now(), began.elapsed());
        let text = published.update(|metrics| match &outcome {
            Ok(report) => metrics.synced(report.clone(), at, duration),
            Err(_) => metrics.failed(at, duration),
        });
        if let Some(file) = &self.metrics {
            let written = output::write_file(file, text.as_bytes());
            // a sync that failed is the worse news
            if outcome.is_ok() {
                written?;
            }
        }
        outcome
    }
}

/// Tells when SIGTERM, SIGINT or SIGHUP comes.
fn stop_signal() -> Result<Receiver<()>, Failure> {
    let (sender, receiver) = mpsc::channel();
    ctrlc::set_handler(move || {
        // nobody waits any more: the program ends already
        let _ = sender.send(());
    })
    .map_err(|error| Failure::new(Exit::Failed, format!("cannot wait for signals: {error}")))?;
    Ok(receiver)
}

fn log(report: &SyncReport) {
    for notice in &report.notices {
        tracing::warn!(slug = notice.slug, "{}", notice.message);
    }
    for rejection in &report.rejections {
        tracing::warn!(
            slug = rejection.slug,
            page = rejection.page,
            position = rejection.position,
            "rejected: {}",
            rejection.message
        );
    }
    tracing::info!(
        cloud = report.cloud,
        changed = report.changed,
        complete = report.usage_complete,
        new = report.usage.new,
        revised = report.usage.revised,
        unchanged = report.usage.unchanged,
        rejected = report.usage.rejected,
        complete_until = report.watermark.map(|at| at.to_rfc3339()),
        "synced"
    );
}
