//! What other months hold that the recorded one does not: small clouds, records in the
//! style of CloudStack, every expected number worked out by hand.
#![expect(
    clippy::unwrap_used,
    reason = "in a test a panic is the report of a failure"
)]

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use cloudstack_usage::{
    Account, Domain, Inventory, InventoryBuilder, IpAddress, Owner, Snapshot, UsageLifetimes,
    UsageRecord, Vm, Volume, parse_usage_record,
};
use rating_engine::{Bill, Exact, FindingKind, LineItem, PriceBook, Rating};
use serde_json::{Value, json};

fn at(text: &str) -> DateTime<Utc> {
    format!("2027-{text}Z").parse().unwrap()
}

/// A record of `hours` (or an amount) in a window, with fields of its own.
fn record(
    usage_type: u32,
    resource: &str,
    (start, end): (&str, &str),
    raw: &str,
    fields: &Value,
) -> UsageRecord {
    let last = at(end) - TimeDelta::seconds(1);
    let date = |time: DateTime<Utc>| time.format("%Y-%m-%dT%H:%M:%S+0000").to_string();
    let mut json = json!({
        "accountid": "ann", "account": "ann", "domainid": "east", "zoneid": "z",
        "usagetype": usage_type, "usageid": resource, "description": resource,
        "rawusage": raw, "usage": format!("{raw} Hrs"),
        "startdate": date(at(start)), "enddate": date(last),
    });
    for (name, value) in fields.as_object().unwrap() {
        json[name] = value.clone();
    }
    parse_usage_record(&json.to_string()).unwrap()
}

/// One record for each day from `first` to `last` of March.
fn days(
    usage_type: u32,
    resource: &str,
    (first, last): (u32, u32),
    raw: &str,
    fields: &Value,
) -> Vec<UsageRecord> {
    let day = |day: u32| match day {
        0 => "02-28T00:00:00".to_owned(),
        32 => "04-01T00:00:00".to_owned(),
        33 => "04-02T00:00:00".to_owned(),
        day => format!("03-{day:02}T00:00:00"),
    };
    let windows = (first..=last).map(|number| (day(number), day(number + 1)));
    windows
        .map(|(start, end)| record(usage_type, resource, (&start, &end), raw, fields))
        .collect()
}

fn owner(domain: &str, account: &str) -> Owner {
    serde_json::from_value(json!({"domain": domain, "holder": {"account": account}})).unwrap()
}

/// A sync that lists everything, with two customers.
fn sync(time: &str) -> Snapshot {
    let mut sync = Snapshot::new(at(time)).all_complete();
    for (id, path, parent) in [
        ("root", "ROOT", None),
        ("east", "ROOT/east", Some("root")),
        ("west", "ROOT/west", Some("root")),
    ] {
        sync.domains.push(Domain {
            id: id.into(),
            name: path.rsplit('/').next().unwrap().to_owned(),
            path: path.to_owned(),
            parent: parent.map(Into::into),
        });
    }
    for (id, domain) in [("ann", "east"), ("bob", "west")] {
        sync.accounts.push(Account {
            id: id.into(),
            name: id.to_owned(),
            domain: domain.into(),
            state: None,
        });
    }
    sync
}

fn vm(id: &str, created: &str) -> Vm {
    Vm {
        id: id.into(),
        name: id.to_owned(),
        display_name: None,
        owner: owner("east", "ann"),
        created: Some(at(created)),
        last_updated: None,
        state: Some("Running".to_owned()),
        offering: Some("small".into()),
        template: None,
        os_type: None,
        cpu_count: Some(1),
        memory_mib: Some(1024),
        zone: None,
        hypervisor: None,
        tags: Vec::new(),
    }
}

fn volume(id: &str, created: &str, attached: Option<(&str, &str)>) -> Volume {
    Volume {
        id: id.into(),
        name: id.to_owned(),
        volume_type: None,
        owner: owner("east", "ann"),
        created: Some(at(created)),
        state: Some("Ready".to_owned()),
        size_bytes: Some(1 << 30),
        vm: attached.map(|(vm, _)| vm.into()),
        attached: attached.map(|(_, time)| at(time)),
        offering: None,
        zone: None,
        tags: Vec::new(),
    }
}

