//! Finding the price of a thing at an instant, and saying why it is that one.

use chrono::{DateTime, Utc};
use cloudstack_usage::ZoneId;

use super::compile::Plan;
use super::scope::Position;
use super::subject::Subject;
use crate::book::model::{Basis, Price, Target};
use crate::book::pattern_matches;
use crate::book::selector::{AtLeast, Selector};
use crate::meter::{Dimension, Meter};
use crate::statement::PriceChoice;

impl<'a> Plan<'a> {
    /// The price of `target` for `subject` at `instant`: the nearest scope, within it the
    /// narrowest selector.
    ///
    /// Source: DESIGN.md §4 "Choosing the price".
    pub(crate) fn price_at(
        &self,
        target: &Target,
        basis: Option<Basis>,
        subject: &Subject<'_>,
        position: &Position<'_>,
        instant: DateTime<Utc>,
    ) -> Option<usize> {
        let mut best = None;
        self.by_target
            .get(target)?
            .visit(position, |index, nearness| {
                let fits = |price: &Price, rank| {
                    // a selector that asks for nothing fits everything
                    self.basis_fits(price, basis)
                        && price.validity.contains(instant)
                        && (rank == 0 || self.selects(&price.selector, subject, instant))
                };
                let price = self.book.prices.get(index).zip(self.ranks.get(index));
                if let Some((price, &rank)) = price.filter(|(price, rank)| fits(price, **rank)) {
                    let order = std::cmp::Reverse(index);
                    best = best.max(Some((nearness, rank, price.selector.at_least, order)));
                }
            });
        best.map(|(.., std::cmp::Reverse(index))| index)
    }

    /// The prices of `target` whose scope holds `position`, the chosen one first, each with
    /// the reason. Prices of other customers do not concern this one.
    pub(crate) fn choices(
        &self,
        target: &Target,
        chosen: Option<usize>,
        basis: Option<Basis>,
        subject: &Subject<'_>,
        position: &Position<'_>,
        instant: DateTime<Utc>,
    ) -> Vec<PriceChoice> {
        let mut choices: Vec<PriceChoice> = self
            .prices_at(target, position)
            .map(|(index, price)| PriceChoice {
                price: price.id.clone(),
                chosen: Some(index) == chosen,
                reason: if Some(index) == chosen {
                    self.price_words(index).chosen.clone()
                } else {
                    self.why_not(index, price, basis, subject, instant)
                },
            })
            .collect();
        choices
            .sort_by(|left, right| (!left.chosen, &left.price).cmp(&(!right.chosen, &right.price)));
        choices
    }

    fn why_not(
        &self,
        index: usize,
        price: &Price,
        basis: Option<Basis>,
        subject: &Subject<'_>,
        instant: DateTime<Utc>,
    ) -> String {
        if !self.basis_fits(price, basis) {
            "for the other of running and allocated time".to_owned()
        } else if !price.validity.contains(instant) {
            self.price_words(index).not_valid.clone()
        } else if !self.selects(&price.selector, subject, instant) {
            "its selector does not fit the resource".to_owned()
        } else {
            "another one is more specific".to_owned()
        }
    }

    /// The factors on a price, by their place in the book: of each group the most specific
    /// one that fits. Net prices keep those out that do not say otherwise.
    ///
    /// Source: docs/price-book.md "factor".
    pub(crate) fn factors_at(
        &self,
        (target, net): (&Target, bool),
        subject: &Subject<'_>,
        position: &Position<'_>,
        instant: DateTime<Utc>,
    ) -> Vec<usize> {
        let mut chosen: Vec<(usize, _)> = Vec::new();
        // the book has them by group
        for (index, factor) in self.book.factors.iter().enumerate() {
            let fits = factor.is_for(target)
                && (!net || factor.net_prices)
                && factor.validity.contains(instant)
                && self.selects(&factor.selector, subject, instant);
            let scope = self.factor_scopes.get(index);
            let Some(nearness) = scope.and_then(|scope| scope.nearness(position)) else {
                continue;
            };
            if !fits {
                continue;
            }
            let rank = (nearness, factor.selector.rank(), factor.selector.at_least);
            match chosen.last_mut() {
                Some(last) if self.group_of(last.0) == Some(&factor.group) => {
                    if last.1 < rank {
                        *last = (index, rank);
                    }
                }
                _ => chosen.push((index, rank)),
            }
        }
        chosen.into_iter().map(|(index, _)| index).collect()
    }

