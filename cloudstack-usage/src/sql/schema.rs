//! What this user sees of CloudStack's databases: tables and columns differ by version, and
//! a careful administrator grants only some of them.

use std::collections::BTreeSet;

use super::database::Database;
use crate::error::{Error, ErrorKind};

/// The names of the two databases, and the columns that may be read.
#[derive(Debug)]
pub(super) struct Schema {
    usage: String,
    cloud: String,
    columns: BTreeSet<(String, String, String)>,
}

/// What nothing can be billed without.
const NEEDED: &[(bool, &str)] = &[
    (true, "cloud_usage"),
    (false, "account"),
    (false, "domain"),
    (false, "projects"),
];

impl Schema {
    pub(super) fn read(database: &mut Database, usage: &str, cloud: &str) -> Result<Self, Error> {
        let sql = "SELECT table_schema AS s, table_name AS t, column_name AS c
            FROM information_schema.columns WHERE table_schema IN (?, ?)";
        let rows = database.rows(sql, vec![usage.into(), cloud.into()])?;
        let text = |row: &super::database::Object, name: &str| {
            let value = row.get(name).and_then(serde_json::Value::as_str);
            value.unwrap_or_default().to_lowercase()
        };
        let columns = rows
            .iter()
            .map(|row| {
                let schema = row.get("s").and_then(serde_json::Value::as_str);
                let schema = schema.unwrap_or_default().to_owned();
                (schema, text(row, "t"), text(row, "c"))
            })
            .collect();
        let schema = Self {
            usage: usage.to_owned(),
            cloud: cloud.to_owned(),
            columns,
        };
        for (in_usage, table) in NEEDED {
            let name = if *in_usage { usage } else { cloud };
            if !schema.has(name, table, "id") {
                return Err(Error::new(
                    ErrorKind::Configuration,
                    format!(
                        "{} shows no table {name}.{table}; name the right databases, and grant \
                         SELECT on it (see the documentation of SqlSource)",
                        database.place()
                    ),
                ));
            }
        }
        Ok(schema)
    }

    /// Whether a table of `cloud` may be read.
    pub(super) fn has_table(&self, table: &str) -> bool {
        self.has(&self.cloud, table, "id")
    }

    /// Whether a column of `cloud` may be read.
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.has(&self.cloud, table, column)
    }

    /// Whether a column of `cloud_usage` may be read.
    pub(super) fn has_usage_column(&self, table: &str, column: &str) -> bool {
        self.has(&self.usage, table, column)
    }

    fn has(&self, schema: &str, table: &str, column: &str) -> bool {
        let key = (schema.to_owned(), table.to_owned(), column.to_owned());
        self.columns.contains(&key)
    }

    /// The name of the management server's database.
    pub(super) fn cloud_name(&self) -> &str {
        &self.cloud
    }

    /// A table of `cloud` as SQL names it.
    pub(super) fn cloud(&self, table: &str) -> String {
        format!("{}.{table}", quoted(&self.cloud))
    }

    /// A table of `cloud_usage` as SQL names it.
    pub(super) fn usage(&self, table: &str) -> String {
        format!("{}.{table}", quoted(&self.usage))
    }
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
