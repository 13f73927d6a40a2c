//! Random clouds, months, windows and price books for laws that hold for all of them.

use chrono::{DateTime, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use cloudstack_usage::{Period, Snapshot};
use proptest::prelude::*;
use proptest::sample::select;
use rating_engine::{Bill, PriceBook};

use super::cloud::{Address, Disk, Machine, Over, Tagging, fixed, span_of, windows};
use super::{Cloud, rate_json};

pub(crate) const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Beirut",
    "Africa/Casablanca",
];

const OWNERS: &[&str] = &[
    "account:ops",
    "account:dev",
    "project:web",
    "project:shop",
    "project:lab",
];

/// A cloud around a month, the windows that its usage comes in, and the rows of a book.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) zone: &'static str,
    pub(crate) settings: String,
    pub(crate) rows: Vec<String>,
    pub(crate) cloud: Cloud,
    pub(crate) period: Period,
    pub(crate) windows: Vec<Period>,
}

impl std::fmt::Debug for Scene {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} {} in {} windows like {:?}",
            self.zone,
            self.period,
            self.windows.len(),
            self.windows.first()
        )?;
        writeln!(f, "{}\n{:#?}", self.text(), self.cloud)
    }
}

impl Scene {
    pub(crate) fn text(&self) -> String {
        self.text_of(&self.rows)
    }

    pub(crate) fn text_of(&self, rows: &[String]) -> String {
        let settings = format!("zone = \"{}\"\n{}", self.zone, self.settings);
        super::book_text(&settings, &rows.concat())
    }

    pub(crate) fn book(&self) -> PriceBook {
        read(&self.text())
    }

    pub(crate) fn records(&self) -> Vec<String> {
        self.cloud.records(&self.windows)
    }

    pub(crate) fn snapshots(&self) -> Vec<Snapshot> {
        self.cloud.snapshots(span_of(&self.windows))
    }

    pub(crate) fn rate(&self) -> Bill {
        self.rate_book(&self.book(), self.period)
    }

    pub(crate) fn rate_book(&self, book: &PriceBook, period: Period) -> Bill {
        rate_json(book, &self.records(), &self.snapshots(), period)
    }
}

