//! The shadow against what a real Quota booked.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "in a test a panic is the report of a failure, and the recording is read from files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use cloudstack_usage::{Inventory, Offering, Period, UsageRecord, parse_usage_record};
use proptest::prelude::*;
use rating_engine::quota::{
    CauseKind, Comparison, Metadata, Quota, QuotaRating, RecordCharge, Tariff, book_from_tariffs,
    compare,
};
use rating_engine::{
    Bill, Currency, Exact, Meter, Money, Price, PriceBook, PriceKind, Rating, RoundingMode, Target,
};
use rust_decimal::Decimal;

#[path = "builders/recorded.rs"]
mod recorded;

use recorded::{Recorded, Row};

fn text(row: &Row, field: &str) -> String {
    row[field].get().trim_matches('"').to_owned()
}

fn eight(exact: &Exact) -> String {
    exact.to_decimal_string(8, RoundingMode::HalfAway)
}

/// A decimal text of the database or an answer with 8 decimals, whatever it was printed with.
fn as_eight(text: &str) -> String {
    let number = Decimal::from_scientific(text).or_else(|_| Decimal::from_str_exact(text));
    eight(&Exact::from_decimal(number.unwrap()))
}

/// The recorded records with their rows, which are in the order of the API's answer.
fn with_rows(recorded: &Recorded) -> Vec<(&UsageRecord, Row)> {
    let mut rows = recorded.table("cloud_usage.cloud_usage");
    rows.sort_by_key(|row| text(row, "id").parse::<u64>().unwrap());
    assert_eq!(rows.len(), recorded.records.len());
    let pairs: Vec<(&UsageRecord, Row)> = recorded.records.iter().zip(rows).collect();
    for (record, row) in &pairs {
        assert_eq!(record.usage_type.id().to_string(), text(row, "usage_type"));
        let start = NaiveDateTime::parse_from_str(&text(row, "start_date"), "%Y-%m-%d %H:%M:%S");
        assert_eq!(record.window.start().naive_utc(), start.unwrap());
        let size = record.size_bytes.map(|size| size.to_string());
        let no_size = ["null", "0"].contains(&text(row, "size").as_str());
        assert!(size == Some(text(row, "size")) || no_size);
        let raw = Decimal::from_scientific(&text(row, "raw_usage"))
            .or_else(|_| Decimal::from_str_exact(&text(row, "raw_usage")))
            .unwrap();
        assert!((raw - record.raw_usage).abs() <= Decimal::new(1, 6));
    }
    pairs
}

fn charges(recorded: &Recorded, tariffs: &[Tariff]) -> Vec<RecordCharge> {
    let metadata = Metadata::new(&recorded.inventory, Some(&recorded.newest));
    let quota = Quota::new(tariffs, metadata, Tz::UTC);
    recorded
        .records
        .iter()
        .map(|record| quota.charge(record))
        .collect()
}

#[test]
fn every_record_is_booked_as_the_real_quota_booked_it() {
    let recorded = Recorded::read();
    let booked: BTreeMap<String, Row> = recorded
        .table("cloud_usage.quota_usage")
        .into_iter()
        .map(|row| (text(&row, "usage_item_id"), row))
        .collect();
    let ours = charges(&recorded, &recorded.tariffs());
    let mut equal = 0;
    for ((_, row), charge) in with_rows(&recorded).iter().zip(&ours) {
        let id = text(row, "id");
        let theirs = booked
            .get(&id)
            .map(|row| as_eight(&text(row, "quota_used")));
        assert_eq!(charge.problem, None, "record {id}");
        assert_eq!(charge.used.as_ref().map(eight), theirs, "record {id}");
        equal += usize::from(theirs.is_some());
    }
    assert_eq!(equal, booked.len());
}

#[test]
fn every_tariff_of_a_record_adds_what_the_real_quota_noted() {
    let recorded = Recorded::read();
    let uuids: BTreeMap<String, String> = recorded
        .table("cloud_usage.quota_tariff")
        .iter()
        .map(|row| (text(row, "id"), text(row, "uuid")))
        .collect();
    let items: BTreeMap<String, String> = recorded
        .table("cloud_usage.quota_usage")
        .iter()
        .map(|row| (text(row, "id"), text(row, "usage_item_id")))
        .collect();
    let mut theirs: BTreeMap<(String, String), String> = BTreeMap::new();
    for row in recorded.table("cloud_usage.quota_tariff_usage") {
        let item = items[&text(&row, "quota_usage_id")].clone();
        let tariff = uuids[&text(&row, "tariff_id")].clone();
        theirs.insert((item, tariff), as_eight(&text(&row, "quota_used")));
    }
    let ours = charges(&recorded, &recorded.tariffs());
    let mut computed = BTreeMap::new();
    for ((_, row), charge) in with_rows(&recorded).iter().zip(ours) {
        for tariff in charge.tariffs {
            computed.insert((text(row, "id"), tariff.tariff), eight(&tariff.used));
        }
    }
    assert_eq!(computed, theirs);
}

#[test]
fn the_sums_are_those_of_the_recorded_statements() {
    let recorded = Recorded::read();
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(recorded.path("quota/index.json")).unwrap()).unwrap();
    let charges = charges(&recorded, &recorded.tariffs());
    let mut compared = 0;
    for entry in index.as_array().unwrap() {
        let params = &entry["params"];
        if params["command"] != "quotaStatement" {
            continue;
        }
        let body = recorded.body(&format!("quota/{}", entry["file"].as_str().unwrap()));
        let raw: BTreeMap<String, BTreeMap<String, Box<serde_json::value::RawValue>>> =
            serde_json::from_slice(&body).unwrap();
        let statement: BTreeMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(raw["quotastatementresponse"]["statement"].get()).unwrap();
        let day = |name: &str, time: &str| -> DateTime<Utc> {
            format!("{}T{time}Z", params[name].as_str().unwrap())
                .parse()
                .unwrap()
        };
        let (from, to) = (day("startdate", "00:00:00"), day("enddate", "23:59:59"));
        let sum: Exact = recorded
            .records
            .iter()
            .zip(&charges)
            .filter(|(record, _)| record.window.start() >= from && record.window.start() <= to)
            .filter(|(record, _)| match params.get("projectid") {
                Some(project) => record
                    .owner
                    .project()
                    .is_some_and(|id| Some(id.to_string().as_str()) == project.as_str()),
                None => {
                    record.owner.account().is_some()
                        && record.holder_name.as_deref() == params["account"].as_str()
                }
            })
            .filter_map(|(_, charge)| charge.used.clone())
            .sum();
        assert_eq!(
            eight(&sum),
            as_eight(statement["totalquota"].get()),
            "{params}"
        );
        compared += 1;
    }
    assert!(compared > 0);
}

