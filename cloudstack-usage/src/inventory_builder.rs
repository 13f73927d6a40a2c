//! How histories are made from what successive syncs saw.

mod labels;
mod lifetimes;
mod power;
mod syncs;
mod tags;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::history::{History, Moment, MomentSource};
use crate::id::{AccountId, DomainId, ProjectId, ResourceId, VmId, VolumeId, ZoneId};
use crate::inventory::{
    AccountEntry, DomainEntry, Inventory, Lifetime, LifetimeSource, ProjectEntry, ResourceEntry,
    TagHistory, VmEntry, VolumeEntry,
};
use crate::label::Label;
use crate::metadata::{IpAddress, Kind, Snapshot, Vm, Volume};
use crate::record::{Holder, Owner};
use crate::tag_moments::TagMomentRule;
use crate::usage_lifetimes::{Facts, UsageLife, UsageLifetimes};

use lifetimes::{Known, Lifetimes, Listed};
use syncs::{Row, Sighting, always, catalogue, history, listed_after, rows};
use tags::Tagged;

/// Builds an [`Inventory`] from the snapshots of successive syncs, from usage and labels.
///
/// - A change between two syncs counts from the later one, uncertain since the earlier
///   ([`Moment::not_before`]), unless CloudStack's own time (a VM's `lastupdated`, a
///   volume's `attached`; [`MomentSource::Updated`]) or an event places it.
/// - What the first sync of a thing shows holds since its creation
///   ([`MomentSource::Created`]); of domains, projects and accounts, whose created dates
///   bound nothing, since ever.
/// - Only a list that was read completely says that something is gone.
/// - A resource that lived between two syncs is known from its usage alone.
/// - When a VM ran is known as far as syncs listed its usage events ([`VmEntry::power`]).
///
/// The result does not depend on the order in which anything is given.
///
/// ```
/// use chrono::{DateTime, Utc};
/// use cloudstack_usage::{InventoryBuilder, ResourceId, ResourceTag, Snapshot, Tag};
///
/// let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
/// let before = Snapshot::new(at("2026-10-01T02:00:00Z")).all_complete();
/// let mut after = Snapshot::new(at("2026-10-03T06:00:00Z")).all_complete();
/// after.tags.push(ResourceTag {
///     resource_type: "LoadBalancer".to_owned(),
///     resource: ResourceId::new("42"),
///     tag: Tag::new("Billing", "noCPU"),
/// });
///
/// let mut builder = InventoryBuilder::new();
/// builder.observe(&after);
/// builder.observe(&before);
/// let inventory = builder.build();
/// let tag = inventory.tags(&ResourceId::new("42")).unwrap().get("Billing").unwrap();
/// assert_eq!(tag.spans()[0].began.at, after.at);
/// assert_eq!(tag.spans()[0].began.not_before, Some(before.at));
/// ```
#[derive(Debug, Clone, Default)]
pub struct InventoryBuilder {
    snapshots: Vec<Snapshot>,
    usage: UsageLifetimes,
    labels: Vec<Label>,
    rule: TagMomentRule,
}

impl InventoryBuilder {
    /// A builder that knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what one sync saw. Snapshots may come in any order of time; several of one
    /// moment are joined.
    pub fn observe(&mut self, snapshot: &Snapshot) {
        self.snapshots.push(snapshot.clone());
    }

    /// Takes first and last uses; several add up.
    pub fn usage(&mut self, lifetimes: UsageLifetimes) {
        self.usage.merge(lifetimes);
    }

    /// Adds labels.
    pub fn labels(&mut self, labels: Vec<Label>) {
        self.labels.extend(labels);
    }

    /// Sets how moments of tag changes are chosen, [`TagMomentRule::Event`] by default.
    pub fn tag_moments(&mut self, rule: TagMomentRule) {
        self.rule = rule;
    }

