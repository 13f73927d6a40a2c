//! Serves metrics over HTTP, for Prometheus to scrape.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use cloudstack_usage::EventCounts;
use tiny_http::{Header, Method, Response, Server};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::metrics::Metrics;

/// Tells what was heard of events so far.
type EventCounter = Box<dyn Fn() -> EventCounts + Send + Sync>;

/// What is served, and who looks after it.
#[derive(Clone)]
pub(crate) struct Published {
    metrics: Arc<Mutex<Metrics>>,
    events: Option<Arc<EventCounter>>,
}

impl Published {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics: Arc::new(Mutex::new(metrics)),
            events: None,
        }
    }

    /// The same with what is heard of events.
    pub(crate) fn with_events(
        mut self,
        counter: impl Fn() -> EventCounts + Send + Sync + 'static,
    ) -> Self {
        self.events = Some(Arc::new(Box::new(counter)));
        self
    }

    /// Changes the metrics, and gives their text.
    pub(crate) fn update(&self, change: impl FnOnce(&mut Metrics)) -> String {
        // a reader that panicked has broken nothing
        let mut metrics = self.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut metrics);
        metrics.to_text(self.events.as_ref().map(|counter| counter()))
    }
}

/// Answers `GET /metrics` in a thread of its own, as long as the program runs. Returns the
/// address that it listens on.
pub(crate) fn serve(address: SocketAddr, published: Published) -> Result<SocketAddr, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("cannot serve metrics on {address}: {error}; choose another address");
        Failure::new(Exit::Failed, message)
    };
    let server = Server::http(address).map_err(|error| failed(&error))?;
    let address = server.server_addr().to_ip().unwrap_or(address);
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || answer(&server, &published))
        .map_err(|error| failed(&error))?;
    Ok(address)
}

fn answer(server: &Server, published: &Published) {
    for request in server.incoming_requests() {
        let path = request
            .url()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned();
        let is_reading = matches!(request.method(), Method::Get | Method::Head);
        let (status, body) = match path.as_str() {
            "/metrics" if is_reading => (200, published.update(|_| ())),
            _ => (404, "metrics are at GET /metrics\n".to_owned()),
        };
        let mut response = Response::from_string(body).with_status_code(status);
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        if let Ok(kind) = Header::from_bytes("Content-Type", kind) {
            response.add_header(kind);
        }
        // who went away wants no answer
        let _ = request.respond(response);
        tracing::debug!(path, status, "metrics asked for");
    }
}
