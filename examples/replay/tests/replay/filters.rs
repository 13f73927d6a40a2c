//! Paging and filters of `listUsageRecords` against a local filter over all records.

use std::collections::BTreeSet;

use crate::support::{ask, daily, inside};
use chrono::{DateTime, TimeDelta, Utc};
use csbill_replay::{Options, ReplayServer};
use serde_json::Value;

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_default()
}

fn time(record: &Value, name: &str) -> DateTime<Utc> {
    DateTime::parse_from_str(text(record, name), "%Y-%m-%dT%H:%M:%S%z")
        .unwrap()
        .with_timezone(&Utc)
}

/// Reads every page of the given size until an empty one comes.
fn all_pages(server: &ReplayServer, filter: &[(&str, &str)], size: usize) -> Vec<Value> {
    let mut records = Vec::new();
    let size = size.to_string();
    for page in 1.. {
        let page = page.to_string();
        let mut params = vec![
            ("command", "listUsageRecords"),
            ("includetags", "true"),
            ("page", &page),
            ("pagesize", &size),
        ];
        params.extend_from_slice(filter);
        let (status, answer) = ask(server, &params);
        assert_eq!(status, 200, "{answer}");
        let answer = inside(&answer);
        let Some(entries) = answer["usagerecord"].as_array() else {
            let count = usize::try_from(answer["count"].as_u64().unwrap_or(0)).unwrap();
            assert_eq!(count, records.len());
            return records;
        };
        records.extend(entries.iter().cloned());
    }
    unreachable!("the loop ends with an empty page")
}

