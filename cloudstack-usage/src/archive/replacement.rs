//! One folder in the place of another, so that whenever a program is stopped a complete one is
//! in the place, or is put back there by the next that looks.
//!
//! No system exchanges folders in one step everywhere, so it takes two renames. Between them
//! the old folder is beside its place under a name that says whose place it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::folder::sync_folder;

/// First step: the folder at `place` goes aside.
pub(super) fn set_aside(place: &Path) -> io::Result<()> {
    // what another run was about to remove
    recover(place)?;
    fs::rename(place, aside(place))
}

/// Second step: the new folder takes the place. Where it cannot, the old one goes back.
pub(super) fn put(new: &Path, place: &Path) -> io::Result<()> {
    fs::rename(new, place).inspect_err(|_| {
        let _ = fs::rename(aside(place), place);
    })?;
    // the new name is on the disk before the old folder is gone
    sync_folder(place.parent().unwrap_or(place));
    Ok(())
}

/// Last step: the old folder is removed. One that stays is removed by the next run.
pub(super) fn forget(place: &Path) {
    let _ = fs::remove_dir_all(aside(place));
}

/// Goes on where a run was stopped between these steps: the old folder goes back if nothing
/// took its place, and away if something did.
pub(super) fn recover(place: &Path) -> io::Result<()> {
    let aside = aside(place);
    if !exists(&aside) {
        return Ok(());
    }
    if exists(place) {
        return fs::remove_dir_all(&aside);
    }
    match fs::rename(&aside, place) {
        // the run was not stopped after all, and took its next step meanwhile
        Err(_) if exists(place) => Ok(()),
        done => done,
    }
}

/// `2026-10` -> `.2026-10.replaced`
fn aside(place: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(place.file_name().unwrap_or_default());
    name.push(".replaced");
    place.with_file_name(name)
}

fn exists(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with an old archive and a new one that is to take its place.
    fn beginning() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let (place, new) = (
            root.path().join("2026-10"),
            root.path().join(".2026-10-new"),
        );
        for (folder, content) in [(&place, "old"), (&new, "new")] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("usage.parquet"), content).unwrap();
            fs::write(folder.join("manifest.json"), content).unwrap();
        }
        (root, place, new)
    }

    /// What is in the place, whole.
    fn content(place: &Path) -> String {
        let read = |name| fs::read_to_string(place.join(name)).unwrap();
        assert_eq!(read("usage.parquet"), read("manifest.json"));
        read("manifest.json")
    }

    #[test]
    fn stopped_after_any_step_a_whole_folder_is_there_at_the_next_look() {
        type Step = fn(&Path, &Path);
        let steps: [(Step, &str); 5] = [
            (|_, _| {}, "old"),
            (|_, place| set_aside(place).unwrap(), "old"),
            (|new, place| put(new, place).unwrap(), "new"),
            // in the midst of removing
            (
                |_, place| fs::remove_file(aside(place).join("manifest.json")).unwrap(),
                "new",
            ),
            (|_, place| forget(place), "new"),
        ];
        for stopped in 0..steps.len() {
            let (root, place, new) = beginning();
            for (step, _) in &steps[..=stopped] {
                step(&new, &place);
            }
            recover(&place).unwrap();
            assert_eq!(content(&place), steps[stopped].1, "after step {stopped}");
            assert!(!exists(&aside(&place)));
            // and the next run replaces it
            fs::create_dir_all(&new).unwrap();
            for name in ["usage.parquet", "manifest.json"] {
                fs::write(new.join(name), "newest").unwrap();
            }
            set_aside(&place).unwrap();
            put(&new, &place).unwrap();
            forget(&place);
            assert_eq!(content(&place), "newest");
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_folder_whose_place_cannot_be_taken_goes_back() {
        let (_root, place, new) = beginning();
        set_aside(&place).unwrap();
        assert!(put(&new.join("nothing"), &place).is_err());
        assert_eq!(content(&place), "old");
        assert!(!exists(&aside(&place)));
    }

    #[test]
    fn what_was_never_replaced_is_left_alone() {
        let (root, place, _) = beginning();
        recover(&place).unwrap();
        assert_eq!(content(&place), "old");
        recover(&root.path().join("2026-11")).unwrap();
        assert!(!exists(&root.path().join("2026-11")));
    }
}
