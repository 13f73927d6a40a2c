//! Keys and digests as people see them: lower-case hexadecimal digits.

/// The bytes that twice as many lower-case digits mean; none where the text is another.
pub(crate) fn bytes_of<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != LENGTH {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (value_of(*high)? << 4) | value_of(*low)?;
    }
    Some(bytes)
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_the_standard_library_prints(bytes in any::<[u8; 5]>()) {
            let [high @ .., low] = bytes;
            let text = format!("{:08x}{low:02x}", u32::from_be_bytes(high));
            prop_assert_eq!(bytes_of(&text), Some(bytes));
            prop_assert_eq!(bytes_of::<4>(&text), None);
            prop_assert_eq!(bytes_of::<5>(&format!("{text}0")), None);
        }

        #[test]
        fn takes_no_other_byte(byte in any::<char>(), place in 0_usize..10) {
            let mut text = String::from("0123456789");
            text.replace_range(place..=place, &byte.to_string());
            let is_digit = matches!(byte, '0'..='9' | 'a'..='f');
            prop_assert_eq!(bytes_of::<5>(&text).is_some(), is_digit);
        }
    }
}
