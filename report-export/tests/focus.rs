//! FOCUS rows from a price book's text and usage records, read back from CSV.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "../../rating-engine/tests/builders/mod.rs"]
mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use rating_engine::{Bill, Exact, PriceBook};
use report_export::{Csv, Filter, Focus, View, focus};

use support::scene::{Rules, scene};
use support::{Cloud, book, month, number};

/// What a conformance case expects, in its order.
fn expected(id: &str) -> Vec<String> {
    let cases = include_str!("../../rating-engine/tests/cases/rating.jsonl");
    let mut cases = cases
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let case = cases.find(|case| case["id"] == id).unwrap();
    let values = case["expected"].as_array().unwrap().iter();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

type Row = BTreeMap<String, String>;

fn options() -> Focus {
    Focus::new("Example Cloud")
}

fn read(view: &View<'_>, options: &Focus) -> Vec<Row> {
    let bytes = Csv::rfc4180().to_bytes(&focus(view, options)).unwrap();
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().unwrap().clone();
    let rows = reader.records().map(|record| {
        let record = record.unwrap();
        let cells = header.iter().zip(record.iter());
        cells
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    });
    rows.collect()
}

fn rows(bill: &Bill) -> Vec<Row> {
    read(&View::of_bill(bill).unwrap(), &options())
}

/// The sum of `BilledCost` by `InvoiceId`.
fn billed(rows: &[Row]) -> BTreeMap<String, Exact> {
    let mut sums: BTreeMap<String, Exact> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry(row["InvoiceId"].clone()).or_default();
        *sum += number(&row["BilledCost"]);
    }
    sums
}

/// Every statement's rows add up to what is payable of it: equal, no tolerance.
fn assert_billed_is_payable(bill: &Bill) {
    let rows = rows(bill);
    let sums = billed(&rows);
    let mut invoices = 0;
    for statement in &bill.statements {
        let account = statement.account.to_string();
        let own: Vec<&Exact> = sums
            .iter()
            .filter(|(invoice, _)| invoice.split('/').next() == Some(&account))
            .map(|(_, sum)| sum)
            .collect();
        invoices += own.len();
        assert_eq!(own, [&statement.payable.to_exact()], "{account}");
    }
    assert_eq!(sums.len(), invoices, "each invoice is a statement's");
}

/// The numbers of a row multiply, and what must be there is there.
fn assert_rows_hold_together(rows: &[Row]) {
    for row in rows {
        let value = |name: &str| number(&row[name]);
        let costs = ["BilledCost", "EffectiveCost", "ListCost", "ContractedCost"];
        for name in costs {
            assert!(row[name].contains('.'), "{name} {}", row[name]);
        }
        for name in [
            "BillingAccountId",
            "BillingCurrency",
            "BillingPeriodStart",
            "ChargePeriodEnd",
            "InvoiceId",
            "InvoiceIssuerName",
            "ProviderName",
            "PublisherName",
            "ServiceName",
            "ServiceCategory",
            "ServiceSubcategory",
            "ChargeDescription",
            "ChargeFrequency",
        ] {
            assert!(!row[name].is_empty(), "{name} of {row:?}");
        }
        let priced = ["Usage", "Purchase"].contains(&row["ChargeCategory"].as_str());
        for name in [
            "SkuId",
            "SkuPriceId",
            "SkuMeter",
            "PricingQuantity",
            "PricingUnit",
            "PricingCategory",
            "ListUnitPrice",
            "ContractedUnitPrice",
        ] {
            assert_eq!(!row[name].is_empty(), priced, "{name} of {row:?}");
        }
        assert_eq!(
            !row["ConsumedQuantity"].is_empty(),
            row["ChargeCategory"] == "Usage"
        );
        if priced {
            for cost in ["List", "Contracted"] {
                let price = value(&format!("{cost}UnitPrice"));
                assert!(!price.is_negative());
                let product = price * value("PricingQuantity");
                assert_eq!(product, value(&format!("{cost}Cost")), "{row:?}");
            }
        }
        assert!(
            row["Tags"].is_empty()
                || serde_json::from_str::<serde_json::Value>(&row["Tags"])
                    .unwrap()
                    .is_object()
        );
    }
}

