//! The clients against a server on this machine that misbehaves as CloudStack and what
//! stands before it do.
#![cfg(all(feature = "blocking", feature = "async"))]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its server is not what it says"
)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::DateTime;
use cloudstack_usage::{
    AsyncClient, BlockingClient, ClientOptions, Credentials, Error, ErrorKind, HttpMethod, Kind,
    Period, Secret, SnapshotFetch, Source, UsageFetch, verify,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

const SECRET: &str = "secret";

type Params = BTreeMap<String, String>;

/// A server with lists that it pages through, and mishaps that come before its answers.
#[derive(Clone, Default)]
struct Cloud {
    lists: BTreeMap<&'static str, Vec<Value>>,
    max_page: usize,
    /// Usage records that spoil their page.
    bad: BTreeSet<usize>,
    /// Commands that the role may not make.
    forbidden: BTreeSet<&'static str>,
    /// Parameter and value that a command is refused for, with the code.
    refused: Vec<(&'static str, &'static str, &'static str, u16)>,
    /// What `listCapabilities` says.
    version: Option<&'static str>,
    /// Answers to give before any other, in order.
    mishaps: Arc<Mutex<VecDeque<ResponseTemplate>>>,
    /// Lists that come in another order per page, for as many calls.
    shuffled: Arc<Mutex<usize>>,
    ignores_page: bool,
    seen: Arc<Mutex<Vec<Params>>>,
}

fn ok(body: &Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn refusal(code: u16, text: &str) -> ResponseTemplate {
    let body = json!({"errorresponse": {"uuidList": [], "errorcode": code, "errortext": text}});
    ResponseTemplate::new(code).set_body_json(body)
}

fn list_name(command: &str) -> String {
    match command {
        "listUsageRecords" => "usagerecord".to_owned(),
        "listEvents" => "event".to_owned(),
        "listOsCategories" => "oscategory".to_owned(),
        "listPublicIpAddresses" => "publicipaddress".to_owned(),
        other => other
            .trim_start_matches("list")
            .trim_end_matches('s')
            .to_lowercase(),
    }
}

impl Cloud {
    fn with(command: &'static str, entries: Vec<Value>) -> Self {
        Self {
            lists: BTreeMap::from([(command, entries)]),
            max_page: 500,
            ..Self::default()
        }
    }

    fn mishap(self, answer: ResponseTemplate) -> Self {
        self.mishaps.lock().unwrap().push_back(answer);
        self
    }

    fn answer(&self, params: &Params) -> ResponseTemplate {
        let number = |name: &str| params.get(name).map(|text| text.parse::<usize>().unwrap());
        let command = params["command"].as_str();
        if self.forbidden.contains(command) {
            return refusal(432, &format!("The API [{command}] does not exist"));
        }
        let refused = |(known, name, value, _): &&(&str, &str, &str, u16)| {
            *known == command && params.get(*name).is_some_and(|given| given == value)
        };
        if let Some((_, name, _, code)) = self.refused.iter().find(refused) {
            return refusal(*code, &format!("not this {name}"));
        }
        if let (Some(version), "listCapabilities") = (self.version, command) {
            let capability = json!({"cloudstackversion": version});
            return ok(&json!({"listcapabilitiesresponse": {"capability": capability}}));
        }
        let (page, size) = (
            number("page").unwrap_or(1),
            number("pagesize").unwrap_or(500),
        );
        if size > self.max_page {
            let text = format!(
                "Page size can't exceed max allowed page size value: {}",
                self.max_page
            );
            return refusal(431, &text);
        }
        let entries = self.lists.get(command).cloned().unwrap_or_default();
        let start = if self.ignores_page {
            0
        } else {
            (page - 1) * size
        };
        let asked = start..(start + size).min(entries.len());
        if self.bad.iter().any(|bad| asked.contains(bad)) {
            return refusal(530, "Internal error executing command");
        }
        let mut order = entries.clone();
        let mut shuffled = self.shuffled.lock().unwrap();
        if *shuffled > 0 {
            *shuffled -= 1;
            order.rotate_left(page % entries.len().max(1));
        }
        let list: Vec<_> = order.into_iter().skip(start).take(size).collect();
        let mut body = json!({"count": entries.len()});
        if !list.is_empty() {
            body[list_name(command)] = list.into();
        }
        ok(&json!({ format!("{}response", command.to_lowercase()): body }))
    }
}

impl Respond for Cloud {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let mut url = request.url.clone();
        if !request.body.is_empty() {
            url.set_query(Some(std::str::from_utf8(&request.body).unwrap()));
        }
        let params: Params = url.query_pairs().into_owned().collect();
        let pairs: Vec<_> = params.clone().into_iter().collect();
        if !verify(&pairs, &Secret::new(SECRET)) || params["signatureversion"] != "3" {
            return refusal(
                401,
                "unable to verify user credentials and/or request signature",
            );
        }
        self.seen.lock().unwrap().push(params.clone());
        if let Some(mishap) = self.mishaps.lock().unwrap().pop_front() {
            return mishap;
        }
        self.answer(&params)
    }
}

fn record(number: usize) -> Value {
    let day = number % 28 + 1;
    json!({
        "accountid": "a", "domainid": "d", "usagetype": 2, "usageid": format!("vm-{number}"),
        "rawusage": "24", "usage": "24 Hrs", "description": "a VM",
        "startdate": format!("2026-10-{day:02}T00:00:00+0000"),
        "enddate": format!("2026-10-{day:02}T23:59:59+0000"),
    })
}

fn records(number: usize) -> Vec<Value> {
    (0..number).map(record).collect()
}

fn october() -> Period {
    Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap()
}

fn options(page_size: u32) -> ClientOptions {
    ClientOptions {
        page_size,
        min_delay: Duration::from_millis(1),
        max_delay: Duration::from_millis(50),
        max_attempts: 4,
        ..ClientOptions::default()
    }
}

/// A running server, and both clients of it.
struct Stage {
    runtime: Runtime,
    server: MockServer,
    cloud: Cloud,
}

impl Stage {
    fn new(cloud: Cloud) -> Self {
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(any())
                .respond_with(cloud.clone())
                .mount(&server)
                .await;
            server
        });
        Self {
            runtime,
            server,
            cloud,
        }
    }

    fn blocking(&self, options: ClientOptions) -> BlockingClient {
        BlockingClient::new(&self.server.uri(), Credentials::new("key", SECRET), options).unwrap()
    }

    fn usage(&self, options: ClientOptions) -> Result<(UsageFetch, Vec<String>), Error> {
        let mut read = Vec::new();
        let fetch = self.blocking(options).usage(october(), &mut |page| {
            assert!(page.rejections.is_empty());
            let ids = page.records.iter();
            read.extend(ids.map(|parsed| parsed.record.identity().to_string()));
            Ok(())
        })?;
        Ok((fetch, read))
    }

    fn snapshot(&self, kinds: &[Kind], options: ClientOptions) -> Result<SnapshotFetch, Error> {
        let at = DateTime::from_timestamp(1_790_812_800, 0).unwrap();
        self.blocking(options).snapshot(at, kinds)
    }

    fn calls(&self) -> Vec<Params> {
        self.cloud.seen.lock().unwrap().clone()
    }
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|n| format!("vm-{n}")).collect()
}

