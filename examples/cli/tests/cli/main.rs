//! `csbill` as a process, against a replayed CloudStack.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

mod bad_input;
mod bills;
mod crashes;
mod demo;
mod operation;
mod shadow;
mod support;
mod syncs;
mod time_travel;
