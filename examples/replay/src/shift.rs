//! The same recording at another time, with other names and ids.
//!
//! What holds for a recording must hold for this copy of it: nothing in the library may know
//! its names, ids or dates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};
use serde_json::{Map, Value};

use crate::recording::{Listing, Recording};

/// How the copy differs.
#[derive(Debug, Clone, Default)]
pub struct Shift {
    /// Days by which every date moves.
    pub days: i64,
    /// Put before every name of a domain, project, account, VM, volume, network, offering,
    /// template, zone and so on. Empty: names stay.
    pub prefix: String,
    /// Added to internal numeric ids (`i-42-19-VM`, `ROOT-19`, `network ID: 225`).
    pub number: u64,
    /// Whether UUIDs are mapped to others.
    pub ids: bool,
    /// Words of tag keys and values (and of texts given to [`Mapping::text`]) to replace, for
    /// example `Billing` by `Abrechnung`. Tags keep all other words.
    pub words: BTreeMap<String, String>,
}

/// Replaces dates, names and ids as a [`Shift`] says: the same one by the same, everywhere.
#[derive(Debug, Clone)]
pub struct Mapping {
    shift: Shift,
    /// Names to others, those of one word.
    names: BTreeMap<String, String>,
    /// Names that hold a space or another mark, longest first.
    phrases: Vec<(String, String)>,
}

/// Fields that hold a name and nothing else.
const NAME_FIELDS: &[&str] = &[
    "name",
    "displayname",
    "displaytext",
    "account",
    "project",
    "projectaccountname",
    "domain",
    "parentdomainname",
    "vmname",
    "vmdisplayname",
    "volumename",
    "templatename",
    "templatedisplaytext",
    "serviceofferingname",
    "serviceofferingdisplaytext",
    "diskofferingname",
    "diskofferingdisplaytext",
    "networkname",
    "networkofferingname",
    "networkofferingdisplaytext",
    "associatednetworkname",
    "virtualmachinename",
    "virtualmachinedisplayname",
    "instancename",
    "zonename",
    "username",
    "path",
    "domainpath",
    "vpcname",
    "firstname",
];

/// Lists whose entries are named by somebody; OS types, usage types and so on are named by
/// CloudStack.
const NAMED_LISTS: &[&str] = &[
    "domain",
    "project",
    "account",
    "virtualmachine",
    "volume",
    "network",
    "vpc",
    "publicipaddress",
    "snapshot",
    "vmSnapshot",
    "serviceoffering",
    "diskoffering",
    "networkoffering",
    "template",
    "zone",
    "loadbalancerrule",
    "usagerecord",
];

/// The root of the domain tree has this name everywhere.
const ROOT: &str = "ROOT";

impl Recording {
    /// A copy in which dates, names and ids differ as `shift` says, and the mapping that made
    /// it: a price book that names this recording's domains is turned into one for the copy
    /// by [`Mapping::text`].
    pub fn shifted(&self, shift: Shift) -> (Self, Mapping) {
        let mapping = Mapping::new(self, shift);
        let copy = Self {
            usage: self
                .usage
                .iter()
                .map(|record| mapping.value("", record))
                .collect(),
            syncs: self
                .syncs
                .iter()
                .map(|(at, listings)| {
                    let listings = listings.iter().map(|listing| mapping.listing(listing));
                    (*at + mapping.days(), listings.collect())
                })
                .collect(),
        };
        (copy, mapping)
    }

    /// Every name that somebody gave to something.
    fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let mut collect = |entry: &Value| {
            for (field, value) in entry.as_object().into_iter().flatten() {
                if let (true, Some(name)) = (NAME_FIELDS.contains(&field.as_str()), value.as_str())
                {
                    names.extend(name.split('/').map(str::to_owned));
                }
            }
        };
        self.usage.iter().for_each(&mut collect);
        for listing in self.syncs.values().flatten() {
            if let Some((list, entries)) = listing.list()
                && NAMED_LISTS.contains(&list)
            {
                entries.iter().for_each(&mut collect);
            }
        }
        // what CloudStack numbers by itself is renumbered instead
        names.retain(|name| !name.is_empty() && name != ROOT && !is_numbered(name));
        names
    }
}

/// Names that hold an internal id: `ROOT-19`, `i-42-19-VM`, `r-20-VM`.
fn is_numbered(name: &str) -> bool {
    let numbered = name
        .strip_prefix("ROOT-")
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    numbered || name.ends_with("-VM")
}

