//! What Quota booked in a period, resource by resource, with every step in which it goes
//! another way than we do.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use cloudstack_usage::{Holder, Owner, Period, ResourceId, Unit, UsageRecord, UsageType};

use super::book::components;
use super::error::{QuotaError, QuotaErrorKind};
use super::metadata::{Size, When};
use super::profile::{GIB, Measurement, Quota, Ready, Worth, divided, measurement, size};
use crate::calendar;
use crate::exact::Exact;
use crate::meter::Meter;

/// One owner's resource under one usage type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) holder: Holder,
    pub(super) resource: ResourceId,
    pub(super) usage_type: UsageType,
}

/// What Quota booked for a resource, and the exact amounts on the way from there to the
/// tariffs' prices for what was used.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) owner: Owner,
    pub(super) domain_path: Option<String>,
    pub(super) holder_name: Option<String>,
    pub(super) name: Option<String>,
    pub(super) used: Exact,
    pub(super) removed_owner: Exact,
    pub(super) rounding: Exact,
    pub(super) double_rows: Exact,
    pub(super) double_row_records: u64,
    pub(super) todays_size: Exact,
    pub(super) month_length: Exact,
    /// Tariffs whose rules no price book can say.
    pub(super) not_expressed: Exact,
    pub(super) not_understood: Exact,
    /// At the tariffs' prices, exactly, by meter.
    pub(super) components: BTreeMap<Meter, Exact>,
    /// Milliseconds or things of records that are not repeated by attach rows.
    pub(super) amount: i128,
    /// A record lies only partly in the period.
    pub(super) crosses_period: bool,
    /// A tariff begins or ends within a record.
    pub(super) crosses_tariff: bool,
    /// The sizes at the time of use are known from the inventory alone.
    pub(super) inferred_size: bool,
    pub(super) problems: BTreeSet<String>,
}

/// What Quota booked in a period.
#[derive(Debug)]
pub struct QuotaStatement {
    pub(super) period: Period,
    pub(super) lines: BTreeMap<Key, Line>,
}

impl QuotaStatement {
    /// The period.
    pub fn period(&self) -> Period {
        self.period
    }

    /// All that Quota booked, to 8 decimals.
    pub fn total(&self) -> Exact {
        self.lines.values().map(|line| &line.used).sum()
    }

    /// What it booked for one owner.
    pub fn total_of(&self, holder: &Holder) -> Exact {
        let of_holder = self.lines.iter().filter(|(key, _)| key.holder == *holder);
        of_holder.map(|(_, line)| &line.used).sum()
    }

    /// Records whose amount is not known, in words: each with what is not understood.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        let all: BTreeSet<&str> = self
            .lines
            .values()
            .flat_map(|line| line.problems.iter().map(String::as_str))
            .collect();
        all.into_iter()
    }
}

/// Adds up what Quota books in a period.
#[derive(Debug)]
pub struct QuotaRating<'q, 'a> {
    quota: &'q Quota<'a>,
    period: Period,
    zone: Tz,
    lines: BTreeMap<Key, Line>,
    error: Option<QuotaError>,
}

impl<'q, 'a> QuotaRating<'q, 'a> {
    /// For the records that lie wholly in `period`, as Quota's statement takes them; `zone`
    /// is that of the price book to compare with.
    pub fn new(quota: &'q Quota<'a>, period: Period, zone: Tz) -> Self {
        Self {
            quota,
            period,
            zone,
            lines: BTreeMap::new(),
            error: None,
        }
    }

    /// Adds a record. Push the same records as to [`Rating`](crate::Rating).
    pub fn push(&mut self, record: &UsageRecord) {
        if !record.window.overlaps(&self.period) {
            return;
        }
        let key = Key {
            holder: record.owner.holder.clone(),
            resource: record.identity(),
            usage_type: record.usage_type,
        };
        let (quota, zone, period) = (self.quota, self.zone, self.period);
        let line = self.lines.entry(key).or_insert_with(|| Line::of(record));
        if !period.covers(&record.window) {
            line.crosses_period = true;
            return;
        }
        let steps = Steps {
            quota,
            record,
            month_hours: quota.month_hours(record),
        };
        if let Err(error) = line.add(&steps, zone) {
            self.error.get_or_insert(error);
        }
    }

    /// The sums.
    ///
    /// # Errors
    /// When a difference that should be rounding is larger than rounding can be.
    pub fn finish(self) -> Result<QuotaStatement, QuotaError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(QuotaStatement {
                period: self.period,
                lines: self.lines,
            }),
        }
    }
}

impl Line {
    fn of(record: &UsageRecord) -> Self {
        let zero = Exact::zero;
        Self {
            owner: record.owner.clone(),
            domain_path: record.domain_path.clone(),
            holder_name: record.holder_name.clone(),
            name: record.name.clone(),
            used: zero(),
            removed_owner: zero(),
            rounding: zero(),
            double_rows: zero(),
            double_row_records: 0,
            todays_size: zero(),
            month_length: zero(),
            not_expressed: zero(),
            not_understood: zero(),
            components: BTreeMap::new(),
            amount: 0,
            crosses_period: false,
            crosses_tariff: false,
            inferred_size: false,
            problems: BTreeSet::new(),
        }
    }