const EVERYTHING: &str = r#"
[[price]]
id = "cpu"
meter = "cpu"
amount = "9.99"
per = "month"

[[price]]
id = "ram"
meter = "ram"
per = "month"
tiers = [{ up_to = 2, amount = "3.33" }, { amount = "1.11", flat = 2 }]

[[price]]
id = "disk"
meter = "disk"
amount = "0.07"
per = "month"
free = 10

[[price]]
id = "setup"
meter = "ip"
amount = 5
per = "once"

[[service]]
id = "Backup"
amount = "0.5"
per = "day"

[[minimum]]
id = "at least"
amount = 120
per = "project"
scope = { project = "web" }

[[discount]]
id = "loyal"
percent = "12.5"

[[discount]]
id = "fixed"
amount = "1.01"
meters = ["ram"]

[[credit]]
id = "voucher"
amount = "7.77"
scope = { domain = "ROOT/acme" }

[[credit]]
id = "deposit"
amount = "20"
after_tax = true
scope = { domain = "ROOT/acme" }

[[tax]]
id = "vat"
label = "VAT"
percent = 19

[[tax]]
id = "low"
label = "VAT, reduced"
percent = 7
meters = ["disk"]
"#;

fn cloud() -> Cloud {
    let (start, end) = ("2026-08-20", "2026-10-05");
    Cloud::new()
        .domain("beta", "ROOT/beta", "ROOT")
        .project("lab", "beta")
        .vm("m", 2, 8, "2026-09-04 01:07", "2026-09-23 11:59")
        .volume("v", 77 << 30, Some("m"), "2026-09-04 01:07", end)
        .ip("i", "2026-09-09", end)
        .vm_of("n", "project:web", 3, 5, start, "2026-09-11")
        .vm_of("o", "project:lab", 1, 1, start, end)
        .tag("m", "Service", "Backup", "2026-09-05", end)
        .tag("m", "Billing", "noRAM", "2026-09-06", "2026-09-08")
        .tag("n", "quote", "say \"no\"\\", start, end)
}

fn bill() -> Bill {
    let book = book(EVERYTHING);
    cloud().rate(&book, month(&book, "2026-09"))
}

#[test]
fn h09_billed_cost_adds_up_to_what_is_payable() {
    assert_eq!(expected("H09"), ["equal"]);
    let bill = bill();
    assert_eq!(bill.statements.len(), 2);
    let acme = &bill.statements[0];
    assert!(acme.taxes.len() == 2 && acme.payable != acme.gross && acme.gross != acme.total);
    assert_billed_is_payable(&bill);
    let rows = rows(&bill);
    assert_rows_hold_together(&rows);
    let categories = |wanted: &str| {
        let own = rows.iter().filter(|row| row["ChargeCategory"] == wanted);
        own.count()
    };
    // two rates at acme and one at beta; a voucher and a deposit; a fee and a minimum
    assert_eq!(["Tax", "Credit", "Purchase"].map(categories), [3, 2, 2]);
}

