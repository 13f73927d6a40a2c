//! The order in which an amount comes about.
//!
//! 1. coverage: what a package or a VM's price includes costs nothing ([`crate::plan`])
//! 2. exemption: what a tag switches off costs nothing ([`crate::plan`])
//! 3. allowance: free units of the month come first ([`accumulate`])
//! 4. price: time counted by the price's proration, then per unit, tiers, blocks, flat; times
//!    the factors on it
//! 5. percent discounts
//! 6. fixed discounts
//! 7. maximum charge, then minimum charge with its true-up line ([`limits`])
//! 8. credits, taken from what is printed ([`settle`](super::settle))
//! 9. tax, on what is left of the printed amounts ([`settle`](super::settle))
//!
//! Source: DESIGN.md §4 "Discounts"; RATING.md §1.10.

use super::limits::{self, TrueUp};
use super::parts::{Part, Timeline};
use super::{accumulate, discount, prorate};
use crate::plan::Plan;

/// Stages 3 to 7: gives every part its amounts, and says what is missing to minimum charges.
pub(crate) fn apply(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    parts: &mut Vec<Part>,
) -> Vec<TrueUp> {
    prorate::apply(plan, timelines, parts);
    accumulate::accumulate(plan.book, timelines, parts);
    discount::apply(plan, timelines, parts);
    limits::apply(plan, timelines, parts)
}
