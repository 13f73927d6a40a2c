//! The readers against everything that a running CloudStack 4.23 answered.
#![cfg(feature = "recording")]
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where its data is not what it says"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use cloudstack_usage::{
    Answer, ErrorKind, Holder, Kind, Period, RecordedSource, Source, UsagePage, UsageType,
    parse_usage_page, parse_usage_record, parse_usage_types, read_metadata_folder,
    read_usage_files,
};
use serde_json::Value;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data/cloudstack-4.23")
}

fn body(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    let mut body = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes.as_slice())
            .read_to_end(&mut body)
            .unwrap();
        body
    } else {
        bytes
    }
}

fn index(folder: &Path) -> Vec<Value> {
    serde_json::from_slice(&body(&folder.join("index.json"))).unwrap()
}

fn pages(folder: &str) -> Vec<UsagePage> {
    let mut pages = Vec::new();
    let fetch = read_usage_files(&[data().join(folder)], &mut |page| {
        pages.push(page);
        Ok(())
    })
    .unwrap();
    assert!(fetch.complete, "{:?}", fetch.notices);
    pages
}

#[test]
fn every_record_is_read_as_many_as_the_server_counted() {
    for folder in ["usage-daily", "usage-daily-berlin", "usage-hourly"] {
        let first = index(&data().join(folder))[0]["file"]
            .as_str()
            .unwrap()
            .to_owned();
        let counted = Answer::parse("first", &body(&data().join(folder).join(first)))
            .unwrap()
            .count()
            .unwrap();
        let pages = pages(folder);
        let read: usize = pages.iter().map(|page| page.records.len()).sum();
        let rejected: usize = pages.iter().map(|page| page.rejections.len()).sum();
        println!(
            "{folder}: {read} of {counted} records in {} pages",
            pages.len()
        );
        assert_eq!((read as u64, rejected), (counted, 0), "{folder}");
        assert!(counted > 0 && pages.last().unwrap().records.is_empty());
    }
}

#[test]
fn a_record_keeps_its_text_and_reads_back_from_it() {
    for page in pages("usage-daily") {
        for parsed in page.records {
            assert_eq!(parse_usage_record(&parsed.json).unwrap(), parsed.record);
            let sent: Value = serde_json::from_str(&parsed.json).unwrap();
            assert_eq!(sent["rawusage"], parsed.record.raw_usage.to_string());
            assert_eq!(sent["usagetype"], parsed.record.usage_type.id());
            assert_eq!(
                sent.get("size").and_then(Value::as_u64),
                parsed.record.size_bytes
            );
            assert!(parsed.record.owner.holder != Holder::Unknown);
        }
    }
}

#[test]
fn daily_windows_have_24_hours_and_hourly_ones_one() {
    for (folder, hours) in [
        ("usage-daily", 24),
        ("usage-daily-berlin", 24),
        ("usage-hourly", 1),
    ] {
        for parsed in pages(folder).iter().flat_map(|page| &page.records) {
            let record = &parsed.record;
            let whole = hours * 3_600_000;
            if record.usage_type.has_own_times() {
                assert!(record.window.millis() <= whole, "{}", parsed.json);
            } else {
                assert_eq!(record.window.millis(), whole, "{}", parsed.json);
            }
        }
    }
}

#[test]
fn variants_of_the_call_read_the_same_but_for_what_they_leave_out() {
    let folder = data().join("variants");
    let read = |prefix: &str| -> Vec<_> {
        index(&folder)
            .iter()
            .map(|entry| entry["file"].as_str().unwrap().to_owned())
            .filter(|file| file.starts_with(prefix))
            .flat_map(|file| {
                parse_usage_page(&file, &body(&folder.join(&file)))
                    .unwrap()
                    .records
            })
            .map(|parsed| parsed.record)
            .collect()
    };
    let (plain, tagged, old) = (read("default-"), read("tags-"), read("oldformat-"));
    assert!(!plain.is_empty());
    assert_eq!((plain.len(), plain.len()), (tagged.len(), old.len()));
    for ((plain, mut tagged), old) in plain.into_iter().zip(tagged).zip(old) {
        tagged.tags_at_query.clear();
        assert_eq!(plain, tagged);
        // descriptions differ; they are the identity of types without an id alone
        if plain.resource.is_some() {
            assert_eq!(plain.key(), old.key());
        }
    }
}

