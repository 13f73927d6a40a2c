//! Group C: prices that are a percentage of what else is charged.

use rating_engine::{Bill, Exact, PriceBook};

use crate::Case;
use crate::support::{Cloud, book, book_text, exact, findings, lines, month, number, of};

const DISK: &str = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = 1\nper = \"month\"\n";

/// A service that costs a percentage, for VMs that cost so much a month.
fn managed(vm: &str, fields: &str) -> PriceBook {
    book(&format!(
        "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"{vm}\"\nper = \"month\"\n{DISK}[[service]]\nid = \"Managed\"\n{fields}\n"
    ))
}

fn machines(count: usize) -> Cloud {
    let (start, end) = ("2026-08-20", "2026-10-05");
    (0..count).fold(Cloud::new(), |cloud, one| {
        let id = format!("m{one}");
        cloud
            .vm(&id, 1, 1, start, end)
            .tag(&id, "Service", "Managed", start, end)
    })
}

fn september(book: &PriceBook, cloud: &Cloud) -> Bill {
    cloud.rate(book, month(book, "2026-09"))
}

/// The events are VMs that are managed: four of 200, two of which pay no fee.
pub(crate) fn a_percentage_with_free_units_and_events(case: &Case) {
    let fields = "percent = \"1.3\"\nfree = 250\nfee = 2\nfree_fees = 2\naccumulate = \"account\"";
    let bill = september(&managed("200", fields), &machines(4));
    case.expect_shown(0, &exact(&bill, "Managed"));
    let line = &of(&bill, "Managed")[3];
    assert_eq!(
        (line.unit.as_str(), &line.quantity),
        ("EUR", &Exact::from(200))
    );
    assert_eq!(
        line.price_text,
        "1.3 % of everything else, plus 2.00 EUR a month each, 2 of them free, 250.00 EUR free a month"
    );
    // by itself each VM has its own free amount and fees: (350 - 250) x 2 % + 0, and 3 x
    let fields = "percent = 2\nfree = 250\nfee = 5\nfree_fees = 1";
    let bill = september(&managed("350", fields), &machines(3));
    assert_eq!(exact(&bill, "Managed"), Exact::from(6));
    // a fee is due for a VM, not for each of its charges: one with a volume, one without
    let cloud = machines(2).volume("v", 100 << 30, Some("m0"), "2026-08-20", "2026-10-05");
    let bill = september(&managed("50", "percent = 10\nfee = 3"), &cloud);
    assert_eq!(exact(&bill, "Managed"), number("26"));
    only_some_and_for_a_time();
    after_tiers_and_factors_before_discounts();
    with_a_package();
    refused();
}

fn only_some_and_for_a_time() {
    // 10 % of the VM alone, for half of the month; the volume is not asked for
    let book = managed("60", "percent = 10\npercent_of = [\"vm\"]");
    let cloud = Cloud::new()
        .vm("m", 1, 1, "2026-08-20", "2026-10-05")
        .volume("v", 100 << 30, Some("m"), "2026-08-20", "2026-10-05")
        .tag("m", "Service", "Managed", "2026-09-16", "2026-10-05");
    let bill = september(&book, &cloud);
    assert_eq!(exact(&bill, "Managed"), Exact::from(3));
    // what is exempt is worth nothing
    let exempt = cloud.tag("m", "Billing", "noDisk", "2026-08-20", "2026-10-05");
    let all = managed("60", "percent = 10");
    assert_eq!(exact(&september(&all, &exempt), "Managed"), Exact::from(3));
    // one service of another: 10 % of 60 + 4, whatever the order of their names
    for other in ["Aaa", "Zzz"] {
        let rows = format!(
            "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 60\nper = \"month\"\n[[service]]\nid = \"Managed\"\npercent = 10\n[[service]]\nid = \"{other}\"\namount = 4\nper = \"month\"\ntag = \"Extra\"\n"
        );
        let cloud = machines(1).tag("m0", "Extra", "yes", "2026-08-20", "2026-10-05");
        assert_eq!(
            exact(&september(&book_of(&rows), &cloud), "Managed"),
            number("6.4")
        );
    }
}

