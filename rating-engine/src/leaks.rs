//! What CloudStack forgot to meter, and what it metered twice.

use std::cmp::Reverse;

use cloudstack_usage::{DomainId, Period, ResourceId};
use serde::Serialize;
use serde_json::{Value, json};

use crate::bill_json::serialize_seconds;
use crate::currency::Currency;
use crate::exact::Exact;
use crate::finding::{Finding, FindingKind, Policy};
use crate::money::{Amount, Money};
use crate::rounding::RoundingMode;
use crate::statement::Bill;

/// On which side CloudStack's metering is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LeakKind {
    /// Used and not metered: money that is not earned.
    NotMetered,
    /// Metered twice, or outside the resource's life: money that is not owed.
    MeteredTwice,
}

impl LeakKind {
    /// The side that a finding is on; none for findings that are no leak.
    pub fn of(finding: FindingKind) -> Option<Self> {
        match finding {
            FindingKind::NotMetered | FindingKind::OwnerNotMetered => Some(Self::NotMetered),
            FindingKind::Duplicate
            | FindingKind::Overlap
            | FindingKind::OverWindow
            | FindingKind::OutsideLifetime => Some(Self::MeteredTwice),
            _ => None,
        }
    }

    /// The stable name.
    pub fn slug(self) -> &'static str {
        match self {
            Self::NotMetered => "not_metered",
            Self::MeteredTwice => "metered_twice",
        }
    }
}

/// One leak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Leak {
    /// The side.
    pub kind: LeakKind,
    /// The finding it comes from.
    pub finding: FindingKind,
    /// What the bill did about it.
    pub policy: Policy,
    /// The billing account.
    pub account: Option<DomainId>,
    /// The owner, in words.
    pub owner: Option<String>,
    /// The resource; none for a whole owner.
    pub resource: Option<ResourceId>,
    /// Its name.
    pub resource_name: Option<String>,
    /// From when to when.
    pub period: Option<Period>,
    /// The time, in milliseconds.
    #[serde(rename = "seconds", serialize_with = "serialize_seconds")]
    pub millis: i128,
    /// The records behind it.
    pub records: u64,
    /// The money, where it can be told.
    pub value: Option<Amount>,
    /// The whole in words.
    pub message: String,
}

/// The sum of one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeakTotal {
    /// The side.
    pub kind: LeakKind,
    /// How many leaks.
    pub count: u64,
    /// Their time, in milliseconds.
    #[serde(rename = "seconds", serialize_with = "serialize_seconds")]
    pub millis: i128,
    /// Their money: the sum of the exact values, and that sum rounded.
    pub value: Amount,
    /// How many of them have no value.
    pub without_value: u64,
}

/// All leaks of a bill, the most expensive first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaks {
    /// The bill's period.
    pub period: Period,
    /// The currency.
    pub currency: Currency,
    /// The leaks; those without a value last.
    pub leaks: Vec<Leak>,
    /// The two sides.
    pub totals: [LeakTotal; 2],
}

/// The leaks that a bill's findings tell of.
pub fn leaks(bill: &Bill) -> Leaks {
    Leaks::of(&bill.findings, bill.period, bill.currency)
}

fn leak(finding: &Finding, currency: Currency) -> Option<Leak> {
    Some(Leak {
        kind: LeakKind::of(finding.kind)?,
        finding: finding.kind,
        policy: finding.policy,
        account: finding.account.clone(),
        owner: finding.owner.clone(),
        resource: finding.resource.clone(),
        resource_name: finding.resource_name.clone(),
        period: finding.period,
        millis: finding.millis,
        records: finding.records,
        value: finding.value.as_ref().map(|value| amount(value, currency)),
        message: finding.message.clone(),
    })
}

fn amount(exact: &Exact, currency: Currency) -> Amount {
    Amount::new(
        &Money::round(exact, currency, RoundingMode::HalfAway),
        exact,
    )
}

fn total(kind: LeakKind, leaks: &[Leak], currency: Currency) -> LeakTotal {
    let of_kind = || leaks.iter().filter(|leak| leak.kind == kind);
    let values = || of_kind().filter_map(|leak| leak.value.as_ref());
    let count = of_kind().count() as u64;
    LeakTotal {
        kind,
        count,
        millis: of_kind().map(|leak| leak.millis).sum(),
        value: amount(&values().map(|value| &value.exact).sum(), currency),
        without_value: count - values().count() as u64,
    }
}

impl Leaks {
    /// The leaks that these findings tell of.
    pub fn of<'f>(
        findings: impl IntoIterator<Item = &'f Finding>,
        period: Period,
        currency: Currency,
    ) -> Self {
        let mut leaks: Vec<Leak> = findings
            .into_iter()
            .filter_map(|finding| leak(finding, currency))
            .collect();
        leaks.sort_by_cached_key(|leak| {
            let value = leak
                .value
                .as_ref()
                .map(|value| Reverse(value.exact.clone()));
            (
                value.is_none(),
                value,
                Reverse(leak.millis),
                leak.message.clone(),
            )
        });
        let totals = [LeakKind::NotMetered, LeakKind::MeteredTwice]
            .map(|kind| total(kind, &leaks, currency));
        Self {
            period,
            currency,
            leaks,
            totals,
        }
    }

    /// The leaks as JSON.
    pub fn to_json(&self) -> Value {
        json!({
            "period": self.period,
            "currency": self.currency,
            "leaks": self.leaks,
            "totals": self.totals,
        })
    }
}
