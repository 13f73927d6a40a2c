//! Why Quota's total and ours differ: line by line and by cause, adding up exactly.

use std::collections::BTreeMap;

use cloudstack_usage::{Holder, ResourceId, UsageType};

use super::book::component_of;
use super::error::{QuotaError, QuotaErrorKind};
use super::statement::{Key, Line, QuotaStatement};
use crate::exact::Exact;
use crate::finding::FindingKind;
use crate::meter::{Dimension, Meter};
use crate::statement::{Bill, Item, LineItem};

/// Declares the kinds with their stable names and meanings in one table.
macro_rules! cause_kinds {
    ($($variant:ident $slug:literal $meaning:literal;)+) => {
        /// Why Quota's amount and ours differ.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum CauseKind {
            $(#[doc = $meaning] $variant,)+
        }

        impl CauseKind {
            /// Every kind, in the order in which they are told.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// In a few words.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)+ }
            }
        }
    };
}

cause_kinds! {
    RemovedOwner "removed_owner" "Quota charges nothing for owners that are gone today";
    DoubleVolumeRows "double_volume_rows" "Quota charges the attach row of a volume beside its plain row";
    TodaysSize "todays_size" "Quota charges past use at today's size";
    NoTariff "no_tariff" "Quota has no tariff for it; we have a price";
    TariffBoundary "tariff_boundary" "Quota applies a tariff to whole records at its bounds";
    PeriodBoundary "period_boundary" "Quota takes or leaves whole records at the period's bounds";
    MonthLength "month_length" "Quota's month has 24 hours a day; ours is the civil month of the zone";
    HeldUsage "held_usage" "We hold copies, overlaps or what else cannot be right";
    RuleOnly "rule_only" "A tariff's rule that no price says";
    NotUnderstood "not_understood" "Quota's amount is not known: a rule is not understood or a size missing";
    Price "price" "Our price is another one";
    Exemption "exemption" "We exempt it or include it in something else";
    OnlyOurs "only_ours" "We sell it, Quota does not know it: services, packages, images, minimums";
    Discount "discount" "Our discounts";
    Rounding "rounding" "Quota rounds rates, sizes and records to 8 decimals";
    Printing "printing" "We print whole minor units";
    NotMetered "not_metered" "CloudStack did not meter it; it is in neither total";
}

/// Why Quota's amount and ours differ, with the money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Why.
    pub kind: CauseKind,
    /// The owner: domain path and account or project.
    pub owner: String,
    /// The account or project; none where a finding names no resource.
    pub holder: Option<Holder>,
    /// The resource.
    pub resource: Option<ResourceId>,
    /// Its name.
    pub resource_name: String,
    /// What is charged: `vm`, a meter, or the name of a service or package.
    pub item: String,
    /// What it adds to Quota's total less ours.
    pub amount: Exact,
    /// Money that is in neither total.
    pub at_stake: Exact,
    /// More words, where there are any.
    pub note: String,
}

/// One resource and item of one owner on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedLine {
    /// The owner: domain path and account or project.
    pub owner: String,
    /// The account or project.
    pub holder: Holder,
    /// The resource.
    pub resource: ResourceId,
    /// Its name.
    pub resource_name: String,
    /// What is charged: `vm`, a meter, or the name of a service or package.
    pub item: String,
    /// What Quota booked.
    pub quota: Exact,
    /// What we print.
    pub ours: Exact,
    /// The causes: their amounts add up to `quota` less `ours`.
    pub causes: Vec<Cause>,
}

/// Quota's total and ours, and every cause of their difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// All that Quota booked.
    pub quota: Exact,
    /// All that we print.
    pub ours: Exact,
    /// Line by line, in the order of owners and resources.
    pub lines: Vec<ComparedLine>,
    /// What was not metered: in neither total.
    pub not_metered: Vec<Cause>,
    /// What of Quota is not known, in words; empty where its total is exact.
    pub problems: Vec<String>,
}

impl Comparison {
    /// Every cause of every line, then what was not metered. The amounts add up to
    /// [`quota`](Self::quota) less [`ours`](Self::ours).
    pub fn causes(&self) -> impl Iterator<Item = &Cause> {
        let of_lines = self.lines.iter().flat_map(|line| &line.causes);
        of_lines.chain(&self.not_metered)
    }

