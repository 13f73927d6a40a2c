//! The server against what was recorded, against a local filter, and with faults.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail the test"
)]

mod faults;
mod filters;
mod recorded;
mod support;
