//! `csbill label`: tags of our own, in the database.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use cloudstack_usage::store::{Label, LabelTarget};
use cloudstack_usage::{History, Inventory, InventoryBuilder, Period, ResourceId};
use rating_engine::When;
use serde::Deserialize;

use crate::columns::{Heading, layout};
use crate::dates;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{DatabaseArgs, Input};
use crate::{output, rating};

/// Flags of `csbill label`.
#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set a label on a resource for a time.
    Set {
        /// The resource: vm:NAME, volume:NAME, project:NAME or domain:PATH, or an id in
        /// place of the name.
        resource: Resource,
        /// The key.
        key: String,
        /// The value.
        value: String,
        #[command(flatten)]
        change: LabelChangeArgs,
        #[command(flatten)]
        validity: ValidityArgs,
    },
    /// Take the label of a key away from a resource for a time.
    Clear {
        /// The resource, as for `set`.
        resource: Resource,
        /// The key.
        key: String,
        #[command(flatten)]
        change: LabelChangeArgs,
        #[command(flatten)]
        validity: ValidityArgs,
    },
    /// Set the labels of a CSV file with the columns resource, key, value, from and until;
    /// all of them or, where a row is wrong, none.
    Import {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        change: LabelChangeArgs,
    },
    /// List the labels in force.
    List {
        #[command(flatten)]
        database: DatabaseArgs,
        /// As they were known at this time.
        #[arg(long, value_name = "TIME", value_parser = dates::instant)]
        known_on: Option<DateTime<Utc>>,
    },
}

/// Who changes labels, and in which database.
#[derive(Debug, Args)]
struct LabelChangeArgs {
    #[command(flatten)]
    database: DatabaseArgs,
    /// Who makes the change.
    #[arg(long, value_name = "NAME", env = "CSBILL_AUTHOR")]
    author: String,
    /// When the change is recorded [default: now].
    #[arg(long, value_name = "TIME", value_parser = dates::instant)]
    recorded: Option<DateTime<Utc>>,
    /// The price book, in whose time zone dates are.
    #[arg(long, value_name = "FILE", env = "CSBILL_BOOK")]
    book: Option<PathBuf>,
    /// Only print what would be set; write nothing.
    #[arg(long)]
    diff: bool,
}

/// When a label holds.
#[derive(Debug, Args)]
struct ValidityArgs {
    /// The first day (in the price book's zone) or instant [default: always].
    #[arg(long, value_name = "DATE")]
    from: Option<When>,
    /// The last day (included), or the instant of the end [default: for ever].
    #[arg(long, value_name = "DATE")]
    until: Option<When>,
}

/// A resource as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Resource {
    kind: Kind,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vm,
    Volume,
    Project,
    Domain,
}

impl Kind {
    /// CloudStack's name of the type.
    fn resource_type(self) -> &'static str {
        match self {
            Self::Vm => "UserVm",
            Self::Volume => "Volume",
            Self::Project => "Project",
            Self::Domain => "Domain",
        }
    }
}

impl std::str::FromStr for Resource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = "vm:NAME, volume:NAME, project:NAME or domain:PATH is wanted";
        let (kind, name) = text.split_once(':').ok_or(wanted)?;
        let kind = match kind {
            "vm" => Kind::Vm,
            "volume" => Kind::Volume,
            "project" => Kind::Project,
            "domain" => Kind::Domain,
            _ => return Err(wanted.to_owned()),
        };
        if name.is_empty() {
            return Err(wanted.to_owned());
        }
        Ok(Self {
            kind,
            name: name.to_owned(),
        })
    }
}

/// A row of a file of labels.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    resource: String,
    key: String,
    value: String,
    from: Option<String>,
    until: Option<String>,
}

/// What is to be done to one target.
struct Change {
    target: LabelTarget,
    valid: Period,
    /// The value; none to take the label away.
    value: Option<String>,
}

impl LabelArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        match &self.command {
            Command::Set {
                resource,
                key,
                value,
                change,
                validity,
            } => change.make_one(resource, key, Some(value), validity, json),
            Command::Clear {
                resource,
                key,
                change,
                validity,
            } => change.make_one(resource, key, None, validity, json),
            Command::Import { file, change } => change.import(file, json),
            Command::List { database, known_on } => list(database, *known_on, json),
        }
    }
}

