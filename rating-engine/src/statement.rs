//! What a run gives: statements with line items, findings and evidence.

use chrono::{DateTime, Utc};
use cloudstack_usage::{
    DomainId, Holder, Moment, Period, ResourceId, Tag, UsageType, VmId, VolumeId,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::book::model::Target;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::finding::Finding;
use crate::money::Money;
use crate::rounding::{RoundingMode, RoundingPoint};

/// The result of rating a period: one statement per billing account, with the findings
/// and the counts that account for every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// The billing period, as half-open UTC instants.
    pub period: Period,
    /// The book's IANA time zone, in which the period is civil.
    pub zone: String,
    /// The book's currency.
    pub currency: Currency,
    /// The book's name and digest.
    pub book: BookVersion,
    /// The statements, in the order of their paths.
    pub statements: Vec<Statement>,
    /// What was wrong or doubtful in the input, dearest first.
    pub findings: Vec<Finding>,
    /// What became of the records.
    pub counts: Counts,
    /// The sum of the printed statement totals, net.
    pub total: Money,
    /// The same with taxes.
    pub gross: Money,
    /// The sum of the exact statement totals.
    pub exact: Exact,
    /// SHA-256 over the canonical usage, inventory, book, period and engine version.
    pub digest: String,
}

/// Which price book a bill was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookVersion {
    /// The book's name.
    pub name: String,
    /// SHA-256 over the book's canonical content.
    pub digest: String,
    /// Which neighbour a tie goes to.
    pub rounding: RoundingMode,
    /// Where money is rounded.
    pub rounding_point: RoundingPoint,
}

/// What became of the records that touch the period. The parts add up to `records`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Records that touch the billing period.
    pub records: u64,
    /// Records with at least one charge that is not exempt.
    pub charged: u64,
    /// Records with exempt charges only.
    pub exempt: u64,
    /// Records that only serve as reference, by the reason's name: attach rows of volumes,
    /// running or allocated time that this book does not charge.
    pub reference: u64,
    /// Records held back or left unpriced, each named in a finding.
    pub held: u64,
    /// Records outside the period that were only read as neighbours (not in `records`).
    pub neighbours: u64,
}

/// The statement of one billing account: by default a top-level domain with its sub-domains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The billing account's domain.
    pub account: DomainId,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The line items, in the order of their keys.
    pub lines: Vec<LineItem>,
    /// The printed net total: the sum of the printed lines.
    pub total: Money,
    /// The exact net total.
    pub exact: Exact,
    /// The taxes on it, in the order of their ids; none where the book has none.
    pub taxes: Vec<TaxLine>,
    /// Net and taxes.
    pub gross: Money,
    /// What was taken from prepaid credits (lines of their own) and deposits (which reduce
    /// what is payable), in order.
    pub credits: Vec<CreditUse>,
    /// Gross less deposits.
    pub payable: Money,
}

/// The tax of one rate on a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxLine {
    /// The tax rate's id.
    pub tax: String,
    /// How it is called on a bill.
    pub label: String,
    /// Percent of the net amount.
    pub percent: Decimal,
    /// The printed lines of this rate, less the credits taken off them.
    pub base: Money,
    /// The tax: the percentage of the base, rounded once.
    pub amount: Money,
}

/// What a statement took from a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditUse {
    /// The credit's id.
    pub credit: String,
    /// Whether it is a deposit, taken off after tax.
    pub after_tax: bool,
    /// What there was.
    pub available: Money,
    /// What was taken.
    pub taken: Money,
    /// What is left: note it as spent in the book once the statement is issued.
    pub left: Money,
}

/// What a line is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Item {
    /// A meter (`cpu`, `ram`, `disk`, …).
    Meter(&'static str),
    /// A service.
    Service(String),
    /// A package.
    Package(String),
    /// The true-up to a minimum charge.
    Minimum(String),
    /// A prepaid credit: a negative amount.
    Credit(String),
}

impl Item {
    /// What a price is for.
    pub(crate) fn of(target: &Target) -> Self {
        match target {
            Target::Meter(meter) => Self::Meter(meter.slug()),
            Target::Service(id) => Self::Service(id.clone()),
            Target::Package(id) => Self::Package(id.clone()),
        }
    }

    /// The kind of item: `meter`, `service`, `package`, `minimum` or `credit`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Meter(_) => "meter",
            Self::Service(_) => "service",
            Self::Package(_) => "package",
            Self::Minimum(_) => "minimum",
            Self::Credit(_) => "credit",
        }
    }

    /// The item's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Meter(name) => name,
            Self::Service(name)
            | Self::Package(name)
            | Self::Minimum(name)
            | Self::Credit(name) => name,
        }
    }
}

