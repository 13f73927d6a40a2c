//! Reading where and since when civil dates are in another zone.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::fields::Fields;
use super::load::read_zone;
use crate::zones::Zones;

/// `[[zone_change]]`: another zone from a date on, for all or for one customer. Gives the
/// book's zones and those of customers, by their domain as written.
pub(super) fn read_zone_changes(
    top: &mut Fields<'_>,
    first: Tz,
) -> (Zones, BTreeMap<String, Zones>) {
    let mut rows: Vec<(Option<String>, NaiveDate, Tz, Fields<'_>)> = Vec::new();
    for mut row in top.tables("zone_change") {
        let zone = read_zone(&mut row);
        let domain = row.text("domain");
        // a customer may have been in a zone of its own from the beginning
        let from = if domain.is_some() && !row.has("from") {
            row.refuse("from");
            Some(NaiveDate::MIN)
        } else {
            row.date("from")
        };
        match (zone, from) {
            (Some(zone), Some(from)) => rows.push((domain, from, zone, row)),
            _ => row.finish(),
        }
    }
    // the book's before the customers', whose zones begin with them, each in order of time
    rows.sort_by(|left, right| (&left.0, left.1).cmp(&(&right.0, right.1)));
    let mut book = Zones::from(first);
    let mut customers: BTreeMap<String, Zones> = BTreeMap::new();
    for (domain, from, zone, row) in rows {
        let zones = match domain {
            None => &mut book,
            Some(domain) => customers.entry(domain).or_insert_with(|| book.until(from)),
        };
        match zones.changed(from, zone) {
            Some(changed) => *zones = changed,
            None => row.error(
                "from",
                "conflict",
                "no zone can begin there: another one does, or its first day would begin before the day before it; take another date".to_owned(),
            ),
        }
        row.finish();
    }
    (book, customers)
}
