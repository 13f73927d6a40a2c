//! Answers of other installations, where a folder of them lies beside the repository.

#![expect(
    clippy::print_stdout,
    reason = "says what was skipped where the samples are missing"
)]

use std::path::{Path, PathBuf};

use cloudstack_usage::{
    Answer, BusMessage, SnapshotBuilder, parse_usage_page, parse_usage_record, parse_usage_types,
};

/// The samples whose names begin so, with their text.
fn samples(prefix: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/samples/cloudstack"))
        .find(|folder| folder.is_dir());
    let Some(folder) = folder else {
        println!("skipped: no folder shared/samples/cloudstack beside this repository");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    files
        .into_iter()
        .filter_map(|file| {
            let name = file.file_name()?.to_str()?.to_owned();
            let wanted = name.starts_with(prefix)
                && Path::new(&name)
                    .extension()
                    .is_some_and(|ending| ending == "json");
            wanted.then(|| Some((name, std::fs::read_to_string(&file).ok()?)))?
        })
        .collect()
}

#[test]
fn whole_usage_lists_of_every_version_are_read_without_a_loss() {
    for prefix in [
        "issue4837",
        "issue5662",
        "issue5666",
        "issue6717_list",
        "pr8243_list",
        "docs505",
    ] {
        for (name, text) in samples(prefix) {
            let page = parse_usage_page(&name, text.as_bytes()).unwrap();
            assert!(!page.records.is_empty(), "{name}");
            assert!(page.rejections.is_empty(), "{name}: {:?}", page.rejections);
            for parsed in page.records {
                assert_eq!(parse_usage_record(&parsed.json).unwrap(), parsed.record);
            }
        }
    }
}

#[test]
fn single_records_and_excerpts_are_read_or_say_what_they_lack() {
    for (name, text) in ["issue", "pr"].into_iter().flat_map(samples) {
        if !name.contains("_usagerecord_") || name.contains("fragment") {
            continue;
        }
        match parse_usage_record(&text) {
            Ok(record) => assert!(record.window.millis() > 0),
            Err(error) => {
                assert!(text.contains("_partial"), "{name}: {error}");
                assert_eq!(error.slug(), "field_missing", "{name}: {error}");
            }
        }
    }
}

#[test]
fn lists_of_usage_types_are_read_in_both_forms() {
    for (name, text) in samples("derived_listusagetypes") {
        let types = parse_usage_types(&name, text.as_bytes()).unwrap();
        let answer = Answer::parse(&name, text.as_bytes()).unwrap();
        assert_eq!(Some(types.len() as u64), answer.count(), "{name}");
    }
}

#[test]
fn refusals_are_read_with_their_code() {
    for (name, text) in ["error_", "derived_error_"].into_iter().flat_map(samples) {
        let refusal = Answer::refusal(text.as_bytes());
        assert!(
            refusal.is_some_and(|r| r.code >= 400 && !r.text.is_empty()),
            "{name}"
        );
    }
}

#[test]
fn metadata_of_other_versions_is_read_without_a_loss() {
    let moment = chrono::DateTime::UNIX_EPOCH;
    for (name, text) in ["jclouds_list", "libcloud_list"]
        .into_iter()
        .flat_map(samples)
    {
        let Some(kind) = cloudstack_usage::Kind::ALL.iter().find(|kind| {
            let command = kind.command().to_lowercase();
            let name = name.to_lowercase();
            name.contains(&format!("_{command}response")) || name.contains(&format!("_{command}_"))
        }) else {
            continue;
        };
        let mut builder = SnapshotBuilder::new(moment);
        let added = builder.add(kind.command(), &name, text.as_bytes()).unwrap();
        let fetch = builder.finish();
        let page = (added.entries, &fetch.rejections);
        assert!(fetch.rejections.is_empty(), "{name}: {page:?}");
    }
}

/// Names of events as a server lists them, sent as its event bus sends them.
#[test]
fn every_event_that_a_server_knows_is_read() {
    for (name, text) in samples("jclouds_listeventtypes") {
        let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        let types = answer["listeventtypesresponse"]["eventtype"]
            .as_array()
            .unwrap();
        let mut hints = 0;
        for event in types {
            let event = event["name"].as_str().unwrap();
            let key = format!(
                "management-server.ActionEvent.{}.X.*",
                event.replace('.', "-")
            );
            let body = serde_json::json!({"event": event, "status": "Completed"}).to_string();
            match BusMessage::read(&key, body.as_bytes()) {
                BusMessage::Hint(hint) => {
                    assert_eq!(hint.event, event);
                    hints += 1;
                }
                BusMessage::Other => {}
                BusMessage::Unknown => unreachable!("{event} of {name}"),
            }
        }
        assert!(
            types.len() > 100 && 0 < hints && hints < types.len(),
            "{hints}"
        );
    }
}
