//! How the server behaves beside what was recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};

/// Something that goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429 with the milliseconds to wait in its text.
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// 503 as CloudStack says it while it starts.
    Unavailable,
    /// 530, CloudStack's own failure.
    Internal,
    /// 200 with an HTML page, as a proxy in between sends it.
    HtmlPage,
    /// 200 with a body that ends in the middle.
    Truncated,
    /// 200 with JSON that is no answer of CloudStack's.
    OtherJson,
    /// The right answer, late.
    Slow(Duration),
}

/// Which clock the `expires` of a signed request is held against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExpiryClock {
    /// The machine's clock, as clients read it when they sign.
    #[default]
    Real,
    /// The clock of the replay ([`Options::now`]).
    Replay,
}

/// Settings of a [`ReplayServer`](crate::ReplayServer).
#[derive(Debug, Clone)]
pub struct Options {
    /// The API key that is accepted. Root administrator: it sees everything.
    pub key: String,
    /// Its secret.
    pub secret: String,
    /// The moment that the server believes in: usage whose window had not ended by then and
    /// syncs after it are not there yet. None: after everything recorded.
    pub now: Option<DateTime<Utc>>,
    /// The clock for `expires`.
    pub expiry: ExpiryClock,
    /// How far the clock of the server's machine is ahead of this one's.
    pub clock_ahead: TimeDelta,
    /// The largest page size, CloudStack's `default.page.size`.
    pub max_page_size: usize,
    /// Calls that the role may not make (432).
    pub denied: BTreeSet<String>,
    /// What goes wrong with the n-th request, counted from 1.
    pub faults: BTreeMap<u64, Fault>,
    /// What goes wrong with every request that has no fault of its own.
    pub always: Option<Fault>,
    /// Positions (from 0, in the order of the recording) of records that the server cannot
    /// read: every page that would hold one is answered with 530.
    pub unreadable: BTreeSet<usize>,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: "replay-api-key".to_owned(),
            secret: "replay-secret-key".to_owned(),
            now: None,
            expiry: ExpiryClock::default(),
            clock_ahead: TimeDelta::zero(),
            max_page_size: 500,
            denied: BTreeSet::new(),
            faults: BTreeMap::new(),
            always: None,
            unreadable: BTreeSet::new(),
            port: 0,
        }
    }
}

impl Options {
    /// The same with `fault` at the n-th request, counted from 1.
    #[must_use]
    pub fn fault(mut self, request: u64, fault: Fault) -> Self {
        self.faults.insert(request, fault);
        self
    }

    /// What the clock of the server's machine says.
    pub(crate) fn machine_clock(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(SystemTime::now()) + self.clock_ahead
    }

    /// The same with a call that the role may not make.
    #[must_use]
    pub fn deny(mut self, command: &str) -> Self {
        self.denied.insert(command.to_owned());
        self
    }

    /// The same with this moment.
    #[must_use]
    pub fn at(mut self, now: DateTime<Utc>) -> Self {
        self.now = Some(now);
        self
    }
}
