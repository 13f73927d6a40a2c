//! The row path: records out of a file, one after the other, into the engine.

use std::collections::BTreeMap;
use std::fs::{File, read, read_to_string};
use std::io::{BufWriter, Read as _, Write as _};
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    AccountId, DomainId, Holder, InventoryBuilder, Label, OfferingId, Owner, Period, ProjectId,
    Quantity, ResourceId, Snapshot, TemplateId, Unit, UsageRecord, UsageType, VmId, ZoneId,
    parse_raw_usage,
};
use rating_engine::{Exact, PriceBook, Rating, RoundingMode};

use crate::Failure;
use crate::workload::{DAYS, MONTH};

/// Rates a usage file to totals and writes what is not zero.
pub(crate) fn totals(folder: &Path, usage: &str, result: &Path) -> Result<(), Failure> {
    with_records(folder, usage, |rating| {
        let totals = rating.totals();
        let sums = totals.totals.iter().map(|total| {
            let key = (
                &total.domain,
                &total.holder,
                &total.resource,
                total.item.name(),
            );
            (key, &total.net)
        });
        write(sums, result)
    })
}

/// Makes a bill of a usage file, with findings and explanations, and writes what is not zero.
pub(crate) fn bill(folder: &Path, usage: &str, result: &Path) -> Result<(), Failure> {
    with_records(folder, usage, |rating| {
        let bill = rating.finish();
        let lines = bill
            .statements
            .iter()
            .flat_map(|statement| &statement.lines);
        let mut sums: BTreeMap<Key<'_>, Exact> = BTreeMap::new();
        for line in lines {
            let key = (&line.domain, &line.holder, &line.resource, line.item.name());
            *sums.entry(key).or_insert_with(Exact::zero) += line.net.clone();
        }
        write(sums.iter().map(|(key, net)| (*key, net)), result)
    })
}

fn with_records(
    folder: &Path,
    usage: &str,
    then: impl FnOnce(Rating<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
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
    let mut reader = Reader::new(start);
    let mut page = vec![reader.record.clone(); PAGE];
    let mut filled = 0;
    each_row(File::open(folder.join(usage))?, |columns| {
        if let Some(record) = page.get_mut(filled) {
            reader.read(columns, record)?;
        }
        filled += 1;
        if filled == PAGE {
            rating.push_all(&page);
            filled = 0;
        }
        Ok(())
    })?;
    rating.push_all(page.get(..filled).unwrap_or_default());
    then(rating)
}

/// Records that are read, then given to the engine, at once.
const PAGE: usize = 64;

/// Goes through the rows of a CSV file without quotes, but for the names of the columns.
fn each_row(
    mut file: File,
    mut take: impl FnMut(&mut Columns<'_>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut buffer = vec![0; 1 << 18];
    let (mut filled, mut is_first) = (0, true);
    loop {
        let space = buffer.get_mut(filled..).unwrap_or_default();
        let read = file.read(space)?;
        if read == 0 {
            return if filled == 0 {
                Ok(())
            } else {
                Err("the last row does not end, or is too long".into())
            };
        }
        filled += read;
        let whole = buffer.get(..filled).unwrap_or_default();
        let end = memchr::memrchr(b'\n', whole).map_or(0, |newline| newline + 1);
        let mut columns = Columns {
            rest: simdutf8::basic::from_utf8(whole.get(..end).unwrap_or_default())?,
        };
        if std::mem::take(&mut is_first) {
            columns.until(b'\n')?;
        }
        while !columns.rest.is_empty() {
            take(&mut columns)?;
        }
        buffer.copy_within(end..filled, 0);
        filled -= end;
    }
}

/// What is left of some rows.
struct Columns<'r> {
    rest: &'r str,
}

impl<'r> Columns<'r> {
    /// The next column of a row, but the last.
    fn next(&mut self) -> Result<&'r str, Failure> {
        self.until(b',')
    }

    /// The next column as an id; none where it is empty. Nearly all are UUIDs, which are
    /// read without a search for their end.
    fn id<T>(
        &mut self,
        of_uuid: impl Fn(&[u8; 36]) -> Option<T>,
        of_text: impl Fn(&'r str) -> T,
    ) -> Result<Option<T>, Failure> {
        let bytes = self.rest.as_bytes();
        if let (Some(text), Some(b',')) = (bytes.first_chunk(), bytes.get(36))
            && let Some(id) = of_uuid(text)
        {
            self.rest = &self.rest[37..];
            return Ok(Some(id));
        }
        let text = self.next()?;
        Ok((!text.is_empty()).then(|| of_text(text)))
    }

    /// The next column as a number, where it has one, up to what ends it.
    fn number<T: TryFrom<u64>>(&mut self, end: u8) -> Result<Option<T>, Failure> {
        let mut number = 0_u64;
        // so many digits are no overflow
        for (digits, byte) in self.rest.bytes().enumerate().take(19) {
            if byte == end {
                self.rest = &self.rest[digits + 1..];
                let number = T::try_from(number).map_err(|_| "a number that is too long")?;
                return Ok((digits > 0).then_some(number));
            }
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return Err("a column that is no number".into());
            }
            number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        }
        Err("a number that is too long, or a row with too few columns".into())
    }

    fn until(&mut self, end: u8) -> Result<&'r str, Failure> {
        // columns are so short that a loop is faster than a search by vectors
        let place = self.rest.bytes().position(|byte| byte == end);
        let place = place.ok_or("a row with too few columns")?;
        let (text, rest) = self.rest.split_at(place);
        self.rest = &rest[1..];
        Ok(text)
    }
}

