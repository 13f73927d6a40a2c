//! What is charged for a resource at an instant, and what is not.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, UsageType, VmId};

use super::compile::Plan;
use super::lookup::{asked_basis, basis_of, is_optional};
use super::scope::Position;
use super::subject::{InForce, Subject};
use crate::book::model::{
    Basis, Discount, DiscountAmount, Inheritance, Package, Percentage, PriceKind, Stacking,
    TagMatch, Target, Trust, values,
};
use crate::book::terms::names;
use crate::meter::Meter;
use crate::unit::Measure;

/// Everything that decides the amounts of a stream at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) account: DomainId,
    pub(crate) domain: DomainId,
    pub(crate) vm: Option<VmId>,
    pub(crate) cost_centre: Option<String>,
    pub(crate) charges: Vec<Charge>,
    /// Things used that have no price.
    pub(crate) unpriced: Vec<Target>,
    /// Meters whose size is not known.
    pub(crate) missing_size: Vec<Meter>,
    /// Services that a VM has both by a package and singly.
    pub(crate) twice: Vec<(String, String)>,
}

/// One thing charged, or exempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) target: Target,
    /// The price, by its place in the book; an exempt thing may have none.
    pub(crate) price: Option<usize>,
    pub(crate) exemption: Option<String>,
    /// Factors on the price, by their place in the book.
    pub(crate) factors: Vec<usize>,
    /// Discounts, by their place in the book: percentages first, each by id.
    pub(crate) discounts: Vec<usize>,
    /// The tax rate, by its place in the book.
    pub(crate) tax: Option<usize>,
    /// vCPUs, MiB, bytes or 1.
    pub(crate) level: i128,
    /// Where the price is a percentage: the charge of this decision that it is of.
    pub(crate) of: Option<usize>,
}

impl<'a> Plan<'a> {
    /// Decides for `subject` at `instant`.
    pub(crate) fn decide(&self, subject: &Subject<'_>, instant: DateTime<Utc>) -> Decision {
        self.decided(subject, instant, None)
            .unwrap_or_else(|| Decision::nothing(subject.domain_at(instant).clone()))
    }

    /// Decides as if the VM had just the package at this place in the book. None where the
    /// VM has neither services nor packages, where the package lacks something that it has,
    /// or where the package is not sold to it.
    pub(crate) fn decide_with_package(
        &self,
        subject: &Subject<'_>,
        instant: DateTime<Utc>,
        package: usize,
    ) -> Option<Decision> {
        let package = self.book.packages.get(package)?;
        self.decided(subject, instant, Some(package))
    }

    fn decided(
        &self,
        subject: &Subject<'_>,
        instant: DateTime<Utc>,
        instead: Option<&'a Package>,
    ) -> Option<Decision> {
        let domain = subject.domain_at(instant);
        let ancestry = self.ancestry(domain);
        let vm = subject.vm_at(instant);
        let position = Position {
            ancestry,
            project: match &subject.stream.key.holder {
                cloudstack_usage::Holder::Project(id) => Some(id),
                _ => None,
            },
            vm,
            volume: subject.volume.as_ref(),
        };
        let own_tags = subject.own_tags_at(instant);
        let vm_tags = if subject.is_vm() {
            Vec::new()
        } else {
            subject.vm_tags_at(instant)
        };
        let mut deciding = Deciding {
            plan: self,
            subject,
            at: instant,
            position,
            own_tags,
            vm_tags,
            instead: None,
            decision: Decision {
                account: self.account_of(ancestry).unwrap_or_else(|| domain.clone()),
                vm: vm.cloned(),
                ..Decision::nothing(domain.clone())
            },
        };
        if let Some(package) = instead {
            if !deciding.could_have(package) {
                return None;
            }
            deciding.instead = Some(package);
        }
        deciding.decision.cost_centre = deciding.cost_centre();
        deciding.charge();
        Some(deciding.decision)
    }
}

