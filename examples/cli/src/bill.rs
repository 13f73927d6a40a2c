//! Flags shared by everything that makes a bill, and the bill that they ask for.

use std::path::PathBuf;

use clap::Args;
use cloudstack_usage::Period;
use rating_engine::{Bill, PriceBook};
use report_export::{Filter, View};

use crate::dates::{Date, Month};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{Input, must_exist};
use crate::progress::Progress;
use crate::rating;

/// With which prices, and for when.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Bill")]
pub(crate) struct BillArgs {
    /// The price book, TOML or (by its name) JSON.
    #[arg(long, value_name = "FILE", env = "CSBILL_BOOK")]
    pub(crate) book: PathBuf,
    /// A civil month of the book's zone, such as 2026-10.
    #[arg(long, value_name = "YYYY-MM", conflicts_with_all = ["from", "to"], required_unless_present_all = ["from", "to"])]
    pub(crate) month: Option<Month>,
    /// The first day (in the book's zone), or the instant of the beginning.
    #[arg(long, value_name = "DATE", requires = "to")]
    pub(crate) from: Option<Date>,
    /// The last day, included; or the instant of the end, excluded.
    #[arg(long, value_name = "DATE", requires = "from")]
    pub(crate) to: Option<Date>,
}

impl BillArgs {
    /// Reads the book and makes the bill.
    pub(crate) fn bill(
        &self,
        open: impl FnOnce() -> Result<Input, Failure>,
    ) -> Result<Bill, Failure> {
        self.bill_of(None, open)
    }

    /// The same for one customer alone, in the time zone that the book gives it.
    pub(crate) fn bill_of(
        &self,
        customer: Option<&str>,
        open: impl FnOnce() -> Result<Input, Failure>,
    ) -> Result<Bill, Failure> {
        must_exist(&self.book)?;
        let mut book = rating::load_book(&self.book)?;
        if let Some(customer) = customer {
            book = book.for_customer(customer);
        }
        let period = self.period(&book)?;
        let mut input = open()?;
        let progress = Progress::new("rating");
        let bill = rating::rate(&book, period, &mut input);
        drop(progress);
        match customer {
            Some(customer) => alone(bill?, customer),
            None => bill,
        }
    }

    /// The period that the flags name, in the book's zone.
    pub(crate) fn period(&self, book: &PriceBook) -> Result<Period, Failure> {
        period_of(book, self.month, self.from, self.to)
    }
}

/// The statement of one customer and the findings about it. What else was rated was so in
/// the zone of this customer, which is nobody else's business.
fn alone(mut bill: Bill, customer: &str) -> Result<Bill, Failure> {
    bill.statements
        .retain(|one| one.path == customer || one.account.to_string() == customer);
    let [statement] = bill.statements.as_slice() else {
        let message = format!(
            "this period has no statement of {customer}; give the path or id of a billing account"
        );
        return Err(Failure::new(Exit::Nothing, message));
    };
    let account = statement.account.clone();
    (bill.total, bill.gross) = (statement.total.clone(), statement.gross.clone());
    bill.exact = statement.exact.clone();
    bill.findings
        .retain(|finding| finding.account.as_ref() == Some(&account));
    Ok(bill)
}

/// The period that the flags name.
pub(crate) fn period_of(
    book: &PriceBook,
    month: Option<Month>,
    from: Option<Date>,
    to: Option<Date>,
) -> Result<Period, Failure> {
    match (month, from, to) {
        (Some(month), _, _) => rating::civil_period(book, month.first(), month.last()),
        (None, Some(from), Some(to)) => period(book, from, to),
        _ => Err(Failure::new(
            Exit::Usage,
            "give --month, or --from and --to",
        )),
    }
}

/// A day is the whole day in the book's zone; an instant is itself.
fn period(book: &PriceBook, from: Date, to: Date) -> Result<Period, Failure> {
    let start = match from {
        Date::Civil(day) => rating::civil_period(book, day, day)?.start(),
        Date::Instant(instant) => instant,
    };
    let end = match to {
        Date::Civil(day) => rating::civil_period(book, day, day)?.end(),
        Date::Instant(instant) => instant,
    };
    Period::new(start, end).map_err(|error| Failure::new(Exit::Usage, error.to_string()))
}

/// What of a bill to look at. Several values of a flag widen, several flags narrow.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct FilterArgs {
    /// A domain by id, path or name, with its sub-domains.
    #[arg(long, value_name = "DOMAIN")]
    domain: Vec<String>,
    /// Leave the sub-domains out.
    #[arg(long, requires = "domain")]
    exclusive: bool,
    /// A project by id, name or path.
    #[arg(long, value_name = "PROJECT")]
    project: Vec<String>,
    /// A VM by id or name, with the volumes attached to it.
    #[arg(long, value_name = "VM")]
    vm: Vec<String>,
    /// A volume by id or name.
    #[arg(long, value_name = "VOLUME")]
    volume: Vec<String>,
    /// A cost centre; an empty text means none.
    #[arg(long, value_name = "NAME")]
    cost_centre: Vec<String>,
}

impl FilterArgs {
    /// The part of the bill that the flags name.
    ///
    /// # Errors
    /// When nothing has such a name, or several things have it.
    pub(crate) fn view<'a>(&self, bill: &'a Bill) -> Result<View<'a>, Failure> {
        let centre = |name: &String| (!name.is_empty()).then(|| name.clone());
        let filter = Filter {
            domains: self.domain.clone(),
            exclusive: self.exclusive,
            projects: self.project.clone(),
            vms: self.vm.clone(),
            volumes: self.volume.clone(),
            cost_centres: self.cost_centre.iter().map(centre).collect(),
        };
        Ok(View::of_bill(bill)?.filtered(&filter)?)
    }
}