    /// The inventory of everything that was given.
    pub fn build(self) -> Inventory {
        let snapshots = syncs::in_order(self.snapshots);
        let mut assembly = Assembly {
            syncs: &snapshots,
            lives: Lifetimes {
                syncs: &snapshots,
                usage: &self.usage,
            },
            known: BTreeMap::new(),
            inventory: Inventory {
                syncs: snapshots.iter().map(|sync| sync.at).collect(),
                ..Inventory::default()
            },
        };
        assembly.add_catalogues();
        assembly.add_customers();
        assembly.add_vms();
        assembly.add_volumes();
        assembly.add_resources();
        assembly.add_unlisted();
        assembly.add_power();
        let mut tagged = tags::histories(&snapshots, &assembly.known, self.rule);
        lay_over(&mut tagged, &self.labels);
        for (id, tagged) in tagged {
            assembly.add_tags(id, tagged);
        }
        assembly.inventory
    }
}

/// The inventory in the making.
struct Assembly<'a> {
    syncs: &'a [Snapshot],
    lives: Lifetimes<'a>,
    known: BTreeMap<ResourceId, Known>,
    inventory: Inventory,
}

impl<'a> Assembly<'a> {
    fn add_catalogues(&mut self) {
        let (inventory, syncs) = (&mut self.inventory, self.syncs);
        inventory.service_offerings = catalogue(
            syncs,
            |sync| &sync.service_offerings,
            |item| item.id.clone(),
        );
        inventory.disk_offerings =
            catalogue(syncs, |sync| &sync.disk_offerings, |item| item.id.clone());
        inventory.network_offerings = catalogue(
            syncs,
            |sync| &sync.network_offerings,
            |item| item.id.clone(),
        );
        inventory.templates = catalogue(syncs, |sync| &sync.templates, |item| item.id.clone());
        inventory.os_types = catalogue(syncs, |sync| &sync.os_types, |item| item.id.clone());
        inventory.os_categories =
            catalogue(syncs, |sync| &sync.os_categories, |item| item.id.clone());
        inventory.zones = catalogue(syncs, |sync| &sync.zones, |item| item.id.clone());
    }

    /// Domains, projects and accounts: they stay when they vanish.
    fn add_customers(&mut self) {
        let syncs = self.syncs;
        for (id, rows) in rows(syncs, |sync| &sync.domains, |domain| domain.id.clone()) {
            self.know(Kind::Domain, id.as_resource(), &rows);
            let entry = DomainEntry {
                id: id.clone(),
                name: self.values(always(), &rows, |row| Some(row.name.clone())),
                path: self.values(always(), &rows, |row| Some(row.path.clone())),
                parent: rows.iter().rev().find_map(|(_, row)| row.parent.clone()),
                tags: TagHistory::default(),
            };
            self.inventory.domains.insert(id, entry);
        }
        for (id, rows) in rows(syncs, |sync| &sync.projects, |project| project.id.clone()) {
            self.know(Kind::Project, id.as_resource(), &rows);
            let entry = ProjectEntry {
                id: id.clone(),
                name: self.values(always(), &rows, |row| Some(row.name.clone())),
                domain: self.values(always(), &rows, |row| Some(row.domain.clone())),
                tags: TagHistory::default(),
            };
            self.inventory.projects.insert(id, entry);
        }
        for (id, rows) in rows(syncs, |sync| &sync.accounts, |account| account.id.clone()) {
            self.know(Kind::Account, id.as_resource(), &rows);
            let entry = AccountEntry {
                id: id.clone(),
                name: self.values(always(), &rows, |row| Some(row.name.clone())),
                domain: self.values(always(), &rows, |row| Some(row.domain.clone())),
                tags: TagHistory::default(),
            };
            self.inventory.accounts.insert(id, entry);
        }
    }

    fn add_vms(&mut self) {
        for (id, rows) in rows(self.syncs, |sync| &sync.vms, |vm| vm.id.clone()) {
            let listed = rows.iter().map(|(sync, row)| Listed {
                sync: *sync,
                created: row.created,
                is_alive: is_vm_alive(row.state.as_deref()),
            });
            if let Some(life) = self.live(Kind::Vm, id.as_resource(), listed) {
                let entry = self.vm(&id, &rows, life);
                self.inventory.vms.insert(id, entry);
            }
        }
    }

