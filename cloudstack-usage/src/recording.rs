//! Folders of recorded answers, read as if CloudStack had just sent them.
//!
//! A recording is a folder of bodies, plain or gzip, with an `index.json` that lists for
//! each body its `file`, its HTTP `status` and the request's `params`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::metadata::Kind;
use crate::period::Period;
use crate::source::{Notice, SnapshotFetch, Source, UsageFetch, UsagePage};
use crate::wire::{AddedPage, SnapshotBuilder, parse_usage_page};

/// The name of the file that lists a folder's bodies.
const INDEX: &str = "index.json";

/// How the folder of a sync is named: its moment in UTC.
const MOMENT: &str = "%Y-%m-%dT%H%M%SZ";

/// A body of a recording.
#[derive(Deserialize)]
struct IndexEntry {
    file: String,
    status: u16,
    #[serde(default)]
    params: BTreeMap<String, serde_json::Value>,
}

impl IndexEntry {
    /// A parameter of the request, as text.
    fn param(&self, name: &str) -> Option<String> {
        self.params.get(name).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }

    fn command(&self) -> String {
        self.param("command").unwrap_or_default()
    }
}

/// Reads usage pages from files, one page at a time. A folder stands for the pages that its
/// `index.json` lists, in that order, or, without one, for its files in order of their names.
///
/// Entries of an index that are no answers to `listUsageRecords` are passed over; answers
/// with another status than 200 are named in a notice, and the fetch is not complete then.
///
/// # Errors
/// [`ErrorKind::Recording`] when a file cannot be read or holds no answer, the refusal when
/// it holds one; both name the file. Errors of the sink.
pub fn read_usage_files<P: AsRef<Path>>(
    paths: &[P],
    sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
) -> Result<UsageFetch, Error> {
    let mut notices = Vec::new();
    for path in paths {
        for file in usage_files(path.as_ref(), &mut notices)? {
            let page = parse_usage_page(&file.display().to_string(), &read_body(&file)?)
                .map_err(of_file)?;
            sink(page)?;
        }
    }
    Ok(UsageFetch {
        complete: notices.is_empty(),
        notices,
    })
}

/// Reads the syncs that a folder holds: one sub-folder each, named by its moment
/// (`2026-10-01T020000Z`), or the folder itself if it is one. In order of their moments.
///
/// A kind is complete in a snapshot if it was asked for, every answer was good, as many
/// entries came as the answers counted, and, where things belong to projects, if it was
/// asked for with them (`projectid=-1`).
///
/// # Errors
/// As [`read_usage_files`].
pub fn read_metadata_folder(path: impl AsRef<Path>) -> Result<Vec<SnapshotFetch>, Error> {
    let path = path.as_ref();
    let folders = if path.join(INDEX).is_file() {
        vec![path.to_owned()]
    } else {
        sorted_entries(path)?
            .into_iter()
            .filter(|folder| folder.join(INDEX).is_file())
            .collect()
    };
    folders.iter().map(|folder| read_sync(folder)).collect()
}

/// A recording as a [`Source`]: its usage pages, and its syncs by their moments.
#[derive(Debug)]
pub struct RecordedSource {
    usage: Vec<PathBuf>,
    snapshots: BTreeMap<DateTime<Utc>, SnapshotFetch>,
}

impl RecordedSource {
    /// The recording of usage pages in `usage` (files or folders, as
    /// [`read_usage_files`]) and of syncs in `metadata` (as [`read_metadata_folder`]).
    ///
    /// # Errors
    /// When the metadata cannot be read. Usage is read when it is asked for.
    pub fn open(usage: &[PathBuf], metadata: &Path) -> Result<Self, Error> {
        let snapshots = read_metadata_folder(metadata)?
            .into_iter()
            .map(|fetch| (fetch.snapshot.at, fetch))
            .collect();
        Ok(Self {
            usage: usage.to_vec(),
            snapshots,
        })
    }

    /// The moments of the recorded syncs, in order.
    pub fn moments(&self) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.snapshots.keys().copied()
    }
}

impl Source for RecordedSource {
    fn usage(
        &mut self,
        range: Period,
        sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
    ) -> Result<UsageFetch, Error> {
        read_usage_files(&self.usage, &mut |mut page| {
            page.records
                .retain(|parsed| parsed.record.window.overlaps(&range));
            sink(page)
        })
    }

    /// The sync recorded at exactly this moment; kinds not asked for are not left out.
    fn snapshot(&mut self, at: DateTime<Utc>, _kinds: &[Kind]) -> Result<SnapshotFetch, Error> {
        self.snapshots.get(&at).cloned().ok_or_else(|| {
            let moments: Vec<_> = self.moments().map(|moment| moment.to_rfc3339()).collect();
            recording(format!(
                "no sync of {} is recorded; recorded are {}",
                at.to_rfc3339(),
                moments.join(", ")
            ))
        })
    }
}

fn usage_files(path: &Path, notices: &mut Vec<Notice>) -> Result<Vec<PathBuf>, Error> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    if !path.join(INDEX).is_file() {
        return Ok(sorted_entries(path)?
            .into_iter()
            .filter(|file| file.is_file() && is_body(file))
            .collect());
    }
    let mut files = Vec::new();
    for entry in read_index(path)? {
        if !entry.command().eq_ignore_ascii_case("listUsageRecords") {
            continue;
        }
        let file = body_path(path, &entry.file)?;
        if entry.status == 200 {
            files.push(file);
        } else {
            notices.push(status_notice(&file, &entry));
        }
    }
    Ok(files)
}

