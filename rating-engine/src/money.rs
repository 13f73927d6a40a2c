//! Rounded amounts: what is printed.

use std::fmt;

use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::exact::{Exact, place_point};
use crate::rounding::RoundingMode;

/// An amount in whole minor units of a currency.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Money {
    minor: BigInt,
    currency: Currency,
}

/// Two currencies met in one sum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("amounts in {left} and {right} cannot be added; rate them with a book of one currency")]
pub struct CurrencyMismatch {
    /// The currency of the sum.
    pub left: Currency,
    /// The currency that was to be added.
    pub right: Currency,
}

impl Money {
    /// Nothing.
    pub fn zero(currency: Currency) -> Self {
        Self {
            minor: BigInt::zero(),
            currency,
        }
    }

    /// This many minor units.
    pub fn from_minor(minor: BigInt, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The exact amount, rounded to minor units.
    pub fn round(exact: &Exact, currency: Currency, mode: RoundingMode) -> Self {
        Self {
            minor: exact.round(currency.minor_digits(), mode),
            currency,
        }
    }

    /// So many percent of it, rounded once: the tax on a net amount.
    ///
    /// ```
    /// use rating_engine::{Currency, Exact, Money, RoundingMode};
    /// use rust_decimal::Decimal;
    ///
    /// let euro = Currency::from_code("EUR").unwrap();
    /// let net = Money::round(&Exact::ratio(12345, 100).unwrap(), euro, RoundingMode::HalfAway);
    /// let tax = net.percent(Decimal::new(725, 2), RoundingMode::HalfAway); // 7.25 %
    /// assert_eq!(tax.to_string(), "8.95 EUR");
    /// ```
    #[must_use]
    pub fn percent(&self, percent: Decimal, mode: RoundingMode) -> Self {
        let hundredth = Exact::ratio(1, 100).unwrap_or_else(Exact::zero);
        let exact = self.to_exact() * Exact::from_decimal(percent) * hundredth;
        Self::round(&exact, self.currency, mode)
    }

    /// The amount in minor units.
    pub fn minor(&self) -> &BigInt {
        &self.minor
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.minor.is_zero()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.minor.is_negative()
    }

    /// The amount as an exact number of major units.
    pub fn to_exact(&self) -> Exact {
        let unit = Exact::ratio(1, 10_i128.pow(self.currency.minor_digits()));
        Exact::from(self.minor.clone()) * unit.unwrap_or_else(Exact::zero)
    }

    /// The sum.
    ///
    /// # Errors
    /// When the currencies differ.
    pub fn checked_add(&self, other: &Self) -> Result<Self, CurrencyMismatch> {
        if self.currency != other.currency {
            return Err(CurrencyMismatch {
                left: self.currency,
                right: other.currency,
            });
        }
        Ok(Self {
            minor: &self.minor + &other.minor,
            currency: self.currency,
        })
    }

    /// The sum of many, zero for none.
    ///
    /// # Errors
    /// When one has another currency.
    pub fn sum<'a>(
        amounts: impl IntoIterator<Item = &'a Self>,
        currency: Currency,
    ) -> Result<Self, CurrencyMismatch> {
        amounts
            .into_iter()
            .try_fold(Self::zero(currency), |sum, amount| sum.checked_add(amount))
    }

    /// The amount alone, as decimal text in major units (`"12.34"`).
    pub fn amount(&self) -> String {
        place_point(&self.minor, self.currency.minor_digits())
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Money({self})")
    }
}

/// An amount as it appears in JSON: `{"amount": "12.34", "exact": "617/50", "currency": "EUR"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// As printed, in major units.
    pub amount: String,
    /// Before rounding, as a reduced fraction of major units.
    pub exact: Exact,
    /// ISO 4217 code.
    pub currency: Currency,
}

impl Amount {
    /// A printed amount beside its exact value.
    pub fn new(printed: &Money, exact: &Exact) -> Self {
        Self {
            amount: printed.amount(),
            exact: exact.clone(),
            currency: printed.currency(),
        }
    }
}
