//! Usage records, page by page in the order of their ids.

use chrono::{DateTime, Utc};
use mysql::Value;
use serde_json::Value as Json;

use super::database::{Database, Object, datetime};
use super::description::describe;
use super::schema::Schema;
use crate::error::{Error, ErrorKind};
use crate::period::Period;
use crate::source::{Notice, ParsedRecord, UsagePage};
use crate::wire::parse_usage_record;

/// Hands over every record whose window touches `range`. Ids only grow, and the rows of a job
/// appear together: rows up to the highest id of the beginning are read, whatever is added
/// meanwhile.
pub(super) fn read(
    database: &mut Database,
    schema: &Schema,
    range: Period,
    rows_a_page: u32,
    sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = query(schema, rows_a_page);
    let Some((mut from, last)) = ids(database, schema, range)? else {
        return Ok(());
    };
    loop {
        let values = vec![
            Value::from(from),
            Value::from(last),
            datetime(range.end()),
            datetime(whole_second(range.start())),
        ];
        let rows = database.rows(&sql, values)?;
        let Some(highest) = rows.last().and_then(|row| number(row, "_id")) else {
            return Ok(());
        };
        sink(page(rows)?)?;
        from = highest.saturating_add(1);
    }
}

/// The lowest and the highest id to read. `end_date` has an index of its own; ids below the
/// first row that ends in the range or later are of no use.
fn ids(
    database: &mut Database,
    schema: &Schema,
    range: Period,
) -> Result<Option<(u64, u64)>, Error> {
    let sql = format!(
        "SELECT min(id) AS first, (SELECT max(id) FROM {table}) AS last
         FROM {table} WHERE end_date >= ?",
        table = schema.usage("cloud_usage")
    );
    let start = whole_second(range.start());
    let rows = database.rows(&sql, vec![datetime(start)])?;
    let found = rows.first();
    Ok(found.and_then(|row| Some((number(row, "first")?, number(row, "last")?))))
}

/// The second that an instant lies in: `end_date` is the last second of its window.
fn whole_second(instant: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(instant.timestamp(), 0).unwrap_or(instant)
}

fn number(row: &Object, name: &str) -> Option<u64> {
    row.get(name).and_then(Json::as_u64)
}

fn page(rows: Vec<Object>) -> Result<UsagePage, Error> {
    let mut page = UsagePage::default();
    for (index, row) in rows.into_iter().enumerate() {
        let id = number(&row, "_id").unwrap_or_default();
        let json = serde_json::to_string(&sent(row)).map_err(|error| {
            let message = format!("row {id} of cloud_usage cannot be written as JSON");
            Error::new(ErrorKind::Malformed, message).with_source(error)
        })?;
        match parse_usage_record(&json) {
            Ok(record) => page.records.push(ParsedRecord {
                record,
                json: json.into(),
            }),
            Err(error) => {
                let label = format!("row {id} of cloud_usage");
                let rejection = error.into_rejection(&label, index + 1, &json);
                page.rejections.push(rejection);
            }
        }
    }
    Ok(page)
}

/// The record as the API would send it, and the id of its row.
fn sent(row: Object) -> Object {
    let description = describe(&row);
    let id = row.get("_id").cloned();
    // what begins with an underscore only helped
    let mut sent: Object = row
        .into_iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .collect();
    if let Some(path) = sent.get("domainpath").and_then(Json::as_str) {
        let path = super::metadata::domain_path(path);
        sent.insert("domainpath".to_owned(), Json::String(path));
    }
    if let Some(description) = description {
        sent.insert("description".to_owned(), Json::String(description));
    }
    for name in ["issourcenat", "issystem", "isdefault"] {
        if let Some(value) = sent.get_mut(name) {
            *value = Json::Bool(value.as_u64() == Some(1));
        }
    }
    if let Some(id) = id {
        sent.insert("cloud_usage_id".to_owned(), id);
    }
    sent
}

