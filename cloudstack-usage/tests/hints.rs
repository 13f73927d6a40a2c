//! Messages of CloudStack's event bus, in every shape that it publishes.
#![expect(clippy::panic, reason = "helpers of tests fail as tests do")]

use chrono::DateTime;
use cloudstack_usage::{BusMessage, EventCounts, Hint, Kind, PendingHints, ResourceId};
use proptest::prelude::*;
use serde_json::json;

const ID: &str = "6a8e0a3c-6c58-4f8e-9d34-0b7f7a3e2c11";
const OTHER_ID: &str = "9b1f3c52-0d7e-4a63-8f2d-1c4b5a697887";

/// As `RabbitMQEventBus` writes a routing key: a dot within a part becomes `-`, and nothing
/// becomes `*`.
fn routing_key(category: &str, event: &str, class: &str, id: Option<&str>) -> String {
    let id = id.unwrap_or("*");
    let parts = ["management-server", category, event, class, id];
    parts.map(|part| part.replace('.', "-")).join(".")
}

fn usage(event: &str, class: &str) -> BusMessage {
    let body = json!({
        "account": OTHER_ID, "zone": OTHER_ID, "event": event, "resource": class, "id": ID,
        "eventDateTime": "2026-10-01 14:00:05 +0200",
    });
    let key = routing_key("UsageEvent", event, class, Some(ID));
    BusMessage::read(&key, body.to_string().as_bytes())
}

fn action(event: &str, class: &str, status: &str) -> BusMessage {
    let body = json!({
        "user": OTHER_ID, "account": OTHER_ID, "project": OTHER_ID, "event": event,
        "status": status, "entity": format!("com.cloud.vm.{class}"), "entityuuid": ID,
        "VirtualMachine": ID, "description": "Successfully completed",
        "eventDateTime": "2026-10-01 12:00:05 +0000",
    });
    let key = routing_key("ActionEvent", event, class, Some(ID));
    BusMessage::read(&key, body.to_string().as_bytes())
}

fn hint(message: BusMessage) -> Hint {
    match message {
        BusMessage::Hint(hint) => hint,
        other => panic!("{other:?} is no hint"),
    }
}

#[test]
fn a_usage_event_tells_what_it_is_about_and_when() {
    // the class is named with its package or without
    for class in ["com.cloud.vm.VirtualMachine", "VirtualMachine"] {
        let expected = Hint {
            kind: Kind::Vm,
            resource: Some(ResourceId::new(ID)),
            event: "VM.START".to_owned(),
            at: DateTime::from_timestamp(1_790_856_005, 0),
        };
        assert_eq!(hint(usage("VM.START", class)), expected);
    }
}

#[test]
fn an_action_is_a_hint_once_it_is_completed() {
    for status in ["Scheduled", "Started", "Created"] {
        assert_eq!(
            action("VM.UPGRADE", "VirtualMachine", status),
            BusMessage::Other
        );
    }
    let upgraded = hint(action("VM.UPGRADE", "VirtualMachine", "Completed"));
    assert_eq!(
        (upgraded.kind, upgraded.event.as_str()),
        (Kind::Vm, "VM.UPGRADE")
    );
    assert_eq!(upgraded.resource, Some(ResourceId::new(ID)));
    // Gson leaves out what is null, as the entity of an event of tags is
    let body = br#"{"user":"u","account":"a","event":"CREATE_TAGS","status":"Completed",
        "description":"creating resource tags","eventDateTime":"2026-10-01 12:00:05 +0000"}"#;
    for (event, class) in [("CREATE_TAGS", "Tag"), ("CREATE_TAGS", "ResourceTag")] {
        let key = routing_key("ActionEvent", event, class, None);
        let tagged = hint(BusMessage::read(&key, body));
        assert_eq!((tagged.kind, tagged.resource), (Kind::Tag, None));
    }
}

