//! What a past period would have cost with another price book.

use std::collections::BTreeMap;

use cloudstack_usage::{DomainId, Holder, Inventory, Period, UsageRecord};
use num_bigint::BigInt;
use serde::Serialize;
use serde_json::{Value, json};

use crate::book::PriceBook;
use crate::currency::Currency;
use crate::error::{RatingError, RatingErrorKind};
use crate::exact::Exact;
use crate::money::{Amount, Money};
use crate::rate::Rating;
use crate::statement::{Bill, BookVersion, LineItem, Statement};

/// The effect of another price book on a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// The period.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
    /// The book that was in force.
    pub old_book: BookVersion,
    /// The book that was tried.
    pub new_book: BookVersion,
    /// The effect on the whole.
    pub total: Effect,
    /// The effect on each statement, in the order of their paths; unchanged ones too.
    pub statements: Vec<StatementEffect>,
}

/// What something costs with either book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// With the old book.
    pub old: Amount,
    /// With the new book.
    pub new: Amount,
    /// New less old: the printed difference of what is printed, the exact of what is exact.
    pub difference: Amount,
}

/// The effect on one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementEffect {
    /// The billing account's domain.
    pub account: DomainId,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The effect on its total.
    pub total: Effect,
    /// By project or account; the parts add up to the total.
    pub holders: Vec<PartEffect>,
    /// By meter, service or package; the parts add up to the total.
    pub items: Vec<PartEffect>,
}

/// The effect on a part of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartEffect {
    /// `project`, `account` or `unknown`; `meter`, `service`, `package`, …
    pub kind: String,
    /// The id of the project or account; the meter's, service's or package's name.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// The effect.
    pub effect: Effect,
}

/// Rates a period with two price books.
///
/// ```
/// use cloudstack_usage::Inventory;
/// use rating_engine::{PriceBook, simulate};
///
/// let book = PriceBook::from_toml("schema = 1\nname = \"B\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"running\"").unwrap();
/// let october = book.civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
/// let simulation = simulate(&book, &book, &[], &Inventory::default(), october).unwrap();
/// assert_eq!(simulation.total.difference.amount, "0.00");
/// ```
///
/// # Errors
/// When a book and the inventory make no plan, or the books differ in their currency.
pub fn simulate(
    old: &PriceBook,
    new: &PriceBook,
    records: &[UsageRecord],
    inventory: &Inventory,
    period: Period,
) -> Result<Simulation, RatingError> {
    let bill = |book| {
        let mut rating = Rating::new(book, inventory, period)?;
        for record in records {
            rating.push(record);
        }
        Ok(rating.finish())
    };
    Simulation::compare(&bill(old)?, &bill(new)?)
}

impl Simulation {
    /// Compares two bills of one period.
    ///
    /// # Errors
    /// When they are of different periods or currencies ([`RatingErrorKind::NotComparable`]).
    pub fn compare(old: &Bill, new: &Bill) -> Result<Self, RatingError> {
        if old.period != new.period || old.currency != new.currency {
            let message = format!(
                "a bill of {} in {} and one of {} in {} cannot be compared; rate one period with books of one currency and zone",
                old.period, old.currency, new.period, new.currency
            );
            return Err(RatingError::new(RatingErrorKind::NotComparable, message));
        }
        let currency = old.currency;
        let mut pairs: BTreeMap<(String, DomainId), [Option<&Statement>; 2]> = BTreeMap::new();
        for (side, bill) in [old, new].into_iter().enumerate() {
            for statement in &bill.statements {
                let key = (statement.path.clone(), statement.account.clone());
                if let Some(slot) = pairs.entry(key).or_default().get_mut(side) {
                    *slot = Some(statement);
                }
            }
        }
        Ok(Self {
            period: old.period,
            currency,
            old_book: old.book.clone(),
            new_book: new.book.clone(),
            total: Effect::of(
                &Sum::new(&old.total, &old.exact),
                &Sum::new(&new.total, &new.exact),
                currency,
            ),
            statements: pairs
                .into_iter()
                .map(|((path, account), sides)| statement(path, account, sides, currency))
                .collect(),
        })
    }

    /// The simulation as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "period": self.period,
            "currency": self.currency,
            "old_book": self.old_book,
            "new_book": self.new_book,
            "total": self.total,
            "statements": self.statements,
        })
    }
}

/// Printed and exact amounts, each added.
#[derive(Default)]
struct Sum {
    minor: BigInt,
    exact: Option<Exact>,
}

impl Sum {
    fn new(printed: &Money, exact: &Exact) -> Self {
        Self {
            minor: printed.minor().clone(),
            exact: Some(exact.clone()),
        }
    }

    fn add(&mut self, line: &LineItem) {
        self.minor += line.amount.minor();
        self.exact = Some(self.exact() + line.net.clone());
    }

    fn exact(&self) -> Exact {
        self.exact.clone().unwrap_or_else(Exact::zero)
    }
}

impl Effect {
    fn of(old: &Sum, new: &Sum, currency: Currency) -> Self {
        let amount =
            |minor: BigInt, exact: Exact| Amount::new(&Money::from_minor(minor, currency), &exact);
        Self {
            old: amount(old.minor.clone(), old.exact()),
            new: amount(new.minor.clone(), new.exact()),
            difference: amount(&new.minor - &old.minor, new.exact() - old.exact()),
        }
    }
}

fn statement(
    path: String,
    account: DomainId,
    sides: [Option<&Statement>; 2],
    currency: Currency,
) -> StatementEffect {
    let [old, new] = sides;
    let sum = |side: Option<&Statement>| {
        side.map_or_else(Sum::default, |side| Sum::new(&side.total, &side.exact))
    };
    let name = new.or(old).map(|side| side.name.clone());
    StatementEffect {
        account,
        name: name.unwrap_or_default(),
        path,
        total: Effect::of(&sum(old), &sum(new), currency),
        holders: parts(sides, currency, |line| {
            let (kind, id) = match &line.holder {
                Holder::Project(id) => ("project", id.to_string()),
                Holder::Account(id) => ("account", id.to_string()),
                Holder::Unknown => ("unknown", String::new()),
            };
            (kind, id, line.holder_name.clone())
        }),
        items: parts(sides, currency, |line| {
            let name = line.item.name().to_owned();
            (line.item.kind(), name.clone(), name)
        }),
    }
}

/// The lines of both sides added by what `part` says of them: kind, id and name.
fn parts(
    sides: [Option<&Statement>; 2],
    currency: Currency,
    part: impl Fn(&LineItem) -> (&'static str, String, String),
) -> Vec<PartEffect> {
    let mut sums: BTreeMap<(&'static str, String), (String, [Sum; 2])> = BTreeMap::new();
    for (side, statement) in sides.into_iter().enumerate() {
        for line in statement.map_or(&[][..], |statement| &statement.lines) {
            let (kind, id, name) = part(line);
            let (_, both) = sums
                .entry((kind, id))
                .or_insert_with(|| (name, <[Sum; 2]>::default()));
            if let Some(sum) = both.get_mut(side) {
                sum.add(line);
            }
        }
    }
    sums.into_iter()
        .map(|((kind, id), (name, [old, new]))| PartEffect {
            kind: kind.to_owned(),
            id,
            name,
            effect: Effect::of(&old, &new, currency),
        })
        .collect()
}
