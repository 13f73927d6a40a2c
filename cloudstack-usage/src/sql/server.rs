//! Where a database server is, and how to sign in there.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::api::Secret;
use crate::error::{Error, ErrorKind};
use crate::server_url::{ServerUrl, decoded, not_empty, shown_place};

/// The port of MariaDB and MySQL.
const PORT: u16 = 3306;

/// What a setting of a URL may not have as it is.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'&').add(b'#').add(b'+');

/// Whether a connection is encrypted, and what the server has to prove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SqlTls {
    /// Not encrypted.
    #[default]
    Off,
    /// Encrypted, with a certificate for the host as it is named, signed by one of the
    /// authorities that browsers trust or by one in this file of PEM.
    Verified {
        /// Certificates of authorities of one's own.
        authority: Option<PathBuf>,
    },
    /// Encrypted, whatever the certificate: nobody who only listens can read it, whoever
    /// stands in between can.
    Unverified,
}

/// A MariaDB or MySQL server, a user and a database: `mysql://user@host:port/database`.
///
/// The scheme may be `mysql` or `mariadb`; port, user and database may be left out, and
/// `?socket=/run/mysqld/mysqld.sock` names a socket of this machine in place of host and
/// port. `?tls=on` encrypts and verifies the server's certificate, `?tls-ca=/etc/ssl/db-ca.pem`
/// does so with an authority of one's own, `?tls=unverified` encrypts alone ([`SqlTls`]).
/// Special characters are percent-encoded. A password is better given by
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
    tls: SqlTls,
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
            tls: SqlTls::Off,
        };
        let (mut tls, mut authority) = (None, None);
        for setting in url.settings.split('&').filter(|text| !text.is_empty()) {
            match setting.split_once('=') {
                Some(("socket", path)) => {
                    server.socket = not_empty(decoded(path).map_err(wrong)?);
                }
                Some(("tls-ca", path)) => {
                    authority = not_empty(decoded(path).map_err(wrong)?).map(PathBuf::from);
                }
                Some(("tls", word)) => tls = Some(word),
                _ => {
                    return Err(wrong(
                        "the only settings after `?` are socket=PATH, tls=on, tls=unverified, \
                         tls=off and tls-ca=FILE",
                    ));
                }
            }
        }
        server.tls = tls_of(tls, authority).map_err(wrong)?;
        if server.socket.is_some() && server.tls != SqlTls::Off {
            return Err(wrong(
                "what goes through a socket of this machine has no TLS",
            ));
        }
        Ok(server)
    }

    /// Whether the connection is encrypted.
    pub fn tls(&self) -> &SqlTls {
        &self.tls
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
        match (&self.socket, &self.tls) {
            (Some(socket), _) => write!(f, "?socket={}", encoded(socket)),
            (None, SqlTls::Off) => Ok(()),
            (None, SqlTls::Unverified) => f.write_str("?tls=unverified"),
            (None, SqlTls::Verified { authority: None }) => f.write_str("?tls=on"),
            (
                None,
                SqlTls::Verified {
                    authority: Some(file),
                },
            ) => {
                write!(f, "?tls-ca={}", encoded(&file.to_string_lossy()))
            }
        }
    }
}

fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

fn tls_of(word: Option<&str>, authority: Option<PathBuf>) -> Result<SqlTls, &'static str> {
    match (word, authority) {
        (None | Some("off"), None) => Ok(SqlTls::Off),
        (Some("on"), None) => Ok(SqlTls::Verified { authority: None }),
        (None | Some("on"), authority) => Ok(SqlTls::Verified { authority }),
        (Some("unverified"), None) => Ok(SqlTls::Unverified),
        (Some("off" | "unverified"), Some(_)) => {
            Err("tls-ca=FILE has no meaning where nothing is verified")
        }
        (Some(_), _) => Err("tls is none of on, unverified and off"),
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
            ("mysql://u@h/d?tls=off", "mysql://u@h:3306/d"),
            ("mysql://u@h/d?tls=on", "mysql://u@h:3306/d?tls=on"),
            (
                "mysql://u@h/d?tls=unverified",
                "mysql://u@h:3306/d?tls=unverified",
            ),
            (
                "mysql://u@h/d?tls=on&tls-ca=/a%20b%26c.pem",
                "mysql://u@h:3306/d?tls-ca=/a%20b%26c.pem",
            ),
        ] {
            let server = SqlServer::parse(url).unwrap();
            assert_eq!(server.to_string(), shown);
            let again = SqlServer::parse(shown).unwrap();
            assert_eq!(again.tls(), server.tls());
        }
        for url in [
            "mysql://h?tls=yes",
            "mysql://h?tls=off&tls-ca=/ca.pem",
            "mysql://h?tls=unverified&tls-ca=/ca.pem",
            "mysql:///d?socket=/run/s&tls=on",
        ] {
            assert!(SqlServer::parse(url).is_err(), "{url}");
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
