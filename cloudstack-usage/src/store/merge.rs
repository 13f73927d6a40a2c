//! Comparing what a fetch says of one record key with what is stored.

use crate::record::UsageRecord;

/// What a fetch means for one record key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MultisetChange {
    /// The key was not known.
    New,
    /// The fetch says what is stored (or, if it could not read everything, a part of it).
    Unchanged,
    /// The fetch replaces what is stored.
    Revised,
    /// The fetch contradicts what is stored but could not read everything: too little to
    /// replace anything.
    Deferred,
}

/// Compares the `rawusage` values of one key, stored and fetched, each sorted. They are
/// multisets: twins and identical copies count by their number. A key that a fetch does
/// not have is never compared: CloudStack prunes old rows.
///
/// ```
/// use cloudstack_usage::store::{MultisetChange, compare_multisets};
///
/// assert_eq!(compare_multisets(&[3, 5], &[3, 5], true), MultisetChange::Unchanged);
/// assert_eq!(compare_multisets(&[3, 5], &[3], true), MultisetChange::Revised);
/// assert_eq!(compare_multisets(&[3, 5], &[3], false), MultisetChange::Unchanged);
/// assert_eq!(compare_multisets(&[3, 5], &[4], false), MultisetChange::Deferred);
/// ```
pub fn compare_multisets<T: Ord>(stored: &[T], fetched: &[T], complete: bool) -> MultisetChange {
    if stored.is_empty() {
        MultisetChange::New
    } else if stored == fetched {
        MultisetChange::Unchanged
    } else if complete || contains(fetched, stored) {
        MultisetChange::Revised
    } else if contains(stored, fetched) {
        MultisetChange::Unchanged
    } else {
        MultisetChange::Deferred
    }
}

/// Gives a revision the domain that its key was first stored with: from 4.22 on CloudStack
/// answers with the domain that the account is in now, wherever it was then (pull request
/// 11589). Says whether that changed the record.
pub fn keep_first_domain(first: &UsageRecord, revision: &mut UsageRecord) -> bool {
    if first.owner.domain == revision.owner.domain {
        return false;
    }
    revision.owner.domain.clone_from(&first.owner.domain);
    revision.domain_name.clone_from(&first.domain_name);
    revision.domain_path.clone_from(&first.domain_path);
    true
}

/// Whether the sorted multiset `whole` has everything of `part`.
fn contains<T: Ord>(whole: &[T], part: &[T]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|wanted| rest.any(|value| value == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sorted() -> impl Strategy<Value = Vec<u16>> {
        prop::collection::vec(0_u16..4, 1..5).prop_map(|mut values| {
            values.sort_unstable();
            values
        })
    }

    proptest! {
        #[test]
        fn a_complete_fetch_decides_and_an_incomplete_one_only_adds(stored in sorted(), fetched in sorted()) {
            let complete = compare_multisets(&stored, &fetched, true);
            prop_assert_eq!(complete == MultisetChange::Unchanged, stored == fetched);
            prop_assert_ne!(complete, MultisetChange::Deferred);

            let count = |values: &[u16], wanted: u16| values.iter().filter(|v| **v == wanted).count();
            if compare_multisets(&stored, &fetched, false) == MultisetChange::Revised {
                for value in 0..4 {
                    prop_assert!(count(&fetched, value) >= count(&stored, value));
                }
            }
        }
    }
}
