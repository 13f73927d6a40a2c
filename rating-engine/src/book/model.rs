//! The price book as the engine reads it: immutable and validated.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use cloudstack_usage::{Period, PeriodError};
use rust_decimal::Decimal;

use super::change::BookChange;
use super::factor::Factor;
use super::selector::Selector;
use super::terms::{Credit, FindingPolicies, Limit, Tax};
use crate::calendar;
use crate::currency::Currency;
use crate::meter::Meter;
use crate::proration::Proration;
use crate::rounding::{RoundingMode, RoundingPoint};
use crate::unit::PriceUnit;
use crate::zones::Zones;

/// Which of a VM's times is charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Basis {
    /// The time it ran (usage type 1).
    Running,
    /// The time it existed, running or not (usage type 2).
    Allocated,
}

/// How long a month is for month prices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum MonthProfile {
    /// The civil month in the book's zone: a full month costs exactly its price.
    #[default]
    Calendar,
    /// 730 hours.
    H730,
    /// 30 days, of which no more are charged in a month.
    D30,
    /// 672 hours, of which no more are charged in a month.
    Cap672,
}

impl MonthProfile {
    /// The most time that is charged in a month, where the profile has a most.
    pub(crate) fn cap_millis(self) -> Option<i64> {
        match self {
            Self::Calendar | Self::H730 => None,
            Self::D30 => Some(720 * 3_600_000),
            Self::Cap672 => Some(672 * 3_600_000),
        }
    }
}

/// Whether a VM's tags reach its volumes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Inheritance {
    /// They do.
    #[default]
    Inherit,
    /// Only a volume's own tags count.
    Own,
}

/// How the moment of a tag change between two syncs is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum TagMoments {
    /// By CloudStack's events where they are unambiguous, else by the sync that saw it.
    #[default]
    Event,
    /// Always by the sync that saw it.
    Seen,
}

/// Whose tags may give exemptions, packages and services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Trust {
    /// CloudStack's tags and our own labels.
    #[default]
    Any,
    /// Labels only, since tenants can set CloudStack's tags themselves.
    Labels,
}

/// What a price's amount is per.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// Hour used.
    Hour,
    /// 24 hours used.
    Day,
    /// Month, by the book's profile.
    Month,
    /// Once, when the resource comes into being within the period.
    Once,
    /// Counted thing (traffic, requests): no time in it.
    Unit,
}

impl Per {
    /// As written in a book.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
            Self::Once => "once",
            Self::Unit => "unit",
        }
    }
}

/// What a price is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A meter.
    Meter(Meter),
    /// A service by its id.
    Service(String),
    /// A package by its id.
    Package(String),
}

/// Whom a price or discount is for, by name, path or id as written in the book.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Everybody.
    #[default]
    Book,
    /// A domain with its sub-domains.
    Domain(String),
    /// A project.
    Project(String),
    /// A VM (with its volumes).
    Vm(String),
    /// A volume.
    Volume(String),
}

impl Scope {
    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::Book => "everybody".to_owned(),
            Self::Domain(name) => format!("domain {name}"),
            Self::Project(name) => format!("project {name}"),
            Self::Vm(name) => format!("VM {name}"),
            Self::Volume(name) => format!("volume {name}"),
        }
    }
}

/// A condition on tags: a key, and a value where it must be a certain one.
///
/// Written `Billing=noCPU` or `Billing:noCPU`: the value may be one of several, separated
/// by commas, or be part of the key (`Billing:noCPU` with any value).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TagMatch {
    /// The key.
    pub key: String,
    /// The value; any where none is given.
    pub value: Option<String>,
}

impl TagMatch {
    /// Reads `key=value`, `key:value` or `key`.
    pub fn parse(text: &str) -> Option<Self> {
        let (key, value) = match text.split_once(['=', ':']) {
            Some((key, value)) => (key.trim(), Some(value.trim().to_owned())),
            None => (text.trim(), None),
        };
        let valid = !key.is_empty() && value.as_deref() != Some("");
        valid.then(|| Self {
            key: key.to_owned(),
            value,
        })
    }

    /// Whether a tag fulfils it.
    pub fn matches(&self, key: &str, value: &str) -> bool {
        match &self.value {
            None => key == self.key,
            Some(wanted) => {
                (key == self.key && values(value).any(|part| part == wanted))
                    || key
                        .strip_prefix(self.key.as_str())
                        .and_then(|rest| rest.strip_prefix(':'))
                        == Some(wanted)
            }
        }
    }

