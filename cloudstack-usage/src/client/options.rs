//! Settings of a client.

use std::time::Duration;

use crate::api::DateDialect;

/// How requests are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HttpMethod {
    /// Parameters in the body: key and signature stay out of access logs.
    #[default]
    Post,
    /// Parameters in the URL.
    Get,
}

/// Settings of a client. The defaults suit a server as it is installed.
///
/// ```
/// use cloudstack_usage::{ClientOptions, HttpMethod};
///
/// let options = ClientOptions {
///     method: HttpMethod::Get,
///     page_size: 200,
///     ..ClientOptions::default()
/// };
/// assert_eq!(options.max_attempts, 6);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// GET or POST.
    pub method: HttpMethod,
    /// How the server takes dates, where `detect_dialect` of the client is not asked.
    pub dialect: DateDialect,
    /// Entries of a page; 500 is the largest that a server gives unless set otherwise. It is
    /// lowered to what the server gives.
    pub page_size: u32,
    /// Whether usage records bring the tags that their resources carry at the moment.
    /// Rating does not need them, and the server reads all tags of the cloud for each page.
    pub include_tags: bool,
    /// How long a signed request is good for. Longer where clocks differ; servers that
    /// enforce it take 15 minutes at most.
    pub expires_after: Duration,
    /// Limit for making a connection.
    pub connect_timeout: Duration,
    /// Limit for a whole answer; late pages of a long list take their time.
    pub timeout: Duration,
    /// How often a request is sent at most when the server throttles, is not ready, cannot
    /// be reached or sends something that is no answer.
    pub max_attempts: u32,
    /// The wait before the second attempt; it doubles for each further one.
    pub min_delay: Duration,
    /// The longest wait. A server that asks for a longer one ends the fetch.
    pub max_delay: Duration,
    /// How often a list without a stable order (volumes, tags) is read again when it gives
    /// fewer entries than it counts.
    pub max_list_repeats: u32,
    /// How many usage records that CloudStack fails on are passed over in one fetch, before
    /// the fetch ends with an error.
    pub max_unreadable: u32,
    /// How much more usage to ask for on both sides of a range, for CloudStack gives no
    /// record that is cut by its bounds: the longest window to be expected
    /// (`usage.stats.job.aggregation.range`, a day unless set otherwise), and a little.
    pub usage_margin: Duration,
    /// The largest answer to be read, in bytes.
    pub max_answer_bytes: u64,
    /// A certificate authority to trust besides those of the system, in PEM.
    pub root_certificate: Option<Vec<u8>>,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            method: HttpMethod::default(),
            dialect: DateDialect::default(),
            page_size: 500,
            include_tags: false,
            expires_after: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(120),
            max_attempts: 6,
            min_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(60),
            max_list_repeats: 3,
            max_unreadable: 100,
            usage_margin: Duration::from_secs(25 * 3600),
            max_answer_bytes: 256 << 20,
            root_certificate: None,
        }
    }
}

/// How far a fetch has come, after each answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The command.
    pub command: String,
    /// Answers of this fetch so far.
    pub pages: u64,
    /// Entries of this fetch so far.
    pub entries: u64,
    /// What the server counts for this command over all pages, where it says so.
    pub count: Option<u64>,
}
