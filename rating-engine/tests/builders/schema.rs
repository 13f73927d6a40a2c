//! Checking JSON against the schemas that this crate publishes.

use serde_json::Value;

/// Checks a value against the part of JSON Schema 2020-12 that the file uses; what it does
/// not know it refuses, so that no keyword is passed over.
pub(crate) fn check(
    schema: &Value,
    root: &Value,
    value: &Value,
    place: &str,
) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{place}: {what}: {value}"));
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => {}
            "$ref" => {
                let pointer = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(root.pointer(pointer).unwrap(), root, value, place)?;
            }
            "const" => {
                if value != rule {
                    return wrong("another constant");
                }
            }
            "enum" => {
                if !rule.as_array().unwrap().contains(value) {
                    return wrong("not in the list");
                }
            }
            "type" => {
                let types = rule
                    .as_array()
                    .map_or_else(|| vec![rule], |types| types.iter().collect());
                if !types
                    .iter()
                    .any(|name| is_of_type(value, name.as_str().unwrap()))
                {
                    return wrong("another type");
                }
            }
            "anyOf" => {
                let fits = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|option| check(option, root, value, place).is_ok());
                if !fits {
                    return wrong("none of the forms");
                }
            }
            "minimum" => {
                if value
                    .as_i64()
                    .is_some_and(|number| number < rule.as_i64().unwrap())
                {
                    return wrong("too small");
                }
            }
            "minLength" => {
                if value.as_str().is_some_and(str::is_empty) {
                    return wrong("empty");
                }
            }
            "pattern" => {
                if value
                    .as_str()
                    .is_some_and(|text| !matches(rule.as_str().unwrap(), text))
                {
                    return wrong(rule.as_str().unwrap());
                }
            }
            "minItems" => {
                if value.as_array().is_some_and(Vec::is_empty) {
                    return wrong("no items");
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, root, item, &format!("{place}[{index}]"))?;
                }
            }
            "required" => {
                for name in rule.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        return wrong(&format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    if let Some(rule) = rule.get(name) {
                        check(rule, root, inner, &format!("{place}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = schema["properties"].as_object().unwrap();
                let other = value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .find(|(name, _)| !known.contains_key(*name));
                if let Some((name, _)) = other {
                    return wrong(&format!("{name} is not in the schema"));
                }
            }
            other => return Err(format!("this check does not know {other}")),
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type {other}"),
    }
}

/// The patterns of the schema, by hand.
fn matches(pattern: &str, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    match pattern {
        "^[A-Z]{3}$" => text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase()),
        "^[0-9a-f]{64}$" => {
            text.len() == 64
                && text
                    .bytes()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }
        "^-?[0-9]+(/[1-9][0-9]*)?$" => match unsigned.split_once('/') {
            Some((numerator, denominator)) => {
                digits(numerator) && digits(denominator) && !denominator.starts_with('0')
            }
            None => digits(unsigned),
        },
        "^-?[0-9]+([.][0-9]+)?$" => match unsigned.split_once('.') {
            Some((whole, part)) => digits(whole) && digits(part),
            None => digits(unsigned),
        },
        _ if pattern.starts_with("^[0-9]{4}-") => {
            text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
        }
        other => panic!("no pattern {other}"),
    }
}
