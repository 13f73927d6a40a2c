//! `csbill report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use rating_engine::Bill;
use report_export::{Csv, Focus, GroupBy, Report, View, focus, lines, summary};

use crate::bill::{BillArgs, FilterArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::output::{self, Target};
use crate::{rating, table, workbooks};

/// Flags of `csbill report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Which report.
    #[arg(value_enum, default_value = "summary")]
    report: Kind,
    /// What a summary is by; several for a finer one.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "domain")]
    by: Vec<By>,
    /// The format; by the name of the output file, else a table.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The dialect of CSV.
    #[arg(long, value_enum, default_value = "rfc4180")]
    dialect: Dialect,
    /// FOCUS: who issues the invoices; the price book's name where nothing is said.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// FOCUS: the number of a billing account's invoice, such as `ROOT/acme=2026-0042`;
    /// several for several accounts.
    #[arg(long = "invoice", value_name = "DOMAIN=NUMBER", value_parser = invoice)]
    invoices: Vec<(String, String)>,
    /// One customer alone, by its domain's path, with dates civil in the time zone that the
    /// book gives it.
    #[arg(long, value_name = "DOMAIN")]
    customer: Option<String>,
    /// Where to write; `-` or nothing is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Amounts added by what `--by` names.
    Summary,
    /// Every line item with owner, dates, tags and cost centre.
    Lines,
    /// What is wrong or doubtful.
    Findings,
    /// The whole bill, as JSON by its schema.
    Bill,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    Statement,
    Domain,
    Project,
    Vm,
    Volume,
    CostCentre,
    /// The meter, service or package.
    #[value(alias = "meter")]
    Item,
}

impl From<By> for GroupBy {
    fn from(by: By) -> Self {
        match by {
            By::Statement => Self::Statement,
            By::Domain => Self::Domain,
            By::Project => Self::Project,
            By::Vm => Self::Vm,
            By::Volume => Self::Volume,
            By::CostCentre => Self::CostCentre,
            By::Item => Self::Item,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, at a terminal.
    Table,
    /// Comma separated.
    Csv,
    /// A workbook with summaries, lines and findings.
    Xlsx,
    /// For programs.
    Json,
    /// Costs and usage by the FinOps standard FOCUS 1.2, as CSV: every line, with taxes and
    /// deposits.
    Focus,
}

/// `ROOT/acme=2026-0042`.
fn invoice(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((account, number)) if !account.is_empty() && !number.is_empty() => {
            Ok((account.to_owned(), number.to_owned()))
        }
        _ => Err("write the domain and the number, such as ROOT/acme=2026-0042".to_owned()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Dialect {
    /// Commas, decimal points.
    Rfc4180,
    /// For a German Excel: semicolons, decimal commas, byte order mark.
    ExcelDe,
}

impl ReportArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let format = self.format(json)?;
        let target = Target::of(self.output.as_deref());
        let bill = self
            .bill
            .bill_of(self.customer.as_deref(), || self.input.open())?;
        let view = self.filter.view(&bill)?;
        if view.totals().lines == 0 && self.report != Kind::Findings {
            return Err(Failure::new(
                Exit::Nothing,
                "nothing was used in this period; nothing was written",
            ));
        }
        let bytes = match (self.report, format) {
            (Kind::Bill, Format::Json) => output::json_text(&bill.to_json())?.into_bytes(),
            (_, Format::Xlsx) => {
                let (bytes, warnings) = workbooks::bytes(&view)?;
                if warnings.count > 0 {
                    output::note(&format!(
                        "{} cells were written as text, since no digit may be lost",
                        warnings.count
                    ));
                }
                bytes
            }
            (_, Format::Csv) => self.csv().to_bytes(&self.chosen(&view)?)?,
            (_, Format::Focus) => self.csv().to_bytes(&focus(&view, &self.focus(&bill)?))?,
            (_, Format::Json) => {
                output::json_text(&table::json(&self.chosen(&view)?)?)?.into_bytes()
            }
            (_, Format::Table) => table::text(&self.chosen(&view)?)?.into_bytes(),
        };
        target.write(&bytes)?;
        Ok(rating::exit(&bill))
    }

    fn format(&self, json: bool) -> Result<Format, Failure> {
        let by_name = self.output.as_ref().and_then(|path| {
            let extension = path.extension()?.to_str()?.to_lowercase();
            match extension.as_str() {
                "csv" => Some(Format::Csv),
                "xlsx" => Some(Format::Xlsx),
                "json" => Some(Format::Json),
                _ => None,
            }
        });
        let format = match (self.format, json) {
            (Some(format), false) => format,
            (None | Some(Format::Json), true) => Format::Json,
            (Some(_), true) => {
                let message = "--json and --format contradict each other";
                return Err(Failure::new(Exit::Usage, message));
            }
            (None, false) if self.report == Kind::Bill => Format::Json,
            (None, false) => by_name.unwrap_or(Format::Table),
        };
        if self.report == Kind::Bill && format != Format::Json {
            let message = "the report `bill` is JSON; for people there are summary and lines";
            return Err(Failure::new(Exit::Usage, message));
        }
        let other_rows = matches!(self.report, Kind::Findings);
        if other_rows && format == Format::Focus {
            let message = "FOCUS has costs and usage; findings are csv, xlsx or json";
            return Err(Failure::new(Exit::Usage, message));
        }
        let of_focus = self.provider.is_some() || !self.invoices.is_empty();
        if of_focus && format != Format::Focus {
            let message = "--provider and --invoice belong to --format focus";
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(format)
    }

    /// Who issues, and under which numbers; a number for nobody is a slip of the pen.
    fn focus(&self, bill: &Bill) -> Result<Focus, Failure> {
        let provider = self.provider.as_ref().unwrap_or(&bill.book.name);
        let mut focus = Focus::new(provider.as_str());
        for (account, number) in &self.invoices {
            let mut statements = bill.statements.iter();
            let known =
                statements.any(|one| one.path == *account || one.account.to_string() == *account);
            if !known {
                let message = format!(
                    "--invoice {account}={number}: this period has no statement of {account}; give the path or id of a billing account"
                );
                return Err(Failure::new(Exit::Usage, message));
            }
            focus = focus.with_invoice(account.as_str(), number.as_str());
        }
        Ok(focus)
    }

    fn csv(&self) -> Csv {
        match self.dialect {
            Dialect::Rfc4180 => Csv::rfc4180(),
            Dialect::ExcelDe => Csv::excel_de(),
        }
    }

    fn chosen<'a>(&self, view: &View<'a>) -> Result<Report<'a>, Failure> {
        let by: Vec<GroupBy> = self.by.iter().map(|by| GroupBy::from(*by)).collect();
        Ok(match self.report {
            Kind::Lines => lines(view),
            Kind::Findings => report_export::findings(view)?,
            Kind::Summary | Kind::Bill => summary(view, &by)?,
        })
    }
}
