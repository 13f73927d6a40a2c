//! Hints that wait to be acted on, and what was heard so far.

use std::collections::BTreeSet;

use crate::metadata::Kind;

use super::hint::Hint;
use super::message::BusMessage;

/// Hints since they were taken last, as one: what is to be listed again. However many come,
/// it grows no larger than the number of kinds.
///
/// ```
/// use cloudstack_usage::{BusMessage, Kind, PendingHints};
///
/// let mut pending = PendingHints::default();
/// let key = "management-server.ActionEvent.CREATE_TAGS.ResourceTag.*";
/// for _ in 0..1000 {
///     if let BusMessage::Hint(hint) = BusMessage::read(key, br#"{"status": "Completed"}"#) {
///         pending.add(&hint);
///     }
/// }
/// assert!(pending.kinds().eq([Kind::Tag]));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PendingHints {
    kinds: BTreeSet<Kind>,
    has_gap: bool,
}

impl PendingHints {
    /// Adds a hint.
    pub fn add(&mut self, hint: &Hint) {
        self.kinds.insert(hint.kind);
    }

    /// Notes that messages may have been lost: anything may have changed.
    pub fn add_gap(&mut self) {
        self.has_gap = true;
    }

    /// Whether there is nothing to be listed.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty() && !self.has_gap
    }

    /// The kinds that changed, in their order.
    pub fn kinds(&self) -> impl Iterator<Item = Kind> + '_ {
        self.kinds.iter().copied()
    }

    /// Whether messages may have been lost.
    pub fn has_gap(&self) -> bool {
        self.has_gap
    }
}

/// What was heard since listening began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Messages that were hints.
    pub hints: u64,
    /// Messages that were none, and no concern of a sync.
    pub other: u64,
    /// Messages that could not be read.
    pub unknown: u64,
    /// Connections after the first one.
    pub reconnects: u64,
    /// Whether there is a connection now.
    pub is_connected: bool,
}

impl EventCounts {
    /// All messages.
    pub fn messages(&self) -> u64 {
        self.hints + self.other + self.unknown
    }

    /// Counts a message.
    pub fn count(&mut self, message: &BusMessage) {
        let counter = match message {
            BusMessage::Hint(_) => &mut self.hints,
            BusMessage::Other => &mut self.other,
            BusMessage::Unknown => &mut self.unknown,
        };
        *counter += 1;
    }
}
