//! Largest-remainder allocation: parts that add up to the whole.

use std::collections::BTreeMap;

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

use crate::exact::Exact;

/// Shares `total` (whole units of `10^-places`) over `parts` so that the shares add up to
/// it and each lies within one unit of its part, where `total` is the rounded sum of the
/// parts. Each part gets its floor; the units left go to the largest remainders, ties to
/// the earlier part. A part of zero gets nothing while others have a remainder.
///
/// Source: largest remainder (Hamilton) method; RATING.md, choices 5 and 6.
pub fn allocate(total: &BigInt, parts: &[Exact], places: u32) -> Vec<BigInt> {
    let floors: Vec<(BigInt, Exact)> = parts.iter().map(|part| part.floor(places)).collect();
    let mut shares: Vec<BigInt> = floors.iter().map(|(floor, _)| floor.clone()).collect();
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by(
        |&left, &right| match (floors.get(left), floors.get(right)) {
            (Some((_, left_rest)), Some((_, right_rest))) => {
                right_rest.cmp(left_rest).then(left.cmp(&right))
            }
            _ => left.cmp(&right),
        },
    );
    let left_over = total - shares.iter().sum::<BigInt>();
    let step = if left_over.is_negative() {
        -BigInt::one()
    } else {
        BigInt::one()
    };
    if left_over.is_negative() {
        order.reverse();
    }
    // the rounded sum differs from the sum of floors by less than one unit a part
    let units = left_over.abs().to_usize().unwrap_or(0);
    for index in order
        .iter()
        .cycle()
        .take(if order.is_empty() { 0 } else { units })
    {
        if let Some(share) = shares.get_mut(*index) {
            *share += &step;
        }
    }
    shares
}

