//! How values of the model become columns, whatever the database.

use std::collections::BTreeSet;

use cloudstack_usage::store::{kind_from_name, kind_name};
use cloudstack_usage::{Kind, ResourceUses, UsageRecord};

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

/// The columns of a row of usage as it comes back into a store, in the order of its values.
pub(crate) const RESTORED_USAGE: &str = "cloud, record_key, revision, copy, recorded_from, \
    recorded_until, usage_type, window_start, window_end, raw_usage, resource, vm, domain, account, \
    project, record, sent";

/// The same of an entry that could not be read.
pub(crate) const RESTORED_REJECTION: &str =
    "cloud, fingerprint, period_start, period_end, first_seen, last_seen, resolved, rejection";

/// What is kept of a resource in a month that is put away: its kind, its id, and JSON.
pub(crate) fn kept_use(
    uses: &ResourceUses,
) -> Result<(&'static str, String, String), serde_json::Error> {
    let json = serde_json::to_string(uses)?;
    Ok((kind_name(uses.kind()), uses.resource().to_string(), json))
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
