//! From a document to a validated price book: all errors at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use chrono_tz::Tz;
use cloudstack_usage::Period;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::change;
use super::conflict::{find_conflicts, find_factor_conflicts, find_limit_conflicts};
use super::document::{Node, Value, from_json, from_toml};
use super::errors::BookErrors;
use super::factor::read_factors;
use super::fields::{Collector, Fields};
use super::load_kind::{check_moments, read_count_over, read_no_time, read_percentage};
use super::load_selector::read_selector;
use super::load_terms::{LEVELS, find_tax_conflicts, read_terms};
use super::load_zones::read_zone_changes;
use super::model::{
    Basis, Discount, DiscountAmount, Exemption, Inheritance, MonthProfile, Package, PackageService,
    Per, Price, PriceBook, PriceKind, Scope, Service, Stacking, TagMatch, TagMoments, Target, Tier,
    Trust,
};
use super::terms::{FindingPolicies, LimitKind};
use crate::currency::Currency;
use crate::meter::Meter;
use crate::proration::Proration;
use crate::rounding::{RoundingMode, RoundingPoint};
use crate::unit::{Measure, PriceUnit};
use crate::zones::Zones;

/// The version of the file format that this version reads.
pub(crate) const SCHEMA: u32 = 1;

impl PriceBook {
    /// Reads a price book in TOML.
    ///
    /// # Errors
    /// When anything in it is wrong: every error, each with its place and line.
    ///
    /// ```
    /// use rating_engine::PriceBook;
    ///
    /// let book = PriceBook::from_toml(r#"
    ///     schema = 1
    ///     name = "Example"
    ///     currency = "EUR"
    ///     zone = "Europe/Berlin"
    ///     compute = "allocated"
    ///
    ///     [[price]]
    ///     id = "cpu"
    ///     meter = "cpu"
    ///     amount = "10.00"
    ///     per = "month"
    /// "#).unwrap();
    /// assert_eq!(book.prices().len(), 1);
    /// ```
    pub fn from_toml(text: &str) -> Result<Self, BookErrors> {
        load(&from_toml(text)?)
    }

    /// Reads a price book in JSON: the same fields as in TOML. Amounts are texts or whole
    /// numbers; a JSON number with a fraction is refused, since it would pass through a
    /// binary float.
    ///
    /// # Errors
    /// When anything in it is wrong: every error, each with its place.
    pub fn from_json(text: &str) -> Result<Self, BookErrors> {
        load(&from_json(text)?)
    }
}

fn load(document: &Node) -> Result<PriceBook, BookErrors> {
    let errors = Collector::default();
    let mut top = Fields::new(document, String::new(), &errors);
    let book = read_book(&mut top, &errors, canonical_digest(document));
    top.finish();
    if let Some(book) = &book {
        find_conflicts(book, &errors);
        find_factor_conflicts(book, &errors);
        find_limit_conflicts(book, &errors);
        check_moments(book, &errors);
        find_tax_conflicts(book, &errors);
    }
    let errors = errors.into_errors();
    match book {
        Some(book) if errors.is_empty() => Ok(book),
        _ => Err(BookErrors::new(errors)),
    }
}