    fn group_of(&self, factor: usize) -> Option<&'a String> {
        self.book.factors.get(factor).map(|factor| &factor.group)
    }

    /// Whether a price or factor of `target` hangs on a size of `subject` that nobody knows,
    /// so that what applies cannot be
    /// said: one that would come before the price `chosen`.
    pub(crate) fn lacks_size(
        &self,
        (target, chosen): (&Target, Option<usize>),
        subject: &Subject<'_>,
        position: &Position<'_>,
        instant: DateTime<Utc>,
    ) -> bool {
        if !self.asks_for_sizes {
            return false;
        }
        let basis = asked_basis(target, basis_of(subject));
        let nearness = |index: usize| self.price_scopes.get(index)?.nearness(position);
        let rank = |index: usize, price: &Price| (nearness(index), price.selector.rank());
        let chosen = chosen.and_then(|index| Some((index, self.book.prices.get(index)?)));
        let in_doubt = |selector: &Selector| {
            let rest = Selector {
                at_least: AtLeast::default(),
                ..selector.clone()
            };
            size_is_unknown(&selector.at_least, subject, instant)
                && self.selects(&rest, subject, instant)
        };
        let prices = self.prices_at(target, position).any(|(index, price)| {
            !price.selector.at_least.is_any()
                && chosen.is_none_or(|(at, chosen)| rank(index, price) > rank(at, chosen))
                && self.basis_fits(price, basis)
                && price.validity.contains(instant)
                && in_doubt(&price.selector)
        });
        let mut factors = self.book.factors.iter().zip(&self.factor_scopes);
        prices
            || factors.any(|(factor, scope)| {
                !factor.selector.at_least.is_any()
                    && factor.is_for(target)
                    && (factor.net_prices || !chosen.is_some_and(|(_, price)| price.net))
                    && factor.validity.contains(instant)
                    && scope.nearness(position).is_some()
                    && in_doubt(&factor.selector)
            })
    }

    fn basis_fits(&self, price: &Price, basis: Option<Basis>) -> bool {
        basis.is_none_or(|basis| basis == self.basis_of_price(&price.target, Some(price)))
    }

    /// Which time of a VM pays for a thing at this price, by its place in the book.
    pub(super) fn paying_time(&self, target: &Target, price: Option<usize>) -> Basis {
        let price = price.and_then(|index| self.book.prices.get(index));
        self.basis_of_price(target, price)
    }

    /// CPU, RAM, VMs and images follow the book where the price says nothing else, services
    /// and packages the allocated time.
    fn basis_of_price(&self, target: &Target, price: Option<&Price>) -> Basis {
        let own = price.and_then(|price| price.basis);
        own.unwrap_or(match target {
            Target::Meter(_) => self.book.compute,
            Target::Service(_) | Target::Package(_) => Basis::Allocated,
        })
    }

    fn selects(&self, selector: &Selector, subject: &Subject<'_>, instant: DateTime<Utc>) -> bool {
        if selector.rank() == 0 {
            return true;
        }
        let key = &subject.stream.key;
        let os_type = || subject.os_type_at(instant);
        let os = || self.inventory.os_types.get(os_type()?);
        named(&selector.offerings, key.offering.as_ref(), || {
            self.offering_name(subject)
        }) && named(&selector.templates, key.template.as_ref(), || {
            let template = self.inventory.templates.get(key.template.as_ref()?)?;
            Some(template.name.as_str())
        }) && (selector.os_types.is_empty()
            || named(&selector.os_types, os_type(), || Some(os()?.name.as_str())))
            && (selector.os_categories.is_empty()
                || named(
                    &selector.os_categories,
                    os().and_then(|os| os.category.as_ref()),
                    || subject.os_category_at(instant),
                ))
            && named(&selector.zones, key.zone.as_ref(), || {
                let zone = self.inventory.zones.get(key.zone.as_ref()?)?;
                Some(zone.name.as_str())
            })
            && named(&selector.hypervisors, None::<&ZoneId>, || {
                subject.stream.shown.hypervisor.as_deref()
            })
            && self.storage_tag_fits(&selector.storage_tags, subject)
            && at_least_fits(&selector.at_least, subject, instant)
            && name_fits(&selector.names, subject.name_at(instant))
            && Self::tags_fit(selector, subject, instant)
    }

    fn offering_name(&self, subject: &Subject<'_>) -> Option<&'a str> {
        let id = subject.stream.key.offering.as_ref()?;
        let catalogue = if subject.is_vm() {
            &self.inventory.service_offerings
        } else if subject.volume.is_some() {
            &self.inventory.disk_offerings
        } else {
            &self.inventory.network_offerings
        };
        catalogue.get(id).map(|offering| offering.name.as_str())
    }

    fn storage_tag_fits(&self, wanted: &[String], subject: &Subject<'_>) -> bool {
        if wanted.is_empty() {
            return true;
        }
        let id = subject.stream.key.offering.as_ref();
        let tags = id
            .and_then(|id| self.inventory.disk_offerings.get(id))
            .and_then(|offering| offering.storage_tags.as_deref())
            .unwrap_or_default();
        tags.split(',')
            .map(str::trim)
            .any(|tag| wanted.iter().any(|wanted| wanted == tag))
    }

    fn tags_fit(selector: &Selector, subject: &Subject<'_>, instant: DateTime<Utc>) -> bool {
        if selector.tags.is_empty() {
            return true;
        }
        let tags = subject.own_tags_at(instant);
        selector
            .tags
            .iter()
            .all(|wanted| tags.iter().any(|tag| wanted.is(tag.key, tag.value)))
    }
}