/// A join that gives ids and names, where its table may be read.
struct Join {
    table: &'static str,
    on: &'static str,
    columns: &'static str,
}

/// What a row's numbers mean depends on its type (4.11 to 4.23:
/// `ApiResponseHelper.createUsageResponse`). Removed things are in these tables still.
const JOINS: &[Join] = &[
    Join {
        table: "data_center z",
        on: "z.id = u.zone_id AND z.removed IS NULL",
        columns: "z.uuid AS zoneid",
    },
    Join {
        table: "vm_instance vm",
        on: "vm.id = CASE WHEN u.usage_type IN (1, 2, 28) THEN u.usage_id
                WHEN u.usage_type IN (6, 10, 13, 21, 22, 23, 24, 25, 27) THEN u.vm_instance_id END",
        columns:
            "vm.uuid AS virtualmachineid, IF(u.usage_type IN (1, 2, 28), vm.uuid, NULL) AS _vm,
            vm.name AS _vm_name, vm.instance_name AS _vm_instance",
    },
    Join {
        table: "guest_os os",
        on: "u.usage_type IN (1, 2) AND os.id = vm.guest_os_id",
        columns: "os.uuid AS ostypeid, os.display_name AS osdisplayname",
    },
    Join {
        table: "guest_os_category oc",
        on: "oc.id = os.category_id",
        columns: "oc.uuid AS oscategoryid, oc.name AS oscategoryname",
    },
    Join {
        table: "service_offering so",
        on: "u.usage_type IN (1, 2) AND so.id = u.offering_id",
        columns: "so.uuid AS _service_offering, so.name AS _service_offering_name,
            so.cpu AS _cpu, so.speed AS _speed, so.ram_size AS _memory",
    },
    Join {
        table: "disk_offering do_",
        on: "u.usage_type IN (1, 2, 6) AND do_.id = u.offering_id",
        columns: "do_.uuid AS _disk_offering, do_.name AS _disk_offering_name",
    },
    Join {
        table: "network_offerings no_",
        on: "u.usage_type = 13 AND no_.id = u.offering_id",
        columns: "no_.uuid AS _network_offering, no_.name AS _network_offering_name",
    },
    Join {
        table: "vm_template t",
        on: "t.id = CASE WHEN u.usage_type IN (1, 2, 6, 7) THEN u.template_id END",
        columns: "t.uuid AS templateid, t.name AS _template_name",
    },
    Join {
        table: "vm_template ut",
        on: "u.usage_type IN (7, 8) AND ut.id = u.usage_id",
        columns: "ut.uuid AS _template, ut.name AS _used_template_name",
    },
    Join {
        table: "volumes v",
        on: "u.usage_type IN (6, 21, 22, 23, 24) AND v.id = u.usage_id",
        columns: "v.uuid AS _volume, v.name AS _volume_name",
    },
    Join {
        table: "user_ip_address ip",
        on: "u.usage_type = 3 AND ip.id = u.usage_id",
        columns: "ip.uuid AS _ip",
    },
    Join {
        table: "snapshots s",
        on: "u.usage_type = 9 AND s.id = u.usage_id",
        columns: "s.uuid AS _snapshot, s.name AS _snapshot_name",
    },
    Join {
        table: "vm_instance r",
        on: "u.usage_type IN (4, 5) AND u.type IN ('DomainRouter', 'UserVm') AND r.id = u.usage_id",
        columns: "r.uuid AS _router, r.instance_name AS _router_name",
    },
    Join {
        table: "networks n",
        on: "u.usage_type IN (4, 5) AND n.id = u.network_id",
        columns: "n.uuid AS _network, n.name AS _network_name,
            IF(n.traffic_type = 'Public', NULL, n.uuid) AS networkid",
    },
    Join {
        table: "domain_router dr",
        on: "u.usage_type IN (4, 5) AND n.traffic_type = 'Public' AND dr.id = u.usage_id",
        columns: "dr.vpc_id AS _vpc_id",
    },
    Join {
        table: "vpc",
        on: "vpc.id = dr.vpc_id",
        columns: "vpc.uuid AS vpcid",
    },
    Join {
        table: "firewall_rules fr",
        on: "u.usage_type IN (11, 12) AND fr.id = u.usage_id",
        columns: "fr.uuid AS _rule",
    },
    Join {
        table: "load_balancing_rules lb",
        on: "u.usage_type = 11 AND lb.id = u.usage_id",
        columns: "lb.name AS _rule_name",
    },
    Join {
        table: "vpn_users vu",
        on: "u.usage_type = 14 AND vu.id = u.usage_id",
        columns: "vu.uuid AS _vpn_user, vu.username AS _vpn_user_name",
    },
    Join {
        table: "security_group sg",
        on: "u.usage_type = 10 AND sg.id = u.usage_id",
        columns: "sg.uuid AS _group, sg.name AS _group_name",
    },
    Join {
        table: "vm_snapshots vs",
        on: "u.usage_type IN (25, 27) AND vs.id = u.usage_id",
        columns: "vs.uuid AS _vm_snapshot, vs.display_name AS _vm_snapshot_name",
    },
    Join {
        table: "bucket b",
        on: "u.usage_type = 29 AND b.id = u.usage_id",
        columns: "b.uuid AS _bucket, b.name AS _bucket_name",
    },
];

