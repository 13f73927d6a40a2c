//! What the running month will cost, if everything goes on as it stands.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Holder, Inventory, Lifetime, Period, Quantity, ResourceId, Unit, UsageRecord, UsageType, VmId,
    VolumeId,
};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::book::PriceBook;
use crate::error::RatingError;
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind};
use crate::money::{Amount, Money};
use crate::rate::{Rating, sort_findings};
use crate::statement::Bill;
use crate::usage::StreamKey;

/// How far back counters are averaged.
const COUNTER_DAYS: i64 = 7;

/// A window of imagined usage: as long as CloudStack's usual one.
const WINDOW: TimeDelta = TimeDelta::days(1);

/// A draft of the running month's bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The bill as it will be. A draft: never issue it.
    pub bill: Bill,
    /// The bill of what was used until `known_until`.
    pub to_date: Bill,
    /// Until when usage is known; everything later is imagined.
    pub known_until: DateTime<Utc>,
    /// How many records were imagined.
    pub imagined: u64,
}

impl Forecast {
    /// What of the bill's amount is forecast.
    pub fn ahead(&self) -> Exact {
        self.bill.exact.clone() - self.to_date.exact.clone()
    }

    /// The share of the bill's amount that is forecast, from 0 to 1; 0 where the bill is
    /// nothing.
    pub fn share(&self) -> Exact {
        self.ahead()
            .checked_div(&self.bill.exact)
            .unwrap_or_else(Exact::zero)
    }

    /// The bill as JSON, marked as a draft, with what of it is forecast.
    pub fn to_json(&self) -> Value {
        let mut json = self.bill.to_json();
        let printed = |money: &Money, exact: &Exact| Amount::new(money, exact);
        let ahead = self.bill.total.minor() - self.to_date.total.minor();
        let ahead = Money::from_minor(ahead, self.bill.currency);
        if let Some(fields) = json.as_object_mut() {
            fields.insert("draft".to_owned(), true.into());
            fields.insert(
                "forecast".to_owned(),
                json!({
                    "known_until": self.known_until,
                    "imagined_records": self.imagined,
                    "to_date": printed(&self.to_date.total, &self.to_date.exact),
                    "ahead": printed(&ahead, &self.ahead()),
                    "share": self.share(),
                }),
            );
        }
        json
    }
}

/// Forecasts the bill of `period` from the usage until `known_until` (none: all of it).
///
/// What lasts goes on as it was in the last window, for resources that are not known to be
/// removed; what is counted goes on at the mean of the last seven days. Prices, discounts,
/// tags and labels apply with the validity they have, also in the days to come. Once usage
/// is known until the end of the period, the forecast is the bill.
///
/// # Errors
/// When the book and the inventory make no plan.
pub fn forecast(
    book: &PriceBook,
    inventory: &Inventory,
    records: &[UsageRecord],
    period: Period,
    known_until: Option<DateTime<Utc>>,
) -> Result<Forecast, RatingError> {
    let known_until = last_known(records, period, known_until);
    if known_until >= period.end() {
        let bill = rate(book, inventory, period, records.iter())?;
        return Ok(Forecast {
            to_date: bill.clone(),
            bill,
            known_until: period.end(),
            imagined: 0,
        });
    }
    let known: Vec<&UsageRecord> = records
        .iter()
        .filter(|record| record.window.end() <= known_until)
        .collect();
    let imagined = imagine(&known, inventory, known_until, period.end());
    let to_date = rate(book, inventory, period, known.iter().copied())?;
    let everything = known.iter().copied().chain(&imagined);
    let mut bill = rate(book, inventory, period, everything)?;
    // nothing was forgotten in a time that nobody can have metered yet
    let of_metering = |finding: &Finding| {
        matches!(
            finding.kind,
            FindingKind::NotMetered | FindingKind::OwnerNotMetered
        )
    };
    bill.findings.retain(|finding| !of_metering(finding));
    let until_now = to_date.findings.iter();
    bill.findings
        .extend(until_now.filter(|finding| of_metering(finding)).cloned());
    sort_findings(&mut bill.findings);
    Ok(Forecast {
        bill,
        to_date,
        known_until,
        imagined: imagined.len() as u64,
    })
}

