//! Which records are behind a line.

use std::collections::BTreeMap;

use cloudstack_usage::{Period, UsageType};

use super::parts::{Part, Timeline};
use crate::statement::RecordRun;
use crate::usage::Run;

/// The records of these parts: of each of their streams the windows that share time with one,
/// copies included.
pub(super) fn behind(timelines: &[Timeline<'_, '_>], parts: &[&Part]) -> Vec<RecordRun> {
    let mut by_stream: BTreeMap<usize, Vec<(i64, i64)>> = BTreeMap::new();
    for part in parts {
        let times = by_stream.entry(part.stream).or_default();
        times.push((part.start, part.end));
    }
    let mut records = Vec::new();
    for (stream, times) in by_stream {
        let Some(timeline) = timelines.get(stream) else {
            continue;
        };
        let (times, stream) = (joined(times), timeline.subject.stream);
        for run in &stream.runs {
            let touched = touched(run, &times).into_iter();
            records.extend(touched.filter_map(|windows| of(stream.key.usage_type, run, windows)));
        }
    }
    records
}

/// The same times in order, without overlaps and seams.
fn joined(mut times: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    times.sort_unstable();
    times.dedup_by(|next, last| {
        let is_joined = next.0 <= last.1;
        if is_joined {
            last.1 = last.1.max(next.1);
        }
        is_joined
    });
    times
}

/// The windows of the run, from the one that is counted first to before the other, that share
/// time with one of `times`.
fn touched(run: &Run, times: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let (begin, length) = (run.first.start, length(run));
    let from = times.partition_point(|(_, end)| *end <= begin);
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for (start, end) in times.iter().skip(from) {
        if *start >= run.end() {
            break;
        }
        let first = (start - begin).max(0) / length;
        let after = ((end - begin + length - 1) / length).min(i64::from(run.windows));
        match ranges.last_mut() {
            // both share time with one window
            Some(last) if first <= last.1 => last.1 = after,
            _ => ranges.push((first, after)),
        }
    }
    ranges
}

fn length(run: &Run) -> i64 {
    (run.first.end - run.first.start).max(1)
}

fn of(usage_type: UsageType, run: &Run, (first, after): (i64, i64)) -> Option<RecordRun> {
    let at = |window: i64| {
        let instant = run.first.start + window * length(run);
        chrono::DateTime::from_timestamp_millis(instant)
    };
    Some(RecordRun {
        usage_type,
        period: Period::new(at(first)?, at(after)?).ok()?,
        records: u64::try_from(after - first).ok()?,
        // copies may be written with other zeros: the same bytes for any order
        raw_usage: run.first.raw.normalize(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Entry;
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    const HOUR: i64 = 3_600_000;

    /// Three windows of a day each, the first of 2 January 1970.
    fn days() -> Run {
        let first = Entry {
            start: 24 * HOUR,
            end: 48 * HOUR,
            amount: 1,
            raw: Decimal::new(240, 1),
        };
        Run { first, windows: 3 }
    }

    #[test]
    fn windows_side_by_side_are_one_range_and_each_is_told_once() {
        let told = |hours: &[(i64, i64)]| {
            let times: Vec<_> = hours.iter().map(|at| (at.0 * HOUR, at.1 * HOUR)).collect();
            touched(&days(), &times)
        };
        // twice in the first
        assert_eq!(told(&[(25, 26), (30, 31)]), [(0, 1)]);
        // in the first and the second
        assert_eq!(told(&[(25, 26), (50, 51)]), [(0, 2)]);
        // in the first and the third
        assert_eq!(told(&[(25, 26), (80, 81)]), [(0, 1), (2, 3)]);
        // before, all through and after
        assert_eq!(told(&[(0, 24), (40, 200), (300, 400)]), [(0, 3)]);
    }

    #[test]
    fn a_range_of_windows_tells_its_time_its_records_and_what_they_say() {
        let period = "1970-01-03T00:00:00Z/1970-01-05T00:00:00Z";
        let told = of(UsageType::RunningVm, &days(), (1, 3)).unwrap();
        let (start, end) = (told.period.start(), told.period.end());
        let shown = [start, end].map(|at| at.format("%FT%TZ").to_string());
        assert_eq!(shown.join("/"), period);
        assert_eq!(told.usage_type, UsageType::RunningVm);
        assert_eq!(told.records, 2);
        assert_eq!(told.raw_usage.to_string(), "24");
    }

    proptest! {
        /// A window is told just where it shares time with one of the times.
        #[test]
        fn the_windows_told_are_those_that_share_time(
            begin in -50_i64..50,
            length in 1_i64..20,
            windows in 1_u32..12,
            times in prop::collection::vec((-80_i64..300, 1_i64..60), 0..8),
        ) {
            let first = Entry { start: begin, end: begin + length, amount: 1, raw: Decimal::ONE };
            let run = Run { first, windows };
            let times: Vec<(i64, i64)> = times.iter().map(|(at, long)| (*at, at + long)).collect();
            let expected: Vec<i64> = (0..i64::from(windows))
                .filter(|window| {
                    let start = begin + window * length;
                    times.iter().any(|time| time.0 < start + length && start < time.1)
                })
                .collect();
            let told: Vec<i64> = touched(&run, &joined(times))
                .into_iter()
                .flat_map(|(first, after)| first..after)
                .collect();
            prop_assert_eq!(told, expected);
        }
    }
}
