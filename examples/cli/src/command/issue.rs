//! `csbill issue`.

use chrono::{DateTime, Utc};
use clap::Args;

use crate::bill::BillArgs;
use crate::dates::instant;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{DatabaseArgs, Input};
use crate::ledger::{Issuing, Ledger};
use crate::{output, rating};

/// Flags of `csbill issue`.
#[derive(Debug, Args)]
pub(crate) struct IssueArgs {
    #[command(flatten)]
    bill: BillArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    issuer: IssuerArgs,
}

/// Who issues something, and when.
#[derive(Debug, Clone, Args)]
pub(crate) struct IssuerArgs {
    /// Who issues it.
    #[arg(long, value_name = "NAME", env = "CSBILL_AUTHOR")]
    pub(crate) author: Option<String>,
    /// When it is recorded [default: now].
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) recorded: Option<DateTime<Utc>>,
}

impl IssuerArgs {
    /// Who and when; nothing is issued by nobody.
    pub(crate) fn issuing(&self) -> Result<Issuing<'_>, Failure> {
        let author = self.author.as_deref().unwrap_or_default();
        if author.is_empty() {
            let message = "say who issues it: --author NAME, or CSBILL_AUTHOR";
            return Err(Failure::new(Exit::Usage, message));
        }
        Ok(Issuing {
            author,
            at: self.recorded.unwrap_or_else(Utc::now),
        })
    }
}

impl IssueArgs {
    pub(crate) fn run(&self, json: bool) -> Result<Exit, Failure> {
        let issuing = self.issuer.issuing()?;
        let bill = self.bill.bill(|| Input::database(&self.database))?;
        if bill.statements.is_empty() {
            output::note("nobody used anything in this period; there is no bill to issue");
            return Ok(Exit::Nothing);
        }
        let book = rating::text_of_book(&self.bill.book, &bill.book)?;
        let text = output::json_text(&bill.to_json())?;
        let mut ledger = Ledger::open(&self.database)?;
        if let Some(issued) = ledger.bill(bill.period)? {
            if issued.content == text {
                output::note("this bill was issued already; nothing changed");
                return Ok(Exit::Nothing);
            }
            let message = format!(
                "the bill of {} was issued by {} at {} and never changes; `csbill rerate` gives its correction",
                bill.period, issued.author, issued.recorded
            );
            return Err(Failure::new(Exit::Failed, message));
        }
        // a book without a bill does no harm, a bill without its book does
        ledger.keep_book(&bill.book.name, &book, &issuing)?;
        ledger.keep_bill(bill.period, &text, &issuing)?;
        if json {
            output::to_stdout(text.as_bytes())?;
        } else {
            output::line(&format!(
                "issued {}: {} statements, {}, digest {}",
                bill.period,
                bill.statements.len(),
                bill.total,
                bill.digest
            ))?;
        }
        Ok(rating::exit(&bill))
    }
}
