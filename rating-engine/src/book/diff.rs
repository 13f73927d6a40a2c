//! What changed between two price books: for whom and when, not in which line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use chrono::{DateTime, Utc};
use cloudstack_usage::{DomainId, Inventory, Owner, Period, VmId};
use serde::Serialize;
use serde_json::{Value, json};

use super::factor::Factor;
use super::model::{
    Accumulation, Basis, Discount, DiscountAmount, Package, Price, PriceBook, Scope, Target,
};
use super::selector::Selector;
use super::when::When;
use crate::currency::Currency;
use crate::error::RatingError;
use crate::meter::Meter;
use crate::plan::price_text;
use crate::plan::{CompiledScope, compile_scope};
use crate::zones::Zones;

/// What kind of row a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DiffKind {
    /// A setting of the book itself.
    Setting,
    /// A price.
    Price,
    /// A service.
    Service,
    /// A package or a cell of its matrix.
    Package,
    /// An exemption.
    Exemption,
    /// A discount.
    Discount,
    /// A factor on prices.
    Factor,
}

/// One difference: for one thing, one group of customers and one time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DiffEntry {
    /// What kind of row it is about.
    pub kind: DiffKind,
    /// What it is about, as a bill calls it.
    pub item: String,
    /// For whom, with the path or name that the inventory knows; none where it is for
    /// everybody.
    pub scope: Option<String>,
    /// For which resources; none for all.
    pub selector: Option<String>,
    /// When; none for what has no validity.
    pub period: Option<Period>,
    /// What was; none where there was nothing.
    pub old: Option<String>,
    /// What is now; none where there is nothing any more.
    pub new: Option<String>,
    /// Customers inside the scope who have a price of their own, for whom nothing changes.
    pub except: Vec<String>,
}

/// The differences between two price books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BookDiff {
    /// The new book's time zone, in which the text writes dates.
    pub zone: String,
    zones: Zones,
    /// The digests of the old and the new book.
    pub digests: (String, String),
    /// The differences, by kind, item, scope and time.
    pub entries: Vec<DiffEntry>,
}

impl BookDiff {
    /// Whether nobody pays anything else.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The differences as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "zone": self.zone,
            "old": self.digests.0,
            "new": self.digests.1,
            "changes": self.entries,
        })
    }
}

impl fmt::Display for BookDiff {
    /// One difference a line; nothing where there is none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries
            .iter()
            .try_for_each(|entry| writeln!(f, "{}", entry.text(&self.zones)))
    }
}

impl DiffEntry {
    fn text(&self, zone: &Zones) -> String {
        let mut text = self.item.clone();
        for part in [
            self.scope.as_ref().map(|scope| format!(" for {scope}")),
            self.selector
                .as_ref()
                .map(|selector| format!(" ({selector})")),
            self.period.map(|period| dates(period, zone)),
        ] {
            text.push_str(&part.unwrap_or_default());
        }
        text.push_str(": ");
        text.push_str(&arrow(self.old.as_deref(), self.new.as_deref()));
        if !self.except.is_empty() {
            text.push_str("; not for ");
            text.push_str(&self.except.join(", "));
        }
        text
    }
}

/// ` from … until …`, with the bounds that there are.
fn dates(period: Period, zone: &Zones) -> String {
    let mut text = String::new();
    if period.start() > Period::always().start() {
        let _ = write!(text, " from {}", When::of_start(period.start(), zone));
    }
    if !period.is_open() {
        let _ = write!(text, " until {}", When::of_end(period.end(), zone));
    }
    text
}

/// `6.20 -> 6.50 EUR per month`: what both have in common at the end is said once.
fn arrow(old: Option<&str>, new: Option<&str>) -> String {
    let (Some(old), Some(new)) = (old, new) else {
        return format!(
            "{} -> {}",
            old.unwrap_or("nothing"),
            new.unwrap_or("nothing")
        );
    };
    let (left, right): (Vec<&str>, Vec<&str>) =
        (old.split(' ').collect(), new.split(' ').collect());
    let common = left
        .iter()
        .rev()
        .zip(right.iter().rev())
        .take_while(|(left, right)| left == right)
        .count();
    let keep = left.len().saturating_sub(common).max(1);
    let old: Vec<&str> = left.into_iter().take(keep).collect();
    format!("{} -> {new}", old.join(" "))
}

