//! Writes a generated month to files: usage as CSV, the price book, what a sync would have
//! seen, and for peers the rules compiled to one row for each stretch of a stream in which
//! the price does not change (which costs them nothing).

use std::fmt::Write as _;
use std::fs::{File, create_dir_all, write};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use chrono::DateTime;
use cloudstack_usage::{
    Account, Domain, DomainId, Holder, Kind, Label, LabelTarget, Offering, OfferingId, Owner,
    Period, Project, ProjectId, ResourceId, Snapshot, Template, TemplateId, Vm, VmId, Volume,
    VolumeId,
};

use crate::Failure;
use crate::workload::{
    DAY, DAYS, Discount, LENGTH, MONTH, Price, SIZES, STORAGE, SYSTEMS, Scope, Span, Stream, World,
    used, uuid,
};

/// Columns of the usage files.
const HEADER: &str = "usagetype,usageid,domainid,projectid,accountid,zoneid,virtualmachineid,startdate,enddate,rawusage,cpunumber,memory,offeringid,templateid,size";

/// Writes everything of a month of about so many records to `folder`.
pub(crate) fn write_month(folder: &Path, records: usize) -> Result<(), Failure> {
    create_dir_all(folder)?;
    let world = World::new(records);
    usage(&world, folder, records)?;
    write(folder.join("book.toml"), book(&world)?)?;
    let snapshot = serde_json::to_vec(&snapshot(&world))?;
    write(folder.join("snapshot.json"), snapshot)?;
    let labels = serde_json::to_vec(&labels(&world)?)?;
    write(folder.join("labels.json"), labels)?;
    segments(&world, folder)
}

/// The records of each day in the order of the streams, and in a mixed order within the day.
fn usage(world: &World, folder: &Path, records: usize) -> Result<(), Failure> {
    let mut ordered = BufWriter::new(File::create(folder.join("ordered.csv"))?);
    let mut shuffled = BufWriter::new(File::create(folder.join("shuffled.csv"))?);
    writeln!(ordered, "{HEADER}")?;
    writeln!(shuffled, "{HEADER}")?;
    let cuts: Vec<_> = world
        .streams
        .iter()
        .map(|stream| world.cuts(stream))
        .collect();
    let mut left = records;
    for day in 0..DAYS {
        let mut rows = Vec::new();
        for (stream, cuts) in world.streams.iter().zip(&cuts) {
            if let Some(used) = used(stream, cuts, day) {
                rows.push(row(world, stream, day, used));
            }
        }
        rows.truncate(left);
        left -= rows.len();
        rows.iter().try_for_each(|row| writeln!(ordered, "{row}"))?;
        shuffle(&mut rows, day);
        rows.iter()
            .try_for_each(|row| writeln!(shuffled, "{row}"))?;
    }
    ordered.flush()?;
    shuffled.flush()?;
    Ok(())
}

fn shuffle(rows: &mut [String], day: i64) {
    let mut state: u64 = 0x2545_F491_4F6C_DD1D ^ day.unsigned_abs();
    for index in (1..rows.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (index as u64 + 1)).unwrap_or(0);
        rows.swap(index, other);
    }
}

