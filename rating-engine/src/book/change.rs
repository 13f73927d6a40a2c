//! The history of a book: who changed what, why, and when it was written down.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::document::{Node, Value};
use super::fields::Fields;

/// The section that holds the history.
pub(super) const SECTION: &str = "change";

/// One version of a book: a row of its `[[change]]` list.
///
/// The history is part of the document, but decides no amount: it is neither rated with nor
/// part of the book's digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookChange {
    /// The version, counted up by one with each change.
    pub version: u32,
    /// Who made it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was written down.
    pub recorded: DateTime<Utc>,
    /// What was changed, in words.
    pub what: Option<String>,
}

/// The history, in the order of its versions.
pub(super) fn read(top: &mut Fields<'_>) -> Vec<BookChange> {
    let mut seen = BTreeSet::new();
    let mut changes = Vec::new();
    for mut row in top.tables(SECTION) {
        if !row.has("version") {
            let message = "number the versions of the book, from 1".to_owned();
            row.error("version", "missing", message);
        }
        let version = row.whole("version");
        if let Some(version) = version
            && !seen.insert(version)
        {
            let message = format!("there is another change with version {version}");
            row.error("version", "duplicate_id", message);
        }
        let (author, reason) = (row.required_text("author"), row.required_text("reason"));
        let recorded = row.instant("recorded");
        let what = row.text("what");
        row.finish();
        if let (Some(version), Some(author), Some(reason), Some(recorded)) =
            (version, author, reason, recorded)
        {
            changes.push(BookChange {
                version,
                author,
                reason,
                recorded,
                what,
            });
        }
    }
    changes.sort_by_key(|change| change.version);
    changes
}

/// The document without its history: what decides amounts.
pub(super) fn without_history(document: &Node) -> Node {
    let mut document = document.clone();
    if let Value::Table(entries) = &mut document.value {
        entries.remove(SECTION);
    }
    document
}
