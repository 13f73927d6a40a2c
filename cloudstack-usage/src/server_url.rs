//! What the URLs of servers have in common: `scheme://user:password@host:port/path?settings`.

use percent_encoding::percent_decode_str;

use crate::api::Secret;

/// The parts of a URL behind its scheme, decoded but for the settings.
pub(crate) struct ServerUrl<'a> {
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    /// `localhost` where none is named.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    pub(crate) path: Option<String>,
    /// What stands behind `?`, as written.
    pub(crate) settings: &'a str,
}

impl<'a> ServerUrl<'a> {
    /// Reads what stands behind `scheme://`. The error says what is wrong and repeats
    /// nothing, since a URL may hold a password.
    pub(crate) fn parse(rest: &'a str) -> Result<Self, &'static str> {
        let (rest, settings) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (sign_in, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match sign_in.split_once(':') {
            Some((user, password)) => (user, Some(Secret::new(decoded(password)?))),
            None => (sign_in, None),
        };
        let (host, port) = host_and_port(place)?;
        let host = not_empty(decoded(host)?).unwrap_or_else(|| "localhost".to_owned());
        Ok(Self {
            user: not_empty(decoded(user)?),
            password,
            host,
            port,
            path: not_empty(decoded(path)?),
            settings,
        })
    }
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), &'static str> {
    let bracketed = place
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'));
    let (host, port) = match bracketed {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port
        .map(str::parse)
        .transpose()
        .map_err(|_| "the port is no number from 0 to 65535")?;
    Ok((host, port))
}

/// Decodes what is percent-encoded.
pub(crate) fn decoded(text: &str) -> Result<String, &'static str> {
    let text = percent_decode_str(text).decode_utf8();
    let text = text.map_err(|_| "a percent-encoded part is no UTF-8")?;
    Ok(text.into_owned())
}

pub(crate) fn not_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

/// A host and port as a URL has them: addresses of IPv6 in brackets.
pub(crate) fn shown_place(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
