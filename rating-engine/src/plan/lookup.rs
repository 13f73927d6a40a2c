//! Finding the price of a thing at an instant, and saying why it is that one.

use chrono::{DateTime, Utc};

use super::compile::Plan;
use super::scope::Position;
use super::subject::Subject;
use crate::book::model::{Basis, Price, Selector, Target};
use crate::book::pattern_matches;
use crate::meter::Meter;
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
        self.prices_at(target, position)
            .filter(|(_, price)| self.basis_fits(price, basis) && price.validity.contains(instant))
            .filter_map(|(index, price)| {
                let nearness = self.price_scopes.get(index)?.nearness(position)?;
                let fits = self.selects(&price.selector, subject, instant);
                fits.then_some((nearness, price.selector.rank(), std::cmp::Reverse(index)))
            })
            .max()
            .map(|(.., std::cmp::Reverse(index))| index)
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

    /// CPU, RAM and VMs follow the book's basis where the price says nothing else, services
    /// and packages the allocated time.
    fn basis_fits(&self, price: &Price, basis: Option<Basis>) -> bool {
        let Some(basis) = basis else { return true };
        let own = match price.target {
            Target::Meter(_) => price.basis.unwrap_or(self.book.compute),
            Target::Service(_) | Target::Package(_) => price.basis.unwrap_or(Basis::Allocated),
        };
        own == basis
    }

    fn selects(&self, selector: &Selector, subject: &Subject<'_>, instant: DateTime<Utc>) -> bool {
        if selector.rank() == 0 {
            return true;
        }
        let key = &subject.stream.key;
        let named = |wanted: &[String], id: Option<String>, name: Option<&str>| {
            wanted.is_empty()
                || wanted
                    .iter()
                    .any(|text| id.as_deref() == Some(text.as_str()) || name == Some(text.as_str()))
        };
        let text = |id: &dyn std::fmt::Display| id.to_string();
        let os_type = subject.os_type_at(instant);
        let os_name = os_type
            .and_then(|id| self.inventory.os_types.get(id))
            .map(|os| os.name.as_str());
        let category = os_type
            .and_then(|id| self.inventory.os_types.get(id))
            .and_then(|os| os.category.as_ref());
        let template = key
            .template
            .as_ref()
            .and_then(|id| self.inventory.templates.get(id));
        let zone = key
            .zone
            .as_ref()
            .and_then(|id| self.inventory.zones.get(id));
        named(
            &selector.offerings,
            key.offering.as_ref().map(|id| text(id)),
            self.offering_name(subject),
        ) && named(
            &selector.templates,
            key.template.as_ref().map(|id| text(id)),
            template.map(|t| t.name.as_str()),
        ) && named(&selector.os_types, os_type.map(|id| text(id)), os_name)
            && named(
                &selector.os_categories,
                category.map(|id| text(id)),
                subject.os_category_at(instant),
            )
            && named(
                &selector.zones,
                key.zone.as_ref().map(|id| text(id)),
                zone.map(|z| z.name.as_str()),
            )
            && named(
                &selector.hypervisors,
                None,
                subject.stream.shown.hypervisor.as_deref(),
            )
            && self.storage_tag_fits(&selector.storage_tags, subject)
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
        let tags = subject.own_tags_at(instant, None);
        selector
            .tags
            .iter()
            .all(|wanted| tags.iter().any(|tag| wanted.is(tag.key, tag.value)))
    }
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

/// Whether a VM can do without a price for this meter: it has others, or its OS is free.
pub(crate) fn is_optional(meter: Meter) -> bool {
    matches!(meter, Meter::Vm | Meter::Os)
}