#[test]
fn every_recorded_type_is_known() {
    let types: BTreeSet<_> = pages("usage-daily")
        .iter()
        .flat_map(|page| &page.records)
        .map(|parsed| parsed.record.usage_type)
        .collect();
    assert!(types.len() > 15);
    assert!(types.iter().all(|t| !matches!(t, UsageType::Unknown(_))));
    let listed =
        parse_usage_types("types", &body(&data().join("variants/usage-types.json.gz"))).unwrap();
    let listed: BTreeSet<_> = listed.iter().map(|entry| entry.usage_type).collect();
    assert_eq!(listed, UsageType::ALL.iter().copied().collect());
}

#[test]
fn every_error_is_read_with_its_code() {
    for folder in ["errors", "domain-admin"] {
        let folder = data().join(folder);
        for entry in index(&folder) {
            let bytes = body(&folder.join(entry["file"].as_str().unwrap()));
            let status = entry["status"].as_u64().unwrap();
            let refusal = Answer::refusal(&bytes);
            if status == 200 {
                assert_eq!(refusal, None);
                Answer::parse("call", &bytes).unwrap();
                continue;
            }
            let refusal = refusal.unwrap();
            assert_eq!(u64::from(refusal.code), status);
            assert!(!refusal.text.is_empty());
            assert_eq!(refusal.retry_after_millis().is_some(), status == 429);
            let error = Answer::parse("call", &bytes).unwrap_err();
            assert_eq!(error.kind(), refusal.kind());
        }
    }
    let xml = body(&data().join("variants/xml.json.gz"));
    let error = parse_usage_page("xml", &xml).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Malformed);
    assert!(error.to_string().contains("XML"));
}

#[test]
fn every_sync_is_read_whole() {
    let folder = data().join("metadata");
    let fetches = read_metadata_folder(&folder).unwrap();
    let folders = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(fetches.len(), folders);
    let mut moments = BTreeSet::new();
    for fetch in &fetches {
        assert!(fetch.rejections.is_empty(), "{:?}", fetch.rejections);
        assert!(moments.insert(fetch.snapshot.at));
        let name = fetch.snapshot.at.format("%Y-%m-%dT%H%M%SZ").to_string();
        let expected = distinct_ids(&folder.join(name));
        let snapshot = &fetch.snapshot;
        for (command, read) in [
            ("listDomains", snapshot.domains.len()),
            ("listProjects", snapshot.projects.len()),
            ("listAccounts", snapshot.accounts.len()),
            ("listVirtualMachines", snapshot.vms.len()),
            ("listVolumes", snapshot.volumes.len()),
            ("listPublicIpAddresses", snapshot.ip_addresses.len()),
            ("listNetworks", snapshot.networks.len()),
            ("listSnapshots", snapshot.snapshots.len()),
            ("listServiceOfferings", snapshot.service_offerings.len()),
            ("listDiskOfferings", snapshot.disk_offerings.len()),
            ("listNetworkOfferings", snapshot.network_offerings.len()),
            ("listTemplates", snapshot.templates.len()),
            ("listOsTypes", snapshot.os_types.len()),
            ("listOsCategories", snapshot.os_categories.len()),
            ("listZones", snapshot.zones.len()),
        ] {
            let expected = expected.get(command).map_or(0, BTreeSet::len);
            assert_eq!(read, expected, "{command} at {}", snapshot.at);
        }
        // asked for without projects (README of the recording); all else was asked in full
        for kind in Kind::ALL {
            assert_eq!(
                snapshot.complete.contains(kind),
                *kind != Kind::Vpc && kind.is_in_api(),
                "{kind:?} at {}",
                snapshot.at
            );
        }
    }
}

