//! A call, before and after it is signed.

use std::fmt;

use chrono::{DateTime, Utc};

use super::credentials::Credentials;
use super::signature::{encode, sign};

/// Parameters that a shown request keeps to itself.
const HIDDEN: &[&str] = &["apikey", "signature", "sessionkey"];

/// A call of the API: a command and its parameters, in the order they were given.
///
/// Give names in lower case, as CloudStack documents them: they are sorted as sent.
///
/// ```
/// use cloudstack_usage::{Credentials, Request};
///
/// let request = Request::new("listZones").with("available", "false");
/// let signed = request.sign(&Credentials::new("key", "secret"), None);
/// assert!(signed.query().starts_with("command=listZones&available=false&response=json&apikey=key"));
/// assert_eq!(
///     signed.to_string(),
///     "command=listZones&available=false&response=json&apikey=…&signature=…",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    params: Vec<(String, String)>,
}

impl Request {
    /// The call of `command` (`listUsageRecords`).
    pub fn new(command: impl Into<String>) -> Self {
        Self {
            params: vec![("command".to_owned(), command.into())],
        }
    }

    /// The same with a parameter, which replaces one of the same name.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        let (name, value) = (name.into(), value.to_string());
        match self.params.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.params.push((name, value)),
        }
        self
    }

    /// The same asking for one page: `page` from 1, `size` entries each.
    #[must_use]
    pub fn with_page(self, page: u64, size: u32) -> Self {
        self.with("page", page).with("pagesize", size)
    }

    /// The command.
    pub fn command(&self) -> &str {
        self.get("command").unwrap_or_default()
    }

    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.params.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// All parameters, in their order.
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// Signs the call, asking for JSON. With `expires` the server refuses it from then on
    /// (`signatureversion` 3); servers that enforce this take 15 minutes at most.
    pub fn sign(&self, credentials: &Credentials, expires: Option<DateTime<Utc>>) -> SignedRequest {
        let mut request = self
            .clone()
            .with("response", "json")
            .with("apikey", credentials.api_key.expose());
        if let Some(expires) = expires {
            request = request
                .with("signatureversion", "3")
                .with("expires", expires.format("%Y-%m-%dT%H:%M:%S+0000"));
        }
        let signature = sign(&request.params, &credentials.secret_key);
        SignedRequest(request.with("signature", signature))
    }
}

/// Shows the call without keys and signature.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.params))
    }
}

/// A signed call, ready to be sent. Shown without its key and signature.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedRequest(Request);

impl SignedRequest {
    /// The query of a GET, and the body of a POST of type
    /// `application/x-www-form-urlencoded`. Holds the API key and the signature.
    pub fn query(&self) -> String {
        let pairs: Vec<String> = self
            .0
            .params
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }

    /// The URL of a GET at `endpoint` (`https://cloud.example/client/api`).
    pub fn url(&self, endpoint: &str) -> String {
        format!("{endpoint}?{}", self.query())
    }

    /// All parameters, key and signature included.
    pub fn params(&self) -> &[(String, String)] {
        &self.0.params
    }

    /// The call without its key and signature, for logs and messages.
    pub fn redacted(&self) -> String {
        redacted(&self.0.params)
    }
}

impl fmt::Display for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Debug for SignedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedRequest({})", self.redacted())
    }
}

fn redacted(params: &[(String, String)]) -> String {
    let pairs: Vec<String> = params
        .iter()
        .map(|(name, value)| {
            let hidden = HIDDEN.iter().any(|known| name.eq_ignore_ascii_case(known));
            format!("{name}={}", if hidden { "…" } else { value })
        })
        .collect();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::verify;

    #[test]
    fn nothing_that_is_printed_holds_key_or_signature() {
        let credentials = Credentials::new("the-api-key", "the-secret-key");
        let signed = Request::new("listZones").sign(&credentials, None);
        let signature = sign(signed.params(), &credentials.secret_key);
        for shown in [
            format!("{signed} {signed:?} {}", signed.redacted()),
            format!("{credentials:?} {credentials:#?}"),
        ] {
            for secret in ["the-api-key", "the-secret-key", signature.as_str()] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
        assert!(
            signed
                .url("http://localhost/client/api")
                .contains("the-api-key")
        );
        assert!(!signed.query().contains("the-secret-key"));
    }

    #[test]
    fn a_signed_call_verifies_and_expires() {
        let credentials = Credentials::new("k", "s");
        let expires = DateTime::from_timestamp(1_318_233_600, 0).unwrap();
        let signed = Request::new("listTags")
            .with("tags[0].key", "Billing ~*")
            .sign(&credentials, Some(expires));
        assert!(verify(signed.params(), &credentials.secret_key));
        let query = signed.query();
        assert!(query.contains("tags%5B0%5D.key=Billing%20%7E*"), "{query}");
        assert!(query.contains("signatureversion=3&expires=2011-10-10T08%3A00%3A00%2B0000"));
    }

    #[test]
    fn a_parameter_given_twice_is_the_last() {
        let request = Request::new("listZones")
            .with_page(1, 500)
            .with_page(2, 100);
        assert_eq!(request.get("page"), Some("2"));
        assert_eq!(request.params().len(), 3);
    }
}
