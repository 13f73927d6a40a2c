//! `listPublicIpAddresses`.

use super::{Listed, listed_owner};
use crate::metadata::IpAddress;
use crate::wire::entry::{Entry, EntryError};

/// A public address; none for a free one, which belongs to nobody.
pub(in crate::wire) fn ip_address(
    entry: &Entry<'_>,
) -> Result<Option<Listed<IpAddress>>, EntryError> {
    let state = entry.text("state")?;
    if state.as_deref() == Some("Free") {
        return Ok(None);
    }
    let listed = listed_owner(entry)?;
    Ok(Some(Listed {
        value: IpAddress {
            id: entry.required_id("id")?,
            address: entry.required_text("ipaddress")?,
            owner: listed.owner,
            allocated: entry.date("allocated")?,
            state,
            is_system: entry.boolean("issystem")?.unwrap_or(false),
            is_source_nat: entry.boolean("issourcenat")?.unwrap_or(false),
            zone: entry.id("zoneid")?,
        },
        account_name: listed.account_name,
    }))
}
