//! From decisions and used time to amounts, lines and findings.

mod accumulate;
mod advice;
mod coverage;
mod digest;
mod discount;
mod doubts;
mod limits;
mod lines;
mod names;
mod parts;
mod prorate;
mod rating;
mod records_only;
mod settle;
mod sizes;
mod stages;
mod uncertainty;

pub(crate) use coverage::hours;
pub(crate) use lines::price_text;
pub use rating::Rating;
