//! Where the running time of a VM lies, by CloudStack's usage events.

use cloudstack_usage::{Holder, Inventory, PowerState, RunningAs, Span, UsageType, VmId};

use super::placement::{Placed, share_of};
use super::stream::{Stream, StreamKey};
use super::window::Clean;
use crate::statement::Placement;

/// How much more or less than a record the events may tell: records have whole seconds.
const TOLERANCE_MILLIS: i128 = 1_000;

/// What the usage events say of a stream.
#[derive(Debug)]
pub(crate) struct Events<'a> {
    key: &'a StreamKey,
    spans: &'a [Span<PowerState>],
}

/// What they say of a window.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// It ran then, which is as long as its record says.
    Spans(Vec<(i64, i64)>),
    /// It ran for so long, which its record contradicts.
    Otherwise(i128),
    /// Not all of it is known, or not which record it belongs to.
    Unknown,
}

/// Whether time is that of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fits {
    Yes,
    Perhaps,
    No,
}

impl<'a> Events<'a> {
    /// What is known of a stream of running time; none of others.
    pub(crate) fn of(stream: &'a Stream, inventory: &'a Inventory) -> Option<Self> {
        if stream.key.usage_type != UsageType::RunningVm {
            return None;
        }
        let vm = VmId::from(stream.key.identity.clone());
        let spans = inventory.vms.get(&vm)?.power.spans();
        let key = &stream.key;
        (!spans.is_empty()).then_some(Self { key, spans })
    }

    /// Puts use where the VM ran, in each window of which the events tell as much as its
    /// record; elsewhere it stays where it was `placed`. Gives also the windows, with the time
    /// in doubt, of which the events tell more or less.
    pub(crate) fn place(
        &self,
        windows: &[Clean],
        placed: Vec<Placed>,
    ) -> (Vec<Placed>, Vec<Placed>) {
        let mut exact = Vec::with_capacity(placed.len());
        let mut contradicted = Vec::new();
        for (window, guess) in windows.iter().zip(placed) {
            match self.tell(window) {
                Told::Spans(_) if window.is_whole() => exact.push(guess),
                Told::Spans(spans) => exact.extend(cut(&guess, &spans)),
                _ => {
                    exact.push(guess);
                    let each = window.each();
                    contradicted.extend(each.filter_map(|window| self.doubt(&guess, &window)));
                }
            }
        }
        (exact, contradicted)
    }

    /// The time of a window in which its record and the events differ.
    fn doubt(&self, guess: &Placed, window: &Clean) -> Option<Placed> {
        let Told::Otherwise(told) = self.tell(window) else {
            return None;
        };
        Some(Placed {
            start: window.start,
            end: window.end,
            amount: (window.amount - told).abs(),
            placement: Placement::Spread,
            records: window.records,
            windows: 1,
            ..*guess
        })
    }

    fn tell(&self, window: &Clean) -> Told {
        let Some(ran) = self.ran(window) else {
            return Told::Unknown;
        };
        let spans = |accepted: &[Fits]| {
            let of_stream = ran.iter().filter(|(_, fits)| accepted.contains(fits));
            joined(of_stream.map(|(span, _)| *span))
        };
        let agrees = |spans: &[(i64, i64)]| {
            !spans.is_empty() && (total(spans) - window.amount).abs() <= TOLERANCE_MILLIS
        };
        let (likely, certain) = (spans(&[Fits::Yes, Fits::Perhaps]), spans(&[Fits::Yes]));
        if agrees(&likely) {
            Told::Spans(likely)
        } else if agrees(&certain) {
            Told::Spans(certain)
        } else if likely == certain && (total(&certain) - window.amount).abs() > TOLERANCE_MILLIS {
            Told::Otherwise(total(&certain))
        } else {
            Told::Unknown
        }
    }

