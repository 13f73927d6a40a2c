//! From parts to line items and statements.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use cloudstack_usage::{
    DomainId, Holder, Inventory, Moment, MomentSource, Period, ResourceId, Tag, VmId,
};

use super::key_text::KeyText;
use super::limits::TrueUp;
use super::names;
use super::parts::{Part, Rule, Timeline, instant, resource_kind};
use super::record_runs;
use super::settle::{Balances, fixed_amount, settle};
use crate::allocate::allocate_grouped;
use crate::book::model::{DiscountAmount, Per, Price, PriceKind, Target};
use crate::currency::Currency;
use crate::exact::Exact;
use crate::money::Money;
use crate::order::sort_by_places;
use crate::plan::{Charge, Decision, Plan, Position, asked_basis, basis_of};
use crate::rounding::RoundingPoint;
use crate::statement::{
    AppliedFactor, Bound, Explanation, Item, LineItem, Reduction, Segment, Statement,
};

/// What makes a line: all charges of one key are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key<'t> {
    account: &'t DomainId,
    domain: &'t DomainId,
    holder: &'t Holder,
    vm: Option<&'t VmId>,
    resource: &'t ResourceId,
    cost_centre: Option<&'t str>,
    target: &'t Target,
    price: Option<usize>,
    exemption: Option<&'t str>,
    factors: &'t [usize],
    discounts: &'t [usize],
    tax: Option<usize>,
}

/// The statements of all parts, in the order of their paths.
pub(crate) fn statements(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    parts: &[Part],
    true_ups: &[TrueUp],
) -> Vec<Statement> {
    let mut lines: BTreeMap<Key<'_>, Vec<&Part>> = BTreeMap::new();
    for part in parts {
        if let Some((decision, charge)) = decided(timelines, part) {
            let Some(timeline) = timelines.get(part.stream) else {
                continue;
            };
            let key = Key {
                account: &decision.account,
                domain: &decision.domain,
                holder: &timeline.subject.stream.key.holder,
                vm: decision.vm.as_ref(),
                resource: &timeline.subject.stream.key.identity,
                cost_centre: decision.cost_centre.as_deref(),
                target: &charge.target,
                price: charge.price,
                exemption: charge.exemption.as_deref(),
                factors: &charge.factors,
                discounts: &charge.discounts,
                tax: charge.tax,
            };
            lines.entry(key).or_default().push(part);
        }
    }
    let of_lines = lines.keys().flat_map(|key| [key.account, key.domain]);
    let of_true_ups = true_ups
        .iter()
        .flat_map(|true_up| [&true_up.account, &true_up.domain]);
    let paths = paths(plan, timelines, of_lines.chain(of_true_ups));
    let mut by_account: BTreeMap<&DomainId, Vec<LineItem>> = BTreeMap::new();
    for (key, mut members) in lines {
        members.sort_by_key(|part| (part.start, part.end, part.stream));
        let builder = LineBuilder {
            plan,
            timelines,
            paths: &paths,
            key,
            parts: &members,
        };
        by_account
            .entry(key.account)
            .or_default()
            .extend(builder.build());
    }
    for (account, line) in true_up_lines(plan, timelines, &paths, true_ups) {
        by_account.entry(account).or_default().push(line);
    }
    let mut statements: Vec<Statement> = by_account
        .into_iter()
        .map(|(account, lines)| statement(plan, &paths, account, lines))
        .collect();
    statements
        .sort_by(|left, right| (&left.path, &left.account).cmp(&(&right.path, &right.account)));
    let mut balances = Balances::new(plan);
    for statement in &mut statements {
        settle(plan, &mut balances, statement);
    }
    statements
}

/// The lines of minimum charges: those of one minimum and customer are one line.
fn true_up_lines<'t>(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    paths: &Paths<'_>,
    true_ups: &'t [TrueUp],
) -> Vec<(&'t DomainId, LineItem)> {
    let mut lines: BTreeMap<String, (&DomainId, LineItem)> = BTreeMap::new();
    for true_up in true_ups {
        let Some(line) = true_up_line(plan, timelines, paths, true_up) else {
            continue;
        };
        match lines.entry(line.key.clone()) {
            Entry::Vacant(entry) => {
                entry.insert((&true_up.account, line));
            }
            Entry::Occupied(mut entry) => {
                let (_, known) = entry.get_mut();
                known.list += line.list;
                known.net += line.net;
                known.period = known.period.hull(&line.period);
                known.explanation.segments.extend(line.explanation.segments);
            }
        }
    }
    lines.into_values().collect()
}