/// The columns of the row itself, with the names of `listUsageRecords`.
const OWN: &str =
    "u.id AS _id, u.description, u.usage_display AS `usage`, u.usage_type AS usagetype,
    u.raw_usage AS rawusage, u.start_date AS startdate, u.end_date AS enddate,
    a.account_name AS _account_name, IF(p.id IS NULL, a.account_name, NULL) AS account,
    IF(p.id IS NULL, a.uuid, NULL) AS accountid, p.uuid AS projectid, p.name AS project,
    d.uuid AS domainid, d.name AS domain, d.path AS domainpath,
    IF(u.usage_type IN (1, 2, 4, 5, 21, 22, 23, 24), u.type, NULL) AS type,
    CASE WHEN u.usage_type IN (6, 7, 8, 9, 25, 28) THEN u.size
         WHEN u.usage_type = 27 THEN u.virtual_size END AS size,
    IF(u.usage_type IN (7, 8, 28), u.virtual_size, NULL) AS virtualsize,
    IF(u.usage_type = 3, u.type = 'SourceNat', NULL) AS issourcenat,
    IF(u.usage_type = 3, u.size = 1, NULL) AS issystem,
    IF(u.usage_type = 13, u.usage_id = 1, NULL) AS isdefault";

/// Fields that come from one of several joins: name, and the columns to choose from.
const CHOSEN: &[(&str, &[(&str, &str)])] = &[
    (
        "usageid",
        &[
            (
                "vm_instance",
                "IF(u.usage_type IN (1, 2, 28), vm.uuid, NULL)",
            ),
            ("user_ip_address", "ip.uuid"),
            ("vm_instance", "r.uuid"),
            ("volumes", "v.uuid"),
            ("vm_template", "ut.uuid"),
            ("snapshots", "s.uuid"),
            ("security_group", "sg.uuid"),
            ("firewall_rules", "fr.uuid"),
            ("vpn_users", "vu.uuid"),
            ("vm_snapshots", "vs.uuid"),
            ("bucket", "b.uuid"),
        ],
    ),
    (
        "name",
        &[
            ("", "IF(u.usage_type IN (1, 2), u.vm_name, NULL)"),
            ("networks", "n.name"),
            ("vm_snapshots", "vs.display_name"),
            (
                "vm_instance",
                "IF(u.usage_type = 28, vm.instance_name, NULL)",
            ),
            ("bucket", "b.name"),
        ],
    ),
    (
        "offeringid",
        &[
            ("service_offering.uuid", "so.uuid"),
            ("disk_offering", "do_.uuid"),
            ("network_offerings", "no_.uuid"),
            (
                "",
                "IF(u.usage_type = 25, CAST(u.offering_id AS CHAR), NULL)",
            ),
        ],
    ),
    (
        "cpunumber",
        &[
            ("", "IF(u.usage_type IN (1, 2), u.cpu_cores, NULL)"),
            ("service_offering", "so.cpu"),
        ],
    ),
    (
        "cpuspeed",
        &[
            ("", "IF(u.usage_type IN (1, 2), u.cpu_speed, NULL)"),
            ("service_offering", "so.speed"),
        ],
    ),
    (
        "memory",
        &[
            ("", "IF(u.usage_type IN (1, 2), u.memory, NULL)"),
            ("service_offering", "so.ram_size"),
        ],
    ),
];

