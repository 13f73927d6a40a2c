//! Syncing again and again, until told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use chrono::Utc;
use clap::Args;
use cloudstack_usage::PendingHints;
use cloudstack_usage_store::SyncReport;

use crate::configuration::ConnectionArgs;
use crate::events::{EventArgs, Listener};
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
    #[command(flatten)]
    events: EventArgs,
}

/// What a daemon has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// An ordinary sync.
    Sync,
    /// List the metadata again, since an event says that something changed.
    Refresh,
}

/// What wakes a daemon that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    Stop,
    Hint,
}

/// A time as flags give it: at least a second.
pub(crate) fn interval(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < Duration::from_secs(1) {
        return Err("the shortest time is a second".to_owned());
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
        files: &ConnectionArgs,
        lists_metadata: bool,
        sync: impl FnMut(Task) -> Result<SyncReport, Failure>,
    ) -> Result<Exit, Failure> {
        logging::start(self.log_format, "info");
        let (wake, woken) = mpsc::channel();
        stop_on_signal(wake.clone())?;
        let listener = self.events.listen(files, move || {
            // nobody waits any more: the program ends already
            let _ = wake.send(Wake::Hint);
        })?;
        if listener.is_some() && !lists_metadata {
            let message = "events are of no use where only usage is fetched; leave out one of both";
            return Err(Failure::new(Exit::Usage, message));
        }
        let mut published = Published::new(Metrics::new(cloud));
        if let Some(listener) = &listener {
            published = published.with_events(listener.counter());
        }
        if let Some(address) = self.metrics_listen {
            let address = serve(address, published.clone())?;
            tracing::info!(%address, "metrics are served at /metrics");
        }
        tracing::info!(cloud, every_s = self.every.as_secs(), "syncing");
        let daemon = Daemon {
            arguments: self,
            cloud,
            woken,
            listener,
            published,
            sync,
        };
        daemon.run()?;
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
        let written = self.write_metrics(&text);
        // a sync that failed is the worse news
        if outcome.is_ok() {
            written?;
        }
        outcome
    }

    fn write_metrics(&self, text: &str) -> Result<(), Failure> {
        let file = self.metrics.as_ref();
        file.map_or(Ok(()), |file| output::write_file(file, text.as_bytes()))
    }
}

/// A daemon at work.
struct Daemon<'a, S> {
    arguments: &'a DaemonArgs,
    cloud: &'a str,
    woken: Receiver<Wake>,
    listener: Option<Listener>,
    published: Published,
    sync: S,
}

impl<S: FnMut(Task) -> Result<SyncReport, Failure>> Daemon<'_, S> {
    fn run(mut self) -> Result<(), Failure> {
        loop {
            self.sync_now()?;
            let next = Instant::now() + self.arguments.every;
            while let Some(wake) = self.wait_until(next) {
                // hints gather for a while; where the next sync comes first it does for all
                let gathered = Instant::now() + self.arguments.events.delay();
                if wake == Wake::Stop || self.is_stopped_before(gathered.min(next)) {
                    return Ok(());
                }
                if gathered < next {
                    self.refresh()?;
                }
            }
        }
    }

    /// Waits for a stop or a hint; none when the time has come.
    fn wait_until(&self, instant: Instant) -> Option<Wake> {
        let left = instant.saturating_duration_since(Instant::now());
        match self.woken.recv_timeout(left) {
            Ok(wake) => Some(wake),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Wake::Stop),
        }
    }

    /// Waits, whatever is heard; says whether it was told to stop in the meantime.
    fn is_stopped_before(&self, instant: Instant) -> bool {
        while let Some(wake) = self.wait_until(instant) {
            if wake == Wake::Stop {
                return true;
            }
        }
        false
    }

    /// Takes the hints: what is listed from now on does for them.
    fn take_hints(&self) -> PendingHints {
        self.listener
            .as_ref()
            .map(Listener::take)
            .unwrap_or_default()
    }

    /// An ordinary sync.
    fn sync_now(&mut self) -> Result<(), Failure> {
        self.take_hints();
        let sync = &mut self.sync;
        let outcome = self.arguments.watched(&self.published, || sync(Task::Sync));
        match outcome {
            Ok(report) => log(&report),
            Err(failure) => self.survive(failure, "sync failed")?,
        }
        Ok(())
    }

    /// Lists the metadata again where there are hints. What was not seen is seen by the next
    /// ordinary sync.
    fn refresh(&mut self) -> Result<(), Failure> {
        let hints = self.take_hints();
        if hints.is_empty() {
            return Ok(());
        }
        let outcome = (self.sync)(Task::Refresh);
        let text = self
            .published
            .update(|metrics| metrics.refreshed(outcome.is_ok()));
        let written = self.arguments.write_metrics(&text);
        match outcome.and_then(|report| written.map(|()| report)) {
            Ok(report) => tracing::info!(
                cloud = self.cloud,
                changed = report.changed,
                kinds = ?hints.kinds().collect::<Vec<_>>(),
                after_gap = hints.has_gap(),
                "refreshed after events"
            ),
            Err(failure) => self.survive(failure, "refresh failed")?,
        }
        Ok(())
    }

    /// Logs a failure; gives back one that will not pass.
    fn survive(&self, failure: Failure, what: &str) -> Result<(), Failure> {
        if failure.exit() == Exit::Configuration {
            return Err(failure);
        }
        let (cloud, exit) = (self.cloud, failure.exit().code());
        tracing::error!(cloud, exit, "{what}: {failure}");
        Ok(())
    }
}

/// Has SIGTERM, SIGINT and SIGHUP told as a stop.
fn stop_on_signal(wake: Sender<Wake>) -> Result<(), Failure> {
    ctrlc::set_handler(move || {
        // nobody waits any more: the program ends already
        let _ = wake.send(Wake::Stop);
    })
    .map_err(|error| Failure::new(Exit::Failed, format!("cannot wait for signals: {error}")))
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
