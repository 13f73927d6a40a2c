//! Random price books, all of them valid.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::draws::{Draws, at, id};
use crate::{services, terms};

pub(crate) fn scope(draws: &mut Draws) -> Option<Value> {
    let number = draws.below(3);
    match draws.below(8) {
        0 => Some(json!({ "domain": draws.of(&["ROOT/a", "ROOT/a/sub", "ROOT/b", "ROOT"]) })),
        1 => Some(json!({ "domain": id(0, 1 + number) })),
        2 => Some(json!({ "project": id(1, number) })),
        3 => Some(json!({ "vm": id(3, number) })),
        4 => Some(json!({ "volume": id(4, number) })),
        _ => None,
    }
}

pub(crate) fn text(time: DateTime<Utc>) -> Value {
    json!(time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

pub(crate) fn validity(draws: &mut Draws, row: &mut Value) {
    // any second of October, and a little before
    let mut second = || at(i64::from(draws.below(2_800_000)) - 100_000);
    let (one, other) = (second(), second());
    if draws.chance(30) {
        row["from"] = text(one.min(other));
    }
    if draws.chance(30) {
        row["until"] = text(one.max(other) + TimeDelta::seconds(1));
    }
}

const METERS: [&str; 6] = [
    "cpu",
    "ram",
    "disk",
    "ip",
    "traffic_sent",
    "traffic_received",
];

/// Scope and selectors of a price, whatever the scope is called: of two equal ones a book is
/// refused.
type Place = (Option<Value>, Value);

/// The scope as it is called everywhere.
pub(crate) fn named(scope: Option<&Value>) -> Option<Value> {
    scope.map(|scope| match scope["domain"].as_str() {
        Some("ROOT/a") => json!({ "domain": id(0, 1) }),
        Some("ROOT/a/sub") => json!({ "domain": id(0, 2) }),
        Some("ROOT/b") => json!({ "domain": id(0, 3) }),
        _ => scope.clone(),
    })
}

/// A number up to `most`, of two digits after the point.
pub(crate) fn up_to(draws: &mut Draws, most: u32) -> String {
    format!("{}.{:02}", draws.below(most), draws.below(100))
}

/// What rows of one place have in common, so that one may follow another.
struct Terms {
    per: Option<&'static str>,
    unit: Option<&'static str>,
    accumulate: Option<&'static str>,
    moment: bool,
    flat: bool,
    /// Another row follows in time.
    followed: bool,
    /// How many units one may expect.
    scale: u32,
}

impl Terms {
    fn new(draws: &mut Draws, meter: &str) -> Self {
        let counted = meter.starts_with("traffic");
        let can_be_once = matches!(meter, "cpu" | "ram" | "disk" | "vm" | "service" | "package");
        let per = match draws.below(10) {
            _ if counted => None,
            0..3 => Some("hour"),
            3..5 => Some("day"),
            5..6 if can_be_once => Some("once"),
            _ => Some("month"),
        };
        let (unit, level) = match (meter, draws.below(10)) {
            ("cpu", 0..2) => (Some("VM"), 1),
            ("cpu", _) => (None, 4),
            ("ram", 0..2) => (Some("MiB"), 3_000),
            ("ram", _) => (None, 3),
            ("disk", 0..2) => (Some("GB"), 20),
            ("disk", 2..4) => (Some("each"), 1),
            ("disk", _) => (None, 20),
            ("os" | "service" | "package", 0..2) => (Some("vCPU"), 4),
            ("service" | "package", 2..4) => (Some("GiB RAM"), 3),
            ("service", 4..6) => (Some("GiB disk"), 20),
            ("traffic_sent" | "traffic_received", 0..3) => (Some("TiB"), 2),
            ("traffic_sent" | "traffic_received", _) => (None, 2_000),
            _ => (None, 1),
        };
        let moment = per.is_some() && per != Some("once") && draws.chance(30);
        let times = match per {
            Some("hour") if !moment => 200,
            Some("day") if !moment => 10,
            _ => 1,
        };
        let scopes = ["resource", "project", "domain", "account"];
        Self {
            per,
            unit,
            accumulate: draws.chance(70).then(|| draws.of(&scopes)),
            moment,
            flat: draws.chance(10),
            followed: draws.chance(30),
            scale: level * times,
        }
    }

    /// An amount of units that may be reached.
    fn some(&self, draws: &mut Draws) -> u32 {
        1 + draws.below(self.scale * 300)
    }

    fn write(&self, draws: &mut Draws, row: &mut Value) {
        row["amount"] = json!(format!("{}.{:04}", draws.below(30), draws.below(10_000)));
        if let Some(per) = self.per {
            row["per"] = json!(per);
        }
        if let Some(unit) = self.unit {
            row["unit"] = json!(unit);
        }
        if self.flat {
            row["kind"] = json!("flat");
            return;
        }
        if self.per == Some("once") {
            return;
        }
        match draws.below(10) {
            0..4 => return,
            4..6 => {}
            6..8 => self.write_tiers(draws, row),
            _ => row["block"] = json!(hundredths(self.some(draws))),
        }
        if row.get("tiers").or(row.get("block")).is_none() || draws.chance(40) {
            row["free"] = json!(hundredths(self.some(draws)));
        }
        if let Some(accumulate) = self.accumulate {
            row["accumulate"] = json!(accumulate);
        }
        if self.moment {
            row["count_over"] = json!("moment");
            row["proration"] = json!("second");
        }
    }

    fn write_tiers(&self, draws: &mut Draws, row: &mut Value) {
        let volume = draws.chance(40);
        let flats = draws.chance(50) && !(volume && self.moment);
        let (mut tiers, mut bound) = (Vec::new(), 0);
        for number in 0..=draws.below(3) {
            bound += if number == 0 { 0 } else { self.some(draws) };
            if number > 0 {
                tiers.push(json!({ "up_to": hundredths(bound) }));
            }
        }
        tiers.push(json!({}));
        for tier in &mut tiers {
            let flat = flats && draws.chance(70);
            if flat {
                tier["flat"] = json!(up_to(draws, 20));
            }
            if !flat || draws.chance(70) {
                tier["amount"] = json!(up_to(draws, 30));
            }
        }
        row.as_object_mut().expect("a row").remove("amount");
        row["tiers"] = json!(tiers);
        if volume {
            row["tier_mode"] = json!("volume");
        }
    }
}

fn hundredths(number: u32) -> String {
    format!("{}.{:02}", number / 100, number % 100)
}

/// Prices of a thing (`meter`, `service` or `package` and its name), one for everybody among
/// them where it is `sold` to everybody.
pub(crate) fn prices(draws: &mut Draws, kind: &str, name: &str, sold: bool) -> Vec<Value> {
    let (mut rows, mut taken) = (Vec::new(), Vec::<Place>::new());
    for number in 0..=draws.below(5) {
        if number == 0 && !sold {
            continue;
        }
        let scope = if number == 0 { None } else { scope(draws) };
        let mut row = json!({ "id": format!("{name}-{number}"), kind: name });
        let selectors = selectors(draws, name);
        let place = (named(scope.as_ref()), selectors.clone());
        if taken.contains(&place) {
            continue;
        }
        taken.push(place);
        for (selector, value) in selectors.as_object().expect("fields") {
            row[selector] = value.clone();
        }
        if let Some(scope) = scope {
            row["scope"] = scope;
        }
        if draws.chance(20) {
            row["net"] = json!(draws.chance(50));
        }
        let of_vms = kind != "meter" || matches!(name, "cpu" | "ram");
        if of_vms && draws.chance(15) {
            row["basis"] = json!(draws.of(&["running", "allocated"]));
        }
        if name == "vm" && draws.chance(40) {
            row["covers"] = draws.of(&[&[][..], &["cpu"], &["cpu", "ram", "os"]]).into();
        }
        let terms = Terms::new(draws, if kind == "meter" { name } else { kind });
        if terms.followed {
            // one price follows the other
            let change = at(i64::from(draws.below(1_000_000)) - 100_000);
            let mut next = row.clone();
            next["id"] = json!(format!("{name}-{number}-next"));
            next["from"] = text(change);
            terms.write(draws, &mut next);
            rows.push(next);
            row["until"] = text(change);
        } else {
            validity(draws, &mut row);
        }
        terms.write(draws, &mut row);
        rows.push(row);
    }
    rows
}

/// What kind of resources a price is for; no two of a kind may meet on one resource.
fn selectors(draws: &mut Draws, name: &str) -> Value {
    let number = draws.below(2);
    let is_vm = matches!(name, "cpu" | "ram" | "vm" | "os");
    let mut selectors = match draws.below(16) {
        0..3 if is_vm => json!({ "offering": id(5, number) }),
        0..3 if name == "disk" => json!({ "offering": id(6, number) }),
        3 | 4 if is_vm => json!({ "template": id(9, number) }),
        5 if is_vm => json!({ "os_category": draws.of(&["Linux", "Windows"]) }),
        6 => json!({ "name": "*1" }),
        7 => json!({ "resource_tag": draws.of(&["CostCenter=4711", "CostCenter=47|12"]) }),
        8 => json!({ "in_zone": id(10, number) }),
        9 if name == "disk" => json!({ "at_least": { "size": "20 GiB" } }),
        9 => json!({ "at_least": { "cpus": draws.of(&[3, 4]) } }),
        10 if is_vm => json!({ "at_least": { "ram": "3 GiB" } }),
        11 if name == "cpu" => json!({ "offering": id(5, number), "at_least": { "cpus": 4 } }),
        _ => json!({}),
    };
    // an image says which one
    let is_of_image = ["template", "os_category"]
        .iter()
        .any(|field| selectors[field].is_string());
    if name == "os" && !is_of_image {
        selectors["os_category"] = json!(draws.of(&["Linux", "Windows"]));
    }
    // each of a VM's times may have a price of its own
    if matches!(name, "vm" | "os") {
        selectors["basis"] = json!(draws.of(&["running", "allocated"]));
    }
    selectors
}

/// Lists of what a row is for: none is everything.
pub(crate) fn things(draws: &mut Draws, row: &mut Value) {
    match draws.below(10) {
        0 => row["meters"] = json!(["cpu", "disk"]),
        1 => row["meters"] = json!(["ram", "ip", "traffic_sent", "vm", "os"]),
        2 => row["services"] = json!(["Backup", "Managed"]),
        3 => {
            row["meters"] = json!(["cpu"]);
            row["packages"] = json!(["Gold"]);
        }
        _ => {}
    }
}

fn discounts(draws: &mut Draws) -> Vec<Value> {
    let mut rows = Vec::new();
    for number in 0..draws.below(7) {
        let mut row = json!({ "id": format!("d{number}") });
        if draws.chance(30) {
            row["amount"] = json!(format!("{}.{:02}", draws.below(40), draws.below(100)));
            if draws.chance(30) {
                row["prorate"] = json!(false);
            }
        } else {
            row["percent"] = json!(format!("{}.{}", draws.below(100), draws.below(10)));
        }
        if let Some(scope) = scope(draws) {
            row["scope"] = scope;
        }
        things(draws, &mut row);
        if draws.chance(30) {
            row["net_prices"] = json!(true);
        }
        validity(draws, &mut row);
        rows.push(row);
    }
    rows
}

fn factors(draws: &mut Draws) -> Vec<Value> {
    let mut rows = Vec::new();
    for number in 0..draws.below(5) {
        let by = format!("{}.{:02}", draws.below(3), draws.below(100));
        let mut row = json!({ "id": format!("f{number}"), "factor": by });
        // of one group there is a ladder of sizes for everybody, else each stands alone
        if draws.chance(50) {
            row["group"] = json!("sizes");
            row["meters"] = json!(["disk"]);
            row["at_least"] = json!({ "size": format!("{} GiB", 10 * (1 + 3 * number)) });
        } else {
            if let Some(scope) = scope(draws) {
                row["scope"] = scope;
            }
            things(draws, &mut row);
            if draws.chance(30) {
                row["at_least"] = json!({ "cpus": 1 + draws.below(6) });
            }
        }
        if draws.chance(20) {
            row["net_prices"] = json!(true);
        }
        validity(draws, &mut row);
        rows.push(row);
    }
    rows
}

/// A book of the zone that combines what there is at random.
pub(crate) fn book(draws: &mut Draws, zone: &str) -> Value {
    let mut prices: Vec<Value> = METERS
        .iter()
        .flat_map(|meter| self::prices(draws, "meter", meter, true))
        .collect();
    if draws.chance(40) {
        prices.extend(self::prices(draws, "meter", "vm", false));
    }
    let services = services::services(draws, &mut prices);
    let packages = services::packages(draws, &mut prices);
    let prorations = ["day", "day-incl", "started-day", "started-hour"];
    let proration = if draws.chance(40) {
        "second"
    } else {
        draws.of(&prorations)
    };
    let mut book = json!({
        "schema": 1, "name": "Oracle", "currency": draws.of(&["EUR", "EUR", "JPY", "KWD"]), "zone": zone, "tag_moments": "seen",
        "compute": draws.of(&["running", "allocated"]), "rounding": draws.of(&["half-away", "half-even"]),
        "rounding_point": draws.of(&["total", "total", "line-first"]),
        "discount_stacking": draws.of(&["nearest", "best-of", "multiply", "add-capped"]),
        "month": draws.of(&["calendar", "calendar", "h730", "d30", "cap672"]), "proration": proration,
        "price": prices, "os_image": services::os_images(draws), "service": services, "package": packages,
        "discount": discounts(draws), "factor": factors(draws), "findings": findings(draws),
    });
    if draws.chance(20) {
        book["exemption"] = services::exemptions(draws);
    }
    if draws.chance(30) {
        book["vm_tags_on_volumes"] = json!("own");
    }
    if draws.chance(30) {
        book["own_statements"] = draws.of(&[&["ROOT/a/sub"][..], &["ROOT", "ROOT/b"]]).into();
    }
    terms::add(draws, &mut book);
    book
}

fn findings(draws: &mut Draws) -> Value {
    let policies = ["clip", "clip", "hold", "flag"];
    json!({ "overlap": draws.of(&policies), "over_window": draws.of(&policies) })
}