/// What changed from `old` to `new`, for whom and when. The inventory tells which names of
/// customers mean the same, and whose price stands in where a price is missing.
///
/// Two books with the same effect have no difference, however their rows are called, split
/// or ordered.
///
/// # Errors
/// When a name in a book belongs to several domains, projects, VMs or volumes.
pub fn diff(
    old: &PriceBook,
    new: &PriceBook,
    inventory: &Inventory,
) -> Result<BookDiff, RatingError> {
    let sides = (Side::new(old, inventory)?, Side::new(new, inventory)?);
    let mut entries = settings(old, new);
    entries.extend(prices(&sides, inventory));
    entries.extend(services(old, new));
    entries.extend(packages(old, new));
    entries.extend(exemptions(old, new));
    entries.extend(discounts(&sides, inventory));
    entries.extend(factors(&sides, inventory));
    entries.sort();
    Ok(BookDiff {
        zone: new.zone_name().to_owned(),
        zones: new.zones.clone(),
        digests: (old.digest.clone(), new.digest.clone()),
        entries,
    })
}

/// A book with its scopes by id.
struct Side<'a> {
    book: &'a PriceBook,
    prices: Vec<(CompiledScope, &'a Price)>,
    discounts: Vec<(CompiledScope, &'a Discount)>,
    factors: Vec<(CompiledScope, &'a Factor)>,
}

impl<'a> Side<'a> {
    fn new(book: &'a PriceBook, inventory: &Inventory) -> Result<Self, RatingError> {
        let mut side = Self {
            book,
            prices: Vec::new(),
            discounts: Vec::new(),
            factors: Vec::new(),
        };
        for price in &book.prices {
            let scope = compile_scope(
                &price.scope,
                inventory,
                price.validity,
                &format!("price {}", price.id),
            )?;
            side.prices.push((known(scope, &price.scope), price));
        }
        for discount in &book.discounts {
            let rule = format!("discount {}", discount.id);
            let scope = compile_scope(&discount.scope, inventory, discount.validity, &rule)?;
            side.discounts
                .push((known(scope, &discount.scope), discount));
        }
        for factor in &book.factors {
            let rule = format!("factor {}", factor.id);
            let scope = compile_scope(&factor.scope, inventory, factor.validity, &rule)?;
            side.factors.push((known(scope, &factor.scope), factor));
        }
        Ok(side)
    }
}

/// A name that the inventory does not know stands for itself.
fn known(compiled: CompiledScope, scope: &Scope) -> CompiledScope {
    if compiled != CompiledScope::Nobody {
        return compiled;
    }
    match scope {
        Scope::Book => CompiledScope::Book,
        Scope::Domain(name) => CompiledScope::Domain(DomainId::new(name)),
        Scope::Project(name) => CompiledScope::Project(name.as_str().into()),
        Scope::Vm(name) => CompiledScope::Vm(VmId::new(name)),
        Scope::Volume(name) => CompiledScope::Volume(name.as_str().into()),
    }
}

/// Elementary times between all `bounds`, with what `value` says of each; neighbours that
/// say the same are one.
fn timeline<T: PartialEq>(
    bounds: BTreeSet<DateTime<Utc>>,
    value: impl Fn(DateTime<Utc>) -> Option<T>,
) -> Vec<(Period, T)> {
    let always = Period::always();
    let mut bounds = bounds;
    bounds.extend([always.start(), always.end()]);
    let bounds: Vec<DateTime<Utc>> = bounds.into_iter().collect();
    let mut spans: Vec<(Period, T)> = Vec::new();
    for pair in bounds.windows(2) {
        let [start, end] = pair else { continue };
        let (Ok(period), Some(value)) = (Period::new(*start, *end), value(*start)) else {
            continue;
        };
        match spans.last_mut() {
            Some((last, same)) if last.end() == *start && *same == value => {
                *last = last.hull(&period);
            }
            _ => spans.push((period, value)),
        }
    }
    spans
}

fn bounds<'p>(periods: impl Iterator<Item = &'p Period>) -> BTreeSet<DateTime<Utc>> {
    periods
        .flat_map(|period| [period.start(), period.end()])
        .collect()
}

/// What prices have in common that can take each other's place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Group<'a> {
    target: &'a Target,
    scope: &'a CompiledScope,
    selector: &'a Selector,
    basis: Option<u8>,
}

