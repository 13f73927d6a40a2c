//! What is only shown of a stream: names and descriptions.

use std::hash::{Hash, Hasher};

use cloudstack_usage::{OsTypeId, UsageRecord};
use rustc_hash::FxHasher;

/// What is only shown: from the record with the latest window, ties by content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shown {
    /// Where the window of that record begins, in milliseconds since 1970.
    window_start: i64,
    pub(crate) name: Option<String>,
    pub(crate) description: String,
    pub(crate) holder_name: Option<String>,
    pub(crate) domain_name: Option<String>,
    pub(crate) domain_path: Option<String>,
    pub(crate) hypervisor: Option<String>,
    pub(crate) os_type: Option<OsTypeId>,
    pub(crate) os_category_name: Option<String>,
    pub(crate) is_system: bool,
}

impl Shown {
    /// Nothing but a name.
    pub(crate) fn imagined(name: &str) -> Self {
        Self {
            window_start: 0,
            name: Some(name.to_owned()),
            description: String::new(),
            holder_name: None,
            domain_name: None,
            domain_path: None,
            hypervisor: None,
            os_type: None,
            os_category_name: None,
            is_system: false,
        }
    }

    pub(crate) fn of(record: &UsageRecord) -> Self {
        Self {
            window_start: record.window.start().timestamp_millis(),
            name: record.name.clone(),
            description: record.description.clone(),
            holder_name: record.holder_name.clone(),
            domain_name: record.domain_name.clone(),
            domain_path: record.domain_path.clone(),
            hypervisor: record.kind.clone(),
            os_type: record.os_type.clone(),
            os_category_name: record.os_category_name.clone(),
            is_system: record.is_system == Some(true),
        }
    }

    /// Shows what `record` says instead, if that is greater: its window is later, or its
    /// content for one window. The window of what is shown begins at `start`. Tells whether
    /// it does.
    pub(crate) fn update(&mut self, record: &UsageRecord, start: i64) -> bool {
        self.window_start = start;
        let other = Self::of(record);
        let is_greater = other > *self;
        if is_greater {
            *self = other;
        }
        is_greater
    }
}

/// A number for what a record shows: records of one number show the same, whatever their
/// window. Two contents may have one number by chance, once in 2^64: then a text is shown
/// that is not the latest.
pub(crate) fn shown_hash(record: &UsageRecord) -> u64 {
    let mut hasher = FxHasher::default();
    record.name.hash(&mut hasher);
    record.description.hash(&mut hasher);
    record.holder_name.hash(&mut hasher);
    record.domain_name.hash(&mut hasher);
    record.domain_path.hash(&mut hasher);
    record.kind.hash(&mut hasher);
    record.os_type.hash(&mut hasher);
    record.os_category_name.hash(&mut hasher);
    (record.is_system == Some(true)).hash(&mut hasher);
    hasher.finish()
}
