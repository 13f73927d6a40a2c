//! What lines add up to: the printed atoms, and how far printing moved them.

use rating_engine::{CurrencyMismatch, Exact, LineItem, Money, RoundingMode};

/// The amounts of one line as they are shown: `list - discount = amount`, to the unit.
///
/// The amount is the printed one. The discount is the exact one rounded half away from
/// zero to minor units, and the list amount is the amount plus the discount, so that a
/// line without a discount shows its amount as list amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineAmounts {
    /// Before discounts, for display.
    pub list: Money,
    /// What the discounts took away, for display.
    pub discount: Money,
    /// What is printed and paid.
    pub amount: Money,
}

impl LineAmounts {
    /// The amounts of this line.
    pub fn of(line: &LineItem) -> Self {
        let currency = line.amount.currency();
        let discount = Money::round(
            &(line.list.clone() - line.net.clone()),
            currency,
            RoundingMode::HalfAway,
        );
        Self {
            list: Money::from_minor(line.amount.minor() + discount.minor(), currency),
            discount,
            amount: line.amount.clone(),
        }
    }
}

/// The sums over lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    /// Number of lines.
    pub lines: u64,
    /// Sum of the displayed list amounts.
    pub list: Money,
    /// Sum of the displayed discounts.
    pub discount: Money,
    /// Sum of the printed amounts.
    pub amount: Money,
    /// Sum of the exact amounts.
    pub exact: Exact,
    /// By how much printing moved the lines: the sum, over the lines, of the distance
    /// between the printed amount and the line rounded by itself, half away from zero.
    pub moved: Money,
}

impl Totals {
    /// The totals of no lines.
    pub fn zero(currency: rating_engine::Currency) -> Self {
        Self {
            lines: 0,
            list: Money::zero(currency),
            discount: Money::zero(currency),
            amount: Money::zero(currency),
            exact: Exact::zero(),
            moved: Money::zero(currency),
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When the line is in another currency.
    pub fn add(&mut self, line: &LineItem) -> Result<(), CurrencyMismatch> {
        let LineAmounts {
            list,
            discount,
            amount,
        } = LineAmounts::of(line);
        let (list, discount) = (
            self.list.checked_add(&list)?,
            self.discount.checked_add(&discount)?,
        );
        self.moved = self.moved.checked_add(&moved(line))?;
        self.amount = self.amount.checked_add(&amount)?;
        self.list = list;
        self.discount = discount;
        self.exact += line.net.clone();
        self.lines += 1;
        Ok(())
    }
}

/// The distance between what is printed and the line rounded by itself.
fn moved(line: &LineItem) -> Money {
    let currency = line.amount.currency();
    let alone = Money::round(&line.net, currency, RoundingMode::HalfAway);
    let difference = Money::from_minor(line.amount.minor() - alone.minor(), currency);
    if difference.is_negative() {
        Money::from_minor(-difference.minor(), currency)
    } else {
        difference
    }
}
