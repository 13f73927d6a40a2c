//! Meters: what is priced.

use cloudstack_usage::UsageType;

/// What a meter's quantity is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// vCPUs over time.
    Cpus,
    /// MiB of memory over time.
    Memory,
    /// Bytes of storage over time, or simply "each" over time.
    Storage,
    /// One thing over time.
    Each,
    /// Bytes counted.
    Bytes,
    /// Requests counted.
    Requests,
}

impl Dimension {
    /// Whether the quantity is a level that lasts, rather than a count.
    pub fn is_level(self) -> bool {
        !matches!(self, Self::Bytes | Self::Requests)
    }
}

macro_rules! meters {
    ($($variant:ident $slug:literal $dimension:ident $kind:literal $unit:literal $label:literal;)+) => {
        /// A meter: what a price is for, besides services and packages.
        ///
        /// ```
        /// use rating_engine::Meter;
        ///
        /// assert_eq!(Meter::from_slug("disk"), Some(Meter::Disk));
        /// assert_eq!(Meter::Disk.default_unit(), "GiB");
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Meter {
            $(#[doc = $label] $variant,)+
        }

        impl Meter {
            /// Every meter.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used in price books and reports.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// The meter of this name.
            pub fn from_slug(slug: &str) -> Option<Self> {
                match slug { $($slug => Some(Self::$variant),)+ _ => None }
            }

            /// What its quantity is made of.
            pub fn dimension(self) -> Dimension {
                match self { $(Self::$variant => Dimension::$dimension,)+ }
            }

            /// What kind of resource it measures (`vm`, `volume`, …).
            pub fn resource_kind(self) -> &'static str {
                match self { $(Self::$variant => $kind,)+ }
            }

            /// The unit of a price that names none.
            pub fn default_unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)+ }
            }

            /// How it is called on a bill where the price has no label of its own.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)+ }
            }
        }
    };
}

meters! {
    Cpu "cpu" Cpus "vm" "vCPU" "CPU";
    Ram "ram" Memory "vm" "GiB" "RAM";
    Vm "vm" Each "vm" "each" "Virtual machine";
    Os "os" Cpus "vm" "each" "Operating system";
    Disk "disk" Storage "volume" "GiB" "Disk";
    Ip "ip" Each "ip" "each" "Public IP address";
    TrafficSent "traffic_sent" Bytes "network" "GiB" "Traffic sent";
    TrafficReceived "traffic_received" Bytes "network" "GiB" "Traffic received";
    Template "template" Storage "template" "GiB" "Template";
    Iso "iso" Storage "iso" "GiB" "ISO";
    Snapshot "snapshot" Storage "snapshot" "GiB" "Snapshot";
    SecurityGroup "security_group" Each "security_group" "each" "Security group";
    LoadBalancer "load_balancer" Each "load_balancer" "each" "Load balancer rule";
    PortForwarding "port_forwarding" Each "port_forwarding" "each" "Port forwarding rule";
    Nic "nic" Each "nic" "each" "Network interface";
    VpnUser "vpn_user" Each "vpn_user" "each" "VPN user";
    DiskReadOps "disk_read_ops" Requests "volume" "million" "Disk read requests";
    DiskWriteOps "disk_write_ops" Requests "volume" "million" "Disk write requests";
    DiskReadBytes "disk_read_bytes" Bytes "volume" "GiB" "Disk bytes read";
    DiskWriteBytes "disk_write_bytes" Bytes "volume" "GiB" "Disk bytes written";
    VmSnapshot "vm_snapshot" Storage "vm_snapshot" "GiB" "VM snapshot";
    VolumeSecondary "volume_secondary" Storage "volume" "each" "Volume on secondary storage";
    VmSnapshotPrimary "vm_snapshot_primary" Storage "vm_snapshot" "GiB" "VM snapshot on primary storage";
    Backup "backup" Storage "backup" "GiB" "Backup";
    Bucket "bucket" Storage "bucket" "GiB" "Bucket";
    Network "network" Each "network" "each" "Network";
    Vpc "vpc" Each "vpc" "each" "VPC";
}

impl Meter {
    /// The meter of a usage type that has just one; VMs have several ([`Meter::Cpu`],
    /// [`Meter::Ram`], [`Meter::Vm`], [`Meter::Os`]) and unknown types none.
    pub fn of(usage_type: UsageType) -> Option<Self> {
        let meter = match usage_type {
            UsageType::IpAddress => Self::Ip,
            UsageType::NetworkBytesSent => Self::TrafficSent,
            UsageType::NetworkBytesReceived => Self::TrafficReceived,
            UsageType::Volume => Self::Disk,
            UsageType::Template => Self::Template,
            UsageType::Iso => Self::Iso,
            UsageType::Snapshot => Self::Snapshot,
            UsageType::SecurityGroup => Self::SecurityGroup,
            UsageType::LoadBalancer => Self::LoadBalancer,
            UsageType::PortForwarding => Self::PortForwarding,
            UsageType::NetworkOffering => Self::Nic,
            UsageType::VpnUser => Self::VpnUser,
            UsageType::DiskReadOps => Self::DiskReadOps,
            UsageType::DiskWriteOps => Self::DiskWriteOps,
            UsageType::DiskReadBytes => Self::DiskReadBytes,
            UsageType::DiskWriteBytes => Self::DiskWriteBytes,
            UsageType::VmSnapshot => Self::VmSnapshot,
            UsageType::VolumeSecondary => Self::VolumeSecondary,
            UsageType::VmSnapshotPrimary => Self::VmSnapshotPrimary,
            UsageType::Backup => Self::Backup,
            UsageType::Bucket => Self::Bucket,
            UsageType::Network => Self::Network,
            UsageType::Vpc => Self::Vpc,
            _ => return None,
        };
        Some(meter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_usage_type_but_those_of_vms_has_a_meter_of_its_own() {
        let meters: Vec<(u32, &str)> = UsageType::ALL
            .iter()
            .filter_map(|known| Some((known.id(), Meter::of(*known)?.slug())))
            .collect();
        assert_eq!(
            meters,
            [
                (3, "ip"),
                (4, "traffic_sent"),
                (5, "traffic_received"),
                (6, "disk"),
                (7, "template"),
                (8, "iso"),
                (9, "snapshot"),
                (10, "security_group"),
                (11, "load_balancer"),
                (12, "port_forwarding"),
                (13, "nic"),
                (14, "vpn_user"),
                (21, "disk_read_ops"),
                (22, "disk_write_ops"),
                (23, "disk_read_bytes"),
                (24, "disk_write_bytes"),
                (25, "vm_snapshot"),
                (26, "volume_secondary"),
                (27, "vm_snapshot_primary"),
                (28, "backup"),
                (29, "bucket"),
                (30, "network"),
                (31, "vpc"),
            ]
        );
        assert_eq!(Meter::of(UsageType::Unknown(99)), None);
    }
}