#[test]
fn another_tariff_moves_the_result_by_its_share() {
    let recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let before = charges(&recorded, &tariffs);
    let mut moved_any = false;
    for index in 0..tariffs.len() {
        let tariff = &tariffs[index];
        if tariff.removed.is_some() || tariff.activation_rule.is_some() || tariff.value.is_zero() {
            continue;
        }
        let mut changed = tariffs.clone();
        changed[index].value = tariff.value * Decimal::from(2);
        let after = charges(&recorded, &changed);
        for ((record, before), after) in recorded.records.iter().zip(&before).zip(&after) {
            let worth = |charge: &RecordCharge| charge.used.clone().unwrap_or_default();
            let share = before
                .tariffs
                .iter()
                .find(|part| part.tariff == tariff.id)
                .map(|part| part.used.clone())
                .unwrap_or_default();
            let moved = worth(after) - worth(before) - share;
            // each of three amounts is rounded to 8 decimals, and so is the hourly rate
            let bound = Exact::ratio(24 * 1024, 100_000_000).unwrap();
            assert!(moved.clone() - bound.clone() < Exact::zero() && moved + bound > Exact::zero());
            if record.usage_type != tariff.usage_type {
                assert_eq!(before, after);
            }
        }
        let applied = |charge: &RecordCharge| charge.tariffs.iter().any(|t| t.tariff == tariff.id);
        let used = before.iter().any(applied);
        assert_eq!(before != after, used, "{}", tariff.name);
        moved_any |= used;
    }
    assert!(moved_any);
}

/// Upstream's own numbers, read where they lie.
fn conformance() -> Option<serde_json::Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("shared/samples/cloudstack/derived_quota_conformance.json"))
        .find(|path| path.is_file())?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn tariff(usage_type: u32, value: &str) -> Tariff {
    let json = format!(
        r#"{{"quotatarifflistresponse": {{"quotatariff": [{{"usageType": {usage_type},
            "tariffValue": {value}, "effectiveDate": "2000-01-01T00:00:00+0000"}}]}}}}"#
    );
    Tariff::read_list(json.as_bytes()).unwrap().remove(0)
}

fn record(usage_type: u32, raw: &str, size: u64, start: &str, end: &str) -> UsageRecord {
    let json = serde_json::json!({
        "usagetype": usage_type, "rawusage": raw, "size": size, "accountid": "a", "account": "a",
        "domainid": "d", "domain": "d", "zoneid": "z", "usageid": "r", "virtualmachineid": "v",
        "description": "", "startdate": start, "enddate": end,
    });
    parse_usage_record(&json.to_string()).unwrap()
}

#[test]
fn units_are_worth_what_upstream_says() {
    let Some(numbers) = conformance() else {
        eprintln!("upstream's numbers are not beside the repository; skipped");
        return;
    };
    let case = &numbers["unit_value"];
    let types = [
        ("Compute*Month", 2),
        ("IP*Month", 3),
        ("Policy*Month", 12),
        ("GB*Month", 9),
        ("GB", 4),
        ("Bytes", 23),
        ("IOPS", 21),
    ];
    let inventory = Inventory::default();
    let tested = case["expected"].as_object().unwrap();
    assert_eq!(tested.len(), types.len());
    for (unit, usage_type) in types {
        let tariffs = [tariff(usage_type, case["tariff"].as_str().unwrap())];
        let quota = Quota::new(&tariffs, Metadata::new(&inventory, None), Tz::UTC);
        let record = record(
            usage_type,
            case["raw_usage"].as_str().unwrap(),
            case["size_bytes"].as_u64().unwrap(),
            "2026-09-10T00:00:00+0000",
            "2026-09-10T23:59:59+0000",
        );
        let used = quota.charge(&record).used.unwrap();
        let expected = as_eight(case["expected"][unit].as_str().unwrap());
        assert_eq!(eight(&used), expected, "{unit}");
    }
}

#[test]
fn a_tariff_applies_as_upstream_says_bounds_included() {
    let Some(numbers) = conformance() else {
        eprintln!("upstream's numbers are not beside the repository; skipped");
        return;
    };
    let instant = |value: &serde_json::Value| {
        let text = value.as_str()?;
        let civil = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap();
        Some(civil.and_utc())
    };
    for case in numbers["tariff_in_period"].as_array().unwrap() {
        let tariff = Tariff {
            start: instant(&case["tariff_start"]).unwrap(),
            end: instant(&case["tariff_end"]),
            ..tariff(1, "1")
        };
        let end = instant(&case["record_end"]).unwrap();
        let start = instant(&case["record_start"]).unwrap_or(end);
        let applies = tariff.applies(start, end);
        assert_eq!(Some(applies), case["applies"].as_bool(), "{case}");
    }
}

fn ruled(rule: &str) -> Tariff {
    Tariff {
        id: rule.to_owned(),
        activation_rule: Some(rule.to_owned()),
        // 720 of a thing in a month of 720 hours: one an hour
        ..tariff(3, "720")
    }
}

/// What a rule makes of a tariff of 720 for ten hours of an address in a month of 720 hours.
fn with_rules(rules: &[&str]) -> RecordCharge {
    let inventory = Inventory::default();
    let tariffs: Vec<Tariff> = rules.iter().map(|rule| ruled(rule)).collect();
    let quota = Quota::new(&tariffs, Metadata::new(&inventory, None), Tz::UTC);
    let (start, end) = ("2026-09-10T00:00:00+0000", "2026-09-10T23:59:59+0000");
    quota.charge(&record(3, "10", 0, start, end))
}