/// What is to be said where tables may not be read that give ids of records: the keys of
/// records have these ids, so that granting them later makes other records of the same usage.
pub(super) fn notice(schema: &Schema) -> Option<Notice> {
    let mut missing: Vec<&str> = JOINS
        .iter()
        .map(|join| join.table.split(' ').next().unwrap_or(join.table))
        // buckets came with 4.19
        .filter(|table| *table != "bucket" && !schema.has_table(table))
        .collect();
    missing.dedup();
    if missing.is_empty() {
        return None;
    }
    Some(Notice {
        slug: "table_not_readable".to_owned(),
        message: format!(
            "records come without the ids that these tables of {} would give: {}; grant SELECT \
             on them before the first sync, since records with other ids are other records",
            schema.cloud_name(),
            missing.join(", ")
        ),
    })
}

/// The query of one page, for the tables that may be read.
fn query(schema: &Schema, rows: u32) -> String {
    let mut columns = vec![OWN.to_owned()];
    let mut joins = String::new();
    let mut known: Vec<&str> = Vec::new();
    for join in JOINS {
        let table = join.table.split(' ').next().unwrap_or(join.table);
        // joins that lean on another one need that too
        let leans_on = match join.table {
            "guest_os os" => Some("vm_instance"),
            "guest_os_category oc" => Some("guest_os"),
            "domain_router dr" => Some("networks"),
            "vpc" => Some("domain_router"),
            _ => None,
        };
        let is_known = leans_on.is_none_or(|table| known.contains(&table));
        if !schema.has_table(table) || !is_known {
            continue;
        }
        known.push(table);
        let alias = join.table.strip_prefix(table).unwrap_or_default();
        joins.extend(["\nLEFT JOIN ", &schema.cloud(table), alias, " ON ", join.on]);
        // until 4.16 a service offering's name and id are in its disk offering
        if table == "service_offering" && !schema.has_column(table, "uuid") {
            columns.push("so.cpu AS _cpu".to_owned());
        } else {
            columns.push(join.columns.to_owned());
        }
    }
    for (name, choices) in CHOSEN {
        let choices: Vec<&str> = choices
            .iter()
            .filter(|(needs, _)| match needs.split_once('.') {
                Some((table, column)) => known.contains(&table) && schema.has_column(table, column),
                None => needs.is_empty() || known.contains(needs),
            })
            .map(|(_, column)| *column)
            .collect();
        if !choices.is_empty() {
            columns.push(format!("coalesce({}) AS {name}", choices.join(", ")));
        }
    }
    let hidden = if schema.has_usage_column("cloud_usage", "is_hidden") {
        " AND u.is_hidden = 0"
    } else {
        ""
    };
    format!(
        "SELECT {}
FROM {} u
LEFT JOIN {} a ON a.id = u.account_id
LEFT JOIN {} p ON p.project_account_id = u.account_id
LEFT JOIN {} d ON d.id = u.domain_id{joins}
WHERE u.id >= ? AND u.id <= ? AND u.start_date < ? AND u.end_date >= ?{hidden}
ORDER BY u.id LIMIT {rows}",
        columns.join(", "),
        schema.usage("cloud_usage"),
        schema.cloud("account"),
        schema.cloud("projects"),
        schema.cloud("domain"),
    )
}