fn inventory(syncs: &[Snapshot], records: &[UsageRecord]) -> Inventory {
    let mut builder = InventoryBuilder::new();
    let mut lifetimes = UsageLifetimes::default();
    for sync in syncs {
        builder.observe(sync);
    }
    for record in records {
        lifetimes.observe(record);
    }
    builder.usage(lifetimes);
    builder.build()
}

const BOOK: &str = r#"
schema = 1
name = "By the hour"
currency = "EUR"
zone = "UTC"
compute = "running"
[[price]]
id = "cpu"
meter = "cpu"
amount = "1"
per = "hour"
[[price]]
id = "ram"
meter = "ram"
amount = "0"
per = "hour"
[[price]]
id = "vm"
meter = "vm"
basis = "allocated"
covers = []
amount = "1"
per = "hour"
[[price]]
id = "disk"
meter = "disk"
amount = "1"
per = "hour"
[[price]]
id = "ip"
meter = "ip"
amount = "1"
per = "hour"
[[price]]
id = "nic"
meter = "nic"
amount = "1"
per = "hour"
[[price]]
id = "bucket"
meter = "bucket"
amount = "31"
per = "month"
unit = "GiB"
[[price]]
id = "backup"
meter = "backup"
amount = "31"
per = "month"
unit = "GiB"
"#;

fn rate_with(book: &str, syncs: &[Snapshot], records: &[UsageRecord]) -> Bill {
    let book = PriceBook::from_toml(book).unwrap();
    let inventory = inventory(syncs, records);
    let date = |day| NaiveDate::from_ymd_opt(2027, 3, day).unwrap();
    let march = book.civil_period(date(1), date(31)).unwrap();
    let mut rating = Rating::new(&book, &inventory, march).unwrap();
    for record in records {
        rating.push(record);
    }
    let bill = rating.finish();
    let counts = &bill.counts;
    let accounted = counts.charged + counts.exempt + counts.reference + counts.held;
    assert_eq!(counts.records, accounted);
    bill
}

fn rate(syncs: &[Snapshot], records: &[UsageRecord]) -> Bill {
    rate_with(BOOK, syncs, records)
}

fn lines<'b>(bill: &'b Bill, item: &str) -> Vec<&'b LineItem> {
    let lines = bill
        .statements
        .iter()
        .flat_map(|statement| &statement.lines);
    lines.filter(|line| line.item.name() == item).collect()
}

fn kinds(bill: &Bill) -> Vec<FindingKind> {
    bill.findings.iter().map(|finding| finding.kind).collect()
}

fn hours(hours: i128) -> i128 {
    hours * 3_600_000
}

#[test]
fn a_vm_that_lived_for_two_hours_of_a_day_leaves_no_gap() {
    // created at 10:00:00, its usage from 10:00:20 to 12:00:20; a sync at 11:00 saw it
    let mut records = days(2, "other", (1, 31), "24", &json!({}));
    records.push(record(
        2,
        "brief",
        ("03-10T00:00:00", "03-11T00:00:00"),
        "2",
        &json!({}),
    ));
    let (mut seen, mut gone) = (sync("03-10T11:00:00"), sync("03-12T11:00:00"));
    for sync in [&mut seen, &mut gone] {
        sync.vms.push(vm("other", "02-01T00:00:00"));
    }
    seen.vms.push(vm("brief", "03-10T10:00:00"));
    let bill = rate(&[seen, gone], &records);
    assert_eq!(kinds(&bill), [], "{:?}", bill.findings);
    let of_it = lines(&bill, "vm");
    let line = of_it
        .iter()
        .find(|line| line.resource_name == "brief")
        .unwrap();
    assert_eq!(line.used_millis, hours(2));
    let (start, end) = (line.period.start(), line.period.end());
    assert_eq!((start, end), (at("03-10T10:00:00"), at("03-10T12:00:00")));
}

