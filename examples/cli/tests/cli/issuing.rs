//! `csbill issue`, `csbill documents`, and corrections of what was issued.

use std::path::Path;
use std::process::Command;

use csbill_replay::Options;
use serde_json::Value;

use crate::support::{book, csbill, good_json, run, server, sync_all};

/// A command about October with this price book.
fn about_october(folder: &Path, words: &[&str], prices: &Path) -> Command {
    let mut command = csbill(folder);
    command
        .args(words)
        .args(["--month", "2026-10", "--book"])
        .arg(prices);
    command
}

fn documents(folder: &Path) -> Vec<Value> {
    let listed = good_json(csbill(folder).args(["documents", "list"]));
    listed.as_array().unwrap().clone()
}

#[test]
fn a_bill_is_issued_once_and_corrected_as_often_as_needed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sync_all(folder, &server(Options::default()));
    let none = run(&mut about_october(folder, &["rerate"], &book()));
    assert_eq!(none.code, 3, "{}", none.err);
    assert!(none.err.contains("csbill issue"), "{}", none.err);

    // nothing is issued by nobody
    let nobody = run(&mut about_october(folder, &["issue"], &book()));
    assert_eq!(nobody.code, 2, "{}", nobody.err);

    let ada = ["--author", "ada"];
    let issued = run(about_october(folder, &["issue", "--json"], &book()).args(ada));
    assert!([0, 7].contains(&issued.code), "{}", issued.err);
    let bill: Value = serde_json::from_str(&issued.out).unwrap();
    let kept = documents(folder);
    let kinds: Vec<&str> = kept
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["price_book", "statement"]);
    assert!(kept.iter().all(|one| one["author"] == "ada"));
    // byte for byte, by the first digits of the digest
    let show = |document: &Value| {
        let digest = &document["digest"].as_str().unwrap()[..10];
        run(csbill(folder).args(["documents", "show", digest])).out
    };
    assert_eq!(show(&kept[0]), std::fs::read_to_string(book()).unwrap());
    assert_eq!(show(&kept[1]), issued.out);
    let unknown = run(csbill(folder).args(["documents", "show", "zz"]));
    assert_eq!(unknown.code, 3, "{}", unknown.err);

    // the same again changes nothing, and there is nothing to correct
    let again = run(about_october(folder, &["issue"], &book()).args(ada));
    assert_eq!(again.code, 3, "{}", again.err);
    let right = run(&mut about_october(folder, &["rerate"], &book()));
    assert_eq!(right.code, 3, "{}", right.err);
    assert_eq!(documents(folder).len(), 2);

    // another book gives another bill: that is no second bill, but a correction
    let dearer = folder.join("dearer.toml");
    let text = std::fs::read_to_string(book()).unwrap();
    let changed = text.replacen("amount = \"", "amount = \"1", 1);
    assert_ne!(changed, text);
    std::fs::write(&dearer, changed).unwrap();
    let refused = run(about_october(folder, &["issue"], &dearer).args(ada));
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("never changes"), "{}", refused.err);
    assert_eq!(documents(folder).len(), 2);
    let looked_at = run(&mut about_october(folder, &["rerate", "--json"], &dearer));
    assert!([0, 7].contains(&looked_at.code), "{}", looked_at.err);
    assert_eq!(
        documents(folder).len(),
        2,
        "looking at a correction issues nothing"
    );
    let bob = ["--author", "bob"];
    let corrected = run(about_october(folder, &["rerate", "--issue", "--json"], &dearer).args(bob));
    assert_eq!(corrected.out, looked_at.out);
    let kept = documents(folder);
    assert_eq!(kept.len(), 4);
    assert_eq!(kept[3]["kind"], "correction");
    assert_eq!(show(&kept[3]), corrected.out);
    // it counts from now on: nothing is left to correct, and going back corrects it back
    let settled = run(&mut about_october(folder, &["rerate"], &dearer));
    assert_eq!(settled.code, 3, "{}", settled.err);
    let back = run(about_october(folder, &["rerate", "--issue", "--json"], &book()).args(bob));
    assert!([0, 7].contains(&back.code), "{}", back.err);
    let total = |text: &str| -> String {
        let correction: Value = serde_json::from_str(text).unwrap();
        correction["total"]["amount"].as_str().unwrap().to_owned()
    };
    assert_eq!(format!("-{}", total(&corrected.out)), total(&back.out));
    assert!(!bill["statements"].as_array().unwrap().is_empty());
}

#[test]
fn a_price_book_is_known_as_it_was_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    sync_all(folder, &server(Options::default()));
    let first = std::fs::read_to_string(book()).unwrap();
    let second = first.replacen("amount = \"", "amount = \"1", 1);
    let keep = |text: &str, at: &str| {
        std::fs::write(folder.join("prices.toml"), text).unwrap();
        let arguments = ["prices", "keep", "prices.toml", "--author", "ada"];
        run(csbill(folder).args(arguments).args(["--recorded", at]))
    };
    assert_eq!(keep(&first, "2026-10-01T08:00:00Z").code, 0);
    assert_eq!(keep(&second, "2026-10-20T08:00:00Z").code, 0);
    let again = keep(&second, "2026-10-21T08:00:00Z");
    assert_eq!(again.code, 3, "{}", again.err);

    let name = rating_engine::PriceBook::from_toml(&first).unwrap();
    let known = |more: &[&str]| {
        let arguments = ["prices", "known", name.name()];
        run(csbill(folder).args(arguments).args(more))
    };
    assert_eq!(known(&[]).out, second);
    assert_eq!(known(&["--known-on", "2026-10-10T00:00:00Z"]).out, first);
    let early = known(&["--known-on", "2026-09-30T00:00:00Z"]);
    assert_eq!((early.code, early.out.as_str()), (3, ""));
    assert!(early.err.contains("csbill documents list"), "{}", early.err);

    // what is no price book is not kept
    let broken = keep("schema = 1", "2026-10-22T08:00:00Z");
    assert_eq!(broken.code, 4, "{}", broken.err);
    assert_eq!(known(&[]).out, second);
}
