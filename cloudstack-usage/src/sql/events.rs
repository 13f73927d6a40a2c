//! Usage events of VMs, page by page in the order of their ids.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use mysql::Value;
use serde_json::Value as Json;

use super::database::{Database, datetime};
use super::metadata::{add, not_readable, of};
use super::schema::Schema;
use crate::error::Error;
use crate::metadata::Kind;
use crate::wire::SnapshotBuilder;

/// Placing used time reads two days beyond both ends of a period, and zones are up to a day
/// apart from UTC.
const BESIDE: TimeDelta = TimeDelta::days(3);

/// Since when events are listed, for usage from `usage_from` on: the beginning of a month, so
/// that the list of one day is that of the next one with what came since.
pub(super) fn horizon(usage_from: DateTime<Utc>) -> DateTime<Utc> {
    let day = usage_from
        .checked_sub_signed(BESIDE)
        .unwrap_or(usage_from)
        .date_naive();
    let month = NaiveDate::from_ymd_opt(day.year(), day.month(), 1).unwrap_or(day);
    month.and_time(chrono::NaiveTime::MIN).and_utc()
}

/// Adds the events since `from` to the snapshot.
pub(super) fn list(
    database: &mut Database,
    schema: &Schema,
    from: DateTime<Utc>,
    rows_a_page: u32,
    builder: &mut SnapshotBuilder,
) -> Result<(), Error> {
    for table in ["usage_event", "vm_instance"] {
        if !schema.has_table(table) {
            builder.incomplete(Kind::VmEvent, not_readable(schema, table));
            return Ok(());
        }
    }
    builder.vm_events_since(from);
    // listed, though nothing may have happened
    add(schema, Kind::VmEvent, &[], builder)?;
    let sql = query(schema, rows_a_page);
    let mut next = first(database, schema, from)?;
    while let Some(id) = next {
        let rows = database.rows(&sql, vec![Value::from(id), datetime(from)])?;
        let is_last = rows.len() < usize::try_from(rows_a_page).unwrap_or(usize::MAX);
        let highest = rows.last().and_then(|row| row.get("id")?.as_u64());
        add(schema, Kind::VmEvent, &rows, builder)?;
        next = highest
            .filter(|_| !is_last)
            .and_then(|highest| highest.checked_add(1));
    }
    Ok(())
}

/// The lowest id since `from`; none where nothing happened. `created` has an index.
fn first(
    database: &mut Database,
    schema: &Schema,
    from: DateTime<Utc>,
) -> Result<Option<u64>, Error> {
    let sql = format!(
        "SELECT min(id) AS first FROM {} WHERE created >= ?",
        schema.cloud("usage_event")
    );
    let rows = database.rows(&sql, vec![datetime(from)])?;
    Ok(rows
        .first()
        .and_then(|row| row.get("first"))
        .and_then(Json::as_u64))
}

/// The query of one page. Sizes are those of the event's details, which dynamic offerings
/// have, else of the offering, as in usage records.
fn query(schema: &Schema, rows: u32) -> String {
    let detail = |name: &str, column: &str| {
        let of_offering = of(schema, "service_offering", column, "x.offering_id");
        if schema.has_column("usage_event_details", "usage_event_id") {
            format!(
                "coalesce((SELECT max(o.value) FROM {} o
                     WHERE o.usage_event_id = x.id AND o.name = '{name}'), {of_offering})",
                schema.cloud("usage_event_details")
            )
        } else {
            of_offering
        }
    };
    let offering = if schema.has_column("service_offering", "uuid") {
        "service_offering"
    } else {
        "disk_offering" // until 4.16
    };
    format!(
        "SELECT x.id, x.type, x.created, vm.uuid AS virtualmachineid,
             {offering} AS serviceofferingid, {cpu} AS cpunumber, {memory} AS memory,
             IF(p.id IS NULL, a.uuid, NULL) AS accountid, p.uuid AS projectid
         FROM {events} x
         JOIN {vms} vm ON vm.id = x.resource_id
         LEFT JOIN {accounts} a ON a.id = x.account_id
         LEFT JOIN {projects} p ON p.project_account_id = x.account_id
         WHERE x.id >= ? AND x.created >= ? AND x.type IN
             ('VM.CREATE', 'VM.START', 'VM.STOP', 'VM.DYNAMIC.SCALE', 'VM.DESTROY')
         ORDER BY x.id LIMIT {rows}",
        offering = of(schema, offering, "uuid", "x.offering_id"),
        cpu = detail("cpuNumber", "cpu"),
        memory = detail("memory", "ram_size"),
        events = schema.cloud("usage_event"),
        vms = schema.cloud("vm_instance"),
        accounts = schema.cloud("account"),
        projects = schema.cloud("projects"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_listed_from_the_beginning_of_a_month_on() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (usage_from, horizon) in [
            ("2026-10-04T00:00:00Z", "2026-10-01T00:00:00Z"),
            ("2026-10-31T23:59:59Z", "2026-10-01T00:00:00Z"),
            ("2026-10-03T23:59:59Z", "2026-09-01T00:00:00Z"),
            ("2027-01-02T00:00:00Z", "2026-12-01T00:00:00Z"),
        ] {
            assert_eq!(super::horizon(at(usage_from)), at(horizon), "{usage_from}");
        }
    }
}
