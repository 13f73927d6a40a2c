//! What is held back where a moment is not known: of two possible states the cheaper counts.

use chrono::{DateTime, Utc};
use cloudstack_usage::ResourceId;

use super::subject::Override;

/// A stretch of time in which another state counts than the inventory says.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    pub(crate) from: DateTime<Utc>,
    pub(crate) until: DateTime<Utc>,
    pub(crate) what: Held,
}

/// What counts instead.
#[derive(Debug, Clone)]
pub(crate) enum Held {
    /// Another value of a tag, or none.
    Tag(Override),
    /// The size that a VM has at the end of the stretch.
    Size { vm: ResourceId, size: Size },
}

/// A size of a VM that only the inventory may know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Cpus,
    Memory,
}

impl Size {
    /// The size in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Cpus => "its number of vCPUs",
            Self::Memory => "its memory",
        }
    }
}

impl Hold {
    pub(crate) fn contains(&self, instant: DateTime<Utc>) -> bool {
        self.from <= instant && instant < self.until
    }

    /// The resource whose state is in doubt.
    pub(crate) fn resource(&self) -> &ResourceId {
        match &self.what {
            Held::Tag(tag) => &tag.resource,
            Held::Size { vm, .. } => vm,
        }
    }

    /// The tag that counts instead.
    pub(crate) fn tag(&self) -> Option<&Override> {
        match &self.what {
            Held::Tag(tag) => Some(tag),
            Held::Size { .. } => None,
        }
    }

    /// Whether it is about this size.
    pub(crate) fn is_of(&self, wanted: Size) -> bool {
        matches!(self.what, Held::Size { size, .. } if size == wanted)
    }

    /// What counts, for a line's explanation.
    pub(crate) fn words(&self) -> String {
        match &self.what {
            Held::Tag(Override {
                key,
                value: Some(value),
                ..
            }) => format!("tag {key} in doubt: {value} counts, which costs less"),
            Held::Tag(Override { key, .. }) => {
                format!("tag {key} in doubt: not set counts, which costs less")
            }
            Held::Size { size, .. } => {
                format!(
                    "{} in doubt: the later one counts, which costs less",
                    size.words()
                )
            }
        }
    }
}
