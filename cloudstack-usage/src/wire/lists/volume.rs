//! `listVolumes`.

use super::{Listed, listed_owner};
use crate::metadata::Volume;
use crate::wire::entry::{Entry, EntryError};

/// A volume, those in state `Destroy` included. The service offering of a root volume is
/// passed over: it is an internal number up to 4.23.
pub(in crate::wire) fn volume(entry: &Entry<'_>) -> Result<Listed<Volume>, EntryError> {
    let listed = listed_owner(entry)?;
    let id: String = entry.required_text("id")?;
    Ok(Listed {
        value: Volume {
            name: entry.text("name")?.unwrap_or_else(|| id.clone()),
            id: id.as_str().into(),
            volume_type: entry.text("type")?,
            owner: listed.owner,
            created: entry.date("created")?,
            state: entry.text("state")?,
            size_bytes: entry.number("size")?,
            vm: entry.id("virtualmachineid")?,
            attached: entry.date("attached")?,
            offering: entry.id("diskofferingid")?,
            zone: entry.id("zoneid")?,
            tags: entry.tags()?,
        },
        account_name: listed.account_name,
    })
}