/// Whether one of these texts is the id or the name; any is, where nothing is asked for.
fn named<'n, I: PartialEq<str>>(
    wanted: &[String],
    id: Option<&I>,
    name: impl FnOnce() -> Option<&'n str>,
) -> bool {
    if wanted.is_empty() {
        return true;
    }
    let name = name();
    wanted
        .iter()
        .any(|text| name == Some(text.as_str()) || id.is_some_and(|id| *id == **text))
}

/// The sizes of a resource: vCPUs and MiB of a VM, bytes of what is stored.
fn sizes(subject: &Subject<'_>, instant: DateTime<Utc>) -> [Option<i128>; 3] {
    if subject.is_vm() {
        return [subject.cpus_at(instant), subject.memory_at(instant), None];
    }
    [None, None, subject.size()]
}

fn at_least_fits(wanted: &AtLeast, subject: &Subject<'_>, instant: DateTime<Utc>) -> bool {
    if wanted.is_any() {
        return true;
    }
    let wanted = [wanted.cpus, wanted.mib, wanted.bytes];
    let mut pairs = wanted.into_iter().zip(sizes(subject, instant));
    pairs.all(|(wanted, size)| {
        wanted.is_none_or(|wanted| size.is_some_and(|size| i128::from(wanted) <= size))
    })
}

/// Whether the resource has such a size, but nobody knows it.
fn size_is_unknown(wanted: &AtLeast, subject: &Subject<'_>, instant: DateTime<Utc>) -> bool {
    let stored = Meter::of(subject.stream.key.usage_type).is_some_and(|meter| {
        meter.dimension() == Dimension::Storage && meter.default_unit() != "each"
    });
    let has = [subject.is_vm(), subject.is_vm(), stored];
    let wanted = [wanted.cpus, wanted.mib, wanted.bytes];
    // what it cannot have at all does not fit it, and that is known
    let could = wanted
        .iter()
        .zip(has)
        .all(|(wanted, has)| wanted.is_none() || has);
    let mut pairs = wanted.iter().zip(sizes(subject, instant));
    could && pairs.any(|(wanted, size)| wanted.is_some() && size.is_none())
}

fn name_fits(patterns: &[String], name: Option<&str>) -> bool {
    patterns.is_empty()
        || name.is_some_and(|name| {
            patterns
                .iter()
                .any(|pattern| pattern_matches(pattern, name))
        })
}

/// The basis that a VM's usage type measures; none for everything else.
pub(crate) fn basis_of(subject: &Subject<'_>) -> Option<Basis> {
    use cloudstack_usage::UsageType;
    match subject.stream.key.usage_type {
        UsageType::RunningVm => Some(Basis::Running),
        UsageType::AllocatedVm => Some(Basis::Allocated),
        _ => None,
    }
}

/// The time that a price has to be for. A thing has one price, which says whether running or
/// allocated time pays: one for a customer takes the place of everybody's, whatever the time
/// of either. A VM as a whole and its image alone may cost something for each of both.
pub(crate) fn asked_basis(target: &Target, basis: Option<Basis>) -> Option<Basis> {
    basis.filter(|_| matches!(target, Target::Meter(Meter::Vm | Meter::Os)))
}

/// Whether a VM can do without a price for this meter: it has others, or its OS is free.
pub(crate) fn is_optional(meter: Meter) -> bool {
    matches!(meter, Meter::Vm | Meter::Os)
}
