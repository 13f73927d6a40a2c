//! Reading prices that are a percentage of other charges, and what tiers are counted over.

use rust_decimal::Decimal;

use super::fields::{Collector, Fields};
use super::model::{CountOver, Per, Percentage, PriceBook, PriceKind, Target, Tier};
use crate::meter::Meter;
use crate::proration::Proration;

/// `percent = "1.3"` and `percent_of = ["cpu", "Backup"]`, with `fee` and `free_fees`.
pub(super) fn read_percentage(row: &mut Fields<'_>, target: &Target) -> Option<Percentage> {
    let percent = row.decimal("percent");
    let of = row.texts("percent_of");
    let fee = row.decimal("fee").unwrap_or(Decimal::ZERO);
    let free_fees = row.whole("free_fees").unwrap_or_default();
    if !row.has("percent") {
        for field in ["percent_of", "fee", "free_fees"] {
            if row.has(field) {
                let message = "this belongs to a percent, which is not there".to_owned();
                row.error(field, "conflict", message);
            }
        }
        return None;
    }
    if !matches!(target, Target::Service(_)) {
        let message = "only a service costs a percentage of what else there is".to_owned();
        row.error("percent", "conflict", message);
    }
    if row.has("free_fees") && !row.has("fee") {
        let message = "there is no fee of which some could be free".to_owned();
        row.error("free_fees", "conflict", message);
    }
    let (mut meters, mut items) = (Vec::new(), Vec::new());
    for name in of {
        match Meter::from_slug(&name) {
            Some(meter) => meters.push(meter),
            None => items.push(name),
        }
    }
    Some(Percentage {
        percent: percent?,
        meters,
        items,
        fee,
        free_fees,
    })
}

/// A percentage follows what it is of: it has neither an amount nor a time of its own.
pub(super) fn read_no_time(row: &mut Fields<'_>) {
    const OTHERS: [&str; 9] = [
        "amount",
        "block",
        "tiers",
        "kind",
        "tier_mode",
        "per",
        "unit",
        "basis",
        "proration",
    ];
    for field in OTHERS {
        if row.refuse(field) {
            let message = format!("a percentage of other charges has no {field}");
            row.error(field, "conflict", message);
        }
    }
}

/// `count_over`: the units of the month together, or at each moment those that are there.
pub(super) fn read_count_over(
    row: &mut Fields<'_>,
    per: Option<Per>,
    kind: Option<&PriceKind>,
) -> CountOver {
    const CHOICES: &[(&str, CountOver)] =
        &[("month", CountOver::Month), ("moment", CountOver::Moment)];
    let count_over = row.choice("count_over", CHOICES).unwrap_or_default();
    if count_over == CountOver::Month {
        return count_over;
    }
    let complaint = match (per, kind) {
        (Some(Per::Once | Per::Unit), _) => {
            "what is counted is not there for a time; only prices per hour, day or month can go by the moment"
        }
        (_, Some(PriceKind::PerUnit(_))) if !row.has("free") => {
            "each unit costs the same; there are no tiers, blocks or free units to count"
        }
        (_, Some(PriceKind::Flat(_))) => "a flat price has no units to count",
        (_, Some(PriceKind::Volume(tiers))) if tiers.iter().any(has_flat) => {
            "flat amounts of volume tiers are due for the month; give them as tiers of flat prices, or count over the month"
        }
        _ => return count_over,
    };
    row.error("count_over", "conflict", complaint.to_owned());
    count_over
}

fn has_flat(tier: &Tier) -> bool {
    !tier.flat.is_zero()
}

/// What is there at a moment is no matter of days or started hours.
pub(super) fn check_moments(book: &PriceBook, errors: &Collector) {
    for price in &book.prices {
        let proration = price.proration.unwrap_or(book.proration);
        if price.count_over == CountOver::Moment && proration != Proration::Second {
            let message = format!(
                "price {:?} counts what is there at each moment, which needs the proration \"second\"",
                price.id
            );
            let (place, line) = errors.place_of("price", &price.id);
            errors.push("conflict", &place, line, message);
        }
    }
}
