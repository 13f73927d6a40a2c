//! The shadow of CloudStack's own Quota plugin: its arithmetic reproduced, to say why its
//! statement and ours differ.
//!
//! Nothing here makes a bill. [`Quota`] computes what the plugin booked for a record, to the
//! last of its 8 decimals.

mod double;
mod error;
mod metadata;
mod profile;
mod rule;
mod tariff;

pub use error::{QuotaError, QuotaErrorKind};
pub use metadata::Metadata;
pub use profile::{Quota, RecordCharge, TariffCharge};
pub use tariff::Tariff;
