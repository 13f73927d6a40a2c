//! How syncing goes, in Prometheus' text format.
//!
//! Source of the format: Prometheus, "Exposition formats", text-based.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, Utc};
use cloudstack_usage::EventCounts;
use cloudstack_usage_store::SyncReport;

/// Counts and moments of the syncs of one cloud since the program began.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    cloud: String,
    succeeded: u64,
    failed: u64,
    refreshed: u64,
    refresh_failed: u64,
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
            refreshed: 0,
            refresh_failed: 0,
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

    /// Notes a refresh of metadata between two syncs.
    pub(crate) fn refreshed(&mut self, is_good: bool) {
        let counter = if is_good {
            &mut self.refreshed
        } else {
            &mut self.refresh_failed
        };
        *counter += 1;
    }

    /// The metrics as text; those of events where they are listened to.
    pub(crate) fn to_text(&self, events: Option<EventCounts>) -> String {
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
        if let Some(events) = events {
            self.add_events(&mut text, events);
        }
        text.lines
    }

    fn add_events(&self, text: &mut Text, events: EventCounts) {
        let count = |count: u64| Some(count.to_string());
        text.family(
            "csbill_refreshes_total",
            "counter",
            "Refreshes of metadata between syncs since the program began, by result.",
            &[
                ("result=\"success\"", count(self.refreshed)),
                ("result=\"failure\"", count(self.refresh_failed)),
            ],
        );
        text.family(
            "csbill_events_connected",
            "gauge",
            "Whether there is a connection to the message broker.",
            &[("", count(u64::from(events.is_connected)))],
        );
        text.family(
            "csbill_events_reconnects_total",
            "counter",
            "Connections to the message broker after the first one.",
            &[("", count(events.reconnects))],
        );
        text.family(
            "csbill_events_messages_total",
            "counter",
            "Messages of CloudStack's event bus, by what became of them.",
            &[
                ("outcome=\"hint\"", count(events.hints)),
                ("outcome=\"other\"", count(events.other)),
                ("outcome=\"unknown\"", count(events.unknown)),
            ],
        );
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
        let text = metrics.to_text(None);
        assert!(
            text.contains("csbill_syncs_total{cloud=\"a\\\"b\\\\c\\nd\",result=\"success\"} 0\n"),
            "{text}"
        );
        assert!(!text.contains("csbill_sync_up{"), "{text}");
        let at = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        metrics.failed(at, Duration::from_millis(1_250));
        let text = metrics.to_text(None);
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
    fn events_are_told_where_they_are_listened_to() {
        let mut metrics = Metrics::new("c");
        metrics.refreshed(true);
        metrics.refreshed(false);
        let heard = EventCounts {
            hints: 5,
            other: 3,
            unknown: 2,
            reconnects: 1,
            is_connected: true,
        };
        assert!(!metrics.to_text(None).contains("csbill_events"));
        let text = metrics.to_text(Some(heard));
        for sample in [
            "csbill_refreshes_total{cloud=\"c\",result=\"success\"} 1\n",
            "csbill_refreshes_total{cloud=\"c\",result=\"failure\"} 1\n",
            "csbill_events_connected{cloud=\"c\"} 1\n",
            "csbill_events_reconnects_total{cloud=\"c\"} 1\n",
            "csbill_events_messages_total{cloud=\"c\",outcome=\"hint\"} 5\n",
            "csbill_events_messages_total{cloud=\"c\",outcome=\"other\"} 3\n",
            "csbill_events_messages_total{cloud=\"c\",outcome=\"unknown\"} 2\n",
        ] {
            assert!(text.contains(sample), "{sample} in {text}");
        }
    }

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let text = Metrics::new("c").to_text(Some(EventCounts::default()));
        for line in text.lines() {
            let is_sample = line.starts_with("csbill_")
                && line
                    .rsplit_once("} ")
                    .is_some_and(|(_, value)| !value.is_empty());
            assert!(line.starts_with("# ") || is_sample, "{line}");
        }
    }
}