    /// When the VM ran in a window; none where not all of the window is known.
    fn ran(&self, window: &Clean) -> Option<Vec<((i64, i64), Fits)>> {
        let first = self
            .spans
            .partition_point(|span| span.period.end().timestamp_millis() <= window.start);
        let mut known = window.start;
        let mut ran = Vec::new();
        for span in self.spans.iter().skip(first) {
            let start = span.period.start().timestamp_millis();
            if known >= window.end || start > known {
                break;
            }
            let end = span.period.end().timestamp_millis().min(window.end);
            if let PowerState::Running(running) = &span.value {
                ran.push(((known, end), self.fits(running)));
            }
            known = end;
        }
        (known >= window.end).then_some(ran)
    }

    fn fits(&self, running: &RunningAs) -> Fits {
        let key = self.key;
        let holder = match (&running.holder, &key.holder) {
            (Holder::Unknown, _) | (_, Holder::Unknown) => Fits::Perhaps,
            (one, other) if one == other => Fits::Yes,
            _ => Fits::No,
        };
        let all = [
            holder,
            same(running.offering.as_ref(), key.offering.as_ref()),
            same(running.cpu_count, key.cpu_count),
            same(running.memory_mib, key.memory_mib),
        ];
        if all.contains(&Fits::No) {
            Fits::No
        } else if all.contains(&Fits::Perhaps) {
            Fits::Perhaps
        } else {
            Fits::Yes
        }
    }
}

fn same<T: PartialEq>(told: Option<T>, recorded: Option<T>) -> Fits {
    match (told, recorded) {
        (Some(told), Some(recorded)) if told == recorded => Fits::Yes,
        (Some(_), Some(_)) => Fits::No,
        _ => Fits::Perhaps,
    }
}

/// Spans in order of time, those that touch as one.
fn joined(spans: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (start, end) in spans {
        match joined.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => joined.push((start, end)),
        }
    }
    joined
}

fn total(spans: &[(i64, i64)]) -> i128 {
    spans
        .iter()
        .map(|(start, end)| i128::from(end - start))
        .sum()
}

