//! Bringing large things into order.

/// Sorts things that are costly to move: their places are sorted, and each thing is moved
/// once, within its list. Equal things stay as they are.
pub(crate) fn sort_by_places<T>(
    things: &mut [T],
    mut compare: impl FnMut(&T, &T) -> std::cmp::Ordering,
) {
    let mut order: Vec<usize> = (0..things.len()).collect();
    order.sort_by(
        |&left, &right| match (things.get(left), things.get(right)) {
            (Some(left), Some(right)) => compare(left, right),
            _ => std::cmp::Ordering::Equal,
        },
    );
    permute(things, order);
}

/// Puts at each place the thing whose old place `order` names there, cycle by cycle.
fn permute<T>(things: &mut [T], mut order: Vec<usize>) {
    for start in 0..order.len() {
        let mut place = start;
        while let Some(entry) = order.get_mut(place) {
            let from = std::mem::replace(entry, place);
            if from == start {
                break;
            }
            // what lies here is on its way to the end of the cycle
            things.swap(place, from);
            place = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_is_that_of_a_stable_sort(things in prop::collection::vec((0_u8..20, any::<u8>()), 0..60)) {
            let mut expected = things.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = things;
            sort_by_places(&mut sorted, |left, right| left.0.cmp(&right.0));
            prop_assert_eq!(sorted, expected);
        }
    }
}
