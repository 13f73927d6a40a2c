//! `csbill sync`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use clap::Args;
use cloudstack_usage::store::{SyncRun, UsageStore};
use cloudstack_usage::{BlockingClient, ClientOptions, Credentials, HttpMethod, Source};
use cloudstack_usage_store::{StoreLocation, SyncOptions, SyncProgress, SyncReport, sync};

use crate::configuration::{Connection, ConnectionArgs, Method, Secret, secret};
use crate::daemon::{DaemonArgs, Task};
use crate::dates::{Date, instant};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;
use crate::output;
use crate::progress::Progress;

/// Flags of `csbill sync`.
#[derive(Debug, Args)]
pub(crate) struct SyncArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    /// The clock: the moment that this sync stands for; the machine's clock otherwise.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    as_of: Option<DateTime<Utc>>,
    /// Fetch usage from here, whatever was fetched before; otherwise from a week before
    /// what is stored (two months at the first time).
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// Fetch this alone: the usage, or the metadata as it is now.
    #[arg(long, value_name = "WHAT")]
    only: Option<Part>,
    #[command(flatten)]
    fetching: FetchArgs,
    #[command(flatten)]
    sql: SqlArgs,
    #[command(flatten)]
    daemon: DaemonArgs,
}

/// A part of what a sync fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Usage records.
    Usage,
    /// Names, owners, sizes, attachments, tags.
    Metadata,
}

/// CloudStack's own databases in place of its API.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "CloudStack's databases")]
struct SqlArgs {
    /// Read them there: `mysql://USER@HOST:PORT/cloud_usage`; the user needs SELECT alone.
    #[arg(
        long,
        value_name = "URL",
        env = "CLOUDSTACK_SQL",
        hide_env_values = true, // a URL may hold a password
        value_parser = secret   // clap shows a value that a parser refuses
    )]
    sql: Option<Secret>,
    /// The password; better given by the environment, or as `sql_password` in the section of
    /// the configuration files.
    #[arg(
        long,
        env = "CLOUDSTACK_SQL_PASSWORD",
        hide_env_values = true,
        value_parser = secret
    )]
    sql_password: Option<Secret>,
    /// The name of the management server's database.
    #[arg(
        long,
        value_name = "NAME",
        env = "CLOUDSTACK_SQL_CLOUD",
        default_value = "cloud"
    )]
    sql_cloud: String,
}

/// What a sync reads.
enum Place<'a> {
    Api(Connection),
    Sql(&'a Secret),
}

/// How to fetch.
#[derive(Debug, Clone, Args)]
pub(crate) struct FetchArgs {
    /// Records a page; made smaller where CloudStack allows less.
    #[arg(long, value_name = "NUMBER", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..))]
    page_size: u32,
    /// How often a request is sent at most, where CloudStack is busy or not ready.
    #[arg(long, value_name = "NUMBER", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// The longest usage window in hours: a day, unless CloudStack's setting
    /// usage.stats.job.aggregation.range is larger.
    #[arg(long, value_name = "HOURS", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8784))]
    longest_window: u32,
}

impl Default for FetchArgs {
    fn default() -> Self {
        Self {
            page_size: 500,
            attempts: 6,
            longest_window: 24,
        }
    }
}

impl SyncArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let place = match &self.sql.sql {
            Some(url) => Place::Sql(url),
            None => Place::Api(self.connection.resolve()?),
        };
        let cloud = self.database.cloud.as_str();
        if self.daemon.daemon {
            let sync = |task| {
                let part = match task {
                    Task::Sync => self.only,
                    Task::Refresh => Some(Part::Metadata),
                };
                self.sync(&place, part)
            };
            let lists_metadata = self.only != Some(Part::Usage);
            return self
                .daemon
                .run(cloud, &self.connection, lists_metadata, sync);
        }
        let report = self.daemon.once(cloud, || self.sync(&place, self.only))?;
        if json {
            output::to_stdout(output::json_text(&report)?.as_bytes())?;
        } else {
            output::to_stdout(described(&report).as_bytes())?;
        }
        Ok(exit(&report))
    }

    /// Syncs once: everything, or this part alone.
    fn sync(&self, place: &Place<'_>, only: Option<Part>) -> Result<SyncReport, Failure> {
        let mut options = SyncOptions::new(self.as_of.unwrap_or_else(Utc::now))
            .cloud(self.database.cloud.as_str());
        options.margin = TimeDelta::hours(i64::from(self.fetching.longest_window));
        if let Some(from) = self.from {
            let from = match from {
                Date::Instant(instant) => instant,
                Date::Civil(day) => day.and_time(NaiveTime::MIN).and_utc(),
            };
            options = options.first_from(from).since(from);
        }
        options = match only {
            None => options,
            Some(Part::Usage) => options.kinds([]),
            Some(Part::Metadata) => options.without_usage(),
        };
        let database = self.database.location_with(&self.connection)?;
        match place {
            Place::Sql(url) => self.run_sql(url, &database, &options),
            Place::Api(connection) => run_sync(connection, &self.fetching, &database, &options),
        }
    }
}

