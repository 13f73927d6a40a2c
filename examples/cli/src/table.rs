//! Reports as tables for people and as JSON for programs.

use std::fmt::Write as _;

use rating_engine::{Bill, Currency, Finding, Money, RoundingMode};
use report_export::{Cell, Column, Control, ExportError, GroupBy, Report, Sink, View, summary};
use serde_json::{Map, Value, json};

/// Columns narrower than this are never cut.
const WIDTH: usize = 48;

/// Lays a report out with aligned columns: numbers right, all else left. Columns for
/// reference only are left to files.
pub(crate) fn text(report: &Report<'_>) -> Result<String, ExportError> {
    let mut sink = TableSink::default();
    report.write(&mut sink)?;
    Ok(sink.layout())
}

#[derive(Default)]
struct TableSink {
    headings: Vec<String>,
    right: Vec<bool>,
    shown: Vec<bool>,
    rows: Vec<Vec<String>>,
    totals: Option<Vec<String>>,
}

impl Sink for TableSink {
    fn begin(&mut self, _: &str, _: &str, columns: &[Column]) -> Result<(), ExportError> {
        let shown = || columns.iter().filter(|column| !column.is_for_reference());
        self.headings = shown().map(Column::heading).collect();
        self.right = shown().map(Column::is_numeric).collect();
        self.shown = columns
            .iter()
            .map(|column| !column.is_for_reference())
            .collect();
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        let row = self.cells(cells);
        self.rows.push(row);
        Ok(())
    }

