//! Which usage a sync has to fetch.

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::store::DEFAULT_CLOUD;
use cloudstack_usage::{Kind, Period};

use crate::error::SyncError;

/// How to sync. The clock is the caller's: nothing here reads one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncOptions {
    /// The name of the cloud in the store.
    pub cloud: String,
    /// The moment of the sync: windows that end later are left for another one.
    pub now: DateTime<Utc>,
    /// How far before the watermark to fetch again, since CloudStack adds records late and
    /// parses old time again (CloudStack: `UsageManagerImpl.parse`). Seven days.
    pub lookback: TimeDelta,
    /// How much more to fetch before that, so that a window cut by the bound is whole: the
    /// longest window to be expected. One day.
    pub margin: TimeDelta,
    /// Where history begins for a store without a watermark; 62 days before now if none.
    pub first_from: Option<DateTime<Utc>>,
    /// Fetch from here at the latest, whatever the watermark: to look again at old time.
    pub since: Option<DateTime<Utc>>,
    /// Whether to fetch usage.
    pub usage: bool,
    /// Which metadata to list; empty for none.
    pub kinds: Vec<Kind>,
}

/// History that a first sync fetches: two months, so that the last whole month is there.
const FIRST_HISTORY: TimeDelta = TimeDelta::days(62);

impl SyncOptions {
    /// A sync of everything at the moment `now`, into the cloud of the default name.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            cloud: DEFAULT_CLOUD.to_owned(),
            now,
            lookback: TimeDelta::days(7),
            margin: TimeDelta::days(1),
            first_from: None,
            since: None,
            usage: true,
            kinds: Kind::ALL.to_vec(),
        }
    }

    /// The same for a cloud of this name.
    #[must_use]
    pub fn cloud(mut self, cloud: impl Into<String>) -> Self {
        self.cloud = cloud.into();
        self
    }

    /// The same with another time to look back.
    #[must_use]
    pub fn lookback(mut self, lookback: TimeDelta) -> Self {
        self.lookback = lookback;
        self
    }

    /// The same with history beginning at `instant` where the store is empty.
    #[must_use]
    pub fn first_from(mut self, instant: DateTime<Utc>) -> Self {
        self.first_from = Some(instant);
        self
    }

    /// The same looking again at everything since `instant`.
    #[must_use]
    pub fn since(mut self, instant: DateTime<Utc>) -> Self {
        self.since = Some(instant);
        self
    }

    /// The same for metadata alone.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.usage = false;
        self
    }

    /// The same listing these kinds of metadata only.
    #[must_use]
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        self.kinds = kinds.into_iter().collect();
        self
    }
}

/// The range of usage to fetch, given how far usage is complete. Half-open, up to now.
///
/// # Errors
/// When the range is empty because a start lies after now, or a time is negative or beyond
/// all dates.
///
/// ```
/// use chrono::DateTime;
/// use cloudstack_usage::Period;
/// use cloudstack_usage_store::{SyncOptions, plan_usage};
///
/// let at = |text| DateTime::parse_from_rfc3339(text).unwrap().to_utc();
/// let options = SyncOptions::new(at("2026-10-15T02:00:00Z"));
/// let range = plan_usage(Some(at("2026-10-14T00:00:00Z")), &options).unwrap();
/// // seven days and a margin of one before the watermark
/// assert_eq!(range, Period::new(at("2026-10-06T00:00:00Z"), options.now).unwrap());
/// ```
pub fn plan_usage(
    watermark: Option<DateTime<Utc>>,
    options: &SyncOptions,
) -> Result<Period, SyncError> {
    let now = options.now;
    if options.lookback < TimeDelta::zero() || options.margin < TimeDelta::zero() {
        return Err(SyncError::options(
            "lookback and margin of a sync must not be negative",
        ));
    }
    let out_of_range = || SyncError::options("the sync reaches back before all dates");
    let back = |from: DateTime<Utc>, by| from.checked_sub_signed(by).ok_or_else(out_of_range);
    let usual = match (watermark, options.first_from) {
        // a watermark after now comes from windows that own-time records let run on
        (Some(watermark), _) => back(watermark.min(now), options.lookback)?,
        (None, Some(first)) => first,
        (None, None) => back(now, FIRST_HISTORY)?,
    };
    let from = options.since.map_or(usual, |since| since.min(usual));
    // checked before the margin, so that a start after now is not hidden by it
    if from > now {
        return Err(SyncError::options(format!(
            "usage from {from} was asked for, but the sync's moment is {now}; give an earlier start"
        )));
    }
    Period::new(back(from, options.margin)?, now).map_err(|_| {
        SyncError::options(format!(
            "there is nothing between {from} and {now} to fetch; give an earlier start"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::days(number)
    }

    #[test]
    fn a_first_sync_reaches_back_62_days_or_to_where_history_begins() {
        let options = SyncOptions::new(day(100));
        let range = plan_usage(None, &options).unwrap();
        assert_eq!(range, Period::new(day(37), day(100)).unwrap());
        let range = plan_usage(None, &options.first_from(day(10))).unwrap();
        assert_eq!(range, Period::new(day(9), day(100)).unwrap());
    }

    #[test]
    fn a_later_sync_ignores_where_history_begins() {
        let options = SyncOptions::new(day(100)).first_from(day(0));
        let range = plan_usage(Some(day(99)), &options).unwrap();
        assert_eq!(range, Period::new(day(91), day(100)).unwrap());
    }

    #[test]
    fn since_looks_back_further_never_less() {
        let options = SyncOptions::new(day(100));
        let range = plan_usage(Some(day(99)), &options.clone().since(day(50))).unwrap();
        assert_eq!(range.start(), day(49));
        let range = plan_usage(Some(day(99)), &options.since(day(98))).unwrap();
        assert_eq!(range.start(), day(91));
    }

    #[test]
    fn a_start_after_now_is_refused_with_the_reason() {
        let options = SyncOptions::new(day(0)).first_from(day(1));
        let error = plan_usage(None, &options).unwrap_err();
        assert_eq!(error.slug(), "sync_options");
        assert!(error.to_string().contains("give an earlier start"));
        let negative = SyncOptions::new(day(0)).lookback(TimeDelta::days(-1));
        assert_eq!(
            plan_usage(None, &negative).unwrap_err().slug(),
            "sync_options"
        );
        let endless = SyncOptions::new(day(0)).lookback(TimeDelta::MAX);
        assert!(plan_usage(Some(day(0)), &endless).is_err());
    }

    proptest! {
        /// Whatever was missed since the watermark, and the time before it that may still
        /// change, lies in the range.
        #[test]
        fn no_time_after_the_horizon_is_left_out(
            watermark in 0_i64..200, now in 0_i64..200, lookback in 0_i64..30, margin in 1_i64..3,
        ) {
            let mut options = SyncOptions::new(day(now)).lookback(TimeDelta::days(lookback));
            options.margin = TimeDelta::days(margin);
            let range = plan_usage(Some(day(watermark)), &options).unwrap();
            prop_assert_eq!(range.end(), day(now));
            prop_assert!(range.start() <= day(watermark - lookback - margin));
        }
    }
}