#[test]
fn a_vm_that_was_seen_for_longer_than_it_was_metered_is_a_gap() {
    let mut records = days(2, "other", (1, 31), "24", &json!({}));
    records.push(record(
        2,
        "brief",
        ("03-10T00:00:00", "03-11T00:00:00"),
        "2",
        &json!({}),
    ));
    let (mut seen, mut later, mut gone) = (
        sync("03-10T11:00:00"),
        sync("03-12T11:00:00"),
        sync("03-13T11:00:00"),
    );
    for sync in [&mut seen, &mut later, &mut gone] {
        sync.vms.push(vm("other", "02-01T00:00:00"));
    }
    seen.vms.push(vm("brief", "03-10T10:00:00"));
    later.vms.push(vm("brief", "03-10T10:00:00"));
    let bill = rate(&[seen, later, gone], &records);
    assert_eq!(kinds(&bill), [FindingKind::NotMetered]);
    // alive for 49 hours, metered for 2
    assert_eq!(bill.findings[0].millis, hours(47));
}

fn address(account: &str, domain: &str, allocated: &str) -> IpAddress {
    serde_json::from_value(json!({
        "id": "ip", "address": "192.0.2.7", "owner": {"domain": domain, "holder": {"account": account}},
        "allocated": at(allocated), "state": "Allocated", "is_system": false, "is_source_nat": false,
        "network": null, "vpc": null, "zone": null,
    }))
    .unwrap()
}

#[test]
fn an_address_that_nobody_holds_is_no_gap() {
    // ann holds it until 5 March 06:00, bob from 12 March 18:00
    // windows of these days were read: another resource was used in them
    let mut records = days(
        13,
        "vm",
        (0, 32),
        "24",
        &json!({"usageid": null, "virtualmachineid": "vm"}),
    );
    records.extend(days(3, "ip", (0, 4), "24", &json!({})));
    records.push(record(
        3,
        "ip",
        ("03-05T00:00:00", "03-06T00:00:00"),
        "6",
        &json!({}),
    ));
    let of_bob = json!({"accountid": "bob", "account": "bob", "domainid": "west"});
    records.push(record(
        3,
        "ip",
        ("03-12T00:00:00", "03-13T00:00:00"),
        "6",
        &of_bob,
    ));
    records.extend(days(3, "ip", (13, 32), "24", &of_bob));
    let mut syncs = [
        sync("03-02T02:00:00"),
        sync("03-09T02:00:00"),
        sync("03-16T02:00:00"),
    ];
    syncs[0]
        .ip_addresses
        .push(address("ann", "east", "02-01T00:00:00"));
    syncs[2]
        .ip_addresses
        .push(address("bob", "west", "03-12T18:00:00"));
    let bill = rate(&syncs, &records);
    assert_eq!(kinds(&bill), [], "{:?}", bill.findings);
    let of_it: Vec<_> = lines(&bill, "ip")
        .iter()
        .map(|line| {
            (
                line.holder_name.clone(),
                line.used_millis,
                line.period.start(),
                line.period.end(),
            )
        })
        .collect();
    let expected = [
        (
            "ann".to_owned(),
            hours(4 * 24 + 6),
            at("03-01T00:00:00"),
            at("03-05T06:00:00"),
        ),
        (
            "bob".to_owned(),
            hours(19 * 24 + 6),
            at("03-12T18:00:00"),
            at("04-01T00:00:00"),
        ),
    ];
    assert_eq!(of_it, expected);
    // where bob's first days are missing, they are his gap, and only they
    let lossy: Vec<_> = records
        .iter()
        .filter(|record| {
            record.window.start() < at("03-12T00:00:00")
                || record.window.start() >= at("03-14T00:00:00")
        })
        .cloned()
        .collect();
    let bill = rate(&syncs, &lossy);
    assert_eq!(kinds(&bill), [FindingKind::NotMetered]);
    assert_eq!(bill.findings[0].millis, hours(6 + 24));
    assert_eq!(
        bill.findings[0].owner.as_deref(),
        Some("ROOT/west, account bob")
    );
    assert_eq!(bill.findings[0].value, Some(Exact::from(30)));
}

