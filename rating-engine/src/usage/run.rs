//! Records of a stream, held as runs.

use rust_decimal::Decimal;

/// One record of a stream: its window in milliseconds since 1970, and how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// Milliseconds, bytes or a count.
    pub(crate) amount: i128,
    /// `rawusage`, which tells twins from copies.
    pub(crate) raw: Decimal,
}

impl Entry {
    /// Whether it is equal: most numbers were also written alike, which is told sooner.
    fn is(&self, other: &Self) -> bool {
        let alike = self.raw.scale() == other.raw.scale();
        (self.start, self.end, self.amount) == (other.start, other.end, other.amount)
            && if alike {
                self.raw.mantissa() == other.raw.mantissa()
            } else {
                self.raw == other.raw
            }
    }
}

/// Records of adjacent windows of one length with one amount: as a rule the whole time of
/// a resource that did not change, so that memory goes with streams, not with records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: Entry,
    /// How many windows, the first included.
    pub(crate) windows: u32,
}

impl Run {
    pub(crate) fn of(entry: Entry) -> Self {
        Self {
            first: entry,
            windows: 1,
        }
    }

    /// Itself, if it has any window.
    pub(crate) fn filled(self) -> Option<Self> {
        (self.windows > 0).then_some(self)
    }

    /// The entry of a window of the run, the first at 0.
    fn entry(&self, window: u32) -> Entry {
        let shift = (self.first.end - self.first.start) * i64::from(window);
        Entry {
            start: self.first.start + shift,
            end: self.first.end + shift,
            ..self.first
        }
    }

    /// Its entries, in order of time.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        (0..self.windows).map(|window| self.entry(window))
    }

    /// Where its last window ends.
    pub(crate) fn end(&self) -> i64 {
        self.last().end
    }

    pub(crate) fn last(&self) -> Entry {
        self.entry(self.windows.saturating_sub(1))
    }

    /// Takes the entry, if it is that of the run's next window.
    pub(crate) fn extend(&mut self, entry: &Entry) -> bool {
        let next = (1..u32::MAX).contains(&self.windows) && self.entry(self.windows).is(entry);
        self.windows += u32::from(next);
        next
    }
}

/// Joins entries, in the order given, into runs.
pub(crate) fn append(runs: &mut Vec<Run>, entry: Entry) {
    let joined = runs.last_mut().is_some_and(|last| last.extend(&entry));
    if !joined {
        runs.push(Run::of(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `[start, end)`, with what was used and how that was written.
    fn entry(start: i64, end: i64, amount: i128, raw: &str) -> Entry {
        let raw = raw.parse().unwrap();
        Entry {
            start,
            end,
            amount,
            raw,
        }
    }

    #[test]
    fn a_run_takes_the_next_window_of_its_length_and_amount() {
        let mut run = Run::of(entry(24, 48, 7, "1.5"));
        let next = entry(48, 72, 7, "1.5");
        for other in [
            entry(24, 48, 7, "1.5"),  // a copy
            entry(72, 96, 7, "1.5"),  // after a gap
            entry(48, 60, 7, "1.5"),  // shorter
            entry(48, 72, 8, "1.5"),  // more
            entry(48, 72, 7, "2.5"),  // of other raw usage, so perhaps a twin of another one
            entry(48, 72, 7, "0.15"), // with the digits of its own
        ] {
            assert!(!run.extend(&other), "{other:?}");
        }
        assert!(run.extend(&next));
        // the same number, written otherwise
        assert!(run.extend(&entry(72, 96, 7, "1.50")));
        assert_eq!(
            (run.first, run.windows, run.end()),
            (entry(24, 48, 7, "1.5"), 3, 96)
        );
        let entries: Vec<Entry> = run.entries().collect();
        assert_eq!(entries, [run.first, next, entry(72, 96, 7, "1.5")]);
    }

    #[test]
    fn nothing_extends_a_run_without_windows() {
        assert!(!Run::default().extend(&Entry::default()));
        assert_eq!(Run::default().filled(), None);
    }
}
