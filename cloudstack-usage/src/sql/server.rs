//! Where a database server is, and how to sign in there.

use std::fmt;

use crate::api::Secret;
use crate::error::{Error, ErrorKind};
use crate::server_url::{ServerUrl, decoded, not_empty, shown_place};

/// The port of MariaDB and MySQL.
const PORT: u16 = 3306;

/// A MariaDB or MySQL server, a user and a database: `mysql://user@host:port/database`.
///
/// The scheme may be `mysql` or `mariadb`; port, user and database may be left out, and
/// `?socket=/run/mysqld/mysqld.sock` names a socket of this machine in place of host and
/// port. Special characters are percent-encoded. A password is better given by
/// [`with_password`](Self::with_password) than within the URL; neither `Display` nor `Debug`
/// shows it.
///
/// ```
/// use cloudstack_usage::{Secret, SqlServer};
///
/// let server = SqlServer::parse("mysql://billing@db.example.com/portal")?;
/// let server = server.with_password(Secret::new("hunter2"));
/// assert_eq!(server.to_string(), "mysql://billing@db.example.com:3306/portal");
/// assert!(!format!("{server:?}").contains("hunter2"));
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlServer {
    host: String,
    port: u16,
    socket: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
}

impl SqlServer {
    /// Whether a text is meant as the URL of a server, rather than as the name of a file.
    pub fn is_url(text: &str) -> bool {
        strip_scheme(text).is_some()
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// When it is no URL of that form; the message does not repeat it, since it may hold a
    /// password.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let rest = strip_scheme(url).ok_or_else(|| wrong("it does not begin with mysql://"))?;
        let url = ServerUrl::parse(rest).map_err(wrong)?;
        let mut server = Self {
            host: url.host,
            port: url.port.unwrap_or(PORT),
            socket: None,
            user: url.user,
            password: url.password,
            database: url.path,
        };
        for setting in url.settings.split('&').filter(|text| !text.is_empty()) {
            match setting.split_once('=') {
                Some(("socket", path)) => {
                    server.socket = not_empty(decoded(path).map_err(wrong)?);
                }
                _ => return Err(wrong("the only setting after `?` is socket=PATH")),
            }
        }
        Ok(server)
    }

    /// The same with a password, in place of one in the URL.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// The same with another database.
    #[must_use]
    pub fn with_database(mut self, name: impl Into<String>) -> Self {
        self.database = Some(name.into());
        self
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket of this machine that takes the place of host and port.
    pub fn socket(&self) -> Option<&str> {
        self.socket.as_deref()
    }

    /// The user; none for the server's default.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The password, where one was given.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The database.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }
}

impl fmt::Display for SqlServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mysql://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match &self.socket {
            Some(_) => f.write_str(&self.host)?,
            None => f.write_str(&shown_place(&self.host, self.port))?,
        }
        write!(f, "/{}", self.database.as_deref().unwrap_or_default())?;
        match &self.socket {
            Some(socket) => write!(f, "?socket={socket}"),
            None => Ok(()),
        }
    }
}

fn strip_scheme(url: &str) -> Option<&str> {
    ["mysql://", "mariadb://"]
        .iter()
        .find_map(|scheme| url.strip_prefix(scheme))
}

fn wrong(what: &str) -> Error {
    let message = format!(
        "the URL of a database server must be like mysql://USER@HOST:PORT/DATABASE, but {what}"
    );
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_is_read_and_shown_again_but_for_the_password() {
        for (url, shown) in [
            ("mysql://u@h:1/d", "mysql://u@h:1/d"),
            ("mariadb://u:p@h/d", "mysql://u@h:3306/d"),
            ("mysql://h", "mysql://h:3306/"),
            ("mysql://u@[::1]:3307/d", "mysql://u@[::1]:3307/d"),
            (
                "mysql:///d?socket=/run/s",
                "mysql://localhost/d?socket=/run/s",
            ),
        ] {
            assert_eq!(SqlServer::parse(url).unwrap().to_string(), shown);
        }
        let server = SqlServer::parse("mysql://a%40b:p%2Fq%3F@h/d").unwrap();
        assert_eq!(server.user(), Some("a@b"));
        assert_eq!(server.password().map(Secret::expose), Some("p/q?"));
        assert!(!SqlServer::is_url("mysql.sqlite"));
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(password in "[a-z0-9]{12,20}", broken in "(|:x|/d\\?y=1|:99999|/%ff)") {
            let url = format!("mysql://user:{password}@host{broken}");
            match SqlServer::parse(&url) {
                Ok(server) => {
                    let shown = format!("{server} {server:?}");
                    prop_assert!(!shown.contains(&password));
                    prop_assert_eq!(server.password().map(Secret::expose), Some(&*password));
                }
                Err(error) => {
                    let shown = format!("{error} {error:?}");
                    prop_assert!(!shown.contains(&password));
                }
            }
        }
    }
}
