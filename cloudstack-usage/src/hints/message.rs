//! Reading a message of CloudStack's event bus.
//!
//! Sources: CloudStack, `RabbitMQEventBus.createRoutingKey`,
//! `ActionEventUtils.publishOnEventBus`, `UsageEventUtils.publishUsageEvent`, and the
//! listeners of state transitions. No message is published when a usage job ends.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::changed;
use super::hint::Hint;
use crate::id::ResourceId;
use crate::metadata::Kind;

/// What a message says to a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusMessage {
    /// Something that a sync lists has changed.
    Hint(Hint),
    /// Nothing that a sync lists has changed, or not yet: an alert, a login, an action that
    /// only begins.
    Other,
    /// It is not what CloudStack publishes, or is damaged.
    Unknown,
}

/// The categories of CloudStack's events.
enum Category {
    Action,
    Usage,
    ResourceState,
    /// Alerts; async jobs, whose actions are told by action events.
    Beside,
}

/// The parts of `source.category.event.resource type.resource id`, in which a dot is written
/// as `-` and what is not known as `*`.
struct RoutingKey<'a> {
    category: Category,
    event: &'a str,
    class: &'a str,
    id: Option<&'a str>,
}

impl BusMessage {
    /// Reads a message: its routing key and its body. Never fails, since a hint that is
    /// not understood costs nothing but time.
    ///
    /// ```
    /// use cloudstack_usage::{BusMessage, Kind};
    ///
    /// let key = "management-server.UsageEvent.VM-START.VirtualMachine.7b1f0b0e-8f2b-4f43-8d2c-5c6e9a1b2c3d";
    /// let body = r#"{"event": "VM.START", "resource": "com.cloud.vm.VirtualMachine",
    ///     "id": "7b1f0b0e-8f2b-4f43-8d2c-5c6e9a1b2c3d",
    ///     "eventDateTime": "2026-10-01 14:00:00 +0200"}"#;
    /// let BusMessage::Hint(hint) = BusMessage::read(key, body.as_bytes()) else { panic!() };
    /// assert_eq!((hint.kind, hint.event.as_str()), (Kind::Vm, "VM.START"));
    /// assert_eq!(hint.at.unwrap().to_rfc3339(), "2026-10-01T12:00:00+00:00");
    /// ```
    pub fn read(routing_key: &str, body: &[u8]) -> Self {
        let Some(key) = RoutingKey::read(routing_key) else {
            return Self::Unknown;
        };
        let Ok(body) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return Self::Unknown;
        };
        let event = text(&body, "event").map_or_else(|| dotted(key.event), str::to_owned);
        let Some(kind) = key.kind(&event, &body) else {
            return Self::Other;
        };
        let id = ["entityuuid", "id"]
            .iter()
            .find_map(|name| text(&body, name));
        Self::Hint(Hint {
            kind,
            resource: id.or(key.id).map(ResourceId::new),
            event,
            at: text(&body, "eventDateTime").and_then(instant),
        })
    }
}

impl<'a> RoutingKey<'a> {
    fn read(key: &'a str) -> Option<Self> {
        let mut parts = key.split('.');
        let _source = parts.next()?;
        let category = match parts.next()? {
            "ActionEvent" => Category::Action,
            "UsageEvent" => Category::Usage,
            "ResourceStateEvent" => Category::ResourceState,
            "AlertEvent" | "AsyncJobEvent" => Category::Beside,
            _ => return None,
        };
        let event = parts.next().filter(|event| !event.is_empty())?;
        let (class, id) = (parts.next()?, parts.next()?);
        let id = Some(id).filter(|id| !["", "*"].contains(id));
        parts.next().is_none().then_some(Self {
            category,
            event,
            class,
            id,
        })
    }

    /// The kind that is changed once this message is sent.
    fn kind(&self, event: &str, body: &Map<String, Value>) -> Option<Kind> {
        let has_status = |wanted| text(body, "status").is_none_or(|status| status == wanted);
        match self.category {
            Category::Action if has_status("Completed") => changed::by_event(event),
            Category::Usage => changed::by_event(event),
            Category::ResourceState if has_status("postStateTransitionEvent") => {
                changed::by_class(self.class)
            }
            Category::Action | Category::ResourceState | Category::Beside => None,
        }
    }
}

/// A field that is there and a text with something in it.
fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// An event's name as it was before it became part of a routing key.
fn dotted(event: &str) -> String {
    event.replace('-', ".")
}

/// Reads `yyyy-MM-dd HH:mm:ss Z`.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z");
    instant.ok().map(|instant| instant.to_utc())
}
