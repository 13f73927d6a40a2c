//! Corrections of issued bills.

use cloudstack_usage::{DomainId, UsageRecord};
use proptest::prelude::*;
use rating_engine::{
    Bill, Correction, CorrectionReason, Issued, PriceBook, RatingErrorKind, correct,
};
use serde_json::json;

use crate::usage::{bill, bill_with, book, domains, month, traffic, vm, vm_days, volume_days};

const TRAFFIC: &str = "[[price]]\nid = \"sent\"\nmeter = \"traffic_sent\"\nunit = \"GiB\"\naccumulate = \"account\"\n";

fn issued(bill: &Bill) -> Issued {
    Issued::from_json(&bill.to_json()).unwrap()
}

fn correction(old: &Bill, fresh: &Bill) -> Correction {
    correct(&issued(old), fresh).unwrap().unwrap()
}

fn cpu(amount: &str) -> PriceBook {
    book(&format!(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"{amount}\"\nper = \"month\"\n"
    ))
}

#[test]
fn i02_volume_price_falls_with_late_usage() {
    // up to 15 at 10 each, above that all at 5 each: 15 x 10 = 150, then 16 x 5 = 80
    let book = book(&format!(
        "{TRAFFIC}tier_mode = \"volume\"\ntiers = [{{ up_to = \"15\", amount = \"10\" }}, {{ amount = \"5\" }}]\n"
    ));
    let early = bill(&book, &[traffic("net", 3, 15)]);
    let late = bill(&book, &[traffic("net", 3, 15), traffic("net", 20, 1)]);
    let correction = correction(&early, &late);
    let [statement] = correction.statements.as_slice() else {
        panic!("one statement")
    };
    let [line] = statement.lines.as_slice() else {
        panic!("one line")
    };
    assert_eq!(line.before.as_ref().unwrap().net.to_string(), "150");
    assert_eq!(line.now.as_ref().unwrap().net.to_string(), "80");
    assert_eq!(line.difference.amount, "-70.00");
    assert_eq!(correction.total.amount, "-70.00");
    assert_eq!(line.reasons, [CorrectionReason::QuantityChanged]);
}

#[test]
fn i04_started_blocks_are_billed_once() {
    // ceil(130/100) would be 2; of the 401 in all 5 blocks, and one was billed: 4 more
    let book = book(&format!("{TRAFFIC}amount = \"1\"\nblock = \"100\"\n"));
    let early = bill(&book, &[traffic("net", 3, 100)]);
    assert_eq!(early.total.amount(), "1.00");
    let late = bill(&book, &[traffic("net", 3, 130), traffic("net", 20, 271)]);
    assert_eq!(correction(&early, &late).total.amount, "4.00");
}

#[test]
fn i07_the_same_usage_twice_adds_nothing() {
    let records = vm_days("vm", 1..=31, 2);
    let once = bill(&cpu("10"), &records);
    let twice = bill(&cpu("10"), &[records.clone(), records].concat());
    assert_eq!(correct(&issued(&once), &twice).unwrap(), None);
}

#[test]
fn i08_an_unchanged_rating_is_silent() {
    let records = vm_days("vm", 2..=9, 3);
    let (first, second) = (bill(&cpu("9.99"), &records), bill(&cpu("9.99"), &records));
    assert_eq!(first.digest, second.digest);
    assert_eq!(correct(&issued(&first), &second).unwrap(), None);
}

/// The records as another domain's.
fn of_domain(domain: &str, records: Vec<UsageRecord>) -> Vec<UsageRecord> {
    let of = |mut record: UsageRecord| {
        record.owner.domain = DomainId::new(domain);
        record
    };
    records.into_iter().map(of).collect()
}

