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
