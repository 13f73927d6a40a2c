//! Text of tenants made safe for files that people open in a spreadsheet.

use std::borrow::Cow;

/// What a character that no cell may hold is replaced by.
const REPLACEMENT: char = '\u{FFFD}';

/// The text without control characters (replaced by U+FFFD), every kind of line break
/// written as one line feed. Tabs stay.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(needs_cleaning) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut after_return = false;
    for character in text.chars() {
        let is_feed_of_pair = after_return && character == '\n';
        after_return = character == '\r';
        match character {
            '\n' if is_feed_of_pair => {}
            '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                cleaned.push('\n');
            }
            _ if needs_cleaning(character) => cleaned.push(REPLACEMENT),
            _ => cleaned.push(character),
        }
    }
    Cow::Owned(cleaned)
}

fn needs_cleaning(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}' => true,
        _ => character.is_control(),
    }
}

/// The cleaned text with a leading apostrophe where a spreadsheet would run it as a
/// formula: it begins with `=`, `+`, `-`, `@` or their full-width forms, or with a tab or
/// a line break, behind spaces and invisible characters too.
///
/// Source: CWE-1236, OWASP "CSV Injection".
pub(crate) fn guard(text: &str) -> Cow<'_, str> {
    let first = text.chars().next();
    let first_visible = text.chars().find(|character| !is_invisible(*character));
    let runs = matches!(first, Some('\t' | '\r' | '\n'))
        || matches!(
            first_visible,
            Some('=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠')
        );
    if runs {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

fn is_invisible(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{AD}'
        )
}

/// Several texts as one, separated by `"; "`. A backslash, a semicolon and every character
/// of `also` within a text gets a backslash, line breaks become `\n` and `\r`, so that the
/// texts can be told apart again.
pub(crate) fn join<'t>(texts: impl IntoIterator<Item = Cow<'t, str>>) -> String {
    let mut joined = String::new();
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            joined.push_str("; ");
        }
        joined.push_str(&text);
    }
    joined
}

/// One text of such a list, escaped.
pub(crate) fn escape<'t>(text: &'t str, also: &[char]) -> Cow<'t, str> {
    let special = |character: char| {
        matches!(character, '\\' | ';' | '\n' | '\r') || also.contains(&character)
    };
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            _ => {
                if special(character) {
                    escaped.push('\\');
                }
                escaped.push(character);
            }
        }
    }
    Cow::Owned(escaped)
}

/// The text cut to this many UTF-16 units, with an ellipsis at the end; none where it fits.
pub(crate) fn cut_utf16(text: &str, limit: usize) -> Option<String> {
    if text.len() <= limit || text.encode_utf16().count() <= limit {
        return None;
    }
    let mut units = 0;
    let mut cut: String = text
        .chars()
        .take_while(|character| {
            units += character.len_utf16();
            units < limit
        })
        .collect();
    cut.push('…');
    Some(cut)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn line_breaks_become_one_and_control_characters_are_replaced() {
        assert_eq!(clean("a\r\nb\rc\nd\u{2028}e\u{85}f"), "a\nb\nc\nd\ne\nf");
        assert_eq!(clean("a\0b\u{1B}c\u{7F}"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}");
        assert_eq!(clean("\r\n\r\n"), "\n\n");
        assert_eq!(clean("tab\tstays ü 🦀"), "tab\tstays ü 🦀");
    }

    #[test]
    fn formulas_are_guarded_and_plain_text_is_not() {
        for text in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\n=1",
            " =1",
            "\u{FEFF}=1",
            "＝1",
            "＋1",
            "－1",
            "＠a",
            "\tx",
        ] {
            assert_eq!(guard(text), format!("'{text}"), "{text:?}");
        }
        for text in ["", "a=1", "web-01", "1+1", "'=1", "ü"] {
            assert_eq!(guard(text), text);
        }
    }

    #[test]
    fn a_cut_text_keeps_whole_characters() {
        assert_eq!(cut_utf16("abcd", 4), None);
        assert_eq!(cut_utf16("abcde", 4).unwrap(), "abc…");
        // a crab is two units: it does not fit beside the ellipsis
        assert_eq!(cut_utf16("ab🦀🦀", 4).unwrap(), "ab…");
    }

    /// Reads a joined list back.
    fn split(joined: &str) -> Vec<String> {
        let mut texts = vec![String::new()];
        let mut characters = joined.chars();
        while let Some(character) = characters.next() {
            match character {
                '\\' => {
                    let escaped = match characters.next().unwrap() {
                        'n' => '\n',
                        'r' => '\r',
                        other => other,
                    };
                    texts.last_mut().unwrap().push(escaped);
                }
                ';' => {
                    assert_eq!(characters.next(), Some(' '));
                    texts.push(String::new());
                }
                _ => texts.last_mut().unwrap().push(character),
            }
        }
        texts
    }

    proptest! {
        #[test]
        fn a_joined_list_can_be_told_apart(texts in prop::collection::vec("[a;=\\\\ \n\rnr]{0,8}", 1..6)) {
            let joined = join(texts.iter().map(|text| escape(text, &['='])));
            prop_assert_eq!(split(&joined), texts);
        }

        #[test]
        fn no_text_survives_as_a_formula(text in "[=+@\\-\t\r\n \u{FEFF}＝a\0]{0,6}") {
            let cleaned = clean(&text);
            let guarded = guard(&cleaned);
            let visible = guarded.chars().find(|c| !is_invisible(*c));
            prop_assert!(!matches!(visible, Some('=' | '+' | '-' | '@' | '＝')));
            prop_assert!(!guarded.starts_with(['\t', '\r', '\n']));
            prop_assert!(!guarded.contains(['\0', '\r']));
        }
    }
}
