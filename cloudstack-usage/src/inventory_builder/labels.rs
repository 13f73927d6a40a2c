//! Labels laid over the tags of CloudStack.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::history::{History, Moment, MomentSource, Span};
use crate::label::Label;

/// `tags` with `labels` of the same resource and key over it. A tag that comes back when
/// a label ends keeps the moment of its own beginning: it is still CloudStack's.
pub(super) fn overlay(tags: Option<&History<String>>, labels: &[&Label]) -> History<String> {
    let spans = tags.map(History::spans).unwrap_or_default();
    let bounds: BTreeSet<DateTime<Utc>> = spans
        .iter()
        .map(|span| span.period)
        .chain(labels.iter().map(|label| label.valid))
        .flat_map(|period| {
            let end = (!period.is_open()).then_some(period.end());
            std::iter::once(period.start()).chain(end)
        })
        .collect();

    let mut history = History::new();
    let mut before = Piece::Nothing;
    for at in bounds {
        let piece = Piece::at(at, spans, labels);
        if piece == before {
            continue;
        }
        if let Some(ended) = before.ended(at, &piece) {
            history.clear(ended);
        }
        match &piece {
            Piece::Label(label) => {
                history.set(
                    Moment::certain(at, MomentSource::Label),
                    label.value.clone(),
                );
            }
            Piece::Tag(span) => history.set(span.began, span.value.clone()),
            Piece::Nothing => {}
        }
        before = piece;
    }
    history
}

/// What counts at one moment.
#[derive(PartialEq)]
enum Piece<'a> {
    Nothing,
    Tag(&'a Span<String>),
    Label(&'a Label),
}

impl<'a> Piece<'a> {
    fn at(at: DateTime<Utc>, spans: &'a [Span<String>], labels: &[&'a Label]) -> Self {
        let rank = |label: &&'a Label| (label.recorded, *label);
        labels
            .iter()
            .copied()
            .filter(|label| label.valid.contains(at))
            .max_by(|a, b| rank(a).cmp(&rank(b)))
            .map(Self::Label)
            .or_else(|| {
                let span = spans.iter().find(|span| span.period.contains(at))?;
                Some(Self::Tag(span))
            })
            .unwrap_or(Self::Nothing)
    }

    fn ended(&self, at: DateTime<Utc>, next: &Self) -> Option<Moment> {
        match (self, next) {
            (Self::Nothing, _) => None,
            (Self::Tag(span), Self::Nothing | Self::Tag(_)) => Some(
                span.ended
                    .unwrap_or(Moment::certain(at, MomentSource::Seen)),
            ),
            _ => Some(Moment::certain(at, MomentSource::Label)),
        }
    }
}
