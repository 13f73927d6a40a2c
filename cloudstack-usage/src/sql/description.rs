//! The descriptions that the API makes of records. The rows have older ones, with numbers
//! of the database where these have names and ids; bills take names of removed things from
//! them, and must not depend on how usage was read.
//!
//! Source: answers of CloudStack 4.23 beside their rows; the same since 4.15 (pull request
//! 3344 for the names, 4207 for the sizes).

use serde_json::Value as Json;

use super::database::Object;

/// The API's description of a row; none where the API gives that of the row, or where what
/// it names may not be read.
pub(super) fn describe(row: &Object) -> Option<String> {
    let text = |name: &str| row.get(name).and_then(Json::as_str);
    let named = |what: &str, name: &str, id: &str| {
        Some(format!(
            "{what}{} ({})",
            text(name).unwrap_or_default(),
            text(id)?
        ))
    };
    let usage_type = row.get("usagetype").and_then(Json::as_u64)?;
    let amount = text("rawusage").unwrap_or_default();
    let size = row.get("size").and_then(Json::as_u64);
    let sized = |before: &str| {
        size.map_or(String::new(), |size| {
            format!(" {before} size ({}) {size}", human(size))
        })
    };
    let counted = |amount: &str| format!("({}) {amount}", human(amount.parse().unwrap_or(0)));
    Some(match usage_type {
        1 | 2 => {
            let what = if usage_type == 1 {
                "Running"
            } else {
                "Allocated"
            };
            let offering = if row.contains_key("_service_offering_name") {
                "_service_offering_name"
            } else {
                "_disk_offering_name" // until 4.16
            };
            let parts = [
                format!(
                    "{what} VM usage for {}",
                    text("_vm_name").unwrap_or_default()
                ),
                format!(" ({})", text("_vm_instance").unwrap_or_default()),
                format!(" ({})", text("usageid")?),
                named(" using service offering ", offering, "offeringid").unwrap_or_default(),
                named(" and template ", "_template_name", "templateid").unwrap_or_default(),
            ];
            parts.concat()
        }
        4 | 5 => {
            let direction = if usage_type == 4 { "sent" } else { "received" };
            let network = named(
                &format!("Bytes {direction} by network "),
                "_network_name",
                "_network",
            )?;
            let router = named(" using router ", "_router_name", "_router");
            let router = router.unwrap_or_default();
            format!("{network}  {}{router}", counted(amount))
        }
        6 => {
            let parts = [
                named("Volume usage for ", "_volume_name", "usageid")?,
                named(" attached to VM ", "_vm_name", "virtualmachineid").unwrap_or_default(),
                named(" with disk offering ", "_disk_offering_name", "offeringid")
                    .unwrap_or_default(),
                named(" and template ", "_template_name", "templateid").unwrap_or_default(),
                sized("and"),
            ];
            parts.concat()
        }
        7 => named("Template usage for ", "_used_template_name", "usageid")? + &sized("with"),
        8 => named("ISO usage for ", "_used_template_name", "usageid")? + &sized("with"),
        9 => named("Snapshot usage for ", "_snapshot_name", "usageid")? + &sized("with"),
        11 => named("Loadbalancer policy usage ", "_rule_name", "usageid")?,
        12 => format!("Port forwarding rule usage ({})", text("usageid")?),
        13 => {
            let offering = named("Network offering ", "_network_offering_name", "offeringid")?;
            let vm = named(" usage for VM ", "_vm_name", "virtualmachineid").unwrap_or_default();
            format!("{offering}{vm} ")
        }
        14 => named("VPN usage for user ", "_vpn_user_name", "usageid")?,
        21..=24 => {
            let what = match usage_type {
                21 => "read requests",
                22 => "write requests",
                23 => "read bytes",
                _ => "write bytes",
            };
            let vm = named(" for VM ", "_vm_name", "virtualmachineid").unwrap_or_default();
            let volume = named(" and volume ", "_volume_name", "usageid").unwrap_or_default();
            format!("Disk I/O {what}{vm}{volume} {}", counted(amount))
        }
        25 | 27 => {
            let (what, before) = if usage_type == 25 {
                ("VMSnapshot usage", "and")
            } else {
                ("VMSnapshot on primary storage usage", "with")
            };
            let vm = named(" for VM ", "_vm_name", "virtualmachineid").unwrap_or_default();
            format!("{what} Id: {}{vm}{}", text("usageid")?, sized(before))
        }
        _ => return None,
    })
}

/// A number of bytes for people: `500.00 GB`, powers of 1024, half up.
fn human(bytes: u64) -> String {
    const UNITS: &[&str] = &["KB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut unit = 1_u128 << 10;
    let mut name = "KB";
    for next in UNITS.iter().skip(1) {
        if u128::from(bytes) < unit << 10 {
            break;
        }
        unit <<= 10;
        name = next;
    }
    let hundredths = (u128::from(bytes) * 200 + unit) / (2 * unit);
    format!("{}.{:02} {name}", hundredths / 100, hundredths % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_cloudstack_does() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (100, "100 bytes"),
            (132_746, "129.63 KB"),
            (861_133_197, "821.24 MB"),
            (1_940_515_767, "1.81 GB"),
            (536_870_912_000, "500.00 GB"),
            (u64::MAX, "16.00 EB"),
        ] {
            assert_eq!(human(bytes), text);
        }
    }
}