fn basis_rank(basis: Option<Basis>) -> Option<u8> {
    basis.map(|basis| match basis {
        Basis::Running => 1,
        Basis::Allocated => 2,
    })
}

fn prices(sides: &(Side<'_>, Side<'_>), inventory: &Inventory) -> Vec<DiffEntry> {
    let (old, new) = sides;
    let both = || old.prices.iter().chain(&new.prices);
    let groups: BTreeSet<Group<'_>> = both()
        .map(|(scope, price)| Group {
            target: &price.target,
            scope,
            selector: &price.selector,
            basis: basis_rank(price.basis),
        })
        .collect();
    let mut entries = Vec::new();
    for group in groups {
        let of_target = both().filter(|(_, price)| price.target == *group.target);
        let bounds = bounds(of_target.map(|(_, price)| &price.validity));
        let above = above(group.scope, inventory);
        let spans = timeline(bounds, |at| {
            let (was, is) = (
                old.effective(&group, &above, at),
                new.effective(&group, &above, at),
            );
            // a group that neither book has a price of its own for at that time says nothing
            let own = [was, is].into_iter().flatten().any(|found| found.own);
            // whether discounts apply is said where it changes
            let nets = [was, is].map(|found| found.map(|found| found.price.net));
            let tell_net = matches!(nets, [Some(was), Some(is)] if was != is);
            let text = |found: Option<Found<'_>>, side: &Side<'_>| {
                found.map(|found| found.text(side.book.currency, inventory, tell_net))
            };
            let effect = |found: Option<Found<'_>>, side: &Side<'_>| {
                found.map(|found| {
                    (
                        price_words(found.price, side.book.currency),
                        found.price.net,
                    )
                })
            };
            let same = effect(was, old) == effect(is, new);
            (own && !same).then(|| (text(was, old), text(is, new)))
        });
        for (period, (was, is)) in spans {
            entries.push(DiffEntry {
                kind: DiffKind::Price,
                item: target_label(group.target, new.book, old.book),
                scope: scope_words(group.scope, inventory),
                selector: selector_words(group.selector, group.basis),
                period: Some(period),
                old: was,
                new: is,
                except: except(&group, sides, period, inventory),
            });
        }
    }
    entries
}

/// A price that applies, and whether it is the group's own.
#[derive(Clone, Copy)]
struct Found<'a> {
    price: &'a Price,
    scope: &'a CompiledScope,
    own: bool,
}

impl Found<'_> {
    fn text(&self, currency: Currency, inventory: &Inventory, tell_net: bool) -> String {
        let mut words = price_words(self.price, currency);
        if tell_net {
            let net = self.price.net;
            words.push_str(if net {
                ", without discounts"
            } else {
                ", discounts apply"
            });
        }
        if self.own {
            return words;
        }
        let whose = scope_words(self.scope, inventory).unwrap_or_else(|| "everybody".to_owned());
        format!("{words} (as for {whose})")
    }
}

impl<'a> Side<'a> {
    /// The group's own price at an instant, else the one of the nearest scope above.
    fn effective(
        &'a self,
        group: &Group<'_>,
        above: &[CompiledScope],
        at: DateTime<Utc>,
    ) -> Option<Found<'a>> {
        let in_force = |scope: &CompiledScope, plain: bool| {
            self.prices.iter().find(|(own, price)| {
                own == scope
                    && price.target == *group.target
                    && price.validity.contains(at)
                    && if plain {
                        price.selector == Selector::default() && price.basis.is_none()
                    } else {
                        price.selector == *group.selector && basis_rank(price.basis) == group.basis
                    }
            })
        };
        if let Some((scope, price)) = in_force(group.scope, false) {
            return Some(Found {
                price,
                scope,
                own: true,
            });
        }
        let found = in_force(group.scope, true).or_else(|| {
            above
                .iter()
                .find_map(|scope| in_force(scope, false).or_else(|| in_force(scope, true)))
        });
        found.map(|(scope, price)| Found {
            price,
            scope,
            own: false,
        })
    }
}