fn row(world: &World, stream: &Stream, day: i64, used: u64) -> String {
    let raw = if matches!(stream.usage_type, 4 | 5) {
        used.to_string()
    } else {
        // hours with six decimals, as CloudStack prints them
        let micros = (used * 1_000_000 + 1_800) / 3_600;
        format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000)
    };
    let vm = stream.vm.and_then(|vm| world.vms.get(vm));
    let size = vm.map(|vm| match vm.resize {
        Some((from, size)) if day >= from => size,
        _ => vm.size,
    });
    let (cpus, memory) = size
        .and_then(|size| SIZES.get(size))
        .map(|(cpus, memory)| (cpus.to_string(), memory.to_string()))
        .unwrap_or_default();
    let offering = match (size, stream.offering) {
        (Some(size), _) => uuid("offering", size),
        (None, Some(disk)) => uuid("disk offering", disk),
        (None, None) => String::new(),
    };
    let optional = |kind: &str, number: Option<usize>| {
        number.map(|number| uuid(kind, number)).unwrap_or_default()
    };
    let project = stream.owner.project;
    let account = project.is_none().then_some(stream.owner.domain);
    format!(
        "{},{},{},{},{},{},{},{},{},{raw},{cpus},{memory},{offering},{},{}",
        stream.usage_type,
        stream.id,
        uuid("domain", stream.owner.domain),
        optional("project", project),
        optional("account", account),
        uuid("zone", stream.zone),
        optional("vm", stream.vm),
        date(day * DAY),
        date((day + 1) * DAY),
        optional("template", stream.template),
        stream.size.map(|size| size.to_string()).unwrap_or_default(),
    )
}

