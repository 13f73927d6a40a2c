//! Which decimal numbers a spreadsheet can hold as numbers.
//!
//! The only file of the crate in which a binary float appears: XLSX has no other number.

/// Significant digits that every decimal number keeps on its way through a binary float.
const SAFE_DIGITS: usize = 15;

/// The float that stands for this plain decimal text, where reading it back gives the same
/// digits: at most 15 significant ones, and the shortest text of the float is the number.
pub(crate) fn exact_float(decimal: &str) -> Option<f64> {
    let digits = significant(decimal)?;
    if digits == "0" {
        return Some(0.0);
    }
    if significant_digits(&digits) > SAFE_DIGITS {
        return None;
    }
    let float: f64 = decimal.parse().ok()?;
    (significant(&float.to_string())? == digits).then_some(float)
}

/// Number of digits from the first to the last that is not zero.
fn significant_digits(decimal: &str) -> usize {
    let digits: String = decimal.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

/// A plain decimal number without needless zeros and signs; none where it is none.
fn significant(decimal: &str) -> Option<String> {
    let (sign, digits) = decimal
        .strip_prefix('-')
        .map_or(("", decimal), |digits| ("-", digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(part) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let part = part.trim_end_matches('0');
    if whole.is_empty() && part.is_empty() {
        return Some("0".to_owned());
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if part.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{part}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fifteen_digits_are_numbers_and_more_are_not() {
        assert_eq!(exact_float("9999999999999.99"), Some(9_999_999_999_999.99));
        // the measured trap: a float would read ...99.98
        assert_eq!(exact_float("99999999999999.99"), None);
        // a float holds these sixteen digits, but Excel shows fifteen
        assert_eq!(exact_float("1234567890123456"), None);
        assert_eq!(exact_float("-0.05"), Some(-0.05));
        assert_eq!(exact_float("-0.00").unwrap().to_string(), "0");
        assert_eq!(exact_float("100000000000000000"), Some(1e17));
        assert_eq!(exact_float("0.000000001"), Some(1e-9));
        for text in ["", "-", "1e5", "1,5", ".5", "NaN", "+1", "12.3.4"] {
            assert_eq!(exact_float(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_decimal(mantissa in any::<i64>(), scale in 0_u32..12) {
            let decimal = rust_decimal::Decimal::from_i128_with_scale(i128::from(mantissa), scale);
            if let Some(float) = exact_float(&decimal.to_string()) {
                let back: rust_decimal::Decimal = float.to_string().parse().unwrap();
                prop_assert_eq!(back, decimal);
            } else {
                let digits = mantissa.unsigned_abs().to_string();
                prop_assert!(digits.trim_end_matches('0').len() > SAFE_DIGITS);
            }
        }

        #[test]
        fn every_number_of_fifteen_digits_is_a_number(mantissa in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u32..12) {
            let decimal = rust_decimal::Decimal::from_i128_with_scale(i128::from(mantissa), scale);
            prop_assert!(exact_float(&decimal.to_string()).is_some());
        }
    }
}
