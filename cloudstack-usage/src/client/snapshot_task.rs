//! Reads the metadata: which list, and which page of it, to ask next.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::notice;
use super::options::ClientOptions;
use super::retry::Failure;
use crate::api::{Request, metadata_requests};
use crate::error::{Error, ErrorKind};
use crate::metadata::Kind;
use crate::source::SnapshotFetch;
use crate::wire::{Answer, SnapshotBuilder};

/// One list call and how far it was read.
struct Listing {
    kind: Kind,
    request: Request,
    page: u64,
    repeats: u32,
    last_page: Vec<String>,
    count: u64,
    /// What was asked in another way at first, and why no longer.
    instead: Option<String>,
}

/// The state of a fetch: the lists still to be read, the current one first.
pub(super) struct SnapshotTask {
    listings: VecDeque<Listing>,
    page_size: u32,
    max_repeats: u32,
    /// Whether the server took the key for any call: then a 401 is about the call alone.
    is_known: bool,
    builder: SnapshotBuilder,
}

impl SnapshotTask {
    /// `is_known` says that the server took the key for an earlier call.
    pub(super) fn new(
        at: DateTime<Utc>,
        kinds: &[Kind],
        options: &ClientOptions,
        is_known: bool,
    ) -> Self {
        let listings = kinds.iter().flat_map(|kind| {
            metadata_requests(*kind, Some(at), options.dialect)
                .into_iter()
                .map(|request| Listing {
                    kind: *kind,
                    request,
                    page: 1,
                    repeats: 0,
                    last_page: Vec::new(),
                    count: 0,
                    instead: None,
                })
        });
        Self {
            listings: listings.collect(),
            page_size: options.page_size.max(1),
            max_repeats: options.max_list_repeats,
            is_known,
            builder: SnapshotBuilder::new(at),
        }
    }

    /// The next request; none when everything was read.
    pub(super) fn next(&self) -> Option<Request> {
        let listing = self.listings.front()?;
        let request = listing.request.clone();
        Some(request.with_page(listing.page, self.page_size))
    }

    /// Takes what came back for [`next`](Self::next).
    pub(super) fn take(&mut self, outcome: Result<Answer, Failure>) -> Result<(), Error> {
        match outcome {
            Ok(answer) => self.read(&answer),
            Err(failure) => self.recover(failure),
        }
    }

    /// The outcome, when there is no next request.
    pub(super) fn finish(self) -> SnapshotFetch {
        self.builder.finish()
    }

    fn read(&mut self, answer: &Answer) -> Result<(), Error> {
        self.is_known = true;
        let Some(listing) = self.listings.front_mut() else {
            return Ok(());
        };
        if let Some(message) = listing.instead.take() {
            self.builder
                .incomplete(listing.kind, notice("list_incomplete", message));
        }
        let added = self.builder.add_answer(listing.kind, answer)?;
        listing.count = listing.count.max(added.count.unwrap_or(0));
        // a call that ignores `page` gives everything again: it was read whole
        let page = self.builder.last_names();
        if added.entries == 0 || page == listing.last_page {
            self.end_of_list();
        } else {
            listing.last_page = page;
            listing.page += 1;
        }
        Ok(())
    }

    /// A list in no stable order may repeat entries and miss others from page to page: it
    /// is read again until it gave as many as it counts.
    ///
    /// Source: `QueryManagerImpl`; volumes are ordered by creation, tags by type alone.
    fn end_of_list(&mut self) {
        let Some(listing) = self.listings.front_mut() else {
            return;
        };
        let unstable = matches!(listing.kind, Kind::Volume | Kind::Tag);
        let named = u64::try_from(self.builder.named_in_call()).unwrap_or(u64::MAX);
        if unstable && named < listing.count {
            let message = format!(
                "{}: read {named} of {} entries",
                listing.request, listing.count
            );
            if listing.repeats < self.max_repeats {
                listing.repeats += 1;
                listing.page = 1;
                listing.last_page.clear();
                let message = format!("{message}; reading the list again");
                self.builder.notice(notice("list_unstable", message));
                return;
            }
            let message = format!("{message}, however often; what is missing is not gone");
            self.builder
                .incomplete(listing.kind, notice("list_unstable", message));
        }
        self.next_list();
    }

    fn next_list(&mut self) {
        self.listings.pop_front();
        self.builder.begin_call();
    }

    fn recover(&mut self, failure: Failure) -> Result<(), Error> {
        let Some(listing) = self.listings.front_mut() else {
            return Err(failure.error);
        };
        if let Some(max) = failure.max_page_size().filter(|max| *max < self.page_size) {
            self.builder.notice(notice(
                "page_size_reduced",
                format!(
                    "{}: the server gives {max} entries a page at most; asking for them instead of {}",
                    listing.request.command(),
                    self.page_size
                ),
            ));
            self.page_size = max;
            listing.page = 1;
            return Ok(());
        }
        let slug = match failure.error.kind() {
            ErrorKind::NotPermitted => "call_not_permitted",
            // an unknown command, and in some versions one that the role may not make
            ErrorKind::Unauthorized if self.is_known => "call_not_permitted",
            ErrorKind::Parameter | ErrorKind::Internal | ErrorKind::Refused => "call_refused",
            _ => return Err(failure.error),
        };
        if let Some(narrower) = narrower(&listing.request) {
            listing.instead = Some(format!(
                "{}; asking for {} ones instead",
                failure.error,
                narrower.get(TEMPLATE_FILTER).unwrap_or_default()
            ));
            listing.request = narrower;
            listing.page = 1;
            return Ok(());
        }
        let kind = listing.kind;
        let message = failure.error.to_string();
        self.builder.incomplete(kind, notice(slug, message));
        if slug == "call_not_permitted" {
            self.listings.retain(|listing| listing.kind != kind);
            self.builder.begin_call();
        } else {
            // the same list with, or without, projects may still be given
            self.next_list();
        }
        Ok(())
    }
}

const TEMPLATE_FILTER: &str = "templatefilter";

/// The call for fewer things of the kind, where there is one: all templates are shown to
/// root admins alone (CloudStack: `QueryManagerImpl.searchForTemplatesInternal`).
fn narrower(request: &Request) -> Option<Request> {
    let filter = match request.get(TEMPLATE_FILTER)? {
        "all" => "executable",
        "executable" => "self",
        _ => return None,
    };
    Some(request.clone().with(TEMPLATE_FILTER, filter))
}
