//! The compiled plan: book and inventory resolved once, then asked for decisions.

mod bounds;
mod compile;
mod decide;
mod hold;
mod lookup;
mod price_words;
mod scope;
mod subject;

pub(crate) use compile::Plan;
pub(crate) use decide::{Charge, Decision, unknown_values};
pub(crate) use hold::{Held, Hold};
pub(crate) use lookup::{asked_basis, basis_of};
pub(crate) use price_words::price_text;
pub(crate) use scope::{CompiledScope, Nearness, Position, compile as compile_scope};
pub(crate) use subject::{Override, Subject, lifetime};
