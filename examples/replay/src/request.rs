//! The parameters of a request, and whether its signature is right.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha1::Sha1;

/// What `java.net.URLEncoder` leaves as it is, beside letters and digits.
const JAVA: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*');

/// The decoded parameters of a request, in the order in which they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads a query string and the body of a form; CloudStack takes both together.
    pub(crate) fn parse(query: &str, form: &str) -> Self {
        let pairs = [query, form]
            .into_iter()
            .flat_map(|text| text.split('&'))
            .filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    /// The value of a parameter; CloudStack reads names without regard to case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, value)| n.eq_ignore_ascii_case(name) && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The parameters that may be shown: without key and signature.
    pub(crate) fn shown(&self) -> Vec<(String, String)> {
        let secret =
            |name: &str| ["apikey", "signature"].contains(&name.to_ascii_lowercase().as_str());
        self.0
            .iter()
            .filter(|(name, _)| !secret(name))
            .cloned()
            .collect()
    }

    /// Whether key, signature and (version 3) expiry are right.
    ///
    /// CloudStack: `ApiServer.verifyRequest`. Names in byte order as sent, values encoded as
    /// Java does with `%20` for a space, all of it in lower case, HMAC-SHA1, Base64.
    pub(crate) fn is_signed(&self, key: &str, secret: &str, now: DateTime<Utc>) -> bool {
        if self.get("apikey") != Some(key) {
            return false;
        }
        if self.get("signatureversion") == Some("3") {
            let expires = self
                .get("expires")
                .and_then(|text| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z").ok());
            if expires.is_none_or(|expires| expires < now) {
                return false;
            }
        }
        let Some(Ok(signature)) = self.get("signature").map(|text| STANDARD.decode(text)) else {
            return false;
        };
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else {
            return false;
        };
        mac.update(self.text_to_sign().as_bytes());
        mac.verify_slice(&signature).is_ok()
    }

    fn text_to_sign(&self) -> String {
        let mut pairs: Vec<_> = self
            .0
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("signature"))
            .collect();
        pairs.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        let pairs: Vec<String> = pairs
            .into_iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, JAVA)))
            .collect();
        pairs.join("&").to_lowercase()
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}
