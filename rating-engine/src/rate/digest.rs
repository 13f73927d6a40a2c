//! The digest over everything that a bill was made of.

use std::fmt::Write as _;

use cloudstack_usage::{Inventory, Period};
use sha2::{Digest, Sha256};

use crate::book::model::PriceBook;
use crate::usage::Stream;

/// SHA-256 over the streams in the order of their keys, the inventory, the book, the
/// period and the engine's version: the same for any order of the records.
pub(crate) fn digest(
    book: &PriceBook,
    inventory: &Inventory,
    period: Period,
    streams: &[Stream],
) -> String {
    let mut hash = Sha256::new();
    hash.update(concat!("rating-engine ", env!("CARGO_PKG_VERSION"), "\n"));
    hash.update(format!("{period}\n{}\n", book.digest));
    // a map of strings serialises without fail; an error would only change the digest
    hash.update(serde_json::to_vec(inventory).unwrap_or_default());
    for stream in streams {
        hash.update(format!("{:?}\n{:?}\n", stream.key, stream.shown));
        for entry in &stream.entries {
            hash.update(format!("{} {} {}\n", entry.start, entry.end, entry.raw));
        }
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
