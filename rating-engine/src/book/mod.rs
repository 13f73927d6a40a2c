//! Price books: model, file format, validation.

mod conflict;
mod document;
mod errors;
mod fields;
mod load;
mod load_terms;
pub(crate) mod model;
pub(crate) mod terms;

pub(crate) use conflict::pattern_matches;
pub use errors::{BookError, BookErrors};
pub use model::PriceBook;
