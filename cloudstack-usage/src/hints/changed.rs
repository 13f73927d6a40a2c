//! Which list shows what an event is about.
//!
//! Source of the names: CloudStack, `EventTypes` and its `entityEventDetails`.

use crate::metadata::Kind;

/// Beginnings of events' names with what they change; the first that fits counts.
const EVENTS: &[(&str, Option<Kind>)] = &[
    ("CREATE_TAGS", Some(Kind::Tag)),
    ("DELETE_TAGS", Some(Kind::Tag)),
    // what 4.16 and 4.17 say of created tags (apache/cloudstack issue 6777)
    ("UPLOAD.RESOURCE.ICON", Some(Kind::Tag)),
    ("VM.", Some(Kind::Vm)),
    ("VOLUME.", Some(Kind::Volume)),
    ("SNAPSHOT.", Some(Kind::Snapshot)),
    ("NET.IPASSIGN", Some(Kind::IpAddress)),
    ("NET.IPRELEASE", Some(Kind::IpAddress)),
    ("PORTABLE.IP.", Some(Kind::IpAddress)),
    ("NETWORK.OFFERING.", Some(Kind::NetworkOffering)),
    ("NETWORK.", Some(Kind::Network)),
    ("VPC.OFFERING.", None),
    ("VPC.", Some(Kind::Vpc)),
    ("SERVICE.OFFERING.", Some(Kind::ServiceOffering)),
    ("DISK.OFFERING.", Some(Kind::DiskOffering)),
    ("TEMPLATE.", Some(Kind::Template)),
    ("ISO.", Some(Kind::Template)),
    ("GUEST.OS.CATEGORY.", Some(Kind::OsCategory)),
    ("GUEST.OS.", Some(Kind::OsType)),
    ("DOMAIN.", Some(Kind::Domain)),
    ("PROJECT.", Some(Kind::Project)),
    ("ACCOUNT.", Some(Kind::Account)),
    ("ZONE.", Some(Kind::Zone)),
];

/// The kind that an event changes, by its name; none where no list of a sync shows it.
pub(super) fn by_event(name: &str) -> Option<Kind> {
    let found = EVENTS.iter().find(|(start, _)| name.starts_with(start));
    found.and_then(|(_, kind)| *kind)
}

/// The kind of a resource, by CloudStack's name of its class, with or without its package;
/// none where no list of a sync shows it.
pub(super) fn by_class(name: &str) -> Option<Kind> {
    let class = name.rsplit(['.', '-']).next().unwrap_or(name);
    Some(match class {
        "VirtualMachine" | "UserVm" => Kind::Vm,
        "Volume" => Kind::Volume,
        "Snapshot" => Kind::Snapshot,
        "IpAddress" | "PublicIpAddress" => Kind::IpAddress,
        "Network" => Kind::Network,
        "Vpc" => Kind::Vpc,
        "VirtualMachineTemplate" => Kind::Template,
        _ => return None,
    })
}
