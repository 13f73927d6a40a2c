//! CloudStack's own databases as a source, in a real MariaDB: the recorded rows give what
//! the recorded API gave. A server is started by `store-sql/tests/with-mariadb.sh`; without
//! one all is skipped.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod cloudstack_database;

use std::path::PathBuf;

use cloudstack_database::{CloudStackDatabase, folder};
use cloudstack_usage::{
    ErrorKind, Kind, Period, Secret, Snapshot, Source, SqlServer, SqlSource, TagAction, UsageFetch,
    UsageRecord, UsageType, VmAction, read_metadata_folder, read_usage_files,
};

/// A test that has no server ends here.
macro_rules! database_or_skip {
    () => {
        match CloudStackDatabase::recorded() {
            Some(database) => database,
            None => return,
        }
    };
}

fn always() -> Period {
    Period::parse("2026-09-01T00:00:00Z", "2026-12-31T00:00:00Z").unwrap()
}

fn read(source: &mut SqlSource, range: Period) -> (Vec<UsageRecord>, UsageFetch) {
    let mut records = Vec::new();
    let fetch = source
        .usage(range, &mut |page| {
            assert!(page.rejections.is_empty(), "{:?}", page.rejections);
            records.extend(page.records.into_iter().map(|entry| entry.record));
            Ok(())
        })
        .unwrap();
    (records, fetch)
}

fn recorded_by_api() -> Vec<UsageRecord> {
    let mut records = Vec::new();
    read_usage_files(&[folder().join("usage-daily")] as &[PathBuf], &mut |page| {
        records.extend(page.records.into_iter().map(|entry| entry.record));
        Ok(())
    })
    .unwrap();
    for record in &mut records {
        // tags of the day of the query, which no bill reads
        record.tags_at_query.clear();
    }
    records
}

#[test]
fn rows_give_the_records_of_the_api_field_by_field() {
    let database = database_or_skip!();
    let expected = recorded_by_api();
    assert_eq!(expected.len(), 2793);
    for rows_a_page in [7, 1000, 5000] {
        let mut source = SqlSource::connect_to(&database.server, &database.cloud)
            .unwrap()
            .rows_a_page(rows_a_page);
        let (records, fetch) = read(&mut source, always());
        assert!(fetch.complete && fetch.notices.is_empty(), "{fetch:?}");
        assert_eq!(records.len(), expected.len());
        for (record, expected) in records.iter().zip(&expected) {
            assert_eq!(record, expected);
            assert_eq!(record.key(), expected.key());
        }
    }
}

#[test]
fn a_range_gives_the_records_whose_windows_touch_it() {
    let database = database_or_skip!();
    let mut source = database.source();
    let range = Period::parse("2026-10-07T12:00:00Z", "2026-10-09T00:00:00Z").unwrap();
    let (records, _) = read(&mut source, range);
    let mut expected = recorded_by_api();
    expected.retain(|record| record.window.overlaps(&range));
    assert!(expected.len() > 50);
    assert_eq!(records, expected);
}

fn last_recorded() -> Snapshot {
    let fetches = read_metadata_folder(folder().join("metadata")).unwrap();
    fetches
        .into_iter()
        .map(|fetch| fetch.snapshot)
        .last()
        .unwrap()
}

/// The rows were taken after the last recorded sync; what that one saw is what they say.
#[test]
fn rows_give_the_metadata_of_the_last_recorded_sync() {
    let database = database_or_skip!();
    let api = without_tags_in_lists(last_recorded());
    let fetch = database.source().snapshot(api.at, Kind::ALL).unwrap();
    assert!(fetch.rejections.is_empty(), "{:?}", fetch.rejections);
    let sql = without_tags_in_lists(fetch.snapshot);
    // the recording has neither the table of events nor that of the VMs' own numbers
    assert!(!sql.complete.contains(&Kind::TagEvent));
    assert!(sql.complete.contains(&Kind::VmEvent));
    assert!(
        fetch
            .notices
            .iter()
            .any(|notice| notice.message.contains("event"))
    );
    assert_eq!(sql.complete.len(), Kind::ALL.len() - 1);

    macro_rules! equal {
        ($($list:ident)+) => {$(assert_eq!(sql.$list, api.$list);)+};
    }
    equal!(domains projects accounts vms volumes networks vpcs snapshots service_offerings
        disk_offerings network_offerings os_categories zones tags);
    // the API leaves out what is hidden, and builtin templates of other hypervisors
    assert!(api.os_types.iter().all(|os| sql.os_types.contains(os)));
    assert!(
        api.templates
            .iter()
            .all(|template| sql.templates.contains(template))
    );
    // it does not name the owner of the system's own addresses
    assert_eq!(sql.ip_addresses.len(), api.ip_addresses.len());
    for address in api.ip_addresses.iter().filter(|address| !address.is_system) {
        assert!(sql.ip_addresses.contains(address), "{address:?}");
    }
}

