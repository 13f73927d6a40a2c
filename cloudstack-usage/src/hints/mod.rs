//! CloudStack's events on a message bus, as hints that something changed.
//!
//! A message never changes what is stored: it carries no sizes, offerings or tags, may come
//! late, twice or never, and only says that it is time to look. What is true is what the
//! lists and the usage say then.

mod broker;
mod changed;
mod hint;
#[cfg(feature = "amqp")]
mod listener;
mod message;
mod pending;
#[cfg(feature = "amqp")]
mod session;

pub use broker::Broker;
pub use hint::Hint;
#[cfg(feature = "amqp")]
pub use listener::{EventListener, ListenOptions};
pub use message::BusMessage;
pub use pending::{EventCounts, PendingHints};
