//! `csbill forecast`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use rating_engine::{Exact, Rating, RoundingMode, forecast};

use crate::bill::BillArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::InputArgs;
use crate::output::{self, Target};
use crate::{dates, rating, table};

/// Flags of `csbill forecast`.
#[derive(Debug, Args)]
pub(crate) struct ForecastArgs {
    /// Forecast from here, whatever is known of later [default: the last usage known].
    #[arg(long, value_name = "TIME", value_parser = dates::instant)]
    known_until: Option<DateTime<Utc>>,
    /// Where to write; `-` or nothing is standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    input: InputArgs,
}

impl ForecastArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let book = rating::load_book(&self.bill.book)?;
        let period = self.bill.period(&book)?;
        let mut input = self.input.open()?;
        let inventory = rating::inventory(&book, &mut input)?;
        let mut records = Vec::new();
        input.usage(Rating::input_range(period), &mut |record| {
            records.push(record.clone());
            Ok(())
        })?;
        let draft = forecast(&book, &inventory, &records, period, self.known_until)?;
        let text = if json {
            output::json_text(&draft.to_json())?
        } else {
            let percent = Exact::from(100) * draft.share();
            format!(
                "Forecast, a draft: usage is known until {}; {} so far, {} at the end, {} % of it forecast\n\n{}",
                draft
                    .known_until
                    .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
                draft.to_date.total,
                draft.bill.total,
                percent.to_decimal_string(1, RoundingMode::HalfAway),
                table::overview(&draft.bill)?,
            )
        };
        Target::of(self.output.as_deref()).write(text.as_bytes())?;
        Ok(rating::exit(&draft.bill))
    }
}
