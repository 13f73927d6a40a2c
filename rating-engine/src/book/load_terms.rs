//! Reading minimum and maximum charges, credits, taxes and policies.

use std::collections::BTreeSet;

use crate::zones::Zones;
use rust_decimal::Decimal;

use super::fields::{Collector, Fields};
use super::load::{read_id, read_meters, read_scope, read_validity};
use super::model::{Accumulation, PriceBook, Scope};
use super::terms::{Credit, FindingPolicies, Limit, LimitKind, Spent, Tax};
use crate::finding::Policy;
use crate::meter::Meter;

pub(super) const LEVELS: &[(&str, Accumulation)] = &[
    ("resource", Accumulation::Resource),
    ("project", Accumulation::Project),
    ("domain", Accumulation::Domain),
    ("account", Accumulation::Account),
];

pub(super) fn read_terms(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    read_limits(top, "minimum", LimitKind::Minimum, zone, book);
    read_limits(top, "maximum", LimitKind::Maximum, zone, book);
    read_credits(top, zone, book);
    read_taxes(top, zone, book);
    book.findings = read_policies(top);
    book.limits
        .sort_by(|left, right| (left.kind, &left.id).cmp(&(right.kind, &right.id)));
    book.credits.sort_by(|left, right| left.id.cmp(&right.id));
    book.taxes.sort_by(|left, right| left.id.cmp(&right.id));
}

/// `[findings]`: what is done about each kind of doubt.
fn read_policies(top: &mut Fields<'_>) -> FindingPolicies {
    const CUT: &[(&str, Policy)] = &[
        ("clip", Policy::Clip),
        ("hold", Policy::Hold),
        ("flag", Policy::BillAndFlag),
    ];
    const ONCE: &[(&str, Policy)] = &[
        ("bill-once", Policy::BillOnce),
        ("flag", Policy::BillAndFlag),
    ];
    const STATE: &[(&str, Policy)] = &[("hold", Policy::Hold), ("flag", Policy::BillAndFlag)];
    let standard = FindingPolicies::default();
    let Some(mut row) = top.table("findings") else {
        return standard;
    };
    let policies = FindingPolicies {
        duplicate: row.choice("duplicate", ONCE).unwrap_or(standard.duplicate),
        overlap: row.choice("overlap", CUT).unwrap_or(standard.overlap),
        over_window: row
            .choice("over_window", CUT)
            .unwrap_or(standard.over_window),
        outside_lifetime: row
            .choice("outside_lifetime", CUT)
            .unwrap_or(standard.outside_lifetime),
        no_history: row
            .choice("no_history", STATE)
            .unwrap_or(standard.no_history),
        uncertain_moment: row
            .choice("uncertain_moment", STATE)
            .unwrap_or(standard.uncertain_moment),
    };
    row.finish();
    policies
}

pub(super) fn read_items(row: &mut Fields<'_>) -> (Vec<Meter>, Vec<String>) {
    let meters = read_meters(row, "meters");
    let mut items = row.texts("services");
    items.extend(row.texts("packages"));
    (meters, items)
}

/// An amount that must be there.
pub(super) fn required_decimal(row: &mut Fields<'_>, field: &'static str) -> Option<Decimal> {
    if !row.has(field) {
        row.error(field, "missing", "this field is missing".to_owned());
    }
    row.decimal(field)
}

fn read_limits(
    top: &mut Fields<'_>,
    section: &'static str,
    kind: LimitKind,
    zone: &Zones,
    book: &mut PriceBook,
) {
    let mut seen = BTreeSet::new();
    for mut row in top.tables(section) {
        let id = read_id(&mut row, &mut seen);
        let label = row.text("label");
        let amount = required_decimal(&mut row, "amount");
        if let Some(id) = &id {
            row.remember(section, id);
        }
        if !row.has("per") {
            let message = "say per what: \"resource\", \"project\", \"domain\" or \"account\"";
            row.error("per", "missing", message.to_owned());
        }
        let per = row.choice("per", LEVELS);
        let scope = read_scope(&mut row);
        let validity = read_validity(&mut row, zone);
        let (meters, items) = read_items(&mut row);
        row.finish();
        if let (Some(id), Some(amount), Some(per), Some(validity)) = (id, amount, per, validity) {
            book.limits.push(Limit {
                id,
                label,
                kind,
                amount,
                per,
                scope,
                validity,
                meters,
                items,
            });
        }
    }
}

