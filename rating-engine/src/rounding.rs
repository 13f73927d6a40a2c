//! How ties are rounded, and where.

use serde::{Deserialize, Serialize};

/// Which neighbour a tie goes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundingMode {
    /// Away from zero: what customers expect on paper. The default.
    #[default]
    HalfAway,
    /// To the even neighbour: accounting, CloudStack Quota.
    HalfEven,
}

/// Where money is rounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundingPoint {
    /// The statement's exact total once; its lines share it by largest remainder. The default.
    #[default]
    Total,
    /// Each line by itself; the total is the sum of the lines.
    LineFirst,
}