/// One position of a statement: all charges of one key, added exactly and then printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineItem {
    /// The line's identity: stable for equal inputs, and what ties are broken by.
    pub key: String,
    /// The domain that owns the resource.
    pub domain: DomainId,
    /// Its path.
    pub domain_path: String,
    /// The account or project that owns the resource.
    pub holder: Holder,
    /// Its name.
    pub holder_name: String,
    /// The VM that the line belongs to: itself, or the one a volume is attached to.
    pub vm: Option<VmId>,
    /// That VM's name.
    pub vm_name: Option<String>,
    /// The volume, where the line is about one.
    pub volume: Option<VolumeId>,
    /// The resource charged.
    pub resource: ResourceId,
    /// What it is (`vm`, `volume`, `ip`, `network`, …).
    pub resource_kind: &'static str,
    /// Its name; its id or description where it has none.
    pub resource_name: String,
    /// The zone it is in, by id, where its records say.
    pub zone: Option<String>,
    /// That zone's name, where it is known.
    pub zone_name: Option<String>,
    /// The cost centre.
    pub cost_centre: Option<String>,
    /// What is charged.
    pub item: Item,
    /// How the item is called on a bill.
    pub label: String,
    /// The price's id.
    pub price: String,
    /// The price in words, such as `10.00 EUR per vCPU and month`.
    pub price_text: String,
    /// Why the line costs nothing although used: an exemption, or an item included in another.
    pub exemption: Option<String>,
    /// The tax rate's id, where the book has one for it.
    pub tax: Option<String>,
    /// What multiplies the price, in the order of the factors' groups.
    pub factors: Vec<AppliedFactor>,
    /// The discounts applied, in order.
    pub discounts: Vec<String>,
    /// Time used, in milliseconds (level meters; zero for counters).
    pub used_millis: i128,
    /// The quantity in the price's unit, such as GiB-months.
    pub quantity: Exact,
    /// That unit, such as `GiB-month` or `GiB`.
    pub unit: String,
    /// The amount before discounts, exact.
    pub list: Exact,
    /// The amount after discounts, exact.
    pub net: Exact,
    /// What is printed: the line's share of the statement's rounded total.
    pub amount: Money,
    /// From the first to the last instant charged.
    pub period: Period,
    /// When the resource was created, where known.
    pub created: Option<DateTime<Utc>>,
    /// When it was removed, where it was.
    pub removed: Option<DateTime<Utc>>,
    /// The tags of the resource (and of its VM, project) that were in force for any part.
    pub tags: Vec<Tag>,
    /// How the amount came about.
    pub explanation: Explanation,
}

/// A factor on a line's price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppliedFactor {
    /// The factor's id.
    pub factor: String,
    /// How it is called on a bill.
    pub label: String,
    /// What the price is multiplied by.
    #[serde(serialize_with = "as_text")]
    pub by: Decimal,
}

/// A number as text: never through a binary float.
fn as_text<S: serde::Serializer>(number: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// How a line came about, as data. [`LineItem::explain`] says it in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The prices that were looked at, the chosen one first, with the reason for each.
    pub prices: Vec<PriceChoice>,
    /// The segments, in order of time.
    pub segments: Vec<Segment>,
    /// The discounts applied, in order, and maximum charges, with what each took away.
    pub reductions: Vec<Reduction>,
    /// Number of usage records behind the segments; a record that is cut counts in each.
    pub records: u64,
    /// Which records these are: with the line's resource and owner they name each one, since
    /// CloudStack gives records no id. Copies of a record are among them.
    pub usage: Vec<RecordRun>,
}

/// Usage records of one type and amount in windows of one length, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordRun {
    /// Their usage type.
    pub usage_type: UsageType,
    /// From the beginning of the first window to the end of the last.
    pub period: Period,
    /// How many they are: a window each.
    pub records: u64,
    /// The `rawusage` of each, without zeros at its end.
    #[serde(serialize_with = "as_text")]
    pub raw_usage: Decimal,
}

/// A price that was considered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PriceChoice {
    /// The price's id.
    pub price: String,
    /// Whether it was taken.
    pub chosen: bool,
    /// Why.
    pub reason: String,
}

/// A part of the used time in which everything that decides the amount is constant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// From when to when.
    pub period: Period,
    /// Time used in it, in milliseconds.
    pub used_millis: i64,
    /// How the used time was placed in its window.
    pub placement: Placement,
    /// The level while used (vCPUs, MiB, bytes, 1), or the counted amount.
    pub level: i128,
    /// The quantity of the segment in the price's unit.
    pub quantity: Exact,
    /// The length of the price's period, in milliseconds; none for counted things.
    pub price_period_millis: Option<i64>,
    /// The amount before discounts.
    pub list: Exact,
    /// The amount after discounts.
    pub net: Exact,
    /// Tag moments at its bounds that decided something, with how they are known.
    pub bounds: Vec<Bound>,
}

/// A change that bounds a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bound {
    /// What changed (`tag Billing=noCPU set`, `price cpu-2026 begins`, …).
    pub what: String,
    /// When, and how that is known.
    pub moment: Moment,
}

/// How used time was placed in its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Placement {
    /// The whole window was used.
    Whole,
    /// Where the VM ran, as CloudStack's usage events say.
    Events,
    /// At the window's end: the next window goes on, the one before has nothing.
    AtEnd,
    /// At the window's start: the window before has use, the next one nothing.
    AtStart,
    /// Where the resource lived within the window.
    Lifetime,
    /// Evenly over the window (or the part of it in which the resource lived).
    Spread,
}

/// What a discount or a maximum charge took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reduction {
    /// The discount's or maximum's id.
    pub discount: String,
    /// What it says (`10 %`, `5.00 EUR a month`).
    pub text: String,
    /// The exact amount taken away.
    pub amount: Exact,
}