#[test]
fn events_of_tags_are_read_where_their_table_may_be() {
    let database = database_or_skip!();
    let api = last_recorded();
    let events = format!("{}.event", database.cloud);
    database.run(&format!(
        "CREATE TABLE {events} (id BIGINT PRIMARY KEY AUTO_INCREMENT, uuid VARCHAR(40),
             type VARCHAR(32), state VARCHAR(32), level VARCHAR(16), created DATETIME)"
    ));
    database.run(&format!(
        "INSERT INTO {events} (uuid, type, state, level, created) VALUES
             ('started', 'CREATE_TAGS', 'Started', 'INFO', '2026-10-01'),
             ('failed', 'CREATE_TAGS', 'Completed', 'ERROR', '2026-10-01'),
             ('other', 'VM.START', 'Completed', 'INFO', '2026-10-01')"
    ));
    for event in &api.tag_events {
        database.run(&format!(
            "INSERT INTO {events} (uuid, type, state, level, created)
             VALUES ('{}', '{}', 'Completed', 'INFO', '{}')",
            event.id,
            match event.action {
                TagAction::Create => "CREATE_TAGS",
                TagAction::Delete => "DELETE_TAGS",
            },
            event.at.format("%Y-%m-%d %H:%M:%S")
        ));
    }
    let fetch = database
        .source()
        .snapshot(api.at, &[Kind::TagEvent])
        .unwrap();
    assert!(fetch.snapshot.complete.contains(&Kind::TagEvent));
    // names of users are in a table that holds secrets
    let mut expected = api.tag_events;
    for event in &mut expected {
        event.username = None;
    }
    assert!(expected.len() > 10);
    assert_eq!(fetch.snapshot.tag_events, expected);
}

/// Who set or removed a tag is in a table that holds secrets: id and name may be granted.
#[test]
fn users_of_tag_events_are_named_where_their_names_may_be_read() {
    let database = database_or_skip!();
    let (events, users) = (
        format!("{}.event", database.cloud),
        format!("{}.user", database.cloud),
    );
    database.run(&format!(
        "CREATE TABLE {events} (id BIGINT PRIMARY KEY, uuid VARCHAR(40), type VARCHAR(32),
             state VARCHAR(32), level VARCHAR(16), user_id BIGINT, account_id BIGINT,
             domain_id BIGINT, description VARCHAR(1024), created DATETIME)"
    ));
    database.run(&format!(
        "CREATE TABLE {users} (id BIGINT PRIMARY KEY, uuid VARCHAR(40), username VARCHAR(255),
             password VARCHAR(255), api_key VARCHAR(255), secret_key VARCHAR(255))"
    ));
    database.run(&format!(
        "INSERT INTO {users} VALUES (7, 'u', 'ops', 'hash', 'key', 'secret')"
    ));
    database.run(&format!(
        "INSERT INTO {events} VALUES
             (1, 'e1', 'CREATE_TAGS', 'Completed', 'INFO', 7, 1, 1, '', '2026-10-01 08:00:00'),
             (2, 'e2', 'DELETE_TAGS', 'Completed', 'INFO', 8, 1, 1, '', '2026-10-02 08:00:00')"
    ));
    let needed = [
        (&database.usage, "cloud_usage", ""),
        (&database.cloud, "account", ""),
        (&database.cloud, "domain", ""),
        (&database.cloud, "projects", ""),
        (&database.cloud, "event", ""),
    ];
    let names = [(&database.cloud, "user", "(id, username)")];
    for (granted, username) in [
        ([needed.as_slice(), &names].concat(), Some("ops")),
        (needed.to_vec(), None),
    ] {
        let user = database.user(&granted);
        let mut source = SqlSource::connect_to(&user, &database.cloud).unwrap();
        let at = last_recorded().at;
        let fetch = source.snapshot(at, &[Kind::TagEvent]).unwrap();
        assert!(fetch.notices.is_empty() && fetch.rejections.is_empty());
        let events = fetch.snapshot.tag_events;
        let names: Vec<_> = events
            .iter()
            .map(|event| event.username.as_deref())
            .collect();
        // the second one's user is gone
        assert_eq!(names, [username, None]);
        assert_eq!(events[0].at.to_rfc3339(), "2026-10-01T08:00:00+00:00");
    }
}

