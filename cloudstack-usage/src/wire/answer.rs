//! The envelope around every answer.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::entry::Entry;
use super::json;
use super::refusal::Refusal;
use crate::error::{Error, ErrorKind};

type Fields<'a> = BTreeMap<Key<'a>, &'a RawValue>;

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::borrow::Borrow<str> for Key<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// An answer whose body was read: one object with a count and one list of entries.
///
/// The wrapper (`listusagerecordsresponse`) may have any name, or be missing as in what
/// command line tools print.
///
/// ```
/// use cloudstack_usage::Answer;
///
/// let answer = Answer::parse("page 1", br#"{"listzonesresponse":{"count":1,"zone":[{"id":"z"}]}}"#)?;
/// assert_eq!(answer.count(), Some(1));
/// assert_eq!(answer.entries(&["zone"])?, [r#"{"id":"z"}"#]);
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Debug)]
pub struct Answer {
    label: String,
    count: Option<u64>,
    lists: Vec<(String, Vec<Box<RawValue>>)>,
    objects: Vec<(String, Box<RawValue>)>,
}

impl Answer {
    /// Reads a body. `label` names the call or file in errors.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`] when the body is empty, HTML, XML, cut off or otherwise no
    /// answer of CloudStack; the kind of the [`Refusal`] when CloudStack refused the call.
    pub fn parse(label: &str, bytes: &[u8]) -> Result<Self, Error> {
        let text = json::strict_text(bytes);
        Self::of(label, &open(label, &text)?)
    }

    /// The same for what a server sent. CloudStack puts `…response` around every answer; an
    /// object without it, such as a proxy's, would be taken for a list that has ended.
    #[cfg(any(feature = "blocking", feature = "async"))]
    pub(crate) fn received(label: &str, bytes: &[u8]) -> Result<Self, Error> {
        let text = json::strict_text(bytes);
        let outer = parse_fields(label, &text, &text)?;
        match outer.first_key_value() {
            Some((Key(name), body)) if outer.len() == 1 && is_response(name) => {
                Self::of(label, &parse_fields(label, &text, body.get())?)
            }
            _ => Err(Error::new(
                ErrorKind::Malformed,
                format!(
                    "{label}: the answer is JSON, but not CloudStack's, which has `…response` around it; check endpoint and proxy"
                ),
            )),
        }
    }

    fn of(label: &str, body: &Fields<'_>) -> Result<Self, Error> {
        if let Some(refusal) = refusal_in(body) {
            return Err(refusal.into_error(label));
        }
        let count = body.get("count").and_then(|raw| number(raw.get()));
        let (mut lists, mut objects) = (Vec::new(), Vec::new());
        for (Key(name), raw) in body {
            if name != "uuidList" && raw.get().starts_with('[') {
                let entries: Vec<Box<RawValue>> = serde_json::from_str(raw.get())
                    .map_err(|cause| json::not_json(label, raw.get(), cause))?;
                lists.push((name.clone().into_owned(), entries));
            } else if raw.get().starts_with('{') {
                objects.push((name.clone().into_owned(), (*raw).to_owned()));
            }
        }
        Ok(Self {
            label: label.to_owned(),
            count,
            lists,
            objects,
        })
    }

    /// The refusal that a body holds, if it is one: read it whatever the HTTP status was.
    pub fn refusal(bytes: &[u8]) -> Option<Refusal> {
        let text = json::strict_text(bytes);
        refusal_in(&open("", &text).ok()?)
    }

    /// The call or file.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The total over all pages, where the answer gives one. Servers from 4.13.0 to 4.14.0
    /// give the number in this page instead.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// How many entries the answer lists.
    #[cfg(any(feature = "blocking", feature = "async"))]
    pub(crate) fn len(&self) -> u64 {
        let entries: usize = self.lists.iter().map(|(_, entries)| entries.len()).sum();
        u64::try_from(entries).unwrap_or(u64::MAX)
    }

    /// The single object of this name, as sent (`capability` of `listCapabilities`).
    pub fn object(&self, name: &str) -> Option<&str> {
        let found = self.objects.iter().find(|(known, _)| known == name);
        found.map(|(_, object)| object.get())
    }

