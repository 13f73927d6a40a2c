//! Bills built by hand.

use cloudstack_usage::{DomainId, Holder, Period, ProjectId, ResourceId, VmId, VolumeId};
use num_bigint::BigInt;
use proptest::prelude::*;
use rating_engine::{
    Bill, BookVersion, Counts, Currency, Exact, Explanation, Finding, FindingKind, Item, LineItem,
    Money, Policy, RoundingMode, RoundingPoint, Statement, allocate,
};
use report_export::{Cell, Report};

pub(crate) fn period() -> Period {
    Period::parse("2031-02-28T23:00:00Z", "2031-03-31T22:00:00Z").unwrap()
}

pub(crate) fn exact(numerator: i128, denominator: i128) -> Exact {
    Exact::ratio(numerator, denominator).unwrap()
}

/// A line whose printed amount is set when its statement is made.
pub(crate) fn line(key: &str, net: Exact, currency: Currency) -> LineItem {
    LineItem {
        key: key.to_owned(),
        domain: DomainId::new("d-acme"),
        domain_path: "ROOT/acme".to_owned(),
        holder: Holder::Project(ProjectId::new("p-web")),
        holder_name: "web".to_owned(),
        vm: Some(VmId::new("vm-1")),
        vm_name: Some("web-01".to_owned()),
        volume: None,
        resource: ResourceId::new("vm-1"),
        resource_kind: "vm",
        resource_name: "web-01".to_owned(),
        zone: None,
        zone_name: None,
        cost_centre: None,
        item: Item::Meter("cpu"),
        label: "CPU".to_owned(),
        price: "cpu".to_owned(),
        price_text: "10.00 per vCPU and month".to_owned(),
        exemption: None,
        tax: None,
        factors: Vec::new(),
        discounts: Vec::new(),
        used_millis: 3_600_000,
        quantity: exact(1, 8),
        unit: "vCPU-month".to_owned(),
        list: net.clone(),
        net,
        amount: Money::zero(currency),
        period: period(),
        created: None,
        removed: None,
        tags: Vec::new(),
        explanation: Explanation {
            prices: Vec::new(),
            segments: Vec::new(),
            reductions: Vec::new(),
            records: 1,
            usage: Vec::new(),
        },
    }
}

/// A statement whose lines share its rounded total by largest remainder.
pub(crate) fn statement(
    path: &str,
    account: &str,
    mut lines: Vec<LineItem>,
    currency: Currency,
) -> Statement {
    let places = currency.minor_digits();
    let nets: Vec<Exact> = lines.iter().map(|line| line.net.clone()).collect();
    let sum: Exact = nets.iter().sum();
    let total: BigInt = sum.round(places, RoundingMode::HalfAway);
    for (line, share) in lines.iter_mut().zip(allocate(&total, &nets, places)) {
        line.amount = Money::from_minor(share, currency);
    }
    Statement {
        account: DomainId::new(account),
        name: path.rsplit('/').next().unwrap().to_owned(),
        path: path.to_owned(),
        lines,
        total: Money::from_minor(total.clone(), currency),
        exact: sum,
        taxes: Vec::new(),
        gross: Money::from_minor(total.clone(), currency),
        credits: Vec::new(),
        payable: Money::from_minor(total, currency),
    }
}

pub(crate) fn bill(statements: Vec<Statement>, currency: Currency) -> Bill {
    let totals = statements.iter().map(|statement| &statement.total);
    let gross = statements.iter().map(|statement| &statement.gross);
    Bill {
        period: period(),
        zone: "Europe/Berlin".to_owned(),
        currency,
        book: BookVersion {
            name: "prices".to_owned(),
            digest: "b00c".to_owned(),
            rounding: RoundingMode::default(),
            rounding_point: RoundingPoint::default(),
        },
        findings: Vec::new(),
        counts: Counts::default(),
        total: Money::sum(totals, currency).unwrap(),
        gross: Money::sum(gross, currency).unwrap(),
        exact: statements.iter().map(|statement| &statement.exact).sum(),
        digest: "d1935".to_owned(),
        statements,
    }
}

pub(crate) fn euro() -> Currency {
    Currency::from_code("EUR").unwrap()
}

/// One statement in euros of lines that differ by their key alone.
pub(crate) fn bill_of(lines: Vec<LineItem>) -> Bill {
    bill(
        vec![statement("ROOT/acme", "d-acme", lines, euro())],
        euro(),
    )
}