    fn vm(&self, id: &VmId, rows: &[Row<'a, Vm>], lifetime: Lifetime) -> VmEntry {
        let start = lifetime.start;
        VmEntry {
            id: id.clone(),
            lifetime,
            name: self.values(start, rows, |row| Some(row.name.clone())),
            display_name: self.values(start, rows, |row| row.display_name.clone()),
            owner: self.values(start, rows, |row| {
                Some(self.owner(Kind::Vm, &id.as_resource(), &row.owner, None))
            }),
            offering: self.updated(start, rows, |row| row.offering.clone()),
            cpu_count: self.updated(start, rows, |row| row.cpu_count),
            memory_mib: self.updated(start, rows, |row| row.memory_mib),
            template: self.values(start, rows, |row| row.template.clone()),
            os_type: self.values(start, rows, |row| row.os_type.clone()),
            zone: last(rows, |row| row.zone.clone()),
            hypervisor: last(rows, |row| row.hypervisor.clone()),
            power: History::new(),
            tags: TagHistory::default(),
        }
    }

    fn add_volumes(&mut self) {
        for (id, rows) in rows(self.syncs, |sync| &sync.volumes, |volume| volume.id.clone()) {
            let listed = rows.iter().map(|(sync, row)| Listed {
                sync: *sync,
                created: row.created,
                is_alive: is_volume_alive(row.state.as_deref()),
            });
            if let Some(life) = self.live(Kind::Volume, id.as_resource(), listed) {
                let entry = self.volume(&id, &rows, life);
                self.inventory.volumes.insert(id, entry);
            }
        }
    }

    fn volume(&self, id: &VolumeId, rows: &[Row<'a, Volume>], lifetime: Lifetime) -> VolumeEntry {
        let start = lifetime.start;
        VolumeEntry {
            id: id.clone(),
            lifetime,
            name: self.values(start, rows, |row| Some(row.name.clone())),
            owner: self.values(start, rows, |row| {
                let vm = row.vm.as_ref();
                Some(self.owner(Kind::Volume, &id.as_resource(), &row.owner, vm))
            }),
            volume_type: last(rows, |row| row.volume_type.clone()),
            size_bytes: self.values(start, rows, |row| row.size_bytes),
            offering: self.values(start, rows, |row| row.offering.clone()),
            vm: self.attachments(start, rows),
            zone: last(rows, |row| row.zone.clone()),
            tags: TagHistory::default(),
        }
    }

    /// The VM that a volume was attached to. CloudStack's `attached` is the time of the
    /// present attachment; when a volume was detached no list says.
    fn attachments(&self, start: DateTime<Utc>, rows: &[Row<'a, Volume>]) -> History<VmId> {
        let mut history = History::new();
        let mut before: Option<DateTime<Utc>> = None;
        for (number, row) in rows {
            let Some(at) = self.at(*number) else { continue };
            let attached = row
                .attached
                .filter(|attached| *attached <= at && *attached > before.unwrap_or(start));
            let moment = match (before, attached) {
                (_, Some(attached)) => Moment::certain(attached, MomentSource::Updated),
                (None, None) => Moment::certain(start, MomentSource::Created),
                (Some(_), None) => Moment::seen(at, before),
            };
            match &row.vm {
                Some(vm) => {
                    if before.is_some() && history.last().is_some_and(|other| other != vm) {
                        // it was taken off the other one at some time before
                        history.clear(Moment::seen(moment.at, before));
                    }
                    history.set(moment, vm.clone());
                }
                None => history.clear(Moment::seen(at, before)),
            }
            before = Some(at);
        }
        history
    }

    fn add_resources(&mut self) {
        let syncs = self.syncs;
        let addresses = rows(syncs, |sync| &sync.ip_addresses, |item| item.id.clone());
        for (id, rows) in addresses {
            self.add_resource("PublicIpAddress", Kind::IpAddress, &id, &rows, |row| {
                Plain {
                    name: &row.address,
                    owner: Some(&row.owner),
                    created: row.allocated,
                    is_alive: is_address_held(row),
                    is_system: row.is_system,
                    zone: row.zone.as_ref(),
                }
            });
            let holders = self.holders(&rows);
            if let Some(entry) = self.inventory.resources.get_mut(&id) {
                let start = entry.lifetime.start;
                entry.owner = holders_since(start, holders);
            }
        }
        for (id, rows) in rows(syncs, |sync| &sync.networks, |item| item.id.as_resource()) {
            self.add_resource("Network", Kind::Network, &id, &rows, |row| Plain {
                name: &row.name,
                owner: row.owner.as_ref(),
                created: row.created,
                is_alive: true,
                is_system: false,
                zone: row.zone.as_ref(),
            });
        }
        for (id, rows) in rows(syncs, |sync| &sync.vpcs, |item| item.id.as_resource()) {
            self.add_resource("Vpc", Kind::Vpc, &id, &rows, |row| Plain {
                name: &row.name,
                owner: row.owner.as_ref(),
                created: row.created,
                is_alive: true,
                is_system: false,
                zone: row.zone.as_ref(),
            });
        }
        for (id, rows) in rows(syncs, |sync| &sync.snapshots, |item| item.id.clone()) {
            self.add_resource("Snapshot", Kind::Snapshot, &id, &rows, |row| Plain {
                name: &row.name,
                owner: Some(&row.owner),
                created: row.created,
                is_alive: true,
                is_system: false,
                zone: row.zone.as_ref(),
            });
        }
    }

    /// Who held an address when, by the lists. It keeps its id when it is released and given
    /// to the next owner; between two of them nobody holds it.
    fn holders(&self, rows: &[Row<'a, IpAddress>]) -> Vec<Holding<'a>> {
        let mut holders: Vec<Holding<'a>> = Vec::new();
        let mut rows = rows.iter().peekable();
        let mut before = None;
        for (number, sync) in self.syncs.iter().enumerate() {
            let row = rows.next_if(|(listed, _)| *listed == number);
            if row.is_none() && !sync.complete.contains(&Kind::IpAddress) {
                continue;
            }
            let row = row.map(|(_, row)| *row).filter(|row| is_address_held(row));
            holders.push(Holding {
                at: sync.at,
                before,
                owner: row.map(|row| &row.owner),
                allocated: row.and_then(|row| row.allocated),
            });
            before = Some(sync.at);
        }
        holders
    }

    fn add_resource<T>(
        &mut self,
        resource_type: &str,
        kind: Kind,
        id: &ResourceId,
        rows: &[Row<'a, T>],
        plain: impl Fn(&'a T) -> Plain<'a>,
    ) {
        let listed = rows.iter().map(|(sync, row)| {
            let row = plain(row);
            Listed {
                sync: *sync,
                created: row.created,
                is_alive: row.is_alive,
            }
        });
        let Some(lifetime) = self.live(kind, id.clone(), listed) else {
            return;
        };
        let start = lifetime.start;
        let entry = ResourceEntry {
            id: id.clone(),
            resource_type: resource_type.to_owned(),
            lifetime,
            name: self.values(start, rows, |row| Some(plain(row).name.to_owned())),
            owner: self.values(start, rows, |row| {
                let listed = plain(row).owner?;
                Some(self.owner(kind, id, listed, None))
            }),
            is_system: last(rows, |row| Some(plain(row).is_system)).unwrap_or(false),
            zone: last(rows, |row| plain(row).zone.cloned()),
            tags: TagHistory::default(),
        };
        self.inventory.resources.insert(id.clone(), entry);
    }

    /// When VMs ran, where the usage events were read.
    fn add_power(&mut self) {
        for (vm, history) in power::histories(self.syncs) {
            if let Some(entry) = self.inventory.vms.get_mut(&vm) {
                entry.power = history;
            }
        }
    }

    /// What usage names and no sync ever listed: it lived between two syncs.
    fn add_unlisted(&mut self) {
        let usage = self.lives.usage;
        for kind in [Kind::Vm, Kind::Volume, Kind::IpAddress] {
            for id in usage.of(kind) {
                let Some(life) = usage.life(kind, id) else {
                    continue;
                };
                if self.known.contains_key(id) {
                    continue;
                }
                let known = self.lives.unlisted(kind, &life);
                if let Some(lifetime) = known.lifetime {
                    self.add_from_usage(kind, id, lifetime, &life);
                }
                self.known.insert(id.clone(), known);
            }
        }
    }

    fn add_from_usage(
        &mut self,
        kind: Kind,
        id: &ResourceId,
        lifetime: Lifetime,
        life: &UsageLife<'_>,
    ) {
        let facts = life.latest;
        let start = lifetime.start;
        match kind {
            Kind::Vm => {
                let id = VmId::from(id.clone());
                let entry = vm_from_usage(id.clone(), lifetime, facts);
                self.inventory.vms.insert(id, entry);
            }
            Kind::Volume => {
                let id = VolumeId::from(id.clone());
                let entry = volume_from_usage(id.clone(), lifetime, facts);
                self.inventory.volumes.insert(id, entry);
            }
            _ => {
                let entry = ResourceEntry {
                    id: id.clone(),
                    resource_type: "PublicIpAddress".to_owned(),
                    lifetime,
                    name: proved(start, facts.name.clone()),
                    owner: proved(start, Some(facts.owner.clone())),
                    is_system: facts.is_system,
                    zone: facts.zone.clone(),
                    tags: TagHistory::default(),
                };
                self.inventory.resources.insert(id.clone(), entry);
            }
        }
    }

    /// Notes a domain, project or account, which has no lifetime of its own.
    fn know<T>(&mut self, kind: Kind, id: ResourceId, rows: &[Row<'a, T>]) {
        let known = Known {
            kind,
            listed: rows.iter().map(|(sync, _)| *sync).collect(),
            created: None,
            is_gone: rows
                .last()
                .is_some_and(|(sync, _)| listed_after(self.syncs, kind, *sync)),
            lifetime: None,
            end_not_before: None,
        };
        self.known.insert(id, known);
    }

    /// Notes a resource and gives its lifetime.
    fn live(
        &mut self,
        kind: Kind,
        id: ResourceId,
        listed: impl Iterator<Item = Listed>,
    ) -> Option<Lifetime> {
        let listed: Vec<Listed> = listed.collect();
        let known = self.lives.known(kind, &id, &listed)?;
        let lifetime = known.lifetime;
        self.known.insert(id, known);
        lifetime
    }

    /// Gives a resource its tags. One that no list names (a load balancer, or whatever a
    /// label was written for) gets an entry of its own.
    fn add_tags(&mut self, id: ResourceId, tagged: Tagged) {
        let inventory = &mut self.inventory;
        if let Some(vm) = inventory.vms.get_mut(&VmId::from(id.clone())) {
            vm.tags = tagged.history;
        } else if let Some(volume) = inventory.volumes.get_mut(&VolumeId::from(id.clone())) {
            volume.tags = tagged.history;
        } else if let Some(resource) = inventory.resources.get_mut(&id) {
            resource.tags = tagged.history;
        } else {
            match tagged.resource_type.as_str() {
                "Project" => self.add_project_tags(id, tagged.history),
                "Domain" => self.add_domain_tags(id, tagged.history),
                "Account" => self.add_account_tags(id, tagged.history),
                _ => {
                    let entry = only_tagged(id.clone(), tagged);
                    self.inventory.resources.insert(id, entry);
                }
            }
        }
    }

    fn add_project_tags(&mut self, id: ResourceId, tags: TagHistory) {
        let id = ProjectId::from(id);
        let entry = self.inventory.projects.entry(id.clone());
        let entry = entry.or_insert_with(|| ProjectEntry {
            id,
            name: History::new(),
            domain: History::new(),
            tags: TagHistory::default(),
        });
        entry.tags = tags;
    }

    fn add_domain_tags(&mut self, id: ResourceId, tags: TagHistory) {
        let id = DomainId::from(id);
        let entry = self.inventory.domains.entry(id.clone());
        let entry = entry.or_insert_with(|| DomainEntry {
            id,
            name: History::new(),
            path: History::new(),
            parent: None,
            tags: TagHistory::default(),
        });
        entry.tags = tags;
    }

    fn add_account_tags(&mut self, id: ResourceId, tags: TagHistory) {
        let id = AccountId::from(id);
        let entry = self.inventory.accounts.entry(id.clone());
        let entry = entry.or_insert_with(|| AccountEntry {
            id,
            name: History::new(),
            domain: History::new(),
            tags: TagHistory::default(),
        });
        entry.tags = tags;
    }

    fn values<T, V: PartialEq>(
        &self,
        start: DateTime<Utc>,
        rows: &[Row<'a, T>],
        value: impl Fn(&'a T) -> Option<V>,
    ) -> History<V> {
        let sightings = rows.iter().filter_map(|(number, row)| {
            Some(Sighting {
                at: self.at(*number)?,
                value: value(row),
                updated: None,
            })
        });
        history(start, sightings)
    }

    /// The same for what a VM's `lastupdated` may place.
    fn updated<V: PartialEq>(
        &self,
        start: DateTime<Utc>,
        rows: &[Row<'a, Vm>],
        value: impl Fn(&'a Vm) -> Option<V>,
    ) -> History<V> {
        let sightings = rows.iter().filter_map(|(number, row)| {
            Some(Sighting {
                at: self.at(*number)?,
                value: value(row),
                updated: row.last_updated,
            })
        });
        history(start, sightings)
    }

    /// The owner as listed. Most lists name an account, whose id only `listAccounts` tells:
    /// where a role may not make that call, the resource's usage knows it, or the VM that a
    /// volume is attached to, which is the same account's.
    fn owner(&self, kind: Kind, id: &ResourceId, listed: &Owner, vm: Option<&VmId>) -> Owner {
        let tells =
            |owner: &&Owner| owner.holder != Holder::Unknown && owner.domain == listed.domain;
        if tells(&listed) {
            return listed.clone();
        }
        let used = self.lives.usage.life(kind, id);
        let used = used.as_ref().map(|life| &life.latest.owner);
        let of_vm = vm.and_then(|vm| self.inventory.vms.get(vm)?.owner.last());
        let mut known = [used, of_vm].into_iter().flatten();
        known.find(tells).unwrap_or(listed).clone()
    }

    fn at(&self, sync: usize) -> Option<DateTime<Utc>> {
        self.syncs.get(sync).map(|sync| sync.at)
    }
}

/// Who held an address as a sync saw it.
struct Holding<'a> {
    at: DateTime<Utc>,
    before: Option<DateTime<Utc>>,
    owner: Option<&'a Owner>,
    allocated: Option<DateTime<Utc>>,
}

/// One span for each allocation; the first one holds since `start`.
fn holders_since(start: DateTime<Utc>, holders: Vec<Holding<'_>>) -> History<Owner> {
    let mut history: History<Owner> = History::new();
    for holding in holders {
        let seen = Moment::seen(holding.at, holding.before);
        // allocated anew since the sync before
        let anew = holding.allocated.filter(|allocated| {
            *allocated <= holding.at && holding.before.is_some_and(|before| before < *allocated)
        });
        let is_first = history.is_empty();
        match (holding.owner, anew) {
            (None, _) => history.clear(seen),
            (Some(owner), _) if is_first => {
                history.set(Moment::certain(start, MomentSource::Created), owner.clone());
            }
            (Some(owner), Some(allocated)) => {
                history.clear(Moment::seen(allocated, holding.before));
                history.set(
                    Moment::certain(allocated, MomentSource::Updated),
                    owner.clone(),
                );
            }
            (Some(owner), None) => history.set(seen, owner.clone()),
        }
    }
    history
}

fn is_address_held(row: &IpAddress) -> bool {
    !is_one_of(row.state.as_deref(), &["Free", "Releasing"])
}

/// A row of a list, as far as all resources are alike.
struct Plain<'a> {
    name: &'a str,
    owner: Option<&'a Owner>,
    created: Option<DateTime<Utc>>,
    is_alive: bool,
    is_system: bool,
    zone: Option<&'a ZoneId>,
}

/// The last value that a list gave.
fn last<'a, T, V>(rows: &[Row<'a, T>], value: impl Fn(&'a T) -> Option<V>) -> Option<V> {
    rows.iter().rev().find_map(|(_, row)| value(row))
}

/// Destroyed VMs stay in the list until they are expunged; usage of type 2 ends before.
fn is_vm_alive(state: Option<&str>) -> bool {
    !is_one_of(state, &["Destroyed", "Expunging", "Expunged", "Error"])
}

fn is_volume_alive(state: Option<&str>) -> bool {
    !is_one_of(
        state,
        &[
            "Destroy",
            "Destroyed",
            "Destroying",
            "Expunging",
            "Expunged",
        ],
    )
}

fn is_one_of(state: Option<&str>, states: &[&str]) -> bool {
    state.is_some_and(|state| states.iter().any(|other| state.eq_ignore_ascii_case(other)))
}

/// What a usage record says of a resource, for all of its life.
fn proved<T: PartialEq>(start: DateTime<Utc>, value: Option<T>) -> History<T> {
    let mut history = History::new();
    if let Some(value) = value {
        history.set(Moment::certain(start, MomentSource::Record), value);
    }
    history
}

fn vm_from_usage(id: VmId, lifetime: Lifetime, facts: &Facts) -> VmEntry {
    let start = lifetime.start;
    VmEntry {
        id,
        lifetime,
        name: proved(start, facts.name.clone()),
        display_name: History::new(),
        owner: proved(start, Some(facts.owner.clone())),
        offering: proved(start, facts.offering.clone()),
        cpu_count: proved(start, facts.cpu_count),
        memory_mib: proved(start, facts.memory_mib),
        template: proved(start, facts.template.clone()),
        os_type: proved(start, facts.os_type.clone()),
        zone: facts.zone.clone(),
        hypervisor: facts.hypervisor.clone(),
        power: History::new(),
        tags: TagHistory::default(),
    }
}

fn volume_from_usage(id: VolumeId, lifetime: Lifetime, facts: &Facts) -> VolumeEntry {
    let start = lifetime.start;
    VolumeEntry {
        id,
        lifetime,
        name: proved(start, facts.name.clone()),
        owner: proved(start, Some(facts.owner.clone())),
        volume_type: None,
        size_bytes: proved(start, facts.size_bytes),
        offering: proved(start, facts.offering.clone()),
        vm: History::new(),
        zone: facts.zone.clone(),
        tags: TagHistory::default(),
    }
}

/// A resource of which nothing but tags or labels is known: nothing says when it lived.
fn only_tagged(id: ResourceId, tagged: Tagged) -> ResourceEntry {
    ResourceEntry {
        id,
        resource_type: tagged.resource_type,
        lifetime: Lifetime {
            start: tagged.shown.map_or_else(always, |(first, _)| first),
            start_source: LifetimeSource::Seen,
            end: None,
            end_source: LifetimeSource::Seen,
            last_seen: tagged.shown.map(|(_, last)| last),
        },
        name: History::new(),
        owner: History::new(),
        is_system: false,
        zone: None,
        tags: tagged.history,
    }
}

fn lay_over(tagged: &mut BTreeMap<ResourceId, Tagged>, labels: &[Label]) {
    let mut by_key: BTreeMap<(&ResourceId, &str), Vec<&Label>> = BTreeMap::new();
    for label in labels {
        by_key
            .entry((&label.target.resource, &label.target.key))
            .or_default()
            .push(label);
    }
    for ((resource, key), labels) in by_key {
        let entry = tagged.entry(resource.clone()).or_default();
        if let Some(label) = labels
            .iter()
            .max()
            .filter(|_| entry.resource_type.is_empty())
        {
            entry.resource_type.clone_from(&label.target.resource_type);
        }
        let history = labels::overlay(entry.history.get(key), &labels);
        entry.history.insert(key.to_owned(), history);
    }
}