/// The scopes around one, nearest first.
fn above(scope: &CompiledScope, inventory: &Inventory) -> Vec<CompiledScope> {
    let domains = |domain: &DomainId| -> Vec<CompiledScope> {
        inventory
            .ancestry(domain)
            .into_iter()
            .map(CompiledScope::Domain)
            .collect()
    };
    let owner = |owner: Option<&Owner>| -> Vec<CompiledScope> {
        let Some(owner) = owner else {
            return Vec::new();
        };
        let project = owner.project().cloned().map(CompiledScope::Project);
        project.into_iter().chain(domains(&owner.domain)).collect()
    };
    let mut scopes = match scope {
        CompiledScope::Book | CompiledScope::Nobody => Vec::new(),
        CompiledScope::Domain(id) => domains(id).split_off(1),
        CompiledScope::Project(id) => {
            let entry = inventory.projects.get(id);
            entry
                .and_then(|entry| entry.domain.last())
                .map(domains)
                .unwrap_or_default()
        }
        CompiledScope::Vm(id) => owner(inventory.vms.get(id).and_then(|entry| entry.owner.last())),
        CompiledScope::Volume(id) => {
            let entry = inventory.volumes.get(id);
            let vm = entry.and_then(|entry| entry.vm.last()).cloned();
            let vm = vm.map(CompiledScope::Vm);
            vm.into_iter()
                .chain(owner(entry.and_then(|entry| entry.owner.last())))
                .collect()
        }
    };
    if *scope != CompiledScope::Book {
        scopes.push(CompiledScope::Book);
    }
    scopes
}

/// Who inside the group's scope has a price of their own throughout the time in both books.
fn except(
    group: &Group<'_>,
    sides: &(Side<'_>, Side<'_>),
    period: Period,
    inventory: &Inventory,
) -> Vec<String> {
    let own = |side: &Side<'_>| -> BTreeSet<String> {
        side.prices
            .iter()
            .filter(|(scope, price)| {
                price.target == *group.target
                    && price.selector == Selector::default()
                    && price.validity.covers(&period)
                    && above(scope, inventory).contains(group.scope)
            })
            .filter_map(|(scope, _)| scope_words(scope, inventory))
            .collect()
    };
    own(&sides.0)
        .intersection(&own(&sides.1))
        .cloned()
        .collect()
}

/// Everything about a price that decides an amount.
fn price_words(price: &Price, currency: Currency) -> String {
    let mut text = price_text(price, currency);
    if price.accumulates() {
        text.push_str(match price.accumulate {
            Accumulation::Resource => "",
            Accumulation::Project => ", counted by project",
            Accumulation::Domain => ", counted by domain",
            Accumulation::Account => ", counted by account",
        });
    }
    if price.target != Target::Meter(Meter::Vm) && !price.covers.is_empty()
        || price.target == Target::Meter(Meter::Vm) && price.covers != [Meter::Cpu, Meter::Ram]
    {
        let _ = write!(text, ", includes {}", labels(&price.covers));
    }
    text
}

fn labels(meters: &[Meter]) -> String {
    let labels: Vec<&str> = meters.iter().map(|meter| meter.label()).collect();
    if labels.is_empty() {
        "nothing".to_owned()
    } else {
        labels.join(", ")
    }
}

fn target_label(target: &Target, new: &PriceBook, old: &PriceBook) -> String {
    let books = [new, old];
    match target {
        Target::Meter(meter) => meter.label().to_owned(),
        Target::Service(id) => {
            let mut services = books.iter().flat_map(|book| &book.services);
            let label = services.find(|service| service.id == *id);
            label
                .and_then(|service| service.label.clone())
                .unwrap_or_else(|| id.clone())
        }
        Target::Package(id) => {
            let mut packages = books.iter().flat_map(|book| &book.packages);
            let label = packages.find(|package| package.id == *id);
            label
                .and_then(|package| package.label.clone())
                .unwrap_or_else(|| id.clone())
        }
    }
}

