//! `listAccounts`. Accounts of projects are not in the list.

use crate::metadata::Account;
use crate::wire::entry::{Entry, EntryError};

/// An account.
pub(in crate::wire) fn account(entry: &Entry<'_>) -> Result<Account, EntryError> {
    Ok(Account {
        id: entry.required_id("id")?,
        name: entry.required_text("name")?,
        domain: entry.required_id("domainid")?,
        state: entry.text("state")?,
    })
}
