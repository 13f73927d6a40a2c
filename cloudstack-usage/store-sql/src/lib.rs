//! SQL stores for [`cloudstack_usage`], and the driver that syncs a CloudStack into one.
//!
//! [`SqliteStore`] and, with the feature `mariadb`, `MariaDbStore` implement the store port
//! ([`UsageStore`](cloudstack_usage::store::UsageStore)); [`sync`] pulls a
//! [`Source`](cloudstack_usage::Source) into any store. Neither reads a clock.

mod columns;
mod document;
mod driver;
mod error;
mod location;
#[cfg(feature = "mariadb")]
mod mariadb;
mod plan;
mod schema;
mod sqlite;

pub use driver::{SyncProgress, SyncReport, sync};
pub use error::{SyncError, SyncErrorKind};
pub use location::StoreLocation;
#[cfg(feature = "mariadb")]
pub use mariadb::MariaDbStore;
pub use plan::{SyncOptions, plan_usage};
pub use sqlite::SqliteStore;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
