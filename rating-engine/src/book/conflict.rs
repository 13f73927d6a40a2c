//! Prices that cannot stand beside each other.

use super::fields::Collector;
use super::model::{Price, PriceBook, Selector, TagMatch, Target};
use crate::meter::Meter;

/// Two equally specific prices that overlap in time are an error that names both.
pub(super) fn find_conflicts(book: &PriceBook, errors: &Collector) {
    for (index, left) in book.prices.iter().enumerate() {
        for right in book.prices.iter().skip(index + 1) {
            if equally_specific(left, right)
                && left.validity.overlaps(&right.validity)
                && may_meet(&left.selector, &right.selector)
            {
                let shared = left.validity.intersect(&right.validity);
                let when = shared.map_or_else(String::new, |period| format!(" in {period}"));
                let message = format!(
                    "prices {:?} and {:?} are for the same thing, equally specific, and overlap{when}; end one before the other begins, or narrow one",
                    left.id, right.id
                );
                errors.push("price_overlap", "price", None, message);
            }
        }
    }
}

fn equally_specific(left: &Price, right: &Price) -> bool {
    // the same image may cost something while running and something else while allocated
    let basis = left.target != Target::Meter(Meter::Os) || left.basis == right.basis;
    left.target == right.target
        && left.scope == right.scope
        && left.selector.rank() == right.selector.rank()
        && basis
}

/// Whether one resource can fulfil both selectors (which have the same fields).
fn may_meet(left: &Selector, right: &Selector) -> bool {
    let share = |left: &[String], right: &[String]| {
        left.is_empty() || left.iter().any(|value| right.contains(value))
    };
    share(&left.offerings, &right.offerings)
        && share(&left.templates, &right.templates)
        && share(&left.os_types, &right.os_types)
        && share(&left.os_categories, &right.os_categories)
        && share(&left.storage_tags, &right.storage_tags)
        && share(&left.zones, &right.zones)
        && share(&left.hypervisors, &right.hypervisors)
        && names_may_meet(&left.names, &right.names)
        && tags_may_meet(&left.tags, &right.tags)
}

fn names_may_meet(left: &[String], right: &[String]) -> bool {
    left.is_empty()
        || left.iter().any(|left| {
            right
                .iter()
                .any(|right| patterns_meet(left.as_bytes(), right.as_bytes()))
        })
}

/// A tag has one value, so conditions on two values of one key exclude each other.
fn tags_may_meet(left: &[TagMatch], right: &[TagMatch]) -> bool {
    !left.iter().any(|left| {
        right.iter().any(|right| {
            left.key == right.key
                && left.value.is_some()
                && right.value.is_some()
                && left.value != right.value
        })
    })
}

/// Whether some name fulfils both patterns (`*` any text, `?` one character).
fn patterns_meet(left: &[u8], right: &[u8]) -> bool {
    match (left.split_first(), right.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            patterns_meet(rest, right)
                || right
                    .split_first()
                    .is_some_and(|(_, right_rest)| patterns_meet(left, right_rest))
        }
        (_, Some((b'*', _))) => patterns_meet(right, left),
        (Some((a, left_rest)), Some((b, right_rest))) => {
            (a == b || *a == b'?' || *b == b'?') && patterns_meet(left_rest, right_rest)
        }
        _ => false,
    }
}

/// Whether `name` fulfils `pattern`.
pub(crate) fn pattern_matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    glob(&pattern, &name)
}

fn glob(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => {
            (0..=name.len()).any(|skip| name.get(skip..).is_some_and(|tail| glob(rest, tail)))
        }
        Some((wanted, rest)) => name
            .split_first()
            .is_some_and(|(first, tail)| (wanted == first || *wanted == '?') && glob(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_when_a_name_fulfils_both() {
        let meet = |left: &str, right: &str| patterns_meet(left.as_bytes(), right.as_bytes());
        assert!(meet("web*", "*01"));
        assert!(meet("web??", "w*1"));
        assert!(!meet("web*", "db*"));
        assert!(!meet("web", "web?"));
        assert!(pattern_matches("web*", "web01"));
        assert!(!pattern_matches("web?", "web01"));
        assert!(pattern_matches("*ö*", "größe"));
    }
}
