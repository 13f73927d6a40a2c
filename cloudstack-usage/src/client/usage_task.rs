//! Reads every usage record of a range: which page to ask next.

use chrono::TimeDelta;
use sha2::{Digest as _, Sha256};

use super::notice;
use super::options::ClientOptions;
use super::retry::Failure;
use crate::api::{Request, UsageRequest};
use crate::error::{Error, ErrorKind};
use crate::period::Period;
use crate::source::{UsageFetch, UsagePage};
use crate::wire::{Answer, usage_page};

/// A stretch of the records in their order, which is that of their internal ids: asked
/// for as one page, so `len` divides `offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    offset: u64,
    len: u32,
}

impl Stretch {
    /// The stretch cut into pages of its length divided by the smallest divisor of it.
    fn parts(self) -> Vec<Self> {
        let divisor = (2..=self.len)
            .find(|divisor| self.len.is_multiple_of(*divisor))
            .unwrap_or(1);
        let len = self.len / divisor;
        (0..divisor)
            .map(|part| Self {
                offset: self.offset + u64::from(part) * u64::from(len),
                len,
            })
            .collect()
    }
}

/// The state of a fetch.
///
/// Pages are asked for until one is empty: `count` and short pages prove nothing. A page on
/// which CloudStack fails (530: one record that it cannot print spoils the page) is asked
/// for in ever smaller pages, down to the record. Cutting by position and not by type
/// gives every other record exactly once, since their order is stable.
pub(super) struct UsageTask {
    request: UsageRequest,
    range: Period,
    /// Where the next whole page begins.
    next: u64,
    page_size: u32,
    /// Parts of pages that failed, the next one last.
    parts: Vec<Stretch>,
    /// Whether the single record at the end of `parts` has failed before.
    tried_alone: bool,
    last_page: Option<[u8; 32]>,
    done: bool,
    unreadable: u32,
    max_unreadable: u32,
    margin: TimeDelta,
    longest_window: TimeDelta,
    fetch: UsageFetch,
}

impl UsageTask {
    pub(super) fn new(range: Period, options: &ClientOptions) -> Self {
        let margin = TimeDelta::from_std(options.usage_margin).unwrap_or(TimeDelta::MAX);
        let mut request = UsageRequest::widened_by(range, margin).in_dialect(options.dialect);
        if options.include_tags {
            request = request.with_tags();
        }
        Self {
            request,
            range,
            next: 0,
            page_size: options.page_size.max(1),
            parts: Vec::new(),
            tried_alone: false,
            last_page: None,
            done: false,
            unreadable: 0,
            max_unreadable: options.max_unreadable,
            margin,
            longest_window: TimeDelta::zero(),
            fetch: UsageFetch {
                notices: Vec::new(),
                complete: true,
            },
        }
    }

    /// The next request; none when everything was read.
    pub(super) fn next(&self) -> Option<Request> {
        if self.done {
            return None;
        }
        let stretch = self.current();
        let page = stretch.offset / u64::from(stretch.len) + 1;
        Some(self.request.request(page, stretch.len))
    }

    /// Takes what came back for [`next`](Self::next): the records that touch the range.
    pub(super) fn take(&mut self, outcome: Result<Answer, Failure>) -> Result<UsagePage, Error> {
        match outcome {
            Ok(answer) => self.read(&answer),
            Err(failure) => self.recover(failure).map(|()| UsagePage::default()),
        }
    }

    /// The outcome, when there is no next request.
    pub(super) fn finish(mut self) -> UsageFetch {
        if self.longest_window > self.margin {
            self.fetch.notices.push(notice(
                "windows_long",
                format!(
                    "listUsageRecords: there are windows of {} hours, longer than the {} hours asked for on both sides of the range; where one of them lies across its bounds it was not given. Raise usage_margin",
                    self.longest_window.num_hours(),
                    self.margin.num_hours()
                ),
            ));
        }
        self.fetch
    }

