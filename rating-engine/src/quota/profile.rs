//! Quota's own arithmetic: what it charges for a record.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;
use cloudstack_usage::{Unit, UsageRecord, UsageType};

use super::double::{Double, stored_count, stored_hours};
use super::metadata::{Metadata, When};
use super::rule::{Linear, Outcome, Rule, Value};
use super::tariff::Tariff;
use crate::exact::Exact;
use crate::rounding::RoundingMode;

/// How Quota measures a usage type.
///
/// Source: `QuotaTypes`, `UsageUnitTypes` and
/// `QuotaManagerImpl.getUsageValueAccordingToUsageUnitType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measurement {
    /// Hours at a monthly value.
    Month,
    /// Hours and GiB at a monthly value.
    GibMonth,
    /// GiB counted.
    Gib,
    /// Each thing counted.
    Each,
}

pub(super) fn measurement(usage_type: UsageType) -> Option<Measurement> {
    match usage_type.id() {
        1..=3 | 10..=14 | 30 | 31 => Some(Measurement::Month),
        4 | 5 => Some(Measurement::Gib),
        6..=9 | 25..=29 => Some(Measurement::GibMonth),
        21..=24 => Some(Measurement::Each),
        _ => None,
    }
}

/// A tariff with its rule read.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) tariff: Tariff,
    pub(super) rule: Option<Result<Rule, String>>,
    /// As amounts a price book can say; none where the rule cannot be said so.
    pub(super) linear: Option<Linear>,
}

/// CloudStack's Quota as it calculates from 4.19 on: usage record by usage record, with its
/// tariffs, at the sizes, tags and owners of today.
///
/// ```
/// use chrono_tz::Tz;
/// use cloudstack_usage::Inventory;
/// use rating_engine::quota::{Metadata, Quota};
///
/// let inventory = Inventory::default();
/// let quota = Quota::new(&[], Metadata::new(&inventory, None), Tz::UTC);
/// // let charge = quota.charge(&record);
/// # let _ = quota;
/// ```
#[derive(Debug)]
pub struct Quota<'a> {
    metadata: Metadata<'a>,
    zone: Tz,
    by_type: BTreeMap<u32, Vec<Ready>>,
}

/// What Quota charges for a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordCharge {
    /// What it books, to 8 decimals; none where it makes no entry at all.
    pub used: Option<Exact>,
    /// Whether it makes no entry because the owner was removed.
    pub owner_removed: bool,
    /// What each tariff that applies adds, in Quota's order.
    pub tariffs: Vec<TariffCharge>,
    /// Why the amount is not Quota's: a rule that is not understood, a size that is missing.
    /// Such a record is left out of Quota's sum, and named.
    pub problem: Option<String>,
}

/// What one tariff adds to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffCharge {
    /// The tariff's id.
    pub tariff: String,
    /// Its value, or that of its rule.
    pub value: Exact,
    /// The amount at this value alone, to 8 decimals (`quota_tariff_usage` of 4.23).
    pub used: Exact,
}

impl<'a> Quota<'a> {
    /// The plugin with these tariffs and metadata; `zone` is the time zone of CloudStack's
    /// server, which decides how many days the month of a record has.
    ///
    /// Removed tariffs do not count, whatever their dates say.
    pub fn new(tariffs: &[Tariff], metadata: Metadata<'a>, zone: Tz) -> Self {
        let mut by_type: BTreeMap<u32, Vec<Ready>> = BTreeMap::new();
        for tariff in tariffs.iter().filter(|tariff| tariff.removed.is_none()) {
            let ready = Ready::new(tariff.clone());
            by_type
                .entry(tariff.usage_type.id())
                .or_default()
                .push(ready);
        }
        for ready in by_type.values_mut() {
            ready.sort_by_key(|ready| ready.tariff.position);
        }
        Self {
            metadata,
            zone,
            by_type,
        }
    }

    /// What Quota charges for a record.
    pub fn charge(&self, record: &UsageRecord) -> RecordCharge {
        let worth = self.worth(record);
        let owner_removed = self.metadata.is_removed(&record.owner);
        RecordCharge {
            used: worth.used.filter(|_| !owner_removed),
            owner_removed,
            tariffs: if owner_removed {
                Vec::new()
            } else {
                worth.tariffs
            },
            problem: worth.problem,
        }
    }

