//! From the answers of a sync's metadata calls to one snapshot.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::answer::Answer;
use super::entry::{Entry, EntryError};
use super::lists::{self, Listed, TagKey};
use crate::error::{Error, ErrorKind};
use crate::id::{
    AccountId, DomainId, NetworkId, OfferingId, OsCategoryId, OsTypeId, ProjectId, ResourceId,
    TemplateId, VmId, VolumeId, VpcId, ZoneId,
};
use crate::metadata::{
    Account, Domain, IpAddress, Kind, Network, Offering, OsCategory, OsType, Project, Snapshot,
    TagEvent, Template, Vm, VmEvent, Volume, VolumeSnapshot, Vpc, Zone,
};
use crate::record::{Holder, Owner};
use crate::source::{Notice, Rejection, SnapshotFetch};
use crate::tag::ResourceTag;

/// What one answer added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddedPage {
    /// Entries in the answer, readable or not.
    pub entries: usize,
    /// How many of them no earlier answer of the kind had named.
    pub new: usize,
    /// The total over all pages of the call, where the answer gives one.
    pub count: Option<u64>,
}

/// Puts the answers of metadata calls together, in whatever order they come.
///
/// Several answers may name one thing (pages that overlap, a list with and one without
/// projects, a template in two zones): it is kept once, as the last answer said. Lists that
/// name an account by name and domain get its id from `listAccounts` of the same snapshot;
/// an account that is not listed (the system's own, a removed one) stays
/// [`Holder::Unknown`].
///
/// ```
/// use chrono::DateTime;
/// use cloudstack_usage::{Holder, Kind, SnapshotBuilder};
///
/// let mut builder = SnapshotBuilder::new(DateTime::from_timestamp(1_790_000_000, 0).unwrap());
/// builder.add("listVirtualMachines", "page 1", br#"{"r":{"virtualmachine":[
///     {"id":"vm","name":"web","domainid":"d","account":"ops","state":"Destroyed"}]}}"#)?;
/// builder.add("listAccounts", "page 1", br#"{"r":{"account":[
///     {"id":"a","name":"ops","domainid":"d"}]}}"#)?;
/// let fetch = builder.finish();
/// assert_eq!(fetch.snapshot.vms[0].owner.holder, Holder::Account("a".into()));
/// assert!(fetch.snapshot.complete.contains(&Kind::Vm));
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
#[derive(Default)]
pub struct SnapshotBuilder {
    at: DateTime<Utc>,
    asked: BTreeSet<Kind>,
    incomplete: BTreeSet<Kind>,
    /// What the entries of the last answer, and of all answers of the call, are named by.
    last_names: Vec<String>,
    names_in_call: BTreeSet<String>,
    rejections: Vec<Rejection>,
    notices: Vec<Notice>,
    domains: BTreeMap<DomainId, Domain>,
    projects: BTreeMap<ProjectId, Project>,
    accounts: BTreeMap<AccountId, Account>,
    vms: BTreeMap<VmId, Listed<Vm>>,
    volumes: BTreeMap<VolumeId, Listed<Volume>>,
    ip_addresses: BTreeMap<ResourceId, Listed<IpAddress>>,
    networks: BTreeMap<NetworkId, Listed<Network>>,
    vpcs: BTreeMap<VpcId, Listed<Vpc>>,
    snapshots: BTreeMap<ResourceId, Listed<VolumeSnapshot>>,
    service_offerings: BTreeMap<OfferingId, Offering>,
    disk_offerings: BTreeMap<OfferingId, Offering>,
    network_offerings: BTreeMap<OfferingId, Offering>,
    templates: BTreeMap<TemplateId, Template>,
    os_types: BTreeMap<OsTypeId, OsType>,
    os_categories: BTreeMap<OsCategoryId, OsCategory>,
    zones: BTreeMap<ZoneId, Zone>,
    tags: BTreeMap<TagKey, ResourceTag>,
    tag_events: BTreeMap<String, TagEvent>,
    vm_events: BTreeMap<u64, VmEvent>,
    vm_events_from: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for SnapshotBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotBuilder")
            .field("at", &self.at)
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}

