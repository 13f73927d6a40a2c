//! Price books: model, file format, validation.

mod change;
mod conflict;
mod diff;
mod document;
mod edit;
mod editable;
mod errors;
pub(crate) mod factor;
mod fields;
mod load;
mod load_kind;
mod load_selector;
mod load_terms;
mod load_zones;
pub(crate) mod model;
pub(crate) mod selector;
pub(crate) mod terms;
mod when;

pub use change::BookChange;
pub(crate) use conflict::pattern_matches;
pub use diff::{BookDiff, DiffEntry, DiffKind, diff};
pub use edit::{ChangeNote, Edit, EditedBook, edit_book};
pub use editable::{BookFormat, Row};
pub use errors::{BookError, BookErrors};
pub use model::PriceBook;
pub use when::{ParseWhenError, When};
