//! Exact sums of what everything costs.

use std::collections::BTreeMap;

use cloudstack_usage::{DomainId, Holder, Period, ResourceId, UsageType};

use crate::currency::Currency;
use crate::exact::Exact;
use crate::statement::Item;

/// What a period costs, as exact sums alone: net of discounts and with minimum and maximum
/// charges; before credits, rounding and taxes, which belong to statements.
///
/// Made by [`Rating::totals`](crate::Rating::totals). The sum of a billing account is the
/// [`exact`](crate::Statement::exact) total of its statement, but for credits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The billing period, as half-open UTC instants.
    pub period: Period,
    /// The book's currency.
    pub currency: Currency,
    /// The sums, in the order of usage types and resources; minimum charges come last.
    pub totals: Vec<Total>,
}

/// What one thing of one resource, owner and cost centre costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The billing account's domain.
    pub account: DomainId,
    /// The domain that owns the resource.
    pub domain: DomainId,
    /// The account or project that owns the resource.
    pub holder: Holder,
    /// The cost centre.
    pub cost_centre: Option<String>,
    /// The resource charged.
    pub resource: ResourceId,
    /// The type of its usage; none of a minimum charge.
    pub usage_type: Option<UsageType>,
    /// What is charged.
    pub item: Item,
    /// The amount after discounts, exact; zero where it is exempt.
    pub net: Exact,
}

impl Totals {
    /// The sum of everything.
    pub fn exact(&self) -> Exact {
        self.totals.iter().map(|total| &total.net).sum()
    }

    /// The sum of each billing account, in the order of their ids.
    pub fn by_account(&self) -> BTreeMap<&DomainId, Exact> {
        let mut sums = BTreeMap::new();
        for total in &self.totals {
            *sums.entry(&total.account).or_insert_with(Exact::zero) += total.net.clone();
        }
        sums
    }
}
