//! `csbill totals`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use cloudstack_usage::{DomainId, Holder, Inventory, Period};
use rating_engine::{Currency, Exact, PriceBook, Rating, RoundingMode, Total};
use serde_json::{Value, json};

use crate::bill::BillArgs;
use crate::columns::{Heading, layout};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Input, InputArgs, must_exist};
use crate::output::{self, Target};
use crate::progress::Progress;
use crate::rating;

/// Flags of `csbill totals`.
#[derive(Debug, Args)]
pub(crate) struct TotalsArgs {
    /// What to add up, within each month and statement.
    #[arg(long, value_enum, default_value = "statement")]
    by: By,
    /// Where to write; `-` or nothing is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The statement as a whole.
    Statement,
    /// Its projects and accounts.
    Owner,
    /// Its cost centres.
    CostCentre,
    /// Its meters, services, packages and minimum charges.
    Item,
}

/// The sum of a month, statement and part of it.
struct Row {
    month: Period,
    statement: String,
    part: String,
    net: Exact,
}

impl TotalsArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        must_exist(&self.bill.book)?;
        let book = rating::load_book(&self.bill.book)?;
        let period = self.bill.period(&book)?;
        let mut input = self.input.open()?;
        let progress = Progress::new("rating");
        let inventory = rating::inventory(&book, &mut input)?;
        let mut rows = Vec::new();
        for month in book.civil_months(period) {
            let totals = totals(&book, &inventory, month, &mut input)?;
            rows.extend(self.rows(&inventory, month, &totals));
        }
        drop(progress);
        let text = if json {
            output::json_text(&document(&book, period, &rows))?
        } else {
            self.table(&book, &rows)
        };
        Target::of(self.output.as_deref()).write(text.as_bytes())?;
        Ok(Exit::Success)
    }

    /// Sums in the order of statements and parts.
    fn rows(&self, inventory: &Inventory, month: Period, totals: &[Total]) -> Vec<Row> {
        let mut sums: BTreeMap<(String, String), Exact> = BTreeMap::new();
        for total in totals {
            let statement = path(inventory, &total.account, month);
            let part = self.part(inventory, total, month);
            *sums.entry((statement, part)).or_default() += total.net.clone();
        }
        let rows = sums.into_iter().map(|((statement, part), net)| Row {
            month,
            statement,
            part,
            net,
        });
        rows.collect()
    }

    fn part(&self, inventory: &Inventory, total: &Total, month: Period) -> String {
        match self.by {
            By::Statement => String::new(),
            By::Owner => owner(inventory, &total.holder, month),
            By::CostCentre => total.cost_centre.clone().unwrap_or_default(),
            By::Item => format!("{} {}", total.item.kind(), total.item.name()),
        }
    }

    fn table(&self, book: &PriceBook, rows: &[Row]) -> String {
        let currency = book.currency();
        let parts = self.by != By::Statement;
        let mut headings = vec![Heading("Month", false), Heading("Statement", false)];
        headings.extend(parts.then_some(Heading("Part", false)));
        headings.push(Heading("Net", true));
        let line = |month: String, statement: &str, part: &str, net: &Exact| {
            let mut line = vec![month, statement.to_owned()];
            line.extend(parts.then(|| part.to_owned()));
            line.push(printed(net, currency));
            line
        };
        let mut lines: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                let month = name(book, row.month);
                line(month, &row.statement, &row.part, &row.net)
            })
            .collect();
        let total: Exact = rows.iter().map(|row| &row.net).sum();
        lines.push(line("Total".to_owned(), currency.code(), "", &total));
        layout(&headings, &lines)
    }
}

fn totals(
    book: &PriceBook,
    inventory: &Inventory,
    month: Period,
    input: &mut Input,
) -> Result<Vec<Total>, Failure> {
    let mut rating = Rating::new(book, inventory, month)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()))?;
    input.usage(Rating::input_range(month), &mut |record| {
        rating.push(record);
        Ok(())
    })?;
    Ok(rating.totals().totals)
}

fn document(book: &PriceBook, period: Period, rows: &[Row]) -> Value {
    let currency = book.currency();
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            json!({
                "month": name(book, row.month),
                "statement": row.statement,
                "part": row.part,
                "net": printed(&row.net, currency),
                "exact": row.net,
            })
        })
        .collect();
    json!({ "period": period, "currency": currency.code(), "totals": rows })
}

/// The month that a period lies in, as `2026-10`.
fn name(book: &PriceBook, month: Period) -> String {
    let first = book.civil_date(month.start());
    first.format("%Y-%m").to_string()
}

fn printed(net: &Exact, currency: Currency) -> String {
    net.to_decimal_string(currency.minor_digits(), RoundingMode::HalfAway)
}

fn path(inventory: &Inventory, domain: &DomainId, month: Period) -> String {
    let entry = inventory.domains.get(domain);
    let path = entry.and_then(|entry| entry.path.nearest(month.end()));
    path.cloned().unwrap_or_else(|| domain.to_string())
}

fn owner(inventory: &Inventory, holder: &Holder, month: Period) -> String {
    let (kind, id, name) = match holder {
        Holder::Project(id) => {
            let entry = inventory.projects.get(id);
            ("project", id.to_string(), entry.map(|entry| &entry.name))
        }
        Holder::Account(id) => {
            let entry = inventory.accounts.get(id);
            ("account", id.to_string(), entry.map(|entry| &entry.name))
        }
        Holder::Unknown => return "nobody".to_owned(),
    };
    let name = name.and_then(|name| name.nearest(month.end())).cloned();
    format!("{kind} {}", name.unwrap_or(id))
}