fn read_book(top: &mut Fields<'_>, errors: &Collector, digest: String) -> Option<PriceBook> {
    match top.whole("schema") {
        Some(SCHEMA) => {}
        Some(other) => top.error(
            "schema",
            "schema_version",
            format!("schema {other} is not known; this version reads schema {SCHEMA}"),
        ),
        None if top.has("schema") => {}
        None => top.error(
            "schema",
            "missing",
            format!("write schema = {SCHEMA} at the top"),
        ),
    }
    let name = top.required_text("name").unwrap_or_default();
    let currency = read_currency(top);
    let zone = read_zone(top);
    let compute = read_compute(top);
    let (zones, customers) = read_zone_changes(top, zone.unwrap_or(Tz::UTC));
    let in_zone = &zones;

    let mut book = PriceBook {
        name,
        currency: currency.or_else(|| Currency::from_code("EUR"))?,
        zones: zones.clone(),
        customer_zones: customers,
        compute: compute.unwrap_or(Basis::Allocated),
        month: top.choice("month", MONTHS).unwrap_or_default(),
        proration: top.choice("proration", PRORATIONS).unwrap_or_default(),
        rounding: top.choice("rounding", ROUNDINGS).unwrap_or_default(),
        rounding_point: top
            .choice("rounding_point", ROUNDING_POINTS)
            .unwrap_or_default(),
        inheritance: top
            .choice("vm_tags_on_volumes", INHERITANCES)
            .unwrap_or_default(),
        tag_moments: top.choice("tag_moments", TAG_MOMENTS).unwrap_or_default(),
        cost_centre_key: top
            .text("cost_centre_key")
            .unwrap_or_else(|| "CostCenter".to_owned()),
        trust_exemptions: top.choice("exemptions_from", TRUSTS).unwrap_or_default(),
        trust_packages: top.choice("packages_from", TRUSTS).unwrap_or_default(),
        not_metered_from_millis: i64::from(top.whole("not_metered_from_seconds").unwrap_or(60))
            * 1000,
        stacking: top
            .choice("discount_stacking", STACKINGS)
            .unwrap_or_default(),
        accounts: top.texts("own_statements"),
        prices: Vec::new(),
        exemptions: read_exemptions(top, in_zone),
        services: Vec::new(),
        packages: Vec::new(),
        discounts: Vec::new(),
        factors: Vec::new(),
        changes: change::read(top),
        limits: Vec::new(),
        credits: Vec::new(),
        taxes: Vec::new(),
        findings: FindingPolicies::default(),
        digest,
    };
    read_services(top, in_zone, &mut book);
    read_packages(top, in_zone, &mut book);
    read_prices(top, in_zone, &mut book);
    read_os_images(top, in_zone, &mut book);
    read_discounts(top, in_zone, &mut book);
    read_factors(top, in_zone, &mut book);
    read_terms(top, in_zone, &mut book);
    check_references(errors, &book);
    book.prices.sort_by(|left, right| left.id.cmp(&right.id));
    book.exemptions
        .sort_by(|left, right| left.id.cmp(&right.id));
    book.services.sort_by(|left, right| left.id.cmp(&right.id));
    book.packages.sort_by(|left, right| left.id.cmp(&right.id));
    book.discounts.sort_by(|left, right| left.id.cmp(&right.id));
    Some(book)
}

fn read_currency(top: &mut Fields<'_>) -> Option<Currency> {
    let code = top.required_text("currency")?;
    let currency = Currency::from_code(&code);
    if currency.is_none() {
        let message = format!("{code:?} is no ISO 4217 currency code such as \"EUR\"");
        top.error("currency", "unknown_currency", message);
    }
    currency
}

pub(super) fn read_zone(top: &mut Fields<'_>) -> Option<Tz> {
    let name = top.required_text("zone")?;
    let zone = name.parse::<Tz>().ok();
    if zone.is_none() {
        let message = format!("{name:?} is no IANA time zone such as \"Europe/Berlin\"");
        top.error("zone", "unknown_zone", message);
    }
    zone
}

fn read_compute(top: &mut Fields<'_>) -> Option<Basis> {
    if !top.has("compute") {
        let message = "say whether CPU and RAM are charged for \"running\" or \"allocated\" time";
        top.error("compute", "missing", message.to_owned());
    }
    top.choice("compute", BASES)
}

const BASES: &[(&str, Basis)] = &[("running", Basis::Running), ("allocated", Basis::Allocated)];
const MONTHS: &[(&str, MonthProfile)] = &[
    ("calendar", MonthProfile::Calendar),
    ("h730", MonthProfile::H730),
    ("d30", MonthProfile::D30),
    ("cap672", MonthProfile::Cap672),
];
const PRORATIONS: &[(&str, Proration)] = &[
    ("second", Proration::Second),
    ("day", Proration::Day),
    ("day-incl", Proration::DayIncl),
    ("started-day", Proration::StartedDay),
    ("started-hour", Proration::StartedHour),
];
const ROUNDINGS: &[(&str, RoundingMode)] = &[
    ("half-away", RoundingMode::HalfAway),
    ("half-even", RoundingMode::HalfEven),
];
const ROUNDING_POINTS: &[(&str, RoundingPoint)] = &[
    ("total", RoundingPoint::Total),
    ("line-first", RoundingPoint::LineFirst),
];
const INHERITANCES: &[(&str, Inheritance)] =
    &[("inherit", Inheritance::Inherit), ("own", Inheritance::Own)];
