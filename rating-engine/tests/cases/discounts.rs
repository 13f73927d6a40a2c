//! Group F: discounts.

use rating_engine::{Bill, Exact, PriceBook};

use crate::Case;
use crate::support::{Cloud, book, book_text, book_with, decimal, exact, line, month, printed};

fn price(amount: &str) -> String {
    format!("[[price]]\nid = \"vm\"\nmeter = \"vm\"\namount = \"{amount}\"\nper = \"month\"\n")
}

fn discount(id: &str, fields: &str) -> String {
    format!("[[discount]]\nid = \"{id}\"\n{fields}\n")
}

/// A VM of the project `web` all September at this price, with these discounts.
fn rate(settings: &str, amount: &str, discounts: &str) -> Bill {
    let book = book_with(settings, &(price(amount) + discounts));
    let cloud = Cloud::new().vm_of("m", "project:web", 1, 1, "2026-08-01", "2026-11-01");
    cloud.rate(&book, month(&book, "2026-09"))
}

fn net(amount: &str, discounts: &str) -> String {
    rate("", amount, discounts).total.amount()
}

pub(crate) fn a_third_of_a_unit_of_ten(case: &Case) {
    // a fixed amount of ten for ten of thirty days takes a third
    let fixed = discount(
        "d",
        "amount = 10\nfrom = \"2026-09-01\"\nuntil = \"2026-09-10\"",
    );
    let bill = rate("currency = \"JPY\"", "10", &fixed);
    assert_eq!(bill.exact, Exact::ratio(20, 3).unwrap());
    case.expect(&[bill.total.amount()]);
}

pub(crate) fn percentages_multiply_in_one_scope(case: &Case) {
    let bill = rate(
        "",
        "100.00",
        &(discount("a", "percent = 10") + &discount("b", "percent = 25")),
    );
    let line = line(&bill, "vm");
    let taken: Exact = line
        .explanation
        .reductions
        .iter()
        .map(|reduction| &reduction.amount)
        .sum();
    case.expect(&[line.amount.amount(), decimal(&taken, 2)]);
}

pub(crate) fn fixed_amounts_add_up(case: &Case) {
    case.expect(&[net(
        "100",
        &(discount("a", "amount = 15") + &discount("b", "amount = 25")),
    )]);
}

pub(crate) fn percent_comes_before_fixed(case: &Case) {
    let (percent, fixed) = (discount("p", "percent = 10"), discount("f", "amount = 50"));
    case.expect(&[net("100", &(percent.clone() + &fixed))]);
    assert_eq!(net("100", &(fixed + &percent)), case.value(0));
    // whatever the order of their ids
    assert_eq!(
        net(
            "100",
            &(discount("a", "amount = 50") + &discount("b", "percent = 10"))
        ),
        case.value(0)
    );
}

pub(crate) fn free_units_go_in_time_order(case: &Case) {
    let book = book(
        "[[price]]\nid = \"io\"\nmeter = \"disk_read_ops\"\nunit = \"each\"\namount = 1\nfree = 500\n",
    );
    let cloud = Cloud::new().counted(
        21,
        "v",
        &[
            ("2026-09-20", 100),
            ("2026-09-03", 300),
            ("2026-09-11", 250),
        ],
    );
    let bill = cloud.rate(&book, month(&book, "2026-09"));
    let segments = &line(&bill, "disk_read_ops").explanation.segments;
    let found: Vec<String> = segments
        .iter()
        .map(|segment| decimal(&segment.list, 0))
        .collect();
    case.expect(&found);
}

pub(crate) fn percentages_out_of_range(case: &Case) {
    assert_eq!(case.value(0), "error");
    for (fields, slug) in [
        ("", "missing"),
        ("percent = \"-5\"", "negative"),
        ("percent = 110", "out_of_range"),
    ] {
        let errors = PriceBook::from_toml(&book_text("", &discount("d", fields))).unwrap_err();
        let found: Vec<&str> = errors
            .errors()
            .iter()
            .map(rating_engine::BookError::slug)
            .collect();
        assert_eq!(found, [slug], "{fields:?}");
    }
    let nothing = rate("", "45", &discount("d", "percent = 0"));
    assert_eq!(nothing.total.amount(), "45.00");
    assert_eq!(
        crate::support::lines(&nothing).len(),
        crate::support::lines(&rate("", "45", "")).len()
    );
}

pub(crate) fn a_window_of_half_a_month(case: &Case) {
    let window = "from = \"2026-09-01T00:00:00Z\"\nuntil = \"2026-09-16T00:00:00Z\"";
    case.expect(&[net(
        "45.00",
        &discount("d", &format!("percent = 50\n{window}")),
    )]);
}

pub(crate) fn an_empty_window(case: &Case) {
    let window = "from = \"2026-09-10T08:00:00Z\"\nuntil = \"2026-09-10T08:00:00Z\"";
    case.expect(&[net(
        "45.00",
        &discount("d", &format!("percent = 50\n{window}")),
    )]);
}

pub(crate) fn a_month_after_the_31st(case: &Case) {
    let book = book(&discount(
        "d",
        "percent = 50\nfrom = \"2026-01-31\"\nduration = \"1 month\"",
    ));
    let validity = book.discounts()[0].validity;
    assert_eq!(validity.start(), crate::support::at("2026-01-31"));
    assert_eq!(validity.end().date_naive().to_string(), case.value(0));
}

fn stacked(stacking: &str) -> String {
    let rows = discount("domain", "percent = 10\nscope = { domain = \"ROOT/acme\" }")
        + &discount("project", "percent = 20\nscope = { project = \"web\" }")
        + &discount(
            "vm",
            "percent = 50\nscope = { vm = \"m\" }\nfrom = \"2026-09-01\"\nuntil = \"2026-09-15\"",
        );
    rate(
        &format!("discount_stacking = \"{stacking}\""),
        "45.00",
        &rows,
    )
    .total
    .amount()
}

pub(crate) fn stacked_by_multiplying(case: &Case) {
    case.expect(&[stacked("multiply")]);
    // the nearest: 22.50 x .5 + 22.50 x .8
    assert_eq!(stacked("nearest"), "29.25");
}

pub(crate) fn stacked_by_adding(case: &Case) {
    case.expect(&[stacked("add-capped")]);
}

pub(crate) fn the_best_of_all(case: &Case) {
    case.expect(&[stacked("best-of")]);
}

pub(crate) fn a_fixed_amount_spread(case: &Case) {
    let mut rows = discount("d", "amount = \"1.00\"");
    let mut cloud = Cloud::new();
    for (index, amount) in ["3.33", "3.33", "3.34"].iter().enumerate() {
        rows += &price(amount).replace(
            "id = \"vm\"",
            &format!("id = \"p{index}\"\nname = \"m{index}\""),
        );
        cloud = cloud.vm(&format!("m{index}"), 1, 1, "2026-08-01", "2026-11-01");
    }
    let book = book(&rows);
    case.expect(&printed(&cloud.rate(&book, month(&book, "2026-09"))));
}

pub(crate) fn fixed_prorated_or_full(case: &Case) {
    let taken = |more: &str| {
        let fixed = discount(
            "d",
            &format!("amount = \"10.00\"\nscope = {{ vm = \"m\" }}\n{more}"),
        );
        let book = book(&(price("100") + &fixed));
        let cloud = Cloud::new().vm("m", 1, 1, "2026-09-16", "2026-11-01");
        let bill = cloud.rate(&book, month(&book, "2026-09"));
        decimal(&(line(&bill, "vm").list.clone() - exact(&bill, "vm")), 2)
    };
    case.expect(&[taken(""), taken("prorate = false")]);
}
