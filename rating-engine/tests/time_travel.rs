//! Editing books, comparing them, and rating again: laws of everything that travels in time.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

#[path = "time_travel/correction.rs"]
mod correction;
#[path = "time_travel/diff.rs"]
mod diff;
#[path = "time_travel/edit.rs"]
mod edit;
#[path = "time_travel/forecast.rs"]
mod forecast;
#[path = "time_travel/leaks.rs"]
mod leaks;
#[path = "time_travel/simulate.rs"]
mod simulate;
#[path = "time_travel/usage.rs"]
mod usage;
