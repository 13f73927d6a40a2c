//! `csbill shadow`: why CloudStack's Quota and our bill differ.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use clap::Args;
use cloudstack_usage::{Period, Snapshot};
use rating_engine::quota::{
    Cause, Comparison, Metadata, OmittedTariff, Quota, QuotaError, QuotaRating, Tariff,
    book_from_tariffs, compare,
};
use rating_engine::{Bill, Currency, Exact, PriceBook, Rating, RoundingMode, allocate};
use serde_json::{Value, json};

use crate::dates::{Date, Month};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Input, InputArgs, must_exist};
use crate::{bill, output, rating};

/// Flags of `csbill shadow`.
#[derive(Debug, Args)]
pub(crate) struct ShadowArgs {
    /// The answer to quotaTariffList, plain or gzip.
    #[arg(long, value_name = "FILE")]
    tariffs: PathBuf,
    /// Compare with the bill of this price book; without it, with that of the tariffs
    /// themselves, so that nothing but Quota's own ways is left.
    #[arg(long, value_name = "FILE")]
    book: Option<PathBuf>,
    /// A civil month, such as 2026-10.
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"], required_unless_present_all = ["from", "to"])]
    month: Option<Month>,
    /// The first day, or the instant of the beginning.
    #[arg(long, value_name = "DATE", requires = "to")]
    from: Option<Date>,
    /// The last day, included; or the instant of the end, excluded.
    #[arg(long, value_name = "DATE", requires = "from")]
    to: Option<Date>,
    /// The zone of days and months where no book says one.
    #[arg(
        long,
        value_name = "ZONE",
        default_value = "UTC",
        conflicts_with = "book"
    )]
    zone: Tz,
    /// The time zone of CloudStack's server, by which Quota takes months.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    server_zone: Tz,
    /// The tariffs' currency where no book says one.
    #[arg(long, value_name = "CODE", default_value = "USD", conflicts_with = "book", value_parser = currency)]
    currency: Currency,
    /// Show every cause of every resource.
    #[arg(long)]
    lines: bool,
    #[command(flatten)]
    input: InputArgs,
}

fn currency(code: &str) -> Result<Currency, String> {
    Currency::from_code(code).ok_or_else(|| "an ISO 4217 code such as EUR is wanted".to_owned())
}

impl ShadowArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        must_exist(&self.tariffs)?;
        let tariffs = Tariff::read_list(&read(&self.tariffs)?)
            .map_err(|error| refused(&self.tariffs, &error))?;
        let own = self.book.as_deref().map(rating::load_book).transpose()?;
        let (zone, currency) = match &own {
            Some(book) => (zone_of(book), book.currency()),
            None => (self.zone, self.currency),
        };
        let translated = book_from_tariffs(&tariffs, zone, currency);
        let equivalent = PriceBook::from_toml(&translated.toml).map_err(|errors| {
            let message = format!("{}: {errors}", self.tariffs.display());
            Failure::new(Exit::Configuration, message)
        })?;
        let period = bill::period_of(&equivalent, self.month, self.from, self.to)?;
        let sides = Sides {
            tariffs: &tariffs,
            equivalent: &equivalent,
            ours: own.as_ref(),
            zone,
            server_zone: self.server_zone,
            period,
        };
        let comparison = sides.compare(&mut self.input.open()?)?;
        let shown = Shown {
            comparison: &comparison,
            omitted: &translated.omitted,
            period,
            currency,
        };
        if json {
            output::to_stdout(output::json_text(&shown.json())?.as_bytes())?;
        } else {
            output::to_stdout(shown.text(self.lines).as_bytes())?;
        }
        Ok(if comparison.problems.is_empty() {
            Exit::Success
        } else {
            Exit::Refused
        })
    }
}

/// A file's bytes, unpacked where it is gzip.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: &std::io::Error| Failure::file(path, error);
    let bytes = std::fs::read(path).map_err(|error| failed(&error))?;
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut body = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut body)
        .map_err(|error| failed(&error))?;
    Ok(body)
}

