//! The RabbitMQ that `with-rabbitmq.sh` started, and a publisher in CloudStack's place.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::print_stderr, reason = "a skipped test must say so")]

use std::path::PathBuf;
use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use cloudstack_usage::{Broker, Secret};
use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};

/// How long to wait for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A test that stops the broker has it alone.
static BROKER: RwLock<()> = RwLock::new(());

enum Turn {
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

pub(crate) struct TestBroker {
    url: String,
    password: String,
    control: PathBuf,
    runtime: tokio::runtime::Runtime,
    _turn: Turn,
}

impl TestBroker {
    /// None, and a word on it, where no broker was started.
    pub(crate) fn shared() -> Option<Self> {
        let turn = || Turn::Shared(BROKER.read().unwrap_or_else(PoisonError::into_inner));
        Self::new(turn)
    }

    /// The same for a test that stops it.
    pub(crate) fn alone() -> Option<Self> {
        let turn = || Turn::Alone(BROKER.write().unwrap_or_else(PoisonError::into_inner));
        Self::new(turn)
    }

    fn new(turn: impl FnOnce() -> Turn) -> Option<Self> {
        let Ok(url) = std::env::var("CSBILL_TEST_RABBITMQ") else {
            eprintln!("SKIPPED: no RabbitMQ; run this through with-rabbitmq.sh");
            return None;
        };
        Some(Self {
            url,
            password: std::env::var("CSBILL_TEST_RABBITMQ_PASSWORD").unwrap(),
            control: std::env::var_os("CSBILL_TEST_RABBITMQ_CONTROL")
                .unwrap()
                .into(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            _turn: turn(),
        })
    }

    /// Its URL, without the password.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn address(&self) -> Broker {
        let broker = Broker::parse(&self.url).unwrap();
        broker.with_password(Secret::new(self.password.as_str()))
    }

    /// `stop`, `kill` or `start`.
    pub(crate) fn control(&self, what: &str) {
        self.run_control(&[what]);
    }

    /// A user with this password and these rights: what it may configure, write and read.
    pub(crate) fn make_user(&self, name: &str, password: &str, rights: [&str; 3]) {
        self.run_control(&["ctl", "add_user", name, password]);
        let [configure, write, read] = rights;
        self.run_control(&[
            "ctl",
            "set_permissions",
            "-p",
            "/",
            name,
            configure,
            write,
            read,
        ]);
    }

    async fn channel(&self) -> (Connection, Channel) {
        let url = self.url.replace('@', &format!(":{}@", self.password));
        let connection = Connection::connect(&url, ConnectionProperties::default()).await;
        let connection = connection.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    pub(crate) fn publish(&self, exchange: &str, key: &str, body: &str) {
        self.publish_all(exchange, &[(key, body)]);
    }

    /// Publishes routing keys and bodies as CloudStack does: to a durable topic.
    pub(crate) fn publish_all(&self, exchange: &str, messages: &[(&str, &str)]) {
        self.runtime.block_on(async {
            let (connection, channel) = self.channel().await;
            let settings = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            let (kind, none) = (ExchangeKind::Topic, FieldTable::default());
            let declared = channel.exchange_declare(exchange.into(), kind, settings, none);
            declared.await.unwrap();
            for (key, body) in messages {
                let settings = BasicPublishOptions::default();
                let persistent = BasicProperties::default().with_delivery_mode(2);
                let (exchange, key, body) = (exchange.into(), (*key).into(), body.as_bytes());
                let sent = channel.basic_publish(exchange, key, settings, body, persistent);
                sent.await.unwrap();
            }
            connection.close(200, "done".into()).await.unwrap();
        });
    }

    /// A queue that is durable and has no limit.
    pub(crate) fn make_queue(&self, name: &str) {
        self.runtime.block_on(async {
            let (_connection, channel) = self.channel().await;
            let (settings, none) = (QueueDeclareOptions::durable(), FieldTable::default());
            let made = channel.queue_declare(name.into(), settings, none);
            made.await.unwrap();
        });
    }

    /// Messages that wait in a queue.
    pub(crate) fn messages_in(&self, name: &str) -> u32 {
        self.runtime.block_on(async {
            let (_connection, channel) = self.channel().await;
            let settings = QueueDeclareOptions {
                passive: true,
                ..QueueDeclareOptions::default()
            };
            let queue = channel.queue_declare(name.into(), settings, FieldTable::default());
            queue.await.unwrap().message_count()
        })
    }

    fn run_control(&self, arguments: &[&str]) {
        let status = Command::new(&self.control)
            .args(arguments)
            .status()
            .unwrap();
        assert!(status.success(), "{arguments:?}: {status}");
    }
}
