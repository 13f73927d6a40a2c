//! Compiling a book and an inventory into a plan.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, Holder, Inventory, Period};

use super::price_words::PriceWords;
use super::scope::{self, ByScope, CompiledScope, Position};
use super::subject::Subject;
use crate::book::model::{MonthProfile, Per, Price, PriceBook, Scope, Target};
use crate::book::terms::names;
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
    tax_scopes: Vec<CompiledScope>,
    by_target: BTreeMap<&'a Target, TargetPrices>,
    /// What is said of each price, once it is needed.
    price_words: Vec<OnceLock<PriceWords>>,
    /// Discounts by scope, by their place in the book.
    pub(crate) discounts: ByScope<usize>,
    own_statements: BTreeSet<DomainId>,
    /// Each known domain with those above it, nearest first.
    ancestries: BTreeMap<&'a DomainId, Vec<DomainId>>,
    /// Bounds of everything in the book that lie within the period, and the months', by
    /// whom they can concern.
    bounds: ByScope<i64>,
    /// Scopes of the book that nobody has: (rule, scope).
    pub(crate) unknown_scopes: Vec<(String, String)>,
}

/// The prices of one thing, by their place in the book.
#[derive(Debug, Default)]
struct TargetPrices {
    all: Vec<usize>,
    by_scope: ByScope<usize>,
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
        let factor_scopes = book
            .factors
            .iter()
            .map(|factor| resolve(&factor.scope, format!("factor {:?}", factor.id)))
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
        let mut by_target: BTreeMap<&Target, TargetPrices> = BTreeMap::new();
        for (index, (price, scope)) in book.prices.iter().zip(&price_scopes).enumerate() {
            let prices = by_target.entry(&price.target).or_default();
            prices.all.push(index);
            prices.by_scope.add(scope, index);
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
            price_words: book.prices.iter().map(|_| OnceLock::new()).collect(),
            discounts,
            own_statements,
            ancestries: ancestries(inventory),
            bounds: ByScope::default(),
            unknown_scopes,
        };
        plan.bounds = plan.all_bounds();
        Ok(plan)
    }

    /// A domain and the domains above it, nearest first, as far as they are known.
    pub(crate) fn ancestry<'s>(&'s self, domain: &'s DomainId) -> &'s [DomainId] {
        let known = self.ancestries.get(domain);
        known.map_or(std::slice::from_ref(domain), Vec::as_slice)
    }

    /// Every bound of the book's rows within the period, with the months' and the period's
    /// own.
    fn all_bounds(&self) -> ByScope<i64> {
        let (book, period) = (self.book, self.period);
        let prices = book.prices.iter().map(|price| price.validity);
        let discounts = book.discounts.iter().map(|discount| discount.validity);
        let limits = book.limits.iter().map(|limit| limit.validity);
        let credits = book.credits.iter().map(|credit| credit.validity);
        let taxes = book.taxes.iter().map(|tax| tax.validity);
        let factors = book.factors.iter().map(|factor| factor.validity);
        let scoped = (self.price_scopes.iter().zip(prices))
            .chain(self.discount_scopes.iter().zip(discounts))
            .chain(self.limit_scopes.iter().zip(limits))
            .chain(self.credit_scopes.iter().zip(credits))
            .chain(self.factor_scopes.iter().zip(factors))
            .chain(self.tax_scopes.iter().zip(taxes));
        let exemptions = book.exemptions.iter().map(|exemption| exemption.validity);
        let cells = book.packages.iter().flat_map(|package| &package.services);
        let calendar = self.months.iter().map(|month| month.period);
        let everybody = exemptions
            .chain(cells.map(|cell| cell.validity))
            .chain(calendar)
            .chain([period])
            .map(|validity| (&CompiledScope::Book, validity));
        let mut bounds = ByScope::default();
        for (scope, validity) in scoped.chain(everybody) {
            for instant in [validity.start(), validity.end()] {
                if period.contains(instant) || instant == period.end() {
                    bounds.add(scope, instant.timestamp_millis());
                }
            }
        }
        bounds
    }

    /// What lines and explanations say of the price at this place in the book.
    pub(crate) fn price_words(&self, index: usize) -> &PriceWords {
        static NOTHING: PriceWords = PriceWords::nothing();
        let words = self.price_words.get(index).zip(self.book.prices.get(index));
        words.map_or(&NOTHING, |(words, price)| {
            words.get_or_init(|| PriceWords::of(price, self.book.currency))
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
            .map(|prices| prices.all.as_slice())
            .unwrap_or_default();
        indices
            .iter()
            .filter_map(|&index| Some((index, self.book.prices.get(index)?)))
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
            .flat_map(|prices| prices.by_scope.at(position))
            .filter_map(|index| Some((index, self.book.prices.get(index)?)))
    }

    /// The bounds of the calendar and of what can concern `subject` in the book, within the
    /// period.
    pub(crate) fn bounds_of(&self, subject: &Subject<'_>) -> Vec<i64> {
        let mut domains: Vec<DomainId> = Vec::new();
        for domain in subject.domains() {
            if !domains.contains(domain) {
                domains.extend(self.ancestry(domain).iter().cloned());
            }
        }
        let project = match &subject.stream.key.holder {
            Holder::Project(id) => Some(id),
            _ => None,
        };
        let vms = subject.vms();
        let volume = subject.volume.as_ref();
        self.bounds.of(&domains, project, vms, volume).collect()
    }

    /// The period's beginning and end, in milliseconds since 1970.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        let period = self.period;
        (
            period.start().timestamp_millis(),
            period.end().timestamp_millis(),
        )
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

fn ancestries(inventory: &Inventory) -> BTreeMap<&DomainId, Vec<DomainId>> {
    let domains = inventory.domains.keys();
    domains
        .map(|domain| (domain, inventory.ancestry(domain)))
        .collect()
}
