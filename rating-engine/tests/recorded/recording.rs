//! The recorded CloudStack of `examples/data`, and copies of it in which every date, name
//! and id is another one: what holds for the recording by chance does not hold for a copy.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Inventory, InventoryBuilder, Snapshot, UsageLifetimes, UsageRecord, parse_usage_page,
    read_metadata_folder,
};
use rating_engine::{Bill, PriceBook, Rating};
use serde_json::Value;

/// What the recording's price book and tags say besides the names of things.
const TAG_WORDS: &[&str] = &["HANA-XL", "WEB-S", "CostCenter"];

/// Tag values that are changed where they are the whole text.
const TAG_VALUES: &[&str] = &["4711", "4711-A", "4712", "4799", "8150"];

/// Fields that hold numbers as text, or words of CloudStack.
const FIXED_FIELDS: &[&str] = &["rawusage", "usage", "command", "state", "type"];

/// The recording, or a copy of it.
pub(crate) struct Recording {
    shift: TimeDelta,
    words: Vec<(String, String)>,
    /// The snapshots of all syncs, in order.
    pub(crate) snapshots: Vec<Snapshot>,
}

impl Recording {
    /// As it was recorded.
    pub(crate) fn original() -> Self {
        Self {
            shift: TimeDelta::zero(),
            words: Vec::new(),
            snapshots: snapshots(&folder().join("metadata")),
        }
    }

    /// With every moment `shift` later, other names and other ids.
    pub(crate) fn copied(shift: TimeDelta) -> Self {
        let original = Self::original();
        let mut copy = Self {
            shift,
            words: words(&original),
            snapshots: Vec::new(),
        };
        copy.snapshots = copy.copied_snapshots();
        copy
    }

    fn is_original(&self) -> bool {
        self.words.is_empty()
    }

    /// A moment of the recorded year 2026, such as `10-03T05:55:55`, as it is here.
    pub(crate) fn at(&self, text: &str) -> DateTime<Utc> {
        let recorded: DateTime<Utc> = format!("2026-{text}Z").parse().unwrap();
        recorded + self.shift
    }

    /// A civil date of the recorded year, such as `10-01`, as it is here.
    pub(crate) fn date(&self, text: &str) -> NaiveDate {
        self.at(&format!("{text}T00:00:00")).date_naive()
    }

    /// A name or tag of the recording, as it is here.
    pub(crate) fn name(&self, recorded: &str) -> String {
        self.renamed(recorded)
    }

    /// The records of one of its folders.
    pub(crate) fn usage(&self, folder_name: &str) -> Vec<UsageRecord> {
        let folder = folder().join(folder_name);
        let index: Value = serde_json::from_slice(&body(&folder.join("index.json"))).unwrap();
        let mut changed = BTreeMap::new();
        let mut records = Vec::new();
        for entry in index.as_array().unwrap() {
            let bytes = self.changed(
                &body(&folder.join(entry["file"].as_str().unwrap())),
                &mut changed,
            );
            let page = parse_usage_page("page", &bytes).unwrap();
            assert!(page.rejections.is_empty());
            records.extend(page.records.into_iter().map(|parsed| parsed.record));
        }
        records
    }

    /// The rows of a database table.
    pub(crate) fn table(&self, name: &str) -> Vec<Value> {
        let path = folder().join(format!("sql-daily/{name}.jsonl.gz"));
        let mut changed = BTreeMap::new();
        let text = String::from_utf8(body(&path)).unwrap();
        text.lines()
            .map(|line| {
                serde_json::from_slice(&self.changed(line.as_bytes(), &mut changed)).unwrap()
            })
            .collect()
    }

    /// The price book of the examples in another zone.
    pub(crate) fn book_text(&self, zone: &str) -> String {
        let path = folder().join("../price-book.toml");
        let text = fs::read_to_string(path).unwrap();
        let text = text.replace("zone = \"Europe/Berlin\"", &format!("zone = {zone:?}"));
        assert!(text.contains(zone));
        self.renamed(&shift_dates(&text, self.shift))
    }

    /// The inventory that the syncs and `records` make.
    pub(crate) fn inventory(&self, records: &[UsageRecord]) -> Inventory {
        inventory(&self.snapshots, records)
    }

    fn renamed(&self, text: &str) -> String {
        if self.is_original() {
            return text.to_owned();
        }
        if TAG_VALUES.contains(&text) {
            return format!("cc {}", turned(text));
        }
        let mut renamed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((word, other)) = self.words.iter().find(|(word, _)| rest.starts_with(word))
            {
                renamed.push_str(other);
                rest = &rest[word.len()..];
            } else {
                renamed.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        renamed
    }

    /// A body with every text in it changed.
    fn changed(&self, json: &[u8], known: &mut BTreeMap<String, String>) -> Vec<u8> {
        if self.is_original() {
            return json.to_vec();
        }
        let mut value: Value = serde_json::from_slice(json).unwrap();
        self.change(&mut value, known);
        serde_json::to_vec(&value).unwrap()
    }

    fn change(&self, value: &mut Value, known: &mut BTreeMap<String, String>) {
        match value {
            Value::String(text) => {
                if let Some(changed) = known.get(text) {
                    text.clone_from(changed);
                    return;
                }
                let changed =
                    other_internal_ids(&other_ids(&self.renamed(&shift_times(text, self.shift))));
                known.insert(std::mem::replace(text, changed.clone()), changed);
            }
            Value::Array(values) => {
                for value in values {
                    self.change(value, known);
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    let is_event_type = name == "type" && value.as_str().is_some();
                    if !is_event_type && !FIXED_FIELDS.contains(&name.as_str()) {
                        self.change(value, known);
                    }
                }
            }
            _ => {}
        }
    }

    /// Writes a changed copy of the metadata to a folder of its own and reads that.
    fn copied_snapshots(&self) -> Vec<Snapshot> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let copy = std::env::temp_dir().join(format!(
            "cloudstack-recording-{}-{number}",
            std::process::id()
        ));
        let mut known = BTreeMap::new();
        for sync in fs::read_dir(folder().join("metadata")).unwrap() {
            let sync = sync.unwrap();
            let name = sync.file_name().into_string().unwrap();
            let target = copy.join(shift_times(&name, self.shift));
            fs::create_dir_all(&target).unwrap();
            for file in fs::read_dir(sync.path()).unwrap() {
                let file = file.unwrap();
                let bytes = self.changed(&body(&file.path()), &mut known);
                let name = file.file_name().into_string().unwrap();
                let name = name.trim_end_matches(".gz");
                let bytes = String::from_utf8(bytes)
                    .unwrap()
                    .replace(".json.gz", ".json");
                fs::write(target.join(name), bytes).unwrap();
            }
        }
        let snapshots = snapshots(&copy);
        fs::remove_dir_all(&copy).unwrap();
        snapshots
    }
}

