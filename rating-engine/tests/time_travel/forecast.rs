//! What the running month will cost.

use cloudstack_usage::{
    AccountId, Holder, Inventory, Moment, MomentSource, Quantity, UsageRecord, UsageType, VmId,
    VolumeId,
};
use proptest::prelude::*;
use rating_engine::{Exact, FindingKind, Forecast, PriceBook, forecast};

use crate::usage::{
    bill, bill_with, book, know_vm, know_volume, month, nic_days, october, traffic, vm, vm_days,
    volume_days,
};

fn prices() -> PriceBook {
    book(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"31\"\nper = \"month\"\n\
         [[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.31\"\nper = \"month\"\n\
         [[price]]\nid = \"sent\"\nmeter = \"traffic_sent\"\namount = \"1\"\n",
    )
}

fn of(book: &PriceBook, records: &[UsageRecord], inventory: &Inventory) -> Forecast {
    forecast(book, inventory, records, month(), None).unwrap()
}

fn exact(records: &[UsageRecord]) -> String {
    of(&prices(), records, &Inventory::default())
        .bill
        .exact
        .to_string()
}

#[test]
fn what_lasts_goes_on_and_the_share_ahead_is_told() {
    let records = [vm_days("vm", 1..=10, 2), volume_days("disk", 1..=10, 100)].concat();
    let forecast = of(&prices(), &records, &Inventory::default());
    // 2 vCPU x 31 + 100 GiB x 0.31, as for the whole month
    assert_eq!(forecast.bill.exact.to_string(), "93");
    assert_eq!(forecast.to_date.exact.to_string(), "30");
    assert_eq!(forecast.share().to_string(), "21/31");
    assert_eq!(forecast.known_until, october(11, 0));
    assert_eq!(forecast.imagined, 42);
    let json = forecast.to_json();
    assert_eq!(json["draft"], true);
    assert_eq!(json["forecast"]["share"], "21/31");
    assert_eq!(json["forecast"]["ahead"]["amount"], "63.00");
    assert_eq!(json["forecast"]["to_date"]["amount"], "30.00");
}

#[test]
fn what_is_gone_stays_gone() {
    // no record in the last window; gone in the middle of it
    let gone = vm_days("gone", 1..=5, 1);
    let mut records = [vm_days("vm", 1..=10, 1), gone, vm_days("today", 1..=9, 1)].concat();
    records.push(vm("today", 10, 12, 1));
    // 31 + 5 + 9.5 days
    assert_eq!(exact(&records), "91/2");
}

#[test]
fn a_known_removal_ends_it_to_the_second() {
    let records = vm_days("vm", 1..=10, 1);
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "vm", Some(october(21, 12)));
    let forecast = of(&prices(), &records, &inventory);
    assert_eq!(forecast.bill.exact.to_string(), "41/2");
    let line = &forecast.bill.statements[0].lines[0];
    assert_eq!(line.period.end(), october(21, 12));
}

#[test]
fn a_resized_vm_goes_on_in_its_new_size() {
    let mut records = vm_days("vm", 1..=9, 1);
    records.extend([vm("vm", 10, 6, 1), vm("vm", 10, 18, 4)]);
    // 9.25 days of one vCPU, then 21.75 of four
    assert_eq!(exact(&records), "385/4");
    // and back again on one day, which only the inventory tells
    let mut back = vm_days("vm", 1..=9, 1);
    back.extend([vm("vm", 10, 18, 1), vm("vm", 10, 6, 4)]);
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "vm", None);
    let entry = inventory.vms.values_mut().next().unwrap();
    entry.cpu_count = cloudstack_usage::History::constant(1);
    let forecast = of(&prices(), &back, &inventory);
    // 30.75 days of one, a quarter day of four
    assert_eq!(forecast.bill.exact.to_string(), "127/4");
}

/// The exact sum of the lines of one account.
fn of_account(forecast: &Forecast, account: &str) -> String {
    let holder = Holder::Account(AccountId::new(account));
    let lines = forecast.bill.statements.iter().flat_map(|one| &one.lines);
    let own = lines.filter(|line| line.holder == holder);
    own.map(|line| &line.net).sum::<Exact>().to_string()
}

#[test]
fn what_moved_to_another_account_and_back_goes_on_where_the_inventory_has_it() {
    let moved = |mut record: UsageRecord| {
        record.owner.holder = Holder::Account(AccountId::new("other"));
        record
    };
    let mut records = vm_days("vm", 1..=9, 1);
    records.extend([vm("vm", 10, 18, 1), moved(vm("vm", 10, 6, 1))]);
    // nobody knows better than the newest record
    let forecast = of(&prices(), &records, &Inventory::default());
    assert_eq!(of_account(&forecast, "account"), "39/4");
    assert_eq!(of_account(&forecast, "other"), "85/4");
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "vm", None);
    let forecast = of(&prices(), &records, &inventory);
    assert_eq!(of_account(&forecast, "account"), "123/4");
    assert_eq!(of_account(&forecast, "other"), "1/4");
}

