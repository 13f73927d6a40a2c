//! What goes wrong on purpose.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{ask, daily, get, inside, pairs, signed};
use csbill_replay::{Fault, Options, Recording, ReplayServer, Shift};
use serde_json::Value;

const RANGE: [(&str, &str); 3] = [
    ("command", "listUsageRecords"),
    ("startdate", "1970-01-01"),
    ("enddate", "2100-01-01"),
];

#[test]
fn a_fault_comes_at_its_request_and_at_no_other() {
    let options = Options::default()
        .fault(
            2,
            Fault::Throttled {
                retry_after: Duration::from_millis(1234),
            },
        )
        .fault(3, Fault::Unavailable)
        .fault(4, Fault::HtmlPage)
        .fault(5, Fault::Truncated)
        .fault(6, Fault::Internal)
        .fault(7, Fault::Slow(Duration::from_millis(1)));
    let server = ReplayServer::start(daily(), options).unwrap();
    let raw = || get(&server, &signed(&server, pairs(&RANGE)));
    let whole = raw();
    assert_eq!(whole.0, 200);
    let (status, body) = raw();
    assert_eq!(status, 429);
    assert!(body.contains("please retry after [1234] ms."), "{body}");
    assert_eq!(raw().0, 503);
    let (status, body) = raw();
    assert!(status == 200 && body.starts_with("<!DOCTYPE html>"));
    let (status, body) = raw();
    assert!(status == 200 && whole.1.starts_with(&body) && body.len() < whole.1.len());
    assert_eq!(raw().0, 530);
    assert_eq!(raw(), whole);
    assert_eq!(raw(), whole);
    let log = server.requests();
    let statuses: Vec<u16> = log.iter().map(|request| request.status).collect();
    assert_eq!(statuses, [200, 429, 503, 200, 200, 530, 200, 200]);
    assert!(!format!("{log:?}").contains(server.key()));
}

#[test]
fn a_denied_call_is_432_and_the_others_go_on() {
    let server = ReplayServer::start(daily(), Options::default().deny("listUsageTypes")).unwrap();
    let (status, answer) = ask(&server, &[("command", "listUsageTypes")]);
    assert_eq!(status, 432);
    let text = inside(&answer)["errortext"].as_str().unwrap();
    assert!(text.starts_with("The API [listUsageTypes] does not exist or is not available"));
    assert_eq!(ask(&server, &[("command", "listZones")]).0, 200);
}

#[test]
fn a_page_with_an_unreadable_record_fails_and_the_others_do_not() {
    let options = Options {
        unreadable: [10].into(),
        ..Options::default()
    };
    let server = ReplayServer::start(daily(), options).unwrap();
    let status = |page: &str, size: &str| {
        let mut params = RANGE.to_vec();
        params.extend([("page", page), ("pagesize", size)]);
        ask(&server, &params).0
    };
    assert_eq!(status("1", "500"), 530);
    assert_eq!(status("2", "500"), 200);
    assert_eq!(status("11", "1"), 530);
    assert_eq!(status("10", "1"), 200);
}

#[test]
fn a_smaller_page_size_is_named_in_the_refusal() {
    let options = Options {
        max_page_size: 100,
        ..Options::default()
    };
    let server = ReplayServer::start(daily(), options).unwrap();
    let mut params = RANGE.to_vec();
    params.extend([("page", "1"), ("pagesize", "500")]);
    let (status, answer) = ask(&server, &params);
    assert_eq!(status, 431);
    assert_eq!(
        inside(&answer)["errortext"],
        "Page size can't exceed max allowed page size value: 100"
    );
}

#[test]
fn a_written_recording_reads_back_the_same() {
    let recording = daily();
    let folder = tempfile::tempdir().unwrap();
    recording.write_to(folder.path(), "usage").unwrap();
    let copy = Recording::load(folder.path(), "usage").unwrap();
    assert_eq!(copy.usage(), recording.usage());
    assert_eq!(copy.sync_times(), recording.sync_times());
    for at in recording.sync_times() {
        for command in [
            "listVirtualMachines",
            "listTags",
            "listEvents",
            "listDomains",
        ] {
            assert_eq!(copy.listed(command, at), recording.listed(command, at));
        }
    }
}

#[test]
fn a_shifted_recording_has_no_name_id_or_date_of_the_old_one_and_the_same_shape() {
    let recording = daily();
    let shift = Shift {
        days: 92,
        prefix: "zz".to_owned(),
        number: 1000,
        ids: true,
        ..Shift::default()
    };
    let (copy, mapping) = recording.shifted(shift);
    assert_eq!(copy.usage().len(), recording.usage().len());
    let text = |record: &Value, name: &str| record[name].as_str().map(str::to_owned);
    for (old, new) in recording.usage().iter().zip(copy.usage()) {
        for name in [
            "domainid",
            "projectid",
            "usageid",
            "virtualmachineid",
            "offeringid",
        ] {
            assert_eq!(text(old, name).map(|id| mapping.id(&id)), text(new, name));
            assert!(old.get(name).is_none() || old[name] != new[name]);
        }
        for name in ["domain", "project", "account", "name"] {
            // machines of the system are renumbered instead
            if !text(old, name).is_some_and(|name| name.ends_with("-VM")) {
                assert_eq!(text(old, name).map(|n| format!("zz{n}")), text(new, name));
            }
        }
        for name in [
            "rawusage",
            "usagetype",
            "size",
            "cpunumber",
            "memory",
            "tags",
        ] {
            assert_eq!(old[name], new[name]);
        }
        for name in ["usageid", "virtualmachineid", "offeringid", "templateid"] {
            if let (Some(old_id), Some(new_id)) = (text(old, name), text(new, name)) {
                let (old, new) = (old["description"].as_str(), new["description"].as_str());
                assert_eq!(
                    old.unwrap().matches(&old_id).count(),
                    new.unwrap().matches(&new_id).count()
                );
            }
        }
    }
    let server = ReplayServer::start(copy.clone(), Options::default()).unwrap();
    // no name of a project or VM is left anywhere in the copy's usage
    let old_whole = Value::from(recording.usage()).to_string();
    let whole = Value::from(copy.usage()).to_string();
    let projects = recording.usage().iter().filter_map(|r| text(r, "project"));
    let vms = recording.usage().iter().filter(|r| r["usagetype"] == 2);
    let names: BTreeSet<String> = projects
        .chain(vms.filter_map(|r| text(r, "name")))
        .collect();
    assert!(names.len() > 3);
    for name in names {
        let count = |whole: &str, name: &str| whole.matches(name).count();
        let renamed = count(&whole, &format!("zz{name}"));
        assert_eq!(renamed, count(&whole, &name), "{name}");
        assert_eq!(renamed, count(&old_whole, &name), "{name}");
    }
    for at in copy.sync_times() {
        server.set_now(at);
        let (status, answer) = ask(
            &server,
            &[
                ("command", "listVirtualMachines"),
                ("listall", "true"),
                ("projectid", "-1"),
            ],
        );
        assert_eq!(status, 200);
        for vm in inside(&answer)["virtualmachine"].as_array().unwrap() {
            let created = text(vm, "created").unwrap();
            assert!(
                created[..10] <= *at.format("%Y-%m-%d").to_string(),
                "{created}"
            );
            assert!(text(vm, "name").unwrap().starts_with("zz"));
        }
    }
    let (back, _) = copy.shifted(Shift {
        days: -92,
        ..Shift::default()
    });
    for (old, new) in recording.usage().iter().zip(back.usage()) {
        assert_eq!(old["startdate"], new["startdate"]);
        assert_eq!(old["enddate"], new["enddate"]);
    }
}
