//! How values of the model become columns, whatever the database.

use std::collections::BTreeSet;

use cloudstack_usage::store::{kind_from_name, kind_name};
use cloudstack_usage::{Kind, UsageRecord};
use rust_decimal::Decimal;

/// The columns of a usage record that reports filter by.
#[derive(Debug)]
pub(crate) struct UsageColumns {
    pub(crate) key: [u8; 16],
    pub(crate) sort_usage: String,
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
            sort_usage: sortable(record.raw_usage),
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

/// A text that sorts as the number does, the same for equal numbers: as many digits before
/// the point as a `Decimal` can have, and no zeros at the end. `rawusage` is never negative.
pub(crate) fn sortable(usage: Decimal) -> String {
    let text = usage.normalize().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole:0>29}.{fraction}")
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sortable_texts_compare_as_the_numbers_do(
            a in 0_i128..1_000_000_000_000_000_000_000_000_000, a_scale in 0_u32..12,
            b in 0_i128..1_000_000_000_000_000_000_000_000_000, b_scale in 0_u32..12,
        ) {
            let (a, b) = (Decimal::from_i128_with_scale(a, a_scale), Decimal::from_i128_with_scale(b, b_scale));
            prop_assert_eq!(sortable(a).cmp(&sortable(b)), a.cmp(&b));
        }
    }

    #[test]
    fn zeros_at_the_end_make_no_other_number() {
        let number = |text| Decimal::from_str_exact(text).unwrap();
        assert_eq!(sortable(number("1.50")), sortable(number("1.5")));
        assert!(sortable(number("9.9")) < sortable(number("10")));
    }
}