fn book_of(rows: &str) -> PriceBook {
    book(rows)
}

/// Its base is the list price: 30 % off the VM leaves it as it is, a factor does not.
fn after_tiers_and_factors_before_discounts() {
    let rows = "[[price]]\nid = \"vm\"\nmeter = \"vm\"\nper = \"month\"\naccumulate = \"account\"\ntiers = [{ up_to = 1, amount = 100 }, { amount = 50 }]\n[[service]]\nid = \"Managed\"\npercent = 10\n[[factor]]\nid = \"f\"\nfactor = \"1.2\"\nmeters = [\"vm\"]\n[[discount]]\nid = \"d\"\npercent = 30\nmeters = [\"vm\"]\n[[discount]]\nid = \"e\"\npercent = 50\nservices = [\"Managed\"]\n";
    let bill = september(&book(rows), &machines(2));
    // (100 + 50) x 1.2 x 0.7, and 10 % of 180, half of it
    assert_eq!(exact(&bill, "vm"), Exact::from(126));
    assert_eq!(exact(&bill, "Managed"), Exact::from(9));
}

fn with_a_package() {
    let rows =
        "[[package]]\nid = \"Gold\"\nservices = [\"Managed\"]\namount = 5\nper = \"month\"\n";
    let text = format!(
        "[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = 60\nper = \"month\"\n[[service]]\nid = \"Managed\"\npercent = 10\n{rows}"
    );
    let cloud = machines(1).tag("m0", "Package", "Gold", "2026-08-20", "2026-10-05");
    let bill = september(&book(&text), &cloud);
    // included: it costs nothing, says so, and bought singly as well it is told
    assert_eq!(exact(&bill, "Managed"), Exact::zero());
    let included = of(&bill, "Managed");
    assert!(included.iter().all(|line| line.exemption.is_some()) && !included.is_empty());
    assert_eq!(exact(&bill, "Gold"), Exact::from(5));
    assert!(findings(&bill).contains(&"service_twice"));
    // a sum of services has the percentage in it
    let sum = text.replace("amount = 5\nper = \"month\"\n", "");
    let bill = september(&book(&sum), &cloud);
    assert_eq!(exact(&bill, "Managed"), Exact::from(6));
    assert!(
        lines(&bill)
            .iter()
            .all(|line| line.exemption.is_none() || line.price.is_empty())
    );
}

fn refused() {
    let slugs = |rows: &str| {
        let errors = PriceBook::from_toml(&book_text("", rows)).unwrap_err();
        let errors = errors.errors().iter();
        let found: Vec<String> = errors
            .map(|error| format!("{} {}", error.slug(), error.place()))
            .collect();
        found.join(", ")
    };
    let service = |fields: &str| format!("[[service]]\nid = \"M\"\n{fields}\n");
    assert_eq!(
        slugs(&service("percent = 1\namount = 5")),
        "conflict service[1].amount"
    );
    assert_eq!(
        slugs(&service("percent = 1\nper = \"month\"")),
        "conflict service[1].per"
    );
    assert_eq!(
        slugs(&service("amount = 1\nper = \"month\"\nfee = 2")),
        "conflict service[1].fee"
    );
    assert_eq!(
        slugs(&service("percent = 1\nfree_fees = 2")),
        "conflict service[1].free_fees"
    );
    assert_eq!(
        slugs(&service("percent = 1\npercent_of = [\"nothing\"]")),
        "unknown_reference service[1]"
    );
    let of_meter = "[[price]]\nid = \"p\"\nmeter = \"ip\"\npercent = 1\n";
    assert_eq!(slugs(of_meter), "conflict price[1].percent");
}