impl SyncArgs {
    /// Syncs from CloudStack's own databases.
    #[cfg(feature = "mariadb")]
    fn run_sql(
        &self,
        url: &Secret,
        database: &StoreLocation,
        options: &SyncOptions,
    ) -> Result<SyncReport, Failure> {
        let mut server = cloudstack_usage::SqlServer::parse(url.expose())?;
        if server.password().is_none() {
            let password = match &self.sql.sql_password {
                Some(password) => Some(password.expose().to_owned()),
                None => self.connection.setting("sql_password")?,
            };
            if let Some(password) = password {
                server = server.with_password(cloudstack_usage::Secret::new(password));
            }
        }
        let mut source = cloudstack_usage::SqlSource::connect_to(&server, &self.sql.sql_cloud)?;
        sync_into(&mut source, database, options)
    }

    #[cfg(not(feature = "mariadb"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn run_sql(
        &self,
        _url: &Secret,
        _database: &StoreLocation,
        _options: &SyncOptions,
    ) -> Result<SyncReport, Failure> {
        let message = "this csbill was built without its feature `mariadb`, which reads databases";
        Err(Failure::new(crate::exit::Exit::Configuration, message))
    }
}

/// Syncs once over the API.
pub(crate) fn run_sync(
    connection: &Connection,
    fetching: &FetchArgs,
    database: &StoreLocation,
    options: &SyncOptions,
) -> Result<SyncReport, Failure> {
    let mut client = client(connection, fetching)?;
    let notices = client
        .detect_dialect(options.now)
        .map_err(|error| Failure::from(error).at_endpoint(&connection.endpoint))?;
    let mut report = sync_into(&mut client, database, options)
        .map_err(|failure| failure.at_endpoint(&connection.endpoint))?;
    report.notices.splice(..0, notices);
    Ok(report)
}

/// Syncs a source once. A database that did not exist before and got nothing is not left
/// behind.
fn sync_into(
    source: &mut dyn Source,
    database: &StoreLocation,
    options: &SyncOptions,
) -> Result<SyncReport, Failure> {
    let new_file = match database {
        StoreLocation::File(path) if !path.exists() => Some(path),
        _ => None,
    };
    let mut store = database.open().inspect_err(|_| {
        if let Some(file) = new_file {
            remove_unless_locked(file, 0);
        }
    })?;
    let progress = Progress::new("asking CloudStack");
    let synced = sync(source, &mut *store, options, &mut |step| {
        progress.say(said(&step));
    });
    drop(progress);
    if let (Err(_), Some(file)) = (&synced, new_file) {
        remove_if_empty(&mut *store, file, options);
    }
    Ok(synced?)
}

pub(crate) fn client(
    connection: &Connection,
    fetching: &FetchArgs,
) -> Result<BlockingClient, Failure> {
    let credentials = Credentials::new(connection.key.expose(), connection.secret.expose());
    let options = ClientOptions {
        method: match connection.method {
            Method::Get => HttpMethod::Get,
            Method::Post => HttpMethod::Post,
        },
        page_size: fetching.page_size,
        max_attempts: fetching.attempts,
        // an hour more: the first window after an outage may be a little longer
        usage_margin: Duration::from_secs((u64::from(fetching.longest_window) + 1) * 3600),
        timeout: Duration::from_secs(connection.timeout_seconds),
        ..ClientOptions::default()
    };
    Ok(BlockingClient::new(
        &connection.endpoint,
        credentials,
        options,
    )?)
}

