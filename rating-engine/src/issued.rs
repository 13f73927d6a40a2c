//! Bills as they were issued: read back from their JSON, never changed, only corrected.

use cloudstack_usage::{
    AccountId, DomainId, Holder, Period, ProjectId, ResourceId, VmId, VolumeId,
};
use num_bigint::BigInt;
use num_traits::Zero;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::correction::{Correction, StatementCorrection};
use crate::currency::Currency;
use crate::error::{RatingError, RatingErrorKind};
use crate::exact::Exact;
use crate::money::{Amount, Money};
use crate::statement::{Bill, BookVersion, LineItem};

/// The version of the bill's JSON form that this version reads.
const SCHEMA: u64 = 1;

/// A bill that was issued: what its customers hold in their hands.
///
/// Read with [`Issued::from_json`]. It is immutable; what later turns out to be wrong is
/// said by a [`Correction`], and [`Issued::with`] tells what customers hold after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The billing period.
    pub period: Period,
    /// The time zone in which it is civil.
    pub zone: String,
    /// The currency.
    pub currency: Currency,
    /// The price book that the bill, or its last correction, was made with.
    pub book: BookVersion,
    /// The digest of the bill, or of the last correction.
    pub digest: String,
    /// The statements, in the order of their paths.
    pub statements: Vec<IssuedStatement>,
}

/// One statement of an issued bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedStatement {
    /// The billing account's domain.
    pub account: DomainId,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// The lines.
    pub lines: Vec<IssuedLine>,
    /// The printed total.
    pub total: Money,
}

/// One line of an issued statement: what it is about, how it came about, what was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedLine {
    /// What it is about.
    pub subject: LineSubject,
    /// How much, and at which price.
    pub state: LineState,
    /// What is printed.
    pub amount: Money,
}

/// What a line is about; the names are those of the bill's JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LineSubject {
    /// The line's key.
    pub key: String,
    /// The domain that owns the resource.
    pub domain: DomainId,
    /// Its path.
    pub domain_path: String,
    /// The project that owns the resource, where one does.
    pub project: Option<ProjectId>,
    /// The account that owns it otherwise.
    pub account: Option<AccountId>,
    /// The name of the project or account.
    pub holder_name: String,
    /// The VM that the line belongs to.
    pub vm: Option<VmId>,
    /// Its name.
    pub vm_name: Option<String>,
    /// The volume.
    pub volume: Option<VolumeId>,
    /// The resource charged.
    pub resource: ResourceId,
    /// What it is.
    pub resource_kind: String,
    /// Its name.
    pub resource_name: String,
    /// The cost centre.
    pub cost_centre: Option<String>,
    /// `meter`, `service`, `package`, …
    pub item_kind: String,
    /// What is charged.
    pub item: String,
    /// How it is called on the bill.
    pub label: String,
    /// From the first to the last instant charged.
    pub period: Period,
}

/// How much a line charges, and why so much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineState {
    /// The price's id; empty where no price applies.
    pub price: String,
    /// The price in words.
    pub price_text: String,
    /// Why the line costs nothing, where it does.
    pub exemption: Option<String>,
    /// The discounts applied.
    pub discounts: Vec<String>,
    /// The quantity in the price's unit.
    pub quantity: Exact,
    /// That unit.
    pub unit: String,
    /// The exact amount before discounts.
    pub list: Exact,
    /// The exact amount after them.
    pub net: Exact,
}

impl Issued {
    /// Reads a bill from the JSON that [`Bill::to_json`] gives.
    ///
    /// # Errors
    /// When the JSON is no such bill ([`RatingErrorKind::UnreadableIssued`]), or its lines
    /// do not add up to its totals ([`RatingErrorKind::IssuedDoesNotAddUp`]): then it is not
    /// what was issued.
    pub fn from_json(bill: &Value) -> Result<Self, RatingError> {
        let schema = bill.get("schema").and_then(Value::as_u64);
        if schema != Some(SCHEMA) {
            let message = format!(
                "this is no bill of schema {SCHEMA}; give the JSON that was written when it was issued"
            );
            return Err(unreadable(message));
        }
        let currency: Currency = field(bill, "currency")?;
        let issued = Self {
            period: field(bill, "period")?,
            zone: field(bill, "zone")?,
            currency,
            book: field(bill, "book")?,
            digest: field(bill, "digest")?,
            statements: list(bill, "statements")?
                .iter()
                .enumerate()
                .map(|(index, statement)| {
                    read_statement(statement, currency)
                        .map_err(|error| error.at(&format!("statements[{index}]")))
                })
                .collect::<Result<_, _>>()?,
        };
        let total = amount(bill, "total", currency)?;
        adds_up("the bill", &total, &issued.total())?;
        Ok(issued)
    }

