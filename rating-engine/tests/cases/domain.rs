//! Group X: a provider's month. The base VM has 2 vCPUs, 4 GiB RAM and 50 GiB disk.

use std::collections::BTreeMap;

use rating_engine::{Bill, Currency, LineItem, Money, PriceBook};

use crate::Case;
use crate::support::cloud::GIB;
use crate::support::{
    Cloud, at, between, book, book_text, book_with, decimal, exact, finding, line, lines, month,
    number, of,
};

const PRICES: &str = "
[[price]]
id = \"cpu\"
meter = \"cpu\"
amount = \"10.00\"
per = \"month\"
[[price]]
id = \"ram\"
meter = \"ram\"
amount = \"5.00\"
per = \"month\"
[[price]]
id = \"disk\"
meter = \"disk\"
amount = \"0.10\"
per = \"month\"
";

fn base_vm(start: &str, end: &str) -> Cloud {
    Cloud::new()
        .vm("m", 2, 4, start, end)
        .volume("v", 50 * GIB, Some("m"), start, end)
}

fn all_month() -> Cloud {
    base_vm("2026-08-01", "2026-11-01")
}

fn september(cloud: &Cloud, rows: &str) -> Bill {
    let book = book(&(PRICES.to_owned() + rows));
    cloud.rate(&book, month(&book, "2026-09"))
}

pub(crate) fn a_whole_month(case: &Case) {
    case.expect(&[september(&all_month(), "").total.amount()]);
}

pub(crate) fn half_a_month(case: &Case) {
    case.expect(&[september(&base_vm("2026-09-16", "2026-11-01"), "")
        .total
        .amount()]);
}

pub(crate) fn ten_minutes(case: &Case) {
    let bill = september(&base_vm("2026-09-16", "2026-09-16 00:10"), "");
    assert_eq!(
        bill.exact,
        number("45") * rating_engine::Exact::ratio(600, 2_592_000).unwrap()
    );
    case.expect(&[bill.total.amount()]);
}

/// What is printed for a VM is as near its exact amount as a line is: 4 VMs have 0.02 and
/// 96 have 0.01, whether the price is on one line or on three.
pub(crate) fn a_hundred_short_lives(case: &Case) {
    let whole = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"45\"\nper = \"month\"\n";
    for prices in [whole, PRICES] {
        let book = book(prices);
        let mut cloud = Cloud::new();
        for index in 0..100 {
            let (vm, disk) = (format!("m{index}"), format!("v{index}"));
            cloud = cloud.vm(&vm, 2, 4, "2026-09-16", "2026-09-16 00:10");
            if prices == PRICES {
                cloud = cloud.volume(&disk, 50 * GIB, Some(&vm), "2026-09-16", "2026-09-16 00:10");
            }
        }
        let bill = cloud.rate(&book, month(&book, "2026-09"));
        case.expect(&[bill.total.amount()]);
        let mut of_vms: BTreeMap<String, Vec<&Money>> = BTreeMap::new();
        for line in lines(&bill) {
            let vm = line.vm_name.clone().unwrap();
            of_vms.entry(vm).or_default().push(&line.amount);
        }
        let mut amounts: BTreeMap<String, u32> = BTreeMap::new();
        for of_vm in of_vms.into_values() {
            let sum = Money::sum(of_vm, bill.currency).unwrap();
            *amounts.entry(sum.amount()).or_default() += 1;
        }
        assert_eq!(
            amounts,
            BTreeMap::from([("0.01".to_owned(), 96), ("0.02".to_owned(), 4)])
        );
    }
}

pub(crate) fn exempt_for_ten_days(case: &Case) {
    let cloud = all_month().tag("m", "Billing", "noCPU", "2026-09-11", "2026-09-21");
    let bill = september(&cloud, "");
    case.expect(&[bill.total.amount()]);
    let exempt: Vec<&LineItem> = of(&bill, "cpu")
        .into_iter()
        .filter(|line| line.exemption.is_some())
        .collect();
    assert_eq!(exempt.len(), 1);
    assert_eq!(exempt[0].used_millis, 10 * 86_400_000);
}