const TAG_MOMENTS: &[(&str, TagMoments)] =
    &[("event", TagMoments::Event), ("seen", TagMoments::Seen)];
const TRUSTS: &[(&str, Trust)] = &[("any", Trust::Any), ("labels", Trust::Labels)];
const STACKINGS: &[(&str, Stacking)] = &[
    ("nearest", Stacking::Nearest),
    ("best-of", Stacking::BestOf),
    ("multiply", Stacking::Multiply),
    ("add-capped", Stacking::AddCapped),
];

/// The validity of a row; none where it is wrong (reported) or empty (the row never applies).
pub(super) fn read_validity(row: &mut Fields<'_>, zone: &Zones) -> Option<Period> {
    let validity = row.validity(zone);
    if validity.is_none()
        && let Some(message) = row.reversed(zone)
    {
        row.error("until", "reversed", message);
    }
    validity
}

pub(super) fn read_meters(row: &mut Fields<'_>, field: &'static str) -> Vec<Meter> {
    let mut meters = Vec::new();
    for name in row.texts(field) {
        match Meter::from_slug(&name) {
            Some(meter) => meters.push(meter),
            None => row.error(
                field,
                "unknown_meter",
                format!("there is no meter {name:?}"),
            ),
        }
    }
    meters
}

fn read_tag(row: &mut Fields<'_>, default: impl FnOnce() -> TagMatch) -> TagMatch {
    let Some(text) = row.text("tag") else {
        return default();
    };
    TagMatch::parse(&text).unwrap_or_else(|| {
        row.error(
            "tag",
            "not_a_tag",
            format!("{text:?} is no tag such as \"Key=value\""),
        );
        default()
    })
}

pub(super) fn read_id(row: &mut Fields<'_>, seen: &mut BTreeSet<String>) -> Option<String> {
    let id = row.required_text("id")?;
    if !seen.insert(id.clone()) {
        row.error(
            "id",
            "duplicate_id",
            format!("there is another row with id {id:?}"),
        );
    }
    Some(id)
}

fn read_exemptions(top: &mut Fields<'_>, zone: &Zones) -> Vec<Exemption> {
    if !top.has("exemption") {
        top.tables("exemption");
        return [
            ("noCPU", Meter::Cpu),
            ("noRAM", Meter::Ram),
            ("noDisk", Meter::Disk),
        ]
        .map(|(value, meter)| Exemption {
            id: format!("Billing:{value}"),
            tag: TagMatch {
                key: "Billing".to_owned(),
                value: Some(value.to_owned()),
            },
            meters: vec![meter],
            validity: Period::always(),
        })
        .into();
    }
    let mut seen = BTreeSet::new();
    let mut exemptions = Vec::new();
    for mut row in top.tables("exemption") {
        let id = read_id(&mut row, &mut seen);
        if !row.has("tag") {
            row.error(
                "tag",
                "missing",
                "name the tag, such as \"Billing=noCPU\"".to_owned(),
            );
        }
        let tag = read_tag(&mut row, || TagMatch {
            key: String::new(),
            value: None,
        });
        let meters = read_meters(&mut row, "meters");
        if meters.is_empty() {
            row.error(
                "meters",
                "missing",
                "name the meters that the tag switches off".to_owned(),
            );
        }
        if let (Some(id), Some(validity)) = (id, read_validity(&mut row, zone)) {
            exemptions.push(Exemption {
                id,
                tag,
                meters,
                validity,
            });
        }
        row.finish();
    }
    exemptions
}

fn read_services(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen = BTreeSet::new();
    for mut row in top.tables("service") {
        let id = read_id(&mut row, &mut seen);
        let name = id.clone().unwrap_or_default();
        let tag = read_tag(&mut row, || TagMatch {
            key: "Service".to_owned(),
            value: Some(name.clone()),
        });
        let label = row.text("label");
        if row.has("amount") || row.has("tiers") || row.has("percent") {
            let target = Target::Service(name);
            let price = read_price(&mut row, zone, id.as_deref(), target, label.clone());
            book.prices.extend(price);
        }
        if let Some(id) = id {
            book.services.push(Service { id, label, tag });
        }
        row.finish();
    }
}

