//! What one sync saw of the cloud besides usage: a snapshot of names, owners, sizes,
//! attachments and tags.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{
    AccountId, DomainId, NetworkId, OfferingId, OsCategoryId, OsTypeId, ProjectId, ResourceId,
    TemplateId, VmId, VolumeId, VpcId, ZoneId,
};
use crate::record::{Holder, Owner};
use crate::tag::{ResourceTag, Tag};

/// A kind of thing that a sync lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// `listDomains`
    Domain,
    /// `listProjects`
    Project,
    /// `listAccounts`
    Account,
    /// `listVirtualMachines`
    Vm,
    /// `listVolumes`
    Volume,
    /// `listPublicIpAddresses`
    IpAddress,
    /// `listNetworks`
    Network,
    /// `listVPCs`
    Vpc,
    /// `listSnapshots`
    Snapshot,
    /// `listServiceOfferings`
    ServiceOffering,
    /// `listDiskOfferings`
    DiskOffering,
    /// `listNetworkOfferings`
    NetworkOffering,
    /// `listTemplates`
    Template,
    /// `listOsTypes`
    OsType,
    /// `listOsCategories`
    OsCategory,
    /// `listZones`
    Zone,
    /// `listTags`
    Tag,
    /// `listEvents` of `CREATE_TAGS` and `DELETE_TAGS`
    TagEvent,
    /// Starts and stops of VMs in `usage_event`, which no call of the API lists
    VmEvent,
}

impl Kind {
    /// Whether entries of it happened once, rather than are there: lists of these reach back for a
    /// time only, so that one which is no longer listed is no change.
    ///
    /// ```
    /// use cloudstack_usage::Kind;
    ///
    /// assert!(Kind::TagEvent.is_event());
    /// assert!(!Kind::Tag.is_event());
    /// ```
    pub fn is_event(self) -> bool {
        matches!(self, Self::TagEvent | Self::VmEvent)
    }

    /// Every kind, in the order in which a sync lists them.
    pub const ALL: &'static [Self] = &[
        Self::Domain,
        Self::Project,
        Self::Account,
        Self::Vm,
        Self::Volume,
        Self::IpAddress,
        Self::Network,
        Self::Vpc,
        Self::Snapshot,
        Self::ServiceOffering,
        Self::DiskOffering,
        Self::NetworkOffering,
        Self::Template,
        Self::OsType,
        Self::OsCategory,
        Self::Zone,
        Self::Tag,
        Self::TagEvent,
        Self::VmEvent,
    ];
}

/// A domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Domain {
    /// Its id.
    pub id: DomainId,
    /// Its name.
    pub name: String,
    /// Its path, beginning with `ROOT`.
    pub path: String,
    /// The domain above; none for ROOT.
    pub parent: Option<DomainId>,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name.
    pub name: String,
    /// Its description (`displaytext`).
    pub display_text: Option<String>,
    /// The domain it lies in.
    pub domain: DomainId,
    /// `Active`, `Disabled`, `Suspended`.
    pub state: Option<String>,
    /// Tags in the list itself; complete only where no [`Kind::Tag`] list was read.
    pub tags: Vec<Tag>,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name, unique within the domain.
    pub name: String,
    /// The domain it lies in.
    pub domain: DomainId,
    /// `enabled`, `disabled`, `locked`.
    pub state: Option<String>,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vm {
    /// Its id.
    pub id: VmId,
    /// Its host name.
    pub name: String,
    /// The name that people see.
    pub display_name: Option<String>,
    /// Its owner; an account's id is unknown where the list names accounts only.
    pub owner: Owner,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// When it was last started, stopped or changed (4.16 and later).
    pub last_updated: Option<DateTime<Utc>>,
    /// `Running`, `Stopped`, `Destroyed`, …
    pub state: Option<String>,
    /// Its service offering.
    pub offering: Option<OfferingId>,
    /// Its template.
    pub template: Option<TemplateId>,
    /// Its guest OS type.
    pub os_type: Option<OsTypeId>,
    /// Number of vCPUs.
    pub cpu_count: Option<u32>,
    /// Memory in MiB.
    pub memory_mib: Option<u32>,
    /// Its zone.
    pub zone: Option<ZoneId>,
    /// The hypervisor's name.
    pub hypervisor: Option<String>,
    /// Tags in the list itself; complete only where no [`Kind::Tag`] list was read.
    pub tags: Vec<Tag>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its id.
    pub id: VolumeId,
    /// Its name.
    pub name: String,
    /// `ROOT` or `DATADISK`.
    pub volume_type: Option<String>,
    /// Its owner.
    pub owner: Owner,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// `Ready`, `Allocated`, `Destroy`, …
    pub state: Option<String>,
    /// Size in bytes.
    pub size_bytes: Option<u64>,
    /// The VM it is attached to.
    pub vm: Option<VmId>,
    /// When it was attached.
    pub attached: Option<DateTime<Utc>>,
    /// Its disk offering.
    pub offering: Option<OfferingId>,
    /// Its zone.
    pub zone: Option<ZoneId>,
    /// Tags in the list itself; complete only where no [`Kind::Tag`] list was read.
    pub tags: Vec<Tag>,
}