impl SnapshotBuilder {
    /// An empty snapshot of the moment `at`.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            at,
            ..Self::default()
        }
    }

    /// Adds one answer of `command`. Its kind counts as listed completely from then on,
    /// unless an entry cannot be read or [`incomplete`](Self::incomplete) says otherwise.
    ///
    /// # Errors
    /// As [`Answer::parse`], or when `command` is not one of [`Kind::command`].
    pub fn add(&mut self, command: &str, label: &str, bytes: &[u8]) -> Result<AddedPage, Error> {
        let kind = Kind::from_command(command).ok_or_else(|| {
            Error::new(
                ErrorKind::Configuration,
                format!("{label}: {command} is not a call that metadata is read from"),
            )
        })?;
        self.add_answer(kind, &Answer::parse(label, bytes)?)
    }

    /// Says that `kind` was not listed completely, and why; absence from it means nothing.
    pub fn incomplete(&mut self, kind: Kind, notice: Notice) {
        self.incomplete.insert(kind);
        self.notices.push(notice);
    }

    /// Says since when all usage events of VMs are listed.
    pub fn vm_events_since(&mut self, from: DateTime<Utc>) {
        self.vm_events_from = Some(from);
    }

    /// Adds a notice to the outcome.
    pub fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }

    /// Begins to count what a call names anew.
    #[cfg(any(feature = "blocking", feature = "async"))]
    pub(crate) fn begin_call(&mut self) {
        self.names_in_call.clear();
    }

    /// How many things the answers since [`begin_call`](Self::begin_call) named.
    #[cfg(any(feature = "blocking", feature = "async"))]
    pub(crate) fn named_in_call(&self) -> usize {
        self.names_in_call.len()
    }

    /// What the last answer named, in its order.
    #[cfg(any(feature = "blocking", feature = "async"))]
    pub(crate) fn last_names(&self) -> Vec<String> {
        self.last_names.clone()
    }

    /// Adds an answer that was opened already.
    pub(crate) fn add_answer(&mut self, kind: Kind, answer: &Answer) -> Result<AddedPage, Error> {
        let entries = answer.entries(&[kind.list_name()])?;
        self.asked.insert(kind);
        let mut added = AddedPage {
            entries: entries.len(),
            new: 0,
            count: answer.count(),
        };
        self.last_names.clear();
        for (index, json) in entries.into_iter().enumerate() {
            match Entry::parse(json).and_then(|entry| {
                self.name(kind, &entry)?;
                self.add_entry(kind, &entry)
            }) {
                Ok(new) => added.new += usize::from(new),
                Err(error) => {
                    self.incomplete.insert(kind);
                    let rejection = error.into_rejection(answer.label(), index + 1, json);
                    self.rejections.push(rejection);
                }
            }
        }
        Ok(added)
    }

    /// Notes what an entry names: an id, or a key of a resource.
    fn name(&mut self, kind: Kind, entry: &Entry<'_>) -> Result<(), EntryError> {
        let fields: &[&'static str] = match kind {
            Kind::Tag => &["resourcetype", "resourceid", "key"],
            _ => &["id"],
        };
        let mut name = String::new();
        for field in fields {
            name.push_str(&entry.text(field)?.unwrap_or_default());
            name.push('\u{0}');
        }
        self.names_in_call.insert(name.clone());
        self.last_names.push(name);
        Ok(())
    }

    /// Whether the entry named something new.
    fn add_entry(&mut self, kind: Kind, entry: &Entry<'_>) -> Result<bool, EntryError> {
        macro_rules! put {
            ($map:ident, $read:ident) => {{
                let value = lists::$read(entry)?;
                self.$map.insert(value.id.clone(), value).is_none()
            }};
        }
        macro_rules! put_owned {
            ($map:ident, $read:ident) => {{
                let listed = lists::$read(entry)?;
                self.$map.insert(listed.value.id.clone(), listed).is_none()
            }};
        }
        Ok(match kind {
            Kind::Domain => put!(domains, domain),
            Kind::Project => put!(projects, project),
            Kind::Account => put!(accounts, account),
            Kind::Vm => put_owned!(vms, vm),
            Kind::Volume => put_owned!(volumes, volume),
            Kind::Network => put_owned!(networks, network),
            Kind::Vpc => put_owned!(vpcs, vpc),
            Kind::Snapshot => put_owned!(snapshots, volume_snapshot),
            Kind::ServiceOffering => put!(service_offerings, service_offering),
            Kind::DiskOffering => put!(disk_offerings, disk_offering),
            Kind::NetworkOffering => put!(network_offerings, network_offering),
            Kind::Template => put!(templates, template),
            Kind::OsType => put!(os_types, os_type),
            Kind::OsCategory => put!(os_categories, os_category),
            Kind::Zone => put!(zones, zone),
            Kind::IpAddress => lists::ip_address(entry)?.is_some_and(|listed| {
                let id = listed.value.id.clone();
                self.ip_addresses.insert(id, listed).is_none()
            }),
            Kind::Tag => {
                let (key, tag) = lists::resource_tag(entry)?;
                self.tags.insert(key, tag).is_none()
            }
            Kind::TagEvent => lists::tag_event(entry)?
                .is_some_and(|event| self.tag_events.insert(event.id.clone(), event).is_none()),
            Kind::VmEvent => lists::vm_event(entry)?
                .is_some_and(|event| self.vm_events.insert(event.id, event).is_none()),
        })
    }

    /// The snapshot, every list in the order of its ids.
    pub fn finish(self) -> SnapshotFetch {
        let accounts = AccountNames::of(&self.accounts);
        let complete = &self.asked - &self.incomplete;
        let vm_events_from = self
            .vm_events_from
            .filter(|_| complete.contains(&Kind::VmEvent));
        let mut tag_events: Vec<_> = self.tag_events.into_values().collect();
        tag_events.sort();
        let snapshot = Snapshot {
            at: self.at,
            complete,
            vms: accounts.resolve(self.vms, |vm| Some(&mut vm.owner)),
            volumes: accounts.resolve(self.volumes, |volume| Some(&mut volume.owner)),
            ip_addresses: accounts.resolve(self.ip_addresses, |ip| Some(&mut ip.owner)),
            networks: accounts.resolve(self.networks, |network| network.owner.as_mut()),
            vpcs: accounts.resolve(self.vpcs, |vpc| vpc.owner.as_mut()),
            snapshots: accounts.resolve(self.snapshots, |snapshot| Some(&mut snapshot.owner)),
            domains: self.domains.into_values().collect(),
            projects: self.projects.into_values().collect(),
            accounts: self.accounts.into_values().collect(),
            service_offerings: self.service_offerings.into_values().collect(),
            disk_offerings: self.disk_offerings.into_values().collect(),
            network_offerings: self.network_offerings.into_values().collect(),
            templates: self.templates.into_values().collect(),
            os_types: self.os_types.into_values().collect(),
            os_categories: self.os_categories.into_values().collect(),
            zones: self.zones.into_values().collect(),
            tags: self.tags.into_values().collect(),
            tag_events,
            vm_events: self.vm_events.into_values().collect(),
            vm_events_from,
        };
        SnapshotFetch {
            snapshot,
            rejections: self.rejections,
            notices: self.notices,
        }
    }
}

