//! What is wrong or doubtful in the input, with the money at stake.

use cloudstack_usage::{DomainId, Period, ResourceId};
use serde::Serialize;

use crate::exact::Exact;

/// Declares the kinds with their stable names and meanings in one table.
macro_rules! finding_kinds {
    ($($(#[$doc:meta])* $variant:ident $slug:literal;)+) => {
        /// What kind of doubt a finding is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FindingKind {
            $($(#[$doc])* $variant,)+
        }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name.
            pub fn slug(self) -> &'static str {
                match self {
                    $(Self::$variant => $slug,)+
                }
            }
        }
    };
}

finding_kinds! {
    /// A resource lived and has no usage record for all or part of its life.
    NotMetered "not_metered";
    /// An owner with living resources and no usage at all.
    OwnerNotMetered "owner_not_metered";
    /// Usage that no price covers.
    Unpriced "unpriced";
    /// A record that could not be read.
    Rejected "rejected";
    /// An identical copy of a record; billed once.
    Duplicate "duplicate";
    /// A record window that overlaps another of the same key; the excess is held.
    Overlap "overlap";
    /// More time than the record's window has; the excess is held.
    OverWindow "over_window";
    /// Running time that CloudStack's usage events contradict; billed as recorded.
    EventsDiffer "events_differ";
    /// Usage outside the resource's life.
    OutsideLifetime "outside_lifetime";
    /// vCPUs, memory or size are missing and the inventory does not know them.
    MissingSize "missing_size";
    /// A usage type that this version does not know.
    UnknownType "unknown_type";
    /// A tag that counts since the resource's creation, because no sync saw it come.
    NoHistory "no_history";
    /// A tag or size whose moment of change is known only to lie between two syncs.
    UncertainMoment "uncertain_moment";
    /// A service that a VM has both by package and singly; charged once.
    ServiceTwice "service_twice";
    /// A tag that looks like a service, package or exemption of the book, but is none.
    UnknownTagValue "unknown_tag_value";
    /// `noDisk` on a VM without volumes of its own, in a book that does not inherit it.
    NoEffect "no_effect";
    /// A domain that the inventory does not know; billed by what the record says.
    UnknownDomain "unknown_domain";
    /// A price or discount for a customer or resource that the inventory does not know.
    UnknownScope "unknown_scope";
    /// A customer whose days and months are those of another time zone than this run's.
    OtherZone "other_zone";
    /// A package that holds all that a VM has and would have cost less; only told.
    CheaperPackage "cheaper_package";
}

impl Serialize for FindingKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.slug())
    }
}

/// What was done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Policy {
    /// Billed as it stands.
    BillAndFlag,
    /// Billed once.
    BillOnce,
    /// Cut to what can be right.
    Clip,
    /// Not billed.
    Hold,
}

impl Policy {
    /// The stable name.
    pub fn slug(self) -> &'static str {
        match self {
            Self::BillAndFlag => "bill_and_flag",
            Self::BillOnce => "bill_once",
            Self::Clip => "clip",
            Self::Hold => "hold",
        }
    }
}

/// Something wrong or doubtful in the input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind of doubt.
    pub kind: FindingKind,
    /// What was done about it.
    pub policy: Policy,
    /// The billing account concerned, where there is one.
    pub account: Option<DomainId>,
    /// The owner's domain path and holder, in words.
    pub owner: Option<String>,
    /// The resource concerned.
    pub resource: Option<ResourceId>,
    /// Its name.
    pub resource_name: Option<String>,
    /// The time concerned.
    pub period: Option<Period>,
    /// Time concerned, in milliseconds.
    pub millis: i128,
    /// Number of records concerned.
    pub records: u64,
    /// The money at stake, exact, in the book's currency: what is not billed and perhaps
    /// should be, or is billed and perhaps should not. None where it cannot be told.
    pub value: Option<Exact>,
    /// The whole in words: which record, field or rule, and what to do.
    pub message: String,
}
