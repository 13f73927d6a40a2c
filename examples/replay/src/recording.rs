//! What a CloudStack said: its usage records in their order, and the metadata of each sync.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind};

/// How folders of syncs are named, e.g. `2026-10-01T020000Z`.
const SYNC_FOLDER: &str = "%Y-%m-%dT%H%M%SZ";

/// Largest page that [`Recording::write_to`] writes, as CloudStack's default allows.
const PAGE_SIZE: usize = 500;

/// One recorded answer to a metadata call.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    /// The parameters of the call, `command` among them.
    pub(crate) params: BTreeMap<String, String>,
    /// The body.
    pub(crate) body: Arc<Value>,
}

impl Listing {
    /// The call's name.
    pub(crate) fn command(&self) -> &str {
        self.params.get("command").map_or("", String::as_str)
    }

    /// Name and entries of the list; none where the list is empty.
    pub(crate) fn list(&self) -> Option<(&str, &[Value])> {
        let (_, answer) = self.body.as_object()?.iter().next()?;
        answer
            .as_object()?
            .iter()
            .find_map(|(name, value)| Some((name.as_str(), value.as_array()?.as_slice())))
    }
}

/// A recording of a CloudStack: every usage record, and what each sync listed.
///
/// ```
/// # fn main() -> Result<(), csbill_replay::Error> {
/// use csbill_replay::Recording;
///
/// let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/cloudstack-4.23");
/// let recording = Recording::load(folder.as_ref(), "usage-daily")?;
/// assert!(!recording.usage().is_empty());
/// assert!(!recording.sync_times().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Recording {
    pub(crate) usage: Vec<Value>,
    pub(crate) syncs: BTreeMap<DateTime<Utc>, Vec<Listing>>,
}

#[derive(Deserialize)]
struct IndexEntry {
    file: String,
    #[serde(default)]
    status: Option<u16>,
    params: Map<String, Value>,
}

impl IndexEntry {
    fn params(&self) -> BTreeMap<String, String> {
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        self.params
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect()
    }
}

impl Recording {
    /// Reads a recording from `dir`: usage records from the sub-folder `usage` (for example
    /// `usage-daily`), metadata from `metadata/<UTC time>/`, each with an `index.json` that
    /// lists file, status and parameters. Without a folder `metadata` there are no syncs.
    ///
    /// # Errors
    /// When a file is missing, cannot be read or holds no such answer.
    pub fn load(dir: &Path, usage: &str) -> Result<Self, Error> {
        let mut recording = Self::default();
        let mut files = Files::default();
        let folder = dir.join(usage);
        for entry in index(&folder)? {
            let path = folder.join(&entry.file);
            let listing = Listing {
                params: entry.params(),
                body: files.read(&path)?,
            };
            if entry.status.is_some_and(|status| status != 200)
                || listing.command() != "listUsageRecords"
            {
                return Err(Error::recording(&path, "is no page of listUsageRecords"));
            }
            if let Some((_, records)) = listing.list() {
                recording.usage.extend_from_slice(records);
            }
        }
        let metadata = dir.join("metadata");
        if metadata.is_dir() {
            for (at, folder) in sync_folders(&metadata)? {
                let listings = index(&folder)?
                    .iter()
                    .map(|entry| {
                        Ok(Listing {
                            params: entry.params(),
                            body: files.read(&metadata.join(&entry.file))?,
                        })
                    })
                    .collect::<Result<_, Error>>()?;
                recording.syncs.insert(at, listings);
            }
        }
        Ok(recording)
    }

    /// The usage records, in CloudStack's order, as JSON objects.
    pub fn usage(&self) -> &[Value] {
        &self.usage
    }

    /// The usage records to change: a test that needs a malformed record makes one here.
    pub fn usage_mut(&mut self) -> &mut Vec<Value> {
        &mut self.usage
    }

    /// When syncs were recorded, oldest first.
    pub fn sync_times(&self) -> Vec<DateTime<Utc>> {
        self.syncs.keys().copied().collect()
    }

    /// Drops the syncs for which `keep` is false.
    pub fn keep_syncs(&mut self, mut keep: impl FnMut(DateTime<Utc>) -> bool) {
        self.syncs.retain(|at, _| keep(*at));
    }

    /// What the newest sync not after `now` listed for `command`: every entry of every
    /// recorded parameter set.
    pub fn listed(&self, command: &str, now: DateTime<Utc>) -> Vec<&Value> {
        self.syncs
            .range(..=now)
            .next_back()
            .into_iter()
            .flat_map(|(_, listings)| listings)
            .filter(|listing| listing.command() == command)
            .filter_map(Listing::list)
            .flat_map(|(_, entries)| entries)
            .collect()
    }

