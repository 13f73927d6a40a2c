//! A deterministic month of usage: VMs with volumes, addresses and traffic, daily windows,
//! tag changes and resizes in the middle of the month.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use cloudstack_usage::{
    Domain, DomainId, Holder, Kind, Offering, OfferingId, Owner, Project, ProjectId, Snapshot, Tag,
    TagAction, TagEvent, Vm, VmId, Volume, VolumeId,
};

const DAYS: i64 = 31;
/// Records of one VM and day: running, allocated, two volumes, address, traffic out and in.
const RECORDS_PER_VM_DAY: usize = 7;

/// A generated month.
#[derive(Debug)]
pub(crate) struct Month {
    /// Answers to `listUsageRecords`, 500 records each, in order of time.
    pub(crate) pages: Vec<String>,
    /// Two syncs: at the month's beginning and in its middle.
    pub(crate) snapshots: Vec<Snapshot>,
    /// Number of records in the pages.
    pub(crate) records: usize,
}

/// The beginning of the generated month.
pub(crate) fn start() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_812_800, 0).unwrap_or_default()
}

/// The VMs of a month of about so many records.
fn vms(records: usize) -> usize {
    let per_vm = RECORDS_PER_VM_DAY * usize::try_from(DAYS).unwrap_or(31);
    (records / per_vm).max(1)
}

/// A month of about so many records.
pub(crate) fn month(records: usize) -> Month {
    let mut month = Month {
        pages: Vec::new(),
        snapshots: vec![snapshot(vms(records), 0), snapshot(vms(records), 15)],
        records: 0,
    };
    for (page, records) in pages(records) {
        month.pages.push(page);
        month.records += records;
    }
    month
}

/// The pages of a month of about so many records, each with its number of records, made
/// one by one.
pub(crate) fn pages(records: usize) -> impl Iterator<Item = (String, usize)> {
    let vms = vms(records);
    let days = (0..DAYS).flat_map(move |day| (0..vms).map(move |vm| (vm, day)));
    let mut records = days.flat_map(|(vm, day)| day_of_vm(vm, day));
    std::iter::from_fn(move || {
        let page: Vec<String> = records.by_ref().take(500).collect();
        (!page.is_empty()).then(|| (answer(&page), page.len()))
    })
}

fn answer(records: &[String]) -> String {
    format!(
        "{{\"listusagerecordsresponse\":{{\"count\":{},\"usagerecord\":[{}]}}}}",
        records.len(),
        records.join(",")
    )
}

/// A UUID that depends on a kind and a number only.
fn uuid(kind: u8, number: usize) -> String {
    let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (u64::from(kind) << 56);
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        mixed >> 32,
        (mixed >> 16) & 0xffff,
        mixed & 0xfff,
        u16::from(kind),
        number
    )
}

fn domain(vm: usize) -> usize {
    vm % 50
}

fn project(vm: usize) -> usize {
    vm % 300
}

fn day_of_vm(vm: usize, day: i64) -> Vec<String> {
    let date = (start() + TimeDelta::days(day)).format("%Y-%m-%d");
    let owner = format!(
        "\"projectid\":\"{}\",\"project\":\"p{}\",\"domainid\":\"{}\",\"domain\":\"d{}\",\"zoneid\":\"{}\"",
        uuid(1, project(vm)),
        project(vm),
        uuid(2, domain(vm)),
        domain(vm),
        uuid(3, 0)
    );
    let window = format!(
        "\"startdate\":\"{date}T00:00:00+0000\",\"enddate\":\"{date}T23:59:59+0000\",\"tags\":[]"
    );
    // one VM in a hundred is resized on day 10 at 06:00
    let resized = vm % 100 == 7 && day >= 10;
    let cpus = if resized { 8 } else { 2 + vm % 3 };
    let hours = if vm % 10 == 3 && day == 20 {
        "17.828888"
    } else {
        "24"
    };
    let compute = format!(
        "\"virtualmachineid\":\"{0}\",\"usageid\":\"{0}\",\"offeringid\":\"{1}\",\"cpunumber\":{cpus},\"memory\":{2}",
        uuid(4, vm),
        uuid(5, vm % 12),
        cpus * 2048
    );
    let mut records = Vec::with_capacity(RECORDS_PER_VM_DAY);
    let mut record = |usage_type: u32, raw: &str, unit: &str, fields: &str| {
        let mut text = String::with_capacity(700);
        let _ = write!(
            text,
            "{{{owner},\"description\":\"usage of {vm}\",\"usage\":\"{raw} {unit}\",\"usagetype\":{usage_type},\"rawusage\":\"{raw}\",{fields},{window}}}"
        );
        records.push(text);
    };
    record(1, hours, "Hrs", &compute);
    record(2, "24", "Hrs", &compute);
    for volume in 0..2 {
        let size = if volume == 0 {
            20_u64 << 30
        } else {
            100_u64 << 30
        };
        let fields = format!(
            "\"usageid\":\"{}\",\"offeringid\":\"{}\",\"size\":{size}",
            uuid(6, vm * 2 + volume),
            uuid(7, volume)
        );
        record(6, "24", "Hrs", &fields);
    }
    record(
        3,
        "24",
        "Hrs",
        &format!("\"usageid\":\"{}\",\"issystem\":false", uuid(8, vm)),
    );
    for usage_type in [4, 5] {
        let bytes = (vm as u64 + 1) * 1_000_003 + u64::from(usage_type) * 17;
        let fields = format!(
            "\"usageid\":\"{}\",\"networkid\":\"{}\",\"type\":\"DomainRouter\"",
            uuid(9, vm),
            uuid(10, vm)
        );
        record(usage_type, &bytes.to_string(), "bytes", &fields);
    }
    records
}