fn rate<'r>(
    book: &PriceBook,
    inventory: &Inventory,
    period: Period,
    records: impl Iterator<Item = &'r UsageRecord>,
) -> Result<Bill, RatingError> {
    let mut rating = Rating::new(book, inventory, period)?;
    for record in records {
        rating.push(record);
    }
    Ok(rating.finish())
}

/// The end of the last window that is known, not after what the caller allows. A window
/// that crosses the end of the period counts when the caller allows all of the period.
fn last_known(
    records: &[UsageRecord],
    period: Period,
    allowed: Option<DateTime<Utc>>,
) -> DateTime<Utc> {
    let allowed = allowed.filter(|allowed| *allowed < period.end());
    let ends = records
        .iter()
        .filter(|record| !record.usage_type.has_own_times())
        .map(|record| record.window.end())
        .filter(|end| allowed.is_none_or(|allowed| *end <= allowed));
    ends.max()
        .unwrap_or_else(|| allowed.unwrap_or_else(|| period.start()))
        .max(period.start())
}

/// The records of one thing with one owner and size, without their windows.
struct Course<'r> {
    first: DateTime<Utc>,
    /// The one with the latest window.
    last: &'r UsageRecord,
    /// What was used in the latest window, all twins added.
    last_amount: i128,
    /// What was counted in the days that counters are averaged over.
    counted: i128,
}

/// What usage would go on as from `now` until `end`.
fn imagine(
    known: &[&UsageRecord],
    inventory: &Inventory,
    now: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Vec<UsageRecord> {
    let courses = courses(known, now);
    let mut newest: BTreeMap<Thing, (bool, DateTime<Utc>)> = BTreeMap::new();
    for course in courses.values() {
        let mark = newest
            .entry(thing(course.last))
            .or_insert((false, course.first));
        *mark = (*mark).max((is_current(course.last, inventory, now), course.first));
    }
    let mut imagined = Vec::new();
    for course in courses.values() {
        let record = course.last;
        let until = removed(record, inventory).map_or(end, |removed| removed.min(end));
        if until <= now {
            continue;
        }
        if record.usage_type.is_counter() {
            if course.counted > 0 {
                imagined.extend(counting_on(course, now, until));
            }
            continue;
        }
        // of several sizes or owners that one thing had, the newest is in force
        let in_force = (is_current(record, inventory, now), course.first);
        let goes_on = record.window.end() >= now
            && course.last_amount > 0
            && newest.get(&thing(record)) == Some(&in_force);
        if goes_on {
            imagined.extend(lasting_on(course, inventory, now, until, end));
        }
    }
    imagined
}

/// What has one size and owner at a time.
type Thing = (UsageType, ResourceId, Option<VmId>);

fn thing(record: &UsageRecord) -> Thing {
    let attached = record.is_attach_row().then(|| record.vm.clone()).flatten();
    (record.usage_type, record.identity(), attached)
}

/// The courses by what their records have in common, in an order that does not depend on
/// that of the records.
fn courses<'r>(known: &[&'r UsageRecord], now: DateTime<Utc>) -> BTreeMap<StreamKey, Course<'r>> {
    let since = now - TimeDelta::days(COUNTER_DAYS);
    let mut courses: BTreeMap<StreamKey, Course<'r>> = BTreeMap::new();
    let mut copies = BTreeSet::new();
    for record in known {
        let key = StreamKey::of(record);
        let may_repeat = matches!(record.usage_type, UsageType::VmSnapshot | UsageType::Backup);
        let is_recent = record.window.end() > since;
        // a copy of a record says nothing new; older ones are only looked at for their time
        if is_recent
            && !may_repeat
            && !copies.insert((key.clone(), record.window, record.raw_usage))
        {
            continue;
        }
        let amount = record.quantity.amount();
        let counted = overlap_amount(record, since, now);
        courses
            .entry(key)
            .and_modify(|course| {
                course.first = course.first.min(record.window.start());
                course.counted += counted;
                match record.window.end().cmp(&course.last.window.end()) {
                    std::cmp::Ordering::Greater => {
                        course.last = record;
                        course.last_amount = amount;
                    }
                    std::cmp::Ordering::Equal => course.last_amount += amount,
                    std::cmp::Ordering::Less => {}
                }
            })
            .or_insert(Course {
                first: record.window.start(),
                last: record,
                last_amount: amount,
                counted,
            });
    }
    courses
}

