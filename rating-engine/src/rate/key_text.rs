//! The key of a line as text.

use std::fmt::{self, Display, Write};

/// Fields one after the other, separated so that no value can be mistaken for two.
#[derive(Debug, Default)]
pub(crate) struct KeyText {
    text: String,
    fields: usize,
}

impl KeyText {
    /// Adds a field.
    pub(crate) fn field(&mut self, value: impl Display) {
        if self.fields > 0 {
            self.text.push('|');
        }
        self.fields += 1;
        // writing to a string cannot fail
        let _ = write!(Escaped(&mut self.text), "{value}");
    }

    pub(crate) fn into_string(self) -> String {
        self.text
    }
}

/// Puts a backslash before backslashes and separators.
struct Escaped<'t>(&'t mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(['|', '\\']) {
            let special = part.ends_with(['|', '\\']);
            let (plain, last) = part.split_at(part.len() - usize::from(special));
            self.0.push_str(plain);
            if special {
                self.0.push('\\');
                self.0.push_str(last);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn different_fields_have_different_keys(
            left in prop::collection::vec("[a|\\\\]{0,4}", 1..4), right in prop::collection::vec("[a|\\\\]{0,4}", 1..4)
        ) {
            let key = |fields: &[String]| {
                let mut key = KeyText::default();
                for field in fields {
                    key.field(field);
                }
                key.into_string()
            };
            prop_assert_eq!(key(&left) == key(&right), left == right);
        }
    }
}