    fn current(&self) -> Stretch {
        self.parts.last().copied().unwrap_or(Stretch {
            offset: self.next,
            len: self.page_size,
        })
    }

    fn read(&mut self, answer: &Answer) -> Result<UsagePage, Error> {
        let entries = answer.entries(&["usagerecord"])?;
        if self.parts.pop().is_none() {
            self.done = entries.is_empty();
            self.refuse_repetition(answer.label(), &entries)?;
            self.next += u64::from(self.page_size);
        }
        self.tried_alone = false;
        let mut page = usage_page(answer)?;
        for window in page.records.iter().map(|parsed| parsed.record.window) {
            let length = TimeDelta::milliseconds(window.millis());
            self.longest_window = self.longest_window.max(length);
        }
        page.records
            .retain(|parsed| parsed.record.window.overlaps(&self.range));
        Ok(page)
    }

    /// A page that is the one before again comes from something that does not understand
    /// `page`, such as a cache: reading on would never end, and bill everything twice.
    fn refuse_repetition(&mut self, label: &str, entries: &[&str]) -> Result<(), Error> {
        let mut hash = Sha256::new();
        for entry in entries {
            hash.update(entry.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        let telling = entries.len() > 1 || (self.page_size > 1 && !entries.is_empty());
        if telling && self.last_page == Some(digest) {
            return Err(Error::new(
                ErrorKind::Malformed,
                format!(
                    "{label}: the page repeats the one before; something between this program and CloudStack answers from a cache, or drops parameters"
                ),
            ));
        }
        self.last_page = Some(digest);
        Ok(())
    }

    fn recover(&mut self, failure: Failure) -> Result<(), Error> {
        let current = self.current();
        if let Some(max) = failure.max_page_size()
            && max < current.len
            && self.parts.is_empty()
        {
            self.lower_page_size(max);
            return Ok(());
        }
        if failure.error.kind() != ErrorKind::Internal {
            return Err(failure.error);
        }
        if current.len > 1 {
            self.split(current);
            return Ok(());
        }
        if !self.tried_alone {
            self.tried_alone = true;
            return Ok(());
        }
        self.pass_over(current, failure.error)
    }

    /// The largest page up to `max` that divides what was read already, so that no record
    /// is read twice or missed.
    fn lower_page_size(&mut self, max: u32) {
        let fits = |size: &u32| self.next.is_multiple_of(u64::from(*size));
        let lowered = (1..=max).rev().find(fits).unwrap_or(1);
        self.fetch.notices.push(notice(
            "page_size_reduced",
            format!(
                "listUsageRecords: the server gives {max} records a page at most; asking for {lowered} instead of {}",
                self.page_size
            ),
        ));
        self.page_size = lowered;
    }

    fn split(&mut self, failed: Stretch) {
        if self.parts.pop().is_none() {
            self.next += u64::from(failed.len);
            self.last_page = None;
            self.fetch.notices.push(notice(
                "page_split",
                format!(
                    "listUsageRecords: CloudStack failed on records {} to {} of the range; asking for them in smaller pages",
                    failed.offset + 1,
                    failed.offset + u64::from(failed.len)
                ),
            ));
        }
        self.parts.extend(failed.parts().into_iter().rev());
    }

    fn pass_over(&mut self, record: Stretch, error: Error) -> Result<(), Error> {
        self.unreadable += 1;
        if self.unreadable > self.max_unreadable {
            return Err(error);
        }
        self.fetch.complete = false;
        self.fetch.notices.push(notice(
            "records_unreadable",
            format!(
                "CloudStack fails on the record that {} gives; it is not read ({error})",
                self.request.request(record.offset + 1, 1)
            ),
        ));
        self.tried_alone = false;
        if self.parts.pop().is_none() {
            self.next += u64::from(record.len);
            self.last_page = None;
        }
        Ok(())
    }
}
