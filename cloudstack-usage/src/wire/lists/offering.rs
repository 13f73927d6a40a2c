//! `listServiceOfferings`, `listDiskOfferings` and `listNetworkOfferings`.

use crate::metadata::Offering;
use crate::wire::entry::{Entry, EntryError};

/// A service offering. A custom one has neither vCPUs nor memory of its own.
pub(in crate::wire) fn service_offering(entry: &Entry<'_>) -> Result<Offering, EntryError> {
    // until 4.12 the storage tags of a service offering were called `tags`
    let storage_tags = match entry.text("storagetags")? {
        Some(tags) => Some(tags),
        None => text_tags(entry)?,
    };
    Ok(Offering {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
        cpu_count: entry.positive("cpunumber")?,
        memory_mib: entry.positive("memory")?,
        storage_tags,
    })
}

/// A disk offering; its `tags` are the tags of the storage that it asks for.
pub(in crate::wire) fn disk_offering(entry: &Entry<'_>) -> Result<Offering, EntryError> {
    Ok(Offering {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
        cpu_count: None,
        memory_mib: None,
        storage_tags: text_tags(entry)?,
    })
}

/// A network offering.
pub(in crate::wire) fn network_offering(entry: &Entry<'_>) -> Result<Offering, EntryError> {
    Ok(Offering {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
        cpu_count: None,
        memory_mib: None,
        storage_tags: None,
    })
}

/// `tags` of an offering is a text, elsewhere a list of resource tags.
fn text_tags(entry: &Entry<'_>) -> Result<Option<String>, EntryError> {
    if entry.is_list("tags") {
        Ok(None)
    } else {
        entry.text("tags")
    }
}