fn date(second: i64) -> String {
    let time = DateTime::from_timestamp(MONTH + second, 0).unwrap_or_default();
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

fn instant(second: i64) -> String {
    let time = DateTime::from_timestamp(MONTH + second, 0).unwrap_or_default();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn book(world: &World) -> Result<String, Failure> {
    let mut text = String::from(
        "schema = 1\nname = \"Bench\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"running\"\n\
         discount_stacking = \"multiply\"\n",
    );
    for (package, services) in [
        ("Gold", "\"Backup\", \"Monitoring\""),
        ("Silver", "\"Monitoring\""),
        ("Bronze", "\"Backup\""),
    ] {
        write!(
            text,
            "[[package]]\nid = \"{package}\"\nservices = [{services}]\n"
        )?;
    }
    text.push_str("[[service]]\nid = \"Backup\"\n[[service]]\nid = \"Monitoring\"\n");
    for (number, price) in world.prices.iter().enumerate() {
        price_row(&mut text, number, price)?;
    }
    for (number, discount) in world.discounts.iter().enumerate() {
        discount_row(&mut text, number, discount)?;
    }
    Ok(text)
}

fn price_row(text: &mut String, number: usize, price: &Price) -> Result<(), Failure> {
    let (item, special) = price
        .component
        .split_once(' ')
        .unwrap_or((price.component, ""));
    if item == "os" {
        writeln!(text, "[[os_image]]\nid = \"p{number}\"\nunit = \"VM\"")?;
        let templates: Vec<String> = (0..50)
            .filter(|template| SYSTEMS.get(template % 6) == Some(&special))
            .map(|template| format!("\"{}\"", uuid("template", template)))
            .collect();
        writeln!(text, "template = [{}]", templates.join(", "))?;
    } else if matches!(item, "Backup" | "Monitoring") {
        writeln!(
            text,
            "[[price]]\nid = \"p{number}\"\nservice = \"{item}\"\nunit = \"VM\""
        )?;
    } else {
        writeln!(text, "[[price]]\nid = \"p{number}\"\nmeter = \"{item}\"")?;
    }
    if item == "vm" {
        writeln!(text, "basis = \"allocated\"\ncovers = []")?;
    }
    if item == "disk" {
        let offerings: Vec<String> = (0..STORAGE.len())
            .filter(|offering| STORAGE.get(*offering) == Some(&special))
            .map(|offering| format!("\"{}\"", uuid("disk offering", offering)))
            .collect();
        writeln!(text, "offering = [{}]", offerings.join(", "))?;
    }
    let (whole, part) = (price.micros / 1_000_000, price.micros % 1_000_000);
    writeln!(text, "amount = \"{whole}.{part:06}\"")?;
    if let Some(per) = per(price.component) {
        writeln!(text, "per = \"{per}\"")?;
    }
    if let Some(domain) = price.domain {
        writeln!(
            text,
            "scope = {{ domain = \"{}\" }}",
            uuid("domain", domain)
        )?;
    }
    validity(text, price.span)
}

/// The time a price is for; none for traffic.
fn per(component: &str) -> Option<&'static str> {
    match component {
        "traffic_sent" | "traffic_received" => None,
        "Backup" | "Monitoring" => Some("month"),
        os if os.starts_with("os ") => Some("month"),
        _ => Some("hour"),
    }
}

fn validity(text: &mut String, (from, until): Span) -> Result<(), Failure> {
    if from > 0 {
        writeln!(text, "from = {}", instant(from))?;
    }
    if until < LENGTH {
        writeln!(text, "until = {}", instant(until))?;
    }
    Ok(())
}

fn discount_row(text: &mut String, number: usize, discount: &Discount) -> Result<(), Failure> {
    let (kind, id) = match discount.scope {
        Scope::Domain(number) => ("domain", uuid("domain", number)),
        Scope::Project(number) => ("project", uuid("project", number)),
        Scope::Vm(number) => ("vm", uuid("vm", number)),
        Scope::Volume(number) => ("volume", uuid("volume", number)),
    };
    writeln!(text, "[[discount]]\nid = \"d{number}\"")?;
    writeln!(
        text,
        "percent = \"{}.{}\"",
        discount.tenths / 10,
        discount.tenths % 10
    )?;
    writeln!(text, "scope = {{ {kind} = \"{id}\" }}")?;
    if kind == "vm" {
        writeln!(text, "meters = [\"cpu\", \"ram\", \"os\", \"vm\"]")?;
    }
    validity(text, discount.span)
}

fn time(second: i64) -> DateTime<chrono::Utc> {
    DateTime::from_timestamp(MONTH + second, 0).unwrap_or_default()
}

fn owner(owner: crate::workload::Owner) -> Owner {
    let holder = match owner.project {
        Some(project) => Holder::Project(ProjectId::new(&uuid("project", project))),
        None => Holder::Account(uuid("account", owner.domain).as_str().into()),
    };
    Owner {
        domain: DomainId::new(&uuid("domain", owner.domain)),
        holder,
    }
}

/// What a sync at the end of the month sees.
fn snapshot(world: &World) -> Snapshot {
    let mut snapshot = Snapshot::new(time(LENGTH));
    snapshot.complete = Kind::ALL.iter().copied().collect();
    let root = DomainId::new(&uuid("root", 0));
    snapshot.domains.push(Domain {
        id: root.clone(),
        name: "ROOT".to_owned(),
        path: "ROOT".to_owned(),
        parent: None,
    });
    snapshot
        .domains
        .extend((0..world.domains).map(|number| Domain {
            id: DomainId::new(&uuid("domain", number)),
            name: format!("d{number}"),
            path: format!("ROOT/d{number}"),
            parent: Some(root.clone()),
        }));
    let projects = world.projects.iter().enumerate();
    snapshot
        .projects
        .extend(projects.map(|(number, domain)| Project {
            id: ProjectId::new(&uuid("project", number)),
            name: format!("p{number}"),
            display_text: None,
            domain: DomainId::new(&uuid("domain", *domain)),
            state: None,
            tags: Vec::new(),
        }));
    snapshot
        .accounts
        .extend((0..world.domains).map(|number| Account {
            id: uuid("account", number).as_str().into(),
            name: format!("a{number}"),
            domain: DomainId::new(&uuid("domain", number)),
            state: None,
        }));
    let offering = |kind: &str, number: usize| Offering {
        id: OfferingId::new(&uuid(kind, number)),
        name: format!("{kind} {number}"),
        cpu_count: None,
        memory_mib: None,
        storage_tags: None,
    };
    snapshot.service_offerings = (0..SIZES.len())
        .map(|number| offering("offering", number))
        .collect();
    snapshot.disk_offerings = (0..STORAGE.len())
        .map(|number| offering("disk offering", number))
        .collect();
    snapshot.templates = (0..50)
        .map(|number| Template {
            id: TemplateId::new(&uuid("template", number)),
            name: format!("template {number}"),
            os_type: None,
        })
        .collect();
    for (number, vm) in world.vms.iter().enumerate() {
        snapshot.vms.push(Vm {
            id: VmId::new(&uuid("vm", number)),
            name: format!("vm{number}"),
            display_name: None,
            owner: owner(vm.owner),
            created: Some(time(vm.life.0)),
            last_updated: None,
            state: Some(state(vm.life)),
            offering: Some(OfferingId::new(&uuid("offering", vm.size))),
            template: Some(TemplateId::new(&uuid("template", vm.template))),
            os_type: None,
            cpu_count: None,
            memory_mib: None,
            zone: None,
            hypervisor: None,
            tags: Vec::new(),
        });
    }
    for (number, (vm, of, offering, size, life)) in world.volumes.iter().enumerate() {
        snapshot.volumes.push(Volume {
            id: VolumeId::new(&uuid("volume", number)),
            name: format!("volume{number}"),
            volume_type: None,
            owner: owner(*of),
            created: Some(time(life.0)),
            state: None,
            size_bytes: Some(*size),
            vm: vm.map(|vm| VmId::new(&uuid("vm", vm))),
            attached: None,
            offering: Some(OfferingId::new(&uuid("disk offering", *offering))),
            zone: None,
            tags: Vec::new(),
        });
    }
    snapshot
}

fn state(life: Span) -> String {
    if life.1 < LENGTH {
        "Destroyed".to_owned()
    } else {
        "Running".to_owned()
    }
}

/// Tags as labels: their moments are known to the second.
fn labels(world: &World) -> Result<Vec<Label>, Failure> {
    let mut labels = Vec::new();
    for (number, vm) in world.vms.iter().enumerate() {
        for (key, value, (from, until)) in &vm.tags {
            labels.push(Label {
                target: LabelTarget {
                    resource_type: "UserVm".to_owned(),
                    resource: ResourceId::new(&uuid("vm", number)),
                    key: (*key).to_owned(),
                },
                value: (*value).to_owned(),
                valid: Period::new(time(*from), time(*until))?,
                author: "bench".to_owned(),
                recorded: time(0),
            });
        }
    }
    Ok(labels)
}

/// The components of a stream.
fn components(world: &World, stream: &Stream) -> Vec<&'static str> {
    match stream.usage_type {
        1 => {
            let vm = stream.vm.and_then(|vm| world.vms.get(vm));
            let os = vm.and_then(|vm| SYSTEMS.get(vm.template % 6));
            let os = match os {
                Some(&"windows") => Some("os windows"),
                Some(&"rhel") => Some("os rhel"),
                Some(&"sles") => Some("os sles"),
                _ => None,
            };
            ["cpu", "ram"].into_iter().chain(os).collect()
        }
        2 => vec!["vm", "Backup", "Monitoring"],
        3 => vec!["ip"],
        4 => vec!["traffic_sent"],
        5 => vec!["traffic_received"],
        6 => match stream.offering.and_then(|disk| STORAGE.get(disk)) {
            Some(&"ssd") => vec!["disk ssd"],
            Some(&"hdd") => vec!["disk hdd"],
            _ => vec!["disk nvme"],
        },
        7 => vec!["template"],
        8 => vec!["iso"],
        9 => vec!["snapshot"],
        11 => vec!["load_balancer"],
        12 => vec!["port_forwarding"],
        13 => vec!["nic"],
        _ => vec!["vpn_user"],
    }
}

