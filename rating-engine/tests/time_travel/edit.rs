//! Changes of price books.

use rating_engine::{
    BookErrors, BookFormat, ChangeNote, Edit, EditedBook, PriceBook, PriceKind, Row, When,
    edit_book,
};
use serde_json::{Value, json};

use crate::usage::{bill, book_text, vm_days};

fn note() -> ChangeNote {
    ChangeNote {
        author: "ada".to_owned(),
        reason: "new year".to_owned(),
        recorded: "2026-10-20T09:00:00Z".parse().unwrap(),
    }
}

fn when(text: &str) -> When {
    text.parse().unwrap()
}

fn row(value: &Value) -> Row {
    value.as_object().unwrap().clone()
}

fn edited(text: &str, edit: Edit) -> Result<EditedBook, BookErrors> {
    edit_book(text, BookFormat::Toml, &[edit], &note())
}

fn slug(result: Result<EditedBook, BookErrors>) -> String {
    let errors = result.unwrap_err();
    assert!(!errors.errors()[0].message().is_empty());
    errors.errors()[0].slug().to_owned()
}

const EXAMPLE: &str = include_str!("../../../examples/data/price-book.toml");

const CPU: &str = "\n# what a vCPU costs\n[[price]]\nid = \"cpu\"\nmeter = \"cpu\"\namount = 6.20  # exactly\nper = \"month\"\n\n# the end\n";

fn replace(id: &str, from: &str, with: &Value) -> Edit {
    Edit::ReplacePrice {
        id: id.to_owned(),
        from: when(from),
        with: row(with),
    }
}

#[test]
fn a_replaced_price_changes_over_at_midnight_and_the_rest_of_the_file_stays() {
    let text = book_text(CPU);
    let new = edited(
        &text,
        replace("cpu", "2026-10-16", &json!({ "amount": "6.50" })),
    )
    .unwrap();
    let until = "until = 2026-10-15\n";
    let begin = text.split("per = \"month\"").next().unwrap();
    assert!(new.text.starts_with(begin), "{}", new.text);
    assert!(new.text.contains(until) && new.text.contains("# the end"));
    assert!(new.text.contains("id = \"cpu-2026-10-16\"\nmeter = \"cpu\"\namount = \"6.50\"\nper = \"month\"\nfrom = 2026-10-16\n"), "{}", new.text);
    // 15 days at 6.20 and 16 at 6.50, of 31
    let bill = bill(&new.book, &vm_days("vm", 1..=31, 1));
    assert_eq!(bill.exact.to_string(), "197/31");
    let [change] = new.book.changes() else {
        panic!("one change")
    };
    assert_eq!((change.version, change.author.as_str()), (1, "ada"));
    assert_eq!(change.recorded, note().recorded);
    assert_eq!(
        change.what.as_deref(),
        Some("replace price cpu from 2026-10-16")
    );
}

#[test]
fn the_history_decides_nothing() {
    let text = book_text(CPU);
    let plain = PriceBook::from_toml(&text).unwrap();
    let noted = edit_book(&text, BookFormat::Toml, &[], &note()).unwrap();
    assert_eq!(noted.book.digest(), plain.digest());
    assert_ne!(noted.text, text);
    let later = edit_book(&noted.text, BookFormat::Toml, &[], &note()).unwrap();
    assert_eq!(later.version, 2);
    let records = vm_days("vm", 1..=3, 1);
    assert_eq!(bill(&plain, &records), bill(&later.book, &records));
    let earlier = ChangeNote {
        recorded: "2026-10-19T00:00:00Z".parse().unwrap(),
        ..note()
    };
    let errors = edit_book(&noted.text, BookFormat::Toml, &[], &earlier).unwrap_err();
    assert_eq!(errors.errors()[0].slug(), "recorded");
    let nobody = ChangeNote {
        author: " ".to_owned(),
        ..note()
    };
    let errors = edit_book(&text, BookFormat::Toml, &[], &nobody).unwrap_err();
    assert_eq!(errors.errors()[0].place(), "change.author");
}

#[test]
fn a_changed_price_changes_the_digest_and_json_gives_the_same_book() {
    let text = book_text(CPU);
    let json_text = json!({
        "schema": 1, "name": "Test", "currency": "EUR", "zone": "UTC", "compute": "allocated",
        "price": [{ "id": "cpu", "meter": "cpu", "amount": "6.20", "per": "month" }],
    });
    let edit = replace(
        "cpu",
        "2026-10-16T12:00:00Z",
        &json!({ "amount": "6.50", "id": "new" }),
    );
    let toml = edited(&text, edit.clone()).unwrap();
    assert_ne!(
        toml.book.digest(),
        PriceBook::from_toml(&text).unwrap().digest()
    );
    let json = edit_book(&json_text.to_string(), BookFormat::Json, &[edit], &note()).unwrap();
    assert_eq!(json.book.prices(), toml.book.prices());
    assert_eq!(json.book.changes(), toml.book.changes());
    assert_eq!(PriceBook::from_json(&json.text).unwrap(), json.book);
}