#[test]
fn a_volume_goes_from_one_vm_to_another_within_a_day() {
    // off `one` on 10 March at 10:00, on `two` at 14:00
    let mut records = days(6, "data", (0, 32), "24", &json!({"size": 1 << 30}));
    let row = |vm: &str| json!({"size": 1 << 30, "virtualmachineid": vm});
    records.extend(days(6, "data", (0, 9), "24", &row("one")));
    records.push(record(
        6,
        "data",
        ("03-10T00:00:00", "03-11T00:00:00"),
        "10",
        &row("one"),
    ));
    records.push(record(
        6,
        "data",
        ("03-10T00:00:00", "03-11T00:00:00"),
        "10",
        &row("two"),
    ));
    records.extend(days(6, "data", (11, 32), "24", &row("two")));
    let mut syncs = [sync("03-02T02:00:00"), sync("03-16T02:00:00")];
    for sync in &mut syncs {
        sync.vms
            .extend([vm("one", "02-01T00:00:00"), vm("two", "02-01T00:00:00")]);
    }
    syncs[0].volumes.push(volume(
        "data",
        "02-01T00:00:00",
        Some(("one", "02-01T00:00:00")),
    ));
    syncs[1].volumes.push(volume(
        "data",
        "02-01T00:00:00",
        Some(("two", "03-10T14:00:00")),
    ));
    let bill = rate(&syncs, &records);
    let mut of_it: Vec<_> = lines(&bill, "disk")
        .iter()
        .map(|line| {
            (
                line.period.start(),
                line.period.end(),
                line.vm_name.clone(),
                line.used_millis,
            )
        })
        .collect();
    of_it.sort();
    let expected = [
        (
            at("03-01T00:00:00"),
            at("03-10T10:00:00"),
            Some("one".to_owned()),
            hours(9 * 24 + 10),
        ),
        (at("03-10T10:00:00"), at("03-10T14:00:00"), None, hours(4)),
        (
            at("03-10T14:00:00"),
            at("04-01T00:00:00"),
            Some("two".to_owned()),
            hours(21 * 24 + 10),
        ),
    ];
    assert_eq!(of_it, expected);
}

#[test]
fn an_attachment_that_no_sync_saw_is_known_from_its_rows() {
    // free at both syncs; on `one` from 10 March 18:00 until 12 March 06:00
    let mut records = days(6, "data", (0, 32), "24", &json!({"size": 1 << 30}));
    let row = json!({"size": 1 << 30, "virtualmachineid": "one"});
    records.push(record(
        6,
        "data",
        ("03-10T00:00:00", "03-11T00:00:00"),
        "6",
        &row,
    ));
    records.extend(days(6, "data", (11, 11), "24", &row));
    records.push(record(
        6,
        "data",
        ("03-12T00:00:00", "03-13T00:00:00"),
        "6",
        &row,
    ));
    let mut syncs = [sync("03-02T02:00:00"), sync("03-16T02:00:00")];
    for sync in &mut syncs {
        sync.vms.push(vm("one", "02-01T00:00:00"));
        sync.volumes.push(volume("data", "02-01T00:00:00", None));
    }
    let bill = rate(&syncs, &records);
    let under: Vec<_> = lines(&bill, "disk")
        .into_iter()
        .filter(|line| line.vm.is_some())
        .map(|line| (line.period.start(), line.period.end(), line.used_millis))
        .collect();
    assert_eq!(
        under,
        [(at("03-10T18:00:00"), at("03-12T06:00:00"), hours(36))]
    );
}

