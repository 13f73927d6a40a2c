//! What stands over the prices of random books: limits, credits, taxes.

use serde_json::{Value, json};

use crate::books::{named, scope, things, up_to, validity};
use crate::draws::{Draws, at, id};

pub(crate) fn add(draws: &mut Draws, book: &mut Value) {
    for kind in ["minimum", "maximum"] {
        if draws.chance(50) {
            book[kind] = json!(limits(draws, kind));
        }
    }
    if draws.chance(50) {
        // in coins that there are
        let whole = book["currency"] == "JPY";
        book["credit"] = json!(credits(draws, whole));
    }
    if draws.chance(60) {
        book["tax"] = json!(taxes(draws));
    }
}

fn limits(draws: &mut Draws, kind: &str) -> Vec<Value> {
    let (mut rows, mut taken) = (Vec::new(), Vec::new());
    for number in 0..=draws.below(4) {
        let per = draws.of(&["resource", "project", "domain", "account"]);
        let scope = scope(draws);
        // of two for the same the documents do not say which one holds
        let place = (per, named(scope.as_ref()));
        if taken.contains(&place) {
            continue;
        }
        taken.push(place);
        let most = if per == "resource" { 200 } else { 2_000 };
        let mut row =
            json!({ "id": format!("{kind}-{number}"), "amount": up_to(draws, most), "per": per });
        if let Some(scope) = scope {
            row["scope"] = scope;
        }
        things(draws, &mut row);
        validity(draws, &mut row);
        rows.push(row);
    }
    rows
}

fn credits(draws: &mut Draws, whole: bool) -> Vec<Value> {
    let mut rows = Vec::new();
    for number in 0..=draws.below(4) {
        let scope = match draws.below(4) {
            0 => json!({ "project": id(1, draws.below(3)) }),
            1 => json!({ "domain": id(0, 1 + draws.below(3)) }),
            _ => json!({ "domain": draws.of(&["ROOT", "ROOT/a", "ROOT/b"]) }),
        };
        let mut row = json!({
            "id": format!("c{number}"), "amount": paid(draws, whole), "scope": scope,
            "priority": draws.below(2), "after_tax": draws.chance(30),
        });
        if draws.chance(40) {
            let until = at(i64::from(draws.below(3_000_000)) - 2_000_000);
            let spent = if whole { "7" } else { "0.07" };
            row["spent"] = json!([{ "until": crate::books::text(until), "amount": spent }]);
            row["amount"] = json!(format!("1{}", paid(draws, whole)));
        }
        validity(draws, &mut row);
        rows.push(row);
    }
    rows
}

fn paid(draws: &mut Draws, whole: bool) -> String {
    if whole {
        draws.below(500).to_string()
    } else {
        up_to(draws, 500)
    }
}

fn taxes(draws: &mut Draws) -> Vec<Value> {
    let (mut rows, mut taken) = (Vec::new(), Vec::new());
    for number in 0..=draws.below(5) {
        let mut row = json!({ "id": format!("t{number}"), "percent": up_to(draws, 30) });
        let of = draws.below(3);
        match of {
            0 => row["meters"] = json!(["cpu", "disk", "ip"]),
            1 => row["services"] = json!(["Backup"]),
            _ => {}
        }
        let scope = scope(draws)
            .filter(|scope| scope["domain"].is_string() || scope["project"].is_string());
        let place = (of, named(scope.as_ref()));
        if taken.contains(&place) {
            continue;
        }
        taken.push(place);
        if let Some(scope) = scope {
            row["scope"] = scope;
        }
        validity(draws, &mut row);
        rows.push(row);
    }
    rows
}
