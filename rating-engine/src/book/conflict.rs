//! Prices, factors and limits that cannot stand beside each other.

use super::factor::Factor;
use super::fields::Collector;
use super::model::{Basis, Price, PriceBook, Target};
use super::selector::may_meet;
use super::terms::LimitKind;
use crate::meter::Meter;

/// Two equally specific prices that overlap in time are an error that names both.
pub(super) fn find_conflicts(book: &PriceBook, errors: &Collector) {
    for (index, left) in book.prices.iter().enumerate() {
        for right in book.prices.iter().skip(index + 1) {
            // two rows of one id are an error already, and where each stands is not known
            if left.id != right.id
                && equally_specific(left, right, book.compute)
                && left.validity.overlaps(&right.validity)
                && may_meet(&left.selector, &right.selector)
            {
                let shared = left.validity.intersect(&right.validity);
                let when = shared.map_or_else(String::new, |period| format!(" in {period}"));
                let message = format!(
                    "prices {:?} and {:?} are for the same thing, equally specific, and overlap{when}; end one before the other begins, or narrow one",
                    left.id, right.id
                );
                let places = [&left.id, &right.id].map(|id| errors.place_of("price", id));
                let later = places.into_iter().max_by_key(|(_, line)| *line);
                let (place, line) = later.unwrap_or_default();
                errors.push("price_overlap", &place, line, message);
            }
        }
    }
}

/// Two factors of one group on the same thing, equally specific, that overlap in time: which
/// of them counts nobody said.
pub(super) fn find_factor_conflicts(book: &PriceBook, errors: &Collector) {
    for (index, left) in book.factors.iter().enumerate() {
        for right in book.factors.iter().skip(index + 1) {
            if left.id != right.id
                && left.group == right.group
                && left.scope == right.scope
                && left.selector.rank() == right.selector.rank()
                && share_things(left, right)
                && left.validity.overlaps(&right.validity)
                && may_meet(&left.selector, &right.selector)
            {
                let message = format!(
                    "factors {:?} and {:?} of group {:?} are for the same thing, equally specific, and overlap; end one before the other begins, narrow one, or give one a group of its own, so that both multiply",
                    left.id, right.id, left.group
                );
                let places = [&left.id, &right.id].map(|id| errors.place_of("factor", id));
                let later = places.into_iter().max_by_key(|(_, line)| *line);
                let (place, line) = later.unwrap_or_default();
                errors.push("factor_overlap", &place, line, message);
            }
        }
    }
}

fn share_things(left: &Factor, right: &Factor) -> bool {
    left.is_for_everything()
        || right.is_for_everything()
        || left.meters.iter().any(|meter| right.meters.contains(meter))
        || left.items.iter().any(|item| right.items.contains(item))
}

/// Two limits of one kind and level for the same things and customer: which holds nobody said.
pub(super) fn find_limit_conflicts(book: &PriceBook, errors: &Collector) {
    for (index, left) in book.limits.iter().enumerate() {
        for right in book.limits.iter().skip(index + 1) {
            let same = (left.kind, left.per, &left.scope) == (right.kind, right.per, &right.scope)
                && (&left.meters, &left.items) == (&right.meters, &right.items);
            if same && left.id != right.id && left.validity.overlaps(&right.validity) {
                let section = match left.kind {
                    LimitKind::Minimum => "minimum",
                    LimitKind::Maximum => "maximum",
                };
                let message = format!(
                    "{section} charges {:?} and {:?} are for the same things and customer at the same time; end one before the other begins",
                    left.id, right.id
                );
                let places = [&left.id, &right.id].map(|id| errors.place_of(section, id));
                let later = places.into_iter().max_by_key(|(_, line)| *line);
                let (place, line) = later.unwrap_or_default();
                errors.push("limit_overlap", &place, line, message);
            }
        }
    }
}

fn equally_specific(left: &Price, right: &Price, usual: Basis) -> bool {
    // the same VM or image may cost something while running and something else while allocated
    let by_basis = [Meter::Vm, Meter::Os].map(Target::Meter);
    let basis = !by_basis.contains(&left.target)
        || left.basis.unwrap_or(usual) == right.basis.unwrap_or(usual);
    left.target == right.target
        && left.scope == right.scope
        && left.selector.rank() == right.selector.rank()
        && basis
}

/// Whether some name fulfils both patterns (`*` any text, `?` one character).
///
/// Fills a table from the ends: whether the rests of both patterns from here on can meet. So
/// it takes the product of their lengths, however many `*` they have.
pub(super) fn patterns_meet(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let ends = |rest: &[char]| rest.iter().all(|c| *c == '*');
    // the row below the present one: `left` one character further on
    let mut below: Vec<bool> = (0..=right.len())
        .map(|from| right.get(from..).is_some_and(ends))
        .collect();
    for (at, a) in left.iter().enumerate().rev() {
        let mut row = vec![left.get(at..).is_some_and(ends)];
        for (from, b) in right.iter().enumerate().rev() {
            let after = |cells: &[bool], index: usize| cells.get(index).copied().unwrap_or(false);
            let (both, only_left) = (after(&below, from + 1), after(&below, from));
            let only_right = row.last().copied().unwrap_or(false);
            row.push(match (a, b) {
                // a `*` ends here, or takes what the other pattern has next
                ('*', _) | (_, '*') => only_left || only_right,
                (a, b) => (a == b || *a == '?' || *b == '?') && both,
            });
        }
        row.reverse();
        below = row;
    }
    below.first().copied().unwrap_or(false)
}

/// Whether `name` fulfils `pattern`: like a pattern that is a plain name, but for `*` and `?`
/// in the name, which stand for themselves.
pub(crate) fn pattern_matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // which beginnings of the name the pattern so far fulfils, by their length
    let mut reached = vec![false; name.len() + 1];
    if let Some(first) = reached.first_mut() {
        *first = true;
    }
    for wanted in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        let mut any = false;
        for (length, before) in reached.iter().copied().enumerate() {
            any |= before;
            let fits = name
                .get(length)
                .is_some_and(|c| *c == wanted || wanted == '?');
            if wanted == '*' {
                if let Some(cell) = next.get_mut(length) {
                    *cell = any;
                }
            } else if before
                && fits
                && let Some(cell) = next.get_mut(length + 1)
            {
                *cell = true;
            }
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_meet_when_a_name_fulfils_both() {
        let meet = patterns_meet;
        assert!(meet("web*", "*01"));
        assert!(meet("web??", "w*1"));
        assert!(!meet("web*", "db*"));
        assert!(!meet("web", "web?"));
        assert!(meet("*", "") && meet("?", "*") && !meet("?", ""));
        assert!(meet("*a*b", "a*") && !meet("a*b", "*c"));
        // many stars take no longer than few
        let (stars, name) = ("*a".repeat(60), "a".repeat(200));
        assert!(
            meet(&stars, &format!("{name}*")) && !meet(&format!("{stars}b"), &format!("{name}c"))
        );
        assert!(!pattern_matches(&format!("{stars}b"), &name) && pattern_matches(&stars, &name));
        assert!(pattern_matches("web*", "web01"));
        assert!(!pattern_matches("web?", "web01"));
        assert!(pattern_matches("*ö*", "größe"));
    }
}
