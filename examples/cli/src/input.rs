//! Where usage and metadata come from when a bill is made: a database, or files.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use cloudstack_usage::store::{DEFAULT_CLOUD, StoreError, StoreErrorKind, UsageQuery, UsageStore};
use cloudstack_usage::{
    Error, ErrorKind, Label, Period, Rejection, Snapshot, UsageLifetimes, UsageRecord,
    read_metadata_folder, read_usage_files,
};
use cloudstack_usage_store::StoreLocation;

use crate::configuration::{ConnectionArgs, Secret, secret};
use crate::exit::Exit;
use crate::failure::Failure;

/// The database, for all commands that use one.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArgs {
    /// The database: a file of SQLite, or `mysql://USER@HOST:PORT/DATABASE` for MariaDB.
    #[arg(
        long,
        value_name = "FILE|URL",
        env = "CSBILL_DATABASE",
        hide_env_values = true, // a URL may hold a password
        default_value = "csbill.sqlite",
        value_parser = secret // clap shows a value that a parser refuses
    )]
    pub(crate) database: Secret,
    /// The password for MariaDB; better given by the environment, or as `database_password`
    /// in the section of the files that `csbill sync` reads.
    #[arg(
        long,
        env = "CSBILL_DATABASE_PASSWORD",
        hide_env_values = true,
        value_parser = secret
    )]
    pub(crate) database_password: Option<Secret>,
    /// The cloud's name within the database.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CLOUD)]
    pub(crate) cloud: String,
}

impl DatabaseArgs {
    /// The database with its password, taken from the files where it is nowhere else.
    ///
    /// # Errors
    /// When the database's URL is none, or a configuration file cannot be read.
    pub(crate) fn location(&self) -> Result<StoreLocation, Failure> {
        self.location_with(&ConnectionArgs::of_environment())
    }

    /// The same for a command that has flags for the files.
    ///
    /// # Errors
    /// When the database's URL is none, or a configuration file cannot be read.
    pub(crate) fn location_with(&self, files: &ConnectionArgs) -> Result<StoreLocation, Failure> {
        let location = StoreLocation::parse(self.database.expose())?;
        let needs_password = match &location {
            StoreLocation::Server(server) => server.password().is_none(),
            StoreLocation::File(_) => false,
        };
        if !needs_password {
            return Ok(location);
        }
        let password = match &self.database_password {
            Some(password) => Some(password.expose().to_owned()),
            None => files.setting("database_password")?,
        };
        Ok(location.with_password(password.map(cloudstack_usage::Secret::new)))
    }
}

/// Files as CloudStack answered, plain or gzip.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FileArgs {
    /// Pages of listUsageRecords: files, or folders of them.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) usage: Vec<PathBuf>,
    /// A folder with one sub-folder and index.json per sync.
    #[arg(long, value_name = "DIR", num_args = 1.., requires = "usage")]
    pub(crate) metadata: Vec<PathBuf>,
}

/// A database, or files in its place.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    files: FileArgs,
    /// Only what the database knew at this time: usage, metadata and labels.
    #[arg(long, value_name = "TIME", value_parser = crate::dates::instant, conflicts_with = "usage")]
    known_on: Option<DateTime<Utc>>,
}

impl InputArgs {
    /// The database that the flags name.
    pub(crate) fn database(&self) -> &DatabaseArgs {
        &self.database
    }

    /// Opens what the flags name: files where any are given, else the database.
    pub(crate) fn open(&self) -> Result<Input, Failure> {
        if self.files.usage.is_empty() {
            Input::database(&self.database).map(|input| input.known_on(self.known_on))
        } else {
            Input::files(&self.files)
        }
    }

    /// The same where something is there: nothing without files and database.
    pub(crate) fn open_if_there(&self) -> Result<Option<Input>, Failure> {
        let is_there = !self.files.usage.is_empty() || self.database.location()?.may_exist();
        is_there.then(|| self.open()).transpose()
    }
}

/// An opened input.
pub(crate) enum Input {
    Store {
        store: Box<dyn UsageStore + Send>,
        cloud: String,
        /// What was known then; none for what is known now.
        known_on: Option<DateTime<Utc>>,
    },
    Files {
        usage: Vec<PathBuf>,
        snapshots: Vec<Snapshot>,
        rejections: Vec<Rejection>,
    },
}

impl Input {
    pub(crate) fn database(arguments: &DatabaseArgs) -> Result<Self, Failure> {
        let location = arguments.location()?;
        if !location.may_exist() {
            let message = format!(
                "there is no database {location}; run `csbill sync` first, or name it with --database"
            );
            return Err(Failure::new(Exit::Store, message));
        }
        let mut store = location.open_read_only()?;
        let clouds = store.clouds()?;
        if !clouds.contains(&arguments.cloud) {
            let message = if clouds.is_empty() {
                format!("{location} holds no usage yet; run `csbill sync` first")
            } else {
                format!(
                    "{location} holds no cloud {:?}, but {}",
                    arguments.cloud,
                    clouds.join(", ")
                )
            };
            return Err(Failure::new(Exit::Nothing, message));
        }
        Ok(Self::Store {
            store,
            cloud: arguments.cloud.clone(),
            known_on: None,
        })
    }