fn refused(path: &Path, error: &QuotaError) -> Failure {
    Failure::new(Exit::Configuration, format!("{}: {error}", path.display()))
}

/// A validated book has a zone that is known.
fn zone_of(book: &PriceBook) -> Tz {
    book.zone_name().parse().unwrap_or(Tz::UTC)
}

/// What is compared.
struct Sides<'a> {
    tariffs: &'a [Tariff],
    equivalent: &'a PriceBook,
    ours: Option<&'a PriceBook>,
    zone: Tz,
    server_zone: Tz,
    period: Period,
}

impl Sides<'_> {
    fn compare(&self, input: &mut Input) -> Result<Comparison, Failure> {
        let inventory = rating::inventory(self.ours.unwrap_or(self.equivalent), input)?;
        let mut newest: Option<Snapshot> = None;
        input.snapshots(&mut |snapshot| newest = Some(snapshot.clone()))?;
        let metadata = Metadata::new(&inventory, newest.as_ref());
        let quota = Quota::new(self.tariffs, metadata, self.server_zone);
        let mut statement = QuotaRating::new(&quota, self.period, self.zone);
        let failed = |error: rating_engine::RatingError| {
            Failure::new(Exit::Configuration, error.to_string())
        };
        let mut equivalent =
            Rating::new(self.equivalent, &inventory, self.period).map_err(failed)?;
        let mut ours = self
            .ours
            .map(|book| Rating::new(book, &inventory, self.period))
            .transpose()
            .map_err(failed)?;
        input.usage(Rating::input_range(self.period), &mut |record| {
            statement.push(record);
            equivalent.push(record);
            if let Some(ours) = &mut ours {
                ours.push(record);
            }
            Ok(())
        })?;
        let unexplained = |error: QuotaError| Failure::new(Exit::Failed, error.to_string());
        let statement = statement.finish().map_err(unexplained)?;
        let equivalent: Bill = equivalent.finish();
        let ours: Bill = ours.map_or_else(|| equivalent.clone(), Rating::finish);
        compare(&statement, &equivalent, &ours).map_err(unexplained)
    }
}

/// What is printed.
struct Shown<'a> {
    comparison: &'a Comparison,
    omitted: &'a [OmittedTariff],
    period: Period,
    currency: Currency,
}

/// Places that show everything that Quota books.
const PLACES: u32 = 8;

/// Parts as printed, so that they add up to the printed sum to the last digit.
fn printed_parts(parts: &[Exact]) -> Vec<String> {
    let sum: Exact = parts.iter().sum();
    let total = sum.round(PLACES, RoundingMode::HalfAway);
    let unit = Exact::ratio(1, 10_i128.pow(PLACES)).unwrap_or_else(Exact::zero);
    allocate(&total, parts, PLACES)
        .into_iter()
        .map(|share| printed(&(Exact::from(share) * unit.clone())))
        .collect()
}

fn printed(amount: &Exact) -> String {
    amount.to_decimal_string(PLACES, RoundingMode::HalfAway)
}

