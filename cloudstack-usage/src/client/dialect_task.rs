//! Finds out how the server takes dates: by its version, and for an old one by the time
//! zone that it prints dates in.

use chrono::{DateTime, TimeDelta, Utc};

use super::notice;
use super::retry::Failure;
use crate::api::{DateDialect, Request, UsageRequest};
use crate::error::{Error, ErrorKind};
use crate::period::Period;
use crate::source::Notice;
use crate::wire::{Answer, usage_offset_minutes};

/// How far back to look for a usage record.
const LOOK_BACK: TimeDelta = TimeDelta::days(62);

enum Step {
    Version,
    Zone,
    Done,
}

/// The state of the question.
pub(super) struct DialectTask {
    now: DateTime<Utc>,
    step: Step,
    dialect: DateDialect,
    notices: Vec<Notice>,
}

impl DialectTask {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            now,
            step: Step::Version,
            dialect: DateDialect::default(),
            notices: Vec::new(),
        }
    }

    /// The next request; none when the answer is known.
    pub(super) fn next(&self) -> Option<Request> {
        match self.step {
            Step::Version => Some(Request::new("listCapabilities")),
            Step::Zone => {
                let start = self.now.checked_sub_signed(LOOK_BACK)?;
                let recent = Period::new(start, self.now).ok()?;
                let usage = UsageRequest::widened(recent).in_dialect(self.dialect);
                Some(usage.request(1, 1))
            }
            Step::Done => None,
        }
    }

    /// Takes what came back for [`next`](Self::next). A server that does not tell is none
    /// to give up: whether it answers at all, the calls that matter will show.
    pub(super) fn take(&mut self, outcome: Result<Answer, Failure>) -> Result<(), Error> {
        let answer = match outcome {
            Ok(answer) => Some(answer),
            Err(failure) if is_a_no(failure.error.kind()) => None,
            Err(failure) => return Err(failure.error),
        };
        match self.step {
            Step::Version => self.version(answer.and_then(|answer| answer.version())),
            Step::Zone => self.zone(answer.and_then(|answer| usage_offset_minutes(&answer))),
            Step::Done => {}
        }
        Ok(())
    }

    /// The answer, and what is doubtful about it.
    pub(super) fn finish(self) -> (DateDialect, Vec<Notice>) {
        (self.dialect, self.notices)
    }

    fn version(&mut self, version: Option<String>) {
        self.step = Step::Done;
        match version {
            Some(version) => {
                self.dialect = DateDialect::for_version(&version, 0);
                if self.dialect != DateDialect::Absolute {
                    self.step = Step::Zone;
                }
            }
            None => self.notices.push(notice(
                "version_unknown",
                "listCapabilities: the server does not tell its version; dates are sent as 4.20 and later take them".to_owned(),
            )),
        }
    }

    fn zone(&mut self, offset_minutes: Option<i32>) {
        self.step = Step::Done;
        match offset_minutes {
            Some(offset_minutes) => self.dialect = DateDialect::WallClock { offset_minutes },
            None => self.notices.push(notice(
                "time_zone_unknown",
                "listUsageRecords: no record tells the aggregation time zone; dates are sent in UTC".to_owned(),
            )),
        }
    }
}

/// Whether the server understood and refused, rather than being ill. 401 is what some
/// versions say to a call that the role may not make; a wrong key shows with the next call.
fn is_a_no(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unauthorized
            | ErrorKind::NotPermitted
            | ErrorKind::Parameter
            | ErrorKind::Internal
            | ErrorKind::Refused
    )
}