/// Accounts by domain and name, which is unique within a domain.
struct AccountNames(BTreeMap<(DomainId, String), AccountId>);

impl AccountNames {
    fn of(accounts: &BTreeMap<AccountId, Account>) -> Self {
        let names = accounts.values().map(|account| {
            let key = (account.domain.clone(), account.name.clone());
            (key, account.id.clone())
        });
        Self(names.collect())
    }

    fn resolve<K, T>(
        &self,
        listed: BTreeMap<K, Listed<T>>,
        owner: impl Fn(&mut T) -> Option<&mut Owner>,
    ) -> Vec<T> {
        let resolved = listed.into_values().map(|listed| {
            let mut value = listed.value;
            if let (Some(name), Some(owner)) = (listed.account_name, owner(&mut value))
                && let Some(id) = self.0.get(&(owner.domain.clone(), name))
            {
                owner.holder = Holder::Account(id.clone());
            }
            value
        });
        resolved.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::TagAction;

    fn builder() -> SnapshotBuilder {
        SnapshotBuilder::new(DateTime::from_timestamp(1_790_000_000, 0).unwrap())
    }

    fn add(builder: &mut SnapshotBuilder, command: &str, list: &str) -> AddedPage {
        let body = format!(r#"{{"r":{{"count":9,{list}}}}}"#);
        builder.add(command, "page", body.as_bytes()).unwrap()
    }

    #[test]
    fn one_thing_named_twice_is_kept_once_as_last_said() {
        let mut builder = builder();
        let vm = |state: &str| {
            format!(
                r#""virtualmachine":[{{"id":"v","domainid":"d","projectid":"p","state":"{state}"}}]"#
            )
        };
        assert_eq!(
            add(&mut builder, "listVirtualMachines", &vm("Running")).new,
            1
        );
        let again = add(&mut builder, "listVirtualMachines", &vm("Destroyed"));
        assert_eq!((again.new, again.entries, again.count), (0, 1, Some(9)));
        let vms = builder.finish().snapshot.vms;
        assert_eq!(vms.len(), 1);
        assert_eq!(vms[0].state.as_deref(), Some("Destroyed"));
        assert_eq!(vms[0].owner.project(), Some(&"p".into()));
    }

    #[test]
    fn an_account_name_counts_within_its_domain_only() {
        let mut builder = builder();
        add(
            &mut builder,
            "listVolumes",
            r#""volume":[
            {"id":"1","domainid":"d1","account":"ops"},
            {"id":"2","domainid":"d2","account":"ops"},
            {"id":"3","domainid":"d3","account":"ops"}]"#,
        );
        add(
            &mut builder,
            "listAccounts",
            r#""account":[
            {"id":"a1","domainid":"d1","name":"ops"},
            {"id":"a2","domainid":"d2","name":"ops"}]"#,
        );
        let holders: Vec<_> = builder
            .finish()
            .snapshot
            .volumes
            .into_iter()
            .map(|volume| volume.owner.holder)
            .collect();
        assert_eq!(
            holders,
            [
                Holder::Account("a1".into()),
                Holder::Account("a2".into()),
                Holder::Unknown
            ]
        );
    }

