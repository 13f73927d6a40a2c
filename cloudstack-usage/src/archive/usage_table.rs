//! The columns of `usage.parquet`.

use rust_decimal::Decimal;

use super::table::{Column, Fields, Holds, Table, Value};
use crate::store::{RecordVersion, StoredRecord};
use crate::usage_type::Unit;

/// Digits after the point of `raw_usage`; with 26 before it that is as much as other
/// programs read exactly.
const SCALE: u32 = 12;

pub(super) static USAGE: Table<RecordVersion> = Table {
    name: "usage.parquet",
    columns: &[
        Column::required("record_key", Holds::Text, |row| {
            Value::shown(row.stored.record.key())
        }),
        Column::required("revision", Holds::Whole, |row| {
            Value::Whole(i64::from(row.revision))
        }),
        Column::required("copy", Holds::Whole, |row| {
            Value::Whole(i64::from(row.copy))
        }),
        Column::required("recorded_from", Holds::Instant, |row| {
            Value::instant(row.stored.recorded_from)
        }),
        Column::optional("recorded_until", Holds::Instant, |row| {
            Value::optional(row.stored.recorded_until, Value::instant)
        }),
        Column::required("usage_type", Holds::Whole, |row| {
            Value::Whole(i64::from(row.stored.record.usage_type.id()))
        }),
        Column::required("window_start", Holds::Instant, |row| {
            Value::instant(row.stored.record.window.start())
        }),
        Column::required("window_end", Holds::Instant, |row| {
            Value::instant(row.stored.record.window.end())
        }),
        Column::optional("raw_usage", Holds::Decimal(38, 12), |row| {
            Value::optional(scaled(row.stored.record.raw_usage), Value::Decimal)
        }),
        Column::required("raw_usage_text", Holds::Text, |row| {
            Value::shown(row.stored.record.raw_usage)
        }),
        Column::required("quantity", Holds::Decimal(38, 0), |row| {
            Value::Decimal(row.stored.record.quantity.amount())
        }),
        Column::required("quantity_unit", Holds::Text, |row| {
            Value::text(match row.stored.record.quantity.unit() {
                Unit::Time => "millisecond",
                Unit::Bytes => "byte",
                Unit::Count => "count",
            })
        }),
        Column::required("domain", Holds::Text, |row| {
            Value::shown(&row.stored.record.owner.domain)
        }),
        Column::optional("domain_path", Holds::Text, |row| {
            Value::optional(row.stored.record.domain_path.as_deref(), Value::text)
        }),
        Column::optional("account", Holds::Text, |row| {
            Value::optional(row.stored.record.owner.account(), Value::shown)
        }),
        Column::optional("project", Holds::Text, |row| {
            Value::optional(row.stored.record.owner.project(), Value::shown)
        }),
        Column::optional("holder_name", Holds::Text, |row| {
            Value::optional(row.stored.record.holder_name.as_deref(), Value::text)
        }),
        Column::optional("zone", Holds::Text, |row| {
            Value::optional(row.stored.record.zone.as_ref(), Value::shown)
        }),
        Column::optional("resource", Holds::Text, |row| {
            Value::optional(row.stored.record.resource.as_ref(), Value::shown)
        }),
        Column::optional("vm", Holds::Text, |row| {
            Value::optional(row.stored.record.vm.as_ref(), Value::shown)
        }),
        Column::optional("name", Holds::Text, |row| {
            Value::optional(row.stored.record.name.as_deref(), Value::text)
        }),
        Column::required("description", Holds::Text, |row| {
            Value::text(&row.stored.record.description)
        }),
        Column::optional("offering", Holds::Text, |row| {
            Value::optional(row.stored.record.offering.as_ref(), Value::shown)
        }),
        Column::optional("template", Holds::Text, |row| {
            Value::optional(row.stored.record.template.as_ref(), Value::shown)
        }),
        Column::optional("size_bytes", Holds::Decimal(20, 0), |row| {
            Value::optional(row.stored.record.size_bytes, |bytes| {
                Value::Decimal(i128::from(bytes))
            })
        }),
        Column::optional("cpu_count", Holds::Whole, |row| {
            Value::optional(row.stored.record.cpu_count, |count| {
                Value::Whole(i64::from(count))
            })
        }),
        Column::optional("memory_mib", Holds::Whole, |row| {
            Value::optional(row.stored.record.memory_mib, |mib| {
                Value::Whole(i64::from(mib))
            })
        }),
        Column::required("record", Holds::LongText, |row| Value::text(&row.text)),
        Column::required("sent", Holds::LongText, |row| Value::text(&row.stored.json)),
    ],
    make,
};

/// The number without its point, twelve digits of which are after it; none where it has more
/// digits than there is room for.
fn scaled(number: Decimal) -> Option<i128> {
    let number = number.normalize();
    let missing = SCALE.checked_sub(number.scale())?;
    let scaled = number.mantissa().checked_mul(10_i128.pow(missing))?;
    (scaled < 10_i128.pow(38)).then_some(scaled)
}

fn make(fields: &Fields<'_>) -> Result<RecordVersion, String> {
    let text = fields.text("record")?;
    Ok(RecordVersion {
        revision: fields.number("revision")?,
        copy: fields.number("copy")?,
        stored: StoredRecord {
            record: serde_json::from_str(text).map_err(|error| error.to_string())?,
            json: fields.text("sent")?.into(),
            recorded_from: fields.instant("recorded_from")?,
            recorded_until: fields.optional_instant("recorded_until")?,
        },
        text: text.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_decimal_where_it_fits_and_nothing_where_it_does_not() {
        let scaled = |text| scaled(Decimal::from_str_exact(text).unwrap());
        assert_eq!(scaled("24.000000"), Some(24_000_000_000_000));
        assert_eq!(scaled("0.000000000001"), Some(1));
        assert_eq!(scaled("0.0000000000001"), None);
        // 26 digits before the point, and one more
        assert!(scaled("99999999999999999999999999").is_some());
        assert_eq!(scaled("100000000000000000000000000"), None);
    }
}