    /// The server's version, in the answer of `listCapabilities` (`4.23.0.0`).
    pub fn version(&self) -> Option<String> {
        let capability = Entry::parse(self.object("capability")?).ok()?;
        capability.text("cloudstackversion").ok()?
    }

    /// The entries of the list with one of these names, as sent; none for an empty answer.
    ///
    /// # Errors
    /// When the answer holds other lists only: it belongs to another call.
    pub fn entries(&self, names: &[&str]) -> Result<Vec<&str>, Error> {
        let found = self
            .lists
            .iter()
            .find(|(name, _)| names.iter().any(|known| name.eq_ignore_ascii_case(known)));
        match (found, self.lists.first()) {
            (Some((_, entries)), _) => Ok(entries.iter().map(|entry| entry.get()).collect()),
            (None, None) => Ok(Vec::new()),
            (None, Some((other, _))) => Err(Error::new(
                ErrorKind::Malformed,
                format!(
                    "{}: the answer lists {other:?}, not {:?}: it belongs to another call",
                    self.label,
                    names.first().unwrap_or(&"")
                ),
            )),
        }
    }
}

/// The object that holds count and list: the only value of the outer object, or that itself.
fn open<'a>(label: &str, text: &'a str) -> Result<Fields<'a>, Error> {
    let outer = parse_fields(label, text, text)?;
    let mut values = outer.values();
    match (values.next(), values.next()) {
        (Some(only), None) if only.get().starts_with('{') => parse_fields(label, text, only.get()),
        _ if is_bare(&outer) => Ok(outer),
        _ => Err(Error::new(
            ErrorKind::Malformed,
            format!("{label}: the answer is JSON, but not one object with CloudStack's list in it"),
        )),
    }
}

/// The fields of an object within the text of an answer.
fn parse_fields<'a>(label: &str, text: &str, object: &'a str) -> Result<Fields<'a>, Error> {
    serde_json::from_str(object).map_err(|cause| json::not_json(label, text, cause))
}

/// Whether a wrapper is one of CloudStack's.
#[cfg(any(feature = "blocking", feature = "async"))]
fn is_response(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with("response")
}

/// Whether an object without a wrapper looks like an answer: a list, a count or an error.
fn is_bare(outer: &Fields<'_>) -> bool {
    outer.is_empty()
        || outer.contains_key("count")
        || outer.contains_key("errorcode")
        || outer.values().any(|value| value.get().starts_with('['))
}

fn refusal_in(body: &Fields<'_>) -> Option<Refusal> {
    let code = number(body.get("errorcode")?.get())?;
    let text = body
        .get("errortext")
        .and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    Some(Refusal {
        code: u16::try_from(code).unwrap_or(u16::MAX),
        cs_code: body
            .get("cserrorcode")
            .and_then(|raw| number(raw.get()))
            .and_then(|code| u32::try_from(code).ok()),
        text: text.unwrap_or_default(),
    })
}