/// One row for each stretch of a stream in which its price and discounts do not change:
/// what the rules mean, in the simplest words, apart from the engine.
fn segments(world: &World, folder: &Path) -> Result<(), Failure> {
    let mut file = BufWriter::new(File::create(folder.join("segments.csv"))?);
    writeln!(
        file,
        "usagetype,usageid,component,s,e,price,unit_size,period_ms,factor"
    )?;
    for stream in &world.streams {
        let cuts: Vec<i64> = world.cuts(stream).into_iter().collect();
        let discounts = world.discounts_of(stream);
        for component in components(world, stream) {
            let prices = world.prices_of(component, stream.owner.domain);
            let item = component.split(' ').next().unwrap_or(component);
            let unit_size: u64 = match (item, stream.usage_type) {
                ("ram", _) => 1024,
                (_, 4..=9) => 1 << 30,
                _ => 1,
            };
            let period_ms = match per(component) {
                None => 1,
                Some("month") => LENGTH * 1000,
                Some(_) => 3_600_000,
            };
            // the same price and factor until the next change are one row
            let mut row: Option<(i64, i64, i64, i64)> = None;
            for pair in cuts.windows(2) {
                let [from, until] = pair else { continue };
                let next = decide(world, stream, item, &prices, &discounts, *from);
                match (&mut row, next) {
                    (Some((_, end, price, factor)), Some((p, f)))
                        if (*price, *factor) == (p, f) =>
                    {
                        *end = *until;
                    }
                    (_, next) => {
                        let ready = row.take();
                        row = next.map(|(price, factor)| (*from, *until, price, factor));
                        if let Some((from, until, price, factor)) = ready {
                            segment(
                                &mut file,
                                stream,
                                item,
                                (from, until),
                                (price, factor),
                                (unit_size, period_ms),
                            )?;
                        }
                    }
                }
            }
            if let Some((from, until, price, factor)) = row {
                segment(
                    &mut file,
                    stream,
                    item,
                    (from, until),
                    (price, factor),
                    (unit_size, period_ms),
                )?;
            }
        }
    }
    file.flush()?;
    Ok(())
}

