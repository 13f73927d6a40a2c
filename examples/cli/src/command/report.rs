//! `csbill report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use report_export::{Csv, GroupBy, Report, View, lines, summary};

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
        let bill = self.bill.bill(|| self.input.open())?;
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
        Ok(format)
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
