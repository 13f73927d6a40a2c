//! Corrections: the smallest difference between what was issued and what is right.

use std::collections::{BTreeMap, BTreeSet};

use cloudstack_usage::{DomainId, Period};
use num_bigint::BigInt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::allocate::allocate;
use crate::currency::Currency;
use crate::error::{RatingError, RatingErrorKind};
use crate::exact::Exact;
use crate::issued::{Issued, IssuedLine, IssuedStatement, LineState, LineSubject, money};
use crate::money::{Amount, Money};
use crate::statement::{Bill, BookVersion};

/// The version of the JSON form.
const SCHEMA: u32 = 1;

/// `ChargeClass` of every line of a correction, as FOCUS 1.2 has it.
const CHARGE_CLASS: &str = "Correction";

/// What has to be credited and debited so that an issued bill becomes right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The billing period that is corrected; lines are dated in it.
    pub period: Period,
    /// The billing period in which the correction is billed; the one corrected, unless
    /// [`Correction::billed_in`] said otherwise.
    pub billing_period: Period,
    /// The time zone in which the periods are civil.
    pub zone: String,
    /// The currency.
    pub currency: Currency,
    /// The digest of the bill (with its earlier corrections) that is corrected.
    pub corrects: String,
    /// The digest of the fresh bill.
    pub digest: String,
    /// The book of the fresh bill.
    pub book: BookVersion,
    /// One for each statement in which something changed.
    pub statements: Vec<StatementCorrection>,
    /// The printed totals of the statements, added, and the exact ones.
    pub total: Amount,
}

/// The credit or debit note of one billing account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementCorrection {
    /// The billing account's domain.
    pub account: DomainId,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The lines whose exact amount changed, in the order of their keys.
    pub lines: Vec<CorrectionLine>,
    /// Fresh printed total less issued printed total, which the lines add up to.
    pub total: Amount,
}

/// One line of a correction, dated in its own period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionLine {
    /// What it is about.
    #[serde(flatten)]
    pub subject: LineSubject,
    /// Why the amount changed.
    pub reasons: Vec<CorrectionReason>,
    /// As issued; none for a new line.
    pub before: Option<LineState>,
    /// As it should be; none for a line that should not be there.
    pub now: Option<LineState>,
    /// What is credited (negative) or debited.
    pub difference: Amount,
}

/// Why a line's amount changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CorrectionReason {
    /// More or less was used than was known.
    QuantityChanged,
    /// Another price, or another amount of the same price.
    PriceChanged,
    /// Other discounts, or other amounts of the same ones.
    DiscountChanged,
    /// An exemption came, went, or covers another part.
    ExemptionChanged,
    /// Nothing was billed for it before.
    New,
    /// Nothing should have been billed for it.
    Gone,
}

impl CorrectionReason {
    /// The reason in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::QuantityChanged => "quantity changed",
            Self::PriceChanged => "price changed",
            Self::DiscountChanged => "discount changed",
            Self::ExemptionChanged => "exemption changed",
            Self::New => "new",
            Self::Gone => "gone",
        }
    }
}

