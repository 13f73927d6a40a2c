//! A rule's text as tokens.

use super::RuleError;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Number(String),
    Text(String),
    Word(String),
    Sign(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Whether a line ended before it: a statement may end there.
    pub(super) after_newline: bool,
}

/// Longest first, so that `===` is not read as `==`.
const SIGNS: &[&str] = &[
    "===", "!==", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?",
    ":", "(", ")", "[", "]", "{", "}", ".", ",", ";",
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, RuleError> {
    let mut tokens = Vec::new();
    let (mut rest, mut after_newline) = (text, false);
    while let Some(first) = rest.chars().next() {
        if let Some(skipped) = blank(rest, first)? {
            let (blank, after) = rest.split_at(skipped);
            after_newline |= blank.contains('\n');
            rest = after;
            continue;
        }
        let (kind, length) = token(rest, first)?;
        tokens.push(Token {
            kind,
            after_newline,
        });
        after_newline = false;
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(tokens)
}

/// The length of white space or a comment at the beginning.
fn blank(rest: &str, first: char) -> Result<Option<usize>, RuleError> {
    if first.is_whitespace() {
        return Ok(Some(first.len_utf8()));
    }
    if rest.starts_with("//") {
        return Ok(Some(rest.find('\n').unwrap_or(rest.len())));
    }
    if let Some(comment) = rest.strip_prefix("/*") {
        let end = comment.find("*/");
        return end
            .map(|end| Some(end + 4))
            .ok_or_else(|| RuleError("a comment does not end".to_owned()));
    }
    Ok(None)
}

fn token(rest: &str, first: char) -> Result<(Kind, usize), RuleError> {
    if first == '"' || first == '\'' {
        return quoted(rest, first);
    }
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '$';
    let second = rest.chars().nth(1);
    let fraction = first == '.' && second.is_some_and(|c| c.is_ascii_digit());
    if first.is_ascii_digit() || fraction {
        let end = rest
            .find(|c: char| !(is_word(c) || c == '.'))
            .unwrap_or(rest.len());
        let number = rest.get(..end).unwrap_or_default();
        return plain_number(number).map(|text| (Kind::Number(text), end));
    }
    if is_word(first) {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        return Ok((Kind::Word(word.to_owned()), end));
    }
    SIGNS
        .iter()
        .find(|sign| rest.starts_with(**sign))
        .map(|sign| (Kind::Sign(sign), sign.len()))
        .ok_or_else(|| RuleError(format!("{first:?} is beyond what is understood")))
}

/// Decimal digits with at most one point; what else JavaScript allows (`0x1f`, `010`, `1e3`)
/// is not used in tariffs.
fn plain_number(text: &str) -> Result<String, RuleError> {
    let digits = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let one_point = text.bytes().filter(|byte| *byte == b'.').count() <= 1;
    let octal = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
    if digits && one_point && !octal {
        Ok(text.to_owned())
    } else {
        Err(RuleError(format!("{text} is no plain decimal number")))
    }
}

fn quoted(rest: &str, quote: char) -> Result<(Kind, usize), RuleError> {
    let inside = rest.get(1..).unwrap_or_default();
    let end = inside.find(quote);
    let text = end.and_then(|end| inside.get(..end));
    match text {
        Some(text) if !text.contains(['\\', '\n']) => {
            Ok((Kind::Text(text.to_owned()), text.len() + 2))
        }
        Some(_) => Err(RuleError(
            "a text with a backslash or a line break is beyond what is understood".to_owned(),
        )),
        None => Err(RuleError("a text does not end".to_owned())),
    }
}