impl Mapping {
    fn new(recording: &Recording, shift: Shift) -> Self {
        let (names, phrases): (Vec<_>, Vec<_>) = if shift.prefix.is_empty() {
            (Vec::new(), Vec::new())
        } else {
            let renamed = |name: String| {
                let other = format!("{}{name}", shift.prefix);
                (name, other)
            };
            recording
                .names()
                .into_iter()
                .map(renamed)
                .partition(|(name, _)| name.chars().all(is_word))
        };
        let mut phrases = phrases;
        phrases.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self {
            shift,
            names: names.into_iter().collect(),
            phrases,
        }
    }

    fn days(&self) -> TimeDelta {
        TimeDelta::days(self.shift.days)
    }

    fn listing(&self, listing: &Listing) -> Listing {
        Listing {
            params: listing
                .params
                .iter()
                .map(|(name, value)| (name.clone(), self.marks(value)))
                .collect(),
            body: Arc::new(self.value("", &listing.body)),
        }
    }

    /// Any text with dates, ids, names and words replaced; names wherever they stand as a
    /// word. Meant for price books and expectations; see [`Recording::shifted`] for bodies.
    pub fn text(&self, text: &str) -> String {
        self.renamed(&self.marks(text), true)
    }

    /// The name that something has in the copy.
    pub fn name(&self, name: &str) -> String {
        self.renamed(name, false)
    }

    /// The id that something has in the copy.
    pub fn id(&self, id: &str) -> String {
        self.marks(id)
    }

    fn value(&self, field: &str, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.string(field, text)),
            Value::Array(values) => values
                .iter()
                .map(|value| self.value(field, value))
                .collect(),
            Value::Object(fields) if is_tag(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.tag_field(name, value)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.value(name, value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn tag_field(&self, name: &str, value: &Value) -> Value {
        match (name, value.as_str()) {
            ("key" | "value", Some(text)) => Value::String(replace_words(text, |word| {
                self.shift.words.get(word).map(String::as_str)
            })),
            _ => self.value(name, value),
        }
    }

    fn string(&self, field: &str, text: &str) -> String {
        let marked = self.marks(text);
        if field == "description" {
            self.renamed(&numbers(&marked, self.shift.number), false)
        } else if NAME_FIELDS.contains(&field) {
            self.whole_name(&marked)
        } else {
            marked
        }
    }

    /// A field that is a name, or a path of names.
    fn whole_name(&self, text: &str) -> String {
        let one = |name: &str| {
            let phrase = self.phrases.iter().find(|(known, _)| known == name);
            self.names
                .get(name)
                .or(phrase.map(|(_, other)| other))
                .cloned()
                .unwrap_or_else(|| numbers(name, self.shift.number))
        };
        match one(text) {
            same if same == text => text.split('/').map(one).collect::<Vec<_>>().join("/"),
            other => other,
        }
    }

    /// Names within a text.
    fn renamed(&self, text: &str, with_words: bool) -> String {
        // a phrase is put aside under a private mark, so that its words are left alone
        let mut text = text.to_owned();
        for (index, (phrase, _)) in self.phrases.iter().enumerate() {
            if text.contains(phrase.as_str()) {
                text = text.replace(phrase.as_str(), &format!("\u{e000}{index}\u{e001}"));
            }
        }
        let mut text = replace_words(&text, |word| {
            let word_of_tags = with_words.then(|| self.shift.words.get(word)).flatten();
            word_of_tags.or(self.names.get(word)).map(String::as_str)
        });
        for (index, (_, other)) in self.phrases.iter().enumerate() {
            text = text.replace(&format!("\u{e000}{index}\u{e001}"), other);
        }
        text
    }

    /// Dates and UUIDs within a text.
    fn marks(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let before = out.chars().next_back();
            let starts_word = before.is_none_or(|c| !c.is_ascii_alphanumeric() && c != '-');
            if let (true, Some((other, taken))) = (starts_word, self.mark(rest)) {
                out.push_str(&other);
                rest = rest.get(taken..).unwrap_or_default();
                continue;
            }
            let mut chars = rest.chars();
            out.extend(chars.next());
            rest = chars.as_str();
        }
        out
    }

    /// The replacement of the date or UUID that `text` begins with, and its length.
    fn mark(&self, text: &str) -> Option<(String, usize)> {
        if let Some(uuid) = text.get(..36).and_then(parse_uuid) {
            let bits = if self.shift.ids { permuted(uuid) } else { uuid };
            return Some((print_uuid(bits), 36));
        }
        let day = NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()?;
        let ends = text
            .get(10..)?
            .chars()
            .next()
            .is_none_or(|c| !c.is_ascii_digit());
        let well_formed = text.as_bytes().get(4) == Some(&b'-');
        (ends && well_formed).then(|| ((day + self.days()).format("%Y-%m-%d").to_string(), 10))
    }
}

/// Objects of `tags` lists and of `listTags` have exactly these.
fn is_tag(fields: &Map<String, Value>) -> bool {
    fields.contains_key("key") && fields.contains_key("value")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '_'
}

/// Replaces whole words (letters, digits, `-`, `_`) for which `other` knows another.
fn replace_words<'a>(text: &str, other: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (head, tail) = rest.split_at(word);
        out.push_str(other(head).unwrap_or(head));
        let gap = tail.find(is_word).unwrap_or(tail.len());
        let (between, next) = tail.split_at(gap);
        out.push_str(between);
        rest = next;
    }
    out
}

