//! The reports.

pub(crate) mod about;
pub(crate) mod findings;
pub(crate) mod focus;
mod focus_service;
mod focus_unit;
pub(crate) mod leaks;
pub(crate) mod lines;
pub(crate) mod summary;
pub(crate) mod taxes;