impl LabelChangeArgs {
    fn make_one(
        &self,
        resource: &Resource,
        key: &str,
        value: Option<&String>,
        validity: &ValidityArgs,
        json: bool,
    ) -> Result<Exit, Failure> {
        let inventory = self.inventory()?;
        let change = Change {
            target: target(resource, key, &inventory)?,
            valid: self.period(validity)?,
            value: value.cloned(),
        };
        self.make(&[change], json)
    }

    fn import(&self, file: &Path, json: bool) -> Result<Exit, Failure> {
        let wrong = |row: usize, message: &str| {
            let message = format!("{}, row {row}: {message}", file.display());
            Failure::new(Exit::Usage, message)
        };
        let bytes = std::fs::read(file).map_err(|error| Failure::file(file, &error))?;
        let inventory = self.inventory()?;
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes.as_slice());
        let mut changes = Vec::new();
        for (index, row) in reader.deserialize::<FileRow>().enumerate() {
            // the headings are row 1
            let number = index + 2;
            let row = row.map_err(|error| wrong(number, &error.to_string()))?;
            let resource: Resource = row
                .resource
                .parse()
                .map_err(|error: String| wrong(number, &error))?;
            let when = |text: Option<&String>| {
                text.map(|text| {
                    text.parse::<When>()
                        .map_err(|error| wrong(number, &error.to_string()))
                })
                .transpose()
            };
            let validity = ValidityArgs {
                from: when(row.from.as_ref())?,
                until: when(row.until.as_ref())?,
            };
            let placed = |failure: Failure| wrong(number, &failure.to_string());
            changes.push(Change {
                target: target(&resource, &row.key, &inventory).map_err(placed)?,
                valid: self.period(&validity).map_err(placed)?,
                value: Some(row.value),
            });
        }
        self.make(&changes, json)
    }

    /// Makes the changes, or prints those that would change anything.
    fn make(&self, changes: &[Change], json: bool) -> Result<Exit, Failure> {
        let recorded = self.recorded.unwrap_or_else(Utc::now);
        let cloud = &self.database.cloud;
        let labels: Vec<Label> = changes
            .iter()
            .map(|change| Label {
                target: change.target.clone(),
                valid: change.valid,
                value: change.value.clone().unwrap_or_default(),
                author: self.author.clone(),
                recorded,
            })
            .collect();
        labels.iter().try_for_each(Label::check)?;
        let mut store = if self.diff {
            self.database.location()?.open_read_only()?
        } else {
            self.database.location()?.open()?
        };
        let mut made = Vec::new();
        for (change, label) in changes.iter().zip(&labels) {
            let is_new = if self.diff {
                let in_force = store.labels(cloud, None)?;
                let effect = match change.value {
                    Some(_) => cloudstack_usage::store::LabelChange::set(&in_force, label)?,
                    None => cloudstack_usage::store::LabelChange::clear(
                        &in_force,
                        &change.target,
                        change.valid,
                        recorded,
                    )?,
                };
                !effect.added.is_empty() || !effect.withdrawn.is_empty()
            } else if change.value.is_some() {
                store.set_label(cloud, label)?
            } else {
                store.clear_label(cloud, &change.target, change.valid, &self.author, recorded)?
            };
            if is_new {
                made.push((change, label));
            }
        }
        if json {
            let rows: Vec<serde_json::Value> = made
                .iter()
                .map(|(change, label)| {
                    serde_json::json!({
                        "change": if change.value.is_some() { "set" } else { "clear" },
                        "label": label,
                    })
                })
                .collect();
            let answer = serde_json::json!({ "written": !self.diff, "changes": rows });
            output::to_stdout(output::json_text(&answer)?.as_bytes())?;
        } else if made.is_empty() {
            output::line("nothing changed")?;
        } else {
            for (change, label) in made {
                let what = match &change.value {
                    Some(value) => format!("set {}={value}", label.target.key),
                    None => format!("clear {}", label.target.key),
                };
                let LabelTarget {
                    resource_type,
                    resource,
                    ..
                } = &label.target;
                output::line(&format!(
                    "{what} on {resource_type} {resource}, {}",
                    label.valid
                ))?;
            }
        }
        Ok(Exit::Success)
    }

    /// Names of resources, over all syncs.
    fn inventory(&self) -> Result<Inventory, Failure> {
        let mut builder = InventoryBuilder::new();
        Input::database(&self.database)?.snapshots(&mut |snapshot| builder.observe(snapshot))?;
        Ok(builder.build())
    }

    fn period(&self, validity: &ValidityArgs) -> Result<Period, Failure> {
        let always = Period::always();
        let bound = |when: Option<When>, is_end: bool| -> Result<Option<DateTime<Utc>>, Failure> {
            match when {
                None => Ok(None),
                Some(When::Instant(instant)) => Ok(Some(instant)),
                Some(When::Day(day)) => {
                    let book = self.book.as_ref().ok_or_else(|| {
                        let message = "a date is one of the price book's zone: name it with --book, or give an instant";
                        Failure::new(Exit::Usage, message)
                    })?;
                    let day = rating::civil_period(&rating::load_book(book)?, day, day)?;
                    Ok(Some(if is_end { day.end() } else { day.start() }))
                }
            }
        };
        let start = bound(validity.from, false)?.unwrap_or_else(|| always.start());
        let end = bound(validity.until, true)?.unwrap_or_else(|| always.end());
        Period::new(start, end).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
    }
}