pub(crate) fn exempt_from_everything(case: &Case) {
    let cloud = all_month().tag(
        "m",
        "Billing",
        "noCPU,noRAM,noDisk",
        "2026-08-01",
        "2026-11-01",
    );
    let bill = september(&cloud, "");
    case.expect(&[bill.total.amount()]);
    for item in ["cpu", "ram", "disk"] {
        let line = line(&bill, item);
        assert!(
            line.exemption.is_some()
                && line.amount.is_zero()
                && line.used_millis == 720 * 3_600_000
        );
    }
    // in a book whose VM tags do not reach volumes the disk costs its 5.00
    let own = book_with("vm_tags_on_volumes = \"own\"", PRICES);
    assert_eq!(
        cloud.rate(&own, month(&own, "2026-09")).total.amount(),
        "5.00"
    );
}

pub(crate) fn package_and_single_service(case: &Case) {
    let rows = "
[[service]]
id = \"Backup\"
amount = \"8.00\"
per = \"month\"
[[service]]
id = \"Monitoring\"
amount = \"2.00\"
per = \"month\"
[[package]]
id = \"Gold\"
services = [\"Backup\", \"Monitoring\"]
";
    let cloud = all_month()
        .tag("m", "Package", "Gold", "2026-08-01", "2026-11-01")
        .tag("m", "Service", "Monitoring", "2026-08-01", "2026-11-01");
    for own_price in ["", "amount = \"10.00\"\nper = \"month\"\n"] {
        let bill = september(&cloud, &format!("{rows}{own_price}"));
        let sold = lines(&bill)
            .into_iter()
            .filter(|line| line.item.kind() != "meter");
        let sum = Money::sum(sold.map(|line| &line.amount), bill.currency).unwrap();
        case.expect(&[sum.amount()]);
        assert!(
            finding(&bill, "service_twice")
                .message
                .contains("Monitoring")
        );
    }
}

pub(crate) fn a_new_price(case: &Case) {
    let prices = PRICES.replacen(
        "per = \"month\"",
        "per = \"month\"\nuntil = \"2026-09-10\"",
        1,
    ) + "[[price]]\nid = \"cpu-new\"\nmeter = \"cpu\"\namount = \"12\"\nper = \"month\"\nfrom = \"2026-09-11\"\n";
    let book = book(&prices);
    case.expect(&[all_month()
        .rate(&book, month(&book, "2026-09"))
        .total
        .amount()]);
}

pub(crate) fn scaled_up(case: &Case) {
    let cloud = all_month().with_vm(|vm| vm.size.push((at("2026-09-16 12:00"), (4, 4096))));
    case.expect(&[september(&cloud, "").total.amount()]);
    // where only the lists know sizes, the change counts from the sync that saw it
    let mut listed = cloud;
    listed.sizes_only_in_lists = true;
    let bill = september(&listed, "");
    assert_eq!(
        finding(&bill, "uncertain_moment").policy.slug(),
        "bill_and_flag"
    );
}

pub(crate) fn an_image_while_running(case: &Case) {
    let rows = "
[[os_image]]
id = \"windows\"
os_category = \"Windows\"
amount = \"20.00\"
per = \"month\"
basis = \"running\"
";
    let mut cloud = all_month().with_vm(|vm| {
        vm.os_type = Some("win".to_owned());
        vm.stopped = vec![between("2026-09-05", "2026-09-15")];
    });
    cloud.os_types.push(cloudstack_usage::OsType {
        id: "win".into(),
        name: "Windows Server".to_owned(),
        category: Some("w".into()),
    });
    cloud.os_categories.push(cloudstack_usage::OsCategory {
        id: "w".into(),
        name: "Windows".to_owned(),
    });
    let bill = september(&cloud, rows);
    case.expect(&[line(&bill, "os").amount.amount()]);
    // stopped, it costs its CPU, RAM and disk all the same
    assert_eq!(
        exact(&bill, "cpu") + exact(&bill, "ram") + exact(&bill, "disk"),
        number("45")
    );
}

pub(crate) fn another_cost_centre(case: &Case) {
    let cloud = all_month()
        .tag("m", "CostCenter", "old", "2026-08-01", "2026-09-11")
        .tag("m", "CostCenter", "new", "2026-09-11", "2026-11-01");
    let bill = september(&cloud, "");
    let of_centre = |name: &str| {
        let lines = lines(&bill)
            .into_iter()
            .filter(|line| line.cost_centre.as_deref() == Some(name));
        Money::sum(lines.map(|line| &line.amount), bill.currency)
            .unwrap()
            .amount()
    };
    case.expect(&[of_centre("old"), of_centre("new")]);
}

pub(crate) fn across_a_month_end(case: &Case) {
    let rows = "
[[price]]
id = \"august\"
meter = \"vm\"
amount = \"31.00\"
per = \"month\"
until = \"2026-08-31\"
[[price]]
id = \"september\"
meter = \"vm\"
amount = \"30.00\"
per = \"month\"
from = \"2026-09-01\"
";
    let book = book(rows);
    let cloud = Cloud::new().vm("m", 2, 4, "2026-08-31 12:00", "2026-09-01 12:00");
    let found =
        ["2026-08", "2026-09"].map(|rated| cloud.rate(&book, month(&book, rated)).total.amount());
    case.expect(&found);
    // and both at once
    let both = cloud.rate(&book, between("2026-08-01", "2026-10-01"));
    assert_eq!(both.total.amount(), "1.00");
}

pub(crate) fn instants_and_dates(case: &Case) {
    let book = book(PRICES);
    let typed = book
        .civil_period("2026-09-10".parse().unwrap(), "2026-09-20".parse().unwrap())
        .unwrap();
    let periods = [between("2026-09-10", "2026-09-20"), typed];
    case.expect(&periods.map(|period| all_month().rate(&book, period).total.amount()));
}

pub(crate) fn every_partition_adds_up(case: &Case) {
    let cloud = all_month()
        .vm_of(
            "n",
            "project:web",
            1,
            1,
            "2026-09-03 05:07",
            "2026-09-20 11:13",
        )
        .tag(
            "n",
            "CostCenter",
            "x",
            "2026-09-07 01:02",
            "2026-09-09 07:01",
        );
    let bill = september(&cloud, "");
    let key_of: [fn(&LineItem) -> String; 6] = [
        |line| format!("{:?}", line.vm),
        |line| format!("{:?}", line.volume),
        |line| format!("{:?}", line.holder),
        |line| line.domain.to_string(),
        |line| format!("{:?}", line.cost_centre),
        |line| line.item.name().to_owned(),
    ];
    for key in key_of {
        let mut groups: BTreeMap<String, Vec<&Money>> = BTreeMap::new();
        for line in lines(&bill) {
            groups.entry(key(line)).or_default().push(&line.amount);
        }
        let sums: Vec<Money> = groups
            .into_values()
            .map(|group| Money::sum(group, bill.currency).unwrap())
            .collect();
        assert_eq!(Money::sum(&sums, bill.currency).unwrap(), bill.total);
    }
    case.expect(&[september(&all_month(), "").total.amount()]);
}

pub(crate) fn a_pebibyte(case: &Case) {
    let book =
        book("[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.00001\"\nper = \"month\"\n");
    let bill = Cloud::new()
        .volume("v", 1 << 50, None, "2026-08-01", "2026-11-01")
        .rate(&book, month(&book, "2026-09"));
    assert_eq!(decimal(&exact(&bill, "disk"), 5), "10.48576");
    case.expect(&[bill.total.amount()]);
}

/// Three projects of one domain, each a third of the month's price.
fn over_three_projects(settings: &str, amount: &str) -> Vec<String> {
    let book = book_with(
        settings,
        &format!(
            "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"{amount}\"\nper = \"month\"\n"
        ),
    );
    let mut cloud = Cloud::new();
    for (id, start, end) in [
        ("a", "2026-09-01", "2026-09-11"),
        ("b", "2026-09-11", "2026-09-21"),
        ("c", "2026-09-21", "2026-10-01"),
    ] {
        cloud = cloud.project(id, "acme").vm_of(
            &format!("m{id}"),
            &format!("project:{id}"),
            1,
            1,
            start,
            end,
        );
    }
    crate::support::printed(&cloud.rate(&book, month(&book, "2026-09")))
}

pub(crate) fn yen_over_three_projects(case: &Case) {
    case.expect(&over_three_projects("currency = \"JPY\"", "1000"));
}

pub(crate) fn dinars_over_three_projects(case: &Case) {
    case.expect(&over_three_projects("currency = \"BHD\"", "1.000"));
}

pub(crate) fn two_currencies(case: &Case) {
    assert_eq!(case.value(0), "error");
    let row = "[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = 1\nper = \"month\"\ncurrency = \"USD\"\n";
    let errors = PriceBook::from_toml(&book_text("", row)).unwrap_err();
    assert_eq!(errors.errors()[0].place(), "price[1].currency");
    let zero = |code: &str| Money::zero(Currency::from_code(code).unwrap());
    let error = zero("EUR").checked_add(&zero("USD")).unwrap_err();
    assert!(error.to_string().contains("EUR") && error.to_string().contains("USD"));
}

pub(crate) fn a_date_as_an_end(case: &Case) {
    let row =
        "[[discount]]\nid = \"d\"\npercent = 10\nuntil = \"2026-09-15\"\nscope = { vm = \"m\" }\n";
    case.expect(&[september(&all_month(), row).total.amount()]);
}

pub(crate) fn free_units_of_a_project(case: &Case) {
    let book = book(
        "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.10\"\nper = \"month\"\nfree = 10\naccumulate = \"project\"\n",
    );
    let mut cloud = Cloud::new();
    for id in ["a", "b", "c"] {
        cloud = cloud.volume_of(
            id,
            "project:web",
            50 * GIB,
            None,
            "2026-08-01",
            "2026-11-01",
        );
    }
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    case.expect(&[bill.total.amount()]);
    // in order of time: the first days pay nothing
    let first = &line_of_first(&bill).explanation.segments[0];
    assert!(first.list.is_zero());
}

fn line_of_first(bill: &Bill) -> &LineItem {
    let mut lines = of(bill, "disk");
    lines.sort_by(|left, right| left.key.cmp(&right.key));
    lines[0]
}

/// The numbers of the crate's README.
#[test]
fn the_stages_of_the_readme_have_these_numbers() {
    let rows = "
[[price]]
id = \"cpu\"
meter = \"cpu\"
amount = \"10.00\"
per = \"month\"
[[price]]
id = \"ram\"
meter = \"ram\"
amount = 0
per = \"month\"
[[discount]]
id = \"ten\"
percent = 10
until = \"2026-09-25\"
";
    let book = book(rows);
    let cloud = Cloud::new()
        .vm("m", 2, 1, "2026-09-16 12:00", "2026-11-01")
        .tag("m", "Billing", "noCPU", "2026-09-20", "2026-09-23");
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let mut amounts: Vec<(String, String)> = of(&bill, "cpu")
        .iter()
        .map(|line| (line.net.to_string(), line.amount.amount()))
        .collect();
    amounts.sort();
    let expected = [("0", "0.00"), ("10/3", "3.33"), ("39/10", "3.90")];
    assert_eq!(
        amounts,
        expected.map(|(exact, printed)| (exact.to_owned(), printed.to_owned()))
    );
    assert_eq!(
        (bill.exact.to_string(), bill.total.amount()),
        ("217/30".to_owned(), "7.23".to_owned())
    );
}
