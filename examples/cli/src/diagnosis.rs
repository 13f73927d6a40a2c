//! What can keep a sync from working, checked one by one.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use cloudstack_usage::store::UsageStore;
use cloudstack_usage::{
    BlockingClient, ClientOptions, DateDialect, ErrorKind, Kind, Period, Source as _,
    metadata_requests,
};
use cloudstack_usage_store::StoreLocation;
use serde::Serialize;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::put_away::{self, PutAway};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// A sync works, but something is missing or will be.
    Warning,
    /// A sync cannot work.
    Failed,
}

/// One thing that was checked.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Check {
    /// The stable name of what was checked.
    pub(crate) name: &'static str,
    pub(crate) level: Level,
    /// What was found, and what to do about it.
    pub(crate) message: String,
    #[serde(skip)]
    pub(crate) exit: Exit,
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Level::Ok, message, Exit::Success)
    }

    fn warning(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Level::Warning, message, Exit::Success)
    }

    pub(crate) fn failed(name: &'static str, failure: &Failure) -> Self {
        Self::new(name, Level::Failed, failure.to_string(), failure.exit())
    }

    fn new(name: &'static str, level: Level, message: impl Into<String>, exit: Exit) -> Self {
        Self {
            name,
            level,
            message: message.into(),
            exit,
        }
    }
}

/// The checks of a server, in the order in which one needs the other; they end where no
/// further one can tell anything.
pub(crate) fn of_server(client: &mut BlockingClient, now: DateTime<Utc>) -> Vec<Check> {
    let mut checks = Vec::new();
    match client.version() {
        Ok(version) => checks.push(Check::ok("version", format!("CloudStack {version}"))),
        Err(error) if error.kind() == ErrorKind::NotPermitted => checks.push(Check::warning(
            "version",
            "the role may not call listCapabilities, so the version is not known; allow it",
        )),
        Err(error) => {
            checks.push(Check::failed("version", &error.into()));
            // a clock that is wrong makes every signature wrong
            let clock = clock(client.clock_ahead());
            checks.extend((clock.level != Level::Ok).then_some(clock));
            return checks;
        }
    }
    checks.push(clock(client.clock_ahead()));
    checks.extend(dates(client, now));
    checks.push(permissions(client));
    checks.extend(usage(client, now));
    checks
}

/// The signature of a request expires: clocks must agree by much less.
fn clock(ahead: Option<TimeDelta>) -> Check {
    const NOTICEABLE: TimeDelta = TimeDelta::seconds(30);
    let Some(ahead) = ahead else {
        return Check::ok("clock", "the server does not tell its time");
    };
    let seconds = ahead.num_seconds();
    let direction = if seconds < 0 { "behind" } else { "ahead of" };
    let message = format!("the server's clock is {} s {direction} ours", seconds.abs());
    let expires = ClientOptions::default().expires_after.as_secs();
    if seconds.unsigned_abs() >= expires {
        let message = format!("{message}: requests are refused as expired; set the clocks by NTP");
        Check::new("clock", Level::Failed, message, Exit::CloudStack)
    } else if ahead.abs() > NOTICEABLE {
        let message =
            format!("{message}: windows and tags are placed by it; set the clocks by NTP");
        Check::warning("clock", message)
    } else {
        Check::ok("clock", message)
    }
}

fn dates(client: &mut BlockingClient, now: DateTime<Utc>) -> Vec<Check> {
    let notices = match client.detect_dialect(now) {
        Ok(notices) => notices,
        Err(error) => return vec![Check::failed("dates", &error.into())],
    };
    let sent = match client.dialect() {
        DateDialect::Absolute => "dates are sent as instants (4.20 and later)".to_owned(),
        DateDialect::WallClock { offset_minutes } => format!(
            "dates are sent in the aggregation time zone, {offset_minutes} minutes east of UTC (before 4.20)"
        ),
    };
    let doubts = notices
        .into_iter()
        .map(|notice| Check::warning("dates", notice.message));
    [Check::ok("dates", sent)]
        .into_iter()
        .chain(doubts)
        .collect()
}

/// One small page of each list call.
fn permissions(client: &mut BlockingClient) -> Check {
    let mut refused: Vec<String> = Vec::new();
    for kind in Kind::ALL {
        let calls = metadata_requests(*kind, None, client.dialect());
        let Some(call) = calls.into_iter().next() else {
            continue;
        };
        if let Err(error) = client.call(&call.with_page(1, 1)) {
            let known = refused.iter().any(|name| name.starts_with(kind.command()));
            if !known {
                refused.push(format!("{} ({})", kind.command(), error.kind().slug()));
            }
        }
    }
    if refused.is_empty() {
        let listed = Kind::ALL.iter().filter(|kind| kind.is_in_api()).count();
        let message = format!("all {listed} kinds of metadata can be listed");
        Check::ok("permissions", message)
    } else {
        let message = format!(
            "cannot be listed: {}; what they tell is missing on bills, allow them to the role",
            refused.join(", ")
        );
        Check::warning("permissions", message)
    }
}