/// The same for parts that lie in groups within groups (`groups` names them for each part,
/// the outermost first): the outer groups share the total, each group's share is shared by
/// what is in it. So what is printed for a group lies within one unit of the group's exact
/// sum, and each part still within one unit of itself: a group's share is its exact sum
/// rounded up or down, hence at least the floors of its parts and at most one unit more for
/// each part that has a remainder. Groups come in the order of their first parts.
pub(crate) fn allocate_grouped<G: Copy + Ord>(
    total: &BigInt,
    parts: &[Exact],
    groups: &[&[G]],
    places: u32,
) -> Vec<BigInt> {
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut places_of: BTreeMap<G, usize> = BTreeMap::new();
    for (index, names) in groups.iter().enumerate() {
        let Some(name) = names.first() else {
            return allocate(total, parts, places);
        };
        let place = *places_of.entry(*name).or_insert(members.len());
        match members.get_mut(place) {
            Some(indices) => indices.push(index),
            None => members.push(vec![index]),
        }
    }
    let part = |index: &usize| parts.get(*index).cloned().unwrap_or_else(Exact::zero);
    let sums: Vec<Exact> = members
        .iter()
        .map(|indices| indices.iter().map(part).sum())
        .collect();
    let mut shares = vec![BigInt::zero(); parts.len()];
    for (indices, share) in members.iter().zip(allocate(total, &sums, places)) {
        let inner_parts: Vec<Exact> = indices.iter().map(part).collect();
        let inner_groups: Vec<&[G]> = indices
            .iter()
            .filter_map(|index| groups.get(*index)?.get(1..))
            .collect();
        let inner = allocate_grouped(&share, &inner_parts, &inner_groups, places);
        for (index, share) in indices.iter().zip(inner) {
            if let Some(place) = shares.get_mut(*index) {
                *place = share;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rounding::RoundingMode;
    use proptest::prelude::*;

    fn shares(total: i64, parts: &[(i128, i128)], places: u32) -> Vec<String> {
        let parts: Vec<Exact> = parts
            .iter()
            .map(|(n, d)| Exact::ratio(*n, *d).unwrap())
            .collect();
        allocate(&BigInt::from(total), &parts, places)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn units_go_to_the_largest_remainders_and_ties_to_the_first() {
        // 100.00 over three: 33.33 each and one cent left
        assert_eq!(
            shares(10_000, &[(100, 3), (100, 3), (100, 3)], 2),
            ["3334", "3333", "3333"]
        );
        // 1.144 + 2.144 = 3.288 -> 3.29
        assert_eq!(
            shares(329, &[(1144, 1000), (2144, 1000)], 2),
            ["115", "214"]
        );
        // JPY 5 over 3
        assert_eq!(shares(5, &[(5, 3), (5, 3), (5, 3)], 0), ["2", "2", "1"]);
        // 7 over 0:1:1: a zero weight gets nothing
        assert_eq!(shares(7, &[(0, 1), (7, 2), (7, 2)], 0), ["0", "4", "3"]);
    }

    #[test]
    fn a_total_below_the_floors_is_shared_as_well() {
        // three units less than 2 + 2: the last part gives first
        assert_eq!(shares(1, &[(5, 2), (5, 2)], 0), ["1", "0"]);
    }

    #[test]
    fn groups_are_rounded_before_what_is_in_them() {
        // 2/3 + 2/3 + 1/6 and 4/3 + 4/3 + 1/3: flat, the first group would print 1.51
        let parts = [(20, 3), (20, 3), (5, 3), (40, 3), (40, 3), (10, 3)];
        let parts: Vec<Exact> = parts
            .iter()
            .map(|(n, d)| Exact::ratio(*n, *d).unwrap())
            .collect();
        let names = ["old", "old", "old", "new", "new", "new"].map(|name| [name]);
        let groups: Vec<&[&str]> = names.iter().map(<[&str; 1]>::as_slice).collect();
        let shares = allocate_grouped(&BigInt::from(4500), &parts, &groups, 2);
        assert_eq!(shares[..3].iter().sum::<BigInt>(), BigInt::from(1500));
        assert_eq!(shares[3..].iter().sum::<BigInt>(), BigInt::from(3000));
    }

    proptest! {
        #[test]
        fn groups_and_parts_lie_within_a_unit(
            parts in prop::collection::vec((0_i128..100_000, 1_i128..997, 0_u8..3, 0_u8..3), 1..30), places in 0_u32..4
        ) {
            let names: Vec<[u8; 2]> = parts.iter().map(|(_, _, a, b)| [*a, *b]).collect();
            let groups: Vec<&[u8]> = names.iter().map(<[u8; 2]>::as_slice).collect();
            let exact: Vec<Exact> = parts.iter().map(|(n, d, ..)| Exact::ratio(*n, *d).unwrap()).collect();
            let total = exact.iter().sum::<Exact>().round(places, RoundingMode::HalfAway);
            let shares = allocate_grouped(&total, &exact, &groups, places);
            prop_assert_eq!(shares.iter().sum::<BigInt>(), total);
            let unit = Exact::ratio(1, 10_i128.pow(places)).unwrap();
            let near = |share: BigInt, exact: Exact| {
                let printed = Exact::from(share) * unit.clone();
                printed.clone() - exact.clone() < unit && exact - printed < unit
            };
            for depth in 1..=2 {
                for name in &names {
                    let inside: Vec<usize> = (0..names.len()).filter(|other| names[*other][..depth] == name[..depth]).collect();
                    let share = inside.iter().map(|index| shares[*index].clone()).sum();
                    let exact = inside.iter().map(|index| exact[*index].clone()).sum();
                    prop_assert!(near(share, exact));
                }
            }
            for (share, exact) in shares.iter().zip(&exact) {
                prop_assert!(near(share.clone(), exact.clone()));
            }
        }

        #[test]
        fn shares_add_up_and_lie_within_a_unit(
            parts in prop::collection::vec((-10_000_i128..100_000, 1_i128..997), 1..30), places in 0_u32..4
        ) {
            let parts: Vec<Exact> = parts.into_iter().map(|(n, d)| Exact::ratio(n, d).unwrap()).collect();
            let total = parts.iter().sum::<Exact>().round(places, RoundingMode::HalfAway);
            let shares = allocate(&total, &parts, places);
            prop_assert_eq!(shares.iter().sum::<BigInt>(), total);
            let unit = Exact::ratio(1, 10_i128.pow(places)).unwrap();
            for (share, part) in shares.iter().zip(&parts) {
                let printed = Exact::from(share.clone()) * unit.clone();
                prop_assert!(printed.clone() - part.clone() < unit && part.clone() - printed < unit);
            }
        }
    }
}