#[test]
fn a_rule_gives_a_number_the_tariff_or_nothing() {
    let used = |rule: &str| with_rules(&[rule]).used.map(|used| eight(&used));
    for (rule, expected) in [
        ("72", Some("1.00000000")),
        ("true", Some("10.00000000")),
        ("false", None),
        ("'other'", None),
        ("'yes'", Some("10.00000000")),
        ("'7.2'", Some("0.10000000")),
        ("36 * (1 + 1) // twice", Some("1.00000000")),
        (
            "if (domain.id == 'd') { 72 } else { 144 }",
            Some("1.00000000"),
        ),
        (
            "if (account.name !== \"a\") 72; else 144;",
            Some("2.00000000"),
        ),
        (
            "resourceType == 'IP_ADDRESS' && zone.id == 'z' ? 72 : 0",
            Some("1.00000000"),
        ),
        ("1\n72", Some("1.00000000")),
        ("!(3 > 2) || 7 % 4 == 3", Some("10.00000000")),
        ("-72 + 144", Some("1.00000000")),
        ("lastTariffs.length == 0", Some("10.00000000")),
    ] {
        assert_eq!(used(rule).as_deref(), expected, "{rule}");
    }
}

#[test]
fn a_rule_beyond_what_is_understood_is_named_and_never_guessed() {
    for rule in [
        " ",
        "var x = 1; x",
        "Math.floor(3.5)",
        "value.name.indexOf('x') >= 0",
        "value.host.name == 'h'",
        "account.role.type == 'Admin'",
        "project.name == 'p'",
        "0x10",
        "1 +",
        "'1' == 1",
        "0.0005",
        "1 / 0",
        "if (false) { 1 }",
        "undefined",
        "zone.name.length",
        "a ? 1 : 2",
        "72 72",
        "-5",
    ] {
        let charge = with_rules(&[rule]);
        assert_eq!(charge.used, None, "{rule}");
        assert!(charge.problem.is_some(), "{rule}");
    }
    let deep = format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(with_rules(&[&deep]).problem.is_some());
    let long = vec!["1"; 100_000].join("+");
    assert!(with_rules(&[&long]).problem.is_some());
}

#[test]
fn conditions_compare_as_javascript_does() {
    let holds = |condition: &str| {
        let charge = with_rules(&[&format!("{condition} ? 72 : 144")]);
        let used = charge.used.map(|used| eight(&used));
        match used.as_deref() {
            Some("1.00000000") => true,
            Some("2.00000000") => false,
            other => panic!("{condition}: {other:?}, {:?}", charge.problem),
        }
    };
    for condition in [
        "1 < 2",
        "2 > 1",
        "1 <= 1",
        "1 <= 2",
        "2 >= 2",
        "2 >= 1",
        "-1 < 0",
        "1 == 1",
        "1 != 2",
        "1 === 1",
        "1 !== 2",
        "1 !== '1'",
        "'a' == 'a'",
        "'a' < 'b'",
        "'b' > 'a'",
        "'a' <= 'a'",
        "'a' + 'b' == 'ab'",
        "true == true",
        "true != false",
        "null == null",
        "null == undefined",
        "null !== undefined",
        "null != 0",
        "'a' != null",
        "undefined === undefined",
        "!false",
        "!(1 > 2)",
        "1",
    ] {
        assert!(holds(condition), "{condition}");
    }
    for condition in [
        "2 < 1",
        "1 < 1",
        "1 > 2",
        "1 > 1",
        "2 <= 1",
        "1 >= 2",
        "1 == 2",
        "1 != 1",
        "1 === 2",
        "1 !== 1",
        "1 === '1'",
        "'a' == 'b'",
        "'b' < 'a'",
        "'a' > 'a'",
        "true == false",
        "null === undefined",
        "undefined == 0",
        "null == 'a'",
        "!true",
        "0",
        "0 / 0",
        "0 / 0 < 1",
    ] {
        assert!(!holds(condition), "{condition}");
    }
    // what nobody knows is named, wherever it stands
    for rule in [
        "value.host + 1",
        "value.host == 1",
        "1 != value.host",
        "value.host < 1",
    ] {
        let problem = with_rules(&[rule]).problem.unwrap();
        assert!(problem.contains("value.host"), "{rule}: {problem}");
    }
}

#[test]
fn what_a_rule_says_is_read_as_javascript_or_quota_read_it() {
    let used = |rule: &str| with_rules(&[rule]).used.map(|used| eight(&used));
    for rule in [
        "/* half */ 36 /* twice */ * 2",
        "/**/72",
        "0.5 * 144",
        "value['id'] == 'r' ? 72 : 0",
        "lastTariffs['length'] + 72",
    ] {
        assert_eq!(used(rule).as_deref(), Some("1.00000000"), "{rule}");
    }
    // neither a number nor yes: nothing, and nothing is wrong
    for rule in ["false", "'7.'", "'+7'", "'1_000'", "''", "'no'"] {
        let charge = with_rules(&[rule]);
        assert_eq!((charge.used, charge.problem), (None, None), "{rule}");
    }
    for (rule, named) in [
        ("010", "010"),
        ("1.2.3", "1.2.3"),
        ("'a\\\\b'", "backslash"),
        ("value.host", "value.host"),
        ("value.host.name", "value.host.name"),
        ("value.a_b", "value.a_b"),
        ("value.a$b", "value.a$b"),
        ("null.name", "asks for name"),
        ("undefined.name", "asks for name"),
        ("lastTariffs.size", "size"),
        ("zone.id.length", "length"),
    ] {
        let charge = with_rules(&[rule]);
        let problem = charge.problem.unwrap_or_default();
        assert_eq!(charge.used, None, "{rule}");
        assert!(problem.contains(named), "{rule}: {problem}");
    }
    // a name that is none of the variables is no variable that a record lacks
    let problem = with_rules(&["tariff"]).problem.unwrap();
    assert!(!problem.contains("for this record"), "{problem}");
    let lacking = with_rules(&["project"]).problem.unwrap();
    assert!(lacking.contains("for this record"), "{lacking}");
}

