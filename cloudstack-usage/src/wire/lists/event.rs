//! `listEvents`, of which tag events alone are read.

use crate::metadata::{TagAction, TagEvent};
use crate::wire::entry::{Entry, EntryError};

/// A tag event that did happen: completed, and not with an error. None for another event,
/// or for the scheduled and started steps of the same call.
///
/// Source: `ActionEventUtils`; a failed call completes at level `ERROR`.
pub(in crate::wire) fn tag_event(entry: &Entry<'_>) -> Result<Option<TagEvent>, EntryError> {
    let action = match entry.required_text("type")?.as_str() {
        "CREATE_TAGS" => TagAction::Create,
        "DELETE_TAGS" => TagAction::Delete,
        _ => return Ok(None),
    };
    let completed = entry.text("state")?.as_deref() == Some("Completed");
    if !completed || entry.text("level")?.as_deref() == Some("ERROR") {
        return Ok(None);
    }
    Ok(Some(TagEvent {
        at: entry.required_date("created")?,
        action,
        id: entry.required_text("id")?,
        username: entry.text("username")?,
    }))
}
