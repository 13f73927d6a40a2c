//! Exact fractions: what an amount is before it is rounded.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use num_bigint::BigInt;
use num_integer::Integer;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fraction::Fraction;
use crate::rounding::RoundingMode;

/// An exact rational number, always reduced.
///
/// Held as two `i128` while they suffice; beyond that as big integers. It never wraps and
/// never rounds by itself.
///
/// ```
/// use rating_engine::{Exact, RoundingMode};
///
/// let third = Exact::ratio(100, 3).unwrap();
/// assert_eq!(third.clone() + third.clone() + third.clone(), Exact::from(100));
/// assert_eq!(third.round(2, RoundingMode::HalfAway).to_string(), "3333");
/// assert_eq!(third.to_string(), "100/3");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Exact(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(Fraction),
    Big(Box<BigRational>),
}

/// A text is no fraction such as `12/5`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an exact number such as 12 or 37/5")]
pub struct ParseExactError(String);

impl Exact {
    /// Zero.
    pub fn zero() -> Self {
        Self(Repr::Small(Fraction::ZERO))
    }

    /// `numerator / denominator`; none where the denominator is zero.
    pub fn ratio(numerator: i128, denominator: i128) -> Option<Self> {
        if denominator == 0 {
            return None;
        }
        let small = Fraction::new(numerator, denominator);
        Some(small.map_or_else(
            || Self::big(BigRational::new(numerator.into(), denominator.into())),
            |fraction| Self(Repr::Small(fraction)),
        ))
    }

    /// The decimal number, exactly.
    pub fn from_decimal(decimal: Decimal) -> Self {
        // a scale is at most 28, so the power is no zero
        Self::ratio(decimal.mantissa(), 10_i128.pow(decimal.scale())).unwrap_or_else(Self::zero)
    }

    /// The number as `i128` fits, else big: one number, one representation.
    fn big(value: BigRational) -> Self {
        let fits = value.numer().to_i128().zip(value.denom().to_i128());
        let small = fits.and_then(|(numerator, denominator)| Fraction::new(numerator, denominator));
        small.map_or_else(
            || Self(Repr::Big(Box::new(value))),
            |fraction| Self(Repr::Small(fraction)),
        )
    }

    fn to_big(&self) -> BigRational {
        match &self.0 {
            Repr::Small(fraction) => {
                BigRational::new_raw(fraction.numerator().into(), fraction.denominator().into())
            }
            Repr::Big(big) => (**big).clone(),
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        matches!(&self.0, Repr::Small(fraction) if fraction.numerator() == 0)
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(fraction) => fraction.numerator() < 0,
            Repr::Big(big) => big.is_negative(),
        }
    }

    /// The quotient; none where `divisor` is zero.
    pub fn checked_div(&self, divisor: &Self) -> Option<Self> {
        let inverse = match &divisor.0 {
            Repr::Small(fraction) => Self(Repr::Small(fraction.inverse()?)),
            Repr::Big(big) => Self::big(big.recip()),
        };
        Some(self.clone() * inverse)
    }

    /// The number times `10^places`, rounded to a whole number: an amount in minor units.
    pub fn round(&self, places: u32, mode: RoundingMode) -> BigInt {
        if let Some(((floor, rest), denominator)) = self.small_floor(places) {
            // rest < denominator: the difference cannot overflow, their double could
            let half = rest.cmp(&(denominator - rest));
            return BigInt::from(floor) + i32::from(self.goes_up(half, floor.is_odd(), mode));
        }
        let scaled = self.to_big() * BigInt::from(10).pow(places);
        let (floor, rest): (BigInt, BigInt) = scaled.numer().div_mod_floor(scaled.denom());
        let half = (rest * BigInt::from(2)).cmp(scaled.denom());
        let up = self.goes_up(half, floor.is_odd(), mode);
        floor + i32::from(up)
    }

    /// Whether rounding goes to the number above the floor, by how the rest compares with
    /// a half.
    fn goes_up(&self, half: Ordering, floor_is_odd: bool, mode: RoundingMode) -> bool {
        match (half, mode) {
            (Ordering::Less, _) => false,
            (Ordering::Greater, _) => true,
            (Ordering::Equal, RoundingMode::HalfAway) => !self.is_negative(),
            (Ordering::Equal, RoundingMode::HalfEven) => floor_is_odd,
        }
    }

