//! One sync of a cloud at a time.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use cloudstack_usage::store::{StoreError, StoreErrorKind};

use crate::schema::sha256_hex;

/// Holds the lock of a cloud's sync until dropped. The operating system frees it when the
/// process ends, however it ends; the file itself stays, since removing it would let two
/// processes lock two files of one name.
#[derive(Debug)]
pub(super) struct SyncLock {
    _file: Option<File>,
}

impl SyncLock {
    /// Takes the lock of `cloud` in the database at `path`. A database in memory is not
    /// shared and needs none.
    pub(super) fn acquire(path: Option<&Path>, cloud: &str) -> Result<Self, StoreError> {
        let Some(path) = path else {
            return Ok(Self { _file: None });
        };
        let lock_path = lock_path(path, cloud);
        let cannot = |error: std::io::Error| {
            StoreError::new(
                StoreErrorKind::Unavailable,
                format!(
                    "the lock file {} cannot be used; check the folder's permissions",
                    lock_path.display()
                ),
            )
            .with_source(error)
        };
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: Some(file) }),
            Err(TryLockError::WouldBlock) => Err(StoreError::new(
                StoreErrorKind::SyncRunning,
                format!(
                    "another sync of cloud {cloud:?} into {} is running; wait for it to end",
                    path.display()
                ),
            )),
            Err(TryLockError::Error(error)) => Err(cannot(error)),
        }
    }
}

/// `usage.sqlite` -> `usage.sqlite-sync-0123456789abcdef`: a cloud's name may hold anything.
fn lock_path(path: &Path, cloud: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    let hash = sha256_hex(cloud.as_bytes());
    name.push(format!("-sync-{}", hash.get(..16).unwrap_or(&hash)));
    PathBuf::from(name)
}