/// The hours of a volume under each VM; those under none are left out.
fn hours_under(syncs: &[Snapshot], records: &[UsageRecord]) -> BTreeMap<String, i128> {
    let bill = rate(syncs, records);
    let mut under = BTreeMap::new();
    for line in lines(&bill, "disk") {
        if let Some(vm) = &line.vm {
            *under.entry(vm.to_string()).or_default() += line.used_millis / hours(1);
        }
    }
    under
}

/// A row of a day of March in which a volume was attached for some hours.
fn attached(vm: &str, day: u32, used: &str) -> UsageRecord {
    let row = json!({"size": 1 << 30, "virtualmachineid": vm});
    days(6, "data", (day, day), used, &row).remove(0)
}

/// Syncs of 2 and 16 March that see `data` under these VMs, and not since when.
fn seen_under(vms: [Option<&str>; 2]) -> [Snapshot; 2] {
    let mut syncs = [sync("03-02T02:00:00"), sync("03-16T02:00:00")];
    for (sync, under) in syncs.iter_mut().zip(vms) {
        sync.vms.push(vm("one", "02-01T00:00:00"));
        sync.vms.push(vm("two", "02-01T00:00:00"));
        let mut data = volume("data", "02-01T00:00:00", None);
        data.vm = under.map(Into::into);
        sync.volumes.push(data);
    }
    syncs
}

#[test]
fn rows_tell_when_between_two_syncs_a_volume_was_taken_off() {
    let mut records = days(6, "data", (0, 32), "24", &json!({"size": 1 << 30}));
    records.extend((1..=9).map(|day| attached("one", day, "24")));
    records.push(attached("one", 10, "6"));
    let under = hours_under(&seen_under([Some("one"), None]), &records);
    // until 10 March 06:00
    assert_eq!(under, BTreeMap::from([("one".to_owned(), 9 * 24 + 6)]));
}

#[test]
fn rows_tell_when_between_two_syncs_a_volume_was_attached_and_to_what_before() {
    let mut records = days(6, "data", (0, 32), "24", &json!({"size": 1 << 30}));
    // to `one` on 1 March, to `two` on the 4th and 5th and again on the 7th, to `one` since
    // the 10th at 18:00
    records.push(attached("one", 1, "24"));
    records.extend([4, 5, 7].map(|day| attached("two", day, "24")));
    records.push(attached("one", 10, "6"));
    records.extend((11..=31).map(|day| attached("one", day, "24")));
    let under = hours_under(&seen_under([None, Some("one")]), &records);
    let expected = [("one", 24 + 6 + 21 * 24), ("two", 3 * 24)];
    let expected = expected.map(|(vm, hours)| (vm.to_owned(), hours));
    assert_eq!(under, BTreeMap::from(expected));
}

#[test]
fn rows_that_stop_end_no_attachment_that_syncs_confirm() {
    let mut records = days(6, "data", (0, 32), "24", &json!({"size": 1 << 30}));
    records.extend((1..=5).map(|day| attached("one", day, "24")));
    let under = hours_under(&seen_under([Some("one"), Some("one")]), &records);
    assert_eq!(under, BTreeMap::from([("one".to_owned(), 31 * 24)]));
}

#[test]
fn a_snapshot_of_a_vm_has_a_record_for_each_of_its_volumes() {
    // of two volumes of one size: their records are the same, and a second longer each
    let of_vm = json!({"size": 1 << 30, "virtualmachineid": "one"});
    let window = ("03-10T00:00:00", "03-10T12:00:00");
    let snapshot = || record(25, "snap", window, "12.000278", &of_vm);
    let found = |volumes: &[&str], records: &[UsageRecord]| {
        let mut syncs = seen_under([Some("one"), Some("one")]);
        for sync in &mut syncs {
            for id in volumes {
                let mut more = volume(id, "02-01T00:00:00", None);
                more.vm = Some("one".into());
                sync.volumes.push(more);
            }
        }
        let kinds = rate(&syncs, records).findings.into_iter();
        let kinds = kinds.map(|finding| finding.kind);
        let of_records = [FindingKind::OverWindow, FindingKind::Duplicate];
        kinds
            .filter(|kind| of_records.contains(kind))
            .collect::<Vec<_>>()
    };
    assert!(found(&["more"], &[snapshot(), snapshot()]).is_empty());
    let third = [snapshot(), snapshot(), snapshot()];
    assert_eq!(found(&["more"], &third), [FindingKind::Duplicate]);
    assert_eq!(found(&[], &third[..2]), [FindingKind::Duplicate]);
}

