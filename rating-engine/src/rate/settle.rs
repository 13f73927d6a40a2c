//! From printed lines to what is payable: credits, then tax, then deposits.

use std::collections::BTreeMap;

use cloudstack_usage::{DomainId, Holder, Period, ResourceId};
use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use rust_decimal::Decimal;

use super::key_text::KeyText;
use super::lines::{known_path, last_instant};
use crate::allocate::allocate;
use crate::book::terms::Credit;
use crate::exact::Exact;
use crate::money::Money;
use crate::plan::{CompiledScope, Plan, Position};
use crate::statement::{
    CreditUse, Explanation, Item, LineItem, Placement, Segment, Statement, TaxLine,
};

/// What is left of the book's credits, in minor units, over the statements of a run.
#[derive(Debug)]
pub(super) struct Balances {
    left: BTreeMap<usize, BigInt>,
    /// Credits in the order in which they are taken.
    order: Vec<usize>,
}

impl Balances {
    /// What earlier statements left of each credit.
    pub(super) fn new(plan: &Plan<'_>) -> Self {
        let credits = &plan.book.credits;
        let mut order: Vec<usize> = (0..credits.len()).collect();
        // the lowest priority, the earliest expiry, the oldest
        order.sort_by_key(|&index| {
            credits.get(index).map(|credit| {
                let validity = credit.validity;
                (credit.priority, validity.end(), validity.start(), index)
            })
        });
        let left = credits
            .iter()
            .enumerate()
            .map(|(index, credit)| (index, available(plan, credit)))
            .collect();
        Self { left, order }
    }
}

fn available(plan: &Plan<'_>, credit: &Credit) -> BigInt {
    let minor = |amount: Decimal| {
        Money::round(
            &Exact::from_decimal(amount),
            plan.book.currency,
            plan.book.rounding,
        )
        .minor()
        .clone()
    };
    let spent = credit
        .spent
        .iter()
        .filter(|spent| spent.until <= plan.period.start())
        .map(|spent| minor(spent.amount));
    (minor(credit.amount) - spent.sum::<BigInt>()).max(BigInt::zero())
}

/// Takes credits off a statement, taxes what is left, and takes deposits off what is
/// payable.
pub(super) fn settle(plan: &Plan<'_>, balances: &mut Balances, statement: &mut Statement) {
    let mut open = Open::new(plan, statement);
    let mut credit_lines = Vec::new();
    for index in balances.order.clone() {
        let (Some(credit), Some(scope)) =
            (plan.book.credits.get(index), plan.credit_scopes.get(index))
        else {
            continue;
        };
        let Some(balance) = balances.left.get_mut(&index).filter(|_| !credit.after_tax) else {
            continue;
        };
        let taken = open.take(plan, statement, credit, scope, balance);
        if taken.is_zero() {
            continue;
        }
        let used = spend(plan, credit, balance, taken);
        credit_lines.push(line(plan, statement, credit, scope, &used));
        statement.credits.push(used);
    }
    statement.lines.extend(credit_lines);
    statement.taxes = open.taxes(plan);
    let currency = plan.book.currency;
    let net: BigInt = minors(statement.lines.iter().map(|line| &line.amount));
    let tax: BigInt = minors(statement.taxes.iter().map(|tax| &tax.amount));
    let gross = net.clone() + tax;
    statement.exact = statement.lines.iter().map(|line| &line.net).sum();
    statement.total = Money::from_minor(net, currency);
    statement.gross = Money::from_minor(gross.clone(), currency);
    let payable = take_deposits(plan, balances, statement, gross);
    statement.payable = Money::from_minor(payable, currency);
}

fn minors<'m>(amounts: impl Iterator<Item = &'m Money>) -> BigInt {
    amounts.map(Money::minor).sum()
}

fn spend(plan: &Plan<'_>, credit: &Credit, balance: &mut BigInt, taken: BigInt) -> CreditUse {
    let money = |minor: BigInt| Money::from_minor(minor, plan.book.currency);
    let available = balance.clone();
    *balance -= &taken;
    CreditUse {
        credit: credit.id.clone(),
        after_tax: credit.after_tax,
        available: money(available),
        taken: money(taken),
        left: money(balance.clone()),
    }
}