    /// Whether a tag is just this one, its value taken whole: how selectors read it.
    pub fn is(&self, key: &str, value: &str) -> bool {
        key == self.key && self.value.as_deref().is_none_or(|wanted| wanted == value)
    }

    /// Whether a tag of this key can matter to it.
    pub fn reads(&self, key: &str) -> bool {
        key == self.key
            || self.value.as_deref().is_some_and(|wanted| {
                key.strip_prefix(self.key.as_str())
                    .and_then(|rest| rest.strip_prefix(':'))
                    == Some(wanted)
            })
    }

    /// As written.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}={value}", self.key),
            None => self.key.clone(),
        }
    }
}

/// The values of a tag that holds several, separated by commas.
pub(crate) fn values(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// One step of a tiered price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The last quantity of the tier (included), in the price's unit; none for the last tier.
    pub up_to: Option<Decimal>,
    /// The price of a unit in it.
    pub amount: Decimal,
    /// Charged once when the tier is reached.
    pub flat: Decimal,
}

/// How the amount follows from the quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PriceKind {
    /// So much per unit.
    PerUnit(Decimal),
    /// Each unit at the price of the tier it falls in.
    Graduated(Vec<Tier>),
    /// All units at the price of the tier that the total falls in.
    Volume(Vec<Tier>),
    /// So much per started block of units.
    Block {
        /// Units in a block.
        size: Decimal,
        /// Price of a block.
        amount: Decimal,
    },
    /// So much, whatever the quantity: for the time of each resource, or once a month for
    /// what is counted.
    Flat(Decimal),
    /// So much percent of what other things of the same resource cost.
    Percent(Percentage),
}

/// A price that follows the value of other charges, such as the fee for managing a VM.
///
/// Its quantity is money: what the charges come to before discounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Percentage {
    /// Percent of them.
    pub percent: Decimal,
    /// The meters whose charges count; none means all, where `items` is empty too.
    pub meters: Vec<Meter>,
    /// The services and packages whose charges count.
    pub items: Vec<String>,
    /// An amount on top, for each VM (or other resource) once a month.
    pub fee: Decimal,
    /// How many of them pay no fee.
    pub free_fees: u32,
}

/// At what time the units are counted that tiers, blocks and free units go by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CountOver {
    /// All units of the month together.
    #[default]
    Month,
    /// At each moment those that are there: what is taken away leaves the upper tier.
    Moment,
}

/// Over what tiers, blocks and free units accumulate within the month.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Accumulation {
    /// Each resource by itself.
    #[default]
    Resource,
    /// All resources of a project (or account).
    Project,
    /// All resources of a domain, sub-domains apart.
    Domain,
    /// All resources of a billing account.
    Account,
}

/// An amount per unit and time, with selector, scope and validity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// Its id, unique in the book.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// What it is for.
    pub target: Target,
    /// How much.
    pub kind: PriceKind,
    /// Per which time.
    pub per: Per,
    /// Per which unit.
    pub unit: PriceUnit,
    /// Free units a month, before anything is charged.
    pub free: Option<Decimal>,
    /// Over what tiers and free units accumulate.
    pub accumulate: Accumulation,
    /// Whether they go by the units of the month or of the moment.
    pub count_over: CountOver,
    /// What counts as used time, where it is not the book's.
    pub proration: Option<Proration>,
    /// Which resources.
    pub selector: Selector,
    /// Which customer.
    pub scope: Scope,
    /// When.
    pub validity: Period,
    /// VMs: which time, where it is not the book's.
    pub basis: Option<Basis>,
    /// Meters that this price includes; they print at zero.
    pub covers: Vec<Meter>,
    /// Whether discounts leave it alone unless they say otherwise.
    pub net: bool,
}

impl Price {
    /// Whether its amount depends on what else was used in the month.
    pub fn accumulates(&self) -> bool {
        let flat = matches!(self.kind, PriceKind::Flat(_));
        if flat {
            return self.per == Per::Unit;
        }
        self.free.is_some() || !matches!(self.kind, PriceKind::PerUnit(_))
    }

    /// Whether it is a percentage of other charges.
    pub(crate) fn is_percentage(&self) -> bool {
        matches!(self.kind, PriceKind::Percent(_))
    }

    /// The price of a unit, where each costs the same.
    pub(crate) fn amount_per_unit(&self) -> Option<Decimal> {
        match self.kind {
            PriceKind::PerUnit(amount) => Some(amount),
            PriceKind::Flat(amount) => self.ignores_size().then_some(amount),
            _ => None,
        }
    }