/// Whom a scope is for, by the last path or name known; none for everybody.
fn scope_words(scope: &CompiledScope, inventory: &Inventory) -> Option<String> {
    let named = |kind: &str, name: Option<&String>, id: &dyn fmt::Display| {
        let name = name.cloned().unwrap_or_else(|| id.to_string());
        Some(format!("{kind} {name}"))
    };
    match scope {
        CompiledScope::Book | CompiledScope::Nobody => None,
        CompiledScope::Domain(id) => {
            let entry = inventory.domains.get(id);
            named("domain", entry.and_then(|entry| entry.path.last()), id)
        }
        CompiledScope::Project(id) => {
            let entry = inventory.projects.get(id);
            named("project", entry.and_then(|entry| entry.name.last()), id)
        }
        CompiledScope::Vm(id) => {
            let entry = inventory.vms.get(id);
            named("VM", entry.and_then(|entry| entry.name.last()), id)
        }
        CompiledScope::Volume(id) => {
            let entry = inventory.volumes.get(id);
            named("volume", entry.and_then(|entry| entry.name.last()), id)
        }
    }
}

fn selector_words(selector: &Selector, basis: Option<u8>) -> Option<String> {
    let tags: Vec<String> = selector
        .tags
        .iter()
        .map(super::model::TagMatch::text)
        .collect();
    let fields = [
        ("offering", &selector.offerings),
        ("template", &selector.templates),
        ("OS type", &selector.os_types),
        ("OS category", &selector.os_categories),
        ("name", &selector.names),
        ("tag", &tags),
        ("storage tag", &selector.storage_tags),
        ("zone", &selector.zones),
        ("hypervisor", &selector.hypervisors),
    ];
    let mut words: Vec<String> = fields
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(name, values)| format!("{name} {}", values.join(" or ")))
        .collect();
    words.extend(Some(selector.at_least.text()).filter(|text| !text.is_empty()));
    words.extend(basis.map(|basis| {
        let time = if basis == 1 { "running" } else { "allocated" };
        format!("{time} time")
    }));
    (!words.is_empty()).then(|| words.join(", "))
}

fn plain(
    kind: DiffKind,
    item: String,
    old: Option<String>,
    new: Option<String>,
) -> Option<DiffEntry> {
    (old != new).then_some(DiffEntry {
        kind,
        item,
        scope: None,
        selector: None,
        period: None,
        old,
        new,
        except: Vec::new(),
    })
}

/// The settings of the book itself, by their names in the file.
fn settings(old: &PriceBook, new: &PriceBook) -> Vec<DiffEntry> {
    type Read = fn(&PriceBook) -> String;
    let fields: [(&str, Read); 14] = [
        ("currency", |book| book.currency.code().to_owned()),
        ("zone", |book| book.zones.text()),
        ("zone_change", |book| {
            let zones = book.customer_zones.iter();
            let texts: Vec<String> = zones
                .map(|(domain, zones)| format!("{domain}: {}", zones.text()))
                .collect();
            texts.join("; ")
        }),
        ("compute", |book| format!("{:?}", book.compute)),
        ("month", |book| format!("{:?}", book.month)),
        ("rounding", |book| format!("{:?}", book.rounding)),
        ("rounding_point", |book| {
            format!("{:?}", book.rounding_point)
        }),
        ("vm_tags_on_volumes", |book| {
            format!("{:?}", book.inheritance)
        }),
        ("tag_moments", |book| format!("{:?}", book.tag_moments)),
        ("cost_centre_key", |book| book.cost_centre_key.clone()),
        ("exemptions_from", |book| {
            format!("{:?}", book.trust_exemptions)
        }),
        ("packages_from", |book| format!("{:?}", book.trust_packages)),
        ("discount_stacking", |book| format!("{:?}", book.stacking)),
        ("own_statements", |book| book.accounts.join(", ")),
    ];
    fields
        .iter()
        .filter_map(|(name, read)| {
            let value = |book| Some(read(book)).filter(|text| !text.is_empty());
            plain(
                DiffKind::Setting,
                (*name).to_owned(),
                value(old),
                value(new),
            )
        })
        .collect()
}

fn services(old: &PriceBook, new: &PriceBook) -> Vec<DiffEntry> {
    let tags = |book: &PriceBook| -> BTreeMap<String, String> {
        let services = book.services.iter();
        services
            .map(|service| (service.id.clone(), format!("by tag {}", service.tag.text())))
            .collect()
    };
    by_key(&tags(old), &tags(new), |id, old, new| {
        plain(DiffKind::Service, format!("Service {id}"), old, new)
    })
}

/// What differs between two maps.
fn by_key(
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
    entry: impl Fn(&str, Option<String>, Option<String>) -> Option<DiffEntry>,
) -> Vec<DiffEntry> {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter_map(|key| entry(key, old.get(key).cloned(), new.get(key).cloned()))
        .collect()
}

