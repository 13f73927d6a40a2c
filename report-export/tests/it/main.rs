//! Reports made from bills built by hand, and read back from what was written.

mod csv;
mod errors;
mod filter;
mod partitions;
mod support;
mod xlsx;
