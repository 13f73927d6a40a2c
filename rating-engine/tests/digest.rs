//! A bill's digest says what it was made of: whatever is different in a record, however
//! little, gives another one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use cloudstack_usage::{
    Holder, Inventory, Period, Quantity, UsageRecord, UsageType, parse_usage_record,
};
use rating_engine::Rating;

use support::{between, book};

/// A day of an address of an account, with no field that need not be there.
fn record() -> UsageRecord {
    parse_usage_record(
        r#"{"usagetype": 3, "usageid": "address", "rawusage": "24", "usage": "24 Hrs",
            "description": "one", "domainid": "acme", "accountid": "ops", "account": "ops",
            "startdate": "2026-09-03T00:00:00+0000", "enddate": "2026-09-03T23:59:59+0000"}"#,
    )
    .unwrap()
}

fn digest(records: &[UsageRecord]) -> String {
    let book = book("");
    let inventory = Inventory::default();
    let september = between("2026-09-01", "2026-10-01");
    let mut rating = Rating::new(&book, &inventory, september).unwrap();
    for record in records {
        rating.push(record);
    }
    rating.finish().digest
}

type Change = fn(&mut UsageRecord);

/// One change to each field that a bill is made of.
fn changes() -> Vec<(&'static str, Change)> {
    vec![
        ("type", |record| {
            record.usage_type = UsageType::SecurityGroup;
        }),
        ("resource", |record| record.resource = Some("other".into())),
        ("domain", |record| record.owner.domain = "other".into()),
        ("account", |record| {
            record.owner.holder = Holder::Account("dev".into());
        }),
        ("project of this id", |record| {
            record.owner.holder = Holder::Project("ops".into());
        }),
        ("nobody", |record| record.owner.holder = Holder::Unknown),
        ("zone", |record| record.zone = Some("near".into())),
        ("VM", |record| record.vm = Some("near".into())),
        ("offering", |record| record.offering = Some("near".into())),
        ("template", |record| record.template = Some("near".into())),
        ("network", |record| record.network = Some("near".into())),
        ("VPC", |record| record.vpc = Some("near".into())),
        ("size", |record| record.size_bytes = Some(7)),
        ("virtual size", |record| record.virtual_size_bytes = Some(7)),
        ("vCPUs", |record| record.cpu_count = Some(7)),
        ("MHz", |record| record.cpu_mhz = Some(7)),
        ("memory", |record| record.memory_mib = Some(7)),
        ("default", |record| record.is_default = Some(true)),
        ("not default", |record| record.is_default = Some(false)),
        ("source NAT", |record| record.is_source_nat = Some(true)),
        ("system", |record| record.is_system = Some(true)),
        ("name", |record| record.name = Some("near".to_owned())),
        ("description", |record| {
            "two".clone_into(&mut record.description);
        }),
        ("account's name", |record| {
            record.holder_name = Some("near".to_owned());
        }),
        ("domain's name", |record| {
            record.domain_name = Some("near".to_owned());
        }),
        ("domain's path", |record| {
            record.domain_path = Some("near".to_owned());
        }),
        ("kind", |record| record.kind = Some("near".to_owned())),
        ("OS type", |record| record.os_type = Some("near".into())),
        ("OS category", |record| {
            record.os_category_name = Some("near".to_owned());
        }),
        ("window's beginning", |record| {
            record.window = Period::new(
                record.window.start() - chrono::TimeDelta::seconds(1),
                record.window.end(),
            )
            .unwrap();
        }),
        ("window's end", |record| {
            record.window = Period::new(
                record.window.start(),
                record.window.end() + chrono::TimeDelta::seconds(1),
            )
            .unwrap();
        }),
        ("used time", |record| {
            record.quantity = Quantity::time(1000);
        }),
        ("usage as sent", |record| record.raw_usage = 23.into()),
    ]
}

#[test]
fn whatever_is_different_gives_another_digest() {
    let base = digest(&[record()]);
    assert_eq!(base.len(), 64);
    let mut seen = vec![("nothing", digest(&[])), ("the record itself", base)];
    for (what, change) in changes() {
        let mut changed = record();
        change(&mut changed);
        let digest = digest(&[changed]);
        let same = seen.iter().find(|(_, other)| *other == digest);
        assert_eq!(same, None, "{what}");
        seen.push((what, digest));
    }
}

#[test]
fn one_record_more_gives_another_digest() {
    let next = |days: i64| {
        let mut record = record();
        let shift = chrono::TimeDelta::days(days);
        record.window =
            Period::new(record.window.start() + shift, record.window.end() + shift).unwrap();
        record
    };
    let days: Vec<UsageRecord> = (0..4).map(next).collect();
    let mut digests: Vec<String> = (0..=days.len())
        .map(|count| digest(&days[..count]))
        .collect();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), days.len() + 1);
}

/// Texts are told apart by where they end, not only by what they say together.
#[test]
fn texts_do_not_run_into_each_other() {
    let of = |name: &str, description: &str| {
        let mut record = record();
        record.name = Some(name.to_owned());
        record.description = description.to_owned();
        digest(&[record])
    };
    assert_ne!(of("ab", "c"), of("a", "bc"));
}
