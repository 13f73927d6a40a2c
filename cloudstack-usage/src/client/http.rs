//! What the blocking and the asynchronous client share of HTTP.

use chrono::{DateTime, Utc};

use super::options::{ClientOptions, HttpMethod, Progress};
use super::retry::Reply;
use crate::api::{Credentials, Request};
use crate::error::{Error, ErrorKind};
use crate::wire::Answer;

/// How this library names itself to servers.
pub(super) const USER_AGENT: &str = concat!("cloudstack-usage/", env!("CARGO_PKG_VERSION"));

/// The media type of a POST's body.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// Both kinds of `reqwest` builders have these methods, but no trait.
macro_rules! configured {
    ($builder:expr, $options:expr) => {{
        let mut builder = $builder
            .user_agent($crate::client::http::USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout($options.connect_timeout)
            .timeout($options.timeout);
        if let Some(pem) = &$options.root_certificate {
            let certificate = reqwest::Certificate::from_pem(pem)
                .map_err($crate::client::http::bad_certificate)?;
            builder = builder.tls_certs_merge([certificate]);
        }
        builder.build().map_err($crate::client::http::not_built)?
    }};
}
pub(super) use configured;

/// The server and who asks it.
#[derive(Debug, Clone)]
pub(super) struct Target {
    endpoint: String,
    credentials: Credentials,
    pub(super) options: ClientOptions,
}

/// One sending, signed.
pub(super) enum Sending {
    Get { url: String },
    Post { url: String, form: String },
}

impl Target {
    /// Checks the endpoint: an HTTP URL without a query.
    pub(super) fn new(
        endpoint: &str,
        credentials: Credentials,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        let wrong = |why: &str| {
            Error::new(
                ErrorKind::Configuration,
                format!("the endpoint {why}; give one such as https://cloud.example/client/api"),
            )
        };
        let url =
            reqwest::Url::parse(endpoint).map_err(|cause| wrong("is no URL").with_source(cause))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("is no HTTP URL"));
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
            return Err(wrong("has a query, a fragment or a user"));
        }
        Ok(Self {
            endpoint: url.into(),
            credentials,
            options,
        })
    }

    /// Signs a request for one sending.
    pub(super) fn sending(&self, request: &Request, now: DateTime<Utc>) -> Sending {
        let expires = chrono::TimeDelta::from_std(self.options.expires_after)
            .ok()
            .and_then(|after| now.checked_add_signed(after));
        let signed = request.sign(&self.credentials, expires);
        match self.options.method {
            HttpMethod::Get => Sending::Get {
                url: signed.url(&self.endpoint),
            },
            HttpMethod::Post => Sending::Post {
                url: self.endpoint.clone(),
                form: signed.query(),
            },
        }
    }
}

/// Logs a call without its signature.
pub(super) fn log_asking(request: &Request) {
    tracing::debug!(call = %request, "asking");
}

/// Logs that a call is made again after a wait.
pub(super) fn log_again(request: &Request, delay: std::time::Duration) {
    let wait_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    tracing::warn!(call = %request, wait_ms, "no good answer; trying again");
}

/// Refuses calls that change something: a call may be sent several times.
pub(super) fn only_reading(request: &Request) -> Result<(), Error> {
    let command = request.command();
    if command.to_ascii_lowercase().starts_with("list") {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Configuration,
        format!("{command} is not a list call, and this client repeats calls: it reads only"),
    ))
}

/// The version in an answer of `listCapabilities`.
pub(super) fn version(answer: &Answer) -> Result<String, Error> {
    answer.version().ok_or_else(|| {
        Error::new(
            ErrorKind::Malformed,
            "listCapabilities: the answer gives no cloudstackversion",
        )
    })
}

/// A failure of the transport. The URL is taken out of it, for it holds key and signature.
pub(super) fn failed(request: &Request, cause: reqwest::Error) -> Reply {
    let what = if cause.is_timeout() {
        "no answer in time"
    } else if cause.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    let message = format!("{request}: {what}; check endpoint, network and proxy");
    Reply::Failed(Error::new(ErrorKind::Transport, message).with_source(cause.without_url()))
}

/// An answer beyond what the options allow.
pub(super) fn too_large(request: &Request, limit: u64) -> Reply {
    let message = format!(
        "{request}: the answer is larger than {limit} bytes; ask for smaller pages, or raise max_answer_bytes"
    );
    Reply::Failed(Error::new(ErrorKind::Configuration, message))
}

/// A body that broke off.
#[cfg(feature = "blocking")]
pub(super) fn broken(request: &Request, cause: &std::io::Error) -> Reply {
    let what = if cause.kind() == std::io::ErrorKind::TimedOut {
        "no answer in time"
    } else {
        "the connection broke"
    };
    let message = format!("{request}: {what}; check endpoint, network and proxy");
    // the cause holds the URL, which holds key and signature
    Reply::Failed(Error::new(ErrorKind::Transport, message).with_source(cause.kind().to_string()))
}

pub(super) fn bad_certificate(cause: reqwest::Error) -> Error {
    Error::new(
        ErrorKind::Configuration,
        "the root certificate is no certificate in PEM",
    )
    .with_source(cause.without_url())
}

pub(super) fn not_built(cause: reqwest::Error) -> Error {
    Error::new(
        ErrorKind::Configuration,
        "the HTTP client cannot be set up; check certificates and proxy settings",
    )
    .with_source(cause.without_url())
}

/// Who is told how far a fetch has come.
type Listener = Box<dyn FnMut(&Progress) + Send>;

/// Counts the answers of a fetch and tells whoever listens.
#[derive(Default)]
pub(super) struct Tally {
    listener: Option<Listener>,
    pages: u64,
    entries: u64,
    /// Whether the server ever answered these credentials.
    heard: bool,
}

impl Tally {
    pub(super) fn listen(&mut self, listener: impl FnMut(&Progress) + Send + 'static) {
        self.listener = Some(Box::new(listener));
    }

    pub(super) fn begin(&mut self) {
        (self.pages, self.entries) = (0, 0);
    }

    /// Whether the server ever answered: then a 401 is not about the key.
    pub(super) fn heard(&self) -> bool {
        self.heard
    }

    pub(super) fn note(&mut self, request: &Request, answer: &Answer) {
        self.heard = true;
        self.pages += 1;
        self.entries += answer.len();
        if let Some(listener) = &mut self.listener {
            listener(&Progress {
                command: request.command().to_owned(),
                pages: self.pages,
                entries: self.entries,
                count: answer.count(),
            });
        }
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_http_url_and_nothing_more() {
        let target = |endpoint: &str| {
            Target::new(
                endpoint,
                Credentials::new("k", "s"),
                ClientOptions::default(),
            )
        };
        assert!(target("http://localhost:8080/client/api").is_ok());
        for endpoint in [
            "",
            "cloud.example/client/api",
            "ftp://cloud.example/client/api",
            "https://cloud.example/client/api?command=x",
            "https://cloud.example/client/api#x",
            "https://user@cloud.example/client/api",
        ] {
            let error = target(endpoint).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{endpoint}");
        }
    }

    #[test]
    fn only_list_calls_are_sent() {
        assert!(only_reading(&Request::new("listZones")).is_ok());
        let error = only_reading(&Request::new("destroyVirtualMachine")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
