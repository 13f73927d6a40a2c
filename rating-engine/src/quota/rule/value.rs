//! Values of a rule, and what Quota makes of its result.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Outcome, RuleError};
use crate::exact::Exact;
use crate::quota::double::Double;

/// A value of JavaScript, as far as rules go.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Number(Double),
    Text(String),
    Boolean(bool),
    Null,
    Undefined,
    /// All members are known: what is not there is undefined.
    Object(BTreeMap<String, Value>),
    /// Some members are known: what is not there may have a value in CloudStack.
    Partial(String, BTreeMap<String, Value>),
    List(Vec<Value>),
    /// It has a value in CloudStack, which the metadata do not tell.
    Unknown(String),
}

impl Value {
    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An object of which only these members are known.
    pub(crate) fn partial<const N: usize>(path: &str, members: [(&str, Option<Value>); N]) -> Self {
        let known = members
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Self::Partial(path.to_owned(), known.collect())
    }

    pub(super) fn member(&self, name: &str) -> Result<Self, RuleError> {
        match self {
            Self::Object(members) => Ok(members.get(name).cloned().unwrap_or(Self::Undefined)),
            Self::Partial(path, members) => Ok(members
                .get(name)
                .cloned()
                .unwrap_or_else(|| Self::Unknown(format!("{path}.{name}")))),
            Self::List(values) if name == "length" => {
                let length = u32::try_from(values.len()).unwrap_or(u32::MAX);
                Ok(Self::Number(Double::from_u32(length)))
            }
            Self::Unknown(path) => Ok(Self::Unknown(format!("{path}.{name}"))),
            Self::Null | Self::Undefined => Err(RuleError(format!(
                "it asks for {name} of something that is not there; CloudStack fails at it"
            ))),
            _ => Err(RuleError(format!("{name} is beyond what is understood"))),
        }
    }

    pub(super) fn index(&self, index: &Self) -> Result<Self, RuleError> {
        match (self, index) {
            (Self::List(values), Self::Number(number)) => Ok(number
                .index()
                .and_then(|at| values.get(at).cloned())
                .unwrap_or(Self::Undefined)),
            (_, Self::Text(name)) => self.member(name),
            _ => Err(RuleError(
                "this index is beyond what is understood".to_owned(),
            )),
        }
    }

    /// Whether JavaScript takes it for true.
    pub(super) fn is_true(&self) -> Result<bool, RuleError> {
        match self {
            Self::Number(number) => Ok(number.is_true()),
            Self::Text(text) => Ok(!text.is_empty()),
            Self::Boolean(value) => Ok(*value),
            Self::Null | Self::Undefined => Ok(false),
            Self::Object(_) | Self::Partial(..) | Self::List(_) => Ok(true),
            Self::Unknown(path) => Err(unknown(path)),
        }
    }
}

pub(super) fn unknown(path: &str) -> RuleError {
    RuleError(format!(
        "it needs {path}, which usage and metadata do not tell"
    ))
}

/// What Quota makes of a rule's result: a number is the value, true (or a text that means
/// it) the tariff's own value, anything else nothing.
///
/// Source: `QuotaManagerImpl.getQuotaTariffValueToBeApplied`.
pub(super) fn outcome(result: &Value) -> Result<Outcome, RuleError> {
    match result {
        Value::Number(number) => number.to_exact().map(Outcome::Value).ok_or_else(|| {
            RuleError(
                "its result is so small, large or undefined that Quota may not read it as a number"
                    .to_owned(),
            )
        }),
        Value::Boolean(true) => Ok(Outcome::Own),
        Value::Boolean(false) => Ok(Outcome::Nothing),
        Value::Text(text) => Ok(text_outcome(text)),
        Value::Unknown(path) => Err(unknown(path)),
        _ => Err(RuleError(
            "it gives neither a number nor true or false".to_owned(),
        )),
    }
}

fn text_outcome(text: &str) -> Outcome {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
        && !digits.ends_with('.')
        && !digits.is_empty();
    let number = plain.then(|| Decimal::from_str_exact(text).ok()).flatten();
    let yes = ["true", "yes", "on", "t", "y"];
    match number {
        Some(number) => Outcome::Value(Exact::from_decimal(number)),
        None if yes.contains(&text.to_ascii_lowercase().as_str()) => Outcome::Own,
        None => Outcome::Nothing,
    }
}
