//! Compiling a book and an inventory into a plan.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, Inventory, Period};

use super::bounds::Bounds;
use super::price_words::PriceWords;
use super::scope::{self, ByScope, CompiledScope, LookUp, Position};
use crate::book::model::{
    Discount, DiscountAmount, MonthProfile, Per, Price, PriceBook, Scope, Target,
};
use crate::book::terms::{LimitKind, names};
use crate::calendar;
use crate::error::{RatingError, RatingErrorKind};
use crate::exact::Exact;

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
    pub(super) factor_scopes: Vec<CompiledScope>,
    pub(super) tax_scopes: Vec<CompiledScope>,
    pub(super) by_target: LookUp<&'a Target, ByScope<usize>>,
    /// The amount of a unit, of prices per unit.
    unit_amounts: Vec<Option<Exact>>,
    /// What part of an amount each discount takes off, of those by percent.
    discount_shares: Vec<Option<Exact>>,
    /// How narrow the selector of each price is.
    pub(super) ranks: Vec<u16>,
    /// Whether some price is charged once.
    pub(super) has_fees: bool,
    /// Whether some price is a percentage of other charges.
    pub(super) has_percentages: bool,
    /// Whether anything in the book asks for a size.
    pub(super) asks_for_sizes: bool,
    /// What is said of each price, once it is needed.
    price_words: Vec<OnceLock<PriceWords>>,
    /// Discounts by scope, by their place in the book.
    pub(crate) discounts: ByScope<usize>,
    own_statements: BTreeSet<DomainId>,
    /// Each known domain with those above it, nearest first.
    ancestries: LookUp<&'a DomainId, Vec<DomainId>>,
    pub(super) bounds: Bounds,
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
        let months: Vec<Month> = calendar::months(period, &book.zones)
            .into_iter()
            .map(|period| Month { period })
            .collect();
        let mut scopes = Scopes {
            inventory,
            period,
            unknown: Vec::new(),
        };
        let rows = book.prices.iter().map(|row| (&row.scope, &row.id));
        let price_scopes = scopes.resolve("price", rows)?;
        let rows = book.discounts.iter().map(|row| (&row.scope, &row.id));
        let discount_scopes = scopes.resolve("discount", rows)?;
        let rows = book.limits.iter().map(|row| (&row.scope, &row.id));
        let limit_scopes = scopes.resolve("limit", rows)?;
        let rows = book.credits.iter().map(|row| (&row.scope, &row.id));
        let credit_scopes = scopes.resolve("credit", rows)?;
        let rows = book.factors.iter().map(|row| (&row.scope, &row.id));
        let factor_scopes = scopes.resolve("factor", rows)?;
        let rows = book.taxes.iter().map(|row| (&row.scope, &row.id));
        let tax_scopes = scopes.resolve("tax", rows)?;
        let mut unknown_scopes = scopes.unknown;
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
        let mut by_target: LookUp<&Target, ByScope<usize>> = LookUp::default();
        for (index, (price, scope)) in book.prices.iter().zip(&price_scopes).enumerate() {
            let prices = by_target.entry(&price.target).or_default();
            prices.add(scope, index);
        }
        let mut discounts = ByScope::default();
        for (index, scope) in discount_scopes.iter().enumerate() {
            discounts.add(scope, index);
        }
        let mut plan = Self {
            book,
            inventory,
            period,
            months,
            price_scopes,
            discount_scopes,
            limit_scopes,
            credit_scopes,
            factor_scopes,
            tax_scopes,
            by_target,
            unit_amounts: unit_amounts(book),
            discount_shares: discount_shares(book),
            asks_for_sizes: asks_for_sizes(book),
            has_fees: book.prices.iter().any(|price| price.per == Per::Once),
            ranks: book
                .prices
                .iter()
                .map(|price| price.selector.rank())
                .collect(),
            has_percentages: book.prices.iter().any(Price::is_percentage),
            price_words: book.prices.iter().map(|_| OnceLock::new()).collect(),
            discounts,
            own_statements,
            ancestries: ancestries(inventory),
            bounds: Bounds::default(),
            unknown_scopes,
        };
        plan.bounds = Bounds::of(&plan);
        Ok(plan)
    }

    /// A domain and the domains above it, nearest first, as far as they are known.
    pub(crate) fn ancestry<'s>(&'s self, domain: &'s DomainId) -> &'s [DomainId] {
        let known = self.ancestries.get(domain);
        known.map_or(std::slice::from_ref(domain), Vec::as_slice)
    }

    /// What lines and explanations say of the price at this place in the book.
    pub(crate) fn price_words(&self, index: usize) -> &PriceWords {
        static NOTHING: PriceWords = PriceWords::nothing();
        let words = self.price_words.get(index).zip(self.book.prices.get(index));
        words.map_or(&NOTHING, |(words, price)| {
            words.get_or_init(|| PriceWords::of(price, self.book.currency))
        })
    }

    /// What a unit costs at the price at this place in the book, of prices per unit.
    pub(crate) fn unit_amount(&self, price: usize) -> Option<&Exact> {
        self.unit_amounts.get(price)?.as_ref()
    }

    /// What part of an amount the discount at this place in the book takes off, of those by
    /// percent.
    pub(crate) fn discount_share(&self, discount: usize) -> Option<&Exact> {
        self.discount_shares.get(discount)?.as_ref()
    }

    /// Whether some charge has a maximum.
    pub(crate) fn has_maximums(&self) -> bool {
        // the book has them behind the minimums
        let last = self.book.limits.last();
        last.is_some_and(|limit| limit.kind == LimitKind::Maximum)
    }

    /// The prices of a target whose scope holds `position`.
    pub(crate) fn prices_at<'s>(
        &'s self,
        target: &Target,
        position: &'s Position<'s>,
    ) -> impl Iterator<Item = (usize, &'a Price)> + 's {
        let prices = self.by_target.get(target);
        prices
            .into_iter()
            .flat_map(|prices| prices.at(position))
            .filter_map(|index| Some((index, self.book.prices.get(index)?)))
    }

    /// The period's beginning and end, in milliseconds since 1970.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let period = self.period;
        (
            period.start().timestamp_millis(),
            period.end().timestamp_millis(),
        )
    }

    /// Whether some time of this, in milliseconds since 1970, lies in the period.
    pub(crate) fn touches(&self, start: i64, end: i64) -> bool {
        let (period_start, period_end) = self.bounds();
        start < period_end && period_start < end
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

    /// The product of a charge's factors.
    pub(crate) fn factor(&self, factors: &[usize]) -> Exact {
        let factors = factors
            .iter()
            .filter_map(|&index| self.book.factors.get(index));
        factors.fold(Exact::from(1), |product, factor| {
            product * Exact::from_decimal(factor.factor)
        })
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
                .map(|price| &price.selector)
                .chain(self.book.factors.iter().map(|factor| &factor.selector))
                .any(|selector| selector.tags.iter().any(|tag| tag.key == key))
    }
}

