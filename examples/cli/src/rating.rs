//! The one place that drives the engine: usage and metadata in, a bill out.

use std::path::Path;

use chrono::NaiveDate;
use cloudstack_usage::{Inventory, InventoryBuilder, Period, TagMomentRule};
use rating_engine::{Bill, BookVersion, FindingKind, PriceBook, Rating, TagMoments};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::Input;

/// Reads a price book; the name says whether it is JSON, all else is TOML.
pub(crate) fn load_book(path: &Path) -> Result<PriceBook, Failure> {
    Ok(read_book(path)?.0)
}

/// A price book with its text, to be kept.
pub(crate) fn read_book(path: &Path) -> Result<(PriceBook, String), Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    Ok((parse_book(path, &text)?, text))
}

/// The text of the price book that a bill was made with, to be kept with it.
///
/// # Errors
/// When the file cannot be read, or has another content by now.
pub(crate) fn text_of_book(path: &Path, rated: &BookVersion) -> Result<String, Failure> {
    let (book, text) = read_book(path)?;
    if book.digest() != rated.digest {
        let message = format!(
            "{} was changed while the bill was made; nothing was issued, run it again",
            path.display()
        );
        return Err(Failure::new(Exit::Failed, message));
    }
    Ok(text)
}

fn parse_book(path: &Path, text: &str) -> Result<PriceBook, Failure> {
    let book = if is_json(path) {
        PriceBook::from_json(text)
    } else {
        PriceBook::from_toml(text)
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
    inventory.usage(input.lifetimes()?);
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

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str =
        "schema = 1\nname = \"B\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"running\"\n";
    const PRICE: &str = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 3\nper = \"month\"\n";

    #[test]
    fn a_book_that_changed_meanwhile_is_not_kept_with_the_bill() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("book.toml");
        std::fs::write(&path, BOOK).unwrap();
        let book = load_book(&path).unwrap();
        let day = "2026-10-01".parse().unwrap();
        let period = civil_period(&book, day, day).unwrap();
        let inventory = Inventory::default();
        let bill = Rating::new(&book, &inventory, period).unwrap().finish();
        assert_eq!(text_of_book(&path, &bill.book).unwrap(), BOOK);
        std::fs::write(&path, format!("{BOOK}{PRICE}")).unwrap();
        let failure = text_of_book(&path, &bill.book).unwrap_err();
        assert!(failure.to_string().contains("was changed"), "{failure}");
    }
}
