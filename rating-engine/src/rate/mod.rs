//! From decisions and used time to amounts, lines and findings.

mod accumulate;
mod advice;
mod coverage;
mod digest;
mod discount;
mod doubts;
mod findings;
mod key_text;
mod limits;
mod lines;
mod moment;
mod names;
mod parts;
mod percentage;
mod prepared;
mod prorate;
mod rated;
mod rating;
mod record_runs;
mod records_only;
mod settle;
mod sizes;
mod stages;
mod totals;
mod uncertainty;

pub(crate) use coverage::hours;
pub(crate) use findings::sort_findings;
pub use rating::Rating;
