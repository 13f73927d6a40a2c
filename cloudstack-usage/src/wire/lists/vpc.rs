//! `listVPCs`.

use super::{Listed, optional_owner};
use crate::metadata::Vpc;
use crate::wire::entry::{Entry, EntryError};

/// A VPC.
pub(in crate::wire) fn vpc(entry: &Entry<'_>) -> Result<Listed<Vpc>, EntryError> {
    let listed = optional_owner(entry)?;
    let id: String = entry.required_text("id")?;
    let (owner, account_name) = listed.map_or((None, None), |l| (Some(l.owner), l.account_name));
    Ok(Listed {
        value: Vpc {
            name: entry.text("name")?.unwrap_or_else(|| id.clone()),
            id: id.as_str().into(),
            owner,
            created: entry.date("created")?,
            zone: entry.id("zoneid")?,
        },
        account_name,
    })
}