#[test]
fn a_volume_that_was_resized_and_back_goes_on_as_the_inventory_has_it() {
    let hours = |gib: u64, hours: i64| {
        let mut record = volume_days("v", 10..=10, gib).remove(0);
        record.quantity = cloudstack_usage::Quantity::time(hours * 3_600_000);
        record
    };
    let mut records = volume_days("v", 1..=9, 100);
    records.extend([hours(100, 18), hours(200, 6)]);
    // 0.01 a day and GiB: 9.75 of 100, then 21.25 of 200
    assert_eq!(exact(&records), "209/4");
    let mut inventory = Inventory::default();
    know_volume(&mut inventory, "v", 100);
    let forecast = of(&prices(), &records, &inventory);
    // 30.75 of 100, 0.25 of 200
    assert_eq!(forecast.bill.exact.to_string(), "125/4");
    // and in another account on that day: the size alone does not say which
    let mut moved = records.clone();
    moved[10].size_bytes = moved[9].size_bytes;
    moved[10].owner.holder = Holder::Account(AccountId::new("other"));
    let forecast = of(&prices(), &moved, &inventory);
    assert_eq!(of_account(&forecast, "account"), "123/4");
    assert_eq!(of_account(&forecast, "other"), "1/4");
}

#[test]
fn records_of_one_window_add_up_before_they_go_on() {
    // a day in two records of one key, 10 and 14 hours
    let mut records = vm_days("vm", 1..=9, 1);
    records.extend([vm("vm", 10, 10, 1), vm("vm", 10, 14, 1)]);
    let bill = of(&prices(), &records, &Inventory::default()).bill;
    assert_eq!(bill.exact.to_string(), "31");
    let mut kinds = bill.findings.iter().map(|finding| finding.kind);
    assert!(!kinds.any(|kind| kind == FindingKind::OverWindow));
}

#[test]
fn what_was_not_used_at_all_does_not_go_on() {
    assert_eq!(exact(&[vm("vm", 10, 0, 1)]), "0");
}

#[test]
fn a_network_interface_ends_with_its_vm() {
    let book = book("[[price]]\nid = \"nic\"\nmeter = \"nic\"\namount = 1\nper = \"day\"\n");
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "vm", Some(october(21, 12)));
    let forecast = of(&book, &nic_days("nic", "vm", 1..=10), &inventory);
    assert_eq!(forecast.bill.exact.to_string(), "41/2");
}

#[test]
fn what_is_ahead_is_not_missing_and_what_was_forgotten_is() {
    let records = vm_days("vm", 1..=10, 1);
    let mut inventory = Inventory::default();
    for id in ["vm", "forgotten", "ahead"] {
        know_vm(&mut inventory, id, None);
    }
    // one that nobody metered until now, one that begins when nobody can have metered it
    for entry in inventory.vms.values_mut() {
        if entry.id.to_string() == "ahead" {
            entry.lifetime.start = october(15, 0);
        }
    }
    let missing: Vec<String> = of(&prices(), &records, &inventory)
        .bill
        .findings
        .into_iter()
        .filter(|finding| finding.kind == FindingKind::NotMetered)
        .filter_map(|finding| finding.resource_name)
        .collect();
    assert_eq!(missing, ["forgotten"]);
    // what else a bill has to say stays said, also of the time ahead
    let unpriced = of(&book(""), &records, &inventory).bill.findings;
    assert!(
        unpriced
            .iter()
            .any(|finding| finding.kind == FindingKind::Unpriced)
    );
}

#[test]
fn a_vm_that_runs_part_of_the_day_goes_on_to_do_so() {
    let running = book(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"day\"\nbasis = \"running\"\n",
    );
    let mut records: Vec<UsageRecord> = (1..=10).map(|day| vm("vm", day, 6, 1)).collect();
    for record in &mut records {
        record.usage_type = UsageType::RunningVm;
    }
    let forecast = of(&running, &records, &Inventory::default());
    // a quarter of 31 days
    assert_eq!(forecast.bill.exact.to_string(), "31/4");
}

#[test]
fn what_is_counted_goes_on_at_the_mean_of_seven_days() {
    // 70 GiB long ago, then 14 GiB in the last seven days: 2 a day for 21 days
    let records = [
        traffic("net", 1, 70),
        traffic("net", 5, 4),
        traffic("net", 10, 10),
    ];
    assert_eq!(exact(&records), (70 + 14 + 42).to_string());
    // a network of two days: 3 GiB a day
    let mut young = vec![traffic("net", 9, 2), traffic("net", 10, 4)];
    assert_eq!(exact(&young), (6 + 3 * 21).to_string());
    // copies of a record change nothing
    young.push(young[1].clone());
    assert_eq!(exact(&young), (6 + 3 * 21).to_string());
}

