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
///
/// ```
/// use cloudstack_usage::{Inventory, parse_usage_page};
/// use rating_engine::{PriceBook, Rating};
///
/// let book = PriceBook::from_toml(r#"
///     schema = 1
///     name = "Example"
///     currency = "EUR"
///     zone = "UTC"
///     compute = "allocated"
///     [[price]]
///     id = "ip"
///     meter = "ip"
///     amount = "0.005"
///     per = "hour"
/// "#).unwrap();
/// let page = parse_usage_page("page 1", br#"{"listusagerecordsresponse": {"count": 1, "usagerecord": [{
///     "usagetype": 3, "usageid": "address", "domainid": "acme", "accountid": "billing",
///     "startdate": "2026-10-05T00:00:00+0000", "enddate": "2026-10-05T23:59:59+0000",
///     "rawusage": "24", "usage": "24 Hrs", "description": "an address"}]}}"#).unwrap();
///
/// let inventory = Inventory::default();
/// let october = book.civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
/// let mut rating = Rating::new(&book, &inventory, october).unwrap();
/// page.records.iter().for_each(|parsed| rating.push(&parsed.record));
/// let totals = rating.totals();
/// assert_eq!(totals.exact().to_string(), "3/25"); // 24 h at 0.005
/// assert_eq!(totals.totals[0].item.name(), "ip");
/// assert_eq!(totals.by_account().len(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// The billing period, as half-open UTC instants.
    pub period: Period,
    /// The book's currency.
    pub currency: Currency,
    /// The sums, in the order of usage types and resources; minimum charges come last.
    pub totals: Vec<Total>,
}

/// What one thing of one resource, owner and cost centre costs; see [`Totals`].
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
