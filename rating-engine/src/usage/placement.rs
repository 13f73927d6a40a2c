//! Where in its window used time lies.

use cloudstack_usage::Period;

use super::grid::Grid;
use super::joined::Joined;
use super::window::Clean;
use crate::statement::Placement;

/// Used time (or a counted amount) over a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) amount: i128,
    pub(crate) placement: Placement,
    pub(crate) records: u64,
    /// How many whole windows of one length it joins.
    pub(crate) windows: u32,
    /// Whether it is more of the use of the window that the span before is of.
    pub(crate) continues: bool,
}

/// The spans of each window.
pub(crate) fn by_window(placed: &[Placed]) -> impl Iterator<Item = &[Placed]> {
    placed.chunk_by(|_, next| next.continues)
}

impl Placed {
    /// The joined windows one by one, in order of time.
    pub(crate) fn each(&self) -> impl Iterator<Item = Self> + use<> {
        let windows = Joined::of(self.start, self.end, self.windows, self.records);
        let whole = *self;
        windows.each().map(move |(start, end, records)| Self {
            start,
            end,
            amount: whole.within(start, end),
            placement: whole.placement,
            records,
            windows: 1,
            continues: whole.continues,
        })
    }

    /// The records of the windows that share time with `start` to `end`.
    pub(crate) fn records_within(&self, start: i64, end: i64) -> u64 {
        Joined::of(self.start, self.end, self.windows, self.records).records_within(start, end)
    }

    /// The amount before `instant`: `floor(amount x elapsed / span)`, so that the parts of
    /// any cut add up to the whole, and a further cut changes no other part.
    pub(crate) fn before(&self, instant: i64) -> i128 {
        let elapsed = instant.clamp(self.start, self.end) - self.start;
        let span = (self.end - self.start).max(1);
        share_of(self.amount, elapsed, span)
    }

    /// The part between `start` and `end`; none where they share no time.
    pub(crate) fn clip(&self, start: i64, end: i64) -> Option<Self> {
        let (from, until) = (self.start.max(start), self.end.min(end));
        (from < until).then(|| Self {
            start: from,
            end: until,
            amount: self.within(from, until),
            records: self.records_within(from, until),
            windows: 1,
            ..*self
        })
    }

    /// The amount from `start` to `end`.
    pub(crate) fn within(&self, start: i64, end: i64) -> i128 {
        self.before(end) - self.before(start)
    }
}

/// `floor(amount x part / whole)` without an intermediate overflow, for `part` up to `whole`:
/// `part` for each whole `whole` in the amount, and its share of the rest, which is below
/// `whole`, so below 2^126 times `part`.
pub(crate) fn share_of(amount: i128, part: i64, whole: i64) -> i128 {
    // most often nothing or everything is asked for
    if part == 0 {
        return 0;
    }
    if part == whole {
        return amount;
    }
    let (part, whole) = (i128::from(part), i128::from(whole.max(1)));
    let (times, rest) = (amount.div_euclid(whole), amount.rem_euclid(whole));
    times * part + (rest * part).div_euclid(whole)
}

/// How close used time must come to the resource's life within the window to lie there.
const LIFETIME_TOLERANCE_MILLIS: i128 = 1_000;

/// Places the used time of each window, by the windows beside it and by the resource's life.
///
/// Source: DESIGN.md §4 "Placing used time in its window". Windows come in order of time.
pub(crate) fn place(windows: &[Clean], grid: &Grid, lifetime: Option<Period>) -> Vec<Placed> {
    windows
        .iter()
        .enumerate()
        .map(|(index, window)| place_one(windows, window, index, grid, lifetime))
        .collect()
}

/// What is counted, or has its own times, lies evenly over its window.
pub(crate) fn spread(windows: &[Clean]) -> Vec<Placed> {
    windows
        .iter()
        .map(|window| {
            let placement = if window.is_whole() {
                Placement::Whole
            } else {
                Placement::Spread
            };
            placed(window, window.start, window.end, placement)
        })
        .collect()
}

fn placed(window: &Clean, start: i64, end: i64, placement: Placement) -> Placed {
    Placed {
        start,
        end,
        amount: window.amount,
        placement,
        records: window.records,
        windows: window.windows,
        continues: false,
    }
}

/// What is known of the window beside one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Whole,
    Part,
    Nothing,
    NotFetched,
}

