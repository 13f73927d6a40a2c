//! Labels: tags kept in our own store.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::ResourceId;
use crate::period::Period;

/// What a label is on: a resource, and the key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelTarget {
    /// CloudStack's name of the resource's type (`UserVm`, `Volume`, `Project`, `Domain`, …).
    pub resource_type: String,
    /// The resource.
    pub resource: ResourceId,
    /// The key.
    pub key: String,
}

/// A tag of our own on a resource, kept because CloudStack's can be set by tenants: it holds
/// for a time that was written down, and is known since it was recorded.
///
/// While it is valid it wins over a CloudStack tag of the same key on the same resource. In
/// a store a target has one value at any time; where several are given to an
/// [`InventoryBuilder`](crate::InventoryBuilder), the one recorded last counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    /// What it is on.
    #[serde(flatten)]
    pub target: LabelTarget,
    /// When it holds.
    pub valid: Period,
    /// Its value.
    pub value: String,
    /// Who set it.
    pub author: String,
    /// When it was recorded.
    pub recorded: DateTime<Utc>,
}
