//! Typed identifiers, so that a volume's id cannot be passed for a VM's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid_simd::{AsOut as _, AsciiCase};

/// How an id is held: 16 bytes for the UUIDs that CloudStack nearly always gives,
/// shared text for the rest (numeric ids of old rows, descriptions used as identity).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Repr {
    /// Its upper and lower half: `u128` would pad every id in every struct.
    Uuid([u64; 2]),
    Text(Arc<str>),
}

impl Repr {
    fn new(text: &str) -> Self {
        parse_uuid(text).map_or_else(|| Self::Text(Arc::from(text)), Self::Uuid)
    }

    fn is(&self, text: &str) -> bool {
        match self {
            Self::Uuid(bits) => parse_uuid(text) == Some(*bits),
            Self::Text(own) => **own == *text,
        }
    }
}

impl fmt::Display for Repr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(bits) => f.write_str(std::str::from_utf8(&uuid_text(*bits)).unwrap_or("")),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// The canonical text of a UUID: ids are printed often enough that it allocates nothing.
fn uuid_text([upper, lower]: [u64; 2]) -> [u8; 36] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&upper.to_be_bytes());
    bytes[8..].copy_from_slice(&lower.to_be_bytes());
    let mut text = [0; 36];
    let _ = uuid_simd::format_hyphenated(&bytes, text.as_out(), AsciiCase::Lower);
    text
}

/// Reads the canonical form only (lower case, hyphens), so that printing gives the
/// same text back; anything else stays text. Records name up to ten ids each, so reading them
/// is a good part of reading a record.
fn parse_uuid(text: &str) -> Option<[u64; 2]> {
    parse_canonical(text.as_bytes().try_into().ok()?)
}

fn parse_canonical(text: &[u8; 36]) -> Option<[u64; 2]> {
    // capital letters lack this bit, which digits, small letters and hyphens have
    if text.iter().fold(0x20, |all, byte| all & byte) == 0 {
        return None;
    }
    let mut bytes = [0; 16];
    uuid_simd::parse_hyphenated(text, bytes.as_out()).ok()?;
    let (halves, _) = bytes.as_chunks::<8>();
    let [upper, lower] = halves else { return None };
    Some([u64::from_be_bytes(*upper), u64::from_be_bytes(*lower)])
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        ///
        /// Prints as CloudStack wrote it; cheap to clone and to compare.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Repr);

        impl $name {
            /// The id with this text (a UUID as a rule, any text is accepted).
            pub fn new(text: &str) -> Self {
                Self(Repr::new(text))
            }

            /// The id that is a UUID in its canonical form (lower case, hyphens): the same as
            /// by `new`, for who reads many of them from a buffer. None for anything else.
            pub fn from_canonical(text: &[u8; 36]) -> Option<Self> {
                Some(Self(Repr::Uuid(parse_canonical(text)?)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        /// Whether it is the id with this text, without making one.
        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                self.0.is(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::new(text))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Ok(Self::new(&text))
            }
        }
    )+};
}

ids! {
    /// A domain: a node of the customer tree.
    DomainId,
    /// A project: owns resources in the place of an account.
    ProjectId,
    /// An account: owns resources; lies in one domain.
    AccountId,
    /// A zone.
    ZoneId,
    /// A virtual machine.
    VmId,
    /// A volume.
    VolumeId,
    /// Whatever a usage record measures: VM, volume, address, rule, …
    ResourceId,
    /// A service, disk or network offering.
    OfferingId,
    /// A template or ISO.
    TemplateId,
    /// A guest OS type.
    OsTypeId,
    /// A category of guest OS types ("Windows", "SUSE", …).
    OsCategoryId,
    /// A guest network.
    NetworkId,
    /// A VPC.
    VpcId,
}

macro_rules! as_resource {
    ($($name:ident),+) => {$(
        impl $name {
            /// The same id as that of a resource in general.
            pub fn as_resource(&self) -> ResourceId {
                ResourceId(self.0.clone())
            }
        }

        impl From<ResourceId> for $name {
            fn from(id: ResourceId) -> Self {
                Self(id.0)
            }
        }
    )+};
}

as_resource!(
    VmId, VolumeId, ProjectId, DomainId, AccountId, TemplateId, NetworkId, VpcId
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_prints_as_it_was_written(text in "\\PC{0,40}|[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}") {
            let id = ResourceId::new(&text);
            prop_assert_eq!(id.to_string(), text.as_str());
            prop_assert!(id == *text.as_str());
            if let Ok(exact) = text.as_bytes().try_into() {
                let canonical = ResourceId::from_canonical(exact);
                prop_assert_eq!(canonical, matches!(id.0, Repr::Uuid(_)).then(|| id.clone()));
            }
            let longer = format!("{text}0");
            prop_assert!(id != *longer.as_str());
        }
    }

    #[test]
    fn canonical_uuids_take_the_compact_form() {
        let id = VmId::new("29c95efa-ec92-4cbd-9c22-b5a85b946348");
        assert!(matches!(id.0, Repr::Uuid(_)));
        assert!(matches!(
            VmId::new("29C95EFA-ec92-4cbd-9c22-b5a85b946348").0,
            Repr::Text(_)
        ));
        assert!(matches!(VmId::new("4711").0, Repr::Text(_)));
    }
}
