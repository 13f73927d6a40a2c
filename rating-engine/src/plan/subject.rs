//! A stream seen against the inventory: whose tags count, which VM it belongs to, how big it is.

use chrono::{DateTime, Utc};
use cloudstack_usage::{
    DomainId, History, Holder, Inventory, Lifetime, MomentSource, OsTypeId, ResourceId, TagHistory,
    UsageType, VmEntry, VmId, VolumeId,
};

use super::hold::{Hold, Size};
use crate::usage::{Attachments, Stream};

/// A tag as if it had another value (or none) on a resource: for the money that hangs on
/// an uncertain moment.
#[derive(Debug, Clone)]
pub(crate) struct Override {
    pub(crate) resource: ResourceId,
    pub(crate) key: String,
    pub(crate) value: Option<String>,
}

/// A tag in force, and whether it is a label of our own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InForce<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: &'a str,
    pub(crate) is_label: bool,
}

/// A stream with what the inventory knows of its resource.
#[derive(Debug, Clone)]
pub(crate) struct Subject<'a> {
    pub(crate) stream: &'a Stream,
    inventory: &'a Inventory,
    pub(crate) volume: Option<VolumeId>,
    own_vm: Option<VmId>,
    own_tags: Option<&'a TagHistory>,
    /// The VM, where it is a VM's running or allocated time.
    vm_entry: Option<&'a VmEntry>,
    lifetime: Option<&'a Lifetime>,
    /// The domains that the owner was in.
    owner_domains: Option<&'a History<DomainId>>,
    attached: Option<&'a History<VmId>>,
    holds: Vec<&'a Hold>,
    /// A tag that counts instead of what the inventory says, whatever the instant.
    instead: Option<&'a Override>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(
        stream: &'a Stream,
        inventory: &'a Inventory,
        attachments: &'a Attachments,
    ) -> Self {
        let volume = stream.key.volume();
        let own_vm = if stream.key.is_attach_row() {
            None
        } else {
            stream.key.vm.clone()
        };
        let attached = volume.as_ref().and_then(|volume| attachments.of(volume));
        let own_tags = inventory.tags(&stream.key.identity);
        let vm_entry = own_vm
            .as_ref()
            .filter(|_| is_vm(stream))
            .and_then(|vm| inventory.vms.get(vm));
        let owner_domains = match &stream.key.holder {
            Holder::Project(id) => inventory.projects.get(id).map(|entry| &entry.domain),
            Holder::Account(id) => inventory.accounts.get(id).map(|entry| &entry.domain),
            Holder::Unknown => None,
        };
        Self {
            stream,
            inventory,
            volume,
            own_vm,
            own_tags,
            vm_entry,
            lifetime: lifetime(stream, inventory),
            owner_domains,
            attached,
            holds: Vec::new(),
            instead: None,
        }
    }

    /// The same with another value of a tag.
    pub(crate) fn instead(self, instead: &'a Override) -> Self {
        Self {
            instead: Some(instead),
            ..self
        }
    }

    /// The same with those of these that concern it held back.
    pub(crate) fn holding(self, holds: impl IntoIterator<Item = &'a Hold>) -> Self {
        let mut holds = holds.into_iter().peekable();
        if holds.peek().is_none() {
            return self;
        }
        let histories = self.tag_histories();
        let concerns = |hold: &&Hold| {
            let mut resources = histories.iter().map(|(resource, _)| resource);
            *hold.resource() == self.stream.key.identity
                || resources.any(|resource| resource == hold.resource())
        };
        let holds = holds.filter(concerns).collect();
        Self { holds, ..self }
    }

    /// What is held back of it.
    pub(crate) fn holds(&self) -> &[&'a Hold] {
        &self.holds
    }

    /// The instant whose size counts at `instant`.
    fn sized_at(&self, instant: DateTime<Utc>, size: Size) -> DateTime<Utc> {
        let of_this = |hold: &&&Hold| {
            hold.is_of(size)
                && hold.contains(instant)
                && *hold.resource() == self.stream.key.identity
        };
        let held = self.holds.iter().find(of_this);
        held.map_or(instant, |hold| hold.until)
    }

    /// Whether it is a VM's running or allocated time.
    pub(crate) fn is_vm(&self) -> bool {
        is_vm(self.stream)
    }

    /// The VM it belongs to at `instant`.
    pub(crate) fn vm_at(&self, instant: DateTime<Utc>) -> Option<&VmId> {
        if let Some(vm) = &self.own_vm {
            return Some(vm);
        }
        if self.is_vm() {
            return None;
        }
        self.attached.and_then(|history| history.at(instant))
    }

    /// The life of the resource, where the inventory knows one.
    pub(crate) fn lifetime(&self) -> Option<&'a Lifetime> {
        self.lifetime
    }

    /// The owning domain at `instant`: the account's or project's by the inventory, else
    /// the record's.
    pub(crate) fn domain_at(&self, instant: DateTime<Utc>) -> &'a DomainId {
        self.owner_domains
            .and_then(|history| history.nearest(instant))
            .unwrap_or(&self.stream.key.domain)
    }

    /// Every domain that owns it at some time.
    pub(crate) fn domains(&self) -> impl Iterator<Item = &'a DomainId> {
        let spans = self
            .owner_domains
            .map(History::spans)
            .unwrap_or_default()
            .iter();
        [&self.stream.key.domain]
            .into_iter()
            .chain(spans.map(|span| &span.value))
    }

    /// Every VM that it belongs to at some time.
    pub(crate) fn vms(&self) -> impl Iterator<Item = &VmId> {
        let attached = self.attached.iter().flat_map(|history| history.spans());
        self.own_vm.iter().chain(attached.map(|span| &span.value))
    }

    /// The tags of the resource itself in force at `instant`.
    pub(crate) fn own_tags_at(&self, instant: DateTime<Utc>) -> Vec<InForce<'a>> {
        self.in_force(&self.stream.key.identity, self.own_tags, instant)
    }

    /// The tags of the VM that it belongs to (not of itself) in force at `instant`.
    pub(crate) fn vm_tags_at(&self, instant: DateTime<Utc>) -> Vec<InForce<'a>> {
        let Some(vm) = self.vm_at(instant) else {
            return Vec::new();
        };
        let tags = self.inventory.vms.get(vm).map(|entry| &entry.tags);
        self.in_force(&vm.as_resource(), tags, instant)
    }

    /// The tags of the owning project in force at `instant`.
    pub(crate) fn project_tags_at(&self, instant: DateTime<Utc>) -> Vec<InForce<'a>> {
        let Holder::Project(id) = &self.stream.key.holder else {
            return Vec::new();
        };
        let tags = self.inventory.projects.get(id).map(|entry| &entry.tags);
        self.in_force(&id.as_resource(), tags, instant)
    }

    /// Every tag history that can decide something, with its resource.
    pub(crate) fn tag_histories(&self) -> Vec<(ResourceId, &'a TagHistory)> {
        let mut histories = Vec::new();
        if let Some(tags) = self.own_tags {
            histories.push((self.stream.key.identity.clone(), tags));
        }
        let attached = self
            .attached
            .iter()
            .flat_map(|history| history.spans())
            .map(|span| &span.value);
        for vm in self.own_vm.iter().chain(attached) {
            let known = histories
                .iter()
                .any(|(resource, _)| *resource == vm.as_resource());
            if let Some(entry) = self.inventory.vms.get(vm)
                && !known
            {
                histories.push((vm.as_resource(), &entry.tags));
            }
        }
        if let Holder::Project(id) = &self.stream.key.holder
            && let Some(entry) = self.inventory.projects.get(id)
        {
            histories.push((id.as_resource(), &entry.tags));
        }
        histories
    }

    /// Notes the instants, besides those of tags, at which something about it changes.
    pub(super) fn add_changes(&self, changes: &mut impl Extend<DateTime<Utc>>, has_fees: bool) {
        changes.extend(self.attached.iter().flat_map(|history| history.changes()));
        changes.extend(
            self.owner_domains
                .iter()
                .flat_map(|domains| domains.changes()),
        );
        // selectors may ask for a name
        changes.extend(self.names().iter().flat_map(|names| names.changes()));
        if let Some(entry) = self.vm_entry {
            changes.extend(entry.os_type.changes());
            if self.stream.key.cpu_count.is_none() {
                changes.extend(entry.cpu_count.changes());
            }
            if self.stream.key.memory_mib.is_none() {
                changes.extend(entry.memory_mib.changes());
            }
        }
        if let Some(lifetime) = self.lifetime().filter(|_| has_fees) {
            // a fee that is charged once begins with the life
            changes.extend([lifetime.start]);
        }
        changes.extend(self.holds.iter().flat_map(|hold| [hold.from, hold.until]));
    }

    /// Number of vCPUs at `instant`: of the record, of a fixed offering, else of the VM.
    pub(crate) fn cpus_at(&self, instant: DateTime<Utc>) -> Option<i128> {
        let of_offering = || self.service_offering()?.cpu_count;
        let instant = self.sized_at(instant, Size::Cpus);
        let of_vm = || self.vm_entry?.cpu_count.nearest(instant).copied();
        self.stream
            .key
            .cpu_count
            .or_else(of_offering)
            .or_else(of_vm)
            .map(i128::from)
    }

    /// Memory in MiB at `instant`, found as the vCPUs are.
    pub(crate) fn memory_at(&self, instant: DateTime<Utc>) -> Option<i128> {
        let of_offering = || self.service_offering()?.memory_mib;
        let instant = self.sized_at(instant, Size::Memory);
        let of_vm = || self.vm_entry?.memory_mib.nearest(instant).copied();
        self.stream
            .key
            .memory_mib
            .or_else(of_offering)
            .or_else(of_vm)
            .map(i128::from)
    }

    fn service_offering(&self) -> Option<&'a cloudstack_usage::Offering> {
        self.inventory
            .service_offerings
            .get(self.stream.key.offering.as_ref()?)
    }

    /// Sizes that come from the inventory and changed between two syncs: what, and from
    /// when to when the change may have been.
    pub(crate) fn uncertain_sizes(&self) -> Vec<(Size, DateTime<Utc>, DateTime<Utc>)> {
        let Some(entry) = self.vm_entry else {
            return Vec::new();
        };
        let offering = self.service_offering();
        let fixed = |size: fn(&cloudstack_usage::Offering) -> Option<u32>| {
            offering.and_then(size).is_some()
        };
        let mut sizes = Vec::new();
        if self.stream.key.cpu_count.is_none() && !fixed(|offering| offering.cpu_count) {
            sizes
                .extend(uncertain(&entry.cpu_count).map(|(from, until)| (Size::Cpus, from, until)));
        }
        if self.stream.key.memory_mib.is_none() && !fixed(|offering| offering.memory_mib) {
            sizes.extend(
                uncertain(&entry.memory_mib).map(|(from, until)| (Size::Memory, from, until)),
            );
        }
        sizes
    }

    /// Size in bytes.
    pub(crate) fn size(&self) -> Option<i128> {
        self.stream.key.size_bytes.map(i128::from)
    }

    /// The guest OS type at `instant`: by the inventory, else as the record says (which is
    /// that of the query).
    pub(crate) fn os_type_at(&self, instant: DateTime<Utc>) -> Option<&'a OsTypeId> {
        let known = self
            .vm_entry
            .and_then(|entry| entry.os_type.nearest(instant));
        known.or(self.stream.shown.os_type.as_ref())
    }

    /// The name of the OS category at `instant`.
    pub(crate) fn os_category_at(&self, instant: DateTime<Utc>) -> Option<&'a str> {
        let os_type = self.os_type_at(instant);
        let known = os_type.and_then(|os_type| self.inventory.os_category_name(os_type));
        known.or(self.stream.shown.os_category_name.as_deref())
    }

    /// The names of the resource, where the inventory knows it.
    fn names(&self) -> Option<&'a History<String>> {
        if let Some(volume) = &self.volume {
            return self.inventory.volumes.get(volume).map(|entry| &entry.name);
        }
        if self.is_vm() {
            return self.vm_entry.map(|entry| &entry.name);
        }
        let entry = self.inventory.resources.get(&self.stream.key.identity);
        entry.map(|entry| &entry.name)
    }

    /// The resource's name at `instant`, where it has one.
    pub(crate) fn name_at(&self, instant: DateTime<Utc>) -> Option<&'a str> {
        let known = self.names().and_then(|names| names.nearest(instant));
        known
            .map(String::as_str)
            .or(self.stream.shown.name.as_deref())
    }

    /// The tags of a resource in force at `instant`; what is held, and what counts instead,
    /// come before what the history says.
    fn in_force(
        &self,
        resource: &ResourceId,
        tags: Option<&'a TagHistory>,
        instant: DateTime<Utc>,
    ) -> Vec<InForce<'a>> {
        let held = self.holds.iter().filter(|hold| hold.contains(instant));
        let instead: Vec<&'a Override> = self
            .instead
            .into_iter()
            .chain(held.filter_map(|hold| hold.tag()))
            .filter(|over| over.resource == *resource)
            .collect();
        let mut found: Vec<InForce<'a>> = Vec::new();
        for (key, history) in tags.into_iter().flat_map(TagHistory::iter) {
            if instead.iter().any(|over| over.key == key) {
                continue;
            }
            if let Some(span) = history.span_at(instant) {
                let is_label = span.began.source == MomentSource::Label;
                found.push(InForce {
                    key,
                    value: &span.value,
                    is_label,
                });
            }
        }
        found.extend(instead.into_iter().filter_map(|over| {
            Some(InForce {
                key: &over.key,
                value: over.value.as_deref()?,
                is_label: false,
            })
        }));
        found
    }
}

/// The life of a stream's resource, where the inventory knows one.
pub(crate) fn lifetime<'i>(stream: &Stream, inventory: &'i Inventory) -> Option<&'i Lifetime> {
    let identity = &stream.key.identity;
    if let Some(volume) = stream.key.volume() {
        return inventory.volumes.get(&volume).map(|entry| &entry.lifetime);
    }
    let of_vm = is_vm(stream) || stream.key.usage_type == UsageType::NetworkOffering;
    if of_vm {
        let vm = VmId::from(identity.clone());
        return inventory.vms.get(&vm).map(|entry| &entry.lifetime);
    }
    inventory
        .resources
        .get(identity)
        .map(|entry| &entry.lifetime)
}

/// Whether it is a VM's running or allocated time.
fn is_vm(stream: &Stream) -> bool {
    matches!(
        stream.key.usage_type,
        UsageType::RunningVm | UsageType::AllocatedVm
    )
}

fn uncertain(history: &History<u32>) -> impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_ {
    history
        .spans()
        .iter()
        .skip(1)
        .filter_map(|span| Some((span.began.not_before?, span.began.at)))
}
