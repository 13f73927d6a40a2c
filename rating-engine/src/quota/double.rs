//! Binary floating point as Java and JavaScript do it: usage hours as CloudStack computes
//! them, and the numbers of activation rules.
//!
//! This is the one place with binary floats. They reproduce what another system computed;
//! no bill of ours depends on them.
#![expect(
    clippy::float_arithmetic,
    reason = "reproduces the arithmetic of CloudStack's usage server and of JavaScript rules"
)]

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::exact::Exact;

/// A number of JavaScript.
#[derive(Debug, Clone, Copy)]
pub(super) struct Double(f64);

impl Double {
    /// The double nearest to a decimal text.
    pub(super) fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|n: &f64| n.is_finite()).map(Self)
    }

    pub(super) fn from_u32(number: u32) -> Self {
        Self(f64::from(number))
    }

    pub(super) fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    pub(super) fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    pub(super) fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0)
    }

    pub(super) fn div(self, other: Self) -> Self {
        Self(self.0 / other.0)
    }

    pub(super) fn rem(self, other: Self) -> Self {
        Self(self.0 % other.0)
    }

    pub(super) fn neg(self) -> Self {
        Self(-self.0)
    }

    /// How it compares; none where one is not a number.
    pub(super) fn compare(self, other: Self) -> Option<Ordering> {
        self.0.partial_cmp(&other.0)
    }

    /// Whether JavaScript takes it for true.
    pub(super) fn is_true(self) -> bool {
        self.0 != 0.0 && !self.0.is_nan()
    }

    /// As an index of a list.
    pub(super) fn index(self) -> Option<usize> {
        (self.0.fract() == 0.0)
            .then(|| format!("{}", self.0).parse().ok())
            .flatten()
    }

    /// The number that Quota makes of it: that of the shortest decimal text which means this
    /// double. None where Java writes the text with an exponent (below 0.001, from
    /// 10 000 000 on) and Quota may not read it as a number.
    ///
    /// Source: `QuotaManagerImpl.getQuotaTariffValueToBeApplied`.
    pub(super) fn to_exact(self) -> Option<Exact> {
        let size = self.0.abs();
        let plain = size == 0.0 || (1e-3..1e7).contains(&size);
        plain.then(|| decimal(&format!("{}", self.0))).flatten()
    }
}

fn decimal(text: &str) -> Option<Exact> {
    Decimal::from_str_exact(text).ok().map(Exact::from_decimal)
}

/// Hours as the usage server stores them: milliseconds as a 32-bit float, divided by 1000,
/// 60 and 60, and widened to the double whose shortest text Quota goes on with.
///
/// Source: the usage parsers (`float usage = … / 1000f / 60f / 60f`), and
/// `BigDecimal.valueOf` in `QuotaManagerImpl.getUsageValueAccordingToUsageUnitType`.
#[expect(
    clippy::cast_precision_loss,
    reason = "the loss is what is to be reproduced"
)]
pub(super) fn stored_hours(millis: i128) -> Option<Exact> {
    let hours = millis as f32 / 1000.0 / 60.0 / 60.0;
    decimal(&format!("{}", f64::from(hours)))
}

/// A count or a number of bytes as the usage server stores it: a double.
#[expect(
    clippy::cast_precision_loss,
    reason = "the loss is what is to be reproduced"
)]
pub(super) fn stored_count(count: i128) -> Option<Exact> {
    format!("{}", count as f64).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_those_of_a_32_bit_float() {
        // 14 h 47 min 23 s, and 24 h, as a usage server stored them
        let text = |seconds: i128| {
            let hours = stored_hours(seconds * 1000).unwrap();
            hours.to_decimal_string(15, crate::RoundingMode::HalfEven)
        };
        assert_eq!(text(53_243), "14.789722442626953");
        assert_eq!(text(86_400), "24.000000000000000");
    }

    #[test]
    fn a_double_becomes_the_number_of_its_shortest_text() {
        let product = Double::from_u32(12).mul(Double::parse("3.2").unwrap());
        let expected = decimal("38.400000000000006").unwrap();
        assert_eq!(product.to_exact(), Some(expected));
        assert_eq!(Double::parse("0.0005").unwrap().to_exact(), None);
        assert_eq!(Double::parse("10000000").unwrap().to_exact(), None);
        assert_eq!(Double::from_u32(0).to_exact(), Some(Exact::zero()));
    }

    #[test]
    fn nothing_and_what_is_no_number_are_false() {
        let zero = Double::from_u32(0);
        assert!(!zero.is_true() && !zero.neg().is_true());
        assert!(!zero.div(zero).is_true());
        assert!(Double::from_u32(1).is_true() && Double::from_u32(1).neg().is_true());
    }
}
