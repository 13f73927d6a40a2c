//! Usage records: `listUsageRecords`.
//!
//! Source: `UsageRecordResponse` and `ApiResponseHelper.createUsageResponse` of CloudStack
//! 4.11 to 4.23.

use std::cmp::Ordering;

use chrono::TimeDelta;
use rust_decimal::Decimal;

use super::answer::Answer;
#[cfg(any(feature = "blocking", feature = "async"))]
use super::date::offset_minutes;
use super::date::window_end;
use super::entry::{Entry, EntryError};
use crate::error::Error;
use crate::period::Period;
use crate::quantity::{Quantity, QuantityError, parse_raw_usage};
use crate::record::UsageRecord;
use crate::source::{ParsedRecord, UsagePage};
use crate::usage_type::{Unit, UsageType};

/// Reads one answer of `listUsageRecords`. `label` names the call or file in errors and
/// rejections.
///
/// A record that cannot be read becomes a [`Rejection`](crate::Rejection) with its position;
/// the rest of the page is read on.
///
/// # Errors
/// As [`Answer::parse`]: the body is no answer, or CloudStack refused the call.
///
/// ```
/// use cloudstack_usage::{Quantity, parse_usage_page};
///
/// let body = br#"{"listusagerecordsresponse":{"count":1,"usagerecord":[
///     {"accountid":"a","domainid":"d","usagetype":6,"usageid":"v","rawusage":"24",
///      "usage":"24 Hrs","description":"Volume usage","size":2147483648,
///      "startdate":"2026-10-01T00:00:00+0000","enddate":"2026-10-01T23:59:59+0000"}]}}"#;
/// let page = parse_usage_page("page 1", body)?;
/// let record = &page.records[0].record;
/// assert_eq!(record.quantity, Quantity::time(86_400_000));
/// assert_eq!(record.window.millis(), 86_400_000);
/// # Ok::<(), cloudstack_usage::Error>(())
/// ```
pub fn parse_usage_page(label: &str, bytes: &[u8]) -> Result<UsagePage, Error> {
    page_of(&Answer::parse(label, bytes)?)
}

/// The records of an answer that was opened already.
pub(crate) fn page_of(answer: &Answer) -> Result<UsagePage, Error> {
    let mut page = UsagePage::default();
    for (index, json) in answer.entries(&["usagerecord"])?.into_iter().enumerate() {
        match parse_usage_record(json) {
            Ok(record) => page.records.push(ParsedRecord {
                record,
                json: json.into(),
            }),
            Err(error) => {
                let rejection = error.into_rejection(answer.label(), index + 1, json);
                page.rejections.push(rejection);
            }
        }
    }
    Ok(page)
}

/// The offset that the first record of an answer writes its dates with: before 4.20 that of
/// the aggregation time zone.
#[cfg(any(feature = "blocking", feature = "async"))]
pub(crate) fn usage_offset_minutes(answer: &Answer) -> Option<i32> {
    let entries = answer.entries(&["usagerecord"]).ok()?;
    let entry = Entry::parse(entries.first()?).ok()?;
    offset_minutes(&entry.text("startdate").ok()??)
}

/// Reads one usage record from its JSON object, as a page sent it or a store kept it.
///
/// # Errors
/// When the text is no object, or a field is missing or makes no sense.
///
/// ```
/// use cloudstack_usage::parse_usage_record;
///
/// let error = parse_usage_record(r#"{"usagetype":1,"rawusage":"x"}"#).unwrap_err();
/// assert_eq!((error.slug(), error.field()), ("quantity_not_a_number", Some("rawusage")));
/// ```
pub fn parse_usage_record(json: &str) -> Result<UsageRecord, EntryError> {
    let entry = Entry::parse(json)?;
    let id: u32 = entry
        .number("usagetype")?
        .ok_or_else(|| super::entry::missing("usagetype"))?;
    let usage_type = UsageType::from_id(id);
    let (raw_usage, quantity) = measured(&entry, usage_type)?;
    Ok(UsageRecord {
        usage_type,
        window: window(&entry)?,
        quantity,
        raw_usage,
        owner: entry.owner()?,
        holder_name: match entry.text("project")? {
            Some(project) => Some(project),
            None => entry.text("account")?,
        },
        domain_name: entry.text("domain")?,
        domain_path: entry.text("domainpath")?,
        zone: entry.id("zoneid")?,
        resource: entry.id("usageid")?,
        vm: entry.id("virtualmachineid")?,
        offering: entry.id("offeringid")?,
        template: entry.id("templateid")?,
        os_type: entry.id("ostypeid")?,
        os_category: entry.id("oscategoryid")?,
        os_category_name: entry.text("oscategoryname")?,
        kind: entry.text("type")?,
        size_bytes: entry.number("size")?,
        virtual_size_bytes: entry.number("virtualsize")?,
        cpu_count: entry.number("cpunumber")?,
        cpu_mhz: entry.number("cpuspeed")?,
        memory_mib: entry.number("memory")?,
        network: entry.id("networkid")?,
        vpc: entry.id("vpcid")?,
        is_default: entry.boolean("isdefault")?,
        is_source_nat: entry.boolean("issourcenat")?,
        is_system: entry.boolean("issystem")?,
        name: entry.text("name")?,
        description: entry.text("description")?.unwrap_or_default(),
        tags_at_query: entry.tags()?,
    })
}

