//! `listUsageTypes`.

use super::answer::Answer;
use super::entry::{Entry, EntryError};
use crate::error::{Error, ErrorKind};
use crate::usage_type::UsageType;

/// A usage type as a server lists it. A list is a hint at most: a role may not be allowed
/// to ask, and records of types that it lacks exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageTypeEntry {
    /// The type.
    pub usage_type: UsageType,
    /// The server's name of it, since 4.20.
    pub name: Option<String>,
    /// The server's text for it.
    pub description: String,
}

/// Reads the answer of `listUsageTypes`: `usagetypeid` before 4.20, `id` and `name` since.
///
/// # Errors
/// As [`Answer::parse`], or when an entry has no id.
///
/// ```
/// use cloudstack_usage::{UsageType, parse_usage_types};
///
/// let old = br#"{"listusagetypesresponse":{"count":1,"usagetype":[
///     {"usagetypeid":1,"description":"Running Vm Usage"}]}}"#;
/// assert_eq!(parse_usage_types("call", old)?[0].usage_type, UsageType::RunningVm);
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
pub fn parse_usage_types(label: &str, bytes: &[u8]) -> Result<Vec<UsageTypeEntry>, Error> {
    let answer = Answer::parse(label, bytes)?;
    let entries = answer.entries(&["usagetype"])?.into_iter().enumerate();
    entries
        .map(|(index, json)| {
            usage_type(json).map_err(|cause| {
                let message = format!("{label}: usage type {}: {cause}", index + 1);
                Error::new(ErrorKind::Malformed, message).with_source(cause)
            })
        })
        .collect()
}

fn usage_type(json: &str) -> Result<UsageTypeEntry, EntryError> {
    let entry = Entry::parse(json)?;
    let id = match entry.number("id")? {
        Some(id) => id,
        None => entry
            .number("usagetypeid")?
            .ok_or_else(|| super::entry::missing("id"))?,
    };
    Ok(UsageTypeEntry {
        usage_type: UsageType::from_id(id),
        name: entry.text("name")?,
        description: entry.text("description")?.unwrap_or_default(),
    })
}
