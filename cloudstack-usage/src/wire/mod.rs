//! The wire format: what the bodies of CloudStack's answers mean, version by version.

mod answer;
mod date;
mod entry;
mod json;
mod lists;
mod refusal;
mod snapshot;
mod usage;
mod usage_types;

pub use answer::Answer;
pub use date::{DateError, parse_date, window_end};
pub use entry::EntryError;
pub use refusal::Refusal;
pub use snapshot::{AddedPage, SnapshotBuilder};
#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) use usage::{page_of as usage_page, usage_offset_minutes};
pub use usage::{parse_usage_page, parse_usage_record};
pub use usage_types::{UsageTypeEntry, parse_usage_types};