#[test]
fn a_rule_may_be_long_and_nested_up_to_a_bound() {
    let used = |rule: &str| with_rules(&[rule]).used.map(|used| eight(&used));
    let nested = |depth: usize| format!("{}72{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(used(&nested(58)).as_deref(), Some("1.00000000"));
    assert_eq!(used(&nested(59)), None);
    let chain = |signs: usize| format!("{}{}", 72 - signs, "+1".repeat(signs));
    assert_eq!(used(&chain(60)).as_deref(), Some("1.00000000"));
    assert_eq!(used(&chain(61)), None);
    let members = |count: usize| {
        with_rules(&[&format!("value{}", ".x".repeat(count))])
            .problem
            .unwrap()
    };
    assert!(members(60).contains("value.x.x"));
    assert!(members(61).contains("nested"));
    // what is beside each other is not nested
    let beside = format!("12{}", "+(1)".repeat(60));
    assert_eq!(used(&beside).as_deref(), Some("1.00000000"));
}

#[test]
fn a_rule_that_is_linear_in_the_size_is_three_prices_and_no_other_is_any() {
    let (cpu, memory) = (
        "value.computingResources.cpuNumber",
        "value.computingResources.memory",
    );
    let book = |rule: &str| {
        let tariff = Tariff {
            activation_rule: Some(rule.replace("CPU", cpu).replace("MIB", memory)),
            ..tariff(1, "5")
        };
        book_from_tariffs(&[tariff], Tz::UTC, Currency::from_code("EUR").unwrap())
    };
    // 20 - 8 + 1; 3 + 2 - 1 a vCPU; an eighth a MiB, 128 a GiB
    let made = book("20 - 8 + 3 * CPU + CPU * 2 - CPU + MIB / 8 + -(1 - 2)");
    assert!(made.omitted.is_empty());
    let made = PriceBook::from_toml(&made.toml).unwrap();
    let amount = |meter: Meter| {
        let of_meter = |price: &&Price| price.target == Target::Meter(meter);
        let price = made.prices().iter().find(of_meter).unwrap();
        price.kind.clone()
    };
    assert_eq!(amount(Meter::Vm), PriceKind::PerUnit(Decimal::from(13)));
    assert_eq!(amount(Meter::Cpu), PriceKind::PerUnit(Decimal::from(4)));
    assert_eq!(amount(Meter::Ram), PriceKind::PerUnit(Decimal::from(128)));
    for rule in [
        "CPU * MIB",
        "CPU * CPU",
        "CPU * (MIB + 1)",
        "8 / (CPU + 1)",
        "8 / CPU",
        "CPU % 2",
    ] {
        assert_eq!(book(rule).omitted.len(), 1, "{rule}");
    }
}

#[test]
fn a_tariff_without_an_id_goes_by_its_place() {
    let row = r#"{"usageType": 3, "tariffValue": 1, "effectiveDate": "2000-01-01T00:00:00+0000"}"#;
    let json = format!(r#"{{"quotatarifflistresponse": {{"quotatariff": [{row}, {row}]}}}}"#);
    let tariffs = Tariff::read_list(json.as_bytes()).unwrap();
    let ids: Vec<&str> = tariffs.iter().map(|tariff| tariff.id.as_str()).collect();
    assert_eq!(ids, ["1", "2"]);
}

#[test]
fn tariffs_are_added_in_the_order_of_their_positions() {
    let rules = [
        "10",
        "lastTariffs[lastTariffs.length - 1].value + 7",
        "lastTariffs[lastTariffs.length - 1].value + lastTariffs[lastTariffs.length - 2].value",
    ];
    let values = |charge: RecordCharge| -> Vec<String> {
        let tariffs = charge.tariffs.iter();
        tariffs.map(|tariff| tariff.value.to_string()).collect()
    };
    assert_eq!(values(with_rules(&rules)), ["10", "17", "27"]);

    let inventory = Inventory::default();
    let mut tariffs: Vec<Tariff> = rules.iter().map(|rule| ruled(rule)).collect();
    for (tariff, position) in tariffs.iter_mut().zip([3, 2, 1]) {
        tariff.position = position;
    }
    tariffs[1].activation_rule = Some("lastTariffs.length".to_owned());
    tariffs[2].activation_rule = None;
    let quota = Quota::new(&tariffs, Metadata::new(&inventory, None), Tz::UTC);
    let (start, end) = ("2026-09-10T00:00:00+0000", "2026-09-10T23:59:59+0000");
    let charge = quota.charge(&record(3, "10", 0, start, end));
    assert_eq!(values(charge), ["720", "1", "10"]);
}

#[test]
fn a_list_that_is_none_or_incomplete_is_refused() {
    for (json, slug) in [
        ("", "malformed"),
        ("{}", "malformed"),
        (
            r#"{"quotatarifflistresponse": {"errorcode": 401, "errortext": "no"}}"#,
            "malformed",
        ),
        (
            r#"{"quotatarifflistresponse": {"count": 2, "quotatariff": []}}"#,
            "malformed",
        ),
        (
            r#"{"quotatarifflistresponse": {"quotatariff": [{"usageType": 1, "tariffValue": "x", "effectiveDate": "2000-01-01T00:00:00+0000"}]}}"#,
            "tariff",
        ),
        (
            r#"{"quotatarifflistresponse": {"quotatariff": [{"usageType": 1, "tariffValue": 1, "effectiveDate": "yesterday"}]}}"#,
            "tariff",
        ),
    ] {
        assert_eq!(
            Tariff::read_list(json.as_bytes()).unwrap_err().slug(),
            slug,
            "{json}"
        );
    }
    let none = br#"{"quotatarifflistresponse": {}}"#;
    assert_eq!(Tariff::read_list(none).unwrap(), []);
}

/// Rates the recorded records of a period with a book.
fn bill(recorded: &Recorded, book: &PriceBook, period: Period) -> Bill {
    let mut rating = Rating::new(book, &recorded.inventory, period).unwrap();
    recorded
        .records
        .iter()
        .for_each(|record| rating.push(record));
    rating.finish()
}

fn equivalent_book(tariffs: &[Tariff], zone: Tz) -> PriceBook {
    let book = book_from_tariffs(tariffs, zone, Currency::from_code("EUR").unwrap());
    PriceBook::from_toml(&book.toml).unwrap()
}

/// Quota and ours over a period, with the book of the tariffs or another one.
fn comparison(
    recorded: &Recorded,
    tariffs: &[Tariff],
    zone: Tz,
    days: (&str, &str),
    ours: Option<&PriceBook>,
) -> Comparison {
    let book = equivalent_book(tariffs, zone);
    let period = book
        .civil_period(days.0.parse().unwrap(), days.1.parse().unwrap())
        .unwrap();
    let metadata = Metadata::new(&recorded.inventory, Some(&recorded.newest));
    let quota = Quota::new(tariffs, metadata, Tz::UTC);
    let mut statement = QuotaRating::new(&quota, period, zone);
    recorded
        .records
        .iter()
        .for_each(|record| statement.push(record));
    let equivalent = bill(recorded, &book, period);
    let ours = ours.map_or_else(|| equivalent.clone(), |book| bill(recorded, book, period));
    let result = compare(&statement.finish().unwrap(), &equivalent, &ours).unwrap();
    assert_adds_up(&result);
    result
}

fn assert_adds_up(comparison: &Comparison) {
    let sum = |amounts: Vec<&Exact>| -> Exact { amounts.into_iter().sum() };
    let difference = comparison.quota.clone() - comparison.ours.clone();
    assert_eq!(
        sum(comparison.causes().map(|c| &c.amount).collect()),
        difference
    );
    assert_eq!(
        sum(comparison.lines.iter().map(|l| &l.quota).collect()),
        comparison.quota
    );
    assert_eq!(
        sum(comparison.lines.iter().map(|l| &l.ours).collect()),
        comparison.ours
    );
    for line in &comparison.lines {
        let amounts = line.causes.iter().map(|cause| &cause.amount).collect();
        assert_eq!(sum(amounts), line.quota.clone() - line.ours.clone());
    }
    for owner in comparison.by_owner().values() {
        let amounts = owner.causes.values().collect();
        assert_eq!(sum(amounts), owner.quota.clone() - owner.ours.clone());
    }
}

fn amount(comparison: &Comparison, kind: CauseKind) -> Exact {
    let all = comparison.by_cause();
    let found = all.into_iter().find(|(found, ..)| *found == kind);
    found.map(|(_, amount, _)| amount).unwrap_or_default()
}

fn kinds(comparison: &Comparison) -> Vec<CauseKind> {
    let all = comparison.by_cause();
    all.into_iter().map(|(kind, ..)| kind).collect()
}

fn is_near(left: &Exact, right: &Exact) -> bool {
    let difference = left.clone() - right.clone();
    let cent = Exact::ratio(1, 100).unwrap();
    difference < cent && -difference < cent
}

const OCTOBER: (&str, &str) = ("2026-10-01", "2026-10-31");

#[test]
fn the_recorded_month_differs_for_the_causes_that_are_in_it() {
    let recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let result = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    assert_eq!(
        kinds(&result),
        [
            CauseKind::RemovedOwner,
            CauseKind::DoubleVolumeRows,
            CauseKind::TodaysSize,
            CauseKind::Rounding,
            CauseKind::Printing,
            CauseKind::NotMetered,
        ]
    );
    assert!(result.problems.is_empty());
    let charges = charges(&recorded, &tariffs);
    let october = Period::parse("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z").unwrap();
    let in_month = || {
        let pairs = recorded.records.iter().zip(&charges);
        pairs.filter(|(record, _)| october.covers(&record.window))
    };
    let used = |charge: &RecordCharge| charge.used.clone().unwrap_or_default();
    let booked: Exact = in_month().map(|(_, charge)| used(charge)).sum();
    assert_eq!(result.quota, booked);

    // what attach rows cost, whatever the comparison says of them
    let rows = in_month().filter(|(record, _)| record.is_attach_row());
    let rows: Exact = rows.map(|(_, charge)| used(charge)).sum();
    assert!(is_near(
        &amount(&result, CauseKind::DoubleVolumeRows),
        &rows
    ));

    // what Quota would book if nobody had been removed
    let everybody = Quota::new(&tariffs, Metadata::new(&recorded.inventory, None), Tz::UTC);
    let all: Exact = in_month()
        .map(|(record, _)| used(&everybody.charge(record)))
        .sum();
    let removed = booked - all;
    assert_eq!(amount(&result, CauseKind::RemovedOwner), removed);

    // half of the last of 8 decimals for each of rate, size and amount, times hours and GiB
    assert!(is_near(
        &amount(&result, CauseKind::Rounding),
        &Exact::zero()
    ));
    let stake: Exact = result.not_metered.iter().map(|cause| &cause.at_stake).sum();
    assert!(stake > Exact::zero());
}

#[test]
fn any_zone_and_any_book_of_ours_adds_up_exactly() {
    let recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let text = std::fs::read_to_string(recorded.path("../price-book.toml")).unwrap();
    let book = PriceBook::from_toml(&text).unwrap();
    let zone = book.zone_name().parse().unwrap();
    let result = comparison(&recorded, &tariffs, zone, OCTOBER, Some(&book));
    for kind in [
        CauseKind::NoTariff,
        CauseKind::PeriodBoundary,
        CauseKind::MonthLength,
        CauseKind::Price,
        CauseKind::Exemption,
        CauseKind::OnlyOurs,
        CauseKind::Discount,
    ] {
        assert!(!amount(&result, kind).is_zero(), "{}", kind.slug());
    }
    comparison(
        &recorded,
        &tariffs,
        Tz::Asia__Kolkata,
        ("2026-10-05", "2026-10-07"),
        Some(&book),
    );
}

#[test]
fn without_rules_today_s_size_decides_nothing() {
    let recorded = Recorded::read();
    let mut tariffs = recorded.tariffs();
    tariffs.retain(|tariff| tariff.activation_rule.is_none());
    let result = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    assert!(!kinds(&result).contains(&CauseKind::TodaysSize));
}

#[test]
fn a_price_change_at_noon_is_charged_by_both_tariffs_for_the_whole_day() {
    let recorded = Recorded::read();
    let mut tariffs = recorded.tariffs();
    tariffs.retain(|tariff| tariff.usage_type.id() == 3);
    let noon: DateTime<Utc> = "2026-10-20T11:59:59Z".parse().unwrap();
    let mut next = tariffs[0].clone();
    next.id = "next".to_owned();
    next.start = noon + chrono::TimeDelta::seconds(1);
    let value = next.value;
    tariffs[0].end = Some(noon);
    tariffs.push(next);
    let result = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    // addresses of owners that are there, each a whole day more than it was held
    let addresses = recorded
        .records
        .iter()
        .filter(|record| record.usage_type.id() == 3 && record.window.contains(noon));
    let days = addresses.count();
    assert!(days > 0);
    let day = Exact::from_decimal(value) * Exact::ratio(1, 31).unwrap();
    let expected = day * Exact::from(days as i128);
    assert!(is_near(
        &amount(&result, CauseKind::TariffBoundary),
        &expected
    ));
}

#[test]
fn rules_that_no_price_says_and_rules_not_understood_are_causes_of_their_own() {
    let recorded = Recorded::read();
    let with = |rule: &str| {
        let mut tariffs = recorded.tariffs();
        let mut more = tariffs
            .iter()
            .find(|tariff| tariff.usage_type.id() == 2)
            .unwrap()
            .clone();
        more.id = "more".to_owned();
        more.position = 9;
        more.activation_rule = Some(rule.to_owned());
        tariffs.push(more);
        let book = book_from_tariffs(&tariffs, Tz::UTC, Currency::from_code("EUR").unwrap());
        assert_eq!(book.omitted.len(), 1);
        comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None)
    };
    let understood = with("value.tags.Package ? 10 : 0");
    assert!(amount(&understood, CauseKind::RuleOnly) > Exact::zero());
    assert!(understood.problems.is_empty());
    let not_understood = with("value.host.name == 'x'");
    assert!(amount(&not_understood, CauseKind::NotUnderstood) < Exact::zero());
    assert!(!not_understood.problems.is_empty());
}

#[test]
fn a_copy_of_a_record_is_charged_twice_by_quota_and_held_by_us() {
    let mut recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let copy = recorded
        .records
        .iter()
        .find(|record| {
            record.usage_type.id() == 3
                && record.owner.project().is_some()
                && record.window.start() > "2026-10-03T00:00:00Z".parse::<DateTime<Utc>>().unwrap()
        })
        .unwrap()
        .clone();
    let metadata = Metadata::new(&recorded.inventory, None);
    let worth = Quota::new(&tariffs, metadata, Tz::UTC)
        .charge(&copy)
        .used
        .unwrap();
    recorded.records.push(copy);
    let result = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    assert!(is_near(&amount(&result, CauseKind::HeldUsage), &worth));
}

#[test]
fn what_costs_nothing_needs_no_counterpart() {
    let recorded = Recorded::read();
    let mut tariffs = recorded.tariffs();
    for tariff in &mut tariffs {
        tariff.value = Decimal::ZERO;
        tariff.activation_rule = None;
    }
    let book = equivalent_book(&tariffs, Tz::UTC);
    let quota = Quota::new(&tariffs, Metadata::new(&recorded.inventory, None), Tz::UTC);
    let empty = QuotaRating::new(&quota, result_period(), Tz::UTC)
        .finish()
        .unwrap();
    let free = bill(&recorded, &book, result_period());
    assert!(!free.statements.is_empty());
    assert!(compare(&empty, &free, &free).is_ok());
}

/// All that the recorded month has, each as `book_from_tariffs` has it, with more rows.
fn with_rows_of(tariffs: &[Tariff], more: &str) -> PriceBook {
    let book = book_from_tariffs(tariffs, Tz::UTC, Currency::from_code("EUR").unwrap());
    PriceBook::from_toml(&(book.toml + more)).unwrap()
}

/// The notes of a cause, each once.
fn notes(comparison: &Comparison, kind: CauseKind) -> BTreeSet<String> {
    let causes = comparison.causes().filter(|cause| cause.kind == kind);
    causes.map(|cause| cause.note.clone()).collect()
}

#[test]
fn a_discount_is_a_cause_that_names_it() {
    let recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let ours = with_rows_of(&tariffs, "[[discount]]\nid = \"tenth\"\npercent = 10\n");
    let result = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, Some(&ours));
    let names = notes(&result, CauseKind::Discount);
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["tenth"]);
    // a tenth of all that the tariffs make of it
    let tenth = bill(
        &recorded,
        &equivalent_book(&tariffs, Tz::UTC),
        result_period(),
    )
    .exact;
    let tenth = tenth * Exact::ratio(1, 10).unwrap();
    assert_eq!(amount(&result, CauseKind::Discount), tenth);
}