/// The inventory that syncs and records make.
pub(crate) fn inventory(snapshots: &[Snapshot], records: &[UsageRecord]) -> Inventory {
    let mut lifetimes = UsageLifetimes::default();
    for record in records {
        lifetimes.observe(record);
    }
    let mut builder = InventoryBuilder::new();
    for snapshot in snapshots {
        builder.observe(snapshot);
    }
    builder.usage(lifetimes);
    builder.build()
}

/// Rates the civil dates from `first` to `last`.
pub(crate) fn rate(
    book: &PriceBook,
    inventory: &Inventory,
    records: &[UsageRecord],
    (first, last): (NaiveDate, NaiveDate),
) -> Bill {
    let period = book.civil_period(first, last).unwrap();
    let mut rating = Rating::new(book, inventory, period).unwrap();
    for record in records {
        rating.push(record);
    }
    rating.finish()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cloudstack-4.23")
}

fn snapshots(folder: &Path) -> Vec<Snapshot> {
    let fetches = read_metadata_folder(folder).unwrap();
    fetches.into_iter().map(|fetch| fetch.snapshot).collect()
}

fn body(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(bytes.as_slice())
        .read_to_end(&mut text)
        .unwrap();
    text
}

/// Every name of a thing that somebody chose, with another one; the longest first, so that
/// a name that begins like another is not mistaken for it.
fn words(original: &Recording) -> Vec<(String, String)> {
    let mut words: Vec<String> = TAG_WORDS.iter().map(|word| (*word).to_owned()).collect();
    for sync in &original.snapshots {
        words.extend(sync.vms.iter().map(|vm| vm.name.clone()));
        words.extend(sync.volumes.iter().map(|volume| volume.name.clone()));
        words.extend(sync.projects.iter().map(|project| project.name.clone()));
        words.extend(sync.networks.iter().map(|network| network.name.clone()));
        let domains = sync.domains.iter().map(|domain| domain.name.clone());
        words.extend(domains.filter(|name| name != "ROOT"));
    }
    words.extend(
        original
            .usage("usage-daily")
            .iter()
            .filter_map(|record| record.name.clone()),
    );
    words.sort_by_key(|word| (std::cmp::Reverse(word.len()), word.clone()));
    words.dedup();
    words
        .into_iter()
        .map(|word| {
            let other = format!("{}é", turned(&word));
            (word, other)
        })
        .collect()
}

fn turned(text: &str) -> String {
    text.chars().rev().collect()
}

/// Shifts what reads `2026-10-01T02:00:00`, `2026-10-01 02:00:00` or `2026-10-01T020000Z`.
fn shift_times(text: &str, shift: TimeDelta) -> String {
    for (format, length) in [
        ("%Y-%m-%dT%H:%M:%S", 19),
        ("%Y-%m-%d %H:%M:%S", 19),
        ("%Y-%m-%dT%H%M%SZ", 18),
    ] {
        if let Some(time) = text.get(..length)
            && let Ok(time) = NaiveDateTime::parse_from_str(time, format)
        {
            return format!("{}{}", (time + shift).format(format), &text[length..]);
        }
    }
    text.to_owned()
}

/// Shifts every civil date of a price book by whole days.
fn shift_dates(text: &str, shift: TimeDelta) -> String {
    let shifted = text.split(' ').map(|word| {
        let (date, rest) = word.split_at_checked(10).unwrap_or((word, ""));
        match NaiveDate::parse_from_str(date, "%Y-%m-%d") {
            Ok(date) => format!("{}{rest}", date + TimeDelta::days(shift.num_days())),
            Err(_) => word.to_owned(),
        }
    });
    shifted.collect::<Vec<_>>().join(" ")
}

/// Other UUIDs, which sort the other way round.
fn other_ids(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut start = 0;
    while start + 36 <= bytes.len() {
        if is_uuid(&bytes[start..start + 36]) {
            for byte in &mut bytes[start..start + 36] {
                *byte = match *byte {
                    b'-' => b'-',
                    digit => {
                        let value = char::from(digit).to_digit(16).unwrap();
                        u8::try_from(char::from_digit(15 - value, 16).unwrap()).unwrap()
                    }
                };
            }
            start += 36;
        } else {
            start += 1;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().all(|(index, byte)| match index {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

/// The number after `ID: ` is the only identity of networks and VPCs.
fn other_internal_ids(text: &str) -> String {
    text.replace("ID: ", "ID: 7")
}

/// A description's internal id in a row of the database.
pub(crate) fn internal_id(recording: &Recording, id: u64) -> String {
    let digit = if recording.is_original() { "" } else { "7" };
    format!("{digit}{id}")
}
