//! The server: threads on loopback, owned and joined.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tiny_http::{Request, Server, StatusCode};

use crate::answer::{Answer, wrapper};
use crate::error::{Error, ErrorKind};
use crate::lists;
use crate::options::{ExpiryClock, Fault, Options};
use crate::recording::Recording;
use crate::request::Params;
use crate::usage::{self, Windows};

/// Requests answered at the same time.
const THREADS: usize = 4;

/// Where CloudStack's API is found below the server's address.
pub(crate) const PATH: &str = "/client/api";

/// The account that the key belongs to, as messages name it.
const ACCOUNT: &str = "admin";

/// A request as the log keeps it, without key and signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The call; empty where none was named.
    pub command: String,
    /// All parameters but key and signature.
    pub params: Vec<(String, String)>,
    /// The HTTP status of the answer.
    pub status: u16,
}

/// A server on 127.0.0.1 that answers as the recorded CloudStack did. Dropping it ends it.
///
/// ```
/// # fn main() -> Result<(), csbill_replay::Error> {
/// use csbill_replay::{Options, Recording, ReplayServer};
///
/// let server = ReplayServer::start(Recording::default(), Options::default())?;
/// assert!(server.url().starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct ReplayServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    server: Server,
    recording: Recording,
    windows: Windows,
    options: Options,
    state: Mutex<State>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

struct State {
    now: Option<DateTime<Utc>>,
    count: u64,
    log: Vec<LoggedRequest>,
    signatures: Vec<String>,
}

impl ReplayServer {
    /// Starts a server of `recording`.
    ///
    /// # Errors
    /// When no port on 127.0.0.1 can be had.
    pub fn start(recording: Recording, options: Options) -> Result<Self, Error> {
        let server = Server::http(SocketAddr::from((Ipv4Addr::LOCALHOST, options.port))).map_err(
            |error| {
                Error::new(ErrorKind::Listen, format!("cannot listen: {error}")).with_source(error)
            },
        )?;
        let address = server
            .server_addr()
            .to_ip()
            .ok_or_else(|| Error::new(ErrorKind::Listen, "the server has no address"))?;
        let state = Mutex::new(State {
            now: options.now,
            count: 0,
            log: Vec::new(),
            signatures: Vec::new(),
        });
        let shared = Arc::new(Shared {
            server,
            windows: Windows::of(&recording),
            recording,
            options,
            state,
        });
        let threads = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.serve())
            })
            .collect();
        Ok(Self {
            address,
            shared,
            threads,
        })
    }

    /// The endpoint, as clients are given it.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API key that is accepted.
    pub fn key(&self) -> &str {
        &self.shared.options.key
    }

    /// Its secret.
    pub fn secret(&self) -> &str {
        &self.shared.options.secret
    }

    /// Moves the clock of the replay.
    pub fn set_now(&self, now: DateTime<Utc>) {
        self.shared.state().now = Some(now);
    }

    /// The requests so far, in the order in which they were answered.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.state().log.clone()
    }

    /// The signatures of the requests so far, to look for them where they must not be.
    pub fn signatures(&self) -> Vec<String> {
        self.shared.state().signatures.clone()
    }
}

impl Drop for ReplayServer {
    fn drop(&mut self) {
        for _ in &self.threads {
            self.shared.server.unblock();
        }
        for thread in self.threads.drain(..) {
            // a thread that panicked has said so already
            let _ = thread.join();
        }
    }
}

