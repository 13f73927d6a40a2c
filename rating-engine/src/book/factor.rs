//! Factors: what multiplies prices, such as a surcharge for an image or a price that falls
//! with the size of a volume.

use std::collections::BTreeSet;

use crate::zones::Zones;
use cloudstack_usage::Period;
use rust_decimal::Decimal;

use super::fields::Fields;
use super::load::{read_id, read_scope, read_validity};
use super::load_selector::read_selector;
use super::load_terms::{read_items, required_decimal};
use super::model::{PriceBook, Scope, Target};
use super::selector::Selector;
use super::terms::names;
use crate::meter::Meter;

/// A number that prices are multiplied by.
///
/// Of the factors of one group the most specific one that fits counts: the nearest scope,
/// within it the narrowest selector, of several sizes the highest reached. Factors of
/// different groups multiply each other.
///
/// Source: rates of `CloudKitty`'s hashmap, which multiply the flat value of their group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Its id.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// What prices are multiplied by.
    pub factor: Decimal,
    /// Factors of one group take each other's place; by default a factor is its own group.
    pub group: String,
    /// For whom.
    pub scope: Scope,
    /// For which resources.
    pub selector: Selector,
    /// When.
    pub validity: Period,
    /// The meters whose prices it multiplies; none means all, where `items` is empty too.
    pub meters: Vec<Meter>,
    /// The services and packages whose prices it multiplies.
    pub items: Vec<String>,
    /// Whether it multiplies net (hard-linked) prices too.
    pub net_prices: bool,
}

impl Factor {
    /// Whether it multiplies every price.
    pub fn is_for_everything(&self) -> bool {
        self.meters.is_empty() && self.items.is_empty()
    }

    /// Whether it multiplies prices of this thing.
    pub(crate) fn is_for(&self, target: &Target) -> bool {
        self.is_for_everything() || names(&self.meters, &self.items, target)
    }
}

pub(super) fn read_factors(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen = BTreeSet::new();
    for mut row in top.tables("factor") {
        let id = read_id(&mut row, &mut seen);
        let label = row.text("label");
        let factor = required_decimal(&mut row, "factor");
        let group = row.text("group");
        let scope = read_scope(&mut row);
        let selector = read_selector(&mut row);
        let validity = read_validity(&mut row, zone);
        let (meters, items) = read_items(&mut row);
        let net_prices = row.boolean("net_prices").unwrap_or(scope != Scope::Book);
        if let Some(id) = &id {
            row.remember("factor", id);
        }
        row.finish();
        if let (Some(id), Some(factor), Some(validity)) = (id, factor, validity) {
            book.factors.push(Factor {
                group: group.unwrap_or_else(|| id.clone()),
                id,
                label,
                factor,
                scope,
                selector,
                validity,
                meters,
                items,
                net_prices,
            });
        }
    }
    book.factors
        .sort_by(|left, right| (&left.group, &left.id).cmp(&(&right.group, &right.id)));
}
