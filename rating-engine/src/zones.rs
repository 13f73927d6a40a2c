//! The time zones that civil dates are in, one after the other.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::calendar;

/// A time zone, and others from certain dates on.
///
/// Each date has one zone and so begins at one instant, and a period ends where the next one
/// begins: whatever zone comes after which, no instant is in no period or in two. The day
/// before a change is longer or shorter by what the zones differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Zones {
    first: Tz,
    /// The first date of each later zone, in their order.
    changes: Vec<(NaiveDate, Tz)>,
}

impl From<Tz> for Zones {
    fn from(zone: Tz) -> Self {
        Self {
            first: zone,
            changes: Vec::new(),
        }
    }
}

impl Zones {
    /// Without the changes from `date` on.
    pub(crate) fn until(&self, date: NaiveDate) -> Self {
        let mut zones = self.clone();
        zones.changes.retain(|(from, _)| *from < date);
        zones
    }

    /// The same with another zone from `date` on. None where one begins there already, or
    /// the date would begin before the one before it.
    pub(crate) fn changed(&self, date: NaiveDate, zone: Tz) -> Option<Self> {
        let mut zones = self.clone();
        if date == NaiveDate::MIN && zones.changes.is_empty() {
            zones.first = zone;
            return Some(zones);
        }
        let place = zones.changes.partition_point(|(from, _)| *from < date);
        if zones
            .changes
            .get(place)
            .is_some_and(|(from, _)| *from == date)
        {
            return None;
        }
        zones.changes.insert(place, (date, zone));
        let forward = zones.changes.iter().all(|(from, _)| {
            let before = from.pred_opt().unwrap_or(*from);
            zones.start_of_day(before) < zones.start_of_day(*from)
        });
        forward.then_some(zones)
    }

    /// The zone of a date.
    pub(crate) fn of(&self, date: NaiveDate) -> Tz {
        let mut changes = self.changes.iter().rev();
        changes
            .find(|(from, _)| *from <= date)
            .map_or(self.first, |(_, zone)| *zone)
    }

    /// The zone at an instant.
    pub(crate) fn at(&self, instant: DateTime<Utc>) -> Tz {
        let mut changes = self.changes.iter().rev();
        changes
            .find(|(from, zone)| calendar::start_of_day(*from, *zone) <= instant)
            .map_or(self.first, |(_, zone)| *zone)
    }

    /// The civil date and time at an instant.
    pub(crate) fn civil(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        instant.with_timezone(&self.at(instant)).naive_local()
    }

    /// The date that an instant lies in.
    pub(crate) fn date(&self, instant: DateTime<Utc>) -> NaiveDate {
        let date = self.civil(instant).date();
        // a clock that went on to the date of a change before that date began
        if self.start_of_day(date) <= instant {
            date
        } else {
            date.pred_opt().unwrap_or(date)
        }
    }

    /// The first instant of a date; where a clock change skips midnight, the first instant
    /// after the gap.
    pub(crate) fn start_of_day(&self, date: NaiveDate) -> DateTime<Utc> {
        calendar::start_of_day(date, self.of(date))
    }

    /// The instant of a civil date and time.
    pub(crate) fn instant(&self, civil: NaiveDateTime) -> DateTime<Utc> {
        calendar::instant(civil, self.of(civil.date()))
    }

    /// The first day of the month of an instant.
    pub(crate) fn first_of_month(&self, instant: DateTime<Utc>) -> NaiveDate {
        let date = self.date(instant);
        date.with_day(1).unwrap_or(date)
    }

    /// The day after.
    pub(crate) fn start_of_next_day(&self, date: NaiveDate) -> DateTime<Utc> {
        self.start_of_day(date.checked_add_days(Days::new(1)).unwrap_or(date))
    }

    /// The IANA names, the first one and each later one from its date on.
    pub(crate) fn text(&self) -> String {
        let mut text = self.first.name().to_owned();
        for (from, zone) in &self.changes {
            let _ = write!(text, ", {} from {from}", zone.name());
        }
        text
    }
}
