//! Credits: what they pay, what of it is left for the next one, and what is shown of them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use rating_engine::{Bill, Exact, LineItem};

use support::{Cloud, between, book, line, month};

const IP: &str = "[[price]]\nid = \"ip\"\nmeter = \"ip\"\namount = 30\nper = \"month\"\n";

fn credit(id: &str, amount: u32, more: &str) -> String {
    format!("[[credit]]\nid = \"{id}\"\namount = {amount}\n{more}\n")
}

/// An address of the project `web` all month.
fn rate(rows: &str) -> Bill {
    let mut cloud =
        Cloud::new()
            .domain("sub", "ROOT/acme/sub", "acme")
            .ip("a", "2026-08-01", "2026-11-01");
    "project:web".clone_into(&mut cloud.ips[0].owner[0].1);
    let book = book(&format!("{IP}{rows}"));
    cloud.rate(&book, month(&book, "2026-09"))
}

fn taken(bill: &Bill) -> Vec<(String, String, String)> {
    let credits = bill.statements.iter().flat_map(|one| &one.credits);
    credits
        .map(|used| {
            assert_eq!(
                used.available
                    .checked_add(&rating_engine::Money::zero(used.left.currency())),
                used.left.checked_add(&used.taken),
                "what was there is taken or left"
            );
            (used.credit.clone(), used.taken.amount(), used.left.amount())
        })
        .collect()
}

fn used(uses: &[[&str; 3]]) -> Vec<(String, String, String)> {
    uses.iter()
        .map(|[id, taken, left]| (id.to_string(), taken.to_string(), left.to_string()))
        .collect()
}

const ACME: &str = "scope = { domain = \"ROOT/acme\" }";

#[test]
fn what_one_credit_paid_of_a_time_the_next_does_not_pay_again() {
    let rows = credit(
        "a",
        10,
        &format!("{ACME}\nuntil = 2026-09-15\npriority = 1"),
    ) + &credit(
        "b",
        10,
        &format!("{ACME}\nuntil = 2026-09-15\npriority = 2"),
    );
    // half the month is 15.00: 10 and the 5 that are left of it
    let bill = rate(&rows);
    assert_eq!(
        taken(&bill),
        used(&[["a", "10.00", "0.00"], ["b", "5.00", "5.00"]])
    );
    assert_eq!(bill.total.amount(), "15.00");
}

#[test]
fn a_credit_of_another_time_pays_what_is_left_of_its_own() {
    let rows = credit(
        "a",
        10,
        &format!("{ACME}\nuntil = 2026-09-15\npriority = 1"),
    ) + &credit(
        "b",
        100,
        &format!("{ACME}\nfrom = 2026-09-16\npriority = 2"),
    ) + &credit("c", 100, &format!("{ACME}\npriority = 3"));
    let bill = rate(&rows);
    assert_eq!(
        taken(&bill),
        used(&[
            ["a", "10.00", "0.00"],
            ["b", "15.00", "85.00"],
            ["c", "5.00", "95.00"]
        ])
    );
    assert_eq!(bill.total.amount(), "0.00");
}

#[test]
fn a_deposit_is_of_its_time_and_its_account() {
    let deposit = |more: &str| credit("d", 10, &format!("after_tax = true\n{more}"));
    let payable = |rows: &str| {
        let bill = rate(rows);
        bill.statements[0].payable.amount()
    };
    assert_eq!(payable(&deposit(ACME)), "20.00");
    assert_eq!(
        payable(&deposit(&format!("{ACME}\nuntil = 2026-08-31"))),
        "30.00"
    );
    assert_eq!(
        payable(&deposit(&format!("{ACME}\nfrom = 2026-10-01"))),
        "30.00"
    );
    // what is no deposit is a line of its own and taken once
    assert_eq!(payable(&credit("c", 10, ACME)), "20.00");
    assert_eq!(payable(&(credit("c", 10, ACME) + &deposit(ACME))), "10.00");
}

