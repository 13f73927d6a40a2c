//! Scopes of prices and discounts, resolved to ids.

use std::collections::BTreeSet;

use cloudstack_usage::{DomainId, History, Inventory, Lifetime, Period, ProjectId, VmId, VolumeId};
use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;

use crate::book::model::Scope;
use crate::error::{RatingError, RatingErrorKind};

/// A scope by id. A name that the inventory does not know is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CompiledScope {
    Book,
    Domain(DomainId),
    Project(ProjectId),
    Vm(VmId),
    Volume(VolumeId),
    Nobody,
}

/// How near a scope is: level first (volume before VM before project before domain before
/// book), then for domains the depth in the tree.
pub(crate) type Nearness = (u8, usize);

/// Where a charge stands, for matching scopes.
#[derive(Debug, Clone)]
pub(crate) struct Position<'a> {
    /// The owning domain and those above it, nearest first.
    pub(crate) ancestry: &'a [DomainId],
    pub(crate) project: Option<&'a ProjectId>,
    pub(crate) vm: Option<&'a VmId>,
    pub(crate) volume: Option<&'a VolumeId>,
}

impl CompiledScope {
    /// How near the scope is to `position`; none where it does not hold it.
    pub(crate) fn nearness(&self, position: &Position<'_>) -> Option<Nearness> {
        match self {
            Self::Book => Some((0, 0)),
            Self::Domain(id) => {
                let steps = position.ancestry.iter().position(|domain| domain == id)?;
                Some((1, position.ancestry.len() - steps))
            }
            Self::Project(id) => (position.project == Some(id)).then_some((2, 0)),
            Self::Vm(id) => (position.vm == Some(id)).then_some((3, 0)),
            Self::Volume(id) => (position.volume == Some(id)).then_some((4, 0)),
            Self::Nobody => None,
        }
    }
}

/// A map that is looked up only, never walked: the order of a hash table decides nothing.
pub(super) type LookUp<K, V> = HashMap<K, V, FxBuildHasher>;

/// Things of the book by their scope: a book with a price for each of a thousand customers
/// costs a customer no more than its own.
#[derive(Debug, Default)]
pub(crate) struct ByScope<T> {
    book: Vec<T>,
    domains: LookUp<DomainId, Vec<T>>,
    projects: LookUp<ProjectId, Vec<T>>,
    vms: LookUp<VmId, Vec<T>>,
    volumes: LookUp<VolumeId, Vec<T>>,
}

impl<T: Copy> ByScope<T> {
    pub(crate) fn add(&mut self, scope: &CompiledScope, thing: T) {
        let things = match scope {
            CompiledScope::Book => &mut self.book,
            CompiledScope::Domain(id) => self.domains.entry(id.clone()).or_default(),
            CompiledScope::Project(id) => self.projects.entry(id.clone()).or_default(),
            CompiledScope::Vm(id) => self.vms.entry(id.clone()).or_default(),
            CompiledScope::Volume(id) => self.volumes.entry(id.clone()).or_default(),
            CompiledScope::Nobody => return,
        };
        things.push(thing);
    }

    /// The things whose scope holds one of these domains or VMs, the project or the volume,
    /// and those for everybody.
    pub(crate) fn of<'s>(
        &'s self,
        domains: impl IntoIterator<Item = &'s DomainId>,
        project: Option<&'s ProjectId>,
        vms: impl IntoIterator<Item = &'s VmId>,
        volume: Option<&'s VolumeId>,
    ) -> impl Iterator<Item = T> {
        let domains = domains.into_iter().filter_map(|id| self.domains.get(id));
        let project = project.and_then(|id| self.projects.get(id));
        let vms = vms.into_iter().filter_map(|id| self.vms.get(id));
        let volume = volume.and_then(|id| self.volumes.get(id));
        let near = domains.chain(project).chain(vms).chain(volume);
        self.book.iter().chain(near.flatten()).copied()
    }

    /// Visits the things whose scope holds `position`, each with how near its scope is.
    pub(crate) fn visit(&self, position: &Position<'_>, mut visit: impl FnMut(T, Nearness)) {
        let mut all = |things: Option<&Vec<T>>, nearness| {
            for thing in things.into_iter().flatten() {
                visit(*thing, nearness);
            }
        };
        all(Some(&self.book), (0, 0));
        let depth = position.ancestry.len();
        for (steps, domain) in position.ancestry.iter().enumerate() {
            all(self.domains.get(domain), (1, depth - steps));
        }
        all(
            position.project.and_then(|id| self.projects.get(id)),
            (2, 0),
        );
        all(position.vm.and_then(|id| self.vms.get(id)), (3, 0));
        all(position.volume.and_then(|id| self.volumes.get(id)), (4, 0));
    }

    /// The things whose scope is one of these domains.
    pub(crate) fn of_domains(&self, domains: &[DomainId]) -> impl Iterator<Item = T> {
        let things = domains.iter().filter_map(|id| self.domains.get(id));
        things.flatten().copied()
    }

    /// The things whose scope holds `position`.
    pub(crate) fn at<'s>(&'s self, position: &'s Position<'s>) -> impl Iterator<Item = T> {
        self.of(
            position.ancestry,
            position.project,
            position.vm,
            position.volume,
        )
    }
}