    /// The amounts (and what is at stake) by cause, in the order of [`CauseKind::ALL`].
    pub fn by_cause(&self) -> Vec<(CauseKind, Exact, Exact)> {
        let mut sums: BTreeMap<CauseKind, (Exact, Exact)> = BTreeMap::new();
        for cause in self.causes() {
            let sum = sums.entry(cause.kind).or_default();
            sum.0 += cause.amount.clone();
            sum.1 += cause.at_stake.clone();
        }
        sums.into_iter()
            .map(|(kind, (amount, at_stake))| (kind, amount, at_stake))
            .collect()
    }

    /// Quota's total, ours, and the amounts by cause of each owner.
    pub fn by_owner(&self) -> BTreeMap<&str, OwnerComparison> {
        let mut owners: BTreeMap<&str, OwnerComparison> = BTreeMap::new();
        for line in &self.lines {
            let owner = owners.entry(&line.owner).or_default();
            owner.quota += line.quota.clone();
            owner.ours += line.ours.clone();
        }
        for cause in self.causes() {
            let owner = owners.entry(&cause.owner).or_default();
            let sum = owner.causes.entry(cause.kind).or_default();
            *sum += cause.amount.clone();
        }
        owners
    }
}

/// One owner's part of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerComparison {
    /// What Quota booked.
    pub quota: Exact,
    /// What we print.
    pub ours: Exact,
    /// The amounts by cause; they add up to `quota` less `ours`.
    pub causes: BTreeMap<CauseKind, Exact>,
}

/// Explains the difference between what Quota booked and our bill.
///
/// `equivalent` is the bill of the same records with the book of the tariffs
/// ([`book_from_tariffs`](super::book_from_tariffs)), in the zone that the statement was
/// [made with](super::QuotaRating::new); `ours` is the bill with any book, the same one where
/// nothing but Quota's own ways is of interest.
///
/// # Errors
/// When a difference remains that no cause explains, as it does where the two sides were
/// not given the same records, or `equivalent` is the bill of another book.
pub fn compare(
    quota: &QuotaStatement,
    equivalent: &Bill,
    ours: &Bill,
) -> Result<Comparison, QuotaError> {
    let mut places: BTreeMap<Place, Draft> = BTreeMap::new();
    let mut equal = Equivalent::of(equivalent)?;
    for (key, line) in &quota.lines {
        let draft = places.entry(Place::of_quota(key)).or_default();
        draft.add_quota(key, line, &mut equal)?;
    }
    if let Some((key, meter)) = equal.left_over() {
        let message = format!(
            "{} of {} ({}) is in the bill of the tariffs, but not in Quota's statement; give both the same records",
            meter.slug(),
            key.resource,
            key.usage_type
        );
        return Err(QuotaError::new(QuotaErrorKind::Unexplained, message));
    }
    for item in ours.statements.iter().flat_map(|one| &one.lines) {
        let draft = places.entry(Place::of_line(item)).or_default();
        draft.add_ours(item);
    }
    let lines = places
        .into_iter()
        .map(|(place, draft)| draft.finish(place, ours))
        .collect::<Result<Vec<_>, _>>()?;
    let lines: Vec<ComparedLine> = lines.into_iter().flatten().collect();
    Ok(Comparison {
        quota: quota.total(),
        ours: ours.total.to_exact(),
        not_metered: not_metered(ours),
        problems: quota.problems().map(str::to_owned).collect(),
        lines,
    })
}

/// What stands beside each other: an owner's resource under one item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    holder: Holder,
    resource: ResourceId,
    item: String,
}

/// A VM's running and allocated time, its CPU and RAM are one item.
fn item_of(meter: Meter) -> &'static str {
    match meter {
        Meter::Cpu | Meter::Ram | Meter::Vm => "vm",
        other => other.slug(),
    }
}

impl Place {
    fn of_quota(key: &Key) -> Self {
        let item = match key.usage_type {
            UsageType::RunningVm | UsageType::AllocatedVm => "vm".to_owned(),
            other => {
                Meter::of(other).map_or_else(|| other.to_string(), |meter| meter.slug().to_owned())
            }
        };
        Self {
            holder: key.holder.clone(),
            resource: key.resource.clone(),
            item,
        }
    }

