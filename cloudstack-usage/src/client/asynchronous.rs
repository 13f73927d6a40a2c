//! The asynchronous client.

use chrono::{DateTime, Utc};

use super::dialect_task::DialectTask;
use super::http::{self, FORM, Sending, Tally, Target, configured};
use super::options::{ClientOptions, Progress};
use super::retry::{Attempts, Failure, Reply, Verdict};
use super::snapshot_task::SnapshotTask;
use super::usage_task::UsageTask;
use crate::api::{Credentials, Request};
use crate::error::Error;
use crate::metadata::Kind;
use crate::period::Period;
use crate::source::{Notice, SnapshotFetch, UsageFetch, UsagePage};
use crate::wire::Answer;

/// The client for asynchronous programs, on a tokio runtime that the caller brings. It asks,
/// waits and recovers as the blocking client does.
///
/// ```no_run
/// use cloudstack_usage::{AsyncClient, ClientOptions, Credentials, Period};
///
/// # async fn run() -> Result<(), cloudstack_usage::Error> {
/// let credentials = Credentials::new("api key", "secret key");
/// let endpoint = "https://cloud.example/client/api";
/// let mut client = AsyncClient::new(endpoint, credentials, ClientOptions::default())?;
/// let october = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
/// let mut records = 0;
/// client.usage(october, &mut |page| {
///     records += page.records.len();
///     Ok(())
/// }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncClient {
    http: reqwest::Client,
    target: Target,
    tally: Tally,
}

impl AsyncClient {
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
            http: configured!(reqwest::Client::builder(), options),
            target: Target::new(endpoint, credentials, options)?,
            tally: Tally::default(),
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
    pub async fn call(&mut self, request: &Request) -> Result<Answer, Error> {
        http::only_reading(request)?;
        let answer = self.attempt(request).await;
        answer.map_err(|failure| failure.error)
    }

    /// The server's version, e.g. for [`DateDialect::for_version`](crate::DateDialect).
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn version(&mut self) -> Result<String, Error> {
        let answer = self.call(&Request::new("listCapabilities")).await?;
        http::version(&answer)
    }

    /// Fetches every usage record whose window touches `range`, as
    /// [`Source::usage`](crate::Source::usage) does.
    ///
    /// # Errors
    /// When a call fails for good, or the sink fails.
    pub async fn usage(
        &mut self,
        range: Period,
        sink: &mut (dyn FnMut(UsagePage) -> Result<(), Error> + Send),
    ) -> Result<UsageFetch, Error> {
        self.tally.begin();
        let mut task = UsageTask::new(range, &self.target.options);
        while let Some(request) = task.next() {
            let page = task.take(self.attempt(&request).await)?;
            if page != UsagePage::default() {
                sink(page)?;
            }
        }
        Ok(task.finish())
    }

    /// Fetches the metadata as it is now, as [`Source::snapshot`](crate::Source::snapshot)
    /// does.
    ///
    /// # Errors
    /// When a call fails for good.
    pub async fn snapshot(
        &mut self,
        at: DateTime<Utc>,
        kinds: &[Kind],
    ) -> Result<SnapshotFetch, Error> {
        self.tally.begin();
        let mut task = SnapshotTask::new(at, kinds, &self.target.options, self.tally.heard());
        while let Some(request) = task.next() {
            task.take(self.attempt(&request).await)?;
        }
        Ok(task.finish())
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
    pub async fn detect_dialect(&mut self, now: DateTime<Utc>) -> Result<Vec<Notice>, Error> {
        self.tally.begin();
        let mut task = DialectTask::new(now);
        while let Some(request) = task.next() {
            task.take(self.attempt(&request).await)?;
        }
        let (dialect, notices) = task.finish();
        self.target.options.dialect = dialect;
        Ok(notices)
    }

    async fn attempt(&mut self, request: &Request) -> Result<Answer, Failure> {
        let mut attempts = Attempts::new(request.to_string(), &self.target.options);
        loop {
            match attempts.judge(self.send(request).await) {
                Verdict::Answer(answer) => {
                    self.tally.note(request, &answer);
                    return Ok(answer);
                }
                Verdict::Again(delay) => {
                    http::log_again(request, delay);
                    tokio::time::sleep(delay).await;
                }
                Verdict::Failed(failure) => return Err(failure),
            }
        }
    }

    async fn send(&self, request: &Request) -> Reply {
        http::log_asking(request);
        let sending = match self.target.sending(request, Utc::now()) {
            Sending::Get { url } => self.http.get(url),
            Sending::Post { url, form } => self
                .http
                .post(url)
                .header(reqwest::header::CONTENT_TYPE, FORM)
                .body(form),
        };
        let mut response = match sending.send().await {
            Ok(response) => response,
            Err(cause) => return http::failed(request, cause),
        };
        let status = response.status().as_u16();
        let limit = self.target.options.max_answer_bytes;
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Reply::Http { status, body },
                Err(cause) => return http::failed(request, cause),
            }
            if body.len() as u64 > limit {
                return http::too_large(request, limit);
            }
        }
    }
}
