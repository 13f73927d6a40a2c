//! `listOsTypes` and `listOsCategories`.

use crate::metadata::{OsCategory, OsType};
use crate::wire::entry::{Entry, EntryError, missing};

/// A guest OS type; its name is `description` in every version.
pub(in crate::wire) fn os_type(entry: &Entry<'_>) -> Result<OsType, EntryError> {
    let name = match entry.text("description")? {
        Some(description) => Some(description),
        None => entry.text("name")?,
    };
    Ok(OsType {
        id: entry.required_id("id")?,
        name: name.ok_or_else(|| missing("description"))?,
        category: entry.id("oscategoryid")?,
    })
}

/// A category of guest OS types.
pub(in crate::wire) fn os_category(entry: &Entry<'_>) -> Result<OsCategory, EntryError> {
    Ok(OsCategory {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
    })
}
