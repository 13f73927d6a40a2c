//! What was issued: bills and corrections, with the price books they were made with, in the
//! database's log of documents.

use chrono::{DateTime, SecondsFormat, Utc};
use cloudstack_usage::Period;
use cloudstack_usage::store::{Document, DocumentEntry, DocumentKind, UsageStore};
use rating_engine::{Correction, Issued};
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::DatabaseArgs;

/// The log of one cloud.
pub(crate) struct Ledger {
    store: Box<dyn UsageStore + Send>,
    cloud: String,
}

/// Who issues, and when.
#[derive(Debug, Clone)]
pub(crate) struct Issuing<'a> {
    pub(crate) author: &'a str,
    pub(crate) at: DateTime<Utc>,
}

impl Ledger {
    /// Opens the log to read and to add to.
    pub(crate) fn open(database: &DatabaseArgs) -> Result<Self, Failure> {
        let location = database.location()?;
        if !location.may_exist() {
            let message = format!("there is no database {location}; run `csbill sync` first");
            return Err(Failure::new(Exit::Store, message));
        }
        Ok(Self {
            store: location.open()?,
            cloud: database.cloud.clone(),
        })
    }

    /// The bill of a period as it was issued.
    pub(crate) fn bill(&mut self, period: Period) -> Result<Option<Document>, Failure> {
        let name = name_of(period);
        let bill = self
            .store
            .document(&self.cloud, DocumentKind::Statement, &name, None)?;
        Ok(bill)
    }

    /// What customers hold of a period: the bill with all its corrections.
    pub(crate) fn held(&mut self, period: Period) -> Result<Option<Issued>, Failure> {
        let Some(bill) = self.bill(period)? else {
            return Ok(None);
        };
        let mut held = Issued::from_json(&json(&bill)?)?;
        let name = name_of(period);
        for entry in self.entries(Some(DocumentKind::Correction))? {
            if entry.name == name {
                let correction = Correction::from_json(&json(&self.text(&entry)?)?)?;
                held = held.with(&correction)?;
            }
        }
        Ok(Some(held))
    }

    /// Everything of a kind, in the order in which it was recorded.
    pub(crate) fn entries(
        &mut self,
        kind: Option<DocumentKind>,
    ) -> Result<Vec<DocumentEntry>, Failure> {
        Ok(self.store.documents(&self.cloud, kind)?)
    }

    /// A document of the log with its text.
    pub(crate) fn text(&mut self, entry: &DocumentEntry) -> Result<Document, Failure> {
        let found = self.store.document_by_digest(&self.cloud, &entry.digest)?;
        found.ok_or_else(|| {
            let message = format!("the log has no text with the digest {}", entry.digest);
            Failure::new(Exit::Store, message)
        })
    }

    /// The price book of this name that was kept last (none: now; else until that instant).
    pub(crate) fn book(
        &mut self,
        name: &str,
        known_on: Option<DateTime<Utc>>,
    ) -> Result<Option<Document>, Failure> {
        let kind = DocumentKind::PriceBook;
        Ok(self.store.document(&self.cloud, kind, name, known_on)?)
    }

    /// Keeps a price book under its name. Says whether it is new.
    pub(crate) fn keep_book(
        &mut self,
        name: &str,
        text: &str,
        issuing: &Issuing<'_>,
    ) -> Result<bool, Failure> {
        self.keep(DocumentKind::PriceBook, name, text, issuing)
    }

    /// Keeps a bill as issued.
    pub(crate) fn keep_bill(
        &mut self,
        period: Period,
        text: &str,
        issuing: &Issuing<'_>,
    ) -> Result<bool, Failure> {
        self.keep(DocumentKind::Statement, &name_of(period), text, issuing)
    }

    /// Keeps a correction of a bill as issued.
    pub(crate) fn keep_correction(
        &mut self,
        period: Period,
        text: &str,
        issuing: &Issuing<'_>,
    ) -> Result<bool, Failure> {
        self.keep(DocumentKind::Correction, &name_of(period), text, issuing)
    }

    fn keep(
        &mut self,
        kind: DocumentKind,
        name: &str,
        text: &str,
        issuing: &Issuing<'_>,
    ) -> Result<bool, Failure> {
        let document = Document::new(kind, name, text, issuing.author, issuing.at);
        Ok(self.store.record_document(&self.cloud, &document)?)
    }
}

/// A bill is known by its period, as ISO 8601 writes one.
fn name_of(period: Period) -> String {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    format!("{}/{}", text(period.start()), text(period.end()))
}

fn json(document: &Document) -> Result<Value, Failure> {
    serde_json::from_str(&document.content).map_err(|error| {
        let message = format!(
            "the {} {} in the log is no JSON: {error}",
            document.kind.name(),
            document.name
        );
        Failure::new(Exit::Store, message)
    })
}