    /// Adds a record, step by step from what Quota booked to what its tariffs' prices make of
    /// the use.
    fn add(&mut self, steps: &Steps<'_, '_>, zone: Tz) -> Result<(), QuotaError> {
        let record = steps.record;
        let worth = steps.quota.worth(record);
        let is_understood = worth.problem.is_none();
        self.problems.extend(worth.problem.clone());
        let booked = worth.used.clone().unwrap_or_default();
        if steps.quota.metadata().is_removed(&record.owner) {
            self.removed_owner += -booked.clone();
        } else {
            self.used += booked.clone();
        }
        let today = steps.exact(&worth, When::Today);
        if is_understood {
            let rounding = booked - today.total();
            steps.check_rounding(&rounding, &worth.sum)?;
            self.rounding += rounding;
        }
        if record.is_attach_row() {
            if is_understood {
                self.double_rows += today.total();
            }
            self.double_row_records += 1;
            return Ok(());
        }
        let then = steps.exact(&worth, When::Then);
        let hours = i128::from(calendar_hours(record, zone));
        let rescale = Exact::ratio(steps.month_hours * 3_600_000, hours).unwrap_or_default();
        let of_month = !matches!(
            measurement(record.usage_type),
            Some(Measurement::Gib | Measurement::Each)
        );
        if is_understood {
            self.not_expressed += today.other.clone();
            self.todays_size += today.expressed() - then.expressed();
        }
        for (meter, amount) in then.components {
            let ours = if of_month {
                amount.clone() * rescale.clone()
            } else {
                amount.clone()
            };
            if is_understood {
                self.month_length += amount - ours.clone();
            } else {
                self.not_understood += -ours.clone();
            }
            *self.components.entry(meter).or_default() += ours;
        }
        self.amount = self.amount.saturating_add(record.quantity.amount());
        self.crosses_tariff |= steps.crosses_tariff();
        self.inferred_size |= record.cpu_count.is_none() || record.memory_mib.is_none();
        Ok(())
    }
}

/// The length, in milliseconds, of the civil month in which a record starts.
fn calendar_hours(record: &UsageRecord, zone: Tz) -> i64 {
    let months = calendar::months(record.window, &zone.into());
    months.first().map_or(1, Period::millis)
}

/// A record on its way.
struct Steps<'s, 'a> {
    quota: &'s Quota<'a>,
    record: &'s UsageRecord,
    month_hours: i128,
}

/// Exact amounts of a record.
struct Amounts {
    /// By meter, of tariffs that a price book can say.
    components: BTreeMap<Meter, Exact>,
    /// Of all other tariffs.
    other: Exact,
}

impl Amounts {
    fn expressed(&self) -> Exact {
        self.components.values().sum()
    }

    fn total(&self) -> Exact {
        self.expressed() + self.other.clone()
    }
}

impl Steps<'_, '_> {
    /// What the tariffs that apply make of the record without any rounding, in Quota's
    /// months.
    fn exact(&self, worth: &Worth, when: When) -> Amounts {
        let factor = self.factor();
        let size = self.quota.metadata().size(self.record, when);
        let mut amounts = Amounts {
            components: BTreeMap::new(),
            other: Exact::zero(),
        };
        for ready in self.quota.applying(self.record) {
            match components(ready) {
                Ok(parts) => {
                    for (meter, amount) in parts {
                        let amount = amount * level(meter, size) * factor.clone();
                        *amounts.components.entry(meter).or_default() += amount;
                    }
                }
                Err(_) => amounts.other += value_of(worth, ready) * factor.clone(),
            }
        }
        amounts
    }

    /// What a tariff's value is multiplied with, exactly.
    fn factor(&self) -> Exact {
        let record = self.record;
        let amount = Exact::from(record.quantity.amount());
        let months = || {
            let millis_per_unit = if record.quantity.unit() == Unit::Time {
                3_600_000
            } else {
                1
            };
            divided(&amount, millis_per_unit * self.month_hours)
        };
        match measurement(record.usage_type) {
            Some(Measurement::Month) => months(),
            Some(Measurement::GibMonth) => {
                months() * divided(&size(record).unwrap_or_default(), GIB)
            }
            Some(Measurement::Gib) => divided(&amount, GIB),
            Some(Measurement::Each) => amount,
            None => Exact::zero(),
        }
    }

