//! Groups I and K: the same usage again, and usage that is not clean.

use cloudstack_usage::{Snapshot, parse_usage_record};
use rating_engine::{Bill, PriceBook};
use serde_json::{Value, json};

use crate::Case;
use crate::support::cloud::{GIB, days, span_of};
use crate::support::{Cloud, at, between, book, finding, findings, line, month, of, rate_json};

const PRICES: &str = "
[[price]]
id = \"vm\"
meter = \"vm\"
amount = \"30\"
per = \"month\"
[[price]]
id = \"disk\"
meter = \"disk\"
amount = \"0.10\"
per = \"month\"
[[price]]
id = \"nic\"
meter = \"nic\"
amount = \"1\"
per = \"hour\"
";

/// Records and snapshots of a small cloud around September.
fn september() -> (
    PriceBook,
    Vec<String>,
    Vec<Snapshot>,
    cloudstack_usage::Period,
) {
    let book = book(PRICES);
    let period = month(&book, "2026-09");
    let windows = days(period);
    let cloud = Cloud::new()
        .vm("m", 2, 4, "2026-09-04 07:03", "2026-10-20")
        .volume(
            "v",
            50 * GIB,
            Some("m"),
            "2026-09-04 07:03",
            "2026-09-21 13:00",
        );
    (
        book,
        cloud.records(&windows),
        cloud.snapshots(span_of(&windows)),
        period,
    )
}

fn without_findings(bill: &Bill) -> Vec<(String, String)> {
    bill.statements
        .iter()
        .flat_map(|statement| &statement.lines)
        .map(|line| (line.key.clone(), line.net.to_string()))
        .collect()
}

pub(crate) fn a_batch_loaded_twice(case: &Case) {
    let (book, records, snapshots, period) = september();
    let once = rate_json(&book, &records, &snapshots, period);
    let twice = rate_json(
        &book,
        &[records.clone(), records].concat(),
        &snapshots,
        period,
    );
    assert_eq!(without_findings(&once), without_findings(&twice));
    let added = twice.exact.clone() - once.exact.clone();
    case.expect(&[crate::support::decimal(&added, 2)]);
    assert_eq!(twice.counts.held, once.counts.records);
    assert_eq!(finding(&twice, "duplicate").policy.slug(), "bill_once");
}

pub(crate) fn rating_again_changes_nothing(case: &Case) {
    let (book, records, snapshots, period) = september();
    let [first, second] = [(); 2].map(|()| rate_json(&book, &records, &snapshots, period));
    assert_eq!(first.digest, second.digest);
    assert_eq!(first.to_json().to_string(), second.to_json().to_string());
    case.expect(&[crate::support::decimal(&(second.exact - first.exact), 2)]);
}

pub(crate) fn usage_belongs_to_its_own_time(case: &Case) {
    assert_eq!(case.value(0), "closed");
    let book =
        book("[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\namount = 1\n");
    let mut cloud = Cloud::new().counted(21, "v", &[]);
    cloud.counters[0].amounts = vec![(between("2026-09-30 23:59", "2026-10-01"), 7)];
    assert_eq!(
        cloud.rate(&book, month(&book, "2026-09")).total.amount(),
        "7.00"
    );
    let next = cloud.rate(&book, month(&book, "2026-10"));
    assert_eq!(
        (next.total.amount(), next.counts.neighbours),
        ("0.00".to_owned(), 1)
    );
}

fn same_in_every_order(orders: impl Fn(&[String]) -> Vec<Vec<String>>) {
    let (book, records, snapshots, period) = september();
    let expected = rate_json(&book, &records, &snapshots, period);
    for records in orders(&records) {
        let bill = rate_json(&book, &records, &snapshots, period);
        assert_eq!(bill.to_json().to_string(), expected.to_json().to_string());
        assert_eq!(bill.digest, expected.digest);
    }
}

pub(crate) fn any_order_of_records(case: &Case) {
    assert_eq!(case.value(0), "same");
    same_in_every_order(|records| {
        let reversed = records.iter().rev().cloned().collect();
        let interleaved = (0..7)
            .flat_map(|start| records.iter().skip(start).step_by(7).cloned())
            .collect();
        vec![reversed, interleaved]
    });
}

pub(crate) fn sorted_by_anything(case: &Case) {
    assert_eq!(case.value(0), "same");
    same_in_every_order(|records| {
        let by = |field: &str| {
            let mut sorted = records.to_vec();
            sorted.sort_by_key(|json| {
                let record: Value = serde_json::from_str(json).unwrap();
                record[field].to_string()
            });
            sorted
        };
        vec![by("usageid"), by("startdate"), by("rawusage")]
    });
}

/// Hours as the server's 32-bit arithmetic makes and prints them.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    reason = "what the server does, not what we do"
)]
fn server_hours(millis: i64) -> String {
    format!("{:.6}", millis as f32 / 1000.0 / 60.0 / 60.0)
}

fn seconds(raw: &str) -> String {
    let record = json!({"usagetype": 1, "accountid": "a", "domainid": "d", "usageid": "m", "virtualmachineid": "m",
        "rawusage": raw, "usage": "Hrs", "startdate": "2026-09-05T00:00:00+0000", "enddate": "2026-09-05T23:59:59+0000"});
    let record = record.to_string();
    let amount = parse_usage_record(&record).unwrap().quantity.amount();
    // and the bill has just that time
    let book = book(
        "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 1\nper = \"hour\"\nbasis = \"running\"\n",
    );
    let bill = rate_json(&book, &[record], &[], month(&book, "2026-09"));
    assert_eq!(line(&bill, "vm").used_millis, amount);
    (amount / 1000).to_string()
}