#[test]
fn a_change_of_state_is_a_hint_once_it_has_happened() {
    let message = |class: &str, status: &str| {
        let body = json!({
            "resource": class, "id": ID, "old-state": "Starting", "new-state": "Running",
            "status": status, "eventDateTime": "2026-10-01 12:00:05 +0000",
        });
        let key = routing_key("ResourceStateEvent", "OperationSucceeded", class, Some(ID));
        BusMessage::read(&key, body.to_string().as_bytes())
    };
    let running = hint(message("VirtualMachine", "postStateTransitionEvent"));
    assert_eq!(running.kind, Kind::Vm);
    assert_eq!(running.event, "OperationSucceeded");
    assert_eq!(
        message("VirtualMachine", "preStateTransitionEvent"),
        BusMessage::Other
    );
    assert_eq!(
        message("Host", "postStateTransitionEvent"),
        BusMessage::Other
    );
    assert_eq!(
        hint(message("Volume", "postStateTransitionEvent")).kind,
        Kind::Volume
    );
}

#[test]
fn alerts_and_async_jobs_are_no_hints() {
    let alert = json!({"event": "ALERT.USAGE.RESULT", "dataCenterId": ID, "podId": null,
        "subject": "s", "body": "b", "eventDateTime": "2026-10-01 12:00:05 +0000"});
    let key = routing_key("AlertEvent", "ALERT.USAGE.RESULT", "*", None);
    let alert = BusMessage::read(&key, alert.to_string().as_bytes());
    assert_eq!(alert, BusMessage::Other);
    // its action tells the same
    let job = json!({"command": "org.apache.cloudstack.api.command.user.vm.StartVMCmd",
        "user": ID, "account": ID, "processStatus": "0", "resultCode": "0", "instanceUuid": ID,
        "instanceType": "VirtualMachine", "commandEventType": "VM.START", "jobId": ID,
        "jobResult": {}, "cmdInfo": {"ctxUserId": "2"}, "status": "SUCCEEDED"});
    let key = routing_key("AsyncJobEvent", "update", "VirtualMachine", Some(ID));
    let job = BusMessage::read(&key, job.to_string().as_bytes());
    assert_eq!(job, BusMessage::Other);
}

#[test]
fn events_name_the_list_that_shows_what_they_changed() {
    for (event, kind) in [
        ("VM.DYNAMIC.SCALE", Kind::Vm),
        ("VOLUME.RESIZE", Kind::Volume),
        ("SNAPSHOT.CREATE", Kind::Snapshot),
        ("NET.IPASSIGN", Kind::IpAddress),
        ("NET.IPRELEASE", Kind::IpAddress),
        ("NETWORK.OFFERING.EDIT", Kind::NetworkOffering),
        ("NETWORK.CREATE", Kind::Network),
        ("VPC.DELETE", Kind::Vpc),
        ("TEMPLATE.CREATE", Kind::Template),
        ("ISO.DELETE", Kind::Template),
        ("SERVICE.OFFERING.CREATE", Kind::ServiceOffering),
        ("DISK.OFFERING.EDIT", Kind::DiskOffering),
        ("DOMAIN.CREATE", Kind::Domain),
        ("PROJECT.UPDATE", Kind::Project),
        ("ACCOUNT.DELETE", Kind::Account),
        ("ZONE.EDIT", Kind::Zone),
        ("CREATE_TAGS", Kind::Tag),
        ("DELETE_TAGS", Kind::Tag),
        ("UPLOAD.RESOURCE.ICON", Kind::Tag),
    ] {
        assert_eq!(hint(action(event, "X", "Completed")).kind, kind, "{event}");
    }
    for event in [
        "USER.LOGIN",
        "VMSNAPSHOT.CREATE",
        "SNAPSHOTPOLICY.CREATE",
        "VPC.OFFERING.CREATE",
        "NET.RULEADD",
        "LB.CREATE",
        "HOST.RECONNECT",
        "CONFIGURATION.VALUE.EDIT",
    ] {
        assert_eq!(
            action(event, "X", "Completed"),
            BusMessage::Other,
            "{event}"
        );
    }
}

