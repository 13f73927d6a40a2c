//! Largest-remainder allocation: parts that add up to the whole.

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive};

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

    proptest! {
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