#[test]
fn what_is_not_there_or_changes_nothing_is_refused() {
    let text = book_text(CPU);
    let end = |id: &str, until: &str| Edit::EndPrice {
        id: id.to_owned(),
        until: when(until),
    };
    assert_eq!(
        slug(edited(&text, end("gpu", "2026-10-31"))),
        "unknown_reference"
    );
    let ended = edited(&text, end("cpu", "2026-10-31")).unwrap();
    assert_eq!(
        slug(edited(&ended.text, end("cpu", "2026-10-31"))),
        "no_change"
    );
    let after = replace("cpu", "2026-12-01", &json!({}));
    assert_eq!(slug(edited(&ended.text, after)), "not_in_force");
    let twice = Edit::AddPrice(row(
        &json!({ "id": "cpu", "meter": "cpu", "amount": 1, "per": "month" }),
    ));
    let errors = edited(&text, twice).unwrap_err();
    let slugs: Vec<&str> = errors
        .errors()
        .iter()
        .map(rating_engine::BookError::slug)
        .collect();
    assert!(slugs.contains(&"duplicate_id"), "{errors}");
    let inexact = Edit::AddPrice(row(
        &json!({ "id": "x", "meter": "ram", "amount": 1.5, "per": "month" }),
    ));
    assert_eq!(slug(edited(&text, inexact)), "not_exact");
    let broken = edit_book("name = ", BookFormat::Toml, &[], &note());
    assert_eq!(slug(broken), "syntax");
    let discount = Edit::EndDiscount {
        id: "d".to_owned(),
        until: when("2026-10-31"),
    };
    assert_eq!(slug(edited(&text, discount)), "unknown_reference");
}

#[test]
fn the_price_of_a_service_or_image_can_be_replaced() {
    let text = book_text(
        "[[service]]\nid = \"Backup\"\nlabel = \"Backup\"\ntag = \"Service=Backup\"\namount = \"4\"\nper = \"month\"\nunit = \"VM\"\n\
         [[os_image]]\nid = \"win\"\nos_category = \"Windows\"\namount = \"20\"\nper = \"month\"\nuntil = 2026-12-31\n",
    );
    let new = edited(
        &text,
        replace("Backup", "2026-11-01", &json!({ "amount": "5" })),
    )
    .unwrap();
    assert_eq!(new.book.services().len(), 1);
    let backup: Vec<_> = new
        .book
        .prices()
        .iter()
        .filter(|p| p.id.starts_with("Backup"))
        .collect();
    assert_eq!(backup.len(), 2);
    assert_eq!(backup[0].target, backup[1].target);
    assert_eq!(backup[0].validity.end(), backup[1].validity.start());
    let new = edited(
        &text,
        replace("win", "2026-11-01", &json!({ "amount": "21" })),
    )
    .unwrap();
    let windows: Vec<_> = new
        .book
        .prices()
        .iter()
        .filter(|p| p.id.starts_with("win"))
        .collect();
    // the new one ends where the old one would have
    assert_eq!(
        windows[1].validity.end().to_rfc3339(),
        "2027-01-01T00:00:00+00:00"
    );
    assert_eq!(windows[0].selector, windows[1].selector);
}

const MATRIX: &str = "[[service]]\nid = \"Backup\"\namount = \"4\"\nper = \"month\"\n[[service]]\nid = \"Monitoring\"\namount = \"2\"\nper = \"month\"\n\
    [[package]]\nid = \"Gold\"\nservices = [\"Monitoring\"]  # the least\n";

fn cell(from: Option<&str>, until: Option<&str>, present: bool) -> Edit {
    Edit::SetPackageService {
        package: "Gold".to_owned(),
        service: "Backup".to_owned(),
        from: from.map(when),
        until: until.map(when),
        present,
    }
}

fn backup_in_gold(book: &PriceBook) -> Vec<String> {
    let gold = &book.packages()[0];
    let cells = gold.services.iter().filter(|cell| cell.service == "Backup");
    cells.map(|cell| cell.validity.to_string()).collect()
}