#[test]
fn each_account_is_corrected_by_its_own_bill() {
    // 31 days at 31 a month: one a day. Of three customers one has two days more, one has gone,
    // one has come; what stays alike is not told
    let days = |domain: &str, until| of_domain(domain, vm_days(domain, 1..=until, 1));
    let inventory = domains(&["alike", "come", "gone", "more"]);
    let rate = |records: &[Vec<UsageRecord>]| bill_with(&cpu("31"), &records.concat(), &inventory);
    let old = rate(&[days("alike", 9), days("gone", 4), days("more", 5)]);
    let fresh = rate(&[days("alike", 9), days("come", 3), days("more", 7)]);
    let correction = correction(&old, &fresh);
    let told: Vec<String> = correction
        .statements
        .iter()
        .map(|one| format!("{} {}", one.account, one.total.amount))
        .collect();
    assert_eq!(told, ["come 3.00", "gone -4.00", "more 2.00"]);
    assert_eq!(correction.total.amount, "1.00");
}

#[test]
fn h12_a_late_correction_is_dated_in_its_own_period() {
    let fresh = bill(&cpu("10"), &vm_days("vm", 1..=20, 1));
    let november = rating_november();
    let correction = correction(&bill(&cpu("10"), &vm_days("vm", 1..=10, 1)), &fresh);
    let json = correction.billed_in(november).to_json();
    let line = &json["statements"][0]["lines"][0];
    assert_eq!(line["charge_class"], "Correction");
    assert_eq!(json["billing_period"], json!(november));
    assert_eq!(json["period"], json!(month()));
    assert_eq!(line["period"]["start"], "2026-10-01T00:00:00Z");
    assert_eq!(line["period"]["end"], "2026-10-21T00:00:00Z");
}

fn rating_november() -> cloudstack_usage::Period {
    let date = |text: &str| text.parse().unwrap();
    cpu("1")
        .civil_period(date("2026-11-01"), date("2026-11-30"))
        .unwrap()
}

#[test]
fn i13_a_price_with_a_start_in_the_past_changes_nothing_until_asked() {
    let records = vm_days("vm", 1..=31, 1);
    let old = bill(&cpu("10"), &records);
    let before = issued(&old);
    let new = book(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"10\"\nper = \"month\"\nuntil = 2026-10-15\n\
         [[price]]\nid = \"new\"\nmeter = \"cpu\"\namount = \"20\"\nper = \"month\"\nfrom = 2026-10-16\n",
    );
    let fresh = bill(&new, &records);
    // what was issued is what was issued, whatever is rated since
    assert_eq!(issued(&old), before);
    let correction = correct(&before, &fresh).unwrap().unwrap();
    // 16 of 31 days at 10 more: 160/31 = 5.161...
    assert_eq!(correction.total.amount, "5.16");
    assert_eq!(correction.total.exact.to_string(), "160/31");
    let lines = &correction.statements[0].lines;
    let exact: Vec<String> = lines
        .iter()
        .map(|l| l.difference.exact.to_string())
        .collect();
    assert_eq!(exact, ["-160/31", "320/31"]);
    assert_eq!(lines[1].reasons, [CorrectionReason::PriceChanged]);
}

#[test]
fn a_price_of_another_name_and_the_same_amount_is_no_correction() {
    let records = vm_days("vm", 1..=31, 1);
    let renamed =
        book("[[price]]\nid = \"x\"\nmeter = \"cpu\"\namount = \"10\"\nper = \"month\"\n");
    let old = issued(&bill(&cpu("10"), &records));
    assert_eq!(correct(&old, &bill(&renamed, &records)).unwrap(), None);
}

#[test]
fn every_line_says_why() {
    let records = [vm_days("vm", 1..=31, 1), vm_days("other", 1..=31, 1)].concat();
    let old = bill(&cpu("10"), &records);
    let reasons = |fresh: &Bill| -> Vec<CorrectionReason> {
        let correction = correction(&old, fresh);
        let lines = correction.statements.into_iter().flat_map(|one| one.lines);
        lines.flat_map(|line| line.reasons).collect()
    };
    let gone = bill(&cpu("10"), &records[..31]);
    assert_eq!(reasons(&gone), [CorrectionReason::Gone]);
    let mut more = records.clone();
    more.extend(vm_days("third", 1..=2, 1));
    assert_eq!(reasons(&bill(&cpu("10"), &more)), [CorrectionReason::New]);
    let dearer = bill(&cpu("11"), &records[..]);
    assert_eq!(reasons(&dearer), [CorrectionReason::PriceChanged; 2]);
    let discounted = book(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"10\"\nper = \"month\"\n\
         [[discount]]\nid = \"d\"\npercent = 10\n",
    );
    assert!(
        reasons(&bill(&discounted, &records))
            .iter()
            .all(|reason| *reason == CorrectionReason::DiscountChanged)
    );
    let fewer = bill(&cpu("10"), &records[1..]);
    assert_eq!(reasons(&fewer), [CorrectionReason::QuantityChanged]);
}

