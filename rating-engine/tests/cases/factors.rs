//! Group E: prices that multiply, and prices from a size on. `CloudKitty` says both as flat
//! values and rates in groups; here the flat value is a price and the rate a factor on it.
//!
//! Where we differ on purpose:
//! - what nothing matches is a finding, never a silent zero;
//! - a rate alone is no price: a factor needs one to multiply;
//! - a customer's own factor takes the place of all general ones of its group, not only of
//!   the one with the same threshold: the nearest scope wins, as for prices;
//! - groups do not add up: what is charged on top of a VM is a service, with a line of its own.

use proptest::prelude::*;
use rating_engine::{Bill, Exact, PriceBook};

use super::hashmap::{Cost, Point, Rule, When, price};
use crate::Case;
use crate::support::{Cloud, book, book_text, exact, findings, line, month, number, of};

/// A VM of this flavour and image that runs for some hours of September.
fn machine(cloud: Cloud, id: &str, flavour: &str, image: &str, ram: u32, hours: u32) -> Cloud {
    machine_of(cloud, "account:ops", (id, flavour, image), ram, hours)
}

fn machine_of(
    cloud: Cloud,
    owner: &str,
    (id, flavour, image): (&str, &str, &str),
    ram: u32,
    hours: u32,
) -> Cloud {
    let end = format!("2026-09-04 {hours:02}:00");
    cloud
        .vm_of(id, owner, 1, ram, "2026-09-04", &end)
        .with_vm(|vm| {
            vm.offering = Some(flavour.to_owned());
            vm.template = Some(image.to_owned());
        })
}

fn september(book: &PriceBook, cloud: &Cloud) -> Bill {
    cloud.rate(book, month(book, "2026-09"))
}

fn of_vm(bill: &Bill, vm: &str) -> Exact {
    let lines = of(bill, "vm");
    let own = lines.iter().filter(|line| line.resource.to_string() == vm);
    own.map(|line| &line.net).sum()
}

fn per_hour(id: &str, amount: &str, more: &str) -> String {
    format!(
        "[[price]]\nid = \"{id}\"\nmeter = \"vm\"\namount = \"{amount}\"\nper = \"hour\"\n{more}\n"
    )
}

fn factor(id: &str, by: &str, more: &str) -> String {
    format!("[[factor]]\nid = \"{id}\"\nfactor = \"{by}\"\n{more}\n")
}

pub(crate) fn a_factor_on_an_image_of_one_flavour(case: &Case) {
    let rows = per_hour("nano", "1.337", "offering = \"nano\"")
        + &per_hour("tiny", "1.42", "offering = \"tiny\"")
        + &factor(
            "image",
            "1.10",
            "meters = [\"vm\"]\noffering = \"nano\"\ntemplate = \"a41\"",
        );
    let book = book(&rows);
    let machines = [
        ("plain", "nano", "f17", 1),
        ("two", "tiny", "f17", 2),
        ("none", "huge", "f17", 1),
        ("image", "nano", "a41", 1),
        ("other", "tiny", "a41", 3),
    ];
    let cloud = machines
        .iter()
        .fold(Cloud::new(), |cloud, (id, flavour, image, hours)| {
            machine(cloud, id, flavour, image, 1, *hours)
        });
    let bill = september(&book, &cloud);
    for (index, (id, ..)) in machines.iter().take(4).enumerate() {
        case.expect_shown(index, &of_vm(&bill, id));
    }
    // the image costs more with its flavour only: 3 x 1.42
    assert_eq!(of_vm(&bill, "other"), number("4.26"));
    // and what has no price is told
    assert!(findings(&bill).contains(&"unpriced"));
    // the line says what multiplied its price
    let lines = of(&bill, "vm");
    let line = lines
        .iter()
        .find(|line| line.resource.to_string() == "image");
    let line = line.unwrap();
    assert_eq!(line.factors[0].factor, "image");
    assert!(line.price_text.ends_with("per hour, × 1.1 (image)"));
    assert!(line.explain().contains("times 1.1 by factor image"));
    assert_eq!(line.list, line.net);
}

