//! Any text is a price book or a list of errors.
#![no_main]

use cloudstack_usage::{Inventory, Period};
use libfuzzer_sys::fuzz_target;
use rating_engine::{PriceBook, Rating, diff};

/// What every book needs, so that more of the texts get as far as their rows.
const HEAD: &str = "schema = 1\nname = \"Fuzz\"\ncurrency = \"EUR\"\nzone = \"Europe/Berlin\"\ncompute = \"allocated\"\n";

fn month() -> Period {
    let at = |text: &str| text.parse().expect("an instant");
    Period::new(at("2026-10-01T00:00:00Z"), at("2026-11-01T00:00:00Z")).expect("a month")
}

fuzz_target!(|text: &str| {
    let inventory = Inventory::default();
    let with_head = format!("{HEAD}{text}");
    let reads = [
        PriceBook::from_toml(text),
        PriceBook::from_toml(&with_head),
        PriceBook::from_json(text),
    ];
    for read in reads {
        match read {
            Ok(book) => {
                if let Ok(same) = diff(&book, &book, &inventory) {
                    assert!(same.is_empty(), "a book differs from itself");
                }
                if let Ok(rating) = Rating::new(&book, &inventory, month()) {
                    rating.finish().to_json();
                }
            }
            Err(errors) => assert!(!errors.to_string().is_empty()),
        }
    }
});