    #[test]
    fn a_kind_with_an_unreadable_entry_is_not_complete() {
        let mut builder = builder();
        add(
            &mut builder,
            "listZones",
            r#""zone":[{"id":"z","name":"Z"}]"#,
        );
        add(
            &mut builder,
            "listVolumes",
            r#""volume":[{"id":"1","domainid":"d"},{"id":"2"}]"#,
        );
        let fetch = builder.finish();
        assert_eq!(fetch.snapshot.volumes.len(), 1);
        assert_eq!(fetch.rejections.len(), 1);
        assert_eq!(fetch.rejections[0].position, 2);
        assert_eq!(fetch.rejections[0].field.as_deref(), Some("domainid"));
        assert!(fetch.snapshot.complete.contains(&Kind::Zone));
        assert!(!fetch.snapshot.complete.contains(&Kind::Volume));
        assert!(!fetch.snapshot.complete.contains(&Kind::Vm));
    }

    #[test]
    fn an_empty_list_is_a_complete_one() {
        let mut builder = builder();
        builder
            .add("listVPCs", "page", br#"{"listvpcsresponse":{}}"#)
            .unwrap();
        assert!(builder.finish().snapshot.complete.contains(&Kind::Vpc));
    }

    #[test]
    fn only_completed_tag_events_count() {
        let mut builder = builder();
        let event = |id: &str, kind: &str, state: &str, level: &str| {
            format!(
                r#"{{"id":"{id}","type":"{kind}","state":"{state}","level":"{level}","created":"2026-10-01T00:00:00+0000"}}"#
            )
        };
        let events = [
            event("1", "CREATE_TAGS", "Scheduled", "INFO"),
            event("2", "CREATE_TAGS", "Completed", "INFO"),
            event("3", "DELETE_TAGS", "Completed", "ERROR"),
            event("4", "DELETE_TAGS", "Completed", "INFO"),
            event("5", "VM.START", "Completed", "INFO"),
        ];
        add(
            &mut builder,
            "listEvents",
            &format!(r#""event":[{}]"#, events.join(",")),
        );
        let fetch = builder.finish();
        let seen: Vec<_> = fetch
            .snapshot
            .tag_events
            .iter()
            .map(|event| (event.id.as_str(), event.action))
            .collect();
        assert_eq!(seen, [("2", TagAction::Create), ("4", TagAction::Delete)]);
        assert!(fetch.rejections.is_empty());
    }

    #[test]
    fn a_tag_has_one_value_per_resource_and_key() {
        let mut builder = builder();
        let tag = |value: &str| {
            format!(
                r#""tag":[{{"resourcetype":"UserVm","resourceid":"v","key":"Billing","value":"{value}"}}]"#
            )
        };
        add(&mut builder, "listTags", &tag("noCPU"));
        add(&mut builder, "listTags", &tag("noCPU,noRAM"));
        let tags = builder.finish().snapshot.tags;
        assert_eq!(tags.len(), 1);
        assert_eq!(tags[0].tag.value, "noCPU,noRAM");
    }

    #[test]
    fn free_addresses_and_shared_networks_have_no_owner() {
        let mut builder = builder();
        add(
            &mut builder,
            "listPublicIpAddresses",
            r#""publicipaddress":[
            {"id":"1","ipaddress":"192.0.2.1","state":"Free"},
            {"id":"2","ipaddress":"192.0.2.2","state":"Allocated","domainid":"d","projectid":"p","issystem":true}]"#,
        );
        add(
            &mut builder,
            "listNetworks",
            r#""network":[
            {"id":"n1","name":"shared","domainid":"d","acltype":"Domain"},
            {"id":"n2","name":"own","domainid":"d","projectid":"p"}]"#,
        );
        let snapshot = builder.finish().snapshot;
        assert_eq!(snapshot.ip_addresses.len(), 1);
        assert!(snapshot.ip_addresses[0].is_system);
        assert_eq!(snapshot.networks[0].owner, None);
        assert!(snapshot.networks[1].owner.is_some());
        assert!(snapshot.complete.contains(&Kind::IpAddress));
    }

    #[test]
    fn every_kind_has_a_call_of_its_own() {
        let commands: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.command()).collect();
        assert_eq!(commands.len(), Kind::ALL.len());
        for kind in Kind::ALL {
            assert_eq!(Kind::from_command(kind.command()), Some(*kind));
        }
        let error = builder().add("listUsageTypes", "page", b"{}").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
    }
}