/// What of a record's amount lies from `since` to `now`.
fn overlap_amount(record: &UsageRecord, since: DateTime<Utc>, now: DateTime<Utc>) -> i128 {
    let window = record.window;
    let Some(part) = Period::new(since, now)
        .ok()
        .and_then(|days| days.intersect(&window))
    else {
        return 0;
    };
    record.quantity.amount() * i128::from(part.millis()) / i128::from(window.millis().max(1))
}

/// Whether the inventory says that the resource has the record's size and owner now.
fn is_current(record: &UsageRecord, inventory: &Inventory, now: DateTime<Utc>) -> bool {
    fn agrees<T: PartialEq>(known: Option<&T>, said: Option<&T>) -> bool {
        match (known, said) {
            (Some(known), Some(said)) => known == said,
            _ => true,
        }
    }
    let owner = |known: Option<&cloudstack_usage::Owner>| {
        known.is_none_or(|known| {
            known.domain == record.owner.domain
                && (known.holder == record.owner.holder || known.holder == Holder::Unknown)
        })
    };
    let id = record.identity();
    match record.usage_type {
        UsageType::RunningVm | UsageType::AllocatedVm => {
            inventory.vms.get(&VmId::from(id)).is_none_or(|vm| {
                agrees(vm.offering.at(now), record.offering.as_ref())
                    && agrees(vm.cpu_count.at(now), record.cpu_count.as_ref())
                    && agrees(vm.memory_mib.at(now), record.memory_mib.as_ref())
                    && owner(vm.owner.at(now))
            })
        }
        UsageType::Volume => inventory
            .volumes
            .get(&VolumeId::from(id))
            .is_none_or(|volume| {
                agrees(volume.size_bytes.at(now), record.size_bytes.as_ref())
                    && owner(volume.owner.at(now))
            }),
        _ => inventory
            .resources
            .get(&id)
            .is_none_or(|entry| owner(entry.owner.at(now))),
    }
}

/// The life of the resource itself, where the inventory knows it.
fn life<'i>(record: &UsageRecord, inventory: &'i Inventory) -> Option<&'i Lifetime> {
    let id = record.identity();
    let volume = || inventory.volumes.get(&VolumeId::from(id.clone()));
    let vm = inventory.vms.get(&VmId::from(id.clone()));
    vm.map(|entry| &entry.lifetime)
        .or_else(|| volume().map(|entry| &entry.lifetime))
        .or_else(|| inventory.resources.get(&id).map(|entry| &entry.lifetime))
}

/// When the resource, or the VM it belongs to, is known to be gone.
fn removed(record: &UsageRecord, inventory: &Inventory) -> Option<DateTime<Utc>> {
    // NICs, snapshots of VMs and the like end with their VM; volumes and addresses do not
    let with_vm = match record.usage_type {
        UsageType::NetworkOffering
        | UsageType::VmSnapshot
        | UsageType::VmSnapshotPrimary
        | UsageType::SecurityGroup => record.vm.as_ref(),
        _ => None,
    };
    let vm = with_vm.and_then(|id| inventory.vms.get(id));
    let vm = vm.map(|entry| &entry.lifetime);
    let lives = life(record, inventory).into_iter().chain(vm);
    lives.filter_map(|life| life.end).min()
}

/// The windows from `now` until `end`.
fn windows(now: DateTime<Utc>, end: DateTime<Utc>) -> impl Iterator<Item = Period> {
    let mut from = now;
    std::iter::from_fn(move || {
        let window = Period::new(from, (from + WINDOW).min(end)).ok()?;
        from = window.end();
        Some(window)
    })
}

