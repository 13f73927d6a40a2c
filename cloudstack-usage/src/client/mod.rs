//! The API client. What to ask next, whether to try again and what an answer means is
//! decided by [`usage_task`] and [`snapshot_task`] without input or output; the blocking
//! and the asynchronous client only send and sleep.

#[cfg(feature = "async")]
mod asynchronous;
#[cfg(feature = "blocking")]
mod blocking;
mod dialect_task;
mod http;
mod options;
mod retry;
mod snapshot_task;
mod usage_task;

#[cfg(feature = "async")]
pub use asynchronous::AsyncClient;
#[cfg(feature = "blocking")]
pub use blocking::BlockingClient;
pub use options::{ClientOptions, HttpMethod, Progress};

use crate::source::Notice;

fn notice(slug: &str, message: String) -> Notice {
    Notice {
        slug: slug.to_owned(),
        message,
    }
}
