//! The metadata as it is now, list by list, with the names of the API's fields.

use serde_json::{Value as Json, json};

use super::database::{Database, Object};
use super::schema::Schema;
use crate::error::{Error, ErrorKind};
use crate::metadata::Kind;
use crate::source::Notice;
use crate::wire::SnapshotBuilder;

/// Adds the list of one kind to the snapshot; one whose table may not be read is named.
pub(super) fn list(
    database: &mut Database,
    schema: &Schema,
    kind: Kind,
    builder: &mut SnapshotBuilder,
) -> Result<(), Error> {
    let table = table(kind);
    if !schema.has_table(table) {
        builder.incomplete(kind, not_readable(schema, table));
        return Ok(());
    }
    let Some(query) = query(schema, kind) else {
        return Ok(());
    };
    let mut rows = database.rows(&query, Vec::new())?;
    rows.iter_mut().for_each(finish);
    add(schema, kind, &rows, builder)
}

/// What is to be said of a kind whose table may not be read.
pub(super) fn not_readable(schema: &Schema, table: &str) -> Notice {
    Notice {
        slug: "table_not_readable".to_owned(),
        message: format!(
            "the table {} may not be read: its kind is not listed",
            schema.cloud(table)
        ),
    }
}

/// Adds rows with the names of the API's fields.
pub(super) fn add(
    schema: &Schema,
    kind: Kind,
    rows: &[Object],
    builder: &mut SnapshotBuilder,
) -> Result<(), Error> {
    let label = format!("table {}", schema.cloud(table(kind)));
    let body = json!({ "sql": { kind.list_name(): rows } });
    let bytes = serde_json::to_vec(&body).map_err(|error| {
        let message = format!("{label} cannot be written as JSON");
        Error::new(ErrorKind::Malformed, message).with_source(error)
    })?;
    builder.add(kind.command(), &label, &bytes)?;
    Ok(())
}

/// Paths as the API writes them, and numbers that mean yes or no.
fn finish(row: &mut Object) {
    if let Some(path) = row.get("path").and_then(Json::as_str).map(domain_path) {
        row.insert("path".to_owned(), Json::String(path));
    }
    for name in ["issystem", "issourcenat"] {
        if let Some(value) = row.get_mut(name) {
            *value = Json::Bool(value.as_u64() == Some(1));
        }
    }
}

/// `/nordwind/logistik/` -> `ROOT/nordwind/logistik`
pub(super) fn domain_path(path: &str) -> String {
    match path.trim_matches('/') {
        "" => "ROOT".to_owned(),
        inner => format!("ROOT/{inner}"),
    }
}

fn table(kind: Kind) -> &'static str {
    match kind {
        Kind::Domain => "domain",
        Kind::Project => "projects",
        Kind::Account => "account",
        Kind::Vm => "vm_instance",
        Kind::Volume => "volumes",
        Kind::IpAddress => "user_ip_address",
        Kind::Network => "networks",
        Kind::Vpc => "vpc",
        Kind::Snapshot => "snapshots",
        Kind::ServiceOffering => "service_offering",
        Kind::DiskOffering => "disk_offering",
        Kind::NetworkOffering => "network_offerings",
        Kind::Template => "vm_template",
        Kind::OsType => "guest_os",
        Kind::OsCategory => "guest_os_category",
        Kind::Zone => "data_center",
        Kind::Tag => "resource_tags",
        Kind::TagEvent => "event",
        Kind::VmEvent => "usage_event",
    }
}

/// Joins to the owner of a thing, `x`, and its columns.
struct Owned {
    columns: &'static str,
    joins: String,
}

fn owned(schema: &Schema) -> Owned {
    Owned {
        columns: "IF(p.id IS NULL, a.account_name, NULL) AS account,
            IF(p.id IS NULL, a.uuid, NULL) AS accountid, p.uuid AS projectid, p.name AS project,
            d.uuid AS domainid, d.name AS domain",
        joins: format!(
            "LEFT JOIN {} a ON a.id = x.account_id
             LEFT JOIN {} p ON p.project_account_id = x.account_id
             LEFT JOIN {} d ON d.id = x.domain_id",
            schema.cloud("account"),
            schema.cloud("projects"),
            schema.cloud("domain")
        ),
    }
}

/// `column` of another table by its id; nothing where that may not be read.
pub(super) fn of(schema: &Schema, table: &str, column: &str, id: &str) -> String {
    if schema.has_column(table, column) && schema.has_table(table) {
        format!(
            "(SELECT o.{column} FROM {} o WHERE o.id = {id})",
            schema.cloud(table)
        )
    } else {
        "NULL".to_owned()
    }
}