    pub(super) fn metadata(&self) -> Metadata<'a> {
        self.metadata
    }

    /// The tariffs of a type that apply to a record.
    pub(super) fn applying<'q>(
        &'q self,
        record: &UsageRecord,
    ) -> impl Iterator<Item = &'q Ready> + use<'q, 'a> {
        let (start, end) = stored_bounds(record);
        self.by_type
            .get(&record.usage_type.id())
            .into_iter()
            .flatten()
            .filter(move |ready| ready.tariff.applies(start, end))
    }

    /// What a record is worth to Quota, whoever owns it.
    pub(super) fn worth(&self, record: &UsageRecord) -> Worth {
        let mut worth = Worth::default();
        let applying: Vec<&Ready> = self.applying(record).collect();
        let has_rules = applying.iter().any(|ready| ready.rule.is_some());
        let mut variables = if has_rules {
            self.metadata.variables(record, When::Today)
        } else {
            BTreeMap::new()
        };
        let mut last: Vec<Value> = Vec::new();
        for ready in applying {
            variables.insert("lastTariffs".to_owned(), Value::List(last.clone()));
            let value = match ready.value(&Value::Object(variables.clone())) {
                Ok(value) => value,
                Err(message) => {
                    worth.problem = Some(format!(
                        "rule of tariff {:?} not understood: {message}",
                        ready.tariff.name
                    ));
                    return worth;
                }
            };
            worth.has_value |= value.is_some();
            let value = value.unwrap_or_default();
            last.push(last_tariff(&ready.tariff, &value));
            worth.sum += value.clone();
            worth.values.push((ready.tariff.id.clone(), value));
        }
        self.price(record, &mut worth);
        worth
    }

    fn price(&self, record: &UsageRecord, worth: &mut Worth) {
        // rules that said no make no entry; a tariff of 0 makes one of 0
        if !worth.has_value {
            return;
        }
        let amount = |value: &Exact| self.amount(record, value);
        match amount(&worth.sum) {
            Ok(used) if used.is_negative() => {
                worth.problem = Some(
                    "its tariffs add up to less than nothing, which Quota cannot store".to_owned(),
                );
            }
            Ok(used) => {
                worth.used = Some(used);
                worth.tariffs = worth
                    .values
                    .iter()
                    .filter_map(|(tariff, value)| {
                        Some(TariffCharge {
                            tariff: tariff.clone(),
                            value: value.clone(),
                            used: amount(value).ok()?,
                        })
                    })
                    .collect();
            }
            Err(message) => worth.problem = Some(message),
        }
    }

    /// The amount for a record at an aggregated value, rounded where Quota rounds: the
    /// hourly rate and GiB to 8 decimals (half to even), the amount by the database to 8
    /// decimals (half away from zero).
    ///
    /// Source: `QuotaManagerImpl.getUsageValueAccordingToUsageUnitType`, `getCostPerHour`,
    /// column `quota_usage.quota_used decimal(20,8)`.
    fn amount(&self, record: &UsageRecord, value: &Exact) -> Result<Exact, String> {
        let Some(measurement) = measurement(record.usage_type) else {
            return Ok(Exact::zero());
        };
        let amount = record.quantity.amount();
        let beyond = || "its usage is beyond what can be calculated".to_owned();
        let raw = if record.quantity.unit() == Unit::Time {
            stored_hours(amount)
        } else {
            stored_count(amount)
        };
        let raw = raw.ok_or_else(beyond)?;
        let per_hour = || eight_decimals(&divided(value, self.month_hours(record)), HALF_EVEN);
        let exact = match measurement {
            Measurement::Month => raw * per_hour(),
            Measurement::GibMonth => {
                let gib = eight_decimals(&divided(&size(record)?, GIB), HALF_EVEN);
                raw * per_hour() * gib
            }
            Measurement::Gib => eight_decimals(&divided(&raw, GIB), HALF_EVEN) * value.clone(),
            Measurement::Each => raw * value.clone(),
        };
        Ok(eight_decimals(&exact, RoundingMode::HalfAway))
    }

    /// 24 hours for each day of the month in which the record starts.
    ///
    /// Source: `DateUtil.getHoursInCurrentMonth` (4.19 and later).
    pub(super) fn month_hours(&self, record: &UsageRecord) -> i128 {
        let date = record.window.start().with_timezone(&self.zone).date_naive();
        24 * days_of_month(date)
    }
}