pub(crate) fn the_highest_size_reached(case: &Case) {
    let from = |ram: u32| format!("at_least = {{ ram = \"{ram} GiB\" }}");
    let rows = per_hour("small", "0.1337", &from(64)) + &per_hour("large", "0.2", &from(128));
    let book = book(&rows);
    let found = |ram, hours| {
        let cloud = machine(Cloud::new(), "m", "o", "t", ram, hours);
        september(&book, &cloud)
    };
    for (index, (ram, hours)) in [(64, 1), (128, 2), (512, 2), (127, 1)]
        .into_iter()
        .enumerate()
    {
        case.expect_shown(index, &exact(&found(ram, hours), "vm"));
    }
    // below the lowest nothing fits: told, not given away
    let below = found(63, 1);
    assert!(of(&below, "vm").is_empty());
    assert!(findings(&below).contains(&"unpriced"));
    resized_on_the_way(&book);
    of_other_sizes();
    of_unknown_size(&book);
}

/// A VM that grows changes its price at that moment: an hour of each.
fn resized_on_the_way(book: &PriceBook) {
    let grown = machine(Cloud::new(), "m", "o", "t", 64, 2).with_vm(|vm| {
        let grows = crate::support::at("2026-09-04 01:00");
        vm.size.push((grows, (1, 128 * 1024)));
    });
    assert_eq!(exact(&september(book, &grown), "vm"), number("0.3337"));
}

fn of_other_sizes() {
    let row = |id: &str, amount: &str, at_least: &str| {
        format!(
            "[[price]]\nid = \"{id}\"\nmeter = \"disk\"\namount = \"{amount}\"\nper = \"hour\"\n{at_least}\n"
        )
    };
    let rows = row("any", "0.004", "")
        + &row("half", "0.003", "at_least = { size = \"0.5 TiB\" }")
        + &row("tera", "0.002", "at_least = { size = \"1 TiB\" }")
        + &per_hour("both", "2", "at_least = { cpus = 4, ram = \"16384 MiB\" }")
        + &per_hour("vm", "1", "");
    let book = book(&rows);
    let disk = |gib: u64| {
        let cloud = Cloud::new().volume("v", gib << 30, None, "2026-09-04", "2026-09-04 01:00");
        exact(&september(&book, &cloud), "disk")
    };
    assert_eq!(disk(511), number("2.044"));
    assert_eq!(disk(512), number("1.536"));
    assert_eq!(disk(1024), number("2.048"));
    // both sizes have to be reached
    let vm = |cpus, ram| {
        let cloud = Cloud::new().vm("m", cpus, ram, "2026-09-04", "2026-09-04 01:00");
        exact(&september(&book, &cloud), "vm")
    };
    assert_eq!(
        [vm(4, 15), vm(3, 64), vm(4, 16)],
        [1, 1, 2].map(Exact::from)
    );
}

/// Which price it is hangs on a size that nobody knows: held and told, not guessed.
fn of_unknown_size(book: &PriceBook) {
    let period = month(book, "2026-09");
    let cloud = machine(Cloud::new(), "m", "o", "t", 64, 1);
    let records: Vec<String> = cloud
        .records(&[period])
        .iter()
        .map(|json| {
            let mut record: serde_json::Value = serde_json::from_str(json).unwrap();
            record.as_object_mut().unwrap().remove("memory");
            record.to_string()
        })
        .collect();
    let bill = crate::support::rate_json(book, &records, &[], period);
    assert!(of(&bill, "vm").is_empty());
    assert!(findings(&bill).contains(&"missing_size"));
    assert_eq!(bill.counts.charged, 0);
}

pub(crate) fn two_factors_multiply(case: &Case) {
    let rows = per_hour("vm", "1", "")
        + &factor("a", "0.5", "offering = \"o\"")
        + &factor("b", "0.5", "template = \"t\"");
    let book = book(&rows);
    let one = september(&book, &machine(Cloud::new(), "m", "o", "t", 1, 1));
    case.expect(&[crate::support::decimal(&exact(&one, "vm"), 4)]);
    // 1.5 x 0.25 x 0.8, the narrowest of one group only, discounts after them
    let rows = per_hour("vm", "1.5", "")
        + &factor("a", "0.25", "group = \"x\"\noffering = \"o\"")
        + &factor("b", "9", "group = \"x\"")
        + &factor("c", "0.8", "")
        + "[[discount]]\nid = \"d\"\npercent = 50\n";
    let two = book_and_bill(&rows);
    let line = line(&two, "vm");
    assert_eq!((&line.list, &line.net), (&number("0.3"), &number("0.15")));
    // a factor that does not name the meter leaves it alone; one of a service does not
    let rows = per_hour("vm", "1", "")
        + &factor("a", "3", "meters = [\"disk\"]")
        + &factor("b", "2", "services = [\"Backup\"]")
        + "[[service]]\nid = \"Backup\"\namount = 5\nper = \"hour\"\n";
    let cloud = machine(Cloud::new(), "m", "o", "t", 1, 1).tag(
        "m",
        "Service",
        "Backup",
        "2026-09-04",
        "2026-10-01",
    );
    let bill = september(&book_of(&rows), &cloud);
    assert_eq!(exact(&bill, "vm"), Exact::from(1));
    assert_eq!(exact(&bill, "Backup"), Exact::from(10));
    tiers_blocks_and_days();
}