/// A folder without an index may hold a README, too.
fn is_body(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    [".json", ".json.gz"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn read_sync(folder: &Path) -> Result<SnapshotFetch, Error> {
    let mut builder = SnapshotBuilder::new(moment(folder)?);
    let mut asked = AskedCalls::default();
    for entry in read_index(folder)? {
        let Some(kind) = Kind::from_command(&entry.command()) else {
            continue;
        };
        let file = body_path(folder, &entry.file)?;
        if entry.status == 200 {
            let label = file.display().to_string();
            let added = builder
                .add(&entry.command(), &label, &read_body(&file)?)
                .map_err(of_file)?;
            asked.note(kind, &entry, added);
        } else {
            builder.incomplete(kind, status_notice(&file, &entry));
        }
    }
    for (kind, message) in asked.gaps() {
        builder.incomplete(
            kind,
            Notice {
                slug: "list_incomplete".to_owned(),
                message: format!("{}: {message}", folder.display()),
            },
        );
    }
    Ok(builder.finish())
}

/// What was asked per kind, to tell whether all of it was.
#[derive(Default)]
struct AskedCalls {
    /// Entries that came and that were counted, by kind and the rest of the request.
    calls: BTreeMap<(Kind, String), (usize, u64)>,
    with_projects: BTreeMap<Kind, bool>,
}

impl AskedCalls {
    fn note(&mut self, kind: Kind, entry: &IndexEntry, added: AddedPage) {
        let projects = entry.param("projectid").is_some();
        *self.with_projects.entry(kind).or_default() |= projects;
        let mut request = entry.params.clone();
        request.remove("page");
        let request = serde_json::json!(request).to_string();
        let call = self.calls.entry((kind, request)).or_default();
        call.0 += added.entries;
        call.1 = call.1.max(added.count.unwrap_or(0));
    }

    fn gaps(&self) -> Vec<(Kind, String)> {
        let unasked = self
            .with_projects
            .iter()
            .filter(|(kind, asked)| kind.is_owned() && !**asked)
            .map(|(kind, _)| {
                let message = format!("{} was asked without projects", kind.command());
                (*kind, message)
            });
        let short = self
            .calls
            .iter()
            .filter(|(_, (entries, count))| u64::try_from(*entries).is_ok_and(|n| n < *count))
            .map(|((kind, _), (entries, count))| {
                let message = format!("{} gave {entries} of {count} entries", kind.command());
                (*kind, message)
            });
        unasked.chain(short).collect()
    }
}

fn moment(folder: &Path) -> Result<DateTime<Utc>, Error> {
    let name = folder
        .file_name()
        .and_then(OsStr::to_str)
        .unwrap_or_default();
    NaiveDateTime::parse_from_str(name, MOMENT)
        .map(|moment| moment.and_utc())
        .map_err(|cause| {
            recording(format!(
                "{}: the folder of a sync is named by its moment, such as 2026-10-01T020000Z",
                folder.display()
            ))
            .with_source(cause)
        })
}

fn read_index(folder: &Path) -> Result<Vec<IndexEntry>, Error> {
    let path = folder.join(INDEX);
    serde_json::from_slice(&read_body(&path)?).map_err(|cause| {
        recording(format!(
            "{}: the index is not a list of file, status and params: {cause}",
            path.display()
        ))
        .with_source(cause)
    })
}

/// Where a body lies: in the folder of the index, or, for one that an earlier sync stored,
/// in a sibling folder. A path that leads elsewhere is refused.
fn body_path(folder: &Path, file: &str) -> Result<PathBuf, Error> {
    let relative = Path::new(file);
    let plain = relative
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    if !plain {
        return Err(recording(format!(
            "{}: the index names {file:?}, which leads out of the recording",
            folder.join(INDEX).display()
        )));
    }
    let own = folder.join(relative);
    if own.is_file() {
        return Ok(own);
    }
    Ok(match folder.parent() {
        Some(parent) if parent.join(relative).is_file() => parent.join(relative),
        _ => own,
    })
}

/// The bytes of a file, unpacked if it is gzip, whatever its name says.
fn read_body(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |cause: std::io::Error| {
        recording(format!("{}: {cause}", path.display())).with_source(cause)
    };
    let bytes = fs::read(path).map_err(failed)?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut body = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut body)
        .map_err(failed)?;
    Ok(body)
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |cause: std::io::Error| {
        recording(format!("{}: {cause}", folder.display())).with_source(cause)
    };
    let mut paths = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    paths.sort();
    Ok(paths)
}

fn status_notice(file: &Path, entry: &IndexEntry) -> Notice {
    Notice {
        slug: "call_refused".to_owned(),
        message: format!(
            "{}: {} was answered with status {}",
            file.display(),
            entry.command(),
            entry.status
        ),
    }
}

fn recording(message: String) -> Error {
    Error::new(ErrorKind::Recording, message)
}

/// A file that holds no answer is an error of the recording, not of CloudStack.
fn of_file(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Malformed => recording(format!(
            "{error}; a recording holds answers as CloudStack sent them, plain or gzip"
        )),
        _ => error,
    }
}
