//! `csbill rerate`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use rating_engine::{Correction, CorrectionLine, Issued, PriceBook, correct};
use serde_json::Value;

use super::issue::IssuerArgs;
use crate::bill::period_of;
use crate::columns::{Heading, layout};
use crate::dates::{Date, Month};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::ledger::Ledger;
use crate::output::{self, Target};
use crate::rating;

/// Flags of `csbill rerate`.
#[derive(Debug, Args)]
pub(crate) struct RerateArgs {
    /// The civil month whose bill `csbill issue` put into the database.
    #[arg(long, value_name = "YYYY-MM", required_unless_present_any = ["issued", "from"])]
    month: Option<Month>,
    /// The first day of that bill's period, or the instant of its beginning.
    #[arg(long, value_name = "DATE", requires = "to", conflicts_with = "month")]
    from: Option<Date>,
    /// The last day, included; or the instant of the end, excluded.
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<Date>,
    /// In place of the database's: the bill as it was issued, the JSON of `csbill report bill`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["month", "from"])]
    issued: Option<PathBuf>,
    /// The corrections of that file that were issued since, in their order.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "issued")]
    correction: Vec<PathBuf>,
    /// Issue the correction: it is kept in the database, and the next one comes on top of it.
    #[arg(long, conflicts_with = "issued")]
    issue: bool,
    #[command(flatten)]
    issuer: IssuerArgs,
    /// The price book, TOML or (by its name) JSON.
    #[arg(long, value_name = "FILE", env = "CSBILL_BOOK")]
    book: PathBuf,
    /// The month in which the correction is billed [default: the one corrected].
    #[arg(long, value_name = "YYYY-MM")]
    billed_in: Option<Month>,
    /// Where to write; `-` or nothing is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    input: InputArgs,
}

impl RerateArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let issuing = self.issue.then(|| self.issuer.issuing()).transpose()?;
        let book = rating::load_book(&self.book)?;
        let issued = self.held(&book)?;
        let mut input = self.input.open()?;
        let fresh = rating::rate(&book, issued.period, &mut input)?;
        let Some(mut correction) = correct(&issued, &fresh)? else {
            output::note("nothing changed; there is nothing to correct");
            return Ok(Exit::Nothing);
        };
        if let Some(month) = self.billed_in {
            let period = rating::civil_period(&book, month.first(), month.last())?;
            correction = correction.billed_in(period);
        }
        let document = output::json_text(&correction.to_json())?;
        if let Some(issuing) = issuing {
            let book = rating::text_of_book(&self.book, &fresh.book)?;
            let mut ledger = Ledger::open(self.input.database())?;
            ledger.keep_book(&fresh.book.name, &book, &issuing)?;
            ledger.keep_correction(correction.period, &document, &issuing)?;
        }
        let text = if json { document } else { text(&correction) };
        Target::of(self.output.as_deref()).write(text.as_bytes())?;
        Ok(rating::exit(&fresh))
    }

    /// What customers hold: the bill with all corrections.
    fn held(&self, book: &PriceBook) -> Result<Issued, Failure> {
        let Some(path) = &self.issued else {
            let period = period_of(book, self.month, self.from, self.to)?;
            let held = Ledger::open(self.input.database())?.held(period)?;
            return held.ok_or_else(|| {
                let message = format!(
                    "no bill of {period} was issued; `csbill issue` does, or name a file with --issued"
                );
                Failure::new(Exit::Nothing, message)
            });
        };
        let issued = Issued::from_json(&read(path)?).map_err(named(path))?;
        self.correction.iter().try_fold(issued, |issued, path| {
            let correction = Correction::from_json(&read(path)?).map_err(named(path))?;
            issued.with(&correction).map_err(named(path))
        })
    }
}

fn read(path: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    serde_json::from_str(&text).map_err(|error| {
        let message = format!("{}: no valid JSON: {error}", path.display());
        Failure::new(Exit::Failed, message)
    })
}

/// The file's name before the error.
fn named(path: &Path) -> impl Fn(rating_engine::RatingError) -> Failure + '_ {
    move |error| {
        let failure = Failure::from(error);
        Failure::new(failure.exit(), format!("{}: {failure}", path.display()))
    }
}

fn text(correction: &Correction) -> String {
    let mut out = format!("Correction of {}\n", correction.period);
    for statement in &correction.statements {
        let _ = writeln!(out, "\n{}", statement.path);
        let mut rows: Vec<Vec<String>> = statement.lines.iter().map(row).collect();
        rows.push(vec![
            "Total".to_owned(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            statement.total.amount.clone(),
            correction.currency.to_string(),
        ]);
        out.push_str(&layout(HEADINGS, &rows));
    }
    let _ = writeln!(
        out,
        "\nTotal {} {}",
        correction.total.amount, correction.currency
    );
    out
}

const HEADINGS: &[Heading] = &[
    Heading("Resource", false),
    Heading("Item", false),
    Heading("Period", false),
    Heading("Issued", true),
    Heading("Right", true),
    Heading("Difference", true),
    Heading("Why", false),
];

fn row(line: &CorrectionLine) -> Vec<String> {
    let net = |state: &Option<rating_engine::LineState>| {
        let mode = rating_engine::RoundingMode::HalfAway;
        state.as_ref().map_or_else(
            || "-".to_owned(),
            |state| state.net.to_decimal_string(4, mode),
        )
    };
    let reasons: Vec<&str> = line.reasons.iter().map(|reason| reason.text()).collect();
    vec![
        line.subject.resource_name.clone(),
        line.subject.label.clone(),
        line.subject.period.to_string(),
        net(&line.before),
        net(&line.now),
        line.difference.amount.clone(),
        reasons.join(", "),
    ]
}
