//! A cloud small enough to be rated by hand: one customer, one VM with its disk, an address,
//! four days of usage, and a fault of each common kind.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::csbill;

/// The month of the usage.
pub(crate) const MONTH: &str = "2027-03";
const VM: &str = "00000000-0000-4000-8000-000000000001";
const DISK: &str = "00000000-0000-4000-8000-000000000002";
const ADDRESS: &str = "00000000-0000-4000-8000-000000000003";
const GIB: u64 = 1 << 30;

/// The prices of the year.
const BOOK: &str = r#"schema = 1
name = "Small"
currency = "EUR"
zone = "UTC"
compute = "running"

[[price]]
id = "cpu"
meter = "cpu"
amount = "0.01"
per = "hour"

[[price]]
id = "ram"
meter = "ram"
amount = "0.005"
per = "hour"

[[price]]
id = "disk"
meter = "disk"
amount = "3.10"
per = "month"

[[price]]
id = "ip"
meter = "ip"
amount = "0.10"
per = "day"

[[discount]]
id = "welcome"
percent = "10"
scope = { domain = "ROOT/acme" }
meters = ["cpu"]
"#;

/// Writes usage, what three syncs saw, the book, and one in which CPU is dearer from the
/// third day on.
pub(crate) fn write(folder: &Path) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    write("old.toml", BOOK.to_owned());
    let until = "per = \"hour\"\nuntil = 2027-03-02\n";
    let dearer = "[[price]]\nid = \"cpu-2\"\nmeter = \"cpu\"\namount = \"0.02\"\nper = \"hour\"\nfrom = 2027-03-03\n\n";
    let new = BOOK.replacen("per = \"hour\"\n", until, 1);
    write(
        "new.toml",
        new.replacen(
            "[[price]]\nid = \"ram\"",
            &format!("{dearer}[[price]]\nid = \"ram\""),
            1,
        ),
    );
    write("usage.json", usage().to_string());
    for (moment, tags) in [
        ("2027-03-01T020000Z", json!([])),
        (
            "2027-03-03T020000Z",
            json!([{ "key": "Billing", "value": "noRAM" }]),
        ),
        (
            "2027-03-05T020000Z",
            json!([{ "key": "Billing", "value": "noRAM" }]),
        ),
    ] {
        sync(&folder.join("metadata").join(moment), &tags);
    }
}

/// The command on these files.
pub(crate) fn on_files(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = csbill(folder);
    let files = ["--usage", "usage.json", "--metadata", "metadata"];
    command.args(arguments).args(files);
    command
}

fn owned(mut thing: Value) -> Value {
    thing["account"] = json!("acme");
    thing["domainid"] = json!("10000000-0000-4000-8000-000000000002");
    thing["domain"] = json!("acme");
    thing["domainpath"] = json!("ROOT/acme");
    thing
}

/// One VM that runs half of the second day, its disk without the record of the fourth, an
/// address with one record twice, and traffic, which has no price.
fn usage() -> Value {
    let mut records = Vec::new();
    let mut add = |day: u32, usage_type: u32, id: &str, hours: &str, more: Value| {
        let mut record = owned(more);
        record["accountid"] = json!("20000000-0000-4000-8000-000000000001");
        record["usagetype"] = json!(usage_type);
        record["usageid"] = json!(id);
        record["rawusage"] = json!(hours);
        record["usage"] = json!(format!("{hours} Hrs"));
        record["startdate"] = json!(format!("2027-03-{day:02}T00:00:00+0000"));
        record["enddate"] = json!(format!("2027-03-{day:02}T23:59:59+0000"));
        records.push(record);
    };
    for day in 1..=4 {
        let vm = || {
            json!({ "description": "web01 running time", "name": "web01", "virtualmachineid": VM,
                "cpunumber": 2, "memory": 4096 })
        };
        add(
            day,
            1,
            VM,
            if day == 2 { "12.000000" } else { "24.000000" },
            vm(),
        );
        add(day, 2, VM, "24.000000", vm());
        let disk =
            json!({ "description": "Volume usage for ROOT-1", "name": "ROOT-1", "size": 20 * GIB });
        if day < 4 {
            add(day, 6, DISK, "24.000000", disk);
        }
        for _ in 0..if day == 2 { 2 } else { 1 } {
            let address = json!({ "description": "IPAddress: 203.0.113.7" });
            add(day, 3, ADDRESS, "24.000000", address);
        }
    }
    add(
        1,
        4,
        VM,
        "1000000",
        json!({ "description": "traffic sent", "virtualmachineid": VM }),
    );
    json!({ "listusagerecordsresponse": { "count": records.len(), "usagerecord": records } })
}

/// The answers of a sync that saw everything.
fn sync(folder: &Path, tags: &Value) {
    std::fs::create_dir_all(folder).unwrap();
    let created = "2027-02-20T08:00:00+0000";
    let root = "10000000-0000-4000-8000-000000000001";
    let acme = "10000000-0000-4000-8000-000000000002";
    let lists = [
        (
            "listDomains",
            "domain",
            json!([
                { "id": root, "name": "ROOT", "level": 0, "path": "ROOT" },
                { "id": acme, "name": "acme", "level": 1, "path": "ROOT/acme", "parentdomainid": root },
            ]),
        ),
        (
            "listAccounts",
            "account",
            json!([owned(json!({
                "id": "20000000-0000-4000-8000-000000000001", "name": "acme", "accounttype": 2, "state": "enabled",
            }))]),
        ),
        (
            "listVirtualMachines",
            "virtualmachine",
            json!([owned(json!({
                "id": VM, "name": "web01", "displayname": "web01", "created": created, "state": "Running",
                "cpunumber": 2, "memory": 4096, "tags": tags,
            }))]),
        ),
        (
            "listVolumes",
            "volume",
            json!([owned(json!({
                "id": DISK, "name": "ROOT-1", "type": "ROOT", "created": created, "state": "Ready",
                "size": 20 * GIB, "virtualmachineid": VM, "tags": [],
            }))]),
        ),
        (
            "listPublicIpAddresses",
            "publicipaddress",
            json!([owned(json!({
                "id": ADDRESS, "ipaddress": "203.0.113.7", "allocated": created, "state": "Allocated", "tags": [],
            }))]),
        ),
    ];
    let mut index = Vec::new();
    for (command, name, things) in lists {
        let file = format!("{command}.json");
        let answer = format!("{}response", command.to_lowercase());
        let count = things.as_array().unwrap().len();
        let body = json!({ answer: { "count": count, name: things } });
        std::fs::write(folder.join(&file), body.to_string()).unwrap();
        let mut params =
            json!({ "command": command, "listall": "true", "page": 1, "pagesize": 500 });
        if !matches!(command, "listDomains" | "listAccounts") {
            params["projectid"] = json!("-1");
        }
        index.push(json!({ "file": file, "status": 200, "params": params }));
    }
    let index = Value::Array(index).to_string();
    std::fs::write(folder.join("index.json"), index).unwrap();
}