#[test]
fn things_without_an_id_go_by_what_they_are_called() {
    let anonymous = |name: &str, day: u32| {
        let mut record = days(3, name, (day, day), "24", &json!({})).remove(0);
        record.resource = None;
        record
    };
    let records: Vec<UsageRecord> = (10..=12)
        .flat_map(|day| ["first", "second", "first"].map(|name| anonymous(name, day)))
        .collect();
    let bill = rate(&[sync("03-02T02:00:00")], &records);
    let mut used: Vec<(String, i128)> = lines(&bill, "ip")
        .into_iter()
        .map(|line| (line.resource_name.clone(), line.used_millis / hours(1)))
        .collect();
    used.sort();
    // the copies of the first are held
    assert_eq!(used, [("first".to_owned(), 72), ("second".to_owned(), 72)]);
}

#[test]
fn records_pushed_at_once_give_the_bill_of_records_pushed_one_by_one() {
    let things = |id: &str| days(3, id, (1, 31), "24", &json!({}));
    let ids: Vec<String> = (0..50).map(|number| format!("address {number}")).collect();
    let by_thing: Vec<UsageRecord> = ids.iter().flat_map(|id| things(id)).collect();
    let mut by_day = by_thing.clone();
    by_day.sort_by_key(|record| record.window.start());
    let mut by_chance = by_day.clone();
    by_chance.sort_by_key(|record| {
        (
            record.window.start().timestamp() * 31 % 17,
            record.description.len(),
        )
    });
    let syncs = [sync("03-02T02:00:00")];
    let expected = rate(&syncs, &by_thing);
    assert_eq!(lines(&expected, "ip").len(), 50);
    let book = PriceBook::from_toml(BOOK).unwrap();
    for records in [by_thing, by_day, by_chance] {
        let inventory = inventory(&syncs, &records);
        let mut rating = Rating::new(&book, &inventory, expected.period).unwrap();
        rating.push_all(&records);
        assert_eq!(rating.finish(), expected);
    }
}

/// The hours before and after midnight of 15 March, where the price changes.
fn at_midnight(records: &[UsageRecord], syncs: &[Snapshot]) -> (i128, i128) {
    let book = BOOK.replace(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"hour\"\n",
        "[[price]]\nid = \"old\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"hour\"\nuntil = 2027-03-14\n\
         [[price]]\nid = \"new\"\nmeter = \"cpu\"\namount = \"2\"\nper = \"hour\"\nfrom = 2027-03-15\n",
    );
    let bill = rate_with(&book, syncs, records);
    let used = |price: &str| {
        let of_price = lines(&bill, "cpu")
            .into_iter()
            .filter(|line| line.price == price);
        of_price.map(|line| line.used_millis).sum::<i128>() / hours(1)
    };
    (used("old"), used("new"))
}

fn running(window: (&str, &str), raw: &str) -> UsageRecord {
    record(
        1,
        "vm",
        window,
        raw,
        &json!({"virtualmachineid": "vm", "cpunumber": 1, "memory": 1024}),
    )
}