fn place_one(
    windows: &[Clean],
    window: &Clean,
    index: usize,
    grid: &Grid,
    lifetime: Option<Period>,
) -> Placed {
    if window.is_whole() {
        return placed(window, window.start, window.end, Placement::Whole);
    }
    let before = before(windows, index, grid);
    let after = after(windows, index, grid);
    // more than the window has (several NICs in one record) lies nowhere in particular
    let used = i64::try_from(window.amount).unwrap_or(i64::MAX);
    let at_start = || {
        placed(
            window,
            window.start,
            window.start + used,
            Placement::AtStart,
        )
    };
    let at_end = || placed(window, window.end - used, window.end, Placement::AtEnd);
    let fits = (0..window.end - window.start).contains(&used);
    match (before, after) {
        (Beside::Nothing, Beside::Whole | Beside::Part) if fits => at_end(),
        (Beside::Whole | Beside::Part, Beside::Nothing) if fits => at_start(),
        // one gap across the bound of two partial windows between whole ones
        (Beside::Whole, Beside::Part)
            if fits && self::after(windows, index + 1, grid) == Beside::Whole =>
        {
            at_start()
        }
        (Beside::Part, Beside::Whole)
            if fits
                && index
                    .checked_sub(1)
                    .is_some_and(|left| self::before(windows, left, grid) == Beside::Whole) =>
        {
            at_end()
        }
        _ => by_lifetime(window, lifetime),
    }
}

fn beside(window: Option<&Clean>, adjacent: impl Fn(&Clean) -> bool, fetched: bool) -> Beside {
    match window {
        Some(window) if adjacent(window) && window.is_whole() => Beside::Whole,
        Some(window) if adjacent(window) => Beside::Part,
        _ if fetched => Beside::Nothing,
        _ => Beside::NotFetched,
    }
}

fn before(windows: &[Clean], index: usize, grid: &Grid) -> Beside {
    let Some(window) = windows.get(index) else {
        return Beside::NotFetched;
    };
    let other = index.checked_sub(1).and_then(|index| windows.get(index));
    beside(
        other,
        |other| other.end == window.start,
        grid.has_window_until(window.start),
    )
}

fn after(windows: &[Clean], index: usize, grid: &Grid) -> Beside {
    let Some(window) = windows.get(index) else {
        return Beside::NotFetched;
    };
    let other = windows.get(index + 1);
    beside(
        other,
        |other| other.start == window.end,
        grid.has_window_from(window.end),
    )
}

