//! `listTags`.

use crate::id::ResourceId;
use crate::tag::ResourceTag;
use crate::wire::entry::{Entry, EntryError};

/// What CloudStack allows one value for: type and id of the resource, and the key.
pub(in crate::wire) type TagKey = (String, ResourceId, String);

/// A tag and its resource.
pub(in crate::wire) fn resource_tag(
    entry: &Entry<'_>,
) -> Result<(TagKey, ResourceTag), EntryError> {
    let tag = ResourceTag {
        resource_type: entry.required_text("resourcetype")?,
        resource: entry.required_id("resourceid")?,
        tag: entry.tag()?,
    };
    let key = (
        tag.resource_type.clone(),
        tag.resource.clone(),
        tag.tag.key.clone(),
    );
    Ok((key, tag))
}
