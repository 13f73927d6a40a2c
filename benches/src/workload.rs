//! A deterministic month of usage of all common types: skewed domains, daily windows, VMs
//! that are resized, stopped, created and destroyed in the month, tags, discounts and
//! prices that change in the middle of a day.
//!
//! Everything that decides an amount changes inside windows too. Used time that fills its
//! window only in part is never cut by such a change: where it lies in the window would
//! decide the amount, and only the engine knows how to place it.

use std::collections::BTreeSet;

/// Days of the month.
pub(crate) const DAYS: i64 = 31;
/// The month's first second: 2026-10-01T00:00:00Z.
pub(crate) const MONTH: i64 = 1_790_812_800;
/// Seconds of a day, which is the length of a window.
pub(crate) const DAY: i64 = 86_400;
/// Seconds of the month.
pub(crate) const LENGTH: i64 = DAYS * DAY;
const GIB: u64 = 1 << 30;

/// vCPUs and MiB of each service offering.
pub(crate) const SIZES: [(u32, u32); 12] = [
    (1, 1024),
    (1, 2048),
    (2, 2048),
    (2, 4096),
    (4, 4096),
    (4, 8192),
    (8, 16_384),
    (8, 32_768),
    (16, 32_768),
    (16, 65_536),
    (24, 98_304),
    (3, 6144),
];
/// Which storage each disk offering is.
pub(crate) const STORAGE: [&str; 6] = ["ssd", "ssd", "hdd", "nvme", "ssd", "hdd"];
/// Which OS is on template `n`: by `n % 6`.
pub(crate) const SYSTEMS: [&str; 6] = ["linux", "linux", "linux", "windows", "rhel", "sles"];
pub(crate) const PACKAGES: [&str; 3] = ["Gold", "Silver", "Bronze"];

/// Seconds of the month, half-open.
pub(crate) type Span = (i64, i64);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) domain: usize,
    pub(crate) project: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Vm {
    pub(crate) owner: Owner,
    pub(crate) life: Span,
    pub(crate) template: usize,
    pub(crate) size: usize,
    /// The day of a resize, and the size from then on.
    pub(crate) resize: Option<(i64, usize)>,
    /// Key, value and when.
    pub(crate) tags: Vec<(&'static str, &'static str, Span)>,
}

/// What a discount is for, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    Domain(usize),
    Project(usize),
    Vm(usize),
    Volume(usize),
}

#[derive(Debug)]
pub(crate) struct Discount {
    pub(crate) scope: Scope,
    /// Tenths of a percent.
    pub(crate) tenths: i64,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) struct Price {
    /// What it is for: the engine's item, for disks with the storage (`disk ssd`), for
    /// operating systems with their name (`os rhel`).
    pub(crate) component: &'static str,
    pub(crate) domain: Option<usize>,
    /// Millionths of the currency.
    pub(crate) micros: i64,
    pub(crate) span: Span,
}

/// The usage of one resource and type over the month.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) usage_type: u32,
    pub(crate) id: String,
    pub(crate) owner: Owner,
    pub(crate) zone: usize,
    pub(crate) vm: Option<usize>,
    pub(crate) volume: Option<usize>,
    pub(crate) offering: Option<usize>,
    pub(crate) template: Option<usize>,
    pub(crate) size: Option<u64>,
    pub(crate) life: Span,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) domains: usize,
    pub(crate) projects: Vec<usize>,
    pub(crate) vms: Vec<Vm>,
    /// VM, offering, size, life of each volume.
    pub(crate) volumes: Vec<(Option<usize>, Owner, usize, u64, Span)>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) prices: Vec<Price>,
    pub(crate) discounts: Vec<Discount>,
}

