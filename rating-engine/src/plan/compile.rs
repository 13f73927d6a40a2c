//! Compiling a book and an inventory into a plan.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, Inventory, Period};

use super::scope::{self, CompiledScope, Position};
use crate::book::model::{MonthProfile, Per, Price, PriceBook, Scope, Target};
use crate::book::terms::names;
use crate::calendar;
use crate::error::{RatingError, RatingErrorKind};

/// A civil month that the period touches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Month {
    pub(crate) period: Period,
}

/// Book and inventory, resolved once.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) book: &'a PriceBook,
    pub(crate) inventory: &'a Inventory,
    pub(crate) period: Period,
    pub(crate) months: Vec<Month>,
    pub(crate) price_scopes: Vec<CompiledScope>,
    pub(crate) discount_scopes: Vec<CompiledScope>,
    pub(crate) limit_scopes: Vec<CompiledScope>,
    pub(crate) credit_scopes: Vec<CompiledScope>,
    tax_scopes: Vec<CompiledScope>,
    by_target: BTreeMap<&'a Target, Vec<usize>>,
    own_statements: BTreeSet<DomainId>,
    /// Bounds of everything in the book that lie within the period, and the months'.
    bounds: Vec<i64>,
    /// Scopes of the book that nobody has: (rule, scope).
    pub(crate) unknown_scopes: Vec<(String, String)>,
}

/// A century of months: longer periods are a slip of the pen.
const MAX_MONTHS: i64 = 1_200;

impl<'a> Plan<'a> {
    /// # Errors
    /// When a name in the book is ambiguous, or the period beyond reason.
    pub(crate) fn compile(
        book: &'a PriceBook,
        inventory: &'a Inventory,
        period: Period,
    ) -> Result<Self, RatingError> {
        let out_of_reach = !Period::always().covers(&period);
        if out_of_reach || period.millis() / 86_400_000 > 31 * MAX_MONTHS {
            let message = format!(
                "the period {period} is longer than a century or beyond the years 1 to 9999; check its years"
            );
            return Err(RatingError::new(RatingErrorKind::Period, message));
        }
        let months: Vec<Month> = calendar::months(period, book.zone)
            .into_iter()
            .map(|period| Month { period })
            .collect();
        let mut unknown_scopes = Vec::new();
        let mut resolve = |scope: &Scope, rule: String| {
            let compiled = scope::compile(scope, inventory, period, &rule)?;
            if compiled == CompiledScope::Nobody {
                unknown_scopes.push((rule, scope.describe()));
            }
            Ok(compiled)
        };
        let price_scopes = book
            .prices
            .iter()
            .map(|price| resolve(&price.scope, format!("price {:?}", price.id)))
            .collect::<Result<Vec<_>, RatingError>>()?;
        let discount_scopes = book
            .discounts
            .iter()
            .map(|discount| resolve(&discount.scope, format!("discount {:?}", discount.id)))
            .collect::<Result<Vec<_>, RatingError>>()?;
        let limit_scopes = book
            .limits
            .iter()
            .map(|limit| resolve(&limit.scope, format!("limit {:?}", limit.id)))
            .collect::<Result<Vec<_>, RatingError>>()?;
        let credit_scopes = book
            .credits
            .iter()
            .map(|credit| resolve(&credit.scope, format!("credit {:?}", credit.id)))
            .collect::<Result<Vec<_>, RatingError>>()?;
        let tax_scopes = book
            .taxes
            .iter()
            .map(|tax| resolve(&tax.scope, format!("tax {:?}", tax.id)))
            .collect::<Result<Vec<_>, RatingError>>()?;
        let mut own_statements = BTreeSet::new();
        for name in &book.accounts {
            match scope::domain(name, inventory, "own_statements")? {
                Some(domain) => {
                    own_statements.insert(domain);
                }
                None => {
                    unknown_scopes.push(("own_statements".to_owned(), format!("domain {name}")));
                }
            }
        }
        let mut by_target: BTreeMap<&Target, Vec<usize>> = BTreeMap::new();
        for (index, price) in book.prices.iter().enumerate() {
            by_target.entry(&price.target).or_default().push(index);
        }
        let bounds = bounds(book, period, &months);
        Ok(Self {
            book,
            inventory,
            period,
            months,
            price_scopes,
            discount_scopes,
            limit_scopes,
            credit_scopes,
            tax_scopes,
            by_target,
            own_statements,
            bounds,
            unknown_scopes,
        })
    }

