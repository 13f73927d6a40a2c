//! Listening at a real RabbitMQ, which `with-rabbitmq.sh` starts; without one all is skipped.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "broker/mod.rs"]
mod broker;

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use broker::{PATIENCE, TestBroker};
use cloudstack_usage::{
    Broker, ErrorKind, EventCounts, EventListener, Kind, ListenOptions, PendingHints, Secret,
};

const TAGGED: &str = "management-server.ActionEvent.CREATE_TAGS.ResourceTag.*";
const STARTED: &str = "management-server.UsageEvent.VM-START.VirtualMachine.some-id";
const COMPLETED: &str = r#"{"status": "Completed"}"#;

/// A listener, and how often it woke its owner.
struct Ear {
    listener: EventListener,
    woken: Receiver<()>,
}

impl Ear {
    fn start(broker: Broker, options: ListenOptions) -> Self {
        let (wake, woken) = channel();
        let listener = EventListener::start(broker, options, move || {
            let _ = wake.send(());
        });
        Self {
            listener: listener.unwrap(),
            woken,
        }
    }

    /// Waits for counts like this.
    fn hears(&self, what: &str, is_so: impl Fn(&EventCounts) -> bool) -> EventCounts {
        let until = Instant::now() + PATIENCE;
        loop {
            let counts = self.listener.counts();
            if is_so(&counts) {
                return counts;
            }
            assert!(Instant::now() < until, "never {what}: {counts:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn connected(self) -> Self {
        self.hears("connected", |counts| counts.is_connected);
        self
    }

    /// Waits to be woken, and takes the hints.
    fn wakes(&self) -> PendingHints {
        self.woken.recv_timeout(PATIENCE).unwrap();
        self.listener.take()
    }
}

/// Attempts without a pause that a test would wait for.
fn options(exchange: &str) -> ListenOptions {
    ListenOptions {
        exchange: exchange.to_owned(),
        min_delay: Duration::from_millis(50),
        max_delay: Duration::from_millis(200),
        ..ListenOptions::default()
    }
}

#[test]
fn messages_become_hints_wake_once_and_are_all_counted() {
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    let ear = Ear::start(broker.address(), options("hints")).connected();
    broker.publish("hints", STARTED, "{}");
    assert!(ear.wakes().kinds().eq([Kind::Vm]));

    // nothing is taken meanwhile: however many come, they wake once and are one
    let mut messages = [(TAGGED, COMPLETED), (STARTED, "{}")].repeat(500);
    messages.push((STARTED, "no JSON"));
    messages.push((TAGGED, r#"{"status": "Started"}"#));
    // jobs and states are not bound
    messages.push(("management-server.AsyncJobEvent.update.X.*", "{}"));
    broker.publish_all("hints", &messages);
    let heard = ear.hears("everything", |counts| counts.messages() >= 1003);
    let expected = EventCounts {
        hints: 1001,
        other: 1,
        unknown: 1,
        reconnects: 0,
        is_connected: true,
    };
    assert_eq!(heard, expected);
    assert_eq!((ear.listener.counter())(), expected);
    let taken = ear.wakes();
    assert!(taken.kinds().eq([Kind::Vm, Kind::Tag]));
    assert!(!taken.has_gap());
    assert!(ear.listener.take().is_empty());
    assert!(ear.woken.try_recv().is_err());
}

#[test]
fn a_durable_queue_keeps_what_comes_while_nobody_listens() {
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    let durable = ListenOptions {
        queue: Some("billing".to_owned()),
        ..options("durable")
    };
    drop(Ear::start(broker.address(), durable.clone()).connected());
    broker.publish("durable", TAGGED, COMPLETED);
    let ear = Ear::start(broker.address(), durable);
    assert!(ear.wakes().kinds().eq([Kind::Tag]));
    drop(ear);
    // what was acknowledged does not come again
    assert_eq!(broker.messages_in("billing"), 0);
}

#[test]
fn a_queue_of_somebody_else_is_used_as_it_is() {
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    broker.make_queue("made-by-hand");
    let by_hand = ListenOptions {
        queue: Some("made-by-hand".to_owned()),
        bindings: vec!["#".to_owned()],
        ..options("by-hand")
    };
    let ear = Ear::start(broker.address(), by_hand).connected();
    broker.publish(
        "by-hand",
        "management-server.AlertEvent.ALERT-USAGE.*.*",
        "{}",
    );
    ear.hears("the alert", |counts| counts.other == 1);
}

/// The rights that docs/operation.md names, and no others.
#[test]
fn the_documented_rights_suffice() {
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    broker.publish("rights", STARTED, "{}");
    broker.make_queue("by-rights");
    let own = r"^amq\.gen-.*$";
    let read = r"^(rights|amq\.gen-.*)$";
    broker.make_user("own", "a-pass-word", [own, own, read]);
    broker.make_user(
        "named",
        "a-pass-word",
        ["^$", "^by-rights$", "^(rights|by-rights)$"],
    );
    for (user, queue) in [("own", None), ("named", Some("by-rights".to_owned()))] {
        let port = broker.address().port();
        let address = Broker::parse(&format!("amqp://{user}@127.0.0.1:{port}")).unwrap();
        let options = ListenOptions {
            queue,
            ..options("rights")
        };
        let ear = Ear::start(address.with_password(Secret::new("a-pass-word")), options);
        let ear = ear.connected();
        broker.publish("rights", STARTED, "{}");
        assert!(ear.wakes().kinds().eq([Kind::Vm]), "{user}");
    }
}

#[test]
fn a_broker_that_restarts_is_found_again_and_the_gap_is_a_hint() {
    let Some(broker) = TestBroker::alone() else {
        return;
    };
    let ear = Ear::start(broker.address(), options("restart")).connected();
    broker.publish("restart", TAGGED, COMPLETED);
    assert!(ear.wakes().kinds().eq([Kind::Tag]));
    for how in ["stop", "kill"] {
        broker.control(how);
        ear.hears("cut off", |counts| !counts.is_connected);
        broker.control("start");
        let gap = ear.wakes();
        assert!(gap.has_gap(), "{how}: {gap:?}");
        broker.publish("restart", STARTED, "{}");
        let hint = ear.wakes();
        assert!(
            hint.kinds().eq([Kind::Vm]) && !hint.has_gap(),
            "{how}: {hint:?}"
        );
    }
    let counts = ear.listener.counts();
    assert_eq!((counts.hints, counts.reconnects), (3, 2));
}

#[test]
fn a_broker_that_refuses_or_is_not_there_is_tried_again_and_no_error() {
    let nobody = Broker::parse("amqp://csbill@127.0.0.1:1").unwrap();
    let ear = Ear::start(nobody, options("nobody"));
    assert_eq!(ear.listener.counts(), EventCounts::default());
    drop(ear);
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    let wrong = broker
        .address()
        .with_password(Secret::new("a-wrong-password"));
    let ear = Ear::start(wrong, options("refused"));
    // long enough for more than one attempt; nothing to be seen but that there is no hint
    assert!(ear.woken.recv_timeout(Duration::from_millis(500)).is_err());
    assert_eq!(ear.listener.counts(), EventCounts::default());
    assert!(!format!("{:?}", ear.listener).contains("a-wrong-password"));
}

#[test]
fn what_the_protocol_cannot_say_is_refused_at_once() {
    let broker = Broker::parse("amqp://127.0.0.1:1").unwrap();
    let refused = |options| match EventListener::start(broker.clone(), options, || {}) {
        Err(error) => error,
        Ok(_) => panic!("it was taken"),
    };
    let long = "x".repeat(256);
    let error = refused(options(&long));
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("255 bytes"), "{error}");
    refused(ListenOptions {
        queue: Some(long.clone()),
        ..ListenOptions::default()
    });
    refused(ListenOptions {
        bindings: vec![long],
        ..ListenOptions::default()
    });
    let error = refused(ListenOptions {
        root_certificate: Some(vec![0xff]),
        ..ListenOptions::default()
    });
    assert!(error.to_string().contains("PEM"), "{error}");
}

/// The certificate is for 127.0.0.1, signed by an authority of the tests' own.
#[test]
fn a_broker_that_proves_who_it_is_is_heard_by_tls_and_no_other_is() {
    let Some(broker) = TestBroker::shared() else {
        return;
    };
    let Ok(url) = std::env::var("CSBILL_TEST_RABBITMQ_TLS") else {
        return;
    };
    let address = |url: &str| {
        let address = Broker::parse(url).unwrap();
        address.with_password(Secret::new(broker.password()))
    };
    let trusting = |file: Option<&str>| {
        let folder = std::env::var("CSBILL_TEST_RABBITMQ_AUTHORITIES").unwrap();
        ListenOptions {
            root_certificate: file.map(|file| std::fs::read(format!("{folder}/{file}")).unwrap()),
            ..options("by-tls")
        }
    };
    // these try first, and again and again
    let named = url.replace("127.0.0.1", "localhost");
    let distrusting = [
        Ear::start(address(&url), trusting(None)),
        Ear::start(address(&url), trusting(Some("other-ca.pem"))),
        Ear::start(address(&named), trusting(Some("ca.pem"))),
    ];
    let ear = Ear::start(address(&url), trusting(Some("ca.pem"))).connected();
    broker.publish("by-tls", TAGGED, COMPLETED);
    assert!(ear.wakes().kinds().eq([Kind::Tag]));
    for other in distrusting {
        let counts = other.listener.counts();
        assert_eq!((counts.is_connected, counts.messages()), (false, 0));
    }
}