    /// The sum of the printed statement totals.
    pub fn total(&self) -> Money {
        sum(
            self.statements.iter().map(|statement| &statement.total),
            self.currency,
        )
    }

    /// What customers hold once `correction` was issued too. Corrections form a chain: each
    /// is made against the bill with all earlier ones.
    ///
    /// # Errors
    /// When the correction was not made against this state
    /// ([`RatingErrorKind::CorrectionMismatch`]).
    pub fn with(&self, correction: &Correction) -> Result<Self, RatingError> {
        if correction.corrects != self.digest
            || correction.period != self.period
            || correction.currency != self.currency
        {
            let message = format!(
                "this correction was made against the bill with digest {}, but the one at hand has {}; apply the corrections in the order they were issued, each once",
                correction.corrects, self.digest
            );
            return Err(RatingError::new(
                RatingErrorKind::CorrectionMismatch,
                message,
            ));
        }
        let mut statements = self.statements.clone();
        for changed in &correction.statements {
            let known = statements
                .iter()
                .position(|statement| statement.account == changed.account);
            if let Some(statement) = known.and_then(|index| statements.get_mut(index)) {
                statement.apply(changed);
                continue;
            }
            let mut statement = IssuedStatement {
                account: changed.account.clone(),
                name: changed.name.clone(),
                path: changed.path.clone(),
                lines: Vec::new(),
                total: Money::zero(self.currency),
            };
            statement.apply(changed);
            statements.push(statement);
        }
        statements
            .sort_by(|left, right| (&left.path, &left.account).cmp(&(&right.path, &right.account)));
        Ok(Self {
            book: correction.book.clone(),
            digest: correction.digest.clone(),
            statements,
            ..self.clone()
        })
    }
}

impl From<&Bill> for Issued {
    fn from(bill: &Bill) -> Self {
        let statements = bill.statements.iter().map(|statement| IssuedStatement {
            account: statement.account.clone(),
            name: statement.name.clone(),
            path: statement.path.clone(),
            lines: statement.lines.iter().map(IssuedLine::from).collect(),
            total: statement.total.clone(),
        });
        Self {
            period: bill.period,
            zone: bill.zone.clone(),
            currency: bill.currency,
            book: bill.book.clone(),
            digest: bill.digest.clone(),
            statements: statements.collect(),
        }
    }
}

impl From<&LineItem> for IssuedLine {
    fn from(line: &LineItem) -> Self {
        let (project, account) = match &line.holder {
            Holder::Project(id) => (Some(id.clone()), None),
            Holder::Account(id) => (None, Some(id.clone())),
            Holder::Unknown => (None, None),
        };
        Self {
            subject: LineSubject {
                key: line.key.clone(),
                domain: line.domain.clone(),
                domain_path: line.domain_path.clone(),
                project,
                account,
                holder_name: line.holder_name.clone(),
                vm: line.vm.clone(),
                vm_name: line.vm_name.clone(),
                volume: line.volume.clone(),
                resource: line.resource.clone(),
                resource_kind: line.resource_kind.to_owned(),
                resource_name: line.resource_name.clone(),
                cost_centre: line.cost_centre.clone(),
                item_kind: line.item.kind().to_owned(),
                item: line.item.name().to_owned(),
                label: line.label.clone(),
                period: line.period,
            },
            state: LineState {
                price: line.price.clone(),
                price_text: line.price_text.clone(),
                exemption: line.exemption.clone(),
                discounts: line.discounts.clone(),
                quantity: line.quantity.clone(),
                unit: line.unit.clone(),
                list: line.list.clone(),
                net: line.net.clone(),
            },
            amount: line.amount.clone(),
        }
    }
}

impl IssuedStatement {
    fn apply(&mut self, correction: &StatementCorrection) {
        let currency = self.total.currency();
        for changed in &correction.lines {
            let printed = changed.printed(currency);
            let known = self
                .lines
                .iter()
                .position(|line| line.subject.key == changed.subject.key);
            match (
                known.and_then(|index| self.lines.get_mut(index)),
                &changed.now,
            ) {
                (Some(line), now) => {
                    line.amount = plus(&line.amount, &printed);
                    match now {
                        Some(now) => line.state = now.clone(),
                        None => line.state.take_away(),
                    }
                    line.subject = changed.subject.clone();
                }
                (None, Some(now)) => self.lines.push(IssuedLine {
                    subject: changed.subject.clone(),
                    state: now.clone(),
                    amount: printed,
                }),
                // a line that is neither here nor there changes nothing
                (None, None) => {}
            }
        }
        // what is gone and prints nothing is no line any more
        self.lines
            .retain(|line| !line.amount.is_zero() || !line.state.is_nothing());
        self.total = sum(self.lines.iter().map(|line| &line.amount), currency);
    }
}