fn true_up_line(
    plan: &Plan<'_>,
    timelines: &[Timeline<'_, '_>],
    paths: &Paths<'_>,
    true_up: &TrueUp,
) -> Option<LineItem> {
    let limit = plan.book.limits.get(true_up.limit)?;
    let ancestry = plan.ancestry(&true_up.domain);
    let position = Position {
        ancestry,
        project: match &true_up.holder {
            Holder::Project(id) => Some(id),
            _ => None,
        },
        vm: None,
        volume: None,
    };
    let at = last_instant(true_up.period);
    let tax = plan
        .tax_at(None, &position, at)
        .and_then(|index| plan.book.taxes.get(index))
        .map(|tax| tax.id.clone());
    let domain_path = path(paths, &true_up.domain);
    let of_resource = || {
        let mut own = timelines
            .iter()
            .filter(|timeline| timeline.subject.stream.key.identity == true_up.resource);
        own.find_map(|timeline| timeline.subject.name_at(at).map(str::to_owned))
    };
    let holder_name = holder_name(plan, timelines, &true_up.holder);
    let resource_name = match true_up.resource_kind {
        "project" | "account" => holder_name.clone(),
        "domain" => domain_path.clone(),
        _ => of_resource().unwrap_or_else(|| true_up.resource.to_string()),
    };
    let mut key = KeyText::default();
    key.field(&true_up.account);
    key.field(&true_up.domain);
    key.field(&true_up.resource);
    key.field(format_args!("minimum {}", limit.id));
    key.field(tax.as_deref().unwrap_or_default());
    Some(LineItem {
        key: key.into_string(),
        domain: true_up.domain.clone(),
        domain_path,
        holder: true_up.holder.clone(),
        holder_name,
        vm: (true_up.resource_kind == "vm").then(|| true_up.resource.clone().into()),
        vm_name: (true_up.resource_kind == "vm").then(|| resource_name.clone()),
        volume: (true_up.resource_kind == "volume").then(|| true_up.resource.clone().into()),
        resource: true_up.resource.clone(),
        resource_kind: true_up.resource_kind,
        resource_name,
        zone: None,
        zone_name: None,
        cost_centre: cost_centre_of(plan, true_up),
        item: Item::Minimum(limit.id.clone()),
        label: limit.label.clone().unwrap_or_else(|| limit.id.clone()),
        price: limit.id.clone(),
        price_text: format!("at least {} {} a month", limit.amount, plan.book.currency),
        exemption: None,
        tax,
        factors: Vec::new(),
        discounts: Vec::new(),
        used_millis: 0,
        quantity: Exact::from(1),
        unit: "each".to_owned(),
        list: true_up.amount.clone(),
        net: true_up.amount.clone(),
        amount: Money::zero(plan.book.currency),
        period: true_up.period,
        created: None,
        removed: None,
        tags: Vec::new(),
        explanation: fixed_amount(true_up.period, &true_up.amount),
    })
}

/// The cost centre of a project's minimum charge is the project's.
pub(super) fn cost_centre_of(plan: &Plan<'_>, true_up: &TrueUp) -> Option<String> {
    let tags = match &true_up.holder {
        Holder::Project(id) => plan.inventory.projects.get(id).map(|entry| &entry.tags),
        _ => None,
    };
    let mut tags = tags?.iter();
    let (_, history) = tags.find(|(key, _)| *key == plan.book.cost_centre_key)?;
    history.at(last_instant(true_up.period)).cloned()
}

/// The account's or project's name at the end of the period, or as a record gave it.
fn holder_name(plan: &Plan<'_>, timelines: &[Timeline<'_, '_>], holder: &Holder) -> String {
    let at = last_instant(plan.period);
    let inventory = plan.inventory;
    let known = match holder {
        Holder::Account(id) => inventory
            .accounts
            .get(id)
            .and_then(|entry| entry.name.nearest(at)),
        Holder::Project(id) => inventory
            .projects
            .get(id)
            .and_then(|entry| entry.name.nearest(at)),
        Holder::Unknown => None,
    };
    let of_record = || {
        let streams = timelines.iter().map(|timeline| timeline.subject.stream);
        let mut own = streams.filter(|stream| stream.key.holder == *holder);
        own.find_map(|stream| stream.shown.holder_name.clone())
    };
    known.cloned().or_else(of_record).unwrap_or_default()
}

