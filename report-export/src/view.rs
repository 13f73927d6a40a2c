//! The part of a bill that a report is about.

use std::collections::BTreeSet;
use std::sync::Arc;

use cloudstack_usage::{DomainId, ResourceId};
use rating_engine::{Bill, Finding, LineItem, Money, Statement};

use crate::error::{ErrorKind, ExportError};
use crate::filter::{Filter, Selection, domain_candidate, resolve};
use crate::totals::Totals;

/// A bill, one statement of it, or the lines of either that a filter keeps.
///
/// Every report is made from a view, so all reports of one view add the same printed lines.
#[derive(Debug, Clone)]
pub struct View<'a> {
    bill: &'a Bill,
    statement: Option<&'a Statement>,
    kept: Option<Arc<Kept>>,
    totals: Totals,
}

/// What a filter keeps.
#[derive(Debug)]
struct Kept {
    selection: Selection,
    /// The resources of the kept lines, by which findings are kept.
    resources: BTreeSet<ResourceId>,
    /// The billing accounts kept as a whole.
    accounts: BTreeSet<DomainId>,
}

impl<'a> View<'a> {
    /// The whole bill.
    ///
    /// # Errors
    /// When a line has another currency than the bill, a statement's printed lines do not
    /// add up to its printed total, or the statements do not add up to the bill's.
    pub fn of_bill(bill: &'a Bill) -> Result<Self, ExportError> {
        for statement in &bill.statements {
            check(bill, statement)?;
        }
        let view = Self::new(bill, None, None)?;
        if view.totals.amount != bill.total {
            return Err(inconsistent(
                "the statements of the bill",
                &view.totals,
                &bill.total,
            ));
        }
        Ok(view)
    }

    /// One statement of the bill: by its billing account's id, path or name.
    ///
    /// # Errors
    /// When the bill has no such statement, the name stands for several, or the statement
    /// does not add up (see [`View::of_bill`]).
    pub fn of_statement(bill: &'a Bill, account: &str) -> Result<Self, ExportError> {
        let known = bill
            .statements
            .iter()
            .map(|statement| domain_candidate(&statement.path, Some(statement.account.to_string())))
            .collect();
        let found = resolve(account, "statement of", &known)?;
        let statement = bill.statements.iter().find(|statement| {
            let own = domain_candidate(&statement.path, Some(statement.account.to_string()));
            found.contains(&&own)
        });
        if let Some(statement) = statement {
            check(bill, statement)?;
        }
        Self::new(bill, statement, None)
    }

    /// The lines of this view that the filter keeps.
    ///
    /// Findings are kept with the resources of the kept lines; all findings of a billing
    /// account are kept where the filter keeps its domain with sub-domains. So a report
    /// for one customer never shows the findings of another.
    ///
    /// # Errors
    /// When a name is not in the view, or stands for several things. The message lists
    /// what there is.
    pub fn filtered(&self, filter: &Filter) -> Result<Self, ExportError> {
        if filter.is_empty() {
            return Ok(self.clone());
        }
        let selection = filter.resolve(self.lines())?;
        let mut resources = BTreeSet::new();
        for (_, line) in self.lines().filter(|(_, line)| selection.keeps(line)) {
            resources.insert(line.resource.clone());
            resources.extend(line.vm.as_ref().map(cloudstack_usage::VmId::as_resource));
            resources.extend(
                line.volume
                    .as_ref()
                    .map(cloudstack_usage::VolumeId::as_resource),
            );
        }
        let accounts = self
            .statements()
            .filter(|statement| selection.keeps_whole(statement))
            .map(|statement| statement.account.clone())
            .collect();
        let kept = Kept {
            selection,
            resources,
            accounts,
        };
        Self::new(self.bill, self.statement, Some(Arc::new(kept)))
    }

    fn new(
        bill: &'a Bill,
        statement: Option<&'a Statement>,
        kept: Option<Arc<Kept>>,
    ) -> Result<Self, ExportError> {
        let mut view = Self {
            bill,
            statement,
            kept,
            totals: Totals::zero(bill.currency),
        };
        let mut totals = Totals::zero(bill.currency);
        for (_, line) in view.lines() {
            add(&mut totals, line)?;
        }
        view.totals = totals;
        Ok(view)
    }

    /// The bill.
    pub fn bill(&self) -> &'a Bill {
        self.bill
    }

    /// The statement, where the view is of one.
    pub fn statement(&self) -> Option<&'a Statement> {
        self.statement
    }

    /// Whether the view is the whole bill.
    pub fn is_whole_bill(&self) -> bool {
        self.statement.is_none() && self.kept.is_none()
    }

    /// The filter in words, where there is one.
    pub fn filter_text(&self) -> Option<&str> {
        self.kept.as_ref().map(|kept| kept.selection.text())
    }

    /// What the lines add up to.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The statements that the view looks into.
    fn statements(&self) -> impl Iterator<Item = &'a Statement> + use<'a> {
        let all: &'a [Statement] = match self.statement {
            Some(statement) => std::slice::from_ref(statement),
            None => &self.bill.statements,
        };
        all.iter()
    }

    /// The lines with their statements, in the order of the bill.
    pub fn lines(&self) -> impl Iterator<Item = (&'a Statement, &'a LineItem)> + use<'a> {
        let kept = self.kept.clone();
        self.statements()
            .flat_map(|statement| statement.lines.iter().map(move |line| (statement, line)))
            .filter(move |(_, line)| kept.as_ref().is_none_or(|kept| kept.selection.keeps(line)))
    }

    /// The findings that concern the view, in the order of the bill.
    pub fn findings(&self) -> impl Iterator<Item = &'a Finding> + use<'a> {
        let kept = self.kept.clone();
        let account = self.statement.map(|statement| &statement.account);
        self.bill.findings.iter().filter(move |finding| {
            let of_statement = account.is_none() || finding.account.as_ref() == account;
            of_statement && kept.as_ref().is_none_or(|kept| kept.keeps(finding))
        })
    }
}

impl Kept {
    fn keeps(&self, finding: &Finding) -> bool {
        let by_account = finding
            .account
            .as_ref()
            .is_some_and(|account| self.accounts.contains(account));
        let by_resource = finding
            .resource
            .as_ref()
            .is_some_and(|resource| self.resources.contains(resource));
        by_account || by_resource
    }
}

/// The statement is in the bill's currency, and its printed lines add up.
fn check(bill: &Bill, statement: &Statement) -> Result<(), ExportError> {
    let mut totals = Totals::zero(bill.currency);
    for line in &statement.lines {
        add(&mut totals, line)?;
    }
    if totals.amount == statement.total {
        return Ok(());
    }
    let what = format!("the lines of the statement of {}", statement.path);
    Err(inconsistent(&what, &totals, &statement.total))
}

fn inconsistent(what: &str, totals: &Totals, total: &Money) -> ExportError {
    ExportError::new(
        ErrorKind::Inconsistent,
        format!(
            "{what} add up to {}, but the total says {total}; rate the period again and \
             report this if it stays",
            totals.amount
        ),
    )
}

fn add(totals: &mut Totals, line: &LineItem) -> Result<(), ExportError> {
    let row = totals.lines + 1;
    totals.add(line).map_err(|mismatch| {
        ExportError::new(
            ErrorKind::Currency,
            format!("line {}: {mismatch}", line.key),
        )
        .at_row(row)
        .at_column("amount")
        .with_source(mismatch)
    })
}
