//! From bytes to strict JSON text: CloudStack un-escapes `\uXXXX` when it writes an
//! answer, so names may bring raw control characters into strings.
//! Source: `ApiResponseSerializer.toJSONSerializedString`.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::{Error, ErrorKind};

/// The text of an answer with control characters inside strings escaped again, so that
/// they survive a strict parser.
///
/// Bytes that are no UTF-8 are taken for Latin-1, as a server with such a file encoding
/// prints names: one name must not cost the page, and other names stay other names.
pub(super) fn strict_text(bytes: &[u8]) -> Cow<'_, str> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => escape_control(text),
        Err(_) => Cow::Owned(escape_control(&latin(bytes)).into_owned()),
    }
}

fn latin(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().copied().map(char::from));
    }
    text
}

fn escape_control(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte < 0x20) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string && u32::from(character) < 0x20 {
            // a backslash before it was data, too: the escape must not swallow ours
            if escaped {
                out.push('\\');
            }
            let _ = write!(out, "\\u{:04x}", u32::from(character));
            escaped = false;
            continue;
        }
        match character {
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = in_string && character == '\\' && !escaped;
        out.push(character);
    }
    Cow::Owned(out)
}

/// Why a text is no JSON, in words for the person who has to find out.
pub(super) fn not_json(label: &str, text: &str, cause: serde_json::Error) -> Error {
    let start = text.trim_start();
    let lower: String = start.chars().take(64).collect::<String>().to_lowercase();
    let what = if start.is_empty() {
        "the answer is empty: the management server may be starting; try again later".to_owned()
    } else if lower.starts_with("<!doctype html") || lower.starts_with("<html") {
        "the answer is an HTML page, not CloudStack's: it came from a proxy, or from an endpoint that does not end in /client/api".to_owned()
    } else if lower.starts_with('<') {
        "the answer is XML: the parameter response=json was lost on the way".to_owned()
    } else if cause.is_eof() {
        format!(
            "the answer breaks off after {} bytes: the connection was cut",
            text.len()
        )
    } else {
        format!("the answer is no JSON: {cause}")
    };
    Error::new(ErrorKind::Malformed, format!("{label}: {what}")).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn raw_control_characters_become_escapes_and_keep_their_value() {
        let raw = "{\n \"name\": \"a\tb\u{1}\", \"quoted\": \"x\\\"\u{2}y\", \"n\": 1 }";
        let text = strict_text(raw.as_bytes());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "a\tb\u{1}");
        assert_eq!(value["quoted"], "x\"\u{2}y");
        assert!(serde_json::from_str::<serde_json::Value>(raw).is_err());
    }

    #[test]
    fn a_backslash_before_a_control_character_stays_a_backslash() {
        let text = strict_text(b"{\"name\": \"a\\\tb\"}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "a\\\tb");
    }

    #[test]
    fn bytes_of_another_encoding_cost_no_page_and_mix_no_names() {
        let name = |bytes: &[u8]| {
            let text = strict_text(bytes);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            value["name"].as_str().map(str::to_owned)
        };
        let latin = b"{\"name\": \"B\xfcro\x01\"}";
        assert_eq!(name(latin).as_deref(), Some("B\u{fc}ro\u{1}"));
        let both = b"{\"name\": \"\xc3\xbc \xe4\"}";
        assert_eq!(name(both).as_deref(), Some("\u{fc} \u{e4}"));
    }

    proptest! {
        #[test]
        fn strict_json_keeps_its_meaning(key in ".{0,20}", value in ".{0,40}") {
            let json = serde_json::to_string_pretty(&serde_json::json!({ key: value })).unwrap();
            let text = strict_text(json.as_bytes());
            prop_assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).unwrap(),
                serde_json::from_str::<serde_json::Value>(&json).unwrap()
            );
        }

        #[test]
        fn any_bytes_are_handled_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = strict_text(&bytes);
        }
    }
}
