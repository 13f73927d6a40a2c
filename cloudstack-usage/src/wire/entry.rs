//! One entry of a list: its fields, read by name and meaning.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::date::parse_date;
use crate::id::{AccountId, DomainId, ProjectId};
use crate::record::{Holder, Owner};
use crate::source::Rejection;
use crate::tag::Tag;

/// Why an entry of a list, or a stored record, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EntryError {
    slug: &'static str,
    field: Option<&'static str>,
    message: String,
}

impl EntryError {
    pub(super) fn new(slug: &'static str, field: &'static str, message: impl Into<String>) -> Self {
        Self {
            slug,
            field: Some(field),
            message: message.into(),
        }
    }

    /// The stable name of what is wrong: `not_an_object`, `field_missing`,
    /// `field_invalid`, `date_invalid`, `window_reversed`, or a slug of
    /// [`QuantityError`](crate::QuantityError).
    pub fn slug(&self) -> &'static str {
        self.slug
    }

    /// The field that is wrong, where one can be named.
    pub fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// The rejection of entry `position` (from 1) of a page, with the entry as sent.
    pub fn into_rejection(self, page: &str, position: usize, json: &str) -> Rejection {
        Rejection {
            page: page.to_owned(),
            position,
            field: self.field.map(str::to_owned),
            slug: self.slug.to_owned(),
            message: self.message,
            json: json.into(),
        }
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The fields of one JSON object, unread. Values are texts, numbers or booleans as the
/// version likes; unknown fields are passed over; `null` counts as absent.
pub(super) struct Entry<'a> {
    fields: Vec<(Cow<'a, str>, &'a str)>,
    encoded: bool,
}

impl<'a> Entry<'a> {
    /// The fields of the object in `json`.
    pub(super) fn parse(json: &'a str) -> Result<Self, EntryError> {
        let Fields(fields) = serde_json::from_str(json).map_err(|cause| EntryError {
            slug: "not_an_object",
            field: None,
            message: format!("the entry is not a JSON object: {cause}"),
        })?;
        let mut entry = Self {
            fields,
            encoded: false,
        };
        entry.encoded = entry.is_encoded();
        Ok(entry)
    }

    /// With the setting `encode.api.response` every text comes URL-encoded. A date or a
    /// description gives it away: neither is without a colon or a space in plain text.
    fn is_encoded(&self) -> bool {
        let has = |name, code: &str, plain| {
            self.raw(name)
                .is_some_and(|raw| raw.contains(code) && !raw.contains(plain))
        };
        has("startdate", "%3A", ':') || has("created", "%3A", ':') || has("description", "%20", ' ')
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, raw)| *raw)
            .filter(|raw| *raw != "null")
    }

    /// A text or number as text; absent when empty.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, EntryError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        let text = match raw.as_bytes().first() {
            Some(b'"') => serde_json::from_str(raw).map_err(|_| invalid(name, raw, "a text"))?,
            Some(b'{' | b'[') => return Err(invalid(name, raw, "a text")),
            _ => raw.to_owned(),
        };
        let text = if self.encoded {
            percent_decode_str(&text)
                .decode_utf8()
                .map_err(|_| invalid(name, raw, "URL-encoded UTF-8"))?
                .into_owned()
        } else {
            text
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The same, of a field that must be there.
    pub(super) fn required_text(&self, name: &'static str) -> Result<String, EntryError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// An id.
    pub(super) fn id<T: for<'t> From<&'t str>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, EntryError> {
        Ok(self.text(name)?.map(|text| T::from(&text)))
    }

    /// The same, of a field that must be there.
    pub(super) fn required_id<T: for<'t> From<&'t str>>(
        &self,
        name: &'static str,
    ) -> Result<T, EntryError> {
        Ok(T::from(&self.required_text(name)?))
    }

    /// A whole number, bare or in quotes.
    pub(super) fn number<T: FromStr>(&self, name: &'static str) -> Result<Option<T>, EntryError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        text.trim()
            .parse()
            .map(Some)
            .map_err(|_| invalid(name, &text, "a whole number in range"))
    }

    /// A number that 0 stands for "none" of: sizes of custom offerings in old versions.
    pub(super) fn positive(&self, name: &'static str) -> Result<Option<u32>, EntryError> {
        Ok(self.number(name)?.filter(|number| *number != 0))
    }

    /// A boolean, bare or in quotes.
    pub(super) fn boolean(&self, name: &'static str) -> Result<Option<bool>, EntryError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            other => Err(invalid(name, other, "true or false")),
        }
    }

    /// A date.
    pub(super) fn date(&self, name: &'static str) -> Result<Option<DateTime<Utc>>, EntryError> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        parse_date(&text)
            .map(Some)
            .map_err(|cause| EntryError::new("date_invalid", name, format!("{name}: {cause}")))
    }

    /// The same, of a field that must be there.
    pub(super) fn required_date(&self, name: &'static str) -> Result<DateTime<Utc>, EntryError> {
        self.date(name)?.ok_or_else(|| missing(name))
    }

    /// The `tags` array, in order of key and value.
    pub(super) fn tags(&self) -> Result<Vec<Tag>, EntryError> {
        let Some(raw) = self.raw("tags").filter(|raw| *raw != "[]") else {
            return Ok(Vec::new());
        };
        let entries: Vec<&RawValue> =
            serde_json::from_str(raw).map_err(|_| invalid("tags", raw, "a list of tags"))?;
        let mut tags = entries
            .into_iter()
            .map(|entry| {
                let mut fields = Entry::parse(entry.get())?;
                fields.encoded = self.encoded;
                fields.tag()
            })
            .collect::<Result<Vec<_>, _>>()?;
        tags.sort();
        Ok(tags)
    }

    /// Whether a field holds a list.
    pub(super) fn is_list(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw.starts_with('['))
    }

    /// `key` and `value` of an entry that is a tag; a value may be empty.
    pub(super) fn tag(&self) -> Result<Tag, EntryError> {
        Ok(Tag::new(
            self.required_text("key")?,
            self.text("value")?.unwrap_or_default(),
        ))
    }

    /// The owner that a usage record names by ids.
    pub(super) fn owner(&self) -> Result<Owner, EntryError> {
        let project: Option<ProjectId> = self.id("projectid")?;
        let account: Option<AccountId> = self.id("accountid")?;
        Ok(Owner {
            domain: self.required_id::<DomainId>("domainid")?,
            holder: match (project, account) {
                (Some(project), _) => Holder::Project(project),
                (None, Some(account)) => Holder::Account(account),
                (None, None) => Holder::Unknown,
            },
        })
    }
}

