//! Documents back from their columns, whatever the database.

use cloudstack_usage::store::{Document, DocumentDigest, DocumentEntry, DocumentKind};

/// The kind back from its name, or why not.
pub(crate) fn parse_kind(name: &str) -> Result<DocumentKind, String> {
    DocumentKind::from_name(name).ok_or_else(|| format!("{name:?} is no kind of document"))
}

/// The digest back from its bytes, or why not.
pub(crate) fn parse_digest(bytes: &[u8]) -> Result<DocumentDigest, String> {
    <[u8; 32]>::try_from(bytes)
        .map(DocumentDigest::from_bytes)
        .map_err(|_| format!("a digest has 32 bytes, not {}", bytes.len()))
}

/// The document with its text, where that is the one which was recorded.
pub(crate) fn verified(entry: DocumentEntry, content: String) -> Result<Document, String> {
    if DocumentDigest::of(&content) != entry.digest {
        return Err(format!(
            "the text of {} {:?} does not have its digest {}",
            entry.kind.name(),
            entry.name,
            entry.digest
        ));
    }
    let DocumentEntry {
        kind,
        name,
        author,
        recorded,
        ..
    } = entry;
    Ok(Document::new(kind, name, content, author, recorded))
}