impl LineState {
    /// Nothing is charged any more.
    fn take_away(&mut self) {
        self.quantity = Exact::zero();
        self.list = Exact::zero();
        self.net = Exact::zero();
    }

    fn is_nothing(&self) -> bool {
        self.quantity.is_zero() && self.list.is_zero() && self.net.is_zero()
    }
}

/// Sums of one currency; the reader sees to it that there is only one.
fn sum<'a>(amounts: impl Iterator<Item = &'a Money>, currency: Currency) -> Money {
    let minor: BigInt = amounts.map(Money::minor).sum();
    Money::from_minor(minor, currency)
}

fn plus(left: &Money, right: &Money) -> Money {
    Money::from_minor(left.minor() + right.minor(), left.currency())
}

fn unreadable(message: String) -> RatingError {
    RatingError::new(RatingErrorKind::UnreadableIssued, message)
}

fn field<T: for<'de> Deserialize<'de>>(object: &Value, name: &str) -> Result<T, RatingError> {
    let value = object
        .get(name)
        .ok_or_else(|| unreadable(format!("{name} is missing")))?;
    T::deserialize(value).map_err(|error| unreadable(format!("{name}: {error}")))
}

fn list<'v>(object: &'v Value, name: &str) -> Result<&'v Vec<Value>, RatingError> {
    object
        .get(name)
        .and_then(Value::as_array)
        .ok_or_else(|| unreadable(format!("{name} is missing, or no list")))
}

fn amount(object: &Value, name: &str, currency: Currency) -> Result<Money, RatingError> {
    let amount: Amount = field(object, name)?;
    money(&amount, currency).ok_or_else(|| {
        unreadable(format!(
            "{name}: {:?} {} is no amount in {currency}",
            amount.amount, amount.currency
        ))
    })
}

/// An amount as printed; none where it is not in whole minor units of this currency.
pub(crate) fn money(amount: &Amount, currency: Currency) -> Option<Money> {
    let exact: Exact = decimal(&amount.amount)?;
    let minor = exact.round(
        currency.minor_digits(),
        crate::rounding::RoundingMode::HalfAway,
    );
    let money = Money::from_minor(minor, currency);
    (amount.currency == currency && money.to_exact() == exact).then_some(money)
}

fn decimal(text: &str) -> Option<Exact> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = u32::try_from(part.len()).ok()?;
    let minor: BigInt = format!("{whole}{part}").parse().ok()?;
    Exact::from(minor).checked_div(&Exact::from(BigInt::from(10).pow(digits)))
}

fn read_statement(statement: &Value, currency: Currency) -> Result<IssuedStatement, RatingError> {
    let lines: Vec<IssuedLine> = list(statement, "lines")?
        .iter()
        .enumerate()
        .map(|(index, line)| {
            read_line(line, currency).map_err(|error| error.at(&format!("lines[{index}]")))
        })
        .collect::<Result<_, _>>()?;
    let total = amount(statement, "total", currency)?;
    adds_up(
        "the statement",
        &total,
        &sum(lines.iter().map(|line| &line.amount), currency),
    )?;
    Ok(IssuedStatement {
        account: field(statement, "account")?,
        name: field(statement, "name")?,
        path: field(statement, "path")?,
        lines,
        total,
    })
}

fn read_line(line: &Value, currency: Currency) -> Result<IssuedLine, RatingError> {
    #[derive(Deserialize)]
    struct Quantity {
        exact: Exact,
        unit: String,
    }
    let quantity: Quantity = field(line, "quantity")?;
    let (list, net): (Amount, Amount) = (field(line, "list")?, field(line, "net")?);
    let subject = LineSubject::deserialize(line).map_err(|error| unreadable(error.to_string()))?;
    Ok(IssuedLine {
        subject,
        state: LineState {
            price: field(line, "price")?,
            price_text: field(line, "price_text")?,
            exemption: field(line, "exemption")?,
            discounts: field(line, "discounts")?,
            quantity: quantity.exact,
            unit: quantity.unit,
            list: list.exact,
            net: net.exact,
        },
        amount: amount(line, "net", currency)?,
    })
}

fn adds_up(whole: &str, printed: &Money, sum: &Money) -> Result<(), RatingError> {
    if (printed.minor() - sum.minor()).is_zero() {
        return Ok(());
    }
    let message = format!(
        "{whole} prints {printed}, but its parts add up to {sum}: this is not what was issued"
    );
    Err(RatingError::new(
        RatingErrorKind::IssuedDoesNotAddUp,
        message,
    ))
}