/// The query of a whole list; none of what comes page by page.
fn query(schema: &Schema, kind: Kind) -> Option<String> {
    let from = schema.cloud(table(kind));
    let uuid = |table: &str, id: &str| of(schema, table, "uuid", id);
    Some(match kind {
        Kind::Domain => format!(
            "SELECT x.uuid AS id, x.name, x.path, {} AS parentdomainid FROM {from} x
             WHERE {}",
            uuid("domain", "x.parent"),
            alive(schema, "domain")
        ),
        Kind::Project => format!(
            "SELECT x.uuid AS id, x.name, x.display_text AS displaytext, x.state,
                 {} AS domainid FROM {from} x WHERE {}",
            uuid("domain", "x.domain_id"),
            alive(schema, "projects")
        ),
        // accounts of type 5 stand for projects
        Kind::Account => format!(
            "SELECT x.uuid AS id, x.account_name AS name, x.state, {} AS domainid FROM {from} x
             WHERE {} AND x.type <> 5 AND x.id <> 1",
            uuid("domain", "x.domain_id"),
            alive(schema, "account")
        ),
        Kind::Vm => vms(schema, &from),
        Kind::Volume => volumes(schema, &from),
        Kind::IpAddress | Kind::Network | Kind::Vpc | Kind::Snapshot => held(schema, kind, &from),
        Kind::ServiceOffering => service_offerings(schema, &from),
        Kind::DiskOffering => format!(
            "SELECT x.uuid AS id, x.name, x.tags FROM {from} x WHERE {}",
            [
                Some(alive(schema, "disk_offering")),
                not_of_service(schema, "x")
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" AND ")
        ),
        Kind::NetworkOffering => format!(
            "SELECT x.uuid AS id, x.name FROM {from} x WHERE {} AND x.system_only = 0",
            alive(schema, "network_offerings")
        ),
        Kind::Template => format!(
            "SELECT x.uuid AS id, x.name, {} AS ostypeid FROM {from} x
             WHERE {} AND x.format <> 'ISO'",
            uuid("guest_os", "x.guest_os_id"),
            alive(schema, "vm_template")
        ),
        Kind::OsType => format!(
            "SELECT x.uuid AS id, x.display_name AS description, {} AS oscategoryid
             FROM {from} x WHERE {}",
            uuid("guest_os_category", "x.category_id"),
            alive(schema, "guest_os")
        ),
        Kind::OsCategory | Kind::Zone => format!(
            "SELECT x.uuid AS id, x.name FROM {from} x WHERE {}",
            alive(schema, table(kind))
        ),
        Kind::Tag => format!(
            "SELECT x.`key`, x.value, x.resource_type AS resourcetype,
                 x.resource_uuid AS resourceid FROM {from} x"
        ),
        // the table of users holds secrets: two of its columns are read, where they are granted
        Kind::TagEvent => format!(
            "SELECT x.uuid AS id, x.type, x.state, x.level, x.created, {} AS username
             FROM {from} x
             WHERE x.type IN ('CREATE_TAGS', 'DELETE_TAGS') AND x.state = 'Completed'",
            of(schema, "user", "username", "x.user_id")
        ),
        Kind::VmEvent => return None,
    })
}

/// The things besides VMs and volumes that belong to an account or a project.
fn held(schema: &Schema, kind: Kind, from: &str) -> String {
    let uuid = |table: &str, id: &str| of(schema, table, "uuid", id);
    let owned = owned(schema);
    let (columns, condition) = match kind {
        Kind::IpAddress => (
            format!(
                "x.public_ip_address AS ipaddress, x.allocated, x.state,
                 x.is_system AS issystem, x.source_nat AS issourcenat, {} AS zoneid",
                uuid("data_center", "x.data_center_id")
            ),
            "x.state <> 'Free'",
        ),
        Kind::Network => (
            format!(
                "x.name, x.created, {} AS networkofferingid, {} AS zoneid",
                uuid("network_offerings", "x.network_offering_id"),
                uuid("data_center", "x.data_center_id")
            ),
            "x.traffic_type = 'Guest'",
        ),
        Kind::Snapshot => (
            format!(
                "x.name, x.created, {} AS volumeid, {} AS zoneid",
                uuid("volumes", "x.volume_id"),
                uuid("data_center", "x.data_center_id")
            ),
            "x.status <> 'Destroyed'",
        ),
        _ => (
            format!(
                "x.name, x.created, {} AS zoneid",
                uuid("data_center", "x.zone_id")
            ),
            "TRUE",
        ),
    };
    format!(
        "SELECT x.uuid AS id, {columns}, {} FROM {from} x {}
         WHERE {} AND {condition}",
        owned.columns,
        owned.joins,
        alive(schema, table(kind))
    )
}