fn packages(old: &PriceBook, new: &PriceBook) -> Vec<DiffEntry> {
    let words = |book: &PriceBook| -> BTreeMap<String, String> {
        let packages = book.packages.iter();
        packages
            .map(|package| {
                let tag = package.tag.text();
                let text = format!("by tag {tag}, includes {}", labels(&package.covers));
                (package.id.clone(), text)
            })
            .collect()
    };
    let mut entries = by_key(&words(old), &words(new), |id, old, new| {
        plain(DiffKind::Package, format!("Package {id}"), old, new)
    });
    let cells = |book: &PriceBook| -> BTreeMap<(String, String), Vec<Period>> {
        let mut cells: BTreeMap<(String, String), Vec<Period>> = BTreeMap::new();
        for package in &book.packages {
            for (service, validity) in matrix_row(package) {
                cells
                    .entry((package.id.clone(), service))
                    .or_default()
                    .push(validity);
            }
        }
        cells
    };
    let (old, new) = (cells(old), cells(new));
    let keys: BTreeSet<&(String, String)> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (was, is) = (old.get(key), new.get(key));
        let periods = was.into_iter().chain(is).flatten();
        let inside = |cells: Option<&Vec<Period>>, at| {
            cells.is_some_and(|cells| cells.iter().any(|period| period.contains(at)))
        };
        let spans = timeline(bounds(periods), |at| {
            let (was, is) = (inside(was, at), inside(is, at));
            (was != is).then_some((was, is))
        });
        let word = |inside| Some(if inside { "included" } else { "not included" }.to_owned());
        let (package, service) = key;
        entries.extend(spans.into_iter().map(|(period, (was, is))| DiffEntry {
            kind: DiffKind::Package,
            item: format!("Service {service} in package {package}"),
            scope: None,
            selector: None,
            period: Some(period),
            old: word(was),
            new: word(is),
            except: Vec::new(),
        }));
    }
    entries
}

fn matrix_row(package: &Package) -> impl Iterator<Item = (String, Period)> + '_ {
    let cells = package.services.iter();
    cells.map(|cell| (cell.service.clone(), cell.validity))
}

fn exemptions(old: &PriceBook, new: &PriceBook) -> Vec<DiffEntry> {
    let tags: BTreeSet<String> = [old, new]
        .iter()
        .flat_map(|book| &book.exemptions)
        .map(|exemption| exemption.tag.text())
        .collect();
    let mut entries = Vec::new();
    for tag in tags {
        let of = |book| -> Vec<_> {
            let book: &PriceBook = book;
            let rows = book.exemptions.iter();
            rows.filter(|exemption| exemption.tag.text() == tag)
                .collect()
        };
        let (was, is) = (of(old), of(new));
        let meters = |rows: &[&super::model::Exemption], at| {
            let in_force = rows.iter().filter(|row| row.validity.contains(at));
            let meters: BTreeSet<Meter> = in_force.flat_map(|row| row.meters.clone()).collect();
            let meters: Vec<Meter> = meters.into_iter().collect();
            (!meters.is_empty()).then(|| format!("no charge for {}", labels(&meters)))
        };
        let validities = was.iter().chain(&is).map(|row| &row.validity);
        let spans = timeline(bounds(validities), |at| {
            let (was, is) = (meters(&was, at), meters(&is, at));
            (was != is).then_some((was, is))
        });
        entries.extend(spans.into_iter().map(|(period, (old, new))| DiffEntry {
            kind: DiffKind::Exemption,
            item: format!("Tag {tag}"),
            scope: None,
            selector: None,
            period: Some(period),
            old,
            new,
            except: Vec::new(),
        }));
    }
    entries
}