impl Shown<'_> {
    fn text(&self, lines: bool) -> String {
        let comparison = self.comparison;
        let difference = comparison.quota.clone() - comparison.ours.clone();
        let mut out = format!("Quota and ours, {}, {}\n\n", self.period, self.currency);
        let mut row = |name: &str, amount: &Exact| {
            let _ = writeln!(out, "  {name:<32}{:>18}", printed(amount));
        };
        row("Quota", &comparison.quota);
        row("ours", &comparison.ours);
        row("difference", &difference);
        out.push_str("\nCauses\n");
        let causes = comparison.by_cause();
        let amounts: Vec<Exact> = causes.iter().map(|(_, amount, _)| amount.clone()).collect();
        for ((kind, _, at_stake), amount) in causes.iter().zip(printed_parts(&amounts)) {
            let _ = write!(out, "  {:<32}{amount:>18}", kind.slug());
            let _ = writeln!(out, "  {}{}", kind.meaning(), stake(at_stake));
        }
        let _ = writeln!(out, "  {:<32}{:>18}", "sum", printed(&difference));
        out.push_str("\nOwners\n");
        for (owner, one) in comparison.by_owner() {
            let _ = writeln!(
                out,
                "  {owner}: Quota {}, ours {}",
                printed(&one.quota),
                printed(&one.ours)
            );
            let amounts: Vec<Exact> = one.causes.values().cloned().collect();
            for ((kind, _), amount) in one.causes.iter().zip(printed_parts(&amounts)) {
                let _ = writeln!(out, "    {:<30}{amount:>18}", kind.slug());
            }
        }
        if lines {
            out.push_str("\nLines\n");
            for cause in comparison.causes() {
                out.push_str(&line(cause));
            }
        }
        self.notes(&mut out);
        out
    }

    fn notes(&self, out: &mut String) {
        if !self.omitted.is_empty() {
            out.push_str("\nTariffs that no price book says\n");
        }
        for tariff in self.omitted {
            let _ = writeln!(out, "  {} ({}): {}", tariff.name, tariff.id, tariff.reason);
        }
        if !self.comparison.problems.is_empty() {
            out.push_str("\nNot known of Quota\n");
        }
        for problem in &self.comparison.problems {
            let _ = writeln!(out, "  {problem}");
        }
    }

    fn amount(&self, exact: &Exact) -> Value {
        json!({ "amount": printed(exact), "exact": exact, "currency": self.currency })
    }

    fn json(&self) -> Value {
        let comparison = self.comparison;
        let causes = comparison.by_cause();
        let causes = causes.iter().map(|(kind, amount, at_stake)| {
            json!({
                "cause": kind.slug(),
                "meaning": kind.meaning(),
                "amount": self.amount(amount),
                "at_stake": self.amount(at_stake),
            })
        });
        let lines = comparison.lines.iter().map(|line| {
            json!({
                "owner": line.owner,
                "resource": line.resource.to_string(),
                "resource_name": line.resource_name,
                "item": line.item,
                "quota": self.amount(&line.quota),
                "ours": self.amount(&line.ours),
                "causes": line.causes.iter().map(|cause| self.cause(cause)).collect::<Vec<_>>(),
            })
        });
        let omitted = self
            .omitted
            .iter()
            .map(|tariff| json!({ "id": tariff.id, "name": tariff.name, "reason": tariff.reason }));
        let difference = comparison.quota.clone() - comparison.ours.clone();
        json!({
            "period": self.period,
            "quota": self.amount(&comparison.quota),
            "ours": self.amount(&comparison.ours),
            "difference": self.amount(&difference),
            "causes": causes.collect::<Vec<_>>(),
            "lines": lines.collect::<Vec<_>>(),
            "not_metered": comparison.not_metered.iter().map(|c| self.cause(c)).collect::<Vec<_>>(),
            "omitted_tariffs": omitted.collect::<Vec<_>>(),
            "problems": comparison.problems,
        })
    }

    fn cause(&self, cause: &Cause) -> Value {
        json!({
            "cause": cause.kind.slug(),
            "owner": cause.owner,
            "resource": cause.resource.as_ref().map(ToString::to_string),
            "resource_name": cause.resource_name,
            "item": cause.item,
            "amount": self.amount(&cause.amount),
            "at_stake": self.amount(&cause.at_stake),
            "note": cause.note,
        })
    }
}

fn stake(at_stake: &Exact) -> String {
    if at_stake.is_zero() {
        String::new()
    } else {
        format!(" (at stake: {})", printed(at_stake))
    }
}

fn line(cause: &Cause) -> String {
    let note = if cause.note.is_empty() {
        String::new()
    } else {
        format!(" ({})", cause.note)
    };
    format!(
        "  {:<20}{:>18}  {}, {} {}{note}{}\n",
        cause.kind.slug(),
        printed(&cause.amount),
        cause.owner,
        cause.item,
        cause.resource_name,
        stake(&cause.at_stake)
    )
}