fn vms(schema: &Schema, from: &str) -> String {
    let owned = owned(schema);
    let details = ["vm_instance_details", "user_vm_details"]
        .into_iter()
        .find(|table| schema.has_table(table));
    // a VM has its own numbers where its offering has none
    let detail = |name: &str, column: &str| {
        let of_offering = of(schema, "service_offering", column, "x.service_offering_id");
        match details {
            Some(table) => format!(
                "coalesce({of_offering}, (SELECT max(o.value) FROM {} o
                     WHERE o.vm_id = x.id AND o.name = '{name}'))",
                schema.cloud(table)
            ),
            None => of_offering,
        }
    };
    let updated = if schema.has_column("vm_instance", "update_time") {
        "x.update_time"
    } else {
        "NULL"
    };
    let offering = if schema.has_column("service_offering", "uuid") {
        "service_offering"
    } else {
        "disk_offering" // until 4.16
    };
    format!(
        "SELECT x.uuid AS id, x.name, {display} AS displayname, x.created,
             {updated} AS lastupdated, x.state, {offering} AS serviceofferingid,
             {template} AS templateid, {os} AS guestosid, {cpu} AS cpunumber,
             {memory} AS memory, {zone} AS zoneid, x.hypervisor_type AS hypervisor, {owner}
         FROM {from} x {joins} WHERE {alive} AND x.type = 'User'",
        alive = alive(schema, "vm_instance"),
        display = of(schema, "user_vm", "display_name", "x.id"),
        offering = of(schema, offering, "uuid", "x.service_offering_id"),
        template = of(schema, "vm_template", "uuid", "x.vm_template_id"),
        os = of(schema, "guest_os", "uuid", "x.guest_os_id"),
        cpu = detail("cpuNumber", "cpu"),
        memory = detail("memory", "ram_size"),
        zone = of(schema, "data_center", "uuid", "x.data_center_id"),
        owner = owned.columns,
        joins = owned.joins,
    )
}

fn volumes(schema: &Schema, from: &str) -> String {
    let owned = owned(schema);
    let offering = match not_of_service(schema, "o") {
        Some(condition) => format!(
            "(SELECT o.uuid FROM {} o WHERE o.id = x.disk_offering_id AND {condition})",
            schema.cloud("disk_offering")
        ),
        None => of(schema, "disk_offering", "uuid", "x.disk_offering_id"),
    };
    format!(
        "SELECT x.uuid AS id, x.name, x.volume_type AS type, x.created, x.state, x.size,
             {vm} AS virtualmachineid, x.attached, {offering} AS diskofferingid,
             {zone} AS zoneid, {owner}
         FROM {from} x {joins} WHERE {alive} AND {is_of_user}",
        alive = alive(schema, "volumes"),
        vm = of(schema, "vm_instance", "uuid", "x.instance_id"),
        zone = of(schema, "data_center", "uuid", "x.data_center_id"),
        owner = owned.columns,
        joins = owned.joins,
        is_of_user = if schema.has_table("vm_instance") {
            format!(
                "NOT EXISTS (SELECT 1 FROM {} o WHERE o.id = x.instance_id AND o.type <> 'User')",
                schema.cloud("vm_instance")
            )
        } else {
            "TRUE".to_owned()
        },
    )
}

/// What tells a disk offering of its own from the one behind a service offering.
fn not_of_service(schema: &Schema, alias: &str) -> Option<String> {
    if schema.has_column("disk_offering", "compute_only") {
        Some(format!("{alias}.compute_only = 0"))
    } else if schema.has_column("disk_offering", "type") {
        Some(format!("{alias}.type = 'Disk'"))
    } else {
        None
    }
}

fn service_offerings(schema: &Schema, from: &str) -> String {
    if !schema.has_column("service_offering", "uuid") {
        return old_service_offerings(schema, from);
    }
    let system = if schema.has_column("service_offering", "system_use") {
        " AND x.system_use = 0"
    } else {
        ""
    };
    format!(
        "SELECT x.uuid AS id, x.name AS name, x.cpu AS cpunumber, x.ram_size AS memory,
             {} AS storagetags FROM {from} x WHERE {}{system}",
        of(schema, "disk_offering", "tags", "x.disk_offering_id"),
        alive(schema, "service_offering")
    )
}

/// Until 4.16 a service offering is the row of its disk offering with more columns, of the same
/// number: that one has its id, its name, and whether it is still there.
fn old_service_offerings(schema: &Schema, from: &str) -> String {
    if !schema.has_column("disk_offering", "uuid") {
        // nothing would tell which is which
        return format!("SELECT NULL AS id FROM {from} x WHERE FALSE");
    }
    let system = if schema.has_column("disk_offering", "system_use") {
        " AND d.system_use = 0"
    } else {
        ""
    };
    format!(
        "SELECT d.uuid AS id, d.name AS name, x.cpu AS cpunumber, x.ram_size AS memory,
             d.tags AS storagetags
         FROM {from} x JOIN {} d ON d.id = x.id WHERE {}{system}",
        schema.cloud("disk_offering"),
        alive_as(schema, "disk_offering", "d")
    )
}

/// What tells the rows of things that are there; `x` is the table.
fn alive(schema: &Schema, table: &str) -> String {
    alive_as(schema, table, "x")
}

fn alive_as(schema: &Schema, table: &str, alias: &str) -> String {
    let removed = schema.has_column(table, "removed");
    // offerings may be switched off and stay; other tables have states of their own
    let state = table.ends_with("_offering") && schema.has_column(table, "state");
    let conditions = [
        removed.then(|| format!("{alias}.removed IS NULL")),
        state.then(|| format!("{alias}.state = 'Active'")),
    ];
    let conditions: Vec<String> = conditions.into_iter().flatten().collect();
    if conditions.is_empty() {
        "TRUE".to_owned()
    } else {
        conditions.join(" AND ")
    }
}