/// The use of one window, over spans in order of time: each has its share of the amount, which
/// may be up to a second more or less than they are.
fn cut<'s>(guess: &'s Placed, spans: &'s [(i64, i64)]) -> impl Iterator<Item = Placed> + 's {
    let whole = spans.iter().map(|(start, end)| end - start).sum();
    let (mut passed, mut given) = (0, 0);
    spans.iter().enumerate().map(move |(index, (start, end))| {
        passed += end - start;
        let until = share_of(guess.amount, passed, whole);
        let amount = until - given;
        given = until;
        Placed {
            start: *start,
            end: *end,
            amount,
            placement: Placement::Events,
            continues: index > 0,
            ..*guess
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::{Grid, place};
    use cloudstack_usage::{History, Moment, MomentSource, parse_usage_record};
    use proptest::prelude::*;

    const HOUR: i64 = 3_600_000;

    fn moment(millis: i64) -> Moment {
        let at = chrono::DateTime::from_timestamp_millis(millis).unwrap();
        Moment::certain(at, MomentSource::Event)
    }

    fn running(cpus: Option<u32>) -> PowerState {
        PowerState::Running(RunningAs {
            holder: Holder::Account("a".into()),
            offering: Some("o".into()),
            cpu_count: cpus,
            memory_mib: Some(1024),
        })
    }

    /// A history of hours, and how many vCPUs it ran with (none: it was stopped).
    fn history(changes: &[(i64, Option<u32>)], until: i64) -> History<PowerState> {
        let mut history = History::new();
        for (hour, cpus) in changes {
            let state = cpus.map_or(PowerState::Stopped, |cpus| running(Some(cpus)));
            history.set(moment(hour * HOUR), state);
        }
        history.clear(moment(until * HOUR));
        history
    }

    fn stream() -> StreamKey {
        let record = parse_usage_record(
            r#"{"usagetype":1,"usageid":"v","accountid":"a","account":"a","domainid":"d",
                "offeringid":"o","cpunumber":2,"memory":1024,"rawusage":"1","usage":"1 Hrs",
                "description":"","startdate":"2026-10-01T00:00:00+0000",
                "enddate":"2026-10-01T23:59:59+0000"}"#,
        );
        StreamKey::of(&record.unwrap())
    }

    fn window(start: i64, end: i64, amount: i64) -> Clean {
        Clean {
            start: start * HOUR,
            end: end * HOUR,
            amount: i128::from(amount),
            records: 1,
            windows: 1,
        }
    }

    /// Beginning, end, amount and placement of a span.
    type Shown = (i64, i64, i128, Placement);

    /// What becomes of windows, which are placed without a grid.
    fn place_by(history: &History<PowerState>, windows: &[Clean]) -> (Vec<Placed>, Vec<Placed>) {
        let key = stream();
        let events = Events {
            key: &key,
            spans: history.spans(),
        };
        let guess = place(windows, &Grid::default(), None);
        events.place(windows, guess)
    }

    /// Beginning, end and time of each span, in hours but for the time.
    fn placed(history: &History<PowerState>, windows: &[Clean]) -> (Vec<Shown>, Vec<i128>) {
        let (exact, contradicted) = place_by(history, windows);
        let exact = exact.iter().map(|span| {
            (
                span.start / HOUR,
                span.end / HOUR,
                span.amount,
                span.placement,
            )
        });
        let contradicted = contradicted.iter().map(|span| span.amount);
        (exact.collect(), contradicted.collect())
    }

    #[test]
    fn use_lies_where_the_vm_ran_if_that_is_as_long() {
        let told = history(
            &[(0, None), (2, Some(2)), (5, None), (8, Some(2)), (10, None)],
            48,
        );
        let hour = i128::from(HOUR);
        // a second less, as rounding may have it: each span has its share
        for short in [0, 999] {
            let (exact, contradicted) = placed(&told, &[window(0, 24, 5 * HOUR - short)]);
            let amount = 5 * hour - i128::from(short);
            let first = amount * 3 / 5;
            let expected = [
                (2, 5, first, Placement::Events),
                (8, 10, amount - first, Placement::Events),
            ];
            assert_eq!(exact, expected);
            assert!(contradicted.is_empty());
        }
    }

    #[test]
    fn spans_of_one_window_continue_the_first_and_those_of_the_next_do_not() {
        let told = history(
            &[
                (0, Some(2)),
                (2, None),
                (4, Some(2)),
                (5, None),
                (30, Some(2)),
                (33, None),
            ],
            48,
        );
        let windows = [window(0, 24, 3 * HOUR), window(24, 48, 3 * HOUR)];
        let (exact, _) = place_by(&told, &windows);
        let shown = exact
            .iter()
            .map(|span| (span.start / HOUR, span.end / HOUR, span.continues));
        assert_eq!(
            shown.collect::<Vec<_>>(),
            [(0, 2, false), (4, 5, true), (30, 33, false)]
        );
    }

    #[test]
    fn spans_that_touch_are_one() {
        // two o'clock brings a size that is not known, which may be the record's
        let mut told = History::new();
        told.set(moment(0), PowerState::Stopped);
        told.set(moment(HOUR), running(Some(2)));
        told.set(moment(2 * HOUR), running(None));
        told.set(moment(3 * HOUR), PowerState::Stopped);
        told.clear(moment(24 * HOUR));
        let (exact, contradicted) = placed(&told, &[window(0, 24, 2 * HOUR)]);
        assert_eq!(exact, [(1, 3, 2 * i128::from(HOUR), Placement::Events)]);
        assert!(contradicted.is_empty());
    }

    #[test]
    fn joined_windows_that_the_vm_ran_all_through_stay_joined() {
        let told = history(&[(0, Some(2))], 48);
        let whole = Clean {
            records: 2,
            windows: 2,
            ..window(0, 48, 48 * HOUR)
        };
        let (exact, contradicted) = place_by(&told, &[whole]);
        let expected = Placed {
            start: 0,
            end: 48 * HOUR,
            amount: 48 * i128::from(HOUR),
            placement: Placement::Whole,
            records: 2,
            windows: 2,
            continues: false,
        };
        assert_eq!(exact, [expected]);
        assert!(contradicted.is_empty());
    }

    #[test]
    fn a_doubt_is_the_window_that_the_events_contradict() {
        // of two days of one record each, joined, the first has an hour less and the second two
        let told = history(
            &[
                (0, Some(2)),
                (3, None),
                (4, Some(2)),
                (30, None),
                (32, Some(2)),
            ],
            48,
        );
        let whole = Clean {
            records: 2,
            windows: 2,
            ..window(0, 48, 48 * HOUR)
        };
        let (_, contradicted) = place_by(&told, &[whole]);
        let expected = [(0, 24, 1), (24, 48, 2)].map(|(start, end, hours)| Placed {
            start: start * HOUR,
            end: end * HOUR,
            amount: hours * i128::from(HOUR),
            placement: Placement::Spread,
            records: 1,
            windows: 1,
            continues: false,
        });
        assert_eq!(contradicted, expected);
    }

    #[test]
    fn time_of_an_unknown_owner_may_be_that_of_the_record() {
        let PowerState::Running(known) = running(Some(2)) else {
            unreachable!("it runs");
        };
        let mut told = History::new();
        let holder = Holder::Unknown;
        told.set(
            moment(0),
            PowerState::Running(RunningAs { holder, ..known }),
        );
        told.set(moment(6 * HOUR), PowerState::Stopped);
        told.clear(moment(24 * HOUR));
        let hour = i128::from(HOUR);
        let (exact, _) = placed(&told, &[window(0, 24, 6 * HOUR)]);
        assert_eq!(exact, [(0, 6, 6 * hour, Placement::Events)]);
        let (exact, contradicted) = placed(&told, &[window(0, 24, 5 * HOUR)]);
        assert_eq!(exact, [(0, 24, 5 * hour, Placement::Spread)]);
        assert!(contradicted.is_empty());
    }

    #[test]
    fn a_record_of_a_second_does_not_contradict_a_vm_that_was_stopped() {
        let told = history(&[(0, None)], 24);
        for (amount, expected) in [(1_000, vec![]), (1_001, vec![1_001])] {
            let (exact, contradicted) = placed(&told, &[window(0, 24, amount)]);
            assert_eq!(exact, [(0, 24, i128::from(amount), Placement::Spread)]);
            assert_eq!(contradicted, expected);
        }
    }

    #[test]
    fn time_of_another_owner_is_that_of_another_record() {
        let of = |account: &str| {
            let PowerState::Running(running) = running(Some(2)) else {
                unreachable!("it runs");
            };
            PowerState::Running(RunningAs {
                holder: Holder::Account(account.into()),
                ..running
            })
        };
        let mut told = History::new();
        told.set(moment(0), of("b"));
        told.set(moment(6 * HOUR), of("a"));
        told.set(moment(8 * HOUR), of("b"));
        told.clear(moment(24 * HOUR));
        let hour = i128::from(HOUR);
        let (exact, contradicted) = placed(&told, &[window(0, 24, 2 * HOUR)]);
        assert_eq!(exact, [(6, 8, 2 * hour, Placement::Events)]);
        assert!(contradicted.is_empty());
        // nor does it lend any time to a record that tells more
        let (exact, contradicted) = placed(&told, &[window(0, 24, 24 * HOUR - 1)]);
        assert_eq!(exact, [(0, 24, 24 * hour - 1, Placement::Spread)]);
        assert_eq!(contradicted, [22 * hour - 1]);
    }

    #[test]
    fn a_record_that_tells_more_than_the_time_of_its_size_is_contradicted() {
        let told = history(&[(0, Some(4)), (6, Some(2)), (8, None)], 24);
        let (exact, contradicted) = placed(&told, &[window(0, 24, 8 * HOUR)]);
        let hour = i128::from(HOUR);
        assert_eq!(exact, [(0, 24, 8 * hour, Placement::Spread)]);
        assert_eq!(contradicted, [6 * hour]);
    }

    #[test]
    fn use_stays_where_it_was_if_the_events_tell_another_time_and_that_is_said() {
        let told = history(&[(0, None), (2, Some(2)), (5, None)], 24);
        let (exact, contradicted) = placed(&told, &[window(0, 24, 4 * HOUR)]);
        assert_eq!(exact, [(0, 24, 4 * i128::from(HOUR), Placement::Spread)]);
        assert_eq!(contradicted, [i128::from(HOUR)]);
        // whole windows, joined, of which one is not what the events tell
        let whole = Clean {
            windows: 2,
            ..window(0, 48, 48 * HOUR)
        };
        let told = history(&[(0, Some(2)), (30, None), (32, Some(2))], 48);
        let (exact, contradicted) = placed(&told, &[whole]);
        assert_eq!(exact, [(0, 48, 48 * i128::from(HOUR), Placement::Whole)]);
        assert_eq!(contradicted, [2 * i128::from(HOUR)]);
    }

    #[test]
    fn events_of_a_part_of_a_window_say_nothing() {
        for told in [
            history(&[(1, Some(2)), (5, None)], 24),
            history(&[(0, Some(2)), (5, None)], 23),
        ] {
            let (exact, contradicted) = placed(&told, &[window(0, 24, 5 * HOUR)]);
            assert_eq!(exact[0].3, Placement::Spread);
            assert!(contradicted.is_empty());
        }
    }

    #[test]
    fn time_of_another_size_is_that_of_another_record() {
        let told = history(&[(0, Some(4)), (6, None), (9, Some(2)), (11, Some(4))], 24);
        let (exact, contradicted) = placed(&told, &[window(0, 24, 2 * HOUR)]);
        assert_eq!(exact, [(9, 11, 2 * i128::from(HOUR), Placement::Events)]);
        assert!(contradicted.is_empty());
    }

    #[test]
    fn time_of_an_unknown_size_contradicts_nothing() {
        let mut told = History::new();
        told.set(moment(0), running(None));
        told.set(moment(6 * HOUR), running(Some(2)));
        told.clear(moment(24 * HOUR));
        let (exact, _) = placed(&told, &[window(0, 24, 18 * HOUR)]);
        assert_eq!((exact[0].0, exact[0].1), (6, 24));
        let (exact, contradicted) = placed(&told, &[window(0, 24, 5 * HOUR)]);
        assert_eq!(exact[0].3, Placement::Spread);
        assert!(contradicted.is_empty());
    }

    proptest! {
        #[test]
        fn no_time_is_lost_and_none_lies_where_the_vm_was_stopped(
            hours in prop::collection::btree_set(1_i64..24, 1..8), off_by in -1_000_i64..1_000,
        ) {
            let changes: Vec<(i64, Option<u32>)> = std::iter::once((0, None))
                .chain(hours.iter().enumerate().map(|(index, hour)| {
                    (*hour, (index % 2 == 0).then_some(2))
                }))
                .collect();
            let told = history(&changes, 24);
            let ran: i64 = told.spans().iter()
                .filter(|span| span.value != PowerState::Stopped)
                .map(|span| span.period.millis())
                .sum();
            let amount = ran + off_by;
            let (exact, contradicted) = placed(&told, &[window(0, 24, amount)]);
            prop_assert!(contradicted.is_empty());
            prop_assert_eq!(exact.iter().map(|span| span.2).sum::<i128>(), i128::from(amount));
            for (start, end, ..) in exact {
                let state = told.at(moment(start * HOUR).at);
                prop_assert_eq!(state, Some(&running(Some(2))));
                prop_assert_eq!(told.at(moment(end * HOUR - 1).at), state);
            }
        }
    }
}