impl Ready {
    fn new(tariff: Tariff) -> Self {
        let rule = tariff
            .activation_rule
            .as_deref()
            .map(|text| Rule::parse(text).map_err(|error| error.0));
        let linear = match &rule {
            None => Some(Linear::constant(Exact::from_decimal(tariff.value))),
            // only running VMs have vCPUs and memory in their rules
            Some(Ok(rule)) => rule.linear().filter(|linear| {
                tariff.usage_type == UsageType::RunningVm
                    || (linear.per_cpu.is_zero() && linear.per_mib.is_zero())
            }),
            Some(Err(_)) => None,
        };
        Self {
            tariff,
            rule,
            linear,
        }
    }

    /// All tariffs that were not removed, read.
    pub(super) fn all(tariffs: &[Tariff]) -> impl Iterator<Item = Self> + '_ {
        tariffs
            .iter()
            .filter(|tariff| tariff.removed.is_none())
            .map(|tariff| Self::new(tariff.clone()))
    }

    /// The value that it adds; none where its rule says no.
    fn value(&self, variables: &Value) -> Result<Option<Exact>, String> {
        let own = || Some(Exact::from_decimal(self.tariff.value));
        match &self.rule {
            None => Ok(own()),
            Some(Err(message)) => Err(message.clone()),
            Some(Ok(rule)) => match rule.outcome(variables).map_err(|error| error.0)? {
                Outcome::Own => Ok(own()),
                Outcome::Value(value) => Ok(Some(value)),
                Outcome::Nothing => Ok(None),
            },
        }
    }
}

/// What a record is worth to Quota.
#[derive(Debug, Default)]
pub(super) struct Worth {
    pub(super) used: Option<Exact>,
    pub(super) sum: Exact,
    has_value: bool,
    pub(super) values: Vec<(String, Exact)>,
    pub(super) tariffs: Vec<TariffCharge>,
    pub(super) problem: Option<String>,
}

/// A tariff as later rules see it.
fn last_tariff(tariff: &Tariff, value: &Exact) -> Value {
    let text = value.to_decimal_string(20, HALF_EVEN);
    Value::partial(
        "lastTariffs",
        [
            ("id", Some(Value::text(tariff.id.as_str()))),
            ("value", Double::parse(&text).map(Value::Number)),
        ],
    )
}

const HALF_EVEN: RoundingMode = RoundingMode::HalfEven;
pub(super) const GIB: i128 = 1 << 30;
const HUNDRED_MILLION: i128 = 100_000_000;

fn eight_decimals(number: &Exact, mode: RoundingMode) -> Exact {
    divided(&Exact::from(number.round(8, mode)), HUNDRED_MILLION)
}

/// `number / divisor`, which is not zero.
pub(super) fn divided(number: &Exact, divisor: i128) -> Exact {
    let divisor = Exact::ratio(1, divisor).unwrap_or_else(Exact::zero);
    number.clone() * divisor
}

pub(super) fn size(record: &UsageRecord) -> Result<Exact, String> {
    record
        .size_bytes
        .map(|bytes| Exact::from(i128::from(bytes)))
        .ok_or_else(|| {
            "it has no size, at which Quota gives up the whole account's calculation".to_owned()
        })
}

fn days_of_month(date: NaiveDate) -> i128 {
    let first = date.with_day(1).unwrap_or(date);
    let next = first.checked_add_months(Months::new(1)).unwrap_or(first);
    i128::from((next - first).num_days())
}

/// The record's start and end as CloudStack keeps them: the end of a window is its last
/// second, while things with times of their own end when they end.
fn stored_bounds(record: &UsageRecord) -> (DateTime<Utc>, DateTime<Utc>) {
    let (start, end) = (record.window.start(), record.window.end());
    let of_window = !record.usage_type.has_own_times() || end.second() == 0;
    let last = if of_window {
        end - TimeDelta::seconds(1)
    } else {
        end
    };
    (start, last.max(start))
}