fn result_period() -> Period {
    let date = |text: &str| text.parse().unwrap();
    let book = equivalent_book(&[], Tz::UTC);
    book.civil_period(date(OCTOBER.0), date(OCTOBER.1)).unwrap()
}

#[test]
fn what_we_exempt_is_worth_what_the_tariffs_make_of_it() {
    let recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let book = book_from_tariffs(&tariffs, Tz::UTC, Currency::from_code("EUR").unwrap());
    // the same prices, and the exemptions that a book has by default
    let ours = PriceBook::from_toml(&book.toml.replace("exemption = []\n", "")).unwrap();
    let result = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, Some(&ours));
    let full = bill(
        &recorded,
        &equivalent_book(&tariffs, Tz::UTC),
        result_period(),
    )
    .exact;
    let exempt = full - bill(&recorded, &ours, result_period()).exact;
    assert!(exempt > Exact::zero());
    // at the average of what a thing cost in the month, which the rest is beside
    let told = amount(&result, CauseKind::Exemption);
    let rest = amount(&result, CauseKind::Price);
    assert_eq!(told.clone() + rest.clone(), exempt);
    let tenth = exempt * Exact::ratio(1, 10).unwrap();
    assert!(rest < tenth && -rest < tenth, "{told:?}");
}

#[test]
fn what_has_no_tariff_what_only_we_sell_and_what_costs_nothing_are_told_apart() {
    let recorded = Recorded::read();
    let mut tariffs = recorded.tariffs();
    tariffs.retain(|tariff| tariff.usage_type.id() == 3);
    let sold = |tariffs: &[Tariff], meter: &str, per: &str| {
        let row = format!("[[price]]\nid = \"own\"\nmeter = \"{meter}\"\namount = 1\n{per}\n");
        let ours = with_rows_of(&[], &row);
        comparison(&recorded, tariffs, Tz::UTC, OCTOBER, Some(&ours))
    };
    let month = "per = \"month\"";
    // volumes have no tariff; an operating system is nothing that Quota knows
    let volumes = sold(&tariffs, "disk", month);
    assert!(amount(&volumes, CauseKind::NoTariff) < Exact::zero());
    assert!(!kinds(&volumes).contains(&CauseKind::OnlyOurs));
    let systems = sold(&tariffs, "os", month);
    assert!(amount(&systems, CauseKind::OnlyOurs) < Exact::zero());
    assert!(!kinds(&systems).contains(&CauseKind::NoTariff));
    // a tariff of nothing is a price of nothing
    for tariff in &mut tariffs {
        tariff.value = Decimal::ZERO;
    }
    let addresses = sold(&tariffs, "ip", month);
    assert!(amount(&addresses, CauseKind::Price) < Exact::zero());
    assert!(!kinds(&addresses).contains(&CauseKind::NoTariff));
    // and what we do not sell at all is Quota's alone
    let nothing = with_rows_of(&[], "");
    let all = recorded.tariffs();
    let result = comparison(&recorded, &all, Tz::UTC, OCTOBER, Some(&nothing));
    assert!(result.ours.is_zero() && result.quota > Exact::zero());
}