/// The ids that the bodies of a sync hold, by call.
fn distinct_ids(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in index(folder) {
        let path = folder
            .parent()
            .unwrap()
            .join(entry["file"].as_str().unwrap());
        let answer: Value = serde_json::from_slice(&body(&path)).unwrap();
        let lists = answer.as_object().unwrap().values().next().unwrap();
        let command = entry["params"]["command"].as_str().unwrap();
        for list in lists
            .as_object()
            .unwrap()
            .values()
            .filter_map(Value::as_array)
        {
            let found = list.iter().filter_map(|item| item["id"].as_str());
            ids.entry(command.to_owned())
                .or_default()
                .extend(found.map(str::to_owned));
        }
    }
    ids
}

#[test]
fn owners_of_the_inventory_and_of_usage_are_the_same() {
    let fetches = read_metadata_folder(data().join("metadata")).unwrap();
    let mut owners = BTreeMap::new();
    for fetch in &fetches {
        for vm in &fetch.snapshot.vms {
            assert!(vm.owner.holder != Holder::Unknown, "{vm:?}");
            owners.insert(vm.id.as_resource(), (vm.owner.clone(), vm.os_type.clone()));
        }
    }
    let mut compared = 0;
    for parsed in pages("usage-daily").iter().flat_map(|page| &page.records) {
        let record = &parsed.record;
        if let (UsageType::AllocatedVm, Some(id)) = (record.usage_type, &record.resource)
            && let Some((owner, os_type)) = owners.get(id)
        {
            assert_eq!((owner, os_type), (&record.owner, &record.os_type));
            compared += 1;
        }
    }
    assert!(compared > 100);
}

#[test]
fn tags_of_lists_and_of_list_tags_agree() {
    for fetch in read_metadata_folder(data().join("metadata")).unwrap() {
        let listed: BTreeSet<_> = fetch.snapshot.tags.iter().cloned().collect();
        assert_eq!(listed, fetch.snapshot.all_tags());
        assert!(!listed.is_empty() && !fetch.snapshot.tag_events.is_empty());
    }
}

#[test]
fn a_recorded_source_answers_by_range_and_moment() {
    let usage = [data().join("usage-daily")];
    let mut source = RecordedSource::open(&usage, &data().join("metadata")).unwrap();
    let all = pages("usage-daily");
    let window = all[0].records[0].record.window;
    let mut seen = 0;
    source
        .usage(window, &mut |page| {
            assert!(
                page.records
                    .iter()
                    .all(|r| r.record.window.overlaps(&window))
            );
            seen += page.records.len();
            Ok(())
        })
        .unwrap();
    let expected = all
        .iter()
        .flat_map(|page| &page.records)
        .filter(|parsed| parsed.record.window.overlaps(&window))
        .count();
    assert_eq!(seen, expected);
    let moments: Vec<_> = source.moments().collect();
    for moment in &moments {
        assert_eq!(
            source.snapshot(*moment, Kind::ALL).unwrap().snapshot.at,
            *moment
        );
    }
    let other = Period::from(moments[0]).start() + chrono::TimeDelta::seconds(1);
    assert_eq!(
        source.snapshot(other, Kind::ALL).unwrap_err().kind(),
        ErrorKind::Recording
    );
}

#[test]
fn errors_name_the_file() {
    let missing = data().join("usage-daily/no-such-page.json");
    let error = read_usage_files(&[&missing], &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recording);
    assert!(error.to_string().contains("no-such-page.json"));
    let no_answer = data().join("README.md");
    let error = read_usage_files(&[&no_answer], &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Recording);
    assert!(error.to_string().contains("README.md"));
    assert!(read_metadata_folder(data().join("no-such-folder")).is_err());
}

#[test]
fn refused_calls_of_an_index_are_noticed_and_the_rest_is_read() {
    let mut records = 0;
    let fetch = read_usage_files(&[data().join("domain-admin")], &mut |page| {
        records += page.records.len();
        Ok(())
    })
    .unwrap();
    assert!(!fetch.complete && records > 0);
    assert!(
        fetch
            .notices
            .iter()
            .all(|notice| notice.slug == "call_refused")
    );
}
