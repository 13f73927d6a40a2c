//! Rating: the one place that drives the engine.

use std::sync::Arc;

use cloudstack_usage::{InventoryBuilder, Period, TagMomentRule, UsageLifetimes};
use pyo3::prelude::*;
use rating_engine::{Bill, PriceBook, Rating, TagMoments, Totals};

use crate::bill::PyBill;
use crate::book::PyPriceBook;
use crate::failure::Failure;
use crate::inventory::PyInventory;
use crate::period::PyPeriod;
use crate::signals;
use crate::totals::PyTotals;
use crate::usage::PyUsage;

/// Rates the usage of a period with a price book.
#[pyfunction]
pub(crate) fn rate(
    py: Python<'_>,
    book: &PyPriceBook,
    usage: &PyUsage,
    inventory: &PyInventory,
    period: &PyPeriod,
) -> Result<PyBill, Failure> {
    let bill = py.detach(|| {
        rated(&book.0, usage, inventory, period.0, |rating| {
            rating.finish()
        })
    })?;
    Ok(PyBill(Arc::new(bill)))
}

/// The exact sums of what a period costs, without statements and findings.
#[pyfunction]
pub(crate) fn totals(
    py: Python<'_>,
    book: &PyPriceBook,
    usage: &PyUsage,
    inventory: &PyInventory,
    period: &PyPeriod,
) -> Result<PyTotals, Failure> {
    let totals = py.detach(|| {
        rated(&book.0, usage, inventory, period.0, |rating| {
            rating.totals()
        })
    })?;
    Ok(PyTotals(Arc::new(totals)))
}

/// Ends a rating with its bill.
pub(crate) fn to_bill(rating: Rating<'_>) -> Bill {
    rating.finish()
}

/// Ends a rating with its sums alone.
pub(crate) fn to_totals(rating: Rating<'_>) -> Totals {
    rating.totals()
}

/// Gives all usage that touches the period to a rating, which `finish` ends.
fn rated<T>(
    book: &PriceBook,
    usage: &PyUsage,
    inventory: &PyInventory,
    period: Period,
    finish: impl FnOnce(Rating<'_>) -> T,
) -> Result<T, Failure> {
    let histories = histories(book, usage, inventory)?;
    let mut rating = Rating::new(book, &histories, period)?;
    let range = Rating::input_range(period);
    for part in usage.records.chunks(signals::RECORDS) {
        let touching = part.iter().filter(|record| record.window.overlaps(&range));
        touching.for_each(|record| rating.push(record));
        signals::check()?;
    }
    let rejections = inventory.rejections.iter().chain(&*usage.rejections);
    rejections.for_each(|rejection| rating.reject(rejection));
    Ok(finish(rating))
}

/// The histories that the book asks for, from all that is known.
fn histories(
    book: &PriceBook,
    usage: &PyUsage,
    inventory: &PyInventory,
) -> Result<cloudstack_usage::Inventory, Failure> {
    let mut builder = builder(book);
    for sync in inventory.syncs.iter() {
        builder.observe(sync);
    }
    builder.labels(inventory.labels.to_vec());
    let mut lifetimes = UsageLifetimes::default();
    for part in usage.records.chunks(signals::RECORDS) {
        for record in part {
            lifetimes.observe(record);
        }
        signals::check()?;
    }
    builder.usage(lifetimes);
    Ok(builder.build())
}

/// A builder that places tag changes as the book wants them.
pub(crate) fn builder(book: &PriceBook) -> InventoryBuilder {
    let mut builder = InventoryBuilder::new();
    builder.tag_moments(match book.tag_moments() {
        TagMoments::Event => TagMomentRule::Event,
        TagMoments::Seen => TagMomentRule::Seen,
    });
    builder
}