struct Case {
    name: &'static str,
    params: Vec<(&'static str, String)>,
    local: Box<dyn Fn(&Value) -> bool>,
}

fn case(
    name: &'static str,
    params: Vec<(&'static str, String)>,
    local: impl Fn(&Value) -> bool + 'static,
) -> Case {
    Case {
        name,
        params,
        local: Box::new(local),
    }
}

/// Filters whose values are taken from the recording itself.
fn cases(records: &[Value], domains: &[Value], projects: &[Value]) -> Vec<Case> {
    let parent = domains
        .iter()
        .find(|domain| domain["haschild"] == true && domain["level"].as_u64() == Some(1))
        .expect("a domain with a sub-domain");
    let (id, path) = (
        text(parent, "id").to_owned(),
        text(parent, "path").to_owned(),
    );
    let tree: BTreeSet<String> = domains
        .iter()
        .filter(|d| text(d, "path") == path || text(d, "path").starts_with(&format!("{path}/")))
        .map(|d| text(d, "id").to_owned())
        .collect();
    assert!(tree.len() > 1);
    let project = text(&projects[0], "id").to_owned();
    let by_account = records
        .iter()
        .find(|r| r.get("accountid").is_some())
        .unwrap();
    let account_id = text(by_account, "accountid").to_owned();
    let account = text(by_account, "account").to_owned();
    let account_domain = text(by_account, "domainid").to_owned();
    let with_id = records.iter().find(|r| r["usagetype"] == 6).unwrap();
    let usage_id = text(with_id, "usageid").to_owned();

    let mut cases = vec![case("nothing", vec![], |_| true)];
    let types: BTreeSet<u64> = records
        .iter()
        .filter_map(|r| r["usagetype"].as_u64())
        .collect();
    for usage_type in types {
        cases.push(case(
            "type",
            vec![("type", usage_type.to_string())],
            move |r| r["usagetype"] == usage_type,
        ));
    }
    cases.push(case("domainid", vec![("domainid", id.clone())], {
        let id = id.clone();
        move |r| text(r, "domainid") == id
    }));
    let recursive = vec![("domainid", id), ("isrecursive", "true".into())];
    cases.push(case("domainid recursive", recursive, move |r| {
        tree.contains(text(r, "domainid"))
    }));
    cases.push(case(
        "projectid",
        vec![("projectid", project.clone())],
        move |r| text(r, "projectid") == project,
    ));
    cases.push(case(
        "accountid",
        vec![("accountid", account_id.clone())],
        move |r| text(r, "accountid") == account_id,
    ));
    let named = vec![
        ("account", account.clone()),
        ("domainid", account_domain.clone()),
    ];
    cases.push(case("account", named, move |r| {
        text(r, "account") == account && text(r, "domainid") == account_domain
    }));
    let one = vec![("usageid", usage_id.clone()), ("type", "6".into())];
    cases.push(case("usageid", one, move |r| {
        text(r, "usageid") == usage_id && r["usagetype"] == 6
    }));
    cases
}

#[test]
fn pages_and_filters_give_what_a_local_filter_gives() {
    let recording = daily();
    let records = recording.usage().to_vec();
    // a clock at which every project of the recording still exists, so that all can be asked for
    let now = recording.sync_times()[0];
    let listed = |command| {
        recording
            .listed(command, now)
            .into_iter()
            .cloned()
            .collect()
    };
    let (domains, projects): (Vec<Value>, Vec<Value>) =
        (listed("listDomains"), listed("listProjects"));
    let first = records.iter().map(|r| time(r, "startdate")).min().unwrap();
    let last = records.iter().map(|r| time(r, "enddate")).max().unwrap();
    let mut recording = daily();
    // keep that sync's metadata, and all usage visible
    let server = {
        let times = recording.sync_times();
        assert_eq!(times[0], now);
        recording.keep_syncs(|at| at == now);
        ReplayServer::start(recording, Options::default()).unwrap()
    };
    let day = |time: DateTime<Utc>| time.format("%Y-%m-%d").to_string();
    let iso = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S%z").to_string();
    let space = |time: DateTime<Utc>| time.format("%Y-%m-%d %H:%M:%S").to_string();
    let midnight =
        |time: DateTime<Utc>| time.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    let from = midnight(first + TimeDelta::days(6));
    let two_days = from + TimeDelta::days(2) - TimeDelta::seconds(1);
    let noon = from + TimeDelta::hours(12);
    // (start, end) as sent, and as meant
    let ranges = [
        (day(first), day(last), midnight(first), last, vec![500]),
        (day(from), day(two_days), from, two_days, vec![1, 7, 500]),
        (iso(from), iso(two_days), from, two_days, vec![7, 500]),
        (space(noon), space(two_days), noon, two_days, vec![7, 500]),
    ];
    let mut found = BTreeSet::new();
    for (start, end, from, to, sizes) in &ranges {
        for case in cases(&records, &domains, &projects) {
            let expected: Vec<&Value> = records
                .iter()
                .filter(|r| time(r, "startdate") >= *from && time(r, "enddate") <= *to)
                .filter(|r| (case.local)(r))
                .collect();
            if !expected.is_empty() {
                found.insert(case.name);
            }
            for size in sizes {
                let mut filter = vec![("startdate", start.as_str()), ("enddate", end.as_str())];
                filter.extend(case.params.iter().map(|(n, v)| (*n, v.as_str())));
                let got = all_pages(&server, &filter, *size);
                assert_eq!(
                    got.iter().collect::<Vec<_>>(),
                    expected,
                    "{} from {start} to {end}, {size} a page",
                    case.name
                );
            }
        }
    }
    // a filter that never finds anything would prove nothing
    assert_eq!(found.len(), 8, "{found:?}");
}

#[test]
fn a_window_is_there_only_once_it_had_ended() {
    let recording = daily();
    let records = recording.usage().to_vec();
    let server = ReplayServer::start(recording.clone(), Options::default()).unwrap();
    let range = [("startdate", "1970-01-01"), ("enddate", "2100-01-01")];
    for now in recording.sync_times() {
        server.set_now(now);
        let expected: Vec<&Value> = records
            .iter()
            .filter(|record| time(record, "enddate") < now)
            .collect();
        let got = all_pages(&server, &range, 500);
        assert_eq!(got.iter().collect::<Vec<_>>(), expected);
    }
    // the very instant at which a window ends
    let end = time(&records[0], "enddate");
    server.set_now(end);
    assert!(
        all_pages(&server, &range, 500)
            .iter()
            .all(|r| time(r, "enddate") < end)
    );
    server.set_now(end + TimeDelta::seconds(1));
    assert!(all_pages(&server, &range, 500).contains(&records[0]));
}

#[test]
fn tags_come_only_when_asked_for() {
    let recording = daily();
    let tagged = recording
        .usage()
        .iter()
        .filter(|r| r["tags"] != serde_json::json!([]))
        .count();
    assert!(tagged > 0);
    let server = ReplayServer::start(recording, Options::default()).unwrap();
    let params = [
        ("command", "listUsageRecords"),
        ("startdate", "1970-01-01"),
        ("enddate", "2100-01-01"),
    ];
    let (_, answer) = ask(&server, &params);
    let records = inside(&answer)["usagerecord"].as_array().unwrap();
    // without paging the first 500, and the count of all
    assert_eq!(records.len(), 500);
    assert!(inside(&answer)["count"].as_u64().unwrap() > 500);
    assert!(records.iter().all(|r| r["tags"] == serde_json::json!([])));
}
