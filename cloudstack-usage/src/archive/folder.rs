//! A folder that holds an archive.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};

use super::error::{ArchiveError, ArchiveErrorKind};
use super::manifest::{FORMAT, FileEntry, Manifest, SCHEMA};
use super::rejection_table::REJECTIONS;
use super::replacement;
use super::table::TableReader;
use super::usage_table::USAGE;
use crate::store::{DocumentDigest, RecordVersion, RejectionVersion, UtcMonth};

const MANIFEST: &str = "manifest.json";

/// What a cloud's name keeps in the name of a folder.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// An archive whose files are what their digests say.
#[derive(Debug, Clone)]
pub struct Archive {
    folder: PathBuf,
    manifest: Manifest,
}

impl Archive {
    /// Opens the archive in `folder` and checks every file against its digest. One that was
    /// about to be replaced when the program was stopped is put back first.
    ///
    /// # Errors
    /// When a file is missing, was changed or cut short, or was written by a newer version.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, ArchiveError> {
        let folder = std::path::absolute(folder.as_ref())
            .map_err(|error| ArchiveError::file(folder.as_ref(), error))?;
        replacement::recover(&folder).map_err(|error| ArchiveError::file(&folder, error))?;
        let manifest = read_manifest(&folder)?;
        for file in &manifest.files {
            check_file(&folder, file)?;
        }
        Ok(Self { folder, manifest })
    }

    /// The folder, as an absolute path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What the archive holds.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn usage(&self) -> Result<TableReader<RecordVersion>, ArchiveError> {
        TableReader::open(&USAGE, &self.folder)
    }

    pub(super) fn rejections(&self) -> Result<TableReader<RejectionVersion>, ArchiveError> {
        TableReader::open(&REJECTIONS, &self.folder)
    }

    /// An error of the archive as a whole.
    pub(super) fn damaged(&self, why: &str) -> ArchiveError {
        ArchiveError::damaged(&self.folder, why)
    }
}

/// Where the archive of a month is written below `root`.
pub(super) fn place(root: &Path, cloud: &str, month: UtcMonth) -> Result<PathBuf, ArchiveError> {
    let root = std::path::absolute(root).map_err(|error| ArchiveError::file(root, error))?;
    let cloud = utf8_percent_encode(cloud, KEPT).to_string();
    Ok(root.join(cloud).join(month.to_string()))
}

/// The version alone, so that what a newer one writes is told by its number.
#[derive(serde::Deserialize)]
struct Version {
    format: String,
    schema: u32,
}

fn read_manifest(folder: &Path) -> Result<Manifest, ArchiveError> {
    let path = folder.join(MANIFEST);
    let text = fs::read(&path).map_err(|error| ArchiveError::file(&path, error))?;
    let damaged = |error: serde_json::Error| ArchiveError::damaged(&path, error);
    let version: Version = serde_json::from_slice(&text).map_err(damaged)?;
    if version.format == FORMAT && version.schema != SCHEMA {
        let message = format!(
            "{} has version {} of the files, this program knows {SCHEMA}; use the one that wrote it",
            path.display(),
            version.schema
        );
        return Err(ArchiveError::new(ArchiveErrorKind::Version, message));
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(damaged)?;
    if manifest.format != FORMAT || manifest.seal != manifest.expected_seal() {
        return Err(ArchiveError::damaged(
            &path,
            "its seal does not belong to it",
        ));
    }
    let names: Vec<&str> = manifest.files.iter().map(|file| &*file.name).collect();
    if names != [USAGE.name, REJECTIONS.name] {
        return Err(ArchiveError::damaged(&path, "it names other files"));
    }
    Ok(manifest)
}

fn check_file(folder: &Path, entry: &FileEntry) -> Result<(), ArchiveError> {
    let path = folder.join(&entry.name);
    let failed = |error| ArchiveError::file(&path, error);
    let mut file = File::open(&path).map_err(failed)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    let mut length = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        hash.update(buffer.get(..read).unwrap_or(&buffer));
        length += u64::try_from(read).unwrap_or(u64::MAX);
    }
    if length != entry.bytes {
        let why = format!("it has {length} bytes, {} were written", entry.bytes);
        return Err(ArchiveError::damaged(&path, why));
    }
    if DocumentDigest::from_bytes(hash.finalize().into()) != entry.sha256 {
        let why = format!("its SHA-256 is not {}", entry.sha256);
        return Err(ArchiveError::damaged(&path, why));
    }
    Ok(())
}

/// A folder beside the place of an archive, which takes its place as a whole when it is
/// finished, and is gone otherwise.
pub(super) struct NewFolder {
    place: PathBuf,
    parent: PathBuf,
    folder: tempfile::TempDir,
}

impl NewFolder {
    pub(super) fn beside(place: &Path) -> Result<Self, ArchiveError> {
        let parent = place.parent().unwrap_or(place).to_owned();
        fs::create_dir_all(&parent).map_err(|error| ArchiveError::file(&parent, error))?;
        let folder = hidden(&parent, place)?;
        Ok(Self {
            place: place.to_owned(),
            parent,
            folder,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes the manifest and puts the folder into its place; with `replace` in that of the
    /// archive which is there.
    pub(super) fn finish(self, manifest: Manifest, replace: bool) -> Result<Archive, ArchiveError> {
        let path = self.path().join(MANIFEST);
        write_synced(&path, &manifest).map_err(|error| ArchiveError::file(&path, error))?;
        sync_folder(self.path());
        let failed = |error| ArchiveError::file(&self.place, error);
        if replace && self.place.exists() {
            replacement::set_aside(&self.place).map_err(failed)?;
            replacement::put(self.path(), &self.place).map_err(failed)?;
            replacement::forget(&self.place);
        } else {
            fs::rename(self.path(), &self.place).map_err(failed)?;
        }
        let _ = self.folder.keep();
        sync_folder(&self.parent);
        Ok(Archive {
            folder: self.place,
            manifest,
        })
    }
}

/// A new hidden folder in `parent`, named after `place`; it may be used as any new folder.
fn hidden(parent: &Path, place: &Path) -> Result<tempfile::TempDir, ArchiveError> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let prefix = format!(".{name}-");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    let folder = builder.tempdir_in(parent);
    folder.map_err(|error| ArchiveError::file(parent, error))
}

fn write_synced(path: &Path, manifest: &Manifest) -> io::Result<()> {
    let file = File::create_new(path)?;
    serde_json::to_writer_pretty(&file, manifest)?;
    file.sync_all()
}

/// Names are on the disk as well then, where a folder can be asked for that.
pub(super) fn sync_folder(path: &Path) {
    if let Ok(folder) = File::open(path) {
        let _ = folder.sync_all();
    }
}
