//! SQL stores for [`cloudstack_usage`], and the driver that syncs a CloudStack into one.

mod sqlite;

pub use sqlite::SqliteStore;
