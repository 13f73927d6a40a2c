//! What is wrong with a price book is said at once, with its place and line.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

#[path = "builders/mod.rs"]
mod support;

use std::collections::BTreeSet;

use proptest::prelude::*;
use rating_engine::{BookError, PriceBook, PriceKind};

use support::{at, book, book_text, book_with};

const PRICE: &str = "[[price]]\nid = \"p\"\nmeter = \"cpu\"\n";

fn errors(text: &str) -> Vec<BookError> {
    match PriceBook::from_toml(text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.errors().to_vec(),
    }
}

/// A price of CPU with these further fields.
fn price(fields: &str) -> String {
    format!("{PRICE}{fields}\n")
}

fn plain(fields: &str) -> String {
    price(&format!("amount = 1\nper = \"month\"\n{fields}"))
}

#[test]
fn many_mistakes_are_as_many_errors_with_their_places_and_lines() {
    let text = r#"schema = 2
name = "Ten mistakes"
currency = "EURO"
zone = "Europe/Berlin"
compute = "sometimes"
curency = "EUR"

[[price]]
id = "cpu"
meter = "cpu"
amount = "ten"
per = "month"

[[price]]
id = "cpu"
meter = "ram"
amount = 1
per = "fortnight"

[[price]]
id = "disk"
meter = "disc"
amount = 1
per = "month"

[[discount]]
id = "spring"
percent = 120
until = "31.03.2026"

[[package]]
id = "Gold"
services = ["Backup"]
"#;
    let found: Vec<(Option<usize>, String, &str)> = errors(text)
        .iter()
        .map(|error| (error.line(), error.place().to_owned(), error.slug()))
        .collect();
    let expected = [
        (1, "schema", "schema_version"),
        (3, "currency", "unknown_currency"),
        (5, "compute", "unknown_value"),
        (6, "curency", "unknown_field"),
        (11, "price[1].amount", "not_a_number"),
        (15, "price[2].id", "duplicate_id"),
        (18, "price[2].per", "unknown_value"),
        (22, "price[3].meter", "unknown_meter"),
        (28, "discount[1].percent", "out_of_range"),
        (29, "discount[1].until", "not_a_date"),
        (31, "package[1]", "unknown_reference"),
    ];
    let expected: Vec<(Option<usize>, String, &str)> = expected
        .iter()
        .map(|(line, place, slug)| (Some(*line), (*place).to_owned(), *slug))
        .collect();
    assert_eq!(found, expected);
    // the whole as one message, each on a line of its own
    let message = PriceBook::from_toml(text).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1 + expected.len());
    assert!(message.contains("line 6: curency: there is no such field; did you mean currency?"));
}

