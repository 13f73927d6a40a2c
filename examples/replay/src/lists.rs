//! Metadata calls: what the newest recorded sync listed, paged and filtered anew.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::answer::{Answer, wrapper};
use crate::paging::Paging;
use crate::recording::{Listing, Recording};
use crate::request::Params;
use crate::time::{self, Bound};

/// Parameters that choose entries by a field of the same name.
const FIELDS: [&str; 7] = [
    "id",
    "domainid",
    "resourcetype",
    "resourceid",
    "key",
    "value",
    "virtualmachineid",
];

/// Answers a metadata call; none where the recording has no such call.
pub(crate) fn answer(
    recording: &Recording,
    command: &str,
    params: &Params,
    now: DateTime<Utc>,
    max_page_size: usize,
) -> Option<Answer> {
    if command.eq_ignore_ascii_case("listCapabilities") {
        return Some(capabilities());
    }
    let recorded = |listings: &[Listing]| {
        listings
            .iter()
            .any(|listing| listing.command().eq_ignore_ascii_case(command))
    };
    if !recording.syncs.values().any(|sync| recorded(sync)) {
        return None;
    }
    let listings: Vec<&Listing> = recording
        .syncs
        .range(..=now)
        .next_back()
        .into_iter()
        .flat_map(|(_, listings)| listings)
        .filter(|listing| is_meant(listing, command, params))
        .collect();
    let paging = match Paging::read(command, params, max_page_size) {
        Ok(paging) => paging,
        Err(refusal) => return Some(refusal),
    };
    let name = listings
        .iter()
        .find_map(|listing| listing.list())
        .map_or("entry", |(name, _)| name);
    let entries: Vec<&Value> = listings
        .iter()
        .filter_map(|listing| listing.list())
        .flat_map(|(_, entries)| entries)
        .filter(|entry| matches(entry, params))
        .collect();
    let page = entries.get(paging.of(entries.len())).unwrap_or_default();
    let page = page.iter().map(|entry| (*entry).clone()).collect();
    Some(Answer::page(command, entries.len(), name, page))
}

/// Whether a recorded call is the one asked for: the same command, with or without projects,
/// and the same `type` where one is given.
fn is_meant(listing: &Listing, command: &str, params: &Params) -> bool {
    let projects = params.get("projectid").is_some();
    listing.command().eq_ignore_ascii_case(command)
        && (listing.params.contains_key("projectid") == projects || !has_both(command))
        && params
            .get("type")
            .is_none_or(|wanted| listing.params.get("type").is_none_or(|kind| kind == wanted))
}

/// Whether a call was recorded with and without projects.
fn has_both(command: &str) -> bool {
    [
        "listVirtualMachines",
        "listVolumes",
        "listTags",
        "listNetworks",
        "listPublicIpAddresses",
        "listSnapshots",
    ]
    .iter()
    .any(|name| name.eq_ignore_ascii_case(command))
}

fn matches(entry: &Value, params: &Params) -> bool {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let fields = FIELDS.iter().all(|name| {
        params
            .get(name)
            .is_none_or(|wanted| text(name) == Some(wanted))
    });
    let project = params
        .get("projectid")
        .is_none_or(|wanted| wanted == "-1" || text("projectid") == Some(wanted));
    let created = text("created").and_then(time::answered);
    let bound = |name, bound| {
        params
            .get(name)
            .and_then(|text| time::requested(text, bound))
    };
    // without a date in the entry or the request nothing is left out
    let not_before = bound("startdate", Bound::Start)
        .is_none_or(|start| created.is_none_or(|created| start <= created));
    let not_after =
        bound("enddate", Bound::End).is_none_or(|end| created.is_none_or(|created| created <= end));
    fields && project && not_before && not_after
}

fn capabilities() -> Answer {
    let mut answer = Answer::page("listCapabilities", 0, "capability", Vec::new());
    answer.wrapper = wrapper("listCapabilities");
    answer.body.insert(
        "capability".to_owned(),
        json!({ "cloudstackversion": crate::VERSION, "defaultuipagesize": 20 }),
    );
    answer
}