#[test]
fn what_is_no_bill_or_was_changed_is_refused() {
    let bill = bill(&cpu("10"), &vm_days("vm", 1..=31, 1));
    let kind = |json: &serde_json::Value| Issued::from_json(json).unwrap_err().kind();
    assert_eq!(kind(&json!({})), RatingErrorKind::UnreadableIssued);
    let mut json = bill.to_json();
    json["statements"][0]["lines"][0]["net"]["amount"] = json!("11.00");
    assert_eq!(kind(&json), RatingErrorKind::IssuedDoesNotAddUp);
    let mut json = bill.to_json();
    json["total"]["amount"] = json!("10.001");
    assert_eq!(kind(&json), RatingErrorKind::UnreadableIssued);
    let mut json = bill.to_json();
    json["statements"][0]["lines"][0]["resource"] = json!(null);
    let error = Issued::from_json(&json).unwrap_err();
    assert_eq!(error.slug(), "unreadable_issued");
    assert!(
        error.to_string().starts_with("statements[0].lines[0]."),
        "{error}"
    );

    let dollars = PriceBook::from_toml(
        "schema = 1\nname = \"D\"\ncurrency = \"USD\"\nzone = \"UTC\"\ncompute = \"allocated\"",
    );
    let other = crate::usage::bill(&dollars.unwrap(), &[]);
    let error = correct(&issued(&bill), &other).unwrap_err();
    assert_eq!(error.kind(), RatingErrorKind::CorrectionMismatch);
}

#[test]
fn corrections_apply_once_and_in_order() {
    let days = |last| bill(&cpu("10"), &vm_days("vm", 1..=last, 1));
    let first = correction(&days(10), &days(20));
    let after = issued(&days(10)).with(&first).unwrap();
    assert_eq!(
        after.with(&first).unwrap_err().slug(),
        "correction_mismatch"
    );
    let second = correct(&after, &days(31)).unwrap().unwrap();
    assert_eq!(second.corrects, first.digest);
    assert!(issued(&days(10)).with(&second).is_err());
    assert_eq!(after.with(&second).unwrap().total().amount(), "10.00");
}

#[test]
fn a_correction_fits_its_period_and_currency_and_carries_its_book() {
    let days = |book: &PriceBook, last| bill(book, &vm_days("vm", 1..=last, 1));
    let before = issued(&days(&cpu("10"), 10));
    let right = correct(&before, &days(&cpu("11"), 10)).unwrap().unwrap();
    let after = before.with(&right).unwrap();
    assert_eq!(after.book, right.book);
    assert_ne!(after.book, before.book);
    let mut of_november = right.clone();
    of_november.period = rating_november();
    let mut in_francs = right;
    in_francs.currency = rating_engine::Currency::from_code("CHF").unwrap();
    for wrong in [of_november, in_francs] {
        let error = before.with(&wrong).unwrap_err();
        assert_eq!(error.kind(), RatingErrorKind::CorrectionMismatch);
    }
}

#[test]
fn a_line_that_is_gone_is_none_and_one_that_costs_nothing_stays() {
    let prices = book(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"10\"\nper = \"month\"\n\
         [[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0\"\nper = \"month\"\n",
    );
    let records = |id: &str| [vm_days(id, 1..=31, 1), volume_days("v", 1..=31, 10)].concat();
    let (old, fresh) = (bill(&prices, &records("a")), bill(&prices, &records("b")));
    let after = issued(&old).with(&correction(&old, &fresh)).unwrap();
    let mut names: Vec<&str> = after.statements[0]
        .lines
        .iter()
        .map(|line| line.subject.resource_name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["b", "v"]);
}

