//! A server on loopback that answers as a recorded CloudStack did: signatures checked, real
//! paging, the filters of `listUsageRecords` over the recorded records, metadata as of each
//! recorded sync, usage only of windows that had ended by the server's clock, and whatever
//! fault a test asks for.
//!
//! [`Recording`] reads a recording from a folder, and makes a copy of it in which all dates,
//! names and ids are others ([`Recording::shifted`]); [`ReplayServer`] serves it, and
//! [`FaultyNetwork`] breaks the connections to it.

mod answer;
mod error;
mod lists;
mod network;
mod options;
mod paging;
mod recording;
mod request;
mod server;
mod shift;
mod time;
mod usage;

pub use error::{Error, ErrorKind};
pub use network::{Break, FaultyNetwork};
pub use options::{ExpiryClock, Fault, Options};
pub use recording::Recording;
pub use server::{LoggedRequest, ReplayServer};
pub use shift::{Mapping, Shift};

/// The version that the recorded server gave.
pub(crate) const VERSION: &str = "4.23.0.0-SNAPSHOT";