/// Takes deposits of the billing account off what is payable.
fn take_deposits(
    plan: &Plan<'_>,
    balances: &mut Balances,
    statement: &mut Statement,
    mut payable: BigInt,
) -> BigInt {
    let ancestry = plan.ancestry(&statement.account);
    let position = Position {
        ancestry,
        project: None,
        vm: None,
        volume: None,
    };
    for index in balances.order.clone() {
        let (Some(credit), Some(scope)) =
            (plan.book.credits.get(index), plan.credit_scopes.get(index))
        else {
            continue;
        };
        let holds = credit.after_tax
            && credit.validity.overlaps(&plan.period)
            && scope.nearness(&position).is_some();
        let Some(balance) = balances.left.get_mut(&index).filter(|_| holds) else {
            continue;
        };
        let taken = balance.clone().min(payable.clone());
        if taken.is_positive() {
            payable -= &taken;
            statement.credits.push(spend(plan, credit, balance, taken));
        }
    }
    payable
}

/// What credits have left of each line: as printed, and exactly by segment.
struct Open {
    printed: Vec<BigInt>,
    segments: Vec<Vec<Exact>>,
    /// Tax rates of the lines, by their place in the book.
    taxes: Vec<Option<usize>>,
}

impl Open {
    fn new(plan: &Plan<'_>, statement: &Statement) -> Self {
        let place = |id: &String| plan.book.taxes.iter().position(|tax| tax.id == *id);
        let lines = &statement.lines;
        Self {
            printed: lines
                .iter()
                .map(|line| line.amount.minor().clone())
                .collect(),
            segments: lines
                .iter()
                .map(|line| {
                    let segments = line.explanation.segments.iter();
                    segments.map(|segment| segment.net.clone()).collect()
                })
                .collect(),
            taxes: lines
                .iter()
                .map(|line| line.tax.as_ref().and_then(place))
                .collect(),
        }
    }

    /// Takes as much of `balance` as there is to pay in the credit's scope and time, and
    /// spreads it over the lines, so that each is taxed on what is left of it.
    fn take(
        &mut self,
        plan: &Plan<'_>,
        statement: &Statement,
        credit: &Credit,
        scope: &CompiledScope,
        balance: &BigInt,
    ) -> BigInt {
        let places = plan.book.currency.minor_digits();
        let unit = Exact::ratio(1, 10_i128.pow(places)).unwrap_or_else(Exact::zero);
        let in_time = |segment: &Segment| credit.validity.contains(segment.period.start());
        let mut weights = Vec::with_capacity(statement.lines.len());
        for ((line, printed), left) in statement
            .lines
            .iter()
            .zip(&self.printed)
            .zip(&self.segments)
        {
            let printed = Exact::from(printed.clone()) * unit.clone();
            let segments = &line.explanation.segments;
            let weight = if printed.is_negative() || !holds(plan, scope, line) {
                Exact::zero()
            } else if segments.iter().all(in_time) {
                printed
            } else {
                let valid = segments.iter().zip(left);
                let valid: Exact = valid
                    .filter(|(segment, _)| in_time(segment))
                    .map(|(_, left)| left)
                    .sum();
                valid.min(printed)
            };
            weights.push(weight);
        }
        let payable: Exact = weights.iter().sum();
        let taken = payable
            .floor(places)
            .0
            .min(balance.clone())
            .max(BigInt::zero());
        if taken.is_zero() {
            return taken;
        }
        let part = (Exact::from(taken.clone()) * unit)
            .checked_div(&payable)
            .unwrap_or_else(Exact::zero);
        let shares: Vec<Exact> = weights
            .iter()
            .map(|weight| weight.clone() * part.clone())
            .collect();
        for (line, share) in allocate_by_key(statement, &taken, &shares, places) {
            if let Some(printed) = self.printed.get_mut(line) {
                *printed -= share;
            }
        }
        let rest = Exact::from(1) - part;
        let lines = statement.lines.iter().zip(&mut self.segments).zip(&weights);
        for ((line, left), weight) in lines {
            if weight.is_zero() {
                continue;
            }
            let segments = line.explanation.segments.iter().zip(left);
            for (_, left) in segments.filter(|(segment, _)| in_time(segment)) {
                *left = left.clone() * rest.clone();
            }
        }
        taken
    }

    /// Each rate on the sum of what is left of its lines, rounded once.
    ///
    /// Source: EN 16931, BR-CO-17; RATING.md §1.16.
    fn taxes(&self, plan: &Plan<'_>) -> Vec<TaxLine> {
        let mut bases: BTreeMap<usize, BigInt> = BTreeMap::new();
        for (printed, tax) in self.printed.iter().zip(&self.taxes) {
            if let Some(tax) = tax {
                *bases.entry(*tax).or_default() += printed;
            }
        }
        bases
            .into_iter()
            .filter_map(|(index, base)| {
                let tax = plan.book.taxes.get(index)?;
                let base = Money::from_minor(base, plan.book.currency);
                Some(TaxLine {
                    tax: tax.id.clone(),
                    label: tax.label.clone().unwrap_or_else(|| tax.id.clone()),
                    percent: tax.percent,
                    amount: base.percent(tax.percent, plan.book.rounding),
                    base,
                })
            })
            .collect()
    }
}

