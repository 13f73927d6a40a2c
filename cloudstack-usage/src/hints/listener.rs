//! A thread that listens to a broker, and keeps what it heard until somebody asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use backon::BackoffBuilder as _;
use tokio::sync::oneshot;

use super::broker::Broker;
use super::message::BusMessage;
use super::pending::{EventCounts, PendingHints};
use super::session::{self, Ended, Target};
use crate::error::{Error, ErrorKind};

/// What to listen to, and how.
///
/// ```
/// use cloudstack_usage::ListenOptions;
///
/// let options = ListenOptions {
///     queue: Some("billing".to_owned()),
///     ..ListenOptions::default()
/// };
/// assert_eq!(options.exchange, "cloudstack-events");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenOptions {
    /// The exchange that CloudStack publishes to. It is declared as CloudStack does (a
    /// durable topic) where it is missing.
    pub exchange: String,
    /// A durable queue, which keeps the messages that come while nobody listens: used as it
    /// is where it exists, else made with room for 10,000 messages. None for a queue of our
    /// own that goes with the connection.
    pub queue: Option<String>,
    /// Routing keys to bind the queue with; `*` is one part, `#` any number of them.
    pub bindings: Vec<String>,
    /// The wait before the second attempt to connect; it doubles for each further one.
    pub min_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
    /// Limit for making a connection.
    pub connect_timeout: Duration,
    /// A certificate authority to trust besides those of the system, in PEM.
    pub root_certificate: Option<Vec<u8>>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            exchange: "cloudstack-events".to_owned(),
            queue: None,
            // states and async jobs repeat what actions and usage tell
            bindings: vec!["*.ActionEvent.#".to_owned(), "*.UsageEvent.#".to_owned()],
            min_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            root_certificate: None,
        }
    }
}

/// Listens to CloudStack's events at a broker, in a thread of its own, until it is dropped.
///
/// Messages become [`PendingHints`] and are acknowledged. A connection that cannot be made or
/// breaks is logged and tried again, for ever: who listens goes on without hints. After a
/// gap everything may have changed, which is a hint as well.
///
/// ```no_run
/// use cloudstack_usage::{Broker, EventListener, ListenOptions, Secret};
///
/// let broker = Broker::parse("amqp://billing@mq.example.com")?.with_password(Secret::new("…"));
/// let (wake, woken) = std::sync::mpsc::channel();
/// let listener = EventListener::start(broker, ListenOptions::default(), move || {
///     let _ = wake.send(());
/// })?;
/// for () in woken {
///     println!("changed: {:?}", listener.take().kinds().collect::<Vec<_>>());
/// }
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug)]
pub struct EventListener {
    heard: Arc<Heard>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EventListener {
    /// Begins to listen. `wake` is called, from the listening thread, when hints are there
    /// and none were before; it must not block.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] when a name is too long or the root
    /// certificate no text, and
    /// [`ErrorKind::Transport`] when the machine has no thread or socket left. A broker that
    /// cannot be reached is no error.
    pub fn start(
        broker: Broker,
        options: ListenOptions,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let target = Target::new(&broker, &options)?;
        let heard = Arc::new(Heard::new(wake));
        let (stop, stopped) = oneshot::channel();
        let failed = |cause: std::io::Error| {
            Error::new(ErrorKind::Transport, "cannot listen to a message broker").with_source(cause)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let shared = Arc::clone(&heard);
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || runtime.block_on(listen(&broker, &target, &options, &shared, stopped)))
            .map_err(failed)?;
        Ok(Self {
            heard,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Takes what was heard since the last time. Ask before what is listed is listed: what
    /// comes in the meantime is the next hint.
    pub fn take(&self) -> PendingHints {
        std::mem::take(&mut self.heard.state().pending)
    }

    /// What was heard since it began.
    pub fn counts(&self) -> EventCounts {
        self.heard.state().counts
    }

    /// The same as [`counts`](Self::counts), for who cannot hold on to the listener.
    pub fn counter(&self) -> impl Fn() -> EventCounts + Send + Sync + 'static {
        let heard = Arc::clone(&self.heard);
        move || heard.state().counts
    }
}

impl Drop for EventListener {
    fn drop(&mut self) {
        // the thread may have ended already, and one that panicked has said so
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What the thread and its owner share.
pub(super) struct Heard {
    state: Mutex<State>,
    wake: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct State {
    pending: PendingHints,
    counts: EventCounts,
    was_connected: bool,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.state.fmt(f)
    }
}

impl Heard {
    fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: Mutex::default(),
            wake: Box::new(wake),
        }
    }

    fn is_connected(&self) -> bool {
        self.state().counts.is_connected
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what is pending, and wakes whoever waits where there was nothing before.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state();
        let was_empty = state.pending.is_empty();
        change(&mut state);
        let is_first = was_empty && !state.pending.is_empty();
        drop(state);
        if is_first {
            (self.wake)();
        }
    }

    /// Takes a message.
    pub(super) fn message(&self, message: &BusMessage) {
        self.change(|state| {
            state.counts.count(message);
            if let BusMessage::Hint(hint) = message {
                state.pending.add(hint);
            }
        });
    }

    /// Notes a connection. One after another means that messages may have been lost.
    pub(super) fn connected(&self) {
        tracing::info!("listening to events");
        self.change(|state| {
            state.counts.is_connected = true;
            if state.was_connected {
                state.counts.reconnects += 1;
                state.pending.add_gap();
            }
            state.was_connected = true;
        });
    }

    fn disconnected(&self) {
        self.change(|state| state.counts.is_connected = false);
    }
}

/// Connects and listens, again and again, until told to stop.
async fn listen(
    broker: &Broker,
    target: &Target,
    options: &ListenOptions,
    heard: &Heard,
    mut stopped: oneshot::Receiver<()>,
) {
    let backoff = backon::ExponentialBuilder::default()
        .with_min_delay(options.min_delay)
        .with_max_delay(options.max_delay)
        .without_max_times();
    let mut delays = backoff.build();
    loop {
        let ended = session::run(target, heard, &mut stopped).await;
        let was_connected = heard.is_connected();
        heard.disconnected();
        let Ended::Broken(why) = ended else { return };
        if was_connected {
            delays = backoff.build();
        }
        let delay = delays.next().unwrap_or(options.max_delay);
        let wait_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(%broker, wait_ms, "no events: {why}; syncs go on without, and it is tried again");
        if tokio::time::timeout(delay, &mut stopped).await.is_ok() {
            return;
        }
    }
}