    fn finish(&mut self, totals: &[Cell<'_>], _: &Control) -> Result<(), ExportError> {
        let totals = self.cells(totals);
        self.totals = totals.iter().any(|text| !text.is_empty()).then_some(totals);
        Ok(())
    }
}

impl TableSink {
    fn cells(&self, cells: &[Cell<'_>]) -> Vec<String> {
        let shown = cells.iter().zip(&self.shown).filter(|(_, shown)| **shown);
        shown.map(|(cell, _)| printed(cell)).collect()
    }

    fn layout(&self) -> String {
        let all = || {
            std::iter::once(&self.headings)
                .chain(&self.rows)
                .chain(&self.totals)
        };
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let lengths = all()
                    .filter_map(|row| row.get(column))
                    .map(|text| length(text));
                lengths.max().unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        let mut push = |row: &[String]| {
            let cells = row.iter().zip(&widths).zip(&self.right);
            let line: Vec<String> = cells
                .map(|((text, width), right)| {
                    let gap = " ".repeat(width.saturating_sub(length(text)));
                    if *right {
                        gap + text
                    } else {
                        text.clone() + &gap
                    }
                })
                .collect();
            out.push_str(line.join("  ").trim_end());
            out.push('\n');
        };
        let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        push(&self.headings);
        push(&rule);
        self.rows.iter().for_each(|row| push(row));
        if let Some(totals) = &self.totals {
            push(&rule);
            push(totals);
        }
        out
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// A cell on one line of a terminal: no control characters, and not too long.
fn printed(cell: &Cell<'_>) -> String {
    let text: String = plain(cell)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if !matches!(cell, Cell::Text(_)) || length(&text) <= WIDTH {
        return text;
    }
    let cut: String = text.chars().take(WIDTH - 1).collect();
    cut + "…"
}

fn plain(cell: &Cell<'_>) -> String {
    match cell {
        Cell::Text(text) => text.to_string(),
        Cell::Decimal(decimal) => decimal.to_string(),
        Cell::Integer(number) => number.to_string(),
        Cell::Date(date) => date.to_string(),
        Cell::Instant(instant) => instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true),
        _ => String::new(),
    }
}

/// A report as JSON: its rows as objects, decimals as text so that no digit is lost.
pub(crate) fn json(report: &Report<'_>) -> Result<Value, ExportError> {
    let mut sink = JsonSink::default();
    report.write(&mut sink)?;
    Ok(sink.whole)
}

#[derive(Default)]
struct JsonSink {
    names: Vec<&'static str>,
    rows: Vec<Value>,
    whole: Value,
}

impl JsonSink {
    fn object(&self, cells: &[Cell<'_>]) -> Value {
        let fields = self.names.iter().zip(cells);
        fields
            .map(|(name, cell)| ((*name).to_owned(), value(cell)))
            .collect::<Map<_, _>>()
            .into()
    }
}

impl Sink for JsonSink {
    fn begin(&mut self, name: &str, title: &str, columns: &[Column]) -> Result<(), ExportError> {
        self.names = columns.iter().map(Column::name).collect();
        self.whole = json!({ "report": name, "title": title });
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ExportError> {
        let row = self.object(cells);
        self.rows.push(row);
        Ok(())
    }

    fn finish(&mut self, totals: &[Cell<'_>], control: &Control) -> Result<(), ExportError> {
        let totals = self.object(totals);
        let rows = std::mem::take(&mut self.rows);
        if let Some(whole) = self.whole.as_object_mut() {
            whole.insert("currency".to_owned(), json!(control.currency.code()));
            whole.insert(
                "period".to_owned(),
                json!({
                    "start": control.period_start,
                    "end": control.period_end,
                    "zone": control.zone,
                }),
            );
            whole.insert("filter".to_owned(), json!(control.filter));
            whole.insert("digest".to_owned(), json!(control.digest));
            whole.insert("rows".to_owned(), Value::Array(rows));
            whole.insert("totals".to_owned(), totals);
        }
        Ok(())
    }
}

fn value(cell: &Cell<'_>) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Integer(number) => {
            i64::try_from(*number).map_or_else(|_| Value::String(number.to_string()), Value::from)
        }
        other => Value::String(plain(other)),
    }
}

/// A finding with its money, in lines that a terminal holds.
pub(crate) fn finding(finding: &Finding, currency: Currency) -> String {
    let money = finding.value.as_ref().map_or_else(
        || "value unknown".to_owned(),
        |exact| Money::round(exact, currency, RoundingMode::HalfAway).to_string(),
    );
    let text = format!("{}: {}", finding.kind.slug(), finding.message);
    format!("{money:>16}  {}", wrapped(&text, 18))
}

/// Columns of a terminal that texts for people keep to.
const TERMINAL: usize = 100;

/// A text broken between words, its further lines indented.
fn wrapped(text: &str, indent: usize) -> String {
    let mut out = String::new();
    let mut used = indent;
    for word in text.split_whitespace() {
        if used > indent && used + 1 + length(word) > TERMINAL {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            used = indent;
        } else if used > indent {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length(word);
    }
    out
}

/// A period for people: its days where it is whole days of the zone, else its instants.
fn period(bill: &Bill) -> String {
    let (start, end) = (bill.period.start(), bill.period.end());
    report_export::civil_days(bill.period, &bill.zone).map_or_else(
        || format!("{start:?} to {end:?} (end excluded)"),
        |(first, last)| format!("{first} to {last} ({})", bill.zone),
    )
}

/// A bill for people: totals by domain, findings with their money, what became of records.
pub(crate) fn overview(bill: &Bill) -> Result<String, ExportError> {
    let view = View::of_bill(bill)?;
    let mut out = format!("{}: {}\n\n", bill.book.name, period(bill));
    out.push_str(&text(&summary(&view, &[GroupBy::Domain])?)?);
    out.push_str("\nFindings\n");
    if bill.findings.is_empty() {
        out.push_str("  none\n");
    }
    for (index, one) in bill.findings.iter().enumerate() {
        if index == SHOWN_FINDINGS {
            let more = bill.findings.len() - SHOWN_FINDINGS;
            let _ = writeln!(out, "  and {more} more");
            break;
        }
        out.push_str(&finding(one, bill.currency));
        out.push('\n');
    }
    let counts = &bill.counts;
    let _ = writeln!(
        out,
        "\nRecords: {} = {} charged + {} exempt + {} for reference + {} held",
        counts.records, counts.charged, counts.exempt, counts.reference, counts.held
    );
    Ok(out)
}

/// As many findings as an overview shows, dearest first.
const SHOWN_FINDINGS: usize = 12;
