//! The subcommands, one a file.

pub(crate) mod demo;
pub(crate) mod explain;
pub(crate) mod findings;
pub(crate) mod prices;
pub(crate) mod rate;
pub(crate) mod report;
pub(crate) mod sync;
