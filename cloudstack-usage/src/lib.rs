//! What Apache CloudStack says about usage.
//!
//! The model of usage records, metadata and their histories. Nothing here knows a price.

mod error;
mod history;
mod id;
mod inventory;
mod metadata;
mod period;
mod quantity;
mod record;
mod source;
pub mod store;
mod tag;
mod usage_type;

pub use error::{Error, ErrorKind};
pub use history::{History, Moment, MomentSource, Span};
pub use id::{
    AccountId, DomainId, NetworkId, OfferingId, OsCategoryId, OsTypeId, ProjectId, ResourceId,
    TemplateId, VmId, VolumeId, VpcId, ZoneId,
};
pub use inventory::{
    AccountEntry, DomainEntry, Inventory, Lifetime, LifetimeSource, ProjectEntry, ResourceEntry,
    TagHistory, VmEntry, VolumeEntry,
};
pub use metadata::{
    Account, Domain, IpAddress, Kind, Network, Offering, OsCategory, OsType, Project, Snapshot,
    TagAction, TagEvent, Template, Vm, Volume, VolumeSnapshot, Vpc, Zone,
};
pub use period::{Period, PeriodError};
pub use quantity::{Quantity, QuantityError, parse_raw_usage};
pub use record::{Holder, Owner, RecordKey, UsageRecord};
pub use source::{Notice, ParsedRecord, Rejection, SnapshotFetch, Source, UsageFetch, UsagePage};
pub use tag::{ResourceTag, Tag};
pub use usage_type::{Unit, UsageType};