#[test]
fn what_owners_used_who_are_gone_is_not_booked() {
    let mut recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let before = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    // no project is there any more
    recorded.newest.projects.clear();
    let after = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    let removed = |comparison: &Comparison| amount(comparison, CauseKind::RemovedOwner);
    let gone = removed(&before) - removed(&after);
    assert!(gone > Exact::zero());
    assert_eq!(before.quota.clone() - after.quota.clone(), gone);
}

#[test]
fn attach_rows_are_counted_where_quota_charges_them() {
    let recorded = Recorded::read();
    let rows = recorded.records.iter();
    let rows =
        rows.filter(|record| record.is_attach_row() && result_period().covers(&record.window));
    let mut of_volume: BTreeMap<String, u64> = BTreeMap::new();
    rows.for_each(|record| *of_volume.entry(record.identity().to_string()).or_default() += 1);
    let result = comparison(&recorded, &recorded.tariffs(), Tz::UTC, OCTOBER, None);
    let mut told = 0;
    for cause in result.causes() {
        if cause.kind == CauseKind::DoubleVolumeRows {
            let volume = cause.resource.as_ref().unwrap().to_string();
            assert_eq!(cause.note, format!("{} attach rows", of_volume[&volume]));
            told += 1;
        }
    }
    assert!(told > 0);
}

