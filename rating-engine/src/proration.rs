//! How much of a period something was there: by time, or by started days and hours.

use std::ops::Range;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

use crate::exact::Exact;

/// What counts as used time of a month price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proration {
    /// Time as it is, to the millisecond. The default.
    #[default]
    Second,
    /// Civil days; the day of the end is not counted.
    Day,
    /// Civil days; the day of the end is counted.
    DayIncl,
    /// Every civil day of which any part was used.
    StartedDay,
    /// Every hour of which any part was used.
    StartedHour,
}

impl Proration {
    /// As written in a book.
    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Day => "day",
            Self::DayIncl => "day-incl",
            Self::StartedDay => "started-day",
            Self::StartedHour => "started-hour",
        }
    }
}

/// The share of `whole` that `used` is, by civil times; never less than 0 nor more than 1.
///
/// With [`Proration::DayIncl`] both ranges end with the day of their end, as people write
/// periods of dates.
///
/// ```
/// use rating_engine::{Proration, share};
///
/// let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap();
/// let month = day("2023-06-15")..day("2023-07-15");
/// let used = day("2023-06-23")..day("2023-07-15");
/// assert_eq!(share(&used, &month, Proration::Day).to_string(), "11/15"); // 22 of 30 days
/// ```
pub fn share(
    used: &Range<NaiveDateTime>,
    whole: &Range<NaiveDateTime>,
    proration: Proration,
) -> Exact {
    let length = |range: &Range<NaiveDateTime>| {
        let counted = counted(range, proration);
        (counted.end - counted.start).num_milliseconds()
    };
    let within = used.start.max(whole.start)..used.end.min(whole.end);
    if within.start >= within.end && proration != Proration::DayIncl {
        return Exact::zero();
    }
    let whole = length(whole);
    let used = length(&within).clamp(0, whole.max(0));
    Exact::ratio(i128::from(used), i128::from(whole)).unwrap_or_else(Exact::zero)
}

/// What of a civil time counts: whole days or hours where the proration knows only those.
pub(crate) fn counted(used: &Range<NaiveDateTime>, proration: Proration) -> Range<NaiveDateTime> {
    match proration {
        Proration::Second => used.clone(),
        Proration::Day => floor_day(used.start)..floor_day(used.end),
        Proration::DayIncl => floor_day(used.start)..next_day(used.end),
        Proration::StartedDay => {
            let end = floor_day(used.end);
            let end = if end == used.end {
                end
            } else {
                next_day(used.end)
            };
            floor_day(used.start)..end
        }
        Proration::StartedHour => {
            let end = floor_hour(used.end);
            let end = if end == used.end {
                end
            } else {
                end.checked_add_signed(TimeDelta::hours(1)).unwrap_or(end)
            };
            floor_hour(used.start)..end
        }
    }
}

fn floor_day(time: NaiveDateTime) -> NaiveDateTime {
    time.date().and_time(NaiveTime::MIN)
}

fn next_day(time: NaiveDateTime) -> NaiveDateTime {
    let date: NaiveDate = time.date();
    let next = date.checked_add_days(Days::new(1)).unwrap_or(date);
    next.and_time(NaiveTime::MIN)
}

fn floor_hour(time: NaiveDateTime) -> NaiveDateTime {
    let hour = NaiveTime::from_hms_opt(time.hour(), 0, 0);
    time.date().and_time(hour.unwrap_or(NaiveTime::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> NaiveDateTime {
        let text = if text.len() == 10 {
            format!("{text}T00:00")
        } else {
            text.to_owned()
        };
        NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M").unwrap()
    }

    fn of(used: [&str; 2], whole: [&str; 2], proration: Proration) -> String {
        let range = |bounds: [&str; 2]| time(bounds[0])..time(bounds[1]);
        share(&range(used), &range(whole), proration).to_string()
    }

    #[test]
    fn the_end_day_counts_only_where_asked() {
        let june = ["2026-06-01", "2026-06-30"];
        // the 29 days to the 30th, and 30 with it
        assert_eq!(
            of(["2026-06-10", "2026-06-20"], june, Proration::Day),
            "10/29"
        );
        assert_eq!(
            of(["2026-06-10", "2026-06-20"], june, Proration::DayIncl),
            "11/30"
        );
        // a day typed as both first and last is one day
        assert_eq!(
            of(["2026-06-10", "2026-06-10"], june, Proration::DayIncl),
            "1/30"
        );
    }

    #[test]
    fn started_days_and_hours_count_whole() {
        let november = ["2026-11-01", "2026-12-01"];
        let used = ["2026-11-17T14:00", "2026-12-01T14:00"];
        assert_eq!(of(used, november, Proration::StartedDay), "7/15"); // 14 of 30
        let used = ["2026-11-17T14:59", "2026-11-17T16:01"];
        assert_eq!(of(used, november, Proration::StartedHour), "1/240"); // 3 of 720
        assert_eq!(of(used, november, Proration::Day), "0");
    }

    #[test]
    fn a_share_is_never_more_than_all_of_it() {
        let used = ["2026-05-01", "2026-08-01"];
        assert_eq!(
            of(used, ["2026-06-01", "2026-07-01"], Proration::Second),
            "1"
        );
    }

    proptest! {
        #[test]
        fn a_cut_moves_nothing_by_time_or_day(start in 0_i64..40_000, length in 1_i64..40_000, cut in 0_i64..80_000) {
            let at = |minutes: i64| time("2026-01-01") + TimeDelta::minutes(minutes);
            let (from, until) = (at(start), at(start + length));
            let middle = at(cut).clamp(from, until);
            let whole = at(0)..at(100_000);
            for proration in [Proration::Second, Proration::Day] {
                let parts = share(&(from..middle), &whole, proration) + share(&(middle..until), &whole, proration);
                prop_assert_eq!(parts, share(&(from..until), &whole, proration));
            }
        }
    }
}
