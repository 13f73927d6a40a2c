//! The row path: records out of a file, one after the other, into the engine.

use std::collections::BTreeMap;
use std::fs::{File, read, read_to_string};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    AccountId, DomainId, Holder, InventoryBuilder, Label, OfferingId, Owner, Period, ProjectId,
    Quantity, ResourceId, Snapshot, TemplateId, Unit, UsageRecord, UsageType, VmId, ZoneId,
    parse_raw_usage,
};
use rating_engine::{Bill, Exact, PriceBook, Rating, RoundingMode};

use crate::Failure;
use crate::workload::{DAYS, MONTH};

/// Rates a usage file and writes what is not zero.
pub(crate) fn rate(folder: &Path, usage: &str, result: &Path) -> Result<(), Failure> {
    let book = PriceBook::from_toml(&read_to_string(folder.join("book.toml"))?)?;
    let snapshot: Snapshot = serde_json::from_slice(&read(folder.join("snapshot.json"))?)?;
    let labels: Vec<Label> = serde_json::from_slice(&read(folder.join("labels.json"))?)?;
    let mut builder = InventoryBuilder::new();
    builder.observe(&snapshot);
    builder.labels(labels);
    let inventory = builder.build();
    let start = DateTime::from_timestamp(MONTH, 0).unwrap_or_default();
    let mut rating = Rating::new(
        &book,
        &inventory,
        Period::new(start, start + TimeDelta::days(DAYS))?,
    )?;
    let mut lines = BufReader::with_capacity(1 << 18, File::open(folder.join(usage))?);
    let mut line = Vec::new();
    lines.read_until(b'\n', &mut line)?; // the names of the columns
    let mut reader = Reader::new(start);
    loop {
        line.clear();
        if lines.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        rating.push(reader.record(std::str::from_utf8(&line)?.trim_end())?);
    }
    write(&rating.finish(), result)
}

/// Reads rows into one record, over and over.
struct Reader {
    record: UsageRecord,
    /// The dates of the row before, as text: most rows have the same.
    dates: String,
}

impl Reader {
    fn new(start: DateTime<Utc>) -> Self {
        let record = UsageRecord {
            usage_type: UsageType::RunningVm,
            window: Period::new(start, start + TimeDelta::days(1))
                .unwrap_or_else(|_| Period::always()),
            quantity: Quantity::time(0),
            raw_usage: rust_decimal::Decimal::ZERO,
            owner: Owner {
                domain: DomainId::new(""),
                holder: Holder::Unknown,
            },
            holder_name: None,
            domain_name: None,
            domain_path: None,
            zone: None,
            resource: None,
            vm: None,
            offering: None,
            template: None,
            os_type: None,
            os_category: None,
            os_category_name: None,
            kind: None,
            size_bytes: None,
            virtual_size_bytes: None,
            cpu_count: None,
            cpu_mhz: None,
            memory_mib: None,
            network: None,
            vpc: None,
            is_default: None,
            is_source_nat: None,
            is_system: None,
            name: None,
            description: String::new(),
            tags_at_query: Vec::new(),
        };
        Self {
            record,
            dates: String::new(),
        }
    }

    fn record(&mut self, line: &str) -> Result<&UsageRecord, Failure> {
        let mut commas = memchr::memchr_iter(b',', line.as_bytes());
        let mut from = 0;
        let mut next = || {
            let until = commas.next().unwrap_or(line.len());
            let column = line.get(from..until).ok_or("a row with too few columns");
            from = until + 1;
            column
        };
        let record = &mut self.record;
        record.usage_type = UsageType::from_id(next()?.parse()?);
        record.resource = some(next()?).map(ResourceId::new);
        record.owner.domain = DomainId::new(next()?);
        let (project, account) = (next()?, next()?);
        record.owner.holder = match (some(project), some(account)) {
            (Some(project), _) => Holder::Project(ProjectId::new(project)),
            (None, Some(account)) => Holder::Account(AccountId::new(account)),
            (None, None) => Holder::Unknown,
        };
        record.zone = some(next()?).map(ZoneId::new);
        record.vm = some(next()?).map(VmId::new);
        let (from, until) = (next()?, next()?);
        if !(self.dates.starts_with(from) && self.dates.ends_with(until)) {
            let rfc = |text: &str| format!("{}Z", text.replace(' ', "T"));
            record.window = Period::parse(&rfc(from), &rfc(until))?;
            self.dates = format!("{from}{until}");
        }
        record.raw_usage = parse_raw_usage(next()?)?;
        let unit = record.usage_type.unit().unwrap_or(Unit::Time);
        record.quantity = Quantity::from_raw(record.raw_usage, unit)?;
        record.cpu_count = some(next()?).map(str::parse).transpose()?;
        record.memory_mib = some(next()?).map(str::parse).transpose()?;
        record.offering = some(next()?).map(OfferingId::new);
        record.template = some(next()?).map(TemplateId::new);
        record.size_bytes = some(next()?).map(str::parse).transpose()?;
        Ok(record)
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Cents per domain, project, resource and component: each exact sum rounded once.
fn write(bill: &Bill, path: &Path) -> Result<(), Failure> {
    let mut sums: BTreeMap<(&DomainId, &Holder, &ResourceId, &str), Exact> = BTreeMap::new();
    for line in bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines)
    {
        let key = (&line.domain, &line.holder, &line.resource, line.item.name());
        *sums.entry(key).or_insert_with(Exact::zero) += line.net.clone();
    }
    let mut file = BufWriter::new(File::create(path)?);
    for ((domain, holder, resource, component), sum) in sums {
        let cents = sum.round(2, RoundingMode::HalfAway);
        let project = match holder {
            Holder::Project(project) => Some(project),
            _ => None,
        };
        if cents != 0.into() {
            match project {
                Some(project) => {
                    writeln!(file, "{domain},{project},{resource},{component},{cents}")?;
                }
                None => writeln!(file, "{domain},,{resource},{component},{cents}")?,
            }
        }
    }
    file.flush()?;
    Ok(())
}
