#![doc = include_str!("../README.md")]

mod allocate;
mod bill_json;
mod book;
mod calendar;
mod correction;
mod currency;
mod error;
mod exact;
mod explain;
mod finding;
mod forecast;
mod fraction;
mod issued;
mod leaks;
mod meter;
mod money;
mod order;
mod plan;
mod proration;
pub mod quota;
mod rate;
mod rounding;
mod simulate;
mod statement;
mod totals;
mod unit;
mod usage;
mod zones;

pub use allocate::allocate;
pub use book::factor::Factor;
pub use book::model::{
    Accumulation, Basis, CountOver, Discount, DiscountAmount, Exemption, Inheritance, MonthProfile,
    Package, PackageService, Per, Percentage, Price, PriceKind, Scope, Service, Stacking, TagMatch,
    TagMoments, Target, Tier, Trust,
};
pub use book::selector::{AtLeast, Selector};
pub use book::terms::{Credit, FindingPolicies, Limit, LimitKind, Spent, Tax};
pub use book::{
    BookChange, BookDiff, BookError, BookErrors, BookFormat, ChangeNote, DiffEntry, DiffKind, Edit,
    EditedBook, ParseWhenError, PriceBook, Row, When, diff, edit_book,
};
pub use correction::{Correction, CorrectionLine, CorrectionReason, StatementCorrection, correct};
pub use currency::Currency;
pub use error::{RatingError, RatingErrorKind};
pub use exact::{Exact, ParseExactError};
pub use finding::{Finding, FindingKind, Policy};
pub use forecast::{Forecast, forecast};
pub use issued::{Issued, IssuedLine, IssuedStatement, LineState, LineSubject};
pub use leaks::{Leak, LeakKind, LeakTotal, Leaks, leaks};
pub use meter::{Dimension, Meter};
pub use money::{Amount, CurrencyMismatch, Money};
pub use proration::{Proration, share};
pub use rate::Rating;
pub use rounding::{RoundingMode, RoundingPoint};
pub use simulate::{Effect, PartEffect, Simulation, StatementEffect, simulate};
pub use statement::{
    AppliedFactor, Bill, BookVersion, Bound, Counts, CreditUse, Explanation, Item, LineItem,
    Placement, PriceChoice, RecordRun, Reduction, Segment, Statement, TaxLine,
};
pub use totals::{Total, Totals};
pub use unit::{Measure, PriceUnit};
