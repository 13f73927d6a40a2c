//! SQL stores for [`cloudstack_usage`], and the driver that syncs a CloudStack into one.
//!
//! [`SqliteStore`] implements the store port
//! ([`UsageStore`](cloudstack_usage::store::UsageStore)); [`sync`] pulls a
//! [`Source`](cloudstack_usage::Source) into any store. Neither reads a clock.

mod driver;
mod error;
mod plan;
mod sqlite;

pub use driver::{SyncProgress, SyncReport, sync};
pub use error::{SyncError, SyncErrorKind};
pub use plan::{SyncOptions, plan_usage};
pub use sqlite::SqliteStore;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