pub(crate) fn read(text: &str) -> PriceBook {
    PriceBook::from_toml(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// The civil month of a zone.
pub(crate) fn civil_month(zone: &str, year: i32, month: u32) -> Period {
    let text = super::book_text(&format!("zone = \"{zone}\""), "");
    let first = NaiveDate::from_ymd_opt(year, month, 1).unwrap();
    let last = first + Months::new(1) - Days::new(1);
    read(&text).civil_period(first, last).unwrap()
}

/// Which kinds of rules a book may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Prices per unit and percentages: the amount of a moment hangs on that moment alone.
    OfTheMoment,
    /// Also free units, tiers, blocks and fixed discounts, which look at the whole month.
    OfTheMonth,
}

/// Minutes from the beginning of the month, from some days before it to some after it.
fn minute() -> impl Strategy<Value = i64> {
    -4_000_i64..48_000
}

fn stretch() -> impl Strategy<Value = (i64, i64)> {
    (minute(), prop_oneof![1_i64..600, 1_i64..50_000])
        .prop_map(|(start, length)| (start, start + length))
}

#[derive(Debug, Clone)]
struct Plan {
    zone: &'static str,
    year: i32,
    month: u32,
    window_minutes: i64,
    offset_minutes: i64,
    vms: Vec<Vm>,
    volumes: Vec<Volume>,
    ips: Vec<((i64, i64), usize)>,
    traffic: Vec<(u8, u64, usize)>,
    tags: Vec<Tag>,
    account_moves: Option<i64>,
    prices: Vec<Price>,
    special: Vec<Special>,
    discounts: Vec<Discount>,
    factors: Vec<Factor>,
    settings: usize,
}

type Vm = (
    (i64, i64),
    usize,
    Option<(i64, usize)>,
    (u32, u32),
    Option<(i64, u32, u32)>,
    Option<(i64, i64)>,
);
type Volume = ((i64, i64), usize, u64, Option<(i64, u64)>, Option<usize>);
type Tag = (usize, usize, (i64, i64));
/// Amount, per, where it changes, the later amount, kind.
type Price = (u32, usize, Option<(i64, u32)>, u8);
type Special = (usize, u32, usize, (i64, i64));
type Discount = (bool, u32, usize, (i64, i64), u8);
/// Percent, whom it is for, when, what and from which size on.
type Factor = (u32, usize, (i64, i64), u8);

fn plan() -> impl Strategy<Value = Plan> {
    let owner = 0..OWNERS.len();
    let vm = (
        stretch(),
        owner.clone(),
        prop::option::of((minute(), owner.clone())),
        (1_u32..9, 1_u32..70),
        prop::option::of((minute(), 1_u32..9, 1_u32..70)),
        prop::option::of(stretch()),
    );
    let volume = (
        stretch(),
        owner.clone(),
        1_u64..(1 << 42),
        prop::option::of((minute(), 1_u64..(1 << 42))),
        prop::option::of(0_usize..3),
    );
    let time = (
        select(ZONES),
        2024_i32..2028,
        1_u32..13,
        select(&[240_i64, 1440, 1440, 1440, 433, 2880][..]),
        0_i64..60,
    );
    let things = (
        prop::collection::vec(vm, 1..4),
        prop::collection::vec(volume, 1..4),
        prop::collection::vec((stretch(), owner.clone()), 0..3),
        prop::collection::vec((0_u8..28, 0_u64..(1 << 45), owner), 0..4),
        prop::collection::vec((0_usize..9, 0_usize..9, stretch()), 0..6),
        prop::option::of(minute()),
    );
    let price = (
        0_u32..1_000_000,
        0_usize..3,
        prop::option::of((minute(), 0_u32..1_000_000)),
        0_u8..6,
    );
    let rules = (
        prop::collection::vec(price, 7),
        prop::collection::vec((0_usize..7, 0_u32..1_000_000, 0_usize..9, stretch()), 0..3),
        prop::collection::vec(
            (any::<bool>(), 0_u32..101, 0_usize..9, stretch(), 0_u8..3),
            0..4,
        ),
        0_usize..12,
        prop::collection::vec((0_u32..300, 0_usize..14, stretch(), 0_u8..4), 0..3),
    );
    (time, things, rules).prop_map(|(time, things, rules)| Plan {
        zone: time.0,
        year: time.1,
        month: time.2,
        window_minutes: time.3,
        offset_minutes: time.4,
        vms: things.0,
        volumes: things.1,
        ips: things.2,
        traffic: things.3,
        tags: things.4,
        account_moves: things.5,
        prices: rules.0,
        special: rules.1,
        discounts: rules.2,
        factors: rules.4,
        settings: rules.3,
    })
}

/// Any scene whose book has such rules.
pub(crate) fn scene(rules: Rules) -> impl Strategy<Value = Scene> {
    plan().prop_map(move |plan| plan.build(rules))
}

const METERS: &[(&str, &str)] = &[
    ("cpu", "vCPU"),
    ("ram", "GiB"),
    ("disk", "GiB"),
    ("ip", "each"),
    ("traffic_sent", "GiB"),
    ("os", "each"),
    ("vm", "each"),
];

impl Plan {
    fn build(&self, rules: Rules) -> Scene {
        let period = civil_month(self.zone, self.year, self.month);
        Scene {
            zone: self.zone,
            settings: self.settings(),
            rows: self.rows(period, rules),
            cloud: self.cloud(period),
            period,
            windows: windows(
                period,
                TimeDelta::minutes(self.window_minutes),
                TimeDelta::minutes(self.offset_minutes),
            ),
        }
    }

    fn settings(&self) -> String {
        let stacking = ["nearest", "multiply", "add-capped", "best-of"][self.settings % 4];
        let compute = ["allocated", "running"][self.settings % 2];
        let inherit = ["inherit", "own"][self.settings / 6];
        format!(
            "compute = \"{compute}\"\ndiscount_stacking = \"{stacking}\"\nvm_tags_on_volumes = \"{inherit}\"\n"
        )
    }

    #[expect(clippy::too_many_lines, reason = "one thing after the other")]
    fn cloud(&self, period: Period) -> Cloud {
        let at = |minute: i64| minute_of(period, minute);
        let life = |(start, end): (i64, i64)| Period::new(at(start), at(end)).unwrap();
        let owned = |first: usize, then: Option<(i64, usize)>| -> Over<String> {
            let mut owners = fixed(OWNERS[first].to_owned());
            owners.extend(then.map(|(minute, owner)| (at(minute), OWNERS[owner].to_owned())));
            owners
        };
        let mut cloud = Cloud::new()
            .domain("beta", "ROOT/beta", "ROOT")
            .domain("sub", "ROOT/acme/sub", "acme")
            .project("shop", "beta")
            .project("lab", "sub");
        cloud
            .accounts
            .push(("dev".to_owned(), fixed("beta".to_owned())));
        if let Some(minute) = self.account_moves {
            cloud.accounts[0].1.push((at(minute), "sub".to_owned()));
        }
        for (index, (stretch, owner, moved, (cpus, ram), resized, stopped)) in
            self.vms.iter().enumerate()
        {
            let mut size = fixed((*cpus, ram * 512));
            size.extend(resized.map(|(minute, cpus, ram)| (at(minute), (cpus, ram * 512))));
            cloud.vms.push(Machine {
                id: format!("vm{index}"),
                owner: owned(*owner, *moved),
                size,
                life: life(*stretch),
                stopped: stopped.iter().map(|stretch| life(*stretch)).collect(),
                offering: None,
                template: Some("image".to_owned()),
                os_type: None,
                zone: None,
            });
        }
        for (index, (stretch, owner, bytes, resized, vm)) in self.volumes.iter().enumerate() {
            let mut size = fixed(*bytes);
            size.extend(resized.map(|(minute, bytes)| (at(minute), bytes)));
            cloud.volumes.push(Disk {
                id: format!("volume{index}"),
                owner: owned(*owner, None),
                size,
                life: life(*stretch),
                vm: vm
                    .filter(|vm| *vm < self.vms.len())
                    .map(|vm| format!("vm{vm}")),
                offering: None,
            });
        }
        for (index, (stretch, owner)) in self.ips.iter().enumerate() {
            cloud.ips.push(Address {
                id: format!("ip{index}"),
                owner: owned(*owner, None),
                life: life(*stretch),
            });
        }
        for (index, (day, bytes, owner)) in self.traffic.iter().enumerate() {
            let start = at(i64::from(*day) * 1440);
            cloud.counters.push(super::cloud::Counter {
                usage_type: 4,
                id: format!("network{}", index % 2),
                owner: OWNERS[*owner].to_owned(),
                amounts: vec![(
                    Period::new(start, start + TimeDelta::days(1)).unwrap(),
                    *bytes,
                )],
            });
        }
        for (what, which, stretch) in &self.tags {
            let (key, value) = [
                ("Billing", "noCPU"),
                ("Billing", "noRAM,noDisk"),
                ("Billing:noDisk", ""),
                ("Package", "Gold"),
                ("Service", "Backup"),
                ("Service", "Monitoring"),
                ("CostCenter", "a"),
                ("CostCenter", "b"),
                ("colour", "red"),
            ][*what];
            let (resource_type, resource) = match which {
                0..3 => ("UserVm", format!("vm{which}")),
                3..6 => ("Volume", format!("volume{}", which - 3)),
                6 => ("Project", "web".to_owned()),
                7 => ("Project", "shop".to_owned()),
                _ => ("Project", "lab".to_owned()),
            };
            let taken = cloud
                .tags
                .iter()
                .any(|tag: &Tagging| tag.resource == resource && tag.key == key);
            // a key has one value at a time
            if !taken {
                cloud.tags.push(Tagging {
                    resource_type,
                    resource,
                    key: key.to_owned(),
                    value: value.to_owned(),
                    life: life(*stretch),
                });
            }
        }
        cloud
    }

    fn rows(&self, period: Period, rules: Rules) -> Vec<String> {
        let mut rows = vec![
            "[[service]]\nid = \"Backup\"\namount = \"7.77\"\nper = \"month\"\n".to_owned(),
            "[[service]]\nid = \"Monitoring\"\namount = \"0.0033\"\nper = \"hour\"\n".to_owned(),
            "[[package]]\nid = \"Gold\"\nservices = [\"Backup\", \"Monitoring\"]\namount = \"9\"\nper = \"month\"\n".to_owned(),
        ];
        for ((meter, unit), (amount, per, change, kind)) in METERS.iter().zip(&self.prices) {
            // without a price for the VM itself CPU and RAM are not included in it
            if *meter == "vm" {
                continue;
            }
            let per = if *meter == "traffic_sent" {
                String::new()
            } else {
                format!("per = \"{}\"\n", ["hour", "day", "month"][*per])
            };
            let image = if *meter == "os" {
                "template = \"image\"\n"
            } else {
                ""
            };
            let mut row = |id: &str, amount: u32, bound: String| {
                let kind = kind_of(*kind, amount, rules);
                rows.push(format!("[[price]]\nid = \"{meter}-{id}\"\nmeter = \"{meter}\"\nunit = \"{unit}\"\n{per}{image}{kind}{bound}"));
            };
            match change {
                None => row("1", *amount, String::new()),
                Some((minute, later)) => {
                    let at = instant_text(minute_of(period, *minute));
                    row("1", *amount, format!("until = \"{at}\"\n"));
                    row("2", *later, format!("from = \"{at}\"\n"));
                }
            }
        }
        for (index, (meter, amount, scope, stretch)) in self.special.iter().enumerate() {
            let (meter, unit) = METERS[*meter];
            if meter == "vm"
                || self.special[..index]
                    .iter()
                    .any(|other| METERS[other.0].0 == meter)
            {
                continue;
            }
            let per = if meter == "traffic_sent" {
                ""
            } else {
                "per = \"month\"\n"
            };
            let bounds = bounds_text(period, *stretch);
            rows.push(format!(
                "[[price]]\nid = \"special{index}\"\nmeter = \"{meter}\"\nunit = \"{unit}\"\n{per}amount = \"{}\"\n{bounds}{}",
                decimal_of(*amount),
                scope_text(*scope)
            ));
        }
        for (index, (percent, amount, scope, stretch, meters)) in self.discounts.iter().enumerate()
        {
            let amount = if *percent || rules == Rules::OfTheMoment {
                format!("percent = {amount}\n")
            } else {
                format!("amount = \"{amount}.5\"\n")
            };
            let meters =
                ["", "meters = [\"cpu\", \"disk\"]\n", "net_prices = true\n"][usize::from(*meters)];
            rows.push(format!(
                "[[discount]]\nid = \"discount{index}\"\n{amount}{meters}{}{}",
                bounds_text(period, *stretch),
                scope_text(*scope)
            ));
        }
        for (index, (percent, scope, stretch, what)) in self.factors.iter().enumerate() {
            let what = [
                "",
                "meters = [\"cpu\", \"disk\", \"traffic_sent\"]\n",
                "at_least = { cpus = 3 }\n",
                "at_least = { size = \"200 GiB\" }\n",
            ][usize::from(*what)];
            let scope = if *scope < 9 {
                scope_text(*scope)
            } else {
                String::new()
            };
            rows.push(format!(
                "[[factor]]\nid = \"factor{index}\"\nfactor = \"{}.{:02}\"\n{what}{}{scope}",
                percent / 100,
                percent % 100,
                bounds_text(period, *stretch),
            ));
        }
        rows
    }
}

fn decimal_of(amount: u32) -> String {
    format!("{}.{:04}", amount / 10_000, amount % 10_000)
}

fn kind_of(kind: u8, amount: u32, rules: Rules) -> String {
    let price = decimal_of(amount);
    match kind {
        _ if rules == Rules::OfTheMoment => format!("amount = \"{price}\"\n"),
        0 => format!("amount = \"{price}\"\nfree = \"2.5\"\naccumulate = \"account\"\n"),
        1 => format!("amount = \"{price}\"\nblock = \"0.3\"\naccumulate = \"project\"\n"),
        2 => format!(
            "tiers = [{{ up_to = \"0.5\", amount = \"{price}\" }}, {{ up_to = 20, amount = \"0.1\", flat = 3 }}, {{ amount = \"0.05\" }}]\n"
        ),
        3 => format!(
            "tier_mode = \"volume\"\naccumulate = \"domain\"\ntiers = [{{ up_to = 4, amount = \"{price}\", flat = \"1.1\" }}, {{ amount = \"0.7\" }}]\n"
        ),
        _ => format!("amount = \"{price}\"\n"),
    }
}

fn scope_text(scope: usize) -> String {
    let (kind, name) = [
        ("domain", "ROOT/acme"),
        ("domain", "beta"),
        ("domain", "ROOT"),
        ("project", "web"),
        ("project", "lab"),
        ("vm", "vm0"),
        ("vm", "vm1"),
        ("volume", "volume0"),
        ("domain", "ROOT/acme/sub"),
    ][scope];
    format!("scope = {{ {kind} = \"{name}\" }}\n")
}

fn bounds_text(period: Period, (start, end): (i64, i64)) -> String {
    format!(
        "from = \"{}\"\nuntil = \"{}\"\n",
        instant_text(minute_of(period, start)),
        instant_text(minute_of(period, end))
    )
}

pub(crate) fn instant_text(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

pub(crate) fn minute_of(period: Period, minute: i64) -> DateTime<Utc> {
    period.start() + TimeDelta::minutes(minute)
}

/// The zone as a type, for tests that compute civil time by themselves.
pub(crate) fn zone(name: &str) -> Tz {
    name.parse().unwrap()
}