#[test]
fn used_time_lies_in_its_window_by_what_is_beside_it() {
    // windows from noon to noon: the price changes in their middle
    let all = |parts: &[(u32, &str)]| -> Vec<UsageRecord> {
        let windows = parts.iter().map(|(day, raw)| {
            let (start, end) = (
                format!("03-{day:02}T12:00:00"),
                format!("03-{:02}T12:00:00", day + 1),
            );
            running((&start, &end), raw)
        });
        // the windows beside were fetched: another resource has records in them
        let others = (10..20).map(|day: u32| {
            let (start, end) = (
                format!("03-{day:02}T12:00:00"),
                format!("03-{:02}T12:00:00", day + 1),
            );
            record(
                2,
                "other",
                (&start, &end),
                "24",
                &json!({"virtualmachineid": "other"}),
            )
        });
        windows.chain(others).collect()
    };
    // starts within the window: at its end; 18 h from 18:00, of which 6 before midnight
    assert_eq!(
        at_midnight(&all(&[(14, "18"), (15, "24")]), &[]),
        (6, 12 + 24)
    );
    // stops within the window: at its start
    assert_eq!(
        at_midnight(&all(&[(13, "24"), (14, "18")]), &[]),
        (24 + 12, 6)
    );
    // one gap across the bound of two windows: 23 h until 11:00, then from 14:00
    assert_eq!(
        at_midnight(&all(&[(12, "24"), (13, "23"), (14, "22"), (15, "24")]), &[]),
        (24 + 23 + 10, 12 + 24)
    );
    // a gap within the window: spread evenly, 20 h as 10 and 10
    assert_eq!(
        at_midnight(&all(&[(13, "24"), (14, "20"), (15, "24")]), &[]),
        (24 + 10, 10 + 24)
    );
    // alone in its window, of a VM that lived just then: 8 h from 20:00
    let mut syncs = [sync("03-14T22:00:00"), sync("03-16T22:00:00")];
    syncs[0].vms.push(vm("vm", "03-14T20:00:00"));
    let mut alone = all(&[(14, "8")]);
    alone.push(record(
        2,
        "vm",
        ("03-14T12:00:00", "03-15T12:00:00"),
        "8",
        &json!({"virtualmachineid": "vm"}),
    ));
    assert_eq!(at_midnight(&alone, &syncs), (4, 4));
}

#[test]
fn a_window_that_was_not_fetched_is_unknown() {
    // nothing at all was read of before 14 March 12:00: whether it ran then is not known
    let first = running(("03-14T12:00:00", "03-15T12:00:00"), "18");
    let next = running(("03-15T12:00:00", "03-16T12:00:00"), "24");
    let records = [first, next];
    // spread evenly: 9 and 9
    assert_eq!(at_midnight(&records, &[]), (9, 9 + 24));
    // but its life tells: created at 18:00
    let mut seen = sync("03-15T00:00:00");
    seen.vms.push(vm("vm", "03-14T18:00:00"));
    assert_eq!(at_midnight(&records, &[seen]), (6, 12 + 24));
}

#[test]
fn an_account_that_moves_is_charged_where_it_was() {
    // CloudStack 4.22 rewrites the domain in past records when an account moves
    let records = days(2, "vm", (0, 32), "24", &json!({"domainid": "west"}));
    let mut syncs = [sync("03-02T02:00:00"), sync("03-16T00:00:00")];
    syncs[1].accounts[0].domain = "west".into();
    for sync in &mut syncs {
        sync.vms.push(vm("vm", "02-01T00:00:00"));
    }
    let bill = rate(&syncs, &records);
    let of_it: Vec<_> = bill
        .statements
        .iter()
        .map(|statement| {
            (
                statement.path.as_str(),
                statement
                    .lines
                    .iter()
                    .filter(|line| line.item.name() == "vm")
                    .map(|line| line.used_millis)
                    .sum::<i128>(),
            )
        })
        .collect();
    assert_eq!(
        of_it,
        [("ROOT/east", hours(15 * 24)), ("ROOT/west", hours(16 * 24))]
    );
}

#[test]
fn several_nics_of_one_offering_share_a_record() {
    let nic = json!({"usageid": null, "virtualmachineid": "vm", "offeringid": "net"});
    let records = days(13, "vm", (1, 31), "48", &nic);
    let bill = rate(&[], &records);
    assert_eq!(
        lines(&bill, "nic")
            .iter()
            .map(|line| line.used_millis)
            .sum::<i128>(),
        hours(31 * 48)
    );
    assert!(!kinds(&bill).contains(&FindingKind::OverWindow));
}

