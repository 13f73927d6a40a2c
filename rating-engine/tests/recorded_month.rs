//! Everything that the recorded CloudStack can prove, against its own events; and the same
//! for copies of it with other dates, names and ids.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a panic is the report of a failure"
)]

#[expect(
    clippy::disallowed_methods,
    reason = "the engine reads no file, but its tests read the recording"
)]
mod recorded;