    /// Whether its quantity is time alone, whatever the size of the resource.
    pub(crate) fn ignores_size(&self) -> bool {
        matches!(self.kind, PriceKind::Flat(_)) && self.per != Per::Unit
    }
}

/// A tag that switches charges off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    /// Its id, which is the reason on the line.
    pub id: String,
    /// The tag.
    pub tag: TagMatch,
    /// The meters switched off.
    pub meters: Vec<Meter>,
    /// When the rule holds.
    pub validity: Period,
}

/// A sold service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// The tag that gives it to a VM.
    pub tag: TagMatch,
}

/// A bundle of services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its id.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// The tag that gives it to a VM.
    pub tag: TagMatch,
    /// Its row of the package matrix: which service is in it when.
    pub services: Vec<PackageService>,
    /// Meters that it includes.
    pub covers: Vec<Meter>,
}

/// One cell of the package matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageService {
    /// The service.
    pub service: String,
    /// Since when and until when it is in the package.
    pub validity: Period,
}

/// How much a discount takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscountAmount {
    /// Percent of the charge.
    Percent(Decimal),
    /// A fixed amount a month, once per scope.
    Fixed(Decimal),
}

/// A time-bounded reduction on a scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    /// Its id.
    pub id: String,
    /// How it is called on a bill.
    pub label: Option<String>,
    /// How much.
    pub amount: DiscountAmount,
    /// For whom.
    pub scope: Scope,
    /// When.
    pub validity: Period,
    /// The meters it covers; none means all.
    pub meters: Vec<Meter>,
    /// The services and packages it covers; none means all, where `meters` is empty too.
    pub items: Vec<String>,
    /// Whether it touches net (hard-linked) prices.
    pub net_prices: bool,
    /// Fixed ones: whether the amount is prorated by validity (else full once it applies).
    pub prorate: bool,
}

/// How discounts on several scopes add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Stacking {
    /// The nearest scope that has one for the meter; all of that scope.
    #[default]
    Nearest,
    /// The largest percentage of all.
    BestOf,
    /// All, percentages multiplied.
    Multiply,
    /// All, percentages added, at most 100.
    AddCapped,
}

/// An immutable, validated, versioned set of prices, services, packages, exemptions and
/// discounts in one currency and one time zone.
///
/// Read with [`PriceBook::from_toml`] or [`PriceBook::from_json`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    pub(crate) name: String,
    pub(crate) currency: Currency,
    pub(crate) zones: Zones,
    /// Of customers, by their domain as written.
    pub(crate) customer_zones: BTreeMap<String, Zones>,
    pub(crate) compute: Basis,
    pub(crate) month: MonthProfile,
    pub(crate) proration: Proration,
    pub(crate) rounding: RoundingMode,
    pub(crate) rounding_point: RoundingPoint,
    pub(crate) inheritance: Inheritance,
    pub(crate) tag_moments: TagMoments,
    pub(crate) cost_centre_key: String,
    pub(crate) trust_exemptions: Trust,
    pub(crate) trust_packages: Trust,
    pub(crate) not_metered_from_millis: i64,
    pub(crate) stacking: Stacking,
    pub(crate) accounts: Vec<String>,
    pub(crate) prices: Vec<Price>,
    pub(crate) exemptions: Vec<Exemption>,
    pub(crate) services: Vec<Service>,
    pub(crate) packages: Vec<Package>,
    pub(crate) discounts: Vec<Discount>,
    pub(crate) factors: Vec<Factor>,
    pub(crate) changes: Vec<BookChange>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) credits: Vec<Credit>,
    pub(crate) taxes: Vec<Tax>,
    pub(crate) findings: FindingPolicies,
    pub(crate) digest: String,
}

