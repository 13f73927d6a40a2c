//! `listVirtualMachines`.

use super::{Listed, listed_owner};
use crate::metadata::Vm;
use crate::wire::entry::{Entry, EntryError};

/// A VM, destroyed and expunging ones included with their state. The guest OS type is
/// `guestosid`, which is a UUID in every version; `ostypeid` was an internal number once.
pub(in crate::wire) fn vm(entry: &Entry<'_>) -> Result<Listed<Vm>, EntryError> {
    let listed = listed_owner(entry)?;
    let id: String = entry.required_text("id")?;
    let os_type = match entry.id("guestosid")? {
        Some(os_type) => Some(os_type),
        None => entry.id("ostypeid")?,
    };
    Ok(Listed {
        value: Vm {
            name: entry.text("name")?.unwrap_or_else(|| id.clone()),
            id: id.as_str().into(),
            display_name: entry.text("displayname")?,
            owner: listed.owner,
            created: entry.date("created")?,
            last_updated: entry.date("lastupdated")?,
            state: entry.text("state")?,
            offering: entry.id("serviceofferingid")?,
            template: entry.id("templateid")?,
            os_type,
            cpu_count: entry.positive("cpunumber")?,
            memory_mib: entry.positive("memory")?,
            zone: entry.id("zoneid")?,
            hypervisor: entry.text("hypervisor")?,
            tags: entry.tags()?,
        },
        account_name: listed.account_name,
    })
}