/// For each slug a book that has just that error, and its place.
#[expect(clippy::too_many_lines, reason = "a table of one row for each slug")]
fn one_for_each_slug() -> Vec<(&'static str, String, &'static str)> {
    let rows = |text: &str| book_text("", text);
    vec![
        (
            "conflict",
            rows(&plain(
                "from = \"2026-01-01\"\nuntil = \"2026-02-01\"\nduration = \"1 month\"",
            )),
            "price[1].duration",
        ),
        (
            "duplicate_id",
            rows(&(plain("") + &plain("from = \"2030-01-01\""))),
            "price[2].id",
        ),
        ("empty", rows(&plain("label = \" \"")), "price[1].label"),
        (
            "factor_overlap",
            rows(
                "[[factor]]\nid = \"a\"\ngroup = \"g\"\nfactor = 1\n[[factor]]\nid = \"b\"\ngroup = \"g\"\nfactor = 2\n",
            ),
            "factor[2]",
        ),
        ("missing", rows(&price("amount = 1")), "price[1].per"),
        (
            "negative",
            rows(&price("amount = \"-1\"\nper = \"month\"")),
            "price[1].amount",
        ),
        (
            "not_a_date",
            rows(&plain("from = \"soon\"")),
            "price[1].from",
        ),
        (
            "not_a_duration",
            rows(&plain("from = \"2026-01-01\"\nduration = \"a while\"")),
            "price[1].duration",
        ),
        (
            "not_a_number",
            rows(&price("amount = \"1,50\"\nper = \"month\"")),
            "price[1].amount",
        ),
        (
            "not_a_size",
            rows(&plain("at_least = { ram = \"64\" }")),
            "price[1].at_least.ram",
        ),
        (
            "not_a_tag",
            rows(&plain("resource_tag = \"=x\"")),
            "price[1].resource_tag",
        ),
        (
            "out_of_range",
            rows("[[discount]]\nid = \"d\"\npercent = 101\n"),
            "discount[1].percent",
        ),
        (
            "not_payable",
            rows("[[credit]]\nid = \"c\"\namount = \"0.001\"\nscope = { domain = \"a\" }\n"),
            "credit[1].amount",
        ),
        (
            "overspent",
            rows(
                "[[credit]]\nid = \"c\"\namount = 1\nscope = { domain = \"a\" }\nspent = [{ until = 2026-01-31, amount = 2 }]\n",
            ),
            "credit[1].spent",
        ),
        (
            "price_overlap",
            rows(&(plain("") + &plain("").replace("\"p\"", "\"q\""))),
            "price[2]",
        ),
        (
            "reversed",
            rows(&plain("from = \"2026-02-01\"\nuntil = \"2026-01-01\"")),
            "price[1].until",
        ),
        ("schema_version", book_text("schema = 7", ""), "schema"),
        (
            "scope",
            rows(&plain("scope = { domain = \"a\", project = \"b\" }")),
            "price[1].scope",
        ),
        ("syntax", rows("[[price"), ""),
        (
            "tax_overlap",
            rows("[[tax]]\nid = \"a\"\npercent = 1\n[[tax]]\nid = \"b\"\npercent = 2\n"),
            "tax[2]",
        ),
        (
            "tier_bounds",
            rows(&price(
                "per = \"month\"\ntiers = [{ up_to = 5, amount = 1 }, { up_to = 4, amount = 2 }, { amount = 3 }]",
            )),
            "price[1].tiers",
        ),
        (
            "unknown_currency",
            book_text("currency = \"XYZ\"", ""),
            "currency",
        ),
        (
            "unknown_field",
            rows(&plain("ammount = 1")),
            "price[1].ammount",
        ),
        (
            "unknown_meter",
            rows(&plain("").replace("\"cpu\"", "\"gpu\"")),
            "price[1].meter",
        ),
        (
            "unknown_reference",
            rows("[[price]]\nid = \"p\"\nservice = \"none\"\namount = 1\nper = \"month\"\n"),
            "price[1]",
        ),
        (
            "limit_overlap",
            rows(
                &["a", "b"]
                    .map(|id| {
                        format!("[[minimum]]\nid = \"{id}\"\namount = 1\nper = \"account\"\n")
                    })
                    .concat(),
            ),
            "minimum[2]",
        ),
        (
            "unknown_unit",
            rows(&plain("unit = \"GiB\"")),
            "price[1].unit",
        ),
        (
            "unknown_value",
            rows(&plain("basis = \"always\"")),
            "price[1].basis",
        ),
        (
            "unknown_zone",
            book_text("zone = \"Europe/Bonn\"", ""),
            "zone",
        ),
        ("wrong_type", rows(&plain("label = 5")), "price[1].label"),
    ]
}

#[test]
fn every_slug_has_a_book_with_just_that_error() {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (slug, text, place) in one_for_each_slug() {
        let found = errors(&text);
        let all: Vec<(&str, &str)> = found
            .iter()
            .map(|error| (error.slug(), error.place()))
            .collect();
        assert_eq!(all, [(slug, place)], "{text}");
        assert!(found[0].line().is_some(), "{slug} has no line");
        seen.insert(slug);
    }
    // the one error that only JSON can have
    let json = r#"{"schema":1,"name":"n","currency":"EUR","zone":"UTC","compute":"running",
        "discount":[{"id":"d","percent":12.5}]}"#;
    let not_exact = PriceBook::from_json(json).unwrap_err();
    assert_eq!(not_exact.errors()[0].slug(), "not_exact");
    assert_eq!(not_exact.errors()[0].place(), "discount[1].percent");
    seen.insert("not_exact");
    let all: BTreeSet<&str> = BookError::SLUGS.iter().copied().collect();
    assert_eq!(seen, all);
}