pub(super) fn missing(name: &'static str) -> EntryError {
    EntryError::new("field_missing", name, format!("{name} is missing"))
}

fn invalid(name: &'static str, value: &str, expected: &str) -> EntryError {
    let shown: String = value.chars().take(80).collect();
    EntryError::new(
        "field_invalid",
        name,
        format!("{name} is {shown:?}, not {expected}"),
    )
}

struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(32);
                while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
                    fields.push((name, value.get()));
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_the_same_bare_and_in_quotes() {
        for json in [
            r#"{"id":"4711","size":"12","ok":"true","tags":[{"key":"b","value":null},{"key":"a","value":"x"}]}"#,
            r#"{"id":4711,"size":12,"ok":true,"extra":{"deep":[1]},"tags":[{"key":"a","value":"x"},{"key":"b"}]}"#,
        ] {
            let entry = Entry::parse(json).unwrap();
            assert_eq!(entry.required_text("id").unwrap(), "4711");
            assert_eq!(entry.number::<u64>("size").unwrap(), Some(12));
            assert_eq!(entry.boolean("ok").unwrap(), Some(true));
            assert_eq!(
                entry.tags().unwrap(),
                [Tag::new("a", "x"), Tag::new("b", "")]
            );
        }
    }

    #[test]
    fn null_and_empty_count_as_absent() {
        let entry = Entry::parse(r#"{"a":null,"b":"","c":0}"#).unwrap();
        assert_eq!(entry.text("a").unwrap(), None);
        assert_eq!(entry.text("b").unwrap(), None);
        assert_eq!(entry.text("none").unwrap(), None);
        assert_eq!(entry.positive("c").unwrap(), None);
        assert_eq!(
            entry.required_text("a").unwrap_err().slug(),
            "field_missing"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let entry = Entry::parse(
            r#"{"size":-1,"big":4294967296,"ok":"yes","created":"x","id":{},"tags":3}"#,
        )
        .unwrap();
        for (error, field, slug) in [
            (
                entry.number::<u64>("size").unwrap_err(),
                "size",
                "field_invalid",
            ),
            (
                entry.number::<u32>("big").unwrap_err(),
                "big",
                "field_invalid",
            ),
            (entry.boolean("ok").unwrap_err(), "ok", "field_invalid"),
            (
                entry.date("created").unwrap_err(),
                "created",
                "date_invalid",
            ),
            (entry.text("id").unwrap_err(), "id", "field_invalid"),
            (entry.tags().unwrap_err(), "tags", "field_invalid"),
        ] {
            assert_eq!((error.field(), error.slug()), (Some(field), slug));
        }
        for json in ["[]", "3", "\"a\"", "{", ""] {
            assert_eq!(
                Entry::parse(json).err().map(|error| error.slug()),
                Some("not_an_object")
            );
        }
    }

    #[test]
    fn url_encoded_answers_are_decoded_and_plain_percent_signs_are_not() {
        let encoded =
            Entry::parse(r#"{"startdate":"2018-09-19T03%3A59%3A59%2B0000","name":"a%20%26%20b"}"#)
                .unwrap();
        assert_eq!(encoded.required_text("name").unwrap(), "a & b");
        assert!(encoded.required_date("startdate").is_ok());
        let plain =
            Entry::parse(r#"{"startdate":"2018-09-19T03:59:59+0000","name":"100%20"}"#).unwrap();
        assert_eq!(plain.required_text("name").unwrap(), "100%20");
    }
}