/// A public address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpAddress {
    /// Its id.
    pub id: ResourceId,
    /// The address.
    pub address: String,
    /// Its owner.
    pub owner: Owner,
    /// When it was allocated to the owner.
    pub allocated: Option<DateTime<Utc>>,
    /// `Allocated`, `Releasing`, `Free`.
    pub state: Option<String>,
    /// Whether it is one of the system's own, which usage leaves out.
    pub is_system: bool,
    /// Whether it is the source NAT address of a network.
    pub is_source_nat: bool,
    /// Its zone.
    pub zone: Option<ZoneId>,
}

/// A guest network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its owner, where it has one (shared networks may have none).
    pub owner: Option<Owner>,
    /// Its offering.
    pub offering: Option<OfferingId>,
    /// When it was created (4.16 and later).
    pub created: Option<DateTime<Utc>>,
    /// Its zone.
    pub zone: Option<ZoneId>,
}

/// A VPC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its id.
    pub id: VpcId,
    /// Its name.
    pub name: String,
    /// Its owner.
    pub owner: Option<Owner>,
    /// When it was created.
    pub created: Option<DateTime<Utc>>,
    /// Its zone.
    pub zone: Option<ZoneId>,
}

/// A volume snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeSnapshot {
    /// Its id.
    pub id: ResourceId,
    /// Its name.
    pub name: String,
    /// The volume it was taken of.
    pub volume: Option<VolumeId>,
    /// Its owner.
    pub owner: Owner,
    /// When it was taken.
    pub created: Option<DateTime<Utc>>,
    /// Its zone.
    pub zone: Option<ZoneId>,
}

/// A service, disk or network offering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offering {
    /// Its id.
    pub id: OfferingId,
    /// Its name.
    pub name: String,
    /// Service offerings: number of vCPUs, none where each VM has its own.
    pub cpu_count: Option<u32>,
    /// Service offerings: memory in MiB, none where each VM has its own.
    pub memory_mib: Option<u32>,
    /// Storage tags, separated by commas.
    pub storage_tags: Option<String>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// Its id.
    pub id: TemplateId,
    /// Its name.
    pub name: String,
    /// Its guest OS type.
    pub os_type: Option<OsTypeId>,
}

/// A guest OS type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsType {
    /// Its id.
    pub id: OsTypeId,
    /// Its name (`description` of `listOsTypes`).
    pub name: String,
    /// Its category.
    pub category: Option<OsCategoryId>,
}

/// A category of guest OS types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsCategory {
    /// Its id.
    pub id: OsCategoryId,
    /// Its name (`Windows`, `SUSE`, …).
    pub name: String,
}

/// A zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zone {
    /// Its id.
    pub id: ZoneId,
    /// Its name.
    pub name: String,
}

/// Whether tags were set or taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagAction {
    /// `CREATE_TAGS`
    Create,
    /// `DELETE_TAGS`
    Delete,
}

/// A completed `CREATE_TAGS` or `DELETE_TAGS` event. It names a time and a user, never a
/// resource, key or value; one call for several resources or tags is one event.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TagEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// Set or taken away.
    pub action: TagAction,
    /// The event's id.
    pub id: String,
    /// Who.
    pub username: Option<String>,
}

/// What a VM was made to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VmAction {
    /// `VM.CREATE`: allocated, or recovered
    Create,
    /// `VM.START`
    Start,
    /// `VM.STOP`
    Stop,
    /// `VM.DYNAMIC.SCALE`: another size while it runs
    Scale,
    /// `VM.DESTROY`
    Destroy,
}

