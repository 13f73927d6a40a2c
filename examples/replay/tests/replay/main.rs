//! The server against what was recorded, against a local filter, and with faults.

mod faults;
mod filters;
mod recorded;
mod support;