fn read_packages(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    // services and packages share their names: discounts and prices of both go by them
    let services = book.services.iter().map(|service| service.id.clone());
    let mut seen: BTreeSet<String> = services.collect();
    for mut row in top.tables("package") {
        let id = read_id(&mut row, &mut seen);
        let name = id.clone().unwrap_or_default();
        row.remember("package", &name);
        let tag = read_tag(&mut row, || TagMatch {
            key: "Package".to_owned(),
            value: Some(name.clone()),
        });
        let label = row.text("label");
        let services = read_matrix_row(&mut row, zone);
        let covers = read_meters(&mut row, "covers");
        if row.has("amount") || row.has("tiers") {
            let target = Target::Package(name);
            let price = read_price(&mut row, zone, id.as_deref(), target, label.clone());
            book.prices.extend(price);
        }
        if let Some(id) = id {
            book.packages.push(Package {
                id,
                label,
                tag,
                services,
                covers,
            });
        }
        row.finish();
    }
}

/// `services = ["Backup", …]`, or tables `{ id = "Backup", from = …, until = … }` where a
/// service is in the package for a time only.
fn read_matrix_row(row: &mut Fields<'_>, zone: &Zones) -> Vec<PackageService> {
    let mut services = Vec::new();
    for service in row.texts("services") {
        services.push(PackageService {
            service,
            validity: Period::always(),
        });
    }
    for mut cell in row.tables("service_periods") {
        if let (Some(service), Some(validity)) = (
            cell.required_text("service"),
            read_validity(&mut cell, zone),
        ) {
            services.push(PackageService { service, validity });
        }
        cell.finish();
    }
    services
}

fn read_prices(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen: BTreeSet<String> = book.prices.iter().map(|price| price.id.clone()).collect();
    for mut row in top.tables("price") {
        let id = read_id(&mut row, &mut seen);
        let label = row.text("label");
        let Some(target) = read_target(&mut row) else {
            // what its other fields mean hangs on what is priced
            continue;
        };
        let price = read_price(&mut row, zone, id.as_deref(), target, label);
        book.prices.extend(price);
        row.finish();
    }
}

/// An OS image is a price of the meter `os`, with a selector.
fn read_os_images(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen: BTreeSet<String> = book.prices.iter().map(|price| price.id.clone()).collect();
    for mut row in top.tables("os_image") {
        let label = row.text("label");
        let id = read_id(&mut row, &mut seen);
        let target = Target::Meter(Meter::Os);
        let price = read_price(&mut row, zone, id.as_deref(), target, label);
        if let Some(price) = &price
            && price.selector.rank() == 0
        {
            let message = "say which images: os_category, os_type or template".to_owned();
            row.error("", "missing", message);
        }
        book.prices.extend(price);
        row.finish();
    }
}

fn read_target(row: &mut Fields<'_>) -> Option<Target> {
    let (meter, service, package) = (row.text("meter"), row.text("service"), row.text("package"));
    match (meter, service, package) {
        (Some(name), None, None) => {
            let meter = Meter::from_slug(&name);
            if meter.is_none() {
                let names: Vec<&str> = Meter::ALL.iter().map(|meter| meter.slug()).collect();
                let message = format!(
                    "there is no meter {name:?}; meters are {}",
                    names.join(", ")
                );
                row.error("meter", "unknown_meter", message);
            }
            meter.map(Target::Meter)
        }
        (None, Some(service), None) => Some(Target::Service(service)),
        (None, None, Some(package)) => Some(Target::Package(package)),
        (None, None, None) => {
            row.error(
                "",
                "missing",
                "say what is priced: meter, service or package".to_owned(),
            );
            None
        }
        _ => {
            row.error(
                "",
                "conflict",
                "give just one of meter, service and package".to_owned(),
            );
            None
        }
    }
}