fn imagined(record: &UsageRecord, window: Period, quantity: Quantity, amount: i128) -> UsageRecord {
    UsageRecord {
        window,
        quantity,
        raw_usage: Decimal::try_from_i128_with_scale(amount, 0).unwrap_or_default(),
        ..record.clone()
    }
}

/// How much of each window something is used that lasts, as a fraction of the last window.
///
/// What began in the last window, or was there throughout, goes on as it is. A VM that
/// merely ran for a part of it goes on to run for that part of the time; anything else that
/// was there for a part is gone, unless the inventory knows better.
fn intensity(course: &Course<'_>, inventory: &Inventory) -> i128 {
    let record = course.last;
    let whole = i128::from(record.window.millis());
    let began = course.first >= record.window.start();
    let is_there = || life(record, inventory).is_some_and(|life| life.end.is_none());
    if record.usage_type == UsageType::RunningVm && !began {
        course.last_amount
    } else if began || record.usage_type.has_own_times() || is_there() {
        course.last_amount.max(whole)
    } else if course.last_amount >= whole {
        course.last_amount
    } else {
        0
    }
}

/// What lasts, until it is removed.
fn lasting_on(
    course: &Course<'_>,
    inventory: &Inventory,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Vec<UsageRecord> {
    let record = course.last;
    let is_time = record.quantity.unit() == Unit::Time;
    let of_window = i128::from(record.window.millis().max(1));
    let intensity = intensity(course, inventory);
    let mut records = Vec::new();
    for window in windows(now, end) {
        let Ok(used) = Period::new(window.start(), window.end().min(until)) else {
            break;
        };
        // bytes at a moment stay what they are
        let amount = if is_time {
            i128::from(used.millis()).saturating_mul(intensity) / of_window
        } else {
            course.last_amount
        };
        if amount == 0 {
            break;
        }
        let own = record.usage_type.has_own_times();
        let window = if own { used } else { window };
        records.push(imagined(record, window, quantity(record, amount), amount));
    }
    records
}

/// What is counted: the mean of the last days, cut so that the windows add up.
fn counting_on(course: &Course<'_>, now: DateTime<Utc>, until: DateTime<Utc>) -> Vec<UsageRecord> {
    let record = course.last;
    let days = TimeDelta::days(COUNTER_DAYS);
    let since = course.first.max(now - days);
    let counted_over = i128::from((now - since).num_milliseconds().max(1));
    let mut records = Vec::new();
    let mut given = 0;
    for window in windows(now, until) {
        let passed = i128::from((window.end() - now).num_milliseconds());
        let so_far = course.counted.saturating_mul(passed) / counted_over;
        let amount = so_far - given;
        given = so_far;
        records.push(imagined(record, window, quantity(record, amount), amount));
    }
    records
}

/// An amount in the record's unit.
fn quantity(record: &UsageRecord, amount: i128) -> Quantity {
    match record.quantity.unit() {
        Unit::Time => Quantity::time(i64::try_from(amount).unwrap_or(i64::MAX)),
        Unit::Bytes => Quantity::bytes(u64::try_from(amount).unwrap_or(u64::MAX)),
        _ => Quantity::count(u64::try_from(amount).unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use cloudstack_usage::parse_usage_record;

    use super::*;

    #[test]
    fn what_goes_on_is_measured_as_it_was() {
        for (usage_type, unit) in [(3, Unit::Time), (4, Unit::Bytes), (21, Unit::Count)] {
            let json = format!(
                r#"{{"usagetype": {usage_type}, "usageid": "x", "rawusage": "24", "usage": "24", "description": "x",
                    "domainid": "d", "domain": "d", "accountid": "a", "account": "a",
                    "startdate": "2026-09-01T00:00:00+0000", "enddate": "2026-09-01T23:59:59+0000"}}"#
            );
            let quantity = quantity(&parse_usage_record(&json).unwrap(), 7);
            assert_eq!((quantity.unit(), quantity.amount()), (unit, 7));
        }
    }
}