/// Two projects with an address each, of which one is taxed by all it costs: the cent that does
/// not divide goes by the lines' keys, whatever the projects are called.
#[test]
fn a_cent_that_does_not_divide_goes_by_no_name() {
    let rows = format!(
        "{IP}[[credit]]\nid = \"cent\"\namount = \"0.01\"\n{ACME}\n\
        [[tax]]\nid = \"all\"\npercent = 100\nscope = {{ project = \"shop\" }}\n"
    );
    let book = book(&rows);
    let september = month(&book, "2026-09");
    let mut cloud = Cloud::new()
        .project("shop", "acme")
        .ip("a", "2026-08-01", "2026-11-01")
        .ip("b", "2026-08-01", "2026-11-01");
    "project:shop".clone_into(&mut cloud.ips[0].owner[0].1);
    "project:web".clone_into(&mut cloud.ips[1].owner[0].1);
    let windows = support::cloud::days(september);
    let taxed = |names: [&str; 2]| {
        let mut snapshots = cloud.snapshots(support::cloud::span_of(&windows));
        for project in snapshots.iter_mut().flat_map(|one| &mut one.projects) {
            let is_shop = project.id.to_string() == "shop";
            names[usize::from(!is_shop)].clone_into(&mut project.name);
        }
        let records = cloud.records(&windows);
        let bill = support::rate_json(&book, &records, &snapshots, september);
        let statement = &bill.statements[0];
        let holders: Vec<&str> = statement
            .lines
            .iter()
            .map(|one| one.holder_name.as_str())
            .collect();
        assert_eq!(
            holders.iter().filter(|name| names.contains(name)).count(),
            2
        );
        statement.taxes[0].base.amount()
    };
    // `project shop` stands before `project web` in the keys
    assert_eq!(taxed(["y", "z"]), "29.99");
    assert_eq!(taxed(["z", "y"]), "29.99");
}

fn shown(line: &LineItem) -> [&str; 4] {
    [
        line.resource_kind,
        &line.resource_name,
        &line.holder_name,
        &line.domain_path,
    ]
}

#[test]
fn a_credits_line_names_whose_it_is_and_what_it_took() {
    let bill = rate(&credit(
        "own",
        12,
        "scope = { project = \"web\" }\nuntil = 2026-09-20",
    ));
    let own = line(&bill, "own");
    assert_eq!(shown(own), ["project", "web", "web", "ROOT/acme"]);
    assert_eq!(
        (&own.net, &own.list),
        (&Exact::from(-12), &Exact::from(-12))
    );
    assert_eq!(own.amount.amount(), "-12.00");
    assert!(own.amount.is_negative() && !bill.total.is_negative());
    // of the time in which it is valid
    assert_eq!(own.period, between("2026-09-01", "2026-09-21"));
    assert!(own.price_text.contains("12.00 EUR there") && own.price_text.contains("0.00 EUR left"));
    let bill = rate(&credit("all", 12, ACME));
    assert_eq!(
        shown(line(&bill, "all")),
        ["domain", "ROOT/acme", "", "ROOT/acme"]
    );
    assert_eq!(bill.exact, Exact::from(18));
}

#[test]
fn taxes_and_credits_are_in_the_json_with_what_they_are_of() {
    let vat = "[[tax]]\nid = \"vat\"\nlabel = \"VAT\"\npercent = 20\n";
    let deposit = credit("d", 10, &format!("{ACME}\nafter_tax = true"));
    let json = rate(&(deposit + vat)).to_json();
    let statement = &json["statements"][0];
    let tax = &statement["taxes"][0];
    assert_eq!((&tax["tax"], &tax["label"]), (&"vat".into(), &"VAT".into()));
    assert_eq!(tax["percent"], "20");
    assert_eq!(tax["base"]["amount"], "30.00");
    assert_eq!(tax["amount"]["amount"], "6.00");
    let used = &statement["credits"][0];
    assert_eq!(
        (&used["credit"], &used["after_tax"]),
        (&"d".into(), &true.into())
    );
    let amounts = ["available", "taken", "left"].map(|field| used[field]["amount"].clone());
    assert_eq!(amounts, ["10.00", "10.00", "0.00"]);
    assert_eq!(statement["payable"]["amount"], "26.00");
}