/// A usage event of a VM: the usage server makes running time of these, so they say to the
/// second where in its window the time of a record lies. CloudStack's databases have them, its
/// API does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VmEvent {
    /// When.
    pub at: DateTime<Utc>,
    /// The number of its row in `usage_event`: of two at one moment the later is greater.
    pub id: u64,
    /// The VM.
    pub vm: VmId,
    /// What it was made to do.
    pub action: VmAction,
    /// Whose it was.
    pub holder: Holder,
    /// Its service offering from then on.
    pub offering: Option<OfferingId>,
    /// Its number of vCPUs from then on, where it is known.
    pub cpu_count: Option<u32>,
    /// Its memory in MiB from then on, where it is known.
    pub memory_mib: Option<u32>,
}

/// What a sync at one moment saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The moment of the sync.
    pub at: DateTime<Utc>,
    /// The kinds that were listed completely. Only of these does absence mean "gone".
    pub complete: BTreeSet<Kind>,
    /// Domains.
    pub domains: Vec<Domain>,
    /// Projects.
    pub projects: Vec<Project>,
    /// Accounts.
    pub accounts: Vec<Account>,
    /// Virtual machines.
    pub vms: Vec<Vm>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Public addresses.
    pub ip_addresses: Vec<IpAddress>,
    /// Guest networks.
    pub networks: Vec<Network>,
    /// VPCs.
    pub vpcs: Vec<Vpc>,
    /// Volume snapshots.
    pub snapshots: Vec<VolumeSnapshot>,
    /// Service offerings.
    pub service_offerings: Vec<Offering>,
    /// Disk offerings.
    pub disk_offerings: Vec<Offering>,
    /// Network offerings.
    pub network_offerings: Vec<Offering>,
    /// Templates.
    pub templates: Vec<Template>,
    /// Guest OS types.
    pub os_types: Vec<OsType>,
    /// Categories of guest OS types.
    pub os_categories: Vec<OsCategory>,
    /// Zones.
    pub zones: Vec<Zone>,
    /// Tags of `listTags`.
    pub tags: Vec<ResourceTag>,
    /// Completed tag events.
    pub tag_events: Vec<TagEvent>,
    /// Usage events of VMs since [`vm_events_from`](Self::vm_events_from).
    #[serde(default)]
    pub vm_events: Vec<VmEvent>,
    /// Since when all usage events of VMs are listed; none where they were not.
    #[serde(default)]
    pub vm_events_from: Option<DateTime<Utc>>,
}

impl Snapshot {
    /// A snapshot of an empty cloud at `at`, with nothing listed yet.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            complete: BTreeSet::new(),
            domains: Vec::new(),
            projects: Vec::new(),
            accounts: Vec::new(),
            vms: Vec::new(),
            volumes: Vec::new(),
            ip_addresses: Vec::new(),
            networks: Vec::new(),
            vpcs: Vec::new(),
            snapshots: Vec::new(),
            service_offerings: Vec::new(),
            disk_offerings: Vec::new(),
            network_offerings: Vec::new(),
            templates: Vec::new(),
            os_types: Vec::new(),
            os_categories: Vec::new(),
            zones: Vec::new(),
            tags: Vec::new(),
            tag_events: Vec::new(),
            vm_events: Vec::new(),
            vm_events_from: None,
        }
    }

    /// The same with every kind marked as listed completely.
    #[must_use]
    pub fn all_complete(mut self) -> Self {
        self.complete = Kind::ALL.iter().copied().collect();
        self
    }

    /// Every tag of the snapshot: `listTags` where it was listed, with those inside the
    /// lists of VMs, volumes and projects; each once, in order.
    pub fn all_tags(&self) -> BTreeSet<ResourceTag> {
        let of = |resource_type: &str, resource: ResourceId, tags: &[Tag]| {
            tags.iter()
                .map(|tag| ResourceTag {
                    resource_type: resource_type.to_owned(),
                    resource: resource.clone(),
                    tag: tag.clone(),
                })
                .collect::<Vec<_>>()
        };
        let mut tags: BTreeSet<ResourceTag> = self.tags.iter().cloned().collect();
        tags.extend(
            self.vms
                .iter()
                .flat_map(|vm| of("UserVm", vm.id.as_resource(), &vm.tags)),
        );
        tags.extend(
            self.volumes
                .iter()
                .flat_map(|v| of("Volume", v.id.as_resource(), &v.tags)),
        );
        tags.extend(
            self.projects
                .iter()
                .flat_map(|p| of("Project", p.id.as_resource(), &p.tags)),
        );
        tags
    }
}