/// `rawusage`, and what it means in the unit of the type.
fn measured(entry: &Entry<'_>, usage_type: UsageType) -> Result<(Decimal, Quantity), EntryError> {
    let wrong = |cause: QuantityError| EntryError::new(cause.slug(), "rawusage", cause.to_string());
    let raw = parse_raw_usage(&entry.required_text("rawusage")?).map_err(wrong)?;
    let usage = entry.text("usage")?.unwrap_or_default();
    let quantity = Quantity::from_raw(raw, unit(usage_type, &usage)).map_err(wrong)?;
    Ok((raw, quantity))
}

/// The unit of a record. The text of `usage` decides where the type does not: backups
/// counted bytes before 4.15.2, and a type that is not known says in `usage` what it
/// counts. One that says nothing is taken as a count.
fn unit(usage_type: UsageType, usage: &str) -> Unit {
    let said = said_unit(usage);
    match usage_type {
        UsageType::Backup => said.unwrap_or(Unit::Time),
        known_or_not => known_or_not.unit().or(said).unwrap_or(Unit::Count),
    }
}

fn said_unit(usage: &str) -> Option<Unit> {
    let words = usage.to_ascii_lowercase();
    let mut words = words.split_whitespace().skip(1);
    words.find_map(|word| match word {
        "hrs" | "hours" => Some(Unit::Time),
        "bytes" | "gib" => Some(Unit::Bytes),
        _ => None,
    })
}

