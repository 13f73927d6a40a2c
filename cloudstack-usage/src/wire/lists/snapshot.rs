//! `listSnapshots`.

use super::{Listed, listed_owner};
use crate::metadata::VolumeSnapshot;
use crate::wire::entry::{Entry, EntryError};

/// A volume snapshot. It is listed once per store that holds it.
pub(in crate::wire) fn volume_snapshot(
    entry: &Entry<'_>,
) -> Result<Listed<VolumeSnapshot>, EntryError> {
    let listed = listed_owner(entry)?;
    let id: String = entry.required_text("id")?;
    Ok(Listed {
        value: VolumeSnapshot {
            name: entry.text("name")?.unwrap_or_else(|| id.clone()),
            id: id.as_str().into(),
            volume: entry.id("volumeid")?,
            owner: listed.owner,
            created: entry.date("created")?,
            zone: entry.id("zoneid")?,
        },
        account_name: listed.account_name,
    })
}
