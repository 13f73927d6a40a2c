//! The recorded rows of CloudStack's databases, in databases of a test's own.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::print_stderr, reason = "a skipped test must say so")]

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use cloudstack_usage::{Secret, SqlServer, SqlSource};
use mysql::prelude::Queryable as _;
use mysql::{Conn, OptsBuilder, Params, Value};
use serde_json::Value as Json;

/// The recording.
pub(crate) fn folder() -> PathBuf {
    // another package has this module in its tests too
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut above = package
        .ancestors()
        .map(|folder| folder.join("examples/data/cloudstack-4.23"));
    above.find(|folder| folder.is_dir()).unwrap()
}

/// Two databases with the recorded rows, dropped at the end of their test.
pub(crate) struct CloudStackDatabase {
    pub(crate) server: SqlServer,
    pub(crate) usage: String,
    pub(crate) cloud: String,
    users: std::cell::RefCell<Vec<String>>,
}

impl CloudStackDatabase {
    /// None, and a word on it, where no server was started.
    pub(crate) fn recorded() -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let Ok(url) = std::env::var("CSBILL_TEST_MARIADB") else {
            eprintln!("SKIPPED: no MariaDB; run this through store-sql/tests/with-mariadb.sh");
            return None;
        };
        let password = std::env::var("CSBILL_TEST_MARIADB_PASSWORD").unwrap_or_default();
        let server = SqlServer::parse(&url)
            .unwrap()
            .with_password(Secret::new(password));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("csb_cs_{}_{number}", std::process::id());
        let (usage, cloud) = (format!("{name}_usage"), format!("{name}_cloud"));
        let database = Self {
            server: server.with_database(&usage),
            usage,
            cloud,
            users: std::cell::RefCell::default(),
        };
        database.load();
        Some(database)
    }

    pub(crate) fn source(&self) -> SqlSource {
        SqlSource::connect_to(&self.server, &self.cloud).unwrap()
    }

    pub(crate) fn run(&self, sql: &str) {
        connect(&self.server).query_drop(sql).unwrap();
    }

    /// A number and a name, of the first row.
    pub(crate) fn named(&self, sql: &str) -> (u64, String) {
        let row = connect(&self.server).query_first(sql).unwrap();
        row.unwrap()
    }

    /// A user who may read these tables (database, table, columns) and nothing else.
    pub(crate) fn user(&self, tables: &[(&String, &str, &str)]) -> SqlServer {
        let name = format!("r{}_{}", self.users.borrow().len(), self.usage);
        let password = self.server.password().unwrap().expose();
        self.run(&format!(
            "CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'"
        ));
        for (database, table, columns) in tables {
            self.run(&format!(
                "GRANT SELECT {columns} ON {database}.{table} TO '{name}'@'%'"
            ));
        }
        self.users.borrow_mut().push(name.clone());
        let (host, port) = (self.server.host(), self.server.port());
        SqlServer::parse(&format!("mysql://{name}@{host}:{port}/{}", self.usage))
            .unwrap()
            .with_password(Secret::new(password))
    }

    /// Gives the tables the shape of releases up to 4.16: service offerings are the rows of
    /// `disk_offering` with more columns, of the same numbers, VMs' own numbers are in
    /// `user_vm_details`, and columns of later releases are not there.
    pub(crate) fn make_old(&self) {
        let (cloud, usage) = (&self.cloud, &self.usage);
        let statements = [
            // numbers that service offerings are going to have
            format!("UPDATE {cloud}.disk_offering SET id = id + 100 WHERE compute_only = 0 AND id < 20"),
            format!(
                "UPDATE {cloud}.volumes v JOIN {cloud}.service_offering s
                 ON s.disk_offering_id = v.disk_offering_id SET v.disk_offering_id = s.id"
            ),
            format!("DELETE FROM {cloud}.disk_offering WHERE compute_only = 1"),
            format!(
                "ALTER TABLE {cloud}.disk_offering ADD COLUMN type VARCHAR(32) DEFAULT 'Disk',
                 ADD COLUMN system_use TINYINT DEFAULT 0, DROP COLUMN compute_only,
                 DROP COLUMN encrypt, DROP COLUMN disk_size_strictness"
            ),
            format!(
                "INSERT INTO {cloud}.disk_offering (id, uuid, name, removed, state, type, system_use)
                 SELECT id, uuid, name, removed, state, 'Service', system_use
                 FROM {cloud}.service_offering"
            ),
            format!(
                "ALTER TABLE {cloud}.service_offering DROP COLUMN uuid, DROP COLUMN name,
                 DROP COLUMN display_text, DROP COLUMN unique_name, DROP COLUMN customized,
                 DROP COLUMN created, DROP COLUMN removed, DROP COLUMN state,
                 DROP COLUMN disk_offering_id, DROP COLUMN system_use,
                 DROP COLUMN disk_offering_strictness, DROP COLUMN vgpu_profile_id,
                 DROP COLUMN gpu_count, DROP COLUMN gpu_display"
            ),
            format!(
                "CREATE TABLE {cloud}.user_vm_details (id BIGINT PRIMARY KEY AUTO_INCREMENT,
                 vm_id BIGINT, name VARCHAR(255), value VARCHAR(5120))"
            ),
            format!("ALTER TABLE {cloud}.usage_event DROP COLUMN vm_id"),
            format!("DELETE FROM {cloud}.guest_os_category WHERE removed IS NOT NULL"),
            format!("ALTER TABLE {cloud}.guest_os_category DROP COLUMN removed, DROP COLUMN created"),
            format!("ALTER TABLE {usage}.cloud_usage DROP COLUMN is_hidden, DROP COLUMN state"),
        ];
        let mut connection = connect(&self.server);
        connection.query_drop("SET sql_mode = ''").unwrap();
        for sql in statements {
            connection.query_drop(sql).unwrap();
        }
    }

    fn load(&self) {
        let mut connection = connect(&self.server);
        for database in [&self.usage, &self.cloud] {
            let sql = format!("CREATE DATABASE {database} CHARACTER SET utf8mb4");
            connection.query_drop(sql).unwrap();
        }
        connection.query_drop("SET sql_mode = ''").unwrap();
        let folder = folder().join("sql-daily");
        let columns = std::fs::read(folder.join("columns.json")).unwrap();
        let tables: BTreeMap<String, Vec<Json>> = serde_json::from_slice(&columns).unwrap();
        for (table, columns) in tables {
            let (database, name) = match table.split_once('.').unwrap() {
                ("cloud", name) => (&self.cloud, name),
                (_, name) => (&self.usage, name),
            };
            let file = folder.join(format!("{table}.jsonl.gz"));
            if name.starts_with("quota_") || !file.exists() {
                continue;
            }
            create(&mut connection, database, name, &columns);
            fill(&mut connection, database, name, &columns, &text(&file));
        }
        self.add_what_was_not_recorded(&mut connection);
    }

    /// Tables whose rows the recording lacks, with the ids that the API gave for them.
    fn add_what_was_not_recorded(&self, connection: &mut Conn) {
        let cloud = &self.cloud;
        for (table, columns) in [
            ("firewall_rules", "uuid VARCHAR(40)"),
            ("load_balancing_rules", "name VARCHAR(255)"),
            ("vpn_users", "uuid VARCHAR(40), username VARCHAR(255)"),
            (
                "vm_snapshots",
                "uuid VARCHAR(40), display_name VARCHAR(255)",
            ),
            ("domain_router", "vpc_id BIGINT UNSIGNED"),
            ("security_group", "uuid VARCHAR(40), name VARCHAR(255)"),
        ] {
            let sql =
                format!("CREATE TABLE {cloud}.{table} (id BIGINT UNSIGNED PRIMARY KEY, {columns})");
            connection.query_drop(sql).unwrap();
        }
        connection
            .query_drop(format!("INSERT INTO {cloud}.domain_router VALUES (31, 1)"))
            .unwrap();
        let rows = text(&folder().join("sql-daily/cloud_usage.cloud_usage.jsonl.gz"));
        let rows = rows
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap());
        for (row, sent) in rows.zip(sent_by_api()) {
            let id = row["usage_id"].as_u64();
            let uuid = sent["usageid"].as_str();
            let description = sent["description"].as_str().unwrap();
            let between = |before: &str| {
                let name = description.strip_prefix(before)?;
                Some(name.split_once(" (")?.0.to_owned())
            };
            let mut put = |table: &str, values: Params| {
                let marks = match &values {
                    Params::Positional(values) => vec!["?"; values.len()].join(", "),
                    _ => unreachable!("all values have places"),
                };
                let sql = format!("REPLACE INTO {cloud}.{table} VALUES ({marks})");
                connection.exec_drop(sql, values).unwrap();
            };
            match row["usage_type"].as_u64() {
                Some(11) => {
                    put("firewall_rules", (id, uuid).into());
                    put(
                        "load_balancing_rules",
                        (id, between("Loadbalancer policy usage ")).into(),
                    );
                }
                Some(12) => put("firewall_rules", (id, uuid).into()),
                Some(14) => put(
                    "vpn_users",
                    (id, uuid, between("VPN usage for user ")).into(),
                ),
                Some(25 | 27) => put("vm_snapshots", (id, uuid, sent["name"].as_str()).into()),
                _ => {}
            }
        }
    }
}

