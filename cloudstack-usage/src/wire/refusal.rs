//! CloudStack's own refusals.

use crate::error::{Error, ErrorKind};

/// What CloudStack says when it refuses a call.
///
/// Source: `ApiErrorCode` and `ExceptionResponse`. HTTP status and `code` are the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("error {code}: {text}")]
pub struct Refusal {
    /// `errorcode`, e.g. 401.
    pub code: u16,
    /// `cserrorcode`, where there is one.
    pub cs_code: Option<u32>,
    /// `errortext`.
    pub text: String,
}

impl Refusal {
    /// What kind of error the code stands for.
    ///
    /// ```
    /// use cloudstack_usage::{ErrorKind, Refusal};
    ///
    /// let refusal = Refusal { code: 530, cs_code: None, text: String::new() };
    /// assert_eq!(refusal.kind(), ErrorKind::Internal);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match self.code {
            401 => ErrorKind::Unauthorized,
            429 => ErrorKind::Throttled,
            430 | 431 => ErrorKind::Parameter,
            432 => ErrorKind::NotPermitted,
            502 | 503 | 504 | 534 => ErrorKind::Unavailable,
            530 => ErrorKind::Internal,
            _ => ErrorKind::Refused,
        }
    }

    /// The error of this crate, naming the call or file it happened in.
    pub fn into_error(self, label: &str) -> Error {
        let advice = match self.kind() {
            ErrorKind::Unauthorized => {
                "; check API key, secret key, the clock of this machine and whether the role may make this call"
            }
            ErrorKind::NotPermitted => "; this version lacks the call, or the role may not make it",
            ErrorKind::Throttled => "; raise api.throttling.max or wait",
            ErrorKind::Internal => "; see the management server's log",
            _ => "",
        };
        Error::new(
            self.kind(),
            format!(
                "{label}: CloudStack answered {} {:?}{advice}",
                self.code, self.text
            ),
        )
        .with_source(self)
    }

    /// How many milliseconds to wait, where the text of a 429 says so
    /// (`… please retry after [640] ms.`, without brackets before 4.20).
    pub fn retry_after_millis(&self) -> Option<u64> {
        let mut digits = String::new();
        let mut rest = self.text.chars().peekable();
        while let Some(character) = rest.next() {
            if character.is_ascii_digit() {
                digits.push(character);
                continue;
            }
            if !digits.is_empty() {
                let tail: String = std::iter::once(character)
                    .chain(rest.clone().take(8))
                    .collect();
                let unit = tail.trim_start_matches(|c: char| c == ']' || c.is_whitespace());
                if unit.starts_with("ms") {
                    return digits.parse().ok();
                }
                digits.clear();
            }
        }
        None
    }

    /// The largest page that the server gives, where the text of a 431 says so
    /// (`Page size can't exceed max allowed page size value: 500`).
    pub fn max_page_size(&self) -> Option<u32> {
        if !self.text.to_ascii_lowercase().contains("page size") {
            return None;
        }
        let end = self.text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let digits = end
            .rsplit(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        digits.parse().ok().filter(|size| *size > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, text: &str) -> Refusal {
        Refusal {
            code,
            cs_code: None,
            text: text.to_owned(),
        }
    }

    #[test]
    fn the_wait_of_a_429_is_read_with_and_without_brackets() {
        for (text, expected) in [
            (
                "account api limit, please retry after [19251] ms.",
                Some(19251),
            ),
            ("account api limit, please retry after 640 ms.", Some(640)),
            ("2 calls, retry after 7ms", Some(7)),
            ("retry later", None),
            ("retry after 3 s", None),
            ("99999999999999999999999 ms", None),
        ] {
            assert_eq!(refusal(429, text).retry_after_millis(), expected, "{text}");
        }
    }

    #[test]
    fn the_largest_page_is_read_from_a_431() {
        for (text, expected) in [
            (
                "Page size can't exceed max allowed page size value: 500",
                Some(500),
            ),
            (
                "Page size can't exceed max allowed page size value: 500.",
                Some(500),
            ),
            (
                "\"pagesize\" parameter is required when \"page\" is specified",
                None,
            ),
            ("invalid value 12 for parameter type", None),
        ] {
            assert_eq!(refusal(431, text).max_page_size(), expected, "{text}");
        }
    }

    #[test]
    fn codes_have_their_kinds() {
        for (code, kind) in [
            (401, ErrorKind::Unauthorized),
            (429, ErrorKind::Throttled),
            (430, ErrorKind::Parameter),
            (431, ErrorKind::Parameter),
            (432, ErrorKind::NotPermitted),
            (503, ErrorKind::Unavailable),
            (530, ErrorKind::Internal),
            (531, ErrorKind::Refused),
            (534, ErrorKind::Unavailable),
        ] {
            assert_eq!(refusal(code, "x").kind(), kind);
            assert_eq!(refusal(code, "x").into_error("call").kind(), kind);
        }
    }
}
