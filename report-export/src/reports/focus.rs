//! Costs and usage as FOCUS 1.2 has them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cloudstack_usage::{Holder, Tag};
use rating_engine::{CreditUse, Exact, Item, LineItem, Money, RoundingMode, Statement, TaxLine};

use super::focus_service::{Service, service_of};
use super::focus_unit::unit_name;
use crate::cell::{Cell, DecimalText};
use crate::column::{Column, Kind};
use crate::control::Control;
use crate::report::Report;
use crate::view::View;

/// Decimal places of costs. Source: the scales that FOCUS files are exchanged with, a
/// decimal of 38 digits with 17 places.
const COST_PLACES: u32 = 17;
/// Decimal places of quantities at least; unit prices get what is left of a cost's.
const QUANTITY_PLACES: u32 = 9;

/// Decimal places of quantities that no price per unit limits.
const CONSUMED_PLACES: u32 = 12;

/// What a FOCUS file says besides the bill: who issues, and under which numbers.
///
/// ```
/// use report_export::Focus;
///
/// let focus = Focus::new("Example Cloud GmbH").with_invoice("ROOT/acme", "2026-0042");
/// assert_eq!(focus.provider(), "Example Cloud GmbH");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Focus {
    provider: String,
    invoices: BTreeMap<String, String>,
}

impl Focus {
    /// Provider, publisher and issuer of the invoices are one and the same.
    pub fn new(provider: impl Into<String>) -> Self {
        Self {
            provider: provider.into(),
            invoices: BTreeMap::new(),
        }
    }

    /// The number of an account's invoice; the account by its domain's id or path. A
    /// statement without a number is called after its account and the first and last day
    /// of its period.
    #[must_use]
    pub fn with_invoice(mut self, account: impl Into<String>, number: impl Into<String>) -> Self {
        self.invoices.insert(account.into(), number.into());
        self
    }

    /// Who issues.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    fn invoice(&self, view: &View<'_>, statement: &Statement) -> String {
        let account = statement.account.to_string();
        let given = self.invoices.get(&account);
        if let Some(number) = given.or_else(|| self.invoices.get(&statement.path)) {
            return number.clone();
        }
        let control = Control::of(view);
        match control.days {
            Some((first, last)) => format!("{account}/{first}/{last}"),
            None => format!("{account}/{}/{}", control.period_start, control.period_end),
        }
    }
}

/// The bill as rows of the dataset "Cost and Usage" of FOCUS 1.2: a row a line, a tax and a
/// deposit, so that `BilledCost` adds up to what is payable, invoice by invoice and to the
/// last minor unit. A view with a filter has the lines alone, since taxes and deposits are
/// of whole statements.
///
/// - `BilledCost` is what the statement prints for the line, `EffectiveCost` and
///   `ContractedCost` what it costs after discounts and `ListCost` before, at most 17
///   places long.
/// - `ListCost` is just `ListUnitPrice` times `PricingQuantity`, and so is
///   `ContractedCost`. Where no price per unit gives that (tiers, blocks, fixed discounts)
///   the row prices one charge, and `ConsumedQuantity` has the quantity.
/// - Instants are UTC. A month in another zone begins on another hour there.
///
/// Columns for features that no bill has here (commitment discounts, capacity
/// reservations, a pricing currency of its own) are left out, as FOCUS has it. Our own
/// columns begin with `x_`.
///
/// Source: FOCUS 1.2, "Cost and Usage".
pub fn focus<'a>(view: &View<'a>, options: &Focus) -> Report<'a> {
    let rows = {
        let (view, options) = (view.clone(), options.clone());
        move || -> crate::report::Rows<'a> { Box::new(rows(&view, &options).into_iter()) }
    };
    Report::new(
        "focus",
        "FOCUS cost and usage",
        columns(),
        rows,
        Vec::new(),
        Control::of(view),
    )
}

