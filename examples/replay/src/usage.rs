//! `listUsageRecords`.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::paging::Paging;
use crate::recording::Recording;
use crate::request::Params;
use crate::time::{self, Bound};

const COMMAND: &str = "listUsageRecords";

/// What a request asks for, checked. Only windows that lie wholly between `start` and `end`,
/// both included, are meant.
struct Filter {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    usage_type: Option<i64>,
    usage_id: Option<String>,
    domains: Option<BTreeSet<String>>,
    project: Option<String>,
    account: Account,
}

enum Account {
    Any,
    Id(String),
    Named { name: String, domain: String },
}

/// The window of each record as sent, read once; none where it is malformed.
pub(crate) struct Windows(Vec<Window>);

struct Window {
    start: Option<DateTime<Utc>>,
    end: Option<DateTime<Utc>>,
}

impl Windows {
    pub(crate) fn of(recording: &Recording) -> Self {
        let window = |record| Window {
            start: date(record, "startdate"),
            end: date(record, "enddate"),
        };
        Self(recording.usage.iter().map(window).collect())
    }
}

/// Answers `listUsageRecords` at `now` from the whole recording, as a root administrator
/// sees it.
pub(crate) fn answer(
    recording: &Recording,
    windows: &Windows,
    params: &Params,
    now: DateTime<Utc>,
    max_page_size: usize,
    unreadable: &BTreeSet<usize>,
) -> Answer {
    read(recording, windows, params, now, max_page_size, unreadable)
        .unwrap_or_else(|refusal| refusal)
}

fn read(
    recording: &Recording,
    windows: &Windows,
    params: &Params,
    now: DateTime<Utc>,
    max_page_size: usize,
    unreadable: &BTreeSet<usize>,
) -> Result<Answer, Answer> {
    let paging = Paging::read(COMMAND, params, max_page_size)?;
    let filter = Filter::read(recording, params, now)?;
    let chosen: Vec<(usize, &Value)> = recording
        .usage
        .iter()
        .enumerate()
        .zip(&windows.0)
        .filter(|((_, record), window)| {
            // a record without dates is in every range
            window
                .end
                .is_none_or(|end| time::ended(end) <= now && end <= filter.end)
                && window.start.is_none_or(|start| filter.start <= start)
                && filter.matches(record)
        })
        .map(|(entry, _)| entry)
        .collect();
    let page = chosen.get(paging.of(chosen.len())).unwrap_or_default();
    if page
        .iter()
        .any(|(position, _)| unreadable.contains(position))
    {
        return Ok(Answer::internal(COMMAND));
    }
    let with_tags = params.is_true("includetags");
    let records = page
        .iter()
        .map(|(_, record)| {
            let mut record = (*record).clone();
            if let (Some(tags), false) = (record.get_mut("tags"), with_tags) {
                *tags = json!([]);
            }
            record
        })
        .collect();
    Ok(Answer::page(COMMAND, chosen.len(), "usagerecord", records))
}

fn date(record: &Value, name: &str) -> Option<DateTime<Utc>> {
    time::answered(record.get(name)?.as_str()?)
}

fn text<'a>(record: &'a Value, name: &str) -> Option<&'a str> {
    record.get(name)?.as_str()
}

