//! Amounts as texts that a database without exact numbers of our size can sort.

use rust_decimal::Decimal;

/// A text that sorts as the number does, the same for equal numbers: as many digits before
/// the point as a `Decimal` can have, and no zeros at the end. `rawusage` is never negative.
pub(super) fn sortable(usage: Decimal) -> String {
    let text = usage.normalize().to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole:0>29}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sortable_texts_compare_as_the_numbers_do(
            a in 0_i128..1_000_000_000_000_000_000_000_000_000, a_scale in 0_u32..12,
            b in 0_i128..1_000_000_000_000_000_000_000_000_000, b_scale in 0_u32..12,
        ) {
            let (a, b) = (Decimal::from_i128_with_scale(a, a_scale), Decimal::from_i128_with_scale(b, b_scale));
            prop_assert_eq!(sortable(a).cmp(&sortable(b)), a.cmp(&b));
        }
    }

    #[test]
    fn zeros_at_the_end_make_no_other_number() {
        let number = |text| Decimal::from_str_exact(text).unwrap();
        assert_eq!(sortable(number("1.50")), sortable(number("1.5")));
        assert!(sortable(number("9.9")) < sortable(number("10")));
    }
}