/// The columns, FOCUS's own in the order of their names.
const COLUMNS: &[(&str, Kind)] = &[
    ("BilledCost", Kind::Price),
    ("BillingAccountId", Kind::Text),
    ("BillingAccountName", Kind::Text),
    ("BillingAccountType", Kind::Text),
    ("BillingCurrency", Kind::Text),
    ("BillingPeriodEnd", Kind::Instant),
    ("BillingPeriodStart", Kind::Instant),
    ("ChargeCategory", Kind::Text),
    ("ChargeClass", Kind::Text),
    ("ChargeDescription", Kind::Text),
    ("ChargeFrequency", Kind::Text),
    ("ChargePeriodEnd", Kind::Instant),
    ("ChargePeriodStart", Kind::Instant),
    ("ConsumedQuantity", Kind::Price),
    ("ConsumedUnit", Kind::Text),
    ("ContractedCost", Kind::Price),
    ("ContractedUnitPrice", Kind::Price),
    ("EffectiveCost", Kind::Price),
    ("InvoiceId", Kind::Text),
    ("InvoiceIssuerName", Kind::Text),
    ("ListCost", Kind::Price),
    ("ListUnitPrice", Kind::Price),
    ("PricingCategory", Kind::Text),
    ("PricingQuantity", Kind::Price),
    ("PricingUnit", Kind::Text),
    ("ProviderName", Kind::Text),
    ("PublisherName", Kind::Text),
    ("RegionId", Kind::Text),
    ("RegionName", Kind::Text),
    ("ResourceId", Kind::Text),
    ("ResourceName", Kind::Text),
    ("ResourceType", Kind::Text),
    ("ServiceCategory", Kind::Text),
    ("ServiceName", Kind::Text),
    ("ServiceSubcategory", Kind::Text),
    ("SkuId", Kind::Text),
    ("SkuMeter", Kind::Text),
    ("SkuPriceDetails", Kind::Text),
    ("SkuPriceId", Kind::Text),
    ("SubAccountId", Kind::Text),
    ("SubAccountName", Kind::Text),
    ("SubAccountType", Kind::Text),
    ("Tags", Kind::Text),
    ("x_CostCentre", Kind::Text),
    ("x_DomainPath", Kind::Text),
    ("x_Exemption", Kind::Text),
    ("x_LineKey", Kind::Text),
];

fn columns() -> Vec<Column> {
    let columns = COLUMNS.iter();
    columns
        .map(|(name, kind)| Column::new(name, name, *kind))
        .collect()
}

/// A row by the names of its columns; what it does not name is null.
type Named<'a> = BTreeMap<&'static str, Cell<'a>>;

fn cells(mut named: Named<'_>) -> Vec<Cell<'_>> {
    let cells = COLUMNS.iter();
    cells
        .map(|(name, _)| named.remove(name).unwrap_or(Cell::Empty))
        .collect()
}

fn rows<'a>(view: &View<'a>, options: &Focus) -> Vec<Vec<Cell<'a>>> {
    let mut rows = Vec::new();
    let whole = view.filter_text().is_none();
    let statements: Vec<&'a Statement> = match view.statement() {
        Some(statement) => vec![statement],
        None => view.bill().statements.iter().collect(),
    };
    for statement in statements {
        let head = head(view, options, statement);
        let of_statement = view
            .lines()
            .filter(|(own, _)| own.account == statement.account);
        for (_, line) in of_statement {
            let mut row = head.clone();
            row.extend(line_cells(line));
            rows.push(cells(row));
        }
        let deposits = statement.credits.iter().filter(|credit| credit.after_tax);
        let taxes = statement.taxes.iter().map(tax_cells);
        for more in taxes.chain(deposits.map(deposit_cells)).filter(|_| whole) {
            let mut row = head.clone();
            row.extend(more);
            rows.push(cells(row));
        }
    }
    rows
}

/// What all rows of a statement have in common.
fn head<'a>(view: &View<'a>, options: &Focus, statement: &'a Statement) -> Named<'a> {
    let period = view.bill().period;
    let provider = || Cell::text(options.provider.clone());
    BTreeMap::from([
        ("BillingAccountId", Cell::display(&statement.account)),
        ("BillingAccountName", Cell::text(&*statement.name)),
        ("BillingAccountType", Cell::text("Domain")),
        ("BillingCurrency", Cell::display(&view.bill().currency)),
        ("BillingPeriodStart", Cell::Instant(period.start())),
        ("BillingPeriodEnd", Cell::Instant(period.end())),
        ("ChargePeriodStart", Cell::Instant(period.start())),
        ("ChargePeriodEnd", Cell::Instant(period.end())),
        ("InvoiceId", Cell::text(options.invoice(view, statement))),
        ("InvoiceIssuerName", provider()),
        ("ProviderName", provider()),
        ("PublisherName", provider()),
    ])
}