/// Takes away a database that holds nothing. While our transaction is open nobody else can
/// sync this cloud into it; where another cloud has a lock beside it, it stays.
fn remove_if_empty(store: &mut dyn UsageStore, database: &Path, options: &SyncOptions) {
    let is_empty = store.clouds().is_ok_and(|clouds| clouds.is_empty());
    let run = SyncRun::new(&options.cloud, options.now);
    if let (true, Ok(_transaction)) = (is_empty, store.begin_sync(&run)) {
        remove_unless_locked(database, 1);
    }
}

/// Takes away a new database and what is beside it, unless more locks of syncs are there
/// than our own.
fn remove_unless_locked(database: &Path, own_locks: usize) {
    let beside = beside(database);
    let is_lock = |path: &PathBuf| path.to_string_lossy().contains("-sync-");
    if beside.iter().filter(|path| is_lock(path)).count() <= own_locks {
        for path in beside {
            // what cannot be removed is empty and does no harm
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The database and the files that SQLite and the store keep beside it.
fn beside(database: &Path) -> Vec<PathBuf> {
    let (Some(name), folder) = (database.file_name(), database.parent()) else {
        return Vec::new();
    };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let name = name.to_string_lossy();
    let belongs = |path: &PathBuf| {
        let other = path.file_name().map(std::ffi::OsStr::to_string_lossy);
        other.is_some_and(|other| {
            let rest = other.strip_prefix(&*name);
            rest.is_some_and(|rest| {
                ["", "-wal", "-shm"].contains(&rest) || rest.starts_with("-sync-")
            })
        })
    };
    let Ok(entries) = std::fs::read_dir(folder.unwrap_or(Path::new("."))) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.filter(belongs).collect()
}

fn said(step: &SyncProgress) -> String {
    match step {
        SyncProgress::Metadata => "listing metadata".to_owned(),
        SyncProgress::Usage { range } => {
            format!("fetching usage from {} to {}", range.start(), range.end())
        }
        SyncProgress::Page { records, .. } => format!("{records} usage records"),
        SyncProgress::Storing => "storing".to_owned(),
        _ => "working".to_owned(),
    }
}

/// A sync in words.
fn described(report: &SyncReport) -> String {
    use std::fmt::Write as _;

    let mut text = String::new();
    let usage = &report.usage;
    let _ = writeln!(text, "sync of {} at {}", report.cloud, time(report.at));
    if let Some(range) = report.range {
        let _ = writeln!(
            text,
            "usage from {} to {}: {} new, {} revised, {} unchanged, {} rejected{}",
            time(range.start()),
            time(range.end()),
            usage.new,
            usage.revised,
            usage.unchanged,
            usage.rejected,
            if report.usage_complete {
                ""
            } else {
                "; incomplete"
            },
        );
    }
    if let Some(snapshot) = report.snapshot {
        let _ = writeln!(
            text,
            "metadata: {} appeared, {} vanished, {} unchanged, {} rejected",
            snapshot.appeared, snapshot.vanished, snapshot.unchanged, snapshot.rejected
        );
    }
    for notice in &report.notices {
        let _ = writeln!(text, "note: {}", notice.message);
    }
    for rejection in &report.rejections {
        let field = rejection.field.as_deref();
        let _ = writeln!(
            text,
            "rejected: {}, entry {}{}: {}",
            rejection.page,
            rejection.position,
            field
                .map(|name| format!(", field {name}"))
                .unwrap_or_default(),
            rejection.message
        );
    }
    let _ = match report.watermark {
        Some(watermark) => writeln!(text, "complete up to {}", time(watermark)),
        None => writeln!(text, "nothing is complete yet"),
    };
    if !report.changed {
        text.push_str("nothing changed\n");
    }
    text
}

fn time(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// Rejected entries and unreadable records are told by the exit code.
fn exit(report: &SyncReport) -> Exit {
    let rejected = report.usage.rejected + report.snapshot.map_or(0, |snapshot| snapshot.rejected);
    let incomplete = report.range.is_some() && !report.usage_complete;
    if rejected > 0 || incomplete {
        Exit::Refused
    } else {
        Exit::Success
    }
}
