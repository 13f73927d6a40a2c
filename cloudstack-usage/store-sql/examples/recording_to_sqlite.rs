//! Syncs a recording into an SQLite database, once for each recorded sync:
//! `recording_to_sqlite USAGE_FOLDER METADATA_FOLDER DATABASE`.

use std::env::args_os;
use std::error::Error;
use std::path::PathBuf;

use cloudstack_usage::RecordedSource;
use cloudstack_usage_store::{SqliteStore, SyncOptions, sync};

fn main() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = args_os().skip(1).map(PathBuf::from).collect();
    let [usage, metadata, database] = paths.as_slice() else {
        return Err("give USAGE_FOLDER METADATA_FOLDER DATABASE".into());
    };
    let mut source = RecordedSource::open(std::slice::from_ref(usage), metadata)?;
    let mut store = SqliteStore::open(database)?;
    let moments: Vec<_> = source.moments().collect();
    for now in moments {
        sync(&mut source, &mut store, &SyncOptions::new(now), &mut |_| {})?;
    }
    Ok(())
}