/// Reads rows into records that were used before.
struct Reader {
    /// Holds the dates and the amount of the row before.
    record: UsageRecord,
    /// The dates of the row before, as text: most rows have the same.
    dates: String,
    /// The amount of the row before, as text.
    amount: String,
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
            // no row begins like this
            dates: "none".to_owned(),
            amount: "none".to_owned(),
        }
    }

    fn read_amount(&mut self, columns: &mut Columns<'_>, unit: Unit) -> Result<(), Failure> {
        let text = columns.next()?;
        self.record.raw_usage = parse_raw_usage(text)?;
        self.record.quantity = Quantity::from_raw(self.record.raw_usage, unit)?;
        self.amount.clear();
        self.amount.push_str(text);
        self.amount.push(',');
        Ok(())
    }

    fn read(&mut self, columns: &mut Columns<'_>, record: &mut UsageRecord) -> Result<(), Failure> {
        let usage_type = columns.number(b',')?.ok_or("a row without a usage type")?;
        record.usage_type = UsageType::from_id(usage_type);
        record.resource = columns.id(ResourceId::from_canonical, ResourceId::new)?;
        record.owner.domain = columns
            .id(DomainId::from_canonical, DomainId::new)?
            .ok_or("a row without a domain")?;
        let project = columns.id(ProjectId::from_canonical, ProjectId::new)?;
        let account = columns.id(AccountId::from_canonical, AccountId::new)?;
        record.owner.holder = match (project, account) {
            (Some(project), _) => Holder::Project(project),
            (None, Some(account)) => Holder::Account(account),
            (None, None) => Holder::Unknown,
        };
        record.zone = columns.id(ZoneId::from_canonical, ZoneId::new)?;
        record.vm = columns.id(VmId::from_canonical, VmId::new)?;
        if let Some(rest) = columns.rest.strip_prefix(self.dates.as_str()) {
            columns.rest = rest;
        } else {
            let (from, until) = (columns.next()?, columns.next()?);
            let rfc = |text: &str| format!("{}Z", text.replace(' ', "T"));
            self.record.window = Period::parse(&rfc(from), &rfc(until))?;
            self.dates = format!("{from},{until},");
        }
        record.window = self.record.window;
        let unit = record.usage_type.unit().unwrap_or(Unit::Time);
        match columns.rest.strip_prefix(self.amount.as_str()) {
            Some(rest) if self.record.quantity.unit() == unit => columns.rest = rest,
            _ => self.read_amount(columns, unit)?,
        }
        record.raw_usage = self.record.raw_usage;
        record.quantity = self.record.quantity;
        record.cpu_count = columns.number(b',')?;
        record.memory_mib = columns.number(b',')?;
        record.offering = columns.id(OfferingId::from_canonical, OfferingId::new)?;
        record.template = columns.id(TemplateId::from_canonical, TemplateId::new)?;
        record.size_bytes = columns.number(b'\n')?;
        Ok(())
    }
}

/// Domain, owner, resource and component.
type Key<'k> = (&'k DomainId, &'k Holder, &'k ResourceId, &'k str);

/// Cents per domain, project, resource and component: each exact sum rounded once.
fn write<'k>(sums: impl Iterator<Item = (Key<'k>, &'k Exact)>, path: &Path) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    for ((domain, holder, resource, component), sum) in sums {
        let cents = sum.round(2, RoundingMode::HalfAway);
        if cents == 0.into() {
            continue;
        }
        match holder {
            Holder::Project(project) => {
                writeln!(file, "{domain},{project},{resource},{component},{cents}")?;
            }
            _ => writeln!(file, "{domain},,{resource},{component},{cents}")?,
        }
    }
    file.flush()?;
    Ok(())
}