impl Decision {
    /// Whether everything used has a price and a size, and nothing is bought twice.
    pub(crate) fn is_clear(&self) -> bool {
        self.unpriced.is_empty() && self.missing_size.is_empty() && self.twice.is_empty()
    }

    /// Nothing is charged.
    fn nothing(domain: DomainId) -> Self {
        Self {
            account: domain.clone(),
            domain,
            vm: None,
            cost_centre: None,
            charges: Vec::new(),
            unpriced: Vec::new(),
            missing_size: Vec::new(),
            twice: Vec::new(),
        }
    }
}

/// A decision in the making.
struct Deciding<'p, 'a, 's> {
    plan: &'p Plan<'a>,
    subject: &'p Subject<'s>,
    at: DateTime<Utc>,
    position: Position<'p>,
    own_tags: Vec<InForce<'s>>,
    vm_tags: Vec<InForce<'s>>,
    /// A package that counts instead of all that the tags give.
    instead: Option<&'a Package>,
    decision: Decision,
}

impl<'a, 's> Deciding<'_, 'a, 's> {
    /// The order: what packages and VM prices cover, then exemptions, then prices.
    fn charge(&mut self) {
        match self.subject.stream.key.usage_type {
            UsageType::RunningVm | UsageType::AllocatedVm => self.charge_vm(),
            UsageType::Volume if self.subject.stream.key.is_attach_row() => {}
            UsageType::Volume => {
                let packages = self.packages();
                let cover = Self::covering(Meter::Disk, &packages);
                self.charge_meter(Meter::Disk, None, cover);
                self.charge_services(&packages, None);
            }
            other => {
                if let Some(meter) = Meter::of(other) {
                    let packages = self.packages();
                    let cover = Self::covering(meter, &packages);
                    self.charge_meter(meter, None, cover);
                }
            }
        }
    }

    fn charge_vm(&mut self) {
        let basis = basis_of(self.subject);
        let packages = self.packages();
        // a price of the VM covers its CPU and RAM whichever of its times pays for it
        let vm_price = self.price(&Target::Meter(Meter::Vm), None);
        let vm_covers: Vec<Meter> = vm_price
            .and_then(|index| self.plan.book.prices.get(index))
            .map(|price| price.covers.clone())
            .unwrap_or_default();
        let vm_cover = Self::covering(Meter::Vm, &packages);
        self.charge_meter(Meter::Vm, basis, vm_cover);
        for meter in [Meter::Cpu, Meter::Ram, Meter::Os] {
            let by_vm = || {
                vm_covers.contains(&meter).then(|| {
                    let price = vm_price.and_then(|index| self.plan.book.prices.get(index));
                    format!(
                        "included in {}",
                        price.map_or("vm", |price| price.id.as_str())
                    )
                })
            };
            let cover = Self::covering(meter, &packages).or_else(by_vm);
            self.charge_meter(meter, basis, cover);
        }
        self.charge_packages(&packages, basis);
        self.charge_services(&packages, basis);
    }

    fn price(&self, target: &Target, basis: Option<Basis>) -> Option<usize> {
        self.plan
            .price_at(target, basis, self.subject, &self.position, self.at)
    }

    /// Whether a size that nobody knows decides on another price than this, or a factor.
    fn lacks_size(&self, target: &Target, price: Option<usize>) -> bool {
        self.plan
            .lacks_size((target, price), self.subject, &self.position, self.at)
    }

    /// Charges a meter at its price, at zero where something covers or exempts it.
    fn charge_meter(&mut self, meter: Meter, basis: Option<Basis>, cover: Option<String>) {
        let target = Target::Meter(meter);
        let price = self.price(&target, asked_basis(&target, basis));
        let exemption = cover.or_else(|| self.exemption(meter));
        // running time is not charged by a price of allocated time, nor the other way round
        if self.pays_otherwise(&target, price, basis) {
            return;
        }
        if price.is_none() && exemption.is_none() && self.lacks_size(&target, None) {
            self.decision.missing_size.push(meter);
            return;
        }
        if price.is_none() && is_optional(meter) {
            return;
        }
        match (price, exemption) {
            (None, None) => self.decision.unpriced.push(target),
            (price, exemption) => self.push(target, price, exemption),
        }
    }

    /// Whether it is the other time of a VM that pays for a thing, not that of `basis`.
    fn pays_otherwise(&self, target: &Target, price: Option<usize>, basis: Option<Basis>) -> bool {
        basis.is_some_and(|basis| basis != self.plan.paying_time(target, price))
    }

    fn push(&mut self, target: Target, price: Option<usize>, exemption: Option<String>) {
        let measure = price
            .and_then(|index| self.plan.book.prices.get(index))
            .filter(|price| !price.ignores_size())
            .map(|price| price.unit.measure());
        let level = match measure.unwrap_or(Measure::Each) {
            Measure::Each | Measure::Requests => Some(1),
            Measure::Cpus => self.subject.cpus_at(self.at),
            Measure::Memory => self.subject.memory_at(self.at),
            Measure::Bytes if self.counts_bytes() => Some(1),
            Measure::Bytes | Measure::DiskBytes => self.subject.size(),
        };
        let unclear = exemption.is_none() && self.lacks_size(&target, price);
        let Some(level) = level.filter(|_| !unclear) else {
            match target {
                Target::Meter(meter) => self.decision.missing_size.push(meter),
                other => self.decision.unpriced.push(other),
            }
            return;
        };
        let discounts = if exemption.is_some() {
            Vec::new()
        } else {
            self.discounts(&target, price)
        };
        let factors = if exemption.is_some() {
            Vec::new()
        } else {
            let net = price.and_then(|index| self.plan.book.prices.get(index));
            let net = net.is_some_and(|price| price.net);
            self.plan
                .factors_at((&target, net), self.subject, &self.position, self.at)
        };
        let tax = self.plan.tax_at(Some(&target), &self.position, self.at);
        // charges are large, and all but VMs have one as a rule
        let expected = if self.subject.is_vm() { 3 } else { 1 };
        if self.decision.charges.is_empty() {
            self.decision.charges.reserve_exact(expected);
        }
        self.decision.charges.push(Charge {
            target,
            price,
            exemption,
            factors,
            discounts,
            tax,
            level,
            of: None,
        });
    }

    /// Whether the stream's amount already is bytes (traffic, buckets, old backups).
    fn counts_bytes(&self) -> bool {
        let usage_type = self.subject.stream.key.usage_type;
        usage_type.is_counter()
            || usage_type == UsageType::Bucket
            || self.subject.stream.holds_bytes
    }

    /// The tags that give packages and services: the VM's.
    fn vm_side_tags(&self) -> &[InForce<'s>] {
        if self.subject.is_vm() {
            &self.own_tags
        } else {
            &self.vm_tags
        }
    }

    fn has_tag(tags: &[InForce<'_>], wanted: &TagMatch, trust: Trust) -> bool {
        tags.iter()
            .any(|tag| (trust == Trust::Any || tag.is_label) && wanted.matches(tag.key, tag.value))
    }

    /// Whether a package holds at least what the VM has, and is sold to it.
    fn could_have(&self, package: &Package) -> bool {
        let held = self.packages();
        let services = |package: &Package| -> BTreeSet<String> {
            let cells = package.services.iter();
            cells
                .filter(|cell| cell.validity.contains(self.at))
                .map(|cell| cell.service.clone())
                .collect()
        };
        let is_held = held.iter().any(|held| held.id == package.id);
        if is_held && held.len() == 1 && self.single_services().is_empty() {
            return false; // nothing would be another
        }
        let mut has: BTreeSet<String> = held.iter().flat_map(|held| services(held)).collect();
        has.extend(self.single_services().into_iter().map(str::to_owned));
        let offered = services(package);
        let covers = |meter| package.covers.contains(meter);
        let target = Target::Package(package.id.clone());
        // one whose prices are for others alone, or over, is not offered to this customer
        let sold = if self.plan.by_target.contains_key(&target) {
            self.price(&target, None).is_some()
        } else {
            offered.iter().all(|service| {
                let target = Target::Service(service.clone());
                self.price(&target, None).is_some()
            })
        };
        sold && !has.is_empty()
            && has.is_subset(&offered)
            && held.iter().flat_map(|held| &held.covers).all(covers)
    }

    /// The services that tags give to the VM singly.
    fn single_services(&self) -> BTreeSet<&'a str> {
        if self.instead.is_some() {
            return BTreeSet::new();
        }
        let (tags, trust) = (self.vm_side_tags(), self.plan.book.trust_packages);
        let book = self.plan.book;
        book.services
            .iter()
            .filter(|service| Self::has_tag(tags, &service.tag, trust))
            .map(|service| service.id.as_str())
            .collect()
    }

    /// The packages of the VM.
    fn packages(&self) -> Vec<&'a Package> {
        if let Some(package) = self.instead {
            return vec![package];
        }
        let (tags, trust) = (self.vm_side_tags(), self.plan.book.trust_packages);
        let book = self.plan.book;
        book.packages
            .iter()
            .filter(|package| Self::has_tag(tags, &package.tag, trust))
            .collect()
    }

    /// Why a package makes the meter cost nothing, where one does.
    fn covering(meter: Meter, packages: &[&Package]) -> Option<String> {
        let package = packages
            .iter()
            .find(|package| package.covers.contains(&meter))?;
        Some(format!("included in {}", package.id))
    }

    /// The exemption of the meter, by the resource's own tags or, where the book inherits
    /// them, by its VM's.
    fn exemption(&self, meter: Meter) -> Option<String> {
        let book = self.plan.book;
        let inherits = book.inheritance == Inheritance::Inherit;
        let tagged = |tag: &TagMatch| {
            Self::has_tag(&self.own_tags, tag, book.trust_exemptions)
                || (inherits && Self::has_tag(&self.vm_tags, tag, book.trust_exemptions))
        };
        book.exemptions
            .iter()
            .filter(|rule| rule.meters.contains(&meter) && rule.validity.contains(self.at))
            .find(|rule| tagged(&rule.tag))
            .map(|rule| rule.id.clone())
    }

    /// Packages with a price of their own are charged as one thing.
    fn charge_packages(&mut self, packages: &[&Package], basis: Option<Basis>) {
        for package in packages {
            if !self.sells_as_one(package) {
                continue;
            }
            let target = Target::Package(package.id.clone());
            let price = self.price(&target, asked_basis(&target, basis));
            if self.pays_otherwise(&target, price, basis) {
                continue;
            }
            match price {
                Some(_) => self.push(target, price, None),
                // all its prices are for other kinds of VMs
                None => self.decision.unpriced.push(target),
            }
        }
    }

    /// Whether the customer has a price for the package itself at this time. What kind of VM
    /// it is for does not matter: a VM's volumes have to find the same.
    fn sells_as_one(&self, package: &Package) -> bool {
        let target = Target::Package(package.id.clone());
        let mut prices = self.plan.prices_at(&target, &self.position);
        prices.any(|(_, price)| price.validity.contains(self.at))
    }

    /// Services of packages that cost the sum of their parts, and services bought singly;
    /// each once.
    fn charge_services(&mut self, packages: &[&'a Package], basis: Option<Basis>) {
        let mut in_package: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut sold: BTreeSet<&str> = BTreeSet::new();
        for package in packages {
            let sum = !self.sells_as_one(package);
            let cells = package
                .services
                .iter()
                .filter(|cell| cell.validity.contains(self.at));
            for cell in cells {
                in_package.insert((cell.service.as_str(), package.id.as_str()));
                if sum {
                    sold.insert(&cell.service);
                }
            }
        }
        let single = self.single_services();
        if sold.is_empty() && single.is_empty() && in_package.is_empty() {
            return;
        }
        let services = sold.union(&single).copied();
        let mut services: Vec<(&str, Option<(usize, &Percentage)>)> = services
            .map(|service| (service, self.percentage_of(service)))
            .collect();
        // what costs a percentage of other services comes after them
        services.sort_by_key(|(_, percentage)| percentage.is_some());
        for (service, percentage) in services {
            let package = in_package
                .iter()
                .find(|(name, _)| *name == service)
                .map(|(_, package)| *package);
            let included = package.filter(|_| !sold.contains(service));
            let charged = self.charge_service((service, percentage), basis, included);
            if let Some(package) = package.filter(|_| charged && single.contains(service)) {
                self.decision
                    .twice
                    .push((service.to_owned(), package.to_owned()));
            }
        }
    }

    /// Charges a service; at zero where a package includes it. Services per GiB of disk are
    /// charged with the volumes, all others with the VM.
    fn charge_service(
        &mut self,
        (service, percentage): (&str, Option<(usize, &Percentage)>),
        basis: Option<Basis>,
        package: Option<&str>,
    ) -> bool {
        let target = Target::Service(service.to_owned());
        if let Some((price, percentage)) = percentage {
            let included = package.map(|package| format!("included in {package}"));
            self.push_percentage(&target, price, percentage, included.as_deref());
            return self.subject.is_vm() && basis == Some(Basis::Allocated);
        }
        let price = self.price(&target, asked_basis(&target, basis));
        let Some(price) = price else {
            if let Some(package) = package {
                // not sold singly at all: it only comes with the package
                if basis == Some(Basis::Allocated) {
                    self.push(target, None, Some(format!("included in {package}")));
                }
                return basis == Some(Basis::Allocated);
            }
            if self.lacks_price(&target, basis) {
                self.decision.unpriced.push(target);
            }
            return false;
        };
        let unit = self
            .plan
            .book
            .prices
            .get(price)
            .map(|price| price.unit.measure());
        let elsewhere = (unit == Some(Measure::DiskBytes)) == self.subject.is_vm();
        if elsewhere || self.pays_otherwise(&target, Some(price), basis) {
            return false;
        }
        self.push(
            target,
            Some(price),
            package.map(|package| format!("included in {package}")),
        );
        true
    }

    /// Whether nothing pays for a service: of a VM, no price of either of its times, nor any
    /// that is charged with its volumes; of a volume, none of the customer's prices, where
    /// all of them are charged with volumes. A VM says so once, with its allocated time.
    fn lacks_price(&self, target: &Target, basis: Option<Basis>) -> bool {
        let prices = self.plan.prices_at(target, &self.position);
        let mut by_disk = prices
            .filter(|(_, price)| price.validity.contains(self.at))
            .map(|(_, price)| price.unit.measure() == Measure::DiskBytes)
            .peekable();
        let lacks = match basis {
            Some(Basis::Allocated) => !by_disk.any(|by_disk| by_disk),
            Some(Basis::Running) => false,
            None => by_disk.peek().is_some() && by_disk.all(|by_disk| by_disk),
        };
        lacks && self.price(target, None).is_none()
    }

    /// The price of a service that is a percentage of other charges. It follows them, so
    /// there is no running or allocated time of its own.
    fn percentage_of(&self, service: &str) -> Option<(usize, &'a Percentage)> {
        if !self.plan.has_percentages {
            return None;
        }
        let target = Target::Service(service.to_owned());
        let index = self.price(&target, None)?;
        match &self.plan.book.prices.get(index)?.kind {
            PriceKind::Percent(percentage) => Some((index, percentage)),
            _ => None,
        }
    }

    /// A charge for each charge that the percentage is of. A percentage of a percentage is
    /// none: the order of two such services would decide.
    fn push_percentage(
        &mut self,
        target: &Target,
        price: usize,
        percentage: &Percentage,
        included: Option<&str>,
    ) {
        let everything = percentage.meters.is_empty() && percentage.items.is_empty();
        let counts = |charge: &Charge| {
            charge.of.is_none()
                && charge.price.is_some()
                && charge.exemption.is_none()
                && (everything || names(&percentage.meters, &percentage.items, &charge.target))
        };
        let charges = self.decision.charges.iter().enumerate();
        let of: Vec<usize> = charges
            .filter(|(_, charge)| counts(charge))
            .map(|(index, _)| index)
            .collect();
        for index in of {
            let before = self.decision.charges.len();
            self.push(target.clone(), Some(price), included.map(str::to_owned));
            if let Some(charge) = self.decision.charges.get_mut(before) {
                charge.of = Some(index);
            }
        }
    }

    /// The discounts of a charge, percentages first.
    ///
    /// Source: DESIGN.md §4 "Discounts".
    fn discounts(&self, target: &Target, price: Option<usize>) -> Vec<usize> {
        let book = self.plan.book;
        let net = price
            .and_then(|index| book.prices.get(index))
            .is_some_and(|price| price.net);
        let fits = |discount: &Discount| {
            let named = names(&discount.meters, &discount.items, target);
            discount.validity.contains(self.at)
                && (!net || discount.net_prices)
                && (named || (discount.meters.is_empty() && discount.items.is_empty()))
        };
        let mut applicable = Vec::new();
        self.plan
            .discounts
            .visit(&self.position, |index, nearness| {
                let discount = book.discounts.get(index);
                applicable.extend(discount.filter(|one| fits(one)).map(|_| (nearness, index)));
            });
        if applicable.is_empty() {
            return Vec::new();
        }
        let nearest = applicable.iter().map(|(nearness, _)| *nearness).max();
        let percent =
            |index: &usize| match book.discounts.get(*index).map(|discount| discount.amount) {
                Some(DiscountAmount::Percent(percent)) => Some(percent),
                _ => None,
            };
        let mut chosen: Vec<usize> = match book.stacking {
            Stacking::Nearest => {
                let near = applicable
                    .iter()
                    .filter(|(nearness, _)| Some(*nearness) == nearest);
                near.map(|(_, index)| *index).collect()
            }
            Stacking::Multiply | Stacking::AddCapped => {
                applicable.iter().map(|(_, index)| *index).collect()
            }
            Stacking::BestOf => {
                let all = applicable.iter().map(|(_, index)| *index);
                let best = all
                    .clone()
                    .max_by_key(|index| (percent(index), std::cmp::Reverse(*index)));
                let fixed = all.filter(|index| percent(index).is_none());
                let mut chosen: Vec<usize> = fixed.collect();
                chosen.extend(best.filter(|index| percent(index).is_some()));
                chosen
            }
        };
        chosen.sort_by_key(|index| (percent(index).is_none(), *index));
        chosen
    }

    /// The cost centre: the resource's own, else its VM's, else the project's.
    fn cost_centre(&self) -> Option<String> {
        let key = self.plan.book.cost_centre_key.as_str();
        let project_tags = self.subject.project_tags_at(self.at);
        [&self.own_tags, &self.vm_tags, &project_tags]
            .into_iter()
            .find_map(|tags| tags.iter().find(|tag| tag.key == key))
            .map(|tag| tag.value.to_owned())
    }
}

/// Values of a tag key that the book reads as exemptions, packages or services, but that
/// fit none of them: slips of the pen that cost or give money.
pub(crate) fn unknown_values(plan: &Plan<'_>, key: &str, value: &str) -> Vec<String> {
    let book = plan.book;
    let rules: Vec<&TagMatch> = book
        .exemptions
        .iter()
        .map(|rule| &rule.tag)
        .chain(book.services.iter().map(|rule| &rule.tag))
        .chain(book.packages.iter().map(|rule| &rule.tag))
        .filter(|rule| rule.value.is_some())
        .collect();
    let fits = |key: &str, part: &str| rules.iter().any(|rule| rule.matches(key, part));
    if rules.iter().any(|rule| rule.key == key) {
        return values(value)
            .filter(|part| !fits(key, part))
            .map(|part| format!("{key}={part}"))
            .collect();
    }
    let prefixed = key
        .split_once(':')
        .is_some_and(|(prefix, _)| rules.iter().any(|rule| rule.key == prefix));
    if prefixed && !fits(key, value) {
        vec![key.to_owned()]
    } else {
        Vec::new()
    }
}