impl Filter {
    fn read(recording: &Recording, params: &Params, now: DateTime<Utc>) -> Result<Self, Answer> {
        let bound = |name: &str, bound: Bound| {
            let text = params
                .get(name)
                .ok_or_else(|| Answer::missing(COMMAND, name))?;
            time::requested(text, bound).ok_or_else(|| {
                let text = format!(
                    "Unable to parse date {text} for command listusagerecords, please pass dates in the format mentioned in the api documentation"
                );
                Answer::parameter(COMMAND, &text)
            })
        };
        let start = bound("startdate", Bound::Start)?;
        let end = bound("enddate", Bound::End)?;
        if start > end {
            let java = |time: DateTime<Utc>| time.format("%a %b %d %H:%M:%S UTC %Y").to_string();
            let text = format!(
                "Incorrect Date Range. Start date: {} is after end date:{}",
                java(start),
                java(end)
            );
            return Err(Answer::value(COMMAND, &text));
        }
        let usage_type = match params.get("type") {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| Answer::invalid(COMMAND, "type", text))?,
            ),
        };
        let usage_id = params.get("usageid").map(str::to_owned);
        if usage_id.is_some() && usage_type.is_none() {
            let text = "Usageid must be specified together with usage type";
            return Err(Answer::value(COMMAND, text));
        }
        Ok(Self {
            start,
            end,
            usage_type,
            usage_id,
            domains: domains(recording, params, now)?,
            project: project(recording, params, now)?,
            account: Account::read(params)?,
        })
    }

    fn matches(&self, record: &Value) -> bool {
        let domain = text(record, "domainid");
        self.start < self.end
            && self.usage_type.is_none_or(|wanted| {
                record.get("usagetype").and_then(Value::as_i64) == Some(wanted)
            })
            && self.has_usage_id(record)
            && self
                .domains
                .as_ref()
                .is_none_or(|wanted| domain.is_some_and(|id| wanted.contains(id)))
            && self
                .project
                .as_deref()
                .is_none_or(|wanted| text(record, "projectid") == Some(wanted))
            && match &self.account {
                Account::Any => true,
                Account::Id(id) => text(record, "accountid") == Some(id),
                Account::Named { name, domain: id } => {
                    text(record, "account") == Some(name) && domain == Some(id)
                }
            }
    }

    /// Types 26, 27, 29, 30 and 31 cannot be asked for by id; 13 is by its offering.
    fn has_usage_id(&self, record: &Value) -> bool {
        let Some(wanted) = self.usage_id.as_deref() else {
            return true;
        };
        match self.usage_type {
            Some(13) => text(record, "offeringid") == Some(wanted),
            Some(25..=27 | 29..=31) => false,
            _ => text(record, "usageid") == Some(wanted),
        }
    }
}

/// The domains that `domainid` means: that one, with `isrecursive` also those below it that
/// exist now.
fn domains(
    recording: &Recording,
    params: &Params,
    now: DateTime<Utc>,
) -> Result<Option<BTreeSet<String>>, Answer> {
    let Some(wanted) = params.get("domainid") else {
        return Ok(None);
    };
    let live = recording.listed("listDomains", now);
    let path = live
        .iter()
        .find(|domain| text(domain, "id") == Some(wanted))
        .and_then(|domain| text(domain, "path"));
    // a domain that was removed still resolves
    let in_usage = || {
        recording
            .usage
            .iter()
            .any(|record| text(record, "domainid") == Some(wanted))
    };
    if path.is_none() && !in_usage() {
        return Err(Answer::unknown_id(COMMAND, "domainid", wanted));
    }
    let mut domains = BTreeSet::from([wanted.to_owned()]);
    if let (Some(path), true) = (path, params.is_true("isrecursive")) {
        let below = format!("{path}/");
        domains.extend(
            live.iter()
                .filter(|domain| text(domain, "path").is_some_and(|p| p.starts_with(&below)))
                .filter_map(|domain| text(domain, "id").map(str::to_owned)),
        );
    }
    Ok(Some(domains))
}

/// The project asked for. One that was removed is refused.
fn project(
    recording: &Recording,
    params: &Params,
    now: DateTime<Utc>,
) -> Result<Option<String>, Answer> {
    let Some(wanted) = params.get("projectid") else {
        return Ok(None);
    };
    let live = recording.listed("listProjects", now);
    if live
        .iter()
        .any(|project| text(project, "id") == Some(wanted))
    {
        return Ok(Some(wanted.to_owned()));
    }
    let text = format!("Unable to find project by id {wanted}");
    Err(Answer::value(COMMAND, &text))
}

impl Account {
    fn read(params: &Params) -> Result<Self, Answer> {
        if let Some(id) = params.get("accountid") {
            if params.get("projectid").is_some() {
                let text = "accountid and projectid cannot be given together";
                return Err(Answer::value(COMMAND, text));
            }
            return Ok(Self::Id(id.to_owned()));
        }
        // a name says nothing without its domain, and nothing in a recursive query
        match (params.get("account"), params.get("domainid")) {
            (Some(name), Some(domain)) if !params.is_true("isrecursive") => Ok(Self::Named {
                name: name.to_owned(),
                domain: domain.to_owned(),
            }),
            _ => Ok(Self::Any),
        }
    }
}