fn line_cells(line: &LineItem) -> Named<'_> {
    let credit = matches!(line.item, Item::Credit(_));
    let mut row = BTreeMap::from([
        ("BilledCost", billed(&line.amount)),
        ("ChargeDescription", Cell::text(description(line))),
        ("ChargePeriodStart", Cell::Instant(line.period.start())),
        ("ChargePeriodEnd", Cell::Instant(line.period.end())),
        (
            "x_CostCentre",
            Cell::text_or_empty(line.cost_centre.as_deref()),
        ),
        ("x_DomainPath", Cell::text(&*line.domain_path)),
        (
            "x_Exemption",
            Cell::text_or_empty(line.exemption.as_deref()),
        ),
        ("x_LineKey", Cell::text(&*line.key)),
    ]);
    row.extend(sub_account(line));
    row.extend(resource(line));
    let service = service_of(&line.item, &line.label);
    row.extend(service_cells(&service));
    if credit {
        row.extend(fixed(&line.amount, "Credit"));
    } else {
        row.extend(sku(line));
        row.extend(Pricing::of(line).cells());
    }
    if !line.tags.is_empty() {
        row.insert("Tags", Cell::text(tags(&line.tags)));
    }
    row
}

/// Price times quantity, in numbers that multiply to just the costs.
struct Pricing {
    quantity: Exact,
    unit: String,
    list: Exact,
    contracted: Exact,
    consumed: Option<(Exact, String)>,
    purchase: Option<&'static str>,
}

impl Pricing {
    fn of(line: &LineItem) -> Self {
        let purchase = match line.item {
            Item::Minimum(_) => Some("Recurring"),
            _ if line.unit.ends_with("once") => Some("One-Time"),
            _ => None,
        };
        // only usage has a consumed quantity
        let consumed = |quantity: Exact| {
            purchase
                .is_none()
                .then(|| (quantity, unit_name(&line.unit)))
        };
        match Self::per_unit(line) {
            Some((quantity, list, contracted)) => Self {
                consumed: consumed(quantity.clone()),
                quantity,
                unit: unit_name(&line.unit),
                list,
                contracted,
                purchase,
            },
            None => Self {
                quantity: Exact::from(1),
                unit: "Charges".to_owned(),
                list: rounded(&line.list, COST_PLACES),
                contracted: rounded(&line.net, COST_PLACES),
                consumed: consumed(rounded(&line.quantity, CONSUMED_PLACES)),
                purchase,
            },
        }
    }

    /// Quantity and unit prices before and after discounts, where these are decimals that
    /// leave room for the quantity's places.
    fn per_unit(line: &LineItem) -> Option<(Exact, Exact, Exact)> {
        let list = line.list.checked_div(&line.quantity)?;
        let contracted = line.net.checked_div(&line.quantity)?;
        let places = (0..=COST_PLACES - QUANTITY_PLACES).find(|places| {
            [&list, &contracted]
                .iter()
                .all(|price| rounded(price, *places) == **price)
        })?;
        let quantity = rounded(&line.quantity, COST_PLACES - places);
        // too little to show at so many places: one charge says more
        (!quantity.is_zero() && !list.is_negative()).then_some((quantity, list, contracted))
    }

    fn cells<'a>(self) -> Named<'a> {
        let number = |exact: &Exact| Cell::Decimal(DecimalText::with_point(exact, COST_PLACES));
        let list_cost = self.quantity.clone() * self.list.clone();
        let cost = self.quantity.clone() * self.contracted.clone();
        let mut row = BTreeMap::from([
            (
                "ChargeCategory",
                Cell::text(self.purchase.map_or("Usage", |_| "Purchase")),
            ),
            (
                "ChargeFrequency",
                Cell::text(self.purchase.unwrap_or("Usage-Based")),
            ),
            ("PricingCategory", Cell::text("Standard")),
            ("PricingQuantity", number(&self.quantity)),
            ("PricingUnit", Cell::text(self.unit)),
            ("ListUnitPrice", number(&self.list)),
            ("ListCost", number(&list_cost)),
            ("ContractedUnitPrice", number(&self.contracted)),
            ("ContractedCost", number(&cost)),
            ("EffectiveCost", number(&cost)),
        ]);
        if let Some((quantity, unit)) = self.consumed {
            row.insert("ConsumedQuantity", number(&quantity));
            row.insert("ConsumedUnit", Cell::text(unit));
        }
        row
    }
}

/// Rounded half-even to so many places.
fn rounded(exact: &Exact, places: u32) -> Exact {
    let scale = Exact::from(10_i128.pow(places));
    Exact::from(exact.round(places, RoundingMode::HalfEven))
        .checked_div(&scale)
        .unwrap_or_else(Exact::zero)
}

fn billed<'a>(money: &Money) -> Cell<'a> {
    Cell::Decimal(DecimalText::with_point(&money.to_exact(), COST_PLACES))
}

