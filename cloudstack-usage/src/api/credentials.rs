//! Keys that cannot be printed.

use std::fmt;

/// A text that must not be shown: `Debug` hides it, and there is no `Display`.
///
/// ```
/// use cloudstack_usage::Secret;
///
/// assert_eq!(format!("{:?}", Secret::new("hunter2")), "Secret(hidden)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// A secret with this text.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that signs or sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// The key pair of a CloudStack user.
///
/// Use a role that may list and nothing else; see the documentation of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The API key, sent with each request.
    pub api_key: Secret,
    /// The secret key, which signs and is never sent.
    pub secret_key: Secret,
}

impl Credentials {
    /// The pair of these two keys.
    pub fn new(api_key: impl Into<Box<str>>, secret_key: impl Into<Box<str>>) -> Self {
        Self {
            api_key: Secret::new(api_key),
            secret_key: Secret::new(secret_key),
        }
    }
}