    fn of_line(line: &LineItem) -> Self {
        let item = match &line.item {
            Item::Meter(slug) => Meter::from_slug(slug).map_or(*slug, item_of).to_owned(),
            other => format!("{} {}", other.kind(), other.name()),
        };
        Self {
            holder: line.holder.clone(),
            resource: line.resource.clone(),
            item,
        }
    }
}

/// The lines of the bill of the tariffs, by what Quota calls them.
struct Equivalent(BTreeMap<(Key, Meter), Sold>);

/// What a line sold.
#[derive(Debug, Clone, Default)]
struct Sold {
    list: Exact,
    /// Milliseconds, bytes or things.
    amount: Exact,
}

impl Equivalent {
    fn of(bill: &Bill) -> Result<Self, QuotaError> {
        let mut lines: BTreeMap<(Key, Meter), Sold> = BTreeMap::new();
        for line in bill.statements.iter().flat_map(|one| &one.lines) {
            let Some((usage_type, meter)) = component_of(&line.price) else {
                let message = format!(
                    "price {:?} is none of the tariffs'; rate with the book of the tariffs first",
                    line.price
                );
                return Err(QuotaError::new(QuotaErrorKind::Unexplained, message));
            };
            let key = Key {
                holder: line.holder.clone(),
                resource: line.resource.clone(),
                usage_type,
            };
            let sold = lines.entry((key, meter)).or_default();
            sold.list += line.list.clone();
            sold.amount += amount_of(line, meter);
        }
        Ok(Self(lines))
    }

    fn take(&mut self, key: &Key, meter: Meter) -> Sold {
        self.0.remove(&(key.clone(), meter)).unwrap_or_default()
    }

    /// Something sold that Quota was not asked about.
    fn left_over(&self) -> Option<&(Key, Meter)> {
        let mut left = self.0.iter();
        left.find(|(_, sold)| !sold.list.is_zero())
            .map(|(key, _)| key)
    }
}

/// How much a line is for, in the units of records.
fn amount_of(line: &LineItem, meter: Meter) -> Exact {
    match meter.dimension() {
        Dimension::Bytes if line.unit == "GiB" => line.quantity.clone() * Exact::from(1 << 30),
        Dimension::Bytes | Dimension::Requests => line.quantity.clone(),
        _ => Exact::from(line.used_millis),
    }
}

/// The owner in words, as findings name it.
fn owner_text(path: &str, holder: &Holder, name: Option<&str>) -> String {
    let (kind, id) = match holder {
        Holder::Project(id) => ("project", id.to_string()),
        Holder::Account(id) => ("account", id.to_string()),
        Holder::Unknown => return path.to_owned(),
    };
    let name = name.filter(|name| !name.is_empty()).unwrap_or(&id);
    format!("{path}, {kind} {name}")
}

/// A line in the making.
#[derive(Debug, Default)]
struct Draft {
    owner: Option<String>,
    name: Option<String>,
    quota: Exact,
    ours: Exact,
    causes: BTreeMap<CauseKind, (Exact, Vec<String>)>,
    /// By meter, what the tariffs' prices make of what we billed.
    equivalent: BTreeMap<Meter, Sold>,
    has_tariff: bool,
    lines: Vec<OurLine>,
}

/// What matters of a line of ours.
#[derive(Debug)]
struct OurLine {
    meter: Option<Meter>,
    list: Exact,
    net: Exact,
    amount: Exact,
    printed: Exact,
    exemption: Option<String>,
    discounts: Vec<String>,
}

impl Draft {
    fn cause(&mut self, kind: CauseKind, amount: Exact, note: Option<String>) {
        if amount.is_zero() {
            return;
        }
        let (sum, notes) = self.causes.entry(kind).or_default();
        *sum += amount;
        notes.extend(note.filter(|note| !notes.contains(note)));
    }