impl PriceBook {
    /// The book's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The currency of every amount in it.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// The IANA name of the time zone that it begins with.
    pub fn zone_name(&self) -> &'static str {
        self.zones.of(NaiveDate::MIN).name()
    }

    /// The IANA name of its time zone on a date: another one where it has changed.
    pub fn zone_name_on(&self, date: NaiveDate) -> &'static str {
        self.zones.of(date).name()
    }

    /// The book for the statement of one customer (a domain by its path, or as the book
    /// writes it): the same, with months and days civil in the zones that the book gives to
    /// this domain or the nearest one above it. Rate that customer's period with it, and take
    /// its statement alone.
    ///
    /// ```
    /// # let head = "schema = 1\nname = \"B\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"running\"";
    /// use rating_engine::PriceBook;
    ///
    /// let row = "[[zone_change]]\ndomain = \"ROOT/acme\"\nzone = \"Asia/Tokyo\"";
    /// let book = PriceBook::from_toml(&format!("{head}\n{row}")).unwrap();
    /// let october = |book: &PriceBook| {
    ///     book.civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap()
    /// };
    /// let acme = book.for_customer("ROOT/acme/web");
    /// assert_eq!(october(&acme).start().to_rfc3339(), "2026-09-30T15:00:00+00:00");
    /// assert_eq!(book.for_customer("ROOT/beta"), book);
    /// ```
    #[must_use]
    pub fn for_customer(&self, domain: &str) -> Self {
        let mut book = self.clone();
        if let Some(zones) = self.zones_of(domain) {
            book.zones = zones.clone();
        }
        book
    }

    /// The zones that the book gives to a domain, or to the nearest one above it.
    pub(crate) fn zones_of(&self, domain: &str) -> Option<&Zones> {
        let mut paths = std::iter::successors(Some(domain), |path| {
            path.rsplit_once('/').map(|(above, _)| above)
        });
        paths.find_map(|path| self.customer_zones.get(path))
    }

    /// The customers with a zone of their own, as the book writes them.
    pub fn customers_with_zones(&self) -> impl Iterator<Item = &str> {
        self.customer_zones.keys().map(String::as_str)
    }

    /// How the moment of a tag change is to be taken when the inventory is built.
    pub fn tag_moments(&self) -> TagMoments {
        self.tag_moments
    }

    /// The book's history, in the order of its versions. It decides no amount.
    pub fn changes(&self) -> &[BookChange] {
        &self.changes
    }

    /// SHA-256 of the book's canonical content: the same for TOML and JSON, for any order
    /// of its rows. Its history of changes is no part of it.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The prices, in the order of their ids.
    pub fn prices(&self) -> &[Price] {
        &self.prices
    }

    /// The discounts, in the order of their ids.
    pub fn discounts(&self) -> &[Discount] {
        &self.discounts
    }

    /// The factors on prices, in the order of their groups and ids.
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// The minimum and maximum charges, minimum ones first, each in the order of their ids.
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The prepaid credits, in the order of their ids.
    pub fn credits(&self) -> &[Credit] {
        &self.credits
    }

    /// The tax rates, in the order of their ids.
    pub fn taxes(&self) -> &[Tax] {
        &self.taxes
    }

    /// What is done about doubtful usage.
    pub fn finding_policies(&self) -> FindingPolicies {
        self.findings
    }

    /// The services, in the order of their ids.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The packages, in the order of their ids.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// The billing period of the civil dates from `first` to `last`, both included, in the
    /// book's zone. Where the zone changes, one period still ends where the next begins.
    ///
    /// # Errors
    /// When `last` is before `first`.
    pub fn civil_period(&self, first: NaiveDate, last: NaiveDate) -> Result<Period, PeriodError> {
        calendar::civil_period(first, last, &self.zones)
    }

    /// The civil date of an instant, in the book's zone.
    ///
    /// ```
    /// # let head = "schema = 1\nname = \"B\"\ncurrency = \"EUR\"\nzone = \"Europe/Berlin\"\ncompute = \"running\"";
    /// use rating_engine::PriceBook;
    ///
    /// let book = PriceBook::from_toml(head).unwrap();
    /// let date = book.civil_date("2026-10-31T23:30:00Z".parse().unwrap());
    /// assert_eq!(date.to_string(), "2026-11-01");
    /// ```
    pub fn civil_date(&self, instant: DateTime<Utc>) -> NaiveDate {
        self.zones.date(instant)
    }

    /// The civil months that a period touches, each as far as it lies within it.
    ///
    /// ```
    /// # let head = "schema = 1\nname = \"B\"\ncurrency = \"EUR\"\nzone = \"Europe/Berlin\"\ncompute = \"running\"";
    /// use rating_engine::PriceBook;
    ///
    /// let book = PriceBook::from_toml(head).unwrap();
    /// let quarter = book.civil_period("2026-01-15".parse().unwrap(), "2026-03-31".parse().unwrap()).unwrap();
    /// let months = book.civil_months(quarter);
    /// assert_eq!(months.len(), 3);
    /// assert_eq!(months[0].start(), quarter.start());
    /// assert_eq!(months[1].start().to_rfc3339(), "2026-01-31T23:00:00+00:00");
    /// ```
    pub fn civil_months(&self, period: Period) -> Vec<Period> {
        let months = calendar::months(period, &self.zones).into_iter();
        months
            .filter_map(|month| month.intersect(&period))
            .collect()
    }
}
