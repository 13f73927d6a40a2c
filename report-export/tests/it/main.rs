//! Reports made from bills built by hand, and read back from what was written.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: clippy exempts the test functions alone"
)]

mod csv;
mod errors;
mod filter;
mod partitions;
mod support;
mod taxes;
mod xlsx;