fn read_price(
    row: &mut Fields<'_>,
    zone: &Zones,
    id: Option<&str>,
    target: Target,
    label: Option<String>,
) -> Option<Price> {
    if let Some(id) = id {
        row.remember("price", id);
    }
    let percentage = read_percentage(row, &target);
    let (per, kind) = if row.has("percent") {
        read_no_time(row);
        (Some(Per::Unit), percentage.map(PriceKind::Percent))
    } else {
        (read_per(row, &target), read_kind(row))
    };
    let unit = read_unit(row, &target);
    let free = row.decimal("free");
    let proration = row.choice("proration", PRORATIONS);
    let accumulate = row.choice("accumulate", LEVELS).unwrap_or_default();
    let count_over = read_count_over(row, per, kind.as_ref());
    let selector = read_selector(row);
    let scope = read_scope(row);
    let basis = row.choice("basis", BASES);
    let covers = match (&target, row.has("covers")) {
        // a package's coverage belongs to the package, whatever it costs
        (Target::Package(_), _) => Vec::new(),
        (Target::Meter(Meter::Vm), false) => {
            read_meters(row, "covers");
            vec![Meter::Cpu, Meter::Ram]
        }
        _ => read_meters(row, "covers"),
    };
    let net = row.boolean("net").unwrap_or(scope != Scope::Book);
    let validity = read_validity(row, zone);
    if per == Some(Per::Once) && free.is_some() {
        row.error(
            "free",
            "conflict",
            "a fee that is charged once has no free units".to_owned(),
        );
    }
    Some(Price {
        id: id?.to_owned(),
        label,
        target,
        kind: kind?,
        per: per?,
        unit: unit?,
        free: free.filter(|free| !free.is_zero()),
        accumulate,
        count_over,
        proration,
        selector,
        scope,
        validity: validity?,
        basis,
        covers,
        net,
    })
}

fn read_per(row: &mut Fields<'_>, target: &Target) -> Option<Per> {
    let counted = matches!(target, Target::Meter(meter) if !meter.dimension().is_level());
    let per = row.choice(
        "per",
        &[
            ("hour", Per::Hour),
            ("day", Per::Day),
            ("month", Per::Month),
            ("once", Per::Once),
            ("unit", Per::Unit),
        ],
    );
    match (per, counted) {
        (None | Some(Per::Unit), true) => Some(Per::Unit),
        (None, false) => {
            if !row.has("per") {
                row.error(
                    "per",
                    "missing",
                    "say per what: hour, day, month or once".to_owned(),
                );
            }
            None
        }
        (Some(_), true) => {
            row.error(
                "per",
                "conflict",
                "what is counted has no time; leave per out".to_owned(),
            );
            None
        }
        (Some(Per::Unit), false) => {
            row.error(
                "per",
                "conflict",
                "what lasts is priced per hour, day, month or once".to_owned(),
            );
            None
        }
        (Some(per), false) => Some(per),
    }
}

fn read_unit(row: &mut Fields<'_>, target: &Target) -> Option<PriceUnit> {
    let text = row.text("unit");
    let unit = match target {
        Target::Meter(meter) => {
            let name = text
                .clone()
                .unwrap_or_else(|| meter.default_unit().to_owned());
            PriceUnit::for_dimension(&name, meter.dimension())
        }
        _ => PriceUnit::for_service(text.as_deref().unwrap_or("VM")),
    };
    if unit.is_none() {
        let message = format!("the unit {:?} does not fit here", text.unwrap_or_default());
        row.error("unit", "unknown_unit", message);
    }
    let by_disk = unit.is_some_and(|unit| unit.measure() == Measure::DiskBytes);
    if by_disk && matches!(target, Target::Package(_)) {
        let message = "a package is charged with its VM, which has no disk: price a service of it by \"GiB disk\"";
        row.error("unit", "conflict", message.to_owned());
    }
    unit
}

fn read_kind(row: &mut Fields<'_>) -> Option<PriceKind> {
    let amount = row.decimal("amount");
    let block = row.decimal("block");
    let tiers = read_tiers(row);
    let flat = row
        .choice("kind", &[("per-unit", false), ("flat", true)])
        .unwrap_or(false);
    let volume = row
        .choice("tier_mode", &[("graduated", false), ("volume", true)])
        .unwrap_or(false);
    match (row.has("amount"), row.has("tiers")) {
        (true, true) => {
            row.error(
                "tiers",
                "conflict",
                "give either amount or tiers, not both".to_owned(),
            );
            None
        }
        (false, false) => {
            row.error(
                "amount",
                "missing",
                "the amount is missing; a price of 0 is written as 0".to_owned(),
            );
            None
        }
        (false, true) if flat => {
            row.error(
                "kind",
                "conflict",
                "a flat price has an amount, no tiers".to_owned(),
            );
            None
        }
        (false, true) => tiers.map(|tiers| {
            if volume {
                PriceKind::Volume(tiers)
            } else {
                PriceKind::Graduated(tiers)
            }
        }),
        (true, false) => {
            let amount = amount?;
            if flat {
                if row.has("block") || row.has("free") {
                    let message = "a flat price has neither blocks nor free units".to_owned();
                    row.error("kind", "conflict", message);
                }
                return Some(PriceKind::Flat(amount));
            }
            if !row.has("block") {
                return Some(PriceKind::PerUnit(amount));
            }
            let size = block?;
            if size.is_zero() {
                row.error(
                    "block",
                    "out_of_range",
                    "a block has at least something in it".to_owned(),
                );
                return None;
            }
            Some(PriceKind::Block { size, amount })
        }
    }
}

