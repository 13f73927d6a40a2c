//! One connection to a broker.

use std::time::Duration;

use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::tcp::OwnedTLSConfig;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::{AMQPAuthority, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use tokio::sync::oneshot;
use tokio_stream::StreamExt as _;

use super::broker::Broker;
use super::listener::{Heard, ListenOptions};
use super::message::BusMessage;
use crate::api::Secret;
use crate::error::{Error, ErrorKind};

/// Messages that the broker sends before the first of them is acknowledged.
const PREFETCH: u16 = 100;
/// Messages that a queue of ours keeps: they all say "look", so the oldest may go.
const QUEUE_LENGTH: i32 = 10_000;
/// How long to wait for the broker to take leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// AMQP's reply codes: a good end, and what is not there.
const REPLY_SUCCESS: u16 = 200;
const NOT_FOUND: u16 = 404;

/// Why a connection ended.
pub(super) enum Ended {
    /// We were told to stop.
    Stopped,
    /// It could not be made, or broke; with the reason, which holds no secret.
    Broken(String),
}

/// What to connect to and to listen to, in the terms of the protocol.
pub(super) struct Target {
    uri: AMQPUri,
    tls: OwnedTLSConfig,
    exchange: ShortString,
    queue: Option<ShortString>,
    bindings: Vec<ShortString>,
    timeout: Duration,
}

impl Target {
    /// Checks what the protocol cannot say: names have at most 255 bytes.
    pub(super) fn new(broker: &Broker, options: &ListenOptions) -> Result<Self, Error> {
        short(broker.vhost())?;
        let pem = options.root_certificate.clone().map(String::from_utf8);
        let pem = pem.transpose().map_err(|cause| {
            let message = "the root certificate is no certificate in PEM";
            Error::new(ErrorKind::Configuration, message).with_source(cause)
        })?;
        let bindings = options.bindings.iter().map(|key| short(key));
        Ok(Self {
            uri: uri(broker),
            tls: OwnedTLSConfig {
                identity: None,
                cert_chain: pem,
            },
            exchange: short(&options.exchange)?,
            queue: options.queue.as_deref().map(short).transpose()?,
            bindings: bindings.collect::<Result<_, _>>()?,
            timeout: options.connect_timeout,
        })
    }
}

/// Connects, and takes messages until the connection breaks or we are told to stop.
pub(super) async fn run(
    target: &Target,
    heard: &Heard,
    stopped: &mut oneshot::Receiver<()>,
) -> Ended {
    let connecting = tokio::time::timeout(target.timeout, connect(target));
    let (connection, consumer) = tokio::select! {
        _ = &mut *stopped => return Ended::Stopped,
        connected = connecting => match connected {
            Err(_) => return Ended::Broken("the broker does not answer".to_owned()),
            Ok(Err(error)) => return Ended::Broken(error.to_string()),
            Ok(Ok(connected)) => connected,
        },
    };
    heard.connected();
    let ended = take_messages(consumer, heard, stopped).await;
    let closing = connection.close(REPLY_SUCCESS, ShortString::from("bye"));
    // a connection that is broken cannot be closed
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing).await;
    ended
}

async fn connect(target: &Target) -> Result<(Connection, Consumer), lapin::Error> {
    let name = concat!("cloudstack-usage/", env!("CARGO_PKG_VERSION"));
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connection = Connection::connect_uri_with_config(
        target.uri.clone(),
        properties,
        target.tls.clone(),
        lapin::runtime::default_runtime()?,
    )
    .await?;
    ensure_exchange(&connection, target).await?;
    let queue = ensure_queue(&connection, target).await?;
    let channel = connection.create_channel().await?;
    for binding in &target.bindings {
        let (queue, exchange) = (queue.clone(), target.exchange.clone());
        let (settings, none) = (QueueBindOptions::default(), FieldTable::default());
        channel
            .queue_bind(queue, exchange, binding.clone(), settings, none)
            .await?;
    }
    let settings = BasicQosOptions::default();
    channel.basic_qos(PREFETCH, settings).await?;
    let (settings, none) = (BasicConsumeOptions::default(), FieldTable::default());
    // the broker makes up a name for the consumer
    let consumer = channel.basic_consume(queue, ShortString::default(), settings, none);
    let consumer = consumer.await?;
    Ok((connection, consumer))
}

