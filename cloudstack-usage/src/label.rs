//! Labels: tags kept in our own store.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::ResourceId;
use crate::period::Period;

/// A tag that is kept on our side, because CloudStack's own can be set by tenants.
///
/// While it is valid it wins over a CloudStack tag of the same key on the same resource.
/// Of several labels valid at once, the one recorded last counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Label {
    /// CloudStack's name of the resource's type (`UserVm`, `Volume`, `Project`, `Domain`, …).
    pub resource_type: String,
    /// The resource.
    pub resource: ResourceId,
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
    /// When it counts.
    pub validity: Period,
    /// Who wrote it.
    pub author: String,
    /// When it was written.
    pub recorded: DateTime<Utc>,
}