/// All errors of a book, as slug and place.
fn found(text: &str) -> Vec<(String, String)> {
    let errors = errors(text);
    let both = errors.iter().map(|error| (error.slug(), error.place()));
    both.map(|(slug, place)| (slug.to_owned(), place.to_owned()))
        .collect()
}

/// The errors of a book of these rows are just these.
fn expect(rows: &str, expected: &[(&str, &str)]) {
    let all = found(&book_text("", rows));
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(slug, place)| (slug.as_str(), place.as_str()))
        .collect();
    assert_eq!(all, expected, "{rows}");
}

#[test]
fn a_schema_that_is_missing_is_another_error_than_one_of_a_wrong_type() {
    let rest = "name = \"n\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"running\"\n";
    let slugs =
        |text: &str| -> Vec<String> { found(text).into_iter().map(|(slug, _)| slug).collect() };
    assert_eq!(slugs(rest), ["missing"]);
    assert_eq!(slugs(&format!("schema = \"one\"\n{rest}")), ["wrong_type"]);
    assert!(slugs(&format!("schema = 1\n{rest}")).is_empty());
}

#[test]
fn a_price_is_of_just_one_thing_that_is_there() {
    let of = |target: &str| {
        format!(
            "[[service]]\nid = \"S\"\namount = 1\nper = \"month\"\n[[package]]\nid = \"P\"\nservices = []\n\
             [[price]]\nid = \"p\"\namount = 1\nper = \"month\"\nscope = {{ domain = \"a\" }}\n{target}\n"
        )
    };
    for good in ["meter = \"cpu\"", "service = \"S\"", "package = \"P\""] {
        expect(&of(good), &[]);
    }
    expect(&of(""), &[("missing", "price[1]")]);
    expect(
        &of("service = \"S\"\npackage = \"P\""),
        &[("conflict", "price[1]")],
    );
    expect(&of("package = \"Q\""), &[("unknown_reference", "price[1]")]);
    // what a package includes is said where the package is
    expect(
        &of("package = \"P\"\ncovers = [\"cpu\"]"),
        &[("unknown_field", "price[1].covers")],
    );
}

#[test]
fn tiers_have_amounts_and_rising_bounds_and_an_error_in_one_is_said_once() {
    let tiers = |tiers: &str| price(&format!("per = \"month\"\ntiers = [{tiers}]"));
    expect(&tiers("{ up_to = 5, amount = 2 }, { flat = 1 }"), &[]);
    expect(
        &tiers("{ up_to = 5 }, { amount = 1 }"),
        &[("missing", "price[1].tiers[1].amount")],
    );
    expect(
        &tiers("{ up_to = 5, amount = 2 }, { up_to = 5, amount = 1 }, { amount = 1 }"),
        &[("tier_bounds", "price[1].tiers")],
    );
    // no guess of bounds or amounts that cannot be read, and nothing more about them
    expect(
        &tiers("{ up_to = \"x\", amount = 2 }, { amount = 1 }"),
        &[("not_a_number", "price[1].tiers[1].up_to")],
    );
    expect(
        &tiers("{ up_to = 5, amount = \"x\" }, { up_to = 4, amount = 1 }"),
        &[("not_a_number", "price[1].tiers[1].amount")],
    );
    let flat = price("per = \"month\"\nkind = \"flat\"\ntiers = [{ amount = 1 }]");
    expect(&flat, &[("conflict", "price[1].kind")]);
}

