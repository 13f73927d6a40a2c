//! Reading CloudStack's own databases.

mod server;

pub use server::SqlServer;
