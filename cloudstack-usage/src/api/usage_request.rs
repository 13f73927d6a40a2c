//! `listUsageRecords` as a request.

use chrono::{DateTime, TimeDelta, Utc};

use super::dialect::DateDialect;
use super::request::Request;
use crate::period::Period;
use crate::usage_type::UsageType;

/// What to ask of `listUsageRecords`.
///
/// ```
/// use cloudstack_usage::{DateDialect, Period, UsageRequest, UsageType};
///
/// let range = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
/// let request = UsageRequest::new(range).of_type(UsageType::Volume).request(1, 500);
/// assert_eq!(request.get("startdate"), Some("2026-10-01T00:00:00+0000"));
/// assert_eq!(request.get("enddate"), Some("2026-10-31T23:59:59+0000"));
/// assert_eq!(request.get("type"), Some("6"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRequest {
    range: Period,
    dialect: DateDialect,
    usage_type: Option<UsageType>,
    include_tags: bool,
}

impl UsageRequest {
    /// All records that lie wholly within `range`. CloudStack leaves out records that begin
    /// before it or end after it; see [`UsageRequest::widened`].
    pub fn new(range: Period) -> Self {
        Self {
            range,
            dialect: DateDialect::default(),
            usage_type: None,
            include_tags: false,
        }
    }

    /// All records that touch `range`, and some that do not: 25 hours are added on both
    /// sides. No window of daily usage is longer: one day, and up to a minute that the
    /// usage server adds to the first window after an outage.
    pub fn widened(range: Period) -> Self {
        Self::widened_by(range, TimeDelta::hours(25))
    }

    /// The same with `margin` on both sides, where windows are longer than a day.
    pub fn widened_by(range: Period, margin: TimeDelta) -> Self {
        let start = range.start().checked_sub_signed(margin);
        let end = range.end().checked_add_signed(margin);
        Self::new(start.zip(end).map_or(range, |(start, end)| {
            Period::new(start, end).unwrap_or(range)
        }))
    }

    /// The same for a server with other dates.
    #[must_use]
    pub fn in_dialect(mut self, dialect: DateDialect) -> Self {
        self.dialect = dialect;
        self
    }

    /// Records of one type only.
    #[must_use]
    pub fn of_type(mut self, usage_type: UsageType) -> Self {
        self.usage_type = Some(usage_type);
        self
    }

    /// Records with the tags that their resources carry **now**. The server loads every tag
    /// of the cloud for each page then.
    #[must_use]
    pub fn with_tags(mut self) -> Self {
        self.include_tags = true;
        self
    }

    /// The request of one page: `page` from 1, `size` records.
    pub fn request(&self, page: u64, size: u32) -> Request {
        let last_second = self.range.end() - TimeDelta::seconds(1);
        let mut request = Request::new("listUsageRecords")
            .with("startdate", self.date(self.range.start()))
            .with("enddate", self.date(last_second.max(self.range.start())))
            .with("listall", true)
            .with("isrecursive", true);
        if let Some(usage_type) = self.usage_type {
            request = request.with("type", usage_type.id());
        }
        if self.include_tags {
            request = request.with("includetags", true);
        }
        request.with_page(page, size)
    }

    /// Years beyond four digits, and those before any usage, are no dates to CloudStack.
    fn date(&self, instant: DateTime<Utc>) -> String {
        let first = DateTime::UNIX_EPOCH;
        let last = DateTime::from_timestamp(253_370_764_800, 0).unwrap_or(first); // year 9999
        self.dialect.format(instant.clamp(first, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widened_range_holds_every_window_that_touches_it() {
        let range = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
        let request = UsageRequest::widened(range).with_tags().request(3, 100);
        assert_eq!(request.get("startdate"), Some("2026-09-29T23:00:00+0000"));
        assert_eq!(request.get("enddate"), Some("2026-11-02T00:59:59+0000"));
        assert_eq!(request.get("includetags"), Some("true"));
        assert_eq!(
            (request.get("page"), request.get("pagesize")),
            (Some("3"), Some("100"))
        );
    }

    #[test]
    fn all_of_time_can_be_asked_for() {
        let request = UsageRequest::widened(Period::always()).request(1, 500);
        assert_eq!(request.get("startdate"), Some("1970-01-01T00:00:00+0000"));
        assert!(
            request
                .get("enddate")
                .is_some_and(|date| date.starts_with("9999-"))
        );
    }
}