#[test]
fn numbers_are_plain_decimals() {
    for amount in ["0x10", "\"+1\"", "\"1_000\"", "\"\"", "\"1e3\""] {
        let rows = price(&format!("amount = {amount}\nper = \"month\""));
        expect(&rows, &[("not_a_number", "price[1].amount")]);
    }
    // whole numbers of JSON are exact, whatever their sign
    let json = |amount: &str| {
        let text = format!(
            r#"{{"schema":1,"name":"n","currency":"EUR","zone":"UTC","compute":"running",
                "price":[{{"id":"p","meter":"cpu","per":"month","amount":{amount}}}]}}"#
        );
        PriceBook::from_json(&text).map_err(|errors| errors.errors()[0].slug().to_owned())
    };
    assert_eq!(json("-1").unwrap_err(), "negative");
    let large = json("9223372036854775808").unwrap();
    let amount = large.prices()[0].kind.clone();
    let expected = "9223372036854775808".parse().unwrap();
    assert_eq!(amount, PriceKind::PerUnit(expected));
}

#[test]
fn a_list_has_no_empty_texts() {
    for offering in ["\" \"", "[\"L\", \"\"]"] {
        let rows = plain(&format!("offering = {offering}"));
        expect(&rows, &[("wrong_type", "price[1].offering")]);
    }
}

#[test]
fn a_field_that_is_not_known_is_compared_with_those_that_are() {
    let hint = |field: &str| {
        let found = errors(&book_text("", &plain(&format!("{field} = \"x\""))));
        let hint = found[0].message().split_once("; did you mean ");
        hint.map(|(_, hint)| hint.to_owned())
    };
    // a letter changed at the end, one swapped, one missing, a word begun
    assert_eq!(hint("labek").as_deref(), Some("label?"));
    assert_eq!(hint("lable").as_deref(), Some("label?"));
    assert_eq!(hint("templte").as_deref(), Some("template?"));
    assert_eq!(hint("resource").as_deref(), Some("resource_tag?"));
    assert_eq!(hint("colour"), None);
}

#[test]
fn prices_for_what_cannot_be_one_thing_stand_beside_each_other() {
    let two = |left: &str, right: &str| {
        let rows = plain(left) + &plain(right).replace("\"p\"", "\"q\"");
        !found(&book_text("", &rows)).is_empty()
    };
    let tag = |tag: &str| format!("resource_tag = \"{tag}\"");
    // a tag has one value, so these exclude each other
    assert!(!two(&tag("a=1"), &tag("a=2")));
    assert!(two(&tag("a=1"), &tag("a=1")));
    // two tags may be there at a time, and any value may be the one
    assert!(two(&tag("a=1"), &tag("b=2")));
    assert!(two(&tag("a"), &tag("a=2")));
    assert!(two(&tag("a=2"), &tag("a")));
    // a VM costs something while it runs and something else while it is there
    let vm = |basis: &str| plain(&format!("basis = \"{basis}\"")).replace("cpu", "vm");
    let both = vm("running") + &vm("allocated").replace("\"p\"", "\"q\"");
    expect(&both, &[]);
    let twice = vm("running") + &vm("running").replace("\"p\"", "\"q\"");
    expect(&twice, &[("price_overlap", "price[2]")]);
    // one that says nothing is for the time of the book, which is allocated
    let usual = |basis: &str| vm(basis) + &plain("").replace("cpu", "vm").replace("\"p\"", "\"q\"");
    expect(&usual("running"), &[]);
    expect(&usual("allocated"), &[("price_overlap", "price[2]")]);
}