/// A whole number, bare or in quotes.
fn number(raw: &str) -> Option<u64> {
    raw.trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What another program sends must not look like the end of a list.
    #[cfg(any(feature = "blocking", feature = "async"))]
    #[test]
    fn what_a_server_sends_has_a_wrapper_of_cloudstack() {
        for body in [
            "{}",
            r#"{"count":0}"#,
            r#"{"status":"UP"}"#,
            r#"{"error":{}}"#,
            r#"{"error":{"message":"no upstream"}}"#,
            r#"{"status":"UP","groups":["readiness"]}"#,
            r#"{"listzonesresponse":{},"more":{}}"#,
            r#"{"listzonesresponse":[]}"#,
            "[]",
            "null",
        ] {
            let error = Answer::received("call", body.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
        }
        for body in [
            r#"{"listzonesresponse":{}}"#,
            r#"{"listZonesResponse":{"count":0}}"#,
        ] {
            let answer = Answer::received("call", body.as_bytes()).unwrap();
            assert!(answer.entries(&["zone"]).unwrap().is_empty());
        }
        let refused = r#"{"errorresponse":{"errorcode":432,"errortext":"no"}}"#;
        let error = Answer::received("call", refused.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotPermitted);
    }

    fn kind(body: &str) -> ErrorKind {
        Answer::parse("call", body.as_bytes()).unwrap_err().kind()
    }

    #[test]
    fn the_wrapper_may_have_any_name_or_none() {
        for body in [
            r#"{"listusagerecordsresponse":{"count":2,"usagerecord":[{},{}]}}"#,
            r#"{"whatever":{"count":"2","usagerecord":[{},{}]}}"#,
            r#"{"count":2,"usagerecord":[{},{}]}"#,
        ] {
            let answer = Answer::parse("call", body.as_bytes()).unwrap();
            assert_eq!(answer.count(), Some(2));
            assert_eq!(answer.entries(&["usagerecord"]).unwrap().len(), 2);
        }
    }

    #[test]
    fn empty_and_count_only_answers_have_no_entries() {
        for (body, count) in [
            (r#"{"listusagerecordsresponse":{}}"#, None),
            (r#"{ "listusagerecordsresponse" : { } }"#, None),
            (r#"{"listusagerecordsresponse":{"count":110}}"#, Some(110)),
            ("{}", None),
        ] {
            let answer = Answer::parse("call", body.as_bytes()).unwrap();
            assert_eq!(answer.count(), count);
            assert!(answer.entries(&["usagerecord"]).unwrap().is_empty());
        }
    }

    #[test]
    fn an_answer_to_another_call_is_not_taken_for_an_empty_list() {
        let answer = Answer::parse("call", br#"{"listzonesresponse":{"zone":[{}]}}"#).unwrap();
        assert_eq!(
            answer.entries(&["usagerecord"]).unwrap_err().kind(),
            ErrorKind::Malformed
        );
    }

    #[test]
    fn the_version_is_in_the_capabilities() {
        let body =
            br#"{"listcapabilitiesresponse":{"capability":{"cloudstackversion":"4.19.1.0"}}}"#;
        let answer = Answer::parse("call", body).unwrap();
        assert_eq!(answer.version().as_deref(), Some("4.19.1.0"));
        assert_eq!(Answer::parse("call", b"{}").unwrap().version(), None);
    }

    #[test]
    fn refusals_are_read_under_every_name() {
        for name in ["listusagerecordsresponse", "errorresponse", "null"] {
            let body = format!(
                r#"{{"{name}":{{"uuidList":[],"errorcode":432,"cserrorcode":9999,"errortext":"no"}}}}"#
            );
            assert_eq!(kind(&body), ErrorKind::NotPermitted);
            let refusal = Answer::refusal(body.as_bytes()).unwrap();
            assert_eq!((refusal.code, refusal.cs_code), (432, Some(9999)));
        }
        assert_eq!(Answer::refusal(br#"{"a":{"count":1}}"#), None);
    }

    #[test]
    fn what_is_no_answer_says_what_it_is() {
        for (body, word) in [
            ("", "empty"),
            (" \n", "empty"),
            ("<html><body>Bad gateway</body></html>", "HTML"),
            ("<!DOCTYPE html><html></html>", "HTML"),
            ("<?xml version=\"1.0\"?><listusagerecordsresponse/>", "XML"),
            (r#"{"listusagerecordsresponse":{"count":2,"#, "breaks off"),
            ("[]", "no JSON"),
            ("nonsense", "no JSON"),
            (r#"{"a":1,"b":2}"#, "not one object"),
        ] {
            let error = Answer::parse("page 7", body.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Malformed, "{body}");
            let message = error.to_string();
            assert!(
                message.contains(word) && message.contains("page 7"),
                "{message}"
            );
        }
    }

    proptest! {
        #[test]
        fn an_answer_cut_anywhere_is_an_error(cut in 1_usize..70) {
            let body = r#"{"listusagerecordsresponse":{"count":2,"usagerecord":[{"a":1},{"b":2}]}}"#;
            prop_assert!(Answer::parse("call", &body.as_bytes()[..cut]).is_err());
        }

        #[test]
        fn any_bytes_are_handled_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Answer::parse("call", &bytes);
            let _ = Answer::refusal(&bytes);
        }
    }
}
