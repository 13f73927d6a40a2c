//! What a reader checks a report against.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use cloudstack_usage::Period;
use rating_engine::{Counts, Currency, Exact, Money, RoundingMode, RoundingPoint, Statement};

use crate::cell::{Cell, instant_text};
use crate::totals::Totals;
use crate::view::View;

/// The version of the engine. The crates of the workspace are versioned together.
pub const ENGINE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The control block of a report: what its lines add up to, and what it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    /// The path of the billing account, where the report is about one statement.
    pub statement: Option<String>,
    /// The filter in words, where there is one.
    pub filter: Option<String>,
    /// What the lines add up to.
    pub totals: Totals,
    /// Taxes and what is payable, where the report is about whole statements with taxes,
    /// or with deposits.
    pub payable: Option<Payable>,
    /// The currency of all amounts.
    pub currency: Currency,
    /// The first instant of the billing period, RFC 3339 in UTC.
    pub period_start: String,
    /// The first instant after it.
    pub period_end: String,
    /// The IANA time zone in which the period is civil.
    pub zone: String,
    /// The first and the last day of the period in that zone, both included, where it is
    /// whole days.
    pub days: Option<(NaiveDate, NaiveDate)>,
    /// The name of the price book.
    pub book: String,
    /// The digest of the price book.
    pub book_digest: String,
    /// Which neighbour a tie of rounding goes to.
    pub rounding: RoundingMode,
    /// Where money is rounded.
    pub rounding_point: RoundingPoint,
    /// The digest of everything that the bill was made from.
    pub digest: String,
    /// The version of the engine.
    pub engine_version: &'static str,
    /// What became of the records, where the report is about the whole bill: they are of
    /// all customers, and no business of one of them.
    pub counts: Option<Counts>,
}

/// From the net amount to what is payable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payable {
    /// The taxes: label, percent, and the sums of bases and amounts over the statements.
    pub taxes: Vec<(String, String, Money, Money)>,
    /// Net and taxes.
    pub gross: Money,
    /// What deposits pay of it.
    pub deposits: Money,
    /// The rest.
    pub payable: Money,
}

impl Payable {
    /// None for a filtered view: taxes are of whole statements.
    fn of(view: &View<'_>) -> Option<Self> {
        if view.filter_text().is_some() {
            return None;
        }
        let statements: Vec<&Statement> = match view.statement() {
            Some(statement) => vec![statement],
            None => view.bill().statements.iter().collect(),
        };
        let currency = view.bill().currency;
        let mut taxes: BTreeMap<&str, (String, String, Money, Money)> = BTreeMap::new();
        let mut deposits = Money::zero(currency);
        for statement in &statements {
            for tax in &statement.taxes {
                let zero = || {
                    let zero = Money::zero(currency);
                    let percent = tax.percent.to_string();
                    (tax.label.clone(), percent, zero.clone(), zero)
                };
                let (_, _, base, amount) = taxes.entry(&tax.tax).or_insert_with(zero);
                *base = base.checked_add(&tax.base).ok()?;
                *amount = amount.checked_add(&tax.amount).ok()?;
            }
            for credit in statement.credits.iter().filter(|credit| credit.after_tax) {
                deposits = deposits.checked_add(&credit.taken).ok()?;
            }
        }
        if taxes.is_empty() && deposits.is_zero() {
            return None;
        }
        let sum = |amount: fn(&Statement) -> &Money| {
            let amounts = statements.iter().map(|statement| amount(statement));
            Money::sum(amounts, currency).ok()
        };
        Some(Self {
            taxes: taxes.into_values().collect(),
            gross: sum(|statement| &statement.gross)?,
            deposits,
            payable: sum(|statement| &statement.payable)?,
        })
    }

    /// As names for people and amounts, from net to payable.
    pub fn rows(&self, net: &Money) -> Vec<(String, Money)> {
        let mut rows = vec![("Net".to_owned(), net.clone())];
        rows.extend(self.taxes.iter().map(|(label, percent, base, amount)| {
            let text = format!("{label}, {percent} % of {}", base.amount());
            (text, amount.clone())
        }));
        rows.push(("Gross".to_owned(), self.gross.clone()));
        if !self.deposits.is_zero() {
            let taken = Money::from_minor(-self.deposits.minor(), self.deposits.currency());
            rows.push(("Paid by deposit".to_owned(), taken));
            rows.push(("Payable".to_owned(), self.payable.clone()));
        }
        rows
    }
}

