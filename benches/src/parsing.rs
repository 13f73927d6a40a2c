//! Measures parsing of response pages beside rating of the same records, in one process.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use cloudstack_usage::{InventoryBuilder, Period, UsageLifetimes, UsageRecord, parse_usage_page};
use rating_engine::{Bill, PriceBook, Rating};

use crate::{Failure, pages};

const BOOK: &str = r#"
schema = 1
name = "Bench"
currency = "EUR"
zone = "Europe/Berlin"
compute = "running"

[[price]]
id = "cpu"
meter = "cpu"
amount = "7.53"
per = "month"

[[price]]
id = "cpu-d7"
meter = "cpu"
amount = "6.11"
per = "month"
scope = { domain = "ROOT/d7" }

[[price]]
id = "ram"
meter = "ram"
amount = "3.29"
per = "month"

[[price]]
id = "disk"
meter = "disk"
amount = "0.083"
per = "month"

[[price]]
id = "disk-ssd"
meter = "disk"
offering = "disk1"
amount = "0.147"
per = "month"

[[price]]
id = "ip"
meter = "ip"
amount = "3.00"
per = "month"

[[price]]
id = "out"
meter = "traffic_sent"
amount = "0.05"

[[price]]
id = "in"
meter = "traffic_received"
amount = "0"

[[discount]]
id = "d3"
percent = "12.5"
scope = { domain = "ROOT/d3" }
from = 2026-10-05
until = 2026-10-19
"#;

/// Parses and rates a month of about so many records, and gives the rows of a table.
pub(crate) fn measure(records: usize, rounds: usize) -> Result<String, Failure> {
    let month = pages::month(records);
    let book = PriceBook::from_toml(BOOK)?;
    let period = Period::new(pages::start(), pages::start() + TimeDelta::days(31))?;
    let mut builder = InventoryBuilder::new();
    for snapshot in &month.snapshots {
        builder.observe(snapshot);
    }
    builder.usage(UsageLifetimes::default());
    let inventory = builder.build();
    let rate = |records: &[UsageRecord]| -> Result<Bill, Failure> {
        let mut rating = Rating::new(&book, &inventory, period)?;
        for record in records {
            rating.push(record);
        }
        Ok(rating.finish())
    };

    let (mut parsing, mut ordered, mut shuffled) = (Vec::new(), Vec::new(), Vec::new());
    let mut totals = Vec::new();
    for _ in 0..rounds {
        let started = Instant::now();
        let parsed = parse(&month)?;
        parsing.push(started.elapsed());

        let started = Instant::now();
        let bill = rate(&parsed)?;
        ordered.push(started.elapsed());
        totals.push((bill.total.clone(), bill.digest.clone()));

        let mixed = shuffle(parsed);
        let started = Instant::now();
        let bill = rate(&mixed)?;
        shuffled.push(started.elapsed());
        totals.push((bill.total.clone(), bill.digest.clone()));
    }
    if totals
        .windows(2)
        .any(|pair| matches!(pair, [left, right] if left != right))
    {
        return Err("rounds or orders gave different bills".into());
    }
    let text = results(&month, median(parsing), median(ordered), median(shuffled));
    Ok(text)
}

fn parse(month: &pages::Month) -> Result<Vec<UsageRecord>, Failure> {
    let mut records = Vec::with_capacity(month.records);
    for page in &month.pages {
        let page = parse_usage_page("generated", page.as_bytes())?;
        records.extend(page.records.into_iter().map(|parsed| parsed.record));
    }
    Ok(records)
}

/// A fixed permutation: the same for every run.
fn shuffle(mut records: Vec<UsageRecord>) -> Vec<UsageRecord> {
    let mut state: u64 = 0x2545_F491_4F6C_DD1D;
    for index in (1..records.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (index as u64 + 1)).unwrap_or(0);
        records.swap(index, other);
    }
    records
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn per_second(records: usize, time: Duration) -> u128 {
    records as u128 * 1_000_000 / time.as_micros().max(1)
}

fn percent(part: Duration, whole: Duration) -> u128 {
    whole.as_micros() * 100 / part.as_micros().max(1)
}

fn results(
    month: &pages::Month,
    parsing: Duration,
    ordered: Duration,
    shuffled: Duration,
) -> String {
    format!(
        "| parse response pages (JSON to records) | {} | 100 % |\n\
        | rate, records in order of time | {} | {} % |\n\
        | rate, records shuffled | {} | {} % |\n",
        per_second(month.records, parsing),
        per_second(month.records, ordered),
        percent(ordered, parsing),
        per_second(month.records, shuffled),
        percent(shuffled, parsing),
    )
}
