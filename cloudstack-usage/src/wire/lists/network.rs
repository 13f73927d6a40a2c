//! `listNetworks`.

use super::{Listed, optional_owner};
use crate::metadata::Network;
use crate::wire::entry::{Entry, EntryError};

/// A guest network.
pub(in crate::wire) fn network(entry: &Entry<'_>) -> Result<Listed<Network>, EntryError> {
    let listed = optional_owner(entry)?;
    let id: String = entry.required_text("id")?;
    let (owner, account_name) = listed.map_or((None, None), |l| (Some(l.owner), l.account_name));
    Ok(Listed {
        value: Network {
            name: entry.text("name")?.unwrap_or_else(|| id.clone()),
            id: id.as_str().into(),
            owner,
            offering: entry.id("networkofferingid")?,
            created: entry.date("created")?,
            zone: entry.id("zoneid")?,
        },
        account_name,
    })
}
