//! A small cloud of one's own: records and bills of an October in UTC.

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    AccountId, DomainEntry, DomainId, History, Holder, Inventory, Lifetime, LifetimeSource,
    NetworkId, OfferingId, Owner, Period, Quantity, ResourceId, TagHistory, UsageRecord, UsageType,
    VmEntry, VmId, VolumeEntry, VolumeId, ZoneId,
};
use rating_engine::{Bill, PriceBook, Rating};
use rust_decimal::Decimal;

/// An instant of October, by day (from 1) and hour.
pub(crate) fn october(day: i64, hour: i64) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2026-10-01T00:00:00Z".parse().unwrap();
    first + TimeDelta::days(day - 1) + TimeDelta::hours(hour)
}

/// The whole month.
pub(crate) fn month() -> Period {
    Period::new(october(1, 0), october(32, 0)).unwrap()
}

/// A book in UTC with these rows.
pub(crate) fn book(rows: &str) -> PriceBook {
    PriceBook::from_toml(&book_text(rows)).unwrap()
}

/// Its text.
pub(crate) fn book_text(rows: &str) -> String {
    format!(
        "schema = 1\nname = \"Test\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"allocated\"\n{rows}"
    )
}

fn owner() -> Owner {
    Owner {
        domain: DomainId::new("customer"),
        holder: Holder::Account(AccountId::new("account")),
    }
}

fn record(usage_type: UsageType, id: &str, window: Period, quantity: Quantity) -> UsageRecord {
    UsageRecord {
        usage_type,
        window,
        quantity,
        raw_usage: Decimal::from_i128_with_scale(quantity.amount(), 0),
        owner: owner(),
        holder_name: Some("account".to_owned()),
        domain_name: Some("customer".to_owned()),
        domain_path: Some("ROOT/customer".to_owned()),
        zone: Some(ZoneId::new("zone")),
        resource: Some(ResourceId::new(id)),
        vm: None,
        offering: None,
        template: None,
        os_type: None,
        os_category: None,
        os_category_name: None,
        kind: None,
        size_bytes: None,
        virtual_size_bytes: None,
        cpu_count: None,
        cpu_mhz: None,
        memory_mib: None,
        network: None,
        vpc: None,
        is_default: None,
        is_source_nat: None,
        is_system: None,
        name: Some(id.to_owned()),
        description: id.to_owned(),
        tags_at_query: Vec::new(),
    }
}

/// The window of a day of October.
pub(crate) fn day(day: i64) -> Period {
    Period::new(october(day, 0), october(day + 1, 0)).unwrap()
}

/// A VM that existed so many hours of a day.
pub(crate) fn vm(id: &str, of_day: i64, hours: i64, cpus: u32) -> UsageRecord {
    let quantity = Quantity::time(hours * 3_600_000);
    UsageRecord {
        vm: Some(VmId::new(id)),
        offering: Some(OfferingId::new(&format!("{cpus} vCPU"))),
        cpu_count: Some(cpus),
        memory_mib: Some(1024),
        ..record(UsageType::AllocatedVm, id, day(of_day), quantity)
    }
}

/// A VM over whole days, the last one included.
pub(crate) fn vm_days(
    id: &str,
    days: std::ops::RangeInclusive<i64>,
    cpus: u32,
) -> Vec<UsageRecord> {
    days.map(|day| vm(id, day, 24, cpus)).collect()
}

/// A volume of so many GiB over whole days.
pub(crate) fn volume_days(
    id: &str,
    days: std::ops::RangeInclusive<i64>,
    gib: u64,
) -> Vec<UsageRecord> {
    days.map(|of_day| UsageRecord {
        size_bytes: Some(gib << 30),
        ..record(
            UsageType::Volume,
            id,
            day(of_day),
            Quantity::time(86_400_000),
        )
    })
    .collect()
}

/// So many GiB sent by a network in a day.
pub(crate) fn traffic(id: &str, of_day: i64, gib: u64) -> UsageRecord {
    UsageRecord {
        network: Some(NetworkId::new(id)),
        ..record(
            UsageType::NetworkBytesSent,
            id,
            day(of_day),
            Quantity::bytes(gib << 30),
        )
    }
}

/// The bill of October.
pub(crate) fn bill(book: &PriceBook, records: &[UsageRecord]) -> Bill {
    bill_with(book, records, &Inventory::default())
}

/// The bill of October against an inventory.
pub(crate) fn bill_with(book: &PriceBook, records: &[UsageRecord], inventory: &Inventory) -> Bill {
    let mut rating = Rating::new(book, inventory, month()).unwrap();
    for record in records {
        rating.push(record);
    }
    rating.finish()
}

/// An inventory with these domains below ROOT.
pub(crate) fn domains(names: &[&str]) -> Inventory {
    let mut inventory = Inventory::default();
    let mut add = |id: &str, path: String, parent: Option<&str>| {
        let entry = DomainEntry {
            id: DomainId::new(id),
            name: History::constant(id.to_owned()),
            path: History::constant(path),
            parent: parent.map(DomainId::new),
            tags: TagHistory::default(),
        };
        inventory.domains.insert(entry.id.clone(), entry);
    };
    add("ROOT", "ROOT".to_owned(), None);
    for name in names {
        add(name, format!("ROOT/{name}"), Some("ROOT"));
    }
    inventory
}

/// A VM that the inventory knows, removed at an instant or still there.
pub(crate) fn know_vm(inventory: &mut Inventory, id: &str, removed: Option<DateTime<Utc>>) {
    let entry = VmEntry {
        id: VmId::new(id),
        lifetime: Lifetime {
            start: october(-30, 0),
            start_source: LifetimeSource::Created,
            end: removed,
            end_source: LifetimeSource::Removed,
            last_seen: Some(october(10, 12)),
        },
        name: History::constant(id.to_owned()),
        display_name: History::new(),
        owner: History::constant(owner()),
        offering: History::new(),
        cpu_count: History::new(),
        memory_mib: History::new(),
        template: History::new(),
        os_type: History::new(),
        zone: None,
        hypervisor: None,
        power: History::new(),
        tags: TagHistory::default(),
    };
    inventory.vms.insert(entry.id.clone(), entry);
}

/// A volume that the inventory knows with so many GiB, and that is still there.
pub(crate) fn know_volume(inventory: &mut Inventory, id: &str, gib: u64) {
    let entry = VolumeEntry {
        id: VolumeId::new(id),
        lifetime: Lifetime {
            start: october(-30, 0),
            start_source: LifetimeSource::Created,
            end: None,
            end_source: LifetimeSource::Removed,
            last_seen: Some(october(10, 12)),
        },
        name: History::constant(id.to_owned()),
        owner: History::constant(owner()),
        volume_type: None,
        size_bytes: History::constant(gib << 30),
        offering: History::new(),
        vm: History::new(),
        zone: None,
        tags: TagHistory::default(),
    };
    inventory.volumes.insert(entry.id.clone(), entry);
}

/// The network interface of a VM over whole days.
pub(crate) fn nic_days(
    id: &str,
    of: &str,
    days: std::ops::RangeInclusive<i64>,
) -> Vec<UsageRecord> {
    days.map(|of_day| UsageRecord {
        vm: Some(VmId::new(of)),
        offering: Some(OfferingId::new("network")),
        ..record(
            UsageType::NetworkOffering,
            id,
            day(of_day),
            Quantity::time(86_400_000),
        )
    })
    .collect()
}