/// The smallest correction that turns what was issued into `fresh`, or none where no exact
/// amount changed.
///
/// Lines are compared by what they are about (owner, VM, resource, cost centre and item).
/// Where that costs exactly what it did, nothing is corrected, whatever the price is called
/// now; else the lines whose exact net changed, by key. Printed amounts are shared by
/// largest remainder, so that they add up to the fresh printed total less the issued one:
/// after the correction the customer has paid what a right bill would have printed.
///
/// ```
/// use rating_engine::{Issued, PriceBook, Rating, correct};
/// # use cloudstack_usage::Inventory;
/// # let book = PriceBook::from_toml("schema = 1\nname = \"B\"\ncurrency = \"EUR\"\nzone = \"UTC\"\ncompute = \"running\"").unwrap();
/// # let inventory = Inventory::default();
/// # let october = book.civil_period("2026-10-01".parse().unwrap(), "2026-10-31".parse().unwrap()).unwrap();
/// # let bill = Rating::new(&book, &inventory, october).unwrap().finish();
/// let issued = Issued::from_json(&bill.to_json()).unwrap();
/// assert_eq!(correct(&issued, &bill).unwrap(), None);
/// ```
///
/// # Errors
/// When the bills are of different periods or currencies
/// ([`RatingErrorKind::CorrectionMismatch`]).
pub fn correct(issued: &Issued, fresh: &Bill) -> Result<Option<Correction>, RatingError> {
    if issued.period != fresh.period || issued.currency != fresh.currency {
        let message = format!(
            "the bill issued is of {} in {}, the fresh one of {} in {}; rate the issued period with a book of its currency",
            issued.period, issued.currency, fresh.period, fresh.currency
        );
        return Err(RatingError::new(
            RatingErrorKind::CorrectionMismatch,
            message,
        ));
    }
    let right = Issued::from(fresh);
    let mut pairs: BTreeMap<(&str, &DomainId), Pair<'_>> = BTreeMap::new();
    for statement in &right.statements {
        let key = (statement.path.as_str(), &statement.account);
        pairs.entry(key).or_default().fresh = Some(statement);
    }
    for statement in &issued.statements {
        // a path may have changed since: the account is who it is
        let fresh = right
            .statements
            .iter()
            .find(|fresh| fresh.account == statement.account);
        let path = fresh.map_or(statement.path.as_str(), |fresh| fresh.path.as_str());
        pairs.entry((path, &statement.account)).or_default().issued = Some(statement);
    }
    let statements: Vec<StatementCorrection> = pairs
        .into_values()
        .filter_map(|pair| pair.correction(issued.currency))
        .collect();
    if statements.is_empty() {
        return Ok(None);
    }
    let total = total(statements.iter().map(|one| &one.total), issued.currency);
    Ok(Some(Correction {
        period: issued.period,
        billing_period: issued.period,
        zone: issued.zone.clone(),
        currency: issued.currency,
        corrects: issued.digest.clone(),
        digest: fresh.digest.clone(),
        book: fresh.book.clone(),
        statements,
        total,
    }))
}

impl Correction {
    /// The same, billed in this (later) period. Its lines stay dated in their own.
    #[must_use]
    pub fn billed_in(mut self, period: Period) -> Self {
        self.billing_period = period;
        self
    }

    /// The correction as JSON. Every line has `charge_class` `Correction` (FOCUS 1.2).
    /// Schema: `rating-engine/schema/correction.schema.json`.
    pub fn to_json(&self) -> Value {
        let mut json = serde_json::json!({
            "schema": SCHEMA,
            "kind": "correction",
            "period": self.period,
            "billing_period": self.billing_period,
            "zone": self.zone,
            "currency": self.currency,
            "corrects": self.corrects,
            "digest": self.digest,
            "book": self.book,
            "engine": env!("CARGO_PKG_VERSION"),
            "statements": self.statements,
            "total": self.total,
        });
        let statements = json.get_mut("statements").and_then(Value::as_array_mut);
        for statement in statements.into_iter().flatten() {
            let lines = statement.get_mut("lines").and_then(Value::as_array_mut);
            for line in lines.into_iter().flatten().filter_map(Value::as_object_mut) {
                line.insert("charge_class".to_owned(), CHARGE_CLASS.into());
            }
        }
        json
    }

    /// Reads what [`Correction::to_json`] wrote.
    ///
    /// # Errors
    /// When the JSON is no correction ([`RatingErrorKind::UnreadableIssued`]), or its lines
    /// do not add up ([`RatingErrorKind::IssuedDoesNotAddUp`]).
    pub fn from_json(json: &Value) -> Result<Self, RatingError> {
        #[derive(Deserialize)]
        struct Form {
            schema: u32,
            kind: String,
            period: Period,
            billing_period: Period,
            zone: String,
            currency: Currency,
            corrects: String,
            digest: String,
            book: BookVersion,
            statements: Vec<StatementCorrection>,
            total: Amount,
        }
        let form = Form::deserialize(json).map_err(|error| {
            RatingError::new(
                RatingErrorKind::UnreadableIssued,
                format!("this is no correction: {error}"),
            )
        })?;
        if form.schema != SCHEMA || form.kind != "correction" {
            let message = format!("this is no correction of schema {SCHEMA}");
            return Err(RatingError::new(RatingErrorKind::UnreadableIssued, message));
        }
        let currency = form.currency;
        let sums = form.statements.iter().map(|statement| {
            let lines = statement.lines.iter().map(|line| &line.difference);
            (&statement.total, total(lines, currency))
        });
        let whole = total(form.statements.iter().map(|one| &one.total), currency);
        let all = sums.chain(std::iter::once((&form.total, whole)));
        for (printed, sum) in all {
            if *printed != sum || money(printed, currency).is_none() {
                let message = format!(
                    "the correction prints {} {currency} where its parts add up to {}: this is not what was issued",
                    printed.amount, sum.amount
                );
                return Err(RatingError::new(
                    RatingErrorKind::IssuedDoesNotAddUp,
                    message,
                ));
            }
        }
        Ok(Self {
            period: form.period,
            billing_period: form.billing_period,
            zone: form.zone,
            currency,
            corrects: form.corrects,
            digest: form.digest,
            book: form.book,
            statements: form.statements,
            total: form.total,
        })
    }
}