fn book_of(rows: &str) -> PriceBook {
    book(rows)
}

fn book_and_bill(rows: &str) -> Bill {
    let cloud = machine(Cloud::new(), "m", "o", "t", 1, 1);
    september(&book_of(rows), &cloud)
}

/// A factor multiplies what a price makes of the quantity, whatever kind of price it is.
fn tiers_blocks_and_days() {
    let of = |fields: &str| {
        let row = format!("[[price]]\nid = \"vm\"\nmeter = \"vm\"\n{fields}\n");
        let factors = factor("a", "1.5", "") + &factor("b", "0.3", "offering = \"o\"");
        let plain = exact(&book_and_bill(&row), "vm");
        assert!(!plain.is_zero());
        assert_eq!(
            exact(&book_and_bill(&(row + &factors)), "vm"),
            plain * number("0.45"),
            "{fields}"
        );
    };
    of("amount = 7\nper = \"hour\"\nfree = \"0.25\"");
    of("amount = 7\nper = \"hour\"\nblock = \"0.3\"");
    of(
        "per = \"hour\"\ntiers = [{ up_to = \"0.5\", amount = 3, flat = 1 }, { amount = 2, flat = 5 }]",
    );
    of(
        "per = \"hour\"\ntier_mode = \"volume\"\ntiers = [{ up_to = \"0.5\", amount = 3 }, { amount = 2, flat = 5 }]",
    );
    of("amount = 7\nper = \"month\"\nproration = \"started-day\"");
    of("amount = 7\nper = \"once\"");
    of("amount = 7\nper = \"day\"\nkind = \"flat\"");
}

pub(crate) fn a_projects_own_factor(case: &Case) {
    let size = |gib: u32| format!("group = \"size\"\nat_least = {{ size = \"{gib} GiB\" }}\n");
    let rows = "[[price]]\nid = \"disk\"\nmeter = \"disk\"\namount = \"0.001\"\nper = \"hour\"\n"
        .to_owned()
        + &factor("from50", "0.98", &size(50))
        + &factor("from200", "0.95", &size(200))
        + &factor("own", "0.97", &(size(50) + "scope = { project = \"web\" }"));
    let book = book(&rows);
    let cost = |owner: &str, gib: u64| {
        let cloud = Cloud::new().volume_of(
            "v",
            owner,
            gib << 30,
            None,
            "2026-09-04",
            "2026-09-04 01:00",
        );
        exact(&september(&book, &cloud), "disk")
    };
    case.expect_shown(0, &cost("project:web", 50));
    case.expect_shown(1, &cost("project:web", 80));
    // below its threshold there is no own one; everybody else has the highest reached
    let others = [49, 50, 199, 200].map(|gib| cost("account:ops", gib));
    assert_eq!(others, ["0.049", "0.049", "0.19502", "0.19"].map(number));
    assert_eq!(cost("project:web", 49), number("0.049"));
    // and the nearest scope wins over a higher threshold: 0.97, not 0.95 as CloudKitty has it
    assert_eq!(cost("project:web", 200), number("0.194"));
}

const LEVELS: [u32; 3] = [16, 64, 128];

#[derive(Debug)]
struct Rules {
    flats: [u32; 2],
    image: u32,
    steps: [u32; 3],
    own: Option<[u32; 3]>,
}

fn rate(percent: u32) -> String {
    format!("{}.{:02}", percent / 100, percent % 100)
}

impl Rules {
    fn book(&self) -> PriceBook {
        let mut rows = factor("image", &rate(self.image), "template = \"t0\"");
        for (index, amount) in self.flats.iter().enumerate() {
            let more = format!("offering = \"o{index}\"");
            rows += &per_hour(&format!("p{index}"), &rate(*amount), &more);
        }
        let general = ("general", "", Some(self.steps));
        for (id, scope, steps) in [general, ("own", "scope = { project = \"web\" }", self.own)] {
            for (level, by) in LEVELS.iter().zip(steps.into_iter().flatten()) {
                let more =
                    format!("group = \"ram\"\nat_least = {{ ram = \"{level} GiB\" }}\n{scope}");
                rows += &factor(&format!("{id}{level}"), &rate(by), &more);
            }
        }
        book(&rows)
    }

