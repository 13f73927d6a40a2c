//! A connection that reads, and rows as JSON objects.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc};
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, Params, Row, Value};
use serde_json::{Map, Number, Value as Json};

use super::{SqlServer, tls};
use crate::api::Secret;
use crate::error::{Error, ErrorKind};

/// How long to wait for the server to answer at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Nothing is ever written, each query sees what is committed, and text is UTF-8.
const SESSION: &[&str] = &[
    "SET NAMES utf8mb4",
    "SET SESSION time_zone = '+00:00'",
    "SET SESSION net_write_timeout = 3600",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION READ ONLY",
];

/// An object of JSON: column by column what is not NULL.
pub(super) type Object = Map<String, Json>;

/// A connection to the server that has CloudStack's databases.
pub(super) struct Database {
    connection: Conn,
    place: String,
}

/// The driver's own `Debug` shows the password.
impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Database {
    pub(super) fn connect(server: &SqlServer) -> Result<Self, Error> {
        let place = server.to_string();
        let options = OptsBuilder::new()
            .ip_or_hostname(Some(server.host()))
            .tcp_port(server.port())
            .socket(server.socket())
            // else the driver would leave a host for the socket that the server names
            .prefer_socket(server.socket().is_some())
            .user(server.user())
            .pass(server.password().map(Secret::expose))
            .ssl_opts(tls::options(server)?)
            .tcp_connect_timeout(Some(CONNECT_TIMEOUT))
            .tcp_keepalive_time_ms(Some(60_000));
        let mut connection = Conn::new(options).map_err(|error| explain(&place, error))?;
        for sql in SESSION {
            connection
                .query_drop(sql)
                .map_err(|error| explain(&place, error))?;
        }
        Ok(Self { connection, place })
    }

    /// The server, for messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// All rows of a query, in order.
    pub(super) fn rows(&mut self, sql: &str, values: Vec<Value>) -> Result<Vec<Object>, Error> {
        let values = if values.is_empty() {
            Params::Empty
        } else {
            Params::Positional(values)
        };
        let rows: Vec<Row> = self
            .connection
            .exec(sql, values)
            .map_err(|error| explain(&self.place, error))?;
        Ok(rows.into_iter().map(object).collect())
    }
}

/// A row as JSON, numbers as numbers and times as CloudStack sends them.
fn object(row: Row) -> Object {
    let names: Vec<String> = row
        .columns_ref()
        .iter()
        .map(|column| column.name_str().into_owned())
        .collect();
    let values = row.unwrap_raw();
    let mut object = Object::new();
    for (name, value) in names.into_iter().zip(values) {
        if let Some(value) = value.and_then(json) {
            object.insert(name, value);
        }
    }
    object
}

fn json(value: Value) -> Option<Json> {
    Some(match value {
        Value::NULL | Value::Time(..) => return None,
        // a text that is no UTF-8 costs its own strange letters, not the row
        Value::Bytes(bytes) => Json::String(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Int(number) => Json::Number(Number::from(number)),
        Value::UInt(number) => Json::Number(Number::from(number)),
        // six places, half to even, as CloudStack prints `rawusage`
        Value::Float(number) => Json::String(trimmed(&format!("{number:.6}"))),
        Value::Double(number) => Json::String(trimmed(&format!("{number:.6}"))),
        Value::Date(year, month, day, hour, minute, second, _) => Json::String(format!(
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}+0000"
        )),
    })
}

fn trimmed(number: &str) -> String {
    number
        .trim_end_matches('0')
        .trim_end_matches('.')
        .to_owned()
}

/// A time to compare with. What no DATETIME can be is before or after all of them.
pub(super) fn datetime(instant: DateTime<Utc>) -> Value {
    let small = |number: u32| u8::try_from(number).unwrap_or_default();
    match u16::try_from(instant.year()) {
        Ok(year @ 1..=9999) => Value::Date(
            year,
            small(instant.month()),
            small(instant.day()),
            small(instant.hour()),
            small(instant.minute()),
            small(instant.second()),
            instant.timestamp_subsec_micros().min(999_999),
        ),
        Ok(10_000..) => Value::Date(9999, 12, 31, 23, 59, 59, 999_999),
        _ => Value::Date(1, 1, 1, 0, 0, 0, 0),
    }
}

fn explain(place: &str, error: mysql::Error) -> Error {
    if let Some(message) = tls::explain(place, &error) {
        return Error::new(ErrorKind::Transport, message).with_source(error);
    }
    let (kind, message) = match &error {
        mysql::Error::MySqlError(refused) => match refused.code {
            // access denied, to the database, a table or a column
            1044 | 1045 | 1142 | 1143 | 1698 => (
                ErrorKind::Unauthorized,
                format!(
                    "{place} refuses this user; check user, password (given by the environment \
                     or a file) and grants"
                ),
            ),
            1040 | 1053 | 1203 | 1205 | 1213 => {
                (ErrorKind::Unavailable, format!("{place} is busy"))
            }
            1049 | 1146 | 1054 => (
                ErrorKind::Configuration,
                format!("{place} does not have what CloudStack's databases have"),
            ),
            _ => (ErrorKind::Internal, format!("{place} failed")),
        },
        mysql::Error::IoError(_) | mysql::Error::DriverError(_) | mysql::Error::CodecError(_) => (
            ErrorKind::Transport,
            format!("{place} cannot be reached, or the connection was lost"),
        ),
        // these errors show the row
        _ => {
            let message = format!("{place} answered with something that is no row");
            return Error::new(ErrorKind::Malformed, message);
        }
    };
    Error::new(kind, message).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_have_six_places_as_cloudstack_prints_them() {
        for (number, text) in [
            (14.789_722_442_626_953, "14.789722"),
            (24.0, "24"),
            (861_133_197.0, "861133197"),
            (0.000_000_1, "0"),
            (0.007_812_5, "0.007812"),
            (10_000_000_000_000_000_000.0, "10000000000000000000"),
        ] {
            assert_eq!(json(Value::Double(number)), Some(Json::from(text)));
        }
    }
}