/// Where the resource lived within the window if the used time fits there, else evenly
/// over that part; over the whole window where the used time is longer than the life.
fn by_lifetime(window: &Clean, lifetime: Option<Period>) -> Placed {
    let whole = placed(window, window.start, window.end, Placement::Spread);
    let Some(lifetime) = lifetime else {
        return whole;
    };
    let start = lifetime.start().timestamp_millis().max(window.start);
    let end = lifetime.end().timestamp_millis().min(window.end);
    let lived = i128::from(end - start);
    if lived <= 0 || window.amount > lived + LIFETIME_TOLERANCE_MILLIS {
        return whole;
    }
    if (window.amount - lived).abs() <= LIFETIME_TOLERANCE_MILLIS {
        return placed(window, start, end, Placement::Lifetime);
    }
    placed(window, start, end, Placement::Spread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_any_cut_add_up_and_a_neutral_cut_changes_no_other_part(
            span in 1_i64..100_000_000, amount in 0_i128..1_000_000_000_000, cuts in prop::collection::vec(0_i64..100_000_000, 0..8)
        ) {
            let placed = Placed { start: 0, end: span, amount, placement: Placement::Spread, records: 1, windows: 1, continues: false };
            let mut bounds: Vec<i64> = cuts.into_iter().filter(|cut| *cut < span).chain([0, span]).collect();
            bounds.sort_unstable();
            let sum: i128 = bounds.windows(2).map(|pair| placed.within(pair[0], pair[1])).sum();
            prop_assert_eq!(sum, amount);
            let middle = span / 2;
            prop_assert_eq!(placed.within(0, middle) + placed.within(middle, span), placed.within(0, span));
        }
    }

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn windows(hours: &[Option<i64>]) -> (Vec<Clean>, Grid) {
        let grid_days = 0..i64::try_from(hours.len()).unwrap();
        let windows = hours
            .iter()
            .zip(grid_days.clone())
            .filter_map(|(hours, day)| {
                let amount = i128::from((*hours)? * HOUR);
                Some(Clean {
                    start: day * DAY,
                    end: (day + 1) * DAY,
                    amount,
                    records: 1,
                    windows: 1,
                })
            });
        let windows: Vec<Clean> = windows.collect();
        let grid = Grid::from_windows(grid_days.map(|day| (day * DAY, (day + 1) * DAY)));
        (windows, grid)
    }

    fn hours_placed(hours: &[Option<i64>], lifetime: Option<Period>) -> Vec<(i64, i64, Placement)> {
        let (windows, grid) = windows(hours);
        place(&windows, &grid, lifetime)
            .iter()
            .map(|p| (p.start / HOUR, p.end / HOUR, p.placement))
            .collect()
    }

    #[test]
    fn neighbours_place_a_partial_window() {
        // starts on day 1 at 18:00, stops on day 3 at 06:00; days 0 and 4 were fetched
        let placed = hours_placed(&[None, Some(6), Some(24), Some(6), None], None);
        assert_eq!(placed[0], (42, 48, Placement::AtEnd));
        assert_eq!(placed[1], (48, 72, Placement::Whole));
        assert_eq!(placed[2], (72, 78, Placement::AtStart));
    }

    #[test]
    fn two_partial_windows_between_whole_ones_have_one_gap_across_their_bound() {
        let placed = hours_placed(&[Some(24), Some(23), Some(22), Some(24)], None);
        assert_eq!(placed[1], (24, 47, Placement::AtStart));
        assert_eq!(placed[2], (50, 72, Placement::AtEnd));
    }

    #[test]
    fn a_window_not_fetched_is_unknown() {
        // nothing is known of the day before: only the lifetime can place it
        let placed = hours_placed(&[Some(6), Some(24)], None);
        assert_eq!(placed[0], (0, 24, Placement::Spread));
        let placed = hours_placed(&[Some(24), Some(6)], None);
        assert_eq!(placed[1], (24, 48, Placement::Spread));
        let born = chrono::DateTime::from_timestamp_millis(18 * HOUR).unwrap();
        let placed = hours_placed(&[Some(6), Some(24)], Some(Period::from(born)));
        assert_eq!(placed[0], (18, 24, Placement::Lifetime));
    }

    #[test]
    fn a_gap_across_a_bound_is_one_only_between_whole_windows() {
        // a third partial window behind the two, or before them: the gap may lie anywhere
        let behind = hours_placed(&[Some(24), Some(23), Some(22), Some(20)], None);
        assert_eq!(behind[1], (24, 48, Placement::Spread));
        let ahead = hours_placed(&[Some(20), Some(22), Some(23), Some(24)], None);
        assert_eq!(ahead[2], (48, 72, Placement::Spread));
    }

    #[test]
    fn a_window_that_is_not_adjacent_is_no_neighbour() {
        // nothing on day 1, which was fetched: what was used on day 2 is of its end
        let placed = hours_placed(&[Some(6), None, Some(6), Some(24)], None);
        assert_eq!(placed[1], (66, 72, Placement::AtEnd));
    }

    #[test]
    fn more_than_a_window_has_lies_nowhere_in_particular() {
        for (hours, at) in [
            (&[None, Some(48), Some(24)][..], 0),
            (&[Some(24), Some(48), None], 1),
            (&[Some(24), Some(48), Some(6), Some(24)], 1),
        ] {
            assert_eq!(
                hours_placed(hours, None)[at],
                (24, 48, Placement::Spread),
                "{hours:?}"
            );
        }
        let second = hours_placed(&[Some(24), Some(6), Some(48), Some(24)], None);
        assert_eq!(second[2], (48, 72, Placement::Spread));
    }

    #[test]
    fn a_life_within_the_window_places_what_fits_into_it() {
        let instant = |millis| chrono::DateTime::from_timestamp_millis(millis).unwrap();
        let life =
            |from: i64, until: i64| Some(Period::new(instant(from), instant(until)).unwrap());
        let lived = |hours: i64, from: i64, until: i64| {
            hours_placed(&[Some(hours)], life(from * HOUR, until * HOUR))[0]
        };
        // 6 hours of a life of 12 lie somewhere in it; 18 hours do not fit into it
        assert_eq!(lived(6, 6, 18), (6, 18, Placement::Spread));
        assert_eq!(lived(12, 6, 18), (6, 18, Placement::Lifetime));
        assert_eq!(lived(18, 6, 18), (0, 24, Placement::Spread));
        // a life that ended as the window began says nothing about it
        assert_eq!(lived(0, -6, 0), (0, 24, Placement::Spread));

        // a second more than the life is rounding, and not two
        let of = |amount: i64| {
            let window = Clean {
                start: 0,
                end: DAY,
                amount: i128::from(amount),
                records: 1,
                windows: 1,
            };
            let grid = Grid::from_windows(std::iter::once((0, DAY)));
            place(&[window], &grid, life(0, 6 * HOUR))[0].placement
        };
        assert_eq!(of(6 * HOUR + 1_000), Placement::Lifetime);
        assert_eq!(of(6 * HOUR - 1_000), Placement::Lifetime);
        assert_eq!(of(6 * HOUR + 1_001), Placement::Spread);
        assert_eq!(of(6 * HOUR - 1_001), Placement::Spread);
    }

    #[test]
    fn a_part_of_joined_windows_has_the_records_that_it_touches() {
        let days = Placed {
            start: 0,
            end: 4 * DAY,
            amount: i128::from(4 * DAY),
            placement: Placement::Whole,
            records: 4,
            windows: 4,
            continues: false,
        };
        let part = days.clip(DAY + HOUR, 3 * DAY).unwrap();
        assert_eq!((part.start, part.end), (DAY + HOUR, 3 * DAY));
        assert_eq!(part.amount, i128::from(47 * HOUR));
        assert_eq!((part.records, part.windows), (2, 1));
        // they touch, and share no time
        assert_eq!(days.clip(4 * DAY, 5 * DAY), None);
    }

    #[test]
    fn a_gap_inside_a_window_is_spread() {
        let placed = hours_placed(&[Some(24), Some(23), Some(24)], None);
        assert_eq!(placed[1], (24, 48, Placement::Spread));
    }
}
