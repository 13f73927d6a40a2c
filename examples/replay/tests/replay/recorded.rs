//! The server's answers against those that the recorded CloudStack gave to the same requests.

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::support::{Pairs, ask, daily, folder, get, pairs, post, signed};
use chrono::{DateTime, Utc};
use csbill_replay::{Options, ReplayServer};
use flate2::read::GzDecoder;
use serde_json::Value;

/// An `index.json` of the recording: status, parameters and body of each answer.
fn recorded(sub: &str) -> Vec<(String, u16, Pairs, String)> {
    let folder = folder().join(sub);
    let index = std::fs::read_to_string(folder.join("index.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&index).unwrap();
    entries
        .iter()
        .map(|entry| {
            let file = entry["file"].as_str().unwrap();
            let mut body = String::new();
            let bytes = std::fs::read(folder.join(file)).unwrap();
            GzDecoder::new(bytes.as_slice())
                .read_to_string(&mut body)
                .unwrap();
            let params = entry["params"].as_object().unwrap().iter().map(|(n, v)| {
                let value = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                (n.clone(), value)
            });
            let status = u16::try_from(entry["status"].as_u64().unwrap()).unwrap();
            (file.to_owned(), status, params.collect(), body)
        })
        .collect()
}

#[test]
fn every_signature_that_cloudstack_accepted_is_accepted_and_no_other() {
    let text = std::fs::read_to_string(folder().join("signatures.json")).unwrap();
    let vectors: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(vectors.len() >= 14);
    for vector in &vectors {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let params = vector["params"].as_object().unwrap();
        let key = params
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case("apikey"));
        let options = Options {
            key: text(key.unwrap().1),
            secret: text(&vector["secret"]),
            ..Options::default()
        };
        let server = ReplayServer::start(daily(), options).unwrap();
        let mut sent: Pairs = params.iter().map(|(n, v)| (n.clone(), text(v))).collect();
        sent.push(("signature".into(), text(&vector["signature"])));
        assert_eq!(get(&server, &sent).0, 200, "GET {}", vector["name"]);
        assert_eq!(post(&server, &sent).0, 200, "POST {}", vector["name"]);
        for index in 0..sent.len() {
            let mut changed = sent.clone();
            changed[index].1.push('x');
            assert_eq!(get(&server, &changed).0, 401, "{} changed", sent[index].0);
        }
    }
}

#[test]
fn answers_equal_the_recorded_ones() {
    let server = ReplayServer::start(daily(), Options::default()).unwrap();
    let mut compared = 0;
    for sub in ["variants", "errors", "usage-daily"] {
        for (file, status, params, body) in recorded(sub) {
            let has = |name: &str| params.iter().any(|(n, _)| n == name);
            // texts of the old format were not recorded for every record
            if has("oldformat") {
                continue;
            }
            let mut sent = signed(&server, params.clone());
            match file.as_str() {
                "wrong-signature.json.gz" => sent.last_mut().unwrap().1 = "d3Jvbmc=".into(),
                "unknown-key.json.gz" => {
                    let key = sent.iter_mut().find(|(name, _)| name == "apiKey");
                    key.unwrap().1 = "unknown".into();
                }
                _ => {}
            }
            let answer = get(&server, &sent);
            if file.starts_with("xml") {
                assert!(answer.1.starts_with("<?xml"), "{}", answer.1);
                continue;
            }
            let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
            assert_eq!(answer.0, status, "{file}: {}", answer.1);
            assert_eq!(json(&answer.1), json(&body), "{file}");
            compared += 1;
        }
    }
    assert!(compared > 35, "{compared} answers");
}

#[test]
fn metadata_is_that_of_the_newest_sync_not_after_the_clock() {
    let recording = daily();
    let times = recording.sync_times();
    assert!(times.len() > 2);
    let server = ReplayServer::start(recording, Options::default()).unwrap();
    let mut seen = BTreeMap::<String, usize>::new();
    for at in &times {
        let next = times.iter().find(|time| *time > at);
        let late = next.map_or(*at, |next| *next - chrono::TimeDelta::seconds(1));
        server.set_now(late);
        let folder = format!("metadata/{}", at.format("%Y-%m-%dT%H%M%SZ"));
        for (params, body) in listings(&folder) {
            let sent: Vec<(&str, &str)> = params.iter().map(|(n, v)| (&**n, &**v)).collect();
            let (status, answer) = ask(&server, &sent);
            assert_eq!(status, 200, "{params:?}");
            assert_eq!(answer, body, "{params:?} at {late}");
            *seen.entry(sent[0].1.to_owned()).or_default() += 1;
        }
    }
    assert!(seen.len() > 3);
    server.set_now(times[0] - chrono::TimeDelta::seconds(1));
    let (_, before) = ask(
        &server,
        &[("command", "listVirtualMachines"), ("listall", "true")],
    );
    assert_eq!(before["listvirtualmachinesresponse"], serde_json::json!({}));
}

/// The calls of a sync; their files are named relative to the folder above.
fn listings(folder_of_sync: &str) -> Vec<(Pairs, Value)> {
    let index = std::fs::read_to_string(folder().join(folder_of_sync).join("index.json")).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&index).unwrap();
    entries
        .iter()
        .map(|entry| {
            let file = folder()
                .join("metadata")
                .join(entry["file"].as_str().unwrap());
            let mut body = String::new();
            GzDecoder::new(std::fs::read(file).unwrap().as_slice())
                .read_to_string(&mut body)
                .unwrap();
            let params = entry["params"].as_object().unwrap().iter().map(|(n, v)| {
                let value = v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                (n.clone(), value)
            });
            (params.collect(), serde_json::from_str(&body).unwrap())
        })
        .collect()
}

#[test]
fn lists_are_paged_anew() {
    let server = ReplayServer::start(daily(), Options::default()).unwrap();
    let whole = ask(&server, &[("command", "listOsTypes")]).1;
    let whole = whole["listostypesresponse"]["ostype"]
        .as_array()
        .unwrap()
        .clone();
    assert!(whole.len() > 7);
    let mut paged = Vec::new();
    for page in 1.. {
        let page = page.to_string();
        let params = [
            ("command", "listOsTypes"),
            ("page", &page),
            ("pagesize", "7"),
        ];
        let answer = ask(&server, &params).1;
        match answer["listostypesresponse"]["ostype"].as_array() {
            Some(entries) => paged.extend(entries.clone()),
            None => break,
        }
    }
    assert_eq!(paged, whole);
}

#[test]
fn an_expired_request_is_refused() {
    let server = ReplayServer::start(daily(), Options::default()).unwrap();
    let status = |expires: &str| {
        let params = pairs(&[
            ("command", "listUsageTypes"),
            ("signatureversion", "3"),
            ("expires", expires),
        ]);
        get(&server, &signed(&server, params)).0
    };
    assert_eq!(status("2020-01-01T00:00:00+0000"), 401);
    assert_eq!(status("not a date"), 401);
    let later = DateTime::<Utc>::from(std::time::SystemTime::now()) + chrono::TimeDelta::hours(1);
    assert_eq!(
        status(&later.format("%Y-%m-%dT%H:%M:%S%z").to_string()),
        200
    );
}