    /// Writes the recording to `dir` in the layout that [`Recording::load`] reads, usage in
    /// the sub-folder `usage`, gzip-compressed, in pages of 500 with the empty page at the end.
    ///
    /// # Errors
    /// When a folder or file cannot be written.
    pub fn write_to(&self, dir: &Path, usage: &str) -> Result<(), Error> {
        let folder = dir.join(usage);
        create(&folder)?;
        let mut entries = Vec::new();
        let pages = self.usage.chunks(PAGE_SIZE).chain(std::iter::once(&[][..]));
        for (page, records) in (1..).zip(pages) {
            let mut answer = json!({ "count": self.usage.len() });
            if let (Some(answer), false) = (answer.as_object_mut(), records.is_empty()) {
                answer.insert("usagerecord".to_owned(), Value::from(records));
            }
            let file = format!("all-p{page:03}.json.gz");
            write_gzip(
                &folder.join(&file),
                &json!({ "listusagerecordsresponse": answer }),
            )?;
            entries.push(json!({
                "file": file,
                "status": 200,
                "params": {
                    "command": "listUsageRecords",
                    "includetags": "true",
                    "listall": "true",
                    "isrecursive": "true",
                    "page": page,
                    "pagesize": PAGE_SIZE,
                },
            }));
        }
        write_json(&folder.join("index.json"), &Value::from(entries))?;
        for (at, listings) in &self.syncs {
            write_sync(&dir.join("metadata"), *at, listings)?;
        }
        Ok(())
    }
}

fn write_sync(metadata: &Path, at: DateTime<Utc>, listings: &[Listing]) -> Result<(), Error> {
    let name = at.format(SYNC_FOLDER).to_string();
    create(&metadata.join(&name))?;
    let mut entries = Vec::new();
    for (number, listing) in listings.iter().enumerate() {
        let file = format!("{name}/{number:02}-{}.json.gz", listing.command());
        write_gzip(&metadata.join(&file), &listing.body)?;
        entries.push(json!({ "file": file, "status": 200, "params": listing.params }));
    }
    write_json(
        &metadata.join(&name).join("index.json"),
        &Value::from(entries),
    )
}

/// Bodies by path: one that did not change is named by several syncs and read once.
#[derive(Default)]
struct Files(BTreeMap<PathBuf, Arc<Value>>);

impl Files {
    fn read(&mut self, path: &Path) -> Result<Arc<Value>, Error> {
        if let Some(body) = self.0.get(path) {
            return Ok(Arc::clone(body));
        }
        let body: Value = serde_json::from_slice(&read_bytes(path)?)
            .map_err(|error| Error::recording(path, &error).with_source(error))?;
        let body = Arc::new(body);
        self.0.insert(path.to_owned(), Arc::clone(&body));
        Ok(body)
    }
}

/// The bytes of a file, decompressed where it is gzip (told by its first bytes).
fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    let bytes = fs::read(path).map_err(|error| Error::file(path, error))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut plain)
        .map_err(|error| Error::file(path, error))?;
    Ok(plain)
}

fn index(folder: &Path) -> Result<Vec<IndexEntry>, Error> {
    let path = folder.join("index.json");
    serde_json::from_slice(&read_bytes(&path)?)
        .map_err(|error| Error::recording(&path, &error).with_source(error))
}

/// The folders of `metadata` that are named by a time, with that time.
fn sync_folders(metadata: &Path) -> Result<Vec<(DateTime<Utc>, PathBuf)>, Error> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(metadata).map_err(|error| Error::file(metadata, error))? {
        let path = entry.map_err(|error| Error::file(metadata, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(at) = name.and_then(|n| NaiveDateTime::parse_from_str(n, SYNC_FOLDER).ok()) {
            folders.push((at.and_utc(), path));
        }
    }
    folders.sort();
    Ok(folders)
}

fn create(folder: &Path) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(|error| Error::file(folder, error))
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    fs::write(path, value.to_string()).map_err(|error| Error::file(path, error))
}

fn write_gzip(path: &Path, value: &Value) -> Result<(), Error> {
    let file = fs::File::create(path).map_err(|error| Error::file(path, error))?;
    let mut encoder = GzEncoder::new(file, Compression::fast());
    encoder
        .write_all(value.to_string().as_bytes())
        .and_then(|()| encoder.finish().map(drop))
        .map_err(|error| Error::new(ErrorKind::File, format!("{}: {error}", path.display())))
}