/// What has an amount and no price: credits, deposits, taxes.
fn fixed<'a>(amount: &Money, category: &'static str) -> Named<'a> {
    let frequency = if category == "Tax" {
        "Recurring"
    } else {
        "One-Time"
    };
    let mut row = BTreeMap::from([
        ("ChargeCategory", Cell::text(category)),
        ("ChargeFrequency", Cell::text(frequency)),
    ]);
    for column in ["BilledCost", "ListCost", "ContractedCost", "EffectiveCost"] {
        row.insert(column, billed(amount));
    }
    row
}

fn tax_cells(tax: &TaxLine) -> Named<'_> {
    let mut row = fixed(&tax.amount, "Tax");
    let text = format!("{}, {} % of {}", tax.label, tax.percent, tax.base);
    row.insert("ChargeDescription", Cell::text(text));
    row.extend(service_cells(&Service::other(&tax.label)));
    row
}

fn deposit_cells(credit: &CreditUse) -> Named<'_> {
    let taken = Money::from_minor(-credit.taken.minor(), credit.taken.currency());
    let mut row = fixed(&taken, "Credit");
    let text = format!("Paid by deposit {}", credit.credit);
    row.insert("ChargeDescription", Cell::text(text));
    row.extend(service_cells(&Service::other("Deposit")));
    row
}

fn service_cells<'a>(service: &Service) -> Named<'a> {
    BTreeMap::from([
        ("ServiceCategory", Cell::text(service.category)),
        ("ServiceSubcategory", Cell::text(service.subcategory)),
        ("ServiceName", Cell::text(service.name.clone())),
    ])
}

/// The project or account, where the line belongs to one.
fn sub_account(line: &LineItem) -> Named<'_> {
    let (id, kind) = match &line.holder {
        Holder::Project(id) => (id.to_string(), "Project"),
        Holder::Account(id) => (id.to_string(), "Account"),
        Holder::Unknown => return BTreeMap::new(),
    };
    BTreeMap::from([
        ("SubAccountId", Cell::text(id)),
        ("SubAccountName", Cell::text(&*line.holder_name)),
        ("SubAccountType", Cell::text(kind)),
    ])
}

/// The resource and where it is; minimums and credits of a customer have none.
fn resource(line: &LineItem) -> Named<'_> {
    let of_customer = ["project", "account", "domain"].contains(&line.resource_kind);
    if of_customer || matches!(line.item, Item::Credit(_)) {
        return BTreeMap::new();
    }
    BTreeMap::from([
        ("RegionId", Cell::text_or_empty(line.zone.as_deref())),
        (
            "RegionName",
            Cell::text_or_empty(line.zone_name.as_deref().or(line.zone.as_deref())),
        ),
        ("ResourceId", Cell::display(&line.resource)),
        ("ResourceName", Cell::text(&*line.resource_name)),
        ("ResourceType", Cell::text(line.resource_kind)),
    ])
}

fn sku(line: &LineItem) -> Named<'_> {
    let sku = format!("{}/{}", line.item.kind(), line.item.name());
    // what comes with something else has no price of its own
    let price = if line.price.is_empty() {
        sku.clone()
    } else {
        line.price.clone()
    };
    let mut details = BTreeMap::new();
    if !line.price_text.is_empty() {
        details.insert("x_Price".to_owned(), line.price_text.clone());
    }
    if !line.discounts.is_empty() {
        details.insert("x_Discounts".to_owned(), line.discounts.join(", "));
    }
    BTreeMap::from([
        ("SkuId", Cell::text(sku)),
        ("SkuMeter", Cell::text(&*line.label)),
        ("SkuPriceId", Cell::text(price)),
        ("SkuPriceDetails", Cell::text(object(&details))),
    ])
}

fn description(line: &LineItem) -> String {
    let mut text = format!(
        "{} of {} {}",
        line.label, line.resource_kind, line.resource_name
    );
    if let Some(reason) = &line.exemption {
        text.push_str(", ");
        text.push_str(reason);
    }
    text
}

/// Tags as a JSON object. A key that had several values in the period has them in a list.
fn tags(tags: &[Tag]) -> String {
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    for tag in tags {
        values
            .entry(tag.key.clone())
            .and_modify(|known| {
                known.push_str("; ");
                known.push_str(&tag.value);
            })
            .or_insert_with(|| tag.value.clone());
    }
    object(&values)
}

/// A JSON object of texts, its keys in order.
fn object(entries: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> = entries
        .iter()
        .map(|(key, value)| format!("{}: {}", json_text(key), json_text(value)))
        .collect();
    format!("{{{}}}", entries.join(", "))
}

/// A text as JSON has it. Source: RFC 8259, section 7.
fn json_text(text: &str) -> String {
    let mut json = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}