fn decided<'t>(
    timelines: &'t [Timeline<'_, '_>],
    part: &Part,
) -> Option<(&'t Decision, &'t Charge)> {
    let decision = &timelines
        .get(part.stream)?
        .intervals
        .get(part.interval)?
        .decision;
    Some((decision, decision.charges.get(part.charge)?))
}

/// Rounds the total once and shares it over the lines, or rounds each line.
fn statement(
    plan: &Plan<'_>,
    paths: &Paths<'_>,
    account: &DomainId,
    mut lines: Vec<LineItem>,
) -> Statement {
    let (currency, mode) = (plan.book.currency, plan.book.rounding);
    let exact: Exact = lines.iter().map(|line| &line.net).sum();
    sort_by_places(&mut lines, |left, right| left.key.cmp(&right.key));
    let places = currency.minor_digits();
    let nets: Vec<Exact> = lines.iter().map(|line| line.net.clone()).collect();
    let minors = match plan.book.rounding_point {
        RoundingPoint::Total => {
            let groups: Vec<[Level<'_>; LEVELS]> = lines.iter().map(levels).collect();
            let groups: Vec<&[Level<'_>]> = groups.iter().map(<[_; LEVELS]>::as_slice).collect();
            allocate_grouped(&exact.round(places, mode), &nets, &groups, places)
        }
        RoundingPoint::LineFirst => nets.iter().map(|net| net.round(places, mode)).collect(),
    };
    let mut total = num_bigint::BigInt::from(0);
    for (line, minor) in lines.iter_mut().zip(minors) {
        total += &minor;
        line.amount = Money::from_minor(minor, currency);
    }
    sort_by_places(&mut lines, |left, right| {
        shown_order(left).cmp(&shown_order(right))
    });
    let path = path(paths, account);
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    Statement {
        account: account.clone(),
        name,
        path,
        lines,
        total: Money::from_minor(total.clone(), currency),
        exact,
        taxes: Vec::new(),
        gross: Money::from_minor(total.clone(), currency),
        credits: Vec::new(),
        payable: Money::from_minor(total, currency),
    }
}

/// How many groups a line lies in.
const LEVELS: usize = 4;

/// What the lines of a group have in common.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level<'l> {
    Domain(&'l DomainId),
    Holder(&'l Holder),
    CostCentre(Option<&'l str>),
    Vm(Option<&'l VmId>),
}

/// The groups that a line lies in, from the outermost: what people add up on a statement.
fn levels(line: &LineItem) -> [Level<'_>; LEVELS] {
    [
        Level::Domain(&line.domain),
        Level::Holder(&line.holder),
        Level::CostCentre(line.cost_centre.as_deref()),
        Level::Vm(line.vm.as_ref()),
    ]
}

/// The order in which people look for lines.
fn shown_order(line: &LineItem) -> impl Ord + '_ {
    (
        &line.domain_path,
        &line.holder_name,
        line.vm_name.is_none(),
        &line.vm_name,
        line.resource_kind,
        &line.resource_name,
        &line.item,
        &line.key,
    )
}

/// The domain's path at the end of the period, where the inventory knows it.
pub(super) fn known_path<'i>(
    inventory: &'i Inventory,
    domain: &DomainId,
    period: Period,
) -> Option<&'i str> {
    let entry = inventory.domains.get(domain)?;
    let path = entry.path.nearest(last_instant(period))?;
    Some(path)
}

/// The paths of domains.
type Paths<'t> = BTreeMap<&'t DomainId, &'t str>;

/// The paths of `domains` at the end of the period, or as records gave them.
fn paths<'t>(
    plan: &'t Plan<'_>,
    timelines: &'t [Timeline<'_, '_>],
    domains: impl Iterator<Item = &'t DomainId>,
) -> Paths<'t> {
    let mut paths = Paths::new();
    for timeline in timelines {
        let stream = timeline.subject.stream;
        let shown = stream.shown.domain_path.as_deref();
        if let Some(path) = shown.or(stream.shown.domain_name.as_deref()) {
            paths.entry(&stream.key.domain).or_insert(path);
        }
    }
    for domain in domains {
        if let Some(path) = known_path(plan.inventory, domain, plan.period) {
            paths.insert(domain, path);
        }
    }
    paths
}

fn path(paths: &Paths<'_>, domain: &DomainId) -> String {
    let known = paths.get(domain).map(|path| (*path).to_owned());
    known.unwrap_or_else(|| domain.to_string())
}

pub(super) fn last_instant(period: Period) -> chrono::DateTime<chrono::Utc> {
    period.end() - chrono::TimeDelta::milliseconds(1)
}

