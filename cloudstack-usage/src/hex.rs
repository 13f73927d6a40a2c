//! Eight hexadecimal digits at once, in the bytes of one 64-bit number: records name up to
//! ten ids each, so reading them is a good part of reading a record.

const ONES: u64 = 0x0101_0101_0101_0101;

/// The values of eight lower-case digits each; none where one is something else. Words that
/// are read together cost hardly more than one.
pub(crate) fn values_of<const N: usize>(mut words: [u64; N]) -> Option<[u64; N]> {
    let mut wrong = 0;
    for word in &mut words {
        // letters have the bit of 0x40: a is 0x61, and its value nine more than its low bits
        let letters = (*word >> 6) & ONES;
        let values = (*word & (ONES * 0x0f)) + letters * 9;
        wrong |= (values & (ONES * 0xf0)) | (text_of(values) ^ *word);
        let pairs = (values | (values >> 4)) & 0x00ff_00ff_00ff_00ff;
        let fours = (pairs | (pairs >> 8)) & 0x0000_ffff_0000_ffff;
        *word = (fours | (fours >> 16)) & 0xffff_ffff;
    }
    (wrong == 0).then_some(words)
}

/// The eight lower-case digits of a number.
pub(crate) fn digits(value: u32) -> [u8; 8] {
    let whole = u64::from(value);
    let fours = (whole | (whole << 16)) & 0x0000_ffff_0000_ffff;
    let pairs = (fours | (fours << 8)) & 0x00ff_00ff_00ff_00ff;
    let values = (pairs | (pairs << 4)) & (ONES * 0x0f);
    text_of(values).to_be_bytes()
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
            prop_assert_eq!(values_of([u64::from_be_bytes(printed)]), Some([u64::from(value)]));
        }

        #[test]
        fn takes_no_other_byte_in_any_word(value in any::<u32>(), word in 0_usize..3, place in 0_usize..8, byte in any::<u8>()) {
            let mut texts = [digits(value); 3];
            texts[word][place] = byte;
            let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            prop_assert_eq!(values_of(texts.map(u64::from_be_bytes)).is_some(), is_digit);
        }
    }
}
