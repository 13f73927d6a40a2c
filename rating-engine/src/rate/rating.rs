//! Rating: records in, a bill out.

use chrono::TimeDelta;
use cloudstack_usage::{Inventory, Period, Rejection, UsageRecord};

use super::rated::{self, Wanted};
use crate::book::model::PriceBook;
use crate::error::RatingError;
use crate::plan::Plan;
use crate::statement::Bill;
use crate::totals::Totals;
use crate::usage::Streams;

/// Rates usage records with a price book against an inventory.
///
/// Records come in any order; each is only added to its stream. Everything else happens
/// once per stream when the bill is [finished](Self::finish).
///
/// ```
/// use cloudstack_usage::Inventory;
/// use rating_engine::{PriceBook, Rating};
///
/// let book = PriceBook::from_toml(r#"
///     schema = 1
///     name = "Example"
///     currency = "EUR"
///     zone = "UTC"
///     compute = "allocated"
/// "#).unwrap();
/// let inventory = Inventory::default();
/// let october = book.civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
/// let rating = Rating::new(&book, &inventory, october).unwrap();
/// // for record in records { rating.push(&record); }
/// assert_eq!(rating.finish().total.to_string(), "0.00 EUR");
/// ```
#[derive(Debug)]
pub struct Rating<'a> {
    plan: Plan<'a>,
    streams: Streams,
    rejections: Vec<Rejection>,
}

impl<'a> Rating<'a> {
    /// Compiles the plan for a period.
    ///
    /// # Errors
    /// When a name in the book belongs to several domains, projects, VMs or volumes, or the
    /// period is longer than a century or reaches beyond the years 1 to 9999.
    pub fn new(
        book: &'a PriceBook,
        inventory: &'a Inventory,
        period: Period,
    ) -> Result<Self, RatingError> {
        let plan = Plan::compile(book, inventory, period)?;
        Ok(Self {
            plan,
            streams: Streams::default(),
            rejections: Vec::new(),
        })
    }

    /// The time whose records should be [pushed](Self::push) to rate `period`: two days more
    /// on each side, since records cross its bounds and the windows beside them say where
    /// in a window a resource was used.
    pub fn input_range(period: Period) -> Period {
        let two_days = TimeDelta::days(2);
        let start = period.start().checked_sub_signed(two_days);
        let end = period.end().checked_add_signed(two_days);
        let (start, end) = (start.unwrap_or(period.start()), end.unwrap_or(period.end()));
        Period::new(start, end).unwrap_or(period)
    }

    /// Adds a record.
    pub fn push(&mut self, record: &UsageRecord) {
        self.streams.push(record);
    }

    /// Adds records, such as those of a page. The same as [`push`](Self::push) for each, and
    /// faster where they come in no order that was seen before: they are looked up together.
    pub fn push_all(&mut self, records: &[UsageRecord]) {
        self.streams.push_all(records);
    }

    /// Adds a record that could not be read: it becomes a finding.
    pub fn reject(&mut self, rejection: &Rejection) {
        self.rejections.push(rejection.clone());
    }

    /// Rates everything.
    pub fn finish(self) -> Bill {
        let streams = self.streams.into_sorted();
        rated::rate(self.plan, &streams, Wanted::Bill, |rated| {
            rated.bill(&self.rejections)
        })
    }

    /// Rates everything and gives the exact sums alone: no statements, no findings, no
    /// explanations. Several times as fast as [`finish`](Self::finish), for asking what
    /// another price book would have made of a year.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method is no function of any two lifetimes"
    )]
    pub fn totals(self) -> Totals {
        let streams = self.streams.into_sorted();
        rated::rate(self.plan, &streams, Wanted::Totals, |rated| rated.totals())
    }
}