#[test]
fn use_that_is_held_across_a_change_of_tariffs_is_a_cause_beside_the_change() {
    let mut recorded = Recorded::read();
    let mut tariffs = recorded.tariffs();
    tariffs.retain(|tariff| tariff.usage_type.id() == 3);
    let noon: DateTime<Utc> = "2026-10-20T11:59:59Z".parse().unwrap();
    let mut next = tariffs[0].clone();
    next.id = "next".to_owned();
    next.start = noon + chrono::TimeDelta::seconds(1);
    tariffs[0].end = Some(noon);
    tariffs.push(next);
    let before = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    let is_address = |record: &&UsageRecord| {
        record.usage_type.id() == 3
            && record.window.contains(noon)
            && record.owner.project().is_some()
    };
    let copy = recorded.records.iter().find(is_address).unwrap().clone();
    let metadata = Metadata::new(&recorded.inventory, None);
    let worth = Quota::new(&tariffs, metadata, Tz::UTC)
        .charge(&copy)
        .used
        .unwrap();
    recorded.records.push(copy);
    // Quota charges the copy by both tariffs, as it does its original
    let after = comparison(&recorded, &tariffs, Tz::UTC, OCTOBER, None);
    let quota = after.quota.clone() - before.quota.clone();
    assert!(is_near(&quota, &worth));
    let held = amount(&after, CauseKind::HeldUsage) - amount(&before, CauseKind::HeldUsage);
    assert!(held > Exact::zero());
    assert!(
        amount(&after, CauseKind::TariffBoundary) >= amount(&before, CauseKind::TariffBoundary)
    );
}

#[test]
fn a_bill_of_other_tariffs_or_with_another_print_is_refused() {
    let recorded = Recorded::read();
    let mut tariffs = recorded.tariffs();
    tariffs.retain(|tariff| tariff.usage_type.id() == 3);
    let period = result_period();
    let metadata = Metadata::new(&recorded.inventory, Some(&recorded.newest));
    let quota = Quota::new(&tariffs, metadata, Tz::UTC);
    let mut statement = QuotaRating::new(&quota, period, Tz::UTC);
    recorded
        .records
        .iter()
        .for_each(|record| statement.push(record));
    let statement = statement.finish().unwrap();
    let right = bill(&recorded, &equivalent_book(&tariffs, Tz::UTC), period);
    let mut dearer = tariffs.clone();
    dearer[0].value += Decimal::ONE;
    let wrong = bill(&recorded, &equivalent_book(&dearer, Tz::UTC), period);
    let error = compare(&statement, &wrong, &right).unwrap_err();
    assert!(
        error.to_string().contains("that nothing explains"),
        "{error}"
    );
    // a line prints its amount, but for a unit of the currency either way
    for (cents, fits) in [(0, true), (3, false), (-3, false)] {
        let mut other = right.clone();
        let line = &mut other.statements[0].lines[0];
        let minor = line.amount.minor() + num_bigint::BigInt::from(cents);
        line.amount = Money::from_minor(minor, other.currency);
        assert_eq!(compare(&statement, &right, &other).is_ok(), fits, "{cents}");
    }
    // what each owner was charged is what all were charged
    let holders: BTreeSet<_> = recorded
        .records
        .iter()
        .map(|record| &record.owner.holder)
        .collect();
    let each: Vec<Exact> = holders
        .iter()
        .map(|holder| statement.total_of(holder))
        .collect();
    assert_eq!(each.iter().sum::<Exact>(), statement.total());
    assert!(each.iter().filter(|total| !total.is_zero()).count() > 1);
}

