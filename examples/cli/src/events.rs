//! CloudStack's events at a message broker, as hints for the daemon.

use std::time::Duration;

use clap::Args;

use crate::configuration::{ConnectionArgs, Secret, secret};
use crate::failure::Failure;

#[cfg(feature = "amqp")]
pub(crate) use cloudstack_usage::EventListener as Listener;

/// Whether and how to listen.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Events")]
pub(crate) struct EventArgs {
    /// A daemon listens to CloudStack's events at this RabbitMQ, and lists metadata soon
    /// after one: `amqp://USER@HOST:PORT/VHOST`, or `amqps://…` for TLS. Also `events` in the
    /// section of the configuration files.
    #[arg(
        long,
        value_name = "URL",
        env = "CSBILL_EVENTS",
        hide_env_values = true, // a URL may hold a password
        value_parser = secret   // clap shows a value that a parser refuses
    )]
    events: Option<Secret>,
    /// The password; better given by the environment, or as `events_password` in the
    /// section of the configuration files.
    #[arg(
        long,
        env = "CSBILL_EVENTS_PASSWORD",
        hide_env_values = true,
        value_parser = secret
    )]
    events_password: Option<Secret>,
    /// The exchange that CloudStack publishes to.
    #[arg(long, value_name = "NAME", default_value = "cloudstack-events")]
    events_exchange: String,
    /// A durable queue, made where it is missing; without it a queue that goes with the
    /// connection.
    #[arg(long, value_name = "NAME")]
    events_queue: Option<String>,
    /// A routing key to bind the queue with, in place of those of actions and usage; may be
    /// given several times.
    #[arg(long, value_name = "KEY")]
    events_bind: Vec<String>,
    /// How long to gather events before metadata is listed.
    #[arg(long, value_name = "TIME", value_parser = crate::daemon::interval, default_value = "30s")]
    events_delay: Duration,
}

impl EventArgs {
    /// How long to gather hints.
    pub(crate) fn delay(&self) -> Duration {
        self.events_delay
    }

    /// Begins to listen where that is asked for; `wake` is called when there are hints.
    ///
    /// # Errors
    /// When the URL is none, a configuration file cannot be read, or this program was built
    /// without events. A broker that cannot be reached is no error.
    pub(crate) fn listen(
        &self,
        files: &ConnectionArgs,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Option<Listener>, Failure> {
        let url = match &self.events {
            Some(url) => Some(url.expose().to_owned()),
            None => files.setting("events")?,
        };
        let Some(url) = url else {
            return Ok(None);
        };
        let mut broker = cloudstack_usage::Broker::parse(&url)?;
        let password = match &self.events_password {
            Some(password) => Some(password.expose().to_owned()),
            None => files.setting("events_password")?,
        };
        if let (None, Some(password)) = (broker.password(), password) {
            broker = broker.with_password(cloudstack_usage::Secret::new(password));
        }
        self.listen_to(broker, wake).map(Some)
    }

    #[cfg(feature = "amqp")]
    fn listen_to(
        &self,
        broker: cloudstack_usage::Broker,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Listener, Failure> {
        let mut options = cloudstack_usage::ListenOptions {
            exchange: self.events_exchange.clone(),
            queue: self.events_queue.clone(),
            ..cloudstack_usage::ListenOptions::default()
        };
        if !self.events_bind.is_empty() {
            options.bindings.clone_from(&self.events_bind);
        }
        Ok(Listener::start(broker, options, wake)?)
    }

    #[cfg(not(feature = "amqp"))]
    #[expect(clippy::unused_self, reason = "as with the feature")]
    fn listen_to(
        &self,
        _broker: cloudstack_usage::Broker,
        _wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Listener, Failure> {
        let message = "this csbill was built without its feature `amqp`, which listens to events";
        Err(Failure::new(crate::exit::Exit::Configuration, message))
    }
}

/// What listens, where nothing can.
#[cfg(not(feature = "amqp"))]
#[derive(Debug)]
pub(crate) enum Listener {}

#[cfg(not(feature = "amqp"))]
impl Listener {
    pub(crate) fn take(&self) -> cloudstack_usage::PendingHints {
        match *self {}
    }

    pub(crate) fn counter(&self) -> fn() -> cloudstack_usage::EventCounts {
        match *self {}
    }
}
