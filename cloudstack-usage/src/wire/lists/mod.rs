//! The lists of metadata, one file each: what an entry of each call means.

mod account;
mod domain;
mod event;
mod ip_address;
mod network;
mod offering;
mod os;
mod project;
mod snapshot;
mod tag;
mod template;
mod vm;
mod vm_event;
mod volume;
mod vpc;
mod zone;

pub(super) use account::account;
pub(super) use domain::domain;
pub(super) use event::tag_event;
pub(super) use ip_address::ip_address;
pub(super) use network::network;
pub(super) use offering::{disk_offering, network_offering, service_offering};
pub(super) use os::{os_category, os_type};
pub(super) use project::project;
pub(super) use snapshot::volume_snapshot;
pub(super) use tag::{TagKey, resource_tag};
pub(super) use template::template;
pub(super) use vm::vm;
pub(super) use vm_event::vm_event;
pub(super) use volume::volume;
pub(super) use vpc::vpc;
pub(super) use zone::zone;

use super::entry::{Entry, EntryError};
use crate::id::{AccountId, DomainId, ProjectId};
use crate::metadata::Kind;
use crate::record::{Holder, Owner};

impl Kind {
    /// The API call that lists this kind; of [`Kind::VmEvent`], which the API does not list,
    /// the name of its table.
    ///
    /// ```
    /// use cloudstack_usage::Kind;
    ///
    /// assert_eq!(Kind::Vm.command(), "listVirtualMachines");
    /// assert_eq!(Kind::from_command("listvirtualmachines"), Some(Kind::Vm));
    /// ```
    pub fn command(self) -> &'static str {
        self.names().0
    }

    /// The kind that an API call lists, where it is one that a sync reads.
    pub fn from_command(command: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.command().eq_ignore_ascii_case(command))
    }

    /// The name of the list in the answer.
    pub(crate) fn list_name(self) -> &'static str {
        self.names().1
    }

    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Domain => ("listDomains", "domain"),
            Self::Project => ("listProjects", "project"),
            Self::Account => ("listAccounts", "account"),
            Self::Vm => ("listVirtualMachines", "virtualmachine"),
            Self::Volume => ("listVolumes", "volume"),
            Self::IpAddress => ("listPublicIpAddresses", "publicipaddress"),
            Self::Network => ("listNetworks", "network"),
            Self::Vpc => ("listVPCs", "vpc"),
            Self::Snapshot => ("listSnapshots", "snapshot"),
            Self::ServiceOffering => ("listServiceOfferings", "serviceoffering"),
            Self::DiskOffering => ("listDiskOfferings", "diskoffering"),
            Self::NetworkOffering => ("listNetworkOfferings", "networkoffering"),
            Self::Template => ("listTemplates", "template"),
            Self::OsType => ("listOsTypes", "ostype"),
            Self::OsCategory => ("listOsCategories", "oscategory"),
            Self::Zone => ("listZones", "zone"),
            Self::Tag => ("listTags", "tag"),
            Self::TagEvent => ("listEvents", "event"),
            Self::VmEvent => ("usage_event", "usageevent"),
        }
    }

    /// Whether CloudStack's API lists it.
    pub fn is_in_api(self) -> bool {
        self != Self::VmEvent
    }

    /// Whether entries belong to an account or a project, so that the list has to be asked
    /// for with and without projects.
    #[cfg(any(test, feature = "recording"))]
    pub(crate) fn is_owned(self) -> bool {
        matches!(
            self,
            Self::Vm
                | Self::Volume
                | Self::IpAddress
                | Self::Network
                | Self::Vpc
                | Self::Snapshot
                | Self::Tag
        )
    }
}

/// An owner as most lists name it: domain and project by id, an account by its name.
pub(super) struct ListedOwner {
    pub(super) owner: Owner,
    /// The account's name, where only that is known: its id is in `listAccounts`.
    pub(super) account_name: Option<String>,
}

/// An entry, with the name of the account that is still to be found.
pub(super) struct Listed<T> {
    pub(super) value: T,
    pub(super) account_name: Option<String>,
}

/// The owner that an entry names.
fn listed_owner(entry: &Entry<'_>) -> Result<ListedOwner, EntryError> {
    let domain: DomainId = entry.required_id("domainid")?;
    let project: Option<ProjectId> = entry.id("projectid")?;
    let account: Option<AccountId> = entry.id("accountid")?;
    let (holder, account_name) = match (project, account) {
        (Some(project), _) => (Holder::Project(project), None),
        (None, Some(account)) => (Holder::Account(account), None),
        (None, None) => (Holder::Unknown, entry.text("account")?),
    };
    Ok(ListedOwner {
        owner: Owner { domain, holder },
        account_name,
    })
}

/// The owner of something that may belong to nobody in particular, such as a network that
/// a whole zone or domain shares.
fn optional_owner(entry: &Entry<'_>) -> Result<Option<ListedOwner>, EntryError> {
    let named = entry.text("account")?.is_some() || entry.text("projectid")?.is_some();
    if named && entry.text("domainid")?.is_some() {
        listed_owner(entry).map(Some)
    } else {
        Ok(None)
    }
}