    /// The same as it was known at an instant. Files have only one state.
    fn known_on(mut self, instant: Option<DateTime<Utc>>) -> Self {
        if let Self::Store { known_on, .. } = &mut self {
            *known_on = instant;
        }
        self
    }

    pub(crate) fn files(arguments: &FileArgs) -> Result<Self, Failure> {
        let mut snapshots = Vec::new();
        let mut rejections = Vec::new();
        for folder in &arguments.metadata {
            for fetch in read_metadata_folder(folder)? {
                snapshots.push(fetch.snapshot);
                rejections.extend(fetch.rejections);
            }
        }
        snapshots.sort_by_key(|snapshot| snapshot.at);
        Ok(Self::Files {
            usage: arguments.usage.clone(),
            snapshots,
            rejections,
        })
    }

    /// Hands over the snapshots, oldest first.
    pub(crate) fn snapshots(&mut self, sink: &mut dyn FnMut(&Snapshot)) -> Result<(), Failure> {
        match self {
            Self::Store {
                store,
                cloud,
                known_on,
            } => store.snapshots(cloud, *known_on, &mut |snapshot| {
                sink(snapshot);
                Ok(())
            })?,
            Self::Files { snapshots, .. } => snapshots.iter().for_each(sink),
        }
        Ok(())
    }

    /// The labels in force; files have none.
    pub(crate) fn labels(&mut self) -> Result<Vec<Label>, Failure> {
        match self {
            Self::Store {
                store,
                cloud,
                known_on,
            } => Ok(store.labels(cloud, *known_on)?),
            Self::Files { .. } => Ok(Vec::new()),
        }
    }

    /// First and last uses, wherever they lie.
    pub(crate) fn lifetimes(&mut self) -> Result<UsageLifetimes, Failure> {
        if let Self::Store {
            store,
            cloud,
            known_on,
        } = self
        {
            return Ok(store.lifetimes(cloud, *known_on)?);
        }
        let mut lifetimes = UsageLifetimes::default();
        self.usage(Period::always(), &mut |record| {
            lifetimes.observe(record);
            Ok(())
        })?;
        Ok(lifetimes)
    }

    /// Hands over the records whose window touches `period`, one by one.
    pub(crate) fn usage(
        &mut self,
        period: Period,
        sink: &mut dyn FnMut(&UsageRecord) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        // the ports carry their own errors; ours is put aside meanwhile
        let mut failed = None;
        let mut give = |record: &UsageRecord| match sink(record) {
            Ok(()) => true,
            Err(failure) => {
                failed = Some(failure);
                false
            }
        };
        let ended: Result<(), Failure> = match self {
            Self::Store {
                store,
                cloud,
                known_on,
            } => {
                let mut query = UsageQuery::new(cloud.clone(), period);
                query.as_known_on = *known_on;
                store
                    .usage(&query, &mut |record| {
                        if give(&record) {
                            Ok(())
                        } else {
                            Err(StoreError::new(StoreErrorKind::Sink, "stopped"))
                        }
                    })
                    .map_err(Failure::from)
            }
            Self::Files { usage, .. } => read_usage_files(usage, &mut |page| {
                let mut records = page.records.iter().map(|parsed| &parsed.record);
                let inside = |record: &&UsageRecord| record.window.overlaps(&period);
                if records.by_ref().filter(inside).all(&mut give) {
                    Ok(())
                } else {
                    Err(Error::new(ErrorKind::Sink, "stopped"))
                }
            })
            .map_err(Failure::from)
            .and_then(|fetch| match fetch.notices.first() {
                None => Ok(()),
                Some(notice) => Err(Failure::new(Exit::Failed, notice.message.clone())),
            }),
        };
        match failed {
            Some(failure) => Err(failure),
            None => ended,
        }
    }

    /// Entries that could not be read and may concern `period`.
    pub(crate) fn rejections(&mut self, period: Period) -> Result<Vec<Rejection>, Failure> {
        match self {
            Self::Store { store, cloud, .. } => Ok(store
                .rejections(cloud, period)?
                .into_iter()
                .map(|stored| stored.rejection)
                .collect()),
            Self::Files {
                usage, rejections, ..
            } => {
                let mut all = rejections.clone();
                read_usage_files(usage, &mut |page| {
                    all.extend(page.rejections);
                    Ok(())
                })?;
                Ok(all)
            }
        }
    }
}

/// A missing file is told by its name before anything else is done.
pub(crate) fn must_exist(path: &Path) -> Result<(), Failure> {
    std::fs::metadata(path)
        .map(drop)
        .map_err(|error| Failure::file(path, &error))
}