#[test]
fn prices_and_discounts_apply_when_they_are_due() {
    let book = book(
        "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = \"1\"\nper = \"day\"\nuntil = 2026-10-20\n\
         [[price]]\nid = \"cpu2\"\nmeter = \"cpu\"\namount = \"2\"\nper = \"day\"\nfrom = 2026-10-21\n\
         [[discount]]\nid = \"d\"\npercent = 50\nfrom = 2026-10-31\n",
    );
    let forecast = of(&book, &vm_days("vm", 1..=10, 1), &Inventory::default());
    // 20 days at 1, 10 at 2, the last one at half of 2
    assert_eq!(forecast.bill.exact.to_string(), "41");
}

#[test]
fn an_instant_to_stand_at_hides_what_came_later() {
    let records = [vm_days("vm", 1..=31, 1), vm_days("late", 20..=31, 8)].concat();
    let stand = |at| {
        forecast(
            &prices(),
            &Inventory::default(),
            &records,
            month(),
            Some(at),
        )
        .unwrap()
    };
    let early = stand(october(10, 15));
    assert_eq!(early.known_until, october(10, 0));
    assert_eq!(early.bill.exact.to_string(), "31");
    let full = stand(october(32, 0));
    assert_eq!(full.bill, bill(&prices(), &records));
    assert_eq!(full.share().to_string(), "0");
}

#[test]
fn no_usage_is_no_forecast() {
    let forecast = of(&prices(), &[], &Inventory::default());
    assert!(forecast.bill.exact.is_zero() && forecast.share().is_zero());
    assert_eq!(forecast.known_until, month().start());
}

fn usage() -> impl Strategy<Value = Vec<UsageRecord>> {
    let one = (0_usize..6, 1_i64..28, 1_i64..40, 1_u32..5);
    prop::collection::vec(one, 1..8).prop_map(|things| {
        let mut records = vm_days("until the end", 1..=31, 1);
        for (index, first, length, size) in things {
            let last = (first + length).min(31);
            match index % 3 {
                0 => records.extend(vm_days(&format!("vm{index}"), first..=last, size)),
                1 => records.extend(volume_days(&format!("v{index}"), first..=last, size.into())),
                _ => records.extend((first..=last).map(|day| traffic("net", day, size.into()))),
            }
        }
        records
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// At the end of the month the forecast is the bill, and at any time it does not depend
    /// on the order of the records.
    #[test]
    fn at_the_end_the_forecast_is_the_bill(records in usage(), day in 2_i64..31) {
        let inventory = Inventory::default();
        let whole = forecast(&prices(), &inventory, &records, month(), None).unwrap();
        prop_assert_eq!(&whole.bill, &bill_with(&prices(), &records, &inventory));
        prop_assert!(whole.share().is_zero());
        let mut turned = records.clone();
        turned.reverse();
        let at = Some(october(day, 0));
        let early = forecast(&prices(), &inventory, &records, month(), at).unwrap();
        prop_assert_eq!(&early, &forecast(&prices(), &inventory, &turned, month(), at).unwrap());
        prop_assert!(!early.ahead().is_negative());
        let counts = &early.bill.counts;
        prop_assert_eq!(counts.records, counts.charged + counts.exempt + counts.reference + counts.held);
    }
}

/// A volume that moved to another VM on the last day stays there: nothing of the discount of
/// the VM that it left goes on.
#[test]
fn a_volume_goes_on_at_the_vm_that_it_is_attached_to() {
    let rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.31\"\nper = \"month\"\n\
        [[discount]]\nid = \"half\"\npercent = \"50\"\nscope = { vm = \"a\" }\n";
    let mut inventory = Inventory::default();
    know_vm(&mut inventory, "a", None);
    know_vm(&mut inventory, "b", None);
    know_volume(&mut inventory, "v", 100);
    let volume = inventory.volumes.get_mut(&VolumeId::new("v")).unwrap();
    for (vm, from) in [("a", october(-30, 0)), ("b", october(10, 12))] {
        let began = Moment::certain(from, MomentSource::Event);
        volume.vm.set(began, VmId::new(vm));
    }
    let mut records = volume_days("v", 1..=10, 100);
    let attached = |vm: &str, day: i64, hours: i64| {
        let mut row = volume_days("v", day..=day, 100).remove(0);
        row.vm = Some(VmId::new(vm));
        row.quantity = Quantity::time(hours * 3_600_000);
        row
    };
    records.extend((1..=9).map(|day| attached("a", day, 24)));
    records.extend([attached("a", 10, 12), attached("b", 10, 12)]);
    let forecast = of(&book(rows), &records, &inventory);
    // 31 a month: 9.5 days at half of it
    assert_eq!(forecast.bill.exact.to_string(), "105/4");
}