#[test]
fn the_reason_is_what_changed_and_nothing_that_follows_from_it() {
    let discounted = |amount: u32, percent: u32| {
        let prices = book(&format!(
            "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = {amount}\nper = \"month\"\n\
             [[discount]]\nid = \"d\"\npercent = {percent}\n"
        ));
        bill(&prices, &vm_days("vm", 1..=31, 1))
    };
    let reasons = |fresh: &Bill| {
        let correction = correction(&discounted(10, 10), fresh);
        correction.statements[0].lines[0].reasons.clone()
    };
    assert_eq!(
        reasons(&discounted(20, 10)),
        [CorrectionReason::PriceChanged]
    );
    assert_eq!(
        reasons(&discounted(10, 20)),
        [CorrectionReason::DiscountChanged]
    );
}

/// Usage of some VMs and volumes: days, hours of the last day, sizes.
fn usage() -> impl Strategy<Value = Vec<cloudstack_usage::UsageRecord>> {
    let one = (0_usize..6, 1_i64..30, 1_i64..30, 1_i64..24, 1_u32..4);
    prop::collection::vec(one, 0..8).prop_map(|things| {
        let mut records = Vec::new();
        for (index, first, length, hours, size) in things {
            let last = (first + length).min(31);
            if index % 2 == 0 {
                records.extend(vm_days(&format!("vm{index}"), first..=last - 1, size));
                records.push(vm(&format!("vm{index}"), last, hours, size));
            } else {
                let gib = u64::from(size) * 7;
                records.extend(volume_days(&format!("volume{index}"), first..=last, gib));
            }
        }
        records
    })
}

fn prices() -> impl Strategy<Value = PriceBook> {
    (0_u32..500, 0_u32..50, 0_u32..40, any::<bool>()).prop_map(|(cpu, disk, percent, line_first)| {
        let rounding = if line_first { "line-first" } else { "total" };
        book(&format!(
            "rounding_point = \"{rounding}\"\n\
             [[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"0.{cpu:03}\"\nper = \"month\"\n\
             [[price]]\nid = \"ram\"\nmeter = \"ram\"\namount = \"0.1\"\nper = \"month\"\n\
             [[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.{disk:02}\"\nper = \"month\"\n\
             [[discount]]\nid = \"d\"\npercent = {percent}\n"
        ))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever changed: the correction adds up to the difference of what is printed, only
    /// changed lines are in it, and once it is applied nothing is left to correct.
    #[test]
    fn a_correction_makes_the_issued_bill_right(
        old_usage in usage(), new_usage in usage(), third in usage(),
        old_book in prices(), new_book in prices(),
    ) {
        let mut held = issued(&bill(&old_book, &old_usage));
        for fresh in [bill(&new_book, &new_usage), bill(&old_book, &third)] {
            match correct(&held, &fresh).unwrap() {
                None => prop_assert_eq!(held.total(), fresh.total.clone()),
                Some(correction) => {
                    let read = Correction::from_json(&correction.to_json()).unwrap();
                    prop_assert_eq!(&read, &correction);
                    for line in correction.statements.iter().flat_map(|one| &one.lines) {
                        prop_assert!(!line.difference.exact.is_zero());
                        prop_assert!(!line.reasons.is_empty());
                        let net = |state: &Option<rating_engine::LineState>| state
                            .as_ref().map_or_else(rating_engine::Exact::zero, |state| state.net.clone());
                        prop_assert_eq!(net(&line.now) - net(&line.before), line.difference.exact.clone());
                    }
                    held = held.with(&correction).unwrap();
                }
            }
            prop_assert_eq!(held.total(), fresh.total.clone());
            prop_assert_eq!(correct(&held, &fresh).unwrap(), None);
        }
    }
}
