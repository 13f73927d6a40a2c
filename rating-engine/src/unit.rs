//! Units that prices are given in.

use crate::meter::Dimension;

/// What a price's amount is for: so many of the base units of a [`Measure`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PriceUnit {
    name: &'static str,
    measure: Measure,
    size: i128,
}

/// What of a record a unit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// The thing itself: one.
    Each,
    /// vCPUs.
    Cpus,
    /// MiB of memory.
    Memory,
    /// Bytes of storage or traffic.
    Bytes,
    /// Bytes of the VM's disks (services per GiB of disk).
    DiskBytes,
    /// Requests.
    Requests,
}

const KIB: i128 = 1 << 10;
const MIB: i128 = 1 << 20;
const GIB: i128 = 1 << 30;
const TIB: i128 = 1 << 40;

const BYTE_UNITS: &[(&str, i128)] = &[
    ("B", 1),
    ("KiB", KIB),
    ("MiB", MIB),
    ("GiB", GIB),
    ("TiB", TIB),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl PriceUnit {
    /// The unit called `name` for a quantity of this dimension; none where it does not fit.
    pub fn for_dimension(name: &str, dimension: Dimension) -> Option<Self> {
        match dimension {
            Dimension::Cpus => each(name).or_else(|| find(name, &[("vCPU", 1)], Measure::Cpus)),
            Dimension::Memory => find(
                name,
                &[("MiB", 1), ("GiB", KIB), ("TiB", MIB)],
                Measure::Memory,
            ),
            Dimension::Storage => each(name).or_else(|| find(name, BYTE_UNITS, Measure::Bytes)),
            Dimension::Each => each(name),
            Dimension::Bytes => find(name, BYTE_UNITS, Measure::Bytes),
            Dimension::Requests => find(
                name,
                &[("each", 1), ("thousand", 1_000), ("million", 1_000_000)],
                Measure::Requests,
            ),
        }
    }

    /// The unit called `name` for a service or package: per VM, vCPU, GiB RAM or GiB disk.
    pub fn for_service(name: &str) -> Option<Self> {
        each(name)
            .or_else(|| find(name, &[("vCPU", 1)], Measure::Cpus))
            .or_else(|| find(name, &[("GiB RAM", KIB)], Measure::Memory))
            .or_else(|| find(name, &[("GiB disk", GIB)], Measure::DiskBytes))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// What of a record it counts.
    pub fn measure(self) -> Measure {
        self.measure
    }

    /// How many base units (vCPUs, MiB, bytes, requests) it is.
    pub fn size(self) -> i128 {
        self.size
    }
}

fn each(name: &str) -> Option<PriceUnit> {
    find(name, &[("each", 1), ("VM", 1)], Measure::Each)
}

fn find(name: &str, units: &[(&'static str, i128)], measure: Measure) -> Option<PriceUnit> {
    let (name, size) = units.iter().find(|(known, _)| *known == name)?;
    Some(PriceUnit {
        name,
        measure,
        size: *size,
    })
}
