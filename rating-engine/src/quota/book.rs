//! Tariffs as a price book, as far as a price book can say them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use cloudstack_usage::{Period, UsageType};
use rust_decimal::Decimal;

use super::profile::{Measurement, Ready, measurement};
use super::rule::Linear;
use super::tariff::Tariff;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::meter::Meter;
use crate::rounding::RoundingMode;

/// A price book that says what tariffs say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TariffBook {
    /// The book, as TOML.
    pub toml: String,
    /// The tariffs that are not in it, and why.
    pub omitted: Vec<OmittedTariff>,
}

/// A tariff that no price book can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmittedTariff {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// What a price of the book is for: a usage type and a meter of it.
pub(super) type Component = (UsageType, Meter);

/// The id of a price for a component; several in time are numbered.
fn price_id(component: Component, number: usize) -> String {
    let (usage_type, meter) = component;
    format!("quota-{}-{}-{number}", usage_type.id(), meter.slug())
}

/// The component of a price's id.
pub(super) fn component_of(price: &str) -> Option<Component> {
    let mut parts = price.strip_prefix("quota-")?.splitn(3, '-');
    let usage_type = UsageType::from_id(parts.next()?.parse().ok()?);
    Some((usage_type, Meter::from_slug(parts.next()?)?))
}

/// The amounts of a tariff by meter, per unit of the book. None where a price book cannot
/// say it.
pub(super) fn components(ready: &Ready) -> Result<Vec<(Meter, Exact)>, &'static str> {
    let usage_type = ready.tariff.usage_type;
    let linear = ready
        .linear
        .as_ref()
        .ok_or("its rule is no plain sum of amounts for the VM, its vCPUs and its memory")?;
    let Linear {
        constant,
        per_cpu,
        per_mib,
    } = linear;
    let amounts = match usage_type {
        UsageType::RunningVm => vec![
            (Meter::Vm, constant.clone()),
            (Meter::Cpu, per_cpu.clone()),
            (Meter::Ram, per_mib.clone() * Exact::from(1024)),
        ],
        UsageType::AllocatedVm => vec![(Meter::Vm, constant.clone())],
        other => {
            let meter = Meter::of(other).ok_or("its usage type is none that CloudStack meters")?;
            vec![(meter, constant.clone())]
        }
    };
    if amounts.iter().any(|(_, amount)| decimal(amount).is_none()) {
        return Err("an amount is negative, or has no end as a decimal number");
    }
    Ok(amounts)
}

/// The number as a decimal that a book can hold.
fn decimal(amount: &Exact) -> Option<Decimal> {
    let text = amount.to_decimal_string(20, RoundingMode::HalfEven);
    let decimal = Decimal::from_str_exact(&text).ok()?.normalize();
    let same = Exact::from_decimal(decimal) == *amount;
    (same && !amount.is_negative()).then_some(decimal)
}

/// The price book that says what `tariffs` say: all that apply to a thing at a time added up,
/// per civil month of `zone`, in `currency`. Tags exempt nothing, there are no services.
///
/// Removed tariffs are left out, as Quota leaves them out.
///
/// ```
/// use chrono_tz::Tz;
/// use rating_engine::quota::{Tariff, book_from_tariffs};
/// use rating_engine::{Currency, PriceBook};
///
/// let tariffs = Tariff::read_list(br#"{"quotatarifflistresponse": {"quotatariff": [
///     {"usageType": 6, "tariffValue": 0.08000, "effectiveDate": "2010-05-04T00:00:00+0000"}
/// ]}}"#).unwrap();
/// let book = book_from_tariffs(&tariffs, Tz::UTC, Currency::from_code("EUR").unwrap());
/// assert!(PriceBook::from_toml(&book.toml).is_ok());
/// assert!(book.omitted.is_empty());
/// ```
pub fn book_from_tariffs(tariffs: &[Tariff], zone: Tz, currency: Currency) -> TariffBook {
    let mut by_component: BTreeMap<Component, Vec<(Period, Exact)>> = BTreeMap::new();
    let mut omitted = Vec::new();
    for ready in Ready::all(tariffs) {
        match components(&ready) {
            Ok(amounts) => {
                let Some(validity) = validity(&ready.tariff) else {
                    continue;
                };
                for (meter, amount) in amounts {
                    let component = (ready.tariff.usage_type, meter);
                    by_component
                        .entry(component)
                        .or_default()
                        .push((validity, amount));
                }
            }
            Err(reason) => omitted.push(OmittedTariff {
                id: ready.tariff.id,
                name: ready.tariff.name,
                reason: reason.to_owned(),
            }),
        }
    }
    let mut toml = format!(
        "# Made from the tariffs of CloudStack's Quota.\nschema = 1\nname = \"Quota tariffs\"\n\
         currency = \"{currency}\"\nzone = \"{}\"\ncompute = \"running\"\nexemption = []\n",
        zone.name()
    );
    for (component, amounts) in by_component {
        for (number, (period, amount)) in sums(&amounts).into_iter().enumerate() {
            write_price(&mut toml, component, number, period, &amount);
        }
    }
    TariffBook { toml, omitted }
}

/// From its start to the second after its end, which it includes.
fn validity(tariff: &Tariff) -> Option<Period> {
    match tariff.end {
        Some(end) => Period::new(tariff.start, end + TimeDelta::seconds(1)).ok(),
        None => Some(Period::from(tariff.start)),
    }
}

/// The sum of the amounts in force, for each stretch of time in which it is the same.
fn sums(amounts: &[(Period, Exact)]) -> Vec<(Period, Exact)> {
    let bounds: BTreeSet<DateTime<Utc>> = amounts
        .iter()
        .flat_map(|(period, _)| [period.start(), period.end()])
        .collect();
    let bounds: Vec<DateTime<Utc>> = bounds.into_iter().collect();
    bounds
        .windows(2)
        .filter_map(|pair| {
            let stretch = Period::new(*pair.first()?, *pair.last()?).ok()?;
            let in_force = || amounts.iter().filter(|(period, _)| period.covers(&stretch));
            in_force().next()?;
            Some((stretch, in_force().map(|(_, amount)| amount).sum()))
        })
        .collect()
}

fn write_price(
    toml: &mut String,
    component: Component,
    number: usize,
    period: Period,
    amount: &Exact,
) {
    let (usage_type, meter) = component;
    let amount = decimal(amount).unwrap_or_default();
    let instant = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let _ = write!(
        toml,
        "\n[[price]]\nid = \"{}\"\nmeter = \"{}\"\namount = \"{amount}\"\n",
        price_id(component, number),
        meter.slug()
    );
    let (per, unit) = match measurement(usage_type) {
        Some(Measurement::Gib) => (None, "GiB"),
        Some(Measurement::Each) if meter.dimension() == crate::Dimension::Bytes => (None, "B"),
        Some(Measurement::Each) => (None, "each"),
        Some(Measurement::GibMonth) => (Some("month"), "GiB"),
        _ => (Some("month"), meter.default_unit()),
    };
    let _ = writeln!(toml, "unit = \"{unit}\"");
    if let Some(per) = per {
        let _ = writeln!(toml, "per = \"{per}\"");
    }
    if meter == Meter::Vm {
        let basis = match usage_type {
            UsageType::RunningVm => "running",
            _ => "allocated",
        };
        let _ = writeln!(toml, "basis = \"{basis}\"\ncovers = []");
    }
    let _ = writeln!(toml, "from = \"{}\"", instant(period.start()));
    if !period.is_open() {
        let _ = writeln!(toml, "until = \"{}\"", instant(period.end()));
    }
}