    /// The largest whole number not above `self * 10^places`, and what is left over it.
    pub(crate) fn floor(&self, places: u32) -> (BigInt, Exact) {
        if let Some(((floor, rest), denominator)) = self.small_floor(places) {
            let rest = Self::ratio(rest, denominator).unwrap_or_else(Self::zero);
            return (floor.into(), rest);
        }
        let scaled = self.to_big() * BigInt::from(10).pow(places);
        let floor = scaled.numer().div_floor(scaled.denom());
        let rest = scaled - BigRational::from_integer(floor.clone());
        (floor, Self::big(rest))
    }

    /// The floor of `self * 10^places` with the numerator and denominator of what is left,
    /// where they fit.
    fn small_floor(&self, places: u32) -> Option<((i128, i128), i128)> {
        let Repr::Small(fraction) = &self.0 else {
            return None;
        };
        let denominator = fraction.denominator();
        let scaled = fraction
            .numerator()
            .checked_mul(10_i128.checked_pow(places)?)?;
        Some((scaled.div_mod_floor(&denominator), denominator))
    }

    /// The number as decimal text with this many places, for display.
    pub fn to_decimal_string(&self, places: u32, mode: RoundingMode) -> String {
        place_point(&self.round(places, mode), places)
    }
}

/// Writes a whole number of `10^-places` as decimal text.
pub(crate) fn place_point(minor: &BigInt, places: u32) -> String {
    let sign = if minor.is_negative() { "-" } else { "" };
    let places = places as usize;
    let digits = format!("{:0>width$}", minor.abs().to_string(), width = places + 1);
    let (whole, part) = digits.split_at(digits.len() - places);
    if places == 0 {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    }
}

macro_rules! operator {
    ($trait:ident $method:ident) => {
        impl std::ops::$trait for Exact {
            type Output = Exact;

            fn $method(self, other: Exact) -> Exact {
                if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0)
                    && let Some(result) = left.$method(*right)
                {
                    return Exact(Repr::Small(result));
                }
                Exact::big(std::ops::$trait::$method(self.to_big(), other.to_big()))
            }
        }
    };
}

operator!(Add add);
operator!(Sub sub);
operator!(Mul mul);

impl std::ops::Neg for Exact {
    type Output = Exact;

    fn neg(self) -> Exact {
        Exact::zero() - self
    }
}

impl std::ops::AddAssign for Exact {
    fn add_assign(&mut self, other: Exact) {
        *self = std::mem::take(self) + other;
    }
}

// Most sums have one term, which costs no arithmetic.
impl std::iter::Sum for Exact {
    fn sum<I: Iterator<Item = Exact>>(numbers: I) -> Exact {
        numbers
            .reduce(|sum, number| sum + number)
            .unwrap_or_else(Exact::zero)
    }
}

impl<'a> std::iter::Sum<&'a Exact> for Exact {
    fn sum<I: Iterator<Item = &'a Exact>>(numbers: I) -> Exact {
        numbers.cloned().sum()
    }
}

impl Default for Exact {
    fn default() -> Self {
        Self::zero()
    }
}

impl From<i128> for Exact {
    fn from(whole: i128) -> Self {
        Fraction::whole(whole).map_or_else(
            || Self::big(BigRational::from_integer(whole.into())),
            |fraction| Self(Repr::Small(fraction)),
        )
    }
}

impl From<BigInt> for Exact {
    fn from(whole: BigInt) -> Self {
        Self::big(BigRational::from_integer(whole))
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        let small = match (&self.0, &other.0) {
            (Repr::Small(left), Repr::Small(right)) => left.compare(*right),
            _ => None,
        };
        small.unwrap_or_else(|| self.to_big().cmp(&other.to_big()))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(fraction) if fraction.denominator() == 1 => fraction.numerator().fmt(f),
            Repr::Small(fraction) => {
                write!(f, "{}/{}", fraction.numerator(), fraction.denominator())
            }
            Repr::Big(big) => big.fmt(f),
        }
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exact({self})")
    }
}

