//! Which of FOCUS's services a line belongs to.

use rating_engine::{Item, Meter};

/// Category, subcategory and name of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) category: &'static str,
    pub(super) subcategory: &'static str,
    pub(super) name: String,
}

impl Service {
    /// What no category of FOCUS is for.
    pub(super) fn other(name: &str) -> Self {
        Self {
            category: "Other",
            subcategory: "Other (Other)",
            name: name.to_owned(),
        }
    }
}

/// The service of a line: that of its meter; what is sold on top goes by its own name.
///
/// Source: FOCUS 1.2, the allowed values of `ServiceCategory` and `ServiceSubcategory`.
pub(super) fn service_of(item: &Item, label: &str) -> Service {
    let meter = match item {
        Item::Meter(slug) => Meter::from_slug(slug),
        _ => None,
    };
    let Some(meter) = meter else {
        return Service::other(label);
    };
    let (category, subcategory, name) = match meter {
        Meter::Cpu | Meter::Ram | Meter::Vm | Meter::Os => {
            ("Compute", "Virtual Machines", "Virtual Machine")
        }
        Meter::Disk
        | Meter::DiskReadOps
        | Meter::DiskWriteOps
        | Meter::DiskReadBytes
        | Meter::DiskWriteBytes
        | Meter::VolumeSecondary => ("Storage", "Block Storage", "Volume"),
        Meter::Template => ("Storage", "Other (Storage)", "Template"),
        Meter::Iso => ("Storage", "Other (Storage)", "ISO"),
        Meter::Snapshot | Meter::VmSnapshot | Meter::VmSnapshotPrimary => {
            ("Storage", "Backup Storage", "Snapshot")
        }
        Meter::Backup => ("Storage", "Backup Storage", "Backup"),
        Meter::Bucket => ("Storage", "Object Storage", "Bucket"),
        Meter::Ip => ("Networking", "Network Infrastructure", "Public IP Address"),
        Meter::PortForwarding => ("Networking", "Network Infrastructure", "Port Forwarding"),
        Meter::Nic | Meter::Network => ("Networking", "Network Infrastructure", "Network"),
        Meter::Vpc => ("Networking", "Network Infrastructure", "VPC"),
        Meter::TrafficSent | Meter::TrafficReceived => {
            ("Networking", "Network Connectivity", "Network Traffic")
        }
        Meter::VpnUser => ("Networking", "Network Connectivity", "VPN"),
        Meter::SecurityGroup => ("Networking", "Network Security", "Security Group"),
        Meter::LoadBalancer => ("Networking", "Application Networking", "Load Balancer"),
        _ => return Service::other(label),
    };
    Service {
        category,
        subcategory,
        name: name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_has_a_category_of_its_own() {
        for meter in Meter::ALL {
            let service = service_of(&Item::Meter(meter.slug()), meter.label());
            assert_ne!(service.category, "Other", "{meter:?}");
        }
    }
}