/// Internal numbers within a text: in `ROOT-19`, `i-42-19-VM` and behind `ID: ` or
/// `offering: `.
fn numbers(text: &str, by: u64) -> String {
    if by == 0 {
        return text.to_owned();
    }
    let add = |digits: &str| {
        digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_add(by))
            .map(|number| number.to_string())
    };
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        let labelled = out.ends_with("ID: ") || out.ends_with("offering: ");
        if is_numbered(word) {
            let parts = word
                .split('-')
                .map(|part| add(part).unwrap_or(part.to_owned()));
            out.push_str(&parts.collect::<Vec<_>>().join("-"));
        } else if let (true, Some(number)) = (labelled, add(word)) {
            out.push_str(&number);
        } else {
            out.push_str(word);
        }
        let mut chars = tail.chars();
        out.extend(chars.next());
        rest = chars.as_str();
    }
    out
}

/// The bits of a UUID in its canonical form.
fn parse_uuid(text: &str) -> Option<u128> {
    let hyphens = [8, 13, 18, 23];
    let canonical = text.bytes().enumerate().all(|(index, byte)| {
        if hyphens.contains(&index) {
            byte == b'-'
        } else {
            byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
        }
    });
    (canonical && text.len() == 36)
        .then(|| u128::from_str_radix(&text.replace('-', ""), 16).ok())
        .flatten()
}

fn print_uuid(bits: u128) -> String {
    let hex = format!("{bits:032x}");
    let mut out = String::with_capacity(36);
    for (index, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&index) {
            out.push('-');
        }
        out.push(digit);
    }
    out
}

/// Another UUID for each, never the same for two; their order changes too.
fn permuted(bits: u128) -> u128 {
    bits.rotate_left(44) ^ 0x5bd1_e995_7f4a_7c15_9e37_79b9_7f4a_7c15
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shift() -> Shift {
        Shift {
            days: 92,
            prefix: "x".to_owned(),
            number: 1000,
            ids: true,
            words: BTreeMap::from([("Billing".to_owned(), "Abrechnung".to_owned())]),
        }
    }

    #[test]
    fn one_name_has_one_other_name_in_every_field() {
        let mut recording = Recording::default();
        recording.usage_mut().push(json!({
            "domain": "acme",
            "domainpath": "ROOT/acme",
            "name": "db-1",
            "usageid": "29c95efa-ec92-4cbd-9c22-b5a85b946348",
            "description": "Running VM usage for db-1 (i-42-19-VM) (29c95efa-ec92-4cbd-9c22-b5a85b946348) on 2026-10-31, network ID: 225, network offering: 10",
            "startdate": "2026-10-31T00:00:00+0000",
            "rawusage": "24",
            "tags": [{"key": "Billing", "value": "acme,noCPU"}],
        }));
        let (copy, mapping) = recording.shifted(shift());
        let id = mapping.id("29c95efa-ec92-4cbd-9c22-b5a85b946348");
        assert_ne!(id, "29c95efa-ec92-4cbd-9c22-b5a85b946348");
        assert_eq!(
            copy.usage(),
            [json!({
                "domain": "xacme",
                "domainpath": "ROOT/xacme",
                "name": "xdb-1",
                "usageid": id,
                "description": format!("Running VM usage for xdb-1 (i-1042-1019-VM) ({id}) on 2027-01-31, network ID: 1225, network offering: 1010"),
                "startdate": "2027-01-31T00:00:00+0000",
                "rawusage": "24",
                "tags": [{"key": "Abrechnung", "value": "acme,noCPU"}],
            })]
        );
        assert_eq!(
            mapping.text("domain = \"acme\" # from 2026-10-01, tag Billing:noCPU"),
            "domain = \"xacme\" # from 2027-01-01, tag Abrechnung:noCPU"
        );
    }

    #[test]
    fn nothing_asked_for_changes_nothing() {
        let mut recording = Recording::default();
        let record = json!({"name": "ROOT-19", "id": "29c95efa-ec92-4cbd-9c22-b5a85b946348"});
        recording.usage_mut().push(record.clone());
        assert_eq!(recording.shifted(Shift::default()).0.usage(), [record]);
    }
}
