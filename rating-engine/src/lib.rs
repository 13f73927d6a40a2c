//! What CloudStack usage costs.

mod allocate;
mod currency;
mod exact;
mod finding;
mod money;
mod rounding;
mod statement;

pub use allocate::allocate;
pub use currency::Currency;
pub use exact::{Exact, ParseExactError};
pub use finding::{Finding, FindingKind, Policy};
pub use money::{Amount, CurrencyMismatch, Money};
pub use rounding::{RoundingMode, RoundingPoint};
pub use statement::{
    Bill, BookVersion, Bound, Counts, Explanation, Item, LineItem, Placement, PriceChoice,
    Reduction, Segment, Statement,
};