/// The parts of `total` that the lines get, each with its line's place in the statement. Ties go
/// by the lines' keys: how things are called decides nothing.
fn allocate_by_key(
    statement: &Statement,
    total: &BigInt,
    shares: &[Exact],
    places: u32,
) -> Vec<(usize, BigInt)> {
    let lines = statement.lines.iter().zip(shares).enumerate();
    let mut lines: Vec<(&str, usize, &Exact)> = lines
        .map(|(place, (line, share))| (line.key.as_str(), place, share))
        .collect();
    lines.sort_unstable_by_key(|(key, place, _)| (*key, *place));
    let shares: Vec<Exact> = lines.iter().map(|(.., share)| (*share).clone()).collect();
    let in_statement = lines.into_iter().map(|(_, place, _)| place);
    in_statement.zip(allocate(total, &shares, places)).collect()
}

fn holds(plan: &Plan<'_>, scope: &CompiledScope, line: &LineItem) -> bool {
    let ancestry = plan.ancestry(&line.domain);
    let position = Position {
        ancestry,
        project: match &line.holder {
            Holder::Project(id) => Some(id),
            _ => None,
        },
        vm: None,
        volume: None,
    };
    scope.nearness(&position).is_some()
}

/// The line of a credit: what was taken, as a negative amount.
fn line(
    plan: &Plan<'_>,
    statement: &Statement,
    credit: &Credit,
    scope: &CompiledScope,
    used: &CreditUse,
) -> LineItem {
    let at = last_instant(plan.period);
    let inventory = plan.inventory;
    let path_of = |id: &DomainId| {
        known_path(inventory, id, plan.period).map_or_else(|| id.to_string(), str::to_owned)
    };
    let (domain, holder, resource, kind, name) = match scope {
        CompiledScope::Project(id) => {
            let entry = inventory.projects.get(id);
            let domain = entry.and_then(|entry| entry.domain.nearest(at));
            let name = entry.and_then(|entry| entry.name.nearest(at));
            (
                domain.cloned().unwrap_or_else(|| statement.account.clone()),
                Holder::Project(id.clone()),
                id.as_resource(),
                "project",
                name.cloned().unwrap_or_else(|| id.to_string()),
            )
        }
        CompiledScope::Domain(id) => {
            let path = path_of(id);
            (id.clone(), Holder::Unknown, of_domain(id), "domain", path)
        }
        _ => {
            let id = &statement.account;
            let path = statement.path.clone();
            (id.clone(), Holder::Unknown, of_domain(id), "domain", path)
        }
    };
    let mut key = KeyText::default();
    key.field(&statement.account);
    key.field(&domain);
    key.field(&resource);
    key.field(format_args!("credit {}", credit.id));
    let net = -used.taken.to_exact();
    let period = credit
        .validity
        .intersect(&plan.period)
        .unwrap_or(plan.period);
    LineItem {
        key: key.into_string(),
        domain_path: path_of(&domain),
        domain,
        holder_name: match &holder {
            Holder::Project(_) => name.clone(),
            _ => String::new(),
        },
        holder,
        vm: None,
        vm_name: None,
        volume: None,
        resource,
        resource_kind: kind,
        resource_name: name,
        zone: None,
        zone_name: None,
        cost_centre: None,
        item: Item::Credit(credit.id.clone()),
        label: credit.label.clone().unwrap_or_else(|| credit.id.clone()),
        price: credit.id.clone(),
        price_text: format!("prepaid: {} there, {} left", used.available, used.left),
        exemption: None,
        tax: None,
        factors: Vec::new(),
        discounts: Vec::new(),
        used_millis: 0,
        quantity: Exact::from(1),
        unit: "each".to_owned(),
        list: net.clone(),
        amount: Money::from_minor(-used.taken.minor(), plan.book.currency),
        period,
        created: None,
        removed: None,
        tags: Vec::new(),
        explanation: fixed_amount(period, &net),
        net,
    }
}

fn of_domain(id: &DomainId) -> ResourceId {
    ResourceId::new(&id.to_string())
}

/// The explanation of a line that is one amount of money.
pub(super) fn fixed_amount(period: Period, net: &Exact) -> Explanation {
    Explanation {
        prices: Vec::new(),
        segments: vec![Segment {
            period,
            used_millis: 0,
            placement: Placement::Whole,
            level: 1,
            quantity: Exact::from(1),
            price_period_millis: None,
            list: net.clone(),
            net: net.clone(),
            bounds: Vec::new(),
        }],
        reductions: Vec::new(),
        records: 0,
        usage: Vec::new(),
    }
}
