//! Which resources a price or a factor is for.

use super::conflict::patterns_meet;
use super::model::TagMatch;

/// Which resources a price or a factor is for; an empty list means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selector {
    /// Service, disk or network offerings, by name or id.
    pub offerings: Vec<String>,
    /// Templates, by name or id.
    pub templates: Vec<String>,
    /// Guest OS types, by name or id.
    pub os_types: Vec<String>,
    /// Categories of guest OS types, by name or id.
    pub os_categories: Vec<String>,
    /// Name patterns of the resource (`*` and `?`).
    pub names: Vec<String>,
    /// Tags of the resource, all of which must be there (`key=value`, or `key`).
    pub tags: Vec<TagMatch>,
    /// Storage tags of the disk offering.
    pub storage_tags: Vec<String>,
    /// Zones, by name or id.
    pub zones: Vec<String>,
    /// Hypervisors.
    pub hypervisors: Vec<String>,
    /// The size that a resource has to reach.
    pub at_least: AtLeast,
}

impl Selector {
    /// How narrow it is: the fields in their order of weight, as bits. Two selectors with
    /// the same fields are equally narrow, but for the sizes that they ask for.
    pub fn rank(&self) -> u16 {
        let fields = [
            self.at_least.cpus.is_none(),
            self.at_least.mib.is_none(),
            self.at_least.bytes.is_none(),
            self.hypervisors.is_empty(),
            self.zones.is_empty(),
            self.storage_tags.is_empty(),
            self.tags.is_empty(),
            self.names.is_empty(),
            self.os_categories.is_empty(),
            self.os_types.is_empty(),
            self.templates.is_empty(),
            self.offerings.is_empty(),
        ];
        fields
            .iter()
            .enumerate()
            .map(|(bit, empty)| u16::from(!empty) << bit)
            .sum()
    }
}

/// The size from which a price or factor applies: a threshold, reached when the resource has
/// just as much. Of several that are reached the highest counts.
///
/// Source: the thresholds of `CloudKitty`'s hashmap ("highest level <= value").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AtLeast {
    /// vCPUs of a VM.
    pub cpus: Option<u64>,
    /// MiB of memory of a VM.
    pub mib: Option<u64>,
    /// Bytes of a volume or another stored thing.
    pub bytes: Option<u64>,
}

impl AtLeast {
    /// Whether it asks for nothing.
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Of two that ask for the same sizes, whether one asks for no less than the other: where
    /// a resource reaches both, the higher one counts.
    fn comparable(&self, other: &Self) -> bool {
        let pairs = [
            (self.cpus, other.cpus),
            (self.mib, other.mib),
            (self.bytes, other.bytes),
        ];
        self != other
            && (pairs.iter().all(|(left, right)| left <= right)
                || pairs.iter().all(|(left, right)| left >= right))
    }

    /// In words, such as `at least 64 GiB RAM`; empty where it asks for nothing.
    pub fn text(&self) -> String {
        const KIB: u64 = 1 << 10;
        const GIB: u64 = 1 << 30;
        let cpus = self.cpus.map(|cpus| format!("{cpus} vCPU"));
        let ram = self.mib.map(|mib| match mib % KIB {
            0 => format!("{} GiB RAM", mib / KIB),
            _ => format!("{mib} MiB RAM"),
        });
        let size = self.bytes.map(|bytes| match bytes % GIB {
            0 => format!("{} GiB", bytes / GIB),
            _ => format!("{bytes} B"),
        });
        let parts: Vec<String> = [cpus, ram, size].into_iter().flatten().collect();
        if parts.is_empty() {
            return String::new();
        }
        format!("at least {}", parts.join(" and "))
    }
}

/// Whether one resource can fulfil both selectors (which have the same fields) and nothing
/// says which of them is the narrower.
pub(super) fn may_meet(left: &Selector, right: &Selector) -> bool {
    let share = |left: &[String], right: &[String]| {
        left.is_empty() || left.iter().any(|value| right.contains(value))
    };
    !left.at_least.comparable(&right.at_least)
        && share(&left.offerings, &right.offerings)
        && share(&left.templates, &right.templates)
        && share(&left.os_types, &right.os_types)
        && share(&left.os_categories, &right.os_categories)
        && share(&left.storage_tags, &right.storage_tags)
        && share(&left.zones, &right.zones)
        && share(&left.hypervisors, &right.hypervisors)
        && names_may_meet(&left.names, &right.names)
        && tags_may_meet(&left.tags, &right.tags)
}

fn names_may_meet(left: &[String], right: &[String]) -> bool {
    left.is_empty()
        || left
            .iter()
            .any(|left| right.iter().any(|right| patterns_meet(left, right)))
}

/// A tag has one value, so conditions on two values of one key exclude each other.
fn tags_may_meet(left: &[TagMatch], right: &[TagMatch]) -> bool {
    !left.iter().any(|left| {
        right.iter().any(|right| {
            left.key == right.key
                && left.value.is_some()
                && right.value.is_some()
                && left.value != right.value
        })
    })
}
