//! Where usage and metadata come from when a bill is made: a database, or files.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use cloudstack_usage::store::{
    DEFAULT_CLOUD, Label as StoredLabel, StoreError, StoreErrorKind, UsageQuery, UsageStore,
};
use cloudstack_usage::{
    Error, ErrorKind, Label, Period, Rejection, Snapshot, UsageRecord, read_metadata_folder,
    read_usage_files,
};
use cloudstack_usage_store::SqliteStore;

use crate::exit::Exit;
use crate::failure::Failure;

/// The database, for all commands that use one.
#[derive(Debug, Clone, Args)]
pub(crate) struct DatabaseArgs {
    /// The SQLite database.
    #[arg(
        long,
        value_name = "FILE",
        env = "CSBILL_DATABASE",
        default_value = "csbill.sqlite"
    )]
    pub(crate) database: PathBuf,
    /// The cloud's name within the database.
    #[arg(long, value_name = "NAME", default_value = DEFAULT_CLOUD)]
    pub(crate) cloud: String,
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
        let is_there = !self.files.usage.is_empty() || self.database.database.exists();
        is_there.then(|| self.open()).transpose()
    }
}

/// An opened input.
pub(crate) enum Input {
    Store {
        store: SqliteStore,
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
        if !arguments.database.exists() {
            let message = format!(
                "there is no database {}; run `csbill sync` first, or name it with --database",
                arguments.database.display()
            );
            return Err(Failure::new(Exit::Store, message));
        }
        let mut store = SqliteStore::open_read_only(&arguments.database)?;
        let clouds = store.clouds()?;
        if !clouds.contains(&arguments.cloud) {
            let database = arguments.database.display();
            let message = if clouds.is_empty() {
                format!("{database} holds no usage yet; run `csbill sync` first")
            } else {
                format!(
                    "{database} holds no cloud {:?}, but {}",
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
            } => {
                let labels = store.labels(cloud, *known_on)?;
                Ok(labels.into_iter().map(label).collect())
            }
            Self::Files { .. } => Ok(Vec::new()),
        }
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

/// A label as the inventory takes it.
fn label(stored: StoredLabel) -> Label {
    Label {
        resource_type: stored.target.resource_type,
        resource: stored.target.resource,
        key: stored.target.key,
        value: stored.value,
        validity: stored.valid,
        author: stored.author,
        recorded: stored.recorded,
    }
}

/// A missing file is told by its name before anything else is done.
pub(crate) fn must_exist(path: &Path) -> Result<(), Failure> {
    std::fs::metadata(path)
        .map(drop)
        .map_err(|error| Failure::file(path, &error))
}
