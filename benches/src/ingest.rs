//! A sync into SQLite beside what it cannot be faster than: parsing the same pages, and
//! SQLite's own bulk insert of the same rows.

use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Error, Kind, ParsedRecord, Period, Snapshot, SnapshotFetch, Source, UsageFetch, UsagePage,
    parse_usage_page,
};
use cloudstack_usage_store::{SqliteStore, SyncOptions, sync};
use rusqlite::{Connection, params};

use crate::{Failure, pages};

/// A server that makes its pages as they are asked for.
struct Generated {
    records: usize,
}

impl Source for Generated {
    fn usage(
        &mut self,
        _: Period,
        sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
    ) -> Result<UsageFetch, Error> {
        for (page, _) in pages::pages(self.records) {
            sink(parse_usage_page("generated", page.as_bytes())?)?;
        }
        Ok(UsageFetch {
            complete: true,
            notices: Vec::new(),
        })
    }

    fn snapshot(&mut self, at: DateTime<Utc>, _: &[Kind]) -> Result<SnapshotFetch, Error> {
        Ok(SnapshotFetch {
            snapshot: Snapshot::new(at),
            rejections: Vec::new(),
            notices: Vec::new(),
        })
    }
}

/// Syncs about so many records into a new database; gives how many they were.
pub(crate) fn into_sqlite(database: &Path, records: usize) -> Result<u64, Failure> {
    let _ = std::fs::remove_file(database);
    let now = pages::start() + TimeDelta::days(40);
    let options = SyncOptions::new(now).first_from(pages::start()).kinds([]);
    let mut store = SqliteStore::open(database)?;
    let report = sync(
        &mut Generated { records },
        &mut store,
        &options,
        &mut |_| {},
    )?;
    if !report.usage_complete || report.usage.new == 0 || report.usage.rejected > 0 {
        return Err("the sync did not store everything".into());
    }
    Ok(report.usage.new)
}

/// Does that once and gives its rate, the making of the pages included, and what memory it
/// took where the system says so.
pub(crate) fn measure_once(database: &Path, records: usize) -> Result<String, Failure> {
    let started = Instant::now();
    let synced = into_sqlite(database, records)?;
    let seconds = started.elapsed().as_secs().max(1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(format!(
        "{synced} records in {seconds} s, {} a second, peak memory {}\n",
        synced / seconds,
        peak.map_or("not known", str::trim)
    ))
}

/// Measures, and gives the rows of a table.
pub(crate) fn measure(folder: &Path, records: usize, rounds: usize) -> Result<String, Failure> {
    let (mut making, mut parsing, mut inserting, mut syncing) = (vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let started = Instant::now();
        let pages: Vec<String> = pages::pages(records).map(|(page, _)| page).collect();
        making.push(started.elapsed());

        let started = Instant::now();
        let parsed: Vec<ParsedRecord> = parse(&pages)?;
        parsing.push(started.elapsed());
        drop(pages);

        drop(parsed);

        let (store, copy) = (folder.join("sync.sqlite"), folder.join("bulk.sqlite"));
        let started = Instant::now();
        into_sqlite(&store, records)?;
        syncing.push(started.elapsed());

        inserting.push(bulk_insert(&store, &copy)?);
    }
    let (making, parsing) = (median(making), median(parsing));
    let (inserting, syncing) = (median(inserting), median(syncing));
    // the server's part of the work is none of the sync's
    let syncing = syncing.saturating_sub(making);
    let slower = parsing.max(inserting);
    Ok(format!(
        "| parse response pages | {} | |\n\
        | SQLite's bulk insert of the same rows | {} | |\n\
        | sync into SQLite, parsing included | {} | {} % of the slower of the two |\n",
        per_second(records, parsing),
        per_second(records, inserting),
        per_second(records, syncing),
        slower.as_micros() * 100 / syncing.as_micros().max(1),
    ))
}

fn parse(pages: &[String]) -> Result<Vec<ParsedRecord>, Failure> {
    let mut parsed = Vec::new();
    for page in pages {
        parsed.extend(parse_usage_page("generated", page.as_bytes())?.records);
    }
    Ok(parsed)
}

/// SQLite's own insert of the rows of a store into the same tables, with their indices, in
/// one transaction and without asking what is there.
fn bulk_insert(store: &Path, copy: &Path) -> Result<Duration, Failure> {
    let _ = std::fs::remove_file(copy);
    drop(SqliteStore::open(copy)?);
    let started = Instant::now();
    let connection = Connection::open(copy)?;
    connection.execute_batch("PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536")?;
    connection.execute("ATTACH ? AS store", params![store.to_string_lossy()])?;
    connection.execute_batch(
        "BEGIN;
        INSERT INTO csb_cloud SELECT * FROM store.csb_cloud;
        INSERT INTO csb_usage SELECT * FROM store.csb_usage ORDER BY id;
        COMMIT",
    )?;
    Ok(started.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn per_second(records: usize, time: Duration) -> u128 {
    records as u128 * 1_000_000 / time.as_micros().max(1)
}
