//! The rule matching of `OpenStack` `CloudKitty`'s hashmap module, exactly and as small as its
//! meaning: mappings and thresholds, in groups, on a service or on its fields.
//!
//! Within a group the dearest flat value counts and rates multiply; groups add up; a rule of
//! a project replaces the general rules of its group and field.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;

use rating_engine::Exact;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cost {
    Flat,
    Rate,
}

/// When a rule fits.
#[derive(Debug, Clone)]
pub(crate) enum When {
    /// Always.
    Service,
    /// A field has this value, compared as text.
    Field(&'static str, String),
    /// The quantity is at least this much; of several the highest counts.
    Threshold(Exact),
    /// A field's number is at least this much; of several the highest counts.
    FieldThreshold(&'static str, Exact),
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) group: &'static str,
    pub(crate) project: Option<&'static str>,
    pub(crate) when: When,
    pub(crate) cost: Cost,
    pub(crate) value: Exact,
}

/// A measured point: how much, whose, and its metadata as text.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    pub(crate) quantity: Exact,
    pub(crate) project: &'static str,
    pub(crate) fields: BTreeMap<&'static str, String>,
}

/// The price of a point.
pub(crate) fn price(rules: &[Rule], point: &Point) -> Exact {
    let mut groups: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in rules {
        groups.entry(rule.group).or_default().push(rule);
    }
    groups.values().map(|rules| group_price(rules, point)).sum()
}

fn group_price(rules: &[&Rule], point: &Point) -> Exact {
    let of_project = |rule: &&&Rule| rule.project == Some(point.project);
    let own: Vec<&Rule> = rules.iter().filter(of_project).copied().collect();
    let general = rules
        .iter()
        .filter(|rule| rule.project.is_none() && !own.iter().any(|own| replaces(own, rule)));
    let candidates: Vec<&Rule> = own.iter().chain(general).copied().collect();
    let (mut flat, mut rate): (Option<Exact>, Option<Exact>) = (None, None);
    for rule in matching(&candidates, point) {
        match rule.cost {
            Cost::Flat => {
                let dearest = flat.take().filter(|known| *known >= rule.value);
                flat = dearest.or_else(|| Some(rule.value.clone()));
            }
            Cost::Rate => {
                let product = rate.take().unwrap_or_else(|| Exact::from(1));
                rate = Some(product * rule.value.clone());
            }
        }
    }
    // a group of rates alone counts as one; one in which nothing fits as nothing
    match (flat, rate) {
        (None, None) => Exact::zero(),
        (flat, rate) => {
            let one = || Exact::from(1);
            flat.unwrap_or_else(one) * rate.unwrap_or_else(one) * point.quantity.clone()
        }
    }
}

/// Whether a project's rule stands in for a general one: it asks the same.
fn replaces(own: &Rule, general: &Rule) -> bool {
    own.cost == general.cost
        && match (&own.when, &general.when) {
            (When::Service, When::Service) => true,
            (When::Field(left, a), When::Field(right, b)) => left == right && a == b,
            (When::Threshold(a), When::Threshold(b)) => a == b,
            (When::FieldThreshold(left, a), When::FieldThreshold(right, b)) => {
                left == right && a == b
            }
            _ => false,
        }
}

/// The rules that fit: mappings, and the highest threshold reached of each kind.
fn matching<'r>(rules: &[&'r Rule], point: &Point) -> Vec<&'r Rule> {
    let mut fitting: Vec<&Rule> = Vec::new();
    let mut highest: BTreeMap<Option<&str>, (Exact, &Rule)> = BTreeMap::new();
    let mut reach = |field: Option<&'static str>, level: &Exact, value: &Exact, rule: &'r Rule| {
        let higher = highest.get(&field).is_none_or(|(known, _)| known < level);
        if level <= value && higher {
            highest.insert(field, (level.clone(), rule));
        }
    };
    for rule in rules.iter().copied() {
        match &rule.when {
            When::Service => fitting.push(rule),
            When::Field(field, wanted) => {
                if point.fields.get(field) == Some(wanted) {
                    fitting.push(rule);
                }
            }
            When::Threshold(level) => reach(None, level, &point.quantity, rule),
            When::FieldThreshold(field, level) => {
                let number = point.fields.get(field).and_then(|text| text.parse().ok());
                if let Some(number) = number {
                    reach(Some(field), level, &number, rule);
                }
            }
        }
    }
    fitting.extend(highest.into_values().map(|(_, rule)| rule));
    fitting
}
