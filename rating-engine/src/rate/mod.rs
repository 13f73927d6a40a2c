//! From decisions and used time to amounts, lines and findings.

mod accumulate;
mod coverage;
mod digest;
mod discount;
mod lines;
mod names;
mod parts;
mod rating;
mod records_only;
mod sizes;
mod uncertainty;

pub(crate) use coverage::hours;
pub(crate) use lines::price_text;
pub use rating::Rating;
