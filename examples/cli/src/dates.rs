//! Dates as people type them: civil dates of the price book's zone, months, instants.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};

/// A civil date such as `2026-10-31`, or an instant such as `2026-10-31T23:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Date {
    /// A day in the price book's zone.
    Civil(NaiveDate),
    /// A moment.
    Instant(DateTime<Utc>),
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::Civil(day));
        }
        instant(text)
            .map(Self::Instant)
            .map_err(|_| "a date such as 2026-10-31, or 2026-10-31T23:00:00Z, is wanted".to_owned())
    }
}

/// An instant with its offset, such as `2026-10-31T23:00:00Z`.
pub(crate) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|time| time.with_timezone(&Utc))
        .map_err(|_| "a time such as 2026-10-31T23:00:00Z is wanted".to_owned())
}

/// A civil month such as `2026-10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Month {
    first: NaiveDate,
}

impl Month {
    /// Its first day.
    pub(crate) fn first(self) -> NaiveDate {
        self.first
    }

    /// Its last day.
    pub(crate) fn last(self) -> NaiveDate {
        self.first
            .checked_add_months(Months::new(1))
            .and_then(|next| next.pred_opt())
            .unwrap_or(self.first)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d")
            .ok()
            .filter(|first| first.year() > 0 && text.len() == 7)
            .map(|first| Self { first })
            .ok_or_else(|| "a month such as 2026-10 is wanted".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_or_instants_and_nothing_else() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!("2026-10-31".parse(), Ok(Date::Civil(day(2026, 10, 31))));
        let instant = "2026-10-31T23:00:00Z".parse().unwrap();
        assert_eq!(
            "2026-11-01T00:00:00+01:00".parse(),
            Ok(Date::Instant(instant))
        );
        for wrong in [
            "",
            "31.10.2026",
            "2026-02-30",
            "2026-10-31T23:00:00",
            "yesterday",
        ] {
            assert!(wrong.parse::<Date>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_month_ends_with_its_last_day() {
        let month: Month = "2028-02".parse().unwrap();
        assert_eq!(month.last().to_string(), "2028-02-29");
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month.last().to_string(), "2026-12-31");
        for wrong in ["2026-13", "2026", "2026-1", "26-10", "2026-10-01"] {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }
}