impl CorrectionLine {
    /// The printed difference.
    pub(crate) fn printed(&self, currency: Currency) -> Money {
        money(&self.difference, currency).unwrap_or_else(|| Money::zero(currency))
    }
}

/// Printed and exact amounts, each added.
fn total<'a>(amounts: impl Iterator<Item = &'a Amount> + Clone, currency: Currency) -> Amount {
    let exact: Exact = amounts.clone().map(|amount| &amount.exact).sum();
    let minor: BigInt = amounts
        .filter_map(|amount| money(amount, currency))
        .map(|money| money.minor().clone())
        .sum();
    Amount::new(&Money::from_minor(minor, currency), &exact)
}

/// One account's statement as issued and as it should be.
#[derive(Default)]
struct Pair<'a> {
    issued: Option<&'a IssuedStatement>,
    fresh: Option<&'a IssuedStatement>,
}

/// The lines about one thing, on both sides.
#[derive(Default)]
struct Thing<'a> {
    issued: Vec<&'a IssuedLine>,
    fresh: Vec<&'a IssuedLine>,
}

impl<'a> Pair<'a> {
    fn correction(&self, currency: Currency) -> Option<StatementCorrection> {
        let shown = self.fresh.or(self.issued)?;
        let mut things: BTreeMap<_, Thing<'a>> = BTreeMap::new();
        for line in lines(self.issued) {
            things
                .entry(about(&line.subject))
                .or_default()
                .issued
                .push(line);
        }
        for line in lines(self.fresh) {
            things
                .entry(about(&line.subject))
                .or_default()
                .fresh
                .push(line);
        }
        let mut changed: Vec<(Changed<'a>, Exact)> = things
            .values()
            .flat_map(Thing::changed)
            .map(|line| {
                let difference = line.difference();
                (line, difference)
            })
            .collect();
        if changed.is_empty() {
            return None;
        }
        changed.sort_by(|(left, _), (right, _)| left.subject.key.cmp(&right.subject.key));
        let printed = |side: Option<&IssuedStatement>| {
            side.map(|statement| statement.total.minor().clone())
                .unwrap_or_default()
        };
        let difference = printed(self.fresh) - printed(self.issued);
        let exact: Vec<Exact> = changed.iter().map(|(_, exact)| exact.clone()).collect();
        let shares = allocate(&difference, &exact, currency.minor_digits());
        let lines: Vec<CorrectionLine> = changed
            .into_iter()
            .zip(shares)
            .map(|((line, exact), minor)| {
                line.into_line(&Money::from_minor(minor, currency), &exact)
            })
            .collect();
        let total = total(lines.iter().map(|line| &line.difference), currency);
        Some(StatementCorrection {
            account: shown.account.clone(),
            name: shown.name.clone(),
            path: shown.path.clone(),
            lines,
            total,
        })
    }
}

fn lines(statement: Option<&IssuedStatement>) -> &[IssuedLine] {
    statement.map_or(&[], |statement| statement.lines.as_slice())
}

/// What a line is about: its key without price, exemption and discounts.
fn about(subject: &LineSubject) -> impl Ord + '_ {
    (
        &subject.domain,
        (&subject.project, &subject.account),
        &subject.vm,
        &subject.resource,
        &subject.cost_centre,
        (&subject.item_kind, &subject.item),
    )
}