/// Resolves a scope by id, path or name. Names of VMs and volumes are used again and again:
/// only those that lived within `period` count.
///
/// # Errors
/// When the name belongs to several.
pub(crate) fn compile(
    scope: &Scope,
    inventory: &Inventory,
    period: Period,
    rule: &str,
) -> Result<CompiledScope, RatingError> {
    // an id needs no search
    let by_id = match scope {
        Scope::Project(id) => Some(ProjectId::new(id))
            .filter(|id| inventory.projects.contains_key(id))
            .map(CompiledScope::Project),
        Scope::Vm(id) => Some(VmId::new(id))
            .filter(|id| inventory.vms.contains_key(id))
            .map(CompiledScope::Vm),
        Scope::Volume(id) => Some(VolumeId::new(id))
            .filter(|id| inventory.volumes.contains_key(id))
            .map(CompiledScope::Volume),
        Scope::Book | Scope::Domain(_) => None,
    };
    if let Some(found) = by_id {
        return Ok(found);
    }
    let lived = |lifetime: &Lifetime| lifetime.period().overlaps(&period);
    let compiled = match scope {
        Scope::Book => CompiledScope::Book,
        Scope::Domain(name) => {
            domain(name, inventory, rule)?.map_or(CompiledScope::Nobody, CompiledScope::Domain)
        }
        Scope::Project(name) => {
            let named = inventory
                .projects
                .values()
                .map(|entry| (&entry.id, &entry.name));
            one(named, &ProjectId::new(name), name, "project", rule)?
                .map_or(CompiledScope::Nobody, CompiledScope::Project)
        }
        Scope::Vm(name) => {
            let named = || inventory.vms.values().map(|entry| (&entry.id, &entry.name));
            let alive = inventory
                .vms
                .values()
                .filter(|entry| lived(&entry.lifetime));
            let alive = alive.map(|entry| (&entry.id, &entry.name));
            one(alive, &VmId::new(name), name, "VM", rule)?
                .or_else(|| gone(named(), &VmId::new(name), name))
                .map_or(CompiledScope::Nobody, CompiledScope::Vm)
        }
        Scope::Volume(name) => {
            let named = || {
                inventory
                    .volumes
                    .values()
                    .map(|entry| (&entry.id, &entry.name))
            };
            let alive = inventory
                .volumes
                .values()
                .filter(|entry| lived(&entry.lifetime));
            let alive = alive.map(|entry| (&entry.id, &entry.name));
            one(alive, &VolumeId::new(name), name, "volume", rule)?
                .or_else(|| gone(named(), &VolumeId::new(name), name))
                .map_or(CompiledScope::Nobody, CompiledScope::Volume)
        }
    };
    Ok(compiled)
}

/// A domain by id, path (`ROOT/customer`) or name.
///
/// # Errors
/// When the name belongs to several.
pub(crate) fn domain(
    name: &str,
    inventory: &Inventory,
    rule: &str,
) -> Result<Option<DomainId>, RatingError> {
    let by_path = inventory
        .domains
        .values()
        .find(|entry| had(&entry.path, name));
    if let Some(entry) = by_path {
        return Ok(Some(entry.id.clone()));
    }
    let named = inventory
        .domains
        .values()
        .map(|entry| (&entry.id, &entry.name));
    one(named, &DomainId::new(name), name, "domain", rule)
}

fn had(history: &History<String>, name: &str) -> bool {
    history.spans().iter().any(|span| span.value == name)
}

/// One that is known by id or name, but did not live in the period: nothing of it is rated,
/// so which of several it is does not matter.
fn gone<'a, I: Eq + Clone + 'a>(
    mut named: impl Iterator<Item = (&'a I, &'a History<String>)>,
    id: &I,
    name: &str,
) -> Option<I> {
    named
        .find(|(candidate, names)| *candidate == id || had(names, name))
        .map(|(candidate, _)| candidate.clone())
}

fn one<'a, I: Ord + Clone + std::fmt::Display + 'a>(
    named: impl Iterator<Item = (&'a I, &'a History<String>)>,
    id: &I,
    name: &str,
    kind: &str,
    rule: &str,
) -> Result<Option<I>, RatingError> {
    let mut found = BTreeSet::new();
    for (candidate, names) in named {
        if candidate == id {
            return Ok(Some(id.clone()));
        }
        if had(names, name) {
            found.insert(candidate.clone());
        }
    }
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(ToString::to_string).collect();
        let message = format!(
            "{rule}: there are several {kind}s called {name:?} ({}); give the id",
            ids.join(", ")
        );
        return Err(RatingError::new(RatingErrorKind::AmbiguousScope, message));
    }
    Ok(found.pop_first())
}