fn snapshot(vms: usize, day: i64) -> Snapshot {
    let at = start() + TimeDelta::days(day) + TimeDelta::hours(2);
    let mut snapshot = Snapshot::new(at);
    snapshot.complete = Kind::ALL.iter().copied().collect();
    let root = DomainId::new(&uuid(2, 1_000));
    snapshot.domains.push(Domain {
        id: root.clone(),
        name: "ROOT".to_owned(),
        path: "ROOT".to_owned(),
        parent: None,
    });
    for number in 0..50 {
        let name = format!("d{number}");
        snapshot.domains.push(Domain {
            id: DomainId::new(&uuid(2, number)),
            path: format!("ROOT/{name}"),
            name,
            parent: Some(root.clone()),
        });
    }
    for number in 0..300 {
        snapshot.projects.push(Project {
            id: ProjectId::new(&uuid(1, number)),
            name: format!("p{number}"),
            display_text: None,
            domain: DomainId::new(&uuid(2, number % 50)),
            state: None,
            tags: vec![Tag::new("CostCenter", format!("{}", 4_700 + number))],
        });
    }
    for number in 0..2 {
        snapshot.disk_offerings.push(Offering {
            id: OfferingId::new(&uuid(7, number)),
            name: format!("disk{number}"),
            cpu_count: None,
            memory_mib: None,
            storage_tags: None,
        });
    }
    if day > 0 {
        let event = TagEvent {
            at: start() + TimeDelta::days(12),
            action: TagAction::Create,
            id: "e".to_owned(),
            username: None,
        };
        snapshot.tag_events.push(event);
    }
    for vm in 0..vms {
        snapshot.vms.push(vm_of(vm, day));
        snapshot
            .volumes
            .extend((0..2).map(|volume| volume_of(vm, volume)));
    }
    snapshot
}

fn owner(vm: usize) -> Owner {
    Owner {
        domain: DomainId::new(&uuid(2, domain(vm))),
        holder: Holder::Project(ProjectId::new(&uuid(1, project(vm)))),
    }
}

fn vm_of(vm: usize, day: i64) -> Vm {
    // one VM in twenty is exempt from the twelfth day on
    let tags = if vm % 20 == 1 && day > 0 {
        vec![Tag::new("Billing", "noCPU")]
    } else {
        Vec::new()
    };
    Vm {
        id: VmId::new(&uuid(4, vm)),
        name: format!("vm{vm}"),
        display_name: None,
        owner: owner(vm),
        created: Some(start() - TimeDelta::days(30)),
        last_updated: None,
        state: None,
        offering: Some(OfferingId::new(&uuid(5, vm % 12))),
        template: None,
        os_type: None,
        cpu_count: None,
        memory_mib: None,
        zone: None,
        hypervisor: None,
        tags,
    }
}

fn volume_of(vm: usize, volume: usize) -> Volume {
    Volume {
        id: VolumeId::new(&uuid(6, vm * 2 + volume)),
        name: format!("volume{vm}-{volume}"),
        volume_type: None,
        owner: owner(vm),
        created: Some(start() - TimeDelta::days(30)),
        state: None,
        size_bytes: Some(if volume == 0 { 20 << 30 } else { 100 << 30 }),
        vm: Some(VmId::new(&uuid(4, vm))),
        attached: None,
        offering: Some(OfferingId::new(&uuid(7, volume))),
        zone: None,
        tags: Vec::new(),
    }
}