/// Source of the numbers: `cloud.usage_event` of the recording, of which 38 are of VMs' creation,
/// start, stop and end, ten of them before October.
#[test]
fn usage_events_of_vms_are_listed_from_the_month_on_that_usage_is_read_of() {
    let database = database_or_skip!();
    let at = last_recorded().at;
    let listed = |from: &str, rows_a_page| {
        let mut source = SqlSource::connect_to(&database.server, &database.cloud)
            .unwrap()
            .rows_a_page(rows_a_page);
        source.usage_begins(from.parse().unwrap());
        source.snapshot(at, &[Kind::VmEvent]).unwrap()
    };
    let all = listed("2026-09-20T00:00:00Z", 1000);
    assert!(all.notices.is_empty() && all.rejections.is_empty());
    assert!(all.snapshot.complete.contains(&Kind::VmEvent));
    assert_eq!(all.snapshot.vm_events.len(), 38);
    for rows_a_page in [1, 7, 38] {
        assert_eq!(listed("2026-09-20T00:00:00Z", rows_a_page), all);
    }
    let october = listed("2026-10-10T00:00:00Z", 1000).snapshot;
    let from = october.vm_events_from.unwrap();
    assert_eq!(from.to_rfc3339(), "2026-10-01T00:00:00+00:00");
    assert_eq!(october.vm_events.len(), 28);
    assert!(october.vm_events.iter().all(|event| event.at >= from));
    // without the time of usage: what the last days' usage needs
    let now = database
        .source()
        .snapshot(at, &[Kind::VmEvent])
        .unwrap()
        .snapshot;
    assert!(now.vm_events.len() < 28);

    // dev-app01 has a size of its own, which its events tell
    let stop = october
        .vm_events
        .iter()
        .find(|event| event.id == 219)
        .unwrap();
    assert_eq!(stop.action, VmAction::Stop);
    assert_eq!(stop.at.to_rfc3339(), "2026-10-06T18:20:10+00:00");
    assert_eq!((stop.cpu_count, stop.memory_mib), (Some(3), Some(6144)));
    let records = recorded_by_api();
    let record = records.iter().find(|record| {
        record.usage_type == UsageType::RunningVm && record.vm.as_ref() == Some(&stop.vm)
    });
    let record = record.unwrap();
    assert_eq!(stop.holder, record.owner.holder);
    assert_eq!(stop.offering, record.offering);
    // and others have that of their offering
    let web = october
        .vm_events
        .iter()
        .find(|event| event.id == 202)
        .unwrap();
    assert_eq!((web.cpu_count, web.memory_mib), (Some(1), Some(1024)));
}

#[test]
fn usage_events_are_done_without_where_their_table_may_not_be_read() {
    let database = database_or_skip!();
    database.run(&format!("DELETE FROM {}.usage_event", database.cloud));
    let at = last_recorded().at;
    let none = database.source().snapshot(at, &[Kind::VmEvent]).unwrap();
    assert!(none.snapshot.complete.contains(&Kind::VmEvent));
    assert!(none.snapshot.vm_events_from.is_some());
    database.run(&format!("DROP TABLE {}.usage_event", database.cloud));
    let fetch = database.source().snapshot(at, &[Kind::VmEvent]).unwrap();
    assert_eq!(fetch.snapshot.vm_events_from, None);
    assert!(!fetch.snapshot.complete.contains(&Kind::VmEvent));
    assert!(fetch.notices[0].message.contains("usage_event"));
}

