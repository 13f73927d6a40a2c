//! The blocking client.

use std::io::Read as _;

use chrono::{DateTime, TimeDelta, Utc};

use super::dialect_task::DialectTask;
use super::http::{self, FORM, Sending, Tally, Target, configured};
use super::options::{ClientOptions, Progress};
use super::retry::{Attempts, Failure, Reply, Verdict};
use super::snapshot_task::SnapshotTask;
use super::usage_task::UsageTask;
use crate::api::{Credentials, DateDialect, Request};
use crate::error::Error;
use crate::metadata::Kind;
use crate::period::Period;
use crate::source::{Notice, SnapshotFetch, Source, UsageFetch, UsagePage};
use crate::wire::Answer;

/// A client that waits for its answers. Not for use within an asynchronous runtime.
///
/// It reads only, signs every attempt anew, waits when the server throttles, and gets
/// through pages that CloudStack fails on. What it takes is one role that may make the
/// `list` calls of [`Kind::command`] and `listUsageRecords`; of type Admin, to see all
/// domains.
///
/// ```no_run
/// use cloudstack_usage::{BlockingClient, ClientOptions, Credentials, Period, Source};
///
/// let credentials = Credentials::new("api key", "secret key");
/// let endpoint = "https://cloud.example/client/api";
/// let mut client = BlockingClient::new(endpoint, credentials, ClientOptions::default())?;
/// let october = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
/// let mut records = 0;
/// let fetch = client.usage(october, &mut |page| {
///     records += page.records.len();
///     Ok(())
/// })?;
/// assert!(fetch.complete, "{:?}", fetch.notices);
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug)]
pub struct BlockingClient {
    http: reqwest::blocking::Client,
    target: Target,
    tally: Tally,
    /// How far the server's clock was ahead of ours at its last answer.
    clock_ahead: Option<TimeDelta>,
}

impl BlockingClient {
    /// A client of the API at `endpoint` (`https://cloud.example/client/api`). Proxies are
    /// taken from the environment, certificate authorities from the system.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind) when the endpoint is no HTTP URL, or
    /// the root certificate is none.
    pub fn new(
        endpoint: &str,
        credentials: Credentials,
        options: ClientOptions,
    ) -> Result<Self, Error> {
        Ok(Self {
            http: configured!(reqwest::blocking::Client::builder(), options),
            target: Target::new(endpoint, credentials, options)?,
            tally: Tally::default(),
            clock_ahead: None,
        })
    }

    /// Tells `listener` how far a fetch has come, after each answer.
    #[must_use]
    pub fn on_progress(mut self, listener: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.tally.listen(listener);
        self
    }

    /// Makes one list call, with as many attempts as the options allow.
    ///
    /// # Errors
    /// When the call fails for good, or is not a list call.
    pub fn call(&mut self, request: &Request) -> Result<Answer, Error> {
        http::only_reading(request)?;
        self.attempt(request).map_err(|failure| failure.error)
    }

    /// The server's version, e.g. for [`DateDialect::for_version`](crate::DateDialect).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn version(&mut self) -> Result<String, Error> {
        http::version(&self.call(&Request::new("listCapabilities"))?)
    }

    /// Finds out how the server takes dates, and sends them so from then on: by its version,
    /// and for one before 4.20 by the time zone that it prints dates of usage in. Gives
    /// notices where the server does not tell. `now` is when to look for usage.
    ///
    /// (`listConfigurations` would name that zone as well, but to root admins alone, and not
    /// its offset.)
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer as CloudStack does.
    pub fn detect_dialect(&mut self, now: DateTime<Utc>) -> Result<Vec<Notice>, Error> {
        self.tally.begin();
        let mut task = DialectTask::new(now);
        while let Some(request) = task.next() {
            task.take(self.attempt(&request))?;
        }
        let (dialect, notices) = task.finish();
        self.target.options.dialect = dialect;
        Ok(notices)
    }

    /// How dates are sent.
    pub fn dialect(&self) -> DateDialect {
        self.target.options.dialect
    }

    /// How far the server's clock was ahead of this machine's at its last answer (behind,
    /// where negative), to the second, by HTTP's `Date`. None before an answer, or where it
    /// has none. A request is refused once the clocks differ by more than
    /// [`expires_after`](ClientOptions::expires_after).
    pub fn clock_ahead(&self) -> Option<TimeDelta> {
        self.clock_ahead
    }

    fn attempt(&mut self, request: &Request) -> Result<Answer, Failure> {
        let mut attempts = Attempts::new(request.to_string(), &self.target.options);
        loop {
            match attempts.judge(self.send(request)) {
                Verdict::Answer(answer) => {
                    self.tally.note(request, &answer);
                    return Ok(answer);
                }
                Verdict::Again(delay) => {
                    http::log_again(request, delay);
                    std::thread::sleep(delay);
                }
                Verdict::Failed(failure) => return Err(failure),
            }
        }
    }

    fn send(&mut self, request: &Request) -> Reply {
        http::log_asking(request);
        let sending = match self.target.sending(request, Utc::now()) {
            Sending::Get { url } => self.http.get(url),
            Sending::Post { url, form } => self
                .http
                .post(url)
                .header(reqwest::header::CONTENT_TYPE, FORM)
                .body(form),
        };
        let response = match sending.send() {
            Ok(response) => response,
            Err(cause) => return http::failed(request, cause),
        };
        let status = response.status().as_u16();
        let date = response.headers().get(reqwest::header::DATE);
        let date = date.and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        self.clock_ahead = date.map(|date| whole_seconds(date.to_utc() - Utc::now()));
        let limit = self.target.options.max_answer_bytes;
        let mut body = Vec::new();
        match response
            .take(limit.saturating_add(1))
            .read_to_end(&mut body)
        {
            Ok(length) if length as u64 > limit => http::too_large(request, limit),
            Ok(_) => Reply::Http { status, body },
            Err(cause) => http::broken(request, &cause),
        }
    }
}

/// HTTP's dates have no fractions: what is less than a second is no difference.
fn whole_seconds(difference: TimeDelta) -> TimeDelta {
    TimeDelta::seconds(difference.num_seconds())
}

impl Source for BlockingClient {
    fn usage(
        &mut self,
        range: Period,
        sink: &mut dyn FnMut(UsagePage) -> Result<(), Error>,
    ) -> Result<UsageFetch, Error> {
        self.tally.begin();
        let mut task = UsageTask::new(range, &self.target.options);
        while let Some(request) = task.next() {
            let page = task.take(self.attempt(&request))?;
            if page != UsagePage::default() {
                sink(page)?;
            }
        }
        Ok(task.finish())
    }

    fn snapshot(&mut self, at: DateTime<Utc>, kinds: &[Kind]) -> Result<SnapshotFetch, Error> {
        self.tally.begin();
        let mut task = SnapshotTask::new(at, kinds, &self.target.options, self.tally.heard());
        while let Some(request) = task.next() {
            task.take(self.attempt(&request))?;
        }
        Ok(task.finish())
    }
}
