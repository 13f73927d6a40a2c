//! Activation rules: the part of JavaScript that tariffs use in practice.
//!
//! Numbers, texts, `+ - * / %`, comparisons, `&& || !`, `?:`, `if`/`else` whose result is that
//! of the last expression, and members of the preset variables. Everything else is refused
//! with words; nothing is guessed.

mod evaluate;
mod linear;
mod parse;
mod token;
mod value;

pub(super) use linear::Linear;
pub(super) use value::Value;

use crate::exact::Exact;

/// Why a rule gives no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RuleError(pub(super) String);

/// A rule that was read.
#[derive(Debug, Clone)]
pub(super) struct Rule(Vec<parse::Statement>);

/// What a rule makes of its tariff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The tariff's own value.
    Own,
    /// This value.
    Value(Exact),
    /// Nothing.
    Nothing,
}

impl Rule {
    pub(super) fn parse(text: &str) -> Result<Self, RuleError> {
        parse::parse(text).map(Self)
    }

    /// What the rule gives with these variables.
    pub(super) fn outcome(&self, variables: &Value) -> Result<Outcome, RuleError> {
        evaluate::run(&self.0, variables).and_then(|value| value::outcome(&value))
    }

    /// The rule as a sum of a constant and amounts per vCPU and MiB, where it is one.
    pub(super) fn linear(&self) -> Option<Linear> {
        match self.0.as_slice() {
            [parse::Statement::Expression(expression)] => Linear::of(expression),
            _ => None,
        }
    }
}