/// The half-open window. Dates have whole seconds, so a thing that came and went within
/// one second has equal dates: it gets that second.
fn window(entry: &Entry<'_>) -> Result<Period, EntryError> {
    let start = entry.required_date("startdate")?;
    let end = entry.required_date("enddate")?;
    let half_open = match end.cmp(&start) {
        Ordering::Less => None,
        Ordering::Equal => start.checked_add_signed(TimeDelta::seconds(1)),
        Ordering::Greater => Some(window_end(end)),
    };
    half_open
        .and_then(|end| Period::new(start, end).ok())
        .ok_or_else(|| {
            EntryError::new(
                "window_reversed",
                "enddate",
                format!("enddate {end} is before startdate {start}"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Holder;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn record(changes: &Value) -> Value {
        let mut record = json!({
            "accountid": "a", "account": "ops", "domainid": "d", "usagetype": 2,
            "usageid": "vm", "rawusage": "24", "usage": "24 Hrs", "description": "some VM",
            "startdate": "2026-10-01T00:00:00+0000", "enddate": "2026-10-01T23:59:59+0000",
        });
        if let (Some(fields), Some(changes)) = (record.as_object_mut(), changes.as_object()) {
            for (name, value) in changes {
                fields.insert(name.clone(), value.clone());
            }
        }
        record
    }

    fn read(changes: &Value) -> Result<UsageRecord, EntryError> {
        parse_usage_record(&record(changes).to_string())
    }

    #[test]
    fn texts_and_numbers_mean_the_same() {
        let texts =
            read(&json!({"usagetype": "2", "size": "5", "memory": "1024", "isdefault": "true"}));
        let numbers = read(
            &json!({"usagetype": 2, "rawusage": 24, "size": 5, "memory": 1024, "isdefault": true, "new": {"field": []}}),
        );
        assert_eq!(texts.unwrap(), numbers.unwrap());
    }

    #[test]
    fn the_holder_is_project_or_account_or_unknown() {
        let project =
            read(&json!({"accountid": null, "account": null, "projectid": "p", "project": "SAP"}))
                .unwrap();
        assert_eq!(project.owner.holder, Holder::Project("p".into()));
        assert_eq!(project.holder_name.as_deref(), Some("SAP"));
        let account = read(&json!({})).unwrap();
        assert_eq!(account.owner.holder, Holder::Account("a".into()));
        let nobody = read(&json!({"accountid": null})).unwrap();
        assert_eq!(nobody.owner.holder, Holder::Unknown);
    }

    #[test]
    fn backups_count_bytes_or_hours_as_their_text_says() {
        let bytes =
            read(&json!({"usagetype": 28, "rawusage": "12345678901", "usage": "11.4978 GiB"}));
        assert_eq!(bytes.unwrap().quantity, Quantity::bytes(12_345_678_901));
        let hours = read(&json!({"usagetype": 28, "rawusage": "1.5", "usage": "1.5 Hrs"}));
        assert_eq!(hours.unwrap().quantity, Quantity::time(5_400_000));
    }

    #[test]
    fn unknown_types_are_kept_with_what_their_text_says() {
        for (raw, usage, expected) in [
            ("1.5", "1.5 Hrs", Quantity::time(5_400_000)),
            ("1024", "1024 bytes sent", Quantity::bytes(1024)),
            ("7", "7 requests", Quantity::count(7)),
            ("7", "", Quantity::count(7)),
        ] {
            let record = read(&json!({"usagetype": 99, "rawusage": raw, "usage": usage})).unwrap();
            assert_eq!(record.usage_type, UsageType::Unknown(99));
            assert_eq!(record.quantity, expected);
        }
        assert_eq!(
            read(&json!({"usagetype": 99, "rawusage": "7.5", "usage": ""}))
                .unwrap_err()
                .slug(),
            "quantity_not_whole"
        );
    }

    #[test]
    fn a_known_type_keeps_its_unit_whatever_the_text_says() {
        let record = read(&json!({"usagetype": 2, "rawusage": "1", "usage": "1 bytes"})).unwrap();
        assert_eq!(record.quantity, Quantity::time(3_600_000));
    }

    #[test]
    fn windows_become_half_open_and_reversed_ones_are_refused() {
        let second =
            json!({"startdate": "2026-10-01T10:00:05+0000", "enddate": "2026-10-01T10:00:05+0000"});
        assert_eq!(read(&second).unwrap().window.millis(), 1000);
        let reversed = json!({"enddate": "2026-09-30T23:59:59+0000"});
        assert_eq!(read(&reversed).unwrap_err().slug(), "window_reversed");
    }

    #[test]
    fn a_broken_record_is_rejected_at_its_place_and_the_rest_is_read() {
        let body = json!({"x": {"count": 3, "usagerecord": [
            record(&json!({})), record(&json!({"rawusage": "-3"})), record(&json!({"domainid": null})), record(&json!({})), 5,
        ]}});
        let page = parse_usage_page("page 4", body.to_string().as_bytes()).unwrap();
        assert_eq!(page.records.len(), 2);
        let rejections: Vec<_> = page
            .rejections
            .iter()
            .map(|r| {
                (
                    r.page.as_str(),
                    r.position,
                    r.field.as_deref(),
                    r.slug.as_str(),
                )
            })
            .collect();
        assert_eq!(
            rejections,
            [
                ("page 4", 2, Some("rawusage"), "quantity_not_a_number"),
                ("page 4", 3, Some("domainid"), "field_missing"),
                ("page 4", 5, None, "not_an_object"),
            ]
        );
        assert!(page.rejections[0].json.contains("-3"));
    }

    proptest! {
        #[test]
        fn a_stored_record_reads_back_as_it_was(raw in 0_u64..100_000, name in "\\PC{1,20}", size in any::<u64>()) {
            let json = record(&json!({"rawusage": raw.to_string(), "name": name, "size": size, "tags": [{"key": name, "value": "v"}]}));
            let body = json!({"r": {"count": 1, "usagerecord": [json]}}).to_string();
            let page = parse_usage_page("page", body.as_bytes()).unwrap();
            prop_assert_eq!(page.records.len(), 1);
            let parsed = &page.records[0];
            prop_assert!(body.contains(&*parsed.json));
            prop_assert_eq!(&parse_usage_record(&parsed.json).unwrap(), &parsed.record);
            prop_assert_eq!(parsed.record.name.as_deref(), Some(name.as_str()));
            prop_assert_eq!(parsed.record.size_bytes, Some(size));
        }

        #[test]
        fn any_text_is_read_or_refused_without_a_panic(text in "\\PC{0,60}") {
            let _ = parse_usage_record(&text);
        }
    }
}