/// A small generator of numbers (`SplitMix64`) with a fixed seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).unwrap_or(0)
    }

    fn second(&mut self, from: i64, until: i64) -> i64 {
        let width = u64::try_from(until - from).unwrap_or(0).max(1);
        from + i64::try_from(self.next() % width).unwrap_or(0)
    }

    /// True so many times in a thousand.
    fn chance(&mut self, thousandths: usize) -> bool {
        self.below(1000) < thousandths
    }

    /// Skewed: small numbers come much more often.
    fn skewed(&mut self, bound: usize) -> usize {
        let (a, b, c) = (self.below(bound), self.below(bound), self.below(bound));
        a.min(b).min(c)
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The UUID of the thing with this kind and number.
pub(crate) fn uuid(kind: &str, number: usize) -> String {
    let seed = kind.bytes().fold(number as u64, |seed, byte| {
        mix(seed ^ u64::from(byte).wrapping_mul(0x100_0000_01B3))
    });
    let (high, low) = (mix(seed), mix(seed ^ 0x5555));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

impl World {
    /// A month of about so many records.
    pub(crate) fn new(records: usize) -> Self {
        let mut dice = Dice(7);
        let count = records / 204 + 8; // records of a VM and what belongs to it
        let domains = (count / 50).max(6);
        let projects = (0..(count / 12).max(10))
            .map(|_| dice.skewed(domains))
            .collect();
        let mut world = Self {
            domains,
            projects,
            vms: Vec::new(),
            volumes: Vec::new(),
            streams: Vec::new(),
            prices: Vec::new(),
            discounts: Vec::new(),
        };
        for number in 0..count {
            let vm = world.vm(&mut dice);
            world.vms.push(vm);
            world.volume(&mut dice, number);
            if dice.chance(600) {
                let of = dice.below(number + 1);
                world.volume(&mut dice, of);
            }
        }
        world.price(&mut dice);
        world.discount(&mut dice);
        world.use_vms(&mut dice);
        world.use_volumes();
        world.use_others(&mut dice, count);
        world.streams.sort_by(|left, right| {
            let order = |stream: &Stream| (stream.owner.domain, stream.usage_type);
            order(left)
                .cmp(&order(right))
                .then_with(|| left.id.cmp(&right.id))
        });
        world
    }

    fn owner(&self, dice: &mut Dice) -> Owner {
        let project = dice.below(self.projects.len());
        match self.projects.get(project) {
            Some(&domain) if dice.chance(650) => Owner {
                domain,
                project: Some(project),
            },
            _ => Owner {
                domain: dice.skewed(self.domains),
                project: None,
            },
        }
    }

    fn vm(&self, dice: &mut Dice) -> Vm {
        let size = dice.skewed(SIZES.len());
        let mut tags = Vec::new();
        if dice.chance(600) {
            let package = dice.below(3);
            let name = |package: usize| PACKAGES.get(package % 3).copied().unwrap_or_default();
            let change = if dice.chance(80) {
                dice.second(1, LENGTH)
            } else {
                LENGTH
            };
            tags.push(("Package", name(package), (0, change)));
            if change < LENGTH {
                tags.push(("Package", name(package + 1), (change, LENGTH)));
            }
        }
        for key in ["Billing:noCPU", "Billing:noRAM", "Billing:noDisk"] {
            if dice.chance(25) {
                tags.push((key, "true", part(dice, 300)));
            }
        }
        Vm {
            owner: self.owner(dice),
            life: life(dice),
            template: dice.below(50),
            size,
            resize: dice
                .chance(10)
                .then(|| (dice.second(1, DAYS), (size + 5) % SIZES.len())),
            tags,
        }
    }

    fn volume(&mut self, dice: &mut Dice, vm: usize) {
        let Some(of) = self.vms.get(vm) else { return };
        let sizes = [8, 20, 40, 50, 100, 200, 500, 1000, 2048, 8192];
        let size = sizes.get(dice.skewed(sizes.len())).copied().unwrap_or(8) * GIB;
        let attached = dice.chance(950).then_some(vm);
        self.volumes
            .push((attached, of.owner, dice.below(STORAGE.len()), size, of.life));
    }

    fn price(&mut self, dice: &mut Dice) {
        const LIST: [(&str, i64); 20] = [
            ("ram", 2_100),
            ("vm", 500),
            ("disk ssd", 120),
            ("disk hdd", 45),
            ("disk nvme", 210),
            ("ip", 3_300),
            ("traffic_sent", 12_500),
            ("traffic_received", 2_500),
            ("template", 30),
            ("iso", 30),
            ("snapshot", 55),
            ("load_balancer", 12_500),
            ("port_forwarding", 1_100),
            ("nic", 800),
            ("vpn_user", 21_000),
            ("os windows", 18_500_000),
            ("os rhel", 29_000_000),
            ("os sles", 21_750_000),
            ("Backup", 4_990_000),
            ("Monitoring", 1_490_000),
        ];
        let noon = 14 * DAY + DAY / 2;
        let mut price = |component, domain, micros, span| {
            self.prices.push(Price {
                component,
                domain,
                micros,
                span,
            });
        };
        price("cpu", None, 4_500, (0, noon));
        price("cpu", None, 4_725, (noon, LENGTH));
        for (component, micros) in LIST {
            price(component, None, micros, (0, LENGTH));
        }
        for domain in 0..self.domains {
            if !dice.chance(200) {
                continue;
            }
            let first = dice.below(LIST.len());
            for step in 0..=dice.below(4) {
                let Some((component, micros)) = LIST.get((first + step * 3) % LIST.len()) else {
                    continue;
                };
                let special = micros * dice.second(700, 1000) / 1000;
                let from = if dice.chance(300) {
                    dice.second(1, LENGTH)
                } else {
                    0
                };
                price(component, Some(domain), special, (from, LENGTH));
            }
        }
    }

    fn discount(&mut self, dice: &mut Dice) {
        let scopes = (0..self.domains)
            .map(|number| (Scope::Domain(number), 250))
            .chain((0..self.projects.len()).map(|number| (Scope::Project(number), 150)))
            .chain((0..self.vms.len()).map(|number| (Scope::Vm(number), 30)))
            .chain((0..self.volumes.len()).map(|number| (Scope::Volume(number), 20)));
        for (scope, thousandths) in scopes {
            if !dice.chance(thousandths) {
                continue;
            }
            let span = part(dice, 300);
            let tenths = dice.second(50, 350);
            self.discounts.push(Discount {
                scope,
                tenths,
                span,
            });
            if span.1 < LENGTH && dice.chance(500) {
                self.discounts.push(Discount {
                    scope,
                    tenths: 75,
                    span: (span.1, LENGTH),
                });
            }
        }
    }

    fn use_vms(&mut self, dice: &mut Dice) {
        for (number, vm) in self.vms.iter().enumerate() {
            let types: &[u32] = if dice.chance(920) { &[1, 2] } else { &[2] };
            for usage_type in types {
                self.streams.push(Stream {
                    usage_type: *usage_type,
                    id: uuid("vm", number),
                    owner: vm.owner,
                    zone: number % 3,
                    vm: Some(number),
                    volume: None,
                    offering: None,
                    template: Some(vm.template),
                    size: None,
                    life: vm.life,
                });
            }
        }
    }

    fn use_volumes(&mut self) {
        for (number, (_, owner, offering, size, life)) in self.volumes.iter().enumerate() {
            self.streams.push(Stream {
                usage_type: 6,
                id: uuid("volume", number),
                owner: *owner,
                zone: number % 3,
                vm: None,
                volume: Some(number),
                offering: Some(*offering),
                template: None,
                size: Some(*size),
                life: *life,
            });
        }
    }

    fn use_others(&mut self, dice: &mut Dice, vms: usize) {
        // usage type, how many for a thousand VMs, whether it has a size
        const OTHERS: [(u32, usize, bool); 10] = [
            (3, 350, false),
            (4, 500, false),
            (5, 500, false),
            (7, 80, true),
            (8, 30, true),
            (9, 1200, true),
            (11, 80, false),
            (12, 150, false),
            (13, 900, false),
            (14, 30, false),
        ];
        for (usage_type, share, sized) in OTHERS {
            for number in 0..(vms * share / 1000).max(2) {
                let owner = self.owner(dice);
                // both directions of traffic are of one router
                let kind = if usage_type == 5 { 4 } else { usage_type };
                let size = sized.then(|| 500_000_000 + dice.next() % 60_000_000_000);
                self.streams.push(Stream {
                    usage_type,
                    id: uuid(&format!("type {kind}"), number),
                    owner,
                    zone: number % 3,
                    vm: None,
                    volume: None,
                    offering: None,
                    template: None,
                    size,
                    life: life(dice),
                });
            }
        }
    }

    /// The prices that can apply to a component for an owner: the domain's own, the list's.
    pub(crate) fn prices_of(&self, component: &str, domain: usize) -> [Vec<&Price>; 2] {
        let of = |wanted: Option<usize>| {
            let all = self.prices.iter();
            all.filter(|price| price.component == component && price.domain == wanted)
                .collect()
        };
        [of(Some(domain)), of(None)]
    }

    /// The discounts of a stream: of its domain, project, VM, volume.
    pub(crate) fn discounts_of(&self, stream: &Stream) -> Vec<&Discount> {
        let scopes = [
            Some(Scope::Domain(stream.owner.domain)),
            stream.owner.project.map(Scope::Project),
            stream.vm.map(Scope::Vm),
            stream.volume.map(Scope::Volume),
        ];
        let of = |discount: &&Discount| scopes.contains(&Some(discount.scope));
        self.discounts.iter().filter(of).collect()
    }

    /// The tags that count for a stream: the VM's.
    pub(crate) fn tags_of(&self, stream: &Stream) -> &[(&'static str, &'static str, Span)] {
        let attached = stream.volume.and_then(|volume| self.volumes.get(volume)?.0);
        let vm = stream.vm.or(attached).and_then(|vm| self.vms.get(vm));
        vm.map(|vm| vm.tags.as_slice()).unwrap_or_default()
    }

    /// Every instant at which something that decides a stream's amounts changes.
    pub(crate) fn cuts(&self, stream: &Stream) -> BTreeSet<i64> {
        let domain = Some(stream.owner.domain);
        let prices = self
            .prices
            .iter()
            .filter(|price| price.domain.is_none() || price.domain == domain)
            .map(|price| price.span);
        let discounts = self.discounts_of(stream).into_iter().map(|d| d.span);
        let tags = self.tags_of(stream).iter().map(|(.., span)| *span);
        prices
            .chain(discounts)
            .chain(tags)
            .flat_map(|(from, until)| [from, until])
            .collect()
    }
}

/// Used seconds, or bytes, of a stream on a day; none where it was not there.
pub(crate) fn used(stream: &Stream, cuts: &BTreeSet<i64>, day: i64) -> Option<u64> {
    let (start, end) = (day * DAY, (day + 1) * DAY);
    let (from, until) = (stream.life.0.max(start), stream.life.1.min(end));
    if from >= until {
        return None;
    }
    let number = stream.id.bytes().fold(u64::try_from(day).ok()?, |sum, b| {
        mix(sum.wrapping_add(u64::from(b)))
    });
    if matches!(stream.usage_type, 4 | 5) {
        return Some(number >> (25 + number % 12));
    }
    let lived = u64::try_from(until - from).ok()?;
    if cuts.range(start + 1..end).next().is_some() {
        // a whole window, or none where the resource was not there all the time
        return (until - from == DAY).then_some(lived);
    }
    // one running day in seventeen is not a full one
    let stopped = stream.usage_type == 1 && number.is_multiple_of(17);
    Some(if stopped {
        lived - number % lived
    } else {
        lived
    })
}

fn life(dice: &mut Dice) -> Span {
    let start = if dice.chance(130) {
        dice.second(0, LENGTH)
    } else {
        0
    };
    let end = if dice.chance(80) {
        dice.second(start + 1, LENGTH + 1)
    } else {
        LENGTH
    };
    (start, end)
}

/// The whole month, or so many times in a thousand a part of it.
fn part(dice: &mut Dice, thousandths: usize) -> Span {
    let from = if dice.chance(thousandths) {
        dice.second(1, LENGTH - 1)
    } else {
        0
    };
    let until = if dice.chance(thousandths / 2) {
        dice.second(from + 1, LENGTH)
    } else {
        LENGTH
    };
    (from, until)
}