/// The target by id, or by a name that it has or had.
fn target(resource: &Resource, key: &str, inventory: &Inventory) -> Result<LabelTarget, Failure> {
    let had = |names: &History<String>| {
        let mut spans = names.spans().iter();
        spans.any(|span| span.value == resource.name)
    };
    let named: Vec<(String, bool)> = match resource.kind {
        Kind::Vm => {
            let entries = inventory.vms.values();
            let names = |names: &History<String>, shown: &History<String>| had(names) || had(shown);
            entries
                .map(|entry| {
                    (
                        entry.id.to_string(),
                        names(&entry.name, &entry.display_name),
                    )
                })
                .collect()
        }
        Kind::Volume => {
            let entries = inventory.volumes.values();
            entries
                .map(|entry| (entry.id.to_string(), had(&entry.name)))
                .collect()
        }
        Kind::Project => {
            let entries = inventory.projects.values();
            entries
                .map(|entry| (entry.id.to_string(), had(&entry.name)))
                .collect()
        }
        Kind::Domain => {
            let entries = inventory.domains.values();
            entries
                .map(|entry| (entry.id.to_string(), had(&entry.path) || had(&entry.name)))
                .collect()
        }
    };
    let by_id = named.iter().find(|(id, _)| *id == resource.name);
    let by_name: Vec<&String> = named
        .iter()
        .filter(|(_, had)| *had)
        .map(|(id, _)| id)
        .collect();
    let kind = resource.kind.resource_type();
    let id = match (by_id, by_name.as_slice()) {
        (Some((id, _)), _) => id,
        (None, [id]) => *id,
        (None, []) => {
            let message = format!("no {kind} is called {:?}, or has this id", resource.name);
            return Err(Failure::new(Exit::Nothing, message));
        }
        (None, several) => {
            let ids: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            let message = format!(
                "several {kind}s are or were called {:?} ({}); give the id",
                resource.name,
                ids.join(", ")
            );
            return Err(Failure::new(Exit::Usage, message));
        }
    };
    Ok(LabelTarget {
        resource_type: kind.to_owned(),
        resource: ResourceId::new(id),
        key: key.to_owned(),
    })
}

fn list(
    database: &DatabaseArgs,
    known_on: Option<DateTime<Utc>>,
    json: bool,
) -> Result<Exit, Failure> {
    let mut store = database.location()?.open_read_only()?;
    let labels = store.labels(&database.cloud, known_on)?;
    if json {
        output::to_stdout(output::json_text(&labels)?.as_bytes())?;
        return Ok(Exit::Success);
    }
    let rows: Vec<Vec<String>> = labels
        .iter()
        .map(|label| {
            vec![
                label.target.resource_type.clone(),
                label.target.resource.to_string(),
                label.target.key.clone(),
                label.value.clone(),
                label.valid.to_string(),
                label.author.clone(),
                label
                    .recorded
                    .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            ]
        })
        .collect();
    let headings = [
        "Type", "Resource", "Key", "Value", "Valid", "Author", "Recorded",
    ];
    let headings = headings.map(|name| Heading(name, false));
    output::to_stdout(layout(&headings, &rows).as_bytes())?;
    Ok(Exit::Success)
}
