//! Files that are replaced as a whole or not at all.

use std::fs::{self, File};
use std::io::ErrorKind as IoErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{ErrorKind, ExportError};

/// Writes a new file beside the target, brings it to disk, and gives it the target's name.
/// When anything fails the target stays as it was. A symbolic link is followed.
pub(crate) fn replace<T>(
    path: &Path,
    write: impl FnOnce(&mut File) -> Result<T, ExportError>,
) -> Result<T, ExportError> {
    let failed =
        |error| ExportError::io(format_args!("{} cannot be written", path.display()), error);
    let target = resolve(path)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".csbill-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(new_file());
    let mut temporary = builder.tempfile_in(folder).map_err(failed)?;
    if let Ok(existing) = fs::metadata(&target) {
        temporary
            .as_file()
            .set_permissions(existing.permissions())
            .map_err(failed)?;
    }
    let result = write(temporary.as_file_mut())?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary
        .persist(&target)
        .map_err(|error| failed(error.error))?;
    sync_folder(folder);
    Ok(result)
}

/// The file that the path leads to. A folder, device or pipe is refused: giving its name
/// to a file would replace it.
fn resolve(path: &Path) -> Result<PathBuf, ExportError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => path.canonicalize().map_err(|error| {
            ExportError::io(format_args!("{} cannot be read", path.display()), error)
        }),
        Ok(_) => Err(ExportError::new(
            ErrorKind::Target,
            format!(
                "{} is no regular file; name a file, or ask for the bytes and write them there",
                path.display()
            ),
        )),
        Err(error) if error.kind() == IoErrorKind::NotFound => Ok(path.to_owned()),
        Err(error) => Err(ExportError::io(
            format_args!("{} cannot be read", path.display()),
            error,
        )),
    }
}

/// What every new file gets, less the umask; a temporary file would be its owner's alone.
#[cfg(unix)]
fn new_file() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;

    fs::Permissions::from_mode(0o666)
}

/// Brings the new name to disk too. Not every file system can, and the content is safe
/// either way, so a failure here is no failure of the export.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