struct LineBuilder<'l, 'p, 'a> {
    plan: &'l Plan<'a>,
    timelines: &'l [Timeline<'p, 'a>],
    paths: &'l Paths<'l>,
    key: Key<'l>,
    parts: &'l [&'l Part],
}

impl<'p, 'a> LineBuilder<'_, 'p, 'a> {
    fn build(&self) -> Option<LineItem> {
        let first = self.parts.first()?;
        let timeline = self.timelines.get(first.stream)?;
        let subject = &timeline.subject;
        let price = self
            .key
            .price
            .and_then(|index| self.plan.book.prices.get(index));
        let start = self.parts.iter().map(|part| part.start).min()?;
        let end = self.parts.iter().map(|part| part.end).max()?;
        let period = Period::new(instant(start), instant(end)).ok()?;
        let lifetime = subject.lifetime();
        let item = Item::of(self.key.target);
        let zone = subject.stream.key.zone.as_ref();
        Some(LineItem {
            key: self.text_key(),
            domain: self.key.domain.clone(),
            domain_path: path(self.paths, self.key.domain),
            holder: self.key.holder.clone(),
            holder_name: holder_name(self.plan, std::slice::from_ref(timeline), self.key.holder),
            vm: self.key.vm.cloned(),
            vm_name: self.key.vm.map(|vm| self.vm_name(vm, timeline)),
            volume: subject.volume.clone(),
            resource: self.key.resource.clone(),
            resource_kind: resource_kind(self.key.target, subject.stream.key.usage_type),
            resource_name: self.resource_name(timeline),
            zone: zone.map(ToString::to_string),
            zone_name: zone
                .and_then(|id| self.plan.inventory.zones.get(id))
                .map(|zone| zone.name.clone()),
            cost_centre: self.key.cost_centre.map(str::to_owned),
            label: self.label(price),
            item,
            price: price.map(|price| price.id.clone()).unwrap_or_default(),
            price_text: self
                .key
                .price
                .map(|price| self.price_text(price))
                .unwrap_or_default(),
            exemption: self.key.exemption.map(str::to_owned),
            tax: self.tax_id(),
            factors: self.factors(),
            discounts: self.discount_ids(),
            used_millis: self
                .parts
                .iter()
                .map(|part| i128::from(part.used_millis))
                .sum(),
            quantity: self.parts.iter().map(|part| &part.quantity).sum(),
            unit: price
                .map(|price| quantity_unit(price, self.plan.book.currency))
                .unwrap_or_default(),
            list: self.parts.iter().map(|part| &part.list).sum(),
            net: self.parts.iter().map(|part| &part.net).sum(),
            amount: Money::zero(self.plan.book.currency),
            period,
            created: lifetime.map(|lifetime| lifetime.start),
            removed: lifetime.and_then(|lifetime| lifetime.end),
            tags: self.tags(),
            explanation: self.explanation(timeline),
        })
    }

    fn label(&self, price: Option<&Price>) -> String {
        let own = price.and_then(|price| price.label.clone());
        own.unwrap_or_else(|| match self.key.target {
            Target::Meter(meter) => meter.label().to_owned(),
            Target::Service(id) => {
                let service = self
                    .plan
                    .book
                    .services
                    .iter()
                    .find(|service| service.id == *id);
                service
                    .and_then(|service| service.label.clone())
                    .unwrap_or_else(|| id.clone())
            }
            Target::Package(id) => {
                let package = self
                    .plan
                    .book
                    .packages
                    .iter()
                    .find(|package| package.id == *id);
                package
                    .and_then(|package| package.label.clone())
                    .unwrap_or_else(|| id.clone())
            }
        })
    }

    /// The key as text.
    fn text_key(&self) -> String {
        let key = self.key;
        let mut text = KeyText::default();
        text.field(key.account);
        text.field(key.domain);
        match key.holder {
            Holder::Account(id) => text.field(format_args!("account {id}")),
            Holder::Project(id) => text.field(format_args!("project {id}")),
            Holder::Unknown => text.field("nobody"),
        }
        match key.vm {
            Some(vm) => text.field(vm),
            None => text.field(""),
        }
        text.field(key.resource);
        text.field(key.cost_centre.unwrap_or_default());
        let item = Item::of(self.key.target);
        text.field(format_args!("{} {}", item.kind(), item.name()));
        let price = key.price.and_then(|index| self.plan.book.prices.get(index));
        text.field(price.map_or("", |price| &price.id));
        text.field(key.exemption.unwrap_or_default());
        text.field(list(self.discount_ids().iter()));
        let tax = self.tax_id();
        if key.factors.is_empty() {
            if let Some(tax) = tax {
                text.field(tax);
            }
        } else {
            // a line with factors names its tax in any case, so that neither is taken for the other
            text.field(tax.unwrap_or_default());
            text.field(list(self.factors().iter().map(|factor| &factor.factor)));
        }
        text.into_string()
    }

    fn tax_id(&self) -> Option<String> {
        let tax = self.plan.book.taxes.get(self.key.tax?)?;
        Some(tax.id.clone())
    }

    fn factors(&self) -> Vec<AppliedFactor> {
        let factors = self
            .key
            .factors
            .iter()
            .filter_map(|&index| self.plan.book.factors.get(index));
        factors
            .map(|factor| AppliedFactor {
                factor: factor.id.clone(),
                label: factor.label.clone().unwrap_or_else(|| factor.id.clone()),
                by: factor.factor,
            })
            .collect()
    }

    /// The price in words, with the factors on it: `1.34 EUR per hour, × 1.10 (GPU image)`.
    fn price_text(&self, price: usize) -> String {
        let mut text = self.plan.price_words(price).shown.clone();
        for factor in self.factors() {
            let _ = write!(text, ", × {} ({})", factor.by, factor.label);
        }
        text
    }

    fn discount_ids(&self) -> Vec<String> {
        let discounts = self
            .key
            .discounts
            .iter()
            .filter_map(|&index| self.plan.book.discounts.get(index));
        discounts.map(|discount| discount.id.clone()).collect()
    }

    fn vm_name(&self, vm: &VmId, timeline: &Timeline<'_, '_>) -> String {
        let entry = self.plan.inventory.vms.get(vm);
        let known = entry
            .and_then(|entry| entry.name.nearest(last_instant(self.plan.period)))
            .cloned();
        let of_record = || {
            timeline
                .subject
                .is_vm()
                .then(|| timeline.subject.stream.shown.name.clone())
                .flatten()
        };
        known.or_else(of_record).unwrap_or_else(|| vm.to_string())
    }

    fn resource_name(&self, timeline: &Timeline<'_, '_>) -> String {
        let shown = &timeline.subject.stream.shown;
        let known = timeline
            .subject
            .name_at(last_instant(self.plan.period))
            .map(str::to_owned);
        let key = &timeline.subject.stream.key;
        known.unwrap_or_else(|| {
            names::from_description(key.usage_type, &key.identity, &shown.description)
        })
    }

    /// Tags of the resource, its VM and its project that were in force for any part.
    fn tags(&self) -> Vec<Tag> {
        let mut tags = BTreeSet::new();
        let streams: BTreeSet<usize> = self.parts.iter().map(|part| part.stream).collect();
        for timeline in streams
            .iter()
            .filter_map(|&stream| self.timelines.get(stream))
        {
            for (_, history) in timeline.subject.tag_histories() {
                for (key, values) in history.iter() {
                    let in_force = values.spans().iter().filter(|span| {
                        self.parts.iter().any(|part| {
                            Period::new(instant(part.start), instant(part.end))
                                .is_ok_and(|period| period.overlaps(&span.period))
                        })
                    });
                    tags.extend(in_force.map(|span| Tag::new(key, span.value.as_str())));
                }
            }
        }
        tags.into_iter().collect()
    }

    fn explanation(&self, timeline: &Timeline<'p, 'a>) -> Explanation {
        Explanation {
            prices: self.choices(timeline),
            segments: self
                .parts
                .iter()
                .filter_map(|part| self.segment(part))
                .collect(),
            reductions: self.reductions(),
            records: self.parts.iter().map(|part| part.records).sum(),
            usage: record_runs::behind(self.timelines, self.parts),
        }
    }

    fn choices(&self, timeline: &Timeline<'p, 'a>) -> Vec<crate::statement::PriceChoice> {
        let Some(first) = self.parts.first() else {
            return Vec::new();
        };
        let ancestry = self.plan.ancestry(self.key.domain);
        let position = Position {
            ancestry,
            project: match self.key.holder {
                Holder::Project(id) => Some(id),
                _ => None,
            },
            vm: self.key.vm,
            volume: timeline.subject.volume.as_ref(),
        };
        let basis = asked_basis(self.key.target, basis_of(&timeline.subject));
        let at = instant(first.start);
        self.plan.choices(
            self.key.target,
            self.key.price,
            basis,
            &timeline.subject,
            &position,
            at,
        )
    }

    fn segment(&self, part: &Part) -> Option<Segment> {
        let timeline = self.timelines.get(part.stream)?;
        let (_, charge) = decided(self.timelines, part)?;
        let price = charge
            .price
            .and_then(|index| self.plan.book.prices.get(index));
        Some(Segment {
            period: Period::new(instant(part.start), instant(part.end)).ok()?,
            used_millis: part.used_millis,
            placement: part.placement,
            level: charge.level,
            quantity: part.quantity.clone(),
            price_period_millis: price
                .and_then(|price| self.plan.price_period(price.per, instant(part.start))),
            list: part.list.clone(),
            net: part.net.clone(),
            bounds: self.bounds(timeline, part),
        })
    }

    /// What changed at the bounds of a part.
    fn bounds(&self, timeline: &Timeline<'_, '_>, part: &Part) -> Vec<Bound> {
        let edges = [instant(part.start), instant(part.end)];
        let mut bounds = Vec::new();
        let mut note = |what: String, moment: &Moment| {
            if edges.contains(&moment.at) {
                bounds.push(Bound {
                    what,
                    moment: *moment,
                });
            }
        };
        for (_, history) in timeline.subject.tag_histories() {
            for (key, values) in history.iter().filter(|(key, _)| self.plan.reads_tag(key)) {
                for span in values.spans() {
                    note(format!("tag {key}={} set", span.value), &span.began);
                    if let Some(ended) = &span.ended {
                        note(format!("tag {key}={} gone", span.value), ended);
                    }
                }
            }
        }
        for hold in timeline.subject.holds() {
            let moment = Moment {
                at: hold.from,
                source: MomentSource::Seen,
                not_before: Some(hold.from),
            };
            note(hold.words(), &moment);
        }
        bounds
    }

    /// Discounts in their order, then maximum charges.
    fn reductions(&self) -> Vec<Reduction> {
        let mut sums: BTreeMap<Rule, Exact> = BTreeMap::new();
        for (rule, amount) in self.parts.iter().flat_map(|part| &part.reductions) {
            *sums.entry(*rule).or_insert_with(Exact::zero) += amount.clone();
        }
        let discounts = self
            .key
            .discounts
            .iter()
            .map(|&index| Rule::Discount(index));
        let limits = (0..self.plan.book.limits.len()).map(Rule::Maximum);
        let maxima = limits.filter(|rule| sums.contains_key(rule));
        discounts
            .chain(maxima)
            .filter_map(|rule| {
                let (discount, text) = self.rule_text(rule)?;
                let amount = sums.get(&rule).cloned().unwrap_or_else(Exact::zero);
                Some(Reduction {
                    discount,
                    text,
                    amount,
                })
            })
            .collect()
    }

    fn rule_text(&self, rule: Rule) -> Option<(String, String)> {
        let currency = self.plan.book.currency;
        match rule {
            Rule::Discount(index) => {
                let discount = self.plan.book.discounts.get(index)?;
                let text = match discount.amount {
                    DiscountAmount::Percent(percent) => format!("{percent} %"),
                    DiscountAmount::Fixed(amount) => format!("{amount} {currency} a month"),
                };
                Some((discount.id.clone(), text))
            }
            Rule::Maximum(index) => {
                let limit = self.plan.book.limits.get(index)?;
                let text = format!("at most {} {currency} a month", limit.amount);
                Some((limit.id.clone(), text))
            }
        }
    }
}

/// The unit of a line's quantity: `GiB-month`, `vCPU-hour`, `GiB`, `EUR` of percentages.
fn quantity_unit(price: &Price, currency: Currency) -> String {
    if matches!(price.kind, PriceKind::Percent(_)) {
        return currency.to_string();
    }
    if price.ignores_size() {
        return match price.per {
            Per::Once => "once".to_owned(),
            per => format!("each-{}", per.name()),
        };
    }
    match price.per {
        Per::Unit => price.unit.name().to_owned(),
        Per::Once => format!("{} once", price.unit.name()),
        per => format!("{}-{}", price.unit.name(), per.name()),
    }
}

/// Ids as one text in which none can be taken for two.
fn list<'i>(ids: impl Iterator<Item = &'i String>) -> String {
    let ids = ids.map(|id| id.replace('\\', "\\\\").replace(',', "\\,"));
    ids.collect::<Vec<_>>().join(",")
}
