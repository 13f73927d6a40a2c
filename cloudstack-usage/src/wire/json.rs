//! From bytes to strict JSON text: CloudStack un-escapes `\uXXXX` when it writes an
//! answer, so names may bring raw control characters into strings.
//! Source: `ApiResponseSerializer.toJSONSerializedString`.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::error::{Error, ErrorKind};

/// The text of an answer with control characters inside strings escaped again, so that
/// they survive a strict parser.
pub(super) fn strict_text<'a>(label: &str, bytes: &'a [u8]) -> Result<Cow<'a, str>, Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|cause| {
        Error::new(
            ErrorKind::Malformed,
            format!(
                "{label}: the answer is not UTF-8 at byte {}; check what stands between this program and CloudStack",
                cause.valid_up_to()
            ),
        )
        .with_source(cause)
    })?;
    Ok(escape_control(text))
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
        "the answer is an HTML page, not CloudStack's: check the endpoint (it ends in /client/api) and proxies".to_owned()
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
        let text = strict_text("page", raw.as_bytes()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "a\tb\u{1}");
        assert_eq!(value["quoted"], "x\"\u{2}y");
        assert!(serde_json::from_str::<serde_json::Value>(raw).is_err());
    }

    #[test]
    fn a_backslash_before_a_control_character_stays_a_backslash() {
        let text = strict_text("page", b"{\"name\": \"a\\\tb\"}").unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["name"], "a\\\tb");
    }

    proptest! {
        #[test]
        fn strict_json_keeps_its_meaning(key in ".{0,20}", value in ".{0,40}") {
            let json = serde_json::to_string_pretty(&serde_json::json!({ key: value })).unwrap();
            let text = strict_text("page", json.as_bytes()).unwrap();
            prop_assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).unwrap(),
                serde_json::from_str::<serde_json::Value>(&json).unwrap()
            );
        }

        #[test]
        fn any_bytes_are_handled_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = strict_text("page", &bytes);
        }
    }
}