fn slugs(fetch: &UsageFetch) -> Vec<&str> {
    fetch
        .notices
        .iter()
        .map(|notice| notice.slug.as_str())
        .collect()
}

#[test]
fn every_page_is_read_until_one_is_empty() {
    for (total, size, pages) in [(0, 5, 1), (3, 5, 2), (10, 5, 3), (11, 5, 4)] {
        for method in [HttpMethod::Get, HttpMethod::Post] {
            let stage = Stage::new(Cloud::with("listUsageRecords", records(total)));
            let options = ClientOptions {
                method,
                ..options(size)
            };
            let (fetch, read) = stage.usage(options).unwrap();
            assert!(fetch.complete && fetch.notices.is_empty());
            assert_eq!(read, ids(0..total));
            assert_eq!(stage.calls().len(), pages);
        }
    }
}

#[test]
fn more_is_asked_for_and_what_lies_outside_is_left_out() {
    let mut entries = records(3);
    for (entry, day) in entries.iter_mut().zip(["2026-09-30", "2026-11-01"]) {
        entry["startdate"] = format!("{day}T00:00:00+0000").into();
        entry["enddate"] = format!("{day}T23:59:59+0000").into();
    }
    let stage = Stage::new(Cloud::with("listUsageRecords", entries));
    let (_, read) = stage.usage(options(5)).unwrap();
    assert_eq!(read, ids([2]));
    let asked = &stage.calls()[0];
    assert!(asked["startdate"].as_str() < "2026-09-30T00:00:00");
    assert!(asked["enddate"].as_str() > "2026-11-02T00:00:00");
}

