//! The usage types of CloudStack, their units and meanings.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What `rawusage` of a type counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Unit {
    /// Hours used; held as milliseconds.
    Time,
    /// Bytes.
    Bytes,
    /// Requests or other things that are counted.
    Count,
}

macro_rules! usage_types {
    ($($id:literal $variant:ident $name:literal $unit:ident $meaning:literal;)+) => {
        /// A CloudStack usage type (`usagetype` of a record).
        ///
        /// Ids 15 to 20 are not in use; an id that this list does not know is kept as
        /// [`UsageType::Unknown`], stored and reported, never guessed at.
        /// Source: `org.apache.cloudstack.usage.UsageTypes` of CloudStack 4.11 to 4.23.
        ///
        /// ```
        /// use cloudstack_usage::{Unit, UsageType};
        ///
        /// assert_eq!(UsageType::from_id(6), UsageType::Volume);
        /// assert_eq!(UsageType::Volume.unit(), Some(Unit::Time));
        /// assert_eq!(UsageType::from_id(99), UsageType::Unknown(99));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum UsageType {
            $(#[doc = concat!($meaning, " (type ", stringify!($id), ")")] $variant,)+
            /// A type that this version does not know.
            Unknown(u32),
        }

        impl UsageType {
            /// Every known type, in the order of their ids.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The type with this id.
            pub fn from_id(id: u32) -> Self {
                match id {
                    $($id => Self::$variant,)+
                    other => Self::Unknown(other),
                }
            }

            /// CloudStack's id.
            pub fn id(self) -> u32 {
                match self {
                    $(Self::$variant => $id,)+
                    Self::Unknown(id) => id,
                }
            }

            /// CloudStack's name since 4.20 (`RUNNING_VM`); none for an unknown type.
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)+
                    Self::Unknown(_) => None,
                }
            }

            /// What `rawusage` counts; none for an unknown type. Backups before 4.15.2
            /// counted bytes: their `usage` text ends in `GiB` then.
            pub fn unit(self) -> Option<Unit> {
                match self {
                    $(Self::$variant => Some(Unit::$unit),)+
                    Self::Unknown(_) => None,
                }
            }

            /// What one record means, in a few words.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                    Self::Unknown(_) => "unknown usage type",
                }
            }
        }
    };
}

usage_types! {
    1 RunningVm "RUNNING_VM" Time "time a VM ran";
    2 AllocatedVm "ALLOCATED_VM" Time "time a VM existed, running or not";
    3 IpAddress "IP_ADDRESS" Time "time a public address was held";
    4 NetworkBytesSent "NETWORK_BYTES_SENT" Bytes "bytes sent to the outside";
    5 NetworkBytesReceived "NETWORK_BYTES_RECEIVED" Bytes "bytes received from the outside";
    6 Volume "VOLUME" Time "time a volume existed, attached or not";
    7 Template "TEMPLATE" Time "time a template was stored in a zone";
    8 Iso "ISO" Time "time an ISO was stored in a zone";
    9 Snapshot "SNAPSHOT" Time "time a volume snapshot was stored";
    10 SecurityGroup "SECURITY_GROUP" Time "time a VM was in a security group";
    11 LoadBalancer "LOAD_BALANCER_POLICY" Time "time a load balancer rule existed";
    12 PortForwarding "PORT_FORWARDING_RULE" Time "time a port forwarding rule existed";
    13 NetworkOffering "NETWORK_OFFERING" Time "time a VM had a NIC of a network offering";
    14 VpnUser "VPN_USERS" Time "time a VPN user existed";
    21 DiskReadOps "VM_DISK_IO_READ" Count "disk read requests";
    22 DiskWriteOps "VM_DISK_IO_WRITE" Count "disk write requests";
    23 DiskReadBytes "VM_DISK_BYTES_READ" Bytes "bytes read from disk";
    24 DiskWriteBytes "VM_DISK_BYTES_WRITE" Bytes "bytes written to disk";
    25 VmSnapshot "VM_SNAPSHOT" Time "time a volume's part of a VM snapshot was stored";
    26 VolumeSecondary "VOLUME_SECONDARY" Time "time a volume was on secondary storage";
    27 VmSnapshotPrimary "VM_SNAPSHOT_ON_PRIMARY" Time "time a VM snapshot was on primary storage";
    28 Backup "BACKUP" Time "time a VM's backups were stored";
    29 Bucket "BUCKET" Bytes "bytes in a bucket when the usage job ran";
    30 Network "NETWORK" Time "time a guest network existed";
    31 Vpc "VPC" Time "time a VPC existed";
}

impl UsageType {
    /// Whether records count things in their window (traffic, disk I/O), rather than
    /// measure how long something was there.
    pub fn is_counter(self) -> bool {
        matches!(
            self,
            Self::NetworkBytesSent
                | Self::NetworkBytesReceived
                | Self::DiskReadOps
                | Self::DiskWriteOps
                | Self::DiskReadBytes
                | Self::DiskWriteBytes
        )
    }

    /// Whether start and end of a record are those of the thing measured, cut to the
    /// aggregation window (VM snapshots, backups), rather than the window itself.
    pub fn has_own_times(self) -> bool {
        matches!(
            self,
            Self::VmSnapshot | Self::VmSnapshotPrimary | Self::Backup
        )
    }
}

impl fmt::Display for UsageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "UNKNOWN_{}", self.id()),
        }
    }
}

impl Serialize for UsageType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.id())
    }
}

impl<'de> Deserialize<'de> for UsageType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_comes_back_and_the_list_has_25_types() {
        assert_eq!(UsageType::ALL.len(), 25);
        for id in 0..200 {
            assert_eq!(UsageType::from_id(id).id(), id);
        }
    }
}
