//! What the usage server's jobs covered: usage that was never measured is not usage of zero.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value as Json;

use super::database::{Database, Object, datetime};
use super::schema::Schema;
use crate::error::Error;
use crate::period::Period;
use crate::source::Notice;

/// A job begins a millisecond after the last one ended.
const SEAM: TimeDelta = TimeDelta::seconds(1);

/// What is to be said of the jobs that should have covered `range`.
pub(super) fn notices(
    database: &mut Database,
    schema: &Schema,
    range: Period,
) -> Result<Vec<Notice>, Error> {
    if !schema.has_usage_column("usage_job", "success") {
        let message = "the table usage_job may not be read: whether the usage server covered \
                       all of the time is not known";
        return Ok(vec![notice("usage_jobs_unknown", message.to_owned())]);
    }
    let sql = format!(
        "SELECT start_millis, end_millis FROM {} WHERE success = 1 AND end_date >= ?
         ORDER BY start_millis",
        schema.usage("usage_job")
    );
    let rows = database.rows(&sql, vec![datetime(range.start())])?;
    let jobs: Vec<Period> = rows.iter().filter_map(covered).collect();
    Ok(gaps(&jobs, range)
        .into_iter()
        .map(|gap| {
            let message = format!(
                "no job of the usage server covered {gap}: what was used then is in no record"
            );
            notice("usage_not_measured", message)
        })
        .collect())
}

fn notice(slug: &str, message: String) -> Notice {
    Notice {
        slug: slug.to_owned(),
        message,
    }
}

fn covered(job: &Object) -> Option<Period> {
    let millis = |name: &str| job.get(name).and_then(Json::as_i64);
    let start = DateTime::from_timestamp_millis(millis("start_millis")?)?;
    // the last millisecond that it covered
    let end = DateTime::from_timestamp_millis(millis("end_millis")?.checked_add(1)?)?;
    Period::new(start, end).ok()
}

/// The time between jobs, in order of their starts, that lies in the range. Before the first
/// and after the last nothing is said: the usage server was not there yet, or will come.
fn gaps(jobs: &[Period], range: Period) -> Vec<Period> {
    let mut gaps = Vec::new();
    let mut until: Option<DateTime<Utc>> = None;
    for job in jobs {
        if let Some(until) = until
            && let Ok(gap) = Period::new(until, job.start())
            && gap.end() - gap.start() > SEAM
        {
            gaps.extend(gap.intersect(&range));
        }
        until = until.max(Some(job.end()));
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(start: i64, end: i64) -> Period {
        let at = |hour| DateTime::from_timestamp(1_790_000_000 + hour * 3600, 0).unwrap();
        Period::new(at(start), at(end)).unwrap()
    }

    #[test]
    fn gaps_are_told_within_the_range_and_overlaps_are_none() {
        let jobs = [period(0, 24), period(12, 48), period(72, 96)];
        assert_eq!(gaps(&jobs, period(0, 200)), [period(48, 72)]);
        assert_eq!(gaps(&jobs, period(50, 60)), [period(50, 60)]);
        assert!(gaps(&jobs, period(80, 90)).is_empty());
        assert!(gaps(&[], period(0, 1)).is_empty());
    }
}