pub(crate) fn finding(account: &str, resource: &str, value: Option<Exact>) -> Finding {
    Finding {
        kind: FindingKind::NotMetered,
        policy: Policy::BillAndFlag,
        account: Some(DomainId::new(account)),
        owner: Some("ROOT/acme web".to_owned()),
        resource: Some(ResourceId::new(resource)),
        resource_name: Some("data".to_owned()),
        period: Some(period()),
        millis: 5_400_000,
        records: 2,
        value,
        message: "the volume lived and was not metered".to_owned(),
    }
}

/// The cells of a named column.
pub(crate) fn column<'a>(report: &Report<'a>, name: &str) -> Vec<Cell<'a>> {
    let index = index(report, name);
    report.rows().map(|row| row[index].clone()).collect()
}

pub(crate) fn total<'a>(report: &Report<'a>, name: &str) -> Cell<'a> {
    report.totals()[index(report, name)].clone()
}

pub(crate) fn index(report: &Report<'_>, name: &str) -> usize {
    let mut columns = report.columns().iter();
    columns.position(|column| column.name() == name).unwrap()
}

/// A decimal text in minor units, by its digits alone.
pub(crate) fn minor(text: &str, digits: u32) -> BigInt {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert_eq!(part.len(), digits as usize, "{text}");
    format!("{whole}{part}").parse().unwrap()
}

pub(crate) fn minor_of(cell: &Cell<'_>, digits: u32) -> BigInt {
    match cell {
        Cell::Decimal(decimal) => minor(decimal.as_str(), digits),
        other => panic!("{other:?} is no amount"),
    }
}

/// A line in one of few groups, so that groups have several lines.
fn any_line(currency: Currency) -> impl Strategy<Value = (usize, LineItem)> {
    let ids = (0..3_usize, 0..3_u8, 0..4_u8, 0..3_u8, 0..3_u8, 0..3_u8);
    let money = (-500_000_i128..5_000_000, 1_i128..2_000, 0_i128..=100);
    (ids, money).prop_map(
        move |((statement, sub, holder, vm, volume, other), (n, d, percent))| {
            let list = exact(n, d);
            let net = list.clone() * exact(100 - percent, 100);
            let mut line = line("", net, currency);
            line.list = list;
            line.domain = DomainId::new(&format!("d-{statement}-{sub}"));
            line.domain_path = match sub {
                0 => format!("ROOT/s{statement}"),
                _ => format!("ROOT/s{statement}/sub{sub}"),
            };
            (line.holder, line.holder_name) = match holder {
                0 => (Holder::Unknown, String::new()),
                1 => (
                    Holder::Account(cloudstack_usage::AccountId::new(&format!("a-{statement}"))),
                    "admin".to_owned(),
                ),
                _ => (
                    Holder::Project(ProjectId::new(&format!("p-{statement}-{sub}-{holder}"))),
                    format!("project {holder}"),
                ),
            };
            line.vm = (vm > 0).then(|| VmId::new(&format!("vm-{statement}-{vm}")));
            line.vm_name = (vm > 0).then(|| "same name".to_owned());
            line.volume = (volume > 0).then(|| VolumeId::new(&format!("vol-{statement}-{volume}")));
            line.cost_centre = (other > 0).then(|| format!("cc {other}"));
            line.item = match other {
                0 => Item::Meter("disk"),
                1 => Item::Service("Backup".to_owned()),
                _ => Item::Package("Backup".to_owned()),
            };
            (statement, line)
        },
    )
}

/// A bill of up to three statements, in a currency of no, two or three minor digits.
pub(crate) fn any_bill() -> impl Strategy<Value = Bill> {
    prop::sample::select(vec!["JPY", "EUR", "BHD"]).prop_flat_map(|code| {
        let currency = Currency::from_code(code).unwrap();
        prop::collection::vec(any_line(currency), 0..40).prop_map(move |lines| {
            let statements = (0..3).map(|number| {
                let own: Vec<LineItem> = lines
                    .iter()
                    .filter(|(statement, _)| *statement == number)
                    .enumerate()
                    .map(|(index, (_, line))| LineItem {
                        key: format!("{number}-{index:04}"),
                        ..line.clone()
                    })
                    .collect();
                let (path, account) = (format!("ROOT/s{number}"), format!("d-{number}-0"));
                statement(&path, &account, own, currency)
            });
            bill(statements.collect(), currency)
        })
    })
}
