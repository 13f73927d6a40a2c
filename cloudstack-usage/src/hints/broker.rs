//! Where a message broker is, and how to sign in there.

use std::fmt;

use crate::api::Secret;
use crate::error::{Error, ErrorKind};
use crate::server_url::{ServerUrl, shown_place};

/// The port of AMQP 0-9-1, without and with TLS.
const PORT: u16 = 5672;
const TLS_PORT: u16 = 5671;

/// The user and virtual host of a RabbitMQ that nobody has set up.
const DEFAULT_USER: &str = "guest";
const DEFAULT_VHOST: &str = "/";

/// A message broker that speaks AMQP 0-9-1, such as RabbitMQ: `amqp://user@host:port/vhost`,
/// or `amqps://…` for TLS.
///
/// Port, user and virtual host may be left out; special characters are percent-encoded. A
/// password is better given by [`with_password`](Self::with_password) than within the URL;
/// neither `Display` nor `Debug` shows it.
///
/// ```
/// use cloudstack_usage::{Broker, Secret};
///
/// let broker = Broker::parse("amqps://billing@mq.example.com")?;
/// let broker = broker.with_password(Secret::new("hunter2"));
/// assert_eq!(broker.to_string(), "amqps://billing@mq.example.com:5671/%2F");
/// assert!(!format!("{broker:?}").contains("hunter2"));
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    has_tls: bool,
    host: String,
    port: u16,
    user: String,
    password: Option<Secret>,
    vhost: String,
}

impl Broker {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it is no URL of that form; the message does not repeat it, since it may hold a
    /// password.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let (has_tls, rest) = match (url.strip_prefix("amqp://"), url.strip_prefix("amqps://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(wrong("it does not begin with amqp:// or amqps://")),
        };
        let url = ServerUrl::parse(rest).map_err(wrong)?;
        if !url.settings.is_empty() {
            return Err(wrong("there are settings after `?`, which are not read"));
        }
        Ok(Self {
            has_tls,
            host: url.host,
            port: url.port.unwrap_or(if has_tls { TLS_PORT } else { PORT }),
            user: url.user.unwrap_or_else(|| DEFAULT_USER.to_owned()),
            password: url.password,
            vhost: url.path.unwrap_or_else(|| DEFAULT_VHOST.to_owned()),
        })
    }

    /// The same with a password, in place of one in the URL.
    #[must_use]
    pub fn with_password(mut self, password: Secret) -> Self {
        self.password = Some(password);
        self
    }

    /// Whether the connection is encrypted.
    pub fn has_tls(&self) -> bool {
        self.has_tls
    }

    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The password, where one was given.
    pub fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }

    /// The virtual host.
    pub fn vhost(&self) -> &str {
        &self.vhost
    }
}

impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.has_tls { "amqps" } else { "amqp" };
        let vhost =
            percent_encoding::utf8_percent_encode(&self.vhost, percent_encoding::NON_ALPHANUMERIC);
        let place = shown_place(&self.host, self.port);
        write!(f, "{scheme}://{}@{place}/{vhost}", self.user)
    }
}

fn wrong(what: &str) -> Error {
    let message =
        format!("the URL of a message broker must be like amqp://USER@HOST:PORT/VHOST, but {what}");
    Error::new(ErrorKind::Configuration, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_part_is_read_and_shown_again_but_for_the_password() {
        for (url, shown) in [
            ("amqp://u:p@h:1/v", "amqp://u@h:1/v"),
            ("amqps://u@h", "amqps://u@h:5671/%2F"),
            ("amqp://h/", "amqp://guest@h:5672/%2F"),
            ("amqp://h/%2f", "amqp://guest@h:5672/%2F"),
            ("amqp://u@[::1]:5673/a%2Fb", "amqp://u@[::1]:5673/a%2Fb"),
        ] {
            assert_eq!(Broker::parse(url).unwrap().to_string(), shown, "{url}");
        }
        let broker = Broker::parse("amqp://a%40b:p%2Fq%3F@[::1]/v").unwrap();
        assert_eq!((broker.user(), broker.host()), ("a@b", "::1"));
        assert_eq!(broker.password().map(Secret::expose), Some("p/q?"));
        let again = broker.with_password(Secret::new("other"));
        assert_eq!(again.password().map(Secret::expose), Some("other"));
    }

    proptest! {
        #[test]
        fn a_password_is_never_shown(
            password in "[a-z0-9]{12,20}",
            scheme in "(amqp|amqps|http)",
            broken in "(|:x|/v\\?heartbeat=1|:99999|/%ff)",
        ) {
            let url = format!("{scheme}://user:{password}@host{broken}");
            let shown = match Broker::parse(&url) {
                Ok(broker) => format!("{broker} {broker:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