#[test]
fn a_tariff_holds_to_the_end_of_its_last_second_and_is_no_negative_price() {
    let mut ended = tariff(3, "72");
    ended.end = Some("2026-10-31T23:59:59Z".parse().unwrap());
    let book = equivalent_book(&[ended], Tz::UTC);
    assert_eq!(
        book.prices()[0].validity.end().to_rfc3339(),
        "2026-11-01T00:00:00+00:00"
    );
    let mut negative = tariff(3, "72");
    negative.value = Decimal::NEGATIVE_ONE;
    let book = book_from_tariffs(&[negative], Tz::UTC, Currency::from_code("EUR").unwrap());
    assert_eq!(book.omitted.len(), 1);
    assert!(
        PriceBook::from_toml(&book.toml)
            .unwrap()
            .prices()
            .is_empty()
    );
}

#[test]
fn a_windows_last_second_and_a_things_own_end_decide_which_tariff_applies() {
    let inventory = Inventory::default();
    let applies = |usage_type: u32, end: &str, from: &str| {
        let mut later = tariff(usage_type, "72");
        later.start = from.parse().unwrap();
        let tariffs = [later];
        let quota = Quota::new(&tariffs, Metadata::new(&inventory, None), Tz::UTC);
        let (start, last) = ("2026-09-10T00:00:00+0000", "2026-09-10T23:59:59+0000");
        let mut record = record(usage_type, "10", 1 << 30, start, last);
        record.window = Period::new(record.window.start(), end.parse().unwrap()).unwrap();
        quota.charge(&record).used.is_some()
    };
    let midnight = "2026-09-11T00:00:00Z";
    assert!(applies(3, midnight, "2026-09-10T23:59:59Z"));
    assert!(!applies(3, midnight, midnight));
    // a backup that ended at half past a minute ended then
    let (half, after) = ("2026-09-10T12:00:30Z", "2026-09-10T12:00:31Z");
    assert!(applies(28, half, half));
    assert!(!applies(28, half, after));
    // one that ends with a minute ended a second before
    let noon = "2026-09-10T12:00:00Z";
    assert!(applies(28, noon, "2026-09-10T11:59:59Z"));
    assert!(!applies(28, noon, noon));
}

#[test]
fn rules_read_sizes_offerings_and_paths() {
    let mut inventory = Inventory::default();
    let offering = Offering {
        id: "so".into(),
        name: "Large".to_owned(),
        cpu_count: Some(8),
        memory_mib: Some(4096),
        storage_tags: None,
    };
    inventory
        .service_offerings
        .insert(offering.id.clone(), offering);
    let metadata = Metadata::new(&inventory, None);
    assert!(std::ptr::eq(metadata.inventory(), &raw const inventory));
    let yields = |usage_type: u32, condition: &str| {
        let tariffs = [Tariff {
            activation_rule: Some(format!("{condition} ? 72 : 144")),
            ..tariff(usage_type, "1")
        }];
        let quota = Quota::new(&tariffs, metadata, Tz::UTC);
        let (start, end) = ("2026-09-10T00:00:00+0000", "2026-09-10T23:59:59+0000");
        let mut record = record(usage_type, "10", 10 << 30, start, end);
        record.offering = Some("so".into());
        record.domain_path = Some("ROOT/customer".to_owned());
        // ten hours of 720
        let one = quota.charge(&record).used.unwrap();
        let sizes = if usage_type == 6 { 10 } else { 1 };
        one * Exact::ratio(1, sizes).unwrap() == Exact::from(1)
    };
    assert!(yields(6, "value.size == 10240"));
    assert!(yields(1, "value.computingResources.cpuNumber == 8"));
    assert!(yields(1, "value.computingResources.memory == 4096"));
    assert!(yields(1, "value.computeOffering.id == 'so'"));
    assert!(yields(1, "value.computeOffering.name == 'Large'"));
    assert!(yields(3, "domain.path == '/customer/'"));
}

#[test]
fn two_sides_with_different_records_are_refused() {
    let recorded = Recorded::read();
    let tariffs = recorded.tariffs();
    let book = equivalent_book(&tariffs, Tz::UTC);
    let period = book
        .civil_period(OCTOBER.0.parse().unwrap(), OCTOBER.1.parse().unwrap())
        .unwrap();
    let quota = Quota::new(&tariffs, Metadata::new(&recorded.inventory, None), Tz::UTC);
    let empty = QuotaRating::new(&quota, period, Tz::UTC).finish().unwrap();
    let bill = bill(&recorded, &book, period);
    let error = compare(&empty, &bill, &bill).unwrap_err();
    assert_eq!(error.slug(), "unexplained");
    assert!(
        error.to_string().contains("give both the same records"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_tariffs_at_any_bounds_add_up(
        cents in prop::collection::vec(0_i64..5_000, 6),
        change in 0_i64..31 * 86_400,
        day in 1_u32..28,
        length in 0_u32..3,
        berlin in any::<bool>(),
    ) {
        let recorded = recorded::shared();
        let mut tariffs = recorded.tariffs();
        for (tariff, cents) in tariffs.iter_mut().zip(cents.iter().cycle()) {
            tariff.value = Decimal::new(*cents, 2);
        }
        let start: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
        let change = start + chrono::TimeDelta::seconds(change);
        let mut more = tariffs.clone();
        for (tariff, more) in tariffs.iter_mut().zip(&mut more).filter(|(t, _)| t.usage_type.id() % 3 == 0) {
            tariff.end = Some(change);
            more.start = change;
            more.id = format!("{} again", more.id);
        }
        tariffs.extend(more.into_iter().filter(|tariff| tariff.usage_type.id() % 3 == 0));
        let zone = if berlin { Tz::Europe__Berlin } else { Tz::UTC };
        let (from, to) = (format!("2026-10-{day:02}"), format!("2026-10-{:02}", day + length));
        comparison(recorded, &tariffs, zone, (&from, &to), None);
    }
}