#[test]
fn limits_for_the_same_do_not_meet() {
    let two = |kinds: [&str; 2], more: [&str; 2]| {
        let row = |number: usize| {
            let (kind, more) = (kinds[number], more[number]);
            format!("[[{kind}]]\nid = \"{number}\"\namount = 1\nper = \"account\"\n{more}\n")
        };
        row(0) + &row(1)
    };
    let (maximums, minimums) = (["maximum"; 2], ["minimum"; 2]);
    let overlap: &[(&str, &str)] = &[("limit_overlap", "maximum[2]")];
    expect(&two(maximums, ["", ""]), overlap);
    expect(&two(maximums, ["meters = [\"cpu\"]"; 2]), overlap);
    expect(
        &two(minimums, ["scope = { domain = \"a\" }"; 2]),
        &[("limit_overlap", "minimum[2]")],
    );
    // one of each kind, of other things, of another customer, of another time
    expect(&two(["minimum", "maximum"], ["", ""]), &[]);
    expect(
        &two(maximums, ["meters = [\"cpu\"]", "meters = [\"ram\"]"]),
        &[],
    );
    expect(&two(maximums, ["", "scope = { domain = \"a\" }"]), &[]);
    expect(
        &two(maximums, ["until = 2026-06-30", "from = 2026-07-01"]),
        &[],
    );
    let per_project = two(maximums, ["", ""]).replacen("account", "project", 1);
    expect(&per_project, &[]);
}

#[test]
fn a_package_has_no_price_by_disk() {
    let row = "[[package]]\nid = \"Gold\"\nservices = []\namount = 1\nper = \"month\"\nunit = \"GiB disk\"\n";
    expect(row, &[("conflict", "package[1].unit")]);
}

#[test]
fn factors_of_one_group_do_not_meet_on_one_thing() {
    let two = |left: &str, right: &str| {
        format!(
            "[[factor]]\nid = \"a\"\ngroup = \"g\"\nfactor = 1\n{left}\n[[factor]]\nid = \"b\"\ngroup = \"g\"\nfactor = 2\n{right}\n"
        )
    };
    let (cpu, ram) = ("meters = [\"cpu\"]", "meters = [\"ram\"]");
    let overlap: &[(&str, &str)] = &[("factor_overlap", "factor[2]")];
    expect(&two(cpu, ram), &[]);
    expect(&two(cpu, cpu), overlap);
    // one for everything is for CPU as well, whichever comes first
    expect(&two("", cpu), overlap);
    expect(&two(cpu, ""), overlap);
}

#[test]
fn a_zone_begins_after_the_day_before_it() {
    let change = |zone: &str, first: &str| {
        let settings = format!("zone = \"{first}\"");
        let rows = format!("[[zone_change]]\nfrom = 2026-09-10\nzone = \"{zone}\"\n");
        found(&book_text(&settings, &rows))
    };
    // across the date line: the 10th would begin just when the 9th did
    let conflict = ("conflict".to_owned(), "zone_change[1].from".to_owned());
    assert_eq!(change("Pacific/Kiritimati", "Pacific/Honolulu"), [conflict]);
    assert!(change("Pacific/Kiritimati", "Asia/Tokyo").is_empty());
}

#[test]
fn a_customers_zone_follows_the_books_until_its_own_begins() {
    let book = book(
        "[[zone_change]]\nfrom = 2026-03-01\nzone = \"Europe/Paris\"\n\
         [[zone_change]]\nfrom = 2026-06-01\nzone = \"Europe/London\"\n\
         [[zone_change]]\nfrom = 2026-06-01\nzone = \"Asia/Tokyo\"\ndomain = \"acme\"\n",
    );
    let midnight = |day: &str| {
        let date = day.parse().unwrap();
        let period = book.for_customer("acme").civil_period(date, date);
        period.unwrap().start().to_rfc3339()
    };
    assert_eq!(midnight("2026-02-01"), "2026-02-01T00:00:00+00:00");
    assert_eq!(midnight("2026-05-01"), "2026-04-30T22:00:00+00:00");
    assert_eq!(midnight("2026-07-01"), "2026-06-30T15:00:00+00:00");
}

