//! A bill as JSON, by `schema/bill.schema.json`.

use chrono::{DateTime, SecondsFormat, Utc};
use cloudstack_usage::{Holder, Period};
use serde::Serialize as _;
use serde_json::{Value, json};

use crate::exact::Exact;
use crate::finding::Finding;
use crate::money::{Amount, Money};
use crate::rounding::RoundingMode;
use crate::statement::{Bill, CreditUse, LineItem, Statement, TaxLine};

/// The version of the JSON form.
const SCHEMA: u32 = 1;

impl Bill {
    /// The bill as JSON. Amounts are `{"amount", "exact", "currency"}`; instants RFC 3339 in
    /// UTC; periods half-open. Schema: `rating-engine/schema/bill.schema.json`.
    pub fn to_json(&self) -> Value {
        json!({
            "schema": SCHEMA,
            "period": period(self.period),
            "zone": self.zone,
            "currency": self.currency,
            "book": self.book,
            "engine": env!("CARGO_PKG_VERSION"),
            "digest": self.digest,
            "total": amount(&self.total, &self.exact),
            "gross": printed(&self.gross),
            "counts": self.counts,
            "statements": self.statements.iter().map(statement).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(|finding| self.finding(finding)).collect::<Vec<_>>(),
        })
    }

    fn finding(&self, finding: &Finding) -> Value {
        let value = finding.value.as_ref().map(|value| {
            let printed = Money::round(value, self.currency, RoundingMode::HalfAway);
            amount(&printed, value)
        });
        json!({
            "kind": finding.kind,
            "policy": finding.policy,
            "account": finding.account,
            "owner": finding.owner,
            "resource": finding.resource,
            "resource_name": finding.resource_name,
            "period": finding.period.map(period),
            "seconds": seconds(finding.millis),
            "records": finding.records,
            "value": value,
            "message": finding.message,
        })
    }
}

fn statement(statement: &Statement) -> Value {
    json!({
        "account": statement.account,
        "name": statement.name,
        "path": statement.path,
        "total": amount(&statement.total, &statement.exact),
        "taxes": statement.taxes.iter().map(tax).collect::<Vec<_>>(),
        "gross": printed(&statement.gross),
        "credits": statement.credits.iter().map(credit).collect::<Vec<_>>(),
        "payable": printed(&statement.payable),
        "lines": statement.lines.iter().map(line).collect::<Vec<_>>(),
    })
}

fn line(line: &LineItem) -> Value {
    let (project, account) = match &line.holder {
        Holder::Project(id) => (Some(id.to_string()), None),
        Holder::Account(id) => (None, Some(id.to_string())),
        Holder::Unknown => (None, None),
    };
    let list = Money::round(&line.list, line.amount.currency(), RoundingMode::HalfAway);
    json!({
        "key": line.key,
        "domain": line.domain,
        "domain_path": line.domain_path,
        "project": project,
        "account": account,
        "holder_name": line.holder_name,
        "vm": line.vm,
        "vm_name": line.vm_name,
        "volume": line.volume,
        "resource": line.resource,
        "resource_kind": line.resource_kind,
        "resource_name": line.resource_name,
        "zone": line.zone,
        "zone_name": line.zone_name,
        "cost_centre": line.cost_centre,
        "item_kind": line.item.kind(),
        "item": line.item.name(),
        "label": line.label,
        "price": line.price,
        "price_text": line.price_text,
        "exemption": line.exemption,
        "tax": line.tax,
        "factors": line.factors,
        "discounts": line.discounts,
        "used_seconds": seconds(line.used_millis),
        "quantity": { "amount": decimal(&line.quantity), "exact": line.quantity, "unit": line.unit },
        "list": amount(&list, &line.list),
        "net": amount(&line.amount, &line.net),
        "period": period(line.period),
        "created": line.created.map(instant),
        "removed": line.removed.map(instant),
        "tags": line.tags,
        "explanation": line.explanation,
    })
}

fn tax(tax: &TaxLine) -> Value {
    json!({
        "tax": tax.tax,
        "label": tax.label,
        "percent": tax.percent.to_string(),
        "base": printed(&tax.base),
        "amount": printed(&tax.amount),
    })
}

fn credit(credit: &CreditUse) -> Value {
    json!({
        "credit": credit.credit,
        "after_tax": credit.after_tax,
        "available": printed(&credit.available),
        "taken": printed(&credit.taken),
        "left": printed(&credit.left),
    })
}

/// An amount that is whole minor units by its nature.
fn printed(money: &Money) -> Amount {
    Amount::new(money, &money.to_exact())
}

fn amount(printed: &Money, exact: &Exact) -> Amount {
    Amount::new(printed, exact)
}

fn period(period: Period) -> Value {
    json!({ "start": instant(period.start()), "end": instant(period.end()) })
}

fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// Milliseconds as seconds, for the fields of other forms.
pub(crate) fn serialize_seconds<S: serde::Serializer>(
    millis: &i128,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    seconds(*millis).serialize(serializer)
}

/// Milliseconds as seconds: a whole number where it is one, else exact text.
fn seconds(millis: i128) -> Value {
    match i64::try_from(millis) {
        Ok(millis) if millis % 1000 == 0 => json!(millis / 1000),
        _ => json!(
            Exact::ratio(millis, 1000)
                .unwrap_or_else(Exact::zero)
                .to_decimal_string(3, RoundingMode::HalfEven)
        ),
    }
}

/// A quantity as decimal text with nine places, for people; `exact` beside it is the truth.
fn decimal(exact: &Exact) -> String {
    exact.to_decimal_string(9, RoundingMode::HalfEven)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_numbers_where_they_are_whole_and_exact_text_where_not() {
        assert_eq!(seconds(2_000), json!(2));
        assert_eq!(seconds(1_500), json!("1.500"));
        assert_eq!(seconds(-1), json!("-0.001"));
    }
}
