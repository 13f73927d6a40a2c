//! The one place that drives the engine: usage and metadata in, a bill out.

use std::path::Path;

use chrono::NaiveDate;
use cloudstack_usage::{Inventory, InventoryBuilder, Period, TagMomentRule, UsageLifetimes};
use rating_engine::{Bill, FindingKind, PriceBook, Rating, TagMoments};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::Input;

/// Reads a price book; the name says whether it is JSON, all else is TOML.
pub(crate) fn load_book(path: &Path) -> Result<PriceBook, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let book = if is_json(path) {
        PriceBook::from_json(&text)
    } else {
        PriceBook::from_toml(&text)
    };
    book.map_err(|errors| {
        Failure::new(Exit::Configuration, format!("{}: {errors}", path.display()))
    })
}

/// Whether a price book is JSON, by its name.
pub(crate) fn is_json(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ext| ext.eq_ignore_ascii_case("json"))
}

/// The period of the civil dates from `first` to `last`, both included.
pub(crate) fn civil_period(
    book: &PriceBook,
    first: NaiveDate,
    last: NaiveDate,
) -> Result<Period, Failure> {
    book.civil_period(first, last)
        .map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// Rates what was used in `period`. Usage is read one margin beyond it, since what lies
/// around a record decides where in its window the used time was.
pub(crate) fn rate(book: &PriceBook, period: Period, input: &mut Input) -> Result<Bill, Failure> {
    let inventory = inventory(book, input)?;
    rate_with(book, &inventory, period, input)
}

/// The inventory as this book wants it.
pub(crate) fn inventory(book: &PriceBook, input: &mut Input) -> Result<Inventory, Failure> {
    let mut inventory = InventoryBuilder::new();
    inventory.tag_moments(match book.tag_moments() {
        TagMoments::Event => TagMomentRule::Event,
        TagMoments::Seen => TagMomentRule::Seen,
    });
    input.snapshots(&mut |snapshot| inventory.observe(snapshot))?;
    inventory.labels(input.labels()?);
    // first and last use count wherever they lie
    let mut lifetimes = UsageLifetimes::default();
    input.usage(Period::always(), &mut |record| {
        lifetimes.observe(record);
        Ok(())
    })?;
    inventory.usage(lifetimes);
    Ok(inventory.build())
}

/// Rates what was used in `period`, against an inventory that is built already.
pub(crate) fn rate_with(
    book: &PriceBook,
    inventory: &Inventory,
    period: Period,
    input: &mut Input,
) -> Result<Bill, Failure> {
    let range = Rating::input_range(period);
    let mut rating = Rating::new(book, inventory, period)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    input.usage(range, &mut |record| {
        rating.push(record);
        Ok(())
    })?;
    for rejection in input.rejections(range)? {
        rating.reject(&rejection);
    }
    Ok(rating.finish())
}

/// Whether something was left out of the bill that should be looked at.
pub(crate) fn exit(bill: &Bill) -> Exit {
    let left_out = bill
        .findings
        .iter()
        .any(|finding| matches!(finding.kind, FindingKind::Rejected | FindingKind::Unpriced));
    if left_out || bill.counts.held > 0 {
        Exit::Refused
    } else {
        Exit::Success
    }
}