#[test]
fn mishaps_that_pass_are_lived_through_and_signed_anew() {
    let cloud = Cloud::with("listUsageRecords", records(7))
        .mishap(refusal(429, "please retry after [20] ms."))
        .mishap(ResponseTemplate::new(503).set_body_string("<html>starting</html>"))
        .mishap(ResponseTemplate::new(200).set_body_string(r#"{"listusagerecordsresponse":{"cou"#));
    let stage = Stage::new(cloud);
    let (fetch, read) = stage.usage(options(5)).unwrap();
    assert!(fetch.complete && fetch.notices.is_empty());
    assert_eq!(read, ids(0..7));
    assert_eq!(stage.calls().len(), 3 + 3);
}

#[test]
fn mishaps_that_do_not_pass_end_the_fetch_with_their_kind() {
    let html = || ResponseTemplate::new(200).set_body_string("<!DOCTYPE html><html></html>");
    let unavailable = || ResponseTemplate::new(503);
    for (answer, kind) in [
        (html as fn() -> ResponseTemplate, ErrorKind::Malformed),
        (unavailable, ErrorKind::Unavailable),
    ] {
        let mut cloud = Cloud::with("listUsageRecords", records(1));
        for _ in 0..4 {
            cloud = cloud.mishap(answer());
        }
        let stage = Stage::new(cloud);
        let error = stage.usage(options(5)).unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(stage.calls().len(), 4);
    }
}

#[test]
fn a_wrong_key_stops_at_once_and_is_not_shown() {
    let cloud = Cloud::with("listUsageRecords", records(1));
    let stage = Stage::new(cloud);
    let credentials = Credentials::new("the-api-key", "the-wrong-secret");
    let mut client = BlockingClient::new(&stage.server.uri(), credentials, options(5)).unwrap();
    let error = client.usage(october(), &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let received = stage.runtime.block_on(stage.server.received_requests());
    assert_eq!(received.unwrap().len(), 1);
    let shown = format!("{error} {error:?} {client:?}");
    assert!(
        !shown.contains("the-api-key") && !shown.contains("the-wrong-secret"),
        "{shown}"
    );
    assert!(error.to_string().contains("API key"));
}

#[test]
fn a_server_that_cannot_be_reached_is_an_error_without_keys() {
    // a port that was free a moment ago, with nobody behind it
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/client/api", listener.local_addr().unwrap());
    drop(listener);
    let options = ClientOptions {
        method: HttpMethod::Get,
        ..options(5)
    };
    let mut client =
        BlockingClient::new(&uri, Credentials::new("the-api-key", SECRET), options).unwrap();
    let error = client.version().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transport);
    let shown = format!("{error} {error:?}");
    assert!(
        !shown.contains("the-api-key") && !shown.contains("signature"),
        "{shown}"
    );
}

#[test]
fn a_page_that_is_too_large_is_asked_for_smaller() {
    let mut cloud = Cloud::with("listUsageRecords", records(7));
    cloud.max_page = 3;
    let stage = Stage::new(cloud);
    let (fetch, read) = stage.usage(options(500)).unwrap();
    assert_eq!(read, ids(0..7));
    assert!(fetch.complete);
    assert_eq!(slugs(&fetch), ["page_size_reduced"]);
    assert!(
        fetch.notices[0].message.contains('3'),
        "{}",
        fetch.notices[0].message
    );
}

#[test]
fn records_that_spoil_their_page_are_found_and_named_and_all_others_read() {
    for (total, size, bad) in [
        (30, 12, vec![13]),
        (30, 12, vec![0, 29]),
        (8, 8, vec![2, 3]),
    ] {
        let mut cloud = Cloud::with("listUsageRecords", records(total));
        cloud.bad = bad.iter().copied().collect();
        let stage = Stage::new(cloud);
        let (fetch, read) = stage.usage(options(size)).unwrap();
        assert!(!fetch.complete);
        assert_eq!(read, ids((0..total).filter(|n| !bad.contains(n))));
        let unreadable: Vec<_> = fetch
            .notices
            .iter()
            .filter(|notice| notice.slug == "records_unreadable")
            .collect();
        assert_eq!(unreadable.len(), bad.len());
        for (notice, bad) in unreadable.iter().zip(&bad) {
            let named = format!("page={}&pagesize=1 ", bad + 1);
            assert!(notice.message.contains(&named), "{}", notice.message);
        }
    }
}

#[test]
fn a_failure_that_passes_costs_no_record() {
    let cloud = Cloud::with("listUsageRecords", records(10)).mishap(refusal(530, "once"));
    let stage = Stage::new(cloud);
    let (fetch, read) = stage.usage(options(6)).unwrap();
    assert!(fetch.complete);
    assert_eq!((read, slugs(&fetch)), (ids(0..10), vec!["page_split"]));
}

#[test]
fn a_server_that_fails_on_everything_ends_the_fetch() {
    let mut cloud = Cloud::with("listUsageRecords", records(40));
    cloud.bad = (0..40).collect();
    let options = ClientOptions {
        max_unreadable: 5,
        ..options(8)
    };
    let error = Stage::new(cloud).usage(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn a_page_that_repeats_is_not_billed_for_ever() {
    let mut cloud = Cloud::with("listUsageRecords", records(5));
    cloud.ignores_page = true;
    let error = Stage::new(cloud).usage(options(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("repeats"));
}

#[test]
fn an_error_of_the_sink_ends_the_fetch() {
    let stage = Stage::new(Cloud::with("listUsageRecords", records(9)));
    let error = stage
        .blocking(options(3))
        .usage(october(), &mut |_| Err(Error::new(ErrorKind::Sink, "full")))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Sink);
    assert_eq!(stage.calls().len(), 1);
}

fn volume(number: usize) -> Value {
    json!({"id": format!("v{number}"), "domainid": "d", "projectid": "p"})
}

#[test]
fn a_call_that_is_not_permitted_leaves_its_kind_out() {
    let mut cloud = Cloud::with("listVolumes", vec![volume(1)]);
    cloud.forbidden = BTreeSet::from(["listZones"]);
    let fetch = Stage::new(cloud)
        .snapshot(&[Kind::Zone, Kind::Volume], options(5))
        .unwrap();
    assert_eq!(fetch.snapshot.complete, BTreeSet::from([Kind::Volume]));
    assert_eq!(fetch.snapshot.volumes.len(), 1);
    assert_eq!(fetch.notices.len(), 1);
    assert_eq!(fetch.notices[0].slug, "call_not_permitted");
    assert!(fetch.notices[0].message.contains("listZones"));
}

#[test]
fn every_kind_is_listed_with_and_without_projects_and_pages_are_adapted() {
    let mut cloud = Cloud::with("listVolumes", (0..7).map(volume).collect());
    cloud.max_page = 2;
    let stage = Stage::new(cloud);
    let fetch = stage.snapshot(Kind::ALL, options(500)).unwrap();
    let in_api: BTreeSet<Kind> = Kind::ALL
        .iter()
        .copied()
        .filter(|kind| kind.is_in_api())
        .collect();
    assert_eq!(fetch.snapshot.complete, in_api);
    assert_eq!(fetch.snapshot.volumes.len(), 7);
    let calls = stage.calls();
    for kind in &in_api {
        assert!(
            calls.iter().any(|call| call["command"] == kind.command()),
            "{kind:?}"
        );
    }
    let projects: BTreeSet<_> = calls
        .iter()
        .filter(|call| call["command"] == "listVolumes")
        .map(|call| call.get("projectid").cloned())
        .collect();
    assert_eq!(projects, BTreeSet::from([None, Some("-1".to_owned())]));
    assert_eq!(fetch.notices.len(), 1);
    assert_eq!(fetch.notices[0].slug, "page_size_reduced");
}

#[test]
fn a_list_in_no_stable_order_is_read_again_until_it_is_whole() {
    let cloud = Cloud::with("listVolumes", (0..6).map(volume).collect());
    *cloud.shuffled.lock().unwrap() = 3;
    let fetch = Stage::new(cloud)
        .snapshot(&[Kind::Volume], options(2))
        .unwrap();
    assert_eq!(fetch.snapshot.volumes.len(), 6);
    assert!(fetch.snapshot.complete.contains(&Kind::Volume));
    assert!(
        fetch
            .notices
            .iter()
            .all(|notice| notice.slug == "list_unstable")
    );
    assert!(!fetch.notices.is_empty());
}

#[test]
fn a_list_that_never_gets_whole_is_not_complete() {
    let cloud = Cloud::with("listVolumes", (0..6).map(volume).collect());
    *cloud.shuffled.lock().unwrap() = usize::MAX;
    let options = ClientOptions {
        max_list_repeats: 2,
        ..options(3)
    };
    let fetch = Stage::new(cloud)
        .snapshot(&[Kind::Volume], options)
        .unwrap();
    assert!(!fetch.snapshot.complete.contains(&Kind::Volume));
    assert!(!fetch.snapshot.volumes.is_empty());
}

#[test]
fn a_metadata_call_that_ignores_pages_ends() {
    let mut cloud = Cloud::with("listVolumes", (0..3).map(volume).collect());
    cloud.ignores_page = true;
    let fetch = Stage::new(cloud)
        .snapshot(&[Kind::Volume], options(5))
        .unwrap();
    assert_eq!(fetch.snapshot.volumes.len(), 3);
    assert!(fetch.snapshot.complete.contains(&Kind::Volume));
}

#[test]
fn progress_is_told_and_changing_calls_are_refused() {
    let stage = Stage::new(Cloud::with("listUsageRecords", records(7)));
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let mut client = stage.blocking(options(5)).on_progress(move |progress| {
        listener
            .lock()
            .unwrap()
            .push((progress.pages, progress.entries, progress.count));
    });
    client.usage(october(), &mut |_| Ok(())).unwrap();
    assert_eq!(
        *told.lock().unwrap(),
        [(1, 5, Some(7)), (2, 7, Some(7)), (3, 7, Some(7))]
    );
    let destroy = cloudstack_usage::Request::new("destroyVirtualMachine");
    assert_eq!(
        client.call(&destroy).unwrap_err().kind(),
        ErrorKind::Configuration
    );
}

#[test]
fn the_asynchronous_client_reads_the_same() {
    let mut cloud = Cloud::with("listUsageRecords", records(30))
        .mishap(refusal(429, "please retry after 5 ms."))
        .mishap(ResponseTemplate::new(502));
    cloud.bad = BTreeSet::from([13]);
    cloud.max_page = 12;
    cloud.forbidden = BTreeSet::from(["listZones"]);
    cloud
        .lists
        .insert("listVolumes", (0..3).map(volume).collect());
    let stage = Stage::new(cloud.clone());
    let (expected, records) = stage.usage(options(500)).unwrap();
    let kinds = [Kind::Zone, Kind::Volume];
    let listed = stage.snapshot(&kinds, options(5)).unwrap();
    let credentials = Credentials::new("key", SECRET);
    let mut client = AsyncClient::new(&stage.server.uri(), credentials, options(500)).unwrap();
    let mut read = Vec::new();
    stage.runtime.block_on(async {
        let fetch = client
            .usage(october(), &mut |page| {
                let ids = page.records.iter();
                read.extend(ids.map(|parsed| parsed.record.identity().to_string()));
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(fetch, expected);
        let fetch = client.snapshot(listed.snapshot.at, &kinds).await.unwrap();
        assert_eq!(fetch.snapshot, listed.snapshot);
    });
    assert_eq!(read, records);
}

/// A moment in the month of the records.
fn moment() -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(1_793_000_000, 0).unwrap()
}

#[test]
fn the_dates_of_a_server_follow_its_version_and_its_time_zone() {
    let old = |date: &str| {
        let mut entry = record(4);
        entry["startdate"] = format!("2026-10-05'T'00:00:00{date}").into();
        entry["enddate"] = format!("2026-10-05'T'23:59:59{date}").into();
        entry
    };
    for (version, entry, asked, noticed) in [
        ("4.20.0.0", record(4), "2026-09-29T23:00:00+0000", &[][..]),
        ("4.19.1.0", old("+02:00"), "2026-09-30 01:00:00", &[]),
        ("4.11.0.0", old("-05:30"), "2026-09-29 17:30:00", &[]),
        (
            "4.11.0.0",
            Value::Null,
            "2026-09-29 23:00:00",
            &["time_zone_unknown"],
        ),
        (
            "",
            record(4),
            "2026-09-29T23:00:00+0000",
            &["version_unknown"],
        ),
    ] {
        let entries = if entry.is_null() { vec![] } else { vec![entry] };
        let mut cloud = Cloud::with("listUsageRecords", entries);
        cloud.version = Some(version);
        let stage = Stage::new(cloud);
        let mut client = stage.blocking(options(5));
        let notices = client.detect_dialect(moment()).unwrap();
        let told: Vec<_> = notices.iter().map(|notice| notice.slug.as_str()).collect();
        assert_eq!(told, noticed, "{version}");
        client.usage(october(), &mut |_| Ok(())).unwrap();
        let calls = stage.calls();
        let whole = calls
            .iter()
            .find(|call| call.get("pagesize").is_some_and(|size| size == "5"));
        assert_eq!(whole.unwrap()["startdate"], asked, "{version}");

        let credentials = Credentials::new("key", SECRET);
        let mut other = AsyncClient::new(&stage.server.uri(), credentials, options(5)).unwrap();
        let same = stage
            .runtime
            .block_on(other.detect_dialect(moment()))
            .unwrap();
        assert_eq!(same, notices);
    }
}

#[test]
fn a_server_that_does_not_tell_its_version_is_asked_on_and_an_ill_one_is_not() {
    let mut cloud = Cloud::with("listUsageRecords", records(2));
    cloud.forbidden = BTreeSet::from(["listCapabilities"]);
    let stage = Stage::new(cloud);
    let notices = stage.blocking(options(5)).detect_dialect(moment()).unwrap();
    assert_eq!(notices[0].slug, "version_unknown");
    // 401 may be about the call; a wrong key shows with the next one
    let credentials = Credentials::new("key", "wrong");
    let mut client = BlockingClient::new(&stage.server.uri(), credentials, options(5)).unwrap();
    assert_eq!(client.detect_dialect(moment()).unwrap().len(), 1);
    let error = client.snapshot(moment(), &[Kind::Zone]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);

    let mut cloud = Cloud::with("listUsageRecords", records(2));
    for _ in 0..4 {
        cloud = cloud.mishap(ResponseTemplate::new(503));
    }
    let stage = Stage::new(cloud);
    let error = stage
        .blocking(options(5))
        .detect_dialect(moment())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
}

#[test]
fn a_401_to_a_key_that_is_good_is_about_the_call() {
    let mut cloud = Cloud::with("listVolumes", vec![volume(1)]);
    cloud.refused = vec![("listZones", "available", "false", 401)];
    let stage = Stage::new(cloud);
    let kinds = [Kind::Volume, Kind::Zone];
    let fetch = stage.snapshot(&kinds, options(5)).unwrap();
    assert_eq!(fetch.snapshot.complete, BTreeSet::from([Kind::Volume]));
    assert_eq!(fetch.notices[0].slug, "call_not_permitted");
    // nothing was answered before
    let error = stage.snapshot(&[Kind::Zone], options(5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    // an earlier call of the client counts
    let mut client = stage.blocking(options(5));
    client.usage(october(), &mut |_| Ok(())).unwrap();
    let fetch = client.snapshot(moment(), &[Kind::Zone]).unwrap();
    assert_eq!(fetch.notices[0].slug, "call_not_permitted");
}

#[test]
fn templates_are_listed_as_far_as_the_role_may() {
    let template = json!({"id": "t", "name": "debian", "ostypeid": "o"});
    for code in [431, 432, 531] {
        for (forbidden, listed) in [
            (vec!["all"], Some("executable")),
            (vec!["all", "executable"], Some("self")),
            (vec!["all", "executable", "self"], None),
        ] {
            let mut cloud = Cloud::with("listTemplates", vec![template.clone()]);
            let refused = forbidden.iter();
            cloud.refused = refused
                .map(|value| ("listTemplates", "templatefilter", *value, code))
                .collect();
            let stage = Stage::new(cloud);
            let fetch = stage.snapshot(&[Kind::Template], options(5)).unwrap();
            assert!(!fetch.snapshot.complete.contains(&Kind::Template));
            assert_eq!(fetch.notices.len(), 1, "{:?}", fetch.notices);
            assert_eq!(
                fetch.snapshot.templates.len(),
                usize::from(listed.is_some())
            );
            match listed {
                Some(filter) => {
                    assert_eq!(fetch.notices[0].slug, "list_incomplete");
                    assert!(fetch.notices[0].message.contains(filter));
                }
                None => assert!(fetch.notices[0].slug.starts_with("call_")),
            }
        }
    }
}

#[test]
fn a_server_that_does_not_know_minus_one_for_projects_still_lists_the_rest() {
    let mut cloud = Cloud::with("listVolumes", vec![volume(1)]);
    cloud.refused = vec![("listVolumes", "projectid", "-1", 431)];
    let fetch = Stage::new(cloud)
        .snapshot(&[Kind::Volume], options(5))
        .unwrap();
    assert_eq!(fetch.snapshot.volumes.len(), 1);
    assert!(!fetch.snapshot.complete.contains(&Kind::Volume));
    assert_eq!(fetch.notices[0].slug, "call_refused");
}

#[test]
fn an_answer_beyond_all_bounds_is_not_read() {
    let stage = Stage::new(Cloud::with("listUsageRecords", records(5)));
    let small = ClientOptions {
        max_answer_bytes: 300,
        ..options(5)
    };
    let error = stage.usage(small.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("300 bytes"), "{error}");
    let credentials = Credentials::new("key", SECRET);
    let mut client = AsyncClient::new(&stage.server.uri(), credentials, small).unwrap();
    let fetched = stage
        .runtime
        .block_on(client.usage(october(), &mut |_| Ok(())));
    assert_eq!(fetched.unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn windows_longer_than_the_margin_are_told_and_a_larger_margin_is_taken() {
    let mut week = record(4);
    week["enddate"] = "2026-10-11T23:59:59+0000".into();
    let stage = Stage::new(Cloud::with("listUsageRecords", vec![week]));
    let (fetch, _) = stage.usage(options(5)).unwrap();
    assert_eq!(slugs(&fetch), ["windows_long"]);
    let wide = ClientOptions {
        usage_margin: Duration::from_secs(8 * 86_400),
        ..options(5)
    };
    let (fetch, _) = stage.usage(wide).unwrap();
    assert!(fetch.notices.is_empty());
    assert_eq!(
        stage.calls().last().unwrap()["startdate"],
        "2026-09-23T00:00:00+0000"
    );
}

/// Every kind of error, from an input that makes it, and its stable name.
#[cfg(feature = "recording")]
#[test]
fn every_kind_of_error_has_an_input_that_makes_it() {
    let refused = |code: u16| {
        let body = json!({"r": {"errorcode": code, "errortext": "no"}}).to_string();
        cloudstack_usage::Answer::parse("call", body.as_bytes()).unwrap_err()
    };
    let client = |uri: &str| BlockingClient::new(uri, Credentials::new("key", SECRET), options(5));
    let stage = Stage::new(Cloud::with("listUsageRecords", records(1)));
    let full = |_| Err(Error::new(ErrorKind::Sink, "full"));
    let missing = std::path::Path::new("no such file");
    for (error, slug, retryable) in [
        (
            cloudstack_usage::parse_usage_page("page", b"<html>").unwrap_err(),
            "malformed_answer",
            false,
        ),
        (refused(401), "unauthorized", false),
        (refused(432), "not_permitted", false),
        (refused(429), "throttled", true),
        (refused(503), "unavailable", true),
        (refused(534), "unavailable", true),
        (refused(430), "parameter_refused", false),
        (refused(431), "parameter_refused", false),
        (refused(530), "cloudstack_internal", false),
        (refused(531), "refused", false),
        (refused(511), "refused", false),
        (client("no endpoint").unwrap_err(), "configuration", false),
        (
            client("http://127.0.0.1:1/client/api")
                .unwrap()
                .version()
                .unwrap_err(),
            "transport",
            true,
        ),
        (
            cloudstack_usage::read_usage_files(&[missing], &mut |_| Ok(())).unwrap_err(),
            "recording",
            false,
        ),
        (
            stage
                .blocking(options(5))
                .usage(october(), &mut { full })
                .unwrap_err(),
            "sink",
            false,
        ),
    ] {
        assert_eq!(
            (error.slug(), error.is_retryable()),
            (slug, retryable),
            "{error}"
        );
        assert!(!error.to_string().is_empty());
    }
}
