//! Civil time in the book's zone: dates, months, and how long a month is.

use chrono::{
    DateTime, DurationRound, LocalResult, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta,
    TimeZone, Utc,
};
use chrono_tz::Tz;
use cloudstack_usage::{Period, PeriodError};

use crate::zones::Zones;

/// The first instant of a civil date in `zone`; where a clock change skips midnight, the
/// first instant after the gap.
pub(crate) fn start_of_day(date: NaiveDate, zone: Tz) -> DateTime<Utc> {
    instant(date.and_time(NaiveTime::MIN), zone)
}

/// The instant of a civil date and time in `zone`: the earlier one where it comes twice,
/// the first after the gap where it does not come.
pub(crate) fn instant(civil: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&civil) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.with_timezone(&Utc),
        LocalResult::None => after_gap(civil, zone),
    }
}

/// Gaps begin and end at whole quarters of an hour, and are never longer than a day.
fn after_gap(civil: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let quarter = TimeDelta::minutes(15);
    let within = civil.duration_trunc(quarter).unwrap_or(civil);
    (1..=96)
        .find_map(|quarters| {
            let later = within.checked_add_signed(quarter * quarters)?;
            zone.from_local_datetime(&later).earliest()
        })
        .map_or_else(
            || Utc.from_utc_datetime(&civil),
            |time| time.with_timezone(&Utc),
        )
}

/// The period of the civil dates from `first` to `last`, both included.
///
/// # Errors
/// When `last` is before `first`.
pub(crate) fn civil_period(
    first: NaiveDate,
    last: NaiveDate,
    zones: &Zones,
) -> Result<Period, PeriodError> {
    Period::new(zones.start_of_day(first), zones.start_of_next_day(last))
}

/// The civil months that touch `period`, each whole.
pub(crate) fn months(period: Period, zones: &Zones) -> Vec<Period> {
    let mut first = zones.first_of_month(period.start());
    let mut months = Vec::new();
    while let Some(next) = first.checked_add_months(Months::new(1)) {
        let Ok(month) = Period::new(zones.start_of_day(first), zones.start_of_day(next)) else {
            break;
        };
        if month.start() >= period.end() {
            break;
        }
        if month.overlaps(&period) {
            months.push(month);
        }
        first = next;
    }
    months
}

/// `date` and so many months later, on the last day where the month is shorter.
pub(crate) fn add_months(date: NaiveDate, months: u32) -> Option<NaiveDate> {
    date.checked_add_months(Months::new(months))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(first: &str, last: &str, zone: Tz) -> i64 {
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        civil_period(date(first), date(last), &zone.into())
            .unwrap()
            .millis()
            / 3_600_000
    }

    #[test]
    fn civil_months_have_their_true_length() {
        assert_eq!(
            hours("2026-03-01", "2026-03-31", Tz::America__New_York),
            743
        );
        assert_eq!(
            hours("2026-11-01", "2026-11-30", Tz::America__New_York),
            721
        );
        assert_eq!(hours("2026-03-01", "2026-03-31", Tz::Europe__Berlin), 743);
        assert_eq!(hours("2026-10-01", "2026-10-31", Tz::Europe__Berlin), 745);
        assert_eq!(hours("2024-02-01", "2024-02-29", Tz::UTC), 696);
    }

    #[test]
    fn a_day_whose_midnight_is_skipped_begins_after_the_gap() {
        // Beirut's clocks go from 00:00 to 01:00 on the last Sunday of March
        let date = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap();
        let start = start_of_day(date, Tz::Asia__Beirut).with_timezone(&Tz::Asia__Beirut);
        assert_eq!(start.to_string(), "2026-03-29 01:00:00 EEST");
    }

    #[test]
    fn a_time_that_does_not_come_is_the_first_after_the_gap() {
        let time = |date: &str, time: &str, zone| {
            let date: NaiveDate = date.parse().unwrap();
            instant(date.and_time(time.parse().unwrap()), zone).to_string()
        };
        // Berlin's clocks go from 02:00 to 03:00, which is 01:00 in UTC
        for text in ["02:00:00", "02:10:00", "02:45:00", "02:59:59"] {
            assert_eq!(
                time("2026-03-29", text, Tz::Europe__Berlin),
                "2026-03-29 01:00:00 UTC"
            );
        }
        // Samoa had no 30 December 2011: its 31st begins at 10:00 in UTC
        for text in ["00:00:00", "23:50:00"] {
            assert_eq!(
                time("2011-12-30", text, Tz::Pacific__Apia),
                "2011-12-30 10:00:00 UTC"
            );
        }
    }

    #[test]
    fn months_touching_a_period_are_whole_and_contiguous() {
        let period = Period::parse("2026-01-15T00:00:00Z", "2026-03-01T00:00:00Z").unwrap();
        let months = months(period, &Tz::Europe__Berlin.into());
        assert_eq!(months.len(), 3); // the first hour of March in Berlin is touched
        assert!(
            months
                .windows(2)
                .all(|pair| pair[0].end() == pair[1].start())
        );
    }

    #[test]
    fn a_month_after_the_31st_is_clamped() {
        let date = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(add_months(date(2026, 1, 31), 1), Some(date(2026, 2, 28)));
        assert_eq!(add_months(date(2024, 1, 31), 1), Some(date(2024, 2, 29)));
        assert_eq!(add_months(date(2024, 1, 31), 2), Some(date(2024, 3, 31)));
    }
}
