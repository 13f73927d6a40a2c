//! Rules that are a constant plus amounts per vCPU and per MiB of memory: those can be said
//! in a price book.

use rust_decimal::Decimal;

use super::parse::Expression;
use crate::exact::Exact;

/// `constant + per_cpu x vCPUs + per_mib x MiB`, exactly as the rule is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) constant: Exact,
    pub(crate) per_cpu: Exact,
    pub(crate) per_mib: Exact,
}

impl Linear {
    /// Only a constant.
    pub(crate) fn constant(constant: Exact) -> Self {
        Self {
            constant,
            per_cpu: Exact::zero(),
            per_mib: Exact::zero(),
        }
    }

    pub(super) fn of(expression: &Expression) -> Option<Self> {
        match expression {
            Expression::Number(text) => Decimal::from_str_exact(text)
                .ok()
                .map(|number| Self::constant(Exact::from_decimal(number))),
            Expression::Member(..) => Self::of_variable(expression),
            Expression::Negative(of) => Some(Self::of(of)?.times(&Exact::from(-1))),
            Expression::Binary(sign, left, right) => {
                let (left, right) = (Self::of(left)?, Self::of(right)?);
                match *sign {
                    "+" => Some(left.plus(right)),
                    "-" => Some(left.plus(right.times(&Exact::from(-1)))),
                    "*" if right.is_constant() => Some(left.times(&right.constant)),
                    "*" if left.is_constant() => Some(right.times(&left.constant)),
                    "/" if right.is_constant() => {
                        let inverse = Exact::from(1).checked_div(&right.constant)?;
                        Some(left.times(&inverse))
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_variable(expression: &Expression) -> Option<Self> {
        let zero = Self::constant(Exact::zero());
        match path(expression)?.as_str() {
            "value.computingResources.cpuNumber" => Some(Self {
                per_cpu: Exact::from(1),
                ..zero
            }),
            "value.computingResources.memory" => Some(Self {
                per_mib: Exact::from(1),
                ..zero
            }),
            _ => None,
        }
    }

    fn is_constant(&self) -> bool {
        self.per_cpu.is_zero() && self.per_mib.is_zero()
    }

    fn plus(self, other: Self) -> Self {
        Self {
            constant: self.constant + other.constant,
            per_cpu: self.per_cpu + other.per_cpu,
            per_mib: self.per_mib + other.per_mib,
        }
    }

    fn times(self, factor: &Exact) -> Self {
        Self {
            constant: self.constant * factor.clone(),
            per_cpu: self.per_cpu * factor.clone(),
            per_mib: self.per_mib * factor.clone(),
        }
    }
}

/// `a.b.c` as text.
fn path(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Variable(name) => Some(name.clone()),
        Expression::Member(of, name) => Some(format!("{}.{name}", path(of)?)),
        _ => None,
    }
}