impl Control {
    /// The control block of a view.
    pub fn of(view: &View<'_>) -> Self {
        let bill = view.bill();
        Self {
            statement: view.statement().map(|statement| statement.path.clone()),
            filter: view.filter_text().map(str::to_owned),
            totals: view.totals().clone(),
            payable: Payable::of(view),
            currency: bill.currency,
            period_start: instant_text(bill.period.start()),
            period_end: instant_text(bill.period.end()),
            zone: bill.zone.clone(),
            days: civil_days(bill.period, &bill.zone),
            book: bill.book.name.clone(),
            book_digest: bill.book.digest.clone(),
            rounding: bill.book.rounding,
            rounding_point: bill.book.rounding_point,
            digest: bill.digest.clone(),
            engine_version: ENGINE_VERSION,
            counts: view.is_whole_bill().then(|| bill.counts.clone()),
        }
    }

    /// The block as stable names, titles for people, and values.
    pub fn entries(&self) -> Vec<(&'static str, &'static str, Cell<'static>)> {
        let text = |text: &str| Cell::text(text.to_owned());
        let or_all = |part: Option<&str>| text(part.unwrap_or("(all)"));
        let totals = &self.totals;
        let moved = Exact::from(totals.moved.minor().clone());
        let mut entries = vec![
            (
                "statement",
                "Statement of",
                or_all(self.statement.as_deref()),
            ),
            ("filter", "Filter", or_all(self.filter.as_deref())),
            (
                "period_start",
                "Period from (UTC)",
                text(&self.period_start),
            ),
            (
                "period_end",
                "Period until, excluded (UTC)",
                text(&self.period_end),
            ),
            ("zone", "Time zone of the period", text(&self.zone)),
            (
                "days",
                "Days of the period in that zone",
                self.days.map_or(Cell::Empty, |(first, last)| {
                    Cell::text(format!("{first} to {last}"))
                }),
            ),
            ("currency", "Currency", Cell::display(&self.currency)),
            ("lines", "Number of lines", Cell::count(totals.lines)),
            (
                "list_amount",
                "Sum before discounts",
                Cell::money(&totals.list),
            ),
            (
                "discount_amount",
                "Sum of discounts",
                Cell::money(&totals.discount),
            ),
            (
                "printed_amount",
                "Sum of printed lines",
                Cell::money(&totals.amount),
            ),
            (
                "exact_amount",
                "Exact sum, as a fraction",
                Cell::display(&totals.exact),
            ),
            (
                "moved_units",
                "Minor units moved between lines by rounding",
                Cell::quantity(&moved),
            ),
            ("book", "Price book", text(&self.book)),
            (
                "book_digest",
                "Digest of the price book",
                text(&self.book_digest),
            ),
            (
                "rounding",
                "Ties of rounding go",
                Cell::text(match self.rounding {
                    RoundingMode::HalfAway => "away from zero",
                    RoundingMode::HalfEven => "to the even neighbour",
                }),
            ),
            (
                "rounding_point",
                "Rounded is",
                Cell::text(match self.rounding_point {
                    RoundingPoint::Total => "the total of a statement, once; its lines share it",
                    RoundingPoint::LineFirst => "each line; the total is their sum",
                }),
            ),
            ("digest", "Digest of the bill", text(&self.digest)),
            (
                "engine_version",
                "Engine version",
                Cell::text(self.engine_version),
            ),
        ];
        if let Some(payable) = &self.payable {
            entries.push((
                "gross_amount",
                "Sum with taxes",
                Cell::money(&payable.gross),
            ));
            entries.push((
                "payable_amount",
                "Payable after deposits",
                Cell::money(&payable.payable),
            ));
        }
        entries
    }
}

/// The first and the last civil day of a period in an IANA zone, both included; none where
/// the period is not of whole days, or the zone is unknown.
///
/// ```
/// use cloudstack_usage::Period;
///
/// let october = Period::new("2026-09-30T22:00:00Z".parse()?, "2026-10-31T23:00:00Z".parse()?)?;
/// let (first, last) = report_export::civil_days(october, "Europe/Berlin").unwrap();
/// assert_eq!((first.to_string(), last.to_string()), ("2026-10-01".into(), "2026-10-31".into()));
/// assert_eq!(report_export::civil_days(october, "UTC"), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn civil_days(period: Period, zone: &str) -> Option<(NaiveDate, NaiveDate)> {
    let zone: Tz = zone.parse().ok()?;
    let midnight = |instant: DateTime<Utc>| {
        let civil = instant.with_timezone(&zone).naive_local();
        (civil.time() == NaiveTime::MIN).then(|| civil.date())
    };
    let (first, after) = (midnight(period.start())?, midnight(period.end())?);
    Some((first, after.pred_opt()?))
}