fn discounts(sides: &(Side<'_>, Side<'_>), inventory: &Inventory) -> Vec<DiffEntry> {
    let (old, new) = sides;
    let both = || old.discounts.iter().chain(&new.discounts);
    let groups: BTreeSet<(&CompiledScope, String)> = both()
        .map(|(scope, discount)| (scope, covered(discount)))
        .collect();
    let mut entries = Vec::new();
    for (scope, covered_words) in groups {
        let of_group =
            |one: &&(CompiledScope, &Discount)| one.0 == *scope && covered(one.1) == covered_words;
        let text = |side: &Side<'_>, at| {
            let in_force = side.discounts.iter().filter(of_group);
            let in_force = in_force.filter(|(_, discount)| discount.validity.contains(at));
            let mut texts: Vec<String> = in_force
                .map(|(_, discount)| discount_words(discount, side.book.currency))
                .collect();
            texts.sort();
            (!texts.is_empty()).then(|| texts.join(" and "))
        };
        let validities = both()
            .filter(of_group)
            .map(|(_, discount)| &discount.validity);
        let spans = timeline(bounds(validities), |at| {
            let (was, is) = (text(old, at), text(new, at));
            (was != is).then_some((was, is))
        });
        entries.extend(spans.into_iter().map(|(period, (old, new))| DiffEntry {
            kind: DiffKind::Discount,
            item: format!("Discount on {covered_words}"),
            scope: scope_words(scope, inventory),
            selector: None,
            period: Some(period),
            old,
            new,
            except: Vec::new(),
        }));
    }
    entries
}

/// What two factors have in common that can take each other's place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct FactorGroup<'a> {
    group: &'a str,
    things: String,
    scope: &'a CompiledScope,
    selector: &'a Selector,
}

impl<'a> FactorGroup<'a> {
    fn of((scope, factor): &'a (CompiledScope, &'a Factor)) -> Self {
        // a factor that is its own group is told by what it does, not by its id
        let alone = factor.group == factor.id;
        Self {
            group: if alone { "" } else { &factor.group },
            things: things(&factor.meters, &factor.items),
            scope,
            selector: &factor.selector,
        }
    }
}

fn factors(sides: &(Side<'_>, Side<'_>), inventory: &Inventory) -> Vec<DiffEntry> {
    let (old, new) = sides;
    let both = || old.factors.iter().chain(&new.factors);
    let groups: BTreeSet<FactorGroup<'_>> = both().map(FactorGroup::of).collect();
    let mut entries = Vec::new();
    for group in groups {
        let text = |side: &Side<'_>, at| {
            let in_force = side
                .factors
                .iter()
                .filter(|one| FactorGroup::of(one) == group && one.1.validity.contains(at));
            let mut texts: Vec<String> = in_force
                .map(|(scope, factor)| {
                    let plain = factor.net_prices == (*scope != CompiledScope::Book);
                    let net = match (plain, factor.net_prices) {
                        (true, _) => "",
                        (false, true) => ", on hard-linked prices too",
                        (false, false) => ", not on hard-linked prices",
                    };
                    format!("× {}{net}", factor.factor)
                })
                .collect();
            texts.sort();
            (!texts.is_empty()).then(|| texts.join(" and "))
        };
        let own = both().filter(|one| FactorGroup::of(one) == group);
        let spans = timeline(bounds(own.map(|(_, factor)| &factor.validity)), |at| {
            let (was, is) = (text(old, at), text(new, at));
            (was != is).then_some((was, is))
        });
        entries.extend(spans.into_iter().map(|(period, (old, new))| DiffEntry {
            kind: DiffKind::Factor,
            item: format!("Factor on {}", group.things),
            scope: scope_words(group.scope, inventory),
            selector: selector_words(group.selector, None),
            period: Some(period),
            old,
            new,
            except: Vec::new(),
        }));
    }
    entries
}

fn covered(discount: &Discount) -> String {
    things(&discount.meters, &discount.items)
}

fn things(meters: &[Meter], items: &[String]) -> String {
    let mut things: Vec<String> = meters
        .iter()
        .map(|meter| meter.label().to_owned())
        .chain(items.iter().cloned())
        .collect();
    things.sort();
    if things.is_empty() {
        "everything".to_owned()
    } else {
        things.join(", ")
    }
}

fn discount_words(discount: &Discount, currency: Currency) -> String {
    let mut text = match discount.amount {
        DiscountAmount::Percent(percent) => format!("{percent} %"),
        DiscountAmount::Fixed(amount) if discount.prorate => format!("{amount} {currency} a month"),
        DiscountAmount::Fixed(amount) => format!("{amount} {currency} a month, in full"),
    };
    if discount.net_prices {
        text.push_str(", on hard-linked prices too");
    }
    text
}
