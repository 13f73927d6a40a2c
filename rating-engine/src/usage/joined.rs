//! Windows of one length, one after the other, held as one.

/// Adjacent windows of one length that are treated as one span, with the records behind
/// them: memory and time go with what changes, not with the records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    start: i64,
    end: i64,
    windows: u32,
    /// Records of each window.
    records: u64,
}

impl Joined {
    /// From `start` to `end` so many windows, with so many records in all: as many in each.
    pub(crate) fn of(start: i64, end: i64, windows: u32, records: u64) -> Self {
        let windows = windows.max(1);
        Self {
            start,
            end,
            windows,
            records: records / u64::from(windows),
        }
    }

    fn length(self) -> i64 {
        ((self.end - self.start) / i64::from(self.windows)).max(1)
    }

    /// Beginning, end and records of each window.
    pub(crate) fn each(self) -> impl Iterator<Item = (i64, i64, u64)> + use<> {
        let length = self.length();
        (0..i64::from(self.windows)).map(move |window| {
            if self.windows == 1 {
                return (self.start, self.end, self.records);
            }
            let start = self.start + window * length;
            (start, start + length, self.records)
        })
    }

    /// The records of the windows that share time with `start` to `end`.
    pub(crate) fn records_within(self, start: i64, end: i64) -> u64 {
        if self.windows == 1 {
            return if self.start < end && start < self.end {
                self.records
            } else {
                0
            };
        }
        let length = self.length();
        let from = (start.max(self.start) - self.start) / length;
        let until = (end.min(self.end) - self.start + length - 1).div_euclid(length);
        self.records * u64::try_from(until - from).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_within_counts_the_windows_that_are_touched(
            windows in 1_u32..40, length in 1_i64..50, records in 1_u64..4, from in -100_i64..2_000, span in 1_i64..2_000
        ) {
            let end = i64::from(windows) * length;
            let joined = Joined::of(0, end, windows, records * u64::from(windows));
            let touched = |window: &(i64, i64, u64)| window.0 < from + span && from < window.1;
            let counted: u64 = joined.each().filter(touched).map(|(.., records)| records).sum();
            prop_assert_eq!(joined.records_within(from, from + span), counted);
            prop_assert_eq!(joined.each().last().map(|(_, end, _)| end), Some(end));
        }
    }

    #[test]
    fn windows_that_only_touch_share_no_time() {
        let one = Joined::of(10, 20, 1, 3);
        let two = Joined::of(10, 20, 2, 6);
        for (start, end) in [(0, 10), (20, 30)] {
            assert_eq!(one.records_within(start, end), 0);
            assert_eq!(two.records_within(start, end), 0);
        }
        assert_eq!(one.records_within(19, 21), 3);
        assert_eq!(two.records_within(15, 21), 3);
    }
}