/// What goes out, beside CloudStack's own answers.
enum Reply {
    Answer(Answer),
    NotFound,
    Html,
    Truncated(Answer),
    OtherJson,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        // an error here is the unblocking of `drop`
        while let Ok(request) = self.server.recv() {
            self.handle(request);
        }
    }

    fn handle(&self, mut request: Request) {
        let url = request.url().to_owned();
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let mut form = String::new();
        // a body that is no text has no right signature either
        let _ = request.as_reader().read_to_string(&mut form);
        let params = Params::parse(query, &form);
        let reply = if path == PATH {
            self.reply(&params)
        } else {
            Reply::NotFound
        };
        let (status, content_type, body) = written(&reply, &params);
        let entry = LoggedRequest {
            method: request.method().to_string(),
            command: params.get("command").unwrap_or_default().to_owned(),
            params: params.shown(),
            status,
        };
        let signature = params.get("signature").map(str::to_owned);
        {
            let mut state = self.state();
            state.log.push(entry);
            state.signatures.extend(signature);
        }
        // in one write: head and body apart would each wait for the other's acknowledgement
        let head = format!(
            "HTTP/1.1 {status} {}\r\nDate: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            StatusCode(status).default_reason_phrase(),
            self.options
                .machine_clock()
                .format("%a, %d %b %Y %H:%M:%S GMT"),
            body.len(),
        );
        let mut writer = request.into_writer();
        // a client that has gone away needs no answer
        let _ = writer
            .write_all((head + &body).as_bytes())
            .and_then(|()| writer.flush());
    }

    fn reply(&self, params: &Params) -> Reply {
        let (fault, now) = {
            let mut state = self.state();
            state.count += 1;
            let fault = self.options.faults.get(&state.count).copied();
            (fault.or(self.options.always), state.now)
        };
        let answer = self.answer(params, now.unwrap_or(DateTime::<Utc>::MAX_UTC));
        let command = params.get("command").unwrap_or("null");
        match fault {
            None => Reply::Answer(answer),
            Some(Fault::Slow(time)) => {
                std::thread::sleep(time);
                Reply::Answer(answer)
            }
            Some(Fault::Throttled { retry_after }) => {
                Reply::Answer(Answer::throttled(command, millis(retry_after)))
            }
            Some(Fault::Unavailable) => Reply::Answer(Answer::unavailable(command)),
            Some(Fault::Internal) => Reply::Answer(Answer::internal(command)),
            Some(Fault::HtmlPage) => Reply::Html,
            Some(Fault::Truncated) => Reply::Truncated(answer),
            Some(Fault::OtherJson) => Reply::OtherJson,
        }
    }

    /// What CloudStack says to a request at `now`, faults aside.
    fn answer(&self, params: &Params, now: DateTime<Utc>) -> Answer {
        let options = &self.options;
        let command = params.get("command");
        let clock = match options.expiry {
            ExpiryClock::Real => options.machine_clock(),
            ExpiryClock::Replay => now,
        };
        if !params.is_signed(&options.key, &options.secret, clock) {
            return Answer::unauthorized(wrapper(command.unwrap_or("null")));
        }
        let Some(command) = command else {
            return Answer::unauthorized("null".to_owned());
        };
        if options.denied.contains(command) {
            return Answer::not_permitted(command, ACCOUNT);
        }
        let max = options.max_page_size;
        if command.eq_ignore_ascii_case("listUsageRecords") {
            return usage::answer(
                &self.recording,
                &self.windows,
                params,
                now,
                max,
                &options.unreadable,
            );
        }
        lists::answer(&self.recording, command, params, now, max)
            .unwrap_or_else(|| Answer::unauthorized("errorresponse".to_owned()))
    }
}

fn millis(time: Duration) -> u128 {
    time.as_millis()
}

/// Status, content type and body.
fn written(reply: &Reply, params: &Params) -> (u16, &'static str, String) {
    let json = params
        .get("response")
        .is_some_and(|format| format.eq_ignore_ascii_case("json"));
    match reply {
        Reply::Answer(answer) if json => {
            let content_type = "application/json;charset=utf-8";
            (answer.status, content_type, answer.json())
        }
        Reply::Answer(answer) => (answer.status, "text/xml;charset=utf-8", answer.xml()),
        Reply::NotFound => (
            404,
            "text/html",
            "<html><body>Not Found</body></html>".to_owned(),
        ),
        Reply::Html => (
            200,
            "text/html",
            "<!DOCTYPE html><html><head><title>Bad Gateway</title></head></html>".to_owned(),
        ),
        Reply::OtherJson => (
            200,
            "application/json;charset=utf-8",
            r#"{"status": "UP", "groups": ["liveness", "readiness"]}"#.to_owned(),
        ),
        Reply::Truncated(answer) => {
            let whole = answer.json();
            let half = whole.chars().count() / 2;
            let body = whole.chars().take(half).collect();
            (answer.status, "application/json;charset=utf-8", body)
        }
    }
}
