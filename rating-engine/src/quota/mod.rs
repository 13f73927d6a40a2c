//! The shadow of CloudStack's own Quota plugin: its arithmetic reproduced, to say why its
//! statement and ours differ.
//!
//! Nothing here makes a bill. [`Quota`] computes what the plugin booked for a record, to the
//! last of its 8 decimals.

mod book;
mod compare;
mod double;
mod error;
mod metadata;
mod profile;
mod rule;
mod statement;
mod tariff;

pub use book::{OmittedTariff, TariffBook, book_from_tariffs};
pub use compare::{Cause, CauseKind, ComparedLine, Comparison, OwnerComparison, compare};
pub use error::{QuotaError, QuotaErrorKind};
pub use metadata::Metadata;
pub use profile::{Quota, RecordCharge, TariffCharge};
pub use statement::{QuotaRating, QuotaStatement};
pub use tariff::Tariff;