#[test]
fn a_bucket_costs_the_average_of_its_days() {
    // 10 days of 1 GiB and 21 of 3 GiB at 31.00 a month: 10 + 63 EUR
    let bytes = |gib: u64| (gib << 30).to_string();
    let mut records = days(
        29,
        "bucket",
        (1, 10),
        &bytes(1),
        &json!({"usage": "x Bytes"}),
    );
    records.extend(days(
        29,
        "bucket",
        (11, 31),
        &bytes(3),
        &json!({"usage": "x Bytes"}),
    ));
    let bill = rate(&[], &records);
    assert_eq!(bill.total.to_string(), "73.00 EUR");
}

#[test]
fn backups_of_4_14_count_bytes_and_later_ones_time() {
    let bytes = json!({"usage": "2.0000 GiB", "virtualmachineid": "vm"});
    let old = days(28, "vm", (1, 31), &(2_u64 << 30).to_string(), &bytes);
    let time = json!({"usage": "24 Hrs", "virtualmachineid": "vm", "size": 2_u64 << 30});
    let new = days(28, "vm", (1, 31), "24", &time);
    // 2 GiB at 31.00 a month, all month
    assert_eq!(rate(&[], &old).total.to_string(), "62.00 EUR");
    assert_eq!(rate(&[], &new).total.to_string(), "62.00 EUR");
}

#[test]
fn what_is_counted_in_bytes_costs_the_same_each_whatever_its_size() {
    // 31.00 a month for each, however many bytes it holds and whatever it is counted in
    let each = BOOK.replace("unit = \"GiB\"", "unit = \"each\"");
    let counted = |bytes: u64| {
        let more = json!({"usage": "x Bytes", "virtualmachineid": "vm"});
        days(28, "vm", (1, 16), &bytes.to_string(), &more)
    };
    for records in [
        counted(1),
        counted(7 << 30),
        days(
            28,
            "vm",
            (1, 16),
            "24",
            &json!({"usage": "24 Hrs", "virtualmachineid": "vm", "size": 5}),
        ),
        days(29, "bucket", (1, 16), "12345", &json!({"usage": "x Bytes"})),
    ] {
        // 15 or 16 of the 31 days
        let days = records.len();
        assert_eq!(
            rate_with(&each, &[], &records).total.to_string(),
            format!("{days}.00 EUR")
        );
    }
}

#[test]
fn a_month_with_a_day_of_23_hours_costs_the_list_price() {
    // windows of Berlin's days; on 28 March the clocks go from 02:00 to 03:00
    let book = BOOK
        .replace("zone = \"UTC\"", "zone = \"Europe/Berlin\"")
        .replace(
            "meter = \"vm\"\nbasis = \"allocated\"\ncovers = []\namount = \"1\"\nper = \"hour\"",
            "meter = \"vm\"\nbasis = \"allocated\"\ncovers = []\namount = \"10\"\nper = \"month\"",
        );
    let mut records = Vec::new();
    let mut start = at("02-27T23:00:00");
    while start < at("04-02T00:00:00") {
        let is_short = start == at("03-27T23:00:00");
        let length = if is_short { 23 } else { 24 };
        let end = start + TimeDelta::hours(length);
        let text = |time: DateTime<Utc>| time.format("%m-%dT%H:%M:%S").to_string();
        records.push(record(
            2,
            "vm",
            (&text(start), &text(end)),
            &length.to_string(),
            &json!({}),
        ));
        start = end;
    }
    let bill = rate_with(&book, &[], &records);
    assert_eq!(bill.total.to_string(), "10.00 EUR");
    let used: i128 = lines(&bill, "vm").iter().map(|line| line.used_millis).sum();
    assert_eq!(used, hours(743));
    // the same from fixed days of 24 hours of UTC
    let fixed = days(2, "vm", (0, 32), "24", &json!({}));
    assert_eq!(rate_with(&book, &[], &fixed).exact, bill.exact);
}
