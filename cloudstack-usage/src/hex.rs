//! Eight hexadecimal digits at once, in the bytes of one 64-bit number: records name up to
//! ten ids each, so reading them is a good part of reading a record.

const ONES: u64 = 0x0101_0101_0101_0101;

/// The value of eight lower-case digits; none where one is something else.
pub(crate) fn value_of(digits: [u8; 8]) -> Option<u32> {
    let text = u64::from_be_bytes(digits);
    // letters have the bit of 0x40: a is 0x61, and its value nine more than its low bits
    let letters = (text >> 6) & ONES;
    let values = (text & (ONES * 0x0f)) + letters * 9;
    if values & (ONES * 0xf0) != 0 || text_of(values) != text {
        return None;
    }
    let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
    u32::try_from((fours | (fours >> 16)) & 0xffff_ffff).ok()
}

/// The eight lower-case digits of a number.
pub(crate) fn digits(value: u32) -> [u8; 8] {
    let whole = u64::from(value);
    let fours = (whole | (whole << 16)) & 0x0000_ffff_0000_ffff;
    let pairs = (fours | (fours << 8)) & 0x00ff_00ff_00ff_00ff;
    let values = (pairs | (pairs << 4)) & (ONES * 0x0f);
    text_of(values).to_be_bytes()
}

/// The bytes that twice as many lower-case digits mean; none where the text is another.
pub(crate) fn bytes_of<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    let (chunks, rest) = text.as_bytes().as_chunks::<8>();
    if !rest.is_empty() || chunks.len() * 4 != LENGTH {
        return None;
    }
    for (four, digits) in bytes.chunks_exact_mut(4).zip(chunks) {
        four.copy_from_slice(&value_of(*digits)?.to_be_bytes());
    }
    Some(bytes)
}

/// The digits of eight values below 16.
fn text_of(values: u64) -> u64 {
    // from ten on, adding 0x76 reaches the highest bit
    let letters = ((values + ONES * 0x76) >> 7) & ONES;
    values + ONES * 0x30 + letters * 0x27
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_what_the_standard_library_prints(value in any::<u32>()) {
            let text = format!("{value:08x}");
            let printed: [u8; 8] = text.as_bytes().try_into().unwrap();
            prop_assert_eq!(digits(value), printed);
            prop_assert_eq!(value_of(printed), Some(value));
        }

        #[test]
        fn takes_no_other_byte(value in any::<u32>(), place in 0_usize..8, byte in any::<u8>()) {
            let mut text = digits(value);
            text[place] = byte;
            let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            prop_assert_eq!(value_of(text).is_some(), is_digit);
        }
    }
}
