//! One hint.

use chrono::{DateTime, Utc};

use crate::id::ResourceId;
use crate::metadata::Kind;

/// That something of a kind changed: a reason to list it soon, and nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// The kind of thing that changed, by the list that shows it: [`Kind::Tag`] for tags of
    /// whatever resource, [`Kind::Vm`] for VMs, …
    pub kind: Kind,
    /// Which one; none where the message does not tell. Events of tags never tell it.
    pub resource: Option<ResourceId>,
    /// CloudStack's name of the event, such as `VM.START` or `CREATE_TAGS`; for a change of
    /// state that of the transition, such as `OperationSucceeded`.
    pub event: String,
    /// When, by the management server's clock, to the second; none where it is not told.
    pub at: Option<DateTime<Utc>>,
}