#[test]
fn the_package_matrix_is_a_set_of_times() {
    let text = book_text(MATRIX);
    let always = edited(&text, cell(None, None, true)).unwrap();
    assert_eq!(backup_in_gold(&always.book).len(), 1);
    assert!(
        always
            .text
            .contains("services = [\"Monitoring\", \"Backup\"]  # the least"),
        "{}",
        always.text
    );
    assert_eq!(
        slug(edited(&always.text, cell(Some("2026-10-01"), None, true))),
        "no_change"
    );
    // out of it in October and November: before and after it stays
    let gap = edited(
        &always.text,
        cell(Some("2026-10-01"), Some("2026-11-30"), false),
    )
    .unwrap();
    assert_eq!(backup_in_gold(&gap.book).len(), 2);
    assert_eq!(
        slug(edited(
            &gap.text,
            cell(Some("2026-10-05"), Some("2026-10-06"), false)
        )),
        "no_change"
    );
    // and in again: as it was
    let again = edited(
        &gap.text,
        cell(Some("2026-10-01"), Some("2026-11-30"), true),
    )
    .unwrap();
    assert_eq!(again.book.digest(), always.book.digest());
    let never = edited(&gap.text, cell(None, None, false)).unwrap();
    assert_eq!(
        never.book.digest(),
        PriceBook::from_toml(&text).unwrap().digest()
    );
    assert_eq!(
        slug(edited(
            &text,
            cell(Some("2026-10-02"), Some("2026-10-01"), true)
        )),
        "reversed"
    );
}

#[test]
fn a_cell_of_the_matrix_says_no_bound_that_it_does_not_have() {
    let text = book_text(MATRIX);
    let new = edited(&text, cell(None, Some("2026-10-31"), true)).unwrap();
    let row = "service_periods = [{ service = \"Backup\", until = 2026-10-31 }]";
    assert!(new.text.contains(row), "{}", new.text);
    // a service that the book does not have is named as such
    let unknown = Edit::SetPackageService {
        package: "Gold".to_owned(),
        service: "Backpu".to_owned(),
        from: None,
        until: None,
        present: true,
    };
    let errors = edited(&text, unknown).unwrap_err();
    assert_eq!(errors.errors()[0].slug(), "unknown_reference");
    assert!(errors.errors()[0].message().contains("\"Backpu\""));
    // one service may stand as a plain text
    let single = text.replace("[\"Monitoring\"]", "\"Monitoring\"");
    let new = edited(&single, cell(None, None, true)).unwrap();
    let gold = &new.book.packages()[0].services;
    let names: Vec<&str> = gold.iter().map(|cell| cell.service.as_str()).collect();
    assert_eq!(names, ["Backup", "Monitoring"]);
}

#[test]
fn an_amount_takes_the_place_of_tiers_and_blocks_and_the_other_way_round() {
    let tiers = json!([{ "up_to": "5", "amount": "2" }, { "amount": "1" }]);
    let kinds = |fields: &str, with: &Value| {
        let text = book_text(&CPU.replace("amount = 6.20  # exactly", fields));
        let new = edited(&text, replace("cpu", "2026-10-16", with)).unwrap();
        let prices = new.book.prices().iter();
        prices
            .map(|price| match price.kind {
                PriceKind::PerUnit(_) => "each",
                PriceKind::Block { .. } => "block",
                PriceKind::Graduated(_) => "graduated",
                PriceKind::Volume(_) => "volume",
                _ => "other",
            })
            .collect::<Vec<_>>()
    };
    let volume = "tier_mode = \"volume\"\ntiers = [{ up_to = 5, amount = 2 }, { amount = 1 }]";
    assert_eq!(
        kinds(volume, &json!({ "amount": "6.50" })),
        ["volume", "each"]
    );
    assert_eq!(
        kinds("amount = 1\nblock = 4", &json!({ "tiers": tiers })),
        ["block", "graduated"]
    );
    // a block stays a block, and volume tiers stay volume tiers
    assert_eq!(
        kinds("amount = 1\nblock = 4", &json!({ "amount": "2" })),
        ["block", "block"]
    );
    assert_eq!(
        kinds(volume, &json!({ "tiers": tiers })),
        ["volume", "volume"]
    );
    // a percentage gives way to either
    let percent = |with: &Value| {
        let text = book_text(
            "[[service]]\nid = \"Care\"\npercent = 10\npercent_of = [\"cpu\"]\nper = \"month\"\n",
        );
        let text = text.replace("per = \"month\"\n", "");
        edited(&text, replace("Care", "2026-10-16", with))
            .unwrap()
            .book
            .prices()[1]
            .kind
            .clone()
    };
    let amount = percent(&json!({ "amount": "3", "per": "month" }));
    assert!(matches!(amount, PriceKind::PerUnit(_)), "{amount:?}");
    let graduated = percent(&json!({ "tiers": tiers, "per": "month" }));
    assert!(
        matches!(graduated, PriceKind::Graduated(_)),
        "{graduated:?}"
    );
}

