//! `csbill` as a process, against a replayed CloudStack.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail the test"
)]

#[cfg(feature = "mariadb")]
#[path = "../../../../cloudstack-usage/tests/cloudstack_database/mod.rs"]
mod cloudstack_database;

#[cfg(feature = "amqp")]
#[path = "../../../../cloudstack-usage/tests/broker/mod.rs"]
mod broker;

mod archives;
mod bad_input;
mod bills;
mod crashes;
#[cfg(feature = "mariadb")]
mod databases;
mod demo;
#[cfg(feature = "amqp")]
mod events;
mod evidence;
mod faults;
mod issuing;
mod operation;
mod secrets;
#[cfg(feature = "mariadb")]
mod server_crashes;
mod shadow;
mod small_cloud;
mod snapshots;
mod support;
mod syncs;
mod time_travel;