/// The slugs that the source uses are those of the list.
#[test]
fn the_list_of_slugs_is_that_of_the_source() {
    let sources = [
        include_str!("../src/book/document.rs"),
        include_str!("../src/book/fields.rs"),
        include_str!("../src/book/conflict.rs"),
        include_str!("../src/book/factor.rs"),
        include_str!("../src/book/load.rs"),
        include_str!("../src/book/load_selector.rs"),
        include_str!("../src/book/load_terms.rs"),
    ];
    let mut used: BTreeSet<&str> = BTreeSet::new();
    for source in sources {
        // the slug is the first or the second argument of what reports an error
        for call in [".error(", ".push(", "BookError::new(", "Err(("] {
            for (at, _) in source.match_indices(call) {
                let rest = &source[at + call.len()..];
                let arguments: Vec<&str> = rest.splitn(3, ',').map(str::trim).take(2).collect();
                let words = arguments
                    .iter()
                    .filter_map(|text| text.strip_prefix('"')?.strip_suffix('"'));
                used.extend(words.filter(|word| BookError::SLUGS.contains(word)));
                let place = usize::from(call == ".error(");
                let slug = arguments
                    .get(place)
                    .and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
                assert!(
                    slug.is_none_or(|slug| BookError::SLUGS.contains(&slug)),
                    "{slug:?} is not in the list"
                );
            }
        }
    }
    // `syntax` and the two of numbers are built elsewhere in an argument list
    for slug in BookError::SLUGS {
        assert!(
            used.contains(slug)
                || sources
                    .iter()
                    .any(|source| source.contains(&format!("\"{slug}\""))),
            "{slug} is not used"
        );
    }
}

const BOOK_TOML: &str = r#"
schema = 1
name = "Both"
currency = "EUR"
zone = "Europe/Berlin"
compute = "running"
month = "h730"

[[service]]
id = "Backup"
amount = "8.00"
per = "month"

[[package]]
id = "Gold"
services = ["Backup"]

[[price]]
id = "cpu"
meter = "cpu"
amount = "10.50"
per = "month"
from = "2026-01-01"
until = "2026-10-31"
scope = { domain = "ROOT/acme" }

[[price]]
id = "disk"
meter = "disk"
per = "month"
tiers = [{ up_to = 100, amount = "0.10" }, { amount = "0.05", flat = 2 }]

[[discount]]
id = "d"
percent = 5
meters = ["cpu", "ram"]
"#;

const BOOK_JSON: &str = r#"{
  "discount": [{"meters": ["ram", "cpu"], "percent": 5, "id": "d"}],
  "price": [
    {"id": "disk", "meter": "disk", "per": "month",
     "tiers": [{"up_to": 100, "amount": "0.10"}, {"amount": "0.05", "flat": 2}]},
    {"id": "cpu", "meter": "cpu", "amount": "10.50", "per": "month", "from": "2026-01-01",
     "until": "2026-10-31", "scope": {"domain": "ROOT/acme"}}
  ],
  "package": [{"id": "Gold", "services": ["Backup"]}],
  "service": [{"id": "Backup", "amount": "8.00", "per": "month"}],
  "month": "h730", "compute": "running", "zone": "Europe/Berlin", "currency": "EUR",
  "name": "Both", "schema": 1
}"#;

#[test]
fn toml_and_json_give_one_book() {
    let toml = PriceBook::from_toml(BOOK_TOML).unwrap();
    let json = PriceBook::from_json(BOOK_JSON).unwrap();
    assert_eq!(toml, json);
    assert_eq!(toml.digest(), json.digest());
    // and another amount, name or date another digest
    for (from, to) in [
        ("10.50", "10.51"),
        ("Both", "Two"),
        ("2026-10-31", "2026-10-30"),
        ("percent = 5", "percent = 6"),
    ] {
        assert_ne!(
            PriceBook::from_toml(&BOOK_TOML.replace(from, to))
                .unwrap()
                .digest(),
            toml.digest()
        );
    }
}

