//! `listDomains`.

use crate::metadata::Domain;
use crate::wire::entry::{Entry, EntryError};

/// A domain. An answer without paths (before 4.4) gives the name for it.
pub(in crate::wire) fn domain(entry: &Entry<'_>) -> Result<Domain, EntryError> {
    let name = entry.required_text("name")?;
    Ok(Domain {
        id: entry.required_id("id")?,
        path: entry.text("path")?.unwrap_or_else(|| name.clone()),
        name,
        parent: entry.id("parentdomainid")?,
    })
}