impl Drop for CloudStackDatabase {
    fn drop(&mut self) {
        let mut connection = connect(&self.server);
        for database in [&self.usage, &self.cloud] {
            let _ = connection.query_drop(format!("DROP DATABASE IF EXISTS {database}"));
        }
        for user in self.users.borrow().iter() {
            let _ = connection.query_drop(format!("DROP USER '{user}'@'%'"));
        }
    }
}

/// What the API said, record by record, in the order of the rows.
fn sent_by_api() -> Vec<Json> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("usage-daily"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gz"))
        .collect();
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let body: Json = serde_json::from_str(&text(&file)).unwrap();
        let list = &body["listusagerecordsresponse"]["usagerecord"];
        records.extend(list.as_array().cloned().unwrap_or_default());
    }
    records
}

fn text(file: &std::path::Path) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    text
}

fn create(connection: &mut Conn, database: &str, table: &str, columns: &[Json]) {
    let columns: Vec<String> = columns
        .iter()
        .map(|column| {
            let name = column["name"].as_str().unwrap();
            let kind = column["type"].as_str().unwrap();
            let key = if column["key"] == "PRI" {
                " PRIMARY KEY"
            } else {
                ""
            };
            format!("`{name}` {kind}{key}")
        })
        .collect();
    let sql = format!("CREATE TABLE {database}.{table} ({})", columns.join(", "));
    connection.query_drop(sql).unwrap();
}

fn fill(connection: &mut Conn, database: &str, table: &str, columns: &[Json], lines: &str) {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    let rows: Vec<Vec<Value>> = lines
        .lines()
        .map(|line| {
            let row: Json = serde_json::from_str(line).unwrap();
            names.iter().map(|name| value(&row[*name])).collect()
        })
        .collect();
    for chunk in rows.chunks(200) {
        let row = format!("({})", vec!["?"; names.len()].join(", "));
        let all = vec![row; chunk.len()].join(", ");
        let sql = format!("INSERT INTO {database}.{table} VALUES {all}");
        connection
            .exec_drop(sql, Params::Positional(chunk.concat()))
            .unwrap();
    }
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::NULL,
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(number) => Value::from(number.to_string()),
        Json::String(text) => Value::from(text),
        other => Value::from(other.to_string()),
    }
}

fn connect(server: &SqlServer) -> Conn {
    let options = OptsBuilder::new()
        .ip_or_hostname(Some(server.host()))
        .tcp_port(server.port())
        .prefer_socket(false)
        .user(server.user())
        .pass(server.password().map(Secret::expose));
    Conn::new(options).unwrap()
}