#[test]
fn a_date_as_an_end_includes_its_day_in_the_books_zone() {
    let book = PriceBook::from_toml(BOOK_TOML).unwrap();
    let validity = book
        .prices()
        .iter()
        .find(|price| price.id == "cpu")
        .unwrap()
        .validity;
    assert_eq!(validity.start(), at("2025-12-31 23:00"));
    // 1 November 00:00 in Berlin's winter time
    assert_eq!(validity.end(), at("2026-10-31 23:00"));
    // with an offset it is that instant, without one the book's civil time
    let instant = support::book(&plain(
        "from = \"2026-10-31 09:00:00\"\nuntil = \"2026-10-31T12:00:00+02:00\"",
    ));
    assert_eq!(
        instant.prices()[0].validity,
        support::between("2026-10-31 09:00", "2026-10-31 10:00")
    );
}

#[test]
fn durations_end_on_the_last_day_of_a_shorter_month() {
    let end = |from: &str, duration: &str| {
        let row = format!(
            "[[discount]]\nid = \"d\"\npercent = 1\nfrom = \"{from}\"\nduration = \"{duration}\"\n"
        );
        book(&row).discounts()[0]
            .validity
            .end()
            .date_naive()
            .to_string()
    };
    assert_eq!(end("2026-01-31", "1 month"), "2026-02-28");
    assert_eq!(end("2024-01-31", "1 month"), "2024-02-29");
    assert_eq!(end("2026-01-31", "3 months"), "2026-04-30");
    assert_eq!(end("2024-02-29", "1 year"), "2025-02-28");
    assert_eq!(end("2026-12-30", "2 weeks"), "2027-01-13");
    assert_eq!(end("2026-03-28", "2 days"), "2026-03-30");
}

#[test]
fn a_service_and_a_package_do_not_share_a_name() {
    let rows = "[[service]]\nid = \"Gold\"\namount = 1\nper = \"month\"\n[[package]]\nid = \"Gold\"\namount = 2\nper = \"month\"\n";
    let found = errors(&book_text("", rows));
    assert_eq!(
        found
            .iter()
            .map(|error| (error.slug(), error.place()))
            .collect::<Vec<_>>(),
        [("duplicate_id", "package[1].id")]
    );
}

proptest! {
    #[test]
    fn the_order_of_rows_changes_nothing(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()) {
        let rows: Vec<String> = (0..6).map(|index| plain(&format!("name = \"n{index}\"\nfrom = \"2026-01-0{}\"", index + 1)).replace("\"p\"", &format!("\"p{index}\""))).collect();
        let shuffled: String = order.iter().map(|index| rows[*index].clone()).collect();
        let (book, other) = (book_with("", &rows.concat()), book_with("", &shuffled));
        prop_assert_eq!(book.digest(), other.digest());
        prop_assert_eq!(book, other);
    }

    #[test]
    fn any_text_is_a_book_or_errors(text in "\\PC{0,80}") {
        let _ = PriceBook::from_toml(&text);
        let _ = PriceBook::from_json(&text);
        let _ = PriceBook::from_toml(&book_text("", &format!("{}x = {text}\n", plain(""))));
    }

    #[test]
    fn any_value_of_any_field_is_read_or_refused(
        field in proptest::sample::select(&["amount", "per", "unit", "free", "block", "tiers", "from", "until", "duration", "scope", "name", "covers", "net"][..]),
        value in proptest::sample::select(&[
            "0", "-0", "79228162514264337593543950335", "79228162514264337593543950336", "0.0000000000000000000000000001",
            "\"9999-12-31\"", "\"-0001-01-01\"", "\"4294967295 months\"", "\"4294967295 years\"", "inf", "nan", "1e400", "0x10",
            "[]", "{}", "[{}]", "[[1]]", "true", "\"\"", "\"*\"", "9999-12-31", "1979-05-27T07:32:00Z", "\"99999-01-01\"",
        ][..])
    ) {
        let fields = plain(&format!("from = \"2026-01-31\"\n{field} = {value}"));
        // a field given twice is a syntax error of its own: keep the one to be tried
        let once: Vec<&str> = fields.lines().enumerate().filter(|(index, line)| {
            !line.starts_with(&format!("{field} =")) || *index == fields.lines().count() - 1
        }).map(|(_, line)| line).collect();
        let _ = PriceBook::from_toml(&book_text("", &(once.join("\n") + "\n")));
    }
}
