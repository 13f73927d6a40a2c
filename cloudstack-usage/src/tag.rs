//! Tags of resources.

use serde::{Deserialize, Serialize};

use crate::id::ResourceId;

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// The key, as written (CloudStack's keys are case-insensitive only by collation).
    pub key: String,
    /// The value, free text of tenants.
    pub value: String,
}

impl Tag {
    /// A tag with this key and value.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// A tag together with the resource that carries it, as `listTags` gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceTag {
    /// CloudStack's name of the resource's type (`UserVm`, `Volume`, `Project`, …).
    pub resource_type: String,
    /// The resource.
    pub resource: ResourceId,
    /// Key and value.
    #[serde(flatten)]
    pub tag: Tag,
}
