//! Running a rule.

use std::cmp::Ordering;

use super::RuleError;
use super::parse::{Expression, Statement};
use super::value::{Value, unknown};
use crate::quota::double::Double;

/// The result of the last expression.
pub(super) fn run(statements: &[Statement], variables: &Value) -> Result<Value, RuleError> {
    block(statements, variables)?.ok_or_else(|| RuleError("it ends without a result".to_owned()))
}

/// The value of the last statement; none where that is an `if` that did nothing.
fn block(statements: &[Statement], variables: &Value) -> Result<Option<Value>, RuleError> {
    let mut last = None;
    for statement in statements {
        last = match statement {
            Statement::Expression(expression) => Some(evaluate(expression, variables)?),
            Statement::If(condition, then, otherwise) => {
                let branch = if evaluate(condition, variables)?.is_true()? {
                    Some(then)
                } else {
                    otherwise.as_ref()
                };
                branch
                    .map(|branch| block(branch, variables))
                    .transpose()?
                    .flatten()
            }
        };
    }
    Ok(last)
}

fn evaluate(expression: &Expression, variables: &Value) -> Result<Value, RuleError> {
    let value = |expression: &Expression| evaluate(expression, variables);
    match expression {
        Expression::Number(text) => Double::parse(text)
            .map(Value::Number)
            .ok_or_else(|| RuleError(format!("{text} is no number"))),
        Expression::Text(text) => Ok(Value::text(text.as_str())),
        Expression::Boolean(truth) => Ok(Value::Boolean(*truth)),
        Expression::Null => Ok(Value::Null),
        Expression::Undefined => Ok(Value::Undefined),
        Expression::Variable(name) => match variables.member(name)? {
            Value::Undefined => Err(RuleError(format!(
                "there is no {name} for this record; CloudStack fails at it"
            ))),
            known => Ok(known),
        },
        Expression::Member(of, name) => value(of)?.member(name),
        Expression::Index(of, index) => value(of)?.index(&value(index)?),
        Expression::Not(of) => Ok(Value::Boolean(!value(of)?.is_true()?)),
        Expression::Negative(of) => Ok(Value::Number(number(&value(of)?)?.neg())),
        Expression::Conditional(condition, then, otherwise) => {
            if value(condition)?.is_true()? {
                value(then)
            } else {
                value(otherwise)
            }
        }
        Expression::Binary("&&", left, right) => {
            let left = value(left)?;
            if left.is_true()? {
                value(right)
            } else {
                Ok(left)
            }
        }
        Expression::Binary("||", left, right) => {
            let left = value(left)?;
            if left.is_true()? {
                Ok(left)
            } else {
                value(right)
            }
        }
        Expression::Binary(sign, left, right) => binary(sign, &value(left)?, &value(right)?),
    }
}

fn number(value: &Value) -> Result<Double, RuleError> {
    match value {
        Value::Number(number) => Ok(*number),
        Value::Unknown(path) => Err(unknown(path)),
        _ => Err(RuleError(
            "it calculates with something that is no number".to_owned(),
        )),
    }
}

fn binary(sign: &str, left: &Value, right: &Value) -> Result<Value, RuleError> {
    if let (Value::Text(left), Value::Text(right), "+") = (left, right, sign) {
        return Ok(Value::Text(format!("{left}{right}")));
    }
    match sign {
        "==" => return equal(left, right, false).map(Value::Boolean),
        "!=" => return equal(left, right, false).map(|equal| Value::Boolean(!equal)),
        "===" => return equal(left, right, true).map(Value::Boolean),
        "!==" => return equal(left, right, true).map(|equal| Value::Boolean(!equal)),
        _ => {}
    }
    if matches!(sign, "<" | ">" | "<=" | ">=") {
        let order = order(left, right)?;
        let holds = match sign {
            "<" => order == Some(Ordering::Less),
            ">" => order == Some(Ordering::Greater),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        };
        return Ok(Value::Boolean(holds));
    }
    let (left, right) = (number(left)?, number(right)?);
    Ok(Value::Number(match sign {
        "+" => left.add(right),
        "-" => left.sub(right),
        "*" => left.mul(right),
        "/" => left.div(right),
        _ => left.rem(right),
    }))
}

/// Equality of values of one kind. Of two kinds, JavaScript's `==` converts; that is
/// understood only where nothing converts.
fn equal(left: &Value, right: &Value, strict: bool) -> Result<bool, RuleError> {
    use Value::{Boolean, Null, Number, Text, Undefined, Unknown};
    match (left, right) {
        (Unknown(path), _) | (_, Unknown(path)) => Err(unknown(path)),
        (Number(left), Number(right)) => Ok(left.compare(*right) == Some(Ordering::Equal)),
        (Text(left), Text(right)) => Ok(left == right),
        (Boolean(left), Boolean(right)) => Ok(left == right),
        (Null, Null) | (Undefined, Undefined) => Ok(true),
        (Null, Undefined) | (Undefined, Null) => Ok(!strict),
        (Null | Undefined, _) | (_, Null | Undefined) => Ok(false),
        (Number(_) | Text(_) | Boolean(_), Number(_) | Text(_) | Boolean(_)) if strict => Ok(false),
        _ => Err(RuleError(
            "it compares values of different kinds, which is beyond what is understood".to_owned(),
        )),
    }
}

fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, RuleError> {
    match (left, right) {
        // JavaScript orders texts by UTF-16 units
        (Value::Text(left), Value::Text(right)) => {
            Ok(Some(left.encode_utf16().cmp(right.encode_utf16())))
        }
        _ => Ok(number(left)?.compare(number(right)?)),
    }
}
