//! `listProjects`.

use crate::metadata::Project;
use crate::wire::entry::{Entry, EntryError};

/// A project.
pub(in crate::wire) fn project(entry: &Entry<'_>) -> Result<Project, EntryError> {
    Ok(Project {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
        display_text: entry.text("displaytext")?,
        domain: entry.required_id("domainid")?,
        state: entry.text("state")?,
        tags: entry.tags()?,
    })
}