fn read_tiers(row: &mut Fields<'_>) -> Option<Vec<Tier>> {
    let mut tiers = Vec::new();
    let mut complete = true;
    for mut step in row.tables("tiers") {
        let up_to = step.decimal("up_to");
        let amount = step.decimal("amount");
        let flat = step.decimal("flat").unwrap_or(Decimal::ZERO);
        if amount.is_none() && !step.has("amount") && !step.has("flat") {
            step.error(
                "amount",
                "missing",
                "a tier needs an amount, a flat amount or both".to_owned(),
            );
        }
        complete &= step.has("up_to") == up_to.is_some() && step.has("amount") == amount.is_some();
        tiers.push(Tier {
            up_to,
            amount: amount.unwrap_or(Decimal::ZERO),
            flat,
        });
        step.finish();
    }
    if tiers.is_empty() {
        return None;
    }
    let bounds: Vec<Option<Decimal>> = tiers.iter().map(|tier| tier.up_to).collect();
    let ascending = bounds.windows(2).all(|pair| match pair {
        [Some(left), Some(right)] => left < right,
        [Some(_), None] => true,
        _ => false,
    });
    if complete && !(ascending && bounds.last() == Some(&None)) {
        let message = "tiers go up: each up_to is above the one before, and the last tier has none";
        row.error("tiers", "tier_bounds", message.to_owned());
        return None;
    }
    complete.then_some(tiers)
}

/// `scope = { domain = "…" }`: just one of domain, project, vm and volume.
pub(super) fn read_scope(row: &mut Fields<'_>) -> Scope {
    let Some(mut table) = row.table("scope") else {
        return Scope::Book;
    };
    let scopes: Vec<Scope> = [
        table.text("domain").map(Scope::Domain),
        table.text("project").map(Scope::Project),
        table.text("vm").map(Scope::Vm),
        table.text("volume").map(Scope::Volume),
    ]
    .into_iter()
    .flatten()
    .collect();
    let scope = if let [scope] = scopes.as_slice() {
        scope.clone()
    } else {
        let message = "name just one of domain, project, vm and volume".to_owned();
        table.error("", "scope", message);
        Scope::Book
    };
    table.finish();
    scope
}

fn read_discounts(top: &mut Fields<'_>, zone: &Zones, book: &mut PriceBook) {
    let mut seen = BTreeSet::new();
    for mut row in top.tables("discount") {
        let id = read_id(&mut row, &mut seen);
        let label = row.text("label");
        let amount = read_discount_amount(&mut row);
        let scope = read_scope(&mut row);
        let validity = read_validity(&mut row, zone);
        let meters = read_meters(&mut row, "meters");
        let mut items = row.texts("services");
        items.extend(row.texts("packages"));
        let net_prices = row.boolean("net_prices").unwrap_or(false);
        let prorate = row.boolean("prorate").unwrap_or(true);
        if let Some(id) = &id {
            row.remember("discount", id);
        }
        row.finish();
        if let (Some(id), Some(amount), Some(validity)) = (id, amount, validity) {
            book.discounts.push(Discount {
                id,
                label,
                amount,
                scope,
                validity,
                meters,
                items,
                net_prices,
                prorate,
            });
        }
    }
}

fn read_discount_amount(row: &mut Fields<'_>) -> Option<DiscountAmount> {
    let (percent, amount) = (row.decimal("percent"), row.decimal("amount"));
    match (row.has("percent"), row.has("amount")) {
        (true, false) => {
            let percent = percent?;
            if percent > Decimal::ONE_HUNDRED {
                row.error(
                    "percent",
                    "out_of_range",
                    format!("{percent} % is more than all of it"),
                );
                return None;
            }
            Some(DiscountAmount::Percent(percent))
        }
        (false, true) => amount.map(DiscountAmount::Fixed),
        (false, false) => {
            row.error(
                "percent",
                "missing",
                "give a percent or an amount".to_owned(),
            );
            None
        }
        (true, true) => {
            row.error(
                "amount",
                "conflict",
                "give either percent or amount, not both".to_owned(),
            );
            None
        }
    }
}

