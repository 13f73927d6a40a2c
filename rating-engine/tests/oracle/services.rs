//! Services, packages and images of random price books.

use serde_json::{Value, json};

use crate::books::{named, prices, scope, up_to, validity};
use crate::draws::Draws;

/// Prices of images have selectors, and are rows of their own.
pub(crate) fn os_images(draws: &mut Draws) -> Vec<Value> {
    let mut rows = prices(draws, "meter", "os", false);
    for row in &mut rows {
        row.as_object_mut().expect("a row").remove("meter");
    }
    rows
}

pub(crate) fn services(draws: &mut Draws, price_rows: &mut Vec<Value>) -> Vec<Value> {
    let mut rows = Vec::new();
    for id in ["Backup", "Care"] {
        let mut of_service = prices(draws, "service", id, true);
        let mut row = json!({ "id": id, "label": format!("{id} of VMs") });
        if draws.chance(50) {
            // its first price is written with the service
            let own = of_service.remove(0);
            for (field, value) in own.as_object().expect("a row") {
                if !matches!(field.as_str(), "id" | "service") {
                    row[field] = value.clone();
                }
            }
        }
        rows.push(row);
        price_rows.extend(of_service);
    }
    rows.push(json!({ "id": "Managed" }));
    price_rows.extend(percentages(draws));
    rows
}

/// A service that costs a percentage of what else there is.
fn percentages(draws: &mut Draws) -> Vec<Value> {
    let (mut rows, mut taken) = (Vec::new(), Vec::new());
    let accumulate = draws.of(&["resource", "project", "domain", "account"]);
    for number in 0..=draws.below(3) {
        let scope = if number == 0 { None } else { scope(draws) };
        let place = named(scope.as_ref());
        if taken.contains(&place) {
            continue;
        }
        taken.push(place);
        let mut row = json!({
            "id": format!("Managed-{number}"), "service": "Managed", "percent": up_to(draws, 40),
            "accumulate": accumulate,
        });
        if let Some(scope) = scope {
            row["scope"] = scope;
        }
        let of: &[&[&str]] = &[
            &["cpu", "ram"],
            &["disk", "Backup"],
            &["vm", "os", "Gold", "Care"],
        ];
        if draws.chance(50) {
            row["percent_of"] = draws.of(of).into();
        }
        if draws.chance(30) {
            row["free"] = json!(up_to(draws, 50));
        }
        if draws.chance(40) {
            row["fee"] = json!(up_to(draws, 20));
            if draws.chance(50) {
                row["free_fees"] = json!(1);
            }
        }
        validity(draws, &mut row);
        rows.push(row);
    }
    rows
}

pub(crate) fn packages(draws: &mut Draws, price_rows: &mut Vec<Value>) -> Vec<Value> {
    let mut gold = json!({ "id": "Gold", "services": ["Backup", "Care"] });
    if draws.chance(30) {
        gold["covers"] = draws.of(&[&["disk"][..], &["ram", "vm"], &["os"]]).into();
    }
    let mut silver = json!({ "id": "Silver", "services": ["Backup"] });
    let mut period = json!({ "service": "Managed" });
    validity(draws, &mut period);
    silver["service_periods"] = json!([period]);
    for id in ["Gold", "Silver"] {
        if draws.chance(60) {
            let sold = draws.chance(50);
            price_rows.extend(prices(draws, "package", id, sold));
        }
    }
    vec![gold, silver]
}

/// Instead of those that hold where a book says nothing.
pub(crate) fn exemptions(draws: &mut Draws) -> Value {
    let mut rows = [
        json!({ "id": "no-cpu", "tag": "Billing=noCPU", "meters": ["cpu", "vm"] }),
        json!({ "id": "no-disk", "tag": "Billing=noDisk", "meters": ["disk"] }),
    ];
    for row in &mut rows {
        validity(draws, row);
    }
    json!(rows)
}
