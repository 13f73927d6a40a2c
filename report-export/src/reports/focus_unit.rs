//! Units as FOCUS writes them.

/// A unit of a line as FOCUS has it: things in the plural, `GiB-Months` for things over
/// time, `Months` for one thing over time.
///
/// Source: FOCUS 1.2, "Unit Format".
pub(super) fn unit_name(unit: &str) -> String {
    let unit = unit.strip_suffix(" once").unwrap_or(unit);
    let (thing, time) = match unit.rsplit_once('-') {
        Some((thing, "hour")) => (thing, Some("Hours")),
        Some((thing, "day")) => (thing, Some("Days")),
        Some((thing, "month")) => (thing, Some("Months")),
        _ => (unit, None),
    };
    let alone = |word: &str| match word {
        "each" | "once" | "" => "Units".to_owned(),
        "thousand" => "1000 Requests".to_owned(),
        "million" => "1000000 Requests".to_owned(),
        "VM" => "VMs".to_owned(),
        "vCPU" => "vCPUs".to_owned(),
        other => other.to_owned(),
    };
    match (thing, time) {
        (thing, None) => alone(thing),
        ("each", Some(time)) => time.to_owned(),
        (thing, Some(time)) => format!("{thing}-{time}"),
    }
}

#[cfg(test)]
mod tests {
    use super::unit_name;

    #[test]
    fn things_are_in_the_plural_and_times_behind_them() {
        for (ours, wanted) in [
            ("GiB-month", "GiB-Months"),
            ("vCPU-hour", "vCPU-Hours"),
            ("each-day", "Days"),
            ("GiB disk-month", "GiB disk-Months"),
            ("GiB", "GiB"),
            ("million", "1000000 Requests"),
            ("once", "Units"),
            ("vCPU once", "vCPUs"),
            ("EUR", "EUR"),
            ("", "Units"),
        ] {
            assert_eq!(unit_name(ours), wanted);
        }
    }
}