/// Services named by packages, prices and discounts exist, and so do packages.
fn check_references(errors: &Collector, book: &PriceBook) {
    let services: BTreeSet<&str> = book
        .services
        .iter()
        .map(|service| service.id.as_str())
        .collect();
    let packages: BTreeSet<&str> = book
        .packages
        .iter()
        .map(|package| package.id.as_str())
        .collect();
    let mut problems: BTreeMap<String, (&'static str, &str)> = BTreeMap::new();
    for package in &book.packages {
        for cell in &package.services {
            if !services.contains(cell.service.as_str()) {
                let message = format!(
                    "package {:?} holds the service {:?}, which is not in the book",
                    package.id, cell.service
                );
                problems.insert(message, ("package", &package.id));
            }
        }
    }
    for price in &book.prices {
        let missing = match &price.target {
            Target::Service(id) if !services.contains(id.as_str()) => Some(("service", id)),
            Target::Package(id) if !packages.contains(id.as_str()) => Some(("package", id)),
            _ => None,
        };
        if let Some((kind, id)) = missing {
            let message = format!(
                "price {:?} is for the {kind} {id:?}, which is not in the book",
                price.id
            );
            problems.insert(message, ("price", &price.id));
        }
    }
    for (section, id, items) in named_items(book) {
        for item in items {
            if !services.contains(item.as_str()) && !packages.contains(item.as_str()) {
                let message = format!(
                    "{section} {id:?} is on {item:?}, which is neither a service nor a package of the book"
                );
                problems.insert(message, (section, id));
            }
        }
    }
    for (message, (table, id)) in problems {
        let (place, line) = errors.place_of(table, id);
        errors.push("unknown_reference", &place, line, message);
    }
}

/// The services and packages that discounts, limits, taxes, factors and percentages name.
fn named_items(book: &PriceBook) -> impl Iterator<Item = (&'static str, &str, &[String])> {
    let discounts = book
        .discounts
        .iter()
        .map(|row| ("discount", row.id.as_str(), row.items.as_slice()));
    let limits = book.limits.iter().map(|row| {
        let section = match row.kind {
            LimitKind::Minimum => "minimum",
            LimitKind::Maximum => "maximum",
        };
        (section, row.id.as_str(), row.items.as_slice())
    });
    let taxes = book
        .taxes
        .iter()
        .map(|row| ("tax", row.id.as_str(), row.items.as_slice()));
    let factors = book
        .factors
        .iter()
        .map(|row| ("factor", row.id.as_str(), row.items.as_slice()));
    let percentages = book.prices.iter().filter_map(|row| match &row.kind {
        PriceKind::Percent(percentage) => {
            Some(("price", row.id.as_str(), percentage.items.as_slice()))
        }
        _ => None,
    });
    discounts
        .chain(limits)
        .chain(taxes)
        .chain(factors)
        .chain(percentages)
}

/// SHA-256 over the canonical content of a document: tables by key, rows and lists in
/// order of their content, every scalar as text.
fn canonical_digest(document: &Node) -> String {
    let mut text = String::new();
    canonical(&change::without_history(document), &mut text);
    Sha256::digest(text.as_bytes())
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}

fn canonical(node: &Node, out: &mut String) {
    match &node.value {
        Value::Text(text) | Value::Integer(text) | Value::Fraction(text) | Value::Date(text) => {
            let _ = write!(out, "{}:{text}", text.len());
        }
        Value::Boolean(value) => {
            let _ = write!(out, "{value}");
        }
        Value::List(items) => {
            let mut rows: Vec<String> = items
                .iter()
                .map(|item| {
                    let mut row = String::new();
                    canonical(item, &mut row);
                    row
                })
                .collect();
            rows.sort();
            let _ = write!(out, "[{}]", rows.join(","));
        }
        Value::Table(entries) => {
            out.push('{');
            for (key, value) in entries {
                let _ = write!(out, "{}:{key}=", key.len());
                canonical(value, out);
                out.push(';');
            }
            out.push('}');
        }
    }
}
