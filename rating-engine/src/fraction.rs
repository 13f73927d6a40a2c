//! Fractions of 128-bit integers, always reduced: most numbers of a bill, most of the time.
//!
//! Every operation gives none where its result does not fit, and is cheap where the numbers
//! are small: common factors are looked for in 64 bits as soon as one number fits there.

use std::cmp::Ordering;

use num_integer::Integer;

/// A reduced fraction with a positive denominator; the numerator is never `i128::MIN`, so
/// that a sign can always be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    pub(crate) const ZERO: Self = Self {
        numerator: 0,
        denominator: 1,
    };

    /// `numerator / denominator`; none where the denominator is zero, or one is `i128::MIN`.
    pub(crate) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let sign = if denominator < 0 { -1 } else { 1 };
        let (numerator, denominator) =
            (numerator.checked_mul(sign)?, denominator.checked_mul(sign)?);
        if denominator == 0 || numerator == i128::MIN {
            return None;
        }
        let (numerator, denominator) = reduced(numerator, denominator);
        Some(Self {
            numerator,
            denominator,
        })
    }

    /// A whole number; none for `i128::MIN`.
    pub(crate) fn whole(numerator: i128) -> Option<Self> {
        Self::reduced(numerator, 1)
    }

    /// What is reduced already, with a positive denominator.
    fn reduced(numerator: i128, denominator: i128) -> Option<Self> {
        (numerator != i128::MIN).then_some(Self {
            numerator,
            denominator,
        })
    }

    pub(crate) fn numerator(self) -> i128 {
        self.numerator
    }

    pub(crate) fn denominator(self) -> i128 {
        self.denominator
    }

    pub(crate) fn negated(self) -> Self {
        Self {
            numerator: -self.numerator,
            ..self
        }
    }

    /// One over it; none for zero.
    pub(crate) fn inverse(self) -> Option<Self> {
        let sign = self.numerator.signum();
        (sign != 0).then(|| Self {
            numerator: self.denominator * sign,
            denominator: self.numerator * sign,
        })
    }

    pub(crate) fn add(self, other: Self) -> Option<Self> {
        if self.denominator == other.denominator {
            let sum = self.numerator.checked_add(other.numerator)?;
            let (numerator, denominator) = reduced(sum, self.denominator);
            return Self::reduced(numerator, denominator);
        }
        // with g the common factor of the denominators only g can have one with the sum
        // (Knuth, The Art of Computer Programming 2, 4.5.1)
        let common = gcd(self.denominator, other.denominator);
        let (own, others) = (
            quotient(self.denominator, common),
            quotient(other.denominator, common),
        );
        let sum = i128::checked_add(
            self.numerator.checked_mul(others)?,
            other.numerator.checked_mul(own)?,
        )?;
        let factor = gcd(sum, common);
        let denominator = own.checked_mul(quotient(other.denominator, factor))?;
        Self::reduced(quotient(sum, factor), denominator)
    }

    pub(crate) fn sub(self, other: Self) -> Option<Self> {
        self.add(other.negated())
    }

    pub(crate) fn mul(self, other: Self) -> Option<Self> {
        // across, each pair is reduced by itself: then so is the product
        let (left, below_right) = reduced(self.numerator, other.denominator);
        let (right, below_left) = reduced(other.numerator, self.denominator);
        let denominator = below_left.checked_mul(below_right)?;
        Self::reduced(left.checked_mul(right)?, denominator)
    }

    /// How it compares; none where that needs more than 128 bits.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        if self.denominator == other.denominator {
            return Some(self.numerator.cmp(&other.numerator));
        }
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Some(left.cmp(&right))
    }
}

/// Both without their common factor.
fn reduced(numerator: i128, denominator: i128) -> (i128, i128) {
    if denominator == 1 {
        return (numerator, denominator);
    }
    let common = gcd(numerator, denominator);
    (quotient(numerator, common), quotient(denominator, common))
}

/// The quotient of a number by one of its factors, which most often is 1.
fn quotient(number: i128, factor: i128) -> i128 {
    if factor == 1 { number } else { number / factor }
}

/// The greatest common factor of a number and a positive one.
fn gcd(number: i128, positive: i128) -> i128 {
    let (large, small) = (number.unsigned_abs(), positive.unsigned_abs());
    let (large, small) = (large.max(small), large.min(small));
    let factor = match (u64::try_from(large), u64::try_from(small)) {
        (_, Ok(0)) => large,
        (Ok(large), Ok(small)) => u128::from(large.gcd(&small)),
        (Err(_), Ok(small)) => {
            let rest = u64::try_from(large % u128::from(small)).unwrap_or(0);
            u128::from(small.gcd(&rest))
        }
        _ => large.gcd(&small),
    };
    // a factor of a positive i128 is one
    i128::try_from(factor).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use num_rational::BigRational;
    use num_traits::Zero;
    use proptest::prelude::*;

    /// Small and large numbers, with common factors.
    fn number() -> impl Strategy<Value = i128> {
        let factors = prop::sample::select(vec![1_i128, 2, 60, 3600, 1_000_000, 1 << 30]);
        let small =
            (any::<i32>(), factors).prop_map(|(number, factor)| i128::from(number) * factor);
        prop_oneof![
            4 => small,
            2 => any::<i64>().prop_map(i128::from),
            1 => any::<i128>(),
            1 => prop::sample::select(vec![0, 1, -1, i128::MAX, i128::MIN, i128::MIN + 1]),
        ]
    }

    fn big(fraction: Fraction) -> BigRational {
        BigRational::new(fraction.numerator.into(), fraction.denominator.into())
    }

    fn same(result: Option<Fraction>, expected: &BigRational) -> Result<(), TestCaseError> {
        let Some(result) = result else { return Ok(()) };
        prop_assert_eq!(BigInt::from(result.numerator), expected.numer().clone());
        prop_assert_eq!(BigInt::from(result.denominator), expected.denom().clone());
        Ok(())
    }

    proptest! {
        #[test]
        fn every_result_is_that_of_big_integers_reduced(a in number(), b in number(), c in number(), d in number()) {
            let left = Fraction::new(a, b);
            prop_assert_eq!(left.is_some(), b != 0 && a != i128::MIN && b != i128::MIN);
            let (Some(left), Some(right)) = (left, Fraction::new(c, d)) else { return Ok(()) };
            same(Some(left), &BigRational::new(a.into(), b.into()))?;
            same(left.add(right), &(big(left) + big(right)))?;
            same(left.sub(right), &(big(left) - big(right)))?;
            same(left.mul(right), &(big(left) * big(right)))?;
            same(Some(left.negated()), &-big(left))?;
            prop_assert_eq!(left.inverse().is_none(), big(left).is_zero());
            if let Some(inverse) = left.inverse() {
                same(Some(inverse), &big(left).recip())?;
            }
            if let Some(order) = left.compare(right) {
                prop_assert_eq!(order, big(left).cmp(&big(right)));
            }
        }

        #[test]
        fn numbers_of_a_bill_fit(a in any::<i32>(), b in 1_i32.., c in any::<i32>(), d in 1_i32..) {
            let left = Fraction::new(a.into(), b.into()).unwrap();
            let right = Fraction::new(c.into(), d.into()).unwrap();
            prop_assert!(left.add(right).is_some() && left.sub(right).is_some());
            prop_assert!(left.mul(right).is_some() && left.compare(right).is_some());
            let other = Fraction::new(c.into(), b.into()).unwrap();
            prop_assert!(left.add(other).is_some() && left.sub(other).is_some());
        }
    }
}
