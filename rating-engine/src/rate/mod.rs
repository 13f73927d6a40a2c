//! From decisions and used time to amounts, lines and findings.

mod accumulate;
mod coverage;
mod digest;
mod discount;
mod limits;
mod lines;
mod parts;
mod prorate;
mod rating;
mod settle;
mod stages;
mod uncertainty;

pub(crate) use coverage::hours;
pub use rating::Rating;
