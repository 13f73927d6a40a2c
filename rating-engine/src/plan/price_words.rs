//! Prices in words, for lines and explanations.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use crate::book::model::{CountOver, Per, Percentage, Price, PriceKind};
use crate::currency::Currency;
use crate::unit::Measure;

/// What is said of a price on every line that has it.
#[derive(Debug)]
pub(crate) struct PriceWords {
    /// The price itself: `7.50 EUR per vCPU and month`.
    pub(crate) shown: String,
    /// Why it was chosen.
    pub(crate) chosen: String,
    /// Why it was not, where it was not in force.
    pub(crate) not_valid: String,
}

impl PriceWords {
    /// Of no price.
    pub(crate) const fn nothing() -> Self {
        Self {
            shown: String::new(),
            chosen: String::new(),
            not_valid: String::new(),
        }
    }

    pub(crate) fn of(price: &Price, currency: Currency) -> Self {
        let selector = if price.selector.rank() == 0 {
            "any resource"
        } else {
            "its selector fits"
        };
        let scope = price.scope.describe();
        Self {
            shown: price_text(price, currency),
            chosen: format!("valid {}, for {scope}, {selector}", price.validity),
            not_valid: format!("not valid then, but {}", price.validity),
        }
    }
}

/// A price in words: `7.50 EUR per vCPU and month`, `3.00 EUR per month`.
pub(crate) fn price_text(price: &Price, currency: Currency) -> String {
    let unit = match (price.unit.measure(), price.per) {
        (_, Per::Unit) => format!("per {}", price.unit.name()),
        (Measure::Each, Per::Once) => "once".to_owned(),
        (_, Per::Once) => format!("per {}, once", price.unit.name()),
        (Measure::Each, per) => format!("per {}", per.name()),
        (_, per) => format!("per {} and {}", price.unit.name(), per.name()),
    };
    let money = |amount: Decimal| with_minor_digits(amount, currency);
    let amount = match &price.kind {
        PriceKind::PerUnit(amount) => format!("{} {currency} {unit}", money(*amount)),
        PriceKind::Flat(amount) if price.per == Per::Unit => {
            format!(
                "{} {currency} a month, whatever the quantity",
                money(*amount)
            )
        }
        PriceKind::Flat(amount) => {
            let per = match price.per {
                Per::Once => "once".to_owned(),
                per => format!("per {}", per.name()),
            };
            format!("{} {currency} {per}, whatever the size", money(*amount))
        }
        PriceKind::Percent(percentage) => percentage_text(percentage, currency),
        PriceKind::Block { size, amount } => {
            format!("{} {currency} per started {size} {unit}", money(*amount))
        }
        PriceKind::Graduated(tiers) | PriceKind::Volume(tiers) => {
            let steps: Vec<String> = tiers
                .iter()
                .map(|tier| {
                    let bound = tier
                        .up_to
                        .map_or_else(|| "beyond".to_owned(), |bound| format!("up to {bound}"));
                    format!("{bound} {}", money(tier.amount))
                })
                .collect();
            let kind = if matches!(price.kind, PriceKind::Volume(_)) {
                "volume"
            } else {
                "graduated"
            };
            format!("{kind} {} {currency} {unit}", steps.join(", "))
        }
    };
    let moment = price.count_over == CountOver::Moment;
    let amount = match (price.free, &price.kind) {
        (Some(free), PriceKind::Percent(_)) => {
            format!("{amount}, {} {currency} free a month", money(free))
        }
        (Some(free), _) if moment => format!("{amount}, {free} free"),
        (Some(free), _) => format!("{amount}, {free} free a month"),
        (None, _) => amount,
    };
    if moment {
        format!("{amount}, by what is there at each moment")
    } else {
        amount
    }
}

/// `1.3 % of CPU, RAM, plus 2.00 EUR a month each, 2 of them free`.
fn percentage_text(percentage: &Percentage, currency: Currency) -> String {
    let meters = percentage.meters.iter().map(|meter| meter.label());
    let items = percentage.items.iter().map(String::as_str);
    let of: Vec<&str> = meters.chain(items).collect();
    let of = if of.is_empty() {
        "everything else".to_owned()
    } else {
        of.join(", ")
    };
    let mut text = format!("{} % of {of}", percentage.percent);
    if !percentage.fee.is_zero() {
        let fee = with_minor_digits(percentage.fee, currency);
        let _ = write!(text, ", plus {fee} {currency} a month each");
        if percentage.free_fees > 0 {
            let _ = write!(text, ", {} of them free", percentage.free_fees);
        }
    }
    text
}

/// An amount with at least the currency's minor digits, and all of its own.
fn with_minor_digits(amount: Decimal, currency: Currency) -> String {
    let mut shown = amount.normalize();
    if shown.scale() < currency.minor_digits() {
        shown.rescale(currency.minor_digits());
    }
    shown.to_string()
}