/// 4.11 to 4.16: the same records, the same metadata, from tables of another shape.
#[test]
fn tables_of_releases_up_to_4_16_give_the_same() {
    let database = database_or_skip!();
    let at = last_recorded().at;
    let new = database.source().snapshot(at, Kind::ALL).unwrap();
    database.make_old();
    let (records, fetch) = read(&mut database.source(), always());
    assert!(fetch.complete && fetch.notices.is_empty(), "{fetch:?}");
    let expected = recorded_by_api();
    assert_eq!(records.len(), expected.len());
    for (record, expected) in records.iter().zip(&expected) {
        assert_eq!(record, expected);
        assert_eq!(record.key(), expected.key());
    }
    let old = database.source().snapshot(at, Kind::ALL).unwrap();
    assert!(old.rejections.is_empty(), "{:?}", old.rejections);
    assert_eq!(old, new);
    // a VM's own numbers are in a table of another name
    database.run(&format!(
        "INSERT INTO {0}.user_vm_details (vm_id, name, value)
         SELECT id, 'cpuNumber', '3' FROM {0}.vm_instance WHERE service_offering_id = 17
         UNION SELECT id, 'memory', '6144' FROM {0}.vm_instance WHERE service_offering_id = 17",
        database.cloud
    ));
    database.run(&format!(
        "UPDATE {}.vm_instance SET removed = NULL WHERE name = 'dev-app01'",
        database.cloud
    ));
    let vms = database
        .source()
        .snapshot(at, &[Kind::Vm])
        .unwrap()
        .snapshot
        .vms;
    let own = vms.iter().find(|vm| vm.name == "dev-app01").unwrap();
    assert_eq!((own.cpu_count, own.memory_mib), (Some(3), Some(6144)));
}

/// Tags within lists are not complete in either; the list of tags is.
fn without_tags_in_lists(mut snapshot: Snapshot) -> Snapshot {
    snapshot
        .projects
        .iter_mut()
        .for_each(|entry| entry.tags.clear());
    snapshot.vms.iter_mut().for_each(|entry| entry.tags.clear());
    snapshot
        .volumes
        .iter_mut()
        .for_each(|entry| entry.tags.clear());
    snapshot
}

/// A careful administrator grants a few tables; the rest of the records is there all the same.
#[test]
fn tables_that_may_not_be_read_are_done_without() {
    let database = database_or_skip!();
    let few = database.user(&[
        (&database.usage, "cloud_usage", ""),
        (
            &database.cloud,
            "account",
            "(id, uuid, account_name, type, domain_id, state, created, removed)",
        ),
        (&database.cloud, "domain", ""),
        (&database.cloud, "projects", ""),
        (&database.cloud, "volumes", ""),
    ]);
    let mut source = SqlSource::connect_to(&few, &database.cloud).unwrap();
    let (records, fetch) = read(&mut source, always());
    assert_eq!(records.len(), 2793);
    let slugs: Vec<_> = fetch.notices.iter().map(|notice| &notice.slug).collect();
    assert_eq!(slugs, ["usage_jobs_unknown", "table_not_readable"]);
    let missing = &fetch.notices[1].message;
    assert!(
        missing.contains("vm_instance") && !missing.contains("volumes"),
        "{missing}"
    );
    for (record, api) in records.iter().zip(recorded_by_api()) {
        assert_eq!((record.quantity, record.window), (api.quantity, api.window));
        assert_eq!(record.owner, api.owner);
    }
    let now = last_recorded().at;
    let fetch = source.snapshot(now, &[Kind::Vm, Kind::Domain]).unwrap();
    assert!(fetch.snapshot.complete.contains(&Kind::Domain));
    assert!(!fetch.snapshot.complete.contains(&Kind::Vm));

    let none = database.user(&[(&database.cloud, "domain", "")]);
    let error = SqlSource::connect_to(&none, &database.cloud).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("cloud_usage"), "{error}");
}

#[test]
fn time_that_no_job_covered_is_named() {
    let database = database_or_skip!();
    // the one recorded job becomes two with a day between them
    database.run(&format!(
        "UPDATE {}.usage_job SET end_millis = start_millis + 10 * 86400000 - 1",
        database.usage
    ));
    database.run(&format!(
        "INSERT INTO {0}.usage_job (id, job_type, scheduled, start_millis, end_millis, exec_time,
             start_date, end_date, success, heartbeat)
         SELECT 2, 0, 0, start_millis + 11 * 86400000, start_millis + 20 * 86400000, 1,
             start_date, end_date, 1, heartbeat FROM {0}.usage_job",
        database.usage
    ));
    let (_, fetch) = read(&mut database.source(), always());
    assert_eq!(fetch.notices.len(), 1);
    assert_eq!(fetch.notices[0].slug, "usage_not_measured");
    assert!(
        fetch.notices[0].message.contains("2026-10-08T08:00:00"),
        "{:?}",
        fetch.notices
    );
}

