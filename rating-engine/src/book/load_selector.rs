//! Reading which resources a price or factor is for.

use super::fields::Fields;
use super::model::TagMatch;
use super::selector::{AtLeast, Selector};
use crate::exact::Exact;
use crate::meter::Dimension;
use crate::unit::PriceUnit;

pub(super) fn read_selector(row: &mut Fields<'_>) -> Selector {
    let mut tags = Vec::new();
    for text in row.texts("resource_tag") {
        match TagMatch::parse(&text) {
            Some(tag) => tags.push(tag),
            None => row.error(
                "resource_tag",
                "not_a_tag",
                format!("{text:?} is no tag such as \"Key=value\""),
            ),
        }
    }
    Selector {
        offerings: row.texts("offering"),
        templates: row.texts("template"),
        os_types: row.texts("os_type"),
        os_categories: row.texts("os_category"),
        names: row.texts("name"),
        tags,
        storage_tags: row.texts("storage_tag"),
        zones: row.texts("in_zone"),
        hypervisors: row.texts("hypervisor"),
        at_least: read_at_least(row),
    }
}

/// `at_least = { cpus = 4, ram = "64 GiB", size = "200 GiB" }`: one or several of them.
fn read_at_least(row: &mut Fields<'_>) -> AtLeast {
    let Some(mut table) = row.table("at_least") else {
        return AtLeast::default();
    };
    let at_least = AtLeast {
        cpus: table.whole("cpus").map(u64::from),
        mib: read_size(&mut table, "ram", Dimension::Memory),
        bytes: read_size(&mut table, "size", Dimension::Bytes),
    };
    let asks = ["cpus", "ram", "size"].iter().any(|field| table.has(field));
    if !asks {
        let message = "say from which size on: cpus, ram or size".to_owned();
        table.error("", "missing", message);
    }
    table.finish();
    at_least
}

/// A number with its unit, such as `64 GiB`, in MiB of memory or bytes.
fn read_size(table: &mut Fields<'_>, field: &'static str, dimension: Dimension) -> Option<u64> {
    let text = table.text(field)?;
    let size = text.trim().split_once(' ').and_then(|(number, unit)| {
        let unit = PriceUnit::for_dimension(unit.trim(), dimension)?;
        let number = Fields::plain_decimal(number)?;
        let (whole, rest) = (Exact::from_decimal(number) * Exact::from(unit.size())).floor(0);
        rest.is_zero().then(|| u64::try_from(whole).ok()).flatten()
    });
    if size.is_none() {
        let message = format!(
            "{text:?} is no size such as \"64 GiB\": a number and its unit, and a whole number of {}",
            if dimension == Dimension::Memory {
                "MiB"
            } else {
                "bytes"
            }
        );
        table.error(field, "not_a_size", message);
    }
    size
}