    /// Whether the difference of what was booked and the exact amount can come from
    /// rounding: of the hours to a 32-bit float, of the rate, the GiB and the amount to 8
    /// decimals, of a rule's result to a double.
    fn check_rounding(&self, rounding: &Exact, value: &Exact) -> Result<(), QuotaError> {
        let half = Exact::ratio(1, 200_000_000).unwrap_or_default();
        let wider = |bits: u32| Exact::ratio((1 << bits) + 1, 1 << bits).unwrap_or_default();
        let value = if value.is_negative() {
            -value.clone()
        } else {
            value.clone()
        };
        let doubled = value.clone() * wider(48);
        let record = self.record;
        let amount = Exact::from(record.quantity.amount());
        let hours = || divided(&amount, 3_600_000) * wider(22);
        let rate = || divided(&doubled, self.month_hours) + half.clone();
        let most = match measurement(record.usage_type) {
            Some(Measurement::Month) => hours() * rate(),
            Some(Measurement::GibMonth) => {
                let gib = divided(&size(record).unwrap_or_default(), GIB) + half.clone();
                hours() * rate() * gib
            }
            Some(Measurement::Gib) => (divided(&amount, GIB) + half.clone()) * doubled,
            Some(Measurement::Each) => amount * wider(48) * doubled,
            None => Exact::zero(),
        };
        let bound = most - value * self.factor() + half;
        let size = if rounding.is_negative() {
            -rounding.clone()
        } else {
            rounding.clone()
        };
        if size <= bound {
            return Ok(());
        }
        let message = format!(
            "{} of {} in {}: {size} is more than rounding can be",
            record.usage_type,
            record.identity(),
            record.window
        );
        Err(QuotaError::new(QuotaErrorKind::Unexplained, message))
    }

    fn crosses_tariff(&self) -> bool {
        let window = self.record.window;
        self.quota.applying(self.record).any(|ready| {
            let (start, end) = (ready.tariff.start, ready.tariff.end);
            let ends = |end| end + chrono::TimeDelta::seconds(1) < window.end();
            start > window.start() || end.is_some_and(ends)
        })
    }
}

fn value_of(worth: &Worth, ready: &Ready) -> Exact {
    let mut values = worth.values.iter();
    values
        .find(|(tariff, _)| *tariff == ready.tariff.id)
        .map(|(_, value)| value.clone())
        .unwrap_or_default()
}

/// How many units of a meter's price a VM is.
fn level(meter: Meter, size: Size) -> Exact {
    match meter {
        Meter::Cpu => Exact::from(i128::from(size.cpus.unwrap_or(0))),
        Meter::Ram => divided(&Exact::from(i128::from(size.memory_mib.unwrap_or(0))), 1024),
        _ => Exact::from(1),
    }
}

#[cfg(test)]
mod tests {
    use cloudstack_usage::{Inventory, parse_usage_record};

    use super::*;
    use crate::quota::Metadata;

    /// Whether a difference of `hundred_millionths` can be rounding where a tariff of `value`
    /// is applied to a record of 10 hours, 10 GiB or as many bytes, in a month of 720 hours.
    fn is_rounding(usage_type: u32, raw: &str, value: i128, hundred_millionths: i128) -> bool {
        let json = format!(
            r#"{{"usagetype": {usage_type}, "usageid": "x", "rawusage": "{raw}", "usage": "{raw}", "description": "x",
                "size": 10737418240, "domainid": "d", "domain": "d", "accountid": "a", "account": "a",
                "startdate": "2026-09-01T00:00:00+0000", "enddate": "2026-09-01T23:59:59+0000"}}"#
        );
        let record = parse_usage_record(&json).unwrap();
        let inventory = Inventory::default();
        let quota = Quota::new(&[], Metadata::new(&inventory, None), Tz::UTC);
        let steps = Steps {
            quota: &quota,
            record: &record,
            month_hours: 720,
        };
        let difference = Exact::ratio(hundred_millionths, 100_000_000).unwrap();
        steps
            .check_rounding(&difference, &Exact::from(value))
            .is_ok()
    }

    #[test]
    fn only_so_much_can_be_rounding() {
        for (usage_type, raw, most, too_much) in [
            // 1.00 for ten hours: 2^-22 of it, and half of 10^-8 ten times and once
            (3, "10", 29, 30),
            // 10.00 for ten GiB: 2^-22 of it, half a hundred times and of an hour, and once
            (6, "10", 289, 290),
            // 720.00 for ten GiB of traffic: 72 times half, and once
            (4, "10737418240", 36, 37),
            // 720.00 for ten requests: half, since a double is finer
            (21, "10", 0, 1),
        ] {
            for sign in [1, -1] {
                assert!(
                    is_rounding(usage_type, raw, 72, sign * most),
                    "{usage_type}"
                );
                assert!(
                    !is_rounding(usage_type, raw, 72, sign * too_much),
                    "{usage_type}"
                );
                // of a negative amount just as much
                assert!(
                    is_rounding(usage_type, raw, -72, sign * most),
                    "{usage_type}"
                );
                assert!(
                    !is_rounding(usage_type, raw, -72, sign * too_much),
                    "{usage_type}"
                );
            }
        }
    }
}
