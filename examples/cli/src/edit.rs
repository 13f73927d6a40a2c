//! New versions of a price book: who, why, where to, and rows as people type them.

use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use cloudstack_usage::Inventory;
use rating_engine::{BookFormat, ChangeNote, Edit, Row, diff, edit_book};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{self, Target};
use crate::{dates, rating};

/// Which book is changed, by whom and why.
#[derive(Debug, Args)]
#[command(next_help_heading = "Change")]
pub(crate) struct ChangeArgs {
    /// The price book, TOML or (by its name) JSON.
    #[arg(long, value_name = "FILE", env = "CSBILL_BOOK")]
    book: PathBuf,
    /// Who makes the change.
    #[arg(long, value_name = "NAME", env = "CSBILL_AUTHOR")]
    author: String,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// When the change is recorded [default: now].
    #[arg(long, value_name = "TIME", value_parser = dates::instant)]
    recorded: Option<DateTime<Utc>>,
    /// Only print what the change does for whom; write nothing.
    #[arg(long, conflicts_with = "output")]
    diff: bool,
    /// Where to write the new version [default: in place of the old one].
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl ChangeArgs {
    /// Writes the new version, or prints its difference.
    pub(crate) fn make(&self, edit: Edit, json: bool) -> Result<Exit, Failure> {
        let old = rating::load_book(&self.book)?;
        let text = std::fs::read_to_string(&self.book)
            .map_err(|error| Failure::file(&self.book, &error))?;
        let format = if rating::is_json(&self.book) {
            BookFormat::Json
        } else {
            BookFormat::Toml
        };
        let note = ChangeNote {
            author: self.author.clone(),
            reason: self.reason.clone(),
            // a second is fine enough for people
            recorded: self.recorded.unwrap_or_else(|| Utc::now().trunc_subsecs(0)),
        };
        let new = edit_book(&text, format, &[edit], &note).map_err(|errors| {
            let message = format!("{}: {errors}", self.book.display());
            Failure::new(Exit::Configuration, message)
        })?;
        let changes = diff(&old, &new.book, &Inventory::default())?;
        if !self.diff {
            let target = self.output.as_ref().unwrap_or(&self.book);
            Target::of(Some(target)).write(new.text.as_bytes())?;
            if target.as_os_str() == "-" {
                return Ok(Exit::Success);
            }
        }
        if json {
            let answer = json!({
                "version": new.version,
                "written": !self.diff,
                "digest": new.book.digest(),
                "diff": changes.to_json(),
            });
            output::to_stdout(output::json_text(&answer)?.as_bytes())?;
        } else {
            output::to_stdout(changes.to_string().as_bytes())?;
            if !self.diff {
                output::line(&format!("version {} written", new.version))?;
            }
        }
        Ok(Exit::Success)
    }
}

/// A field of a row as typed: `amount=6.50`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    name: String,
    value: Value,
}

/// Fields that hold lists.
const LISTS: &[&str] = &[
    "offering",
    "template",
    "os_type",
    "os_category",
    "name",
    "resource_tag",
    "storage_tag",
    "in_zone",
    "hypervisor",
    "meters",
    "services",
    "packages",
    "covers",
];

/// Fields that are true or false.
const BOOLEANS: &[&str] = &["net", "net_prices", "prorate"];

/// Words for the parts of a scope.
const SCOPES: &[&str] = &["domain", "project", "vm", "volume"];

impl FromStr for Field {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .ok_or("a field such as amount=6.50 is wanted")?;
        let value = if value.is_empty() {
            Value::Null
        } else if value.starts_with(['[', '{']) {
            serde_json::from_str(value)
                .map_err(|error| format!("{name}: no valid JSON: {error}"))?
        } else if LISTS.contains(&name) {
            value
                .split(',')
                .map(|part| Value::from(part.trim()))
                .collect()
        } else if BOOLEANS.contains(&name) {
            let value: bool = value
                .parse()
                .map_err(|_| format!("{name} is true or false, not {value}"))?;
            value.into()
        } else {
            value.into()
        };
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

/// The fields as a row; `domain=…` and the like are its scope.
pub(crate) fn row(fields: &[Field]) -> Row {
    let mut row = Row::new();
    for Field { name, value } in fields {
        if SCOPES.contains(&name.as_str()) {
            row.insert("scope".to_owned(), json!({ name: value }));
        } else {
            row.insert(name.clone(), value.clone());
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_typed_as_people_say_them() {
        let fields: Vec<Field> = [
            "id=cpu",
            "amount=6.50",
            "domain=ROOT/acme",
            "offering=a, b",
            "net=false",
            "until=",
            "tiers=[{\"amount\":\"1\"}]",
            "label=a=b",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let expected = json!({
            "id": "cpu", "amount": "6.50", "scope": { "domain": "ROOT/acme" },
            "offering": ["a", "b"], "net": false, "until": null,
            "tiers": [{ "amount": "1" }], "label": "a=b",
        });
        assert_eq!(Value::Object(row(&fields)), expected);
        for wrong in ["amount", "net=yes", "tiers=[1"] {
            assert!(wrong.parse::<Field>().is_err(), "{wrong}");
        }
    }
}