/// The usage of the last days: whether there is any, and what it took to read it.
fn usage(client: &mut BlockingClient, now: DateTime<Utc>) -> Vec<Check> {
    const RECENT: TimeDelta = TimeDelta::hours(50);
    let Ok(range) = Period::new(now - RECENT, now) else {
        return Vec::new();
    };
    let (mut records, mut rejected) = (0_usize, 0_usize);
    let mut newest: Option<DateTime<Utc>> = None;
    let fetched = client.usage(range, &mut |page| {
        records += page.records.len();
        rejected += page.rejections.len();
        let ends = page.records.iter().map(|entry| entry.record.window.end());
        newest = newest.max(ends.filter(|end| *end <= now).max());
        Ok(())
    });
    let fetched = match fetched {
        Ok(fetched) => fetched,
        Err(error) => return vec![Check::failed("usage", &error.into())],
    };
    let mut checks = vec![match newest {
        Some(newest) => Check::ok(
            "usage",
            format!("{records} records of the last days, up to {}", time(newest)),
        ),
        None => Check::warning(
            "usage",
            format!(
                "no usage window ended since {}; see that the usage server runs, that \
                 enable.usage.server is true, and that the role is of type Admin",
                time(range.start())
            ),
        ),
    }];
    if rejected > 0 {
        let message = format!("{rejected} records cannot be read; `csbill sync` says which");
        checks.push(Check::warning("usage", message));
    }
    let notices = fetched.notices.into_iter();
    checks.extend(notices.map(|notice| Check::warning("usage", notice.message)));
    checks
}

/// The checks of a database.
pub(crate) fn of_database(database: &StoreLocation, cloud: &str, now: DateTime<Utc>) -> Vec<Check> {
    if !database.may_exist() {
        let message = format!("{database} is not there yet; the first sync makes it");
        return vec![Check::ok("database", message)];
    }
    match database.open_read_only() {
        Ok(mut store) => of_store(&mut *store, cloud, now)
            .unwrap_or_else(|error| vec![Check::failed("database", &error)]),
        Err(error) => vec![Check::failed("database", &error.into())],
    }
}

fn of_store(
    store: &mut dyn UsageStore,
    cloud: &str,
    now: DateTime<Utc>,
) -> Result<Vec<Check>, Failure> {
    let clouds = store.clouds()?;
    if !clouds.iter().any(|name| name == cloud) {
        let known = if clouds.is_empty() {
            "nothing".to_owned()
        } else {
            clouds.join(", ")
        };
        let message = format!("holds no cloud {cloud:?} yet, but {known}");
        return Ok(vec![Check::warning("database", message)]);
    }
    let syncs = store.syncs(cloud)?;
    let mut checks = vec![Check::ok(
        "database",
        format!("{} syncs of {cloud}", syncs.len()),
    )];
    checks.extend(syncs.last().map(|last| last_sync(last.at, now)));
    checks.push(complete(store.watermark(cloud)?, now));
    checks.extend(archived(&put_away::months(store, cloud)?));
    let open = store.rejections(cloud, Period::always())?.len();
    if open > 0 {
        let message = format!(
            "{open} entries could not be read and are on no bill; `csbill findings` has them"
        );
        checks.push(Check::warning("rejections", message));
    }
    Ok(checks)
}

/// Months that are in archives, and whether anything of them came since.
fn archived(months: &[PutAway]) -> Option<Check> {
    let (first, last) = (months.first()?, months.last()?);
    let late: Vec<String> = months
        .iter()
        .filter(|month| month.late > 0)
        .map(|month| format!("{} records of {}", month.late, month.known.month))
        .collect();
    Some(if late.is_empty() {
        let (first, last) = (first.known.month, last.known.month);
        let message = format!("{} months are in archives, {first} to {last}", months.len());
        Check::ok("archives", message)
    } else {
        let message = format!(
            "{} came after they were archived; restore these months, and archive them again",
            late.join(", ")
        );
        Check::warning("archives", message)
    })
}

fn last_sync(at: DateTime<Utc>, now: DateTime<Utc>) -> Check {
    const LATE: TimeDelta = TimeDelta::hours(26);
    let message = format!("the last sync was at {}", time(at));
    if now - at > LATE {
        let message = format!("{message}; see that cron, the timer or the daemon runs");
        Check::warning("last_sync", message)
    } else {
        Check::ok("last_sync", message)
    }
}

fn complete(watermark: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Check {
    const LATE: TimeDelta = TimeDelta::hours(50);
    match watermark {
        None => Check::warning("complete", "no sync has read all usage yet"),
        Some(until) if now - until > LATE => {
            let message = format!(
                "usage is complete only up to {}; see the notes of the last sync and the usage server",
                time(until)
            );
            Check::warning("complete", message)
        }
        Some(until) => Check::ok(
            "complete",
            format!("usage is complete up to {}", time(until)),
        ),
    }
}

fn time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_a_little_and_must_not_differ_by_as_much_as_a_request_is_good_for() {
        let level = |seconds| clock(Some(TimeDelta::seconds(seconds))).level;
        assert_eq!(level(0), Level::Ok);
        assert_eq!(level(-30), Level::Ok);
        assert_eq!(level(31), Level::Warning);
        assert_eq!(level(-599), Level::Warning);
        assert_eq!(level(600), Level::Failed);
        assert_eq!(level(-600), Level::Failed);
        assert_eq!(clock(None).level, Level::Ok);
        assert!(
            clock(Some(TimeDelta::seconds(-5)))
                .message
                .contains("5 s behind")
        );
    }

    #[test]
    fn a_cron_job_that_stopped_is_seen() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let ago = |hours| now - TimeDelta::hours(hours);
        assert_eq!(last_sync(ago(26), now).level, Level::Ok);
        assert_eq!(last_sync(ago(27), now).level, Level::Warning);
        assert_eq!(complete(Some(ago(50)), now).level, Level::Ok);
        assert_eq!(complete(Some(ago(51)), now).level, Level::Warning);
        assert_eq!(complete(None, now).level, Level::Warning);
    }
}