/// A line whose exact net changed.
struct Changed<'a> {
    subject: &'a LineSubject,
    issued: Option<&'a IssuedLine>,
    fresh: Option<&'a IssuedLine>,
    reasons: BTreeSet<CorrectionReason>,
}

impl<'a> Thing<'a> {
    fn changed(&self) -> Vec<Changed<'a>> {
        let net = |lines: &[&IssuedLine]| lines.iter().map(|line| &line.state.net).sum::<Exact>();
        if net(&self.issued) == net(&self.fresh) {
            return Vec::new();
        }
        let mut keys: BTreeMap<&str, Changed<'a>> = BTreeMap::new();
        let begin = |line: &'a IssuedLine| Changed {
            subject: &line.subject,
            issued: None,
            fresh: None,
            reasons: BTreeSet::new(),
        };
        for line in self.fresh.iter().copied() {
            let entry = keys.entry(&line.subject.key);
            entry.or_insert_with(|| begin(line)).fresh = Some(line);
        }
        for line in self.issued.iter().copied() {
            let entry = keys.entry(&line.subject.key);
            entry.or_insert_with(|| begin(line)).issued = Some(line);
        }
        let mut changed: Vec<Changed<'a>> = keys.into_values().collect();
        changed.retain(|line| !line.difference().is_zero());
        for line in &mut changed {
            line.reasons = match (line.issued, line.fresh) {
                (Some(issued), Some(fresh)) => state_reasons(&issued.state, &fresh.state),
                (None, Some(fresh)) => side_reasons(fresh, &self.issued, CorrectionReason::New),
                (Some(issued), None) => side_reasons(issued, &self.fresh, CorrectionReason::Gone),
                (None, None) => BTreeSet::new(),
            };
        }
        changed
    }
}

/// Why a line that is there on both sides has another amount.
fn state_reasons(issued: &LineState, fresh: &LineState) -> BTreeSet<CorrectionReason> {
    let mut reasons = BTreeSet::new();
    let same_quantity = issued.quantity == fresh.quantity;
    if !same_quantity {
        reasons.insert(CorrectionReason::QuantityChanged);
    }
    let same_price = issued.price_text == fresh.price_text;
    if !same_price || (same_quantity && issued.list != fresh.list) {
        reasons.insert(CorrectionReason::PriceChanged);
    }
    // list and net no longer stand in the proportion they did
    let proportion = |of: &LineState, other: &LineState| of.net.clone() * other.list.clone();
    if proportion(issued, fresh) != proportion(fresh, issued) {
        reasons.insert(CorrectionReason::DiscountChanged);
    }
    reasons
}

/// Why a line is on one side only: what the lines about the same thing on the other side
/// have otherwise.
fn side_reasons(
    line: &IssuedLine,
    others: &[&IssuedLine],
    alone: CorrectionReason,
) -> BTreeSet<CorrectionReason> {
    if others.is_empty() {
        return BTreeSet::from([alone]);
    }
    let state = &line.state;
    let none_has =
        |same: &dyn Fn(&LineState) -> bool| !others.iter().any(|other| same(&other.state));
    let mut reasons = BTreeSet::new();
    if none_has(&|other| other.exemption == state.exemption) {
        reasons.insert(CorrectionReason::ExemptionChanged);
    }
    if none_has(&|other| other.price == state.price) {
        reasons.insert(CorrectionReason::PriceChanged);
    }
    if none_has(&|other| other.discounts == state.discounts) {
        reasons.insert(CorrectionReason::DiscountChanged);
    }
    if reasons.is_empty() {
        reasons.insert(CorrectionReason::QuantityChanged);
    }
    reasons
}

impl Changed<'_> {
    fn difference(&self) -> Exact {
        let net = |line: Option<&IssuedLine>| {
            line.map_or_else(Exact::zero, |line| line.state.net.clone())
        };
        net(self.fresh) - net(self.issued)
    }

    fn into_line(self, printed: &Money, exact: &Exact) -> CorrectionLine {
        CorrectionLine {
            subject: self.subject.clone(),
            reasons: self.reasons.into_iter().collect(),
            before: self.issued.map(|line| line.state.clone()),
            now: self.fresh.map(|line| line.state.clone()),
            difference: Amount::new(printed, exact),
        }
    }
}