    fn hashmap(&self) -> Vec<Rule> {
        let rule = |project, when, cost, percent: u32| Rule {
            group: "g",
            project,
            when,
            cost,
            value: number(&rate(percent)),
        };
        let mut rules = vec![rule(
            None,
            When::Field("image", "t0".to_owned()),
            Cost::Rate,
            self.image,
        )];
        for (index, amount) in self.flats.iter().enumerate() {
            let when = When::Field("flavor", format!("o{index}"));
            rules.push(rule(None, when, Cost::Flat, *amount));
        }
        for (project, steps) in [(None, Some(self.steps)), (Some("web"), self.own)] {
            for (level, by) in LEVELS.iter().zip(steps.into_iter().flatten()) {
                let when = When::FieldThreshold("memory", Exact::from(i128::from(*level)));
                rules.push(rule(project, when, Cost::Rate, by));
            }
        }
        rules
    }
}

fn rules() -> impl Strategy<Value = Rules> {
    let steps = || prop::array::uniform3(1_u32..300);
    let own = prop::option::of(steps());
    (prop::array::uniform2(0_u32..900), 0_u32..300, steps(), own).prop_map(
        |(flats, image, steps, own)| Rules {
            flats,
            image,
            steps,
            own,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// A book of prices and factors against the hashmap of the same rules.
    #[test]
    fn factors_are_what_the_hashmap_says(rules in rules(), flavour in 0_usize..3, image in 0_usize..2, ram in 1_u32..200, hours in 1_u32..23, of_project: bool) {
        let (owner, project) = if of_project { ("project:web", "web") } else { ("account:ops", "nobody") };
        let (flavour, image) = (format!("o{flavour}"), format!("t{image}"));
        let cloud = machine_of(Cloud::new(), owner, ("m", &flavour, &image), ram, hours);
        let bill = september(&rules.book(), &cloud);
        if flavour == "o2" {
            prop_assert!(of(&bill, "vm").is_empty() && findings(&bill).contains(&"unpriced"));
            return Ok(());
        }
        let fields = [("flavor", flavour), ("image", image), ("memory", ram.to_string())];
        let point = Point { quantity: Exact::from(i128::from(hours)), project, fields: fields.into_iter().collect() };
        prop_assert_eq!(exact(&bill, "vm"), price(&rules.hashmap(), &point));
    }
}

/// Two thresholds of which neither is the higher, or two equal ones, leave open which counts.
#[test]
fn thresholds_that_do_not_compare_are_refused() {
    let refused = |rows: &str| {
        let errors = PriceBook::from_toml(&book_text("", rows)).unwrap_err();
        let slugs: Vec<String> = errors
            .errors()
            .iter()
            .map(|error| error.slug().to_owned())
            .collect();
        slugs.join(" ")
    };
    let sized = |id: &str, sizes: &str| per_hour(id, "1", &format!("at_least = {{ {sizes} }}"));
    let crossed =
        sized("a", "cpus = 2, ram = \"64 GiB\"") + &sized("b", "cpus = 4, ram = \"8 GiB\"");
    assert_eq!(refused(&crossed), "price_overlap");
    let equal = sized("a", "ram = \"1 GiB\"") + &sized("b", "ram = \"1024 MiB\"");
    assert_eq!(refused(&equal), "price_overlap");
    book(&(sized("a", "cpus = 2, ram = \"8 GiB\"") + &sized("b", "cpus = 4, ram = \"8 GiB\"")));
    let twice =
        factor("a", "2", "group = \"g\"") + &factor("b", "3", "group = \"g\"\nmeters = [\"cpu\"]");
    assert_eq!(refused(&twice), "factor_overlap");
    book(
        &(factor("a", "2", "group = \"g\"\nmeters = [\"ram\"]")
            + &factor("b", "3", "group = \"g\"\nmeters = [\"cpu\"]")),
    );
    assert_eq!(refused(&sized("a", "ram = \"64\"")), "not_a_size");
    assert_eq!(refused(&sized("a", "ram = \"0.3 MiB\"")), "not_a_size");
    assert_eq!(refused(&per_hour("a", "1", "at_least = {}")), "missing");
}
