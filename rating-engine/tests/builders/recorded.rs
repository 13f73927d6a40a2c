//! The recorded month, where its files are.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::OnceLock;

use cloudstack_usage::{
    Inventory, InventoryBuilder, Snapshot, UsageLifetimes, UsageRecord, read_metadata_folder,
    read_usage_files,
};
use rating_engine::quota::Tariff;

/// A row of a recorded database table: numbers as text, as they stand.
pub(crate) type Row = BTreeMap<String, Box<serde_json::value::RawValue>>;

pub(crate) struct Recorded {
    folder: PathBuf,
    pub(crate) records: Vec<UsageRecord>,
    pub(crate) inventory: Inventory,
    pub(crate) newest: Snapshot,
}

impl Recorded {
    /// Reads usage (daily windows) and metadata.
    pub(crate) fn read() -> Self {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/data");
        let folder = PathBuf::from(root).join("cloudstack-4.23");
        let mut records = Vec::new();
        read_usage_files(&[folder.join("usage-daily")], &mut |page| {
            records.extend(page.records.into_iter().map(|parsed| parsed.record));
            Ok(())
        })
        .unwrap();
        let mut lifetimes = UsageLifetimes::default();
        for record in &records {
            lifetimes.observe(record);
        }
        let mut builder = InventoryBuilder::new();
        let fetches = read_metadata_folder(folder.join("metadata")).unwrap();
        for fetch in &fetches {
            builder.observe(&fetch.snapshot);
        }
        builder.usage(lifetimes);
        Self {
            folder,
            records,
            inventory: builder.build(),
            newest: fetches.into_iter().last().unwrap().snapshot,
        }
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    pub(crate) fn body(&self, path: &str) -> Vec<u8> {
        let file = std::fs::read(self.path(path)).unwrap();
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(file.as_slice())
            .read_to_end(&mut body)
            .unwrap();
        body
    }

    pub(crate) fn tariffs(&self) -> Vec<Tariff> {
        Tariff::read_list(&self.body("quota/tariffs.json.gz")).unwrap()
    }

    /// The rows of a table of the recorded database.
    pub(crate) fn table(&self, name: &str) -> Vec<Row> {
        let body = self.body(&format!("sql-daily/{name}.jsonl.gz"));
        let text = String::from_utf8(body).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The recording, read once.
pub(crate) fn shared() -> &'static Recorded {
    static RECORDED: OnceLock<Recorded> = OnceLock::new();
    RECORDED.get_or_init(Recorded::read)
}