    fn add_quota(
        &mut self,
        key: &Key,
        line: &Line,
        equal: &mut Equivalent,
    ) -> Result<(), QuotaError> {
        let path = line.domain_path.clone();
        let path = path.unwrap_or_else(|| line.owner.domain.to_string());
        let name = line.holder_name.as_deref();
        if self.owner.is_none() {
            self.owner = Some(owner_text(&path, &key.holder, name));
        }
        if self.name.is_none() {
            self.name.clone_from(&line.name);
        }
        self.quota += line.used.clone();
        let steps = [
            (CauseKind::RemovedOwner, &line.removed_owner),
            (CauseKind::Rounding, &line.rounding),
            (CauseKind::DoubleVolumeRows, &line.double_rows),
            (CauseKind::TodaysSize, &line.todays_size),
            (CauseKind::MonthLength, &line.month_length),
            (CauseKind::RuleOnly, &line.not_expressed),
            (CauseKind::NotUnderstood, &line.not_understood),
        ];
        for (kind, amount) in steps {
            self.cause(kind, amount.clone(), None);
        }
        let note = format!("{} attach rows", line.double_row_records);
        self.cause_note(CauseKind::DoubleVolumeRows, note);
        for problem in &line.problems {
            self.cause_note(CauseKind::NotUnderstood, problem.clone());
        }
        for meter in Meter::ALL {
            let sold = equal.take(key, *meter);
            let Some(tariff) = line.components.get(meter) else {
                // nothing of Quota's: a record that only touches the period
                self.gap(key, line, *meter, &Exact::zero(), &sold)?;
                self.keep(*meter, sold, false);
                continue;
            };
            self.gap(key, line, *meter, tariff, &sold)?;
            self.keep(*meter, sold, true);
        }
        Ok(())
    }

    /// Notes more of a cause, where there is such a cause.
    fn cause_note(&mut self, kind: CauseKind, note: String) {
        if let Some((_, notes)) = self.causes.get_mut(&kind) {
            notes.push(note);
        }
    }

    fn keep(&mut self, meter: Meter, sold: Sold, has_tariff: bool) {
        self.has_tariff |= has_tariff || !sold.list.is_zero();
        let kept = self.equivalent.entry(meter).or_default();
        kept.list += sold.list;
        kept.amount += sold.amount;
    }

    /// What is left between the tariffs' prices for Quota's records and for what we billed:
    /// records of which we bill another part.
    fn gap(
        &mut self,
        key: &Key,
        line: &Line,
        meter: Meter,
        tariff: &Exact,
        sold: &Sold,
    ) -> Result<(), QuotaError> {
        let gap = tariff.clone() - sold.list.clone();
        if gap.is_zero() {
            return Ok(());
        }
        if line.crosses_period {
            self.cause(CauseKind::PeriodBoundary, gap, None);
            return Ok(());
        }
        let amount = Exact::from(line.amount);
        let held = amount.clone() - sold.amount.clone();
        if line.crosses_tariff {
            // use that we hold, at Quota's average; the rest is the tariff's
            let part = held.checked_div(&amount).unwrap_or_default() * tariff.clone();
            self.cause(CauseKind::HeldUsage, part.clone(), None);
            self.cause(CauseKind::TariffBoundary, gap - part, None);
            return Ok(());
        }
        let of_size = line.inferred_size && matches!(meter, Meter::Cpu | Meter::Ram);
        if !held.is_zero() {
            self.cause(CauseKind::HeldUsage, gap, None);
        } else if of_size {
            self.cause(CauseKind::TodaysSize, gap, None);
        } else {
            let message = format!(
                "{} of {} ({}): a difference of {gap} remains that nothing explains",
                meter.slug(),
                key.resource,
                key.usage_type
            );
            return Err(QuotaError::new(QuotaErrorKind::Unexplained, message));
        }
        Ok(())
    }

    fn add_ours(&mut self, line: &LineItem) {
        let owner = owner_text(&line.domain_path, &line.holder, Some(&line.holder_name));
        self.owner = Some(owner);
        self.name = Some(line.resource_name.clone());
        let printed = line.amount.to_exact();
        self.ours += printed.clone();
        let meter = match &line.item {
            Item::Meter(slug) => Meter::from_slug(slug),
            _ => None,
        };
        self.lines.push(OurLine {
            meter,
            list: line.list.clone(),
            net: line.net.clone(),
            amount: meter.map_or_else(Exact::zero, |meter| amount_of(line, meter)),
            printed,
            exemption: line.exemption.clone(),
            discounts: line.discounts.clone(),
        });
    }