fn read_credits(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen = BTreeSet::new();
    for mut row in top.tables("credit") {
        let id = read_id(&mut row, &mut seen);
        let label = row.text("label");
        let amount = required_decimal(&mut row, "amount");
        let scope = read_scope(&mut row);
        if !matches!(scope, Scope::Domain(_) | Scope::Project(_)) {
            let message = "a credit is somebody's: name a domain or a project".to_owned();
            row.error("scope", "scope", message);
        }
        let validity = read_validity(&mut row, zone);
        let priority = row.whole("priority").unwrap_or(0);
        let after_tax = row.boolean("after_tax").unwrap_or(false);
        let spent = read_spent(&mut row, zone);
        if let Some(amount) = amount {
            check_credit(&row, amount, &spent, book);
        }
        row.finish();
        if let (Some(id), Some(amount), Some(validity)) = (id, amount, validity) {
            book.credits.push(Credit {
                id,
                label,
                amount,
                scope,
                validity,
                priority,
                after_tax,
                spent,
            });
        }
    }
}

/// A credit is money that was paid: whole minor units, and never spent beyond its amount.
fn check_credit(row: &Fields<'_>, amount: Decimal, spent: &[Spent], book: &PriceBook) {
    let places = book.currency.minor_digits();
    let whole = |amount: &Decimal| amount.normalize().scale() <= places;
    if !whole(&amount) || !spent.iter().all(|spent| whole(&spent.amount)) {
        let message = format!("an amount that is paid has at most {places} decimal places");
        row.error("amount", "not_payable", message);
    }
    let sum = spent
        .iter()
        .try_fold(Decimal::ZERO, |sum, spent| sum.checked_add(spent.amount));
    if sum.is_none_or(|sum| sum > amount) {
        let message = "more was spent than was granted".to_owned();
        row.error("spent", "overspent", message);
    }
}

fn read_spent(row: &mut Fields<'_>, zone: &Zones) -> Vec<Spent> {
    let mut spent = Vec::new();
    for mut entry in row.tables("spent") {
        if !entry.has("until") {
            entry.error(
                "until",
                "missing",
                "name the last day of the statement's period".to_owned(),
            );
        }
        let validity = read_validity(&mut entry, zone);
        let amount = required_decimal(&mut entry, "amount");
        entry.finish();
        if let (Some(validity), Some(amount)) = (validity, amount) {
            spent.push(Spent {
                until: validity.end(),
                amount,
            });
        }
    }
    spent.sort_by_key(|entry| (entry.until, entry.amount));
    spent
}

fn read_taxes(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen = BTreeSet::new();
    for mut row in top.tables("tax") {
        let id = read_id(&mut row, &mut seen);
        let label = row.text("label");
        if let Some(id) = &id {
            row.remember("tax", id);
        }
        let percent = required_decimal(&mut row, "percent");
        let scope = read_scope(&mut row);
        if matches!(scope, Scope::Vm(_) | Scope::Volume(_)) {
            let message = "a tax rate is for everybody, a domain or a project".to_owned();
            row.error("scope", "scope", message);
        }
        let validity = read_validity(&mut row, zone);
        let (meters, items) = read_items(&mut row);
        row.finish();
        if let (Some(id), Some(percent), Some(validity)) = (id, percent, validity) {
            book.taxes.push(Tax {
                id,
                label,
                percent,
                scope,
                validity,
                meters,
                items,
            });
        }
    }
}

/// Two rates for the same thing at the same time are an error that names both.
pub(super) fn find_tax_conflicts(book: &PriceBook, errors: &Collector) {
    for (index, left) in book.taxes.iter().enumerate() {
        for right in book.taxes.iter().skip(index + 1) {
            let same = (left.is_default() && right.is_default())
                || left.meters.iter().any(|meter| right.meters.contains(meter))
                || left.items.iter().any(|item| right.items.contains(item));
            if same
                && left.id != right.id
                && left.scope == right.scope
                && left.validity.overlaps(&right.validity)
            {
                let message = format!(
                    "tax rates {:?} and {:?} are for the same thing at the same time; end one before the other begins",
                    left.id, right.id
                );
                let places = [&left.id, &right.id].map(|id| errors.place_of("tax", id));
                let later = places.into_iter().max_by_key(|(_, line)| *line);
                let (place, line) = later.unwrap_or_default();
                errors.push("tax_overlap", &place, line, message);
            }
        }
    }
}
