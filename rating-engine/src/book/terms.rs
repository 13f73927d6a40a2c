//! What stands over the prices: minimum and maximum charges, credits and taxes.

use chrono::{DateTime, Utc};
use cloudstack_usage::Period;
use rust_decimal::Decimal;

use super::model::{Accumulation, Scope, Target};
use crate::finding::Policy;
use crate::meter::Meter;

/// Whether a limit is the least or the most that is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LimitKind {
    /// No less; what is missing is a line of its own.
    Minimum,
    /// No more; what is beyond is taken off.
    Maximum,
}

/// A minimum or maximum charge a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its id, unique among the limits of its kind.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// Least or most.
    pub kind: LimitKind,
    /// The amount a month.
    pub amount: Decimal,
    /// Each of what has it.
    pub per: Accumulation,
    /// For whom.
    pub scope: Scope,
    /// When; the amount is prorated by it.
    pub validity: Period,
    /// The meters that count towards it; none means all, where `items` is empty too.
    pub meters: Vec<Meter>,
    /// The services and packages that count towards it.
    pub items: Vec<String>,
}

/// A prepaid amount that charges are taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// Its id.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// The amount that was granted.
    pub amount: Decimal,
    /// Whose charges it pays: a domain's or a project's.
    pub scope: Scope,
    /// Usage of which time it pays.
    pub validity: Period,
    /// Lower ones are taken first; then the one that expires first, then the oldest.
    pub priority: u32,
    /// Whether it is a deposit, taken off what is payable after tax.
    pub after_tax: bool,
    /// What statements issued so far took from it.
    pub spent: Vec<Spent>,
}

/// An amount that an issued statement took from a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// The end of the statement's period.
    pub until: DateTime<Utc>,
    /// How much.
    pub amount: Decimal,
}

/// A tax rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tax {
    /// Its id.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// Percent of the net amount.
    pub percent: Decimal,
    /// For whom.
    pub scope: Scope,
    /// When the usage is taxed at this rate.
    pub validity: Period,
    /// The meters it is for; none means everything, where `items` is empty too.
    pub meters: Vec<Meter>,
    /// The services and packages it is for.
    pub items: Vec<String>,
}

impl Tax {
    /// Whether it is for everything that no other rate names.
    pub fn is_default(&self) -> bool {
        self.meters.is_empty() && self.items.is_empty()
    }
}

/// What is done about doubtful usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FindingPolicies {
    /// Identical copies of a record: billed once, or all of them.
    pub duplicate: Policy,
    /// Windows that overlap: what they repeat is cut off or held with all of the record, or
    /// billed.
    pub overlap: Policy,
    /// More time than a window has: cut off or held with all of the record, or billed.
    pub over_window: Policy,
    /// Use before the resource's creation: billed, cut off, or held with all of the record.
    pub outside_lifetime: Policy,
    /// Tags without history: billed as if they had been there all the time, or as the
    /// cheaper of having and not having them.
    pub no_history: Policy,
    /// Changes between two syncs: billed as seen, or as the cheaper of both states for the
    /// time between.
    pub uncertain_moment: Policy,
}

impl Default for FindingPolicies {
    fn default() -> Self {
        Self {
            duplicate: Policy::BillOnce,
            overlap: Policy::Clip,
            over_window: Policy::Clip,
            outside_lifetime: Policy::BillAndFlag,
            no_history: Policy::BillAndFlag,
            uncertain_moment: Policy::BillAndFlag,
        }
    }
}

/// Whether lists of meters and of services and packages name a target.
pub(crate) fn names(meters: &[Meter], items: &[String], target: &Target) -> bool {
    match target {
        Target::Meter(meter) => meters.contains(meter),
        Target::Service(id) | Target::Package(id) => items.contains(id),
    }
}