impl FromStr for Exact {
    type Err = ParseExactError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ParseExactError(text.to_owned());
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        let numerator = BigInt::from_str(numerator).map_err(|_| error())?;
        let denominator = BigInt::from_str(denominator).map_err(|_| error())?;
        if denominator.is_zero() {
            return Err(error());
        }
        Ok(Self::big(BigRational::new(numerator, denominator)))
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exact() -> impl Strategy<Value = Exact> {
        (any::<i128>(), 1_i128..i128::MAX).prop_map(|(n, d)| Exact::ratio(n, d).unwrap())
    }

    proptest! {
        #[test]
        fn arithmetic_loses_nothing_beyond_128_bits(a in exact(), b in exact(), c in exact()) {
            prop_assert_eq!(a.clone() + b.clone() - b.clone(), a.clone());
            prop_assert_eq!((a.clone() + b.clone()) * c.clone(), a.clone() * c.clone() + b.clone() * c.clone());
            if !b.is_zero() {
                prop_assert_eq!((a.clone() * b.clone()).checked_div(&b).unwrap(), a.clone());
            }
            prop_assert_eq!(a.to_string().parse::<Exact>().unwrap(), a);
        }

        #[test]
        fn small_and_big_numbers_are_rounded_alike(n in any::<i64>(), d in 1_i64..1_000_000, places in 0_u32..4) {
            let small = Exact::ratio(n.into(), d.into()).unwrap();
            let scale = BigInt::from(10).pow(places);
            let big = small.to_big() * &scale;
            let floor = big.numer().div_floor(big.denom());
            let rest = &big - BigRational::from_integer(floor.clone());
            prop_assert_eq!(small.floor(places), (floor.clone(), Exact::big(rest.clone())));
            let half = BigRational::new(1.into(), 2.into());
            let up = rest > half || (rest == half && n > 0);
            prop_assert_eq!(small.round(places, RoundingMode::HalfAway), floor + i32::from(up));
        }

        #[test]
        fn a_floor_and_its_rest_are_the_number(a in exact(), places in 0_u32..6) {
            let scale = Exact::from(10_i128.pow(places));
            let (floor, rest) = a.floor(places);
            prop_assert!(!rest.is_negative() && rest < Exact::from(1));
            prop_assert_eq!(Exact::from(floor) + rest, a * scale);
        }

        #[test]
        fn rounding_moves_by_half_a_unit_at_most(a in exact(), places in 0_u32..6) {
            for mode in [RoundingMode::HalfAway, RoundingMode::HalfEven] {
                let unit = Exact::ratio(1, 10_i128.pow(places)).unwrap();
                let rounded = Exact::from(a.round(places, mode)) * unit.clone();
                let moved = if rounded > a { rounded - a.clone() } else { a.clone() - rounded };
                prop_assert!(moved + Exact::zero() <= unit * Exact::ratio(1, 2).unwrap());
            }
        }
    }

    #[test]
    fn ties_go_away_from_zero_or_to_the_even_neighbour() {
        let half = |n: i128| Exact::ratio(n, 2).unwrap();
        let round = |n, mode| half(n).round(0, mode).to_string();
        assert_eq!(round(123, RoundingMode::HalfAway), "62"); // 61.5
        assert_eq!(round(123, RoundingMode::HalfEven), "62");
        assert_eq!(round(125, RoundingMode::HalfAway), "63"); // 62.5
        assert_eq!(round(125, RoundingMode::HalfEven), "62");
        assert_eq!(round(-1, RoundingMode::HalfAway), "-1"); // -0.5
        assert_eq!(round(-1, RoundingMode::HalfEven), "0");
    }

    #[test]
    fn decimals_are_written_with_all_their_places() {
        let text = |n, d, places| {
            Exact::ratio(n, d)
                .unwrap()
                .to_decimal_string(places, RoundingMode::HalfAway)
        };
        assert_eq!(text(1, 20, 2), "0.05");
        assert_eq!(text(-1, 20, 2), "-0.05");
        assert_eq!(text(7, 1, 0), "7");
        assert_eq!(text(2, 3, 4), "0.6667");
    }
}
