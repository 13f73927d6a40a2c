//! `listZones`.

use crate::metadata::Zone;
use crate::wire::entry::{Entry, EntryError};

/// A zone.
pub(in crate::wire) fn zone(entry: &Entry<'_>) -> Result<Zone, EntryError> {
    Ok(Zone {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
    })
}
