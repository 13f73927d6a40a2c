//! The subcommands, one a file.

pub(crate) mod archive;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod discount;
pub(crate) mod doctor;
pub(crate) mod documents;
pub(crate) mod explain;
pub(crate) mod factor;
pub(crate) mod findings;
pub(crate) mod forecast;
pub(crate) mod issue;
pub(crate) mod label;
pub(crate) mod leaks;
pub(crate) mod package;
pub(crate) mod price;
pub(crate) mod prices;
pub(crate) mod rate;
pub(crate) mod report;
pub(crate) mod rerate;
pub(crate) mod restore;
pub(crate) mod shadow;
pub(crate) mod simulate;
pub(crate) mod sync;
pub(crate) mod totals;
