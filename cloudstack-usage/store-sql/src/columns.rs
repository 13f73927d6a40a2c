//! How values of the model become columns, whatever the database.

use std::collections::BTreeSet;

use cloudstack_usage::store::{kind_from_name, kind_name};
use cloudstack_usage::{Kind, UsageRecord};

/// The columns of a usage record that reports filter by.
#[derive(Debug)]
pub(crate) struct UsageColumns {
    pub(crate) key: [u8; 16],
    pub(crate) usage_type: u32,
    pub(crate) raw_usage: String,
    pub(crate) resource: Option<String>,
    pub(crate) vm: Option<String>,
    pub(crate) domain: String,
    pub(crate) account: Option<String>,
    pub(crate) project: Option<String>,
}

impl UsageColumns {
    pub(crate) fn of(record: &UsageRecord) -> Self {
        Self {
            key: *record.key().as_bytes(),
            usage_type: record.usage_type.id(),
            raw_usage: record.raw_usage.to_string(),
            resource: record.resource.as_ref().map(ToString::to_string),
            vm: record.vm.as_ref().map(ToString::to_string),
            domain: record.owner.domain.to_string(),
            account: record.owner.account().map(ToString::to_string),
            project: record.owner.project().map(ToString::to_string),
        }
    }
}

/// The kinds that a snapshot listed completely, as JSON.
pub(crate) fn kinds_json(kinds: &BTreeSet<Kind>) -> Result<String, serde_json::Error> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind_name(*kind)).collect();
    serde_json::to_string(&names)
}

/// The kinds back from their JSON, or why not.
pub(crate) fn parse_kinds(json: &str) -> Result<BTreeSet<Kind>, String> {
    let names: Vec<String> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    names.iter().map(|name| parse_kind(name)).collect()
}

/// A kind back from its name, or why not.
pub(crate) fn parse_kind(name: &str) -> Result<Kind, String> {
    kind_from_name(name).ok_or_else(|| format!("{name:?} is no kind of entry"))
}

/// A length as the counts of a sync have it.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