#[test]
fn what_is_not_told_is_left_out() {
    let key = routing_key(
        "UsageEvent",
        "VOLUME.CREATE",
        "com.cloud.storage.Volume",
        Some(ID),
    );
    let bare = hint(BusMessage::read(&key, b"{}"));
    assert_eq!(bare.event, "VOLUME.CREATE");
    assert_eq!(bare.resource, Some(ResourceId::new(ID)));
    assert_eq!(bare.at, None);
    let body = br#"{"event": "", "id": 7, "eventDateTime": "yesterday"}"#;
    assert_eq!(hint(BusMessage::read(&key, body)), bare);
}

#[test]
fn what_is_no_message_of_cloudstack_is_unknown() {
    let good = routing_key("UsageEvent", "VM.START", "VirtualMachine", Some(ID));
    assert!(matches!(
        BusMessage::read(&good, b"{}"),
        BusMessage::Hint(_)
    ));
    for body in [
        "", "{", "[]", "null", "7", "\"text\"", "{} {}", "<xml/>", "\u{fffd}",
    ] {
        assert_eq!(
            BusMessage::read(&good, body.as_bytes()),
            BusMessage::Unknown,
            "{body}"
        );
    }
    assert_eq!(BusMessage::read(&good, b"\xff{}"), BusMessage::Unknown);
    for key in [
        "",
        "VM-START",
        "management-server.UsageEvent",
        "management-server.UsageEvent.VM-START.VirtualMachine",
        "management-server.UsageEvent..VirtualMachine.*",
        "management-server.QuotaEvent.VM-START.VirtualMachine.*",
        "management-server.UsageEvent.VM-START.VirtualMachine.*.more",
    ] {
        assert_eq!(BusMessage::read(key, b"{}"), BusMessage::Unknown, "{key}");
    }
}

#[test]
fn many_hints_are_few() {
    let mut pending = PendingHints::default();
    assert!(pending.is_empty());
    for number in 0..10_000 {
        let event = ["VM.START", "VOLUME.CREATE", "VM.STOP"][number % 3];
        pending.add(&hint(usage(event, "VirtualMachine")));
    }
    assert!(pending.kinds().eq([Kind::Vm, Kind::Volume]));
    assert!(!pending.has_gap() && !pending.is_empty());
    let mut lost = PendingHints::default();
    lost.add_gap();
    assert!(lost.has_gap() && !lost.is_empty());
    assert_eq!(lost.kinds().count(), 0);
}

proptest! {
    /// Whatever comes is counted once, and nothing breaks.
    #[test]
    fn every_message_is_counted_once(
        messages in prop::collection::vec(("[A-Za-z.*-]{0,40}", prop::collection::vec(any::<u8>(), 0..40)), 0..20),
        known in 0_usize..5,
    ) {
        let mut counts = EventCounts::default();
        for (key, body) in &messages {
            counts.count(&BusMessage::read(key, body));
        }
        for _ in 0..known {
            counts.count(&usage("VM.START", "VirtualMachine"));
            counts.count(&action("USER.LOGIN", "User", "Completed"));
        }
        let known = u64::try_from(known).unwrap();
        prop_assert_eq!(counts.messages(), u64::try_from(messages.len()).unwrap() + 2 * known);
        prop_assert!(counts.hints >= known && counts.other >= known);
    }

    /// A key alone tells as much as key and body, but for the time.
    #[test]
    fn key_and_body_tell_the_same(
        event in "(VM|VOLUME|NET|NETWORK|VPC|USER|ISO)\\.[A-Z]{2,8}(\\.[A-Z]{2,8})?",
        class in "([a-z]{3,5}\\.){0,3}[A-Z][a-zA-Z]{3,8}",
    ) {
        let key = routing_key("UsageEvent", &event, &class, Some(ID));
        let by_key = BusMessage::read(&key, b"{}");
        match usage(&event, &class) {
            BusMessage::Hint(whole) => prop_assert_eq!(Hint { at: None, ..whole }, hint(by_key)),
            other => prop_assert_eq!(other, by_key),
        }
    }
}