fn segment(
    file: &mut impl std::io::Write,
    stream: &Stream,
    item: &str,
    (from, until): Span,
    (price, factor): (i64, i64),
    (unit_size, period_ms): (u64, i64),
) -> Result<(), Failure> {
    writeln!(
        file,
        "{},{},{item},{},{},{price},{unit_size},{period_ms},{factor}",
        stream.usage_type,
        stream.id,
        date(from),
        date(until),
    )?;
    Ok(())
}

/// Price in millionths and factor in thousand millionths at a second; none where the
/// component costs nothing.
fn decide(
    world: &World,
    stream: &Stream,
    item: &str,
    [own, list]: &[Vec<&Price>; 2],
    discounts: &[&Discount],
    at: i64,
) -> Option<(i64, i64)> {
    let in_force = |span: Span| span.0 <= at && at < span.1;
    let tags = world.tags_of(stream).iter();
    let mut tags = tags.filter(|(.., span)| in_force(*span));
    let exemption = match item {
        "cpu" => "Billing:noCPU",
        "ram" => "Billing:noRAM",
        "disk" => "Billing:noDisk",
        _ => "",
    };
    let package = |name: &str| match item {
        "Backup" => matches!(name, "Gold" | "Bronze"),
        _ => matches!(name, "Gold" | "Silver"),
    };
    let is_service = matches!(item, "Backup" | "Monitoring");
    if is_service {
        if !tags.any(|(key, value, _)| *key == "Package" && package(value)) {
            return None;
        }
    } else if tags.any(|(key, ..)| *key == exemption) {
        return None;
    }
    if let Some(price) = own.iter().find(|price| in_force(price.span)) {
        // hard-linked prices know no discounts
        return Some((price.micros, 1_000_000_000));
    }
    let price = list.iter().find(|price| in_force(price.span))?;
    let factor = discounts
        .iter()
        .filter(|discount| in_force(discount.span))
        .filter(|discount| !(is_service && matches!(discount.scope, Scope::Vm(_))))
        .fold(1_000_000_000, |factor, discount| {
            factor / 1000 * (1000 - discount.tenths)
        });
    Some((price.micros, factor))
}
