//! What stores do with labels.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::error::{StoreError, StoreErrorKind};
use super::to_millisecond;
use crate::label::{Label, LabelTarget};
use crate::period::Period;

impl Label {
    /// Whether the label can be stored at all.
    ///
    /// # Errors
    /// When its key or resource type is empty, or its validity is finer than a millisecond.
    pub fn check(&self) -> Result<(), StoreError> {
        check_validity(self.valid)?;
        if self.target.key.is_empty() || self.target.resource_type.is_empty() {
            return Err(StoreError::new(
                StoreErrorKind::Invalid,
                "a label needs a key and a resource type such as UserVm",
            ));
        }
        Ok(())
    }

    /// The same with the time recorded taken to the millisecond, as stores keep it.
    #[must_use]
    pub fn to_millisecond(mut self) -> Self {
        self.recorded = to_millisecond(self.recorded);
        self
    }
}

/// Refuses a validity that a store would have to round.
fn check_validity(valid: Period) -> Result<(), StoreError> {
    let is_whole = |instant| to_millisecond(instant) == instant;
    if is_whole(valid.start()) && is_whole(valid.end()) {
        return Ok(());
    }
    Err(StoreError::new(
        StoreErrorKind::Invalid,
        format!("labels hold from millisecond to millisecond, {valid} is finer; round it"),
    ))
}

/// A label with the time during which it was in force in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LabelVersion {
    /// The label, known since it was recorded.
    #[serde(flatten)]
    pub label: Label,
    /// Since when it is no longer in force; none while it is.
    pub recorded_until: Option<DateTime<Utc>>,
    /// Who replaced or cleared it.
    pub withdrawn_by: Option<String>,
}

impl LabelVersion {
    /// Whether this was in force at `instant` (none: now).
    pub fn is_known_on(&self, instant: Option<DateTime<Utc>>) -> bool {
        match (instant, self.recorded_until) {
            (None, until) => until.is_none(),
            (Some(at), until) => self.label.recorded <= at && until.is_none_or(|until| at < until),
        }
    }
}

/// What setting or clearing a label does to those in force. Nothing is overwritten: what
/// gives way is withdrawn, what remains of it is recorded anew.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelChange {
    /// Positions, in the list given, of the labels that are withdrawn.
    pub withdrawn: Vec<usize>,
    /// The labels that are in force in their place.
    pub added: Vec<Label>,
}

impl LabelChange {
    /// What setting `label` does to the labels `in_force` on its target.
    ///
    /// # Errors
    /// When a label that gives way was recorded later than `label`.
    pub fn set(in_force: &[Label], label: &Label) -> Result<Self, StoreError> {
        let says_it_already = |old: &Label| {
            old.target == label.target
                && old.value == label.value
                && old.valid.intersect(&label.valid) == Some(label.valid)
        };
        if in_force.iter().any(says_it_already) {
            return Ok(Self::default());
        }
        let mut change = Self::clear(in_force, &label.target, label.valid, label.recorded)?;
        change.added.push(label.clone());
        Ok(change)
    }

    /// What taking away the labels of `target` during `period` does to those `in_force`.
    ///
    /// # Errors
    /// When a label that gives way was recorded later than `recorded`, or the period is
    /// finer than a millisecond.
    pub fn clear(
        in_force: &[Label],
        target: &LabelTarget,
        period: Period,
        recorded: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        check_validity(period)?;
        let mut change = Self::default();
        let touched = |old: &Label| old.target == *target && old.valid.overlaps(&period);
        for (position, old) in in_force.iter().enumerate() {
            if !touched(old) {
                continue;
            }
            if recorded < old.recorded {
                return Err(StoreError::new(
                    StoreErrorKind::OutOfOrder,
                    format!(
                        "label {:?} of {} {} was recorded at {} and cannot be changed by one \
                         recorded at {recorded}; check the clock",
                        old.target.key, old.target.resource_type, old.target.resource, old.recorded
                    ),
                ));
            }
            change.withdrawn.push(position);
            let before = Period::new(old.valid.start(), period.start());
            let after = Period::new(period.end(), old.valid.end());
            for valid in [before, after].into_iter().flatten() {
                change.added.push(Label {
                    valid,
                    recorded,
                    ..old.clone()
                });
            }
        }
        Ok(change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ResourceId;
    use proptest::prelude::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn target() -> LabelTarget {
        LabelTarget {
            resource_type: "UserVm".to_owned(),
            resource: ResourceId::new("vm"),
            key: "Package".to_owned(),
        }
    }

    proptest! {
        /// The value of every second is that of the last step that covered it.
        #[test]
        fn the_last_word_on_a_moment_wins(
            steps in prop::collection::vec((0_i64..20, 1_i64..10, prop::option::of(0_u8..3)), 1..12)
        ) {
            let mut in_force: Vec<Label> = Vec::new();
            let mut expected: [Option<u8>; 30] = [None; 30];
            for (recorded, (start, length, value)) in steps.into_iter().enumerate() {
                let valid = Period::new(at(start), at(start + length)).unwrap();
                let recorded = at(i64::try_from(recorded).unwrap());
                let change = match value {
                    Some(value) => LabelChange::set(&in_force, &Label {
                        target: target(),
                        valid,
                        value: value.to_string(),
                        author: "admin".to_owned(),
                        recorded,
                    }),
                    None => LabelChange::clear(&in_force, &target(), valid, recorded),
                }.unwrap();
                for position in change.withdrawn.into_iter().rev() {
                    in_force.remove(position);
                }
                in_force.extend(change.added);
                for second in start..start + length {
                    expected[usize::try_from(second).unwrap()] = value;
                }
            }
            for (second, value) in (0..).zip(expected) {
                let holding: Vec<_> = in_force.iter().filter(|l| l.valid.contains(at(second))).collect();
                prop_assert!(holding.len() <= 1);
                prop_assert_eq!(holding.first().map(|l| l.value.clone()), value.map(|v| v.to_string()));
            }
        }
    }
}
