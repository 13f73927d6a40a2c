//! Quota's tariffs, as `quotaTariffList` gives them.

use chrono::{DateTime, Utc};
use cloudstack_usage::{UsageType, parse_date};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{QuotaError, QuotaErrorKind};

/// A tariff of CloudStack's Quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The usage type that it is for; pseudo types of 4.17 and earlier (15 to 17) stay unknown.
    pub usage_type: UsageType,
    /// Its value, per month for things that last.
    pub value: Decimal,
    /// From when it applies.
    pub start: DateTime<Utc>,
    /// Until when it applies, this instant included; none while it is open.
    pub end: Option<DateTime<Utc>>,
    /// When it was removed; a removed tariff never applies again.
    pub removed: Option<DateTime<Utc>>,
    /// The rule, in JavaScript, that says whether it applies or how much it is.
    pub activation_rule: Option<String>,
    /// Its place among the tariffs of a type (4.20 and later).
    pub position: i64,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "quotatarifflistresponse")]
    list: List,
}

#[derive(Deserialize)]
struct List {
    count: Option<usize>,
    #[serde(default, rename = "quotatariff")]
    tariffs: Vec<Row>,
    errortext: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    #[serde(alias = "uuid")]
    id: Option<String>,
    name: Option<String>,
    usage_type: u32,
    // the text itself: money never passes through a binary float
    tariff_value: Box<RawValue>,
    effective_date: String,
    end_date: Option<String>,
    removed: Option<String>,
    activation_rule: Option<String>,
    position: Option<i64>,
}

impl Tariff {
    /// Reads the answer to `quotaTariffList` (JSON).
    ///
    /// # Errors
    /// When the text is no such answer, lists fewer tariffs than it counts, or a value or
    /// date of a tariff cannot be read.
    ///
    /// ```
    /// use rating_engine::quota::Tariff;
    ///
    /// let text = br#"{"quotatarifflistresponse": {"count": 1, "quotatariff": [
    ///     {"usageType": 6, "tariffValue": 0.08000, "effectiveDate": "2010-05-04T00:00:00+0000"}
    /// ]}}"#;
    /// let tariffs = Tariff::read_list(text).unwrap();
    /// assert_eq!(tariffs[0].value.to_string(), "0.08000");
    /// ```
    pub fn read_list(json: &[u8]) -> Result<Vec<Self>, QuotaError> {
        let malformed = |message: String| QuotaError::new(QuotaErrorKind::Malformed, message);
        let answer: Answer = serde_json::from_slice(json).map_err(|error| {
            malformed(format!(
                "no answer to quotaTariffList: {error}; give the body as CloudStack sent it"
            ))
        })?;
        if let Some(text) = answer.list.errortext {
            return Err(malformed(format!(
                "CloudStack refused quotaTariffList: {text}"
            )));
        }
        let (rows, count) = (answer.list.tariffs, answer.list.count);
        if let Some(count) = count.filter(|count| *count > rows.len()) {
            return Err(malformed(format!(
                "the answer holds {} of {count} tariffs; ask for them in one page",
                rows.len()
            )));
        }
        rows.into_iter()
            .enumerate()
            .map(|(index, row)| row.read(index))
            .collect()
    }

    /// Whether it applies to a record of this time, both given as CloudStack keeps them:
    /// ends included, without proration.
    ///
    /// Source: `QuotaManagerImpl.isQuotaTariffInPeriodToBeApplied`.
    pub fn applies(&self, record_start: DateTime<Utc>, record_end: DateTime<Utc>) -> bool {
        self.end.is_none_or(|end| record_start <= end) && record_end >= self.start
    }
}

impl Row {
    fn read(self, index: usize) -> Result<Tariff, QuotaError> {
        let wrong = |field: &str, value: &str, wanted: &str| {
            let message = format!(
                "tariff {} of the list, field {field}: {value:?} is no {wanted}",
                index + 1
            );
            QuotaError::new(QuotaErrorKind::Tariff, message)
        };
        let date = |field: &str, text: &str| {
            parse_date(text).map_err(|_| wrong(field, text, "date of CloudStack"))
        };
        let optional_date = |field: &str, text: &Option<String>| {
            text.as_deref().map(|text| date(field, text)).transpose()
        };
        let value = self.tariff_value.get().trim_matches('"');
        Ok(Tariff {
            value: Decimal::from_str_exact(value)
                .map_err(|_| wrong("tariffValue", value, "decimal number"))?,
            start: date("effectiveDate", &self.effective_date)?,
            end: optional_date("endDate", &self.end_date)?,
            removed: optional_date("removed", &self.removed)?,
            name: self.name.unwrap_or_default(),
            id: self.id.unwrap_or_else(|| (index + 1).to_string()),
            usage_type: UsageType::from_id(self.usage_type),
            activation_rule: self.activation_rule.filter(|rule| !rule.is_empty()),
            position: self.position.unwrap_or(1),
        })
    }
}