#[test]
fn rows_that_are_written_in_a_line_are_edited_in_their_line() {
    let text =
        book_text("price = [{ id = \"cpu\", meter = \"cpu\", amount = 6.20, per = \"month\" }]\n");
    let new = edited(
        &text,
        replace(
            "cpu",
            "2026-10-16",
            &json!({ "amount": "6.50", "label": "2026-10-16" }),
        ),
    )
    .unwrap();
    let ids: Vec<&str> = new
        .book
        .prices()
        .iter()
        .map(|price| price.id.as_str())
        .collect();
    assert_eq!(ids, ["cpu", "cpu-2026-10-16"]);
    assert!(new.text.contains("until = 2026-10-15 }"), "{}", new.text);
    assert!(!new.text.contains("[[price]]"), "{}", new.text);
    // a text that could be a date stays a text where no date is asked for
    assert!(new.text.contains("label = \"2026-10-16\""), "{}", new.text);
    let bill = bill(&new.book, &vm_days("vm", 1..=31, 1));
    assert_eq!(bill.exact.to_string(), "197/31");
}

#[test]
fn the_first_exemption_of_ones_own_keeps_the_usual_ones() {
    let text = book_text(CPU);
    let edit = Edit::AddExemption(row(
        &json!({ "id": "free", "tag": "Free=yes", "meters": ["cpu"] }),
    ));
    let new = edited(&text, edit).unwrap();
    for usual in ["Billing:noCPU", "Billing:noRAM", "Billing:noDisk", "free"] {
        assert!(new.text.contains(&format!("id = \"{usual}\"")), "{usual}");
    }
    // where there is one already, it is all that there is
    let more = Edit::AddExemption(row(
        &json!({ "id": "more", "tag": "More=yes", "meters": ["ram"] }),
    ));
    let own = text.clone() + "[[exemption]]\nid = \"own\"\ntag = \"Own=yes\"\nmeters = [\"cpu\"]\n";
    let two = edited(&own, more).unwrap().text;
    assert_eq!(two.matches("[[exemption]]").count(), 2, "{two}");
    let end = Edit::EndExemption {
        id: "Billing:noRAM".to_owned(),
        until: when("2026-10-31"),
    };
    assert!(
        edited(&text, end)
            .unwrap()
            .text
            .contains("until = 2026-10-31")
    );
}

#[test]
fn every_line_of_the_example_book_survives_an_edit() {
    let text = EXAMPLE;
    let discount = Edit::AddDiscount(row(
        &json!({ "id": "all-of-it", "percent": "5", "from": "2026-11-01", "until": "2026-11-30" }),
    ));
    let new = edited(text, discount).unwrap();
    let mut lines = new.text.lines();
    for line in text.lines() {
        assert!(lines.any(|other| other == line), "{line}");
    }
    let discounts = |book: &PriceBook| book.discounts().len();
    assert_eq!(
        discounts(&new.book),
        discounts(&PriceBook::from_toml(text).unwrap()) + 1
    );
    // one edit after another is the same as both at once
    let both = [
        Edit::EndDiscount {
            id: "all-of-it".to_owned(),
            until: when("2026-11-15"),
        },
        Edit::AddService(row(
            &json!({ "id": "Vault", "amount": "3", "per": "month" }),
        )),
    ];
    let at_once = edit_book(&new.text, BookFormat::Toml, &both, &note()).unwrap();
    let first = edited(&new.text, both[0].clone()).unwrap();
    let second = edited(&first.text, both[1].clone()).unwrap();
    assert_eq!(at_once.book.digest(), second.book.digest());
    assert_eq!(second.version, 3);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let end = |id: &str| Edit::EndFactor {
        id: id.to_owned(),
        until: when("2026-12-31"),
    };
    let none = edited(&book_text(CPU), end("x")).unwrap_err();
    let message = none.errors()[0].message().to_owned();
    assert_eq!(message, "there is no factor \"x\"; the book has none");
    let one = format!(
        "{}[[factor]]\nid = \"y\"\nfactor = \"1.1\"\n",
        book_text(CPU)
    );
    let other = edited(&one, end("x")).unwrap_err();
    let message = other.errors()[0].message().to_owned();
    assert_eq!(message, "there is no factor \"x\"; there are y");
    let price = Edit::EndPrice {
        id: "x".to_owned(),
        until: when("2026-12-31"),
    };
    let unpriced = edited(&book_text(""), price).unwrap_err();
    let message = unpriced.errors()[0].message().to_owned();
    assert_eq!(message, "there is no price \"x\"; the book has none");
}
