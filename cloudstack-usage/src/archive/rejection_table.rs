//! The columns of `rejections.parquet`.

use super::table::{Column, Fields, Holds, Table, Value};
use crate::store::RejectionVersion;

pub(super) static REJECTIONS: Table<RejectionVersion> = Table {
    name: "rejections.parquet",
    columns: &[
        Column::required("first_seen", Holds::Instant, |row| {
            Value::instant(row.rejection.first_seen)
        }),
        Column::required("last_seen", Holds::Instant, |row| {
            Value::instant(row.rejection.last_seen)
        }),
        Column::optional("resolved", Holds::Instant, |row| {
            Value::optional(row.resolved, Value::instant)
        }),
        Column::required("period_start", Holds::Instant, |row| {
            Value::instant(row.rejection.period.start())
        }),
        Column::required("period_end", Holds::Instant, |row| {
            Value::instant(row.rejection.period.end())
        }),
        Column::required("copies", Holds::Decimal(20, 0), |row| {
            Value::Decimal(i128::from(row.rejection.copies))
        }),
        Column::required("page", Holds::Text, |row| {
            Value::text(&row.rejection.rejection.page)
        }),
        Column::required("slug", Holds::Text, |row| {
            Value::text(&row.rejection.rejection.slug)
        }),
        Column::optional("field", Holds::Text, |row| {
            Value::optional(row.rejection.rejection.field.as_deref(), Value::text)
        }),
        Column::required("message", Holds::Text, |row| {
            Value::text(&row.rejection.rejection.message)
        }),
        Column::required("sent", Holds::LongText, |row| {
            Value::text(&row.rejection.rejection.json)
        }),
        Column::required("rejection", Holds::LongText, |row| {
            Value::optional(serde_json::to_string(&row.rejection).ok(), |text| {
                Value::Text(text.into())
            })
        }),
    ],
    make,
};

fn make(fields: &Fields<'_>) -> Result<RejectionVersion, String> {
    let rejection = serde_json::from_str(fields.text("rejection")?);
    Ok(RejectionVersion {
        rejection: rejection.map_err(|error| error.to_string())?,
        resolved: fields.optional_instant("resolved")?,
    })
}