    /// From the bill of the tariffs to ours.
    fn finish(mut self, place: Place, ours: &Bill) -> Result<Option<ComparedLine>, QuotaError> {
        let lines = std::mem::take(&mut self.lines);
        let mut exempt = Exact::zero();
        for line in &lines {
            let discounts = line.discounts.join(", ");
            self.cause(
                CauseKind::Discount,
                line.list.clone() - line.net.clone(),
                Some(discounts).filter(|text| !text.is_empty()),
            );
            self.cause(
                CauseKind::Printing,
                line.net.clone() - line.printed.clone(),
                None,
            );
            let sold = line.meter.and_then(|meter| self.equivalent.get(&meter));
            if let (Some(reason), Some(sold)) = (&line.exemption, sold) {
                let share = line.amount.checked_div(&sold.amount).unwrap_or_default();
                let amount = share * sold.list.clone();
                exempt += amount.clone();
                self.cause(CauseKind::Exemption, amount, Some(reason.clone()));
            }
        }
        let equivalent: Exact = self.equivalent.values().map(|sold| &sold.list).sum();
        let list: Exact = lines.iter().map(|line| &line.list).sum();
        let kind = if self.has_tariff {
            CauseKind::Price
        } else if lines
            .iter()
            .all(|line| line.meter.is_none_or(|meter| meter == Meter::Os))
        {
            CauseKind::OnlyOurs
        } else {
            CauseKind::NoTariff
        };
        self.cause(kind, equivalent - list - exempt, None);
        let sum: Exact = self.causes.values().map(|(amount, _)| amount).sum();
        if sum != self.quota.clone() - self.ours.clone() {
            let message = format!(
                "{} of {}: the causes do not add up",
                place.item, place.resource
            );
            return Err(QuotaError::new(QuotaErrorKind::Unexplained, message));
        }
        Self::check_printing(&place, &lines, ours)?;
        if lines.is_empty() && self.causes.is_empty() && self.quota.is_zero() {
            return Ok(None);
        }
        let owner = self.owner.unwrap_or_default();
        let name = self.name.unwrap_or_else(|| place.resource.to_string());
        let causes = self
            .causes
            .into_iter()
            .map(|(kind, (amount, notes))| Cause {
                kind,
                owner: owner.clone(),
                holder: Some(place.holder.clone()),
                resource: Some(place.resource.clone()),
                resource_name: name.clone(),
                item: place.item.clone(),
                amount,
                at_stake: Exact::zero(),
                note: notes.join("; "),
            });
        Ok(Some(ComparedLine {
            causes: causes.collect(),
            owner: owner.clone(),
            holder: place.holder,
            resource: place.resource,
            resource_name: name.clone(),
            item: place.item,
            quota: self.quota,
            ours: self.ours,
        }))
    }

    /// What a line prints is within a minor unit of its exact amount.
    fn check_printing(place: &Place, lines: &[OurLine], ours: &Bill) -> Result<(), QuotaError> {
        let unit = Exact::ratio(1, 10_i128.pow(ours.currency.minor_digits())).unwrap_or_default();
        let is_rounding = lines.iter().all(|line| {
            let moved = line.net.clone() - line.printed.clone();
            moved <= unit && -moved <= unit
        });
        if is_rounding {
            return Ok(());
        }
        let message = format!(
            "{} of {}: a line prints more than a minor unit beside its amount",
            place.item, place.resource
        );
        Err(QuotaError::new(QuotaErrorKind::Unexplained, message))
    }
}

fn not_metered(bill: &Bill) -> Vec<Cause> {
    let kinds = [FindingKind::NotMetered, FindingKind::OwnerNotMetered];
    let found = bill
        .findings
        .iter()
        .filter(|finding| kinds.contains(&finding.kind));
    found
        .map(|finding| Cause {
            kind: CauseKind::NotMetered,
            owner: finding.owner.clone().unwrap_or_default(),
            holder: None,
            resource: finding.resource.clone(),
            resource_name: finding.resource_name.clone().unwrap_or_default(),
            item: String::new(),
            amount: Exact::zero(),
            at_stake: finding.value.clone().unwrap_or_default(),
            note: finding.message.clone(),
        })
        .collect()
}
