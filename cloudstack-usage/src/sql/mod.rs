//! Reading CloudStack's own databases.

#[cfg(feature = "sql")]
mod database;
#[cfg(feature = "sql")]
mod description;
#[cfg(feature = "sql")]
mod events;
#[cfg(feature = "sql")]
mod jobs;
#[cfg(feature = "sql")]
mod metadata;
#[cfg(feature = "sql")]
mod schema;
mod server;
#[cfg(feature = "sql")]
mod source;
#[cfg(feature = "sql")]
mod tls;
#[cfg(feature = "sql")]
mod usage;

pub use server::{SqlServer, SqlTls};
#[cfg(feature = "sql")]
pub use source::SqlSource;
