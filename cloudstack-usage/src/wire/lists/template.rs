//! `listTemplates`.

use crate::metadata::Template;
use crate::wire::entry::{Entry, EntryError};

/// A template. It is listed once per zone.
pub(in crate::wire) fn template(entry: &Entry<'_>) -> Result<Template, EntryError> {
    Ok(Template {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
        os_type: entry.id("ostypeid")?,
    })
}