fn uri(broker: &Broker) -> AMQPUri {
    AMQPUri {
        scheme: if broker.has_tls() {
            AMQPScheme::AMQPS
        } else {
            AMQPScheme::AMQP
        },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: broker.user().to_owned(),
                password: broker.password().map_or("", Secret::expose).to_owned(),
            },
            host: broker.host().to_owned(),
            port: broker.port(),
        },
        vhost: broker.vhost().to_owned(),
        ..AMQPUri::default()
    }
}

/// Declares the exchange where it is missing. Asking first needs no right to configure it,
/// and a refusal ends its channel, so that each try has one of its own.
async fn ensure_exchange(connection: &Connection, target: &Target) -> Result<(), lapin::Error> {
    let declared = |channel: Channel, passive| async move {
        let settings = ExchangeDeclareOptions {
            passive,
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        let (name, none) = (target.exchange.clone(), FieldTable::default());
        channel
            .exchange_declare(name, ExchangeKind::Topic, settings, none)
            .await
    };
    match declared(connection.create_channel().await?, true).await {
        Err(error) if is_missing(&error) => {
            declared(connection.create_channel().await?, false).await
        }
        other => other,
    }
}

/// The queue's name: of the one that was asked for, made where it is missing, else of a new
/// one that nobody else can read and that goes with the connection.
async fn ensure_queue(
    connection: &Connection,
    target: &Target,
) -> Result<ShortString, lapin::Error> {
    let declared = |channel: Channel, settings, arguments| async move {
        let name = target.queue.clone().unwrap_or_default();
        let queue = channel.queue_declare(name, settings, arguments).await?;
        Ok(queue.name().clone())
    };
    let channel = connection.create_channel().await?;
    if target.queue.is_none() {
        let own = QueueDeclareOptions {
            exclusive: true,
            auto_delete: true,
            ..QueueDeclareOptions::default()
        };
        return declared(channel, own, FieldTable::default()).await;
    }
    let asking = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    match declared(channel, asking, FieldTable::default()).await {
        Err(error) if is_missing(&error) => {
            let mut arguments = FieldTable::default();
            arguments.insert("x-max-length".into(), AMQPValue::LongInt(QUEUE_LENGTH));
            let channel = connection.create_channel().await?;
            declared(channel, QueueDeclareOptions::durable(), arguments).await
        }
        other => other,
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    matches!(error.kind(), lapin::ErrorKind::ProtocolError(refused) if refused.get_id() == NOT_FOUND)
}

fn short(text: &str) -> Result<ShortString, Error> {
    ShortString::try_new(text).map_err(|_| {
        let message =
            format!("{text:?} is longer than the 255 bytes that names have at a message broker");
        Error::new(ErrorKind::Configuration, message)
    })
}

/// Takes messages until there are no more or we are told to stop; says why that is. It stops
/// between two messages only: one that was heard and not acknowledged would come again.
async fn take_messages(
    mut messages: Consumer,
    heard: &Heard,
    stopped: &mut oneshot::Receiver<()>,
) -> Ended {
    loop {
        let next = tokio::select! {
            _ = &mut *stopped => return Ended::Stopped,
            next = messages.next() => next,
        };
        let delivery = match next {
            Some(Ok(delivery)) => delivery,
            Some(Err(error)) => return Ended::Broken(error.to_string()),
            None => {
                let why = "the broker ended the connection or took away the queue";
                return Ended::Broken(why.to_owned());
            }
        };
        let message = BusMessage::read(delivery.routing_key.as_str(), &delivery.data);
        log(&message, delivery.data.len());
        heard.message(&message);
        if let Err(error) = delivery.ack(BasicAckOptions::default()).await {
            return Ended::Broken(error.to_string());
        }
    }
}

/// Logs a message without its body, which may hold what is nobody's business.
fn log(message: &BusMessage, bytes: usize) {
    match message {
        BusMessage::Hint(hint) => tracing::debug!(event = hint.event, kind = ?hint.kind, "hint"),
        BusMessage::Other => tracing::trace!(bytes, "a message that is no hint"),
        BusMessage::Unknown => tracing::debug!(bytes, "a message that cannot be read"),
    }
}
