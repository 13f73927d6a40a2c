#![doc = include_str!("../README.md")]

mod api;
#[cfg(feature = "archive")]
pub mod archive;
#[cfg(any(feature = "blocking", feature = "async"))]
mod client;
mod error;
mod hex;
mod hints;
mod history;
mod id;
mod inventory;
mod inventory_builder;
mod label;
mod metadata;
mod month_uses;
mod period;
mod quantity;
mod record;
#[cfg(feature = "recording")]
mod recording;
mod server_url;
mod source;
mod sql;
pub mod store;
mod tag;
mod tag_moments;
mod usage_lifetimes;
mod usage_type;
mod wire;

pub use api::{
    Credentials, DateDialect, Request, Secret, SignedRequest, UsageRequest, metadata_requests,
    sign, string_to_sign, verify,
};
#[cfg(feature = "async")]
pub use client::AsyncClient;
#[cfg(feature = "blocking")]
pub use client::BlockingClient;
#[cfg(any(feature = "blocking", feature = "async"))]
pub use client::{ClientOptions, HttpMethod, Progress};
pub use error::{Error, ErrorKind};
pub use hints::{Broker, BusMessage, EventCounts, Hint, PendingHints};
#[cfg(feature = "amqp")]
pub use hints::{EventListener, ListenOptions};
pub use history::{History, Moment, MomentSource, Span};
pub use id::{
    AccountId, DomainId, NetworkId, OfferingId, OsCategoryId, OsTypeId, ProjectId, ResourceId,
    TemplateId, VmId, VolumeId, VpcId, ZoneId,
};
pub use inventory::{
    AccountEntry, DomainEntry, Inventory, Lifetime, LifetimeSource, PowerState, ProjectEntry,
    ResourceEntry, RunningAs, TagHistory, VmEntry, VolumeEntry,
};
pub use inventory_builder::InventoryBuilder;
pub use label::{Label, LabelTarget};
pub use metadata::{
    Account, Domain, IpAddress, Kind, Network, Offering, OsCategory, OsType, Project, Snapshot,
    TagAction, TagEvent, Template, Vm, VmAction, VmEvent, Volume, VolumeSnapshot, Vpc, Zone,
};
pub use month_uses::{MonthUses, ResourceUses};
pub use period::{Period, PeriodError};
pub use quantity::{Quantity, QuantityError, parse_raw_usage};
pub use record::{Holder, Owner, RecordKey, UsageRecord};
#[cfg(feature = "recording")]
pub use recording::{RecordedSource, read_metadata_folder, read_usage_files};
pub use source::{Notice, ParsedRecord, Rejection, SnapshotFetch, Source, UsageFetch, UsagePage};
#[cfg(feature = "sql")]
pub use sql::SqlSource;
pub use sql::{SqlServer, SqlTls};
pub use tag::{ResourceTag, Tag};
pub use tag_moments::TagMomentRule;
pub use usage_lifetimes::UsageLifetimes;
pub use usage_type::{Unit, UsageType};
pub use wire::{
    AddedPage, Answer, DateError, EntryError, Refusal, SnapshotBuilder, UsageTypeEntry, parse_date,
    parse_usage_page, parse_usage_record, parse_usage_types, window_end,
};