/// Resolves the scopes of a book's rows.
struct Scopes<'a> {
    inventory: &'a Inventory,
    period: Period,
    /// Those that nobody has: (rule, scope).
    unknown: Vec<(String, String)>,
}

impl Scopes<'_> {
    /// The scopes of rows of one kind, given with their ids.
    fn resolve<'b>(
        &mut self,
        kind: &str,
        rows: impl Iterator<Item = (&'b Scope, &'b String)>,
    ) -> Result<Vec<CompiledScope>, RatingError> {
        rows.map(|(scope, id)| {
            let rule = format!("{kind} {id:?}");
            let compiled = scope::compile(scope, self.inventory, self.period, &rule)?;
            if compiled == CompiledScope::Nobody {
                self.unknown.push((rule, scope.describe()));
            }
            Ok(compiled)
        })
        .collect()
    }
}

fn unit_amounts(book: &PriceBook) -> Vec<Option<Exact>> {
    let amounts = book.prices.iter().map(Price::amount_per_unit);
    amounts
        .map(|amount| amount.map(Exact::from_decimal))
        .collect()
}

fn discount_shares(book: &PriceBook) -> Vec<Option<Exact>> {
    let share = |discount: &Discount| match discount.amount {
        DiscountAmount::Percent(percent) => {
            Exact::from_decimal(percent).checked_div(&Exact::from(100))
        }
        DiscountAmount::Fixed(_) => None,
    };
    book.discounts.iter().map(share).collect()
}

fn asks_for_sizes(book: &PriceBook) -> bool {
    let prices = book.prices.iter().map(|price| &price.selector);
    let factors = book.factors.iter().map(|factor| &factor.selector);
    prices
        .chain(factors)
        .any(|selector| !selector.at_least.is_any())
}

fn ancestries(inventory: &Inventory) -> LookUp<&DomainId, Vec<DomainId>> {
    let domains = inventory.domains.keys();
    domains
        .map(|domain| (domain, inventory.ancestry(domain)))
        .collect()
}