pub(crate) fn hours_snap_to_seconds(case: &Case) {
    assert_eq!(seconds("1.3333333730697632"), case.value(0));
    case.expect(&[seconds(&server_hours(4_800_000))]);
}

pub(crate) fn worst_hours_snap_too(case: &Case) {
    case.expect(&[50_000_001, 86_399_999].map(|millis| seconds(&server_hours(millis))));
}

pub(crate) fn dates_and_usage_agree(case: &Case) {
    case.expect(&[seconds("0.198085")]);
    let dates = at("2019-08-05T11:58:15Z") - at("2019-08-05T11:46:22Z");
    assert_eq!(dates.num_seconds().to_string(), case.value(0));
}

pub(crate) fn many_copies(case: &Case) {
    let record = json!({"usagetype": 13, "accountid": "a", "domainid": "d", "virtualmachineid": "m", "offeringid": "o",
        "rawusage": "24", "usage": "24 Hrs", "description": "network offering of a VM", "isdefault": true,
        "startdate": "2026-09-05T00:00:00+0000", "enddate": "2026-09-05T23:59:59+0000"});
    let book = book(PRICES);
    let bill = rate_json(
        &book,
        &vec![record.to_string(); 112],
        &[],
        month(&book, "2026-09"),
    );
    case.expect(&[(line(&bill, "nic").used_millis / 3_600_000).to_string()]);
    let duplicate = finding(&bill, "duplicate");
    assert_eq!((duplicate.records, bill.counts.held), (111, 111));
    // what billing them all would cost too much: 111 x 24 hours
    assert_eq!(duplicate.value, Some(rating_engine::Exact::from(111 * 24)));
}

pub(crate) fn a_copied_vm_record(case: &Case) {
    assert_eq!(case.value(0), "once");
    let book = book(&PRICES.replace("meter = \"vm\"", "meter = \"vm\"\nbasis = \"running\""));
    let cloud = Cloud::new().vm("m", 1, 1, "2026-09-05", "2026-09-06");
    let records = cloud.records(&days(month(&book, "2026-09")));
    let copied: Vec<String> = records
        .iter()
        .flat_map(|record| vec![record.clone(); 3])
        .collect();
    let bill = rate_json(&book, &copied, &[], month(&book, "2026-09"));
    assert_eq!(of(&bill, "vm").len(), 1);
    assert_eq!(bill.total.amount(), "1.00");
    assert!(findings(&bill).contains(&"duplicate"));
}

pub(crate) fn allocated_and_attached_rows(case: &Case) {
    assert_eq!(case.value(0), "once");
    let (book, records, snapshots, period) = september();
    let attached = records
        .iter()
        .filter(|json| json.contains("\"usagetype\":6"))
        .map(|json| {
            let mut record: Value = serde_json::from_str(json).unwrap();
            record["virtualmachineid"] = json!("m");
            record.to_string()
        });
    let attached: Vec<String> = attached.collect();
    assert!(!attached.is_empty());
    let plain = rate_json(&book, &records, &snapshots, period);
    let both = rate_json(
        &book,
        &[records, attached.clone()].concat(),
        &snapshots,
        period,
    );
    assert_eq!(both.exact, plain.exact);
    assert_eq!(
        both.counts.reference,
        plain.counts.reference + attached.len() as u64
    );
}

pub(crate) fn a_resize_in_mid_month(case: &Case) {
    let book = book(PRICES);
    let cloud = Cloud::new()
        .volume("v", 10 * GIB, None, "2026-08-01", "2026-11-01")
        .with_volume(|disk| disk.size.push((at("2026-09-16"), 20 * GIB)));
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    case.expect(&[bill.total.amount()]);
    let segments = &line(&bill, "disk").explanation.segments;
    let lists: Vec<String> = segments
        .iter()
        .map(|segment| crate::support::decimal(&segment.list, 2))
        .collect();
    assert_eq!(lists, ["0.50", "1.00"]);
}

pub(crate) fn sizes_missing(case: &Case) {
    assert_eq!(case.value(0), "flag");
    let row = |meter: &str| {
        format!("[[price]]\nid = \"{meter}\"\nmeter = \"{meter}\"\namount = 10\nper = \"month\"\n")
    };
    let book = book(&(row("cpu") + &row("ram")));
    let period = month(&book, "2026-09");
    let mut cloud = Cloud::new().vm("m", 2, 4, "2026-08-01", "2026-11-01");
    cloud.sizes_only_in_lists = true;
    // nobody knows the sizes: held and flagged
    let records = cloud.records(&days(period));
    let unknown = rate_json(&book, &records, &[], period);
    assert_eq!(
        findings(&unknown)
            .iter()
            .filter(|slug| **slug == "missing_size")
            .count(),
        2
    );
    assert!(unknown.total.is_zero() && unknown.counts.held == 30);
    // the lists know them
    assert_eq!(cloud.rate(&book, period).total.amount(), "60.00");
    // or a fixed offering does, though no list has the VM any more
    cloud = cloud.with_vm(|vm| vm.offering = Some("o".to_owned()));
    let mut snapshot = Snapshot::new(period.end()).all_complete();
    snapshot.service_offerings.push(cloudstack_usage::Offering {
        id: "o".into(),
        name: "small".to_owned(),
        cpu_count: Some(2),
        memory_mib: Some(4096),
        storage_tags: None,
    });
    let offered = rate_json(&book, &cloud.records(&days(period)), &[snapshot], period);
    assert_eq!(offered.total.amount(), "60.00");
}
