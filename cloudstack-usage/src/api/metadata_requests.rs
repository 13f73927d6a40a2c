//! The list calls of a sync.

use chrono::{DateTime, Utc};

use super::dialect::DateDialect;
use super::request::Request;
use crate::metadata::Kind;

/// The calls that list everything of a kind, still without a page. Several calls may name
/// one thing; a [`SnapshotBuilder`](crate::SnapshotBuilder) keeps it once.
///
/// What belongs to accounts or projects is asked for twice, with `projectid=-1` and
/// without: only since 4.13.1 does the former give both. Events are asked for up to `until`,
/// so that new ones do not shift the pages. There is no call for what the API does not list
/// ([`Kind::is_in_api`]).
///
/// ```
/// use cloudstack_usage::{DateDialect, Kind, metadata_requests};
///
/// let calls = metadata_requests(Kind::Vm, None, DateDialect::Absolute);
/// let projects: Vec<_> = calls.iter().map(|call| call.get("projectid")).collect();
/// assert_eq!(projects, [Some("-1"), None]);
/// assert!(calls.iter().all(|call| call.get("listall") == Some("true")));
/// ```
pub fn metadata_requests(
    kind: Kind,
    until: Option<DateTime<Utc>>,
    dialect: DateDialect,
) -> Vec<Request> {
    let call = Request::new(kind.command());
    let all = || {
        Request::new(kind.command())
            .with("listall", true)
            .with("isrecursive", true)
    };
    match kind {
        // without resource counts, which cost the server a query each
        Kind::Domain => vec![call.with("listall", true).with("details", "min")],
        Kind::Account => vec![all().with("details", "min")],
        Kind::Project | Kind::DiskOffering => vec![all()],
        Kind::ServiceOffering => vec![all().with("issystem", false)],
        Kind::Template => vec![
            call.with("templatefilter", "all")
                .with("listall", true)
                .with("showunique", true),
        ],
        Kind::NetworkOffering | Kind::OsType | Kind::OsCategory => vec![call],
        Kind::Zone => vec![call.with("available", false)],
        Kind::TagEvent => ["CREATE_TAGS", "DELETE_TAGS"]
            .into_iter()
            .flat_map(|event| with_and_without_projects(events(event, until, dialect)))
            .collect(),
        Kind::VmEvent => Vec::new(),
        Kind::Vm
        | Kind::Volume
        | Kind::IpAddress
        | Kind::Network
        | Kind::Vpc
        | Kind::Snapshot
        | Kind::Tag => with_and_without_projects(all()),
    }
}

fn with_and_without_projects(call: Request) -> Vec<Request> {
    vec![call.clone().with("projectid", -1), call]
}

fn events(event: &str, until: Option<DateTime<Utc>>, dialect: DateDialect) -> Request {
    let call = Request::new(Kind::TagEvent.command())
        .with("listall", true)
        .with("isrecursive", true)
        .with("type", event);
    match (until, dialect) {
        (Some(until), DateDialect::Absolute) => call.with("enddate", dialect.format(until)),
        // an old server reads it in a time zone of its own: rather all than too few
        _ => call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_asked_for_by_its_own_call() {
        for kind in Kind::ALL {
            let calls = metadata_requests(*kind, None, DateDialect::Absolute);
            assert_eq!(calls.is_empty(), !kind.is_in_api());
            assert!(calls.iter().all(|call| call.command() == kind.command()));
            let projects = calls.iter().any(|call| call.get("projectid") == Some("-1"));
            assert_eq!(projects, kind.is_owned() || *kind == Kind::TagEvent);
        }
    }

    #[test]
    fn events_of_both_kinds_are_asked_for_up_to_a_fixed_moment() {
        let until = DateTime::from_timestamp(1_790_812_800, 0);
        let calls = metadata_requests(Kind::TagEvent, until, DateDialect::Absolute);
        let mut types: Vec<_> = calls.iter().filter_map(|call| call.get("type")).collect();
        types.dedup();
        assert_eq!(types, ["CREATE_TAGS", "DELETE_TAGS"]);
        assert!(
            calls
                .iter()
                .all(|c| c.get("enddate") == Some("2026-10-01T00:00:00+0000"))
        );
    }
}
