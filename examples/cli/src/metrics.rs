//! How syncing goes, in Prometheus' text format.
//!
//! Source of the format: Prometheus, "Exposition formats", text-based.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudstack_usage_store::SyncReport;

/// Counts and moments of the syncs of one cloud since the program began.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    cloud: String,
    succeeded: u64,
    failed: u64,
    last_run: Option<DateTime<Utc>>,
    last_success: Option<DateTime<Utc>>,
    duration: Duration,
    last: Option<SyncReport>,
    is_up: bool,
}

impl Metrics {
    pub(crate) fn new(cloud: &str) -> Self {
        Self {
            cloud: cloud.to_owned(),
            succeeded: 0,
            failed: 0,
            last_run: None,
            last_success: None,
            duration: Duration::ZERO,
            last: None,
            is_up: false,
        }
    }

    /// Notes a sync that ended.
    pub(crate) fn synced(&mut self, report: SyncReport, at: DateTime<Utc>, duration: Duration) {
        self.succeeded += 1;
        self.is_up = true;
        (self.last_run, self.last_success) = (Some(at), Some(at));
        self.duration = duration;
        self.last = Some(report);
    }

    /// Notes a sync that failed.
    pub(crate) fn failed(&mut self, at: DateTime<Utc>, duration: Duration) {
        self.failed += 1;
        self.is_up = false;
        self.last_run = Some(at);
        self.duration = duration;
    }

    /// The metrics as text.
    pub(crate) fn to_text(&self) -> String {
        let mut text = Text::new(&self.cloud);
        text.family(
            "csbill_build_info",
            "gauge",
            "The version that runs.",
            &[(
                &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
                Some("1".to_owned()),
            )],
        );
        text.family(
            "csbill_syncs_total",
            "counter",
            "Syncs since the program began, by result.",
            &[
                ("result=\"success\"", Some(self.succeeded.to_string())),
                ("result=\"failure\"", Some(self.failed.to_string())),
            ],
        );
        let plain = |value: Option<String>| [("", value)];
        text.family(
            "csbill_sync_up",
            "gauge",
            "Whether the last sync succeeded.",
            &plain(self.last_run.map(|_| u8::from(self.is_up).to_string())),
        );
        text.family(
            "csbill_sync_last_run_timestamp_seconds",
            "gauge",
            "When the last sync ended.",
            &plain(self.last_run.map(seconds)),
        );
        text.family(
            "csbill_sync_last_success_timestamp_seconds",
            "gauge",
            "When the last good sync ended.",
            &plain(self.last_success.map(seconds)),
        );
        text.family(
            "csbill_sync_duration_seconds",
            "gauge",
            "How long the last sync took.",
            &plain(self.last_run.map(|_| decimal(self.duration))),
        );
        let report = self.last.as_ref();
        text.family(
            "csbill_sync_complete_until_timestamp_seconds",
            "gauge",
            "Up to when usage is complete.",
            &plain(report.and_then(|report| report.watermark).map(seconds)),
        );
        let count = |value: fn(&SyncReport) -> u64| report.map(|report| value(report).to_string());
        text.family(
            "csbill_sync_records",
            "gauge",
            "Usage records of the last good sync, by what became of them.",
            &[
                ("outcome=\"new\"", count(|report| report.usage.new)),
                ("outcome=\"revised\"", count(|report| report.usage.revised)),
                (
                    "outcome=\"unchanged\"",
                    count(|report| report.usage.unchanged),
                ),
                (
                    "outcome=\"deferred\"",
                    count(|report| report.usage.deferred),
                ),
                (
                    "outcome=\"rejected\"",
                    count(|report| report.usage.rejected),
                ),
            ],
        );
        text.lines
    }
}

struct Text {
    cloud: String,
    lines: String,
}

impl Text {
    fn new(cloud: &str) -> Self {
        Self {
            cloud: escaped(cloud),
            lines: String::new(),
        }
    }

    /// A metric with its samples: more labels, and the value where there is one.
    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(&str, Option<String>)]) {
        // writing to a string cannot fail
        let _ = writeln!(self.lines, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let comma = if labels.is_empty() { "" } else { "," };
            if let Some(value) = value {
                let cloud = &self.cloud;
                let _ = writeln!(
                    self.lines,
                    "{name}{{cloud=\"{cloud}\"{comma}{labels}}} {value}"
                );
            }
        }
    }
}

/// A label's value: backslashes, quotes and ends of lines are escaped.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn seconds(instant: DateTime<Utc>) -> String {
    instant.timestamp().to_string()
}

fn decimal(duration: Duration) -> String {
    format!("{}.{:03}", duration.as_secs(), duration.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_what_is_not_known_is_left_out() {
        let mut metrics = Metrics::new("a\"b\\c\nd");
        let text = metrics.to_text();
        assert!(
            text.contains("csbill_syncs_total{cloud=\"a\\\"b\\\\c\\nd\",result=\"success\"} 0\n"),
            "{text}"
        );
        assert!(!text.contains("csbill_sync_up{"), "{text}");
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        metrics.failed(at, Duration::from_millis(1_250));
        let text = metrics.to_text();
        assert!(text.contains(",result=\"failure\"} 1\n"), "{text}");
        assert!(
            text.contains("csbill_sync_up{cloud=\"a\\\"b\\\\c\\nd\"} 0\n"),
            "{text}"
        );
        assert!(
            text.contains("} 1.250\n") && text.contains("} 1790000000\n"),
            "{text}"
        );
        assert!(!text.contains("last_success_timestamp_seconds{"), "{text}");
    }

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        for line in Metrics::new("c").to_text().lines() {
            let is_sample = line.starts_with("csbill_")
                && line
                    .rsplit_once("} ")
                    .is_some_and(|(_, value)| !value.is_empty());
            assert!(line.starts_with("# ") || is_sample, "{line}");
        }
    }
}