    /// The prices of a target, by their place in the book.
    pub(crate) fn prices_of(
        &self,
        target: &Target,
    ) -> impl Iterator<Item = (usize, &'a Price)> + '_ {
        let indices = self
            .by_target
            .get(target)
            .map(Vec::as_slice)
            .unwrap_or_default();
        indices
            .iter()
            .filter_map(|&index| Some((index, self.book.prices.get(index)?)))
    }

    /// The bounds of the book and the calendar within the period, in order.
    pub(crate) fn bounds(&self) -> &[i64] {
        &self.bounds
    }

    /// The month of an instant within the period.
    pub(crate) fn month_of(&self, instant: DateTime<Utc>) -> usize {
        self.months
            .partition_point(|month| month.period.end() <= instant)
    }

    /// The length of a price's period at `instant`, in milliseconds; none where there is
    /// no time in it.
    pub(crate) fn price_period(&self, per: Per, instant: DateTime<Utc>) -> Option<i64> {
        const HOUR: i64 = 3_600_000;
        match per {
            Per::Hour => Some(HOUR),
            Per::Day => Some(24 * HOUR),
            Per::Month => match self.book.month {
                MonthProfile::Calendar => self
                    .months
                    .get(self.month_of(instant))
                    .map(|month| month.period.millis()),
                MonthProfile::H730 => Some(730 * HOUR),
                MonthProfile::D30 => Some(720 * HOUR),
                MonthProfile::Cap672 => Some(672 * HOUR),
            },
            Per::Once | Per::Unit => None,
        }
    }

    /// The tax rate of a thing (of none in particular: of a minimum charge) at `instant`:
    /// the nearest scope, within it the rate that names the thing.
    pub(crate) fn tax_at(
        &self,
        target: Option<&Target>,
        position: &Position<'_>,
        instant: DateTime<Utc>,
    ) -> Option<usize> {
        self.book
            .taxes
            .iter()
            .enumerate()
            .filter(|(_, tax)| tax.validity.contains(instant))
            .filter_map(|(index, tax)| {
                let named = target.is_some_and(|target| names(&tax.meters, &tax.items, target));
                let nearness = self.tax_scopes.get(index)?.nearness(position)?;
                (named || tax.is_default()).then_some((nearness, named, index))
            })
            .max()
            .map(|(.., index)| index)
    }

    /// The billing account of a domain: the nearest domain with a statement of its own,
    /// else the top-level domain.
    pub(crate) fn account_of(&self, ancestry: &[DomainId]) -> Option<DomainId> {
        let own = ancestry
            .iter()
            .find(|domain| self.own_statements.contains(*domain));
        let top = ancestry
            .len()
            .checked_sub(2)
            .and_then(|index| ancestry.get(index));
        own.or(top).or(ancestry.first()).cloned()
    }

    /// Whether the book reads tags of this key.
    pub(crate) fn reads_tag(&self, key: &str) -> bool {
        key == self.book.cost_centre_key
            || self.book.exemptions.iter().any(|rule| rule.tag.reads(key))
            || self.book.services.iter().any(|rule| rule.tag.reads(key))
            || self.book.packages.iter().any(|rule| rule.tag.reads(key))
            || self
                .book
                .prices
                .iter()
                .any(|price| price.selector.tags.iter().any(|tag| tag.key == key))
    }
}

/// Every bound of the book's rows within the period, with the months' and the period's own.
fn bounds(book: &PriceBook, period: Period, months: &[Month]) -> Vec<i64> {
    let validities = book
        .prices
        .iter()
        .map(|price| price.validity)
        .chain(book.discounts.iter().map(|discount| discount.validity))
        .chain(book.exemptions.iter().map(|exemption| exemption.validity))
        .chain(
            book.packages
                .iter()
                .flat_map(|package| package.services.iter().map(|cell| cell.validity)),
        )
        .chain(book.limits.iter().map(|limit| limit.validity))
        .chain(book.credits.iter().map(|credit| credit.validity))
        .chain(book.taxes.iter().map(|tax| tax.validity))
        .chain(months.iter().map(|month| month.period));
    let inside: BTreeSet<i64> = validities
        .flat_map(|validity| [validity.start(), validity.end()])
        .filter(|instant| period.contains(*instant))
        .chain([period.start(), period.end()])
        .map(|instant| instant.timestamp_millis())
        .collect();
    inside.into_iter().collect()
}
