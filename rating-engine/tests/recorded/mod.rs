//! The recorded October, in the worlds in which it is told.

mod attachments;
mod dirty;
mod events;
mod findings;
mod recording;
mod reshaped;
mod running;
mod timeline;
mod used_time;

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use chrono::{NaiveDate, TimeDelta};
use cloudstack_usage::{Inventory, Period, UsageRecord};
use rating_engine::{Bill, Meter, PriceBook};

use self::events::Events;
use self::recording::{Recording, rate};

/// The recording or a copy, with the zones in which its October is a civil month.
pub(crate) struct World {
    pub(crate) recording: Recording,
    pub(crate) events: Events,
    /// A zone in which days begin with the windows of `usage-daily`.
    pub(crate) utc: &'static str,
    /// A zone in which days begin with the windows of `usage-daily-berlin` in winter.
    pub(crate) berlin: &'static str,
    /// What was read, by folder.
    inputs: [OnceLock<Input>; FOLDERS.len()],
}

const FOLDERS: [&str; 3] = ["usage-daily", "usage-hourly", "usage-daily-berlin"];

/// One source of records, with the inventory that the syncs and they make.
#[derive(Clone)]
pub(crate) struct Input {
    pub(crate) records: Vec<UsageRecord>,
    pub(crate) inventory: Inventory,
}

impl World {
    fn new(recording: Recording, utc: &'static str, berlin: &'static str) -> Self {
        let events = Events::of(&recording);
        Self {
            recording,
            events,
            utc,
            berlin,
            inputs: Default::default(),
        }
    }

    /// As recorded.
    fn original() -> Self {
        Self::new(Recording::original(), "UTC", "Europe/Berlin")
    }

    /// 92 days later October is a January: as many days, other weekdays (92 = 13 weeks and
    /// a day), another year, and a month without a change of clocks. Five hours more, and
    /// the windows begin at no midnight of UTC; zones with another offset are civil there.
    fn in_january() -> Self {
        let shift = TimeDelta::days(92) + TimeDelta::hours(5);
        Self::new(Recording::copied(shift), "Etc/GMT+5", "Etc/GMT+4")
    }

    /// 313 weeks earlier is the last October whose Sundays fall on the same days: the hour
    /// that comes twice in Berlin is where it was.
    fn six_years_ago() -> Self {
        let shift = TimeDelta::weeks(-313);
        Self::new(Recording::copied(shift), "UTC", "Europe/Berlin")
    }

    /// All three, read once for all tests.
    pub(crate) fn all() -> &'static [Self; 3] {
        static WORLDS: LazyLock<[World; 3]> = LazyLock::new(|| {
            [
                World::original(),
                World::in_january(),
                World::six_years_ago(),
            ]
        });
        &WORLDS
    }

    pub(crate) fn input(&self, folder: &str) -> &Input {
        let number = FOLDERS.iter().position(|known| *known == folder).unwrap();
        self.inputs[number].get_or_init(|| {
            let records = self.recording.usage(folder);
            let inventory = self.recording.inventory(&records);
            Input { records, inventory }
        })
    }

    /// The first and the last day of the month told.
    pub(crate) fn month(&self) -> (NaiveDate, NaiveDate) {
        (self.recording.date("10-01"), self.recording.date("10-31"))
    }

    pub(crate) fn period(&self, zone: &str) -> Period {
        let (first, last) = self.month();
        measuring_book(zone).civil_period(first, last).unwrap()
    }

    /// The month with the price book of the examples.
    pub(crate) fn bill(&self, input: &Input, zone: &str) -> Bill {
        let book = PriceBook::from_toml(&self.recording.book_text(zone)).unwrap();
        rate(&book, &input.inventory, &input.records, self.month())
    }

    /// The month at a price of 1 an hour for everything.
    pub(crate) fn measured(&self, input: &Input, zone: &str) -> Measured {
        let bill = rate(
            &measuring_book(zone),
            &input.inventory,
            &input.records,
            self.month(),
        );
        Measured::of(&bill)
    }

    /// The id of a VM, volume or project by its recorded name.
    pub(crate) fn id(&self, inventory: &Inventory, name: &str) -> String {
        let name = self.recording.name(name);
        let is = |history: &cloudstack_usage::History<String>| history.last() == Some(&name);
        let vms = inventory.vms.values().filter(|vm| is(&vm.name));
        let volumes = inventory.volumes.values().filter(|volume| is(&volume.name));
        vms.map(|vm| vm.id.to_string())
            .chain(volumes.map(|volume| volume.id.to_string()))
            .next()
            .unwrap_or_else(|| panic!("nothing is called {name}"))
    }
}

/// Everything costs 1 an hour, so that a bill tells how long what was used.
pub(crate) fn measuring_book(zone: &str) -> PriceBook {
    let mut text = format!(
        "schema = 1\nname = \"Measures\"\ncurrency = \"EUR\"\nzone = {zone:?}\ncompute = \"running\"\n"
    );
    for meter in Meter::ALL.iter().filter(|meter| **meter != Meter::Os) {
        let how = match meter {
            Meter::Vm => "per = \"hour\"\nbasis = \"allocated\"\ncovers = []",
            _ if meter.dimension().is_level() => "per = \"hour\"",
            _ => "",
        };
        let slug = meter.slug();
        let row = format!("[[price]]\nid = {slug:?}\nmeter = {slug:?}\namount = \"1\"\n{how}\n");
        text.push_str(&row);
    }
    PriceBook::from_toml(&text).unwrap()
}

/// How long each resource was used, by usage type.
#[derive(Debug, PartialEq)]
pub(crate) struct Measured {
    /// Milliseconds.
    pub(crate) used: BTreeMap<(u32, String), i128>,
    /// Quantities in the unit of the meter and hours (or units counted), as fractions.
    pub(crate) quantities: BTreeMap<(String, String), String>,
}

impl Measured {
    fn of(bill: &Bill) -> Self {
        let mut used = BTreeMap::new();
        let mut quantities = BTreeMap::new();
        for line in bill
            .statements
            .iter()
            .flat_map(|statement| &statement.lines)
        {
            let item = line.item.name().to_owned();
            let resource = line.resource.to_string();
            *quantities
                .entry((item.clone(), resource.clone()))
                .or_insert_with(rating_engine::Exact::zero) += line.quantity.clone();
            if let Some(usage_type) = usage_type(&item) {
                *used.entry((usage_type, resource)).or_insert(0) += line.used_millis;
            }
        }
        let quantities = quantities
            .into_iter()
            .map(|(key, quantity)| (key, quantity.to_string()))
            .collect();
        Self { used, quantities }
    }

    /// The milliseconds of one usage type.
    pub(crate) fn of_type(&self, usage_type: u32) -> BTreeMap<&str, i128> {
        let of_type = self.used.iter().filter(|((of, _), _)| *of == usage_type);
        of_type
            .map(|((_, resource), millis)| (resource.as_str(), *millis))
            .collect()
    }
}

/// The usage type whose time a meter measures; memory measures no other than vCPUs do.
fn usage_type(item: &str) -> Option<u32> {
    match item {
        "cpu" => Some(1),
        "vm" => Some(2),
        "ram" => None,
        other => cloudstack_usage::UsageType::ALL
            .iter()
            .find(|usage_type| Meter::of(**usage_type) == Meter::from_slug(other))
            .map(|usage_type| usage_type.id()),
    }
}