#[test]
fn hidden_rows_are_left_out_and_a_row_that_cannot_be_read_is_rejected_with_its_id() {
    let database = database_or_skip!();
    database.run(&format!(
        "UPDATE {}.cloud_usage SET is_hidden = 1 WHERE id = 1",
        database.usage
    ));
    database.run(&format!(
        "UPDATE {}.cloud_usage SET domain_id = 999999 WHERE id = 2",
        database.usage
    ));
    let (mut records, mut rejections) = (0, Vec::new());
    database
        .source()
        .usage(always(), &mut |page| {
            records += page.records.len();
            rejections.extend(page.rejections);
            Ok(())
        })
        .unwrap();
    assert_eq!((records, rejections.len()), (2791, 1));
    assert_eq!(rejections[0].page, "row 2 of cloud_usage");
    assert_eq!(rejections[0].field.as_deref(), Some("domainid"));
}

#[test]
fn nothing_is_written_and_no_error_shows_the_password() {
    let database = database_or_skip!();
    let secret = database.server.password().unwrap().expose().to_owned();
    let nobody = database
        .server
        .clone()
        .with_password(Secret::new("a-wrong-pass-word"));
    let nowhere = SqlServer::parse("mysql://csbill@127.0.0.1:1")
        .unwrap()
        .with_password(Secret::new("a-wrong-pass-word"));
    for (server, kind) in [
        (nobody, ErrorKind::Unauthorized),
        (nowhere, ErrorKind::Transport),
    ] {
        let error = SqlSource::connect(&server).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        let shown = format!("{error} {error:?} {server:?}");
        assert!(!shown.contains("a-wrong-pass-word"), "{shown}");
    }
    let source = database.source();
    assert!(!format!("{source:?}").contains(&secret));
}

/// A sink that fails ends the fetch.
#[test]
fn an_error_of_the_sink_ends_the_reading() {
    let database = database_or_skip!();
    let mut pages = 0;
    let mut source = database.source().rows_a_page(100);
    let result = source.usage(always(), &mut |_| {
        pages += 1;
        Err(cloudstack_usage::Error::new(ErrorKind::Sink, "enough"))
    });
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Sink);
    assert_eq!(pages, 1);
}

/// The certificate is for 127.0.0.1, signed by an authority of the tests' own.
#[cfg(feature = "sql-tls")]
#[test]
fn databases_are_read_by_tls_where_the_server_proves_who_it_is() {
    let database = database_or_skip!();
    let Some(folder) = std::env::var_os("CSBILL_TEST_MARIADB_TLS") else {
        return;
    };
    let folder = folder.to_str().unwrap();
    let plain = database.user(&[
        (&database.usage, "cloud_usage", ""),
        (&database.cloud, "account", ""),
        (&database.cloud, "domain", ""),
        (&database.cloud, "projects", ""),
    ]);
    let user = plain.user().unwrap();
    database.run(&format!("ALTER USER '{user}'@'%' REQUIRE SSL"));
    let connect = |host: &str, settings: &str| {
        let settings = settings.replace("FOLDER", folder);
        let url = format!(
            "mysql://{user}@{host}:{}/{}?{settings}",
            plain.port(),
            database.usage
        );
        let server = SqlServer::parse(&url).unwrap();
        let server = server.with_password(plain.password().unwrap().clone());
        SqlSource::connect_to(&server, &database.cloud)
    };
    for settings in ["tls-ca=FOLDER/ca.pem", "tls=unverified"] {
        let (records, _) = read(&mut connect("127.0.0.1", settings).unwrap(), always());
        assert_eq!(records.len(), 2793, "{settings}");
    }
    for (host, settings, kind, words) in [
        (
            "127.0.0.1",
            "",
            ErrorKind::Unauthorized,
            "refuses this user",
        ),
        ("127.0.0.1", "tls=on", ErrorKind::Transport, "tls-ca=FILE"),
        (
            "127.0.0.1",
            "tls-ca=FOLDER/other-ca.pem",
            ErrorKind::Transport,
            "does not prove who it is",
        ),
        (
            "localhost",
            "tls-ca=FOLDER/ca.pem",
            ErrorKind::Transport,
            "does not prove who it is",
        ),
        (
            "127.0.0.1",
            "tls-ca=FOLDER/none.pem",
            ErrorKind::Configuration,
            "none.pem of tls-ca cannot be read",
        ),
    ] {
        let error = connect(host, settings).unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(words), "{settings}: {error}");
    }
}
