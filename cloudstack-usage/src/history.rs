//! Values over time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::period::Period;

/// How the moment of a change is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MomentSource {
    /// The resource's creation: what its first sync shows, and nothing places later.
    Created,
    /// A completed event of CloudStack.
    Event,
    /// The sync that first saw it.
    Seen,
    /// A usage record proves it.
    Record,
    /// CloudStack's own `lastupdated` between two syncs.
    Updated,
    /// A label of our own store: its validity was written down.
    Label,
    /// The API gave the removal time.
    Removed,
}

/// When something changed, how that is known, and how far back it may really have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Moment {
    /// The moment that counts.
    pub at: DateTime<Utc>,
    /// How it is known.
    pub source: MomentSource,
    /// For an uncertain moment: the change happened after this and not after `at`.
    pub not_before: Option<DateTime<Utc>>,
}

impl Moment {
    /// A moment that is known.
    pub fn certain(at: DateTime<Utc>, source: MomentSource) -> Self {
        Self {
            at,
            source,
            not_before: None,
        }
    }

    /// A moment between two syncs: it counts from the later one.
    pub fn seen(at: DateTime<Utc>, not_before: Option<DateTime<Utc>>) -> Self {
        Self {
            at,
            source: MomentSource::Seen,
            not_before,
        }
    }

    /// Whether the change may have happened earlier than the moment that counts.
    pub fn is_uncertain(&self) -> bool {
        self.not_before.is_some()
    }
}

/// A value over a half-open time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span<T> {
    /// When it holds.
    pub period: Period,
    /// What holds.
    pub value: T,
    /// How its beginning is known.
    pub began: Moment,
    /// How its end is known; none while it lasts.
    pub ended: Option<Moment>,
}

/// A value over time: spans in order, none overlapping, gaps where there was no value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History<T> {
    spans: Vec<Span<T>>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { spans: Vec::new() }
    }
}

impl<T: PartialEq> History<T> {
    /// A history without any value.
    pub fn new() -> Self {
        Self::default()
    }

    /// One value for ever.
    pub fn constant(value: T) -> Self {
        let began = Moment::certain(Period::always().start(), MomentSource::Created);
        Self {
            spans: vec![Span {
                period: Period::always(),
                value,
                began,
                ended: None,
            }],
        }
    }

    /// From the moment `began` the value is `value`; a value that lasted ends there. The
    /// same value again changes nothing. A moment before the last beginning is moved up
    /// to it, so that histories only grow forward.
    pub fn set(&mut self, began: Moment, value: T) {
        if let Some(last) = self.spans.last()
            && last.period.is_open()
        {
            if last.value == value {
                return;
            }
            self.clear(began);
        }
        let start = self
            .spans
            .last()
            .map_or(began.at, |last| began.at.max(last.period.end()));
        self.spans.push(Span {
            period: Period::from(start),
            value,
            began,
            ended: None,
        });
    }

    /// From the moment `ended` there is no value.
    pub fn clear(&mut self, ended: Moment) {
        let Some(last) = self.spans.last_mut() else {
            return;
        };
        if !last.period.is_open() {
            return;
        }
        match Period::new(last.period.start(), ended.at) {
            Ok(period) => {
                last.period = period;
                last.ended = Some(ended);
            }
            // it ended before it counted: it never held
            Err(_) => {
                self.spans.pop();
            }
        }
    }

    /// The spans, in order of time.
    pub fn spans(&self) -> &[Span<T>] {
        &self.spans
    }

    /// The span that holds at `instant`.
    pub fn span_at(&self, instant: DateTime<Utc>) -> Option<&Span<T>> {
        let after = self
            .spans
            .partition_point(|span| span.period.start() <= instant);
        let span = self.spans.get(after.checked_sub(1)?)?;
        span.period.contains(instant).then_some(span)
    }

    /// The value at `instant`.
    pub fn at(&self, instant: DateTime<Utc>) -> Option<&T> {
        self.span_at(instant).map(|span| &span.value)
    }

    /// The value at `instant`, else the nearest known: the one before, else the first.
    pub fn nearest(&self, instant: DateTime<Utc>) -> Option<&T> {
        let after = self
            .spans
            .partition_point(|span| span.period.start() <= instant);
        self.spans
            .get(after.saturating_sub(1))
            .map(|span| &span.value)
    }

    /// The latest value, whether it still holds or not.
    pub fn last(&self) -> Option<&T> {
        self.spans.last().map(|span| &span.value)
    }

    /// Every instant at which the value changes.
    pub fn changes(&self) -> impl Iterator<Item = DateTime<Utc>> + '_ {
        self.spans.iter().flat_map(|span| {
            let end = (!span.period.is_open()).then_some(span.period.end());
            std::iter::once(span.period.start()).chain(end)
        })
    }

    /// Whether there is no value at any time.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn moment(second: i64) -> Moment {
        Moment::certain(
            DateTime::from_timestamp(second, 0).unwrap(),
            MomentSource::Seen,
        )
    }

    proptest! {
        #[test]
        fn spans_never_overlap_and_the_last_value_set_holds(
            steps in prop::collection::vec((1_i64..20, prop::option::of(0_u8..4)), 1..20)
        ) {
            let (mut history, mut now) = (History::new(), 0);
            for (pause, value) in &steps {
                now += pause;
                match value {
                    Some(value) => history.set(moment(now), *value),
                    None => history.clear(moment(now)),
                }
            }
            for pair in history.spans().windows(2) {
                prop_assert!(pair[0].period.end() <= pair[1].period.start());
            }
            let last = steps.last().unwrap().1;
            prop_assert_eq!(history.at(moment(now + 1).at).copied(), last);
        }
    }
}