#[test]
fn a_row_says_what_the_line_says() {
    let bill = bill();
    let rows = rows(&bill);
    let find = |sku: &str, resource: &str| {
        let mut own = rows.iter().filter(|row| {
            row["SkuId"] == sku && row["ResourceId"] == resource && row["x_Exemption"].is_empty()
        });
        own.next()
            .unwrap_or_else(|| panic!("no row {sku} {resource}"))
    };
    let cpu = find("meter/cpu", "n");
    // ten of thirty days of three vCPUs, 12.5 % off 9.99
    assert_eq!(cpu["PricingQuantity"], "1.0");
    assert_eq!(cpu["PricingUnit"], "vCPU-Months");
    assert_eq!(
        (
            cpu["ListUnitPrice"].as_str(),
            cpu["ContractedUnitPrice"].as_str()
        ),
        ("9.99", "8.74125")
    );
    assert_eq!(cpu["EffectiveCost"], "8.74125");
    assert_eq!(
        (cpu["SubAccountId"].as_str(), cpu["SubAccountType"].as_str()),
        ("web", "Project")
    );
    assert_eq!(cpu["Tags"], r#"{"quote": "say \"no\"\\"}"#);
    assert_eq!(cpu["BillingPeriodEnd"], "2026-10-01T00:00:00Z");
    assert_eq!(cpu["ChargePeriodEnd"], "2026-09-11T00:00:00Z");
    assert_eq!(cpu["InvoiceId"], "acme/2026-09-01/2026-09-30");
    // tiers have no price per unit: one charge, and what was used beside it
    let ram = find("meter/ram", "n");
    assert_eq!(
        (ram["PricingQuantity"].as_str(), ram["PricingUnit"].as_str()),
        ("1.0", "Charges")
    );
    assert_eq!(ram["ConsumedUnit"], "GiB-Months");
    assert_eq!(ram["ListCost"], ram["ListUnitPrice"]);
    let disk = find("meter/disk", "v");
    assert_eq!(
        (
            disk["ServiceCategory"].as_str(),
            disk["ServiceSubcategory"].as_str()
        ),
        ("Storage", "Block Storage")
    );
    // what is exempt costs nothing and says why
    let exempt = rows
        .iter()
        .find(|row| row["x_Exemption"] == "Billing:noRAM")
        .unwrap();
    assert_eq!(
        (exempt["BilledCost"].as_str(), exempt["ListCost"].as_str()),
        ("0.0", "0.0")
    );
}

#[test]
fn invoices_have_the_numbers_that_are_given() {
    let bill = bill();
    let view = View::of_bill(&bill).unwrap();
    let options = options()
        .with_invoice("ROOT/acme", "R-1")
        .with_invoice("beta", "R-2");
    let sums = billed(&read(&view, &options));
    let wanted = bill.statements.iter().zip(["R-1", "R-2"]);
    let wanted = wanted.map(|(one, number)| (number.to_owned(), one.payable.to_exact()));
    assert_eq!(sums, wanted.collect());
}

#[test]
fn a_filter_leaves_taxes_out_and_one_statement_stands_alone() {
    let bill = bill();
    let one = View::of_statement(&bill, "ROOT/beta").unwrap();
    let sums = billed(&read(&one, &options()));
    let payable = bill.statements[1].payable.to_exact();
    assert_eq!(sums.into_values().collect::<Vec<_>>(), [payable]);
    let filter = Filter {
        vms: vec!["m".to_owned()],
        ..Filter::default()
    };
    let part = View::of_bill(&bill).unwrap().filtered(&filter).unwrap();
    let rows = read(&part, &options());
    assert!(!rows.is_empty() && rows.iter().all(|row| row["ChargeCategory"] == "Usage"));
    let sum: Exact = billed(&rows).into_values().sum();
    assert_eq!(sum, part.totals().amount.to_exact());
}

const MONEY_TERMS: &str = "[[tax]]\nid = \"vat\"\npercent = \"8.1\"\n[[tax]]\nid = \"low\"\npercent = 3\nmeters = [\"cpu\", \"disk\"]\n[[credit]]\nid = \"c\"\namount = \"17.31\"\nscope = { domain = \"ROOT/acme\" }\n[[credit]]\nid = \"d\"\namount = \"23.45\"\nafter_tax = true\nscope = { domain = \"ROOT/acme\" }\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bill_adds_up_and_multiplies(scene in scene(Rules::OfTheMonth)) {
        let text = scene.text() + MONEY_TERMS;
        let book = PriceBook::from_toml(&text).unwrap();
        let bill = scene.rate_book(&book, scene.period);
        assert_billed_is_payable(&bill);
        assert_rows_hold_together(&rows(&bill));
    }
}
